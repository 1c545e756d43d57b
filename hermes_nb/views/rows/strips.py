"""A turn's tokens as they are shown: what the prompt added, and what the model wrote, each as likely as it was."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Literal

from hermes_nb import sequences
from hermes_nb.records import Turn
from hermes_nb.sequences import Token
from hermes_nb.views.rows.entries import Section, Strip, Tile
from hermes_nb.views.rows.legible import ROW_CHARACTERS, Lens, fitted
from hermes_nb.views.rows.placed import Placed

SURE, UNLIKELY = 0.95, 0.37
"""A token is sure above the one probability, and unlikely below the other."""

TAIL = 40
"""Of a prompt, its last so many tokens are shown."""

GAP, LONGEST = 4, 200
ENOUGH_TURNS = 40
"""The strips of so many turns have their full length; of more turns, each has less."""

SIGNS = str.maketrans({" ": "·", "\n": "⏎\n", "\t": "⇥"})


@dataclass(frozen=True)
class Recorded:
    """What is known of the tokens of some turns; it is read when it is first asked for."""

    turns: Sequence[Turn] = ()

    @cached_property
    def _read(self) -> tuple[dict[int, list[Token]], dict[int, str]]:
        told, found = sequences.read(self.turns), dict[int, list[Token]]()
        for sequence in told.sequences:
            for token in sequence:
                found.setdefault(token.turn, []).append(token)
        for turn in self.turns:
            written = [] if turn.number in found or turn.reply is None else list(_said(turn.number, turn.reply.raw))
            found |= {turn.number: written} if written else {}
        return found, {one.turn: str(one) for one in told.breaks}

    def of(self, number: int) -> list[Token]:
        """The tokens of this turn: what its prompt added, and what was written; none where none are known."""
        return self._read[0].get(number, [])

    def told(self, number: int) -> str:
        """How many they are, and where the prompt stopped extending the turn before."""
        found, breaks = self.of(number), self._read[1]
        written = sum(one.written for one in found)
        prompt = f"{len(found) - written} prompt, not trained on, " if len(found) > written else ""
        broken = f"; {breaks[number]}" if number in breaks else ""
        return f"{prompt}{written} sampled{broken}"

    def sections(self, turn: Turn, lens: Lens) -> tuple[Section, ...]:
        """The tokens of this turn as part of its opened row; nothing where none are known."""
        # The others are read for a turn that has tokens only: most runs have none.
        if turn.reply is None or not sequences.tells(turn.reply.raw):
            return ()
        found = self.of(turn.number)
        if not found:
            return ()
        room = 2 * lens.characters
        drawn = strip(found, lens, max(min(room, room * ENOUGH_TURNS // len(self._read[0])), ROW_CHARACTERS // 5))
        return (Section(label=f"tokens: {self.told(turn.number)}", strip=drawn),)


def _said(turn: int, raw: object) -> Iterator[Token]:
    """The tokens of a reply that came with log-probabilities and without ids."""
    for one in sequences.told_of(raw):
        if isinstance(one, Mapping) and isinstance(one.get("token"), str):
            told = one.get("logprob")
            known = isinstance(told, int | float) and not isinstance(told, bool)
            yield Token(0, turn, True, told if known else None, one["token"], "assistant", "content")


def strip(tokens: Sequence[Token], lens: Lens, room: int, *, begin: int | None = None) -> Strip:
    """The end of a turn's prompt, and of what was written as much as there is room for, in characters; with `begin`,
    as many tokens from that one on as there is room for."""
    known = [one.text or "" for one in tokens]
    ends = list(accumulate(map(len, known)))
    # Redacted as one text, since a secret may stand in several tokens.
    whole = Placed("".join(known), lens)
    first = next((at for at, one in enumerate(tokens) if one.written), len(tokens))
    start = max(first - TAIL, 0) if begin is None else begin
    if begin is None and all(one.text is None for one in tokens[start:first]):
        start = first
    tiles, used = list[Tile](), 0
    for at in range(start, len(tokens)):
        placed = slice(whole.place(ends[at] - len(known[at])), whole.place(ends[at]))
        text = f"#{tokens[at].id}" if tokens[at].text is None else whole.shown[placed]
        used += min(len(text), LONGEST) + GAP if tokens[at].written or begin is not None else 0
        if used > room:
            return Strip(tiles=tuple(tiles), folded=start, more=len(tokens) - at)
        if text:
            tiles.append(tile(tokens[at], text))
    return Strip(tiles=tuple(tiles), folded=start)


def inked(tiles: Sequence[Tile]) -> tuple[str, tuple[tuple[int, int, str], ...]]:
    """The tokens as one text, and which piece of it is of what kind, as in Shown: no piece is of several lines."""
    told, spans, at = list[str](), list[tuple[int, int, str]](), 0
    for one in tiles:
        for number, piece in enumerate(one.text.split("\n")):
            told += ["\n", piece] if number else [piece]
            at += bool(number)
            spans += [(at, at + len(piece), kind_of(one))] if piece else []
            at += len(piece)
    return "".join(told), tuple(spans)


def kind_of(tile: Tile) -> str:
    """What the token is, as class names."""
    kinds = ["tok", "sampled" if tile.sampled else "prompt", "template" if tile.template else "", tile.level]
    return " ".join(filter(None, kinds))


def tile(token: Token, text: str) -> Tile:
    """One token, of this text."""
    likely = None if token.logprob is None or math.isnan(token.logprob) else math.exp(min(token.logprob, 0.0))
    level: Literal["", "sure", "likely", "unlikely"]
    level = "" if likely is None else "sure" if likely > SURE else "unlikely" if likely < UNLIKELY else "likely"
    return Tile(
        text=fitted(text, LONGEST).translate(SIGNS),
        sampled=token.written,
        template=token.kind == "template",
        level=level,
        chance=f"{100 * likely:.2g}%" if likely is not None and level == "unlikely" else "",
    )
