"""Calls that are a name and then JSON arguments: `begin f sep {"a": 1} end`, often inside a section of calls.

The name and what is around it is the head: everything from the begin mark to the JSON. The JSON tells its own end, so
marks inside its strings are text and a missing end mark loses nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hermes_nb.parsers.base.formats import THINK, Format
from hermes_nb.parsers.base.json_text import NOT_CLOSED, Broken, Keys, check_arguments, members, read_object, value_end
from hermes_nb.parsers.base.reading import Reader, Reading
from hermes_nb.parsers.base.stops import Stops, stops
from hermes_nb.parsers.base.values import written

LONGEST_HEAD = 2000


@dataclass(frozen=True, kw_only=True)
class NamedJson(Format):
    """Calls with their names before the JSON.

    `begin` and `end` are a call's marks, `section` those around all calls. `head` is a pattern with a group `name`,
    perhaps `id`, for everything between the begin mark and the JSON. `form` writes one call from `{name}`,
    `{arguments}` and `{index}`. `lists`: JSON objects with names in them may follow the begin mark, too. `fenced`: the
    JSON stands in a fence of three backquotes.
    """

    begin: tuple[str, ...]
    head: str
    form: str
    end: tuple[str, ...] = ()
    section: tuple[str, ...] = ()
    frame: tuple[str, str] = ("", "")
    lists: bool = False
    fenced: bool = False
    keys: Keys = field(default_factory=Keys)

    @property
    def starts(self) -> tuple[str, ...]:
        """The begin marks."""
        return self.begin

    @property
    def _borders(self) -> Stops:
        return stops(*self.begin, *self.end, *self.section)

    def read(self, reader: Reader, mark: str) -> Reading[None]:
        """Read one call, or the list of them that follows the mark."""
        begin, reader.at = reader.at, reader.at + len(mark)
        if self.lists:
            place = yield from reader.past_space(reader.at)
            if reader.text[place : place + 1] in ("[", "{"):
                yield from self._read_list(reader, begin, place)
                return
        found, place = yield from reader.find(stops("{", *self._borders.marks), reader.at)
        head = re.fullmatch(self.head, reader.text[reader.at : min(place, reader.at + LONGEST_HEAD)])
        if head is None:
            yield from self._no_head(reader, begin, found, place)
        elif found == "{":
            yield from self._read_arguments(reader, begin, place, head)
        elif found == "" and not self.end:
            self._not_closed(reader, begin, head)
        else:
            yield from self._read_none(reader, begin, head, found, place)

    def _read_list(self, reader: Reader, begin: int, place: int) -> Reading[None]:
        listed = reader.text[place] == "["
        place = yield from reader.past_space(place + listed)
        whole: int | None = begin
        while reader.text[place : place + 1] == "{":
            yield from read_object(reader, place, self.keys, self._borders, whole=whole)
            whole, place = None, (yield from reader.past_space(reader.at, ",;"))
        if listed and reader.text[place : place + 1] == "]":
            reader.boundary()
            reader.at = place + 1
        elif whole is not None:
            _, end = yield from reader.find(self._borders, place)
            reader.failed("the list holds no JSON objects", begin, end, place)
            reader.at = end

    def _no_head(self, reader: Reader, begin: int, found: str, place: int) -> Reading[None]:
        if found == "{":
            found, place = yield from reader.find(self._borders, place)
        if found and found in self.end:
            place += len(found)
        message = "there is no name before the arguments" if found else NOT_CLOSED
        reader.failed(message, begin, place, min(place, reader.at))
        reader.at = place

    def _not_closed(self, reader: Reader, begin: int, head: re.Match[str]) -> None:
        end = len(reader.text)
        reader.failed(NOT_CLOSED, begin, end, end, name=self._name(reader, head), id=self._id(head))
        reader.at = end

    def _read_none(self, reader: Reader, begin: int, head: re.Match[str], found: str, place: int) -> Reading[None]:
        """A call without JSON: none is meant where the call is closed behind its name."""
        yield from ()
        if not found or found not in self.end:
            end = place if found else len(reader.text)
            reader.failed(NOT_CLOSED, begin, end, end, name=self._name(reader, head), id=self._id(head))
            reader.at = end
            return
        reader.at = place + len(found)
        reader.called(self._name(reader, head), "{}", begin, reader.at, self._id(head))

    def _read_arguments(self, reader: Reader, begin: int, place: int, head: re.Match[str]) -> Reading[None]:
        name, sent = self._name(reader, head), self._id(head)
        end = yield from value_end(reader, place, self._borders)
        if isinstance(end, Broken):
            found, stop = yield from reader.recover(self._borders, place, end.position)
            after = stop + len(found) if found in self.end else stop
            arguments = self._unfenced(reader.text[place:stop])
            position = min(end.position, stop)
            reader.failed(end.message, begin, after, position, name=name, arguments=arguments, id=sent)
            reader.at = after
            return
        arguments = reader.text[place:end]
        message, position = check_arguments(arguments)
        end = yield from self._closed(reader, end)
        reader.at = end
        if message:
            reader.failed(message, begin, end, place + position, name=name, arguments=arguments, id=sent)
        else:
            reader.called(self._meant(reader, name, arguments), arguments, begin, end, sent)

    def _closed(self, reader: Reader, end: int) -> Reading[int]:
        """The place after the fence and the end mark that follow, if they do."""
        if self.fenced:
            place = yield from reader.past_space(end)
            fence = yield from reader.starting(stops("```"), place)
            end = place + len(fence) if fence else end
        if self.end:
            place = yield from reader.past_space(end)
            mark = yield from reader.starting(stops(*self.end), place)
            end = place + len(mark) if mark else end
        return end

    def _unfenced(self, arguments: str) -> str:
        arguments = arguments.rstrip()
        return arguments.removesuffix("```").rstrip() if self.fenced else arguments

    def _name(self, reader: Reader, head: re.Match[str]) -> str:
        name = head["name"]
        return name if name in reader.schemas else name.removeprefix("functions.") or name

    def _meant(self, reader: Reader, name: str, arguments: str) -> str:
        """The tool of a call that has a number in place of a name: the only one that takes such arguments."""
        if not name.isdigit() or name in reader.schemas or not len(reader.schemas):
            return name
        given = frozenset(members(arguments))
        fitting = [tool for tool in reader.schemas.names() if given <= reader.schemas.keys(tool)]
        return fitting[0] if len(fitting) == 1 else name

    def _id(self, head: re.Match[str]) -> str | None:
        return head.groupdict().get("id")

    def render(self, calls: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
        """The calls one after the other, in the section's frame."""
        texts = []
        for index, (name, arguments) in enumerate(calls):
            parts = {"{name}": name, "{arguments}": written(arguments), "{index}": str(index)}
            texts.append(re.sub(r"\{\w+\}", lambda found, parts=parts: parts[found[0]], self.form))  # type: ignore[misc]
        return self.frame[0] + "".join(texts) + self.frame[1]


NAME = r"(?P<name>[^\s{}\[\]<>｜|\"'`]{1,256})"
DEEPSEEK_HEAD = rf"\s*(?:function\s*<｜tool▁sep｜>\s*)?{NAME}\s*(?:<｜tool▁sep｜>)?\s*(?:```(?:json)?)?\s*"
"""The head of either version: a model given the other's examples writes the other's."""
DEEPSEEK_SECTION = ("<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>")
DEEPSEEK: dict[str, Any] = {
    "begin": ("<｜tool▁call▁begin｜>",),
    "end": ("<｜tool▁call▁end｜>",),
    "section": DEEPSEEK_SECTION,
    "frame": DEEPSEEK_SECTION,
    "head": DEEPSEEK_HEAD,
    "fenced": True,
    "thought": THINK,
    "dropped": (*DEEPSEEK_SECTION, "<｜end▁of▁sentence｜>"),
}

FORMATS: tuple[Format, ...] = (
    NamedJson(
        name="mistral",
        source="mistralai/mistral-common: [TOOL_CALLS] of tokenizers v3 to v7 (a list) and v11 on (name and arguments)",
        begin=("[TOOL_CALLS]",),
        head=rf"\s*{NAME}\s*(?:\[CALL_ID\]\s*(?P<id>[\w.\-:]+)\s*)?(?:\[ARGS\])?\s*",
        form="[TOOL_CALLS]{name}{arguments}",
        lists=True,
        thought=("[THINK]", "[/THINK]"),
        dropped=("</s>",),
        signs=(r"\[TOOL_CALLS\]",),
    ),
    NamedJson(
        name="deepseek_v3",
        source="chat template of deepseek-ai/DeepSeek-V3-0324 and DeepSeek-R1-0528",
        form="<｜tool▁call▁begin｜>function<｜tool▁sep｜>{name}\n```json\n{arguments}\n```<｜tool▁call▁end｜>",
        signs=(r"<｜tool▁call▁begin｜>\s*function<｜tool▁sep｜>",),
        **DEEPSEEK,
    ),
    NamedJson(
        name="deepseek_v3_1",
        source="chat template of deepseek-ai/DeepSeek-V3.1",
        form="<｜tool▁call▁begin｜>{name}<｜tool▁sep｜>{arguments}<｜tool▁call▁end｜>",
        signs=(r"<｜tool▁call▁begin｜>(?!\s*function<)",),
        **DEEPSEEK,
    ),
    NamedJson(
        name="kimi_k2",
        source="moonshotai/Kimi-K2-Instruct, docs/tool_call_guidance.md",
        begin=("<|tool_call_begin|>",),
        end=("<|tool_call_end|>",),
        section=(
            "<|tool_calls_section_begin|>", "<|tool_calls_section_end|>",
            "<|tool_call_section_begin|>", "<|tool_call_section_end|>",
        ),
        frame=("<|tool_calls_section_begin|>", "<|tool_calls_section_end|>"),
        head=rf"\s*(?P<id>{NAME[:-1]}?)(?::\d+)?)\s*<\|tool_call_argument_begin\|>\s*",
        form="<|tool_call_begin|>functions.{name}:{index}<|tool_call_argument_begin|>{arguments}<|tool_call_end|>",
        thought=THINK,
        interrupts=("<|tool_calls_section_begin|>", "<|tool_call_section_begin|>"),
        dropped=(
            "<|tool_calls_section_begin|>", "<|tool_calls_section_end|>",
            "<|tool_call_section_begin|>", "<|tool_call_section_end|>", "<|im_end|>",
        ),
        signs=(r"<\|tool_calls?_section_begin\|>", r"<\|tool_call_begin\|>[^<]*<\|tool_call_argument_begin\|>"),
    ),
)  # fmt: skip
"""The families that write a name and then its arguments."""
