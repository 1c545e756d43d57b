"""Typed dicts as pydantic can read them: before Python 3.12 it reads those of typing_extensions only."""

from __future__ import annotations

import sys
import types
from typing import Annotated, Any, NotRequired, Required, Union, get_args, get_origin, get_type_hints, is_typeddict

from typing_extensions import TypedDict


def readable(hint: Any) -> Any:
    """The annotation, with each `typing.TypedDict` in it as one that pydantic reads. One that holds itself stays."""
    return hint if sys.version_info >= (3, 12) else _readable(hint, ())


def _readable(hint: Any, within: tuple[Any, ...]) -> Any:
    if is_typeddict(hint) and type(hint).__module__ == "typing":
        return hint if hint in within else _copied(hint, (*within, hint))
    parts, origin = get_args(hint), get_origin(hint)
    if origin is Annotated:
        return Annotated[_readable(hint.__origin__, within), *hint.__metadata__]
    read = tuple(_readable(part, within) for part in parts)
    if read == parts:
        return hint
    return Union[read] if origin in (Union, types.UnionType) else origin[read]  # noqa: UP007


def _copied(kind: Any, within: tuple[Any, ...]) -> Any:
    hints = get_type_hints(kind, include_extras=True)
    fields = {name: _field(kind, name, hint, within) for name, hint in hints.items()}
    make: Any = TypedDict
    copied = make(kind.__name__, fields)
    copied.__doc__, copied.__module__ = kind.__doc__, kind.__module__
    if hasattr(kind, "__pydantic_config__"):
        copied.__pydantic_config__ = kind.__pydantic_config__
    return copied


def _field(kind: Any, name: str, hint: Any, within: tuple[Any, ...]) -> Any:
    # What the hint says comes first: of a hint written as text, `__required_keys__` knows nothing.
    said = get_origin(hint) if get_origin(hint) in (Required, NotRequired) else None
    marked: Any = said or (Required if name in kind.__required_keys__ else NotRequired)
    return marked[_readable(get_args(hint)[0] if said else hint, within)]
