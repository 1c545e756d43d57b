"""What the lines of a journal have to look like, made of the records themselves: msgspec checks it while it reads.

A shape has the fields of its record, with the same names, types and defaults, so that one stands for the other. What is
not asked for, such as the body that a provider sent, is checked for being an object and passed over.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Collection
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from functools import cache, reduce
from operator import or_
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from hermes_nb import codec
from hermes_nb.events import KINDS
from hermes_nb.messages import REASONING_FIELDS

WHOLE = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
NUMBER = Annotated[float, msgspec.Meta(gt=-(2.0**63), lt=2.0**63)]


class Passed(msgspec.Struct, gc=False):
    """An object that was passed over."""


def _get(message: Any, name: str) -> Any:
    return getattr(message, name, None)


def _keys(message: Any) -> set[str]:
    return {name for name in message.__struct_fields__ if getattr(message, name) is not None}


Spoken: Any = msgspec.defstruct(
    "Spoken",
    [
        *((name, Any, None) for name in ("role", "content", "name", "tool_call_id", *REASONING_FIELDS)),
        ("tool_calls", list[Passed] | None, None),
    ],
    gc=False,
    namespace={"__doc__": "A reply's message, as far as rows show it.", "get": _get, "keys": _keys},
)


@dataclass(frozen=True, slots=True)
class Shapes:
    """The events by their names, as they are read for a table, and what reads the line of one.

    `decode` raises msgspec's DecodeError, UnicodeDecodeError or RecursionError for what is no event of this version as
    `journal` would take it, and for some that are one (with NaN, or half a surrogate pair). It does not look at the
    encoding of what it passes over. `with_messages`: the messages are read, and those of replies as objects, unless
    they are `spoken`.
    """

    kinds: dict[str, Any]
    decode: Callable[[bytes], Any]
    decode_lines: Callable[[bytes], list[Any]]
    event: Any
    with_messages: bool
    spoken: bool

    def by_hand(self, line: bytes) -> Any:
        """The event in a line that only `codec` reads; None if there is none in it."""
        try:
            return msgspec.convert(codec.loads(line), self.event)
        except (ValueError, RecursionError, MemoryError):
            return None


MESSAGES = ("messages", "message", "added_messages", "rewritten", "parts")
"""The fields that hold messages, and parts of them."""

SPOKEN = ("messages", "spoken", "added_messages", "parts")
"""The same, but that a reply's message is a `Spoken`; for runs whose history was not rewritten."""


@cache
def shapes(*asked: str) -> Shapes:
    """The shapes of all events; `asked` names the fields whose objects are to be read, `spoken` a reply's message."""
    made: dict[Any, Any] = {}
    kinds = {name: _shape(kind, asked, made, tag=name) for name, kind in KINDS.items()}
    event = reduce(or_, kinds.values())
    reader = msgspec.json.Decoder(event)
    spoken = "spoken" in asked and "message" not in asked
    return Shapes(kinds, reader.decode, reader.decode_lines, event, spoken or "message" in asked, spoken)


def _shape(kind: Any, asked: Collection[str], made: dict[Any, Any], tag: str | None = None) -> Any:
    if kind not in made:
        hints = get_type_hints(kind)
        told = [
            _field(one, _type(hints[one.name], one.name, asked, made))
            for one in fields(kind)
            if one.init and not one.metadata.get("memory_only")
        ]
        made[kind] = msgspec.defstruct(
            kind.__name__, told, kw_only=True, gc=False, tag=tag, tag_field="t" if tag else None
        )
    return made[kind]


def _field(field: Field[Any], kind: Any) -> tuple[Any, ...]:
    if field.default is MISSING and field.default_factory is MISSING:
        return field.name, kind
    if is_dataclass(field.default):
        return field.name, kind, msgspec.field(default_factory=kind)
    return field.name, kind, None if field.default is MISSING else field.default


def _type(hint: Any, name: str, asked: Collection[str], made: dict[Any, Any]) -> Any:
    """The type for msgspec; `codec.build` takes the same values for `hint`."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return reduce(or_, (_type(one, name, asked, made) for one in arguments))
    if origin is tuple:
        return tuple[_type(arguments[0], name, asked, made), ...]  # type: ignore[misc]
    if is_dataclass(hint):
        return _shape(hint, asked, made)
    if (origin or hint) is dict:
        passed = Spoken if name == "message" and "spoken" in asked else Passed
        return dict[str, Any] if name in asked else passed
    if hint is type(None):
        return None
    return {int: WHOLE, float: NUMBER}.get(hint, str if origin is Literal else hint)
