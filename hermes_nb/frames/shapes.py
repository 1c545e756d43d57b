"""What the lines of a journal have to look like, made of the records themselves: msgspec checks it while it reads.

A shape has the fields of its record, with the same names, types and defaults, so that one stands for the other. What is
not asked for, such as the body that a provider sent, is checked for being an object and passed over; so are the records
that a table has no use for.
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

WHOLE = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
NUMBER = Annotated[float, msgspec.Meta(gt=-(2.0**63), lt=2.0**63)]


class Passed(msgspec.Struct, gc=False):
    """An object that was passed over."""


@dataclass(frozen=True, slots=True)
class Shapes:
    """The events by their names, as they are read for a table, and what reads the line of one.

    `decode` raises msgspec's DecodeError, UnicodeDecodeError or RecursionError for what is no event of this version as
    `journal` would take it, and for some that are one (with NaN, or half a surrogate pair). It does not look at the
    encoding of what it passes over. `with_messages`: the messages are read.
    """

    kinds: dict[str, Any]
    decode: Callable[[bytes], Any]
    decode_lines: Callable[[bytes], list[Any]]
    event: Any
    with_messages: bool

    def by_hand(self, line: bytes) -> Any:
        """The event in a line that only `codec` reads; None if there is none in it."""
        try:
            return msgspec.convert(codec.loads(line), self.event)
        except (ValueError, RecursionError, MemoryError):
            return None


MESSAGES = ("messages", "message", "added_messages", "rewritten", "parts")
"""The fields that hold messages, and parts of them."""


@cache
def shapes(*asked: str, useless: tuple[str, ...] = ()) -> Shapes:
    """The shapes of all events. `asked` names the fields whose objects are read, `useless` those whose records are
    not, as `"Reply.usage"`.
    """
    shaper = _Shaper(asked, useless)
    kinds = {name: shaper.shape(kind, tag=name) for name, kind in KINDS.items()}
    event = reduce(or_, kinds.values())
    reader = msgspec.json.Decoder(event)
    return Shapes(kinds, reader.decode, reader.decode_lines, event, "message" in asked)


class _Shaper:
    def __init__(self, asked: Collection[str], useless: Collection[str]) -> None:
        self._asked = asked
        self._useless = useless
        self._made: dict[Any, Any] = {}

    def shape(self, kind: Any, tag: str | None = None) -> Any:
        """The shape of a record, the only one."""
        if kind not in self._made:
            hints = get_type_hints(kind)
            told = [
                self._field(kind, one, hints[one.name])
                for one in fields(kind)
                if one.init and not one.metadata.get("memory_only")
            ]
            self._made[kind] = msgspec.defstruct(
                kind.__name__, told, kw_only=True, gc=False, tag=tag, tag_field="t" if tag else None
            )
        return self._made[kind]

    def _field(self, holder: Any, field: Field[Any], hint: Any) -> tuple[Any, ...]:
        needless = f"{holder.__name__}.{field.name}" in self._useless
        kind = self._type(hint, field.name in self._asked, needless)
        if field.default is MISSING and field.default_factory is MISSING:
            return field.name, kind
        if is_dataclass(field.default):
            return field.name, kind, msgspec.field(default_factory=kind)
        return field.name, kind, None if field.default is MISSING else field.default

    def _type(self, hint: Any, whole: bool, needless: bool) -> Any:
        """The type for msgspec; `codec.build` takes the same values for `hint`."""
        origin, arguments = get_origin(hint), get_args(hint)
        if origin in (Union, types.UnionType):
            return reduce(or_, (self._type(one, whole, needless) for one in arguments))
        if origin is tuple:
            return tuple[self._type(arguments[0], whole, needless), ...]  # type: ignore[misc]
        if is_dataclass(hint):
            return Passed if needless else self.shape(hint)
        if (origin or hint) is dict:
            return dict[str, Any] if whole else Passed
        if hint is type(None):
            return None
        return {int: WHOLE, float: NUMBER}.get(hint, str if origin is Literal else hint)
