"""What a trainer learns from: the tokens of a run, which of them its model wrote, their log-probabilities, a reward.

    from hermes_nb.training import to_training

    for one in to_training(result, reward="exact"):
        one.tokens, one.masks, one.logprobs, one.reward

The shapes are Atropos's (atroposlib, envs/base.py, ScoredDataItem): -100 in `masks` and 1.0 in `logprobs` stand for
tokens that the model did not write.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hermes_nb import sequences
from hermes_nb.exceptions import ConfigurationError
from hermes_nb.records import AgentResult
from hermes_nb.sequences import MASKED, NOT_WRITTEN, Token

__all__ = ["MASKED", "NOT_WRITTEN", "TrainingSequence", "to_training"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSequence:
    """A prompt and all that followed, in equally long lists.

    `masks` has the token's id where the model wrote it, else -100; `logprobs` the natural logarithm of its probability,
    else 1.0. `reward` is the run's, None where there is none. `turns` are those whose replies are in it; empty, where
    that is not known.
    """

    tokens: list[int]
    masks: list[int]
    logprobs: list[float]
    reward: float | None = None
    run_id: str | None = None
    task: str | None = None
    attempt: int = 0
    turns: tuple[int, ...] = ()

    @property
    def written(self) -> int:
        """How many tokens the model wrote."""
        return sum(mask != MASKED for mask in self.masks)

    def __repr__(self) -> str:
        return f"TrainingSequence({len(self.tokens)} tokens · {self.written} written · reward {self.reward})"


def to_training(result: AgentResult, reward: float | str | None = None) -> list[TrainingSequence]:
    """The run as sequences to learn from: one, where every turn's prompt extends the tokens of the turn before it.

    The tokens are those that came with the replies (`ManagedServer`, `OpenAIServer(tokens=True)`); where no reply has
    any, those of `managed_state`, as Atropos's servers leave it. Of a run that goes on from another, what that one's
    model wrote is masked.

    Args:
        result: the run.
        reward: a number, or the name of a score of the result; by default its only score, and None without any.

    Warns:
        UserWarning: there is more than one sequence. The text says where which turn broke off, and what it means: what
            the model wrote before is masked in the later ones, so each token is learnt from once.

    Raises:
        ConfigurationError: there are no tokens, or not of every turn; lists are not equally long; what is not masked is
            not what the model wrote; or the reward is no number, a score that could not be told included.
    """
    worth = _reward(result, reward)
    told = sequences.read(result.turns)
    found = [_of_tokens(one) for one in told.sequences]
    if found:
        _check_replies(result, told, found)
    else:
        found = [_of_node(place, node) for place, node in enumerate(_nodes(result.managed_state))]
    if not found:
        raise ConfigurationError(
            "this run has no tokens: they come from a ManagedServer, or from an OpenAIServer(tokens=True) whose server "
            "is vLLM"
        )
    if len(found) > 1:
        causes = "; ".join(map(str, told.breaks)) or "the server's state does not say why"
        warnings.warn(
            f"{len(found)} sequences in one run: {causes}. In the later ones, what the model wrote before is masked",
            stacklevel=2,
        )
    about: dict[str, Any] = {"run_id": result.run_id, "task": result.task, "attempt": result.attempt}
    return [TrainingSequence(**one, reward=worth, **about) for one in found]


def _reward(result: AgentResult, reward: float | str | None) -> float | None:
    if reward is not None and not isinstance(reward, str):
        return _number(reward, "a reward is a finite number")
    names = [name for name in result.scores if not name.endswith(".error")]
    if reward is None and len(names) > 1:
        raise ConfigurationError(f"which score is the reward? There are {', '.join(map(repr, names))}")
    name = reward if reward is not None else next(iter(names), None)
    if name is None:
        return None
    if name not in names:
        raise ConfigurationError(f"the run has no score {name!r}; its scores: {', '.join(map(repr, names)) or 'none'}")
    reason = result.scores.get(f"{name}.error")
    return _number(result.scores[name], f"the score {name!r} is no reward{f' ({reason})' if reason else ''}")


def _number(value: Any, told: str) -> float:
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise ConfigurationError(f"{told}; got {value!r}")
    return float(value)


def _of_tokens(tokens: Sequence[Token]) -> dict[str, Any]:
    return {
        "tokens": [one.id for one in tokens],
        "masks": [one.id if one.written else MASKED for one in tokens],
        "logprobs": [one.logprob if one.written else NOT_WRITTEN for one in tokens],
        "turns": tuple(dict.fromkeys(one.turn for one in tokens if one.written)),
    }


def _check_replies(result: AgentResult, told: sequences.Tokens, found: Sequence[Mapping[str, Any]]) -> None:
    """Every turn has its tokens, each with its log-probability, and what is not masked is what the model wrote."""
    if told.silent:
        raise ConfigurationError(f"no tokens came with the reply of {_turns(told.silent)}: the run is not whole")
    if told.uneven:
        turn, tokens, logprobs = told.uneven[0]
        raise ConfigurationError(f"turn {turn}'s reply has {tokens} tokens, but {logprobs} log-probabilities")
    for one in found:
        if None in one["logprobs"]:
            raise ConfigurationError(f"a token has no log-probability, at position {one['logprobs'].index(None)}")
    written = {turn.number: ids[1] for turn in result.turns if turn.reply and (ids := sequences.ids_of(turn.reply.raw))}
    for one in found:
        own = [token for turn in one["turns"] for token in written[turn]]
        if own != [mask for mask in one["masks"] if mask != MASKED]:
            raise ConfigurationError(f"what is not masked is not what the model wrote in {_turns(one['turns'])}")


def _turns(numbers: Sequence[int]) -> str:
    return f"turn{'' if len(numbers) == 1 else 's'} {', '.join(map(str, numbers))}"


def _nodes(state: Any) -> Iterator[Any]:
    """The sequences of `{"nodes": [...]}`; of a tree, those that are not the beginning of another."""
    nodes, tree = sequences.part_of(state, "nodes"), sequences.part_of(state, "sequences")
    if isinstance(nodes, Sequence):
        yield from nodes
    elif isinstance(tree, Mapping):
        for text, node in tree.items():
            if not any(other != text and str(other).startswith(str(text)) for other in tree):
                yield node


def _of_node(place: int, node: Any) -> dict[str, Any]:
    """A node of a state that somebody else may have made."""
    names = {"tokens": "tokens", "masks": "masked_tokens", "logprobs": "logprobs"}
    lists = {name: [*(sequences.part_of(node, told) or ())] for name, told in names.items()}
    if len({len(one) for one in lists.values()}) != 1:
        told = ", ".join(f"{len(one)} {names[name]}" for name, one in lists.items())
        raise ConfigurationError(f"node {place} has lists that are not equally long: {told}")
    for at, (token, mask, logprob) in enumerate(zip(*lists.values(), strict=True)):
        if mask not in (MASKED, token) or (mask != MASKED and not logprob <= 0):
            raise ConfigurationError(
                f"node {place} is no training sequence: at position {at} token {token} has the mask {mask} and the "
                f"log-probability {logprob}"
            )
    return lists
