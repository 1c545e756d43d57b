"""Calls that are JSON objects: `{"name": "f", "arguments": {...}}`, one or a list of them, behind a mark or bare.

Where the JSON ends is told by the JSON: a mark inside a string is text, and an end mark may be missing. A list is read
object by object, so one that is broken loses none of the others. Objects without arguments are calls without any,
unless the object stands bare in the text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hermes_nb.parsers.base.formats import Format
from hermes_nb.parsers.base.json_text import Broken, Entry, Keys, entry_of, read_object, value_end
from hermes_nb.parsers.base.reading import Reader, Reading
from hermes_nb.parsers.base.stops import stops
from hermes_nb.parsers.base.values import written

LIKE_A_CALL = re.compile(r'\{\s*"name"\s*:\s*"([^"\\]{1,256})"')


@dataclass(frozen=True, kw_only=True)
class JsonCalls(Format):
    """Objects between marks.

    `begin` and `end` are the marks (the first of each is written; without an `end` a list or an object ends itself).
    `bare` are the characters at which calls may begin without any mark; `careful` are marks that mean a call only
    before something that looks like one. `listed`: calls are written as one list, else each between marks of its own.
    """

    begin: tuple[str, ...] = ()
    end: tuple[str, ...] = ()
    bare: tuple[str, ...] = ()
    careful: tuple[str, ...] = ()
    keys: Keys = field(default_factory=Keys)
    listed: bool = False
    joint: str = "\n"
    layout: tuple[str, str] = ("", "")

    @property
    def starts(self) -> tuple[str, ...]:
        """The begin marks and what may begin a call without one."""
        return (*self.begin, *self.bare, *self.careful)

    def read(self, reader: Reader, mark: str) -> Reading[None]:
        """Read calls from a mark or a bracket on."""
        if mark in self.bare or mark in self.careful:
            yield from self._read_bare(reader, mark)
        else:
            yield from self._read_marked(reader, mark)

    # Behind a mark

    def _read_marked(self, reader: Reader, mark: str) -> Reading[None]:
        begin, reader.at = reader.at, reader.at + len(mark)
        place = yield from reader.past_space(reader.at, "[")
        if reader.text[place : place + 1] != "{":
            yield from self._nothing(reader, begin, place)
            return
        marks = stops(*self.begin, *self.end)
        depth = reader.text.count("[", reader.at, place)
        whole: int | None = begin
        while reader.text[place : place + 1] == "{":
            yield from read_object(reader, place, self.keys, marks, whole=whole)
            whole = None
            place = yield from self._next(reader, depth)
        found = yield from reader.starting(stops(*self.end), reader.at)
        reader.at += len(found)

    def _next(self, reader: Reader, depth: int) -> Reading[int]:
        """Where the next object would be; `reader.at` is what comes after the last when there is none."""
        also = ",;]}" if self.end or not depth else ","
        place = yield from reader.past_space(reader.at, also if self.end else ",;" if not depth else ",")
        text = reader.text
        if text[place : place + 1] == "{":
            return place
        if not self.end and depth and text[place : place + 1] == "]":
            reader.at = place + 1
        elif self.end and (yield from reader.starting(stops(*self.end), place)):
            reader.at = place
        return len(text) + 1

    def _nothing(self, reader: Reader, begin: int, place: int) -> Reading[None]:
        """A mark without an object behind it: an empty list, a broken call where the end mark follows, or just text."""
        opened = "[" in reader.text[reader.at : place]
        if opened and reader.text[place : place + 1] == "]":
            reader.boundary()
            reader.at = place + 1
            if self.end:
                place = yield from reader.past_space(reader.at)
                reader.at = place if (yield from reader.starting(stops(*self.end), place)) else reader.at
                reader.at += len((yield from reader.starting(stops(*self.end), reader.at)))
            return
        if place >= len(reader.text):
            reader.failed("the call is not closed", begin, place, place)
            reader.at = place
            return
        mark, found = yield from reader.find(stops(*self.begin, *self.end), reader.at)
        if mark in self.end and mark:
            reader.failed("the call is no JSON object", begin, found + len(mark), place)
            reader.at = found + len(mark)
        else:
            reader.say(reader.text[begin:found])
            reader.at = found

    # Without a mark

    def _read_bare(self, reader: Reader, mark: str) -> Reading[None]:
        begin = reader.at
        place = begin if mark in ("{", "[") else (yield from reader.past_space(begin + len(mark)))
        place = yield from reader.past_space(place, "[")
        if reader.text[place : place + 1] != "{" or not (yield from self._looks_right(reader, place)):
            end = max(begin + len(mark), reader.text.rfind("[", begin, place))
            reader.say(reader.text[begin:end])
            reader.at = end
            return
        listed = "[" in reader.text[begin + (0 if mark in self.bare else len(mark)) : place]
        whole: int | None = begin
        while reader.text[place : place + 1] == "{":
            if not (yield from self._read_one(reader, place, begin if whole is not None else place)):
                return
            whole = None
            place = yield from reader.past_space(reader.at, "," if listed else ",;")
            if reader.text[place : place + 1] != "{" or not (yield from self._looks_right(reader, place)):
                break
        yield from self._close(reader, place, listed)

    def _close(self, reader: Reader, place: int, listed: bool) -> Reading[None]:
        if listed and reader.text[place : place + 1] == "]":
            reader.at = place + 1
        elif ";" in reader.text[reader.at : place]:
            reader.at = place
        if self.end:
            place = yield from reader.past_space(reader.at)
            mark = yield from reader.starting(stops(*self.end), place)
            reader.at = place + len(mark) if mark else reader.at

    def _looks_right(self, reader: Reader, place: int) -> Reading[bool]:
        """Whether the object at `place` begins with a key that calls have."""
        place = yield from reader.past_space(place + 1)
        known = ("name", "arguments", "parameters", "type", "function", "id", *self.keys.name, *self.keys.arguments)
        found = yield from reader.starting(stops(*(f'"{key}"' for key in known)), place)
        return bool(found)

    def _read_one(self, reader: Reader, place: int, begin: int) -> Reading[bool]:
        """Read a bare object: a call, a problem, or content; False when reading has to begin anew."""
        end = yield from value_end(reader, place, stops(*self.begin, *self.careful))
        if isinstance(end, Broken):
            return self._broken(reader, place, begin, end)
        entry = entry_of(reader.text[place:end], self.keys)
        if not self._is_call(reader, entry):
            reader.say(reader.text[begin:end])
        elif entry.problem:
            reader.failed(entry.problem, begin, end, place + entry.position, name=entry.name)
        else:
            reader.called(entry.name or "", entry.arguments or "{}", begin, end, entry.id)
        reader.at = end
        return True

    def _is_call(self, reader: Reader, entry: Entry) -> bool:
        """Whether an object is meant as a call: in the midst of words, only with the name of a tool."""
        if entry.name is None or (entry.problem and not reader.beginning):
            return False
        if entry.problem == "the call has no arguments":
            return False
        return reader.beginning or not len(reader.schemas) or entry.name in reader.schemas

    def _broken(self, reader: Reader, place: int, begin: int, end: Broken) -> bool:
        """What is not closed is a problem where it has arguments, up to a call of a known tool; else it is text."""
        raw = reader.text[place : end.position]
        entry = entry_of(raw + "}", self.keys)
        if entry.name is not None and any(f'"{key}"' in raw for key in self.keys.arguments):
            inner = (found.start() for found in LIKE_A_CALL.finditer(raw, 1) if found[1] in reader.schemas)
            next_call = next(inner, None)
            stop = end.position if next_call is None or not reader.reread(len(raw)) else place + next_call
            reader.failed(end.message, begin, stop, stop, name=entry.name)
            reader.at = stop
        elif reader.reread(len(raw)):
            reader.say(reader.text[begin : place + 1])
            reader.at = place + 1
        else:
            reader.say(reader.text[begin : end.position])
            reader.at = end.position
        return False

    # Writing

    def render(self, calls: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
        """The calls as JSON, in one list or each by itself, between the first begin and end mark."""
        objects = [self._object(name, arguments) for name, arguments in calls]
        begin = self.begin[0] if self.begin else ""
        left, right = begin + self.layout[0], self.layout[1] + (self.end[0] if self.end and self.begin else "")
        if self.listed:
            return f"{left}[{', '.join(objects)}]{right}"
        return self.joint.join(left + text + right for text in objects)

    def _object(self, name: str, arguments: Mapping[str, Any]) -> str:
        held = {name: arguments} if self.keys.keyed else {self.keys.name[0]: name, self.keys.arguments[0]: arguments}
        return written(held)
