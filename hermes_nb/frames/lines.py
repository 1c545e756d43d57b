"""Runs straight from a journal's lines, without records, where every line is as the journal's writer makes them.

Whatever is out of the ordinary raises `Odd`; `journal` reads the file then, and says what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any, TypeAlias

import orjson

from hermes_nb import codec
from hermes_nb.events import KINDS, Event
from hermes_nb.exceptions import JournalError
from hermes_nb.frames.plain import Entry, PlainRun, PlainTurn, settle
from hermes_nb.journal import Bounds, lines, locks
from hermes_nb.records import Origin, Reply, RunError, ToolCall, ToolError, ToolResult, Usage

Shapes: TypeAlias = set[tuple[Any, ...]]
"""The kinds, names and types of values of entries that were found to be sound."""


class Odd(Exception):
    """A line is not as the journal's writer makes it, or does not follow."""


def runs_of(path: Path, bounds: Bounds, checked: Shapes) -> Iterator[tuple[int, PlainRun]]:
    """The runs of a file as they end, each with its number by their starts. `checked` grows with what is found sound.

    Raises:
        Odd: it has to be read by `journal`.
        OSError: it cannot be read.
    """
    written = locks.is_taken(path)
    reader = _Reader(checked)
    with path.open("rb") as file:
        for number in count(1):
            line = file.readline(bounds.line + 1)
            if not line:
                break
            if number > bounds.lines or not line.endswith(b"}\n"):
                raise Odd
            reader.take(line, first=number == 1)
            if reader.over:
                yield from reader.over
                reader.over.clear()
    reader.leave("running" if written or locks.is_taken(path) else "crashed")
    yield from reader.over


class _Reader:
    """Takes lines in; `over` are the runs that have ended, each with its number by their starts."""

    def __init__(self, checked: Shapes) -> None:
        self.over: list[tuple[int, PlainRun]] = []
        self._open: dict[str, _OpenRun] = {}
        self._starts = count()
        self._checked = checked

    def take(self, line: bytes, first: bool) -> None:
        entry = None if first else self._entry(line)
        if entry is None or "t" not in entry:
            try:
                lines.check_opening(line)
            except JournalError:
                raise Odd from None
            self.leave("crashed")
            return
        name = entry.pop("t")
        self._check_event(name, entry)
        run_id: str = entry["run_id"]
        if name == "RunStarted":
            self._end(run_id, "crashed")
            self._open[run_id] = _OpenRun(next(self._starts), entry)
        run = self._open.get(run_id)
        if run is None:
            raise Odd
        run.take(name, entry)
        if name == "RunFinished":
            self._end(run_id, "crashed")

    def _entry(self, line: bytes) -> Entry:
        """The line's JSON. Of what numbers too long for orjson may stand in, only a run's beginning is in a table."""
        try:
            if line.startswith(b'{"t":"RunStarted"'):
                entry = codec.loads(line)
            else:
                entry = orjson.loads(line)
                if entry.get("t") == "RunStarted":
                    raise Odd
        except (ValueError, AttributeError):
            entry = self._by_hand(line)
        if type(entry) is not dict:
            raise Odd
        return entry

    def _by_hand(self, line: bytes) -> Any:
        try:
            return codec.loads(line)
        except (ValueError, RecursionError, MemoryError):
            raise Odd from None

    def _check_event(self, name: Any, entry: Entry) -> None:
        if type(name) is not str:
            raise Odd
        kind = KINDS.get(name, Event)
        self._check(kind, entry)
        if name == "Replied":
            reply = entry["reply"]
            self._check(Reply, reply)
            if "usage" in reply:
                self._check(Usage, reply["usage"])
            _all_are(str, reply.get("problems"))
            for call in reply.get("calls", ()):
                self._check(ToolCall, call)
        elif name == "CallFinished":
            result = entry["result"]
            self._check(ToolResult, result)
            self._check(ToolCall, result["call"])
            _all_are(dict, result.get("parts"))
            if result.get("error") is not None:
                self._check(ToolError, result["error"])
        elif name == "CallStarted":
            self._check(ToolCall, entry["call"])
        elif name in ("RunStarted", "RunFinished", "TurnStarted"):
            self._check_rest(entry)

    def _check_rest(self, entry: Entry) -> None:
        for kind, name in ((Origin, "origin"), (RunError, "error")):
            if entry.get(name) is not None:
                self._check(kind, entry[name])
        for name in ("messages", "tools", "added_messages", "rewritten"):
            _all_are(dict, entry.get(name))
        _all_are(str, entry.get("abandoned"))

    def _check(self, kind: Any, entry: Any) -> None:
        """What `codec.build` would take: it is asked once for every shape, the names and types of the values."""
        try:
            shape = (kind, *entry, *map(type, entry.values()))
        except (TypeError, AttributeError):
            raise Odd from None
        if shape not in self._checked:
            try:
                codec.build(kind, entry)
            except (ValueError, TypeError):
                raise Odd from None
            self._checked.add(shape)

    def leave(self, unended: str) -> None:
        """All runs are over, as far as they came."""
        for run_id in tuple(self._open):
            self._end(run_id, unended)

    def _end(self, run_id: str, unended: str) -> None:
        run = self._open.pop(run_id, None)
        if run is not None:
            self.over.append((run.start, run.plain(unended)))


def _all_are(kind: type, values: Any) -> None:
    if values and not all(type(one) is kind for one in values):
        raise Odd


class _OpenRun:
    """A run that has begun: what `events.Fold` makes of its events, in plain values."""

    def __init__(self, start: int, started: Entry) -> None:
        self.start = start
        self._started = started
        self._messages: list[Any] | None = None  # Kept only once the history was rewritten.
        self._turns: list[PlainTurn] = []
        self._open: _OpenTurn | None = None
        self._finished: Entry | None = None
        self._usage: Usage | None = None
        self._at: float = 0.0
        self._next = 0

    def take(self, name: str, entry: Entry) -> None:
        if entry["seq"] != self._next:
            raise Odd
        self._next += name != "Delta"
        self._at = entry.get("at", 0.0)
        if name == "TurnStarted":
            self._begin(entry)
        elif name == "Replied":
            self._turn.reply = reply = entry["reply"]
            usage = codec.build(Usage, reply["usage"]) if "usage" in reply else Usage()
            self._usage = usage if self._usage is None else self._usage + usage
        elif name == "CallFinished":
            result = entry["result"]
            self._turn.results[result["call"].get("index", 0)] = result
        elif name == "TurnFinished":
            self._turn.finished = entry
        elif name == "RunFinished":
            self._close()
            self._finished = entry

    @property
    def _turn(self) -> _OpenTurn:
        if self._open is None:
            raise Odd
        return self._open

    def _begin(self, entry: Entry) -> None:
        self._close()
        if entry.get("rewritten") is not None:
            self._messages = list(entry["rewritten"])
        if self._messages is not None:
            self._messages += entry.get("added_messages", ())
        self._open = _OpenTurn(entry)

    def _close(self) -> None:
        if self._open is not None:
            turn = self._open.plain(self._at)
            if self._messages is not None:
                self._messages += turn.said()
            self._turns.append(turn)
            self._open = None

    def plain(self, unended: str) -> PlainRun:
        """The run as far as it came."""
        self._close()
        told = self._facts(unended)
        if self._messages is None:
            return PlainRun(told, self._started.get("messages", ()), self._turns)
        return PlainRun(told, *_reordered(self._messages, self._turns))

    def _facts(self, unended: str) -> Entry:
        started, finished = self._started, self._finished or {}
        usage = self._usage or Usage()
        facts = {name: started[name] for name in CARRIED if name in started}
        facts |= {name: finished[name] for name in ("error", "abandoned") if name in finished}
        facts["stop_reason"] = finished.get("stop_reason", "finished") if self._finished is not None else unended
        facts["seconds"] = finished.get("seconds", 0.0) if self._finished is not None else self._at
        facts["usage"] = codec.outline(usage)
        facts["provenance"] = started
        return facts


CARRIED = ("run_id", "task_id", "task", "attempt", "meta", "origin")


def _reordered(messages: list[Any], turns: list[PlainTurn]) -> tuple[Any, ...]:
    start, first, placed = settle(messages, turns)
    return start, turns, first, placed


class _OpenTurn:
    """A turn while its events arrive."""

    __slots__ = ("finished", "reply", "results", "started")

    def __init__(self, started: Entry) -> None:
        self.started = started
        self.reply: Entry | None = None
        self.results: dict[int, Entry] = {}
        self.finished: Entry | None = None

    def plain(self, now: float) -> PlainTurn:
        """The turn so far, `now` being seconds since the run began."""
        finished = self.finished or {}
        at = self.started.get("at", 0.0)
        return PlainTurn(
            number=self.started.get("turn", 0),
            at=at,
            seconds=(finished.get("at", 0.0) if self.finished is not None else now) - at,
            model_seconds=finished.get("model_seconds", 0.0),
            tool_seconds=finished.get("tool_seconds", 0.0),
            added=self.started.get("added_messages", ()),
            reply=self.reply,
            results=[self.results[index] for index in sorted(self.results)],
        )
