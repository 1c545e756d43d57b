"""Carries out a tool call that is ready: in a thread or a task, within its time; and gives it up.

What comes of it is a `Value`, a `Failure`, or None where the time was over first. Nothing is named here: `dispatch`
makes the result.
"""

from __future__ import annotations

import asyncio
import warnings
from asyncio import _unregister_task
from collections.abc import Awaitable, Callable
from functools import partial
from types import CoroutineType
from typing import TYPE_CHECKING, Any, TypeAlias

from hermes_nb.tools.contents import Content, content_of
from hermes_nb.tools.context import ToolContext
from hermes_nb.tools.functions import Tool
from hermes_nb.tools.prints import Sheet, in_the_open
from hermes_nb.tools.processes import Process
from hermes_nb.tools.threads import Failure, Ticket, Value, settle, shared_pool
from hermes_nb.tools.watch import begun, can_be_awaited

if TYPE_CHECKING:
    from hermes_nb.tools.dispatch import Setting

Outcome: TypeAlias = Value[Any] | Failure


class Work:
    """A tool at work on one call: in a thread, or in a task of its own, so that no cancel of ours is taken for its.

    `started` is when the tool began, by the setting's clock; None: it has not. `printed` is what it had printed when it
    ended, or was given up.
    """

    __slots__ = ("_context", "_errand", "_process", "_ready", "_setting", "_sheet", "_tool", "printed", "started")

    def __init__(self, tool: Tool, ready: Callable[[], Any], context: ToolContext | None, setting: Setting) -> None:
        self.started: float | None = None
        self.printed = ""
        self._tool = tool
        self._ready = ready
        self._context = context
        self._setting = setting
        self._sheet = Sheet(setting.toolbox.max_output, setting.apart)
        self._process: Process | None = None
        self._errand: Ticket[Any] | asyncio.Task[None]

    async def carried_out(self, limit: float | None, abandoned: Callable[[str], object]) -> Outcome | None:
        """What came of it; None: it was not over after `limit` seconds, and was given up.

        `abandoned` is told the name of a tool that was given up and runs on.

        Raises:
            asyncio.CancelledError: we were cancelled; the tool was given up.
        """
        deadline = None if limit is None else asyncio.get_running_loop().time() + limit
        try:
            coming = self._in_task(self._begin) if self._tool.is_async else self._in_thread()
        except OSError as error:  # There is no thread for it.
            return Failure(error)
        try:
            outcome = await (coming if deadline is None else _in_time(coming, deadline))
            if isinstance(outcome, Value) and not isinstance(outcome.value, Content):
                coming = self._in_task(partial(_itself, outcome.value))
                outcome = await (coming if deadline is None else _in_time(coming, deadline))
        except asyncio.CancelledError:  # Ours: the tool's own is an outcome.
            await self._give_up(abandoned)
            raise
        if outcome is None:
            await self._give_up(abandoned)
        else:
            self.printed = self._sheet.text()
        return outcome

    def _begin(self) -> Any:
        self.started = self._setting.now()
        return self._ready()

    def _in_thread(self) -> asyncio.Future[Outcome]:
        if self._tool.isolation == "process":
            self._process = Process(self._ready, self._setting.toolbox.max_output, self._sheet.write)
            self._ready = self._process.carried_out
        self._errand = (self._setting.pool or shared_pool()).call(self._on_thread)
        return self._errand.outcome()

    def _on_thread(self) -> Content | Awaitable[Any]:
        """The content of what the tool returned, made here, where it holds up nobody; or what has yet to be awaited."""
        with self._sheet:
            value = self._begin()
            done = isinstance(value, Content) or can_be_awaited(value)
            return value if done else content_of(value, self._setting.toolbox.max_output)

    def _in_task(self, begin: Callable[[], Any]) -> asyncio.Future[Outcome]:
        loop = asyncio.get_running_loop()
        coming: asyncio.Future[Outcome] = loop.create_future()
        self._errand = loop.create_task(self._on_loop(begin, coming))
        return coming

    async def _on_loop(self, begin: Callable[[], Any], coming: asyncio.Future[Outcome]) -> None:
        outcome: Outcome
        with self._sheet:
            try:
                value = begin()
                while type(value) is CoroutineType or can_be_awaited(value):
                    value, rest = begun(value, self._setting.hold_up, self._held_up)
                    value = value if rest is None else await rest
                outcome = Value(content_of(value, self._setting.toolbox.max_output))
            except BaseException as error:  # In a task, SystemExit and KeyboardInterrupt would end the loop.
                outcome = Failure(error)
            settle(coming, outcome)

    def _held_up(self, seconds: float) -> None:
        name, warned = self._tool.name, self._setting.warned
        if name not in warned:
            warned.add(name)
            told = (
                f"the tool {name!r} blocked the event loop for {seconds:.1f} s, and all else with it, a stop too; "
                "make it `def` in place of `async def`, and it runs in a thread"
            )
            in_the_open(partial(warnings.warn, told, RuntimeWarning, stacklevel=2))

    async def _give_up(self, abandoned: Callable[[str], object]) -> None:
        """Stop the tool: a thread is abandoned at once, a process ended; a task has the grace to end, cancelled."""
        if self._context is not None:
            self._context.given_up.set()
        errand = self._errand
        left_behind = True
        try:
            if isinstance(errand, Ticket) and self._process is not None:
                left_behind = False  # Whatever becomes of us: a thread sees to its end.
                left_behind = not await self._process.end(errand)
            elif isinstance(errand, Ticket):
                left_behind = errand.abandon()
            else:
                errand.cancel()
                await asyncio.wait({errand}, timeout=self._setting.grace)
        finally:
            self._sheet.given_up = True
            self.printed = self._sheet.text()
            if isinstance(errand, asyncio.Task) and (left_behind := not errand.done()):
                _let_go(errand)
            if left_behind:
                self._sheet.outlast()
                abandoned(self._tool.name)

    def __repr__(self) -> str:
        return f"Work({self._tool.name} · {'waiting' if self.started is None else 'begun'})"


async def _in_time(coming: asyncio.Future[Any], deadline: float) -> Outcome | None:
    """The outcome, or None where `deadline`, by the loop's clock, comes first."""
    timer = coming.get_loop().call_at(deadline, settle, coming, None)
    try:
        outcome: Outcome | None = await coming
    finally:
        timer.cancel()
    return outcome


def _itself(value: Any) -> Any:
    return value


def _let_go(task: Any) -> None:
    """Have nobody wait for a task that does not end: `asyncio.run` would at its own end, and for ever."""
    _unregister_task(task)
    task._log_destroy_pending = False  # noqa: SLF001 - as asyncio's own `gather` does: it is said elsewhere
