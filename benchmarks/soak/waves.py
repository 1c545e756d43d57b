"""One soak: waves of runs, all at once on one event loop, what became of them, and what they cost."""

from __future__ import annotations

import asyncio
import gc
import math
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import hermes_nb as hn
from benchmarks.soak import promises
from benchmarks.soak.play import Played, Player
from benchmarks.soak.tools import Tools
from hermes_nb.records import AgentResult

LOOK_SECONDS = 0.1

STATUS = Path("/proc/self/status")


@dataclass
class Wave:
    """What became of many runs at once: how they ended, what they met, what they cost, and which promises were broken,
    by the number of the run.

    `memory` is KiB a run, `lag` the seconds that the event loop was late, `named` what runs left behind, by task id.
    """

    runs: int = 0
    endings: Counter[str] = field(default_factory=Counter)
    met: Counter[str] = field(default_factory=Counter)
    named: dict[str | None, Counter[str]] = field(default_factory=dict)
    abandoned: Counter[str] = field(default_factory=Counter)
    turns: int = 0
    calls: int = 0
    wall: float = 0.0
    cpu: float = 0.0
    memory: float = math.nan
    slowest_end: float = 0.0
    lag: float = 0.0
    broken: dict[int, list[str]] = field(default_factory=dict)

    def count(self, played: Played) -> None:
        """Take in a run that is over."""
        self.runs += 1
        if broken := list(promises.of_run(played)):
            self.broken[played.fate.number] = broken
        if played.to_end is not None:
            self.slowest_end = max(self.slowest_end, played.to_end)
            self.met[f"interference: {played.fate.end}"] += 1
        if played.result is not None:
            self._count(played.result)

    def _count(self, result: AgentResult) -> None:
        self.endings[result.stop_reason] += 1
        self.turns += result.turns_used
        self.calls += len(result.calls)
        if result.abandoned:
            self.named[result.task_id] = Counter(result.abandoned)
            self.abandoned.update(result.abandoned)
        self.met.update(f"call: {error.kind}" for error in result.tool_errors)
        replies = [turn.reply for turn in result.turns if turn.reply is not None]
        self.met["reply: cut short"] += sum(reply.partial for reply in replies)
        self.met["reply: mended"] += sum(bool(reply.problems) for reply in replies)
        self.met["reply: to a repeated request"] += sum(reply.retries > 0 for reply in replies)


class Patience(NamedTuple):
    """The seconds that a request and a tool may take: long beside what the machine needs for all runs at once."""

    request: float = 6.0
    tool: float = 2.0


PATIENT = Patience()


class Soak:
    """Plays waves of runs against the fault server at `url`; their journals go into `folder`.

    `left` is what all waves left behind. Where for `bound` seconds nothing happens in any run, those that are not over
    are stuck. (How long a run takes says nothing: a busy machine may take its time.)
    """

    def __init__(self, seed: int, url: str, folder: Path, *, bound: float, patience: Patience = PATIENT) -> None:
        self.left: list[str] = []
        self._seed = seed
        self._url = url
        self._folder = folder
        self._bound = bound
        self._patience = patience

    async def wave(self, numbers: range, *, keep: bool) -> Wave:
        """Play these runs, all at once; with `keep`, every result is kept until the last run is over."""
        baseline, before = promises.Baseline(), _memory()
        tools, wave, kept = Tools(), Wave(), list[Played]()
        async with self._player(tools) as player:
            await self._play(player, numbers, wave, kept.append if keep else wave.count)
            at_work = dict(tools.at_work)
            tools.let_go()
        left = await baseline.left()
        wave.memory = (_memory() - before) / len(numbers)
        while kept:
            wave.count(kept.pop())
        if wave.runs == len(numbers):
            self.left += [*promises.of_tools(wave.named, at_work), *left, *baseline.kept()]
        return wave

    async def _play(self, player: Player, numbers: range, wave: Wave, ended: Callable[[Played], None]) -> None:
        async def play(number: int) -> None:
            ended(await player.play(number))

        began, cpu = time.perf_counter(), time.process_time()
        playing = {asyncio.create_task(play(number)): number for number in numbers}
        over, going = set[asyncio.Task[None]](), set(playing)
        while going and time.perf_counter() - player.heard < self._bound:
            due = time.perf_counter() + LOOK_SECONDS
            over, going = await asyncio.wait(playing, timeout=LOOK_SECONDS)
            wave.lag = max(wave.lag, time.perf_counter() - due)
        wave.wall, wave.cpu = time.perf_counter() - began, time.process_time() - cpu
        for task in over:
            task.result()
        wave.broken.update({playing[task]: [f"nothing has happened for {self._bound:g} s"] for task in going})

    @asynccontextmanager
    async def _player(self, tools: Tools) -> AsyncIterator[Player]:
        server = hn.OpenAIServer("soak", base_url=self._url, api_key="none", timeout=self._patience.request)
        try:
            yield Player(self._seed, server, tools, self._folder, tool_seconds=self._patience.tool)
        finally:
            await server.close()


def _memory() -> float:
    """The KiB that this process holds now; not a number where the system does not say."""
    gc.collect()
    return float(STATUS.read_text().partition("VmRSS:")[2].split()[0]) if STATUS.exists() else math.nan
