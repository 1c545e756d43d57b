"""Runs blocking work on daemon threads, for an event loop to await.

The pool is elastic: a thread is started for work that none comes to within a millisecond, and ends when it has been
idle for a while. So quick tools share a few threads, however many calls there are, and slow ones have one each. What
the work gives crosses the thread as a value, `Value` or `Failure`, so no exception can end a thread, or hang the one
who waits.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections import deque
from collections.abc import Callable
from contextvars import ContextVar, copy_context
from dataclasses import dataclass
from functools import cache
from queue import Empty, SimpleQueue
from typing import Any, Generic, Literal, TypeAlias, TypeVar

T = TypeVar("T")

_inside: ContextVar[bool] = ContextVar("hermes_nb_inside_a_pool", default=False)
"""Whether this code was called by work in a pool, on whatever thread or loop it runs now."""

PATIENCE_SECONDS = 0.001
"""How long work waits for a thread that is busy before it is given a new one. A thread takes some 25 KiB."""


@dataclass(frozen=True, slots=True)
class Value(Generic[T]):
    """What the work returned."""

    value: T


@dataclass(frozen=True, slots=True)
class Failure:
    """What the work raised: any exception at all, `SystemExit` and `StopIteration` too."""

    error: BaseException


class Ticket(Generic[T]):
    """One piece of work given to a pool, for the event loop that gave it."""

    __slots__ = ("_context", "_function", "_loop", "_outcome", "_pool", "begun", "stage")

    def __init__(self, function: Callable[[], T], pool: Pool) -> None:
        self.stage: Literal["waiting", "running", "ended", "abandoned"] = "waiting"
        self.begun = False
        self._function = function
        self._pool = pool
        self._loop = asyncio.get_running_loop()
        self._outcome: asyncio.Future[Value[T] | Failure] = self._loop.create_future()
        self._context = copy_context()
        self._context.run(_inside.set, True)

    def outcome(self) -> asyncio.Future[Value[T] | Failure]:
        """What came of the work, to be awaited. Cancelling that does nothing to the work: see `abandon`."""
        return self._outcome

    def abandon(self) -> bool:
        """Give the work up: it will not begin, or, where it has begun, it runs on and another thread takes its place.

        Returns:
            Whether it runs on.
        """
        return self._pool.abandon(self)

    def hasten_after(self, seconds: float) -> None:
        """Have the pool start a thread for the work, if it waits that long. Called on the loop that gave it."""
        self._loop.call_later(seconds, self._pool.hasten, self)

    def carry_out(self) -> Value[T] | Failure:
        """Do the work, on this thread, in the context variables of the one who gave it."""
        function, context = self._function, self._context
        del self._function, self._context  # The work may hold its ticket: neither would go away by itself.
        try:
            return Value(context.run(function))
        except BaseException as error:
            # Without this frame, which holds the ticket, which holds the error.
            trace = error.__traceback__
            return Failure(error.with_traceback(trace and trace.tb_next))

    def deliver(self, outcome: Value[T] | Failure) -> None:
        """Hand the outcome to the loop that waits for it, from any thread; a loop that is closed waits no more."""
        try:
            self._loop.call_soon_threadsafe(settle, self._outcome, outcome)
        except RuntimeError:
            if not self._loop.is_closed():
                raise

    def __repr__(self) -> str:
        return f"Ticket({self.stage})"


AnyTicket: TypeAlias = Ticket[Any]


def settle(future: asyncio.Future[T], value: T) -> None:
    """Give the future its value, unless it has one or nobody waits for it any more."""
    if not future.done():
        future.set_result(value)


class Pool:
    """Daemon threads for blocking work, at most `limit` at once; beyond it work waits its turn, and below it for a
    moment, in case that a thread comes free.

    Two kinds of work do not wait. Work given from inside other work, on whatever loop that runs, begins at once: behind
    the work that waits for it, it would wait for ever. And abandoned work no longer counts: its thread is replaced.

    Args:
        limit: how many pieces of work may run at once.
        idle_seconds: how long a thread stays that has nothing to do.
        max_abandoned: how many pieces of work may have been given up and still be running, before new work is refused.
            The default is a quarter of the limit: enough for hundreds of runs at once of which some meet a server that
            hangs, and few enough that a tool which always hangs is found out, and not the last thread of the system
            that it takes.
    """

    def __init__(self, limit: int = 256, idle_seconds: float = 10.0, *, max_abandoned: int = 64) -> None:
        self.limit = limit
        self.idle_seconds = idle_seconds
        self.max_abandoned = max_abandoned
        self.abandoned = 0
        """How many pieces of work were given up and are still running."""
        self._lock = threading.Lock()
        self._threads = 0
        self._idle: list[SimpleQueue[AnyTicket]] = []
        self._waiting: deque[AnyTicket] = deque()

    def call(self, function: Callable[[], T]) -> Ticket[T]:
        """Give the pool a piece of work; await `outcome()` of the ticket. Called on a running event loop.

        Raises:
            OSError: there is no thread to be had: the system gives none, or `max_abandoned` of them are lost already.
        """
        ticket = Ticket(function, self)
        with self._lock:
            if self.abandoned >= self.max_abandoned:
                raise OSError(
                    f"{self.abandoned} earlier tool calls were given up and still hold a thread each, so no more are "
                    "started. See that tools end by themselves (`ToolContext.cancelled` tells them when), or give them "
                    "a process that can be ended: @tool(isolation='process'). A new kernel has all threads again"
                )
            if self._idle:
                ticket.stage = "running"
                self._idle.pop().put(ticket)
                return ticket
            if self._threads and not _inside.get():
                self._waiting.append(ticket)
                ticket.hasten_after(PATIENCE_SECONDS)
                return ticket
            self._threads += 1
            ticket.stage = "running"
        self._start(ticket)
        return ticket

    def abandon(self, ticket: AnyTicket) -> bool:
        """Give a piece of work up; what `Ticket.abandon` does."""
        with self._lock:
            has_thread = ticket.stage == "running"
            if ticket.stage == "waiting":
                self._waiting.remove(ticket)
            if ticket.stage != "ended":
                ticket.stage = "abandoned"
            if not has_thread:
                return False
            self.abandoned += 1
            self._threads -= 1
            following = self._following()
        if following is not None:
            try:
                self._start(following)
            except OSError as error:
                following.deliver(Failure(error))
        return ticket.begun

    def hasten(self, ticket: AnyTicket) -> None:
        """Start a thread for work that still waits in the line, where there may be one more."""
        with self._lock:
            if ticket.stage != "waiting" or self._threads >= self.limit:
                return
            self._waiting.remove(ticket)
            self._threads += 1
            ticket.stage = "running"
        try:
            self._start(ticket)
        except OSError as error:
            ticket.deliver(Failure(error))

    def _following(self) -> AnyTicket | None:
        """The next ticket in the line, with a thread of its own counted in. Called with the lock held."""
        if not self._waiting or self._threads >= self.limit:
            return None
        self._threads += 1
        following = self._waiting.popleft()
        following.stage = "running"
        return following

    def _start(self, ticket: AnyTicket) -> None:
        inbox: SimpleQueue[AnyTicket] = SimpleQueue()
        inbox.put(ticket)  # Not as an argument: a thread keeps those for as long as it lives.
        thread = threading.Thread(target=self._work, args=(inbox,), name="hermes_nb tool", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            with self._lock:
                self._threads -= 1
                ticket.stage = "ended"
            raise OSError(f"the system gives no more threads ({error}); {self._threads} are in use") from error

    def _work(self, inbox: SimpleQueue[AnyTicket]) -> None:
        """A thread's life: work, until there is none for a while. It keeps nothing of the work it has done."""
        stays = True
        while stays and (ticket := self._next(inbox)):
            outcome = ticket.carry_out() if self._begins(ticket) else None
            stays = self._release(ticket, inbox)
            # Free again before it is told: the next call, which may follow at once, finds this thread.
            if outcome is not None:
                ticket.deliver(outcome)
            del ticket, outcome

    def _begins(self, ticket: AnyTicket) -> bool:
        """Whether the work is still wanted, on a thread that has come to it; from now on it can only be left behind."""
        with self._lock:
            ticket.begun = ticket.stage == "running"
            return ticket.begun

    def _release(self, ticket: AnyTicket, inbox: SimpleQueue[AnyTicket]) -> bool:
        """Count the thread's work as done and line it up for more; whether it stays."""
        with self._lock:
            if ticket.stage == "abandoned":
                self.abandoned -= 1
                return False
            ticket.stage = "ended"
            self._threads -= 1
            if self._threads >= self.limit:
                return False
            following = self._following()
            if following is not None:
                inbox.put(following)
                return True
            self._threads += 1
            self._idle.append(inbox)
            return True

    def _next(self, inbox: SimpleQueue[AnyTicket]) -> AnyTicket | None:
        try:
            return inbox.get(timeout=self.idle_seconds)
        except Empty:
            with self._lock:
                if inbox in self._idle:
                    self._idle.remove(inbox)
                    self._threads -= 1
                    return None
        return inbox.get()  # It came between the waiting and the looking.

    def __repr__(self) -> str:
        return f"Pool({self._threads} of {self.limit} threads, {self.abandoned} abandoned)"


def shared_pool() -> Pool:
    """The pool of this process; a forked child, in which no thread of its parent lives, gets its own."""
    return _pool_of(os.getpid())


@cache
def _pool_of(process: int) -> Pool:
    return Pool()
