"""Messages of Inspect in OpenAI's form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hermes_nb import codec
from hermes_nb.formats.base import Failure, mapping, sequence
from hermes_nb.messages import Message
from hermes_nb.records import ErrorKind, Fault

ATTACHED = "attachment://"

ENVIRONMENT = ("permission", "file_not_found", "is_a_directory", "unicode_decode", "sandbox_unavailable")
KINDS: dict[str, tuple[ErrorKind, Fault]] = {
    "timeout": ("timeout", "environment"),
    **dict.fromkeys(ENVIRONMENT, ("exception", "environment")),
    "limit": ("reported", "environment"),
    "output_limit": ("reported", "environment"),
    "approval": ("rejected", "run"),
    "cancelled": ("cancelled", "run"),
}


def unfolded(sample: Mapping[str, Any]) -> Mapping[str, Any]:
    """The sample with its long texts in their places, which it keeps apart as attachments."""
    attachments = mapping(sample.get("attachments"))
    if not attachments:
        return sample
    kept = {name: value for name, value in sample.items() if name != "attachments"}
    return {name: _resolved(value, attachments) for name, value in kept.items()}


def _resolved(value: Any, attachments: Mapping[str, Any]) -> Any:
    if isinstance(value, str):
        return attachments.get(value.removeprefix(ATTACHED), value) if value.startswith(ATTACHED) else value
    if isinstance(value, list):
        return [_resolved(item, attachments) for item in value]
    return {key: _resolved(item, attachments) for key, item in value.items()} if isinstance(value, dict) else value


def message_of(given: Any) -> Any:
    """A message in OpenAI's form; what is none stays as it is, and is named by who reads it."""
    if not isinstance(given, Mapping):
        return given
    message: Message = {"role": given.get("role"), "content": _content(given.get("content"))}
    if thought := _thought(given):
        message["reasoning_content"] = thought
    if details := [_detail(part) for part in _thoughts(given) if part.get("signature") or part.get("redacted")]:
        message["reasoning_details"] = details
    if calls := sequence(given.get("tool_calls")):
        message["tool_calls"] = [_call(mapping(call)) for call in calls]
    if given.get("role") == "tool":
        message |= {"tool_call_id": given.get("tool_call_id"), "name": given.get("function")}
    return {name: value for name, value in message.items() if value is not None}


def _content(content: Any) -> Any:
    """Text where there is nothing but text; a list of OpenAI's parts otherwise. Thoughts stand elsewhere."""
    if not isinstance(content, list):
        return content
    parts = [_part(part) for part in content if mapping(part).get("type") != "reasoning"]
    if all(mapping(part).get("type") == "text" for part in parts) and len(parts) <= 1:
        return parts[0]["text"] if parts else ""
    return parts


def _part(part: Any) -> Any:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    told = mapping(part)
    match told.get("type"):
        case "text":
            return {"type": "text", "text": str(told.get("text") or "")}
        case "image":
            detail = {"detail": told["detail"]} if told.get("detail") not in (None, "auto") else {}
            return {"type": "image_url", "image_url": {"url": told.get("image"), **detail}}
    return part


def _thoughts(given: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    parts = [mapping(part) for part in sequence(given.get("content"))]
    return [part for part in parts if part.get("type") == "reasoning"]


def _thought(given: Mapping[str, Any]) -> str:
    """What the model thought; of redacted thoughts, which nobody can read, the summary."""
    told = [part.get("summary") if part.get("redacted") else part.get("reasoning") for part in _thoughts(given)]
    old = given.get("reasoning")  # Before thoughts were parts of the content.
    return "\n\n".join(one for one in (*told, old) if isinstance(one, str) and one)


def _detail(part: Mapping[str, Any]) -> dict[str, Any]:
    if part.get("redacted"):
        return {"type": "reasoning.encrypted", "data": part.get("reasoning")}
    return {"type": "reasoning.text", "text": part.get("reasoning"), "signature": part.get("signature")}


def _call(call: Mapping[str, Any]) -> dict[str, Any]:
    arguments = call.get("arguments")
    told = arguments if isinstance(arguments, str) else codec.dumps({} if arguments is None else arguments).decode()
    return {"id": call.get("id"), "type": "function", "function": {"name": call.get("function"), "arguments": told}}


def failure_of(error: Any, *, broken: bool) -> Failure:
    """What went wrong in a call; `broken`: its arguments could not be read."""
    if not isinstance(error, Mapping):
        return Failure(error=str(error))
    kind, message = str(error.get("type") or "unknown"), str(error.get("message") or "")
    if kind == "parsing":
        lost = "not found" in message and message.startswith("Tool ")
        known: ErrorKind = "bad_json" if broken else "unknown_tool" if lost else "bad_arguments"
        return Failure(error=message, kind=known, exception_type=kind)
    named, fault = KINDS.get(kind, ("reported", "tool"))
    return Failure(error=message, kind=named, fault=fault, exception_type=kind)
