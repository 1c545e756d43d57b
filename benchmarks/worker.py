"""Plays one scenario with one system in this process, and prints what it cost as one line of JSON.

python -m benchmarks.worker SYSTEM SCENARIO URL      SCENARIO: the fields of a Scenario as JSON
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import resource
import statistics
import sys
import time
import urllib.request
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks import peers
from benchmarks.systems import SYSTEMS, Run
from benchmarks.task import PACE, Scenario


async def measure(system: str, scenario: Scenario, url: str) -> dict[str, Any]:
    """CPU and wall seconds, KiB of memory a loop, requests made, and how a loop's turns grow, of the best repetition.

    All of the process is counted, its threads too, and nothing of the server.
    """
    run = {**SYSTEMS, **peers.SYSTEMS}[system](f"{url}/v1")
    await run(scenario.warm_up().prompt)
    PACE.pause = scenario.pause
    costs = [await _once(run, scenario, url) for _ in range(scenario.times)]
    return min(costs, key=lambda cost: cost["cpu"])


async def _once(run: Run, scenario: Scenario, url: str) -> dict[str, Any]:
    PACE.beats = [] if scenario.loops == 1 else None
    asked = _requests(url)
    gc.collect()
    _forget_peak()
    memory, wall, cpu = _peak_kib(), time.perf_counter(), time.process_time()
    kept = await asyncio.gather(*(run(scenario.prompt) for _ in range(scenario.loops)))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    memory = _peak_kib() - memory
    assert len(kept) == scenario.loops
    return {
        "turns": scenario.turns * scenario.loops,
        "chunks": scenario.chunks * scenario.turns * scenario.loops,
        "cpu": cpu,
        "wall": wall,
        "over_ideal": wall / scenario.ideal if scenario.ideal else None,
        "memory": memory / scenario.loops,
        "growth": _growth(PACE.beats, scenario) if PACE.beats else None,
        "requests": _requests(url) - asked,
    }


def _growth(beats: list[float], scenario: Scenario) -> float | None:
    """CPU of the last tenth of a loop's turns over that of the first, from the tools' beats."""
    turns = beats[:: scenario.calls]
    costs = [later - earlier for earlier, later in pairwise(turns)]
    tenth = len(costs) // 10
    return statistics.mean(costs[-tenth:]) / statistics.mean(costs[:tenth]) if tenth else None


def _requests(url: str) -> int:
    with urllib.request.urlopen(f"{url}/requests") as response:
        return int(response.read())


def _forget_peak() -> None:
    """Start the system's count of our largest size afresh (Linux)."""
    if PROC.exists():
        (PROC / "clear_refs").write_text("5")


def _peak_kib() -> int:
    """The most memory this process has held, in KiB; where there is no /proc, since its start."""
    if PROC.exists():
        status = (PROC / "status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0])
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest // 1024 if sys.platform == "darwin" else largest


PROC = Path("/proc/self")


def main(system: str, scenario: str, url: str) -> None:
    """Measure, print, and be gone."""
    logging.disable(logging.WARNING)
    cost = asyncio.run(measure(system, Scenario(**json.loads(scenario)), url))
    print(json.dumps(cost), flush=True)
    os._exit(0)  # Some peers keep threads that outlive their loop.


if __name__ == "__main__":
    main(*sys.argv[1:])
