"""What a model read and wrote, token by token, and where the next request can go on from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hermes_nb.messages import Message
from hermes_nb.sequences import MASKED, NOT_WRITTEN


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceNode:
    """A text with its tokens, in the shape of Atropos's class of this name (atroposlib, managed_server.py).

    `tokens`, `masked_tokens` and `logprobs` are equally long. Where the model did not write the token, the mask is -100
    and the log-probability 1.0; where it did, they are the token's id and its natural logarithm of probability.
    `metadata`: `finish_reason`, the engine's word; `spans`, what each part of it is, as (start, end, kind) in tokens.
    """

    full_text: str
    tokens: list[int]
    masked_tokens: list[int]
    logprobs: list[float]
    metadata: dict[str, Any] = field(default_factory=dict)

    def grown(self, prompt: Sequence[int], written: Generated, text: str) -> SequenceNode:
        """This node, with a prompt that begins with its tokens and what the model wrote after it."""
        added = len(prompt) - len(self.tokens)
        start = len(prompt)
        spans = [*self.metadata.get("spans", ())]
        spans += [(len(self.tokens), start, "prompt")] if added else []
        spans += [(start, start + len(written.tokens), "written")]
        return SequenceNode(
            full_text=text,
            tokens=[*prompt, *written.tokens],
            masked_tokens=[*self.masked_tokens, *[MASKED] * added, *written.tokens],
            logprobs=[*self.logprobs, *[NOT_WRITTEN] * added, *written.logprobs],
            metadata={"finish_reason": written.finish_reason, "spans": spans},
        )

    def __repr__(self) -> str:
        written = sum(token != MASKED for token in self.masked_tokens)
        return f"SequenceNode({len(self.tokens)} tokens · {written} written)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated:
    """What an engine's model wrote: ids, and of each its log-probability; `finish_reason` is the engine's word.

    Raises:
        ValueError: there are not as many log-probabilities as ids.
    """

    tokens: tuple[int, ...]
    logprobs: tuple[float, ...]
    finish_reason: str | None = None

    def __post_init__(self) -> None:
        if len(self.tokens) != len(self.logprobs):
            raise ValueError(f"{len(self.tokens)} tokens, but {len(self.logprobs)} log-probabilities")


EMPTY = SequenceNode(full_text="", tokens=[], masked_tokens=[], logprobs=[])


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A node, and the conversation that it is of: `messages` as they were asked and answered; `verbatim` the same, but
    with the model's own words in place of what was read from them."""

    node: SequenceNode
    tools: tuple[Any, ...]
    messages: tuple[Message, ...] = ()
    verbatim: tuple[Message, ...] = ()

    def begins(self, messages: Sequence[Message], tools: Sequence[Any]) -> bool:
        """Whether a conversation goes on where this one is."""
        count = len(self.messages)
        return count < len(messages) and self.shared(messages) == count and list(self.tools) == list(tools)

    def shared(self, messages: Sequence[Message]) -> int:
        """How many messages both begin with."""
        pairs = zip(self.messages, messages, strict=False)
        return next((at for at, (own, other) in enumerate(pairs) if not same(own, other)), len(self.messages))

    @property
    def answered(self) -> int:
        """How many messages there are up to the model's first; all, where there is none."""
        return next((at + 1 for at, one in enumerate(self.messages) if one["role"] == "assistant"), len(self.messages))


def why_not(held: Sequence[Held], messages: Sequence[Message], tools: Sequence[Any]) -> str | None:
    """Why a request goes on from none of these; None where it does not look as if it should."""
    near = max(held, key=lambda one: one.shared(messages), default=None)
    if near is None or not near.messages:
        return None
    shared = near.shared(messages)
    changed = shared == near.answered - 1 and shared < len(messages) and messages[shared].get("role") == "assistant"
    if shared < near.answered and not changed:
        return None
    if shared < len(near.messages):
        place = min(shared, len(messages) - 1)
        return f"message {place} ({messages[place].get('role')}) is not what it was"
    return "the tools are not what they were" if list(near.tools) != list(tools) else None


def same(own: Message, other: Message) -> bool:
    """Whether two messages say the same to a model: reasoning and ids may be told or left out."""
    return _told(own) == _told(other)


def _told(message: Message) -> tuple[Any, ...]:
    calls = [call["function"] for call in message.get("tool_calls") or ()]
    content = message.get("content")
    return message["role"], "" if content is None else content, [(one["name"], one["arguments"]) for one in calls]
