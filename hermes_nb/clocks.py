"""Where a run's times and names come from: the real sources, and repeatable ones.

With `StillClock()` and `CountedIds()` two runs of the same script write the same journal, byte for byte.
"""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol, TypeAlias

Ids: TypeAlias = Callable[[str], str]
"""Makes a fresh name for a thing of the given kind: "run", "task" or "call"."""


class Clock(Protocol):
    """What a run needs to know about time."""

    def seconds(self) -> float:
        """A reading in seconds that never goes back; only differences mean anything."""

    def utc(self) -> datetime:
        """The time of day, in UTC."""


class SystemClock:
    """The machine's own clocks."""

    def seconds(self) -> float:
        """The machine's monotonic clock, in seconds."""
        return time.perf_counter()

    def utc(self) -> datetime:
        """The machine's time of day."""
        return datetime.now(UTC)

    def __repr__(self) -> str:
        return "SystemClock()"


class StillClock:
    """A clock that stands still until `advance` moves it: every duration is what a test or a lesson says it is."""

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._start = start
        self._seconds = 0.0

    def advance(self, seconds: float) -> None:
        """Move on by `seconds`."""
        self._seconds += seconds

    def seconds(self) -> float:
        """The seconds it was moved on by."""
        return self._seconds

    def utc(self) -> datetime:
        """The start, moved on."""
        return self._start + timedelta(seconds=self._seconds)

    def __repr__(self) -> str:
        return f"StillClock(at {self._seconds:g} s)"


def random_ids(kind: str) -> str:
    """A name nobody else has: a UUID, or `call_` and 24 hexadecimal digits for a call."""
    return f"call_{uuid.uuid4().hex[:24]}" if kind == "call" else str(uuid.uuid4())


class CountedIds:
    """Names that count: `run-1`, `run-2`, `task-1`, `call_1`."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def __call__(self, kind: str) -> str:
        """The next name for a thing of this kind."""
        self._counts[kind] += 1
        return f"{kind}{'_' if kind == 'call' else '-'}{self._counts[kind]}"

    def __repr__(self) -> str:
        return f"CountedIds({dict(self._counts)})"
