"""Calls as Python writes them: `[get_weather(city="Paris"), now()]`.

Nothing is evaluated: a small reader of literals takes the arguments, which need names. A call that cannot be read
loses none of the others. Without a mark, a list of calls in the midst of words is one only if, where tools are given,
it begins with the name of one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hermes_nb import codec
from hermes_nb.parsers.base.formats import THINK, Format
from hermes_nb.parsers.base.json_text import DEPTH, NOT_CLOSED, SHORT, Broken, Keys, read_object
from hermes_nb.parsers.base.literals import AFTER_A_STRING, Literals, Unreadable
from hermes_nb.parsers.base.reading import Reader, Reading
from hermes_nb.parsers.base.stops import stops

NAME = re.compile(r"[^\W\d][\w.\-]{0,255}")
CLOSERS = {"(": ")", "[": "]", "{": "}"}


@dataclass(frozen=True, slots=True)
class Found:
    """A call in a list that is still being read."""

    name: str
    start: int
    end: int
    arguments: str = ""
    problem: str = ""
    position: int = 0


@dataclass(frozen=True, kw_only=True)
class Pythonic(Format):
    """Calls between marks, or in a bare list.

    `begin` and `end` are the marks; `bare`: a list may stand without. `brackets`: the calls are written as a list, else
    one to a line.
    """

    begin: tuple[str, ...] = ()
    end: tuple[str, ...] = ()
    bare: bool = False
    brackets: bool = True

    @property
    def starts(self) -> tuple[str, ...]:
        """The marks, and the bracket."""
        return (*self.begin, *(("[",) if self.bare else ()))

    def read(self, reader: Reader, mark: str) -> Reading[None]:
        """Read a list of calls."""
        begin = reader.at
        place = yield from reader.past_space(begin + len(mark), "" if mark == "[" else "[")
        opened = "[" in reader.text[begin + (0 if mark == "[" else len(mark)) : place]
        if mark != "[" and reader.text[place : place + 1] == "{":
            yield from self._read_json(reader, begin, place)
            return
        head = yield from self._head(reader, place)
        if head is None or not self._meant(reader, mark, head[0]):
            yield from self._nothing(reader, begin, mark, place, opened)
            return
        found: list[Found] = []
        while head is not None:
            one = yield from self._call(reader, head[0], place, head[1])
            found.append(one)
            if one.problem == NOT_CLOSED:
                break
            place = yield from reader.past_space(one.end, ",;")
            head = yield from self._head(reader, place)
        yield from self._close(reader, begin, mark, opened, found)

    def _read_json(self, reader: Reader, begin: int, place: int) -> Reading[None]:
        """Read JSON objects between the marks: models write them there when a prompt asks for JSON."""
        whole: int | None = begin
        while reader.text[place : place + 1] == "{":
            yield from read_object(reader, place, Keys(), stops(*self.begin, *self.end), whole=whole)
            whole, place = None, (yield from reader.past_space(reader.at, ","))
        reader.at = place + 1 if reader.text[place : place + 1] == "]" else reader.at
        yield from self._pass_end(reader)

    def _pass_end(self, reader: Reader) -> Reading[None]:
        if self.end:
            place = yield from reader.past_space(reader.at)
            mark = yield from reader.starting(stops(*self.end), place)
            reader.at = place + len(mark) if mark else reader.at

    def _meant(self, reader: Reader, mark: str, name: str) -> bool:
        return mark != "[" or reader.beginning or not len(reader.schemas) or name in reader.schemas

    def _nothing(self, reader: Reader, begin: int, mark: str, place: int, opened: bool) -> Reading[None]:
        """What begins like calls and holds none: text, an empty list, or a broken call between marks."""
        if mark == "[":
            reader.say(mark)
            reader.at = begin + 1
        elif place >= len(reader.text):
            reader.failed(NOT_CLOSED, begin, place, place)
            reader.at = place
        else:
            end, stop = yield from reader.find(stops(*self.begin, *self.end), begin + len(mark))
            if end in self.end and end:
                if reader.text[begin + len(mark) : stop].strip(" \t\r\n[]"):
                    reader.failed("there are no calls between the marks", begin, stop + len(end), place)
                else:
                    reader.boundary()
                reader.at = stop + len(end)
            else:
                reader.say(mark)
                reader.at = begin + len(mark)

    def _close(self, reader: Reader, begin: int, mark: str, opened: bool, found: list[Found]) -> Reading[None]:
        """What follows the last call; the calls are told now, for a bare list that goes on with words was none."""
        place = yield from reader.past_space(found[-1].end, ",")
        text, broken = reader.text, found[-1].problem == NOT_CLOSED
        closed = text[place : place + 1] == "]"
        if mark == "[" and not closed and not reader.beginning and not (place >= len(text) and not broken):
            end = found[-1].end if not broken or not reader.reread(found[-1].end - begin) else begin + 1
            reader.say(text[begin:end])
            reader.at = end
            return
        for index, one in enumerate(found):
            self._tell(reader, one, begin if index == 0 else one.start)
        reader.at = place + 1 if closed and (opened or mark == "[") else found[-1].end
        yield from self._pass_end(reader)

    def _tell(self, reader: Reader, one: Found, begin: int) -> None:
        if one.problem:
            reader.failed(one.problem, begin, one.end, one.position, name=one.name)
        else:
            reader.called(one.name, one.arguments, begin, one.end)

    def _head(self, reader: Reader, start: int) -> Reading[tuple[str, int] | None]:
        """The name of the call at `start` and the place of its bracket; None where there is no call."""
        while True:
            found = NAME.match(reader.text, start)
            end = found.end() if found else start
            if end < len(reader.text) or reader.ended or end - start > 255:
                break
            yield
        place = yield from reader.past_space(end)
        return (found[0], place) if found and reader.text[place : place + 1] == "(" else None

    def _call(self, reader: Reader, name: str, start: int, bracket: int) -> Reading[Found]:
        known = self._whole(reader, name, start, bracket)
        if known is not None:
            return known
        end = yield from self._end(reader, bracket)
        if isinstance(end, Broken):
            marks = stops(*self.begin, *self.end)
            stop = end.position
            if marks.marks:
                _, stop = yield from reader.recover(marks, bracket, end.position)
            return Found(name, start, stop, problem=NOT_CLOSED, position=min(stop, end.position))
        try:
            arguments = self._arguments(reader, name, Literals(reader.text[bracket:end]))
        except Unreadable as error:
            return Found(name, start, end, problem=str(error), position=bracket + error.position)
        return Found(name, start, end, codec.dumps(arguments).decode())

    def _whole(self, reader: Reader, name: str, start: int, bracket: int) -> Found | None:
        """A call that is there as a whole and well written. None where that cannot be said: looking for its end first
        comes to the same, and says what is wrong."""
        text = reader.text
        if len(text) - bracket < SHORT:
            return None
        literals = Literals(text, bracket)
        try:
            arguments = self._arguments(reader, name, literals)
        except Unreadable:
            return None
        finally:
            reader.scanned += literals.at - bracket
        end = literals.at
        if end - bracket > 2 * DEPTH and sum([text.count(opener, bracket, end) for opener in CLOSERS]) > DEPTH:
            return None
        return Found(name, start, end, codec.dumps(arguments).decode())

    def _end(self, reader: Reader, start: int) -> Reading[int | Broken]:
        """The place after the bracket that closes the one at `start`."""
        points = stops("(", ")", "[", "]", "{", "}", "'", '"', *self.begin, *self.end)
        stack: list[str] = []
        at = start
        while True:
            point, place = yield from reader.find(points, at)
            at = place + len(point)
            if point in CLOSERS:
                stack.append(CLOSERS[point])
                if len(stack) > DEPTH:
                    return Broken(place, f"nested more than {DEPTH} deep")
            elif point in ("'", '"'):
                at = yield from self._string_end(reader, place, point)
            elif not point or point not in ")]}" or stack.pop() != point:
                return Broken(place, NOT_CLOSED)
            elif not stack:
                return at

    def _string_end(self, reader: Reader, place: int, quote: str) -> Reading[int]:
        """The place after the string that begins at `place`; the text's end where it is not closed."""
        triple = yield from reader.starting(stops(quote * 3), place)
        mark = triple or quote
        at = place + len(mark)
        while True:
            point, found = yield from reader.find(stops(mark, "\\"), at)
            if not point:
                return len(reader.text)
            at = found + (2 if point == "\\" else len(point))
            if point == mark:
                following = yield from reader.past_space(at)
                if triple or following >= len(reader.text) or reader.text[following] in AFTER_A_STRING:
                    return at

    def _arguments(self, reader: Reader, name: str, literals: Literals) -> dict[str, Any]:
        literals.expect("(")
        values: dict[str, Any] = {}
        while True:
            simple = literals.argument()
            if simple is not None:
                key, value, digits, more = simple
                values[key] = digits if digits and reader.schemas.types(name, key) == {"string"} else value
                if not more:
                    return values
                continue
            if literals.take(")"):
                return values
            key, start = literals.name(), literals.at
            if not key:
                raise Unreadable("an argument has no name", start)
            value = literals.value()
            if isinstance(value, int | float) and reader.schemas.types(name, key) == {"string"}:
                value = value if isinstance(value, bool) else literals.text[start : literals.at]
            values[key] = value
            if not literals.more(")"):
                return values

    def render(self, calls: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
        """The calls as Python writes them."""
        texts = [f"{name}({', '.join(f'{key}={_python(value)}' for key, value in given.items())})"
                 for name, given in calls]  # fmt: skip
        inner = f"[{', '.join(texts)}]" if self.brackets else "\n".join(texts)
        return (self.begin[0] if self.begin else "") + inner + (self.end[0] if self.end else "")


def _python(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_python(key)}: {_python(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_python, value)) + "]"
    return repr(value)


FORMATS: tuple[Format, ...] = (
    Pythonic(
        name="pythonic",
        source="meta-llama/llama-models, models/llama3_2/text_prompt_format.md: zero shot function calling",
        bare=True,
        dropped=("<|python_start|>", "<|python_end|>", "<|eot_id|>", "<|eom_id|>"),
        signs=(r"^\s*\[\s*[^\W\d][\w.]*\(",),
    ),
    Pythonic(
        name="llama4_pythonic",
        source="meta-llama/llama-models, models/llama4/prompt_format.md: zero shot function calling",
        begin=("<|python_start|>",),
        end=("<|python_end|>",),
        bare=True,
        dropped=("<|eot|>", "<|eom|>"),
        signs=(r"<\|python_start\|>",),
    ),
    Pythonic(
        name="lfm2",
        source="model card of LiquidAI/LFM2-1.2B: tool use",
        begin=("<|tool_call_start|>",),
        end=("<|tool_call_end|>",),
        thought=THINK,
        dropped=("<|im_end|>",),
        signs=(r"<\|tool_call_start\|>",),
    ),
    Pythonic(
        name="olmo3",
        source="chat template of allenai/Olmo-3-7B-Instruct",
        begin=("<function_calls>",),
        end=("</function_calls>",),
        brackets=False,
        thought=THINK,
        dropped=("<|im_end|>",),
        signs=(r"<function_calls>",),
    ),
)
"""The families that write Python."""
