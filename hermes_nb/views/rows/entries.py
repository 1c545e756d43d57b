"""What a view is made of: a header, an answer, rows, and what an opened row holds, all of it ready to show."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Literal, NamedTuple, overload

from hermes_nb.views.rows.legible import Shown, counted
from hermes_nb.views.rows.pictures import Picture

Who = Literal["system", "earlier", "user", "reasoning", "model", "tool", "cut"]


NOTHING = Shown()
SUMMARY = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One token as it is shown, its blanks as `·`. `sampled`: the model wrote it; `template`: it belongs to the chat
    template; `level`: how likely it was, and `chance` how much where that is little."""

    text: str
    sampled: bool = False
    template: bool = False
    level: Literal["", "sure", "likely", "unlikely"] = ""
    chance: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """The tokens of a turn, after the `folded` ones that its prompt begins with, and before the last, that `more`
    counts."""

    tiles: tuple[Tile, ...]
    folded: int = 0
    more: int = 0

    @property
    def before(self) -> str:
        """The words that say how many tokens are not shown before these; empty where all are."""
        return f"{counted(self.folded, 'prompt token')} folded" if self.folded else ""

    @property
    def mark(self) -> str:
        """The words that say how many are not shown after these; empty where all are."""
        return f"cut here: {counted(self.more, 'token')} more" if self.more else ""


class Section(NamedTuple):
    """A part of an opened row: what it is, in our words, and a text, a picture or tokens that are not; `prose` is for a
    person to read."""

    label: str = ""
    shown: Shown = NOTHING
    prose: bool = False
    picture: Picture | None = None
    strip: Strip | None = None


class Later(Sequence[Section]):
    """Sections, at least one, that are made when they are first looked at: most rows of a long run are never opened."""

    __slots__ = ("_made", "_making")

    def __init__(self, making: Callable[[], Sequence[Section]]) -> None:
        self._making = making
        self._made: tuple[Section, ...] | None = None

    def _all(self) -> tuple[Section, ...]:
        if self._made is None:
            self._made = tuple(self._making())
        return self._made

    def __bool__(self) -> bool:
        return True

    def __len__(self) -> int:
        return len(self._all())

    def __iter__(self) -> Iterator[Section]:
        return iter(self._all())

    @overload
    def __getitem__(self, at: int) -> Section: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[Section, ...]: ...
    def __getitem__(self, at: int | slice) -> Section | tuple[Section, ...]:
        return self._all()[at]

    def __eq__(self, other: object) -> bool:
        return self._all() == (other._all() if isinstance(other, Later) else other)

    def __hash__(self) -> int:
        return hash(self._all())

    def __repr__(self) -> str:
        return repr(self._all())


class Row(NamedTuple):
    """One line of the ledger. A tuple, as its parts are, because a page has hundreds, and a tuple is made at once.

    `key` names the row, and stays the same while a run goes on: `2.model`, `2.call0`. `turn` stands on the first row of
    a turn only, `number` on all of them (0: before the first), and `last` on one that stands for several turns. `name`
    is a tool's, `text` a user's words, shown open, `more` the size of what `gist` begins, `problem` an error's first
    line, and `sections` what is there when the row is opened. `at` and `seconds` are for drawing to scale: when it
    began, in seconds of the run, and how long it took; None where nobody knows. A row of who `cut` says in its gist
    what is not shown.
    """

    who: Who
    key: str = ""
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
    at: float | None = None
    seconds: float | None = None
    sections: Sequence[Section] = ()

    @property
    def failed(self) -> bool:
        """Whether the row is a tool error."""
        return self.glyph == "✗"

    @property
    def title(self) -> str:
        """The row's name where it stands alone: `turn 8 · divide`."""
        turns = f"turns {self.number}–{self.last} · " if self.last else f"turn {self.number} · "
        return f"{turns if self.number else ''}{self.name or self.who}"

    @property
    def summary(self) -> str:
        """What tells the row from its neighbours: its error, else the beginning of its gist."""
        if self.problem or len(self.gist) <= SUMMARY:
            return self.problem or self.gist
        return f"{self.gist[: SUMMARY - 1].rstrip(' …')}…"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """A whole run as it is shown, or a part of one, which has no `ended`. Where `answer` is None, `note` says why, and
    `error` is what a server failed with."""

    glyph: str = ""
    ended: str = ""
    names: tuple[str, ...] = ()
    facts: tuple[str, ...] = ()
    answer: Shown | None = None
    note: str = ""
    error: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()

    def __repr__(self) -> str:
        return f"Ledger({self.ended} · {len(self.rows)} rows)"


def fields_of(record: Any) -> dict[str, Any] | None:
    """The fields of a record by their names; None for what is no record."""
    if isinstance(record, Row | Section | Shown):
        return record._asdict()
    if is_dataclass(record) and not isinstance(record, type):
        return {one.name: getattr(record, one.name) for one in fields(record)}
    return None


def ready(record: Any) -> Any:
    """The record as JSON values: objects without their empty fields, lists, text, numbers."""
    told = fields_of(record)
    if told is not None:
        kept = told.items()
        return {name: ready(value) for name, value in kept if value is not None and value not in ("", (), 0, False)}
    return [ready(one) for one in record] if isinstance(record, tuple | list | Later) else record
