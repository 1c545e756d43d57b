"""Many runs, their errors, and two runs beside each other, as HTML."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from hermes_nb.views.markup.ledgers import Frame, header, section_html, tabled
from hermes_nb.views.markup.pieces import (
    STYLES,
    Markup,
    cell,
    element,
    fact,
    facts,
    folded,
    grid,
    hard,
    line,
    lined,
    paragraph,
    value,
)
from hermes_nb.views.rows.compared import Comparison, Pair, Piece, Side
from hermes_nb.views.rows.entries import Ledger
from hermes_nb.views.rows.errors import Errors, Example, Group
from hermes_nb.views.rows.legible import counted
from hermes_nb.views.rows.many import RunRow, Table

OPEN_ENTRIES = 3
ENDS = {"ended": len("⊘ max turns"), "status": len("⊘ interrupted")}
"""The columns for how runs ended, by the longest that each has room for."""


def within(parts: Iterable[Markup], budget: int, left: str, total: int) -> Iterator[Markup]:
    """As many parts as there is room for, and how many more there are."""
    used = 0
    for number, part in enumerate(parts):
        used += len(part)
        if used > budget:
            yield paragraph(f"cut here: {counted(total - number, left)} more")
            return
        yield part


def filled(lines: Sequence[Markup], used: int, budget: int) -> tuple[int, int]:
    """How many of the lines there is room for, after so many bytes, and how many bytes are used then."""
    for number, one in enumerate(lines):
        if used + len(one) > budget:
            return number, used
        used += len(one)
    return len(lines), used


# Many runs


def runs_html(shown: Table, frame: Frame) -> Markup:
    """The table of runs, and under it the rows of the first few."""
    head = paragraph(*facts([element("b", shown.title), *map(value, shown.names), *map(fact, shown.facts)]))
    ended = end_column(shown.rows)
    columns = [("name", "task, attempt"), (ended, "ended"), ("number", "turns"), ("number", "calls"),
               ("number", "errors"), ("tokens", "tokens"), ("edge", "time")]  # fmt: skip
    columns += [("edge", name) for name in shown.scores]
    lines = [run_line(row, ended) for row in shown.rows]
    kept, used = filled(lines, len(head), frame.budget // 2)
    more = shown.more + len(lines) - kept
    rest = replace(shown, more=more).mark
    table = grid([*columns, ("first", "first error")], lines[:kept]) if lines else Markup()
    opened = list(zip(shown.rows, shown.ledgers, strict=False))
    room = frame.budget - used - 2000
    drawn = within((run_detail(row, one, frame) for row, one in opened), room, "opened run", len(opened))
    return Markup(head, table, paragraph(rest) if rest else "", *drawn)


def end_column(rows: Iterable[RunRow]) -> str:
    """The narrowest column that holds how all of these ended."""
    longest = max((len(f"{row.glyph} {row.ended}") for row in rows), default=0)
    return next((column for column, room in ENDS.items() if longest <= room), "ending")


def run_line(row: RunRow, column: str) -> Markup:
    """One run; how it ended stands in that column."""
    ended = hard(f"{row.glyph} {row.ended}")
    attempt = f" · {row.attempt}" if row.attempt else ""
    return line(
        cell("name", element("b", value(row.task)), attempt),
        cell(column, element("b", ended) if row.failed else ended),
        cell("number", str(row.turns)),
        cell("number", str(row.calls)),
        cell("number", element("b", hard(f"✗ {row.errors}")) if row.errors else "0"),
        cell("tokens", row.tokens),
        cell("edge", hard(row.time)),
        *(cell("edge", score) for score in row.scores),
        cell("first", element("code", value(row.problem)) if row.problem else ""),
        wrong=row.failed,
    )


def run_detail(row: RunRow, shown: Ledger, frame: Frame) -> Markup:
    """A run's rows, closed."""
    summary = Markup(element("b", value(row.title)), f" {row.glyph} {row.ended}")
    table, _ = tabled(shown.rows, frame, frame.budget)
    parts = [header(shown), table]
    return folded(summary, parts, opened=False, details=frame.details)


# Errors


def errors_html(shown: Errors, frame: Frame) -> Markup:
    """The groups as a table, and under it each with its examples, the first few open."""
    where = [value(shown.where)] if shown.where else []
    head = paragraph(*facts([element("b", shown.title), *where, *map(fact, shown.facts)]))
    columns = [("number", "count"), ("edge", "runs"), ("tool", "tool"), ("said", "what it said, numbers folded to …"),
               ("half", "what the model did next")]  # fmt: skip
    # Of one kind and fault are all of them where there is but one: the header says it.
    alike = len({(group.kind, group.fault) for group in shown.groups}) == 1
    table = grid(columns, [group_line(group, alike=alike) for group in shown.groups]) if shown.groups else Markup()
    rest = paragraph(shown.mark) if shown.mark else Markup()
    room = frame.budget - 2000 - len(head) - len(table)
    examples = [
        (at < OPEN_ENTRIES and number == 0, group, number, one)
        for at, group in enumerate(shown.groups)
        for number, one in enumerate(group.examples)
    ]
    drawn = (example_detail(group, number, one, frame, opened=first) for first, group, number, one in examples)
    return Markup(head, table, rest, *within(drawn, room, "error", len(examples)))


def group_line(group: Group, *, alike: bool) -> Markup:
    """One group; where all are `alike`, without its kind and fault."""
    told = Markup() if alike else Markup(element("br"), f"kind {group.kind}, fault {group.fault}")
    return line(
        cell("number", element("b", str(group.count))),
        cell("edge", str(group.runs)),
        cell("tool", element("code", element("b", value(group.tool)))),
        cell("said", element("code", value(group.said)), told),
        cell("half", group.next),
    )


def example_detail(group: Group, number: int, shown: Example, frame: Frame, *, opened: bool) -> Markup:
    """One error in full."""
    of = f"{number + 1} of {group.count}" if group.count > 1 else "the only one"
    summary = Markup(element("b", element("code", value(group.tool))), f" {of} · ", value(shown.title))
    parts = [part for section in shown.sections for part in section_html(section)]
    then = (Markup(element("br") if at else "", value(step)) for at, step in enumerate(shown.then))
    parts.append(paragraph(element("b", "then"), " ", *then, style="label"))
    return folded(summary, parts, opened=opened, details=frame.details)


# Two runs


def compared_html(shown: Comparison, frame: Frame) -> Markup:
    """The first difference as a sentence, the two runs, and every pair in order."""
    head = Markup(
        paragraph(element("b", shown.title), " · ", value(shown.sentence)),
        paragraph(element("b", "A"), " ", value(shown.a), element("br"), element("b", "B"), " ", value(shown.b)),
        paragraph(" · ".join(shown.facts)),
    )
    columns = [("sign", ""), ("half", "A, by turn"), ("half", "B, by turn")]
    lines = [pair_line(pair, first=index == shown.first) for index, pair in enumerate(shown.pairs)]
    kept, used = filled(lines, len(head), frame.budget // 2)
    rest = replace(shown, more=shown.more + len(lines) - kept).mark
    table = grid(columns, lines[:kept]) if lines else paragraph("neither run has a call or a reply")
    differing = [(index, pair) for index, pair in enumerate(shown.pairs) if pair.a_words or pair.b_words]
    later = [(index, pair) for index, pair in differing if index >= (shown.first or 0)]
    first = next((index for index, pair in [*filter(shares, later), *later]), None)
    drawn = (diff_detail(pair, frame, opened=index == first) for index, pair in differing)
    opened = within(drawn, frame.budget - used - 2000, "difference", len(differing))
    return Markup(head, table, paragraph(rest) if rest else "", *opened)


def shares(numbered: tuple[int, Pair]) -> bool:
    """Whether the two texts of a pair have words in common."""
    return any(piece.sign == "=" and piece.text.strip() for piece in numbered[1].a_words)


def pair_line(pair: Pair, *, first: bool) -> Markup:
    """One pair; the first difference is named where it stands."""
    sign = element("b", pair.sign)
    missing = "no such turn" if pair.side.prose else "no such call"
    cells = [cell("sign", sign)]
    for side in (pair.a, pair.b):
        told = Markup(element("b", str(side.turn)), " · ", side_html(side)) if side else Markup(missing)
        if first and side is pair.side:
            told = Markup(told, element("br"), element("b", "first difference"))
        cells.append(cell("half", told))
    return line(*cells, wrong=pair.failed)


def side_html(side: Side) -> Markup:
    """A call or a reply of one run."""
    if side.prose:
        return value(side.gist)
    gist = element("code", element("b", value(side.name)), Markup(" ", value(side.gist)) if side.gist else "")
    status = hard(f"{side.glyph} {side.status}")
    told = Markup(gist, " ", element("b", status) if side.failed else status)
    return Markup(told, element("br"), element("b", value(side.problem))) if side.problem else told


def diff_detail(pair: Pair, frame: Frame, *, opened: bool) -> Markup:
    """A pair's difference, word by word: what only A has, then what only B has."""
    turns = " and ".join(str(side.turn) for side in (pair.a, pair.b) if side)
    summary = Markup(element("b", f"≠ turns {turns} · ", value(pair.side.name or "model")), f" · {pair.label}")
    beside = line(*(cell("half", *diffed(words)) for words in (pair.a_words, pair.b_words)))
    return folded(summary, [grid([("half", "A"), ("half", "B")], [beside])], opened=opened, details=frame.details)


def diffed(words: Iterable[Piece]) -> Iterator[Markup]:
    """A text, its own words marked by a sign, and by a ground where there are styles."""
    for piece in words:
        if piece.sign == "=":
            yield from lined(piece.text)
        elif piece.sign == "−":
            yield element("del", "− ", *lined(piece.text), style=STYLES["gone"])
        else:
            yield element("ins", "+ ", *lined(piece.text), style=STYLES["come"])
