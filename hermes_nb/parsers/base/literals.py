"""Python's literals, read without running anything: strings, numbers, True, None, lists, tuples, sets and dicts.

Models write nearly Python: `true` and `null` are read too, line breaks may stand in strings, numbers may begin with
zeros, and a quote inside a string need not be escaped where what follows it cannot follow a string.
"""

from __future__ import annotations

import re
from typing import Any

from hermes_nb.parsers.base.json_text import DEPTH
from hermes_nb.parsers.base.values import storable

SPACE = re.compile(r"\s*")
NUMBER = re.compile(r"[+-]?(?:0[xX][\da-fA-F]+|(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d+)?)", re.ASCII)
WORD = re.compile(r"[^\W\d][\w.]*")
STRING = re.compile(r"([rRuUfF]?)('''|\"\"\"|'|\")")
ESCAPE = re.compile(r"\\(\r?\n|x[\da-fA-F]{2}|u[\da-fA-F]{4}|U[\da-fA-F]{8}|[0-7]{1,3}|.)", re.DOTALL)
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "\n": "", "\r\n": ""}
CONSTANTS = {"True": True, "true": True, "False": False, "false": False, "None": None, "null": None}
AFTER_A_STRING = ",)]}:"
_SIMPLE = r"""(?:'([^'\\]*)'|"([^"\\]*)"|(-?[0-9]{1,15})|(True|False|None|true|false|null))\s*"""
ITEM = re.compile(rf"\s*{_SIMPLE}([,)\]])")
"""A value that needs no second look, and what follows it: a string without a backslash, a number of a few digits, or a
constant."""

ARGUMENT = re.compile(rf"\s*([^\W\d][\w.]*)\s*=\s*{_SIMPLE}([,)])")
"""The same with a name before it."""

NAMED = re.compile(r"\s*([^\W\d][\w.]*)\s*=\s*")
NEXT = re.compile(r"\s*([,)\]])")


class Unreadable(ValueError):
    """A text is no literal: what is wrong, and at which of its characters."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(message)
        self.position = position


class Literals:
    """Reads one text from `at` on."""

    def __init__(self, text: str, at: int = 0) -> None:
        self.text, self.at, self._depth = text, at, 0

    def peek(self) -> str:
        """The next character that is no white space; empty at the end."""
        here = self.text[self.at : self.at + 1]
        if not here.isspace():
            return here
        found = SPACE.match(self.text, self.at)
        self.at = found.end() if found else self.at
        return self.text[self.at : self.at + 1]

    def take(self, character: str) -> bool:
        """Whether that character comes next; it is passed."""
        taken = self.peek() == character
        self.at += taken
        return taken

    def expect(self, character: str) -> None:
        """Pass that character.

        Raises:
            Unreadable: another one stands there.
        """
        if not self.take(character):
            raise Unreadable(f"{character!r} is missing", self.at)

    def word(self) -> str:
        """The identifier that comes next, with dots in it; empty for none."""
        self.peek()
        found = WORD.match(self.text, self.at)
        self.at = found.end() if found else self.at
        return found[0] if found else ""

    def argument(self) -> tuple[str, Any, str, bool] | None:
        """An argument that needs no second look, with the comma or bracket behind it: its name, its value, the digits
        of a number, and whether there may be more. None for anything else."""
        found = ARGUMENT.match(self.text, self.at)
        if found is None:
            return None
        self.at = found.end()
        name, one, two, digits, word, closer = found.groups()
        return name, _simple(one, two, digits, word), digits or "", closer == ","

    def name(self) -> str:
        """The name of an argument, with the `=` behind it and the white space around; empty for none."""
        found = NAMED.match(self.text, self.at)
        self.at = found.end() if found else self.at
        return found[1] if found else ""

    def more(self, closer: str) -> bool:
        """Pass the comma that comes next, or the bracket that closes; whether it was a comma.

        Raises:
            Unreadable: it is neither.
        """
        found = NEXT.match(self.text, self.at)
        if found is None or (found[1] != "," and found[1] != closer):
            self.expect(closer)
            return False
        self.at = found.end()
        return found[1] == ","

    def value(self) -> Any:
        """The literal that comes next.

        Raises:
            Unreadable: it is none.
        """
        first = self.peek()
        if self._depth >= DEPTH:
            raise Unreadable(f"nested more than {DEPTH} deep", self.at)
        self._depth += 1
        try:
            if first in ("[", "(", "{"):
                return self._braced() if first == "{" else self._items(first)
            if STRING.match(self.text, self.at):
                return self.string()
            return self._number() if NUMBER.match(self.text, self.at) else self._constant()
        finally:
            self._depth -= 1

    def _constant(self) -> Any:
        start = self.at
        word = self.word()
        if word not in CONSTANTS:
            raise Unreadable(f"{word!r} is no value" if word else "a value is missing", start)
        return CONSTANTS[word]

    def _number(self) -> Any:
        found = NUMBER.match(self.text, self.at)
        assert found is not None
        token = found[0].replace("_", "")
        start, self.at = self.at, found.end()
        try:
            digits = token.lstrip("+-")
            if digits[:2].lower() == "0x":
                value: Any = int(digits, 16) * (-1 if token[0] == "-" else 1)
            else:
                value = int(token) if digits.isdigit() else float(token)
        except ValueError as error:
            raise Unreadable("a number of too many digits", start) from error
        if not storable(value):
            raise Unreadable("a number too large for JSON", start)
        return value

    def _items(self, opened: str) -> Any:
        closer = "]" if opened == "[" else ")"
        self.at += 1
        items, commas = [], 0
        while not self.take(closer):
            simple = ITEM.match(self.text, self.at) if self._depth < DEPTH else None
            if simple is not None and simple[5] in (",", closer):
                items.append(_simple(*simple.group(1, 2, 3, 4)))
                self.at = simple.end()
                more = simple[5] == ","
            else:
                items.append(self.value())
                more = self.more(closer)
            if not more:
                break
            commas += 1
        return items[0] if opened == "(" and len(items) == 1 and not commas else items

    def _braced(self) -> Any:
        self.at += 1
        held: dict[str, Any] = {}
        items: list[Any] = []
        while self.peek() != "}":
            start = self.at
            key = self.value()
            token = self.text[start : self.at].strip()
            if self.take(":"):
                held[key if isinstance(key, str) else token] = self.value()
            else:
                items.append(key)
            if not self.take(","):
                break
        self.expect("}")
        if held and items:
            raise Unreadable("a set and a dict in one", self.at)
        return items or held

    def string(self) -> str:
        """The string that comes next.

        Raises:
            Unreadable: it is not closed.
        """
        found = STRING.match(self.text, self.at)
        assert found is not None
        start, quote = found.end(), found[2]
        end = string_end(self.text, start, quote)
        if end < 0:
            raise Unreadable("a string is not closed", self.at)
        self.at = end
        body = self.text[start : end - len(quote)]
        return body if found[1] in ("r", "R") and found[1] else ESCAPE.sub(_unescaped, body)


def _simple(one: str | None, two: str | None, digits: str | None, word: str | None) -> Any:
    """The value of a text that is one of these."""
    if one is not None or two is not None:
        return two if one is None else one
    return int(digits) if digits is not None else CONSTANTS[word or ""]


def string_end(text: str, start: int, quote: str) -> int:
    """The place after the quote that closes the string whose text begins at `start`; -1 when none does."""
    at = start
    while True:
        place = text.find(quote, at)
        if place < 0:
            return -1
        slash = text.find("\\", at, place)
        if slash >= 0:
            at = slash + 2
            continue
        at = place + len(quote)
        following = SPACE.match(text, at)
        after = following.end() if following else at
        if len(quote) == 3 or after == len(text) or text[after] in AFTER_A_STRING:
            return at


def _unescaped(found: re.Match[str]) -> str:
    word = found[1]
    if word in ESCAPES:
        return ESCAPES[word]
    if word[0] in "xuU" and len(word) > 1:
        code = int(word[1:], 16)
        return chr(code) if code < 0x110000 else found[0]
    if word[0] in "01234567":
        return chr(int(word, 8))
    return word if word in "\\'\"" else found[0]
