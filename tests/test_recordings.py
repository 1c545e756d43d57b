"""A recorded run, asked by turn and by call."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from hermes_nb import HermesAgentLoop, ScriptedServer, journal
from hermes_nb.clocks import CountedIds, StillClock
from hermes_nb.events import (
    CallFinished,
    CallStarted,
    Delta,
    Event,
    Replied,
    RunFinished,
    RunStarted,
    TurnFinished,
    TurnStarted,
    Unknown,
)
from hermes_nb.recordings import Recording, recordings
from hermes_nb.records import Reply
from hermes_nb.servers.scripted import Scripted, call


def add(a: int, b: int) -> int:
    """Add two whole numbers."""
    return a + b


class Slow(ScriptedServer):
    """Takes ten seconds of a clock that stands still otherwise."""

    def __init__(self, script: Any, clock: StillClock) -> None:
        super().__init__(script)
        self.clock = clock

    async def chat_completion(self, **request: Any) -> Any:
        self.clock.advance(10)
        return await super().chat_completion(**request)


async def run(script: Any, **how: Any) -> list[Event]:
    events: list[Event] = []
    clock = StillClock()
    loop = HermesAgentLoop(Slow(script, clock), [add], clock=clock, ids=CountedIds(), **how)
    await loop.run("?", task="sum", attempt=3, on_event=events.append)
    return events


TWO = [call("add", a=1, b=2), call("add", a=3, b=4)]


async def test_what_was_sent_and_what_came_of_it_is_told_by_turn_and_call() -> None:
    recording = Recording(await run([TWO, "3 and 7"]))

    assert [len(recording.messages(turn)) for turn in (1, 2, 3)] == [1, 4, 0]
    assert [message["role"] for message in recording.messages(2)] == ["user", "assistant", "tool", "tool"]
    first, last = recording.reply(1), recording.reply(2)
    assert first is not None
    assert last is not None
    assert ([made.name for made in first.calls], last.text) == (["add", "add"], "3 and 7")
    results = [recording.result(turn, index) for turn, index in ((1, 0), (1, 1), (1, 2), (2, 0), (9, 0))]
    assert [result and result.content for result in results] == ["3", "7", None, None, None]
    assert (recording.reply(9), recording.failure(2), recording.deltas(1), recording.changes(9)) == (None, None, [], {})


async def test_what_a_recording_is_of_and_how_long_it_is_can_be_asked() -> None:
    recording = Recording(await run([TWO, "3 and 7"]))

    assert (recording.key, recording.run_id, recording.turns) == (("sum", 3), "run-1", 2)
    assert recording.started.messages == ({"role": "user", "content": "?"},)
    assert recording.finished is not None
    assert repr(recording) == "Recording(run-1 · 2 turns · finished)"


async def test_the_times_of_every_event_are_told_by_its_place() -> None:
    recording = Recording(await run([TWO, "3 and 7"]))

    assert recording.times(RunStarted) == {"at": 0, "started_at": "2026-01-01T00:00:00+00:00"}
    assert recording.times(TurnStarted, 2) == {"at": 10}
    assert recording.times(TurnFinished, 1) == {"at": 10, "model_seconds": 10, "tool_seconds": 0}
    assert recording.times(CallStarted, 1, 1) == {"at": 10}
    assert recording.times(CallFinished, 1, 1) == {"at": 10}
    assert recording.times(RunFinished) == {"at": 20, "seconds": 20}
    for absent in ((CallStarted, 1, 2), (CallStarted, 2, 0), (Replied, 3, 0), (Replied, 1, 0, 1)):
        assert recording.times(*absent) == {}


async def test_the_pieces_of_a_reply_are_told_with_their_times() -> None:
    events = await run([Scripted(text="three and seven", chunk_size=4)])
    pieces = [
        Delta(run_id="run-1", seq=2, at=float(number), turn=1, text=text) for number, text in enumerate(("three", "!"))
    ]
    recording = Recording([*events[:2], *pieces, *events[2:]])

    assert recording.deltas(1) == pieces
    assert [recording.times(Delta, 1, 0, nth) for nth in range(3)] == [{"at": 0.0}, {"at": 1.0}, {}]


async def test_what_a_request_had_that_the_settings_do_not_say_holds_until_it_changes_again() -> None:
    choices = ["required", "auto", "auto", "none"]
    script = [TWO, TWO, TWO, "3 and 7"]
    recording = Recording(await run(script, tool_choice=lambda turn: choices[turn - 1]))

    assert [recording.changes(turn)["tool_choice"] for turn in (1, 2, 3, 4)] == choices


async def test_a_failure_is_of_the_last_turn_alone_and_of_a_server_alone() -> None:
    failed = Recording(await run([TWO, Scripted(status=500, text="down")]))
    stopped = Recording(await run([TWO, "no"], max_turns=1))

    error = failed.failure(2)
    assert error is not None
    assert (error.status, failed.failure(1), failed.failure(3), failed.reply(2)) == (500, None, None, None)
    assert stopped.failure(1) is None


async def test_the_error_behind_another_ending_is_no_failure_of_the_server() -> None:
    events = await run([TWO, Scripted(status=500, text="down")])
    end = events[-1]
    assert isinstance(end, RunFinished)
    crashed = RunFinished(run_id="run-1", seq=end.seq, stop_reason="crashed", error=end.error)

    assert Recording([*events[:-1], crashed]).failure(2) is None


async def test_a_reply_that_was_cut_short_is_told_with_the_failure_that_cut_it() -> None:
    events = await run([Scripted(status=500, text="down")])
    cut = Replied(run_id="run-1", seq=2, turn=1, reply=Reply(message={}, partial=True))
    later = [type(event)(**{**_fields(event), "seq": event.seq + 1}) for event in events[2:]]
    recording = Recording([*events[:2], cut, *later])

    assert recording.reply(1) == cut.reply
    assert recording.failure(1) is not None


def _fields(event: Event) -> dict[str, Any]:
    names = {slot for kind in type(event).__mro__ for slot in getattr(kind, "__slots__", ())}
    return {name: getattr(event, name) for name in names}


async def test_the_runs_in_a_file_are_taken_apart_in_the_order_of_their_beginnings(tmp_path: Path) -> None:
    path = tmp_path / "many.jsonl"
    loop = HermesAgentLoop(ScriptedServer(lambda messages: messages[-1]["content"]), journal=path)
    made = await asyncio.gather(*(loop.run(f"run {number}") for number in range(5)))

    found = recordings(journal.read_events(path))
    assert [one.run_id for one in found] == [result.run_id for result in made]
    assert [one.messages(1)[0]["content"] for one in found] == [f"run {number}" for number in range(5)]


async def test_a_second_start_of_the_same_id_is_another_run() -> None:
    one, two = await run([TWO, "3 and 7"]), await run(["5"])

    assert [recording.turns for recording in recordings([*one, *two])] == [2, 1]
    assert [recording.turns for recording in recordings([*one[:4], *two])] == [1, 1]


async def test_an_event_that_only_a_newer_version_knows_changes_nothing() -> None:
    events = await run([TWO, "3 and 7"])
    mood = Unknown(run_id="run-1", seq=1, kind="Mood")
    later = [type(event)(**{**_fields(event), "seq": event.seq + 1}) for event in events[1:]]

    assert Recording([events[0], mood, *later]).messages(2) == Recording(events).messages(2)


async def test_a_recording_that_has_a_gap_is_none() -> None:
    events = await run([TWO, "3 and 7"])

    with pytest.raises(ValueError, match="event 2 is missing"):
        Recording([*events[:2], *events[3:]])
    with pytest.raises(ValueError, match="event 0 is missing"):
        recordings(events[1:])
    with pytest.raises(ValueError, match="no events"):
        Recording([])
    with pytest.raises(ValueError, match="turn 1, which did not begin"):
        Recording([events[0], Delta(run_id="run-1", seq=1, turn=1, text="x")])


async def test_a_recording_that_has_no_end_says_so() -> None:
    assert repr(Recording((await run([TWO, "3 and 7"]))[:3])) == "Recording(run-1 · 1 turn · no end)"
