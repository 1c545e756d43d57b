"""Several small connection pools in place of a large one.

The pool of the client's HTTP package looks at every connection it has for each request, and asks the system about each
idle one: with 200 runs at once, whose connections idle while their tools run, that is half of all CPU. In small pools
there is little to look at.
"""

from __future__ import annotations

from math import ceil
from types import TracebackType
from typing import Any, Self
from urllib.request import getproxies

POOLS = 64


class Spread:
    """A transport that sends each request through the least busy of its pools, the first of those that are."""

    def __init__(self, pools: list[Any]) -> None:
        self._pools = pools
        self._busy = [0] * len(pools)

    async def handle_async_request(self, request: Any) -> Any:
        """Send the request, as a transport does."""
        chosen = self._busy.index(min(self._busy))
        self._busy[chosen] += 1
        try:
            return await self._pools[chosen].handle_async_request(request)
        finally:
            self._busy[chosen] -= 1

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
    return {"transport": Spread([http.AsyncHTTPTransport(verify=checked, limits=limits) for _ in range(POOLS)])}
