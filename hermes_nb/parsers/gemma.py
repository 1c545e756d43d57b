"""Calls of Google's open models: `call:get_weather{city:<|"|>Paris<|"|>,days:3}` between marks.

Keys are bare, strings stand between string marks, and everything else is written as JSON.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hermes_nb import codec
from hermes_nb.parsers.base.formats import Format
from hermes_nb.parsers.base.json_text import DECODER, DEPTH, NOT_CLOSED, Broken
from hermes_nb.parsers.base.literals import Unreadable
from hermes_nb.parsers.base.reading import Reader, Reading
from hermes_nb.parsers.base.stops import stops
from hermes_nb.parsers.base.values import from_text, written

HEAD = re.compile(r"\s*(?:call:)?\s*(?P<name>[^\s{}<>:]{1,256})\s*")
SPACE = re.compile(r"\s*")
KEY = re.compile(r"([^\W\d]\w*):")
COMMAS = re.compile(r"[\s,]*")
BARE = re.compile(r"[^,{}\[\]]*")


@dataclass(frozen=True, kw_only=True)
class Gemma(Format):
    """`begin` and `end` are a call's marks, `quote` the mark around strings. `bare`: what a parameter's string is where
    no schema tells: `text`, or `json` for a number or a constant."""

    begin: str
    end: str
    quote: str
    bare: str = "text"

    @property
    def starts(self) -> tuple[str, ...]:
        """The begin mark."""
        return (self.begin,)

    def read(self, reader: Reader, mark: str) -> Reading[None]:
        """Read one call."""
        begin, start = reader.at, reader.at + len(mark)
        heads = stops("{", self.begin, self.end)
        found, place = reader.seen(heads, start) or (yield from reader.find(heads, start))
        head = HEAD.fullmatch(reader.text[start : min(place, start + 600)])
        if found != "{" or head is None:
            yield from self._no_call(reader, begin, start, head["name"] if head else None)
            return
        end = yield from self._value_end(reader, place)
        if isinstance(end, Broken):
            found, stop = yield from reader.recover(stops(self.begin, self.end), place, end.position)
            after = stop + (len(found) if found == self.end else 0)
            reader.failed(end.message, begin, after, min(end.position, stop), name=head["name"])
            reader.at = after
            return
        if reader.text.startswith(self.end, end):
            reader.at = end + len(self.end)
        else:
            following = yield from reader.past_space(end)
            closed = yield from reader.starting(stops(self.end), following)
            reader.at = following + len(closed) if closed else end
        body = Body(reader.text[place:end], self.quote, self.bare)
        try:
            arguments = body.arguments(reader, head["name"])
        except Unreadable as error:
            reader.failed(str(error), begin, reader.at, place + error.position, name=head["name"])
        else:
            reader.called(head["name"], codec.dumps(arguments).decode(), begin, reader.at)

    def _no_call(self, reader: Reader, begin: int, start: int, name: str | None) -> Reading[None]:
        found, place = yield from reader.find(stops(self.begin, self.end), start)
        if found == self.begin:
            reader.say(reader.text[begin:place])
            reader.at = place
            return
        message = "the call has no arguments in braces" if found else NOT_CLOSED
        reader.failed(message, begin, place + len(found), start if found else place, name=name)
        reader.at = place + len(found)

    def _value_end(self, reader: Reader, start: int) -> Reading[int | Broken]:
        points, quote = stops(self.quote, "{", "}", "[", "]", self.begin, self.end), stops(self.quote)
        stack: list[str] = []
        at = start
        while True:
            point, place = reader.seen(points, at) or (yield from reader.find(points, at))
            at = place + len(point)
            if point == self.quote:
                point, place = reader.seen(quote, at) or (yield from reader.find(quote, at))
                at = place + len(point)
                if not point:
                    return Broken(place, NOT_CLOSED)
            elif point in ("{", "["):
                stack.append("}" if point == "{" else "]")
                if len(stack) > DEPTH:
                    return Broken(place, f"nested more than {DEPTH} deep")
            elif point not in ("}", "]") or stack.pop() != point:
                return Broken(place, NOT_CLOSED)
            elif not stack:
                return at

    def render(self, calls: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
        """The calls between their marks.

        Raises:
            ValueError: a string holds the string mark, or a key what ends a key.
        """
        return "".join(f"{self.begin}call:{name}{self._written(dict(given))}{self.end}" for name, given in calls)

    def _written(self, value: Any) -> str:
        if isinstance(value, dict):
            return "{" + ",".join(f"{self._key(key)}:{self._written(item)}" for key, item in value.items()) + "}"
        if isinstance(value, list | tuple):
            return "[" + ",".join(map(self._written, value)) + "]"
        if not isinstance(value, str):
            return written(value)
        if self.quote in value:
            raise ValueError(f"{self.name} cannot hold a string with {self.quote!r} in it")
        return self.quote + value + self.quote

    def _key(self, key: str) -> str:
        return key if re.fullmatch(r"[^\W\d]\w*", key) else self._written(str(key))


class Body:
    """The arguments of one call, in braces."""

    def __init__(self, text: str, quote: str, bare: str) -> None:
        self.text, self.quote, self.bare, self.at = text, quote, bare, 0

    def arguments(self, reader: Reader, name: str) -> dict[str, Any]:
        """The values by name.

        Raises:
            Unreadable: they are none.
        """
        values: dict[str, Any] = {}
        self.at = 1
        while self._peek() != "}":
            key = self._key()
            values[key] = self._value(reader.schemas.types(name, key), self.bare)
            self._pass_commas()
        return values

    def _peek(self) -> str:
        here = self.text[self.at : self.at + 1]
        if not here.isspace():
            return here
        found = SPACE.match(self.text, self.at)
        self.at = found.end() if found else self.at
        return self.text[self.at : self.at + 1]

    def _pass_commas(self) -> None:
        found = COMMAS.match(self.text, self.at)
        self.at = found.end() if found else self.at

    def _key(self) -> str:
        start = self.at
        plain = KEY.match(self.text, start)
        if plain is not None:
            self.at = plain.end()
            return plain[1]
        if self.text.startswith(self.quote, start):
            key = self._quoted()
            if self._peek() != ":":
                raise Unreadable("':' is missing", self.at)
        else:
            place = self.text.find(":", start)
            key = self.text[start : max(place, start)].strip().strip('"')
            if place < 0 or not key or re.search(r"[,{}\[\]]", key):
                raise Unreadable("a key is missing", start)
            self.at = place
        self.at += 1
        return key

    def _quoted(self) -> str:
        start = self.at + len(self.quote)
        end = self.text.find(self.quote, start)
        if end < 0:
            raise Unreadable("a string is not closed", self.at)
        self.at = end + len(self.quote)
        return self.text[start:end]

    def _value(self, types: frozenset[str], bare: str = "text") -> Any:
        first = self._peek()
        if self.text.startswith(self.quote, self.at):
            text = self._quoted()
            return from_text(text, types, bare=bare) if bare == "json" else text
        if first == "{":
            return self._held()
        if first == "[":
            return self._items()
        if first == '"':
            return self._json_string()
        return self._bare(types)

    def _held(self) -> dict[str, Any]:
        self.at += 1
        held: dict[str, Any] = {}
        while self._peek() != "}":
            key = self._key()
            held[key] = self._value(frozenset())
            self._pass_commas()
        self.at += 1
        return held

    def _items(self) -> list[Any]:
        self.at += 1
        items: list[Any] = []
        while self._peek() != "]":
            items.append(self._value(frozenset()))
            self._pass_commas()
        self.at += 1
        return items

    def _json_string(self) -> Any:
        try:
            value, self.at = DECODER.raw_decode(self.text, self.at)
        except ValueError as error:
            raise Unreadable("a string is not closed", self.at) from error
        return value

    def _bare(self, types: frozenset[str]) -> Any:
        found = BARE.match(self.text, self.at)
        token = found[0].strip() if found else ""
        if not token:
            raise Unreadable("a value is missing", self.at)
        self.at = found.end() if found else self.at
        return from_text(token, types)


FORMATS: tuple[Format, ...] = (
    Gemma(
        name="gemma4",
        source="ai.google.dev/gemma/docs, Gemma 4: function calling; chat template of google/gemma-4-31b-it",
        begin="<|tool_call>",
        end="<tool_call|>",
        quote='<|"|>',
        thought=("<|channel>thought", "<channel|>"),
        trim=True,
        dropped=("<turn|>", "<|tool_response>", "<channel|>"),
        signs=(r"<\|tool_call>", r"<\|channel>thought"),
    ),
    Gemma(
        name="functiongemma",
        source="ai.google.dev/gemma/docs/functiongemma/formatting-and-best-practices",
        begin="<start_function_call>",
        end="<end_function_call>",
        quote="<escape>",
        bare="json",
        trim=True,
        dropped=("<start_function_response>", "<end_of_turn>"),
        signs=(r"<start_function_call>",),
    ),
)
"""Google's open models."""
