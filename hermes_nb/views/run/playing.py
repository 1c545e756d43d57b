"""Plays a journal: the events of a run that was kept, again, at the pace at which they happened or any other."""

from __future__ import annotations

import asyncio
import math
import os
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any

from hermes_nb import journal
from hermes_nb.display import Displayed
from hermes_nb.events import Delta, Event, Fold, RunFinished
from hermes_nb.exceptions import JournalError
from hermes_nb.records import AgentResult

Observer = Callable[[Event], object]


class Play(Displayed):
    """A run that is played: shown, it is live; `await` waits for its end, and `stop()` is one. No model is asked, and
    no tool runs.

    It plays `speed` times as fast as it happened, from when it is first shown or awaited; with `math.inf`, all at
    once.
    """

    def __init__(self, events: Sequence[Event], *, speed: float = 1.0) -> None:
        if not speed > 0:
            raise ValueError(f"speed is a number above 0 (2 is twice as fast), not {speed!r}")
        self.speed = speed
        self._left = list(reversed(events))
        self._folded = Fold()
        self._folded.add(self._left.pop())
        self._observers: list[Observer] = []
        self._lock = threading.Lock()
        self._begun = False
        self._stopped = threading.Event()
        self._over = threading.Event()

    @property
    def result(self) -> AgentResult:
        """The run as far as it was played."""
        with self._lock:
            return self._folded.result()

    def observe(self, observer: Observer) -> AgentResult:
        """Have the observer told every event from now on; the result so far is what it missed. Begins to play."""
        with self._lock:
            self._observers.append(observer)
            result = self._folded.result()
        self._begin()
        return result

    def forget(self, observer: Observer) -> None:
        """Have it told no more."""
        with self._lock:
            if observer in self._observers:
                self._observers.remove(observer)

    def stop(self) -> None:
        """Play no further: what is left happens at once, so that the end is that of the run that was kept."""
        self._stopped.set()

    def _begin(self) -> None:
        with self._lock:
            if self._begun:
                return
            self._begun = True
        threading.Thread(target=self._play, name="hermes_nb play", daemon=True).start()

    def _play(self) -> None:
        now = self._folded.at
        for event in self._next():
            if math.isfinite(self.speed):
                self._stopped.wait(max(event.at - now, 0.0) / self.speed)
            now = event.at
            with self._lock:
                self._folded.add(event)
                observers = tuple(self._observers)
            for observer in observers:
                observer(event)
        self._over.set()

    def _next(self) -> Iterator[Event]:
        while self._left:
            yield self._left.pop()

    def __await__(self) -> Generator[Any, None, AgentResult]:
        return self._until_over().__await__()

    async def _until_over(self) -> AgentResult:
        self._begin()
        await asyncio.get_running_loop().run_in_executor(None, self._over.wait)
        return self.result

    def __repr__(self) -> str:
        return repr(self.result).replace("AgentResult", "Play", 1)

    def _ipython_display_(self) -> None:
        from hermes_nb.views.run.showing import show

        show(self)


def play(path: str | os.PathLike[str], *, run: str | int = -1, speed: float = 1.0) -> Play:
    """The run in a journal, to be played as it happened, `speed` times as fast. Shown in a notebook it is live.

    Args:
        path: the journal's file.
        run: which run, where there are many: its id, or its place (-1 is the last).
        speed: `math.inf` plays it at once.

    Raises:
        JournalError: the file is no journal, is damaged, or has no such run.
        ValueError: the speed is not above 0.
    """
    run_id = journal.one(path, run).run_id
    events = [event for event in journal.read_events(path) if event.run_id == run_id]
    if not events:
        raise JournalError(f"{path} holds no event of run {run_id!r}")
    if not isinstance(events[-1], RunFinished):
        last = events[-1]
        seq = last.seq + (not isinstance(last, Delta))
        events.append(RunFinished(run_id=last.run_id, seq=seq, at=last.at, stop_reason="crashed", seconds=last.at))
    return Play(events, speed=speed)
