"""Calls whose parameters stand in tags: `<function=f><parameter=a>1</parameter></function>`.

Nothing in such a text tells a number from a string of digits: the tool's schema does. Without one, a value that reads
as JSON is that value, or, where a format's template says so, every value is a string (`bare`).

A value goes on to the first end tag behind which the call goes on, too, so text that holds such a tag is kept whole. A
parameter that is not closed ends where the next one begins, or with the call.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from hermes_nb import codec
from hermes_nb.parsers.base.formats import Format
from hermes_nb.parsers.base.json_text import NOT_CLOSED
from hermes_nb.parsers.base.reading import Reader, Reading
from hermes_nb.parsers.base.stops import Stops, stops
from hermes_nb.parsers.base.values import from_text, written

LONGEST_TAG = 1000
NAME = re.compile(r"[^\s<>{}\[\]\"'|]{1,256}")
KEY = r"""\s*["']?(?P<key>[^"'<>]+?)["']?\s*(?:string\s*=\s*["'](?P<string>\w+)["'])?\s*"""


@dataclass(frozen=True, kw_only=True)
class XmlCalls(Format):
    """Calls and parameters in tags.

    `outer` and `outer_end` are marks around calls (the first of each is written). `call` and `parameter` are what
    stands before a tag's name and after it, `call_end` and `parameter_end` the end tags. `name_ends` are what ends a
    call's name (without: the tag's `>`), and belongs to what follows. `key` is the pattern of a parameter's tag. `pad`
    is a line break that is written around values and is no part of them. `lead`: other text may stand between an outer
    mark and the call. `noted`: tags tell strings from the rest. `between` is written between the parts of a call.
    """

    call: tuple[str, str]
    call_end: str
    parameter: tuple[str, str]
    parameter_end: str
    outer: tuple[str, ...] = ()
    outer_end: tuple[str, ...] = ()
    frame: tuple[str, str] = ("", "")
    name_ends: tuple[str, ...] = ()
    key: str = KEY
    pad: str = ""
    between: str = "\n"
    bare: str = "json"
    quote: str = ""
    lead: bool = False
    noted: bool = False

    @property
    def starts(self) -> tuple[str, ...]:
        """The marks around calls, and a call's own tag."""
        return (*self.outer, self.call[0])

    @cached_property
    def _next(self) -> Stops:
        """What may follow a parameter."""
        return stops(self.parameter[0], self.call_end, *self.outer_end, *self.outer, self.call[0])

    @cached_property
    def _ends(self) -> Stops:
        """What may end a value."""
        return stops(self.parameter_end, self.parameter[0], self.call_end)

    @cached_property
    def _tag(self) -> Stops:
        """What may end a parameter's tag."""
        return stops(self.parameter[1], self.call_end, *self.outer_end)

    @cached_property
    def _named(self) -> Stops:
        """What may end a call's name."""
        return stops(*(self.name_ends or (self.call[1], "<", "\n")))

    @cached_property
    def _whole_tag(self) -> re.Pattern[str]:
        """A parameter's tag with its marks."""
        return re.compile(f"{re.escape(self.parameter[0])}{self.key}{re.escape(self.parameter[1])}")

    @cached_property
    def _follows(self) -> re.Pattern[str]:
        """The white space between a parameter and what may follow it."""
        return re.compile(rf"\s*(?={self._next.pattern.pattern})")

    @cached_property
    def _key(self) -> re.Pattern[str]:
        """What a parameter's tag looks like."""
        return re.compile(self.key)

    @cached_property
    def _after(self) -> Stops:
        """What may follow a call."""
        return stops(*self.outer_end, *self.outer, self.call[0], *self.dropped)

    def read(self, reader: Reader, mark: str) -> Reading[None]:
        """Read a call, or the mark before one."""
        begin = reader.at
        if mark == self.call[0]:
            yield from self._read_call(reader, begin)
            return
        place = yield from reader.past_space(begin + len(mark))
        if self.lead:
            _, place = yield from reader.find(stops(self.call[0], *self.outer, *self.outer_end), place)
        follows = yield from reader.starting(stops(self.call[0], *self.outer), place)
        if follows:
            reader.boundary()
            reader.at = place
            if follows == self.call[0]:
                yield from self._read_call(reader, place)
            return
        if place >= len(reader.text):
            reader.failed(NOT_CLOSED, begin, place, place)
            reader.at = place
            return
        found, end = yield from reader.find(stops(*self.outer, *self.outer_end), begin + len(mark))
        if found in self.outer_end and found:
            reader.failed("there is no call between the marks", begin, end + len(found), place)
            reader.at = end + len(found)
        else:
            reader.say(mark)
            reader.at = begin + len(mark)

    def _read_call(self, reader: Reader, begin: int) -> Reading[None]:
        start = begin + len(self.call[0])
        found, place = reader.seen(self._named, start) or (yield from reader.find(self._named, start))
        name = reader.text[start : min(place, start + LONGEST_TAG)].strip().strip("\"'")
        if not NAME.fullmatch(name) or (found != self.call[1] and not self.name_ends):
            yield from self._no_name(reader, begin, found, place)
            return
        reader.at = place if self.name_ends else place + len(found)
        values: dict[str, Any] = {}
        while True:
            seen = reader.seen(self._next, reader.at)
            which, place = seen or (yield from reader.find(self._next, reader.at))
            if which == self.parameter[0]:
                place = self._closed_parameters(reader, place, name, values)
                which, place = reader.seen(self._next, place) or (yield from reader.find(self._next, place))
            if which != self.parameter[0]:
                self._end(reader, begin, place, which, name, values)
                return
            if not (yield from self._read_parameter(reader, begin, place, name, values)):
                return

    def _closed_parameters(self, reader: Reader, place: int, name: str, values: dict[str, Any]) -> int:
        """Take the parameters from `place` on that are there as a whole, up to the mark behind them; the place of what
        follows. Reading them step by step comes to the same."""
        text, began = reader.text, place
        while tag := self._whole_tag.match(text, place, place + LONGEST_TAG):
            end = self._ends.pattern.search(text, tag.end())
            if end is None or end[0] != self.parameter_end:
                break
            follows = self._follows.match(text, end.end())
            if follows is None:
                break
            values[tag["key"]] = self._value(reader, name, tag, text[tag.end() : end.start()])
            place = follows.end()
        reader.scanned += place - began
        return place

    def _no_name(self, reader: Reader, begin: int, found: str, place: int) -> Reading[None]:
        """A call's tag without a name: text, unless the text ends in it or the call is closed."""
        if not found:
            reader.failed(NOT_CLOSED, begin, place, place)
            reader.at = place
            return
        start = begin + len(self.call[0])
        found, place = yield from reader.find(stops(self.call[0], self.call_end, *self.outer_end), start)
        if found in (self.call_end, *self.outer_end):
            reader.failed("the call has no name", begin, place + len(found), start)
            reader.at = place + len(found)
        else:
            reader.say(self.call[0])
            reader.at = start

    def _end(self, reader: Reader, begin: int, place: int, which: str, name: str, values: dict[str, Any]) -> None:
        if not which:
            reader.failed(NOT_CLOSED, begin, place, place, name=name)
            reader.at = place
            return
        reader.at = place + len(which) if which == self.call_end else place
        reader.called(name, codec.dumps(values).decode(), begin, reader.at)

    def _read_parameter(
        self, reader: Reader, begin: int, place: int, name: str, values: dict[str, Any]
    ) -> Reading[bool]:
        start = place + len(self.parameter[0])
        found, end = reader.seen(self._tag, start) or (yield from reader.find(self._tag, start))
        tag = self._key.fullmatch(reader.text, start, min(end, start + LONGEST_TAG))
        if found != self.parameter[1] or tag is None:
            closed, after = yield from reader.find(stops(self.call_end, *self.outer_end), start)
            after += len(closed) if closed == self.call_end else 0
            message = "a parameter's tag cannot be read" if closed else NOT_CLOSED
            reader.failed(message, begin, after, start if closed else after, name=name)
            reader.at = after
            return False
        start = end + len(self.parameter[1])
        place, after = yield from self._value_end(reader, start)
        if after < 0:
            reader.failed(NOT_CLOSED, begin, place, place, name=name)
            reader.at = place
            return False
        reader.at = after
        values[tag["key"]] = self._value(reader, name, tag, reader.text[start:place])
        return True

    def _value_end(self, reader: Reader, start: int) -> Reading[tuple[int, int]]:
        """The end of a value and the place to go on from (negative: the value is not closed)."""
        at = start
        while True:
            found, place = reader.seen(self._ends, at) or (yield from reader.find(self._ends, at))
            at = place + len(found)
            if not found:
                return place, -1
            if found == self.parameter[0]:
                return place, place
            after = self._next if found == self.parameter_end else self._after
            if reader.stands(after, at):
                return place, at if found == self.parameter_end else place
            following = yield from reader.past_space(at)
            if (yield from reader.starting(after, following, patient=True)) or following >= len(reader.text):
                return place, at if found == self.parameter_end else place

    def _value(self, reader: Reader, name: str, tag: re.Match[str], text: str) -> Any:
        if self.pad:
            text = text.removeprefix(self.pad).removesuffix(self.pad)
        types = reader.schemas.types(name, tag["key"])
        noted = tag["string"] if "string" in self._key.groupindex else None
        bare = self.bare if noted is None else "text" if noted == "true" else "json"
        return from_text(text, types, bare=bare)

    def render(self, calls: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
        """The calls with their parameters in tags.

        Raises:
            ValueError: a value holds a tag of the format.
        """
        texts = []
        for name, arguments in calls:
            head = f"{self.call[0]}{self.quote}{name}{self.quote}{'' if self.name_ends else self.call[1]}"
            parts = [head, *(self._written(key, value) for key, value in arguments.items()), self.call_end]
            texts.append(self.frame[0] + self.between.join(parts) + self.frame[1])
        inner = "\n".join(texts)
        return f"{self.outer[0]}\n{inner}\n{self.outer_end[0]}" if self.outer and not self.frame[0] else inner

    def _written(self, key: str, value: Any) -> str:
        text = written(value)
        if any(mark in text for mark in (self.parameter[0], self.parameter_end, self.call_end)):
            raise ValueError(f"{self.name} cannot hold a value with its own tags in it: {text!r:.80}")
        if self.noted:
            tag = f'"{key}" string="{"true" if isinstance(value, str) else "false"}"'
        else:
            tag = f"{self.quote}{key}{self.quote}"
        close = "</arg_key>" + self.between if self.name_ends else ""
        return f"{self.parameter[0]}{tag}{close}{self.parameter[1]}{self.pad}{text}{self.pad}{self.parameter_end}"
