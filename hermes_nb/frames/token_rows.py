"""The rows of a run's tokens: of the records that came with its replies, else of a managed server's state, else of the
replies' log-probabilities."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hermes_nb import sequences
from hermes_nb.frames.plain import PlainRun
from hermes_nb.frames.values import number, text, whole


def tokens(run: PlainRun) -> list[tuple[Any, ...]]:
    """One row a token."""
    found = sequences.read(run.turns)
    nodes = () if found.sequences else nodes_of(run.facts.managed_state)
    if nodes:
        return [row for place, node in enumerate(nodes) for row in _of_node(run.key, place, node)]
    told = [
        (
            run.key,
            one.turn,
            place,
            position,
            one.id,
            text(one.text),
            number(one.logprob),
            one.written,
            one.role,
            one.kind,
        )
        for place, sequence in enumerate(found.sequences)
        for position, one in enumerate(sequence)
    ]
    silent = [turn for turn in run.turns if turn.reply and sequences.ids_of(turn.reply.raw) is None]
    return told + [row for turn in silent if turn.reply for row in _of_reply(run.key, turn.number, turn.reply.raw)]


def nodes_of(state: Any) -> Sequence[Any]:
    """The sequences of `{"nodes": [...]}`, or of the tree form, `{"sequences": {text: node}}`."""
    nodes = sequences.part_of(state, "nodes")
    found = sequences.part_of(state, "sequences")
    if isinstance(nodes, Sequence):
        return nodes
    return list(found.values()) if isinstance(found, Mapping) else []


def _of_node(key: str, place: int, node: Any) -> Iterator[tuple[Any, ...]]:
    names = ("tokens", "masked_tokens", "logprobs")
    ids, masks, logprobs = ([*(sequences.part_of(node, name) or ())] for name in names)
    for position, token in enumerate(ids):
        mask = masks[position] if position < len(masks) else None
        trained = None if mask is None else mask != sequences.MASKED
        told = logprobs[position] if trained is not False and position < len(logprobs) else None
        yield key, None, place, position, whole(token), None, number(told), trained, None, None


def _of_reply(key: str, turn: int, raw: Any) -> Iterator[tuple[Any, ...]]:
    for position, token in enumerate(sequences.told_of(raw)):
        if isinstance(token, Mapping):
            told = number(token.get("logprob"))
            yield key, turn, None, position, None, text(token.get("token")), told, True, "assistant", "content"
