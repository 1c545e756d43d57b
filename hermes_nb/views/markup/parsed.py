"""What several parsers make of the same texts, as HTML."""

from __future__ import annotations

from collections.abc import Sequence

from hermes_nb.views.markup.ledgers import Frame
from hermes_nb.views.markup.pieces import (
    Markup,
    boxed,
    cell,
    element,
    fact,
    facts,
    folded,
    grid,
    line,
    mark,
    paragraph,
    value,
)
from hermes_nb.views.markup.tables import within
from hermes_nb.views.rows import Reparsed
from hermes_nb.views.rows.parsed import Line, Sheet, Total

COLUMNS = [("name", "parser"), ("status", "verdict"), ("what", "what or why"), ("first", "where it failed")]
TOTALS = [("name", "parser"), ("status", "texts with calls"), ("status", "calls"), ("status", "problems")]


def parsed_html(shown: Reparsed, frame: Frame) -> Markup:
    """A header, the totals of several texts, and each text with a row for every parser, the first of them open."""
    head = paragraph(*facts([element("b", value(shown.title)), *map(fact, shown.facts)]))
    if not shown.totals:
        return Markup(head, *within((sheet_html(one) for one in shown.sheets), frame.budget - 4000, "text", 1))
    totals = grid(TOTALS, [total_line(one) for one in shown.totals])
    room = frame.budget - 4000 - len(head) - len(totals)
    sheets = (
        folded(value(one.title), [sheet_html(one)], opened=number == 0, details=frame.details)
        for number, one in enumerate(shown.sheets)
    )
    rest = paragraph(shown.mark) if shown.mark else Markup()
    return Markup(head, totals, *within(sheets, room, "text", len(shown.sheets)), rest)


def total_line(total: Total) -> Markup:
    """What one parser found in all texts."""
    counts = (total.texts, total.calls, total.problems)
    return line(cell("name", element("b", value(total.parser))), *(cell("status", str(number)) for number in counts))


def sheet_html(sheet: Sheet) -> Markup:
    """The text, and what each parser made of it."""
    text = Markup(boxed(sheet.text), mark(sheet.text)) if sheet.text.text else Markup()
    rest = paragraph(sheet.mark) if sheet.mark else Markup()
    return Markup(text, verdicts_html(sheet.lines), rest)


def verdicts_html(lines: Sequence[Line]) -> Markup:
    """A row for each parser."""
    return grid(COLUMNS, [verdict_line(one) for one in lines])


def verdict_line(shown: Line) -> Markup:
    """One parser; the character where it failed stands out without any style, too."""
    status = f"{shown.glyph} {shown.status}"
    where = Markup()
    if shown.excerpt is not None:
        at = element("ins", element("b", value(shown.excerpt.at)))
        where = element("code", value(shown.excerpt.before), at, value(shown.excerpt.after))
    return line(
        cell("name", element("b", value(shown.parser))),
        cell("status", element("b", status) if shown.failed else status),
        cell("what", value(shown.why)),
        cell("first", where),
        wrong=shown.failed,
    )
