"""One client for each event loop, closed when its loop ends."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncGenerator, Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from openai import AsyncOpenAI


class Clients(dict[asyncio.AbstractEventLoop, tuple["AsyncOpenAI", AsyncGenerator["AsyncOpenAI", None]]]):
    """A server's clients by their event loop, each with what holds it."""

    async def of(self, loop: asyncio.AbstractEventLoop, make: Callable[[], AsyncOpenAI]) -> AsyncOpenAI:
        """The loop's client, which is made where there is none."""
        if kept := self.get(loop):
            return kept[0]
        for ended in [one for one in self if one.is_closed()]:
            del self[ended]
        holder = _hold(make(), weakref.ref(self), loop)
        client = await anext(holder)
        self[loop] = client, holder
        return client

    async def close(self, loop: asyncio.AbstractEventLoop) -> None:
        """Close the loop's client, if it has one."""
        if kept := self.get(loop):
            await kept[1].aclose()


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
