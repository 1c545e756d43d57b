"""The tools of the soak: some do as they should, the others do what tools do."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import hermes_nb as hn

NAP_SECONDS = 0.02
MUCH = 40_000
"""Characters that `chatter` gives and prints: more than a model is given."""


class Mute(Exception):
    """An exception that cannot even say what it is."""

    def __str__(self) -> str:
        raise ValueError("no words")


FAILURES: list[Callable[[], BaseException]] = [
    lambda: ValueError("a tool's own mistake"),
    lambda: OSError(28, "no space left"),
    lambda: TimeoutError("a tool's own patience"),
    lambda: SystemExit(3),
    lambda: StopIteration("early"),
    lambda: BaseExceptionGroup("several", [SystemExit(1), KeyError("k")]),
    lambda: asyncio.CancelledError("a tool's own"),
    Mute,
]


class Tools:
    """The tools of many runs. `at_work` counts those that have begun and not ended, by task id and name; `let_go` ends
    those that never would."""

    def __init__(self) -> None:
        self.at_work: Counter[tuple[str | None, str]] = Counter()
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._over_here = asyncio.Event()

    def all(self) -> list[Any]:
        """What a model is offered."""
        in_line = hn.tool(name="in_line", serial=True)(self.in_line)
        plain = (self.add, self.add_async, self.nap, self.nap_async, self.fail, self.fail_async, self.chatter)
        return [*plain, in_line, self.listen, self.hang, self.hang_async, self.deaf, self.interrupt]

    def let_go(self) -> None:
        """Have the tools that hang go on to their end. On the event loop."""
        self._over.set()
        self._over_here.set()

    @contextmanager
    def _working(self, context: hn.ToolContext) -> Iterator[None]:
        who = context.task_id, context.call.name
        with self._lock:
            self.at_work[who] += 1
        try:
            yield
        finally:
            with self._lock:
                self.at_work[who] -= 1

    def add(self, a: int, b: int, context: hn.ToolContext) -> int:
        """Add two whole numbers."""
        with self._working(context):
            return a + b

    async def add_async(self, a: int, b: int, context: hn.ToolContext) -> int:
        """Add two whole numbers."""
        with self._working(context):
            return a + b

    def nap(self, context: hn.ToolContext) -> str:
        """Block for a moment."""
        with self._working(context):
            time.sleep(NAP_SECONDS)
            return "rested"

    async def nap_async(self, context: hn.ToolContext) -> str:
        """Wait for a moment."""
        with self._working(context):
            await asyncio.sleep(NAP_SECONDS)
            return "rested"

    async def in_line(self, context: hn.ToolContext) -> str:
        """Wait for a moment, with nobody else at it."""
        with self._working(context):
            await asyncio.sleep(NAP_SECONDS)
            return "done"

    def fail(self, how: int, context: hn.ToolContext) -> str:
        """Raise an exception."""
        with self._working(context):
            failure = FAILURES[how % len(FAILURES)]
            raise failure()

    async def fail_async(self, how: int, context: hn.ToolContext) -> str:
        """Raise an exception."""
        with self._working(context):
            await asyncio.sleep(0)
            failure = FAILURES[how % len(FAILURES)]
            raise failure()

    def chatter(self, context: hn.ToolContext) -> str:
        """Say and print much."""
        with self._working(context):
            print("a line that is printed\n" * (MUCH // 22))
            return "word " * (MUCH // 5)

    def listen(self, context: hn.ToolContext) -> str:
        """Block until nobody waits for it any more."""
        with self._working(context):
            context.given_up.wait(60)
            return "given up"

    def hang(self, context: hn.ToolContext) -> str:
        """Block for ever."""
        with self._working(context):
            self._over.wait()
            return "at last"

    async def hang_async(self, context: hn.ToolContext) -> str:
        """Wait for ever."""
        with self._working(context):
            await self._over_here.wait()
            return "at last"

    async def deaf(self, context: hn.ToolContext) -> str:
        """Wait for ever, and swallow every cancel."""
        with self._working(context):
            while not self._over_here.is_set():
                try:
                    await self._over_here.wait()
                except asyncio.CancelledError:
                    continue
            return "at last"

    async def interrupt(self, context: hn.ToolContext) -> str:
        """Raise what Ctrl-C raises."""
        with self._working(context):
            raise KeyboardInterrupt
