"""Runs straight from a journal's lines, where every line is as the journal's writer makes them.

Whatever is out of the ordinary raises `Odd`; `journal` reads the file then, and says what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count, groupby
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
        self._kinds = tuple(shapes.kinds[kind] for kind in ORDER)

    def open(self, line: bytes) -> None:
        """The first line, or one that a later writer began with."""
        try:
            lines.check_opening(line)
        except JournalError:
            raise Odd from None
        self.leave("crashed")

    def take(self, block: bytes) -> None:
        """The next lines."""
        events = self._all_at_once(block)
        if events is None:
            for event in self._one_by_one(block):
                self._go_on(event.run_id, iter((event,)))
        else:
            for run_id, of_run in groupby(events, RUN_ID):
                self._go_on(run_id, of_run)

    def _go_on(self, run_id: str, events: Iterator[Any]) -> None:
        """The next events of a run, at least one."""
        run = self._open.get(run_id) or self._begin(next(events))
        while run.take(events, self._kinds):
            self._end(run_id, "crashed")
            begun = next(events, None)
            if begun is None:
                return
            run = self._begin(begun)

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

    def _begin(self, event: Any) -> _OpenRun:
        if not event.run_id or event.seq != 0 or type(event) is not self._shapes.kinds["RunStarted"]:
            raise Odd
        run = self._open[event.run_id] = _OpenRun(next(self._starts), event, self._shapes)
        return run

    def leave(self, unended: str) -> None:
        """All runs are over, as far as they came."""
        for run_id in tuple(self._open):
            self._end(run_id, unended)

    def _end(self, run_id: str, unended: str) -> None:
        run = self._open.pop(run_id, None)
        if run is not None:
            self.over.append((run.start, run.plain(unended)))


UNSETTLED = float("nan")
RUN_ID, INDEX = attrgetter("run_id"), attrgetter("call.index")
ORDER = "CallFinished", "CallStarted", "TurnStarted", "Replied", "TurnFinished", "RunFinished", "Delta"
"""The events after the first, those first that there are most of."""


class _OpenRun:
    """A run that has begun: what `events.Fold` makes of its events."""

    __slots__ = ("_finished", "_last", "_messages", "_next", "_shapes", "_started", "_turn", "_turns", "start")

    def __init__(self, start: int, started: Any, shapes: Shapes) -> None:
        self.start = start
        self._started = self._last = started
        self._next = 1  # The seq of the next event.
        self._shapes = shapes
        self._messages: list[Any] | None = None  # Kept only once the history was rewritten.
        self._turns: list[PlainTurn] = []
        self._turn: PlainTurn | None = None
        self._finished: Any = None

    def take(self, events: Iterator[Any], kinds: tuple[Any, ...]) -> bool:
        """The next events, up to that which ends the run; whether it came. `kinds` are those of `ORDER`."""
        called_back, called, begun, replied, settled, finished, piece = kinds
        turn: Any = self._turn
        last, seq = self._last, self._next
        for event in events:
            kind = type(event)
            if event.seq != seq or (turn is None and kind in (called_back, replied, settled)):
                raise Odd
            seq += 1
            if kind is called_back:
                turn.results.append(event.result)
            elif kind is begun:
                turn = self._begin(event, last.at)
            elif kind is replied and turn.reply is None:
                turn.reply = event.reply
            elif kind is settled:
                turn.seconds = event.at - turn.at
                turn.model_seconds, turn.tool_seconds = event.model_seconds, event.tool_seconds
            elif kind is piece:  # Of what is still forming: it does not count.
                seq -= 1
            elif kind is finished:
                self._finished = self._last = event
                return True
            elif kind is not called:
                raise Odd
            last = event
        self._turn, self._last, self._next = turn, last, seq
        return False

    def _begin(self, event: Any, at: float) -> PlainTurn:
        """A turn begins; what went before it was at `at`."""
        self._close(at)
        if event.rewritten is not None and self._shapes.with_messages:
            if self._shapes.spoken:
                raise Odd
            self._messages = list(event.rewritten)
        if self._messages is not None:
            self._messages += event.added_messages
        turn = self._turn = PlainTurn(event.turn, None, [], event.at, UNSETTLED, 0.0, 0.0, event.added_messages)
        self._turns.append(turn)
        return turn

    def _close(self, at: float) -> None:
        """The turn that is under way, if there is one, is as it is at that time."""
        turn = self._turn
        if turn is None:
            return
        self._turn = None
        if turn.seconds is UNSETTLED:
            turn.seconds = at - turn.at
        if len(turn.results) > 1:
            _put_in_order(turn.results)
        if self._messages is not None:
            self._messages += said(turn)

    def plain(self, unended: str) -> PlainRun:
        """The run as far as it came."""
        self._close(self._last.at)
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
            seconds=self._last.at if finished is None else finished.seconds,
            abandoned=() if finished is None else finished.abandoned,
            provenance=Provenance(
                started_at=started.started_at, server=started.server, sampling=started.sampling,
                toolbox_hash=started.toolbox_hash, versions=started.versions,
            ),
        )  # fmt: skip


def _put_in_order(results: list[Any]) -> None:
    places = [one.call.index for one in results]
    if places == [*range(len(places))]:  # As nearly always.
        return
    once = sorted({*places})
    if len(once) < len(places):
        raise Odd
    if once != places:
        results.sort(key=INDEX)
