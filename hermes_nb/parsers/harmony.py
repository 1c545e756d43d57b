"""The text form of OpenAI's harmony format, of the gpt-oss models.

A reply is messages: a header (role, channel, recipient, kind of content), `<|message|>`, and the message itself. What
goes to a recipient is a call; `analysis` is reasoning, everything else content. A text without any header is content.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hermes_nb.parsers.base.formats import Format
from hermes_nb.parsers.base.json_text import NOT_CLOSED, check_arguments
from hermes_nb.parsers.base.reading import Reader, Reading
from hermes_nb.parsers.base.stops import stops
from hermes_nb.parsers.base.values import written

RECIPIENT = re.compile(r"\bto=([^\s<>|]{1,256})")
CHANNEL = re.compile(r"<\|channel\|>\s*(\w+)")
ENDS = ("<|end|>", "<|call|>", "<|return|>", "<|start|>")


@dataclass(frozen=True, kw_only=True)
class Harmony(Format):
    """Messages with headers."""

    @property
    def starts(self) -> tuple[str, ...]:
        """The marks of a header."""
        return ("<|start|>", "<|channel|>", "<|message|>")

    def read(self, reader: Reader, mark: str) -> Reading[None]:
        """Read one message, from its header on."""
        begin = reader.at
        first = begin if mark == "<|message|>" else begin + len(mark)
        found, place = yield from reader.find(stops("<|message|>", *ENDS), first)
        header = reader.text[begin:place]
        recipient, channel = RECIPIENT.search(header), CHANNEL.search(header)
        reader.boundary()
        if found != "<|message|>":
            if recipient:
                name = self._name(reader, recipient[1])
                reader.failed("the call has no message" if found else NOT_CLOSED, begin, place, place, name=name)
            reader.at = place if found == "<|start|>" else place + len(found)
            return
        reader.at = place + len(found)
        if recipient:
            yield from self._call(reader, begin, self._name(reader, recipient[1]))
        elif channel and channel[1] == "analysis":
            yield from reader.think(stops(*ENDS))
        else:
            reader.paragraph()
            yield from reader.tell(stops(*ENDS))
            reader.boundary()

    def _name(self, reader: Reader, recipient: str) -> str:
        return recipient if recipient in reader.schemas else recipient.removeprefix("functions.") or recipient

    def _call(self, reader: Reader, begin: int, name: str) -> Reading[None]:
        start = reader.at
        found, place = yield from reader.find(stops(*ENDS), start)
        arguments = reader.text[start:place].strip()
        message, position = check_arguments(arguments)
        position += start + len(reader.text[start:place]) - len(reader.text[start:place].lstrip())
        end = place if found == "<|start|>" else place + len(found)
        if message or not (found or arguments):
            told = message if found else NOT_CLOSED
            reader.failed(told, begin, end, position, name=name, arguments=arguments)
        else:
            reader.called(name, arguments or "{}", begin, end)
        reader.at = end

    def render(self, calls: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
        """The calls as messages to `functions`; the first header's role is the prompt's."""
        parts = [
            f"<|channel|>commentary to=functions.{name} <|constrain|>json<|message|>{written(dict(given))}<|call|>"
            for name, given in calls
        ]
        return "<|start|>assistant".join(parts)


FORMATS: tuple[Format, ...] = (
    Harmony(
        name="gpt_oss",
        source="openai/harmony, docs/format.md",
        dropped=("<|end|>", "<|call|>", "<|return|>"),
        signs=(r"<\|channel\|>", r"<\|start\|>assistant"),
    ),
)
"""OpenAI's open models."""
