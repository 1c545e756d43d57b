"""A server's answer, whatever its shape, as a Reply.

`reply_from` takes the body of a chat completion as a dict, as the openai package's ChatCompletion, or as any object
with those attributes. Wire format: POST /chat/completions of the OpenAI API, and what other servers make of it.

What comes of answers that are not as that API says; `Reply.problems` notes what had to be mended:

| the answer | comes to |
|---|---|
| not JSON: a web page, plain text, nothing, half an object | ServerError of type NotJSON (from an exception: its own) |
| an error in place of choices, or in the first choice | ServerError with the error's own words and code |
| no choices, none but null, no message, a null message | ServerError of type NoReply |
| content null, or absent | no text; `""` in the history |
| content as a list of parts | text, reasoning and refusal of its parts; the list itself in the history |
| content as one part, or as another JSON value | the part's text, or the value as JSON |
| a `finish_reason` that contradicts the calls, or none | the calls are trusted; the word is kept as sent |
| an id missing, empty, of another type, or used before | a new id on both sides of the history; `sent_id` is the old |
| arguments absent, null or empty | `{}` |
| arguments as an object or another JSON value | their JSON text |
| arguments encoded twice | the text as sent; `parsed` is the object |
| arguments that are not JSON | the text as sent; `problem` says where (the call is answered with it: `bad_json`) |
| a call without a name | the name `""` (the call is answered with it: `unknown_tool`) |
| calls as one object in place of a list | a list of it |
| a legacy `function_call` | a tool call with a new id |
| a custom tool call | a call with the arguments `{"input": ...}` |
| usage absent, or counts that are no numbers | unknown (None), never 0 |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hermes_nb import codec
from hermes_nb.exceptions import ServerError
from hermes_nb.messages import REASONING_FIELDS, Message, reasoning_of, refusal_of, split_thought, text_of
from hermes_nb.records import Reply, RunError, ToolCall, Usage

BODY_FIELDS = ("id", "model", "choices", "index", "delta", "usage", "error", "message", "finish_reason", "role",
               "content", "tool_calls", "function_call", "refusal", "type", "function", "name", "arguments", "custom",
               "input", "prompt_tokens", "completion_tokens", "total_tokens", "cost", "prompt_tokens_details",
               "cached_tokens", "completion_tokens_details", "reasoning_tokens", *REASONING_FIELDS)  # fmt: skip


def reply_from(
    answer: Any,
    *,
    turn: int = 0,
    taken: set[str] | None = None,
    new_id: Callable[[], str],
    split_think: bool = False,
    **travel: Any,
) -> Reply:
    """The Reply in a chat completion's body.

    Calls without an id, or with one in `taken` (the ids of the run so far, which this adds to), are given a new one;
    the server's own stays in `ToolCall.sent_id`, and history and answers use the new one. With `split_think`, thoughts
    that a model wrote into its text (`<think>...</think>` at the start) are reasoning and no text; `source_text` is the
    text with them, and the message stays as it came. `travel` holds what is known of the exchange: `status`,
    `request_id`, `retries`, `seconds`.

    Raises:
        ServerError: the answer holds no message.
    """
    body = answer if isinstance(answer, dict) and _is_plain(answer.get("choices")) else as_plain(answer)
    message, finish_reason = _first_choice(body)
    problems = [f"an error stands beside the choices{told}"] if (told := _stated_error(body)) else []
    content = _content(message.get("content"), problems)
    entries = _call_entries(message, problems)
    words, source, told_problems = _words(message, content, split_think), *_own_words(body)
    entries, calls = _numbered(entries, turn, set() if taken is None else taken, new_id, problems)
    return Reply(
        message=_canonical(message, content, entries),
        calls=calls,
        refusal=refusal_of(message),
        finish_reason=_text_or_none(finish_reason),
        usage=usage_from(body.get("usage")),
        model=_text_or_none(body.get("model")),
        id=_text_or_none(body.get("id")),
        problems=(*problems, *told_problems),
        raw=body,
        **({**words, "source_text": source} if source else words),
        **travel,
    )


def _words(message: Message, content: Any, split_think: bool) -> dict[str, Any]:
    """The Reply's text and reasoning, and the text before it was split."""
    text, reasoning = text_of(content), reasoning_of(message)
    thought, said = split_thought(text) if split_think else ("", text)
    if said == text:
        return {"text": text, "reasoning": reasoning}
    both = "\n\n".join(part for part in (reasoning, thought) if part)
    return {"text": said, "reasoning": both or None, "source_text": text}


def _own_words(body: Any) -> tuple[str | None, list[str]]:
    """What a ManagedServer tells beside the message: the model's own text, and what could not be read of it."""
    choice = body["choices"][0]
    told = choice.get("problems")
    texts = [one for one in told if isinstance(one, str)] if isinstance(told, list) else []
    return _text_or_none(choice.get("source_text")), texts


def _is_plain(choices: Any) -> bool:
    """Whether a body is dicts and lists as far as it is read; a dict may hold objects."""
    if not isinstance(choices, list):
        return False
    return all(isinstance(one, dict) and isinstance(one.get("message"), dict | None) for one in choices)


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
    choice = choices[0] if isinstance(choices[0], dict) else {}
    message = choice.get("message")
    if choice.get("error") or not isinstance(message, dict):
        what = "an error" if choice.get("error") else "no message"
        raise no_reply(f"the first choice has {what}{_stated_error(choice)}", body)
    return message, choice.get("finish_reason")


def _stated_error(holder: dict[str, Any]) -> str:
    error = holder.get("error")
    stated = error.get("message") if isinstance(error, dict) else error
    return f"; it says: {stated or error}" if error else ""


def _content(content: Any, problems: list[str]) -> str | list[Any]:
    """A message's content as text or a list of parts."""
    if isinstance(content, str | list):
        return content
    if content is None:
        return ""
    problems.append(f"content came as {type(content).__name__}, not as text")
    part = isinstance(content, Mapping) and "type" in content
    return [content] if part else codec.dumps(content, default=str).decode()


def _call_entries(message: dict[str, Any], problems: list[str]) -> list[dict[str, Any]]:
    """The message's tool calls as dicts of the wire's form; a legacy `function_call` becomes one."""
    entries = message.get("tool_calls")
    legacy = message.get("function_call")
    if not entries and isinstance(legacy, dict) and legacy.get("name"):
        problems.append("a legacy function_call was read as a tool call")
        return [{"type": "function", "function": legacy}]
    if isinstance(entries, Mapping) and entries:
        problems.append("the calls came as one object, not as a list")
        entries = [entries]
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


def fresh_ids(reply: Reply) -> list[str]:
    """The ids that `reply_from` was given for the reply's calls, in the order it asked for them."""
    try:
        entries = _call_entries(_first_choice(reply.raw)[0], [])
    except ServerError:
        return []
    pairs = zip(reply.calls, entries, strict=False)
    return [call.id for call, entry in pairs if call.id != _text_or_none(entry.get("id"))]


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
    if entry == {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}:
        return entry  # As most are; a copy of each would be a tenth of what a run takes in memory.
    extra = {
        key: value
        for key, value in entry.items()
        if key not in ("id", "index", "type", "function", "custom", "name", "arguments")
    }
    function = {"name": name, "arguments": arguments}
    if isinstance(entry.get("function"), dict):
        function = {**entry["function"], **function}
    return {"id": call_id, "type": "function", "function": function, **extra}


def _canonical(message: dict[str, Any], content: str | list[Any], entries: list[dict[str, Any]]) -> Message:
    canonical: Message = {"role": "assistant", "content": content}
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
        cached=_first(
            _number(prompt_details, "cached_tokens"),
            _number(usage, "prompt_cache_hit_tokens"),  # DeepSeek
            _number(usage, "cached_tokens"),  # Moonshot
        ),
        cost=_cost(usage),
    )


XAI_TICKS = 1e10
"""Ticks to the dollar in xAI's `cost_in_usd_ticks`."""


def _cost(usage: Mapping[str, Any]) -> float | None:
    """US dollars: OpenRouter's `cost`, the `total_cost` in Perplexity's, or xAI's ticks."""
    ticks = _number(usage, "cost_in_usd_ticks")
    in_ticks = None if ticks is None else ticks / XAI_TICKS
    cost: float | None = _first(_number(usage, "cost"), _number(usage.get("cost"), "total_cost"), in_ticks)
    return cost


def _number(holder: Any, name: str) -> Any:
    value = holder.get(name) if isinstance(holder, Mapping) else None
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _first(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)


def _text_or_none(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
