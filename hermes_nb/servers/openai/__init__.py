"""OpenAIServer: any server that speaks OpenAI's chat completions API, through the openai package's client.

Requests go through the client's low-level `post`, with its auth, retries, timeouts and addresses, and the body is
encoded and decoded here: `create()` walks every message of the history in Python on each request, and its typed paths
hide what a server really sent.
"""

from __future__ import annotations

import asyncio
import os
import re
import weakref
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from hermes_nb import failures
from hermes_nb.exceptions import ConfigurationError, ServerError, WrongLoopError
from hermes_nb.messages import Message
from hermes_nb.records import Reply, RunError
from hermes_nb.redact import Secret
from hermes_nb.servers import base
from hermes_nb.servers.base import Completion
from hermes_nb.servers.openai import connection

if TYPE_CHECKING:
    from openai import AsyncOpenAI

OPENAI = "https://api.openai.com/v1"

OPENAI_HOSTS = re.compile(r"(.+\.)?api\.openai\.com|.+\.(openai|services\.ai|cognitiveservices)\.azure\.com")
REASONING_MODELS = re.compile(r"(ft:)?(o\d|gpt-[5-9])")
"""Models of OpenAI's that refuse `max_tokens` and want `max_completion_tokens`: the o series, and gpt-5 and later."""

TELLING = re.compile(r"(?i)auth|key|token|secret|cookie|passw|credential")


class Clients(dict[asyncio.AbstractEventLoop, tuple["AsyncOpenAI", AsyncGenerator["AsyncOpenAI", None]]]):
    """A server's clients by their event loop, each with what holds it."""


class OpenAIServer:
    """A server that speaks OpenAI's API: OpenAI's own, vLLM, SGLang, llama.cpp, Ollama, OpenRouter and their like.

    One object serves any number of event loops: it keeps a client for each, closed when its loop ends. Messages are
    plain dicts and go out as they are. Retries are the client's, and are counted in the Reply.

    Args:
        model: the model's name, as the server knows it.
        base_url: where the API is, such as http://localhost:8000/v1; by default what OPENAI_BASE_URL says, or OpenAI.
        api_key: by default OPENAI_API_KEY; a server on this machine may go without one.
        client: an `openai.AsyncOpenAI` to use in place of our own; it belongs to the event loop that first uses it.
        timeout: seconds a request may take, None for no limit; connecting gets at most 5 of them.
        max_retries: how often a request is repeated after 408, 409, 429, 5xx or a broken connection.
        headers: sent with every request.
        aiohttp: use the aiohttp transport, which costs less with many runs at once (shelf `fast`).

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
        max_retries: int = 2,
        headers: Mapping[str, str] | None = None,
        aiohttp: bool = False,
    ) -> None:
        _check(model, base_url)
        if client is not None and (base_url or api_key or headers or aiohttp):
            raise ConfigurationError("a client brings its own base_url, api_key, headers and transport: set them there")
        self.model = model
        self.timeout = timeout
        self.max_retries = max_retries
        self.aiohttp = aiohttp
        self._address = base.without_userinfo(base_url)
        self._full_address = Secret(base_url) if base_url and base_url != self._address else None
        self._key = Secret(api_key) if api_key else None
        self._headers = {name: Secret(value) for name, value in (headers or {}).items()}
        self._given = client
        self._home: weakref.ref[asyncio.AbstractEventLoop] | None = None
        self._clients = Clients()
        self._renamed: set[str] = set()

    @property
    def base_url(self) -> str:
        """Where requests go, without user and password."""
        given = str(self._given.base_url).rstrip("/") if self._given is not None else self._address
        return base.without_userinfo(given or os.environ.get("OPENAI_BASE_URL") or OPENAI) or OPENAI

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
        if n != 1:
            raise ConfigurationError(f"one completion is asked for at a time (n=1), not {n}; run the loop {n} times")
        if more.get("stream"):
            raise ConfigurationError("chat_completion answers in one piece; leave stream out")
        fields = {
            "temperature": temperature, "tools": tools or None, "max_tokens": max_tokens, "tool_choice": tool_choice,
        }  # fmt: skip
        given = {name: value for name, value in fields.items() if value is not None}
        body = {"model": self.model, "messages": messages, **given, **more, **(extra_body or {})}
        if "max_tokens" in body and self._renames(body["model"]):
            body["max_completion_tokens"] = body.pop("max_tokens")
        try:
            return await self._post(body)
        except ServerError as failure:
            if "max_tokens" not in body or not self._learns(body["model"], failure.error):
                raise
            asked = 1 + failure.error.retries
        body["max_completion_tokens"] = body.pop("max_tokens")
        answer = await self._post(body)
        answer.retries += asked
        return answer

    def _renames(self, model: str) -> bool:
        if model in self._renamed:
            return True
        host = urlsplit(self.base_url).hostname or ""
        return bool(OPENAI_HOSTS.fullmatch(host) and REASONING_MODELS.match(model))

    def _learns(self, model: str, error: RunError) -> bool:
        told = error.status == 400 and "Use 'max_completion_tokens'" in error.message
        if told:
            self._renamed.add(model)
        return told

    async def _post(self, body: dict[str, Any]) -> Completion:
        import openai

        client = await self._client()
        try:
            response = await client.post(
                "/chat/completions", cast_to=connection.http().Response, **connection.payload(client, body)
            )
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

    async def close(self) -> None:
        """Close the running event loop's client; those of other loops are closed with them, a passed-in one never."""
        if kept := self._clients.get(asyncio.get_running_loop()):
            await kept[1].aclose()

    def secrets(self) -> tuple[Secret, ...]:
        """What must not be stored or shown: the key, the address with its password, and headers that hold secrets."""
        key = self._key or getattr(self._given, "api_key", None) or os.environ.get("OPENAI_API_KEY")
        telling = (value for name, value in self._headers.items() if TELLING.search(name))
        given = (key or None, self._full_address, *telling)
        return tuple(one if isinstance(one, Secret) else Secret(one) for one in given if isinstance(one, str | Secret))

    def __repr__(self) -> str:
        return f"OpenAIServer({self.model} at {self.base_url})"

    def __getstate__(self) -> dict[str, Any]:
        if self._given is not None:
            raise TypeError("a server made with client= stays where its client is: make another one for the copy")
        return {**vars(self), "_clients": Clients(), "_renamed": set(self._renamed)}

    async def _client(self) -> AsyncOpenAI:
        loop = asyncio.get_running_loop()
        if self._given is not None:
            return self._at_home(self._given, loop)
        if kept := self._clients.get(loop):
            return kept[0]
        for ended in [one for one in self._clients if one.is_closed()]:
            del self._clients[ended]
        holder = _hold(self._make_client(), weakref.ref(self._clients), loop)
        client = await anext(holder)
        self._clients[loop] = client, holder
        return client

    def _at_home(self, client: AsyncOpenAI, loop: asyncio.AbstractEventLoop) -> AsyncOpenAI:
        if self._home is None:
            self._home = weakref.ref(loop)
        if self._home() is not loop:
            raise WrongLoopError(
                "the client passed to OpenAIServer belongs to the event loop that first used it, and this is another "
                "one: give base_url= and api_key= in place of client=, and each loop gets a client of its own"
            )
        return client

    def _make_client(self) -> AsyncOpenAI:
        key = _revealed(self._key) if self._key else os.environ.get("OPENAI_API_KEY")
        if not key and not connection.is_local(self.base_url):
            raise ConfigurationError(
                f"{self.base_url} needs a key: give it as OpenAIServer(api_key=...), or set OPENAI_API_KEY "
                "(if it takes any, api_key='none' will do)"
            )
        return connection.make_client(
            key=key or "none",
            base_url=_revealed(self._full_address) if self._full_address else self._address,
            headers={name: _revealed(value) for name, value in self._headers.items()},
            timeout=self.timeout,
            retries=self.max_retries,
            aiohttp=self.aiohttp,
        )


async def _hold(
    client: AsyncOpenAI, clients: weakref.ref[Clients], loop: asyncio.AbstractEventLoop
) -> AsyncGenerator[AsyncOpenAI, None]:
    """Hold a client until its event loop ends, or its server is dropped, whichever is first.

    A loop closes the asynchronous generators that were started on it: those nobody holds any more at once, so nothing
    in here may keep the server.
    """
    try:
        yield client
    finally:
        if (others := clients()) is not None:
            others.pop(loop, None)
        await client.close()


def _revealed(secret: Secret) -> str:
    try:
        return secret.reveal()
    except ValueError as error:
        raise ConfigurationError("this server was pickled, which left its secrets behind: make it again") from error


def _check(model: Any, base_url: Any) -> None:
    if not isinstance(model, str) or not model:
        raise ConfigurationError(f"a server needs the name of a model, such as 'hermes-4'; got {model!r}")
    if base_url and not str(base_url).startswith(("http://", "https://")):
        raise ConfigurationError(f"base_url begins with http:// or https://; got {base.without_userinfo(base_url)!r}")


def default_server() -> OpenAIServer:
    """The server that the environment names: HERMES_NB_MODEL at OPENAI_BASE_URL, with OPENAI_API_KEY.

    Raises:
        ConfigurationError: no model is named.
    """
    model = os.environ.get("HERMES_NB_MODEL")
    if not model:
        raise ConfigurationError(
            "no model is named: set HERMES_NB_MODEL (and OPENAI_BASE_URL and OPENAI_API_KEY where they are needed), "
            "or say which: OpenAIServer(model=..., base_url=...)"
        )
    return OpenAIServer(model)
