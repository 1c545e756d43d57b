"""The two doors for code that cannot await: a private event loop, and nested loops on request."""

from __future__ import annotations

import asyncio
import atexit
import contextvars
import importlib
import logging
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as NotYet
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar, cast

from hermes_nb.exceptions import ConfigurationError, MissingDependency

log = logging.getLogger("hermes_nb")

T = TypeVar("T")

LOOK_SECONDS = 0.2
"""How often a waiting thread looks up, where its wait cannot be interrupted."""

CLEAN_UP_SECONDS = 5.0
"""How long an interrupted run may take to record itself."""


def wait_for(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run the coroutine on the private loop and wait for what it gives. Ctrl-C, or a kernel's interrupt, cancels it.

    Works in a script, in a notebook's cell and in a callback, whether or not an event loop is running here.

    Raises:
        ConfigurationError: called on the private loop itself, where waiting would be for ever.
        KeyboardInterrupt: after the coroutine was cancelled and had its time to clean up.
        BaseException: whatever the coroutine raises.
    """
    private = private_loop()
    if threading.current_thread() is private.thread:
        coroutine.close()
        raise ConfigurationError("a run that is waited for cannot wait for another: use `await loop.run(...)` here")
    return private.wait_for(coroutine)


class PrivateLoop:
    """An event loop in a daemon thread of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self._run, name="hermes_nb run_sync", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        """Run the loop until it is stopped. A task that raises SystemExit or KeyboardInterrupt makes it break off, and
        whoever waits for something on it would wait for ever."""
        while True:
            try:
                return self.loop.run_forever()
            except (SystemExit, KeyboardInterrupt) as error:
                log.warning("%r was raised on the event loop of run_sync, which goes on", error)

    def wait_for(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """What the coroutine gives, waited for on the calling thread."""
        outcome: Future[T] = Future()
        begun: Future[asyncio.Task[T | Exit]] = Future()
        context = contextvars.copy_context()

        def begin() -> None:
            task = task_of(coroutine, context)
            task.add_done_callback(lambda task: hand_over(task, outcome))
            begun.set_result(task)

        def end() -> None:
            if begun.done():
                begun.result().cancel()
            else:  # The interrupt was quicker than we.
                coroutine.close()
                outcome.cancel()

        try:
            self.loop.call_soon_threadsafe(begin)
            return patiently(outcome)
        except KeyboardInterrupt:
            self.loop.call_soon_threadsafe(end)
            quietly(outcome)
            raise

    def close(self) -> None:
        """Close what the loop holds open (clients among it), and end its thread."""
        if self.thread.is_alive():
            ended = asyncio.run_coroutine_threadsafe(self._end_all(), self.loop)
            with suppress(NotYet):
                ended.result(CLEAN_UP_SECONDS)
            self.loop.call_soon_threadsafe(self.loop.stop)
            self.thread.join(CLEAN_UP_SECONDS)
        if not self.loop.is_running():
            self.loop.close()

    async def _end_all(self) -> None:
        """Interrupt the runs that still go on, and let them record that."""
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        if others:
            await asyncio.wait(others, timeout=CLEAN_UP_SECONDS / 2)
        await self.loop.shutdown_asyncgens()


@cache
def private_loop() -> PrivateLoop:
    """The one of this process."""
    private = PrivateLoop()
    atexit.register(private.close)
    return private


def running_loop() -> asyncio.AbstractEventLoop | None:
    """The event loop that runs on this thread, if one does."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


@dataclass(frozen=True, slots=True)
class Exit:
    """A SystemExit on its way to whoever waits."""

    error: SystemExit


def task_of(coroutine: Coroutine[Any, Any, T], context: contextvars.Context | None = None) -> asyncio.Task[T | Exit]:
    """A task of the coroutine on the running loop. Its SystemExit is a value: raised out of a task it would end the
    loop, and with it a kernel. `error_of` tells it from others."""
    task = asyncio.get_running_loop().create_task(_contained(coroutine), context=context)
    task.add_done_callback(lambda _: coroutine.close())  # It may not have begun.
    return task


async def _contained(coroutine: Coroutine[Any, Any, T]) -> T | Exit:
    try:
        return await coroutine
    except SystemExit as error:
        return Exit(error)


def hand_over(task: asyncio.Task[T | Exit], outcome: Future[T]) -> None:
    """Give the future what came of a task that is over."""
    if error := error_of(task):
        outcome.set_exception(error)
    else:
        outcome.set_result(cast("T", task.result()))


def error_of(task: asyncio.Task[Any]) -> BaseException | None:
    """What such a task, which is over, has raised."""
    if task.cancelled():
        return asyncio.CancelledError()
    if error := task.exception():
        return error
    given = task.result()
    return given.error if isinstance(given, Exit) else None


@contextmanager
def _interruptible() -> Iterator[None]:
    """Have Ctrl-C raise KeyboardInterrupt, also where an event loop is running here. Its own way, in a cell that awaits
    and under `asyncio.run`, is to tell the loop: which hears nothing, for we are waiting on its thread."""
    told = signal.getsignal(signal.SIGINT)
    if running_loop() is None or not callable(told) or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, told)


@_interruptible()
def patiently(outcome: Future[T], timeout: float | None = None, look: Callable[[], object] = bool) -> T:
    """Wait for the future, looking up now and then, so that Ctrl-C is seen everywhere; `look` is called then.

    Raises:
        TimeoutError: it has no outcome after `timeout` seconds.
        BaseException: that is its outcome.
    """
    end = None if timeout is None else time.monotonic() + timeout
    while True:
        look()
        left = LOOK_SECONDS if end is None else min(LOOK_SECONDS, end - time.monotonic())
        try:
            return outcome.result(max(left, 0.0))
        except NotYet:
            if outcome.done():
                return outcome.result()  # The coroutine's own TimeoutError.
            if end is not None and time.monotonic() >= end:
                raise TimeoutError(f"not over after {timeout:g} s") from None


def quietly(outcome: Future[Any]) -> None:
    """Wait until an interrupted future has recorded itself, for a bounded time."""
    try:
        outcome.exception(CLEAN_UP_SECONDS)
    except CancelledError:
        pass
    except NotYet:
        warnings.warn(f"the run did not end within {CLEAN_UP_SECONDS:g} s of its interrupt", stacklevel=3)


def allow_nested_loops() -> None:
    """Let other people's synchronous code start an event loop inside this kernel's running one.

    Nothing of ours needs it: `await loop.run(...)` and `loop.run_sync(...)` work without. It patches asyncio for the
    whole kernel, and then these break: loops nested in parallel end in reverse order, the first waiting for the last;
    an interrupted `run_until_complete` leaves its coroutine running behind your later cells, and an interrupted
    `asyncio.run` may never return; `asyncio.Runner` and uvloop cannot be patched; and with nest-asyncio on Python 3.14
    the current task is lost, which breaks timeouts and the openai client. It uses nest-asyncio2 where that is
    installed, else nest-asyncio.

    Raises:
        MissingDependency: neither is installed.
    """
    for name in ("nest_asyncio2", "nest_asyncio"):
        try:
            patch = importlib.import_module(name)
        except ImportError:
            continue
        if name == "nest_asyncio" and sys.version_info >= (3, 14):
            warnings.warn("nest-asyncio breaks the current task on Python 3.14: install nest-asyncio2", stacklevel=2)
        patch.apply()
        return
    raise MissingDependency("allow_nested_loops()", "lab")
