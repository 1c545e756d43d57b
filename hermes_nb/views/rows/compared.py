"""Two runs beside each other, aligned on their calls: where they first differ, and what differs in every pair."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from hermes_nb.outcomes import canonical
from hermes_nb.records import AgentResult, Reply, ToolCall, ToolResult, Turn
from hermes_nb.views.rows import calls, words
from hermes_nb.views.rows.drawing import answered, said
from hermes_nb.views.rows.legible import Lens, counted
from hermes_nb.views.rows.many import number_of, rounded
from hermes_nb.views.rows.opened import json_laid_out
from hermes_nb.views.rows.runs import item_of, model_of

Sign = Literal["=", "≠", "−", "+"]
"""Alike in both; different; only in A; only in B."""

MOST_PAIRS, MOST_DIFFS = 300, 60
DIFF_LINES, DIFF_CHARACTERS = 40, 2000
WORDS, SIGNS = re.compile(r"\s+|\S+"), re.compile(r"\s+|[\w.-]+|[^\w\s]")
"""What a person's text is compared by, and what a machine's: there every bracket counts."""

UNLIKE = 0.6
"""Texts that have less in common are not taken apart word by word: what they share are blanks and small words."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a text that both have (`=`), or only A (`−`), or only B (`+`)."""

    sign: Sign
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """A call or a reply of one run; `prose` is for a person to read."""

    turn: int
    name: str = ""
    gist: str = ""
    glyph: str = ""
    status: str = ""
    problem: str = ""
    prose: bool = False

    @property
    def failed(self) -> bool:
        """Whether it is a tool error."""
        return self.glyph == "✗"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """What stands in one line; None: that run has no such thing. `label` says what `a_words` and `b_words` compare."""

    sign: Sign
    a: Side | None = None
    b: Side | None = None
    label: str = ""
    a_words: tuple[Piece, ...] = ()
    b_words: tuple[Piece, ...] = ()

    @property
    def side(self) -> Side:
        """The side that is there."""
        side = self.a or self.b
        assert side is not None
        return side

    @property
    def failed(self) -> bool:
        """Whether either is a tool error."""
        return any(side is not None and side.failed for side in (self.a, self.b))


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two runs: the first difference as a sentence, a line on each run, the counts, and the pairs in order.

    `first` is the index of the pair the sentence is about; None where nothing differs.
    """

    title: str
    sentence: str
    a: str
    b: str
    facts: tuple[str, ...]
    pairs: tuple[Pair, ...]
    first: int | None = None
    more: int = 0

    @property
    def mark(self) -> str:
        """The words that say how many pairs are not shown; empty where all are."""
        return f"cut here: {counted(self.more, 'line')} more" if self.more else ""

    def __repr__(self) -> str:
        return f"Comparison({self.title})"


@dataclass(frozen=True, slots=True)
class _Act:
    """Something a model did: a call, or a reply's words."""

    turn: int
    text: str = ""
    reply: Reply | None = None
    call: ToolCall | None = None
    result: ToolResult | None = None

    @property
    def key(self) -> tuple[str, str]:
        return (self.call.name, canonical(self.call)) if self.call else ("", "")


def compared(a: AgentResult, b: AgentResult, lens: Lens) -> Comparison:
    """The two runs, aligned on their calls: same tool, same arguments."""
    acts_a, acts_b = list(acts(a.turns)), list(acts(b.turns))
    drawn = _Pairing(lens, [0])
    pairs = list(drawn.pairs(acts_a, acts_b))
    first = first_difference(pairs)
    title, sentence = told(pairs, first)
    signs = [pair.sign for pair in pairs]
    count = {sign: signs.count(sign) for sign in ("=", "≠", "−", "+")}
    return Comparison(
        title=title,
        sentence=sentence,
        a=head(a, lens),
        b=head(b, lens),
        facts=(f"= {count['=']}", f"≠ {count['≠']}", f"− only in A {count['−']}", f"+ only in B {count['+']}"),
        pairs=tuple(pairs[:MOST_PAIRS]),
        first=first,
        more=max(len(pairs) - MOST_PAIRS, 0),
    )


def head(result: AgentResult, lens: Lens) -> str:
    """`airline 15, attempt 1, gpt-4o, finished, 13 turns, 7 calls, ✗ 2 errors, score 0`."""
    errors = len(result.tool_errors)
    scores = [
        f"{lens.gist(str(name), 24)} {rounded(number)}"
        for name, value in result.scores.items()
        if (number := number_of(value)) is not None
    ]
    parts = [item_of(result, lens), model_of(result, lens), words.ending(result)[1]]
    parts += [counted(result.turns_used, "turn"), counted(len(result.calls), "call")]
    parts += [f"{'✗ ' if errors else ''}{counted(errors, 'error')}", *scores[:3]]
    return ", ".join(filter(None, parts))


def acts(turns: Sequence[Turn]) -> Iterator[_Act]:
    """What the model did, in order."""
    for turn in turns:
        if turn.reply and (turn.reply.text.strip() or not turn.reply.calls):
            yield _Act(turn.number, turn.reply.text.strip(), turn.reply)
        for call, result in answered(turn):
            yield _Act(turn.number, call=call, result=result)


@dataclass(frozen=True, slots=True)
class _Pairing:
    """Puts the acts of two runs into lines; `diffed` counts the word diffs made so far."""

    lens: Lens
    diffed: list[int]

    def pairs(self, a: Sequence[_Act], b: Sequence[_Act]) -> Iterator[Pair]:
        """All acts in order: between calls that are the same, what stands between them."""
        made_a = [index for index, act in enumerate(a) if act.call]
        made_b = [index for index, act in enumerate(b) if act.call]
        matcher = difflib.SequenceMatcher(None, [a[one].key for one in made_a], [b[one].key for one in made_b], False)
        at_a = at_b = 0
        for block in matcher.get_matching_blocks():
            for step in range(block.size):
                here_a, here_b = made_a[block.a + step], made_b[block.b + step]
                yield from self.between(a[at_a:here_a], b[at_b:here_b])
                yield self.both(a[here_a], b[here_b])
                at_a, at_b = here_a + 1, here_b + 1
        yield from self.between(a[at_a:], b[at_b:])

    def between(self, a: Sequence[_Act], b: Sequence[_Act]) -> Iterator[Pair]:
        """Acts between two matches: those of a kind (words, or calls of one tool) in pairs, the others alone."""
        left = list(b)
        for act in a:
            like = next((index for index, one in enumerate(left) if kind(one) == kind(act)), None)
            if like is None:
                yield Pair(sign="−", a=self.side(act))
                continue
            yield from (Pair(sign="+", b=self.side(one)) for one in left[:like])
            yield self.both(act, left[like])
            left = left[like + 1 :]
        yield from (Pair(sign="+", b=self.side(one)) for one in left)

    def both(self, a: _Act, b: _Act) -> Pair:
        """Two acts beside each other, and the words in which they differ."""
        pair = Pair(sign="=", a=self.side(a), b=self.side(b))
        if a.call is None or b.call is None:
            return pair if a.text == b.text else self.diffed_pair(pair, "words", a.text, b.text)
        if a.key != b.key:
            return self.diffed_pair(pair, "arguments", laid(a.call.arguments), laid(b.call.arguments))
        one, other = (act.result.content if act.result else "" for act in (a, b))
        same = one == other and (a.result is None) == (b.result is None)
        return pair if same else self.diffed_pair(pair, "results", laid(one), laid(other))

    def diffed_pair(self, pair: Pair, label: str, one: str, other: str) -> Pair:
        """The pair, and where there have not been too many, its difference word by word."""
        pair = replace(pair, sign="≠", label=label)
        self.diffed[0] += 1
        if self.diffed[0] > MOST_DIFFS:
            return pair
        a, b = (self.lens.block(text, DIFF_LINES, DIFF_CHARACTERS) for text in (one, other))
        cut = "".join(f" ({name}: {shown.mark})" for name, shown in (("A", a), ("B", b)) if shown.mark)
        a_words, b_words = word_diff(a.text, b.text, WORDS if label == "words" else SIGNS)
        return replace(pair, label=f"{label}{cut}", a_words=a_words, b_words=b_words)

    def side(self, act: _Act) -> Side:
        if act.call is None:
            gist = said(act.reply, self.lens) if act.reply else ""
            return Side(turn=act.turn, gist=gist, prose=True)
        glyph, status = words.status(act.result) if act.result else words.CUT_OFF
        problem = act.result.error.error if act.result and act.result.error else ""
        return Side(
            turn=act.turn,
            name=self.lens.name(act.call.name),
            gist=calls.values(act.call, self.lens),
            glyph=glyph,
            status=status,
            problem=self.lens.line(problem) if problem else "",
        )


def kind(act: _Act) -> str | None:
    """The tool, of a call; None for words."""
    return act.call.name if act.call else None


def laid(text: str) -> str:
    """JSON with one entry a line, so that words of it can be told apart; all other text as it is."""
    return json_laid_out(text) or text


def word_diff(a: str, b: str, words: re.Pattern[str] = WORDS) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
    """Both texts in pieces, those that only one has marked; `words` finds what is never taken apart."""
    one, other = words.findall(a), words.findall(b)
    of_a, of_b = list[Piece](), list[Piece]()
    matcher = difflib.SequenceMatcher(None, one, other, False)
    if matcher.ratio() < UNLIKE:
        return tuple(apart(Piece("−", a))), tuple(apart(Piece("+", b)))
    for kind_of, from_a, to_a, from_b, to_b in matcher.get_opcodes():
        gone, come = "".join(one[from_a:to_a]), "".join(other[from_b:to_b])
        of_a += [Piece("=" if kind_of == "equal" else "−", gone)] if gone else []
        of_b += [Piece("=" if kind_of == "equal" else "+", come)] if come else []
    return tuple(joined(of_a)), tuple(joined(of_b))


def joined(pieces: Sequence[Piece]) -> Iterator[Piece]:
    """The pieces, with blanks between two marked ones marked as well."""
    kept = list[Piece]()
    for index, piece in enumerate(pieces):
        beside = [pieces[at].sign for at in (index - 1, index + 1) if 0 <= at < len(pieces)]
        if piece.sign == "=" and piece.text == " " and len(beside) == 2 and beside[0] == beside[1] != "=":
            piece = Piece(beside[0], piece.text)
        if kept and kept[-1].sign == piece.sign:
            kept[-1] = Piece(piece.sign, kept[-1].text + piece.text)
        else:
            kept.append(piece)
    for piece in kept:
        yield from apart(piece)


def apart(piece: Piece) -> Iterator[Piece]:
    """A marked piece without the blanks at its ends, and these unmarked."""
    inner = piece.text.strip()
    if piece.sign == "=" or not inner:
        yield Piece("=", piece.text)
        return
    before, _, after = piece.text.partition(inner)
    parts = (Piece("=", before), Piece(piece.sign, inner), Piece("=", after))
    yield from (part for part in parts if part.text)


def first_difference(pairs: Sequence[Pair]) -> int | None:
    """The first pair in which a call differs; where none does, the first that differs in words."""
    differing = [index for index, pair in enumerate(pairs) if pair.sign != "="]
    made = [index for index in differing if not pairs[index].side.prose]
    return next(iter(made or differing), None)


def told(pairs: Sequence[Pair], first: int | None) -> tuple[str, str]:
    """Where the runs first differ, and how."""
    if first is None:
        return "No difference", "the same calls, with the same results, and the same words"
    pair = pairs[first]
    name, turn = pair.side.name or "something", pair.side.turn
    where = f"First difference: turn {turn}{'' if pair.a else ' of B'}"
    if pair.side.prose:
        return where, "the calls are the same, the words are not"
    if pair.sign == "≠":
        other = "arguments" if pair.label.startswith("arguments") else "results"
        return where, f"both call {name}, with other {other}"
    here, there = ("A", "B") if pair.a else ("B", "A")
    instead = next((one for one in pairs[first + 1 :] if not one.side.prose), None)
    if instead and instead.sign in "−+" and instead.sign != pair.sign:
        return where, f"{here} calls {name}, {there} calls {instead.side.name}"
    return where, f"{here} calls {name}, {there} does not"
