"""The openai package's client as OpenAIServer uses it: made, bounded, and given bytes to send."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping
from functools import cache
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from hermes_nb import codec, failures
from hermes_nb.exceptions import ConfigurationError, MissingDependency
from hermes_nb.servers.openai.spread import spread

if TYPE_CHECKING:
    from openai import AsyncOpenAI

CONNECT_SECONDS = 5.0
LONGEST_WAIT_SECONDS = 120
CONNECTIONS, KEPT_ALIVE = 1000, 512
"""Sockets of one client: several hundred runs at once, each finding its connection still open at its next turn."""


def make_client(
    *, key: str, base_url: str | None, headers: Mapping[str, str], timeout: float | None, retries: int, aiohttp: bool
) -> AsyncOpenAI:
    """A client for the running event loop; with `aiohttp`, on that transport.

    Raises:
        MissingDependency: the aiohttp transport is not installed.
    """
    import openai

    make = openai.DefaultAioHttpClient if aiohttp else openai.DefaultAsyncHttpxClient
    limited = http().Timeout(timeout, connect=None if timeout is None else min(timeout, CONNECT_SECONDS))
    limits = http().Limits(max_connections=CONNECTIONS, max_keepalive_connections=KEPT_ALIVE)
    try:
        pools = {} if aiohttp else spread(http(), connections=CONNECTIONS, kept_alive=KEPT_ALIVE)
        client = make(timeout=limited, limits=limits, event_hooks={"response": [_settle_retry]}, **pools)
    except RuntimeError as error:  # Said by the stand-in that the openai package has where aiohttp is not.
        raise MissingDependency("OpenAIServer(aiohttp=True)", "fast") from error
    return openai.AsyncOpenAI(
        api_key=key,
        base_url=base_url,
        timeout=limited,
        max_retries=retries,
        default_headers=dict(headers),
        http_client=client,
    )


async def _settle_retry(response: Any) -> None:
    """Tell the client not to retry what a short wait will not mend: a used-up quota, or a wait that is no short one.

    A quota is known by its code, for prose may mean a rate. The client's version 3 refuses long waits by itself.
    """
    if response.status_code < 400:
        return
    wait = response.headers.get("retry-after", "")
    final = wait.isdigit() and int(wait) > LONGEST_WAIT_SECONDS
    if response.status_code == 429:
        await response.aread()
        final = final or failures.stated(response.text)[1] == "insufficient_quota"
    if final:
        response.headers.setdefault("x-should-retry", "false")


def payload(client: AsyncOpenAI, body: dict[str, Any]) -> dict[str, Any]:
    """The body as `post` takes it: in bytes; as a dict for a client that may want to look into it, as Azure's does."""
    import openai

    if type(client) is not openai.AsyncOpenAI:
        return {"body": body}
    try:
        content = codec.dumps(body)
    except TypeError as error:
        raise ConfigurationError(f"the request cannot be written as JSON: {error}") from error
    return {_content_field(): content}


@cache
def _content_field() -> str:
    """The name under which this version's `post` takes bytes."""
    import openai

    return "content" if "content" in inspect.signature(openai.AsyncOpenAI.post).parameters else "body"


@cache
def http() -> Any:
    """The package the openai client's HTTP rides on: httpx2 from version 3, httpx before."""
    import openai

    transport = openai.DefaultAsyncHttpxClient.__mro__[1]
    return sys.modules[transport.__module__.partition(".")[0]]


def is_local(url: str) -> bool:
    """Whether the address is this machine's own."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified
