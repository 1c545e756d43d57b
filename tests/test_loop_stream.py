"""Runs that are heard while their replies form: Delta events, then the run that it would have been anyway."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from pathlib import Path
from typing import Any

from hermes_nb import HermesAgentLoop, OpenAIServer, ScriptedServer, journal
from hermes_nb import events as ev
from hermes_nb.clocks import CountedIds, StillClock
from hermes_nb.servers.scripted import Scripted, call

ADDS = Scripted(
    text="Let me see.", reasoning="2 + 3", calls=[call("add", a=2, b=3), call("add", a=1, b=1)], chunk_size=4
)
EVENTS = {"content-type": "text/event-stream"}


def add(a: int, b: int) -> int:
    """Add two whole numbers."""
    return a + b


def event(delta: Any, **choice: Any) -> bytes:
    return b"data: " + json.dumps({"choices": [{"index": 0, "delta": delta, **choice}]}).encode() + b"\n\n"


HALF = [event({"content": "I'll add"}), event({"tool_calls": [{"index": 0, "id": "c1", "function": {"name": "add"}}]}),
        event({"tool_calls": [{"index": 0, "function": {"arguments": '{"a": 2, "b": 3}'}}]})]  # fmt: skip


def script() -> ScriptedServer:
    return ScriptedServer([ADDS, "It is 5, and 2."])


def repeatable(server: Any, **how: Any) -> HermesAgentLoop:
    return HermesAgentLoop(server, [add], clock=StillClock(), ids=CountedIds(), **how)


def deltas(events: list[ev.Event], turn: int, part: str) -> list[ev.Delta]:
    return [one for one in events if isinstance(one, ev.Delta) and (one.turn, one.part) == (turn, part)]


def said(events: list[ev.Event], turn: int, part: str) -> str:
    return "".join(one.text for one in deltas(events, turn, part))


async def test_a_streamed_run_is_the_run_in_one_piece() -> None:
    streamed, whole = [await repeatable(script()).run("?", stream=how) for how in (True, False)]

    assert streamed.messages == whole.messages
    assert [turn.reply.raw for turn in streamed.turns if turn.reply] == [
        turn.reply.raw for turn in whole.turns if turn.reply
    ]
    assert (streamed.stop_reason, streamed.usage) == (whole.stop_reason, whole.usage)
    assert (streamed.provenance.sampling["stream"], whole.provenance.sampling["stream"]) == (True, False)  # type: ignore[union-attr]


async def test_deltas_come_between_the_question_and_the_reply() -> None:
    seen: list[ev.Event] = []
    result = await repeatable(script()).run("?", stream=True, on_event=seen.append)

    kinds = [type(one).__name__ for one in seen]
    first, last = kinds.index("Delta"), kinds.index("Replied")
    assert kinds[:first] == ["RunStarted", "TurnStarted"]
    assert set(kinds[first:last]) == {"Delta"}
    assert (said(seen, 1, "reasoning"), said(seen, 1, "text")) == ("2 + 3", "Let me see.")
    assert said(seen, 2, "text") == result.final_text == "It is 5, and 2."
    assert {(one.index, one.id, one.name) for one in deltas(seen, 1, "call")} == {
        (0, "call_1", "add"),
        (1, "call_2", "add"),
    }
    assert all(turn.reply and turn.reply.first_token_at is not None for turn in result.turns)


async def test_deltas_are_not_counted_so_that_the_rest_of_the_stream_has_no_gaps(tmp_path: Path) -> None:
    seen: list[ev.Event] = []
    path = tmp_path / "run.jsonl"
    result = await repeatable(script(), journal=path).run("?", stream=True, on_event=seen.append)

    counted = [one.seq for one in seen if not isinstance(one, ev.Delta)]
    assert counted == list(range(len(counted)))
    assert ev.fold(seen) == ev.fold(one for one in seen if not isinstance(one, ev.Delta)) == result
    assert journal.load(path).messages == result.messages
    assert "Delta" not in path.read_text()


async def test_events_and_run_sync_take_stream_too() -> None:
    async with aclosing(repeatable(script()).events("?", stream=True)) as coming:
        seen = [one async for one in coming]
    heard: list[ev.Event] = []
    await asyncio.to_thread(repeatable(script()).run_sync, "?", stream=True, on_event=heard.append)

    assert said(seen, 2, "text") == said(heard, 2, "text") == "It is 5, and 2."


async def test_a_server_that_cannot_stream_answers_in_one_piece() -> None:
    class Plain:
        async def chat_completion(self, **request: Any) -> Any:
            return {"choices": [{"message": {"content": "Hello"}}]}

    seen: list[ev.Event] = []
    result = await repeatable(Plain()).run("?", stream=True, on_event=seen.append)

    assert (result.stop_reason, result.final_text) == ("finished", "Hello")
    assert not any(isinstance(one, ev.Delta) for one in seen)


async def test_F11_a_cut_stream_ends_the_run_without_running_a_tool_or_asking_again() -> None:
    ran: list[int] = []

    def add(a: int, b: int) -> int:
        """Add two whole numbers."""
        ran.append(a)
        return a + b

    cut = Scripted(body=HALF, headers=EVENTS)
    scripted = ScriptedServer([cut, "again"])
    async with scripted.serve() as base_url:
        server = OpenAIServer("m", base_url=base_url, api_key="none")
        result = await HermesAgentLoop(server, [add]).run("?", stream=True)
        await server.close()

    assert (result.stop_reason, ran, len(scripted.requests)) == ("server_error", [], 1)
    assert result.error is not None
    assert result.error.type == "StreamCut"
    [turn] = result.turns
    assert turn.reply is not None
    assert (turn.reply.partial, turn.reply.text, turn.results) == (True, "I'll add", ())
    assert result.messages == [{"role": "user", "content": "?"}, {"role": "assistant", "content": "I'll add"}]


async def test_what_came_of_a_cut_stream_can_be_sent_again() -> None:
    server = ScriptedServer([Scripted(body=HALF, headers=EVENTS), "5"])
    loop = HermesAgentLoop(server, [add])
    more = await loop.run("Go on.", after=await loop.run("?", stream=True), stream=True)

    assert more.final_text == "5"
    assert [message["role"] for message in server.requests[1]["messages"]] == ["user", "assistant", "user"]


async def test_a_stream_that_was_cut_before_any_text_leaves_the_history_as_it_was() -> None:
    server = ScriptedServer([Scripted(body=HALF[1:], headers=EVENTS)])
    result = await HermesAgentLoop(server, [add]).run("?", stream=True)

    assert (result.stop_reason, result.messages) == ("server_error", [{"role": "user", "content": "?"}])
    assert result.turns[0].reply is not None
    assert result.turns[0].reply.partial


async def test_an_error_inside_a_stream_ends_the_run_and_keeps_what_was_shown() -> None:
    failed = b'event: error\ndata: {"error": {"message": "the engine died", "code": "context_length_exceeded"}}\n\n'
    for told, stop_reason in (
        (failed, "context_overflow"),
        (failed.replace(b"context_length", b"time"), "server_error"),
    ):
        result = await repeatable(ScriptedServer([Scripted(body=[HALF[0], told], headers=EVENTS)])).run(
            "?", stream=True
        )

        assert (result.stop_reason, result.messages[-1]["content"]) == (stop_reason, "I'll add")


async def test_an_interrupted_stream_keeps_what_had_come_as_partial() -> None:
    begun = asyncio.Event()

    def look(event: ev.Event) -> None:
        if isinstance(event, ev.Delta):
            begun.set()

    stuck = Scripted(body=[HALF[0], HALF[1]], headers=EVENTS, chunk_delay=3600)
    async with ScriptedServer([stuck]).serve() as base_url:
        server = OpenAIServer("m", base_url=base_url, api_key="none")
        loop = HermesAgentLoop(server, [add])
        run = asyncio.ensure_future(loop.run("?", stream=True, on_event=look))
        await begun.wait()
        run.cancel()
        [stopped] = await asyncio.gather(run, return_exceptions=True)
        await server.close()

    result = loop.last_result
    assert isinstance(stopped, asyncio.CancelledError)
    assert result is not None
    assert (result.stop_reason, result.messages[-1]["content"]) == ("interrupted", "I'll add")
    assert result.turns[0].reply is not None
    assert result.turns[0].reply.partial


async def test_a_watcher_may_leave_in_the_middle_of_a_reply() -> None:
    pieces = [event({"content": "It is"}), event({"content": " five."}), event({}, finish_reason="stop")]
    loop = HermesAgentLoop(ScriptedServer([Scripted(body=pieces, headers=EVENTS, chunk_delay=0.01)]), [add])
    async with aclosing(loop.events("?", stream=True)) as coming:
        async for one in coming:
            if isinstance(one, ev.Delta):
                break

    result = loop.last_result
    assert result is not None
    assert result.stop_reason == "interrupted"
    assert result.turns[0].reply is not None
    assert (result.turns[0].reply.partial, result.messages[-1]["content"]) == (True, "It is")
