"""A scripted server on a real socket, and an OpenAIServer connected to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest

from hermes_nb.exceptions import ServerError
from hermes_nb.records import RunError
from hermes_nb.servers import OpenAIServer, ScriptedServer

Connect = Callable[..., AbstractAsyncContextManager[tuple[ScriptedServer, OpenAIServer]]]
KEY = "sk-test-9f8e7d6c5b4a39281706"


@pytest.fixture
def key() -> str:
    """A key that must never be seen."""
    return KEY


@pytest.fixture
def connect() -> Connect:
    """`async with connect(script, **settings) as (scripted, server)`."""

    @asynccontextmanager
    async def connected(script: Any, **settings: Any) -> AsyncIterator[tuple[ScriptedServer, OpenAIServer]]:
        scripted = ScriptedServer(script, model="m")
        async with scripted.serve() as base_url:
            server = OpenAIServer("m", **{"base_url": base_url, "api_key": KEY, **settings})
            try:
                yield scripted, server
            finally:
                await server.close()

    return connected


@pytest.fixture
def failure() -> Callable[[Awaitable[Any]], Awaitable[RunError]]:
    """`await failure(server.ask(...))`: the record of how it failed."""

    async def failed(asked: Awaitable[Any]) -> RunError:
        with pytest.raises(ServerError) as caught:
            await asked
        return caught.value.error

    return failed
