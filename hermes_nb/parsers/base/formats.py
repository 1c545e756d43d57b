"""What every format says of itself, and how a parser reads by it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from hermes_nb.parsers.base.reading import Reader, Reading
from hermes_nb.parsers.base.records import Evidence, Parsed, Piece
from hermes_nb.parsers.base.stops import Stops, stops
from hermes_nb.parsers.base.values import Schemas

THINK = ("<think>", "</think>")


@dataclass(frozen=True, kw_only=True)
class Format(ABC):
    """How one family of models writes calls.

    `source` says where the format is defined. `thought` are the marks around reasoning (None: the format has none);
    `interrupts` end it too. `dropped` are marks that are never content: ends of a turn, wrappers. `trim`: white space
    before a call is layout, where most formats keep it. `signs` are patterns that tell this format from the others.
    """

    name: str
    source: str
    thought: tuple[str, str] | None = None
    interrupts: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    trim: bool = False
    signs: tuple[str, ...] = ()

    @property
    @abstractmethod
    def starts(self) -> tuple[str, ...]:
        """The marks at which a call may begin."""

    @abstractmethod
    def read(self, reader: Reader, mark: str) -> Reading[None]:
        """Read what begins with `mark` at `reader.at`, and leave `reader.at` where reading is to go on."""

    @abstractmethod
    def render(self, calls: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
        """The calls, each a name and its arguments, as a model of this family writes them.

        Raises:
            ValueError: the format cannot hold one of them.
        """

    @cached_property
    def marks(self) -> Stops:
        """Everything that is not plain content."""
        return stops(*self.starts, *self.dropped, *(self.thought[:1] if self.thought else ()))


LETTERS = {letter: (Piece("content", letter),) for letter in map(chr, range(128))}
"""What the characters of a text come to that is told one by one: made once, for there are many of them."""


def _told(chunk: str) -> tuple[Piece, ...]:
    return (Piece("content", chunk),) if chunk else ()


class Stream:
    """One text that is being read. `feed` it, and `finish`; `pieces` of what was found come out on the way."""

    def __init__(self, format: Format, schemas: Schemas, *, opened: bool = False) -> None:
        self._reader = Reader(format, schemas, opened=opened)
        self._reading = self._reader.read()
        self._told: list[Piece] = []
        self._kept: list[str] = []
        self._calm: frozenset[str] | None = None
        self._spacing: frozenset[str] | None = None
        self._gap = ""
        self._telling = self._done = False

    def feed(self, chunk: str) -> tuple[Piece, ...]:
        """Read on; what is certain now, in order. Nothing that came out is ever taken back."""
        if self._calm is not None:
            if self._calm.isdisjoint(chunk):
                self._kept.append(chunk)
                if self._gap and chunk:
                    chunk, self._gap = self._gap + chunk, ""
                return (LETTERS.get(chunk) or _told(chunk)) if self._telling else ()
            if self._spacing is not None and chunk.isspace() and self._spacing.isdisjoint(chunk):
                self._kept.append(chunk)
                self._gap += chunk
                return ()
            chunk = self._let_go() + chunk
        reader = self._reader
        if reader.plain is not None and reader.plain.isdisjoint(chunk):
            reader.pass_on(chunk)
            self._look()
            return self._collected()
        # Through a local name that alone holds the text, Python makes it longer in place and does not copy it.
        text = reader.text
        reader.text = ""
        text += chunk
        reader.text = text
        del text
        return self._go_on()

    def _look(self) -> None:
        """See whether chunks may be kept aside, for the reader has nothing to decide about them: they are told as they
        are, or waited on."""
        reader = self._reader
        self._calm = reader.passing if reader.wake is None else reader.wake
        self._telling = reader.wake is None and self._calm is not None
        self._spacing = reader.plain if self._telling and reader.format.trim else None

    def _let_go(self) -> str:
        """The chunks that were kept and not told; the reader is told how many were."""
        text = "".join(self._kept)
        self._kept.clear()
        self._calm = None
        if not self._telling:
            return text
        gap, self._gap = self._gap, ""
        self._reader.passed(len(text), gap)
        if words := text[: len(text) - len(gap)]:
            self._told.append(Piece("content", words))
        return ""

    def _go_on(self) -> tuple[Piece, ...]:
        if not self._done:
            try:
                next(self._reading)
            except StopIteration:
                self._done = True
        self._look()
        return self._collected()

    def _collected(self) -> tuple[Piece, ...]:
        pieces = self._reader.pieces
        if not pieces:
            return ()
        self._reader.pieces = []
        self._told += pieces
        return tuple(pieces)

    def end(self) -> tuple[Piece, ...]:
        """End the text; what that makes certain."""
        self._reader.text += self._let_go()
        self._reader.ended = True
        told = len(self._told)
        while not self._done:
            self._go_on()
        return tuple(self._told[told:])

    def whole(self, text: str) -> Parsed:
        """Everything in a text that is there at once: nothing is waited for."""
        self._reader.text = text
        return self.finish()

    def finish(self) -> Parsed:
        """End the text; everything that was found in it."""
        self.end()
        told = self._told
        reasoning = [piece.text for piece in told if piece.part == "reasoning"]
        return Parsed(
            content="".join(piece.text for piece in told if piece.part == "content"),
            reasoning="".join(reasoning) if reasoning else None,
            calls=tuple(piece.call for piece in told if piece.call is not None),
            problems=tuple(piece.problem for piece in told if piece.problem is not None),
            format=self._reader.format.name,
        )

    @property
    def scanned(self) -> int:
        """How many characters all searches have looked at: a measure of the work."""
        return self._reader.scanned + (sum(map(len, self._kept)) if self._telling else 0)


class Parser:
    """Reads the texts of one family of models. Make it with `parsers.get_parser`.

    `parse` takes a whole text. `feed` and `finish` take one text in chunks, which come to the same; after `finish` the
    next text may be fed. `stream()` gives as many texts at once as are wanted.
    """

    def __init__(
        self, format: Format, tools: Iterable[Mapping[str, Any]] | None = None, *, opened: bool = False
    ) -> None:
        self.format, self.opened = format, opened
        self._schemas = Schemas(tools)
        self._stream: Stream | None = None

    @property
    def name(self) -> str:
        """The name it is asked for by."""
        return self.format.name

    def parse(self, text: str, tools: Iterable[Mapping[str, Any]] | None = None) -> Parsed:
        """Take a whole text apart. `tools` are the tools' schemas (None: the parser's own). Never raises for a text."""
        schemas = self._schemas if tools is None else Schemas(tools)
        return Stream(self.format, schemas, opened=self.opened).whole(text)

    def stream(self) -> Stream:
        """A text to be fed in chunks."""
        return Stream(self.format, self._schemas, opened=self.opened)

    def feed(self, chunk: str) -> tuple[Piece, ...]:
        """Read the next chunk of the text; what it made certain."""
        if self._stream is None:
            self._stream = self.stream()
        return self._stream.feed(chunk)

    def finish(self) -> Parsed:
        """End the text that was fed; the same as `parse` of all its chunks together."""
        stream, self._stream = self._stream or self.stream(), None
        return stream.finish()

    def render(self, calls: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
        """The calls, each a name and its arguments, as a model of this family writes them.

        Raises:
            ValueError: the format cannot hold one of them.
        """
        return self.format.render(calls)

    def __repr__(self) -> str:
        return f"Parser({self.name})"


__all__ = ["THINK", "Evidence", "Format", "Parser", "Stream"]
