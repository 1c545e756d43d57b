"""OpenAIServer: any server that speaks OpenAI's chat completions API, through the openai package's client.

Requests go through the client's low-level `post`, with its auth, retries, timeouts and addresses, and the body is
encoded and decoded here: `create()` walks every message of the history in Python on each request, and its typed paths
hide what a server really sent.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, overload

from hermes_nb import dialects, failures, outgoing
from hermes_nb.exceptions import ConfigurationError, HermesError, ServerError
from hermes_nb.messages import Message
from hermes_nb.records import Reply, RunError
from hermes_nb.redact import Secret
from hermes_nb.servers import base
from hermes_nb.servers.base import Completion
from hermes_nb.servers.openai import connection, streaming
from hermes_nb.servers.openai.account import Account
from hermes_nb.servers.openai.pace import Pace, Place
from hermes_nb.servers.streams import Stream

if TYPE_CHECKING:
    from openai import AsyncOpenAI

    from hermes_nb.servers.openai.checking import ServerCheck

T = TypeVar("T")


class OpenAIServer:
    """A server that speaks OpenAI's API: OpenAI's own, vLLM, SGLang, llama.cpp, Ollama, OpenRouter and their like.

    One object serves any number of event loops: it keeps a client for each, closed when its loop ends. Messages are
    plain dicts and go out as they are, but for reasoning and calls that servers refuse (`outgoing`). Retries are the
    client's, and are counted in the Reply.

    Args:
        model: the model's name, as the server knows it.
        base_url: where the API is, such as http://localhost:8000/v1; by default what OPENAI_BASE_URL says, or OpenAI.
        api_key: by default OPENAI_API_KEY; a server on this machine may go without one.
        client: an `openai.AsyncOpenAI` to use in place of our own; it belongs to the event loop that first uses it.
        timeout: seconds a request may take, None for no limit; connecting gets at most 5 of them.
        stream_idle_timeout: seconds a stream may pause once it has begun, None for no limit.
        max_retries: how often a request is repeated after 408, 409, 429, 5xx or a broken connection.
        headers: sent with every request.
        aiohttp: use the aiohttp transport, which costs less with many runs at once (shelf `fast`).
        echo_reasoning: how reasoning in the history is sent back: "auto" (its table is `outgoing.automatic`'s), "none",
            "reasoning", "reasoning_content", "both", "details", or "verbatim". The history keeps all of it.
        split_think: take `<think>...</think>` at the start of a reply's text for reasoning.
        tokens: ask for the ids of a prompt's and a reply's tokens, and for log-probabilities, as vLLM tells them; they
            stand in the Reply's `raw`, and `frames.tokens` and `training.to_training` read them.
        images: send the images, sounds and files that tools return; else a line of text stands in their place.
        max_concurrency: how many requests may be going on at once, in all runs that use this object; the others wait,
            first come first served. None: no limit.
        requests_per_minute: how many may begin within any 60 seconds, likewise.

    `context_window` is how many tokens the model reads at most, once `check()` was told; None until then.

    Raises:
        ConfigurationError: the arguments cannot work, or not together.
    """

    def __init__(
        self,
        model: str,
        *,
        base_url: str | None = None,
        api_key: str | Secret | None = None,
        client: AsyncOpenAI | None = None,
        timeout: float | None = 600,
        stream_idle_timeout: float | None = 120,
        max_retries: int = 2,
        headers: Mapping[str, str] | None = None,
        aiohttp: bool = False,
        echo_reasoning: outgoing.EchoReasoning = "auto",
        split_think: bool = False,
        images: bool = False,
        tokens: bool = False,
        max_concurrency: int | None = None,
        requests_per_minute: int | None = None,
    ) -> None:
        if not isinstance(model, str) or not model:
            raise ConfigurationError(f"a server needs the name of a model, such as 'hermes-4'; got {model!r}")
        self.model = model
        self.timeout = timeout
        self.stream_idle_timeout = stream_idle_timeout
        self.max_retries = max_retries
        self.aiohttp = aiohttp
        self.echo_reasoning = outgoing.known(echo_reasoning)
        self.split_think = split_think
        self.images = images
        self.tokens = tokens
        self.context_window: int | None = None
        self._account = Account(
            base_url=base_url, api_key=api_key, headers=headers, given=client, timeout=timeout, retries=max_retries,
            aiohttp=aiohttp,
        )  # fmt: skip
        self._renamed: set[str] = set()
        self._counted = True
        unbounded = max_concurrency is None and requests_per_minute is None
        self._pace = None if unbounded else Pace(max_concurrency, requests_per_minute)

    @property
    def base_url(self) -> str:
        """Where requests go, without user and password."""
        return self._account.base_url

    async def chat_completion(
        self,
        *,
        messages: Sequence[Message],
        n: int = 1,
        temperature: float | None = None,
        tools: Sequence[Mapping[str, Any]] | None = None,
        max_tokens: int | None = None,
        tool_choice: str | Mapping[str, Any] | None = None,
        extra_body: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> Completion:
        """Ask for one completion; `more` are further fields of the request's body. What is None is left out.

        `max_tokens` goes out as `max_completion_tokens` to OpenAI's reasoning models, and to a model whose server
        refused it by name: then the request is sent once more, and the server object remembers.

        Raises:
            ServerError: the server did not answer with a completion.
            ConfigurationError: the request cannot be sent.
        """
        if more.get("stream"):
            raise ConfigurationError("chat_completion answers in one piece: leave stream out, or call stream()")
        named = {
            "temperature": temperature, "tools": tools or None, "max_tokens": max_tokens, "tool_choice": tool_choice,
        }  # fmt: skip
        given = {name: value for name, value in named.items() if value is not None}
        body = self._body(messages=messages, n=n, extra_body=extra_body, **given, **more)
        async with self._place() as place:
            answer, asked = await self._settled(self._post, body)
            place.repeats = answer.retries = answer.retries + asked
        answer.waited = place.waited
        return answer

    def stream(self, **request: Any) -> Stream:
        """Ask for one completion, to be had in chunks as they come; `request` is as for `chat_completion`.

        The first chunk waits for the request, which the client repeats as ever; after it nothing is repeated. Usage
        is asked for with the last chunk, unless the server refused that once. A server that answers in one piece
        gives one chunk, which is the completion.

        Raises (while it is iterated):
            ServerError: the server did not answer, reported an error, sent no stream, or fell silent.
        """
        given = {name: value for name, value in request.items() if value is not None and value != []}
        body = streaming.streamed(self._body(**given), counted=self._counted)
        return Stream(lambda stream: self._streamed(body, stream))

    async def _streamed(
        self, body: dict[str, Any], stream: Stream, path: str = "/chat/completions"
    ) -> AsyncGenerator[dict[str, Any], None]:
        async with self._place() as place:
            stream.waited = place.waited
            response, asked = await self._settled(partial(self._begin, path), body)
            coming = streaming.chunks(response, stream, server=self, idle=self.stream_idle_timeout, asked=asked)
            place.repeats = asked + failures.retries_of(response.request)
            async with aclosing(response), aclosing(coming):
                async for chunk in coming:
                    yield chunk

    async def _begin(self, path: str, body: dict[str, Any]) -> Any:
        return await streaming.begin(await self._account.client(), path, body, self)

    def _body(
        self, *, messages: Sequence[Message], n: int = 1, extra_body: Mapping[str, Any] | None = None, **fields: Any
    ) -> dict[str, Any]:
        if n != 1:
            raise ConfigurationError(f"one completion is asked for at a time (n=1), not {n}; run the loop {n} times")
        body: dict[str, Any] = {"model": self.model, "messages": outgoing.for_server(self, messages)}
        body |= {**(dialects.WITH_TOKENS if self.tokens else {}), **fields, **(extra_body or {})}
        if "max_tokens" in body and self._renames(body["model"]):
            body["max_completion_tokens"] = body.pop("max_tokens")
        return body

    def _place(self) -> AbstractAsyncContextManager[Place]:
        return nullcontext(Place()) if self._pace is None else self._pace.place()

    async def _settled(self, post: Callable[[dict[str, Any]], Awaitable[T]], body: dict[str, Any]) -> tuple[T, int]:
        """What `post` gives, and how many requests were refused before it for what a body can do without."""
        asked = 0
        while True:
            try:
                return await post(body), asked
            except ServerError as failure:
                if not self._learns(body, failure.error):
                    raise
                asked += 1 + failure.error.retries

    def _renames(self, model: str) -> bool:
        return model in self._renamed or dialects.wants_max_completion_tokens(model, self.base_url)

    def _learns(self, body: dict[str, Any], error: RunError) -> bool:
        """Whether the error names what the body can do without: it is mended, and the server object remembers."""
        if "max_tokens" in body and error.status == 400 and "Use 'max_completion_tokens'" in error.message:
            self._renamed.add(body["model"])
            body["max_completion_tokens"] = body.pop("max_tokens")
            return True
        if streaming.refuses_options(body, error):
            self._counted = False
            return bool(body.pop("stream_options"))
        return False

    async def post(self, path: str, body: Mapping[str, Any]) -> Completion:
        """Send a request of another kind to the same server, `/completions` say, with the model's name in its body;
        what comes back, as it came.

        Raises:
            ServerError: the server did not answer with a JSON object, or with one that holds an error.
            ConfigurationError: the request cannot be sent.
        """
        async with self._place() as place:
            answer = await self._post({"model": self.model, **body}, path)
            place.repeats = answer.retries
        answer.waited = place.waited
        return answer

    def post_stream(self, path: str, body: Mapping[str, Any]) -> Stream:
        """Send a request of another kind, as `post`, and have the answer in chunks, as `stream`.

        Raises (while it is iterated):
            ServerError: the server did not answer, reported an error, sent no stream, or fell silent.
        """
        asked = {"model": self.model, **body, "stream": True}
        return Stream(lambda stream: self._streamed(asked, stream, path))

    async def _post(self, body: dict[str, Any], path: str = "/chat/completions") -> Completion:
        import openai

        client = await self._account.client()
        try:
            response = await client.post(path, cast_to=connection.http().Response, **connection.payload(client, body))
        except openai.OpenAIError as error:
            raise ServerError(failures.named(error, base.place_of(self))) from error
        return base.completion(
            response.content,
            headers=response.headers,
            status=response.status_code,
            retries=failures.retries_of(response.request),
            server=self,
        )

    async def ask(self, messages: str | Sequence[Message], tools: Any = None, **request: Any) -> Reply:
        """Ask once, outside any run: text or messages in, a Reply out. Nothing is run of what it calls.

        `tools` are functions, Tools, schemas, or a Toolbox; `request` is as for `chat_completion`.

        Raises:
            ServerError: the server did not answer with a reply.
            ConfigurationError: the request cannot be sent.
        """
        return await base.ask_by_hand(self, messages, tools, request)

    async def check(self) -> ServerCheck:
        """Find out what the server can do, with four small requests; what could not be found out says why.

        None of them is repeated (but once, where `max_tokens` has to be renamed) or waited for longer than a minute;
        an answer is 16 tokens at most, and 512 where tool calls are asked for. `context_window` is remembered.
        """
        from hermes_nb.servers.openai import checking

        patience = min(self.timeout or checking.PATIENCE_SECONDS, checking.PATIENCE_SECONDS)
        try:
            client = (await self._account.client()).with_options(max_retries=0, timeout=patience)
        except HermesError as error:
            return checking.unasked(self, error)
        hasty = object.__new__(type(self))  # This server with a client that gives up soon; what it learns, we share.
        vars(hasty).update(vars(self) | {"_account": self._account.hurried(client)})
        found = await checking.check(hasty, client)
        self._counted = hasty._counted
        self.context_window = found.context_window or self.context_window
        return found

    async def close(self) -> None:
        """Close the running event loop's client; those of other loops are closed with them, a passed-in one never."""
        await self._account.clients.close(asyncio.get_running_loop())

    def secrets(self) -> tuple[Secret, ...]:
        """What must not be stored or shown: the key, the address with its password, and headers that hold secrets."""
        return self._account.secrets()

    def __repr__(self) -> str:
        return f"OpenAIServer({self.model} at {self.base_url})"

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_renamed": set(self._renamed)}


@overload
def default_server(**settings: Any) -> OpenAIServer: ...
@overload
def default_server(stand_in: T, **settings: Any) -> OpenAIServer | T: ...
def default_server(stand_in: Any = None, **settings: Any) -> Any:
    """The server that the environment names: HERMES_NB_MODEL at OPENAI_BASE_URL, with OPENAI_API_KEY.

    Args:
        stand_in: a server that answers in its place, a scripted one in a notebook that is to run without a key. It is
            given back as it is, unless HERMES_NB_CASSETTE is `live`: then the environment's server is asked.
        settings: of the environment's server, as `OpenAIServer` takes them.

    Raises:
        ConfigurationError: no model is named, or HERMES_NB_CASSETTE is no mode.
    """
    if stand_in is not None and base.mode_in(os.environ) != "live":
        return stand_in
    model = os.environ.get("HERMES_NB_MODEL")
    if not model:
        raise ConfigurationError(
            "no model is named: set HERMES_NB_MODEL (and OPENAI_BASE_URL and OPENAI_API_KEY where they are needed), "
            "or say which: OpenAIServer(model=..., base_url=...)"
        )
    return OpenAIServer(model, **settings)
