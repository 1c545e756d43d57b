"""A context that is full is an ending of its own, in whatever words a server says so."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hermes_nb import HermesAgentLoop, OpenAIServer, ScriptedServer
from hermes_nb.servers import Scripted

OVERFLOWS: dict[str, dict[str, Any]] = {
    "OpenAI": {
        "error": {
            "message": "This model's maximum context length is 8192 tokens. However, your messages resulted in 9001.",
            "type": "invalid_request_error",
            "param": "messages",
            "code": "context_length_exceeded",
        }
    },
    "vLLM": {
        "object": "error",
        "message": "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens.",
        "type": "BadRequestError",
        "code": 400,
    },
    "llama.cpp": {
        "error": {
            "code": 400,
            "message": "the request exceeds the available context size. try increasing the context size",
            "type": "exceed_context_size_error",
        }
    },
}


@pytest.mark.parametrize("said", OVERFLOWS.values(), ids=OVERFLOWS)
@pytest.mark.parametrize("stream", [False, True])
async def test_F20_a_full_context_is_recognised_and_asked_once(said: dict[str, Any], stream: bool) -> None:
    scripted = ScriptedServer([Scripted(status=400, body=json.dumps(said).encode())])
    async with scripted.serve() as base_url:
        server = OpenAIServer("m", base_url=base_url)
        result = await HermesAgentLoop(server).run("a very long story", stream=stream)
        await server.close()
    assert (result.stop_reason, len(scripted.requests)) == ("context_overflow", 1)
    assert result.error is not None
    assert result.error.code == "context_length_exceeded"
    assert result.error.hint


@pytest.mark.parametrize("message", ["max_tokens must be at least 1", "maximum context is not a field", "rate limit"])
async def test_F20_another_refusal_is_none(message: str) -> None:
    body = json.dumps({"error": {"message": message, "type": "invalid_request_error"}}).encode()
    async with ScriptedServer([Scripted(status=400, body=body)]).serve() as base_url:
        server = OpenAIServer("m", base_url=base_url)
        result = await HermesAgentLoop(server).run("?")
        await server.close()
    assert result.stop_reason == "server_error"
