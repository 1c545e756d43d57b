"""Where a server is and who asks it: the address, the key, the headers, and a client for each event loop."""

from __future__ import annotations

import asyncio
import os
import re
import weakref
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hermes_nb.exceptions import ConfigurationError, WrongLoopError
from hermes_nb.redact import Secret
from hermes_nb.servers import base
from hermes_nb.servers.openai import connection
from hermes_nb.servers.openai.clients import Clients

if TYPE_CHECKING:
    from openai import AsyncOpenAI

OPENAI = "https://api.openai.com/v1"

TELLING = re.compile(r"(?i)auth|key|token|secret|cookie|passw|credential")


class Account:
    """The way to one server.

    Args:
        base_url, api_key, headers, timeout, aiohttp: as OpenAIServer's.
        retries: how often the client repeats a request.
        given: a client to use in place of our own.

    Raises:
        ConfigurationError: a client was given beside what it brings itself, or the address is none.
    """

    def __init__(
        self,
        *,
        base_url: str | None,
        api_key: str | Secret | None,
        headers: Mapping[str, str] | None,
        given: AsyncOpenAI | None,
        timeout: float | None,
        retries: int,
        aiohttp: bool,
    ) -> None:
        if given is not None and (base_url or api_key or headers or aiohttp):
            raise ConfigurationError("a client brings its own base_url, api_key, headers and transport: set them there")
        address = base.without_userinfo(base_url)
        if base_url and not base_url.startswith(("http://", "https://")):
            raise ConfigurationError(f"base_url begins with http:// or https://; got {address!r}")
        self.timeout = timeout
        self.retries = retries
        self.aiohttp = aiohttp
        self.key = Secret(api_key) if api_key else None
        self.clients = Clients()
        self._address = address
        self._full_address = Secret(base_url) if base_url and base_url != address else None
        self._headers = {name: Secret(value) for name, value in (headers or {}).items()}
        self._given = given
        self._home: weakref.ref[asyncio.AbstractEventLoop] | None = None

    @property
    def base_url(self) -> str:
        """Where requests go, without user and password."""
        given = str(self._given.base_url).rstrip("/") if self._given is not None else self._address
        return base.without_userinfo(given or os.environ.get("OPENAI_BASE_URL") or OPENAI) or OPENAI

    async def client(self) -> AsyncOpenAI:
        """The running event loop's client.

        Raises:
            ConfigurationError: the server needs a key, and there is none.
            WrongLoopError: the client that was given belongs to another loop.
        """
        loop = asyncio.get_running_loop()
        if self._given is not None:
            return self._at_home(self._given, loop)
        return await self.clients.of(loop, self._made)

    def hurried(self, client: AsyncOpenAI) -> Account:
        """The same account with this client, for the loop that runs."""
        hurried = object.__new__(Account)
        vars(hurried).update(vars(self) | {"_given": client, "_home": None})
        return hurried

    def secrets(self) -> tuple[Secret, ...]:
        """The key, the address with its password, and headers that hold secrets."""
        key = self.key or getattr(self._given, "api_key", None) or os.environ.get("OPENAI_API_KEY")
        telling = (value for name, value in self._headers.items() if TELLING.search(name))
        given = (key or None, self._full_address, *telling)
        return tuple(one if isinstance(one, Secret) else Secret(one) for one in given if isinstance(one, str | Secret))

    def __getstate__(self) -> dict[str, Any]:
        if self._given is not None:
            raise TypeError("a server made with client= stays where its client is: make another one for the copy")
        return {**vars(self), "clients": Clients()}

    def __repr__(self) -> str:
        return f"Account({self.base_url})"

    def _at_home(self, client: AsyncOpenAI, loop: asyncio.AbstractEventLoop) -> AsyncOpenAI:
        if self._home is None:
            self._home = weakref.ref(loop)
        if self._home() is not loop:
            raise WrongLoopError(
                "the client passed to OpenAIServer belongs to the event loop that first used it, and this is another "
                "one: give base_url= and api_key= in place of client=, and each loop gets a client of its own"
            )
        return client

    def _made(self) -> AsyncOpenAI:
        key = _revealed(self.key) if self.key else os.environ.get("OPENAI_API_KEY")
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
            retries=self.retries,
            aiohttp=self.aiohttp,
        )


def _revealed(secret: Secret) -> str:
    try:
        return secret.reveal()
    except ValueError as error:
        raise ConfigurationError("this server was pickled, which left its secrets behind: make it again") from error
