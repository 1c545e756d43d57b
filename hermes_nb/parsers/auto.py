"""Finding out which format a text is in, and saying why.

Every format has signs of its own: a mark, or a mark and what follows it where several formats share one. The formats
whose signs are in the text read it; the one that finds the most calls, with the fewest problems and then the least text
left over, is the text's. A text without signs, or whose signs come to nothing, is in none: it is content, and the
reason is told.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from hermes_nb.parsers.base.formats import Format, Parser, Stream
from hermes_nb.parsers.base.reading import Reader, Reading
from hermes_nb.parsers.base.records import Evidence, Parsed, Piece
from hermes_nb.parsers.base.values import Schemas


class Auto(Format):
    """No format of its own: what every text is read by until its format is known."""

    @property
    def starts(self) -> tuple[str, ...]:
        """None."""
        return ()

    def read(self, reader: Reader, mark: str) -> Reading[None]:
        """Never called: there are no marks."""
        raise NotImplementedError

    def render(self, calls: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
        """Nothing can be written in a format that is not known.

        Raises:
            ValueError: always.
        """
        raise ValueError("auto reads every format and writes none: ask for a parser by its name")


class AutoParser(Parser):
    """Reads a text by whichever of some formats it is in. `feed` tells nothing before `finish`: a sign may be last."""

    def __init__(
        self, formats: Iterable[Format], tools: Iterable[Mapping[str, Any]] | None = None, *, opened: bool = False
    ) -> None:
        super().__init__(Auto(name="auto", source="all the others"), tools, opened=opened)
        self._formats = tuple(formats)

    def parse(self, text: str, tools: Iterable[Mapping[str, Any]] | None = None) -> Parsed:
        """Take a whole text apart by the format it is in; `format`, `evidence` and `reason` say which and why."""
        return found_in(text, self._formats, self._schemas if tools is None else Schemas(tools), opened=self.opened)

    def stream(self) -> AutoStream:
        """A text to be fed in chunks."""
        return AutoStream(self)


class AutoStream(Stream):
    """A text whose format is told when it has ended."""

    def __init__(self, parser: AutoParser) -> None:
        super().__init__(parser.format, Schemas())
        self._parser, self._chunks = parser, list[str]()

    def feed(self, chunk: str) -> tuple[Piece, ...]:
        """Keep the chunk; nothing is certain yet."""
        self._chunks.append(chunk)
        return ()

    def finish(self) -> Parsed:
        """Everything that was found in the text."""
        return self._parser.parse("".join(self._chunks))


@cache
def _pattern(sign: str) -> re.Pattern[str]:
    return re.compile(sign)


def signs_in(text: str, formats: Iterable[Format]) -> tuple[Evidence, ...]:
    """Where the signs of these formats first stand in the text, by their place."""
    found = [
        Evidence(format=one.name, mark=match[0], position=match.start())
        for one in formats
        for sign in one.signs
        if (match := _pattern(sign).search(text))
    ]
    return tuple(sorted(found, key=lambda one: one.position))


def found_in(text: str, formats: Sequence[Format], schemas: Schemas, *, opened: bool = False) -> Parsed:
    """The text taken apart by the format it is in."""
    evidence = signs_in(text, formats)
    named = {one.format for one in evidence}
    tries = [_read(text, one, schemas, opened) for one in formats if one.name in named]
    telling = [one for one in tries if one.calls or one.problems or one.content != text]
    if not telling:
        marks = ", ".join(f"{one.mark!r} at character {one.position} ({one.format})" for one in evidence)
        reason = f"no calls behind {marks}" if evidence else "no mark of a known format"
        return Parsed(content=text, evidence=evidence, reason=reason)
    best = max(telling, key=lambda one: (len(one.calls), -len(one.problems), -len(one.content)))
    own = tuple(one for one in evidence if one.format == best.format)
    others = tuple(one for one in evidence if one.format != best.format)
    first = own[0]
    reason = (
        f"{first.mark!r} at character {first.position} is {best.format}'s; "
        f"{_number(best.calls, 'call')}, {_number(best.problems, 'problem')}"
    )
    return replace(best, evidence=own + others, reason=reason)


def _read(text: str, format: Format, schemas: Schemas, opened: bool) -> Parsed:
    return Stream(format, schemas, opened=opened).whole(text)


def _number(found: Sequence[object], noun: str) -> str:
    return f"{len(found)} {noun}{'' if len(found) == 1 else 's'}"
