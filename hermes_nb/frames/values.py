"""Single values on their way into a column: what does not fit its type is unknown, or JSON text."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import msgspec
import orjson

from hermes_nb import codec


def text(value: Any) -> str | None:
    """Text as it is; anything else but None as JSON."""
    return value if value is None or type(value) is str else json_text(value)


def json_text(value: Any) -> str:
    """The value as JSON with sorted keys."""
    try:
        return codec.dumps(value, option=orjson.OPT_SORT_KEYS, default=repr).decode()
    except (TypeError, ValueError, RecursionError):  # It holds itself, or keys of no JSON.
        return repr(value)


def whole(value: Any) -> int | None:
    """A whole number of 64 bits."""
    return value if type(value) is int and -(2**63) <= value < 2**63 else None


def number(value: Any) -> float | None:
    """A number; what is none, and NaN, is unknown."""
    return float(value) if type(value) in (int, float) and not math.isnan(value) else None


def flag(value: Any) -> bool | None:
    """True or false."""
    return value if type(value) is bool else None


def moment(value: Any) -> datetime | None:
    """A time of ISO 8601; one without a zone is UTC."""
    try:
        read = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)


def listed(values: Any) -> str | None:
    """A list as JSON text; an empty one is unknown."""
    return json_text(list(values)) if values else None


def canonical(arguments: str) -> str | None:
    """A call's arguments as JSON with sorted keys; None where they are no JSON."""
    if arguments.startswith("{"):
        try:
            return orjson.dumps(_read(arguments), option=orjson.OPT_SORT_KEYS).decode()
        except (msgspec.MsgspecError, TypeError, ValueError, RecursionError):
            pass  # `codec` takes its time over what is no JSON, and over JSON that only the standard library reads.
    value, problem = codec.parse_arguments(arguments)
    return None if problem is not None else json_text(value)


_read = msgspec.json.Decoder().decode
