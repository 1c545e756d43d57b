"""Carries a tool call out in a child process of its own, which can be ended: what a thread cannot.

The child is a fresh interpreter in a session of its own. No signal to the kernel's process group reaches it, and one
signal reaches it with all that it started, but for what has left for yet another session. It ends with the call,
whatever comes of that, and with this process, should this one be killed.
"""

from __future__ import annotations

import asyncio
import codecs
import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from hermes_nb.clocks import SystemClock
from hermes_nb.exceptions import MissingDependency
from hermes_nb.tools.contents import Content
from hermes_nb.tools.threads import Ticket, settle

CHILD = Path(__file__).with_name("child.py")

TO_EXIT = 1.0
"""Seconds that a child has to end by itself once it has said what came of the call."""

TO_TERMINATE = 0.4
"""Seconds that a child which is to be ended has from its SIGTERM to its SIGKILL."""

TO_DIE = 1.0
"""Seconds that the system has to end a child after its SIGKILL."""

TO_DRAIN = 0.25
"""Seconds that are waited for what is still printed when the child is dead: who left its session may print on."""

LONGEST_END = TO_TERMINATE + TO_DIE + TO_DRAIN + TO_DIE + 0.5
"""Seconds in which a child that is stopped is over, on a machine that is not quite overloaded."""

LOOK = 0.1
"""Seconds between two looks at whether a child is to be stopped, and whether one that is silent is still there."""

CHUNK = 1 << 16

LIVES_ON = "\n[something that this tool started has left its session, and lives on]\n"
"""What is added to the prints of a tool whose output is still held open when its process is dead."""


class ProcessDied(Exception):
    """A tool's process ended before the call did. `exit_code` is negative where a signal ended it: -9 for SIGKILL."""

    def __init__(self, exit_code: int | None) -> None:
        self.exit_code = exit_code
        super().__init__(_how_it_died(exit_code))


class RaisedInProcess(Exception):
    """The `__cause__` of an exception that a tool raised in its own process: the traceback there, as text."""

    def __init__(self, trace: str) -> None:
        super().__init__(f"\n{trace}")
        self.trace = trace


class Process:
    """A call, and the child process that carries it out. Made on the event loop that waits for it.

    Args:
        ready: the function with its arguments.
        limit: the bytes of its output that are wanted.
        write: is given what the process prints, on whatever way it prints it.
    """

    def __init__(self, ready: Callable[[], Any], limit: int, write: Callable[[str], Any]) -> None:
        self.gone = True
        """Whether there is no process: not yet, or no more."""
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when `carried_out` is."""
        self._ready = ready
        self._limit = limit
        self._write = write
        self._stopped = False

    def carried_out(self) -> Content:
        """What comes of the call; on a thread that may wait. When it returns or raises, the process is over.

        Raises:
            ToolDefinitionError: the function cannot be taken into another process.
            MissingDependency: the package that takes it there is not installed.
            ProcessDied: the process ended before it had an answer; or it was stopped.
            OSError: there is no process to be had.
            BaseException: what the tool raised.
        """
        try:
            parcels = _parcels()
            parcel = parcels.packed(self._ready, self._limit)
            answer = self._answer(parcel.content)
        finally:
            with suppress(RuntimeError):  # The loop is closed, and waits no more.
                self.over.get_loop().call_soon_threadsafe(settle, self.over, None)
        outcome = parcels.opened(answer, parcel)
        if isinstance(outcome, Content):
            return outcome
        if outcome.trace is not None:
            outcome.error.__cause__ = RaisedInProcess(outcome.trace)
        raise outcome.error

    def stop(self) -> None:
        """Have the process ended, or not even started; from any thread, and without waiting."""
        self._stopped = True

    async def end(self, ticket: Ticket[Any]) -> bool:
        """Have the process ended, and wait for it. Where we are cancelled it is ended all the same.

        Args:
            ticket: the thread's work, which `carried_out` is.

        Returns:
            Whether it is over; if not, the thread was given up.
        """
        self.stop()
        if ticket.stage != "waiting" or ticket.abandon():
            await asyncio.wait({self.over}, timeout=LONGEST_END)
            if not self.over.done():
                return not ticket.abandon()
        return self.gone

    def _answer(self, question: bytes) -> bytes:
        """Start the child, hear it, and end it."""
        with ExitStack() as ours:
            child = _Child(question, self._write, ours)
            try:
                if not self._stopped:
                    self.gone = False
                    child.start()
                    child.attend(lambda: self._stopped or child.silent or child.answer is not None)
                    child.attend(lambda: self._stopped or child.silent, TO_EXIT)
            finally:
                child.end(gently=self._stopped)
                self.gone = child.gone
        if child.answer is None:
            raise ProcessDied(child.exit_code)
        return child.answer

    def __repr__(self) -> str:
        return f"Process({'gone' if self.gone else 'there'})"


class _Child:
    """The child process with its pipes, which are put on `ours` to be closed. All of it is done on one thread."""

    def __init__(self, question: bytes, write: Callable[[str], Any], ours: ExitStack) -> None:
        self.silent = False
        """Whether it has closed the pipe that its answer comes through, which it does by ending."""
        self._to_send = memoryview(len(question).to_bytes(8, "big") + question)
        self._write = write
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
        self._prints_on = True
        self._heard = bytearray()
        self._ours = ours
        self._selector = ours.enter_context(selectors.DefaultSelector())
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def answer(self) -> bytes | None:
        """What it has answered, when it has."""
        size = int.from_bytes(self._heard[:8], "big")
        return bytes(self._heard[8:]) if size and len(self._heard) == 8 + size else None

    @property
    def exit_code(self) -> int | None:
        """What it ended with, when it has."""
        return None if self._process is None else self._process.returncode

    @property
    def gone(self) -> bool:
        """Whether it is no more, or never was."""
        return self._process is None or self._process.returncode is not None

    def start(self) -> None:
        """Start it.

        Raises:
            OSError: there is no process to be had.
        """
        with ExitStack() as its:
            inbox, to_child = _pipe(its, self._ours)
            from_child, outbox = _pipe(self._ours, its)
            printed, screen = _pipe(self._ours, its)
            self._process = subprocess.Popen(  # noqa: S603 - our own script, in the Python that runs us
                [sys.executable, "-P", str(CHILD), str(inbox), str(outbox)],
                stdin=subprocess.DEVNULL,
                stdout=screen,
                stderr=screen,
                pass_fds=(inbox, outbox),
                start_new_session=True,
            )
        os.set_blocking(to_child, False)
        self._selector.register(to_child, selectors.EVENT_WRITE, self._send)
        self._selector.register(from_child, selectors.EVENT_READ, self._hear)
        self._selector.register(printed, selectors.EVENT_READ, self._take)

    def attend(self, until: Callable[[], bool], seconds: float | None = None) -> None:
        """Send, hear and take what it prints, until that is so or the seconds are over."""
        clock = SystemClock()
        end = None if seconds is None else clock.seconds() + seconds
        while not until():
            left = LOOK if end is None else min(LOOK, end - clock.seconds())
            if left <= 0:
                return
            ready = self._selector.select(left)
            for key, _ in ready:
                key.data(key.fd)
            if not ready and self._process is not None and self._process.poll() is not None:
                self.silent = True  # Something that it forked holds its pipe.

    def end(self, *, gently: bool) -> None:
        """End it with all of its session, which is told before where it is to be gentle, and take what it printed."""
        if self._process is None:
            return
        if gently:
            self._signal(self._process, signal.SIGTERM)
            self.attend(lambda: self.silent and not self._prints_on, TO_TERMINATE)
        # While it is not waited for, its number, and so its group's, can be nobody else's.
        self._signal(self._process, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(TO_DIE)
        self.attend(lambda: not self._prints_on, TO_DRAIN)
        if self._prints_on and self._signal(self._process, 0):  # Some of the session is still about to die.
            self.attend(lambda: not self._prints_on, TO_DIE)
        self._print(self._decoder.decode(b"", final=True))
        if self._prints_on:
            self._print(LIVES_ON)

    def _signal(self, process: subprocess.Popen[bytes], number: int) -> bool:
        """Signal its session; whether any of it is there."""
        try:
            os.killpg(process.pid, number)
        except (ProcessLookupError, PermissionError):  # Nothing is left of it, or nothing but a zombie.
            return False
        return True

    def _send(self, pipe: int) -> None:
        try:
            self._to_send = self._to_send[os.write(pipe, self._to_send) :]
        except BrokenPipeError:  # It has ended already.
            self._to_send = self._to_send[:0]
        if not self._to_send:
            self._selector.unregister(pipe)

    def _hear(self, pipe: int) -> None:
        heard = os.read(pipe, CHUNK)
        self._heard += heard
        if not heard:
            self.silent = True
            self._selector.unregister(pipe)

    def _print(self, text: str) -> None:
        if text:
            self._write(text)

    def _take(self, pipe: int) -> None:
        printed = os.read(pipe, CHUNK)
        self._print(self._decoder.decode(printed))
        if not printed:
            self._prints_on = False
            self._selector.unregister(pipe)


def exit_code_of(error: BaseException) -> int | None:
    """The exit code that a process ended with, or asked for by `sys.exit`; None: there is none."""
    if isinstance(error, ProcessDied):
        return error.exit_code
    if not isinstance(error, SystemExit):
        return None
    return error.code if isinstance(error.code, int) else int(error.code is not None)


def _pipe(reads: ExitStack, writes: ExitStack) -> tuple[int, int]:
    """A pipe's two ends, each of which is closed when its owner is."""
    end, start = os.pipe()
    reads.callback(os.close, end)
    writes.callback(os.close, start)
    return end, start


def _parcels() -> ModuleType:
    try:
        from hermes_nb.tools import parcels
    except ModuleNotFoundError as error:
        if error.name != "cloudpickle":
            raise
        raise MissingDependency("isolation='process'", "lab") from error
    return parcels


def _how_it_died(exit_code: int | None) -> str:
    if exit_code is None:
        return "the tool's process was ended"
    if exit_code >= 0:
        return f"the tool's process ended with exit code {exit_code} before it had an answer"
    names = {number.value: number.name for number in signal.Signals}
    memory = ", as the system does when memory runs out" if -exit_code == signal.SIGKILL else ""
    return f"the tool's process was killed by {names.get(-exit_code, f'signal {-exit_code}')}{memory}"
