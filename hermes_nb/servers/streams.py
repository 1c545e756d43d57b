"""A reply that is heard while it forms: the chunks as they come, and what becomes of them when it is cut short."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from hermes_nb import codec, failures
from hermes_nb.exceptions import ServerError
from hermes_nb.failures import Place
from hermes_nb.records import Reply
from hermes_nb.replies import as_plain
from hermes_nb.servers.assemble import Assembly, Piece

AFTER_THE_END = "after the reply was whole: "
"""How the problem begins of a stream that was cut when all of the reply was there."""


class Stream:
    """A streamed completion: an async iterator of its chunks, dicts as the server sent them.

    The attributes say how it travelled, from the first chunk on: `status`, `request_id`, `retries`, `waited` and
    `times` as of a `Completion`, and `done`, whether the server said that this is all.
    """

    def __init__(self, chunks: Callable[[Stream], AsyncGenerator[dict[str, Any], None]]) -> None:
        self.status: int | None = 200
        self.request_id: str | None = None
        self.retries = 0
        self.waited = 0.0
        self.times: Mapping[str, float | None] = {}
        self.done = False
        self._chunks = chunks(self)

    @property
    def travel(self) -> dict[str, Any]:
        """`status`, `request_id` and `retries`."""
        return {"status": self.status, "request_id": self.request_id, "retries": self.retries}

    def __aiter__(self) -> AsyncIterator[dict[str, Any]]:
        return self._chunks

    async def __anext__(self) -> dict[str, Any]:
        return await anext(self._chunks)

    async def aclose(self) -> None:
        """Break the stream off, and let go of its connection."""
        await self._chunks.aclose()

    def __repr__(self) -> str:
        return f"Stream({'done' if self.done else 'going on'})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """Who is told of a reply while it forms: `piece` of every piece of it; `partial` of a reply that was stopped or cut
    after something of it was told, before the error is raised."""

    piece: Callable[[Piece], None]
    partial: Callable[[Reply], None]


class Hearing:
    """One streamed reply, from its first chunk to its last; `body` is what has come of it."""

    def __init__(self, tell: Callable[[Piece], None], now: Callable[[], float], place: Place) -> None:
        self.first_token_at: float | None = None
        self.stream: Any = None
        self.problems: tuple[str, ...] = ()
        self._assembly = Assembly()
        self._tell = tell
        self._now = now
        self._place = place

    async def hear(self, coming: Any) -> None:
        """Hear a server's stream out: an async iterator of chunks, or what gives one when it is awaited.

        Raises:
            ServerError: the server reported an error, or the stream was cut before the reply was whole.
        """
        self.stream = await coming if inspect.isawaitable(coming) else coming
        try:
            async for chunk in self.stream:
                self._take(chunk if isinstance(chunk, dict) else as_plain(chunk))
        except ServerError as failure:
            if failure.error.type not in failures.SILENCES or not self._assembly.finished:
                raise
            self.problems = (f"{AFTER_THE_END}{failure.error.message}",)
        finally:
            await _close(self.stream)
        if not self._assembly.finished and not getattr(self.stream, "done", False):
            known = self.stream.travel if isinstance(self.stream, Stream) else {}
            raise ServerError(failures.cut(self._place, **known))

    def _take(self, chunk: dict[str, Any]) -> None:
        for piece in self._assembly.add(chunk):
            if self.first_token_at is None:
                self.first_token_at = self._now()
            self._tell(piece)
        if not isinstance(self.stream, Stream) and (told := reported(chunk)):
            raise ServerError(failures.refusal(codec.dumps(told), headers={}, status=200, place=self._place))

    def body(self) -> dict[str, Any]:
        """The completion as far as it came."""
        return self._assembly.body()


async def _close(stream: Any) -> None:
    close = getattr(stream, "aclose", None) or getattr(stream, "close", None)
    if close is not None and inspect.isawaitable(closing := close()):
        await closing


def reported(chunk: Mapping[str, Any]) -> dict[str, Any] | None:
    """The error that a chunk holds, alone or beside choices, or in its first choice; None where it holds none."""
    choices = chunk.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    error = chunk.get("error") or (first.get("error") if isinstance(first, Mapping) else None)
    return {"error": error} if error else None


def cut_short(reply: Reply) -> Reply:
    """The reply that came of a stream which was stopped or cut: `partial`, with no calls.

    What enters the history is its text alone, which any server takes back: a call that may not be whole is not run and
    could not be answered, and reasoning that is not whole lacks its signature. `raw` keeps all of it.
    """
    told = tuple(f"call {one.index} ({one.name or 'no name'}): not run, the reply was cut short" for one in reply.calls)
    text = reply.text if reply.source_text is None else reply.source_text
    message = {"role": "assistant", "content": text}
    return replace(reply, message=message, calls=(), partial=True, problems=(*reply.problems, *told))
