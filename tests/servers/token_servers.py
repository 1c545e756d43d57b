"""vLLM's and SGLang's token APIs on a real socket, over replies as lists of ids; and vLLM's chat with tokens."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from hermes_nb.servers.scripted.listener import Received, listen
from hermes_nb.servers.scripted.wire import Answer
from tests.servers.byte_pairs import byte_pairs, logprobs_of

EVENTS = "text/event-stream"


class TokenServer:
    """Answers POST /v1/completions and POST /generate with these replies, one a request. `bodies` are what it got."""

    def __init__(self, *replies: Sequence[int], finish_reason: str = "stop", named: bool = False) -> None:
        self.replies, self.finish_reason, self.named = [list(one) for one in replies], finish_reason, named
        self.bodies: list[dict[str, Any]] = []

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[str]:
        """The address, without /v1."""
        async with listen(self._respond) as url:
            yield url

    async def _respond(self, received: Received) -> Answer:
        body = json.loads(received.body)
        self.bodies.append(body)
        ids = self.replies.pop(0)
        if received.path == "/generate":
            return said(self._generated(ids))
        if not body.get("stream"):
            return said({"choices": [self._choice(ids, self.finish_reason)]})
        chunks = [{"choices": [self._choice([one], None)]} for one in ids]
        last = {"choices": [{"index": 0, "text": "", "logprobs": None, "finish_reason": self.finish_reason}]}
        lines = [f"data: {json.dumps(one)}\n\n".encode() for one in [*chunks, last]]
        return Answer(pieces=[*lines, b"data: [DONE]\n\n"], headers={"content-type": EVENTS})

    def _choice(self, ids: Sequence[int], word: str | None) -> dict[str, Any]:
        logprobs = {"tokens": [f"token_id:{one}" for one in ids], "token_logprobs": list(logprobs_of(ids))}
        told = {} if self.named else {"token_ids": list(ids)}
        text = byte_pairs().decode(list(ids), skip_special_tokens=False)
        return {"index": 0, "text": text, "logprobs": logprobs, "finish_reason": word, **told}

    def _generated(self, ids: Sequence[int]) -> dict[str, Any]:
        rows = [[logprob, token, None] for token, logprob in zip(ids, logprobs_of(ids), strict=True)]
        text = byte_pairs().decode(list(ids), skip_special_tokens=False)
        return {
            "text": text,
            "meta_info": {"output_token_logprobs": rows, "finish_reason": {"type": self.finish_reason}},
        }


def said(body: Mapping[str, Any]) -> Answer:
    """One body of JSON."""
    content = json.dumps(body).encode()
    return Answer(pieces=[content], length=len(content), headers={"content-type": "application/json"})


class Atropos:
    """Atropos's method and nothing else (atroposlib, server_handling/server_baseline.py)."""

    def __init__(self, *replies: Sequence[int], finish_reason: str = "stop") -> None:
        self.replies, self.finish_reason = [list(one) for one in replies], finish_reason
        self.bodies: list[dict[str, Any]] = []

    async def tokens_and_logprobs_completion(self, **asked: Any) -> tuple[Any, ...]:
        """(the prompt's ids, and of each reply its ids, its log-probabilities and how it ended)"""
        self.bodies.append(asked)
        ids = self.replies.pop(0)
        return asked["input_ids"], [ids], [list(logprobs_of(ids))], [self.finish_reason]


def vllm_chat(
    text: str, ids: Sequence[int], prompt: Sequence[int], **message: Any
) -> dict[str, Any]:  # (vllm, entrypoints/openai/chat_completion/protocol.py)
    """The body of vLLM's /v1/chat/completions for `logprobs` and `return_token_ids`."""
    content = [
        {"token": byte_pairs().decode([one], skip_special_tokens=False), "logprob": logprob, "bytes": None,
         "top_logprobs": []}
        for one, logprob in zip(ids, logprobs_of(ids), strict=True)
    ]  # fmt: skip
    choice = {
        "index": 0, "message": {"role": "assistant", "content": text, **message}, "logprobs": {"content": content},
        "finish_reason": "tool_calls" if message.get("tool_calls") else "stop", "stop_reason": None,
        "token_ids": list(ids),
    }  # fmt: skip
    usage = {"prompt_tokens": len(prompt), "completion_tokens": len(ids), "total_tokens": len(prompt) + len(ids)}
    return {
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice],
        "usage": usage, "prompt_logprobs": None, "prompt_token_ids": list(prompt),
    }  # fmt: skip


def vllm_chunks(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The same as a stream: the prompt's ids with the first chunk, those of the reply as they are written."""
    [choice] = body["choices"]
    message = {**choice["message"]}
    calls = [{"index": at, **one} for at, one in enumerate(message.pop("tool_calls", ()))]
    told = choice["logprobs"]["content"]
    first = {"index": 0, "delta": {"role": "assistant", "content": ""}, "logprobs": None, "finish_reason": None}
    parts = [
        {"index": 0, "delta": {}, "logprobs": {"content": [one]}, "token_ids": [token], "finish_reason": None}
        for token, one in zip(choice["token_ids"], told, strict=True)
    ]
    rest = {"tool_calls": calls} if calls else {}
    last = {"index": 0, "delta": {"content": message["content"], **rest}, "finish_reason": choice["finish_reason"]}
    chunks = [[first], *([one] for one in parts), [last]]
    made = [{"id": "c", "object": "chat.completion.chunk", "model": "m", "choices": one} for one in chunks]
    made[0]["prompt_token_ids"] = body["prompt_token_ids"]
    return [*made, {"id": "c", "object": "chat.completion.chunk", "choices": [], "usage": body["usage"]}]
