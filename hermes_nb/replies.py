"""A server's answer, whatever its shape, as a Reply.

`reply_from` takes the body of a chat completion as a dict, as the openai package's ChatCompletion, or as any object
with those attributes. Wire format: POST /chat/completions of the OpenAI API, and what other servers make of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hermes_nb import codec
from hermes_nb.exceptions import ServerError
from hermes_nb.messages import REASONING_FIELDS, Message, reasoning_of, text_of
from hermes_nb.records import Reply, RunError, ToolCall, Usage

BODY_FIELDS = ("id", "model", "choices", "usage", "error", "message", "finish_reason", "role", "content", "tool_calls",
               "function_call", "refusal", "type", "function", "name", "arguments", "custom", "input",
               "prompt_tokens", "completion_tokens", "total_tokens", "cost", *REASONING_FIELDS)  # fmt: skip


def reply_from(
    answer: Any,
    *,
    turn: int = 0,
    taken: set[str] | None = None,
    new_id: Callable[[], str],
    **travel: Any,
) -> Reply:
    """The Reply in a chat completion's body.

    Calls without an id, or with one in `taken` (the ids of the run so far, which this adds to), are given a new one;
    the server's own stays in `ToolCall.sent_id`, and history and answers use the new one. `travel` holds what is known
    of the exchange: `status`, `request_id`, `retries`, `seconds`.

    Raises:
        ServerError: the answer holds no message.
    """
    body = answer if isinstance(answer, dict) else as_plain(answer)
    message, finish_reason = _first_choice(body)
    problems: list[str] = []
    entries = _call_entries(message, problems)
    entries, calls = _numbered(entries, turn, set() if taken is None else taken, new_id, problems)
    return Reply(
        message=_canonical(message, entries),
        text=text_of(message.get("content")),
        reasoning=reasoning_of(message),
        calls=calls,
        refusal=_text_or_none(message.get("refusal")),
        finish_reason=_text_or_none(finish_reason),
        usage=usage_from(body.get("usage")),
        model=_text_or_none(body.get("model")),
        id=_text_or_none(body.get("id")),
        problems=tuple(problems),
        raw=body,
        **travel,
    )


def as_plain(answer: Any) -> Any:
    """An answer as dicts and lists: pydantic models dumped as they were set, other objects by their attributes."""
    if answer is None or isinstance(answer, str | int | float | bool):
        return answer
    if isinstance(answer, Mapping):
        return {key: as_plain(value) for key, value in answer.items()}
    if isinstance(answer, list | tuple):
        return [as_plain(item) for item in answer]
    if hasattr(answer, "model_dump"):
        return answer.model_dump(exclude_unset=True, warnings=False)
    return {name: as_plain(getattr(answer, name)) for name in BODY_FIELDS if hasattr(answer, name)}


def no_reply(told: str, body: Any) -> ServerError:
    """The error of a server that answered without a message."""
    start = codec.dumps(body, default=repr).decode("utf-8", "replace")[:200]
    return ServerError(RunError(type="NoReply", message=f"the server answered without a message: {told}", body=start))


def _first_choice(body: Any) -> tuple[dict[str, Any], Any]:
    if not isinstance(body, dict) or not body:
        raise no_reply("the body is empty", body)
    choices = body.get("choices")
    if not isinstance(choices, list) or not choices:
        raise no_reply(f"no choices in the body{_stated_error(body)}", body)
    choice = choices[0]
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(message, dict):
        raise no_reply("the first choice has no message", body)
    return message, choice.get("finish_reason")


def _stated_error(body: dict[str, Any]) -> str:
    error = body.get("error")
    stated = error.get("message") if isinstance(error, dict) else error
    return f"; it says: {stated}" if stated else ""


def _call_entries(message: dict[str, Any], problems: list[str]) -> list[dict[str, Any]]:
    """The message's tool calls as dicts of the wire's form; a legacy `function_call` becomes one."""
    entries = message.get("tool_calls")
    legacy = message.get("function_call")
    if not entries and isinstance(legacy, dict) and legacy.get("name"):
        problems.append("a legacy function_call was read as a tool call")
        return [{"type": "function", "function": legacy}]
    if not isinstance(entries, list):
        return []
    return [_call_entry(entry) for entry in entries if entry is not None]


def _call_entry(entry: Any) -> dict[str, Any]:
    plain = entry if isinstance(entry, dict) else as_plain(entry)
    return plain if isinstance(plain, dict) else {"type": type(entry).__name__}


def _numbered(
    entries: list[dict[str, Any]], turn: int, taken: set[str], new_id: Callable[[], str], problems: list[str]
) -> tuple[list[dict[str, Any]], tuple[ToolCall, ...]]:
    """The entries with ids of their own and arguments as text, and the calls they stand for."""
    mended, calls = [], []
    for index, entry in enumerate(entries):
        name, arguments = _name_and_arguments(entry, index, problems)
        sent_id = _text_or_none(entry.get("id"))
        call_id = sent_id
        if not sent_id or sent_id in taken:
            call_id = new_id()
            problems.append(f"call {index}: {'the id was used before' if sent_id else 'no id'}, now {call_id}")
        taken.add(call_id or "")
        mended.append(_entry(entry, call_id or "", name, arguments))
        changed = None if call_id == sent_id else sent_id
        calls.append(
            ToolCall(name=name, arguments=arguments, id=call_id or "", turn=turn, index=index, sent_id=changed)
        )
    return mended, tuple(calls)


def _name_and_arguments(entry: dict[str, Any], index: int, problems: list[str]) -> tuple[str, str]:
    function = entry.get("function")
    if not isinstance(function, dict):
        custom = entry.get("custom")
        function = (
            {"name": custom.get("name"), "arguments": {"input": custom.get("input")}}
            if isinstance(custom, dict)
            else entry
        )
        problems.append(f"call {index}: type {entry.get('type')!r} is not a function call")
    name, arguments = function.get("name"), function.get("arguments")
    if not isinstance(name, str) or not name:
        problems.append(f"call {index}: no name")
    if arguments is not None and not isinstance(arguments, str):
        problems.append(f"call {index}: arguments came as {type(arguments).__name__}, not as text")
        arguments = codec.dumps(arguments).decode()
    return name if isinstance(name, str) else "", arguments or "{}"


def _entry(entry: dict[str, Any], call_id: str, name: str, arguments: str) -> dict[str, Any]:
    """A call as it goes back in the history: the wire's form, with whatever else the server put on it."""
    extra = {
        key: value
        for key, value in entry.items()
        if key not in ("id", "index", "type", "function", "custom", "name", "arguments")
    }
    function = {"name": name, "arguments": arguments}
    if isinstance(entry.get("function"), dict):
        function = {**entry["function"], **function}
    return {"id": call_id, "type": "function", "function": function, **extra}


def _canonical(message: dict[str, Any], entries: list[dict[str, Any]]) -> Message:
    content = message.get("content")
    canonical: Message = {"role": "assistant", "content": "" if content is None else content}
    for name in REASONING_FIELDS:
        if message.get(name) is not None:
            canonical[name] = message[name]
    if entries:
        canonical["tool_calls"] = entries
    return canonical


def usage_from(usage: Any) -> Usage:
    """Token counts of a body's `usage`, by OpenAI's names and those of its nearest relatives."""
    if not isinstance(usage, Mapping):
        return Usage()
    prompt_details = usage.get("prompt_tokens_details")
    completion_details = usage.get("completion_tokens_details")
    return Usage(
        prompt=_number(usage, "prompt_tokens"),
        completion=_number(usage, "completion_tokens"),
        total=_number(usage, "total_tokens"),
        reasoning=_number(completion_details, "reasoning_tokens"),
        cached=_first_number(_number(prompt_details, "cached_tokens"), _number(usage, "prompt_cache_hit_tokens")),
        cost=_number(usage, "cost"),
    )


def _number(holder: Any, name: str) -> Any:
    value = holder.get(name) if isinstance(holder, Mapping) else None
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _first_number(one: Any, two: Any) -> Any:
    return two if one is None else one


def _text_or_none(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
