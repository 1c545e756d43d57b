"""Values that came as bare text, by the tool's schema."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from hermes_nb.parsers.base.json_text import DECODER, DEPTH

NAMES = (
    ("string", ("str", "text", "varchar", "char", "enum")),
    ("integer", ("int", "uint", "long", "short", "unsigned")),
    ("number", ("num", "float", "double")),
    ("boolean", ("bool", "binary")),
    ("object", ("obj", "dict", "map")),
    ("array", ("arr", "list", "tuple", "set")),
    ("null", ("null", "none")),
)
"""JSON's types, and how else schemas in the wild begin to name them."""

SCALARS: Mapping[str, Any] = {"true": True, "True": True, "false": False, "False": False, "null": None, "None": None}


UNTOLD: frozenset[str] = frozenset()


class Schemas:
    """The parameters of the tools by name, from tool schemas as chat APIs take them, or bare function schemas."""

    def __init__(self, tools: Iterable[Mapping[str, Any]] | None = None) -> None:
        self._parameters: dict[str, Mapping[str, Any]] = {}
        for tool in tools or ():
            function = tool.get("function", tool)
            if isinstance(function, Mapping) and isinstance(function.get("name"), str):
                parameters = function.get("parameters")
                self._parameters[function["name"]] = parameters if isinstance(parameters, Mapping) else {}

    def __contains__(self, name: str) -> bool:
        """Whether there is a tool of that name."""
        return name in self._parameters

    def __len__(self) -> int:
        return len(self._parameters)

    def names(self) -> tuple[str, ...]:
        """The tools' names."""
        return tuple(self._parameters)

    def keys(self, name: str) -> frozenset[str]:
        """The names of a tool's parameters."""
        properties = self._parameters.get(name, {}).get("properties")
        return frozenset(properties) if isinstance(properties, Mapping) else frozenset()

    def types(self, name: str, key: str) -> frozenset[str]:
        """The JSON types a parameter may have; empty where no schema tells."""
        if not self._parameters:
            return UNTOLD
        root = self._parameters.get(name, {})
        properties = root.get("properties")
        if not isinstance(properties, Mapping) or key not in properties:
            return frozenset()
        return _types(properties[key], root, 0)


def _types(schema: Any, root: Mapping[str, Any], depth: int) -> frozenset[str]:
    if not isinstance(schema, Mapping) or depth > 16:
        return frozenset()
    found: set[str] = set()
    stated = schema.get("type")
    for name in stated if isinstance(stated, list) else [stated]:
        found.update(_known(name))
    for word in ("anyOf", "oneOf", "allOf"):
        for inner in schema.get(word) or () if isinstance(schema.get(word), list) else ():
            found |= _types(inner, root, depth + 1)
    if isinstance(schema.get("$ref"), str):
        found |= _types(_resolve(schema["$ref"], root), root, depth + 1)
    if not found:
        options = schema.get("enum") if isinstance(schema.get("enum"), list) else None
        options = [schema["const"]] if options is None and "const" in schema else options
        found.update(type_of(option) for option in options or ())
    if not found and ("properties" in schema or "items" in schema):
        found.add("object" if "properties" in schema else "array")
    if found and schema.get("nullable") is True:
        found.add("null")
    return frozenset(found)


def _known(name: Any) -> Iterable[str]:
    if not isinstance(name, str):
        return ()
    word = name.strip().lower()
    return [kind for kind, others in NAMES if word == kind or word.startswith(others)][:1]


def _resolve(reference: str, root: Any) -> Any:
    for step in reference.removeprefix("#").strip("/").split("/"):
        root = root.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(root, Mapping) else None
    return root


def type_of(value: Any) -> str:
    """The JSON type of a value."""
    kinds = {bool: "boolean", int: "integer", float: "number", str: "string", dict: "object", list: "array"}
    return kinds.get(type(value), "null")


def from_text(text: str, types: frozenset[str], *, bare: str = "json") -> Any:
    """The value that a text stands for, where the parameter may have these types.

    A text that only may be a string is that string. Else null, numbers, booleans, objects and lists are read, in that
    order, and what fits none is the text itself: the tool's own checks tell the model. Without types, `bare` says what
    holds: `json` (what reads as JSON is that, everything else is text) or `text`.
    """
    if not types:
        return _json_or_text(text) if bare == "json" else text
    if types == {"string"}:
        return text
    word = text.strip()
    if "null" in types and word.lower() in ("null", "none"):
        return None
    readers = (("integer", _integer), ("number", _number), ("boolean", _boolean))
    for kind, read in readers:
        if kind in types and (value := read(word)) is not None:
            return value
    if types & {"object", "array"}:
        value = _json_or_text(word)
        if type_of(value) in types and not isinstance(value, str):
            return value
    return text


def _json_or_text(text: str) -> Any:
    word = text.strip()
    if not word or word[0] not in '{["-0123456789tfnTFN':
        return text
    if word in SCALARS:
        return SCALARS[word]
    if word[0] in "123456789" and len(word) < 16 and word.isascii() and word.isdigit():
        return int(word)
    try:
        value, end = DECODER.raw_decode(word)
    except (ValueError, RecursionError):
        return text
    return value if end == len(word) and storable(value) else text


def storable(value: Any) -> bool:
    """Whether a value can go into arguments: no number in it is infinite, and it is not nested too deep."""
    if not isinstance(value, dict | list):
        return not isinstance(value, float) or math.isfinite(value)
    level, depth = [value], 0
    while level:
        if depth > DEPTH or any(isinstance(item, float) and not math.isfinite(item) for item in level):
            return False
        holders = [item.values() if isinstance(item, dict) else item for item in level if isinstance(item, dict | list)]
        level, depth = [inner for holder in holders for inner in holder], depth + 1
    return True


def _integer(word: str) -> int | None:
    if re.fullmatch(r"[+-]?\d{1,4000}", word, re.ASCII):
        return int(word)
    number = _number(word)
    return int(number) if isinstance(number, float) and number.is_integer() and abs(number) < 2**53 else None


def _number(word: str) -> float | int | None:
    if re.fullmatch(r"[+-]?\d{1,4000}", word, re.ASCII):
        return int(word)
    if not re.fullmatch(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", word, re.ASCII):
        return None
    number = float(word)
    return number if math.isfinite(number) else None


def _boolean(word: str) -> bool | None:
    return {"true": True, "false": False}.get(word.lower())


def written(value: Any, *, strings: bool = False) -> str:
    """A value as text: a string as it is (with `strings`, quoted), everything else as JSON."""
    return value if isinstance(value, str) and not strings else json.dumps(value, ensure_ascii=False, allow_nan=False)
