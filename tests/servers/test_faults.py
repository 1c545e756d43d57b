"""Faults: a script that fails now and then, by seed, in ways that have names."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from typing import Any

import pytest

import hermes_nb as hn
from hermes_nb.exceptions import ConfigurationError, ServerError
from hermes_nb.records import Reply
from hermes_nb.servers import Faults, OpenAIServer, Scripted, ScriptedServer, call
from hermes_nb.servers.scripted.faults import FAULTS, MODEL_FAULTS, SERVER_FAULTS

CALLS = [call("add", a=1, b=2), call("add", a=3, b=4)]


def add(a: int, b: int) -> int:
    """Add two whole numbers."""
    return a + b


async def met(faults: Faults, question: str, times: int = 1) -> str:
    """What the last of several equal requests met; "" for nothing."""
    before = len(faults.done)
    for _ in range(times):
        before = len(faults.done)
        with suppress(ServerError):
            await ScriptedServer(faults).ask(question)
    return faults.done[before].kind if len(faults.done) > before else ""


async def spoiled(kind: str, reply: Any) -> Reply:
    """The Reply that a reply of the script comes to with this fault."""
    return await ScriptedServer(Faults([reply], rate=1, kinds=[kind])).ask("?")


async def test_the_same_seed_gives_the_same_faults_in_whatever_order_is_asked() -> None:
    questions = [f"question {number}" for number in range(60)]
    one, other = Faults(lambda messages: CALLS, seed=7, silence=0), Faults(lambda messages: CALLS, seed=7, silence=0)

    forth = {question: await met(one, question) for question in questions}
    back = {question: await met(other, question) for question in reversed(questions)}

    assert forth == back
    assert len(set(forth.values())) > 3


async def test_another_seed_gives_other_faults() -> None:
    questions = [f"question {number}" for number in range(60)]
    one, other = (Faults(lambda messages: CALLS, seed=seed, silence=0) for seed in (1, 2))

    drawn = [[await met(faults, question) for question in questions] for faults in (one, other)]

    assert drawn[0] != drawn[1]


async def test_a_request_that_is_made_again_draws_again() -> None:
    drawn = {
        await met(Faults(lambda messages: CALLS, seed=3, rate=0.5, silence=0), "?", times) for times in range(1, 20)
    }

    assert "" in drawn
    assert len(drawn) > 2


async def test_the_rate_is_the_share_of_requests_that_meet_a_fault() -> None:
    faults = Faults(lambda messages: "Hello", rate=0.25, kinds=["broken"])
    for number in range(400):
        await met(faults, f"question {number}")

    assert 60 < len(faults.done) < 140


async def test_a_rate_of_nothing_is_the_script_itself() -> None:
    faults = Faults([CALLS, "It is 10."], rate=0)

    result = await hn.HermesAgentLoop(ScriptedServer(faults, strict=True), tools=[add]).run("?")

    assert (result.final_text, faults.done) == ("It is 10.", [])


async def test_what_was_done_is_told_by_the_number_of_the_request() -> None:
    faults = Faults(["one", "two"], rate=1, kinds=["told_error"])
    for _ in range(2):
        await met(faults, "?")

    assert faults.done == [(1, "told_error"), (2, "told_error")]
    assert repr(faults) == "Faults(seed 0 · 2 requests · 2 told_error)"


async def test_a_servers_fault_uses_up_no_reply() -> None:
    faults = Faults(["one", "two"], seed=2, rate=0.7, kinds=list(SERVER_FAULTS), silence=0)
    said = []
    while len(said) < 2:
        with suppress(ServerError):
            said.append((await ScriptedServer(faults).ask("?")).text)

    assert said == ["one", "two"]
    assert faults.done


async def test_a_script_that_is_used_up_says_so() -> None:
    server = ScriptedServer(Faults(["one"], rate=0))
    await server.ask("?")

    with pytest.raises(ServerError, match="all 1 replies") as caught:
        await server.ask("?")

    assert caught.value.error.code == "script_ended"


@pytest.mark.parametrize("reply", [Scripted(status=401, text="no"), LookupError("no idea")])
async def test_an_error_of_the_scripts_own_is_left_as_it_is(reply: Any) -> None:
    faults = Faults([reply], rate=1)

    with pytest.raises(ServerError, match="no"):
        await ScriptedServer(faults).ask("?")
    assert faults.done == []


async def test_a_reply_without_calls_meets_no_fault_of_the_model() -> None:
    faults = Faults(["Hello"], rate=1, kinds=list(MODEL_FAULTS))

    assert (await ScriptedServer(faults).ask("?")).text == "Hello"
    assert faults.done == []


async def test_a_function_may_be_async_and_ask_for_the_whole_request() -> None:
    async def answer(request: dict[str, Any]) -> str:
        return f"at {request['temperature']}"

    assert (await ScriptedServer(Faults(answer, rate=0)).ask("?", temperature=0.5)).text == "at 0.5"


@pytest.mark.parametrize("kind", sorted(SERVER_FAULTS))
@pytest.mark.parametrize("streamed", [False, True])
async def test_a_servers_fault_is_a_failure_that_a_repetition_gets_over(kind: str, streamed: bool) -> None:
    async def first_fails(request: dict[str, Any]) -> Scripted:
        return await (faults if not faults.done else good)(request)  # type: ignore[arg-type]

    faults = Faults(["It is fine, and this is a sentence."], rate=1, kinds=[kind], silence=0)
    good = Faults(["It is fine, and this is a sentence."], rate=0)
    scripted = ScriptedServer(first_fails)
    async with scripted.serve() as base_url:
        server = OpenAIServer("m", base_url=base_url, api_key="none", max_retries=0)
        loop = hn.HermesAgentLoop(server)
        failed = await loop.run("?", stream=streamed)
        again = await loop.run("?", stream=streamed)
        await server.close()

    assert (failed.stop_reason, [one.kind for one in faults.done]) == ("server_error", [kind])
    assert again.final_text == "It is fine, and this is a sentence."


@pytest.mark.parametrize(
    ("kind", "status"), [("rate_limited", 429), ("broken", 500), ("overloaded", 503), ("silent", 504)]
)
async def test_a_server_that_refuses_says_so_by_its_status(kind: str, status: int) -> None:
    with pytest.raises(ServerError) as caught:
        await ScriptedServer(Faults(["Hello"], rate=1, kinds=[kind], silence=0)).ask("?")

    assert caught.value.error.status == status


async def test_a_rate_limit_is_over_soon() -> None:
    faults = Faults(["one"], seed=0, rate=0.5, kinds=["rate_limited"])
    scripted = ScriptedServer(faults)
    async with scripted.serve() as base_url, asyncio.timeout(20):
        server = OpenAIServer("m", base_url=base_url, api_key="none", max_retries=20)
        reply = await server.ask("?")
        await server.close()

    assert (reply.text, reply.retries) == ("one", len(faults.done))


async def test_a_silent_server_says_nothing_for_as_long_as_it_is_told() -> None:
    faults = Faults(["one"], rate=1, kinds=["silent"], silence=60)

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(ScriptedServer(faults).ask("?"), 0.05)


@pytest.mark.parametrize(
    ("kind", "problem", "name", "parsed"),
    [
        ("half_arguments", True, "add", None),
        ("cut_off", True, "add", None),
        ("wrong_arguments", False, "add", {"no_such_argument": True}),
        ("list_arguments", False, "add", [{"a": 3, "b": 4}]),
        ("unknown_tool", False, "add_v2", {"a": 3, "b": 4}),
    ],
)
async def test_a_models_fault_spoils_the_last_call(kind: str, problem: bool, name: str, parsed: Any) -> None:
    first, last = (await spoiled(kind, CALLS)).calls

    assert (first.name, first.parsed) == ("add", {"a": 1, "b": 2})
    assert (last.problem is not None, last.name, last.parsed) == (problem, name, parsed)


@pytest.mark.parametrize(("kind", "sent"), [("no_ids", [None, None]), ("same_ids", ["call_0", "call_0"])])
async def test_ids_are_lost_or_the_same_in_all_calls(kind: str, sent: list[str | None]) -> None:
    server = ScriptedServer(Faults([CALLS], rate=1, kinds=[kind]))

    answer = await server.chat_completion(messages=[])

    assert [one["id"] for one in answer["choices"][0]["message"]["tool_calls"]] == sent


async def test_a_call_that_is_cut_off_says_that_it_was_the_token_limit() -> None:
    assert (await spoiled("cut_off", CALLS)).finish_reason == "length"


async def test_every_kind_is_drawn_sooner_or_later() -> None:
    faults = Faults(lambda messages: CALLS, rate=1, silence=0)
    for number in range(300):
        await met(faults, f"question {number}")

    assert set(Counter(one.kind for one in faults.done)) == set(FAULTS)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"rate": 1.5}, "from 0 to 1"),
        ({"rate": -0.1}, "from 0 to 1"),
        ({"kinds": ["hiccup"]}, "no fault 'hiccup'; there are: rate_limited, "),
    ],
)
def test_faults_that_cannot_be_are_refused(given: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        Faults(["Hello"], **given)


def test_a_script_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="cannot hold"):
        Faults([5])
