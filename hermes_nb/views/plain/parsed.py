"""What several parsers make of the same texts, as lines of text."""

from __future__ import annotations

from collections.abc import Iterator

from hermes_nb.views.plain.ledgers import headed, mark_line, section_lines
from hermes_nb.views.plain.lines import columns, fitted, indented, padded, taken_within, wrapped
from hermes_nb.views.rows import Reparsed, Section
from hermes_nb.views.rows.parsed import Excerpt, Line, Sheet, Total

MOST_SHEETS = 5
NAME = 16


def parsed_lines(shown: Reparsed, width: int) -> Iterator[str]:
    """A header, the totals of several texts, and each text with a line for every parser."""
    yield from headed(" · ".join([shown.title, *shown.facts]), width)
    yield from total_lines(shown.totals, width)
    for sheet in shown.sheets[:MOST_SHEETS]:
        yield "─" * width
        if shown.totals:
            yield from headed(sheet.title, width)
        yield from sheet_lines(sheet, width)
    hidden = shown.more + max(len(shown.sheets) - MOST_SHEETS, 0)
    if hidden:
        yield mark_line(f"cut here: {hidden} {'text' if hidden == 1 else 'texts'} more", "")


def total_lines(totals: tuple[Total, ...], width: int) -> Iterator[str]:
    """A line for each parser."""
    if totals:
        yield "─" * width
        yield f"{'parser':<{NAME}} {'texts':>6} {'calls':>6} {'problems':>8}"
    for one in totals:
        yield f"{padded(fitted(one.parser, NAME), NAME)} {one.texts:>6} {one.calls:>6} {one.problems:>8}"


def sheet_lines(sheet: Sheet, width: int) -> Iterator[str]:
    """The text, and what each parser made of it."""
    yield from section_lines(Section(shown=sheet.text), width)
    status = max(columns(f"{line.glyph} {line.status}") for line in sheet.lines)
    for line in sheet.lines:
        yield from parser_lines(line, status, width)
    if sheet.mark:
        yield mark_line(sheet.mark, "")


def parser_lines(line: Line, status: int, width: int) -> Iterator[str]:
    """One parser: its verdict, why, and under it the character where it failed."""
    left = f"{padded(fitted(line.parser, NAME), NAME)} {padded(f'{line.glyph} {line.status}', status)}  "
    margin = " " * columns(left)
    first, *others = wrapped(line.why, width - columns(left))
    yield f"{left}{first}".rstrip()
    yield from indented(others, margin)
    if line.excerpt is not None:
        yield from excerpt_lines(line.excerpt, width - NAME - 3, " " * (NAME + 1) + "│ ")


def excerpt_lines(excerpt: Excerpt, room: int, margin: str) -> Iterator[str]:
    """A piece of the text, and under the character in it a sign for each of its columns."""
    size = columns(excerpt.at)
    before, most = excerpt.before, max((room - size) // 2, 1)
    if columns(before) > most:
        before = "…" + taken_within(before[::-1], most - 1)[::-1]
    yield f"{margin}{fitted(f'{before}{excerpt.at}{excerpt.after}', room)}".rstrip()
    yield f"{margin}{' ' * columns(before)}{'^' * min(size, room - columns(before))}"
