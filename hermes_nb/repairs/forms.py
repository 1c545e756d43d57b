"""Brings each message by itself into the wire's form: its content, and the calls in it. Ids are seen to in `pairs`."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Literal

from hermes_nb import codec
from hermes_nb.exceptions import ConfigurationError
from hermes_nb.messages import Message, checked, says_nothing
from hermes_nb.outgoing import NAMELESS, safe_arguments
from hermes_nb.repairs.report import Report, named

WITH_CONTENT = ("system", "developer", "user", "tool", "function")

WRITTEN = {"function": "arguments", "custom": "input"}
"""The field of a call that holds what the model wrote, by the kind of the call."""

KINDS = {type(None): "null", dict: "an object", list: "a list", tuple: "a tuple", str: "text"}


def sound(place: int, given: Any, report: Report) -> Message | None:
    """A copy of the message in the wire's form; None for one that says nothing.

    Raises:
        ConfigurationError: it is no dict that names its role, or is nested too deeply to be sent.
    """
    try:
        message = copy.deepcopy(checked(given))
    except RecursionError as error:
        raise ConfigurationError(f"message {place} is nested too deeply to be sent") from error
    if message["role"] == "assistant":
        return _assistant(place, message, report)
    if message["role"] in WITH_CONTENT:
        _mend_content(place, message, report)
    return message


def _assistant(place: int, message: Message, report: Report) -> Message | None:
    if "tool_calls" in message:
        entries = _entries(place, message["tool_calls"], report)
        if entries:
            message["tool_calls"] = entries
        else:
            del message["tool_calls"]
            report.add(place, "its tool_calls hold no call, and were removed")
    if message.get("content") is not None:
        _mend_content(place, message, report)
    if not says_nothing(message):
        return message
    report.add(place, "this assistant message has neither content nor calls, and was removed")
    return None


def _mend_content(place: int, message: Message, report: Report) -> None:
    content = message.get("content")
    mended = _content(content)
    if mended != content:
        message["content"] = mended
        was = KINDS.get(type(content), type(content).__name__)
        how = "empty" if not content else "not as the wire has it"
        report.add(place, f"its content, {was}, was {how}, and is now {KINDS[type(mended)]}")


def _content(content: Any) -> str | list[Any]:
    if isinstance(content, list | tuple):
        return [_part(part) for part in content if part is not None] or ""
    if isinstance(content, Mapping) and "type" in content:
        return [_part(content)]
    return _words(content)


def _part(part: Any) -> Any:
    """A part of a content list; those of kinds we do not know are kept."""
    if not isinstance(part, Mapping):
        return {"type": "text", "text": _words(part)}
    kind, text = part.get("type"), part.get("text")
    if isinstance(kind, str) and kind and (kind != "text" or isinstance(text, str)):
        return part
    return {**part, "type": "text"} if isinstance(text, str) else {"type": "text", "text": _words(part)}


def _entries(place: int, calls: Any, report: Report) -> list[dict[str, Any]]:
    """The calls of a message in the wire's form, without what is none."""
    if isinstance(calls, Mapping) and calls:
        report.add(place, "its tool_calls were one object, and are a list of it now")
        calls = [calls]
    entries = []
    for number, entry in enumerate(calls if isinstance(calls, list | tuple) else ()):
        kind = _kind(entry)
        if kind is None:
            report.add(place, f"{title(number, entry)} names no function, and was removed")
            continue
        mended, changes = _entry(entry, kind)
        for change in changes:
            report.add(place, f"{title(number, entry)} {change}")
        entries.append(mended)
    return entries


def title(number: int, entry: Any) -> str:
    """How a call is named in a sentence: by its id, where it has one, else by its number in its message."""
    call_id = entry.get("id") if isinstance(entry, Mapping) else None
    return f"call {named(call_id)}" if isinstance(call_id, str) and call_id else f"call {number}"


def _kind(entry: Any) -> Literal["function", "custom"] | None:
    """Whether it is a call of a function or of a custom tool; None: it names nothing that could be called."""
    if not isinstance(entry, Mapping):
        return None
    if isinstance(entry.get("custom"), Mapping) and not isinstance(entry.get("function"), Mapping):
        return "custom"
    named_so = any(isinstance(entry.get(name), str) and entry[name] for name in ("function", "name"))
    return "function" if named_so or isinstance(entry.get("function"), Mapping) else None


def _entry(entry: Mapping[str, Any], kind: Literal["function", "custom"]) -> tuple[dict[str, Any], list[str]]:
    """The call as the wire has it, and what was done to it, in words that follow its name."""
    asked, rest = _asked(entry, kind)
    changes = [] if entry.get("type") == kind and asked is entry.get(kind) else [f"is now written as a {kind} call"]
    name, written = asked.get("name"), asked.get(WRITTEN[kind])
    safe = {"name": name if isinstance(name, str) and name else NAMELESS}
    if safe["name"] != name:
        changes.append(f"had no name, and is called {NAMELESS} now")
    if kind == "custom":
        safe["input"] = _words(written)
    else:
        safe["arguments"] = safe_arguments(written if written is None else _words(written))
    if safe[WRITTEN[kind]] != written:
        what = "text" if kind == "custom" else "text of a JSON object"
        changes.append(f"had {WRITTEN[kind]} that were no {what}, and are now")
    return {**rest, "type": kind, kind: {**asked, **safe}}, changes


def _asked(entry: Mapping[str, Any], kind: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """What a call says of its function, and the call's other fields. Some formats have it all in one object."""
    if isinstance(entry.get(kind), Mapping):
        return entry[kind], entry
    rest = {key: value for key, value in entry.items() if key not in ("function", "name", "arguments")}
    asked = {name: entry[name] for name in ("name", "arguments") if name in entry}
    return {**asked, **({"name": entry["function"]} if isinstance(entry.get("function"), str) else {})}, rest


def _words(value: Any) -> str:
    """A value as text: itself, or its JSON where it has one; nothing for None."""
    if isinstance(value, str) or value is None:
        return value or ""
    try:
        return codec.dumps(value, default=str).decode()
    except (TypeError, ValueError):  # Keys that are not text, or a circle.
        return str(value)
