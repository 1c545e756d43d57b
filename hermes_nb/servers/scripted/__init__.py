"""ScriptedServer: a model that says what you tell it to, as an object and over a real socket.

server = ScriptedServer([call("add", a=2, b=3), "It is 5."])
result = await HermesAgentLoop(server, tools=[add]).run("What is 2 + 3?")
"""

from __future__ import annotations

import asyncio
import inspect
import itertools
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from typing import Any

from hermes_nb import codec, failures
from hermes_nb.exceptions import ConfigurationError, ServerError
from hermes_nb.messages import Message
from hermes_nb.records import Reply, RunError
from hermes_nb.servers import base, sse
from hermes_nb.servers.base import Completion
from hermes_nb.servers.scripted import strict as strictness
from hermes_nb.servers.scripted import wire
from hermes_nb.servers.scripted.faults import Faults
from hermes_nb.servers.scripted.listener import Received, listen
from hermes_nb.servers.scripted.script import Request, Scripted, call, first_parameter, listed, scripted
from hermes_nb.servers.scripted.wire import Answer
from hermes_nb.servers.streams import Stream

__all__ = ["Faults", "Request", "Scripted", "ScriptedServer", "call"]


class ScriptedServer:
    """A server that answers from a script, and keeps every request it got in `requests`.

    The script is a list of replies, used one after the other by whoever asks, or a function that is asked for each: it
    is given the messages, or the whole request if its parameter is called `request`, and may be async. A reply is text,
    `call(...)` or a list of them, a whole message or body, an exception to raise, or a `Scripted` for all else.

    As an object it is a server for any loop. Over a socket, it speaks OpenAI's API, streamed and not:

        async with server.serve() as base_url:
            ...                                     # on the event loop that is running: await, do not block it

    `about` is what GET /models says of the model besides its name, as {"max_model_len": 32768}.

    `strict=True` makes it the double for "is this history sendable?": a request that a strict server would refuse is
    refused with a 400, in OpenAI's words (see `strict.complaint`), kept in `requests`, and uses up no reply. A loop
    that gets through its script with such a server has sent no unanswered call, no orphaned answer and no id twice. As
    an object it is given the history as the loop keeps it; what an OpenAIServer mends on the way, it refuses.

    >>> import hermes_nb as hn
    >>> server = ScriptedServer(["Five.", "Six."])
    >>> [hn.HermesAgentLoop(server).run_sync(asked).final_text for asked in ("2 + 3?", "3 + 3?")]
    ['Five.', 'Six.']
    >>> server.requests[1]["messages"]
    [{'role': 'user', 'content': '3 + 3?'}]

    Raises:
        ConfigurationError: the script holds something that is no reply.
    """

    def __init__(
        self,
        script: Iterable[Any] | Callable[..., Any],
        *,
        model: str = "scripted",
        about: Mapping[str, Any] | None = None,
        strict: bool = False,
    ) -> None:
        self.model = model
        self.about = dict(about or {})
        self.strict = strict
        self.requests: list[Request] = []
        self._serving: AsyncExitStack | None = None
        self._numbers = itertools.count(1)
        self._places = itertools.count()
        self._function = script if callable(script) else None
        self._wants_request = callable(script) and first_parameter(script) == "request"
        self._replies = () if callable(script) else tuple(scripted(reply) for reply in listed(script))

    async def chat_completion(self, **request: Any) -> Completion:
        """Answer from the script, with the very bytes that would go over a socket.

        Raises:
            ServerError: the script says so, or has come to its end.
            BaseException: the script holds it.
        """
        answer = await self._answer(request, streamed=False)
        if answer.cut:
            told = "the connection broke: the script cuts it here"
            raise ServerError(RunError(type="APIConnectionError", message=told))
        return base.completion(answer.content, headers=answer.headers, status=answer.status, retries=0, server=self)

    def stream(self, **request: Any) -> Stream:
        """Answer from the script in chunks, with the very bytes that would go over a socket.

        Raises (while it is iterated): as `chat_completion`, and what reading a stream raises.
        """
        asked = {"stream_options": {"include_usage": True}, **request, "stream": True}
        return Stream(lambda stream: self._streamed(asked, stream))

    async def _streamed(self, request: dict[str, Any], stream: Stream) -> AsyncGenerator[dict[str, Any], None]:
        answer = await self._answer(request, streamed=True)
        stream.request_id = failures.request_id(answer.headers)
        came = {"headers": answer.headers, "status": answer.status, "retries": 0}
        async with aclosing(sse.chunks(_sent(answer), stream, came=came, server=self, idle=None)) as coming:
            async for chunk in coming:
                yield chunk

    async def _answer(self, request: Mapping[str, Any], *, streamed: bool) -> Answer:
        """What goes over the wire, once its time has come."""
        received = Request(_copied(request), headers={}, at=asyncio.get_running_loop().time())
        said, number = await self._next(received)
        if said.error is not None:
            raise said.error
        answer = wire.answer(said, received, model=self.model, number=number, streamed=streamed)
        await asyncio.sleep(answer.delay)
        if answer.status >= 400 and not answer.cut:
            known: dict[str, Any] = {"headers": answer.headers, "status": answer.status, "place": base.place_of(self)}
            raise ServerError(failures.refusal(answer.content, **known))
        return answer

    async def ask(self, messages: str | Sequence[Message], tools: Any = None, **request: Any) -> Reply:
        """Ask once, outside any run: text or messages in, a Reply out.

        Raises:
            ServerError: the script says so, or has come to its end.
        """
        return await base.ask_by_hand(self, messages, tools, request)

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[str]:
        """Speak OpenAI's API on a free port of this machine, and give the base_url.

        POST /v1/chat/completions and GET /v1/models are there, and an error for all else.
        """
        async with listen(self._respond) as address:
            yield f"{address}/v1"

    async def start(self) -> str:
        """`serve` for a notebook, whose cells share a server: give the base_url, and go on until `stop`.

        Raises:
            ConfigurationError: it has been started already.
        """
        if self._serving is not None:
            raise ConfigurationError("this server has been started already: `await server.stop()` ends it")
        self._serving = AsyncExitStack()
        return await self._serving.enter_async_context(self.serve())

    async def stop(self) -> None:
        """End what `start` began; nothing, if it did not."""
        serving, self._serving = self._serving, None
        if serving is not None:
            await serving.aclose()

    async def _respond(self, received: Received) -> Answer:
        place = (received.method, received.path.partition("?")[0])
        if place == ("GET", "/v1/models"):
            return _said(200, codec.dumps(_models(self.model, self.about)))
        if place != ("POST", "/v1/chat/completions"):
            return _said(404, wire.error_body(404, f"there is no {' '.join(place)} here", "unknown_url"))
        try:
            body = codec.loads(received.body)
        except ValueError as error:
            return _said(400, wire.error_body(400, f"the request's body is not JSON: {error}"))
        if not isinstance(body, dict) or not isinstance(body.get("messages"), list):
            return _said(400, wire.error_body(400, "the request has no list of messages", "missing_required_parameter"))
        request = Request(body, headers=received.headers, at=asyncio.get_running_loop().time())
        said, number = await self._next(request)
        return wire.answer(said, request, model=self.model, number=number, streamed=body.get("stream") is True)

    async def _next(self, request: Request) -> tuple[Scripted, int]:
        number = next(self._numbers)
        self.requests.append(request)
        if self.strict and (refused := strictness.fault(request)):
            return Scripted(status=400, body=refused.body()), number
        if self._function is not None:
            given = request if self._wants_request else request["messages"]
            return scripted(await base.called(_said_by, self._function, _copied(given))), number
        if (place := next(self._places)) < len(self._replies):
            return self._replies[place], number
        return self._ended(request, number), number

    def _ended(self, request: Request, number: int) -> Scripted:
        last = (request.get("messages") or [{}])[-1]
        told = f"the script has {len(self._replies)} replies, and this is request {number}, which ends in {last!r:.200}"
        return Scripted(status=400, code="script_ended", text=told)

    def __repr__(self) -> str:
        script = f"{len(self._replies)} replies" if self._function is None else "a function"
        return f"ScriptedServer({script}, {len(self.requests)} requests so far)"


async def _sent(answer: Answer) -> AsyncGenerator[bytes, None]:
    """The pieces of a body, as slowly as the script has them."""
    for place, piece in enumerate(answer.pieces):
        await asyncio.sleep(answer.chunk_delay if place else 0)
        yield piece


def _copied(value: Any) -> Any:
    return codec.loads(codec.dumps(value, default=repr))


async def _said_by(function: Callable[..., Any], given: Any) -> Scripted:
    said = function(given)
    return scripted(await said if inspect.isawaitable(said) else said)


def _said(status: int, content: bytes) -> Answer:
    return Answer(status=status, headers={"content-type": wire.JSON}, pieces=[content], length=len(content))


def _models(model: str, about: Mapping[str, Any]) -> dict[str, Any]:
    known = {"id": model, "object": "model", "created": wire.CREATED, "owned_by": "hermes_nb", **about}
    return {"object": "list", "data": [known]}
