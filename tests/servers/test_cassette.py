"""A recorded run is played: the same events, ids and times, offline, and told from other runs by what it is of."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hermes_nb import AgentResult, HermesAgentLoop, Limits, OpenAIServer, ScriptedServer, ToolContext, journal
from hermes_nb.clocks import CountedIds, StillClock
from hermes_nb.events import CallFinished, Replied, RunFinished
from hermes_nb.exceptions import ConfigurationError, JournalError
from hermes_nb.journal import Journal
from hermes_nb.records import ToolCall
from hermes_nb.servers.cassette import Cassette, Tape
from hermes_nb.servers.scripted import Scripted, call
from tests.servers.cassettes import (
    QUESTION,
    SUMS,
    Listening,
    add,
    content_of,
    echo,
    in_order,
    play,
    player,
    put,
    record,
    shown,
    sums,
    without_marks,
)

SOON = 60
"""Seconds within which a played run ends, whatever it took when it was recorded."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cassettes" / "x.jsonl"


async def test_a_run_recorded_over_a_socket_is_played_event_by_event(path: Path) -> None:
    both, recorded, played = asyncio.Event(), Listening(), Listening()

    async def wait(a: int, b: int) -> int:
        """Add two whole numbers, the first sum last."""
        if a == 2:
            await both.wait()
        else:
            both.set()
        return a + b

    scripted = sums()
    async with scripted.serve() as base_url:
        server = OpenAIServer("m", base_url=base_url, api_key="sk-test-1f2e3d4c5b6a79880716")
        first = await record(path, server, tools=[wait], on_event=recorded)
        await server.close()
    again = await play(path, tools=[wait], on_event=played)

    assert again.stop_reason == "finished"
    assert in_order(played.events) == in_order(recorded.events)
    assert without_marks(again) == without_marks(first)
    assert shown(without_marks(again)) == shown(without_marks(first))
    assert [one.replayed for one in again.results] == [True, True]
    assert len(scripted.requests) == 2


async def test_what_is_played_has_the_recorded_ids_and_says_which_cassette_it_is_from(path: Path) -> None:
    first, again = await record(path, sums()), await play(path)

    assert (again.run_id, again.task_id) == (first.run_id, first.task_id)
    assert again.provenance is not None
    assert again.provenance.server["cassette"] == "x.jsonl"
    assert again.provenance.server["model"] == "scripted"


async def test_an_hour_is_played_at_once_and_is_an_hour_still(path: Path) -> None:
    clock = StillClock()

    def slow(messages: list[dict[str, Any]]) -> str:
        clock.advance(3600)
        return "At last."

    loop = HermesAgentLoop(ScriptedServer(slow), clock=clock, cassette=Cassette(path))
    first = await loop.run("?")
    async with asyncio.timeout(SOON):
        again = await play(path, "?", tools=[])

    assert (first.seconds, again.seconds) == (3600, 3600)
    assert [turn.model_seconds for turn in again.turns] == [3600]
    assert again.provenance == first.provenance or again.provenance is not None
    assert again.provenance is not None
    assert first.provenance is not None
    assert again.provenance.started_at == first.provenance.started_at


async def test_nobody_is_asked_for_what_is_recorded(path: Path) -> None:
    await record(path, sums())
    idle = ScriptedServer([])
    ran = []

    def noted(a: int, b: int) -> int:
        """Add two whole numbers."""
        ran.append(a)
        return a + b

    noted.__name__ = "add"
    result = await HermesAgentLoop(idle, [noted], cassette=Cassette(path)).run(QUESTION)

    assert result.final_text == "It is 5, and 2."
    assert (idle.requests, ran) == ([], [])


async def test_two_hundred_runs_at_once_are_each_played_their_own(path: Path) -> None:
    loop = HermesAgentLoop(echo(), [add], cassette=Cassette(path))
    tasks = [(f"sum {number}", f"{number} {number + 1}") for number in range(200)]
    recorded = await asyncio.gather(*(loop.run(asked, task=task) for task, asked in tasks))
    random.Random(4).shuffle(tasks)

    alone = player(path)
    played = await asyncio.gather(*(alone.run(asked, task=task) for task, asked in tasks))

    by_task = {result.task: without_marks(result) for result in recorded}
    assert [without_marks(result) for result in played] == [by_task[task] for task, _ in tasks]
    assert [result.final_text for result in recorded] == [f"It is {2 * number + 1}." for number in range(200)]


async def test_a_run_that_is_played_twice_is_the_same_twice(path: Path) -> None:
    await record(path, sums())
    loop = player(path)

    assert await loop.run(QUESTION) == await loop.run(QUESTION)


@pytest.mark.parametrize("stream", [True, False])
async def test_who_changes_a_played_conversation_changes_no_recording(path: Path, stream: bool) -> None:
    first = await record(path, sums())
    loop = player(path)
    for _ in range(2):
        result = await loop.run(QUESTION, stream=stream)
        assert result.messages == first.messages
        for message in result.messages:
            for made in message.get("tool_calls", ()):
                made["function"]["arguments"] = "{}"
            message["content"] = "nothing of the kind"


async def test_samples_of_one_task_are_told_apart_by_their_attempt(path: Path) -> None:
    loop = HermesAgentLoop(ScriptedServer(["heads", "tails"]), cassette=Cassette(path))
    for attempt in range(2):
        await loop.run("Toss a coin", task="coin", attempt=attempt)

    other = HermesAgentLoop(ScriptedServer(["edge"]), cassette=Cassette(path))
    assert (await other.run("Toss a coin", task="another")).final_text == "edge"
    again = player(path, tools=[])
    tossed = [(await again.run("Toss a coin", task="coin", attempt=attempt)).final_text for attempt in (1, 0, 1)]
    assert tossed == ["tails", "heads", "tails"]


async def test_the_cells_of_a_notebook_are_told_apart_by_what_they_ask(path: Path) -> None:
    loop = HermesAgentLoop(echo(), [add], cassette=Cassette(path))
    first = await loop.run("1 2")
    await loop.run("3 4")
    await loop.run("10 20", after=first)

    again = player(path)
    earlier = await again.run("1 2")
    said = [await again.run("3 4"), earlier, await again.run("10 20", after=earlier)]
    assert [result.final_text for result in said] == ["It is 7.", "It is 3.", "It is 30."]


async def test_of_two_recordings_that_start_alike_the_one_with_the_same_settings_is_played(path: Path) -> None:
    for temperature in (0.0, 1.0):
        cassette = Cassette(path, ScriptedServer([f"at {temperature}"]), mode="record")
        await HermesAgentLoop(None, temperature=temperature, cassette=cassette).run("?")

    said = [await player(path, tools=[], temperature=one).run("?") for one in (1, 0)]
    assert [result.final_text for result in said] == ["at 1.0", "at 0.0"]


async def test_any_journal_is_a_cassette(path: Path) -> None:
    first = await HermesAgentLoop(sums(), [add], journal=path).run(QUESTION)

    assert without_marks(await play(path)) == without_marks(first)


async def test_runs_whose_lines_lie_between_each_others_in_a_journal_are_each_played(path: Path) -> None:
    loop = HermesAgentLoop(echo(), [add], journal=path)
    recorded = await asyncio.gather(loop.run("1 2"), loop.run("3 4"))

    assert [without_marks(await play(path, asked)) for asked in ("1 2", "3 4")] == [*map(without_marks, recorded)]


async def test_runs_that_have_the_same_counted_ids_are_each_played(path: Path) -> None:
    for asked in ("1 2", "3 4"):
        await HermesAgentLoop(echo(), [add], ids=CountedIds(), cassette=Cassette(path)).run(asked)

    assert [(await play(path, asked)).final_text for asked in ("1 2", "3 4")] == ["It is 3.", "It is 7."]


async def test_a_servers_error_comes_back_as_it_was(path: Path) -> None:
    refused = Scripted(status=429, text="slow down", code="rate_limit_exceeded", headers={"retry-after-ms": "1"})
    async with ScriptedServer([SUMS, refused, refused, refused]).serve() as base_url:
        server = OpenAIServer("m", base_url=base_url, api_key="sk-test-1f2e3d4c5b6a79880716")
        first = await record(path, server)
        await server.close()
    again = await play(path)

    assert first.error is not None
    assert (first.stop_reason, first.error.status, first.error.retries) == ("server_error", 429, 2)
    assert (again.stop_reason, again.error) == (first.stop_reason, first.error)
    assert without_marks(again) == without_marks(first)


async def test_everything_in_a_tools_result_comes_back(path: Path) -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}

    def look() -> Any:
        """Look."""
        print("looking")  # noqa: T201 - what a tool prints is kept
        return [{"type": "text", "text": "seen"}, picture]

    def fail() -> None:
        """Fail."""
        raise LookupError("nothing there")

    script = ScriptedServer([[call("look"), call("fail"), call("nobody")], "Done."])
    first = await record(path, script, tools=[look, fail])
    again = await play(path, tools=[look, fail])

    assert [one.status for one in again.results] == ["ok", "exception", "unknown_tool"]
    assert again.tool_errors == first.tool_errors
    assert (again.results[0].parts, again.results[0].printed) == (first.results[0].parts, first.results[0].printed)
    assert without_marks(again) == without_marks(first)


async def test_calls_that_were_given_new_ids_have_the_same_ones_again(path: Path) -> None:
    one = {"type": "function", "function": {"name": "add", "arguments": '{"a": 1, "b": 2}'}}
    twice = [{**one, "id": "same"}, {**one, "id": "same"}, {**one, "id": "other"}, one, {**one, "id": None}]
    body = {"choices": [{"message": {"role": "assistant", "content": None, "tool_calls": twice}}]}
    first = await record(path, ScriptedServer([body, body, "Done."]))
    again = await play(path)

    assert [made.sent_id for made in first.calls[:5]] == [None, "same", None, None, None]
    assert len({made.id for made in first.calls}) == 10
    assert (again.calls, again.messages) == (first.calls, first.messages)
    replies = [[turn.reply.problems for turn in result.turns if turn.reply] for result in (first, again)]
    assert replies[0] == replies[1]


async def test_thoughts_that_were_taken_out_of_the_text_are_taken_out_again(path: Path) -> None:
    async with ScriptedServer(["<think>2 and 3</think>It is 5."]).serve() as base_url:
        server = OpenAIServer("m", base_url=base_url, api_key="sk-test-1f2e3d4c5b6a79880716", split_think=True)
        first = await record(path, server)
        await server.close()
    again = await play(path)

    assert (again.final_text, again.reasoning_per_turn) == ("It is 5.", ["2 and 3"])
    assert without_marks(again) == without_marks(first)


async def test_a_journal_without_the_providers_body_plays_what_the_reply_says(path: Path) -> None:
    first = await record(path, sums())
    bare = path.with_name("bare.jsonl")
    with Journal(bare) as kept:
        for event in journal.read_events(path):
            kept.write(replace(event, reply=replace(event.reply, raw=None)) if isinstance(event, Replied) else event)
    again = await play(bare)

    assert again.messages == first.messages
    assert again.usage == first.usage
    assert [turn.reply and turn.reply.finish_reason for turn in again.turns] == ["tool_calls", "stop"]


@pytest.mark.parametrize(
    ("script", "how", "ending"),
    [
        ([SUMS, "no"], {"limits": Limits(tool_calls=1)}, "max_tool_calls"),
        ([SUMS, SUMS, "no"], {"max_turns": 2}, "max_turns"),
        ([SUMS, "It is 5."], {"max_turns": 1, "answer_at_limit": True}, "max_turns"),
        ([[call("add", a=2, b=3)]] * 3, {"limits": Limits(same_call=2)}, "repeating"),
        ([[call("add", a=2)]] * 3, {"limits": Limits(errors_in_a_row=2)}, "too_many_errors"),
        ([[call("add", a=2)], "no"], {"on_tool_error": "raise"}, "tool_error"),
        ([SUMS, "no"], {"stop_when": lambda turn: True}, "stopped"),
        ([SUMS, SUMS, "ok"], {"tool_choice": lambda turn: "required" if turn == 1 else "auto"}, "finished"),
        ([SUMS, Scripted(text="cut", finish_reason="length")], {}, "length"),
    ],
)
async def test_however_a_run_ended_it_ends_so_again(path: Path, script: Any, how: Any, ending: str) -> None:
    recorded, played = Listening(), Listening()
    await HermesAgentLoop(ScriptedServer(script), [add], cassette=Cassette(path), **how).run(
        QUESTION, on_event=recorded
    )
    again = await player(path, **how).run(QUESTION, on_event=played)

    assert again.stop_reason == ending
    assert in_order(played.events) == in_order(recorded.events)


async def test_with_live_tools_the_model_is_played_and_the_tools_are_run(path: Path) -> None:
    ran: list[ToolCall] = []

    def noted(a: int, b: int, context: ToolContext) -> int:
        """Add two whole numbers."""
        ran.append(context.call)
        return a + b

    noted.__name__ = "add"
    first = await record(path, sums(), tools=[noted])
    again = await HermesAgentLoop(None, [noted], cassette=Cassette(path, tools="live")).run(QUESTION)

    assert sorted(made.id for made in ran) == sorted([made.id for made in first.calls] * 2)
    assert [one.replayed for one in again.results] == [False, False]
    assert (again.final_text, again.messages) == (first.final_text, first.messages)
    assert [turn.model_seconds for turn in again.turns] == [turn.model_seconds for turn in first.turns]


async def test_with_live_tools_time_does_not_go_back(path: Path) -> None:
    clock = StillClock()
    took = [1.0]

    def wait() -> str:
        """Wait."""
        clock.advance(took[0])
        return "ok"

    script = ScriptedServer([[call("wait")], [call("wait")], "Done."])
    await HermesAgentLoop(script, [wait], clock=clock, cassette=Cassette(path)).run("?")
    took[0], events = 60.0, Listening()
    loop = HermesAgentLoop(None, [wait], clock=clock, cassette=Cassette(path, tools="live"))
    result = await loop.run("?", on_event=events)

    ats = [event.at for event in events.events]
    assert ats == sorted(ats)
    assert result.seconds == 120


async def test_a_played_run_stands_in_a_journal_of_its_own_which_plays_again(path: Path, tmp_path: Path) -> None:
    first = await record(path, sums())
    await player(path, journal=tmp_path / "again.jsonl").run(QUESTION)

    assert without_marks(await play(tmp_path / "again.jsonl")) == without_marks(first)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"mode": "rewind"}, "mode is one of 'auto', 'record', 'replay', 'live'"),
        ({"tools": "none"}, "tools is one of"),
        ({"on_miss": "ask"}, "on_miss is one of"),
    ],
)
def test_what_a_cassette_is_not_is_said_at_once(arguments: Any, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        Cassette("x.jsonl", **arguments)


async def test_without_a_file_and_without_a_server_there_is_nothing_to_run(path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"x\.jsonl is not there, and there is no server to record it with"):
        await play(path)
    assert not path.parent.exists()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"hello\n", "no journal"),
        (b'{"hermes_nb_journal": "2.0"}\n', "upgrade"),
        (b'{"hermes_nb_journal": "1.0"}\n{"t": "TurnStarted", "run_id": "r", "seq": 0}\n', "begins with RunStarted"),
        (b'{"hermes_nb_journal": "1.0"}\n{"t": "RunStarted", "run_id": "r", "seq": 0}\nx\n{"t": "y"}\n', "line 3"),
    ],
)
async def test_a_file_that_cannot_be_played_is_refused_with_its_reason(path: Path, content: bytes, told: str) -> None:
    put(path, content)
    with pytest.raises(JournalError, match=told) as caught:
        await play(path)
    assert "x.jsonl" in str(caught.value)
    assert content_of(path) == content


async def test_an_empty_file_is_a_cassette_in_which_nothing_is_recorded_yet(path: Path) -> None:
    put(path, b"")
    missed = await play(path)
    assert missed.error is not None
    assert "x.jsonl has no recording of a run without a task; it is empty" in missed.error.message
    await HermesAgentLoop(sums(), [add], cassette=Cassette(path)).run(QUESTION)

    assert (await play(path)).ok


def test_reprs_are_one_line_and_tell_no_secret(path: Path) -> None:
    server = OpenAIServer("m", base_url="http://localhost:1/v1", api_key="sk-test-1f2e3d4c5b6a79880716")
    cassette = Cassette(path, server, mode="record")
    tape = cassette.tape(messages=[{"role": "user", "content": "?"}])

    assert repr(cassette) == "Cassette(x.jsonl, record)"
    assert isinstance(tape, Tape)
    for one in (cassette, tape):
        assert "\n" not in repr(one)
        assert "0x" not in repr(one)
        assert "1f2e3d" not in repr(one)


async def test_a_recorded_run_that_was_played_ends_with_its_own_end(path: Path) -> None:
    await record(path, sums())
    heard = Listening()
    await play(path, on_event=heard)
    [end] = [event for event in heard.events if isinstance(event, RunFinished)]
    finished = [event.result for event in heard.events if isinstance(event, CallFinished)]
    written = [event for event in journal.read_events(path) if isinstance(event, RunFinished)]

    assert end == written[0]
    assert all(one.replayed for one in finished)


texts = st.text(max_size=30)
names = st.sampled_from(["add", "nobody", ""])
arguments = st.one_of(
    st.fixed_dictionaries({"a": st.integers(), "b": st.integers()}).map(lambda value: str(value).replace("'", '"')),
    st.text(max_size=12), st.none(), st.dictionaries(texts, st.integers(), max_size=2),
)  # fmt: skip
calls = st.fixed_dictionaries(
    {"function": st.fixed_dictionaries({"name": names, "arguments": arguments})},
    optional={"id": st.sampled_from(["a", "b", "", None]), "type": st.just("function"), "odd": texts},
)
messages = st.fixed_dictionaries(
    {"content": st.one_of(texts, st.none())},
    optional={"reasoning_content": texts, "reasoning": texts, "tool_calls": st.lists(calls, max_size=3)},
)
bodies = st.builds(
    lambda message, more, reason: {"choices": [{"message": message, "finish_reason": reason}], **more},
    messages,
    st.dictionaries(st.sampled_from(["id", "model", "usage", "system_fingerprint"]), st.none() | texts, max_size=3),
    st.sampled_from(["stop", "tool_calls", "length", None]),
)


@settings(max_examples=40, deadline=None)
@given(script=st.lists(bodies, min_size=1, max_size=3), streamed=st.tuples(st.booleans(), st.booleans()))
def test_whatever_a_server_says_is_said_again(
    tmp_path_factory: pytest.TempPathFactory, script: list[Any], streamed: tuple[bool, bool]
) -> None:
    path = tmp_path_factory.mktemp("played") / "x.jsonl"

    async def both() -> tuple[AgentResult, AgentResult]:
        how = {"stream": streamed[0]}
        first = await record(path, ScriptedServer([*script, "Done."]), **how)
        return first, await play(path, stream=streamed[1])

    first, again = asyncio.run(both())

    assert (again.stop_reason, again.messages, again.usage) == (first.stop_reason, first.messages, first.usage)
    assert [turn.reply for turn in again.turns] == [turn.reply for turn in first.turns]
    assert [one.content for one in again.results] == [one.content for one in first.results]
