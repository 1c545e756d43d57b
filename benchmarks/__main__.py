"""The command: `python -m benchmarks [ROW ...]`, and `python -m benchmarks peers [ROW or PEER ...]`."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path

from benchmarks import peers, table
from benchmarks.experiments import EXPERIMENTS, ROOT, Round
from benchmarks.stub import stub_server

SOAK = "soak"
ON_REQUEST = ("frames-long",)
"""What takes minutes and is measured only when it is named."""

SHARED = tuple(dict.fromkeys(row.experiment for row in table.SHARED_ROWS))


def main(arguments: list[str]) -> int:
    """Measure what was asked for, and print it; 1 if a system or the soak failed. A missed goal is no failure."""
    if arguments[:1] == ["peers"]:
        asked = _read("python -m benchmarks peers", arguments[1:], [*SHARED, *peers.PEERS], rounds=1)
        wanted = [name for name in peers.PEERS if name in asked.names] or list(peers.PEERS)
        systems = ["bare", "ours", *_installed(wanted)]
        shared = dict.fromkeys([name for name in SHARED if name in asked.names] or SHARED, systems)
        return _tabled(shared, partial(table.side_by_side, systems=systems), asked)
    asked = _read("python -m benchmarks", arguments, [*EXPERIMENTS, SOAK], rounds=3)
    wanted = asked.names or [*(name for name in EXPERIMENTS if name not in ON_REQUEST), SOAK]
    plan = {name: EXPERIMENTS[name].systems for name in wanted if name != SOAK}
    failed = _tabled(plan, table.goals, asked) if plan else 0
    return (_soaked(asked) if SOAK in wanted else 0) or failed


def _tabled(
    plan: Mapping[str, Sequence[str]], draw: Callable[[dict[str, list[Round]]], str], asked: argparse.Namespace
) -> int:
    print(_circumstances(asked.rounds), flush=True)
    began = time.perf_counter()
    measured = _measured(plan, asked.rounds)
    found = table.troubles(measured)
    print("\n".join([draw(measured), "", *found, f"{time.perf_counter() - began:.0f} s; {_load()}"]), flush=True)
    if asked.json:
        asked.json.write_text(json.dumps(measured, indent=1) + "\n")
    return 1 if any(" failed at " in trouble for trouble in found) else 0


def _soaked(asked: argparse.Namespace) -> int:
    """Play the soak, in a process of its own; a smaller one where a single round was asked for."""
    runs = ["--runs", str(1000 if asked.rounds > 1 else 200)]
    seed = [] if asked.seed is None else ["--seed", str(asked.seed)]
    return subprocess.run([sys.executable, "-m", "benchmarks.soak", *runs, *seed], cwd=ROOT, check=False).returncode


def _read(command: str, arguments: list[str], names: list[str], rounds: int) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=command, description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"all by default: {', '.join(names)}")
    parser.add_argument("--rounds", type=int, default=rounds, help=f"how often all is measured, turn about: {rounds}")
    parser.add_argument("--quick", action="store_const", const=1, dest="rounds", help="one round")
    parser.add_argument("--seed", type=int, help="of the soak; another each time by default")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every measurement here")
    asked = parser.parse_args(arguments)
    if unknown := [name for name in asked.names if name not in names]:
        parser.error(f"unknown: {', '.join(unknown)}; there is {', '.join(names)}")
    return asked


def _installed(names: Sequence[str]) -> list[str]:
    """The peers that could be installed; what became of each is printed."""
    there = []
    for name in names:
        try:
            print(f"{name} {peers.install(name)}", flush=True)
            there.append(name)
        except subprocess.CalledProcessError as error:
            print(f"{name} could not be installed: {error.stderr.strip()[-500:]}", flush=True)
    return there


def _measured(plan: Mapping[str, Sequence[str]], rounds: int) -> dict[str, list[Round]]:
    measured: dict[str, list[Round]] = {name: [] for name in plan}
    with stub_server() as url:
        for number in range(1, rounds + 1):
            for name, systems in plan.items():
                print(f"round {number} of {rounds}: {name} ...", file=sys.stderr, flush=True)
                measured[name].append(EXPERIMENTS[name].measure(url, systems))
    return measured


def _circumstances(rounds: int) -> str:
    versions = ", ".join(f"{package} {version(package)}" for package in ("hermes_nb", "openai", "aiohttp"))
    machine = f"{os.cpu_count()} cores, {_load()}"
    return (
        f"{time.strftime('%Y-%m-%d')}, Python {platform.python_version()}, {versions}; {machine}\n"
        f"Medians [least, most] of {rounds} rounds; each figure is set against the bare client's of the same round.\n"
    )


def _load() -> str:
    return f"load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "load unknown"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
