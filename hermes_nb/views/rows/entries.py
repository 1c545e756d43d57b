"""What a view is made of: a header, an answer, rows, and what an opened row holds, all of it ready to show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hermes_nb.views.rows.legible import Shown

Who = Literal["system", "earlier", "user", "reasoning", "model", "tool", "cut"]


NOTHING = Shown()


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of an opened row: what it is, in our words, and a text that is not; `prose` is for a person to read."""

    label: str = ""
    shown: Shown = NOTHING
    prose: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the ledger.

    `turn` stands on the first row of a turn only, `number` on all of them (0: before the first), and `last` on one
    that stands for several turns. `name` is a tool's, `text` a user's words, shown open, `more` the size of what `gist`
    begins, `problem` an error's first line, and `sections` what is there when the row is opened. A row of who `cut`
    says in its gist what is not shown.
    """

    who: Who
    turn: str = ""
    number: int = 0
    last: int = 0
    name: str = ""
    gist: str = ""
    more: str = ""
    text: Shown | None = None
    glyph: str = ""
    status: str = ""
    time: str = ""
    tokens: str = ""
    problem: str = ""
    sections: tuple[Section, ...] = ()

    @property
    def failed(self) -> bool:
        """Whether the row is a tool error."""
        return self.glyph == "✗"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """A whole run as it is shown. Where `answer` is None, `note` says why, and `error` is what a server failed with."""

    glyph: str
    ended: str
    names: tuple[str, ...]
    facts: tuple[str, ...]
    answer: Shown | None
    note: str
    error: tuple[str, ...]
    rows: tuple[Row, ...]

    def __repr__(self) -> str:
        return f"Ledger({self.ended} · {len(self.rows)} rows)"
