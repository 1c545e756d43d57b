"""Tools in processes of their own, defined in a notebook's cells."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import psutil
import pytest

from tests.kernel.driving import Bell, Kernel
from tests.kernel.stalls import SOON_SECONDS

SETUP = """
import os, subprocess, sys, threading, time
from dataclasses import dataclass
from pathlib import Path
import psutil
import hermes_nb as hn
from hermes_nb.servers.scripted import call
"""

TALLY = """
FACTOR = 7

@dataclass
class Tally:
    count: int
    def times(self):
        return self.count * FACTOR

def doubled(number):
    return number * 2

@hn.tool(isolation="process")
def tally(number: int) -> Tally:
    "Make a tally."
    print("printed by python")
    os.system("echo printed by a shell")
    print("and told", file=sys.stderr)
    return Tally(doubled(number) + (os.getsid(0) == os.getpid()))

server = hn.ScriptedServer([call("tally", number=10), "done"])
result = await hn.HermesAgentLoop(server, tools=[tally]).run("?")
answer = result.turns[0].results[0]
FACTOR = 100
"""

HANGING = """
@hn.tool(isolation="process")
def hang() -> str:
    "Hang."
    child = subprocess.Popen(["sleep", "600"])
    Path(PIDS).write_text(f"{os.getpid()} {child.pid}")
    bell()
    time.sleep(600)
    return "never"

loop = hn.HermesAgentLoop(hn.ScriptedServer([call("hang"), "done"]), tools=[hang])
"""

TELL = """{
    "stop_reason": loop.last_result.stop_reason,
    "answers": [one.status for one in loop.last_result.results],
    "abandoned": loop.last_result.abandoned,
    "children": len(psutil.Process().children()),
}"""

INTERRUPTED = {"stop_reason": "interrupted", "answers": ["cancelled"], "abandoned": [], "children": 0}


def dies(pid: int) -> bool:
    """Whether a process is dead, soon. It is none of the kernel's any more, and who adopts it may bury it late."""
    with contextlib.suppress(psutil.NoSuchProcess):
        for _ in range(1000):
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
            time.sleep(0.01)
    return not psutil.pid_exists(pid)


@pytest.fixture
def ready(kernel: Kernel) -> Kernel:
    assert kernel.run(SETUP).ok
    return kernel


def test_a_cells_function_takes_what_it_uses_along_and_prints_nothing_into_a_cell(ready: Kernel) -> None:
    cell = ready.run(TALLY)
    assert (cell.error, cell.printed, cell.shown) == (None, "", [])
    cell = ready.run("print([answer.printed, answer.content, type(answer.value) is Tally, answer.value.times()])")
    assert cell.printed.strip() == str(
        ["printed by python\nprinted by a shell\nand told\n", '{"count":21}', True, 2100]
    )


def test_an_exception_shows_the_cells_own_lines(ready: Kernel) -> None:
    cell = ready.run("""
@hn.tool(isolation="process")
def fail() -> str:
    "Fail."
    raise LookupError("nothing there")

server = hn.ScriptedServer([call("fail"), "done"])
result = await hn.HermesAgentLoop(server, tools=[fail]).run("?")
print(result.tool_errors[0].traceback)
""")
    assert cell.ok, cell.error
    assert 'raise LookupError("nothing there")\nLookupError: nothing there' in cell.printed


@pytest.mark.parametrize("cell", ["await loop.run('?')", "loop.run_sync('?')", "await loop.start('?')"])
def test_F42_an_interrupt_ends_the_tools_processes_and_the_cell(
    ready: Kernel, bell: Bell, tmp_path: Path, cell: str
) -> None:
    pids = tmp_path / "pids"
    assert ready.run(f"PIDS = {str(pids)!r}\n" + bell.code + HANGING).ok
    ended = ready.interrupted(cell, bell, what=f"a tool's process: {cell}")
    assert ended.error is not None
    assert ended.error.startswith(("CancelledError", "KeyboardInterrupt"))
    assert ended.seconds < SOON_SECONDS
    tool, child = map(int, pids.read_text().split())
    assert not psutil.pid_exists(tool)
    assert dies(child)
    assert ready.value(TELL) == INTERRUPTED
    assert ready.run("print('the next cell')").printed == "the next cell\n"


def test_F50_stop_ends_a_background_run_with_its_process(ready: Kernel, bell: Bell, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    assert ready.run(f"PIDS = {str(pids)!r}\n" + bell.code + HANGING + "live = loop.start('?')").ok
    bell.wait()
    assert ready.run("threading.Thread(target=live.stop).start(); result = await live").ok
    tool, child = map(int, pids.read_text().split())
    assert not psutil.pid_exists(tool)
    assert dies(child)
    assert ready.value(TELL) == INTERRUPTED
