"""The one encode/decode pair: JSON by orjson, by the standard library where orjson would lose something.

orjson writes NaN as null, reads integers beyond 64 bits as floats, and refuses lone surrogates and NaN. Each of
those goes through `json`, so no value is ever changed silently.
"""

from __future__ import annotations

import json
import math
import re
import types
from collections.abc import Callable
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache, partial
from typing import Any, Literal, TypeAlias, TypeVar, Union, get_args, get_origin, get_type_hints

import orjson

T = TypeVar("T")

LONG_NUMBER = re.compile(rb"\d{19}")
LONG_INTEGER = re.compile(rb"(?<![\d.])\d{19}")
"""Longer runs of digits may not fit 64 bits; orjson would hand back a float. The digits of a fraction may be many."""

TEXT_OR_CONSTANT = re.compile(r'"(?:[^"\\]|\\.)*"|(-?Infinity|NaN)', re.DOTALL)


def dumps(value: Any, *, default: Callable[[Any], Any] | None = None, option: int = 0) -> bytes:
    """Encode `value` as compact UTF-8 JSON. `option` is orjson's.

    Raises:
        TypeError: for a value JSON has no form for and `default` does not translate.
        ValueError: for one that holds itself.
        RecursionError: for one that is nested too deeply.
    """
    try:
        encoded = orjson.dumps(value, default=default, option=option)
    except TypeError:
        return _dumps_by_hand(value, default)
    if b"null" in encoded and _holds_non_finite(value):
        return _dumps_by_hand(value, default)
    return encoded


def _dumps_by_hand(value: Any, default: Callable[[Any], Any] | None) -> bytes:
    return json.dumps(value, default=default, separators=(",", ":")).encode("ascii")


def _holds_non_finite(value: Any) -> bool:
    todo: list[Any] = [(value,)]
    for holder in todo:  # It grows on the way. No recursion, and no stack to run out of.
        for item in holder:
            kind = type(item)
            if kind in FINITE:
                continue
            if kind is dict or isinstance(item, dict):
                todo.append(item.values())
            elif kind is list or isinstance(item, list | tuple):
                todo.append(item)
            elif isinstance(item, float):
                if not math.isfinite(item):
                    return True
            elif is_record(item):
                todo.append(outline(item).values())
    return False


FINITE = {str, int, bool, type(None), orjson.Fragment}


def loads(data: bytes | str) -> Any:
    """Decode JSON. NaN, Infinity, lone surrogates and integers of any length are read as Python reads them.

    Raises:
        ValueError: the data is not JSON, is not UTF-8, or is nested too deeply to read.
    """
    raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    if not _may_overflow(raw):
        try:
            return orjson.loads(raw)
        except orjson.JSONDecodeError:
            pass  # Either not JSON, or JSON that only the standard library reads.
    try:
        return json.loads(data)
    except RecursionError as error:
        raise ValueError("nested too deeply to read: about a thousand levels are the limit") from error


def _may_overflow(raw: bytes) -> bool:
    return LONG_NUMBER.search(raw) is not None and LONG_INTEGER.search(raw) is not None


def parse_arguments(text: str) -> tuple[Any, str | None]:
    """Read a tool call's argument text: `(value, None)`, or `(None, problem)` with the place of the error.

    Nothing at all (empty, blank, `null`) means no arguments: `{}`. An object that was encoded twice is unwrapped
    once. NaN and Infinity are not JSON and are refused.
    """
    if not text.strip():
        return {}, None
    value, problem = _strict(text)
    if isinstance(value, str) and value.lstrip().startswith("{"):
        inner, inner_problem = _strict(value)
        if inner_problem is None and isinstance(inner, dict):
            return inner, None
    return ({}, None) if value is None and problem is None else (value, problem)


def _strict(text: str) -> tuple[Any, str | None]:
    raw = text.encode("utf-8", "surrogatepass")
    if not _may_overflow(raw):
        try:
            return orjson.loads(raw), None
        except orjson.JSONDecodeError:
            pass  # Asked again below: the standard library names the place, and reads what orjson cannot.

    def refuse(constant: str) -> Any:
        place = next(found.start() for found in TEXT_OR_CONSTANT.finditer(text) if found[1])
        raise json.JSONDecodeError(f"{constant} is not JSON", text, place)

    try:
        return json.loads(text, parse_constant=refuse), None
    except RecursionError:
        return None, "nested too deeply to read"
    except ValueError as error:
        return None, str(error)


def plain(record: Any) -> Any:
    """A record as JSON values: fields that live in memory only, and fields at their default, are left out."""
    if is_record(record):
        return {name: plain(value) for name, value in outline(record).items()}
    if isinstance(record, list | tuple):
        return [plain(item) for item in record]
    if isinstance(record, dict):
        return {key: plain(value) for key, value in record.items()}
    return record


def is_record(value: Any) -> bool:
    """Whether this is a record: of a dataclass, ours or not."""
    return is_dataclass(value) and not isinstance(value, type)


def outline(record: Any, write: Callable[[Any], Any] | None = None, **first: Any) -> dict[str, Any]:
    """`plain` of a record, but that what its fields hold besides records is not copied. `write` says what stands for
    the records in it; their outlines do by default. `first` is what comes before the fields."""
    kind: Any = type(record)
    _outliner(kind)(record, first, write or outline)
    return first


@cache
def _outliner(kind: Any) -> Callable[[Any, dict[str, Any], Callable[[Any], Any]], None]:
    """What enters the stored fields that are not at their default. It is written out for each kind, as `dataclasses`
    does: a journal's lines take half the time of a loop."""
    stored, hints = _stored(kind), get_type_hints(kind)
    known: dict[str, Any] = {"written": _written}
    lines = [" pass"]
    for number, field in enumerate(stored):
        given = ""
        if field.default is None:
            given = "if value is not None: "
        elif field.default is not MISSING:
            known[f"default{number}"] = field.default
            given = f"if value != default{number}: "
        entered = "written(value, write)" if _holds_records(hints[field.name]) else "value"
        lines += [f" value = record.{field.name}", f" {given}told[{field.name!r}] = {entered}"]
    # What they are compared with are arguments, which are looked up soonest.
    lines.insert(0, f"def enter(record, told, write, {', '.join(f'{name}={name}' for name in known)}):")
    # Compiled first: to run text would make Python forget that it ends by Ctrl-C. It has no text but names of fields.
    exec(compile("\n".join(lines), "<outline>", "exec"), known)  # noqa: S102
    enter: Callable[[Any, dict[str, Any], Callable[[Any], Any]], None] = known["enter"]
    return enter


def _holds_records(hint: Any) -> bool:
    return is_dataclass(hint) or any(_holds_records(one) for one in get_args(hint))


def _written(value: Any, write: Callable[[Any], Any]) -> Any:
    if hasattr(value, "__dataclass_fields__"):
        return write(value)
    return [_written(item, write) for item in value] if isinstance(value, list | tuple) else value


def build(kind: type[T], data: Any, unread: dict[str, Any] | None = None) -> T:
    """The record of type `kind` that `plain` made `data` from.

    Keys nobody knows, at any depth, are left aside; they are entered in `unread`, where that is given, by the way to
    them: `{"reply": {"calls": {0: {"new": 1}}}}`. `merge` puts them back.

    Raises:
        ValueError: the data is no object, or a value in it is not of its field's type.
        TypeError: a field without a default is missing.
    """
    record: Any = kind
    readers = _readers(record)
    if not isinstance(data, dict):
        raise ValueError(f"must be an object, not {_sort(data)}")  # noqa: TRY004 - what is in a file is no type
    values: dict[str, Any] = {}
    for name, value in data.items():
        read = readers.get(name)
        if read is not None:
            aside: dict[Any, Any] = {}
            try:
                values[name] = read(value, aside)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from None
            value = aside
        if unread is not None and (value or read is None):
            unread[name] = value
    return kind(**values)


def merge(data: Any, unread: dict[Any, Any]) -> None:
    """Put what `build` left aside back into what `plain` makes of the record."""
    for name, value in unread.items():
        if isinstance(data, list) or (name in data and isinstance(value, dict)):
            merge(data[name], value)
        else:
            data[name] = value


@cache
def _stored(kind: Any) -> tuple[Field[Any], ...]:
    return tuple(field for field in fields(kind) if field.init and not field.metadata.get("memory_only"))


_Reader: TypeAlias = Callable[[Any, dict[Any, Any]], Any]


@cache
def _readers(kind: Any) -> dict[str, _Reader]:
    hints = get_type_hints(kind)
    return {field.name: _reader(hints[field.name]) for field in _stored(kind)}


def _reader(hint: Any) -> _Reader:
    """What turns a JSON value into a value of type `hint`, and enters the keys that nobody knows."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        inner = [_reader(argument) for argument in arguments if argument is not type(None)]
        one = inner[0] if len(inner) == 1 else _itself
        return lambda value, aside: None if value is None and type(None) in arguments else one(value, aside)
    if origin is tuple:
        return partial(_row, _reader(arguments[0]))
    if is_dataclass(hint) and isinstance(hint, type):
        return partial(build, hint)
    kind = str if origin is Literal else origin or hint
    return CHECKS.get(kind, _itself)


def _row(read: _Reader, value: Any, aside: dict[Any, Any]) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise ValueError(f"must be a list, not {_sort(value)}")  # noqa: TRY004
    row = []
    for index, item in enumerate(value):
        inner: dict[Any, Any] = {}
        row.append(read(item, inner))
        if inner:
            aside[index] = inner
    return tuple(row)


def _itself(value: Any, aside: dict[Any, Any]) -> Any:
    return value


def _check(fits: Callable[[Any], bool], told: str) -> _Reader:
    def check(value: Any, aside: dict[Any, Any]) -> Any:
        if not fits(value):
            raise ValueError(f"must be {told}, not {_sort(value)}")
        return value

    return check


def _sort(value: Any) -> str:
    names = {str: "text", bool: "true or false", dict: "an object", list: "a list", type(None): "null"}
    return names.get(type(value)) or ("a number" if abs(value) < 2**63 else "a number of more than 64 bits")


CHECKS: dict[Any, _Reader] = {
    str: _check(lambda value: type(value) is str, "text"),
    bool: _check(lambda value: type(value) is bool, "true or false"),
    int: _check(lambda value: type(value) is int and -(2**63) <= value < 2**63, "a whole number"),
    float: _check(lambda value: type(value) is float or (type(value) is int and abs(value) < 2**63), "a number"),
    dict: _check(lambda value: type(value) is dict, "an object"),
}
"""What a field's JSON value has to be, by the type of the field. Words nobody knows, of a Literal, are kept."""
