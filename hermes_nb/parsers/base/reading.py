"""Reading a text that arrives in chunks, so that the chunks make no difference.

A format is read by generators. They yield where the next decision needs text that is not there yet, and go on when it
is; nothing else depends on the chunks, so the whole text and any cutting of it come to the same. Every search goes on
where it left off, so the work grows with the text and not with its square.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from functools import cache
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from hermes_nb.parsers.base.records import Call, Part, Piece, Problem
from hermes_nb.parsers.base.stops import Stops, stops

if TYPE_CHECKING:
    from hermes_nb.parsers.base.formats import Format
    from hermes_nb.parsers.base.values import Schemas

T = TypeVar("T")
Reading: TypeAlias = Generator[None, None, T]

SPACE = re.compile(r"\s*")
SPACES = frozenset(letter for letter in map(chr, range(0x3001)) if letter.isspace())
"""What white space is: none of it stands beyond U+3000."""

KEPT = 1 << 12
"""How many characters that were told may wait to be let go."""

PATIENCE = 1 << 16
"""How many characters may be read again after broken calls, besides twice the text read so far."""


@cache
def _or_space(letters: frozenset[str]) -> frozenset[str]:
    return letters | SPACES


class Reader:
    """The text so far, the place reading has come to (`at`), and what it came to.

    Places are counted from the start of `text`, which is let go of as it is told; in what it came to they are counted
    from the start of the whole. A format holds no place across `tell` and `think`.

    `scanned` counts the characters that searches have looked at.
    """

    def __init__(self, format: Format, schemas: Schemas, *, opened: bool = False) -> None:
        self.text, self.at, self.ended, self.scanned = "", 0, False, 0
        self.format, self.schemas = format, schemas
        self.pieces: list[Piece] = []
        self.wake: frozenset[str] | None = None
        """Text without any of these characters cannot end the wait (None: any may)."""
        self.plain: frozenset[str] | None = None
        """Text without any of these characters is content (None: not known without reading on)."""
        self.quiet = True
        """Nothing was told, called or thought yet."""
        self._opened, self._before = opened, 0
        self._again, self._reasoned = 0, False
        self._blank, self._held = True, list[str]()
        self._after_thought = self._paragraph = self._worded = False

    def read(self) -> Reading[None]:
        """Take the whole text apart."""
        marks = self.format.marks
        thought = self.format.thought
        if self._opened and thought:
            yield from self._think(thought[1])
        while True:
            found = yield from self.tell(marks)
            if found is None:
                return self._end()
            if found in self.format.dropped:
                self.at += len(found)
            elif thought and found == thought[0]:
                if self._blank:
                    self.at += len(found)
                    yield from self._think(thought[1])
                else:
                    self.say(found)
                    self.at += len(found)
            else:
                yield from self.format.read(self, found)

    # What reading comes to

    def say(self, text: str) -> None:
        """Content. White space before and between calls is layout: it waits until words follow."""
        if not text:
            return
        if self._blank:
            if text.isspace():
                self._held.append(text)
                return
            text = "".join(self._held) + text
            self._held, self._blank = [], False
            if self._after_thought:
                text, self._after_thought = text.lstrip(), False
            if self._paragraph and self._worded:
                text = "\n\n" + text
            self._paragraph, self._worded = False, True
        if self.format.trim:
            text = self._trimmed(text)
        self._pass_on("content", text)

    def called(self, name: str, arguments: str, start: int, end: int, id: str | None = None) -> None:
        """A call; what comes next is a new stretch of content."""
        self.boundary()
        call = Call(name=name, arguments=arguments, start=start + self._before, end=end + self._before, id=id)
        self.pieces.append(Piece(part="call", call=call))

    def failed(
        self, message: str, start: int, end: int, position: int, *, name: str | None = None,
        arguments: str | None = None, id: str | None = None,
    ) -> None:  # fmt: skip
        """What was meant as a call and is none."""
        self.boundary()
        problem = Problem(
            message=message, start=start + self._before, end=end + self._before, position=position + self._before,
            raw=self.text[start:end], name=name, arguments=arguments, id=id,
        )  # fmt: skip
        self.pieces.append(Piece(part="problem", problem=problem))

    def boundary(self) -> None:
        """The stretch of content ends here; white space at its edge is dropped where it is layout."""
        self._held, self._blank, self._after_thought, self.quiet = [], True, False, False

    def paragraph(self) -> None:
        """What content comes next is set off from what came before, where the format has no text between them."""
        self.boundary()
        self._paragraph = True

    @property
    def beginning(self) -> bool:
        """Whether no words have been told since the start, the last thought or the last call."""
        return self._blank

    def _trimmed(self, text: str) -> str:
        if text.isspace():
            self._held.append(text)
            return ""
        whole = "".join(self._held) + text
        kept = whole.rstrip()
        self._held = [whole[len(kept) :]] if len(kept) < len(whole) else []
        return kept

    def _pass_on(self, part: Part, text: str) -> None:
        if text:
            self.quiet = False
            self.pieces.append(Piece(part, text))

    def _end(self) -> None:
        left = "".join(self._held)
        if left and (self.quiet or not self._blank):
            self._pass_on("content", left)

    def think(self, ends: Stops) -> Reading[str | None]:
        """Pass reasoning on up to an end mark, without the white space around it; the mark, or None."""
        self.boundary()
        held, begun = list[str](), False
        while True:
            found, end = self._edge(ends)
            text, self.at = self.text[self.at : end], end
            body = text if begun else text.lstrip()
            kept = body.rstrip()
            if kept:
                first = "\n\n" if self._reasoned and not begun else ""
                self._pass_on("reasoning", first + "".join(held) + kept)
                held, begun, self._reasoned = [], True, True
            held.append(body[len(kept) :])
            if found or self.ended:
                break
            self._forget()
            yield
        self.boundary()
        self._after_thought = True
        return found

    def _think(self, mark: str) -> Reading[None]:
        found = yield from self.think(stops(mark, *self.format.interrupts))
        if found == mark:
            self.at += len(mark)

    # Looking at the text

    def tell(self, marks: Stops) -> Reading[str | None]:
        """Pass the text on as content up to the first of the marks; the mark, or None at the end of the text."""
        while True:
            found, end = self._edge(marks)
            if end > self.at:
                self.say(self.text[self.at : end])
                self.at = end
            if found or self.ended:
                return found
            self._forget()
            self.plain = marks.firsts if self.at == len(self.text) else None
            yield
            self.plain = None

    def pass_on(self, chunk: str) -> None:
        """Tell a chunk without any character of `plain` as content, where everything before it was told."""
        self.say(chunk)
        self.passed(len(chunk))

    @property
    def passing(self) -> frozenset[str] | None:
        """A chunk without any of these characters is content just as it is (None: not known without reading on)."""
        if self.plain is None or self._blank or self._held:
            return None
        return _or_space(self.plain) if self.format.trim else self.plain

    def passed(self, length: int, gap: str = "") -> None:
        """So many characters were told without being read here, but for the white space at their end."""
        self.scanned += length
        self._before += length
        if gap:
            self._held = [gap]

    def _forget(self) -> None:
        """Let go of text that was told, so that the next chunk is added to a short one. Its places count on."""
        if self.at > KEPT:
            self._before += self.at
            self.text, self.at = self.text[self.at :], 0

    def _edge(self, marks: Stops) -> tuple[str | None, int]:
        """The first mark from here on and its place, or None and the place up to which there is certainly none."""
        found = marks.pattern.search(self.text, self.at)
        self.scanned += (found.end() if found else len(self.text)) - self.at
        if found and (self.ended or marks.settled(self.text, found.start())):
            return found[0], found.start()
        if found:
            return None, found.start()
        return None, len(self.text) if self.ended else marks.certain(self.text, self.at)

    def seen(self, marks: Stops, start: int) -> tuple[str, int] | None:
        """What `find` comes to, where that is certain now; None where it has to look again, or to wait for text."""
        found = marks.pattern.search(self.text, start)
        if found is None or (marks.ambiguous and not self.ended and not marks.settled(self.text, found.start())):
            return None
        self.scanned += found.end() - start
        return found[0], found.start()

    def stands(self, marks: Stops, start: int) -> bool:
        """Whether one of the marks comes next, but for white space; if not, it may still come to stand there."""
        space = SPACE.match(self.text, start)
        end = space.end() if space else start
        self.scanned += end - start
        return marks.pattern.match(self.text, end) is not None

    def find(self, marks: Stops, start: int) -> Reading[tuple[str, int]]:
        """The first of the marks at or after `start`, and its place; an empty mark at the end of the text."""
        while True:
            found = marks.pattern.search(self.text, start)
            self.scanned += (found.end() if found else len(self.text)) - start
            if found and (self.ended or marks.settled(self.text, found.start())):
                return found[0], found.start()
            if self.ended:
                return "", len(self.text)
            start = found.start() if found else marks.certain(self.text, start)
            self.wake = None if found else marks.lasts
            yield
            self.wake = None

    def past_space(self, start: int, also: str = "") -> Reading[int]:
        """The place of the first character from `start` on that is no white space and none of `also`."""
        while True:
            end = start
            while end < len(self.text) and (self.text[end].isspace() or self.text[end] in also):
                end += 1
            self.scanned += end - start
            if end < len(self.text) or self.ended:
                return end
            start = end
            yield

    def starting(self, marks: Stops, start: int, *, patient: bool = False) -> Reading[str]:
        """Which of the marks the text has at `start`; empty for none. Where nothing can be told before a mark ends in
        any case, `patient` waits for a character that ends one, and not for the first that none has."""
        while True:
            found = marks.pattern.match(self.text, start)
            if self.ended or (found and marks.settled(self.text, start)):
                return found[0] if found else ""
            if not found and marks.certain(self.text, start) != start and len(self.text) > start:
                return ""
            self.wake = marks.lasts if patient else None
            yield
            self.wake = None

    def recover(self, marks: Stops, start: int, broke: int) -> Reading[tuple[str, int]]:
        """The mark to go on from after a call that began at `start` and broke at `broke`.

        It is looked for from the start, for an open string may have swallowed it; but not when too much of the text
        was read twice already.
        """
        mark, place = yield from self.find(marks, start)
        if place >= broke or self.reread(broke - place):
            return mark, place
        return (yield from self.find(marks, broke))

    def reread(self, length: int) -> bool:
        """Whether so many characters may be read once more."""
        self._again += length
        return self._again <= PATIENCE + 2 * (self._before + self.at)
