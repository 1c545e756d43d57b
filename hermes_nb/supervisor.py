"""Owns a run while it goes on: its stream of events, its tool calls, its heartbeat, and its ending."""

from __future__ import annotations

import asyncio
import logging
import warnings
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar
from weakref import WeakKeyDictionary

from hermes_nb.clocks import Clock
from hermes_nb.events import CallFinished, CallStarted, Delta, Event, Fold, RunFinished
from hermes_nb.journal import Journal
from hermes_nb.records import AgentResult, RunError, StopReason, ToolCall, ToolResult
from hermes_nb.tools.dispatch import refused

log = logging.getLogger("hermes_nb")

Observer: TypeAlias = Callable[[Event], object]
Answerer: TypeAlias = Callable[[ToolCall, float], Awaitable[ToolResult]]
Ending: TypeAlias = tuple[StopReason, RunError | None]

T = TypeVar("T")

HEARTBEAT_SECONDS = 0.1


class Run:
    """One run going on: `emit` is its stream, `result()` the result so far."""

    def __init__(
        self, run_id: str, clock: Clock, *, observers: Iterable[Observer] = (), journal: Journal | None = None
    ) -> None:
        self.run_id = run_id
        self.abandoned: list[str] = []
        self.folded = Fold()
        self._clock = clock
        self._began = clock.seconds()
        self._seq = 0
        self._journal = journal
        self._observers = list(observers)

    def now(self) -> float:
        """Seconds since the run began."""
        return self._clock.seconds() - self._began

    def emit(self, kind: type[Event], **fields: Any) -> None:
        """Number the event, write it down, fold it in, tell the observers: in this order, and at once. A Delta does not
        count: it has the number of the event it comes before."""
        event = kind(run_id=self.run_id, seq=self._seq, at=self.now(), **fields)
        self._seq += kind is not Delta
        if self._journal is not None:
            self._write(self._journal, event)
        self.folded.add(event)
        for observer in tuple(self._observers):
            self._tell(observer, event)

    def _write(self, journal: Journal, event: Event) -> None:
        try:
            journal.write(event)
        except OSError as error:
            self._journal = None
            warnings.warn(f"{journal.path} is no longer written: {error}. The run goes on.", stacklevel=2)

    def _tell(self, observer: Observer, event: Event) -> None:
        try:
            observer(event)
        except Exception as error:  # The observers' doorway: one that fails is told no more, and the run goes on.
            self._observers.remove(observer)
            log.exception("an observer failed on %s and is told no more", type(event).__name__)
            warnings.warn(f"the observer {observer!r} failed and is told no more: {error!r}", stacklevel=2)

    def result(self) -> AgentResult:
        """The result so far."""
        return self.folded.result()

    async def conduct(self, turns: Coroutine[Any, Any, Ending], finish: Callable[[], Awaitable[Any]]) -> None:
        """Run `turns` to its end, whatever that is, and record it. `finish` gives the managed state at the end.

        Raises:
            asyncio.CancelledError, KeyboardInterrupt: the run was interrupted; it is recorded as such.
            BaseException: whatever the user's own gates raise; the run is recorded as crashed.
        """
        with heartbeat():
            try:
                stop_reason, failure = await turns
            except (asyncio.CancelledError, KeyboardInterrupt):
                self._end("interrupted", None, None)
                raise
            except BaseException as error:
                self._end("crashed", RunError(type=type(error).__name__, message=str(error), cause=error), None)
                raise
            self._end(stop_reason, failure, await finish())

    def _end(self, stop_reason: StopReason, error: RunError | None, state: Any) -> None:
        abandoned = tuple(self.abandoned)
        self.emit(
            RunFinished, stop_reason=stop_reason, error=error, seconds=self.now(), abandoned=abandoned,
            managed_state=state,
        )  # fmt: skip
        if self._journal is not None:
            self._journal.close()

    async def answer_all(
        self, calls: Sequence[ToolCall], answer: Answerer, *, at_once: int, serial: Collection[str]
    ) -> list[ToolResult]:
        """Answer the calls of one turn, `at_once` of them together, and give the results in call order.

        A call to a tool named in `serial` waits for the calls before it and holds up those after it. Whatever
        interrupts this, every call is answered first: those that did not end, as cancelled.
        """
        results: dict[int, ToolResult] = {}
        ready = self.now()
        limit = asyncio.Semaphore(at_once)

        async def one(call: ToolCall) -> None:
            async with limit:
                self.emit(CallStarted, turn=call.turn, call=call)
                try:
                    result = await answer(call, self.now() - ready)
                except KeyboardInterrupt as interrupt:
                    # Out of a task it would end the event loop, and a kernel with it.
                    raise asyncio.CancelledError("interrupted in a tool") from interrupt
                results[call.index] = result
                self.emit(CallFinished, turn=call.turn, result=result)

        try:
            for batch in _batches(calls, serial):
                await _all_of([one(call) for call in batch])
        finally:
            for call in calls:
                if call.index not in results:
                    told = "the run was interrupted before this call was answered"
                    results[call.index] = result = refused(call, "cancelled", told, now=self.now())
                    self.emit(CallFinished, turn=call.turn, result=result)
        return [results[call.index] for call in calls]


def _batches(calls: Sequence[ToolCall], serial: Collection[str]) -> list[list[ToolCall]]:
    """The calls in groups that may run together: a serial tool's call is a group of its own."""
    batches: list[list[ToolCall]] = []
    for call in calls:
        alone = call.name in serial
        if alone or not batches or batches[-1][0].name in serial:
            batches.append([])
        batches[-1].append(call)
    return batches


async def _all_of(coroutines: list[Coroutine[Any, Any, None]]) -> None:
    """Run the coroutines together. If one raises, or we are cancelled, the others are cancelled and waited for."""
    if len(coroutines) == 1:
        return await coroutines[0]
    tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()
    finally:
        await settle(tasks)


async def settle(tasks: Sequence[asyncio.Future[Any]]) -> None:
    """Cancel what is not over and wait until all is, however often we are cancelled meanwhile."""
    for task in tasks:
        task.cancel()
    cancelled = False
    while pending := [task for task in tasks if not task.done()]:
        try:
            await asyncio.wait(pending)
        except asyncio.CancelledError:
            cancelled = True
    for task in tasks:
        if not task.cancelled():
            task.exception()  # Looked at, so that asyncio does not report it as never retrieved.
    if cancelled:
        raise asyncio.CancelledError


@dataclass(slots=True)
class _Beat:
    runs: int = 0
    timer: asyncio.TimerHandle | None = None

    def again(self) -> None:
        self.timer = asyncio.get_running_loop().call_later(HEARTBEAT_SECONDS, self.again)


_beats: WeakKeyDictionary[asyncio.AbstractEventLoop, _Beat] = WeakKeyDictionary()


@contextmanager
def heartbeat() -> Iterator[None]:
    """Keep the event loop waking up ten times a second while a run is on it; one timer a loop, however many runs.

    A kernel's interrupt is a callback that is queued without waking the loop, so it is seen when the loop next wakes.
    """
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
