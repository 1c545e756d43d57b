"""Draws a run as lines of text: the answer, then the ledger, in columns that hold in a terminal and in a notebook."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from hermes_nb.records import AgentResult
from hermes_nb.redact import Redactor
from hermes_nb.views.rows import Ledger, Row, Section, Shown, ledger

NARROWEST = 60
MARGIN = 11
"""The columns left of what a row says: the turn's number, and who."""

STATUS, TIME, TOKENS = 8, 8, 6
PROBLEM_LINES = 2


def text(result: AgentResult, width: int = 80, *, turn: int | None = None, redactor: Redactor | None = None) -> str:
    """The run as lines of at most `width` columns, or one turn of it, opened.

    Raises:
        ValueError: the run has no such turn.
    """
    width = max(width, NARROWEST)
    if turn is None:
        return "\n".join(whole(ledger(result, redactor, opened=()), result, width))
    if turn not in [one.number for one in result.turns]:
        raise ValueError(f"this run has no turn {turn}: it has turns 1 to {len(result.turns)}")
    opened = ledger(result, redactor, opened={turn}, tracebacks=True)
    return "\n".join(line for row in opened.rows if row.number == turn for line in row_lines(row, width))


def whole(shown: Ledger, result: AgentResult, width: int) -> Iterator[str]:
    """Header, answer, rows and footer."""
    rule = "─" * width
    yield from headed(" · ".join([f"{shown.glyph} {shown.ended}", *shown.names]), width)
    yield from headed(" · ".join(shown.facts), width)
    yield rule
    yield from answer_lines(shown, width)
    yield rule
    for row in shown.rows:
        yield from row_lines(row, width)
    called = [turn.number for turn in result.turns if turn.reply and turn.reply.calls]
    if called:
        errors = " · result.tool_errors lists the errors" if any(row.failed for row in shown.rows) else ""
        yield rule
        yield from wrapped(f"views.text(result, turn={called[-1]}) opens a turn{errors}", width)


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
        status = f" {padded(f'{row.glyph} {row.status}', STATUS)}" if row.status else ""
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
    if section.shown.mark:
        yield mark_line(section.shown.mark, margin)


def block_lines(shown: Shown, width: int, margin: str) -> list[str]:
    """A text in lines behind a margin, and its cut mark."""
    marks = [mark_line(shown.mark, margin)] if shown.mark else []
    return [*indented(wrapped(shown.text, width - len(margin)), margin), *marks]


def mark_line(mark: str, margin: str) -> str:
    """What says that something was cut, between strokes that stand nowhere else at the margin."""
    return f"{margin}╌ {mark} ╌"


def indented(lines: list[str], margin: str) -> list[str]:
    """The lines behind a margin, without blanks at their ends."""
    return [f"{margin}{line}".rstrip() for line in lines]


def wrapped(text: str, room: int) -> list[str]:
    """The text's lines, those that are too long broken at blanks, or anywhere where there are none."""
    return [line for whole_line in text.split("\n") for line in broken(whole_line.expandtabs(4), room)]


def broken(line: str, room: int) -> Iterator[str]:
    """One line as lines of at most `room` columns."""
    if columns(line) <= room:
        yield line
        return
    now = ""
    for piece in re.findall(rf"\s{{1,{room}}}|\S{{1,{room}}}", line):
        while columns(now) + columns(piece) > room:
            if now.strip() and columns(piece) <= room:
                yield now.rstrip()
                now = ""
                piece = piece.lstrip()
            else:
                taken = taken_within(piece, room - columns(now)) or ("" if now else piece[0])
                yield now + taken
                now, piece = "", piece[len(taken) :]
        now += piece
    if now.strip():
        yield now.rstrip()


def fitted(line: str, room: int) -> str:
    """The line cut to `room` columns, its last one `…`."""
    if columns(line) <= room:
        return line
    return taken_within(line, room - 1).rstrip(" …") + "…"


def padded(line: str, room: int) -> str:
    """The line filled up to `room` columns."""
    return line + " " * max(room - columns(line), 0)


def taken_within(text: str, room: int) -> str:
    """As much of the text's beginning as takes `room` columns."""
    used = 0
    for index, letter in enumerate(text):
        used += column(letter)
        if used > room:
            return text[:index]
    return text


def columns(text: str) -> int:
    """How many columns a terminal gives the text."""
    return len(text) if text.isascii() else sum(column(letter) for letter in text)


def column(letter: str) -> int:
    """The columns of one letter: 0 for marks that stand on others, 2 for wide letters."""
    if letter < "\u0300":
        return 1
    if unicodedata.category(letter) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1
