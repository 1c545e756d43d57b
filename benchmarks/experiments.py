"""What is measured, in fresh processes: each experiment gives one round, the costs of every system by name."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks import peers
from benchmarks.task import Scenario

ROOT = Path(__file__).resolve().parent.parent
PATIENCE_SECONDS = 300

Cost = dict[str, Any]
"""The measurements of one system; `failed` or `skipped` in their place, with the reason."""

Round = dict[str, Cost]

SHORT = Scenario(turns=20, calls=1, times=10)
WIDE = Scenario(turns=20, calls=8, times=5)
LONG = Scenario(turns=200, calls=1)
MANY = Scenario(turns=10, calls=2, loops=200)
BLOCKING = Scenario(turns=10, calls=2, loops=32, wait_ms=50, pause=0.2)
STREAM = Scenario(turns=1, calls=0, chunks=300, times=10)


@dataclass(frozen=True)
class Experiment:
    """One kind of measuring; `measure(url, systems)` gives a round of it, with the stub server at `url`."""

    measure: Callable[[str, Sequence[str]], Round]
    systems: tuple[str, ...]


def play(scenario: Scenario) -> Callable[[str, Sequence[str]], Round]:
    """The round in which every system plays the scenario, each in a fresh process, one after the other."""

    def measure(url: str, systems: Sequence[str]) -> Round:
        return {system: _worker(system, scenario, url) for system in systems}

    return measure


def imports(_url: str, systems: Sequence[str]) -> Round:
    """The CPU seconds of an import, beyond what starting Python takes; the best of five fresh processes each."""
    packages = {"bare": "openai", "ours": "hermes_nb"}
    best: dict[str, float] = {}
    for _ in range(5):
        for system in ("python", *systems):
            spent = _cpu_of(f"import {packages.get(system, 'os')}, os; os._exit(0)")
            best[system] = min(spent, best.get(system, spent))
    return {system: {"cpu": best[system] - best["python"]} for system in systems}


def calls(_url: str, systems: Sequence[str]) -> Round:
    """Microseconds a tool call, of all systems in one process: see `calls.py`."""
    costs = _told_by([sys.executable, "-m", "benchmarks.calls"])
    return {system: costs if "failed" in costs else costs[system] for system in systems}


def tables(messages: int) -> Callable[[str, Sequence[str]], Round]:
    """The round in which each system makes tables of the same journals, which hold so many messages."""

    def measure(_url: str, systems: Sequence[str]) -> Round:
        with tempfile.TemporaryDirectory() as folder:
            made = [sys.executable, "-m", "benchmarks.frames.made", f"{folder}/runs", str(messages)]
            subprocess.run(made, cwd=ROOT, env=_environment(), check=True, timeout=PATIENCE_SECONDS)
            commands = {
                system: [sys.executable, "-m", "benchmarks.frames.worker", system]
                for system in ("bare", "ours", "ours, apart")
            }
            commands["inspect_ai"] = [str(peers.python_of("inspect_ai")), "-m", "benchmarks.frames.inspected"]
            return {system: _told_by([*commands[system], f"{folder}/runs"]) for system in systems if system in commands}

    return measure


def views(_url: str, systems: Sequence[str]) -> Round:
    """What the live view costs in the kernel: see `views.py`."""
    costs = _told_by([sys.executable, "-m", "benchmarks.views"])
    return {system: costs if "failed" in costs else costs[system] for system in systems}


def pages(_url: str, systems: Sequence[str]) -> Round:
    """What the static page of a long run costs: see `pages.py`."""
    costs = _told_by([sys.executable, "-m", "benchmarks.pages"])
    return {system: costs if "failed" in costs else costs[system] for system in systems}


def paint(_url: str, systems: Sequence[str]) -> Round:
    """How long Chromium takes to paint the live view of a long run: see `paint.py`."""
    costs = _told_by([sys.executable, "-m", "benchmarks.paint"])
    return {system: costs if "failed" in costs or "skipped" in costs else costs[system] for system in systems}


def parsing(url: str, systems: Sequence[str]) -> Round:
    """What reading calls out of text costs (see `parsing.py`), beside a turn of ours."""
    turn = _worker("ours", SHORT, url)
    costs = _told_by([sys.executable, "-m", "benchmarks.parsing"])
    failed = next((one for one in (turn, costs) if "failed" in one), None)
    if failed:
        return dict.fromkeys(systems, failed)
    return {system: {**costs[system], "turn": turn["cpu"] / turn["turns"] * 1e6} for system in systems}


EXPERIMENTS = {
    "short": Experiment(play(SHORT), ("bare", "floor", "ours", "ours, journal")),
    "wide": Experiment(play(WIDE), ("bare", "floor", "ours", "ours, journal")),
    "long": Experiment(play(LONG), ("bare", "floor", "ours")),
    "many": Experiment(play(MANY), ("bare", "floor", "ours", "floor, aiohttp", "ours, aiohttp")),
    "blocking": Experiment(play(BLOCKING), ("bare", "floor", "ours")),
    "stream": Experiment(play(STREAM), ("bare", "floor", "ours")),
    "import": Experiment(imports, ("bare", "ours")),
    "calls": Experiment(calls, ("bare", "ours")),
    "frames": Experiment(tables(100_000), ("bare", "ours", "ours, apart")),
    "frames-long": Experiment(tables(1_000_000), ("bare", "ours")),
    "views": Experiment(views, ("bare", "ours")),
    "pages": Experiment(pages, ("bare", "ours", "bare, whole")),
    "paint": Experiment(paint, ("bare", "ours")),
    "parsing": Experiment(parsing, ("ours",)),
}


def _worker(system: str, scenario: Scenario, url: str) -> Cost:
    python = peers.python_of(system) if system in peers.PEERS else sys.executable
    return _told_by([str(python), "-m", "benchmarks.worker", system, json.dumps(asdict(scenario)), url])


def _told_by(command: list[str]) -> dict[str, Any]:
    """The last line that the command prints, as JSON; why there is none, where it fails."""
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=_environment(), capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=True
        )
    except subprocess.TimeoutExpired:
        return {"failed": f"not done after {PATIENCE_SECONDS} s"}
    except subprocess.CalledProcessError as error:
        return {"failed": (error.stderr.strip().splitlines() or ["it died without a word"])[-1]}
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def _cpu_of(code: str) -> float:
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=_environment())
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, code
    return used.ru_utime + used.ru_stime


def _environment() -> dict[str, str]:
    """Ours, less what would make every process compile every module again."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
