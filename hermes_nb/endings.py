"""How a run ends: what a reply, a failure or a tool error says about it."""

from __future__ import annotations

from typing import Any

from hermes_nb.records import Reply, RunError, StopReason, ToolCall, ToolError

CUT_OFF = (
    "the reply was cut off by the token limit while this call was being written, so it was not run. "
    "Send it again, in fewer tokens."
)


NO_MORE_CALLS = "the run is at its limit of turns, and was asked for an answer without tools"


def last_word(reply: Reply) -> StopReason:
    """How a run ends that got a reply without calls."""
    match reply.finish_reason:
        case "length":
            return "length"
        case "content_filter":
            return "content_filter"
    if reply.text:
        return "finished"
    return "refusal" if reply.refusal else "empty"


def cut_off(call: ToolCall, reply: Reply) -> bool:
    """Whether the token limit fell into this call: it is the last, and its arguments are not there or not whole."""
    last = call.index == len(reply.calls) - 1
    return reply.finish_reason == "length" and last and not (isinstance(call.parsed, dict) and call.parsed)


def of_failure(error: RunError) -> tuple[StopReason, RunError]:
    """How a run ends whose server failed."""
    return ("context_overflow" if error.code == "context_length_exceeded" else "server_error"), error


def tool_failure(error: ToolError, raised: Any) -> RunError:
    """The error of a run that a tool error ended; `raised` is the tool's exception, where it was one."""
    cause = raised if isinstance(raised, BaseException) else None
    return RunError(type=error.exception_type or error.kind, message=f"{error.tool_name}: {error.error}", cause=cause)
