"""Runs that go on in the background of a kernel, from cell to cell."""

from __future__ import annotations

from pathlib import Path

import pytest

import hermes_nb as hn
from hermes_nb import journal
from tests.kernel.driving import Bell, Kernel
from tests.kernel.stalls import SOON_SECONDS, STALLS, Stall

pytestmark = pytest.mark.usefixtures("nothing_left")

SETUP = """
import asyncio, logging, threading, time
import hermes_nb as hn
from hermes_nb.servers.scripted import call

class Gate:
    "A tool that rings when it is entered, and ends when it is let go."
    def __init__(self):
        self.go = asyncio.Event()

    async def wait(self) -> str:
        "Wait."
        bell()
        await self.go.wait()
        return "done"

gate = Gate()
server = hn.ScriptedServer([[call("wait")], "Well.", "Well, well."], strict=True)
loop = hn.HermesAgentLoop(server, tools=[gate.wait], journal=journals)
"""


@pytest.fixture
def ready(kernel: Kernel, bell: Bell, tmp_path: Path) -> Kernel:
    """A kernel with a `loop` whose run waits in its tool until `gate.go` is set."""
    cell = kernel.run(f"journals = '{tmp_path}/'\n{bell.code}{SETUP}")
    assert cell.ok, cell.error
    return kernel


def test_a_run_goes_on_between_the_cells_is_watched_steered_and_awaited(ready: Kernel, bell: Bell) -> None:
    assert ready.run("run = loop.start('?')").ok
    bell.wait()
    cell = ready.run("""
seen = []
so_far = run.observe(lambda event: seen.append(type(event).__name__))
print(run.status, [call.name for call in so_far.calls], so_far.stop_reason)
""")
    assert cell.printed == "running ['wait'] running\n"
    assert ready.run("run.steer('And now?'); gate.go.set()").ok
    cell = ready.run("result = await run; print(run.status, result.final_text, result.turns[1].added_messages)")
    assert cell.printed == "finished Well. ({'role': 'user', 'content': 'And now?'},)\n"
    assert ready.value("seen") == [
        "CallFinished", "TurnFinished", "TurnStarted", "Replied", "TurnFinished", "RunFinished",
    ]  # fmt: skip


def test_a_run_shows_itself_as_far_as_it_came_in_every_cell(ready: Kernel, bell: Bell) -> None:
    cell = ready.run("run = loop.start('?')\nrun")
    assert "not started" in cell.shown[0]["text/plain"]
    bell.wait()
    assert "wait" in ready.run("run").shown[0]["text/plain"]
    assert ready.run("gate.go.set(); await run").ok
    assert "Well." in ready.run("run").shown[0]["text/plain"]


def test_F50_an_interrupt_of_an_idle_kernel_does_not_touch_a_background_run(ready: Kernel, bell: Bell) -> None:
    assert ready.run("run = loop.start('?')").ok
    bell.wait()
    ready.interrupt()
    assert ready.value("run.status") == "running"
    cell = ready.run("gate.go.set(); result = await run; print(result.stop_reason, result.final_text)")
    assert (cell.error, cell.printed) == (None, "finished Well.\n")


def test_F50_an_interrupt_of_another_cell_does_not_touch_a_background_run(ready: Kernel, bell: Bell) -> None:
    assert ready.run("run = loop.start('?')").ok
    bell.wait()
    cell = ready.interrupted("bell(); await asyncio.sleep(60)", bell, what="another cell, beside a background run")
    assert (cell.error or "").startswith("CancelledError")
    cell = ready.run("gate.go.set(); result = await run; print(result.stop_reason, result.final_text)")
    assert (cell.error, cell.printed) == (None, "finished Well.\n")


STOPS = {
    "in a later cell": "run.stop()",
    "on another thread": "thread = threading.Thread(target=run.stop); thread.start(); thread.join()",
}


@pytest.mark.parametrize("stop", STOPS.values(), ids=STOPS)
def test_F50_stop_ends_a_background_run(stop: str, ready: Kernel, bell: Bell, tmp_path: Path) -> None:
    assert ready.run("run = loop.start('?')").ok
    bell.wait()
    stopped = ready.run(stop)
    assert (stopped.error, stopped.printed) == (None, "")  # What a thread raises, it prints.
    cell = ready.run("result = await run; print(result.stop_reason, [one.status for one in result.results])")
    assert (cell.error, cell.printed) == (None, "interrupted ['cancelled']\n")
    [path] = tmp_path.iterdir()
    assert hn.repair(journal.load(path).messages).report == ()


def test_F50_a_stop_button_on_a_subshell_ends_the_run_that_a_cell_awaits(ready: Kernel, bell: Bell) -> None:
    begun = ready.begin("run = loop.start('?')\nresult = await run\nprint(result.stop_reason)")
    bell.wait()
    with ready.subshell() as subshell:  # As a widget's callback may come from the lab: on a thread of its own.
        pressed = ready.begin("print(threading.current_thread().name); run.stop()", subshell=subshell)
        cell, other = ready.ended(begun, pressed)
    assert (other.error, other.printed.partition("-")[0]) == (None, "subshell")
    assert (cell.error, cell.printed) == (None, "interrupted\n")


def test_F51_what_a_background_run_raises_is_shown_by_it_and_logged(ready: Kernel) -> None:
    cell = ready.run("""
def broken(call, context):
    raise LookupError("my own gate")

logged = []
class Keep(logging.Handler):
    def emit(self, record):
        logged.append((record.levelname, repr(record.exc_info[1])))

keep = Keep()
logging.getLogger("hermes_nb").addHandler(keep)
loop.before_call = broken
run = loop.start("?")
""")
    assert cell.ok, cell.error
    assert ready.run("while not run.done: await asyncio.sleep(0.01)").ok
    assert ready.value("repr(run)") == "LiveRun(crashed · LookupError('my own gate'))"
    assert ready.value("logged") == [["ERROR", "LookupError('my own gate')"]]
    cell = ready.run("await run")
    assert cell.error == "LookupError: my own gate"
    assert ready.run("logging.getLogger('hermes_nb').removeHandler(keep)").ok


@pytest.mark.parametrize("stall", ["a silent model", "a sync tool"])
def test_F41_an_interrupt_ends_the_run_that_a_cell_has_started_and_awaits(
    stall: str, kernel: Kernel, bell: Bell, tmp_path: Path
) -> None:
    with STALLS[stall].ready(bell, f"{tmp_path}/") as code:
        assert kernel.run(code).ok
        cell = kernel.interrupted("run = loop.start('?')\nresult = await run", bell, what=f"await run: {stall}")
        assert (cell.error or "").startswith("CancelledError")
        assert cell.seconds < SOON_SECONDS
        assert kernel.value("run.status") == "interrupted"
        assert kernel.run("let_go.set()").ok


def test_F52_a_run_on_the_private_loop_is_stopped_from_the_kernels(kernel: Kernel, bell: Bell, tmp_path: Path) -> None:
    """`start` in a thread of its own, as in a callback over a subshell, has no event loop: it takes run_sync's."""
    with Stall(code="loop = looping(wait)").ready(bell, f"{tmp_path}/") as code:
        assert kernel.run(code).ok
    assert kernel.run("run = await asyncio.to_thread(loop.start, '?')").ok
    bell.wait()
    cell = kernel.run("run.stop()\nresult = await run\nprint(result.stop_reason)")
    assert (cell.error, cell.printed) == (None, "interrupted\n")


def test_F52_await_works_on_a_subshell(ready: Kernel, bell: Bell) -> None:
    code = "print((await hn.HermesAgentLoop(hn.ScriptedServer(['Well.'])).run('?')).final_text)"
    with ready.subshell() as subshell:
        [cell] = ready.ended(ready.begin(code, subshell=subshell))
    assert (cell.error, cell.printed) == (None, "Well.\n")
