"""The command: `python -m benchmarks.soak [--seed N] [--runs N]`. It fails where a promise was broken, never for speed.

The seed that it prints plays the same soak again.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import resource
import shutil
import sys
import tempfile
from pathlib import Path
from random import SystemRandom

from benchmarks.soak import told
from benchmarks.soak.server import fault_server
from benchmarks.soak.waves import Soak, Wave

BOUND_SECONDS = 60.0
"""When nothing has happened for so long, nothing will."""

SILENCE_SECONDS = 20.0
WARM_UP = range(10_000_000, 10_000_010)


def main(arguments: list[str]) -> int:
    """Play the soak and print what came of it; 1 if a promise was broken."""
    asked = _read(arguments)
    logging.disable(logging.WARNING)  # What tools are left behind is counted.
    _allow_many_descriptors()
    folder = Path(tempfile.mkdtemp(prefix="soak-"))
    with fault_server(asked.seed, SILENCE_SECONDS) as server:
        soak = Soak(asked.seed, server.url, folder, bound=BOUND_SECONDS)
        waves = asyncio.run(_play(soak, asked.runs))
    print(told.report(asked.seed, waves, server.told))
    broken = list(told.broken(asked.seed, waves, soak.left, folder))
    print("\n".join(["", *(broken or ["Every promise was kept."])]), flush=True)
    if not broken:
        shutil.rmtree(folder)
    return 1 if broken else 0


async def _play(soak: Soak, runs: int) -> list[Wave]:
    await soak.wave(WARM_UP, keep=False)
    first, more = range(runs), range(runs, runs + runs // 2)
    return [await soak.wave(first, keep=True), await soak.wave(more, keep=False)]


def _read(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--seed", type=int, default=SystemRandom().randrange(1_000_000), help="another each time")
    parser.add_argument("--runs", type=int, default=1000, help="how many at once: 1000")
    return parser.parse_args(arguments)


def _allow_many_descriptors() -> None:
    """A run takes a connection and a journal."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most if sys.platform == "linux" else min(most, 8192), most))


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    os._exit(code)  # A run that has no end would have this process have none.
