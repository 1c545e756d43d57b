"""Runs straight from a journal's lines, where every line is as the journal's writer makes them.

Whatever is out of the ordinary raises `Odd`; `journal` reads the file then, and says what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count
from operator import attrgetter
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from hermes_nb.exceptions import JournalError
from hermes_nb.frames.plain import Facts, PlainRun, PlainTurn, said, settle
from hermes_nb.frames.shapes import Shapes
from hermes_nb.journal import Bounds, lines, locks
from hermes_nb.records import Provenance

BLOCK = 2**18
"""How many bytes are read at once, or more where a line is longer."""

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, MemoryError)


class Odd(Exception):
    """A line is not as the journal's writer makes it, or does not follow."""


def runs_of(path: Path, bounds: Bounds, shapes: Shapes) -> Iterator[tuple[int, PlainRun]]:
    """The runs of a file as they end, each with its number by their starts, with the objects that `shapes` ask for.

    Raises:
        Odd: it has to be read by `journal`.
        OSError: it cannot be read.
    """
    written = locks.is_taken(path)
    reader = _Reader(shapes)
    for block in _blocks(path, bounds):
        if len(block) > bounds.line and max(map(len, block.split(b"\n"))) >= bounds.line:
            raise Odd
        if reader.number == 0:
            first, _, block = block.partition(b"\n")
            reader.open(first)
            reader.number = 1
        reader.take(block)
        if reader.number > bounds.lines:
            raise Odd
        yield from reader.over
        reader.over.clear()
    reader.leave("running" if written or locks.is_taken(path) else "crashed")
    yield from reader.over


def _blocks(path: Path, bounds: Bounds) -> Iterator[bytes]:
    """The file in pieces of whole lines, all in UTF-8."""
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            if not block.endswith(b"\n"):
                block += file.readline(bounds.line)
                if not block.endswith(b"\n"):
                    raise Odd
            _check_encoding(block)
            yield block


def _check_encoding(block: bytes) -> None:
    """msgspec does not look at what it passes over; pyarrow does at once what decoding takes ten times as long for."""
    whole = pa.py_buffer(np.array([0, len(block)], dtype=np.int64))
    try:
        pa.LargeStringArray.from_buffers(1, whole, pa.py_buffer(block)).validate(full=True)
    except pa.ArrowInvalid:
        raise Odd from None


class _Reader:
    """Takes lines in, `number` of them so far; `over` are the runs that have ended, each with its number by their
    starts."""

    def __init__(self, shapes: Shapes) -> None:
        self.over: list[tuple[int, PlainRun]] = []
        self._open: dict[str, _OpenRun] = {}
        self.number = 0
        self._starts = count()
        self._shapes = shapes
        self._begins, self._ends = shapes.kinds["RunStarted"], shapes.kinds["RunFinished"]
        self._steps = {kind: STEPS.get(name) for name, kind in shapes.kinds.items()}

    def open(self, line: bytes) -> None:
        """The first line, or one that a later writer began with."""
        try:
            lines.check_opening(line)
        except JournalError:
            raise Odd from None
        self.leave("crashed")

    def take(self, block: bytes) -> None:
        """The next lines."""
        runs, begins, ends, steps = self._open, self._begins, self._ends, self._steps
        run_id, run = "", None  # Most lines are of the same run as the line before.
        for event in self._all_at_once(block) or self._one_by_one(block):
            kind = type(event)
            if kind is begins:
                self._begin(event)
                run_id = ""
            if event.run_id != run_id:
                run_id = event.run_id
                run = runs.get(run_id)
            if run is None or event.seq != run.next:
                raise Odd
            run.next += 1
            run.at = event.at
            step = steps[kind]
            if step is not None:
                step(run, event)
                if kind is ends:
                    self._end(run_id, "crashed")
                    run_id = ""

    def _all_at_once(self, block: bytes) -> Sequence[Any] | None:
        """The events in the lines, one each; None where it takes a closer look.

        A value never goes on with a brace after one that closes. So none is in two lines, if all begin and end with a
        brace, and if there are as many values as lines, none are two in one.
        """
        read = np.frombuffer(block, dtype=np.uint8)
        ends = np.flatnonzero(read == ord("\n"))
        if not block.startswith(b"{") or not block.endswith(b"}\n"):
            return None
        if (read[ends - 1] != ord("}")).any() or (read[ends[:-1] + 1] != ord("{")).any():
            return None
        try:
            events = self._shapes.decode_lines(block)
        except UNREADABLE:
            return None
        if len(events) != len(ends):
            return None
        self.number += len(events)
        return events

    def _one_by_one(self, block: bytes) -> Iterator[Any]:
        """The same, with the lines in it that only the standard library reads, or that a later writer began with."""
        for line in block.split(b"\n")[:-1]:
            self.number += 1
            try:
                yield self._shapes.decode(line)
            except UNREADABLE:
                event = self._shapes.by_hand(line)
                if event is None:
                    self.open(line)
                else:
                    yield event

    def _begin(self, event: Any) -> None:
        if not event.run_id:
            raise Odd
        self._end(event.run_id, "crashed")
        self._open[event.run_id] = _OpenRun(next(self._starts), event, self._shapes.with_messages)

    def leave(self, unended: str) -> None:
        """All runs are over, as far as they came."""
        for run_id in tuple(self._open):
            self._end(run_id, unended)

    def _end(self, run_id: str, unended: str) -> None:
        run = self._open.pop(run_id, None)
        if run is not None:
            self.over.append((run.start, run.plain(unended)))


UNSETTLED = float("nan")
INDEX = attrgetter("call.index")


class _OpenRun:
    """A run that has begun: what `events.Fold` makes of its events. `next` is the seq of the next one."""

    __slots__ = (
        "_finished",
        "_messages",
        "_open",
        "_started",
        "_turns",
        "_with_messages",
        "at",
        "next",
        "start",
    )

    def __init__(self, start: int, started: Any, with_messages: bool) -> None:
        self.start = start
        self.next = 0
        self.at: float = 0.0
        self._started = started
        self._with_messages = with_messages
        self._messages: list[Any] | None = None  # Kept only once the history was rewritten.
        self._turns: list[PlainTurn] = []
        self._open: PlainTurn | None = None
        self._finished: Any = None

    def begin(self, event: Any) -> None:
        """A turn begins."""
        self._close()
        if event.rewritten is not None and self._with_messages:
            self._messages = list(event.rewritten)
        if self._messages is not None:
            self._messages += event.added_messages
        self._open = PlainTurn(event.turn, None, [], event.at, UNSETTLED, 0.0, 0.0, event.added_messages)
        self._turns.append(self._open)

    def reply(self, event: Any) -> None:
        """The turn has its reply, the only one."""
        turn = self._open
        if turn is None or turn.reply is not None:
            raise Odd
        turn.reply = event.reply

    def answer(self, event: Any) -> None:
        """A call of the turn has its answer."""
        turn = self._open
        if turn is None:
            raise Odd
        turn.results.append(event.result)

    def settle(self, event: Any) -> None:
        """The turn is over."""
        turn = self._open
        if turn is None:
            raise Odd
        turn.seconds = event.at - turn.at
        turn.model_seconds, turn.tool_seconds = event.model_seconds, event.tool_seconds

    def finish(self, event: Any) -> None:
        """The run is over."""
        self._finished = event

    def delta(self, _event: Any) -> None:
        """A piece of what is still forming, which does not count."""
        self.next -= 1

    def _close(self) -> None:
        """The turn that is under way, if there is one, is as it is."""
        turn = self._open
        if turn is None:
            return
        self._open = None
        if turn.seconds is UNSETTLED:
            turn.seconds = self.at - turn.at
        if len(turn.results) > 1:
            _put_in_order(turn.results)
        if self._messages is not None:
            self._messages += said(turn)

    def plain(self, unended: str) -> PlainRun:
        """The run as far as it came."""
        self._close()
        facts = self._facts(unended)
        if self._messages is None:
            return PlainRun(facts, self._started.messages, self._turns)
        start, first, placed = settle(self._messages, self._turns)
        return PlainRun(facts, start, self._turns, first, placed)

    def _facts(self, unended: str) -> Facts:
        started, finished = self._started, self._finished
        return Facts(
            run_id=started.run_id, task_id=started.task_id, task=started.task, attempt=started.attempt,
            meta=started.meta, origin=started.origin,
            stop_reason=unended if finished is None else finished.stop_reason,
            error=None if finished is None else finished.error,
            seconds=self.at if finished is None else finished.seconds,
            abandoned=() if finished is None else finished.abandoned,
            provenance=Provenance(
                started_at=started.started_at, server=started.server, sampling=started.sampling,
                toolbox_hash=started.toolbox_hash, versions=started.versions,
            ),
        )  # fmt: skip


def _put_in_order(results: list[Any]) -> None:
    places = [one.call.index for one in results]
    if places != sorted(places):
        results.sort(key=INDEX)
    if len({*places}) < len(places):
        raise Odd


STEPS = {
    "TurnStarted": _OpenRun.begin, "Replied": _OpenRun.reply, "CallFinished": _OpenRun.answer,
    "TurnFinished": _OpenRun.settle, "RunFinished": _OpenRun.finish, "Delta": _OpenRun.delta,
}  # fmt: skip
"""What an event does in its run, by its name; others do nothing but count."""
