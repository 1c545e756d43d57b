"""The server of the soak, in a process of its own: a ScriptedServer, strict, with faults.

python -m benchmarks.soak.server SEED SILENCE

It says its base_url, serves until the standard input is closed, and then says what it did.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.soak.fates import reply
from hermes_nb.servers import Faults, Scripted, ScriptedServer
from hermes_nb.servers.scripted.faults import FAULTS

RATE = 0.12
KINDS = [*FAULTS, *(kind for kind in FAULTS if kind != "silent")]
"""A silent server half as often as the rest: what waits for it takes its time."""


class FaultServer:
    """The child process: `url` is where it is, and `told`, when it has ended, what it did: the number of `requests`,
    the `faults` by name, and its `cpu` seconds."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.told: dict[str, Any] = {}


@contextmanager
def fault_server(seed: int, silence: float) -> Iterator[FaultServer]:
    """A server of the soak that runs until the block ends, or this process does."""
    command = [sys.executable, "-m", "benchmarks.soak.server", str(seed), str(silence)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        server = FaultServer(process.stdout.readline().strip())
        yield server
        process.stdin.close()
        server.told = json.loads(process.stdout.readline())
    finally:
        process.stdin.close()
        process.wait(10)
        process.stdout.close()


async def serve(seed: int, silence: float) -> None:
    """Be the child process."""
    asked = 0

    def answer(messages: list[dict[str, Any]]) -> Scripted:
        nonlocal asked
        asked += 1
        server.requests.clear()  # Thousands of growing histories, which nobody looks at.
        return reply(messages)

    faults = Faults(answer, seed=seed, rate=RATE, kinds=KINDS, silence=silence)
    server = ScriptedServer(faults, strict=True)
    async with server.serve() as url:
        print(url, flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        kinds = Counter(one.kind for one in faults.done)
        print(json.dumps({"requests": asked, "faults": dict(kinds), "cpu": time.process_time()}), flush=True)


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), float(sys.argv[2])))
