"""JSON in a growing text: where a value ends, what an object's members are, and the call an object stands for."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from hermes_nb import codec
from hermes_nb.parsers.base.reading import Reader, Reading
from hermes_nb.parsers.base.stops import Stops, stops

DEPTH = 200
"""How deep values may be nested."""

STRUCTURE = ('"', "{", "}", "[", "]")
QUOTE = frozenset('"')
IN_STRING = re.compile(r'["\\]')
IN_JSON = re.compile(r'[\s{}\[\],:"0-9.eE+-]*|true|false|null')
SHORT = 32
"""Characters of a text that is most likely growing letter by letter: what is in it is not tried as a whole."""

SPACE = re.compile(r"[ \t\r\n]*")
CLOSERS = {"{": "}", "[": "]"}


@dataclass(frozen=True, slots=True)
class Broken:
    """Where a value stops being one, and why."""

    position: int
    message: str


NOT_CLOSED = "the call is not closed"


def value_end(reader: Reader, start: int, marks: Stops) -> Reading[int | Broken]:
    """The end of the JSON object or list that begins at `start`: marks in its strings are text, outside they end it."""
    known = _whole_end(reader, start, marks)
    return known if known is not None else (yield from _end_in_steps(reader, start, marks))


def _end_in_steps(reader: Reader, start: int, marks: Stops) -> Reading[int | Broken]:
    points = stops(*STRUCTURE, *marks.marks)
    stack: list[str] = []
    at = start
    while True:
        point, place = yield from reader.find(points, at)
        if point == "":
            return Broken(place, NOT_CLOSED)
        at = place + len(point)
        if point == '"':
            closed = yield from string_end(reader, at)
            if closed is None:
                return Broken(len(reader.text), NOT_CLOSED)
            at = closed
        elif point in CLOSERS:
            stack.append(CLOSERS[point])
            if len(stack) > DEPTH:
                return Broken(place, f"nested more than {DEPTH} deep")
        elif point not in ("}", "]"):
            return Broken(place, NOT_CLOSED)
        elif stack.pop() != point:
            return Broken(place, f"{point!r} closes nothing")
        elif not stack:
            return at


def _whole_end(reader: Reader, start: int, marks: Stops) -> int | None:
    """The end of a value that is there as a whole and is JSON: the decoder, which is C, finds it sooner. None where it
    cannot say: reading step by step comes to the same, and says what is wrong."""
    text = reader.text
    if len(text) - start < SHORT or not _foreign(marks):
        return None
    try:
        _, end = DECODER.raw_decode(text, start)
    except json.JSONDecodeError as error:
        reader.scanned += error.pos - start
        return None
    except (ValueError, RecursionError):
        return None
    if end - start > 2 * DEPTH and text.count("{", start, end) + text.count("[", start, end) > DEPTH:
        return None
    reader.scanned += end - start
    return end


@cache
def _foreign(marks: Stops) -> bool:
    """Whether none of the marks could be part of JSON outside its strings."""
    return not any(IN_JSON.fullmatch(mark) for mark in marks.marks)


def string_end(reader: Reader, start: int) -> Reading[int | None]:
    """The place after the quote that ends the string whose text begins at `start`; None where the text ends first."""
    at = start
    while True:
        found = IN_STRING.search(reader.text, at)
        reader.scanned += (found.end() if found else len(reader.text)) - at
        if found is None:
            at = len(reader.text)
        elif found[0] == '"':
            return found.end()
        elif found.end() < len(reader.text):
            at = found.end() + 1
            continue
        else:
            at = found.start()
        if reader.ended:
            return None
        reader.wake = QUOTE
        yield
        reader.wake = None


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


DECODER = json.JSONDecoder(parse_constant=_refuse)


@dataclass(frozen=True, slots=True)
class Member:
    """One member of an object: its value, and the value's place in the text."""

    value: Any
    start: int
    end: int


def members(text: str) -> dict[str, Member]:
    """The members of the object that is the whole text.

    Raises:
        ValueError: it is no JSON object; a JSONDecodeError says where.
    """
    found: dict[str, Member] = {}
    at = _past(text, 1)
    if text[at : at + 1] == "}":
        return found
    while True:
        if text[at : at + 1] != '"':
            raise json.JSONDecodeError("a member's name in double quotes is missing", text, at)
        key, at = _decode(text, at)
        at = _past(text, at)
        if text[at : at + 1] != ":":
            raise json.JSONDecodeError("':' is missing", text, at)
        start = _past(text, at + 1)
        value, at = _decode(text, start)
        found[key] = Member(value, start, at)
        at = _past(text, at)
        if text[at : at + 1] != ",":
            break
        at = _past(text, at + 1)
    if at != len(text) - 1:
        raise json.JSONDecodeError("',' is missing", text, at)
    return found


def _decode(text: str, at: int) -> tuple[Any, int]:
    try:
        return DECODER.raw_decode(text, at)
    except RecursionError as error:
        raise json.JSONDecodeError("nested too deeply to read", text, at) from error


def _past(text: str, at: int) -> int:
    found = SPACE.match(text, at)
    return found.end() if found else at


def argument_text(text: str, member: Member | None) -> str:
    """The arguments as JSON text: the model's own, unwrapped once where it encoded them twice."""
    if member is None or member.value is None:
        return "{}"
    value, problem = codec.parse_arguments(member.value) if isinstance(member.value, str) else (None, "no text")
    if problem is None and isinstance(value, dict):
        return str(member.value) or "{}"
    return text[member.start : member.end]


def check_arguments(text: str) -> tuple[str, int]:
    """What is wrong with a call's argument text and where in it; an empty message for nothing."""
    if not text.strip():
        return "", 0
    try:
        _, end = _decode(text, _past(text, 0))
    except ValueError as error:
        return error_of(error)
    rest = _past(text, end)
    return ("", 0) if rest == len(text) else ("more text after the arguments", rest)


def error_of(error: ValueError) -> tuple[str, int]:
    """The message of a JSON error and its place."""
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg}", error.pos
    return str(error), 0


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of the objects that stand for calls. `keyed`: the only key is the name, its value the arguments."""

    name: tuple[str, ...] = ("name",)
    arguments: tuple[str, ...] = ("arguments", "parameters")
    id: tuple[str, ...] = ("id", "tool_call_id")
    keyed: bool = False
    needed: bool = False
    """Whether an object without arguments is no call."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What an object says of a call; `problem` and `position` where it cannot be one."""

    name: str | None = None
    arguments: str | None = None
    id: str | None = None
    problem: str = ""
    position: int = 0


def entry_of(text: str, keys: Keys) -> Entry:
    """The call that a JSON object stands for."""
    try:
        found = members(text)
    except ValueError as error:
        message, position = error_of(error)
        return Entry(_name_in(text, keys), None, None, message, position)
    if keys.keyed and len(found) == 1:
        [(name, member)] = found.items()
        return Entry(name, argument_text(text, member))
    nested = found.get("function")
    if nested and isinstance(nested.value, dict) and _first(found, keys.name) is None:
        inner = entry_of(text[nested.start : nested.end], keys)
        return Entry(inner.name, inner.arguments, _id(found, keys), inner.problem, nested.start + inner.position)
    named, arguments = _first(found, keys.name), _first(found, keys.arguments)
    if named is None or not isinstance(named.value, str) or not named.value:
        return Entry(None, None, None, "the call has no name", 0)
    if arguments is None and keys.needed:
        return Entry(named.value, None, None, "the call has no arguments", 0)
    return Entry(named.value, argument_text(text, arguments), _id(found, keys))


def _id(found: dict[str, Member], keys: Keys) -> str | None:
    member = _first(found, keys.id)
    return str(member.value) if member and isinstance(member.value, str | int) else None


def _first(found: dict[str, Member], names: tuple[str, ...]) -> Member | None:
    return next((found[name] for name in names if name in found), None)


def _name_in(text: str, keys: Keys) -> str | None:
    """The name in an object that is no JSON, if it can be told."""
    found = re.search(rf'"(?:{"|".join(map(re.escape, keys.name))})"\s*:\s*"([^"\\]{{1,256}})"', text)
    return found[1] if found else None


def read_object(reader: Reader, start: int, keys: Keys, marks: Stops, *, whole: int | None = None) -> Reading[bool]:
    """Read the object at `start` as a call and go on after it; False where it broke, and reading went on at a mark.

    `whole` is where the call's own marks begin (None: at `start`). What is no call becomes a problem.
    """
    begin = start if whole is None else whole
    end = yield from value_end(reader, start, marks)
    if isinstance(end, Broken):
        _, place = yield from reader.recover(marks, start, end.position)
        name = _name_in(reader.text[start:place], keys)
        reader.failed(end.message, begin, place, min(end.position, place), name=name)
        reader.at = place
        return False
    entry = entry_of(reader.text[start:end], keys)
    if entry.problem:
        position = start + entry.position
        reader.failed(entry.problem, begin, end, position, name=entry.name, arguments=entry.arguments, id=entry.id)
    else:
        reader.called(entry.name or "", entry.arguments or "{}", begin, end, entry.id)
    reader.at = end
    return True
