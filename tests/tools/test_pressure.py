"""The pool under pressure: hung tools are counted, replaced, refused beyond a bound; and Python always ends."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from hermes_nb import HermesAgentLoop, ScriptedServer, Toolbox
from hermes_nb.clocks import StillClock
from hermes_nb.records import ToolCall, ToolResult
from hermes_nb.servers import call
from hermes_nb.tools.dispatch import Setting, answer
from hermes_nb.tools.threads import Pool, shared_pool
from tests.leaks import no_leaks

SOON = 20.0
"""Seconds after which a test that hangs fails instead."""

TO_END = 60.0
"""Seconds in which a script has to have ended; it takes one or two."""


def add(a: int = 1, b: int = 1) -> int:
    """Add two whole numbers."""
    return a + b


def hanging(until: threading.Event) -> Callable[[], str]:
    def hang() -> str:
        """Hang."""
        until.wait(SOON)
        return "late"

    return hang


def setting(*tools: Any, **more: Any) -> Setting:
    return Setting(toolbox=Toolbox(tools), now=StillClock().seconds, **more)


async def answered(name: str, how: Setting, **more: Any) -> ToolResult:
    return await asyncio.wait_for(answer(ToolCall(name=name), how, **more), SOON)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(SOON):
        while not true():  # noqa: ASYNC110 - a thread's end tells no event loop
            await asyncio.sleep(0.005)


async def test_F29_with_every_thread_of_the_pool_hung_the_next_tool_runs() -> None:
    pool, end, left = Pool(limit=8), threading.Event(), list[str]()
    how = setting(hanging(end), add, timeout=0.1, pool=pool)
    async with no_leaks():
        async with no_leaks(abandoned=8):
            hung = [answered("hang", how, abandoned=left.append) for _ in range(8)]
            assert {result.status for result in await asyncio.gather(*hung)} == {"timeout"}
            assert (left, pool.abandoned) == (["hang"] * 8, 8)
            assert [(await answered("add", how)).content for _ in range(3)] == ["2"] * 3
        end.set()


async def test_F29_the_users_own_threads_are_none_of_ours() -> None:
    end = threading.Event()
    async with no_leaks():
        calls = [[call("hang") for _ in range(40)], "done"]
        async with no_leaks(abandoned=40):
            loop = HermesAgentLoop(ScriptedServer(calls), [hanging(end)], max_parallel_calls=40, tool_timeout=0.1)
            running = asyncio.create_task(loop.run("?"))
            names = await asyncio.gather(
                *(asyncio.to_thread(lambda: threading.current_thread().name) for _ in range(9))
            )
            result = await running
            assert await asyncio.to_thread(add, 1, 2) == 3
        end.set()
    assert all(name.startswith("asyncio") for name in names)
    assert result.abandoned == ("hang",) * 40


async def test_F28_F29_beyond_the_bound_tools_are_refused_and_the_model_is_told_how_many_hang() -> None:
    pool, end = Pool(max_abandoned=3), threading.Event()
    how = setting(hanging(end), add, timeout=0.1, pool=pool)
    async with no_leaks():
        async with no_leaks(abandoned=3):
            await asyncio.gather(*(answered("hang", how) for _ in range(3)))
            refused = await answered("add", how)
        end.set()
        await until(lambda: pool.abandoned == 0)
        assert (await answered("add", how)).content == "2"

    assert refused.error is not None
    assert (refused.error.kind, refused.error.fault, refused.error.exception_type) == (
        "exception", "environment", "OSError",
    )  # fmt: skip
    assert "3 earlier tool calls were given up and still hold a thread each" in refused.content
    assert "isolation='process'" in refused.content


async def test_F28_calls_beyond_the_bound_that_are_at_work_already_go_on() -> None:
    pool, end = Pool(max_abandoned=1), threading.Event()
    begun = threading.Barrier(3)

    def wait() -> str:
        """Wait for the others."""
        begun.wait(SOON)
        end.wait(SOON)
        return "done"

    async with no_leaks():
        calls = [asyncio.create_task(answered("wait", setting(wait, pool=pool))) for _ in range(2)]
        await asyncio.to_thread(begun.wait, SOON)
        calls[0].cancel()
        with pytest.raises(asyncio.CancelledError):
            await calls[0]
        assert pool.abandoned == 1
        end.set()
        assert (await calls[1]).content == "done"


async def test_F28_an_abandoned_thread_that_ends_later_gives_its_place_back_and_its_outcome_to_nobody() -> None:
    pool, end = Pool(), threading.Event()
    how = setting(hanging(end), add, timeout=0.1, pool=pool)
    async with no_leaks():
        result = await answered("hang", how)
        assert repr(pool) == "Pool(0 of 256 threads, 1 abandoned)"
        end.set()
        await until(lambda: pool.abandoned == 0)
        assert repr(pool) == "Pool(0 of 256 threads, 0 abandoned)"
    assert (result.status, result.value) == ("timeout", None)


def test_the_bound_leaves_most_of_the_pool_to_tools_that_end() -> None:
    assert (shared_pool().limit, shared_pool().max_abandoned) == (256, 64)


# --- the end of Python

SETUP = """
import asyncio, sys, threading
import hermes_nb as hn
from hermes_nb.servers.scripted import call

def hang():
    print("never seen")
    threading.Event().wait()

def spin():
    while True:
        print("never seen")

def loop(*names, **how):
    return hn.HermesAgentLoop(hn.ScriptedServer([[call(name) for name in names], "done"]), [hang, spin], **how)

def told(result):
    print(result.stop_reason, *result.abandoned, flush=True)
"""

ENDINGS = {
    "run": """
told(asyncio.run(loop(*["hang"] * 20, max_parallel_calls=20, tool_timeout=0.2).run("?")))
""",
    "run_sync": """
told(loop(*["hang"] * 20, max_parallel_calls=20, tool_timeout=0.2).run_sync("?"))
""",
    "run, with tools that never pause": """
told(asyncio.run(loop("spin", "spin", tool_timeout=0.2).run("?")))
""",
    "run_sync, with tools that never pause": """
told(loop("spin", "spin", tool_timeout=0.2).run_sync("?"))
""",
    "a run that goes on in the background": """
begun = threading.Event()
run = loop("hang", "spin").start("?", on_event=lambda event: type(event).__name__ == "CallStarted" and begun.set())
begun.wait()
print(run.status, flush=True)
""",
    "run_sync in a thread of its own": """
begun = threading.Event()

def wait():
    try:
        loop("hang").run_sync("?", on_event=lambda event: type(event).__name__ == "CallStarted" and begun.set())
    except asyncio.CancelledError:
        pass

threading.Thread(target=wait, daemon=True).start()
begun.wait()
print("running", flush=True)
""",
    "the interpreter is left in the middle": """
async def main():
    one = loop("hang")
    begun = asyncio.Event()
    asyncio.create_task(one.run("?", on_event=lambda event: type(event).__name__ == "CallStarted" and begun.set()))
    await begun.wait()
    print("running", flush=True)
    sys.exit(0)

asyncio.run(main())
""",
}

PRINTED = {
    "run": "finished" + " hang" * 20,
    "run_sync": "finished" + " hang" * 20,
    "run, with tools that never pause": "finished spin spin",
    "run_sync, with tools that never pause": "finished spin spin",
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_F28_python_ends_though_tools_hang(ending: str) -> None:
    command = [sys.executable, "-c", SETUP + ENDINGS[ending]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TO_END, check=False)
    assert (done.stdout.strip(), done.returncode) == (PRINTED.get(ending, "running"), 0), done.stderr
    assert "Traceback" not in done.stderr
    assert "never seen" not in done.stdout + done.stderr


@pytest.mark.parametrize("way", ["asyncio.run(loop('hang').run('?', **how))", "loop('hang').run_sync('?', **how)"])
def test_F28_python_ends_when_it_is_interrupted_while_a_tool_hangs(way: str) -> None:
    script = SETUP + (
        "how = {'on_event': lambda event: type(event).__name__ == 'CallStarted' and print('ready', flush=True)}\n" + way
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        try:
            assert child.stdout is not None
            assert child.stdout.readline() == b"ready\n"
            child.send_signal(signal.SIGINT)
            _, told = child.communicate(timeout=TO_END)
        finally:
            child.kill()
    assert b"KeyboardInterrupt" in told
    assert child.returncode == -signal.SIGINT
