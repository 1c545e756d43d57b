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

    def sections(self, turn: Turn, lens: Lens) -> tuple[Section, ...]:
        """The tokens of this turn as part of its opened row; nothing where none are known."""
        # The others are read for a turn that has tokens only: most runs have none.
        if turn.reply is None or not sequences.tells(turn.reply.raw):
            return ()
        number, (tokens, breaks) = turn.number, self._read
        found = tokens.get(number)
        if not found:
            return ()
        room = 2 * lens.characters
        drawn = strip(found, lens, max(min(room, room * ENOUGH_TURNS // len(tokens)), ROW_CHARACTERS // 5))
        written = sum(one.written for one in found)
        prompt = f"{len(found) - written} prompt, not trained on, " if len(found) > written else ""
        label = f"tokens: {prompt}{written} sampled"
        broken = f"; {breaks[number]}" if number in breaks else ""
        return (Section(label=f"{label}{broken}", strip=drawn),)


def _said(turn: int, raw: object) -> Iterator[Token]:
    """The tokens of a reply that came with log-probabilities and without ids."""
    for one in sequences.told_of(raw):
        if isinstance(one, Mapping) and isinstance(one.get("token"), str):
            told = one.get("logprob")
            known = isinstance(told, int | float) and not isinstance(told, bool)
            yield Token(0, turn, True, told if known else None, one["token"], "assistant", "content")


def strip(tokens: Sequence[Token], lens: Lens, room: int) -> Strip:
    """The end of a turn's prompt, and of what was written as much as there is room for, in characters."""
    known = [one.text or "" for one in tokens]
    ends = list(accumulate(map(len, known)))
    # Redacted as one text, since a secret may stand in several tokens.
    whole = Placed("".join(known), lens)
    first = next((at for at, one in enumerate(tokens) if one.written), len(tokens))
    start = max(first - TAIL, 0)
    if all(one.text is None for one in tokens[start:first]):
        start = first
    tiles, used = list[Tile](), 0
    for at in range(start, len(tokens)):
        begin, end = whole.place(ends[at] - len(known[at])), whole.place(ends[at])
        text = f"#{tokens[at].id}" if tokens[at].text is None else whole.shown[begin:end]
        used += len(text) + GAP if tokens[at].written else 0
        if used > room:
            return Strip(tiles=tuple(tiles), folded=start, more=len(tokens) - at)
        if text:
            tiles.append(tile(tokens[at], text))
    return Strip(tiles=tuple(tiles), folded=start)


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
