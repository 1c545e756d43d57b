"""Values of a JSON file, which need not be what the file's format says they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from hermes_nb.formats.base.bounds import Bounds, parsed


def sequence(value: Any) -> Sequence[Any]:
    """The value if it is a list, otherwise nothing: what a file says is a list need not be one."""
    return value if isinstance(value, list) else ()


def mapping(value: Any) -> Mapping[str, Any]:
    """The value if it is an object, otherwise an empty one."""
    return value if isinstance(value, Mapping) else {}


def text(value: Any) -> str | None:
    """The value if it is text with something in it, otherwise None."""
    return value if isinstance(value, str) and value else None


def number(value: Any) -> float | None:
    """The value if it is a number, otherwise None."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def moment(value: Any) -> float | None:
    """The time, in seconds since 1970, of text in ISO 8601 or of a number of such seconds; None where it is neither.
    Text without a zone is read as UTC: good for differences, and for nothing else."""
    if (seconds := number(value)) is not None:
        return float(seconds)
    try:
        time = datetime.fromisoformat(value)
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None


def between(start: Any, end: Any) -> float | None:
    """The seconds from one time to another, as `moment` reads them; None where one is unknown, never below 0."""
    begun, ended = moment(start), moment(end)
    return None if begun is None or ended is None else max(0.0, ended - begun)


def decoded(value: Any) -> Any:
    """A value that may have been written as JSON text, so that a table's columns stay the same: the value of the text
    if it is that of a list or an object, otherwise itself."""
    if not isinstance(value, str) or not value.lstrip().startswith(("[", "{")):
        return value
    try:
        return parsed(value.encode("utf-8", "surrogatepass"), Bounds())
    except ValueError:
        return value
