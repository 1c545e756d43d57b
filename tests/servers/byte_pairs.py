"""A small byte-level BPE, trained here, and engines whose model samples other tokens than its tokenizer would make."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Sequence
from functools import cache
from itertools import pairwise
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

from hermes_nb.servers.managed import Generated

TEXT = [
    "You are a function calling AI model. What is 2 + 3? It is 5. The weather in Oslo is cold, in Turin it is warm.",
    '<tool_call>\n{"name": "add", "arguments": {"a": 2, "b": 3}}\n</tool_call>',
    '{"type": "function", "function": {"name": "add", "description": "Add two numbers.", "parameters": {}}}',
    "<tool_response>\n5\n</tool_response> system user assistant tool",
] * 4
END = "<|im_end|>"


@cache
def byte_pairs() -> Tokenizer:
    """A tokenizer as many open models have it: byte-level, with ChatML's marks as special tokens."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=[AddedToken(text, special=True, normalized=False) for text in ("<|im_start|>", END)],
    )  # fmt: skip
    tokenizer.train_from_iterator(TEXT, trainer)
    return tokenizer


def ids_of(text: str) -> list[int]:
    """The ids that the tokenizer makes of a text."""
    return list(byte_pairs().encode(text, add_special_tokens=False).ids)


def sampled(text: str, cuts: Iterable[int] = ()) -> list[int]:
    """Ids that decode to the text, cut at these places of its UTF-8: other ones than the tokenizer's, most often."""
    raw = text.encode()
    places = sorted({0, len(raw), *(one for one in cuts if 0 < one < len(raw))})
    return [token for start, end in pairwise(places) for token in _ids_of_bytes(raw[start:end])]


def _ids_of_bytes(raw: bytes) -> list[int]:
    try:
        return ids_of(raw.decode())
    except UnicodeDecodeError:  # Part of a character: a token for each of its bytes.
        return [_byte_tokens()[one] for one in raw]


@cache
def _byte_tokens() -> dict[int, int]:
    """The id of each byte's own token (GPT-2's table: printable bytes stand for themselves, the others from U+0100)."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [one for one in range(256) if one not in printable]
    letters = {one: chr(one) for one in printable} | {one: chr(256 + at) for at, one in enumerate(others)}
    return {one: byte_pairs().token_to_id(letter) for one, letter in letters.items()}


class Sampling:
    """An engine that writes these replies, each a list of ids, one a request. `prompts` are what it was asked."""

    def __init__(self, *replies: Sequence[int], finish_reason: str = "stop") -> None:
        self.replies, self.finish_reason = [list(one) for one in replies], finish_reason
        self.prompts, self.asked = list[list[int]](), list[dict[str, Any]]()

    def next(self, prompt: Sequence[int], sampling: dict[str, Any]) -> Generated:
        """The next reply, each token with a log-probability of its own."""
        self.prompts.append(list(prompt))
        self.asked.append(sampling)
        ids = self.replies.pop(0)
        return Generated(tokens=tuple(ids), logprobs=logprobs_of(ids), finish_reason=self.finish_reason)

    async def generate(self, prompt: Sequence[int], *, text: str, **sampling: Any) -> Generated:
        """The next reply, in one piece."""
        await asyncio.sleep(0)
        return self.next(prompt, sampling)


class Streaming(Sampling):
    """The same, token by token."""

    async def stream(self, prompt: Sequence[int], *, text: str, **sampling: Any) -> AsyncIterator[Generated]:
        """The next reply, and how it ended with its last token."""
        whole = self.next(prompt, sampling)
        if not whole.tokens:
            yield whole
        for at, (token, logprob) in enumerate(zip(whole.tokens, whole.logprobs, strict=True), 1):
            await asyncio.sleep(0)
            last = whole.finish_reason if at == len(whole.tokens) else None
            yield Generated(tokens=(token,), logprobs=(logprob,), finish_reason=last)


def logprobs_of(ids: Sequence[int]) -> tuple[float, ...]:
    """A log-probability for each of the ids that tells it from the others."""
    return tuple(-(token + 1) / 1024 for token in ids)


def call_text(**arguments: Any) -> str:
    """A call of `add` as a Hermes model writes it, though not as a template would."""
    return f'<tool_call>\n{{"name": "add",  "arguments": {json.dumps(arguments)} }}\n</tool_call>'


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b
