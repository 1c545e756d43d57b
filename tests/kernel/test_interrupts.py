"""What a kernel's interrupt does to a run: it ends, soon, and nothing of it is lost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import hermes_nb as hn
from hermes_nb import journal
from hermes_nb.servers.scripted.strict import complaint
from tests.kernel.driving import Bell, Cell, Kernel
from tests.kernel.stalls import CAREFUL, OPEN, SOON_SECONDS, STALLS, Stall

AWAITED, WAITED_FOR = "result = await loop.run('?'{how})", "result = loop.run_sync('?'{how})"

TELL = """{
    "run": loop.last_result.run_id,
    "stop_reason": loop.last_result.stop_reason,
    "answers": [one.status for one in loop.last_result.results],
    "abandoned": loop.last_result.abandoned,
    "messages": loop.last_result.messages,
    "answer": loop.last_result.final_text,
    "done": done,
}"""


@dataclass(frozen=True)
class Interrupted:
    """A cell that was interrupted, and the same cell once more; each with what the kernel tells of the run."""

    stall: Stall
    cell: Cell
    told: dict[str, Any]
    recorded: hn.AgentResult
    again: Cell
    told_again: dict[str, Any]
    left: list[str]


@pytest.fixture(scope="module", params=[AWAITED, WAITED_FOR], ids=["awaited", "run_sync"])
def how(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module", params=STALLS)
def interrupted(
    kernel: Kernel, how: str, request: pytest.FixtureRequest, tmp_path_factory: Any
) -> Iterator[Interrupted]:
    """A run interrupted in each of the stalls, in a cell that awaits it and in one that waits for it."""
    stall, folder = STALLS[request.param], tmp_path_factory.mktemp("journals")
    with Bell() as bell, stall.ready(bell, f"{folder}/") as code:
        assert kernel.run(code).ok
        kernel.watch()
        asked = how.format(how=stall.how)
        cell = kernel.interrupted(asked, bell, what=f"{asked.split('(')[0]}: {request.param}")
        told = kernel.value(TELL)
        recorded = journal.load(folder / f"{told['run']}.jsonl")
        assert kernel.run("let_go.set()").ok
        again = kernel.run(asked)
        yield Interrupted(stall, cell, told, recorded, again, kernel.value(TELL), kernel.left())


def test_F41_F42_an_interrupt_ends_the_cell_long_before_what_stalls_does(interrupted: Interrupted) -> None:
    assert interrupted.cell.error is not None
    assert interrupted.cell.error.startswith(("CancelledError", "KeyboardInterrupt"))
    assert interrupted.cell.seconds < SOON_SECONDS


def test_F42_every_open_call_is_answered(interrupted: Interrupted) -> None:
    told = interrupted.told
    assert (told["stop_reason"], tuple(told["answers"])) == ("interrupted", interrupted.stall.answers)
    assert tuple(told["abandoned"]) == interrupted.stall.abandoned


def test_F41_the_journal_on_disk_holds_the_whole_run_and_its_end(interrupted: Interrupted) -> None:
    recorded, told = interrupted.recorded, interrupted.told
    assert (recorded.stop_reason, recorded.messages) == ("interrupted", told["messages"])
    assert tuple(answer.status for answer in recorded.results) == interrupted.stall.answers


def test_F42_what_was_interrupted_can_be_sent_as_it_is(interrupted: Interrupted) -> None:
    messages = interrupted.told["messages"]
    assert hn.repair(messages).report == ()
    assert complaint({"messages": messages}) is None


def test_F45_the_same_cell_with_the_same_loop_works_at_once(interrupted: Interrupted) -> None:
    assert interrupted.again.error is None
    assert (interrupted.told_again["stop_reason"], interrupted.told_again["answer"]) == ("finished", "done")


def test_F45_no_tool_acts_twice_and_nothing_acts_after_the_interrupt(interrupted: Interrupted) -> None:
    stall = interrupted.stall
    assert tuple(interrupted.told["done"]) == stall.done
    assert tuple(interrupted.told_again["done"]) == stall.done + stall.whole


def test_F42_an_interrupt_leaves_nothing_behind(interrupted: Interrupted) -> None:
    assert interrupted.left == []


STUBBORN = """
enough = asyncio.Event()

async def stubborn() -> str:
    bell()
    while not enough.is_set():
        try:
            await enough.wait()
        except asyncio.CancelledError:
            done.append("no")
            if {once}:
                return "I did not notice"
    return "late"

loop = looping(stubborn)
"""


def loop_of(code: str, kernel: Kernel, bell: Bell, folder: Path) -> None:
    with Stall(code=code).ready(bell, f"{folder}/") as cell:
        assert kernel.run(cell).ok


def recorded_run(told: dict[str, Any], folder: Path) -> hn.AgentResult:
    """The run as its journal has it, which must be what the kernel tells."""
    recorded = journal.load(folder / f"{told['run']}.jsonl")
    assert [one.status for one in recorded.results] == told["answers"]
    assert recorded.stop_reason == told["stop_reason"]
    assert hn.repair(recorded.messages).report == ()
    return recorded


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize("how", [AWAITED, WAITED_FOR], ids=["awaited", "run_sync"])
def test_F43_a_second_interrupt_during_the_clean_up_loses_nothing(
    how: str, kernel: Kernel, bell: Bell, tmp_path: Path
) -> None:
    loop_of(CAREFUL, kernel, bell, tmp_path)
    cell = kernel.interrupted(how.format(how=""), bell, times=2, what=f"{how.split('(')[0]}: a second interrupt")
    assert cell.error is not None
    # What nobody waits for any more may be cleaning up yet.
    assert kernel.run("while not (loop.last_result and 'cleaned up' in done): await asyncio.sleep(0.01)").ok
    told = kernel.value(TELL)
    assert (told["stop_reason"], tuple(told["answers"])) == ("interrupted", OPEN)
    assert told["done"] == ["add", "cleaned up"]
    recorded_run(told, tmp_path)


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize(("once", "abandoned"), [(True, []), (False, ["tool"])], ids=["once", "always"])
def test_F44_a_tool_that_swallows_the_interrupt_does_not_keep_the_run_from_ending(
    once: bool, abandoned: list[str], kernel: Kernel, bell: Bell, tmp_path: Path
) -> None:
    loop_of(STUBBORN.format(once=once), kernel, bell, tmp_path)
    cell = kernel.interrupted(
        "await loop.run('?')", bell, what=f"a tool that swallows it, {'once' if once else 'always'}"
    )
    assert (cell.error or "").startswith("CancelledError")
    assert cell.seconds < SOON_SECONDS
    told = kernel.value(TELL)
    assert (told["stop_reason"], tuple(told["answers"])) == ("interrupted", OPEN)
    assert (told["abandoned"], told["answer"]) == (abandoned, "")
    recorded_run(told, tmp_path)
    assert kernel.run("enough.set()").ok


WAITS = ["result = loop.run_sync('?')", "run = await asyncio.to_thread(loop.start, '?')\nresult = run.wait()"]


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize("waits", WAITS, ids=["run_sync", "wait"])
def test_F42_an_interrupt_is_seen_where_a_cell_waits_that_has_awaited(
    waits: str, kernel: Kernel, bell: Bell, tmp_path: Path
) -> None:
    loop_of("loop = looping(wait)", kernel, bell, tmp_path)
    what = f"{waits.split()[-1].split('(')[0]}, in a cell that has awaited"
    cell = kernel.interrupted(f"await asyncio.sleep(0)\n{waits}", bell, what=what)
    assert (cell.error or "").startswith("KeyboardInterrupt")
    assert cell.seconds < SOON_SECONDS
    told = kernel.value(TELL)
    assert (told["stop_reason"], tuple(told["answers"])) == ("interrupted", OPEN)
    assert kernel.run("await asyncio.sleep(0)").ok
