"""What a strict server refuses: the answer to "is this history sendable?".

Wire format: the 400 of OpenAI's API, `{"error": {"message", "type": "invalid_request_error", "param", "code"}}`, in its
words where it has any. Two things it lets pass are refused too, as other servers refuse them: an assistant message of
empty text without calls (Mistral's way), and arguments that are not the text of a JSON object (vLLM's).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hermes_nb import codec

ROLES = ("system", "assistant", "user", "function", "tool", "developer")

SPOKEN = ("refusal", "function_call", "audio")
"""The fields that an assistant message may have in place of content and calls."""

SEQUENCE = (list, tuple)

KINDS = {dict: "an object", list: "an array", tuple: "an array", str: "a string", bool: "a boolean", int: "an integer",
         float: "a decimal", type(None): "null"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a request: the words, the place and the code of the error."""

    message: str
    param: str | None = None
    code: str | None = None

    def body(self) -> dict[str, Any]:
        """The error as it goes over the wire."""
        said = {"message": self.message, "type": "invalid_request_error", "param": self.param, "code": self.code}
        return {"error": said}


def complaint(request: Mapping[str, Any]) -> str | None:
    """Why a strict server refuses the request, in its words; None where it takes it.

    It looks at `messages`, `tools` and `tool_choice`. Refused are unanswered calls, answers to no call or not directly
    after it, a second answer, ids that are missing or used twice, empty `tool_calls`, arguments that are not the text
    of a JSON object, nameless calls, assistant messages with neither content nor calls, content that is no text and no
    list of parts, unknown roles, no messages, and a `tool_choice` without tools.
    """
    found = fault(request)
    return None if found is None else found.message


def fault(request: Mapping[str, Any]) -> Fault | None:
    """`complaint`, with the fields that go with the words."""
    return next(_faults(request), None)


def _faults(request: Mapping[str, Any]) -> Iterator[Fault]:
    messages = request.get("messages")
    if "messages" not in request:
        yield _missing("messages")
    elif not isinstance(messages, SEQUENCE):
        yield _wrong_type("messages", "an array of objects", messages)
    elif not messages:
        yield _empty("messages")
    else:
        yield from _in_history(messages)
    yield from _in_tools(request)


def _in_tools(request: Mapping[str, Any]) -> Iterator[Fault]:
    if request.get("tools") == []:
        yield _empty("tools")
    if request.get("tool_choice") is not None and not request.get("tools"):
        told = "Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are specified."
        yield Fault(told, "tool_choice")


def _in_history(messages: Any) -> Iterator[Fault]:
    seen: dict[str, int] = {}
    waiting = _Waiting()
    for index, message in enumerate(messages):
        if not isinstance(message, Mapping):
            yield _wrong_type(f"messages[{index}]", "an object", message)
            return
        if message.get("role") == "tool":
            yield from _in_answer(index, message, waiting)
            continue
        yield from waiting.unanswered(index)
        yield from _in_message(index, message)
        calls = message.get("tool_calls") if message.get("role") == "assistant" else None
        waiting = _Waiting([call["id"] for call in calls or ()])
        yield from _repeated(index, waiting.ids, seen)
    yield from waiting.unanswered(len(messages))


class _Waiting:
    """The calls that the messages which come now may answer: their ids, and where each was answered."""

    def __init__(self, ids: Any = ()) -> None:
        self.ids: list[str] = list(ids)
        self.answers: dict[str, int | None] = dict.fromkeys(self.ids)

    def unanswered(self, index: int) -> Iterator[Fault]:
        """The fault of what stands at `index` in place of an answer: another message, or the end."""
        left = [call_id for call_id, place in self.answers.items() if place is None]
        if left:
            told = "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
            told += "'tool_call_id'. The following tool_call_ids did not have response messages: "
            yield Fault(told + ", ".join(left), f"messages.[{index}].role")


def _in_answer(index: int, message: Mapping[str, Any], waiting: _Waiting) -> Iterator[Fault]:
    call_id = message.get("tool_call_id")
    if not isinstance(call_id, str) or not call_id:
        told = "Missing parameter 'tool_call_id': messages with role 'tool' must have a 'tool_call_id'."
        yield Fault(told, f"messages.[{index}].tool_call_id")
        return
    if call_id not in waiting.answers:
        told = "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with "
        yield Fault(told + "'tool_calls'.", f"messages.[{index}].role")
    elif (before := waiting.answers[call_id]) is not None:
        told = f"Invalid parameter: Duplicate value for 'tool_call_id' of '{call_id}', in messages[{before}] and "
        yield Fault(f"{told}messages[{index}].", f"messages.[{index}].tool_call_id")
    waiting.answers[call_id] = index
    yield from _in_content(index, message.get("content"))


def _repeated(index: int, ids: list[str], seen: dict[str, int]) -> Iterator[Fault]:
    for call_id in ids:
        if call_id in seen:
            told = f"Invalid parameter: Duplicate value for 'id' of '{call_id}', in the 'tool_calls' of "
            yield Fault(f"{told}messages[{seen[call_id]}] and messages[{index}].", f"messages.[{index}].tool_calls")
        seen[call_id] = index


def _in_message(index: int, message: Mapping[str, Any]) -> Iterator[Fault]:
    """The faults of a message by itself; after the first, nothing is to be relied on."""
    place, role, content = f"messages[{index}]", message.get("role"), message.get("content")
    if "role" not in message:
        yield _missing(f"{place}.role")
    elif role not in ROLES:
        known = ", ".join(f"'{one}'" for one in ROLES[:-1])
        told = f"Invalid value: '{role!s:.40}'. Supported values are: {known}, and '{ROLES[-1]}'."
        yield Fault(told, f"{place}.role", "invalid_value")
    elif role != "assistant":
        yield from _in_content(index, content)
    else:
        if "tool_calls" in message:
            yield from _in_calls(f"{place}.tool_calls", message["tool_calls"])
        elif not any(message.get(name) for name in SPOKEN):
            yield from _unspoken(index, content)
        if content is not None:
            yield from _in_content(index, content)


def _unspoken(index: int, content: Any) -> Iterator[Fault]:
    if content is None:
        yield Fault("Invalid value for 'content': expected a string, got null.", f"messages.[{index}].content")
    elif not content and isinstance(content, str):
        told = "Assistant message must have either content or tool_calls, but not none."
        yield Fault(told, f"messages.[{index}].content")


def _in_content(index: int, content: Any) -> Iterator[Fault]:
    place = f"messages[{index}].content"
    if content is None:
        yield Fault("Invalid value for 'content': expected a string, got null.", f"messages.[{index}].content")
    elif not isinstance(content, str | list | tuple):
        yield _wrong_type(place, "one of a string or array of objects", content)
    elif isinstance(content, SEQUENCE):
        if not content:
            yield _empty(place)
        for number, part in enumerate(content):
            yield from _in_part(f"{place}[{number}]", part)


def _in_part(place: str, part: Any) -> Iterator[Fault]:
    if not isinstance(part, Mapping):
        yield _wrong_type(place, "an object", part)
        return
    yield from _in_text(f"{place}.type", part, "type")
    if part.get("type") == "text":
        yield from _in_text(f"{place}.text", part, "text", least=0)


def _in_calls(place: str, calls: Any) -> Iterator[Fault]:
    if not isinstance(calls, SEQUENCE):
        yield _wrong_type(place, "an array of objects", calls)
        return
    if not calls:
        yield _empty(place)
    for number, call in enumerate(calls):
        yield from _in_call(f"{place}[{number}]", call)


def _in_call(place: str, call: Any) -> Iterator[Fault]:
    if not isinstance(call, Mapping):
        yield _wrong_type(place, "an object", call)
        return
    yield from _in_text(f"{place}.id", call, "id")
    yield from _in_text(f"{place}.type", call, "type")
    kind = "custom" if call.get("type") == "custom" else "function"
    function = call.get(kind)
    if not isinstance(function, Mapping):
        yield _wrong_type(f"{place}.{kind}", "an object", function) if kind in call else _missing(f"{place}.{kind}")
        return
    yield from _in_text(f"{place}.{kind}.name", function, "name")
    written = "input" if kind == "custom" else "arguments"
    yield from _in_text(f"{place}.{kind}.{written}", function, written, least=0)
    if kind == "function":
        yield from _in_arguments(f"{place}.function.arguments", function["arguments"])


def _in_arguments(place: str, arguments: str) -> Iterator[Fault]:
    _, problem = codec.parse_arguments(arguments)
    if problem is not None or not arguments.lstrip().startswith("{"):
        told = f"Invalid value for '{place}': expected the text of a JSON object, got {arguments[:40]!r}"
        yield Fault(f"{told} ({problem})." if problem else f"{told}.", place, "invalid_value")


def _in_text(place: str, holder: Mapping[str, Any], name: str, least: int = 1) -> Iterator[Fault]:
    value = holder.get(name)
    if name not in holder:
        yield _missing(place)
    elif not isinstance(value, str):
        yield _wrong_type(place, "a string", value)
    elif len(value) < least:
        told = f"Invalid '{place}': empty string. Expected a string with minimum length 1, but got an empty string "
        yield Fault(f"{told}instead.", place, "empty_string")


def _missing(place: str) -> Fault:
    return Fault(f"Missing required parameter: '{place}'.", place, "missing_required_parameter")


def _empty(place: str) -> Fault:
    told = f"Invalid '{place}': empty array. Expected an array with minimum length 1, but got an empty array instead."
    return Fault(told, place, "empty_array")


def _wrong_type(place: str, expected: str, value: Any) -> Fault:
    got = KINDS.get(type(value), type(value).__name__)
    return Fault(f"Invalid type for '{place}': expected {expected}, but got {got} instead.", place, "invalid_type")
