"""A scripted reply in OpenAI's wire format: POST /v1/chat/completions, its chunks when streamed, and its errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hermes_nb import codec
from hermes_nb.servers.scripted.script import Scripted, Usage

CREATED = 1767225600
"""The first second of 2026: when everything scripted was made."""

JSON = "application/json"
EVENTS = "text/event-stream; charset=utf-8"
PIECEMEAL = ("reasoning_content", "reasoning", "thinking", "content", "refusal")
"""The fields of a message that are streamed in pieces; all others come whole, with the role."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What goes over the wire. `length` is the body's length where it is sent as a whole, None where it is chunked;
    `cut`: the connection is dropped after `pieces`, which are not all of the body."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    pieces: Sequence[bytes] = ()
    length: int | None = None
    cut: bool = False
    delay: float = 0.0
    chunk_delay: float = 0.0

    @property
    def content(self) -> bytes:
        """The body, as far as it is sent."""
        return b"".join(self.pieces)


def answer(said: Scripted, request: Mapping[str, Any], *, model: str, number: int, streamed: bool) -> Answer:
    """The answer to a request, the `number`th of the server; the model's name is the one asked for, else `model`."""
    status, kind, pieces = _body(said, request, model, number, streamed)
    given = {name.lower(): value for name, value in said.headers.items()}
    whole = len(pieces) == 1 and kind != EVENTS
    length = len(pieces[0]) if whole else None
    kept = pieces if said.cut_at is None else _until(said.cut_at, pieces)
    return Answer(
        status=status,
        headers={"content-type": kind, "x-request-id": f"req_{number}", **given},
        pieces=kept,
        length=length,
        cut=sum(map(len, kept)) < sum(map(len, pieces)),
        delay=said.delay,
        chunk_delay=said.chunk_delay,
    )


def _body(
    said: Scripted, request: Mapping[str, Any], model: str, number: int, streamed: bool
) -> tuple[int, str, Sequence[bytes]]:
    """Status, content type, and the body in pieces."""
    if said.error is not None:
        return 500, JSON, [error_body(500, str(said.error), type(said.error).__name__)]
    if said.body is None and said.status >= 400:
        return said.status, JSON, [error_body(said.status, said.text or "an error that was scripted", said.code)]
    if said.body is not None and not isinstance(said.body, Mapping):
        body = said.body.encode() if isinstance(said.body, str) else said.body
        return said.status, JSON, [body] if isinstance(body, bytes) else body
    whole = said.body or completion(said, request, model=model, number=number)
    if not streamed or not whole.get("choices"):
        return said.status, JSON, [codec.dumps(whole)]
    counted = bool((request.get("stream_options") or {}).get("include_usage"))
    events = [codec.dumps(chunk) for chunk in chunks(whole, said.chunk_size, with_usage=counted)]
    return said.status, EVENTS, [b"data: " + event + b"\n\n" for event in [*events, b"[DONE]"]]


def error_body(status: int, message: str, code: str | None = None) -> bytes:
    """An error in OpenAI's form."""
    kind = "server_error" if status >= 500 else "invalid_request_error"
    return codec.dumps({"error": {"message": message, "type": kind, "param": None, "code": code}})


def completion(said: Scripted, request: Mapping[str, Any], *, model: str, number: int) -> dict[str, Any]:
    """The body of a chat completion."""
    message = _message(said, request)
    choice = {
        "index": 0,
        "message": message,
        "logprobs": None,
        "finish_reason": said.finish_reason or ("tool_calls" if message.get("tool_calls") else "stop"),
    }
    usage = _usage(said.usage, request, message)
    return {
        "id": said.id or f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": CREATED,
        "model": said.model or request.get("model") or model,
        "choices": [choice],
        **({"usage": usage} if usage else {}),
        "system_fingerprint": None,
    }


def _message(said: Scripted, request: Mapping[str, Any]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": said.text, "refusal": said.refusal}
    if said.message is not None:
        message = {"role": "assistant", **said.message}
    if said.reasoning is not None:
        message["reasoning_content"] = said.reasoning
    calls = said.calls or message.get("tool_calls")
    if calls and isinstance(calls, Sequence):
        before = sum(len(one.get("tool_calls") or ()) for one in request.get("messages") or () if isinstance(one, dict))
        message["tool_calls"] = [
            {"id": f"call_{before + place}", **one} if isinstance(one, Mapping) else one
            for place, one in enumerate(calls, 1)
        ]
    return message


def _usage(usage: Usage, request: Mapping[str, Any], message: Mapping[str, Any]) -> Mapping[str, Any] | None:
    if usage is None or isinstance(usage, Mapping):
        return usage
    prompt, answered = (len(codec.dumps(part, default=repr)) // 4 for part in (request.get("messages"), message))
    return {"prompt_tokens": prompt, "completion_tokens": answered, "total_tokens": prompt + answered}


def chunks(body: Mapping[str, Any], size: int, *, with_usage: bool) -> Iterator[dict[str, Any]]:
    """The chunks a completion is streamed in: the role, then pieces of `size` characters, then how it finished."""
    head = {name: value for name, value in body.items() if name not in ("choices", "usage", "object")}
    head = {"object": "chat.completion.chunk", **head}
    unknown = {"usage": None} if with_usage else {}
    for choice in body["choices"]:
        known = {"index": choice.get("index", 0), "logprobs": choice.get("logprobs"), "finish_reason": None}
        for delta in _deltas(choice.get("message") or {}, max(size, 1)):
            yield {**head, "choices": [{**known, "delta": delta}], **unknown}
        last = {**known, "delta": {}, "finish_reason": choice.get("finish_reason")}
        yield {**head, "choices": [last], **unknown}
    if with_usage and body.get("usage"):
        yield {**head, "choices": [], "usage": body["usage"]}


def _deltas(message: Mapping[str, Any], size: int) -> Iterator[dict[str, Any]]:
    piecemeal = {name: message[name] for name in PIECEMEAL if isinstance(message.get(name), str)}
    whole = {name: value for name, value in message.items() if name not in piecemeal and name != "tool_calls"}
    yield {**whole, **({"content": ""} if "content" in piecemeal else {})}
    for name, text in piecemeal.items():
        for piece in _cut(text, size):
            yield {name: piece}
    for index, entry in enumerate(message.get("tool_calls") or ()):
        yield from _call_deltas(index, entry, size)


def _call_deltas(index: int, entry: Any, size: int) -> Iterator[dict[str, Any]]:
    """One call: who is called first, then the arguments in pieces; arguments that are no text come whole."""
    function = entry.get("function") if isinstance(entry, Mapping) else None
    arguments = function.get("arguments") if isinstance(function, Mapping) else None
    if not isinstance(arguments, str):
        yield {"tool_calls": [{"index": index, **entry}]}
        return
    yield {"tool_calls": [{"index": index, **entry, "function": {**entry["function"], "arguments": ""}}]}
    for piece in _cut(arguments, size):
        yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}


def _cut(text: str, size: int) -> Iterator[str]:
    return (text[start : start + size] for start in range(0, len(text), size))


def _until(end: int, pieces: Sequence[bytes]) -> list[bytes]:
    """The pieces up to that many bytes."""
    kept = []
    for piece in pieces:
        if end > 0:
            kept.append(piece[:end])
        end -= len(piece)
    return kept
