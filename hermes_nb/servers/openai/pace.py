"""How fast a server object asks: so many requests at once, so many begun in any minute, first come first served.

One Pace serves every run that uses the server object, on whatever event loops and threads they are. An event loop that
is blocked (by code that does not await) cannot take its turn, and those behind it wait.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from hermes_nb.exceptions import ConfigurationError, ServerError

WINDOW_SECONDS = 60.0


@dataclass(slots=True)
class Place:
    """A place among the requests that are going on: `waited` seconds for it. Whoever holds it says in `repeats` how
    many requests it made beyond the first."""

    waited: float = 0.0
    repeats: int = 0


@dataclass(slots=True, eq=False)
class _Waiting:
    loop: asyncio.AbstractEventLoop
    nudged: asyncio.Event = field(default_factory=asyncio.Event)


class Pace:
    """At most `at_once` requests going on together, and at most `per_minute` begun within any 60 seconds.

    Repeats are the HTTP client's own, within the place of their request; they are counted for the minute once they
    are known, when the place is left. A copy by pickle or deepcopy has the same limits, and places of its own.

    Raises:
        ConfigurationError: a limit is no whole number from 1 up.
    """

    def __init__(
        self,
        at_once: int | None = None,
        per_minute: int | None = None,
        *,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.at_once = _checked("max_concurrency", at_once)
        self.per_minute = _checked("requests_per_minute", per_minute)
        self._now, self._sleep = now, sleep
        self._lock = threading.RLock()  # Again by the same thread: a waiter's end may come as it is collected.
        self._queue: deque[_Waiting] = deque()
        self._going = 0
        self._begun: deque[float] = deque(maxlen=per_minute or 0)

    @property
    def going(self) -> int:
        """How many requests are going on."""
        return self._going

    @property
    def waiting(self) -> int:
        """How many requests wait for a place."""
        return len(self._queue)

    @asynccontextmanager
    async def place(self) -> AsyncIterator[Place]:
        """A place for one request, waited for behind those who came before; whoever is cancelled gives theirs up."""
        place = Place(waited=await self._enter())
        try:
            yield place
        except ServerError as failure:
            place.repeats = max(place.repeats, failure.error.retries)
            raise
        finally:
            self._leave(place.repeats)

    async def _enter(self) -> float:
        """Wait for a place and take it: how long that took, 0 where nobody had to wait."""
        came = begun = self._now()
        here = _Waiting(asyncio.get_running_loop())
        with self._lock:
            self._queue.append(here)
        try:
            while (wait := self._take(here)) != 0:
                if wait is None:
                    await here.nudged.wait()
                    here.nudged.clear()
                else:
                    await self._sleep(wait)
                begun = self._now()
        except BaseException:
            with self._lock:
                if here in self._queue:
                    self._queue.remove(here)
                self._nudge_next()
            raise
        return begun - came

    def _take(self, here: _Waiting) -> float | None:
        """0: it is in. Else the seconds until it may try again, or None: when it is nudged."""
        with self._lock:
            if self._queue[0] is not here or (self.at_once is not None and self._going >= self.at_once):
                return None
            now = self._now()
            full = self.per_minute is not None and len(self._begun) == self.per_minute
            if full and (left := self._begun[0] + WINDOW_SECONDS - now) > 0:
                return left
            self._begun.append(now)
            self._going += 1
            self._queue.popleft()
            self._nudge_next()
            return 0

    def _leave(self, repeats: int) -> None:
        with self._lock:
            self._going -= 1
            self._begun.extend([self._now()] * min(repeats, self.per_minute or 0))
            self._nudge_next()

    def _nudge_next(self) -> None:
        """Have the first in the queue look again; those whose event loop is over are passed over."""
        while self._queue:
            try:
                self._queue[0].loop.call_soon_threadsafe(self._queue[0].nudged.set)
            except RuntimeError:
                self._queue.popleft()
            else:
                return

    def __reduce__(self) -> tuple[type[Pace], tuple[int | None, int | None]]:
        return Pace, (self.at_once, self.per_minute)

    def __repr__(self) -> str:
        return f"Pace(at_once={self.at_once}, per_minute={self.per_minute})"


def _checked(name: str, limit: int | None) -> int | None:
    if limit is not None and (not isinstance(limit, int) or isinstance(limit, bool) or limit < 1):
        raise ConfigurationError(f"{name} is a whole number from 1 up, or None for no limit, not {limit!r}")
    return limit
