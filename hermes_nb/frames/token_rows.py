"""The rows of a run's tokens: of a managed server's state, or else of its replies' log-probabilities."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hermes_nb.frames.plain import Entry, PlainRun
from hermes_nb.frames.values import number, text, whole

UNTRAINED = -100
"""What stands in a mask for a token that training learns nothing from."""


def tokens(run: PlainRun) -> list[tuple[Any, ...]]:
    """One row a token."""
    nodes = _nodes(run.managed_state)
    if nodes:
        return [row for place, node in enumerate(nodes) for row in _of_node(run.key, place, node)]
    return [row for turn in run.turns if turn.reply for row in _of_reply(run.key, turn.number, turn.reply)]


def _nodes(state: Any) -> Sequence[Any]:
    """The sequences of `{"nodes": [...]}`, or of the tree form, `{"sequences": {text: node}}`."""
    nodes = _field(state, "nodes")
    sequences = _field(state, "sequences")
    if isinstance(nodes, Sequence):
        return nodes
    return list(sequences.values()) if isinstance(sequences, Mapping) else []


def _field(holder: Any, name: str) -> Any:
    return holder.get(name) if isinstance(holder, Mapping) else getattr(holder, name, None)


def _of_node(key: str, place: int, node: Any) -> Iterator[tuple[Any, ...]]:
    ids, masks, logprobs = ([*(_field(node, name) or ())] for name in ("tokens", "masked_tokens", "logprobs"))
    for position, token in enumerate(ids):
        mask = masks[position] if position < len(masks) else None
        trained = None if mask is None else mask != UNTRAINED
        told = logprobs[position] if trained is not False and position < len(logprobs) else None
        yield key, None, place, position, whole(token), None, number(told), trained, None, None


def _of_reply(key: str, turn: int, reply: Entry) -> Iterator[tuple[Any, ...]]:
    for position, token in enumerate(_told(reply.get("raw"))):
        if isinstance(token, Mapping):
            told = number(token.get("logprob"))
            yield key, turn, None, position, None, text(token.get("token")), told, True, "assistant", "content"


def _told(raw: Any) -> Sequence[Any]:
    """`choices[0].logprobs.content` of a chat completion's body."""
    found = raw
    for step in ("choices", 0, "logprobs", "content"):
        if isinstance(step, int):
            found = found[0] if isinstance(found, list) and found else None
        else:
            found = found.get(step) if isinstance(found, Mapping) else None
    return found if isinstance(found, list) else []
