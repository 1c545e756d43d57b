"""Requests are spread over small pools, and a pool is busy until its answer is read."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hermes_nb.exceptions import ServerError
from hermes_nb.servers import OpenAIServer, Scripted, ScriptedServer


def busy(server: OpenAIServer) -> list[int]:
    """How many requests each pool of the running loop's client is busy with; the pools that have none left out."""
    client = server._account.clients[asyncio.get_running_loop()][0]
    return [count for count in client._client._transport._busy if count]


async def test_requests_at_once_take_pools_of_their_own_and_give_them_back() -> None:
    seen: list[list[int]] = []
    all_in = asyncio.Event()

    async def answer(messages: list[dict[str, Any]]) -> str:
        if len(scripted.requests) == 5:
            seen.append(busy(server))
            all_in.set()
        await all_in.wait()
        return "hi"

    scripted = ScriptedServer(answer)
    async with scripted.serve() as base_url:
        server = OpenAIServer("m", base_url=base_url)
        await asyncio.gather(*(server.ask("?") for _ in range(5)))
        assert seen == [[1] * 5]
        assert busy(server) == []
        await server.close()


async def test_a_stream_keeps_its_pool_busy_until_it_is_read_or_left() -> None:
    async with ScriptedServer([Scripted(text="one two three")] * 2).serve() as base_url:
        server = OpenAIServer("m", base_url=base_url)
        chunks = aiter(server.stream(messages=[{"role": "user", "content": "?"}]))
        await anext(chunks)
        assert busy(server) == [1]
        async for _ in chunks:
            pass
        assert busy(server) == []
        left = aiter(server.stream(messages=[{"role": "user", "content": "?"}]))
        await anext(left)
        await left.aclose()
        assert busy(server) == []
        await server.close()


async def test_a_request_that_fails_gives_its_pool_back() -> None:
    async with ScriptedServer(["never"]).serve() as base_url:
        server = OpenAIServer("m", base_url=base_url, max_retries=0)
    with pytest.raises(ServerError):
        await server.ask("?")
    assert busy(server) == []
    await server.close()


async def test_a_proxy_in_the_environment_is_followed_by_the_clients_own_transport(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with ScriptedServer(["by the proxy"]).serve() as base_url:
        monkeypatch.setenv("HTTP_PROXY", base_url.removesuffix("/v1"))
        server = OpenAIServer("m", base_url="http://a.host.that.is.not/v1", api_key="none")
        with pytest.raises(ServerError, match=r"there is no POST http://a\.host\.that\.is\.not"):
            await server.ask("?")
        await server.close()
