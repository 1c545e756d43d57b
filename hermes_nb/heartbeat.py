"""Keeps an event loop waking up while a run is on it.

A kernel's interrupt is a callback that is queued without waking the loop, so it is seen when the loop next wakes: with
a silent model, after minutes. See https://github.com/ipython/ipykernel/issues/881.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from weakref import WeakKeyDictionary

HEARTBEAT_SECONDS = 0.1


@dataclass(slots=True)
class _Beat:
    runs: int = 0
    timer: asyncio.TimerHandle | None = None

    def again(self) -> None:
        self.timer = asyncio.get_running_loop().call_later(HEARTBEAT_SECONDS, self.again)


_beats: WeakKeyDictionary[asyncio.AbstractEventLoop, _Beat] = WeakKeyDictionary()


@contextmanager
def heartbeat() -> Iterator[None]:
    """Keep the running event loop waking up ten times a second; one timer a loop, however many runs."""
    beat = _beats.setdefault(asyncio.get_running_loop(), _Beat())
    beat.runs += 1
    if beat.timer is None:
        beat.again()
    try:
        yield
    finally:
        beat.runs -= 1
        if beat.runs == 0 and beat.timer is not None:
            beat.timer.cancel()
            beat.timer = None
