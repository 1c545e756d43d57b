"""LiveRun: the run as something you hold. It can be awaited, watched, steered and stopped, from any thread."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import threading
from collections import deque
from collections.abc import Coroutine, Generator
from concurrent.futures import Future
from typing import Any

from hermes_nb import sync
from hermes_nb.display import Displayed
from hermes_nb.exceptions import ConfigurationError
from hermes_nb.messages import Message, conversation
from hermes_nb.records import AgentResult, StopReason
from hermes_nb.supervisor import Observer, Run

log = logging.getLogger("hermes_nb")

_held: set[LiveRun] = set()
"""The runs that go on: an event loop alone would let go of one that nobody else holds."""

_ending = threading.Lock()


class Steering:
    """The messages that wait to join a run, put in on any thread."""

    def __init__(self) -> None:
        self._messages: deque[Message] = deque()
        self._lock = threading.Lock()
        self._closed = False

    def add(self, messages: list[Message]) -> bool:
        """Have them wait; False when the run is over."""
        with self._lock:
            if not self._closed:
                self._messages.extend(messages)
            return not self._closed

    def join(self) -> tuple[Message, ...]:
        """Those that have come since the last time."""
        if not self._messages:
            return ()
        with self._lock:
            joined = tuple(self._messages)
            self._messages.clear()
            return joined

    def close(self, *, unless_waiting: bool = False) -> bool:
        """Take no more; False where it stays open because there are some."""
        with self._lock:
            self._closed = not (unless_waiting and self._messages)
            return self._closed

    @property
    def unjoined(self) -> tuple[Message, ...]:
        """Those that have joined no turn."""
        with self._lock:
            return tuple(self._messages)


class LiveRun(Displayed):
    """A run that was started, and goes on by itself; `await run` gives its result.

    Everything here may be used from any thread and any event loop: a widget's callback, say. Interrupting the one who
    awaits it stops the run. An exception that is no ending of a run (of the user's own gate, say) is raised by
    `await`; where nobody awaits it is logged, and shown by the repr.
    """

    def __init__(self, run: Run, steering: Steering, conducting: Coroutine[Any, Any, AgentResult]) -> None:
        self._run = run
        self._steering = steering
        self._awaited = 0
        self._outcome: Future[AgentResult] = Future()
        _held.add(self)
        context = contextvars.copy_context()
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            self._loop = sync.private_loop().loop
            self._loop.call_soon_threadsafe(self._begin, conducting, context)
        else:
            self._begin(conducting, context)

    def _begin(self, conducting: Coroutine[Any, Any, AgentResult], context: contextvars.Context) -> None:
        sync.task_of(conducting, context).add_done_callback(self._over)

    def _over(self, task: asyncio.Task[AgentResult | sync.Exit]) -> None:
        _held.discard(self)
        self._steering.close()
        try:
            self._run.cut()
            error = sync.error_of(task)
            if error is not None and not task.cancelled() and not self._awaited:
                log.error("%r ended with an exception, and nobody awaits it", self, exc_info=error)
        finally:  # Somebody may wait for it.
            sync.hand_over(task, self._outcome)

    def _look(self) -> None:
        """End a run whose event loop was closed under it: nothing goes on there, and nobody would ever be told."""
        if self._loop.is_closed() and not self._outcome.done():
            with _ending:
                if self in _held:
                    _held.discard(self)
                    self._steering.close()
                    self._run.cut()
                    self._outcome.set_exception(asyncio.CancelledError("the run's event loop was closed"))

    @property
    def result(self) -> AgentResult:
        """The run as far as it has come."""
        return self._run.result()

    @property
    def status(self) -> StopReason:
        """`running`, or how the run ended."""
        return self._run.status

    @property
    def done(self) -> bool:
        """Whether the run is over."""
        return self._outcome.done()

    @property
    def unjoined(self) -> tuple[Message, ...]:
        """The messages it was steered by that have joined no turn."""
        return self._steering.unjoined

    def stop(self) -> None:
        """End the run, soon (`interrupted`): what goes on is cancelled, and every open call answered. `await run` gives
        the result, as far as it came."""
        if not self.done and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._run.stop)

    def steer(self, message: str | Message | list[Message]) -> None:
        """Have a message, or several, join the conversation before the next turn. After the last answer there is one
        more turn, if there is a message that waits for it, and a turn left.

        Raises:
            ConfigurationError: it is no chat message, or the run is over.
        """
        messages = conversation([message] if isinstance(message, dict) else message)
        if not self._steering.add(messages):
            raise ConfigurationError("the run is over; go on with `await loop.run(message, after=run.result)`")

    def observe(self, observer: Observer) -> AgentResult:
        """Call `observer` with every event from now on, on the run's thread. What it missed is in the result so far,
        which this gives."""
        return self._run.observe(observer)

    def forget(self, observer: Observer) -> None:
        """Tell an observer no more."""
        self._run.forget(observer)

    def wait(self, timeout: float | None = None) -> AgentResult:
        """What `await` gives, for code that cannot await. Ctrl-C, or a kernel's interrupt, stops the run.

        Raises:
            TimeoutError: the run was not over after `timeout` seconds; it goes on.
            ConfigurationError: the run is on this thread's event loop, which cannot go on while it is waited for.
        """
        if self._loop is sync.running_loop():
            raise ConfigurationError("this run is on the event loop of this thread: `await run` instead")
        self._awaited += 1
        try:
            return sync.patiently(self._outcome, timeout, self._look)
        except KeyboardInterrupt:
            self.stop()
            sync.quietly(self._outcome)
            raise
        finally:
            self._awaited -= 1

    def __await__(self) -> Generator[Any, None, AgentResult]:
        return self._until_over().__await__()

    async def _until_over(self) -> AgentResult:
        over = asyncio.wrap_future(self._outcome)
        self._awaited += 1
        interrupted = False
        look_after = None if self._loop is asyncio.get_running_loop() else sync.LOOK_SECONDS
        try:
            while not over.done():
                try:
                    self._look()
                    await asyncio.wait({over}, timeout=look_after)
                except asyncio.CancelledError:
                    interrupted = True
                    self.stop()
        finally:
            self._awaited -= 1
        if interrupted:
            over.exception()  # Looked at, so that asyncio does not report it as never retrieved.
            raise asyncio.CancelledError
        return over.result()

    def __repr__(self) -> str:
        error = self._run.error
        told = repr(self.result) if error is None else f"AgentResult(crashed · {error!r})"
        return told.replace("AgentResult", "LiveRun", 1)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return self.result._repr_mimebundle_()

    def _ipython_display_(self) -> None:
        from hermes_nb import views

        views.show(self)
