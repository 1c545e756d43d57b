"""A run, or a part of one, as lines of text."""

from __future__ import annotations

from collections.abc import Iterator

from hermes_nb.views.plain.lines import columns, fitted, indented, padded, wrapped
from hermes_nb.views.plain.strips import strip_lines
from hermes_nb.views.rows import Ledger, Row, Section, Shown

MARGIN = 11
"""The columns left of what a row says: the turn's number, and who."""

STATUS, TIME, TOKENS = 8, 8, 6
PROBLEM_LINES = 2


def ledger_lines(shown: Ledger, width: int) -> Iterator[str]:
    """Header, answer, rows and footer; of a part of a run, its rows alone."""
    if shown.ended:
        yield from head_lines(shown, width)
    for row in shown.rows:
        yield from row_lines(row, width)
    called = [row.number for row in shown.rows if row.who == "tool" and row.number]
    if called and shown.ended and not any(row.sections for row in shown.rows):
        errors = " · result.tool_errors lists the errors" if any(row.failed for row in shown.rows) else ""
        yield "─" * width
        yield from wrapped(f"views.text(result, turn={called[-1]}) opens a turn{errors}", width)


def head_lines(shown: Ledger, width: int) -> Iterator[str]:
    """How the run ended, its counts, and its answer."""
    rule = "─" * width
    yield from headed(" · ".join([f"{shown.glyph} {shown.ended}", *shown.names]), width)
    yield from headed(" · ".join(shown.facts), width)
    yield rule
    if shown.answer is not None or shown.error or shown.note:
        yield from answer_lines(shown, width)
        yield rule


def headed(line: str, width: int) -> list[str]:
    """A line of the header. What it cannot hold goes on behind the margin, where it passes for nothing of ours."""
    first, *others = wrapped(line, width)
    return [first, *indented(wrapped(" ".join(others), width - MARGIN), " " * MARGIN)] if others else [first]


def answer_lines(shown: Ledger, width: int) -> Iterator[str]:
    """The answer, or in its place the failure and its hint, or why there is none."""
    if shown.answer is not None:
        yield from block_lines(shown.answer, width, " " * MARGIN)
    for told in shown.error or (() if shown.answer else (shown.note,)):
        yield from indented(wrapped(told, width - MARGIN), " " * MARGIN)


def row_lines(row: Row, width: int) -> Iterator[str]:
    """A row, its error under it, and what it holds when it is opened."""
    margin = " " * MARGIN
    if row.who == "cut":
        yield mark_line(row.gist, margin)
    elif row.text is not None:
        first, *others = block_lines(row.text, width, margin)
        yield f"{start(row)}{first[MARGIN:]}"
        yield from others
    else:
        yield one_line(row, width)
    yield from indented(wrapped(row.problem, width - MARGIN - 2)[:PROBLEM_LINES] if row.problem else [], f"{margin}│ ")
    for section in row.sections:
        yield from section_lines(section, width)


def one_line(row: Row, width: int) -> str:
    """A row's line: who, what, and at its right end status, time and tokens, or the size of what it begins."""
    left, end = start(row), ""
    if row.time or row.tokens or row.status:
        status = f" {padded(f'{row.glyph} {row.status}'.strip(), STATUS)}" if row.status else ""
        end = f"{status}{row.time:>{TIME}}{row.tokens:>{TOKENS}}"
    elif row.more:
        end = f" {row.more}"
    room = width - columns(left) - columns(end)
    return f"{left}{padded(fitted(f'{row.name} {row.gist}'.strip(), room), room if end else 0)}{end}".rstrip()


def start(row: Row) -> str:
    """The turn's number and who, up to the margin; a longer who takes of the room of what follows."""
    return f"{row.turn:>4} {row.who:<{MARGIN - 6}} "


def section_lines(section: Section, width: int) -> Iterator[str]:
    """A part of an opened row: its label, its text behind a bar that no tool can draw over, its cut mark."""
    margin = " " * 5
    yield from indented(wrapped(section.label, width - 5) if section.label else [], margin)
    if section.shown.text:
        yield from indented(wrapped(section.shown.text, width - 7), f"{margin}│ ")
    if section.strip is not None:
        yield from strip_lines(section.strip, width, margin)
    if section.shown.mark:
        yield mark_line(section.shown.mark, margin)


def block_lines(shown: Shown, width: int, margin: str) -> list[str]:
    """A text in lines behind a margin, and its cut mark."""
    marks = [mark_line(shown.mark, margin)] if shown.mark else []
    return [*indented(wrapped(shown.text, width - len(margin)), margin), *marks]


def mark_line(mark: str, margin: str) -> str:
    """What says that something was cut, between strokes that stand nowhere else at the margin."""
    return f"{margin}╌ {mark} ╌"
