"""A small soak: many runs at once, of which everything goes wrong that can. The large one is among the benchmarks."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import hermes_nb as hn
from benchmarks.soak.fates import Fate, fate, reply
from benchmarks.soak.play import Played
from benchmarks.soak.promises import Baseline, of_run, of_tools
from benchmarks.soak.server import FaultServer, fault_server
from benchmarks.soak.waves import Patience, Soak, Wave
from hermes_nb.records import RunError
from hermes_nb.servers.scripted import call

SEED, RUNS = 20, 40
QUIET = Fate(number=0, turns=1, streamed=False, limit="", end="", event=0, wait=0)


@pytest.fixture(scope="module")
def server() -> Iterator[FaultServer]:
    with fault_server(SEED, silence=0.5) as one:
        yield one


@pytest.fixture(scope="module")
def soaked(server: FaultServer, tmp_path_factory: pytest.TempPathFactory) -> tuple[Wave, list[str]]:
    """What became of the runs, and what they left behind."""
    soak = Soak(SEED, server.url, tmp_path_factory.mktemp("soak"), bound=60, patience=Patience(request=2, tool=0.3))
    return asyncio.run(soak.wave(range(RUNS), keep=True)), soak.left


def test_every_run_of_a_soak_keeps_its_promises(soaked: tuple[Wave, list[str]]) -> None:
    wave, _ = soaked

    assert wave.broken == {}
    assert wave.runs == sum(wave.endings.values()) == RUNS


def test_a_soak_leaves_nothing_behind_but_what_its_runs_name(soaked: tuple[Wave, list[str]]) -> None:
    assert soaked[1] == []


def test_a_soak_goes_wrong_in_many_ways(soaked: tuple[Wave, list[str]]) -> None:
    wave, _ = soaked

    assert len(wave.endings) > 4
    assert {"call: exception", "call: timeout", "call: cancelled"} <= set(wave.met)
    assert any(name.startswith("interference") for name in wave.met)
    assert wave.abandoned


def test_a_fate_is_drawn_from_the_seed() -> None:
    fates = [fate(SEED, number) for number in range(200)]

    assert fates == [fate(SEED, number) for number in range(200)]
    assert fates != [fate(SEED + 1, number) for number in range(200)]
    assert len({one.end for one in fates}) == 7


def test_the_model_says_the_same_to_the_same_run() -> None:
    messages = [{"role": "user", "content": f"run 3 of seed {SEED}"}]

    assert reply(messages) == reply(messages)


def one_call() -> list[Any]:
    return [[call("add", a=1, b=2)], "It is 3."]


@pytest.fixture
def played(tmp_path: Path) -> Played:
    """A run that kept its promises."""

    def add(a: int, b: int) -> int:
        """Add two whole numbers."""
        return a + b

    journal = tmp_path / "run.jsonl"
    loop = hn.HermesAgentLoop(hn.ScriptedServer(one_call()), tools=[add], journal=journal)
    return Played(QUIET, journal, asyncio.run(loop.run("What is 1 + 2?")))


def test_a_run_that_kept_its_promises_breaks_none(played: Played) -> None:
    assert list(of_run(played)) == []


def test_a_run_without_a_result_breaks_one(played: Played) -> None:
    played.result = None

    assert list(of_run(played)) == ["it left no result"]


def test_a_run_that_raises_breaks_one(played: Played) -> None:
    played.raised = LookupError("oh")

    assert list(of_run(played)) == ["it raised LookupError('oh')"]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"stop_reason": "running"}, "it has no ending: it is 'running'"),
        ({"stop_reason": "crashed"}, "it has no ending: it is 'crashed'"),
        (
            {"error": RunError(type="BadRequestError", message="no", status=400)},
            "a strict server refused its history: no",
        ),
        ({"journal_error": "the disk is full"}, "its journal was given up: the disk is full"),
        ({"stop_reason": "length"}, "its journal has another stop_reason: 'finished', not 'length'"),
    ],
)
def test_a_run_that_ends_as_none_may_breaks_a_promise(played: Played, changed: dict[str, Any], told: str) -> None:
    assert played.result is not None
    played.result = replace(played.result, **changed)

    assert told in list(of_run(played))


def test_a_call_without_an_answer_breaks_one(played: Played) -> None:
    assert played.result is not None
    messages = [one for one in played.result.messages if one["role"] != "tool"]
    turns = (replace(played.result.turns[0], results=()), *played.result.turns[1:])
    played.result = replace(played.result, messages=messages, turns=turns)
    broken = list(of_run(played))

    assert any(one.startswith("its history is not sound: ") for one in broken)
    assert "turn 1 has the calls ['call_1'] and the answers []" in broken
    assert "turn 1: its answers are not in the history, once each" in broken


def test_a_cancel_that_nobody_asked_for_breaks_one(played: Played) -> None:
    played.interrupted = True

    assert list(of_run(played)) == ["nobody cancelled it, and it raised CancelledError after 'finished'"]


def test_a_tool_that_is_at_work_has_to_be_named_by_its_run() -> None:
    named = {"task-1": Counter({"hang": 1})}

    assert list(of_tools(named, {("task-1", "hang"): 1, ("task-2", "hang"): 0})) == []
    assert len(list(of_tools(named, {("task-1", "hang"): 2}))) == 1
    assert len(list(of_tools(named, {("task-2", "hang"): 1}))) == 1


async def test_a_task_a_thread_and_a_descriptor_that_are_left_are_seen(tmp_path: Path) -> None:
    baseline, over = Baseline(patience=0), threading.Event()
    task = asyncio.create_task(asyncio.Event().wait())
    thread = threading.Thread(target=over.wait, name="a thread of ours")
    thread.start()
    with (tmp_path / "open").open("w"):
        left = await baseline.left()
    task.cancel()
    await asyncio.wait({task})
    over.set()
    thread.join()

    assert [one.partition(" is left: ")[0] for one in left] == ["a task", "a thread", "a descriptor"]
    assert await baseline.left() == []


async def test_a_result_that_is_still_held_is_seen() -> None:
    baseline = Baseline()
    held = await hn.HermesAgentLoop(hn.ScriptedServer(["Hello"])).run("?")

    assert "1 of AgentResult are still held" in baseline.kept()
    del held
    assert baseline.kept() == []
