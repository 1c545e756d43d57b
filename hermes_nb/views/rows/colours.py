"""The colours a terminal's text asks for, as class names: what is hidden by colour in a terminal is not hidden here.

Of the codes of a terminal (SGR), the six colours of letters, their bright forms, bold and underline are kept. Black,
white, grounds and inverse are not: with them a text could be made to vanish. All other control sequences are dropped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

SEQUENCE = re.compile(r"\x1b\[([0-?]*)[ -/]*([@-~])")
NAMES = {1: "red", 2: "green", 3: "yellow", 4: "blue", 5: "magenta", 6: "cyan"}
MOST_SPANS = 200
"""A text with more changes of colour is shown without any."""

CLASSES = frozenset(
    {"ansi-bold", "ansi-underline"}
    | {f"ansi-{name}{bright}-fg" for name in NAMES.values() for bright in ("", "-intense")}
)
"""Every class there can be; notebooks have styles for them."""


@dataclass(frozen=True, slots=True)
class Pen:
    """How a terminal writes at one place of its text."""

    colour: str = ""
    bold: bool = False
    underline: bool = False

    @property
    def classes(self) -> str:
        """The class names, with blanks between them."""
        told = [self.colour, "ansi-bold" if self.bold else "", "ansi-underline" if self.underline else ""]
        return " ".join(filter(None, told))

    def after(self, codes: str) -> Pen:
        """The pen after one sequence of codes, such as `1;31`."""
        given = [int(code) if code.isdigit() and len(code) < 4 else 0 for code in re.split("[;:]", codes)]
        pen, at = self, 0
        while at < len(given):
            code = given[at]
            if code in (38, 48, 58):
                kind = given[at + 1] if at + 1 < len(given) else 0
                pen = pen.told(palette(given[at + 2 : at + 3])) if code == 38 else pen
                at += {5: 3, 2: 5}.get(kind, 2)
                continue
            pen, at = pen.told(code), at + 1
        return pen

    def told(self, code: int) -> Pen:
        """The pen after one code."""
        if code == 0:
            return Pen()
        if code in (1, 22):
            return Pen(self.colour, code == 1, self.underline)
        if code in (4, 24):
            return Pen(self.colour, self.bold, code == 4)
        if 30 <= code <= 39 or 90 <= code <= 97:
            name, bright = NAMES.get(code % 10), "-intense" if code >= 90 else ""
            return Pen(f"ansi-{name}{bright}-fg" if name else "", self.bold, self.underline)
        return self


def palette(number: list[int]) -> int:
    """The code for one of the first sixteen colours of a terminal's palette; 39, the default, for all others."""
    first = number[0] if number else 16
    return 30 + first if first < 8 else 82 + first if first < 16 else 39


def coloured(text: str) -> Iterator[tuple[str, str]]:
    """The text without control sequences, in pieces, each with its class names."""
    pen, at = Pen(), 0
    for found in SEQUENCE.finditer(text):
        if found.start() > at:
            yield text[at : found.start()], pen.classes
        at = found.end()
        if found[2] == "m":
            pen = pen.after(found[1])
    if at < len(text):
        yield text[at:], pen.classes
