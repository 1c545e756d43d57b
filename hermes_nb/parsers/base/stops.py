"""A set of literal marks to look for in a text that is still growing."""

from __future__ import annotations

import re
from functools import cache


class Stops:
    """Some marks, and how to look for all of them at once. Make it with `stops`."""

    __slots__ = ("_longest", "ambiguous", "firsts", "lasts", "marks", "pattern")

    def __init__(self, marks: tuple[str, ...]) -> None:
        self.marks = tuple(sorted(set(marks), key=lambda mark: (-len(mark), mark)))
        self.pattern = re.compile("|".join(map(re.escape, self.marks)) or r"(?!)")
        self.ambiguous = any(one != two and one.startswith(two) for one in self.marks for two in self.marks)
        self._longest = max(map(len, self.marks), default=1)
        self.firsts = frozenset(mark[0] for mark in self.marks)
        self.lasts = frozenset(mark[-1] for mark in self.marks)

    def settled(self, text: str, start: int) -> bool:
        """Whether the mark found at `start` stays the one found, whatever the text goes on with."""
        if not self.ambiguous or len(text) - start >= self._longest:
            return True
        rest = text[start:]
        return not any(len(mark) > len(rest) and mark.startswith(rest) for mark in self.marks)

    def certain(self, text: str, start: int) -> int:
        """How far the text from `start` on holds no mark, whatever it goes on with."""
        first = max(start, len(text) - self._longest + 1)
        if self.firsts.isdisjoint(text[first:]):
            return max(start, len(text))
        for place in range(first, len(text)):
            if text[place] in self.firsts:
                rest = text[place:]
                if any(mark.startswith(rest) for mark in self.marks):
                    return place
        return max(start, len(text))


@cache
def stops(*marks: str) -> Stops:
    """The set of these marks; the same marks give the same set."""
    return Stops(marks)
