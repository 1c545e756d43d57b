"""Where servers differ in what they want to be sent, as far as a server's address and a model's name tell."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

OPENAI_HOSTS = re.compile(r"(.+\.)?api\.openai\.com|.+\.(openai|services\.ai|cognitiveservices)\.azure\.com")
REASONING_MODELS = re.compile(r"(ft:)?(o\d|gpt-[5-9])")
"""Models of OpenAI's that refuse `max_tokens` and want `max_completion_tokens`: the o series, and gpt-5 and later."""

WITH_TOKENS: dict[str, Any] = {"logprobs": True, "return_token_ids": True}
"""What asks vLLM's chat completions for tokens (vllm, entrypoints/openai/chat_completion/protocol.py)."""


def wants_max_completion_tokens(model: str, base_url: str) -> bool:
    """Whether `max_tokens` goes by the name of `max_completion_tokens` there."""
    host = urlsplit(base_url).hostname or ""
    return bool(OPENAI_HOSTS.fullmatch(host) and REASONING_MODELS.match(model))
