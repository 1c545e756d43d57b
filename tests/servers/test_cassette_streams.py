"""Streamed replies in a cassette: recorded with their pieces, played in pieces, and whole either way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hermes_nb import HermesAgentLoop, OpenAIServer, ScriptedServer, journal
from hermes_nb.events import Delta, Replied
from hermes_nb.records import Reply
from hermes_nb.servers.cassette import Cassette
from hermes_nb.servers.scripted import Scripted, call
from tests.servers.cassettes import (
    QUESTION,
    Listening,
    add,
    content_of,
    in_order,
    play,
    record,
    shown,
    sums,
    without_marks,
)

THOUGHTFUL = Scripted(text="Let me see.", reasoning="2 + 3", calls=[call("add", a=2, b=3), call("add", a=1, b=1)])
KEY = "sk-test-1f2e3d4c5b6a79880716"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x.jsonl"


async def over_a_socket(path: Path, script: Any, heard: Listening, stream: bool = True, **how: Any) -> Any:
    async with ScriptedServer(script).serve() as base_url:
        server = OpenAIServer("m", base_url=base_url, api_key=KEY, max_retries=0, **how)
        try:
            return await record(path, server, stream=stream, on_event=heard)
        finally:
            await server.close()


def pieces(heard: Listening) -> list[tuple[int, str, int, str | None, str | None, str]]:
    return [
        (one.turn, one.part, one.index, one.id, one.name, one.text) for one in heard.events if isinstance(one, Delta)
    ]


def said(heard: Listening, turn: int, part: str, index: int = 0) -> str:
    return "".join(one[-1] for one in pieces(heard) if one[:3] == (turn, part, index))


def replies(heard: Listening) -> list[Reply]:
    return [one.reply for one in heard.events if isinstance(one, Replied)]


async def test_a_streamed_run_is_played_piece_by_piece_with_the_recorded_times(path: Path) -> None:
    recorded, played = Listening(), Listening()
    first = await over_a_socket(path, [THOUGHTFUL, "It is 5, and 2."], recorded)
    again = await play(path, stream=True, on_event=played)

    assert len(pieces(played)) > 10
    assert pieces(played) == pieces(recorded)
    assert in_order(played.events) == in_order(recorded.events)
    assert shown(without_marks(again)) == shown(without_marks(first))


async def test_calls_without_a_word_are_told_once(path: Path) -> None:
    recorded, played = Listening(), Listening()
    await over_a_socket(path, [[call("add", a=2, b=3)], "5"], recorded)
    await play(path, stream=True, on_event=played)

    assert said(played, 1, "call") == '{"a":2,"b":3}'
    assert pieces(played) == pieces(recorded)


async def test_what_was_recorded_in_one_piece_can_be_played_as_a_stream(path: Path) -> None:
    recorded, played = Listening(), Listening()
    await over_a_socket(path, [THOUGHTFUL, "It is 5, and 2."], recorded, stream=False)
    again = await play(path, stream=True, on_event=played)

    assert not pieces(recorded)
    assert (said(played, 1, "text"), said(played, 1, "reasoning")) == ("Let me see.", "2 + 3")
    assert [said(played, 1, "call", index) for index in (0, 1)] == ['{"a":2,"b":3}', '{"a":1,"b":1}']
    assert again.final_text == said(played, 2, "text") == "It is 5, and 2."
    assert replies(played) == replies(recorded)


async def test_what_was_streamed_can_be_played_in_one_piece(path: Path) -> None:
    recorded, played = Listening(), Listening()
    await over_a_socket(path, [THOUGHTFUL, "It is 5, and 2."], recorded)
    await play(path, on_event=played)

    assert replies(played) == replies(recorded)
    assert all(one.first_token_at for one in replies(played))


async def test_a_plain_journal_of_a_streamed_run_streams_too(path: Path) -> None:
    played = Listening()
    first = await HermesAgentLoop(sums(), [add], journal=path).run(QUESTION, stream=True)
    assert not any(isinstance(event, Delta) for event in journal.read_events(path))
    again = await play(path, stream=True, on_event=played)

    assert said(played, 2, "text") == "It is 5, and 2."
    assert without_marks(again) == without_marks(first)


async def test_a_stream_that_was_cut_is_cut_again_at_the_same_place(path: Path) -> None:
    recorded, played = Listening(), Listening()
    cut = Scripted(text="The answer is " * 20, reasoning="2 + 3", cut_at=3000)
    first = await over_a_socket(path, [cut], recorded)
    again = await play(path, stream=True, on_event=played)

    assert first.error is not None
    assert (first.stop_reason, first.error.type) == ("server_error", "StreamCut")
    assert [one.partial for one in replies(recorded)] == [True]
    assert pieces(played) == pieces(recorded)
    assert replies(played) == replies(recorded)
    assert in_order(played.events) == in_order(recorded.events)
    assert without_marks(again) == without_marks(first)


async def test_a_cut_stream_that_is_asked_for_in_one_piece_is_the_error_alone(path: Path) -> None:
    first = await over_a_socket(path, [Scripted(text="The answer is " * 20, cut_at=3000)], Listening())
    again = await play(path)

    assert again.error == first.error
    assert [turn.reply for turn in again.turns] == [None]


async def test_a_stream_that_was_cut_after_its_last_word_is_a_reply_with_the_same_problem(path: Path) -> None:
    recorded, played = Listening(), Listening()
    whole = [
        b'data: {"choices": [{"index": 0, "delta": {"content": "It is 5."}, "finish_reason": "stop"}]}\n\n',
        b": bye\n\n" * 40,
    ]
    said = Scripted(body=whole, headers={"content-type": "text/event-stream"}, cut_at=120)
    first = await over_a_socket(path, [said], recorded)
    again = await play(path, stream=True, on_event=played)

    assert first.ok
    [[problem]] = [one.problems for one in replies(recorded)]
    assert problem.startswith("after the reply was whole")
    assert replies(played) == replies(recorded)
    assert again.final_text == "It is 5."


async def test_a_secret_that_a_model_says_piece_by_piece_is_not_in_the_cassette(path: Path) -> None:
    heard = Listening()
    first = await over_a_socket(path, [Scripted(text=f"Your key is {KEY}.", chunk_size=3)], heard)
    again = await play(path, stream=True, on_event=heard)

    assert KEY in first.final_text
    assert KEY[3:12].encode() not in content_of(path)
    assert again.final_text == "Your key is [redacted:key#1]."
    written = [event.text for event in journal.read_events(path) if isinstance(event, Delta)]
    assert "".join(written) == again.final_text


async def test_a_played_stream_can_be_left_in_the_middle(path: Path) -> None:
    await over_a_socket(path, [Scripted(text="one two three four five six")], Listening())
    loop = HermesAgentLoop(None, [add], cassette=Cassette(path))
    events = loop.events(QUESTION, stream=True)
    async for event in events:
        if isinstance(event, Delta):
            break
    await events.aclose()

    assert loop.last_result is not None
    assert loop.last_result.stop_reason == "interrupted"
