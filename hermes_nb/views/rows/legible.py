"""Makes untrusted text fit to be shown: no secrets, nothing invisible, nothing that moves its neighbours, not too long.

A terminal's colours become class names beside the text, other controls their pictures (`␛`), and what cannot be seen
becomes a badge (`⟦U+202E⟧`): direction marks, zero-width letters, tag letters (their hidden text is spelled out), lone
surrogates, piles of combining marks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, NamedTuple

from hermes_nb.redact import Redactor
from hermes_nb.views.rows.colours import MOST_SPANS, SEQUENCE, coloured

ROW_LINES, ROW_CHARACTERS = 20, 1000
ENOUGH = 8
"""So many times what is shown is looked at: some letters are not shown, some make room for others."""

FLAT = 120
"""The longest object or list in the midst of others that keeps to a line of its own."""

GIST = 100
"""The most characters of a gist. Narrow forms show less of it."""

CONTROLS = "\x00-\x08\x0b-\x1f\x7f-\x9f"
UNSEEN = "\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
TAGS = "\U000e0000-\U000e007f"
VARIANTS = "\U000e0100-\U000e01ef"
MARKS = "\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
MOST_MARKS = 4

ODD = re.compile(
    f"[{TAGS}]+|[{CONTROLS}{UNSEEN}{VARIANTS}\ud800-\udfff]+|[\ufe00-\ufe0f]{{2,}}|[{MARKS}]{{{MOST_MARKS + 1},}}"
)
TAG, MARK = re.compile(f"[{TAGS}]"), re.compile(f"[{MARKS}]")

ANGLED = re.compile(
    r"<(?=[|/<ts])(?:\|[\w ]{1,40}\|>|/?(?:tool_call|tool_response|tool_result|tools|think|system|s)>|</?SYS>>)",
    re.IGNORECASE,
)
SQUARE = re.compile(r"\[/?(?:INST|system)\]", re.IGNORECASE)
"""What chat templates mark roles and calls with, by the letter it begins with: most texts are cleared by that alone."""

PLAIN = bytes([*b"\t\n", *range(0x20, 0x7F)])
"""Of ASCII, what is seen as it is."""

IN_A_LINE = json.JSONEncoder(ensure_ascii=False, default=str).encode
"""JSON as people read it, in one line."""


class Shown(NamedTuple):
    """As much of a text as is shown, and how much more of it there is.

    `colours` are the pieces of `text` that a terminal would colour: start, end, class names.
    """

    text: str = ""
    lines: int = 0
    characters: int = 0
    colours: tuple[tuple[int, int, str], ...] = ()

    @property
    def mark(self) -> str:
        """The words that say that it was cut; empty when it was not."""
        lines = f"{counted(self.lines, 'line')}, " if self.lines else ""
        return f"cut here: {lines}{counted(self.characters, 'character')} more" if self.characters else ""


def looks_like_control(text: str) -> bool:
    """Whether it passes for the words of a chat template."""
    return bool(ANGLED.search(text) or SQUARE.search(text))


def counted(number: int, noun: str) -> str:
    """`1 turn`, `2 turns`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


@dataclass(frozen=True, slots=True)
class Lens:
    """What every text passes on its way into a row. A block shows at most so many `lines` and `characters`."""

    redactor: Redactor
    lines: int = ROW_LINES
    characters: int = ROW_CHARACTERS
    _names: dict[str, str] = field(default_factory=dict, init=False, repr=False, compare=False)

    def clear(self, text: str) -> str:
        """The text without secrets, and with everything odd in it made visible."""
        return self._visible(self.redactor.text(text))

    def _visible(self, text: str) -> str:
        if text.isascii() and not text.encode().translate(None, PLAIN):
            return text
        shown = ODD.sub(lambda found: badge(found[0]), text)
        # Once more, as a key may have stood in letters that could not be seen.
        return text if shown == text else self.redactor.text(shown)

    def _begin(self, text: str, most: int) -> tuple[str, str]:
        """Enough of the text's beginning for `most` characters of it to be shown, cleared; and the rest, as it is."""
        # Without colours first, as a secret may stand in letters of several.
        safe = self.redactor.text(SEQUENCE.sub("", text) if "\x1b" in text else text).replace("\r\n", "\n")
        room = ENOUGH * most
        return (self._visible(safe), "") if len(safe) <= room else (self._visible(safe[:room]), safe[room:])

    def line(self, text: str, most: int = GIST) -> str:
        """The first line that says something, on one line; `…` where there is more."""
        shown, rest = self._begin(text.strip(), most)
        first, _, others = shown.partition("\n")
        return fitted(" ".join(first.split()), most, more=bool(others or rest))

    def gist(self, text: str, most: int = GIST) -> str:
        """The text's beginning, its lines as one; `…` where there is more."""
        shown, rest = self._begin(text.strip(), most)
        return fitted(" ".join(shown.split()), most, more=bool(rest))

    def name(self, name: str) -> str:
        """A tool's or model's name, in which letters that pass for others of another script are badges."""
        # A run has few names and says them often; a redactor says the same of a text each time.
        if name not in self._names:
            self._names[name] = self._name(name)
        return self._names[name]

    def _name(self, name: str) -> str:
        shown = self.gist(name)
        letters = [letter for letter in shown if letter.isalpha()]
        if all(letter.isascii() for letter in letters) or not any(letter.isascii() for letter in letters):
            return shown or "(no name)"
        return "".join(f"⟦U+{ord(one):04X}⟧" if one.isalpha() and not one.isascii() else one for one in shown)

    def block(self, text: str, lines: int | None = None, characters: int | None = None) -> Shown:
        """The text's beginning, and how much more there is."""
        characters = characters or self.characters
        shown, rest = self._begin(text, characters)
        told = cut(shown, lines or self.lines, characters, rest)
        return told._replace(colours=self._colours(text, shown, told)) if "\x1b[" in text else told

    def _colours(self, text: str, shown: str, told: Shown) -> tuple[tuple[int, int, str], ...]:
        """Where the colours of `text` stand in what is `told` of it; none where it is not letter by letter the same."""
        pieces, left = list[tuple[str, str]](), len(shown)
        for piece, classes in coloured(text.replace("\r\n", "\n")):
            pieces.append((self.clear(piece[:left]), classes))
            left -= len(piece)
            if left <= 0 or len(pieces) > MOST_SPANS:
                break
        same = shown.startswith("".join(piece for piece, _ in pieces)) and len(pieces) <= MOST_SPANS
        return tuple(_spans(pieces, len(told.text))) if same else ()


def _spans(pieces: Iterable[tuple[str, str]], length: int) -> Iterator[tuple[int, int, str]]:
    """Where the coloured pieces stand in the first `length` characters of what they make together."""
    at = 0
    for piece, classes in pieces:
        end = min(at + len(piece), length)
        if classes and end > at:
            yield at, end, classes
        at += len(piece)


def badge(odd: str) -> str:
    """What stands for letters that must not be shown as they are."""
    if TAG.match(odd):
        spelled = "".join(chr(ord(letter) - 0xE0000) for letter in odd if 0x20 <= ord(letter) - 0xE0000 < 0x7F)
        return f"⟦hidden text: {spelled}⟧"
    if MARK.match(odd):
        return f"{odd[:MOST_MARKS]}⟦{counted(len(odd) - MOST_MARKS, 'mark')} more⟧"
    return "".join(_one_badge(letter, len(list(same))) for letter, same in groupby(odd))


def _one_badge(letter: str, times: int) -> str:
    code = ord(letter)
    if code < 0x20 or code == 0x7F:
        return chr(0x2421 if code == 0x7F else 0x2400 + code) * times
    return f"⟦U+{code:04X}⟧" if times == 1 else f"⟦U+{code:04X} ×{times}⟧"


def fitted(line: str, most: int, *, more: bool = False) -> str:
    """A line of at most `most` characters, the last of them `…` where it was cut or there is more."""
    if len(line) <= most and not more:
        return line
    return line[: most - 1].rstrip() + "…"


def cut(text: str, lines: int, characters: int, rest: str = "") -> Shown:
    """The first lines of a text, at most so many and so long, of one that goes on with `rest`."""
    if not rest and len(text) <= characters and text.count("\n") < lines:
        return Shown(text)
    kept = "\n".join(text[: characters + 1].split("\n")[:lines])[:characters]
    if not rest and len(text) - len(kept) <= 1:
        return Shown(text)
    left = text[len(kept) :]
    return Shown(kept.rstrip("\n"), left.count("\n") + rest.count("\n"), len(left) + len(rest))


def laid_out(value: Any, room: int = 73, level: int = 0) -> str:
    """JSON with one entry a line wherever there are several that a line of `room` characters would not hold. What is
    within it stays on a line of up to `FLAT` characters, which may have to be wrapped, where nothing is within that:
    a list of such objects is read one a line.

    Raises:
        RecursionError: it is nested too deeply.
    """
    flat = IN_A_LINE(value)
    if not isinstance(value, dict | list) or level >= 12 or len(flat) <= room - 2 * level or holds_one(value):
        return flat
    if level and len(flat) <= FLAT and not any(isinstance(one, dict | list) for one in _inner(value)):
        return flat
    if isinstance(value, dict):
        entries = [f"{IN_A_LINE(name)}: {laid_out(one, room, level + 1)}" for name, one in value.items()]
    else:
        entries = [laid_out(item, room, level + 1) for item in value]
    margin, (first, last) = "  " * level, "{}" if isinstance(value, dict) else "[]"
    inner = f",\n{margin}  ".join(entries)
    return f"{first}\n{margin}  {inner}\n{margin}{last}"


def holds_one(value: dict[str, Any] | list[Any]) -> bool:
    """Whether it has a single entry, and that is no object and no list: it is in a line, however long."""
    inner = _inner(value)
    return len(inner) == 1 and not isinstance(inner[0], dict | list)


def _inner(value: dict[str, Any] | list[Any]) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value
