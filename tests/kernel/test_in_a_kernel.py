"""The loop inside a notebook's own event loop."""

from __future__ import annotations

from typing import Any

import pytest

Kernel = Any  # tests/kernel/conftest.py makes it

SETUP = """
import asyncio, sys, threading, time
import hermes_nb as hn
from hermes_nb.servers.scripted import call

def add(a: int, b: int) -> int:
    "Add two whole numbers."
    return a + b

def five():
    return hn.ScriptedServer([[call("add", a=2, b=3)], "5"])
"""

SILENT = """
class Silent:
    async def chat_completion(self, **request):
        print("ready", flush=True)
        await asyncio.Event().wait()

loop = hn.HermesAgentLoop(Silent())
"""


@pytest.fixture
def ready(kernel: Kernel) -> Kernel:
    assert kernel.run(SETUP).ok
    return kernel


def test_a_run_is_awaited_in_a_cell_and_shows_itself(ready: Kernel) -> None:
    cell = ready.run("await hn.HermesAgentLoop(five(), tools=[add]).run('What is 2 + 3?')")
    assert cell.ok, cell.error
    assert "finished" in cell.shown[0]["text/plain"]
    assert "<table" in cell.shown[0]["text/html"]


def test_one_server_serves_await_run_sync_and_asyncio_run_twice(ready: Kernel) -> None:
    cell = ready.run("""
with_calls = [[call("add", a=2, b=3)], "5"]
async with hn.ScriptedServer(with_calls * 5).serve() as base_url:
    server = hn.OpenAIServer("m", base_url=base_url)
    loop = hn.HermesAgentLoop(server, tools=[add])
    answers = [(await loop.run("?")).final_text]
    answers.append((await asyncio.to_thread(loop.run_sync, "?")).final_text)
    for _ in range(2):
        answers.append((await asyncio.to_thread(asyncio.run, loop.run("?"))).final_text)
    answers.append((await loop.run("?")).final_text)
print(answers)
""")
    assert cell.ok, cell.error
    assert cell.printed.strip() == str(["5"] * 5)


def test_run_sync_works_in_a_cell_although_a_loop_is_running_there(ready: Kernel) -> None:
    cell = ready.run("print(hn.HermesAgentLoop(five(), tools=[add]).run_sync('?').final_text)")
    assert (cell.error, cell.printed) == (None, "5\n")


def test_L16_a_tool_that_exits_in_a_background_task_leaves_the_kernel_alive(ready: Kernel) -> None:
    cell = ready.run("""
def leave() -> str:
    raise SystemExit(3)

server = hn.ScriptedServer([[call("leave")], "still here"])
task = asyncio.create_task(hn.HermesAgentLoop(server, tools=[leave]).run("?"))
""")
    assert cell.ok
    cell = ready.run("result = await task; print(result.final_text, result.tool_errors)")
    assert cell.ok, cell.error
    assert "still here" in cell.printed
    assert "SystemExit" in cell.printed


def test_L22_a_run_prints_nothing_of_its_own(ready: Kernel) -> None:
    cell = ready.run("result = await hn.HermesAgentLoop(five(), tools=[add]).run('?')")
    assert (cell.ok, cell.printed, cell.shown) == (True, "", [])


def test_L25_running_a_cell_twice_gives_the_same_answer(ready: Kernel) -> None:
    assert ready.run("asked = [{'role': 'user', 'content': '?'}]").ok
    for _ in range(2):
        cell = ready.run("""
result = await hn.HermesAgentLoop(five(), tools=[add]).run(asked)
print([message["role"] for message in result.messages])
""")
        assert cell.printed == "['user', 'assistant', 'tool', 'assistant']\n"


def test_an_interrupt_ends_a_silent_model_call_and_the_next_cell_works(ready: Kernel) -> None:
    cell = ready.interrupt_when_ready(SILENT + "await loop.run('?')")
    assert cell.error is not None
    assert "CancelledError" in cell.error
    cell = ready.run("print(loop.last_result.stop_reason, len(asyncio.all_tasks()) < 20)")
    assert cell.printed.startswith("interrupted")


def test_an_interrupt_ends_a_run_whose_tool_blocks_its_thread(ready: Kernel) -> None:
    cell = ready.interrupt_when_ready("""
let_go, screen = threading.Event(), sys.stdout

def hang() -> str:
    print("ready", file=screen, flush=True)
    let_go.wait()
    return "late"

loop = hn.HermesAgentLoop(hn.ScriptedServer([[call("hang")], "never"]), tools=[hang])
await loop.run("?")
""")
    assert "CancelledError" in (cell.error or "")
    cell = ready.run("""
let_go.set()
result = loop.last_result
print(result.stop_reason, [answer.status for answer in result.results], result.messages[-1]["role"])
""")
    assert cell.printed == "interrupted ['cancelled'] tool\n"


def test_an_interrupt_ends_run_sync_in_a_cell(ready: Kernel) -> None:
    cell = ready.interrupt_when_ready(SILENT + "loop.run_sync('?')")
    assert "KeyboardInterrupt" in (cell.error or "")
    cell = ready.run("print(loop.last_result.stop_reason)")
    assert cell.printed == "interrupted\n"
