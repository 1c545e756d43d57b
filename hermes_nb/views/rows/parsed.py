"""What several parsers make of the same texts: a line for each, with the character where it failed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from hermes_nb.views.rows.legible import Lens, Shown, counted
from hermes_nb.views.rows.placed import HOLE, Placed

if TYPE_CHECKING:
    from hermes_nb.parsers import Verdict

MOST_SHEETS, MOST_LINES = 20, 60
AROUND = 26
"""So many characters are shown on either side of the one where a parser failed."""

LONGEST_HOLE = 30
WHY, NAMED = 200, 5
END = "⟦end⟧"
SIGNS = str.maketrans({"\n": "⏎", "\t": "⇥"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Excerpt:
    """One character of a text, as it is shown, and what stands around it, on one line."""

    before: str
    at: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What one parser made of a text: how much it found, what or why not, and where it failed, if at one place."""

    parser: str
    glyph: str
    status: str
    why: str
    excerpt: Excerpt | None = None

    @property
    def failed(self) -> bool:
        """Whether there was something it could not read."""
        return self.glyph == "✗"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """One text, and what each parser made of it: those first that found something, then those that came near."""

    title: str
    text: Shown
    lines: tuple[Line, ...]
    more: int = 0

    @property
    def mark(self) -> str:
        """The words that say how many parsers are not shown; empty where all are."""
        return f"cut here: {counted(self.more, 'parser')} more" if self.more else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """What one parser found in all texts: in how many of them calls, how many calls, and how many problems."""

    parser: str
    texts: int
    calls: int
    problems: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reparsed:
    """What several parsers made of one text, or of several: of these, the totals too, and how many more there are."""

    title: str
    facts: tuple[str, ...]
    totals: tuple[Total, ...] = ()
    sheets: tuple[Sheet, ...] = ()
    more: int = 0

    @property
    def mark(self) -> str:
        """The words that say how many texts are not shown; empty where all are."""
        return f"cut here: {counted(self.more, 'text')} more" if self.more else ""

    def __repr__(self) -> str:
        return f"Reparsed({self.title} · {counted(len(self.sheets) + self.more, 'text')})"


def reparsed(verdicts: Sequence[Verdict], lens: Lens) -> Reparsed:
    """These verdicts, text by text."""
    groups = [list(group) for _, group in groupby(verdicts, key=lambda one: (one.run, one.turn, one.text))]
    sheets = tuple(sheet(group, lens, alone=len(groups) == 1) for group in groups[:MOST_SHEETS])
    if len(groups) == 1:
        return Reparsed(title=sheets[0].title, facts=(counted(len(groups[0][0].text), "character"),), sheets=sheets)
    totals = summed(verdicts, lens)
    found = sum(any(one.calls for one in group) for group in groups)
    return Reparsed(
        title=f"{counted(len(groups), 'text')}, {counted(len(totals), 'parser')}",
        facts=(f"calls in {counted(found, 'text')}",),
        totals=totals[:MOST_LINES],
        sheets=sheets,
        more=len(groups) - len(sheets),
    )


def summed(verdicts: Sequence[Verdict], lens: Lens) -> tuple[Total, ...]:
    """What each parser found in all texts, the most calls first."""
    texts, calls, problems = Counter[str](), Counter[str](), Counter[str]()
    for one in verdicts:
        texts[one.parser] += one.calls > 0
        calls[one.parser] += one.calls
        problems[one.parser] += one.problems
    totals = [Total(parser=lens.name(name), texts=texts[name], calls=calls[name], problems=problems[name])
              for name in texts]  # fmt: skip
    return tuple(sorted(totals, key=lambda one: (-one.calls, -one.problems)))


def sheet(verdicts: Sequence[Verdict], lens: Lens, *, alone: bool) -> Sheet:
    """What several parsers made of one text; its place among the results, where it is not alone."""
    first, text = verdicts[0], Placed(verdicts[0].text, lens)
    ordered = sorted(verdicts, key=rank)
    found = sum(one.calls > 0 for one in verdicts)
    glyph = "✓" if found else "✗" if any(one.problems for one in verdicts) else "–"
    what = "calls" if found else "a call"
    where = "" if alone else f" · run {first.run}, turn {first.turn}"
    return Sheet(
        title=f"{glyph} {found} of {counted(len(verdicts), 'parser')} found {what}{where}",
        text=lens.block(first.text),
        lines=tuple(line(one, text, lens) for one in ordered[:MOST_LINES]),
        more=max(len(ordered) - MOST_LINES, 0),
    )


def rank(verdict: Verdict) -> int:
    """Whether it found calls alone, calls and problems, problems, nothing but a place, or nothing."""
    if verdict.calls or verdict.problems:
        return 2 if not verdict.calls else 1 if verdict.problems else 0
    return 3 if verdict.place is not None else 4


def line(verdict: Verdict, text: Placed, lens: Lens) -> Line:
    """What one parser made of the text."""
    counts = ((verdict.calls, "call"), (verdict.problems, "problem"))
    found = ", ".join(counted(number, noun) for number, noun in counts if number)
    at = verdict.position if verdict.problems else verdict.place
    why = "; ".join(reasons(verdict, lens))
    return Line(
        parser=lens.name(verdict.parser),
        glyph="✗" if verdict.problems else "✓" if found else "–",
        status=found or "no call",
        why=why if at is None else f"{why}, character {at}",
        excerpt=None if at is None else excerpt(text, at),
    )


def reasons(verdict: Verdict, lens: Lens) -> Iterator[str]:
    """What `auto` found, or why nothing was; the tools called; the first problem."""
    if verdict.reason:
        yield lens.gist(verdict.reason, WHY)
    if verdict.calls:
        names = ", ".join(lens.name(name) for name in verdict.names[:NAMED])
        yield names + (f" and {verdict.calls - NAMED} more" if verdict.calls > NAMED else "")
    if verdict.message:
        yield lens.gist(verdict.message, WHY)


def excerpt(text: Placed, position: int) -> Excerpt:
    """The character at that place, and what stands around it."""
    shown, place = text.shown, text.place(position)
    hole = HOLE.match(shown, place)
    end = hole.end() if hole else place + 1
    at = shown[place:end].translate(SIGNS).replace(" ", "␣") or END
    start, stop = max(place - AROUND, 0), min(end + AROUND, len(shown))
    before, after = shown[start:place].translate(SIGNS), shown[end:stop].translate(SIGNS)
    return Excerpt(
        before=("…" if start else "") + before,
        at=at if len(at) <= LONGEST_HOLE else f"{at[: LONGEST_HOLE - 1]}…",
        after=after + ("…" if stop < len(shown) else ""),
    )
