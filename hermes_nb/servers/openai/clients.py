"""One client for each event loop, closed when its loop ends."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from openai import AsyncOpenAI


LINGER_SECONDS = 0.05
"""How long a client outlives its server. Where the server goes with the last function of an event loop, the loop closes
the client while it ends; begun just then by us, the closing would be cut off."""


class Kept(NamedTuple):
    """A client, what holds it, and what lets go of it when the server is dropped."""

    client: AsyncOpenAI
    holder: AsyncGenerator[AsyncOpenAI, None]
    dropped: weakref.finalize[Any, Any]


class Clients(dict[asyncio.AbstractEventLoop, Kept]):
    """A server's clients by their event loop."""

    async def of(self, loop: asyncio.AbstractEventLoop, make: Callable[[], AsyncOpenAI]) -> AsyncOpenAI:
        """The loop's client, which is made where there is none."""
        if kept := self.get(loop):
            return kept.client
        for ended in [one for one in self if one.is_closed()]:
            self.pop(ended).dropped.detach()
        holder = _hold(make(), weakref.ref(self), loop)
        client = await anext(holder)
        dropped = weakref.finalize(self, _let_go, loop, [holder])
        dropped.atexit = False
        self[loop] = Kept(client, holder, dropped)
        return client

    async def close(self, loop: asyncio.AbstractEventLoop) -> None:
        """Close the loop's client, if it has one."""
        if kept := self.get(loop):
            await kept.holder.aclose()


def _let_go(loop: asyncio.AbstractEventLoop, held: list[Any]) -> None:
    """Have nobody hold a client any more, soon, from any thread; what has nobody is closed by its loop."""
    with suppress(RuntimeError):  # The loop is closed, and with it the client.
        loop.call_soon_threadsafe(loop.call_later, LINGER_SECONDS, held.clear)


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
        if (others := clients()) is not None and (kept := others.pop(loop, None)):
            kept.dropped.detach()
        await client.close()
