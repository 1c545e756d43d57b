"""Answers a tool call, whatever happens: the one doorway where what goes wrong in a tool call is given its name.

What the model or the tool got wrong becomes a ToolResult with one ToolError, and text from which the model can mend it.
"""

from __future__ import annotations

import asyncio
import difflib
import inspect
import re
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeAlias

from hermes_nb import codec
from hermes_nb.exceptions import ConfigurationError
from hermes_nb.records import ErrorKind, ToolCall, ToolResult
from hermes_nb.tools import contents, threads, toolbox
from hermes_nb.tools.contents import Content, answered, content_of, error_of, shorten
from hermes_nb.tools.gates import Allow, Answer, Gate, Reject, Replace
from hermes_nb.tools.schema import BadArguments
from hermes_nb.tools.threads import Failure, Pool, Ticket, Value, settle, shared_pool
from hermes_nb.tools.toolbox import MAX_OUTPUT, Tool, Toolbox, ToolContext

NAMES_TOLD = 50
"""How many tools' names the answer to an unknown name lists."""

NAME_LENGTH = 100
"""How much of an unknown name is repeated to the model that made it up."""

OURS = {__file__, contents.__file__, threads.__file__, toolbox.__file__}
"""The files whose frames are no part of a tool's traceback."""

Outcome: TypeAlias = Value[Any] | Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What calls are answered with.

    Args:
        toolbox: the tools there are.
        task_id, state: what tools find in their ToolContext.
        now: seconds since the run began; it is asked on any thread.
        before_call: asked before every call that could run.
        timeout: seconds a call may take whose tool has no limit of its own.
        grace: seconds that an async tool may take to end when it is cancelled; then it is left behind.
        pool: the threads that sync tools run in; the process's own by default.
    """

    toolbox: Toolbox
    task_id: str | None = None
    state: Any = None
    now: Callable[[], float]
    before_call: Gate | None = None
    timeout: float | None = None
    grace: float = 1.0
    pool: Pool | None = None

    def context(self, call: ToolCall) -> ToolContext:
        """What a tool, or a gate, is told. The call in it is a copy: what it holds is theirs to change."""
        return ToolContext(task_id=self.task_id, state=self.state, call=replace(call), turn=call.turn)

    def __repr__(self) -> str:
        return f"Setting({self.toolbox!r})"


def _nobody(name: str) -> None:
    """Who is told that a tool is left behind, where nobody asked to be."""


async def answer(
    call: ToolCall, setting: Setting, *, queued: float = 0.0, abandoned: Callable[[str], None] = _nobody
) -> ToolResult:
    """The result of a tool call: with an error, and told to the model, where the model or the tool got it wrong.

    A sync tool runs in a thread, an async one on this loop. `queued` is the seconds the call has waited already.
    `abandoned` is told the name of a tool that was given up, at its timeout or because we were cancelled, and runs on.

    Raises:
        asyncio.CancelledError: we were cancelled; the tool has been cancelled, or, in a thread, given up.
        KeyboardInterrupt: raised in the tool; an interrupt is the person's.
        BaseException: whatever `before_call` raises.
    """
    arrived = setting.now()
    tool = setting.toolbox.get(call.name)
    if tool is None:
        return _unknown(call, setting, queued=queued)
    if call.problem is not None:
        return _unreadable(call, call.problem, setting, queued=queued)
    if setting.before_call is not None and isinstance(call.parsed, dict):
        admitted = await _admitted(call, setting, queued=queued)
        if isinstance(admitted, ToolResult):
            return admitted
        call = admitted
    context = setting.context(call) if tool.wants_context else None
    try:
        ready = tool.ready(codec.parse_arguments(call.arguments)[0], context)
    except BadArguments as error:
        told, most = str(error), setting.toolbox.max_output
        return refused(call, "bad_arguments", told, now=setting.now(), queued=queued, limit=most)
    except BaseException as error:  # A validator of the tool's own failed, which is the tool failing.
        return _result(call, Failure(error), setting, None, queued=queued, started=setting.now())
    work = _Work(ready, context, setting)
    limit = setting.timeout if tool.timeout is None else tool.timeout
    outcome = await work.carried_out(tool, limit, abandoned)
    began = setting.now() if work.started is None else work.started
    return _result(call, outcome, setting, limit, queued=queued + began - arrived, started=began)


def refused(
    call: ToolCall,
    kind: ErrorKind,
    told: str,
    *,
    now: float = 0.0,
    queued: float = 0.0,
    content: str | None = None,
    limit: int = MAX_OUTPUT,
    **more: Any,
) -> ToolResult:
    """The result of a call that no tool answered: a cancelled one, say, or one that was cut off.

    `told` says why, and is what the model reads unless `content` says it better; of either, at most `limit` bytes are
    kept. `now` is when, `queued` the seconds the call had waited. `more` are fields of the ToolError.
    """
    text = _error_json(content or told, limit)
    error = error_of(call, kind, shorten(told, limit)[0], text, **more)
    return ToolResult(call=call, content=text, error=error, queued=queued, started=now, synthesised=True)


def _error_json(told: str, limit: int) -> str:
    """What the model gets of an error: `{"error": told}`, `told` being shortened until that fits."""
    room = limit
    encoded = codec.dumps({"error": shorten(told, room)[0]})
    while len(encoded) > limit and room > 1:
        room = room * 4 // 5  # Quotes, and whatever JSON escapes, take more room than they have.
        encoded = codec.dumps({"error": shorten(told, room)[0]})
    return encoded.decode()


def _unknown(call: ToolCall, setting: Setting, *, queued: float) -> ToolResult:
    """The answer to a call that names no tool: what there is, and what it might have meant."""
    unknown = f"Unknown tool {call.name[:NAME_LENGTH]!r}"
    names = sorted(setting.toolbox.names)
    by_lower = {known.lower(): known for known in names}
    nearest = difflib.get_close_matches(call.name[:NAME_LENGTH].lower(), by_lower, n=1)
    more = f" and {len(names) - NAMES_TOLD} more" if len(names) > NAMES_TOLD else ""
    meant = f". Did you mean {by_lower[nearest[0]]!r}?" if nearest else ""
    content = f"{unknown}. Available tools: {names[:NAMES_TOLD]}{more}{meant}"
    now, limit = setting.now(), setting.toolbox.max_output
    return refused(call, "unknown_tool", unknown, now=now, queued=queued, content=content, limit=limit)


def _unreadable(call: ToolCall, problem: str, setting: Setting, *, queued: float) -> ToolResult:
    """The answer to a call whose arguments are not JSON: what is wrong, and where."""
    place = re.search(r"\(char (\d+)\)", problem)
    content = f"Invalid JSON in the arguments: {problem}. Send the call again with one valid JSON object."
    return refused(
        call,
        "bad_json",
        f"Invalid JSON: {problem}",
        now=setting.now(),
        queued=queued,
        content=content,
        limit=setting.toolbox.max_output,
        position=int(place[1]) if place else None,
    )


async def _admitted(call: ToolCall, setting: Setting, *, queued: float) -> ToolCall | ToolResult:
    """The call as the gate lets it through, or the answer it gives instead."""
    assert setting.before_call is not None
    context = setting.context(call)
    said = setting.before_call(context.call, context)
    verdict = await said if inspect.isawaitable(said) else said
    now, limit = setting.now(), setting.toolbox.max_output
    match verdict:
        case None | Allow():
            return call
        case Replace(arguments):
            return replace(call, arguments=codec.dumps(arguments).decode())
        case Reject(reason):
            return refused(call, "rejected", f"Rejected: {reason}", now=now, queued=queued, limit=limit)
        case Answer(content):
            text, size = shorten(content, limit)
            return ToolResult(call=call, content=text, size=size, queued=queued, started=now, synthesised=True)
    raise ConfigurationError(f"before_call gives Allow, Replace, Answer, Reject or None, not {verdict!r:.80}")


class _Work:
    """A tool at work on one call: in a thread, or in a task of its own, so that no cancel of ours is taken for its."""

    __slots__ = ("_context", "_errand", "_ready", "_setting", "started")

    def __init__(self, ready: Callable[[], Any], context: ToolContext | None, setting: Setting) -> None:
        self.started: float | None = None
        self._ready = ready
        self._context = context
        self._setting = setting
        self._errand: Ticket[Any] | asyncio.Task[None]

    async def carried_out(self, tool: Tool, limit: float | None, abandoned: Callable[[str], None]) -> Outcome | None:
        """What came of it; None: it was not over after `limit` seconds, and was given up."""
        deadline = None if limit is None else asyncio.get_running_loop().time() + limit
        try:
            coming = self._in_task(self._begin) if tool.is_async else self._in_thread()
        except OSError as error:  # There is no thread for it.
            return Failure(error)
        try:
            outcome = await (coming if deadline is None else _in_time(coming, deadline))
            if isinstance(outcome, Value) and not isinstance(outcome.value, Content):
                coming = self._in_task(partial(_itself, outcome.value))
                outcome = await (coming if deadline is None else _in_time(coming, deadline))
        except asyncio.CancelledError:  # Ours: the tool's own is an outcome.
            await self._give_up(partial(abandoned, tool.name))
            raise
        if outcome is None:
            await self._give_up(partial(abandoned, tool.name))
        return outcome

    def _begin(self) -> Any:
        self.started = self._setting.now()
        return self._ready()

    def _in_thread(self) -> asyncio.Future[Outcome]:
        self._errand = (self._setting.pool or shared_pool()).call(self._on_thread)
        return self._errand.outcome()

    def _on_thread(self) -> Content | Awaitable[Any]:
        """The content of what the tool returned, made here, where it holds up nobody; or what has yet to be awaited."""
        value = self._begin()
        return value if inspect.isawaitable(value) else content_of(value, self._setting.toolbox.max_output)

    def _in_task(self, begin: Callable[[], Any]) -> asyncio.Future[Outcome]:
        loop = asyncio.get_running_loop()
        coming: asyncio.Future[Outcome] = loop.create_future()
        self._errand = loop.create_task(self._on_loop(begin, coming))
        return coming

    async def _on_loop(self, begin: Callable[[], Any], coming: asyncio.Future[Outcome]) -> None:
        outcome: Outcome
        try:
            value = begin()
            while inspect.isawaitable(value):
                value = await value
            outcome = Value(content_of(value, self._setting.toolbox.max_output))
        except BaseException as error:  # In a task, SystemExit and KeyboardInterrupt would end the loop.
            outcome = Failure(error)
        settle(coming, outcome)

    async def _give_up(self, left_behind: Callable[[], None]) -> None:
        """Stop the tool: a thread is abandoned at once, a task has the grace to end after it is cancelled."""
        if self._context is not None:
            self._context.given_up.set()
        if isinstance(self._errand, Ticket):
            if self._errand.abandon():
                left_behind()
            return
        self._errand.cancel()
        try:
            await asyncio.wait({self._errand}, timeout=self._setting.grace)
        finally:
            if not self._errand.done():
                left_behind()


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


def _result(
    call: ToolCall, outcome: Outcome | None, setting: Setting, limit: float | None, *, queued: float, started: float
) -> ToolResult:
    """The result that what came of the tool makes."""
    seconds = setting.now() - started
    if outcome is None:
        told, most = f"timed out after {limit:g} s", setting.toolbox.max_output
        result = refused(call, "timeout", told, now=started, queued=queued, limit=most)
        return replace(result, seconds=seconds)
    if isinstance(outcome, Value):
        return answered(call, outcome.value, queued, started, seconds)
    if isinstance(outcome.error, KeyboardInterrupt):
        raise outcome.error
    result = _raised(call, outcome.error, setting.toolbox.max_output)
    return replace(result, queued=queued, started=started, seconds=seconds)


def _raised(call: ToolCall, error: BaseException, limit: int) -> ToolResult:
    """The result of a tool that raised. Its `value` is the exception, for those who want to raise it again."""
    told = _told(error)
    content = _error_json(f"Tool execution failed: {told}", limit)
    failure = error_of(
        call,
        "exception",
        shorten(told, limit)[0],
        content,
        fault="environment" if isinstance(error, OSError) else "tool",
        exception_type=type(error).__name__,
        traceback=_trace(error, limit),
    )
    return ToolResult(call=call, content=content, value=error, error=failure)


def _told(error: BaseException) -> str:
    """The exception's type and message."""
    try:
        message = str(error)
    except Exception:  # Part of the doorway: a tool's exception may fail at anything.
        message = "(its message cannot be read)"
    if isinstance(error, TypeError) and message == "exceptions must derive from BaseException":
        message += " (a ToolError is a record of what went wrong; a tool raises an ordinary exception, say ValueError)"
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


def _trace(error: BaseException, limit: int) -> str | None:
    """The traceback for the person to read, from the tool's first frame on; the exception keeps those frames only."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename in OURS:
        trace = trace.tb_next
    try:
        return shorten("".join(traceback.format_exception(error.with_traceback(trace))), limit)[0]
    except Exception:  # Part of the doorway, as above.
        return None
