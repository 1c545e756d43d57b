"""Lines of text in columns, as a terminal counts them: wide letters take two, marks that stand on others none."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

DEEPEST = 3
"""A line that begins further in than this part of the room goes on at the margin."""


def indented(lines: list[str], margin: str) -> list[str]:
    """The lines behind a margin, without blanks at their ends."""
    return [f"{margin}{line}".rstrip() for line in lines]


def wrapped(text: str, room: int) -> list[str]:
    """The text's lines, those that are too long broken at blanks, or anywhere where there are none."""
    return [line for whole_line in text.split("\n") for line in broken(whole_line.expandtabs(4), room)]


def broken(line: str, room: int) -> Iterator[str]:
    """One line as lines of at most `room` columns; one that begins further in goes on there."""
    if columns(line) <= room:
        yield line
        return
    begin = line[: len(line) - len(line.lstrip())]
    begin, now = begin if columns(begin) * DEEPEST <= room else "", ""
    for piece in re.findall(rf"\s{{1,{room}}}|\S{{1,{room}}}", line):
        while columns(now) + columns(piece) > room:
            if now.strip() and columns(piece) <= room:
                yield now.rstrip()
                now = begin
                piece = piece.lstrip()
            else:
                taken = taken_within(piece, room - columns(now)) or ("" if now else piece[0])
                yield now + taken
                now, piece = begin if taken else "", piece[len(taken) :]
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
