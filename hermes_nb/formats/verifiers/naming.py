"""What both forms of verifiers share: tools, calls, counts and endings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hermes_nb import codec
from hermes_nb.formats.base import decoded, mapping, sequence
from hermes_nb.messages import Message
from hermes_nb.records import StopReason

NAME = "verifiers"

ENDINGS: dict[str, StopReason] = {
    "max_turns": "max_turns", "max_turns_reached": "max_turns", "max_input_tokens": "max_total_tokens",
    "max_output_tokens": "max_total_tokens", "max_total_tokens": "max_total_tokens", "timeout": "max_seconds",
    "rollout_timeout": "max_seconds", "timeout_reached": "max_seconds", "prompt_too_long": "context_overflow",
    "compaction_failed": "context_overflow", "agent_completed": "finished", "no_tools_called": "finished",
}  # fmt: skip
"""Stop conditions of the framework. Of a condition that is an environment's own, the last message says more."""


def ending_of(condition: Any, failed: bool) -> StopReason | None:
    """How a rollout ended, by its stop condition."""
    return "crashed" if failed else ENDINGS.get(str(condition))


def message_of(given: Mapping[str, Any]) -> Message:
    """A message in OpenAI's form; calls may be flat (`name`, `arguments`), and be JSON text."""
    message = {key: value for key, value in given.items() if value is not None and key != "provider_state"}
    if calls := sequence(given.get("tool_calls")):
        message["tool_calls"] = [_call(mapping(decoded(call))) for call in calls]
    else:
        message.pop("tool_calls", None)
    return message


def _call(given: Mapping[str, Any]) -> dict[str, Any]:
    function = mapping(given.get("function")) or given
    arguments = function.get("arguments")
    written = arguments if isinstance(arguments, str) else codec.dumps(arguments or {}).decode()
    return {"id": given.get("id"), "type": "function", "function": {"name": function.get("name"), "arguments": written}}


def tools_of(given: Any) -> list[Any]:
    """Tools in OpenAI's form, which may be flat, and JSON text."""
    tools = [decoded(tool) for tool in sequence(decoded(given))]
    return [
        tool if "function" in tool else {"type": "function", "function": dict(tool)}
        for tool in tools
        if isinstance(tool, Mapping)
    ]


def numbers_in(given: Mapping[str, Any]) -> dict[str, float]:
    """The numbers and truth values among the values, as numbers."""
    return {key: float(value) for key, value in given.items() if isinstance(value, bool | int | float)}
