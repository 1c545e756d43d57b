"""Walks one tool call from its schema to what the model saw of its result.

hn.explain(result)                        the first call that went wrong; where none did, the first call
hn.explain(result.calls[1], result)       this one
hn.explain(call, result, tool=tool)       with its arguments checked once more, by the tool itself
"""

from __future__ import annotations

from typing import Any

from hermes_nb.exceptions import ConfigurationError
from hermes_nb.records import AgentResult, ToolCall, ToolError, ToolResult
from hermes_nb.views import View
from hermes_nb.views.rows import Case, counted, explained, run_of

__all__ = ["explain"]

EXAMPLE = "hn.explain(result.calls[0], result)"


def explain(call_or_result: Any, run: Any = None, *, tool: Any = None) -> View:
    """One tool call in six steps: schema, text, parsed arguments, validated arguments, result, and what the model saw.
    Each is a sentence and the text itself, cut where it is long, and without secrets.

        result = hn.HermesAgentLoop(server, tools=[add]).run_sync("What is 2 + 3?")
        hn.explain(result)
        print(hn.explain(result.calls[0], result))

    It shows itself in a notebook; `views.text`, `html`, `markdown` and `save_html` take it; `.record` is its data.

    Args:
        call_or_result: a ToolCall, ToolResult or ToolError; or a whole run, an AgentResult or a LiveRun, of which the
            first call that went wrong is explained, or the first call where none did.
        run: the run that the call is of. From it come the schema, as the run recorded it, the result, and what the
            model did next; a run read from a file will do. Without it, these steps say that nobody knows.
        tool: the Tool itself, to check the arguments again and show them as the function gets them. It is not run.

    >>> import hermes_nb as hn
    >>> server = hn.ScriptedServer([hn.servers.call("add", a=2), "I cannot."])
    >>> print(str(explain(hn.HermesAgentLoop(server).run_sync("?"))).splitlines()[0])
    ✗ unknown tool · add a: 2 · turn 1, call 1

    Raises:
        TypeError: it is no call, result, error or run; the run is no run; the tool is a bare function.
        ConfigurationError: the run has no such call, or no call at all, or the tool has another name than the call.
    """
    held = run_of(call_or_result)
    if held is not None and run is not None:
        raise TypeError(f"a run was given twice; a call comes first, then its run: {EXAMPLE}")
    of = _run(run) if held is None else held
    call, result = _found(call_or_result, of) if held is None else _first(held)
    schemas = _schemas(of)
    bound = None if tool is None else _bound(tool, call, result)
    if tool is not None:
        schemas = {**(schemas or {}), call.name: (schemas or {}).get(call.name) or tool.signature.schema["function"]}
    note = _note(held, call) if held is not None else ""
    case = Case(written=_written(call, of), result=result, run=of, schemas=schemas, bound=bound, note=note)
    return View(lambda lens: explained(case, lens))


def _run(run: Any) -> AgentResult | None:
    found = run_of(run)
    if run is not None and found is None:
        raise TypeError(f"a call's run is an AgentResult or a LiveRun, not {type(run).__name__}: {EXAMPLE}")
    return found


def _first(run: AgentResult) -> tuple[ToolCall, ToolResult | None]:
    """The first call that went wrong, else the first."""
    failed = next((one for one in run.results if one.error), None)
    if failed is not None:
        return failed.call, failed
    if not run.calls:
        raise ConfigurationError(
            "no tool was called in this run, so there is no call to explain; look at the run itself"
        )
    return _found(run.calls[0], run)


def _note(run: AgentResult, call: ToolCall) -> str:
    """Why it is this call."""
    if len(run.calls) == 1:
        return ""
    which = "the first that went wrong" if run.tool_errors else "the first, as none went wrong"
    return f"Of {counted(len(run.calls), 'call')} this is {which}; {EXAMPLE} explains another."


def _found(one: Any, run: AgentResult | None) -> tuple[ToolCall, ToolResult | None]:
    """The call, and its result where that is known."""
    if isinstance(one, ToolResult):
        call, result = one.call, one
    elif isinstance(one, ToolError):
        return _failed(one, run)
    elif isinstance(one, ToolCall):
        call, result = one, None
    else:
        told = "a list: give one of its calls" if isinstance(one, list | tuple) else type(one).__name__
        raise TypeError(f"a tool call is explained, its result or its run; this is {told}, such as {EXAMPLE}")
    if run is None:
        return call, result
    if not any(_same(call, made) for made in run.calls):
        raise ConfigurationError(f"the run has no call {call.id!r} of {call.name!r}; give the run that the call is of")
    return call, result or next((made for made in run.results if _same(made.call, call)), None)


def _failed(error: ToolError, run: AgentResult | None) -> tuple[ToolCall, ToolResult | None]:
    if run is None:
        raise TypeError("an error is explained with its run: hn.explain(result.tool_errors[0], result)")
    for result in run.results:
        if result.error == error:
            return result.call, result
    raise ConfigurationError("the run has no such error; give the run that the error is of")


def _same(one: ToolCall, other: ToolCall) -> bool:
    """Whether they are one call, whose arguments a gate may have replaced."""
    return (one.name, one.turn, one.index, one.id) == (other.name, other.turn, other.index, other.id)


def _written(call: ToolCall, run: AgentResult | None) -> ToolCall:
    """The call as the model wrote it."""
    return next((made for made in run.calls if _same(made, call)), call) if run else call


def _schemas(run: AgentResult | None) -> dict[str, dict[str, Any]] | None:
    """The functions of the tools that the run recorded, by name."""
    if run is None or run.provenance is None:
        return None
    told = [one.get("function") for one in run.provenance.tools if isinstance(one, dict)]
    return {str(one.get("name")): one for one in told if isinstance(one, dict)}


def _bound(tool: Any, call: ToolCall, result: ToolResult | None) -> dict[str, Any] | str | None:
    """What the tool makes of the arguments, or why it refuses them."""
    signature: Any = getattr(tool, "signature", None)
    if not callable(getattr(signature, "bind", None)):
        raise TypeError(f"tool= is a Tool, as hn.tool(function) makes it; this is {type(tool).__name__}")
    if signature.name != call.name:
        raise ConfigurationError(f"the call is of {call.name!r}, and this tool is {signature.name!r}; give that one")
    ran = result.call if result else call
    if ran.problem is not None:
        return None
    try:
        # Read again, as a tool may change what it gets.
        bound: dict[str, Any] = signature.bind(ToolCall(name=ran.name, arguments=ran.arguments).parsed)
    except ValueError as error:
        return str(error)
    return bound
