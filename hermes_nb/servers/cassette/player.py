"""The server of a played run: recorded replies, in one piece or in the pieces they came in."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from functools import partial
from typing import Any

from hermes_nb import codec, failures
from hermes_nb.events import Delta
from hermes_nb.exceptions import ServerError
from hermes_nb.messages import REASONING_FIELDS, as_text
from hermes_nb.records import Reply, RunError, Usage
from hermes_nb.redact import Secret
from hermes_nb.replies import as_plain
from hermes_nb.servers import base
from hermes_nb.servers.base import Completion, Server
from hermes_nb.servers.streams import AFTER_THE_END, Stream, reported


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a recording says to one request: a reply, an error, or a reply that was cut short and the error that cut it;
    and the pieces it came in, where they were recorded."""

    reply: Reply | None = None
    error: RunError | None = None
    deltas: Sequence[Delta] = ()


class Player:
    """Answers what `answer` says to a request, at once; where that is None, whatever the server behind it answers.

    Raises (when it is asked): whatever `answer` and that server raise.
    """

    images = True
    """Messages come as they are in the history, and are compared so."""

    def __init__(self, answer: Callable[[Mapping[str, Any]], Answer | None], behind: Server | None) -> None:
        self.server = behind
        self._answer = answer
        self._reply: Reply | None = None

    @property
    def split_think(self) -> bool:
        """Whether thoughts are to be taken out of the text of the last answer."""
        if self._reply is not None:
            return self._reply.source_text is not None
        return bool(getattr(self.server, "split_think", False))

    def secrets(self) -> frozenset[str | Secret]:
        """What must not be stored or shown of the server behind."""
        return base.secrets_of(self.server)

    async def chat_completion(self, **request: Any) -> Any:
        """The recorded completion, in one piece."""
        await asyncio.sleep(0)  # A run that never waits could not be stopped, or watched.
        answer = self._next(request)
        if answer is None:
            return await self._ask(request)
        if answer.error is not None or answer.reply is None:
            raise _failed(answer)
        reply = answer.reply
        body = Completion(body_of(reply), status=reply.status, request_id=reply.request_id, retries=reply.retries)
        body.waited, body.times = reply.waited, _times(reply)
        return body

    def stream(self, **request: Any) -> Stream:
        """The recorded completion, in pieces."""
        return Stream(partial(self._streamed, request))

    async def _streamed(self, request: dict[str, Any], stream: Stream) -> AsyncGenerator[dict[str, Any], None]:
        answer = self._next(request)
        if answer is None:
            async with aclosing(self._heard(request, stream)) as coming:
                async for chunk in coming:
                    yield chunk
            return
        if (reply := answer.reply) is not None:
            stream.status, stream.request_id, stream.retries = reply.status, reply.request_id, reply.retries
            stream.waited, stream.times = reply.waited, _times(reply)
            for chunk in chunks(reply, answer.deltas):
                await asyncio.sleep(0)  # A run that never waits could not be stopped, or watched.
                yield chunk
        if answer.error is not None or reply is None:
            raise _failed(answer)
        if late := [problem for problem in reply.problems if problem.startswith(AFTER_THE_END)]:
            raise ServerError(RunError(type=failures.SILENCES[0], message=late[0].removeprefix(AFTER_THE_END)))
        stream.done = True

    def _next(self, request: Mapping[str, Any]) -> Answer | None:
        answer = self._answer(request)
        self._reply = None if answer is None else answer.reply
        return answer

    def _behind(self, request: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """The server behind, and the request as `base.ask` would put it to that."""
        if hasattr(self.server, "images"):
            return self.server, request
        return self.server, {**request, "messages": as_text(request["messages"])}

    async def _ask(self, request: dict[str, Any]) -> Any:
        server, asked = self._behind(request)
        return await server.chat_completion(**asked)

    async def _heard(self, request: dict[str, Any], stream: Stream) -> AsyncGenerator[dict[str, Any], None]:
        """The chunks of the server behind; the one chunk that a whole completion is, where it does not stream."""
        server, asked = self._behind(request)
        if not hasattr(server, "stream"):
            answer = await server.chat_completion(**asked)
            if isinstance(answer, Completion):
                _travel(answer, stream)
            yield as_plain(answer)
            stream.done = True
            return
        coming = server.stream(**asked)
        coming = await coming if inspect.isawaitable(coming) else coming
        async with AsyncExitStack() as open_until_heard:
            if hasattr(coming, "aclose"):
                open_until_heard.push_async_callback(coming.aclose)
            async for chunk in coming:
                if isinstance(coming, Stream):
                    _travel(coming, stream)
                elif told := reported(as_plain(chunk)):
                    place = base.place_of(self.server)
                    raise ServerError(failures.refusal(codec.dumps(told), headers={}, status=200, place=place))
                yield as_plain(chunk)
        stream.done = getattr(coming, "done", False)

    def __repr__(self) -> str:
        return f"Player({self.server!r} behind it)" if self.server is not None else "Player()"


def _travel(came: Completion | Stream, stream: Stream) -> None:
    stream.status, stream.request_id, stream.retries = came.status, came.request_id, came.retries
    stream.waited = came.waited


def _failed(answer: Answer) -> ServerError:
    return ServerError(answer.error or RunError(type="NoReply", message="the recording has no reply here"))


def _times(reply: Reply) -> dict[str, float | None]:
    return {"seconds": reply.seconds, "first_token_at": reply.first_token_at}


def body_of(reply: Reply) -> dict[str, Any]:
    """The completion that a reply was read from; where it is not known, one that reads as the reply does. It is a copy:
    what a run does with its history must not reach the recording."""
    try:
        whole = isinstance(reply.raw and reply.raw["choices"][0]["message"], dict)
    except (LookupError, TypeError):
        whole = False
    if reply.raw and whole:
        return dict(codec.loads(codec.dumps(reply.raw)))
    message = codec.loads(codec.dumps(reply.message)) | ({"refusal": reply.refusal} if reply.refusal else {})
    choice = {"index": 0, "message": message, "finish_reason": reply.finish_reason}
    known = {"id": reply.id, "model": reply.model, "choices": [choice], "usage": _usage(reply.usage)}
    return {name: value for name, value in known.items() if value is not None}


def _usage(usage: Usage) -> dict[str, Any] | None:
    told: dict[str, Any] = {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.total,
        "cost": usage.cost,
        "completion_tokens_details": None if usage.reasoning is None else {"reasoning_tokens": usage.reasoning},
        "prompt_tokens_details": None if usage.cached is None else {"cached_tokens": usage.cached},
    }
    return {name: value for name, value in told.items() if value is not None} or None


def chunks(reply: Reply, deltas: Sequence[Delta]) -> Iterator[dict[str, Any]]:
    """The chunks a reply is streamed in: its recorded pieces, then the whole of it, which stands for all before it.

    Of a reply that was cut short, the pieces, and what else of it came. Without pieces it is one chunk.
    """
    body = body_of(reply)
    choice = body["choices"][0]
    if deltas:
        yield {**body, "choices": [{"index": 0, "delta": {"role": "assistant"}}]}
        yield from _pieces(deltas, _thoughts_of(choice["message"]))
    if not reply.partial:
        yield body
        return
    told = ("content", "tool_calls", "function_call", _thoughts_of(choice["message"])) if deltas else ()
    rest = {name: value for name, value in choice["message"].items() if name not in told}
    told_of_it = {name: value for name, value in choice.items() if name != "message"}
    yield {**body, "choices": [{**told_of_it, "delta": rest}]}


def _thoughts_of(message: Mapping[str, Any]) -> str:
    """The field in which the message has its reasoning as text."""
    return next((name for name in REASONING_FIELDS if isinstance(message.get(name), str)), REASONING_FIELDS[0])


def _pieces(deltas: Sequence[Delta], thoughts: str) -> Iterator[dict[str, Any]]:
    known: dict[int, tuple[str | None, str | None]] = {}
    for piece in deltas:
        if piece.part == "call":
            id_before, name_before = known.get(piece.index, (None, None))
            known[piece.index] = (piece.id, piece.name)
            entry: dict[str, Any] = {"index": piece.index, "function": {"arguments": piece.text}}
            if piece.id != id_before:
                entry["id"] = piece.id
            if piece.name != name_before:
                entry["function"]["name"] = piece.name
            yield {"choices": [{"index": 0, "delta": {"tool_calls": [entry]}}]}
        elif piece.part in ("text", "reasoning"):
            name = "content" if piece.part == "text" else thoughts
            yield {"choices": [{"index": 0, "delta": {name: piece.text}}]}
