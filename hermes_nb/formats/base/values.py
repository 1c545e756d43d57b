"""Values of a JSON file, which need not be what the file's format says they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


def decoded(value: Any) -> Any:
    """A value that may have been written as JSON text, so that a table's columns stay the same: the value of the text
    if it is that of a list or an object, otherwise itself."""
    if not isinstance(value, str) or not value.lstrip().startswith(("[", "{")):
        return value
    try:
        return parsed(value.encode("utf-8", "surrogatepass"), Bounds())
    except ValueError:
        return value
