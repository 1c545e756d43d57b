"""What one tool call costs in dispatch, beside a bare hop to a thread and a bare await; prints one line of JSON.

Both are timed in this process, turn about; the figures are microseconds of CPU a call, the best of many short batches.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor

from benchmarks.task import add

BATCHES, BATCH = 40, 100


async def add_async(a: int, b: int) -> int:
    """Add two whole numbers."""
    return a + b


async def measure() -> dict[str, dict[str, float]]:
    """Microseconds a call, `thread` and `async`, for `bare` and for `ours`."""
    from hermes_nb.records import ToolCall
    from hermes_nb.tools.dispatch import Setting, answer
    from hermes_nb.tools.toolbox import Toolbox

    loop, pool = asyncio.get_running_loop(), ThreadPoolExecutor(8)
    toolbox = Toolbox([add, add_async])
    setting = Setting(toolbox=toolbox, task_id="bench", state={}, now=time.perf_counter)
    threaded = ToolCall(name="add", arguments='{"a": 1, "b": 2}')
    awaited = ToolCall(name="add_async", arguments='{"a": 1, "b": 2}')
    ways: dict[tuple[str, str], Callable[[], Awaitable[object]]] = {
        ("bare", "thread"): lambda: loop.run_in_executor(pool, add, 1, 2),
        ("ours", "thread"): lambda: answer(threaded, setting),
        ("bare", "async"): lambda: add_async(1, 2),
        ("ours", "async"): lambda: answer(awaited, setting),
    }
    best: dict[str, dict[str, float]] = {"bare": {}, "ours": {}}
    with setting.apart:  # As a run has it.
        for _ in range(BATCHES):
            for (system, kind), call in ways.items():
                cost = await _batch(call)
                best[system][kind] = min(cost, best[system].get(kind, cost))
    return best


async def _batch(call: Callable[[], Awaitable[object]]) -> float:
    began = time.process_time()
    for _ in range(BATCH):
        await call()
    return (time.process_time() - began) / BATCH * 1e6


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measure())))
