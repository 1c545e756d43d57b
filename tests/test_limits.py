"""Limits end a run; they never raise."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import hermes_nb as hn
from hermes_nb.curl import body
from hermes_nb.servers.scripted import Scripted, call

pytestmark = pytest.mark.usefixtures("nothing_is_left")

USAGE = {"prompt_tokens": 60, "completion_tokens": 40, "total_tokens": 100}


def add(a: int, b: int) -> int:
    """Add two whole numbers."""
    return a + b


def fail() -> str:
    """Fail."""
    raise ValueError("no")


def again(messages: list[Any]) -> Scripted:
    """Another call, never the same."""
    return Scripted(calls=[call("add", a=len(messages), b=1)], usage={**USAGE, "cost": 0.01})


def loop(script: Any, **more: Any) -> hn.HermesAgentLoop:
    return hn.HermesAgentLoop(hn.ScriptedServer(script, strict=True), tools=[add, fail], **more)


async def test_a_run_ends_when_its_tokens_are_used_up_and_the_calls_are_not_run() -> None:
    result = await loop(again, limits=hn.Limits(total_tokens=250)).run("?")
    assert (result.stop_reason, result.turns_used, result.usage.total) == ("max_total_tokens", 3, 300)
    assert [answer.status for answer in result.results] == ["ok", "ok", "rejected"]
    assert "the run has used 300 tokens, and its limit is 250" in result.results[-1].content
    assert hn.repair(result.messages).report == ()


async def test_prompt_and_completion_make_the_tokens_where_there_is_no_total() -> None:
    usage = {"prompt_tokens": 60, "completion_tokens": 40}
    script = [Scripted(calls=[call("add", a=1, b=1)], usage=usage)]
    result = await loop(script, limits=hn.Limits(total_tokens=100)).run("?")
    assert result.stop_reason == "max_total_tokens"


async def test_an_answer_is_an_answer_whatever_it_took() -> None:
    script = [Scripted(text="Yes.", usage=USAGE)]
    result = await loop(script, limits=hn.Limits(total_tokens=1)).run("?")
    assert (result.stop_reason, result.final_text) == ("finished", "Yes.")


async def test_a_run_ends_when_it_has_cost_too_much() -> None:
    result = await loop(again, limits=hn.Limits(cost=0.02)).run("?")
    assert (result.stop_reason, result.turns_used) == ("max_cost", 2)


@pytest.mark.parametrize("name", ["total_tokens", "cost"])
async def test_a_limit_that_cannot_hold_is_said_to_once(name: str) -> None:
    script = [Scripted(calls=[call("add", a=1, b=n)], usage=None) for n in range(3)]
    with pytest.warns(UserWarning, match=rf"Limits\({name}=...\) cannot hold") as told:
        result = await loop([*script, "Yes."], limits=hn.Limits(**{name: 1})).run("?")
    assert (result.stop_reason, len(told)) == ("finished", 1)


async def test_a_batch_that_goes_over_the_number_of_calls_is_refused_before_any_of_it_runs() -> None:
    ran: list[int] = []

    def note(n: int) -> str:
        ran.append(n)
        return "noted"

    script = [[call("note", n=1), call("note", n=2)], [call("note", n=3), call("note", n=4)]]
    limited = hn.HermesAgentLoop(hn.ScriptedServer(script), tools=[note], limits=hn.Limits(tool_calls=3))
    result = await limited.run("?")
    assert (result.stop_reason, sorted(ran)) == ("max_tool_calls", [1, 2])
    assert [answer.status for answer in result.results] == ["ok", "ok", "rejected", "rejected"]
    assert result.results[-1].synthesised


async def test_exactly_the_number_of_calls_is_allowed() -> None:
    script = [[call("add", a=1, b=1), call("add", a=2, b=2)], "Yes."]
    result = await loop(script, limits=hn.Limits(tool_calls=2)).run("?")
    assert result.stop_reason == "finished"


async def test_F39_the_same_call_again_and_again_ends_the_run() -> None:
    script = [
        [call("add", a=1, b=2)],
        [{"type": "function", "function": {"name": "add", "arguments": '{"b": 2, "a": 1}'}}],
        [call("add", a=1, b=2)],
    ]
    result = await loop(script, limits=hn.Limits(same_call=3)).run("?")
    assert (result.stop_reason, [answer.status for answer in result.results]) == ("repeating", ["ok", "ok", "rejected"])
    assert "add was called 3 times with the same arguments" in result.results[-1].content


async def test_F39_another_call_in_between_starts_the_count_again() -> None:
    script = [[call("add", a=1, b=2)], [call("add", a=9, b=9)], [call("add", a=1, b=2)], "Yes."]
    result = await loop(script, limits=hn.Limits(same_call=2)).run("?")
    assert result.stop_reason == "finished"


async def test_F39_errors_one_after_the_other_end_the_run() -> None:
    script = [[call("fail")], [call("add", a=1, b=1)], [call("fail"), call("nothing")], [call("fail")], "never"]
    result = await loop(script, limits=hn.Limits(errors_in_a_row=3)).run("?")
    assert (result.stop_reason, result.turns_used) == ("too_many_errors", 4)
    assert hn.repair(result.messages).report == ()


async def test_the_seconds_of_a_run_end_it_wherever_it_is() -> None:
    class Silent:
        async def chat_completion(self, **request: Any) -> None:
            await asyncio.Event().wait()

    before = asyncio.all_tasks()
    result = await hn.HermesAgentLoop(Silent(), limits=hn.Limits(seconds=1.0)).run("?")
    assert (result.stop_reason, result.turns_used, result.error) == ("max_seconds", 1, None)
    assert asyncio.all_tasks() == before


async def test_the_seconds_of_a_run_cancel_its_tools_and_answer_their_calls() -> None:
    ended: list[str] = []

    async def forever() -> str:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")
        return ""

    server = hn.ScriptedServer([[call("forever")]])
    result = await hn.HermesAgentLoop(server, tools=[forever], limits=hn.Limits(seconds=1.0)).run("?")
    assert (result.stop_reason, ended) == ("max_seconds", ["cancelled"])
    assert [answer.status for answer in result.results] == ["cancelled"]
    assert hn.repair(result.messages).report == ()


async def test_at_the_limit_of_turns_one_more_request_without_tools_gives_an_answer() -> None:
    server = hn.ScriptedServer([[call("add", a=1, b=1)], "About 2."], strict=True)
    limited = hn.HermesAgentLoop(server, tools=[add], max_turns=1, answer_at_limit=True, tool_choice="auto")
    result = await limited.run("?")
    assert (result.stop_reason, result.final_text, result.turns_used) == ("max_turns", "About 2.", 2)
    assert "tools" not in server.requests[1]
    assert "tool_choice" not in server.requests[1]
    assert result.turns[1].request == {"tools": None, "tool_choice": None}


async def test_the_request_without_tools_is_told_as_such_by_curl() -> None:
    script = [[call("add", a=1, b=1)], "About 2."]
    async with hn.ScriptedServer(script).serve() as base_url:
        server = hn.OpenAIServer("m", base_url=base_url, api_key="none")
        result = await hn.HermesAgentLoop(server, tools=[add], max_turns=1, answer_at_limit=True).run("?")
    assert "tools" in body(result, 1)
    assert "tools" not in body(result, 2)


async def test_calls_made_at_the_limit_all_the_same_are_refused() -> None:
    server = hn.ScriptedServer([[call("add", a=1, b=1)], [call("add", a=2, b=2)]])
    result = await hn.HermesAgentLoop(server, tools=[add], max_turns=1, answer_at_limit=True).run("?")
    assert (result.stop_reason, [answer.status for answer in result.results]) == ("max_turns", ["ok", "rejected"])


async def test_an_answer_in_time_needs_no_second_request() -> None:
    server = hn.ScriptedServer(["Yes."])
    result = await hn.HermesAgentLoop(server, max_turns=1, answer_at_limit=True).run("?")
    assert (result.stop_reason, len(server.requests)) == ("finished", 1)


async def test_a_server_that_fails_at_the_limit_is_the_ending() -> None:
    server = hn.ScriptedServer([[call("add", a=1, b=1)], Scripted(status=500, text="no")])
    result = await hn.HermesAgentLoop(server, tools=[add], max_turns=1, answer_at_limit=True).run("?")
    assert result.stop_reason == "server_error"


@pytest.mark.parametrize("name", ["total_tokens", "seconds", "tool_calls", "cost", "same_call", "errors_in_a_row"])
@pytest.mark.parametrize("value", [0, -1, "10", True, float("nan")])
def test_a_limit_is_a_number_above_0(name: str, value: Any) -> None:
    with pytest.raises(hn.HermesError, match=name):
        hn.Limits(**{name: value})


def test_limits_are_limits() -> None:
    with pytest.raises(hn.HermesError, match="Limits"):
        hn.HermesAgentLoop(hn.ScriptedServer([]), limits={"seconds": 3})


async def test_the_limits_of_a_run_are_recorded_with_it() -> None:
    result = await loop(["Yes."], limits=hn.Limits(tool_calls=3, seconds=60), max_turns=7).run("?")
    assert result.provenance is not None
    assert result.provenance.limits == {"max_turns": 7, "tool_timeout": None, "seconds": 60, "tool_calls": 3}


async def test_a_run_that_goes_on_from_another_starts_afresh() -> None:
    limited = loop([[call("add", a=1, b=1)], "Yes."] * 2, limits=hn.Limits(tool_calls=1))
    first = await limited.run("?")
    second = await limited.run("And?", after=first)
    assert (first.stop_reason, second.stop_reason) == ("finished", "finished")
