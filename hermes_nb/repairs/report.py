"""What a repair tells of its changes."""

from __future__ import annotations

import re
from typing import Any

MOST_TOLD = 1000
"""Changes that are told one by one."""

PLAIN = re.compile(r"[\w.:/-]{1,64}")


class Report:
    """The sentences of a repair, each with the place of its message in the history that was given."""

    def __init__(self) -> None:
        self._said: list[tuple[int, str]] = []

    def add(self, place: int, told: str) -> None:
        """Tell of one change."""
        self._said.append((place, told))

    def told(self) -> tuple[str, ...]:
        """The sentences in the order of the messages; beyond `MOST_TOLD`, how many more there are."""
        ordered = sorted(self._said, key=lambda said: said[0])
        lines = [f"message {place}: {told}" for place, told in ordered[:MOST_TOLD]]
        more = len(ordered) - MOST_TOLD
        return (*lines, f"and {more} more changes") if more > 0 else tuple(lines)

    def __repr__(self) -> str:
        return f"Report({len(self._said)} changes)"


def named(value: Any) -> str:
    """An id or another short text in a sentence: as it is where it is plain, quoted and cut where it is not."""
    if isinstance(value, str):
        return value if PLAIN.fullmatch(value) else repr(value[:64])
    return f"{type(value).__name__} {value!r:.40}"
