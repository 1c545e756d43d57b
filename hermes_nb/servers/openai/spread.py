"""Several small connection pools in place of a large one.

The pool of the client's HTTP package looks at every connection it has for each request, and asks the system about each
idle one: with 200 runs at once, whose connections idle while their tools run, that is half of all CPU. In small pools
there is little to look at.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from functools import cache, partial
from math import ceil
from types import TracebackType
from typing import Any, Self
from urllib.request import getproxies

POOLS = 64


class Spread:
    """A transport that sends each request through the least busy of its pools, the first of those that are.

    A pool is busy with a request until the last byte of its answer is read: `watched` makes, of an answer's stream, one
    that says when that is.
    """

    def __init__(self, pools: list[Any], watched: Callable[[Any, Callable[[], None]], Any]) -> None:
        self._pools = pools
        self._busy = [0] * len(pools)
        self._watched = watched

    async def handle_async_request(self, request: Any) -> Any:
        """Send the request, as a transport does."""
        chosen = self._busy.index(min(self._busy))
        self._busy[chosen] += 1
        try:
            response = await self._pools[chosen].handle_async_request(request)
        except BaseException:
            self._free(chosen)
            raise
        response.stream = self._watched(response.stream, partial(self._free, chosen))
        return response

    def _free(self, pool: int) -> None:
        self._busy[pool] -= 1

    async def aclose(self) -> None:
        """Close every pool."""
        for pool in self._pools:
            await pool.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"Spread({len(self._pools)} pools)"


def spread(http: Any, *, connections: int, kept_alive: int) -> dict[str, Any]:
    """What makes a client of the package `http` use a Spread of so many connections in all.

    Nothing where the environment names a proxy, which only the client's own transport follows.
    """
    if getproxies():
        return {}
    checked = http.create_ssl_context()
    limits = http.Limits(max_connections=ceil(connections / POOLS), max_keepalive_connections=ceil(kept_alive / POOLS))
    pools = [http.AsyncHTTPTransport(verify=checked, limits=limits) for _ in range(POOLS)]
    return {"transport": Spread(pools, _watched_stream(http))}


@cache
def _watched_stream(http: Any) -> Any:
    """The class of the streams that say when they are closed; the package asks that it be one of its own kind."""

    class Watched(http.AsyncByteStream):  # type: ignore[misc]
        def __init__(self, stream: Any, closed: Callable[[], None]) -> None:
            self._stream = stream
            self._closed: Callable[[], None] | None = closed

        def __aiter__(self) -> AsyncIterator[bytes]:
            return aiter(self._stream)

        async def aclose(self) -> None:
            closed, self._closed = self._closed, None
            try:
                await self._stream.aclose()
            finally:
                if closed is not None:
                    closed()

    return Watched
