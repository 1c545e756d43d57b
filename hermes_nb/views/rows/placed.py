"""Places in a text, found again in what is shown of it, where markers and badges stand for letters."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator

from hermes_nb.views.rows.colours import SEQUENCE
from hermes_nb.views.rows.legible import Lens

HOLE = re.compile(r"(?:\[redacted:[a-z]+#\d+\]|⟦[^⟦⟧]*⟧|[\u2400-\u2421])+")
"""What may stand for other letters."""


class Placed:
    """A text of any length as it is shown, whole: `shown`. `place` says where in it a character of the text stands."""

    def __init__(self, text: str, lens: Lens) -> None:
        # Without colours, as a secret may stand in letters of several.
        self._coloured = text if "\x1b[" in text else ""
        self._text = SEQUENCE.sub("", text) if self._coloured else text
        self.shown = lens.clear(self._text)
        kept = [] if self.shown == self._text else list(_kept(self._text, self.shown))
        self._starts, self._kept = [start for start, _, _ in kept], kept

    def place(self, position: int) -> int:
        """Where the character is shown; one that something else stands for, where that begins."""
        if self._coloured:
            position = len(SEQUENCE.sub("", self._coloured[:position]))
        position = min(max(position, 0), len(self._text))
        if not self._kept:
            return position
        start, end, shown = self._kept[max(bisect_right(self._starts, position) - 1, 0)]
        return shown + min(position, end) - start


def _kept(text: str, shown: str) -> Iterator[tuple[int, int, int]]:
    """The pieces that are the same in both: start and end in the text, and where they are shown."""
    at, last = 0, 0
    holes = [*HOLE.finditer(shown)]
    for number, hole in enumerate([*holes, None]):
        end = len(shown) if hole is None else hole.start()
        piece = shown[last:end]
        found = len(text) - len(piece) if hole is None else text.find(piece, at) if number else 0
        start = max(found, at)
        yield start, start + len(piece), last
        at, last = start + len(piece), end if hole is None else hole.end()
