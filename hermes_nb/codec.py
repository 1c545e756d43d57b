"""The one encode/decode pair: JSON by orjson, by the standard library where orjson would lose something.

orjson writes NaN as null, reads integers beyond 64 bits as floats, and refuses lone surrogates and NaN. Each of
those goes through `json`, so no value is ever changed silently.
"""

from __future__ import annotations

import json
import math
import re
import types
from collections.abc import Callable, Mapping
from dataclasses import Field, fields, is_dataclass
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import orjson

T = TypeVar("T")

LONG_NUMBER = re.compile(rb"\d{19}")
"""Longer runs of digits may not fit 64 bits; orjson would hand back a float."""


def dumps(value: Any, *, default: Callable[[Any], Any] | None = None) -> bytes:
    """Encode `value` as compact UTF-8 JSON.

    Raises:
        TypeError: for a value JSON has no form for and `default` does not translate.
    """
    try:
        encoded = orjson.dumps(value, default=default)
    except TypeError:
        return _dumps_by_hand(value, default)
    if b"null" in encoded and _holds_non_finite(value):
        return _dumps_by_hand(value, default)
    return encoded


def _dumps_by_hand(value: Any, default: Callable[[Any], Any] | None) -> bytes:
    return json.dumps(value, default=default, separators=(",", ":")).encode("ascii")


def _holds_non_finite(value: Any) -> bool:
    if isinstance(value, float):
        return not math.isfinite(value)
    if isinstance(value, dict):
        return any(_holds_non_finite(item) for item in value.values())
    return isinstance(value, list | tuple) and any(_holds_non_finite(item) for item in value)


def loads(data: bytes | str) -> Any:
    """Decode JSON. NaN, Infinity, lone surrogates and integers of any length are read as Python reads them.

    Raises:
        ValueError: the data is not JSON, is not UTF-8, or is nested too deeply to read.
    """
    raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    if not LONG_NUMBER.search(raw):
        try:
            return orjson.loads(raw)
        except orjson.JSONDecodeError:
            pass  # Either not JSON, or JSON that only the standard library reads.
    try:
        return json.loads(data)
    except RecursionError as error:
        raise ValueError("nested too deeply to read") from error


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
    def refuse(constant: str) -> Any:
        raise ValueError(f"{constant} is not JSON")

    raw = text.encode("utf-8", "surrogatepass")
    if not LONG_NUMBER.search(raw):
        try:
            return orjson.loads(raw), None
        except orjson.JSONDecodeError:
            pass  # Asked again below: the standard library names the place, and reads what orjson cannot.
    try:
        return json.loads(text, parse_constant=refuse), None
    except RecursionError:
        return None, "nested too deeply to read"
    except ValueError as error:
        return None, str(error)


def plain(record: Any) -> Any:
    """A record as JSON values: fields that live in memory only, and fields at their default, are left out."""
    if is_dataclass(record):
        kind: Any = type(record)
        return {
            field.name: plain(value)
            for field in _stored(kind)
            if (value := getattr(record, field.name)) != field.default
        }
    if isinstance(record, list | tuple):
        return [plain(item) for item in record]
    if isinstance(record, dict):
        return {key: plain(value) for key, value in record.items()}
    return record


def build(kind: type[T], data: Mapping[str, Any]) -> T:
    """The record of type `kind` that `plain` made `data` from. Unknown keys are left aside.

    Raises:
        TypeError: a field without a default is missing.
    """
    record: Any = kind
    readers = _readers(record)
    return kind(**{name: read(data[name]) for name, read in readers.items() if name in data})


@cache
def _stored(kind: Any) -> tuple[Field[Any], ...]:
    return tuple(field for field in fields(kind) if field.init and not field.metadata.get("memory_only"))


@cache
def _readers(kind: Any) -> dict[str, Callable[[Any], Any]]:
    hints = get_type_hints(kind)
    return {field.name: _reader(hints[field.name]) for field in _stored(kind)}


def _reader(hint: Any) -> Callable[[Any], Any]:
    """What turns a JSON value into a value of type `hint`: records and tuples of records; all else is itself."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        inner = [_reader(argument) for argument in arguments if is_dataclass(argument) or get_origin(argument) is tuple]
        return (lambda value: None if value is None else inner[0](value)) if inner else _itself
    if origin is tuple:
        one = _reader(arguments[0])
        return lambda value: tuple(one(item) for item in value)
    return (lambda value: build(hint, value)) if is_dataclass(hint) and isinstance(hint, type) else _itself


def _itself(value: Any) -> Any:
    return value
