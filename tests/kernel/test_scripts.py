"""The same loops outside a kernel, in processes of their own: what Ctrl-C does to a script, and where else they run."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import nbclient
import nbformat
import pytest

import hermes_nb as hn
from hermes_nb import journal
from tests.kernel.driving import ASLEEP_SECONDS, PATIENCE, Bell
from tests.kernel.stalls import CAREFUL, OPEN, SOON_SECONDS, STALLS, Stall

STARTS = ["asyncio.run(loop.run('?'{how}))", "loop.run_sync('?'{how})", "loop.start('?'{how}).wait()"]

LEFT_BEHIND = "left behind, for they would not stop: tool\n"

FIVE = """
import asyncio, threading
import hermes_nb as hn
from hermes_nb.servers.scripted import call

def add(a: int, b: int) -> int:
    "Add two whole numbers."
    return a + b

loop = hn.HermesAgentLoop(hn.ScriptedServer([[call("add", a=2, b=3)], "It is 5."], strict=True), tools=[add])
"""


def script(code: str, folder: Path) -> list[str]:
    path = folder / "script.py"
    path.write_text(code)
    return [sys.executable, "-W", "error", str(path)]


def only_run(folder: Path) -> hn.AgentResult:
    """The one run that was recorded there."""
    [path] = folder.glob("*.jsonl")
    return journal.load(path)


def pressed_ctrl_c(command: list[str], bell: Bell, *, times: int = 1) -> tuple[str, float]:
    """Run a script and press Ctrl-C when the bell rings, so many times: what it said, and how long it went on. It has
    to end as Python does then, and may only name what was left behind."""
    pressed = 0.0
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        for _ in range(times):
            bell.wait()
            time.sleep(ASLEEP_SECONDS)
            process.send_signal(signal.SIGINT)
            pressed = time.monotonic()
        _, told = process.communicate(timeout=PATIENCE)
    said, _, rest = told.rpartition("KeyboardInterrupt\n")
    assert (process.returncode, rest) in [(-signal.SIGINT, ""), (-signal.SIGINT, LEFT_BEHIND)]
    return said, time.monotonic() - pressed


@pytest.mark.parametrize("start", STARTS, ids=["asyncio.run", "run_sync", "start"])
@pytest.mark.parametrize("what", ["a silent model", "an async tool", "a sync tool", "between turns"])
def test_F42_ctrl_c_ends_a_script_at_once_and_its_run_is_recorded(
    what: str, start: str, bell: Bell, tmp_path: Path
) -> None:
    stall, runs = STALLS[what], tmp_path / "runs"
    with stall.ready(bell, f"{runs}/") as code:
        command = script(f"{code}\n{start.format(how=stall.how)}\n", tmp_path)
        _, seconds = pressed_ctrl_c(command, bell)
    assert seconds < SOON_SECONDS
    result = only_run(runs)
    assert (result.stop_reason, tuple(one.status for one in result.results)) == ("interrupted", stall.answers)
    assert (result.abandoned, hn.repair(result.messages).report) == (stall.abandoned, ())


@pytest.mark.parametrize("start", STARTS, ids=["asyncio.run", "run_sync", "start"])
def test_F43_ctrl_c_again_while_a_tool_cleans_up_leaves_a_whole_record(start: str, bell: Bell, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    with Stall(code=CAREFUL).ready(bell, f"{runs}/") as code:
        command = script(f"{code}\n{start.format(how='')}\n", tmp_path)
        _, seconds = pressed_ctrl_c(command, bell, times=2)
    assert seconds < SOON_SECONDS
    result = only_run(runs)
    assert (result.stop_reason, tuple(one.status for one in result.results)) == ("interrupted", OPEN)
    assert hn.repair(result.messages).report == ()


@pytest.mark.parametrize("what", ["an async tool", "a sync tool"])
def test_a_script_that_ends_before_its_run_leaves_a_whole_record(what: str, bell: Bell, tmp_path: Path) -> None:
    stall, runs = STALLS[what], tmp_path / "runs"
    with stall.ready(bell, f"{runs}/") as code:
        waits = "while 'stalled' not in done: time.sleep(0.01)"
        command = script(f"{code}\nrun = loop.start('?')\n{waits}\n", tmp_path)
        ended = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (ended.returncode, ended.stderr) == (0, LEFT_BEHIND if stall.abandoned else "")
    result = only_run(runs)
    assert (result.stop_reason, tuple(one.status for one in result.results)) == ("interrupted", stall.answers)


NO_ROOM = """
import resource

def fill() -> str:
    return "x" * 8000

resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))
loop = looping(fill)
try:
    {start}
except UserWarning as warning:
    result = loop.last_result
    print("no longer written" in str(warning), result.stop_reason, hn.repair(result.messages).report)
"""


@pytest.mark.parametrize("start", STARTS, ids=["asyncio.run", "run_sync", "start"])
def test_where_warnings_are_errors_a_journal_without_room_ends_the_run_and_hangs_nobody(
    start: str, bell: Bell, tmp_path: Path
) -> None:
    with Stall(code=NO_ROOM.format(start=start.format(how=""))).ready(bell, f"{tmp_path}/runs/") as code:
        command = script(code, tmp_path)
        ended = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (ended.stdout, ended.stderr, ended.returncode) == ("True crashed ()\n", "", 0)


PLACES = {
    "asyncio.run": "print(asyncio.run(loop.run('?')).final_text)",
    "a thread's own event loop": """
thread = threading.Thread(target=lambda: print(asyncio.run(loop.run('?')).final_text))
thread.start()
thread.join()
""",
    "run_sync where an event loop runs": """
async def main():
    print(loop.run_sync('?').final_text)
asyncio.run(main())
""",
    "a callback of the event loop": """
async def main():
    over = asyncio.Event()
    asyncio.get_running_loop().call_soon(lambda: (print(loop.run_sync('?').final_text), over.set()))
    await over.wait()
asyncio.run(main())
""",
    "start where no event loop runs": "print(loop.start('?').wait().final_text)",
}


@pytest.mark.parametrize("code", PLACES.values(), ids=PLACES)
def test_F52_a_run_works_in_plain_python(code: str, tmp_path: Path) -> None:
    command = script(FIVE + code, tmp_path)
    ended = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (ended.stdout, ended.stderr, ended.returncode) == ("It is 5.\n", "", 0)


def test_F52_await_works_in_the_repl_of_asyncio(tmp_path: Path) -> None:
    (tmp_path / "five.py").write_text(FIVE)
    typed = "from five import loop\nprint((await loop.run('?')).final_text)\n"
    ended = subprocess.run(
        [sys.executable, "-m", "asyncio"], input=typed, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE,
        check=False,
    )  # fmt: skip
    assert "It is 5." in ended.stdout
    assert ended.returncode == 0


def test_F52_await_and_run_sync_work_in_nbclient(tmp_path: Path) -> None:
    cells = [FIVE, "result = await loop.run('?')\nprint(result.final_text)", FIVE, "loop.run_sync('?').final_text"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(textwrap.dedent(cell)) for cell in cells])
    nbclient.NotebookClient(notebook, timeout=PATIENCE).execute()
    assert notebook.cells[1].outputs[0]["text"] == "It is 5.\n"
    assert notebook.cells[3].outputs[0]["data"]["text/plain"] == "'It is 5.'"
