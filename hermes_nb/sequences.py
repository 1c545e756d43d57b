"""What the models of a run read and wrote, token by token: put together from the records that came with its replies.

A reply has such a record where its body holds `prompt_token_ids`, and its choice `token_ids` and the log-probabilities
in `logprobs.content`: vLLM's answer to `return_token_ids` and `logprobs` (vllm, chat_completion/protocol.py), and
ManagedServer's own. That also says of the tokens that its prompt added, in `prompt_tail`, what they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, NamedTuple, Protocol

from hermes_nb.messages import reasoning_of, text_of

OBJECT = (dict, Mapping)
"""An object of JSON; almost all are dicts, which are told at once."""

MASKED = -100
"""Stands for a token that the model did not write, in a sequence's masks."""

NOT_WRITTEN = 1.0
"""Stands for the log-probability of a token that the model did not write: no real one is above zero."""


class Told(Protocol):
    """What is read of a turn."""

    @property
    def number(self) -> int:
        """Which turn it is."""

    @property
    def reply(self) -> Any:
        """Its Reply, or None."""


class Token(NamedTuple):
    """One token. What is not known is None.

    `written`: the model wrote it; `logprob` is known of no other. `role` is whose words it is in or leads up to; `kind`
    is template, content, reasoning or call.
    """

    id: int
    turn: int
    written: bool
    logprob: float | None = None
    text: str | None = None
    role: str | None = None
    kind: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """Where a turn's prompt stops extending the tokens of the turn before it.

    `position` is the first token, from 0, that differs; `own` is its id in what was there before, `other` in the
    prompt: None where the prompt ends before it.
    """

    turn: int
    before: int
    position: int
    own: int
    other: int | None

    def __str__(self) -> str:
        became = "is not there" if self.other is None else f"became {self.other}"
        return (
            f"turn {self.turn}'s prompt stops extending turn {self.before}'s tokens at position {self.position}: "
            f"token {self.own} {became}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """All tokens of a run: `sequences`, each a prompt and what followed, in the order in which they began.

    `breaks` says why there is more than one. `silent` are the turns whose whole replies came without a record of their
    tokens; `uneven` those with another number of log-probabilities than of tokens, as (turn, tokens,
    log-probabilities). A reply that was cut short has no record, and is none of them: what there is of it is part of
    the next prompt.
    """

    sequences: tuple[list[Token], ...] = ()
    breaks: tuple[Break, ...] = ()
    silent: tuple[int, ...] = ()
    uneven: tuple[tuple[int, int, int], ...] = ()

    def __repr__(self) -> str:
        return f"Tokens({len(self.sequences)} sequences · {sum(map(len, self.sequences))} tokens)"


@dataclass(slots=True)
class _Gathered:
    sequences: list[list[Token]] = field(default_factory=list)
    ids: list[list[int]] = field(default_factory=list)
    breaks: list[Break] = field(default_factory=list)

    def place(self, turn: int, prompt: list[int]) -> int:
        """Which sequence the prompt goes on with: a new one where it extends none."""
        fitting = [at for at, own in enumerate(self.ids) if prompt[: len(own)] == own]
        if fitting:
            return max(fitting, key=lambda at: len(self.ids[at]))
        if self.ids:
            before, own = self.sequences[-1][-1].turn, self.ids[-1]
            at = next((at for at, (one, other) in enumerate(zip(own, prompt, strict=False)) if one != other), None)
            at = min(len(own), len(prompt)) if at is None else at
            other = prompt[at] if at < len(prompt) else None
            self.breaks.append(Break(turn=turn, before=before, position=at, own=own[at], other=other))
        self.sequences.append([])
        self.ids.append([])
        return len(self.ids) - 1


def read(turns: Iterable[Told]) -> Tokens:
    """The tokens of these turns, as far as their replies tell them."""
    gathered, silent, uneven = _Gathered(), list[int](), list[tuple[int, int, int]]()
    for turn in turns:
        reply = turn.reply
        raw = getattr(reply, "raw", None)
        ids = ids_of(raw)
        if ids is None or not isinstance(raw, Mapping):
            if reply is not None and not getattr(reply, "partial", False):
                silent.append(turn.number)
            continue
        prompt, written = ids
        told = [one for one in told_of(raw) if isinstance(one, Mapping)]
        if len(told) != len(written):
            uneven.append((turn.number, len(written), len(told)))
            told = []
        place = gathered.place(turn.number, prompt)
        start = len(gathered.ids[place])
        gathered.sequences[place] += _given(turn.number, prompt, start, raw.get("prompt_tail"))
        gathered.sequences[place] += _written(turn.number, written, told, raw["choices"][0])
        gathered.ids[place] = [*prompt, *written]
    found = tuple(one for one in gathered.sequences if one)
    return Tokens(sequences=found, breaks=tuple(gathered.breaks), silent=tuple(silent), uneven=tuple(uneven))


def ids_of(raw: Any) -> tuple[list[int], list[int]] | None:
    """The ids of a reply's prompt, and of what was written, in its body; None where they are not there."""
    choice = _choice(raw)
    prompt, written = (raw.get("prompt_token_ids"), choice.get("token_ids")) if choice else (None, None)
    if not isinstance(prompt, list) or not isinstance(written, list):
        return None
    return (prompt, written) if all(type(one) is int for one in (*prompt, *written)) else None


def tells(raw: Any) -> bool:
    """Whether a reply's body may say something of its tokens, by one look at it."""
    choice = _choice(raw)
    return choice is not None and (choice.get("token_ids") is not None or choice.get("logprobs") is not None)


def part_of(holder: Any, name: str) -> Any:
    """A part of a server's state, or of a node of it: a mapping or an object. None where it is not there."""
    return holder.get(name) if isinstance(holder, Mapping) else getattr(holder, name, None)


def told_of(raw: Any) -> list[Any]:
    """What a body says of each token that was written: `choices[0].logprobs.content`."""
    logprobs = (_choice(raw) or {}).get("logprobs")
    content = logprobs.get("content") if isinstance(logprobs, Mapping) else None
    return content if isinstance(content, list) else []


def _choice(raw: Any) -> Mapping[str, Any] | None:
    choices = raw.get("choices") if isinstance(raw, OBJECT) else None
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, OBJECT) else None


def _given(turn: int, prompt: list[int], start: int, tail: Any) -> Iterator[Token]:
    """The tokens that a prompt added; `tail` says what they are: `texts` from the token `start` on, and `spans`."""
    tail = tail if isinstance(tail, Mapping) else {}
    first, texts = tail.get("start"), tail.get("texts")
    if type(first) is not int or not isinstance(texts, list):
        first, texts = 0, []
    kinds = _spread(tail.get("spans"), len(prompt))
    for place in range(start, len(prompt)):
        text = _text(texts[place - first]) if 0 <= place - first < len(texts) else None
        role, kind = kinds[place]
        yield Token(prompt[place], turn, False, None, text, role, kind)


def _written(turn: int, ids: list[int], told: list[Mapping[str, Any]], choice: Mapping[str, Any]) -> Iterator[Token]:
    texts = [_text(one.get("token")) for one in told] or [None] * len(ids)
    spans = choice.get("token_spans")
    found = spans if isinstance(spans, list) else list(_guessed(texts, choice.get("message")))
    kinds = _spread(found, len(ids))
    logprobs = [_number(one.get("logprob")) for one in told] or [None] * len(ids)
    for token, logprob, text, (_, kind) in zip(ids, logprobs, texts, kinds, strict=True):
        yield Token(token, turn, True, logprob, text, "assistant", kind)


def _spread(spans: Any, count: int) -> list[tuple[str | None, str | None]]:
    """The role and the kind of each of so many tokens; `spans` are lists of (start, end, role, kind)."""
    told: list[tuple[str | None, str | None]] = [(None, None)] * count
    for span in spans if isinstance(spans, list) else ():
        match span:
            case [int(start), int(end), str(role), str(kind)] if 0 <= start < end <= count:
                told[start:end] = [(role, kind)] * (end - start)
    return told


def _guessed(texts: list[str | None], message: Any) -> Iterator[tuple[int, int, str, str]]:
    """What the tokens of a reply are, by where its reasoning and its content stand in their text; of the rest, what
    there is of a message with calls is those."""
    if not isinstance(message, Mapping) or None in texts:
        return
    known = [text or "" for text in texts]
    said, starts = "".join(known), [0, *accumulate(map(len, known))][:-1]
    rest = "call" if message.get("tool_calls") else "template"
    places, at = [], 0
    for part, kind in ((reasoning_of(message), "reasoning"), (text_of(message.get("content")), "content")):
        found = said.find(part, at) if part else -1
        if part and found >= 0:
            at = found + len(part)
            places.append((found, at, kind))
    for place, start in enumerate(starts):
        own = next((kind for begin, end, kind in places if begin <= start < end), None)
        other = "template" if places and start < places[-1][0] else rest
        yield place, place + 1, "assistant", own or other


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
