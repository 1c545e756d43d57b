"""All that a window may ask of Python. Whatever is not exactly one of these is not heard."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, TypeAlias

ID = re.compile(r"[a-z0-9.]{1,24}", re.ASCII)
QUESTION = re.compile(r"[a-z0-9]{1,16}", re.ASCII)
LONGEST_FILTER = 200
LONGEST_ANSWER = 100_000


@dataclass(frozen=True, slots=True)
class Rows:
    """Every row, from the first: a window has opened, or has missed something."""


@dataclass(frozen=True, slots=True)
class Stop:
    """End the run."""


@dataclass(frozen=True, slots=True)
class Close:
    """The last window is gone."""


@dataclass(frozen=True, slots=True)
class Open:
    """What is behind a row."""

    id: str


@dataclass(frozen=True, slots=True)
class More:
    """A part of that, from a place on; `raw`: as it was sent, not laid out."""

    id: str
    part: int
    at: int
    raw: bool


@dataclass(frozen=True, slots=True)
class Copy:
    """The text of a row, or of one part of it (`part`, -1 for all), for the clipboard."""

    id: str
    part: int


@dataclass(frozen=True, slots=True)
class Find:
    """The rows which hold a text, opened or not."""

    text: str


@dataclass(frozen=True, slots=True)
class Approve:
    """Let the call that waits run as it is."""

    question: str


@dataclass(frozen=True, slots=True)
class Edit:
    """Let it run with these arguments, JSON text of an object."""

    question: str
    text: str


@dataclass(frozen=True, slots=True)
class AnswerInstead:
    """Give the model this answer in its place."""

    question: str
    text: str


@dataclass(frozen=True, slots=True)
class Refuse:
    """Do not run it, for this reason."""

    question: str
    text: str


Look: TypeAlias = Open | More | Copy | Find
Choice: TypeAlias = Approve | Edit | AnswerInstead | Refuse
Request: TypeAlias = Rows | Stop | Close | Look | Choice

KINDS: dict[str, type[Any]] = {
    "rows": Rows, "stop": Stop, "close": Close, "open": Open, "more": More, "copy": Copy, "find": Find,
    "approve": Approve, "edit": Edit, "answer": AnswerInstead, "reject": Refuse,
}  # fmt: skip

NAMES = {"id": ID, "question": QUESTION}
TYPES = {"str": str, "int": int, "bool": bool}


def heard(content: object) -> Request | None:
    """The request in a message; None for a message that is none, has too much in it, or too little."""
    if not isinstance(content, dict) or not isinstance(content.get("ask"), str):
        return None
    kind = KINDS.get(content["ask"])
    if kind is None:
        return None
    wanted = {name: TYPES[field.type] for name, field in kind.__dataclass_fields__.items()}
    given = {name: value for name, value in content.items() if name != "ask"}
    if given.keys() != wanted.keys() or not all(type(given[name]) is wanted[name] for name in wanted):
        return None
    return kind(**given) if _bounded(kind, given) else None


def _bounded(kind: type[Any], given: dict[str, Any]) -> bool:
    if any(name in given and not pattern.fullmatch(given[name]) for name, pattern in NAMES.items()):
        return False
    longest = LONGEST_FILTER if kind is Find else LONGEST_ANSWER
    return len(given.get("text", "")) <= longest and given.get("part", 0) >= -1 and given.get("at", 0) >= 0
