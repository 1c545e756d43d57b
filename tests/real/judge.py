"""Whether a tool call can be run, judged without the library: by `json` and `jsonschema` alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import jsonschema


def verdict(name: str, arguments: Any, schemas: Sequence[dict[str, Any]]) -> str | None:
    """What is wrong with a call, in the words of `ToolError.kind`; None where nothing is."""
    offered = {declared(schema).get("name"): declared(schema).get("parameters") for schema in schemas}
    if name not in offered:
        return "unknown_tool"
    try:
        value = arguments_of(arguments)
    except ValueError:
        return "bad_json"
    if not isinstance(value, dict):
        return "bad_arguments"
    return None if jsonschema.Draft202012Validator(offered[name] or {}).is_valid(value) else "bad_arguments"


def declared(schema: dict[str, Any]) -> dict[str, Any]:
    """The part of a tool's schema that names and describes it, with or without the wire's wrapping."""
    inner = schema.get("function")
    return inner if isinstance(inner, dict) else schema


def arguments_of(text: Any) -> Any:
    """The value of a call's arguments: nothing at all is no arguments, an object encoded twice is the object.

    Raises:
        ValueError: they are not JSON.
    """
    if not isinstance(text, str):
        return {} if text is None else text
    value = json.loads(text, parse_constant=_refuse) if text.strip() else {}
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            value = json.loads(value, parse_constant=_refuse)
        except ValueError:
            return value
    return {} if value is None else value


def _refuse(constant: str) -> Any:
    raise ValueError(constant)
