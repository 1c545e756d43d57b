"""Answers a tool call, whatever happens: the one doorway where what goes wrong in a tool call is given its name.

What the model or the tool got wrong becomes a ToolResult with one ToolError, and text from which the model can mend it.
"""

from __future__ import annotations

import asyncio
import difflib
import inspect
import re
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from hermes_nb import codec
from hermes_nb.exceptions import ConfigurationError
from hermes_nb.messages import UNANSWERED
from hermes_nb.records import ErrorKind, ToolCall, ToolResult
from hermes_nb.tools import contents, functions, processes, threads, watch, work
from hermes_nb.tools.contents import answered, error_of, shorten
from hermes_nb.tools.context import ToolContext
from hermes_nb.tools.gates import Allow, Answer, Gate, Reject, Replace
from hermes_nb.tools.prints import Hold
from hermes_nb.tools.processes import RaisedInProcess, exit_code_of
from hermes_nb.tools.schema import BadArguments
from hermes_nb.tools.threads import Failure, Pool, Value
from hermes_nb.tools.toolbox import MAX_OUTPUT, Toolbox
from hermes_nb.tools.work import Outcome, Work

NAMES_TOLD = 50
"""How many tools' names the answer to an unknown name lists."""

NAME_LENGTH = 100
"""How much of an unknown name is repeated to the model that made it up."""

OURS = {
    __file__,
    contents.__file__,
    functions.__file__,
    processes.__file__,
    threads.__file__,
    watch.__file__,
    work.__file__,
}
"""The files whose frames are no part of a tool's traceback."""


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
        hold_up: seconds for which an async tool may block the event loop before a warning says so, once a tool.
        pool: the threads that sync tools run in; the process's own by default.
    """

    toolbox: Toolbox
    task_id: str | None = None
    state: Any = None
    now: Callable[[], float]
    before_call: Gate | None = None
    timeout: float | None = None
    grace: float = 1.0
    hold_up: float = 1.0
    pool: Pool | None = None
    apart: Hold = field(default_factory=Hold, compare=False)
    """Entered by who answers many calls; it spares each of them the holding of `sys.stdout`."""
    warned: set[str] = field(default_factory=set, compare=False)
    """The tools of which such a warning was given."""

    def context(self, call: ToolCall) -> ToolContext:
        """What a tool, or a gate, is told. The call in it is a copy: what it holds is theirs to change."""
        return ToolContext(task_id=self.task_id, state=self.state, call=replace(call), turn=call.turn)

    def __repr__(self) -> str:
        return f"Setting({self.toolbox!r})"


def _nobody(_: object) -> None:
    """Who is told of a tool that is left behind, where nobody asked to be."""


async def answer(
    call: ToolCall,
    setting: Setting,
    *,
    queued: float = 0.0,
    abandoned: Callable[[str], object] = _nobody,
    cancelled: Callable[[ToolResult], object] = _nobody,
) -> ToolResult:
    """The result of a tool call: with an error, and told to the model, where the model or the tool got it wrong.

    A sync tool runs in a thread, an async one on this loop. `queued` is the seconds the call has waited already.
    `abandoned` is told the name of a tool that was given up, at its timeout or because we were cancelled, and runs on.
    `cancelled` is told the result of a call that had begun when we were cancelled.

    Raises:
        asyncio.CancelledError: we were cancelled; the tool has been cancelled, or, in a thread, given up.
        KeyboardInterrupt: raised in the tool; an interrupt is the person's.
        BaseException: whatever `before_call` raises.
    """
    arrived = setting.now()
    tool = setting.toolbox.get(call.name)
    if tool is None or call.problem is not None:
        return (_unknown if tool is None else _unreadable)(call, setting, queued=queued)
    if setting.before_call is not None and isinstance(call.parsed, dict):
        admitted = await _admitted(call, setting, queued=queued)
        if isinstance(admitted, ToolResult):
            return admitted
        call = admitted
    context = setting.context(call) if tool.wants_context else None
    try:
        ready = tool.ready(codec.parse_arguments(call.arguments)[0], context)
    except BadArguments as error:
        return _misfit(call, error, setting, queued=queued)
    except BaseException as error:  # A validator of the tool's own failed, which is the tool failing.
        return _result(call, Failure(error), setting, None, queued=queued, started=setting.now())
    errand = Work(tool, ready, context, setting)
    limit = setting.timeout if tool.timeout is None else tool.timeout
    try:
        outcome = await errand.carried_out(limit, abandoned)
    except asyncio.CancelledError:
        cancelled(_cut_short(call, errand, setting, queued=queued, arrived=arrived))
        raise
    began = setting.now() if errand.started is None else errand.started
    queued += began - arrived
    return _result(call, outcome, setting, limit, queued=queued, started=began, printed=errand.printed)


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


def _unreadable(call: ToolCall, setting: Setting, *, queued: float) -> ToolResult:
    """The answer to a call whose arguments are not JSON: what is wrong, and where."""
    problem = call.problem or ""
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


def _misfit(call: ToolCall, error: BadArguments, setting: Setting, *, queued: float) -> ToolResult:
    """The answer to a call whose arguments are not what the tool takes: which, and what it takes."""
    most = setting.toolbox.max_output
    return refused(call, "bad_arguments", str(error), now=setting.now(), queued=queued, limit=most)


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


def _result(
    call: ToolCall,
    outcome: Outcome | None,
    setting: Setting,
    limit: float | None,
    *,
    queued: float,
    started: float,
    printed: str = "",
) -> ToolResult:
    """The result that what came of the tool makes."""
    seconds = setting.now() - started
    if outcome is None:
        told, most = f"timed out after {limit:g} s", setting.toolbox.max_output
        result = refused(call, "timeout", told, now=started, queued=queued, limit=most)
        return replace(result, seconds=seconds, printed=printed)
    if isinstance(outcome, Value):
        return answered(call, outcome.value, queued, started, seconds, printed)
    if isinstance(outcome.error, KeyboardInterrupt):
        raise outcome.error
    result = _raised(call, outcome.error, setting.toolbox.max_output)
    return replace(result, queued=queued, started=started, seconds=seconds, printed=printed)


def _cut_short(call: ToolCall, errand: Work, setting: Setting, *, queued: float, arrived: float) -> ToolResult:
    """The result of a call that we were cancelled in."""
    now = setting.now()
    began = now if errand.started is None else errand.started
    result = refused(call, "cancelled", UNANSWERED, now=began, queued=queued + began - arrived)
    return replace(result, seconds=now - began, printed=errand.printed)


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
    return ToolResult(call=call, content=content, value=error, error=failure, exit_code=exit_code_of(error))


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
        error = error.with_traceback(trace)
        if isinstance(error.__cause__, RaisedInProcess):
            return shorten(error.__cause__.trace, limit)[0]
        return shorten("".join(traceback.format_exception(error)), limit)[0]
    except Exception:  # Part of the doorway, as above.
        return None
