"""Reads the chunks of a streamed completion from the bytes of a response, however they were cut.

Wire format: server-sent events (WHATWG HTML, section 9.2), each a chunk as JSON, then `data: [DONE]`. Read beyond it:
an event that the stream ends in the middle of, an `event: error`, and a server that ignores `stream` and answers with
one body.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from hermes_nb import codec, failures
from hermes_nb.exceptions import ServerError
from hermes_nb.servers import base
from hermes_nb.servers.streams import Stream, reported

BOM = b"\xef\xbb\xbf"
DATA = b"data: "
DONE = b"[DONE]"
FIELD = re.compile(rb"(data|event|id|retry)?:")
LONGEST_FIELD = len(b"event:")
"""How a stream of events begins: with a field's name, or with a comment."""

LAST_WORD_SECONDS = 0.2
"""How long the end of the response may take after [DONE]; a connection is good for another request only after it."""


class Frame(NamedTuple):
    """One event: its `data`, lines joined by a newline, and its type where the server named one."""

    data: bytes
    event: bytes = b""


class Frames:
    """Takes bytes as they come and gives the frames they complete."""

    def __init__(self) -> None:
        self._held: list[bytes] = []
        self._data: list[bytes] = []
        self._event = b""
        self._after_return = False
        self._begun = False

    def feed(self, received: bytes) -> list[Frame]:
        """The frames that `received` completes. A line that has not ended yet waits for the rest of it."""
        if self._after_return and received:
            received = received.removeprefix(b"\n")
            self._after_return = False
        if self._is_one_event(received):
            return [Frame(received[len(DATA) : -2])]
        self._held.append(received)
        if b"\n" not in received and b"\r" not in received:
            return []
        self._after_return = received.endswith(b"\r")
        *lines, rest = _lines(b"".join(self._held))
        self._held = [rest] if rest else []
        return [frame for line in lines if (frame := self._take(line)) is not None]

    def _is_one_event(self, received: bytes) -> bool:
        """Whether this is one event of one line, as most are, which need not be taken apart."""
        between = self._begun and not self._held and not self._data and not self._event
        whole = received[: len(DATA)] == DATA and received[-2:] == b"\n\n"
        return between and whole and received.find(b"\n") == len(received) - 2 and b"\r" not in received

    def end(self) -> list[Frame]:
        """The frames that the end of the stream completes."""
        last, self._held = b"".join(self._held), []
        return [frame for line in (last, b"") if (frame := self._take(line)) is not None]

    def _take(self, line: bytes) -> Frame | None:
        if not self._begun:
            self._begun, line = True, line.removeprefix(BOM)
        if not line:
            frame = Frame(b"\n".join(self._data), self._event) if self._data else None
            self._data, self._event = [], b""
            return frame
        name, _, value = line.partition(b":")
        if name == b"data":
            self._data.append(value.removeprefix(b" "))
        elif name == b"event":
            self._event = value.removeprefix(b" ")
        return None


def _lines(text: bytes) -> list[bytes]:
    if b"\r" in text:
        text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return text.split(b"\n")


class Patience:
    """Waits for the pieces of a body, for each after the first at most `seconds`.

    One timer serves the whole stream, and looks whether it was early: one for each piece would cost as much as reading
    the piece.
    """

    def __init__(self, received: AsyncGenerator[bytes, None], seconds: float | None) -> None:
        self._received = received
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._waiting: asyncio.Task[Any] | None = None
        self._until = 0.0
        self._over = False

    async def next(self) -> bytes | None:
        """The next piece; None at the end.

        Raises:
            TimeoutError: it did not come in time.
        """
        if self._timer is not None:
            self._until = self._loop.time() + (self._seconds or 0)
            self._waiting = asyncio.current_task()
        try:
            piece = await anext(self._received, None)
        except asyncio.CancelledError:
            if self._over and self._waiting is not None and self._waiting.uncancel() == 0:
                raise TimeoutError from None
            raise
        finally:
            self._waiting = None
        if self._timer is None and self._seconds is not None:
            self._timer = self._loop.call_later(self._seconds, self._look)
        return piece

    async def last_word(self) -> None:
        """Let the response come to its end, for a moment."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORD_SECONDS):
                while await anext(self._received, None) is not None:
                    pass

    def _look(self) -> None:
        now, seconds = self._loop.time(), self._seconds or 0
        if self._waiting is not None and now >= self._until:
            self._over = True
            self._waiting.cancel()
        else:
            when = self._until if self._waiting is not None else now + seconds
            self._timer = self._loop.call_at(when, self._look)

    async def close(self) -> None:
        """Give the timer and the body up."""
        if self._timer is not None:
            self._timer.cancel()
        await self._received.aclose()


async def chunks(
    received: AsyncGenerator[bytes, None], stream: Stream, *, came: Mapping[str, Any], server: Any, idle: float | None
) -> AsyncGenerator[dict[str, Any], None]:
    """The chunks in a response's body, which may pause for `idle` seconds once it has begun.

    `came` holds `headers`, `status` and `retries` of the response. A body that is one completion is one chunk.

    Raises:
        ServerError: the server reported an error in the stream, sent something else than one, or fell silent.
    """
    patience, frames = Patience(received, idle), Frames()
    try:
        opening, streamed = await _opening(patience)
        if not streamed:
            yield await _one_body(opening, patience, came, server)
            stream.done = True
            return
        piece: bytes | None = opening
        while True:
            for frame in frames.end() if piece is None else frames.feed(piece):
                if (chunk := _chunk(frame, stream, came, server)) is not None:
                    yield chunk
                    _check(chunk, frame, came, server)
            if piece is None or stream.done:
                break
            piece = await patience.next()
        await patience.last_word()
    except TimeoutError as error:
        raise ServerError(failures.stalled(idle, base.place_of(server), error, **stream.travel)) from error
    finally:
        await patience.close()


async def _opening(patience: Patience) -> tuple[bytes, bool]:
    """The beginning of a body, as much as tells whether it is a stream of events; and whether it is."""
    opening = b""
    while (piece := await patience.next()) is not None:
        opening += piece
        said = opening.removeprefix(BOM).lstrip()
        if FIELD.match(said):
            return opening, True
        if len(said) >= LONGEST_FIELD:
            break
    return opening, False


async def _one_body(opening: bytes, patience: Patience, came: Mapping[str, Any], server: Any) -> dict[str, Any]:
    pieces = [opening]
    while (piece := await patience.next()) is not None:
        pieces.append(piece)
    return base.completion(b"".join(pieces), **came, server=server)


def _chunk(frame: Frame, stream: Stream, came: Mapping[str, Any], server: Any) -> dict[str, Any] | None:
    """The chunk in a frame, if it holds one."""
    data = frame.data.strip()
    if data == DONE:
        stream.done = True
    if stream.done or not data or data == b"null":
        return None
    if frame.event == b"error":
        raise ServerError(failures.refusal(data, **came, place=base.place_of(server)))
    try:
        chunk = codec.loads(data)
    except ValueError as error:
        raise ServerError(failures.no_json(data, **came, place=base.place_of(server), cause=error)) from error
    if not isinstance(chunk, dict):
        raise ServerError(failures.no_json(data, **came, place=base.place_of(server)))
    if not chunk.get("choices"):
        _check(chunk, frame, came, server)
    return chunk


def _check(chunk: dict[str, Any], frame: Frame, came: Mapping[str, Any], server: Any) -> None:
    if b'"error"' in frame.data and (told := reported(chunk)):
        raise ServerError(failures.refusal(codec.dumps(told), **came, place=base.place_of(server)))
