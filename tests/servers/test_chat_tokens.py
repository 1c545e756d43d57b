"""Tokens of a chat server that tells them when it is asked, as vLLM does."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import hermes_nb as hn
from hermes_nb import curl, frames, sequences
from hermes_nb.servers.scripted import Scripted, call
from hermes_nb.training import to_training
from tests.servers.byte_pairs import END, add, call_text, ids_of, logprobs_of, sampled
from tests.servers.token_servers import vllm_chat, vllm_chunks

CALL = sampled(call_text(a=2, b=3), range(300)) + ids_of(END)
ANSWER = sampled("It is 5.", [2]) + ids_of(END)
PROMPT = ids_of("What is 2 + 3?")
BETWEEN = ids_of("<tool_response>\n5\n</tool_response>")


def script(second: Sequence[int], *, streamed: bool = False) -> list[Any]:
    bodies = [
        vllm_chat("", CALL, PROMPT, tool_calls=[{"id": "call_1", **call("add", a=2, b=3)}]),
        vllm_chat("It is 5.", ANSWER, second),
    ]
    return [_events(one) for one in bodies] if streamed else bodies


def _events(body: dict[str, Any]) -> Scripted:
    lines = [f"data: {json.dumps(chunk)}\n\n".encode() for chunk in vllm_chunks(body)]
    return Scripted(body=[*lines, b"data: [DONE]\n\n"], headers={"content-type": "text/event-stream"})


async def ran(connect: Any, second: Sequence[int], *, stream: bool = False, **settings: Any) -> tuple[Any, Any]:
    async with connect(script(second, streamed=stream), tokens=True) as (scripted, server):
        loop = hn.HermesAgentLoop(server, tools=[add])
        return scripted, await loop.run("What is 2 + 3?", stream=stream, **settings)


@pytest.mark.parametrize("stream", [False, True])
async def test_tokens_are_asked_for_and_make_one_sequence(connect: Any, stream: bool) -> None:
    scripted, result = await ran(connect, [*PROMPT, *CALL, *BETWEEN], stream=stream)
    [one] = to_training(result, reward=1)

    assert [(request["logprobs"], request["return_token_ids"]) for request in scripted.requests] == [(True, True)] * 2
    assert one.tokens == [*PROMPT, *CALL, *BETWEEN, *ANSWER]
    assert one.masks == [-100] * len(PROMPT) + CALL + [-100] * len(BETWEEN) + ANSWER
    given = ([1.0] * len(PROMPT), [1.0] * len(BETWEEN))
    assert one.logprobs == [*given[0], *logprobs_of(CALL), *given[1], *logprobs_of(ANSWER)]
    assert (one.reward, one.turns, one.run_id) == (1.0, (1, 2), result.run_id)


async def test_a_turns_request_says_that_tokens_were_asked_for(connect: Any) -> None:
    scripted, result = await ran(connect, [*PROMPT, *CALL, *BETWEEN])

    assert curl.body(result, 2) == dict(scripted.requests[1])


async def test_nothing_is_asked_for_where_tokens_are_not_wanted(connect: Any) -> None:
    async with connect(["hi"]) as (scripted, server):
        await server.ask("?")

    assert {"logprobs", "return_token_ids"} & set(scripted.requests[0]) == set()


async def test_where_a_prompt_stops_extending_the_turn_before_it_is_said(connect: Any) -> None:
    retold = ids_of(call_text(a=2, b=3))
    _, result = await ran(connect, [*PROMPT, *retold, *BETWEEN])
    [broken] = sequences.read(result.turns).breaks
    with pytest.warns(UserWarning, match="2 sequences in one run: turn 2's prompt stops extending turn 1's tokens at"):
        first, second = to_training(result)

    both = zip(CALL, retold, strict=False)
    place = len(PROMPT) + next(at for at, (one, other) in enumerate(both) if one != other)
    assert (broken.turn, broken.before, broken.position) == (2, 1, place)
    assert (broken.own, broken.other) == (CALL[place - len(PROMPT)], retold[place - len(PROMPT)])
    assert (first.turns, second.turns) == ((1,), (2,))
    assert [one for one in second.masks if one != -100] == ANSWER


async def test_a_prompt_that_is_shorter_than_what_came_before_ends_where_it_ends(connect: Any) -> None:
    _, result = await ran(connect, [*PROMPT, *CALL[:3]])
    [broken] = sequences.read(result.turns).breaks

    assert (broken.position, broken.own, broken.other) == (len(PROMPT) + 3, CALL[3], None)
    assert str(broken).endswith(f"at position {len(PROMPT) + 3}: token {CALL[3]} is not there")


@pytest.mark.parametrize("stream", [False, True])
async def test_the_rows_say_what_the_tokens_of_a_reply_are(connect: Any, stream: bool, tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    _, result = await ran(connect, [*PROMPT, *CALL, *BETWEEN], stream=stream, journal=path)
    table = frames.tokens(result)

    assert table["turn"].tolist() == [1] * len([*PROMPT, *CALL]) + [2] * len([*BETWEEN, *ANSWER])
    assert set(table.loc[~table["mask"], "kind"].isna()) == {True}
    told = {key: "".join(rows["text"]) for key, rows in table[table["mask"]].groupby(["turn", "kind"])}
    assert told == {(1, "call"): call_text(a=2, b=3) + END, (2, "content"): "It is 5.", (2, "template"): END}
    assert frames.tokens(path).equals(table)
    assert to_training(hn.journal.load(path))[0].tokens == to_training(result)[0].tokens


async def test_reasoning_is_told_from_content() -> None:
    text = "<think>\nHm.\n</think>\n\nYes."
    body = vllm_chat("Yes.", sampled(text, range(99)), PROMPT, reasoning="Hm.")
    result = await hn.HermesAgentLoop(hn.ScriptedServer([body])).run("?")
    table = frames.tokens(result)
    told = {key: "".join(rows["text"]) for key, rows in table[table["mask"]].groupby("kind")}

    assert told == {"template": "<think>\n\n</think>\n\n", "reasoning": "Hm.", "content": "Yes."}


async def test_a_server_that_tells_no_tokens_leaves_a_run_without_them(connect: Any) -> None:
    async with connect(["hi"], tokens=True) as (_, server):
        result = await hn.HermesAgentLoop(server).run("?")

    assert sequences.read(result.turns).silent == (1,)
    assert frames.tokens(result).empty
