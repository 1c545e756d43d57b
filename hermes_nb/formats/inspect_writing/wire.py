"""Parts of results in Inspect's words: messages, calls, errors, usage, events."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from hermes_nb.formats.base import mapping
from hermes_nb.messages import Message, is_thinking, reasoning_of, text_of
from hermes_nb.records import AgentResult, Reply, ToolCall, ToolError, ToolResult, Usage

STOPS = {"stop": "stop", "length": "max_tokens", "tool_calls": "tool_calls", "content_filter": "content_filter"}

TYPES = {"bad_json": "parsing", "bad_arguments": "parsing", "unknown_tool": "parsing", "timeout": "timeout",
         "cancelled": "cancelled", "rejected": "approval"}  # fmt: skip
EXCEPTIONS = {"PermissionError": "permission", "FileNotFoundError": "file_not_found",
              "IsADirectoryError": "is_a_directory", "UnicodeDecodeError": "unicode_decode"}  # fmt: skip
"""Inspect's types of errors, by our kinds, and by the exceptions of the kind `exception`."""


def messages(result: AgentResult) -> list[dict[str, Any]]:
    """The messages of a result; each has an id of its own."""
    replies = {id(turn.reply.message): turn.reply for turn in result.turns if turn.reply}
    by_text = [turn.reply for turn in result.turns if turn.reply]
    answers = {one.call.id: one for one in result.results}
    messages = []
    for index, message in enumerate(result.messages):
        reply = replies.get(id(message)) or next((one for one in by_text if one.message == message), None)
        told = _message(message, reply, answers.get(str(message.get("tool_call_id"))))
        messages.append({"id": f"{result.run_id or 'run'}-{index}", **told})
    return messages


def _message(message: Message, reply: Reply | None, answer: ToolResult | None) -> dict[str, Any]:
    match message.get("role"):
        case "assistant":
            return _said(message, reply)
        case "tool":
            call_id = message.get("tool_call_id")
            told = {"role": "tool", "content": _content(message), "tool_call_id": call_id or None}
            name = answer.call.name if answer else message.get("name")
            error = {"error": _error(answer.error)} if answer and answer.error else {}
            return {**told, **({"function": name} if name else {}), **error}
        case "system" | "developer":
            return {"role": "system", "content": _content(message), "source": "input"}
    return {"role": "user", "content": _content(message), "source": "input"}


def _said(message: Message, reply: Reply | None) -> dict[str, Any]:
    thought = reasoning_of(message)
    content = _content(message)
    if thought:
        rest = content if isinstance(content, list) else [{"type": "text", "text": content}] if content else []
        content = [{"type": "reasoning", "reasoning": thought}, *rest]
    told: dict[str, Any] = {"role": "assistant", "content": content, "source": "generate" if reply else "input"}
    calls = _given_calls(message) if reply is None else reply.calls
    if calls:
        told["tool_calls"] = [_call(call) for call in calls]
    if reply is not None and reply.model:
        told["model"] = reply.model
    return told


def _given_calls(message: Message) -> list[ToolCall]:
    """The calls in a message that no model was asked for."""
    entries = [(mapping(entry), mapping(mapping(entry).get("function"))) for entry in message.get("tool_calls") or ()]
    return [
        ToolCall(name=str(function.get("name")), arguments=str(function.get("arguments")), id=str(entry.get("id")))
        for entry, function in entries
    ]


def _call(call: ToolCall) -> dict[str, Any]:
    whole = isinstance(call.parsed, dict)
    told = {"id": call.id, "function": call.name, "arguments": call.parsed if whole else {}, "type": "function"}
    if not whole:
        told["parse_error"] = f"{call.problem or 'the arguments are no object'}: {call.arguments}"
    return told


def _content(message: Message) -> str | list[dict[str, Any]]:
    content = message.get("content")
    if not isinstance(content, list):
        return text_of(content)
    return [part for given in content if not is_thinking(given) and (part := part_of(given))]


def part_of(part: Any) -> dict[str, Any] | None:
    """A part of a message's content; None where Inspect has none like it."""
    if text := text_of([part]):
        return {"type": "text", "text": text}
    image = mapping(mapping(part).get("image_url"))
    if isinstance(image.get("url"), str):
        return {"type": "image", "image": image["url"]}
    return None


def _error(error: ToolError) -> dict[str, str]:
    known = EXCEPTIONS.get(error.exception_type or "") or TYPES.get(error.kind, "unknown")
    return {"type": known, "message": error.error}


def usage_of(usage: Usage) -> dict[str, Any] | None:
    """The counts as Inspect has them: `input_tokens` are those that did not come from the cache. None: unknown."""
    if usage.prompt is None and usage.completion is None and usage.total is None:
        return None
    prompt, completion, cached = usage.prompt or 0, usage.completion or 0, usage.cached
    told = {
        "input_tokens": max(prompt - (cached or 0), 0),
        "output_tokens": completion,
        "total_tokens": prompt + completion if usage.total is None else usage.total,
    }
    extra = {"input_tokens_cache_read": cached, "reasoning_tokens": usage.reasoning, "total_cost": usage.cost}
    return {**told, **{name: value for name, value in extra.items() if value is not None}}


def output(reply: Reply, model: str, message: dict[str, Any]) -> dict[str, Any]:
    """What a model answered; `message` is the answer in Inspect's words."""
    stop = STOPS.get(reply.finish_reason or "", "unknown")
    told = {
        "model": reply.model or model,
        "choices": [{"message": message, "stop_reason": stop}],
        "time": reply.seconds,
    }
    usage = usage_of(reply.usage)
    return {**told, "usage": usage} if usage else told


def events(result: AgentResult, told: list[dict[str, Any]], began: datetime, model: str) -> Iterator[dict[str, Any]]:
    """The model's replies and the tools' answers, turn by turn; `told` are the messages in Inspect's words.

    The input of a model event is the messages since the reply before it, and not again those before that: Inspect's
    data frames put them together, and a long run does not take the square of its length.
    """
    heard = 0
    for turn in result.turns:
        if turn.reply is not None:
            place = _place(turn.reply, result.messages, heard)
            said = _said(turn.reply.message, turn.reply) if place is None else told[place]
            yield {
                **_when("model", began, turn.at, turn.reply.seconds),
                "model": turn.reply.model or model,
                "input": told[heard : heard if place is None else place],
                "tools": [],
                "tool_choice": "auto",
                "config": {},
                "output": output(turn.reply, model, said),
                "retries": turn.reply.retries,
            }
            heard = heard if place is None else place + 1
        for one in turn.results:
            yield _tool_event(one, began)


def _place(reply: Reply, messages: list[Message], start: int) -> int | None:
    """Where the reply's message is, from `start` on; None for one that was cut short before it said anything."""
    return next((place for place in range(start, len(messages)) if messages[place] == reply.message), None)


def _tool_event(one: ToolResult, began: datetime) -> dict[str, Any]:
    event = {
        **_when("tool", began, one.started, one.seconds),
        "type": "function",
        "id": one.call.id,
        "function": one.call.name,
        "arguments": one.call.parsed if isinstance(one.call.parsed, dict) else {},
        "result": one.content,
        "events": [],
    }
    return {**event, "error": _error(one.error)} if one.error else event


def _when(kind: str, began: datetime, at: float, seconds: float) -> dict[str, Any]:
    start = began + timedelta(seconds=at)
    return {
        "timestamp": time_of(start), "working_start": at, "event": kind,
        "completed": time_of(start + timedelta(seconds=seconds)), "working_time": seconds,
    }  # fmt: skip


def is_score(value: Any) -> bool:
    """Whether a score may have this value."""
    return isinstance(value, str | int | float | list | dict)


def time_of(moment: datetime) -> str:
    """A moment as text."""
    return moment.isoformat()
