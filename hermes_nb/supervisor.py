"""Owns a run while it goes on: its stream of events, its observers, and its ending."""

from __future__ import annotations

import asyncio
import logging
import threading
import warnings
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Any, TypeAlias, cast

from hermes_nb import sync
from hermes_nb.clocks import Clock
from hermes_nb.events import CallFinished, Delta, Event, Fold, RunFinished, RunStarted
from hermes_nb.heartbeat import heartbeat
from hermes_nb.keeping import Keeper
from hermes_nb.messages import UNANSWERED
from hermes_nb.records import AgentResult, RunError, StopReason, ToolCall
from hermes_nb.tools.dispatch import refused

log = logging.getLogger("hermes_nb")

Observer: TypeAlias = Callable[[Event], object]
Ending: TypeAlias = tuple[StopReason, RunError | None]
Times: TypeAlias = Callable[[type[Event], Mapping[str, Any]], Mapping[str, Any]]
"""The recorded times of an event, by its kind and fields; nothing for one that was not recorded."""

BEFORE = ("task_id", "task", "attempt", "meta", "origin")
"""What is known of a run before it begins."""

INSIST_SECONDS = 1.5
"""How long after it was stopped a run is stopped again: something may have swallowed it. Longer than a tool's grace."""

GIVE_UP_SECONDS = 3.0
"""How long after it was stopped a run is ended, whatever of it still goes on."""

STATE_SECONDS = 10.0
"""How long a server may take to give its state at the end."""


class Run:
    """One run going on: `emit` is its stream, `result()` the result so far.

    `opening` are the fields of its RunStarted; `times`, those of a recording that it plays.
    """

    def __init__(
        self,
        run_id: str,
        clock: Clock,
        *,
        observers: Iterable[Observer] = (),
        kept: Keeper | None = None,
        times: Times | None = None,
        opening: Mapping[str, Any] | None = None,
    ) -> None:
        self.run_id = run_id
        self.abandoned: list[str] = []
        self.folded = Fold()
        self.stopping: StopReason | None = None
        self.error: BaseException | None = None
        """What ended the run that is no business of the run's: an exception of the user's own gate, say."""
        self.over = False
        self._opening = opening or {}
        self._clock = clock
        self._times = times
        self._mark = (clock.seconds(), 0.0)
        self._seq = 0
        self._kept = kept or Keeper(None)
        self._observers = list(observers)
        self._lock = threading.Lock()
        self._cancelled = False
        self._work: asyncio.Task[Ending | sync.Exit] | None = None
        self._given_up: asyncio.Future[None] | None = None
        self._timers: list[asyncio.TimerHandle] = []

    def now(self) -> float:
        """Seconds since the run began; in a run that is played, since it was recorded to have begun."""
        reading, at = self._mark
        return self._clock.seconds() - reading + at

    def begin(self, **more: Any) -> None:
        """Emit RunStarted."""
        self.emit(RunStarted, **self._opening, **more)

    def emit(self, kind: type[Event], **fields: Any) -> None:
        """Number the event, write it down, fold it in, tell the observers: in this order, and at once. A Delta does not
        count: it has the number of the event it comes before.

        Raises:
            asyncio.CancelledError: the run is over; whoever is still at work in it is not heard any more.
        """
        self.emit_each(kind, [fields])

    def emit_each(self, kind: type[Event], several: Sequence[dict[str, Any]]) -> None:
        """Emit an event with each of these fields; they are written down together.

        Raises:
            asyncio.CancelledError: the run is over.
        """
        if self.over:
            raise asyncio.CancelledError("the run is over")
        events = [
            kind(run_id=self.run_id, seq=seq, **self._timed(kind, fields))
            for seq, fields in enumerate(several, self._seq)
        ]
        self._kept.write(*events)  # Where warnings are errors, this may raise one.
        for event in events:
            with self._lock:
                self.folded.add(event)
                observers = tuple(self._observers)
            self._seq += kind is not Delta
            for observer in observers:
                self._tell(observer, event)

    def _timed(self, kind: type[Event], fields: dict[str, Any]) -> dict[str, Any]:
        fields["at"] = self.now()
        if self._times is not None and (recorded := self._times(kind, fields)):
            fields |= recorded
            self._mark = (self._clock.seconds(), fields["at"])
        return fields

    def observe(self, observer: Observer) -> AgentResult:
        """Tell the observer every event from now on; the result so far is what it missed. From any thread."""
        with self._lock:
            self._observers.append(observer)
            return self._result()

    def forget(self, observer: Observer) -> None:
        """Tell the observer no more."""
        with self._lock:
            if observer in self._observers:
                self._observers.remove(observer)

    def _tell(self, observer: Observer, event: Event) -> None:
        try:
            observer(event)
        except (Exception, SystemExit) as error:  # The observers' doorway: who fails is told no more, the run goes on.
            self.forget(observer)
            log.exception("an observer failed on %s and is told no more", type(event).__name__)
            warnings.warn(f"the observer {observer!r} failed and is told no more: {error!r}", stacklevel=2)

    def result(self) -> AgentResult:
        """The result so far. From any thread."""
        with self._lock:
            return self._result()

    def _result(self) -> AgentResult:
        if self.folded.started is None:
            known = {name: self._opening[name] for name in BEFORE if name in self._opening}
            return AgentResult(messages=list(self._opening.get("messages", ())), run_id=self.run_id, **known)
        return self.folded.result(journal_error=self._kept.error)

    @property
    def status(self) -> StopReason:
        """`running`, or how the run ended."""
        finished = self.folded.finished
        return "running" if finished is None else finished.stop_reason

    def cut(self) -> None:
        """End a run that nobody conducts any more, where that has not been done; its event loop is closing, say."""
        if not self.over:
            self._kept.unsynced = True  # It is brought to the disk at once, and maybe on no event loop.
            self._end("interrupted", None, None)
            self._kept.cut()

    def check(self) -> None:
        """Go no further in a run that was stopped, whoever swallowed the cancel.

        Raises:
            asyncio.CancelledError: it was.
        """
        if self.stopping is not None:
            raise asyncio.CancelledError(self.stopping)

    def stop(self, reason: StopReason = "interrupted") -> None:
        """End the run for this reason, soon: what goes on is cancelled, every open call answered. On the run's loop."""
        if self.stopping is not None or self.over:
            return
        self.stopping = reason
        if self._work is not None and not self._work.done():
            self._work.cancel()
            loop = asyncio.get_running_loop()
            self._timers.append(loop.call_later(INSIST_SECONDS, self._work.cancel))
            self._timers.append(loop.call_later(GIVE_UP_SECONDS, self._give_up))

    def _give_up(self) -> None:
        if self._given_up is not None and not self._given_up.done():
            self._given_up.set_result(None)

    async def conduct(
        self,
        turns: Coroutine[Any, Any, Ending],
        *,
        state: Callable[[], Awaitable[Any]] | None = None,
        after: Callable[[], Awaitable[None]] | None = None,
        seconds: float | None = None,
    ) -> None:
        """Run `turns` to its end, whatever that is, and record it. `state` gives the managed state at the end; `after`
        is awaited when all is told.

        `turns` is a task of its own, so that what it awaits can swallow no cancel of ours: it is cancelled, after a
        while again, and then left behind. After `seconds` it is stopped (`max_seconds`).

        Raises:
            asyncio.CancelledError: the run was interrupted from outside; it is recorded as such.
            BaseException: whatever the user's own gates raise; the run is recorded as crashed.
        """
        loop = asyncio.get_running_loop()
        self._given_up = loop.create_future()
        self._work = sync.task_of(turns)
        if self.stopping is not None:  # Before it began.
            self._work.cancel()
        if seconds is not None:
            self._timers.append(loop.call_later(seconds, self.stop, "max_seconds"))
        with heartbeat():
            await self._outlast(self._work, self._given_up)
            for timer in self._timers:
                timer.cancel()
            stop_reason, failure = self._ending(self._work)
            given = None if state is None or self._cancelled else await self._state(state)
            self._end(stop_reason, failure, given)
            closing = asyncio.ensure_future(self._close(after))
            await self._outlast(closing)
        self._work = self._given_up = None  # Whatever they hold, which may be this run, goes away with it.
        self._timers.clear()
        if self.error is None and not closing.cancelled():
            self.error = closing.exception()  # Where warnings are errors.
        if self.error is not None:
            raise self.error
        if self._cancelled:
            raise asyncio.CancelledError

    async def _outlast(self, *waited: asyncio.Future[Any], seconds: float | None = None) -> None:
        """Wait for the first of these. Being cancelled meanwhile stops the run, and is remembered; the wait goes on,
        unless it is one of at most so many `seconds`."""
        loop = asyncio.get_running_loop()
        end = None if seconds is None else loop.time() + seconds
        while not any(one.done() for one in waited) and (end is None or loop.time() < end):
            left = None if end is None else end - loop.time()
            try:
                await asyncio.wait(waited, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            except asyncio.CancelledError:
                self._cancelled = True
                self.stop()
                end = None if seconds is None else loop.time()

    def _ending(self, work: asyncio.Task[Ending | sync.Exit]) -> Ending:
        """How the run ended, and the error behind it."""
        if not work.done():
            self.abandoned.append(_at_work_on(self.folded.unanswered))
            return self.stopping or "interrupted", None
        error = sync.error_of(work)
        if error is None:
            return cast("Ending", work.result())
        if not isinstance(error, asyncio.CancelledError | KeyboardInterrupt):
            self.error = error
            return "crashed", RunError(type=type(error).__name__, message=str(error), cause=error)
        self._cancelled = self._cancelled or self.stopping is None  # By a tool that raised KeyboardInterrupt.
        return self.stopping or "interrupted", None

    async def _state(self, state: Callable[[], Awaitable[Any]]) -> Any:
        given = asyncio.ensure_future(state())
        await self._outlast(given, seconds=STATE_SECONDS)
        if given.done():
            return given.result()
        given.cancel()
        log.error("the server gave no state within %g s: the run has no managed state", STATE_SECONDS)
        return None

    async def _close(self, after: Callable[[], Awaitable[None]] | None) -> None:
        await self._kept.close()
        if after is not None:
            try:
                await after()
            except OSError as error:
                warnings.warn(f"the recording of this run could not be kept: {error}", stacklevel=2)

    def _end(self, stop_reason: StopReason, error: RunError | None, state: Any) -> None:
        if self.folded.started is None:
            self.begin()
        for call in self.folded.unanswered:
            self.emit(CallFinished, turn=call.turn, result=refused(call, "cancelled", UNANSWERED, now=self.now()))
        if self.abandoned:
            log.warning("left behind, for they would not stop: %s", ", ".join(self.abandoned))
        self.emit(
            RunFinished, stop_reason=stop_reason, error=error, seconds=self.now(), abandoned=tuple(self.abandoned),
            managed_state=state,
        )  # fmt: skip
        self.over = True


def _at_work_on(calls: Sequence[ToolCall]) -> str:
    """What a run that would not stop was at."""
    return ", ".join(call.name for call in calls) or "the request to the model"
