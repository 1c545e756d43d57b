"""The soak in words: how runs ended and what they met, what it cost, and which promises were broken."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from benchmarks.soak.waves import Wave
from benchmarks.table import drawn

MOST_TOLD = 20


def report(seed: int, waves: Sequence[Wave], server: Mapping[str, Any]) -> str:
    """A table of endings and faults, and the figures. The first wave's results were kept, the second's dropped."""
    kept, dropped = waves
    turns = f"{kept.turns} turns and {kept.calls} calls of the first {kept.runs} runs"
    took = f"{kept.wall:.1f} s by the wall clock, {kept.cpu:.1f} s of CPU"
    served = f"the server took {server['cpu']:.1f} s for all {server['requests']} requests"
    memory = f"{_kib(kept.memory)} with all results kept, {_kib(dropped.memory)} with results dropped"
    slowest, lag = max(wave.slowest_end for wave in waves), max(wave.lag for wave in waves)
    lines = [
        f"The soak of seed {seed}: {kept.runs} runs at once, all results kept; then {dropped.runs}, results dropped.",
        "",
        _table(waves, server["faults"]),
        "",
        f"- {turns}: {took}; {served}",
        f"- memory a finished run: {memory}",
        f"- a run that was cancelled or stopped ended within {slowest:.1f} s; the event loop was late by {lag:.1f} s",
        f"- left behind, and named by their runs: {_listed(sum((wave.abandoned for wave in waves), Counter()))}",
    ]
    return "\n".join(lines)


def _table(waves: Sequence[Wave], faults: Mapping[str, int]) -> str:
    endings = sum((wave.endings for wave in waves), Counter[str]())
    met = Counter({f"server or model: {kind}": count for kind, count in faults.items()})
    met.update(sum((wave.met for wave in waves), Counter[str]()))
    ended = [[name, str(count)] for name, count in endings.most_common()]
    wrong = [[name, str(count)] for name, count in sorted(met.items())]
    rows = [[*(one or ["", ""]), *(other or ["", ""])] for one, other in zip_longest(ended, wrong)]
    return drawn([["how runs ended", "runs", "what they met", "times"], *rows])


def broken(seed: int, waves: Sequence[Wave], left: Sequence[str], folder: Path) -> Iterator[str]:
    """The promises that were not kept, each with where to look."""
    for wave in waves:
        for number, told in list(wave.broken.items())[:MOST_TOLD]:
            yield f"run {number} of seed {seed}: {'; '.join(told)}. Its journal: {folder / f'run-{number}.jsonl'}"
        if len(wave.broken) > MOST_TOLD:
            yield f"... and {len(wave.broken) - MOST_TOLD} runs more"
    yield from left[:MOST_TOLD]


def _kib(memory: float) -> str:
    return "unknown" if math.isnan(memory) else f"{memory:+.1f} KiB"


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.most_common()) or "nothing"
