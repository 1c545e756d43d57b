"""Plays the runs of a soak, all at once on one event loop, and interferes with them as their fates have it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import hermes_nb as hn
from benchmarks.soak.fates import Fate, fate, prompt
from benchmarks.soak.tools import Tools
from hermes_nb.events import Delta, Event
from hermes_nb.exceptions import ConfigurationError
from hermes_nb.records import AgentResult


@dataclass(slots=True)
class Played:
    """A run as it went: its result, what it raised that is no interruption, and how many seconds it took to end once it
    was interfered with."""

    fate: Fate
    journal: Path
    result: AgentResult | None = None
    raised: BaseException | None = None
    interrupted: bool = False
    to_end: float | None = None


class Interference:
    """Does to a run what its fate says; `act` is how. `began` is when. `heard` is told that something happened."""

    def __init__(self, fate: Fate, heard: Callable[[], object]) -> None:
        self.heard = heard
        self.act: Callable[[], object] | None = None
        self.began: float | None = None
        self.over = False
        self._fate = fate
        self._events = 0

    def see(self, event: Event) -> None:
        """Be told an event of the run."""
        self.heard()
        if isinstance(event, Delta):
            return
        if self._events == self._fate.event:
            asyncio.get_running_loop().call_later(self._fate.wait, self._interfere)
        self._events += 1

    def _interfere(self) -> None:
        if self.act is not None and not self.over:
            self.began = time.perf_counter()
            self.act()

    def again(self, act: Callable[[], object]) -> None:
        """Do it, and once more soon."""
        act()
        asyncio.get_running_loop().call_later(0.05, lambda: self.over or act())


class Player:
    """Plays runs with one server and one set of tools; their journals go into `folder`. `heard` is when something
    happened last in any of them."""

    def __init__(self, seed: int, server: hn.OpenAIServer, tools: Tools, folder: Path, *, tool_seconds: float) -> None:
        self._seed = seed
        self._server = server
        self._toolbox = hn.Toolbox(tools.all())
        self._folder = folder
        self._tool_seconds = tool_seconds
        self.heard = time.perf_counter()

    def _hear(self) -> None:
        self.heard = time.perf_counter()

    async def play(self, number: int) -> Played:
        """One run to its end, which may be an early one."""
        one = fate(self._seed, number)
        played = Played(one, self._folder / f"run-{number}.jsonl")
        loop = hn.HermesAgentLoop(
            self._server, self._toolbox, limits=one.limits, max_turns=one.max_turns, tool_timeout=self._tool_seconds
        )
        interference = Interference(one, self._hear)
        try:
            await self._run(loop, played, interference)
        except asyncio.CancelledError:
            played.interrupted = True
        except Exception as error:  # The promise is that there is none; whatever it is, it is told.
            played.raised = error
        interference.over = True
        if interference.began is not None and one.end != "steer":
            played.to_end = time.perf_counter() - interference.began
        played.result = loop.last_result
        return played

    async def _run(self, loop: hn.HermesAgentLoop, played: Played, interference: Interference) -> None:
        one = played.fate
        asked = partial(prompt, self._seed, one.number)
        how: dict[str, Any] = {
            "journal": played.journal,
            "stream": one.streamed,
            "on_event": interference.see,
            "task": str(one.number),
        }
        if one.end == "leave":
            await self._leave(loop.events(asked(), **how), one)
            return
        if one.end in ("stop", "stop from a thread", "steer"):
            run = loop.start(asked(), **how)
            interference.act = _means(one.end, run)
            await run
            return
        task = asyncio.current_task()
        assert task is not None
        if one.end:
            interference.act = task.cancel if one.end == "cancel" else partial(interference.again, task.cancel)
        await loop.run(asked(), **how)

    async def _leave(self, events: Any, one: Fate) -> None:
        """Be told a run's events, and go in the midst of them."""
        async with aclosing(events):
            async for event in events:
                if not isinstance(event, Delta) and event.seq == one.event:
                    return


def _means(end: str, run: hn.LiveRun) -> Callable[[], object]:
    """How a run is interfered with that is held."""
    if end == "steer":
        return partial(_steer, run)
    return run.stop if end == "stop" else lambda: threading.Thread(target=run.stop, name="soak stop").start()


def _steer(run: hn.LiveRun) -> None:
    with suppress(ConfigurationError):  # It has given its last answer.
        run.steer("And be quick about it.")
