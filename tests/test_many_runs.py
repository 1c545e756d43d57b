"""Hundreds of runs at once, over one server object and a socket: none waits for another's luck, and none is lost."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

import hermes_nb as hn
from hermes_nb import journal
from hermes_nb.events import Event, RunFinished
from hermes_nb.servers.scripted import call
from hermes_nb.servers.scripted.strict import complaint
from tests.leaks import no_leaks

RUNS, AT_ONCE, UNLUCKY = 200, 12, 17


class Model:
    """Doubles what it is asked about, by a call; `most` is how many requests were with it at the same time.

    The first ones it keeps until there are AT_ONCE of them, and those after the `patience`th for ever.
    """

    def __init__(self, patience: int = 10_000) -> None:
        self.here = self.most = self.asked = 0
        self.patience = patience
        self.full, self.weary = asyncio.Event(), asyncio.Event()

    async def answer(self, request: dict[str, Any]) -> Any:
        self.here += 1
        self.asked += 1
        self.most = max(self.most, self.here)
        try:
            if self.here >= AT_ONCE:
                self.full.set()
            await self.full.wait()
            if self.asked > self.patience:
                self.weary.set()
                await asyncio.Event().wait()
            await asyncio.sleep(0.001)
        finally:
            self.here -= 1
        last = request["messages"][-1]
        return call("double", number=int(last["content"])) if last["role"] == "user" else f"It is {last['content']}."


async def double(number: int) -> int:
    """Double a whole number."""
    await asyncio.sleep(0)
    return number * 2


def unlucky(call: Any, context: Any) -> None:
    if call.parsed["number"] == UNLUCKY:
        raise LookupError("this one's own gate")


@asynccontextmanager
async def looping(model: Model, folder: Path, **settings: Any) -> AsyncIterator[hn.HermesAgentLoop]:
    """A loop over a socket; at its end nothing may be left, whatever became of the runs."""
    async with no_leaks(), hn.ScriptedServer(model.answer, strict=True).serve() as base_url:
        server = hn.OpenAIServer("m", base_url=base_url, max_concurrency=AT_ONCE)
        yield hn.HermesAgentLoop(server, tools=[double], journal=f"{folder}/runs/", **settings)
        await server.close()


def journaled(folder: Path) -> dict[str, hn.AgentResult]:
    """The runs on disk, by their ids."""
    return {run.run_id or "": run for run in map(journal.load, (folder / "runs").iterdir())}


async def test_F55_one_run_that_raises_does_not_keep_the_others_from_finishing(tmp_path: Path) -> None:
    async with looping(Model(), tmp_path, before_call=unlucky) as loop:
        asked = [loop.run(str(number), task=str(number)) for number in range(RUNS)]
        answers: list[Any] = await asyncio.gather(*asked, return_exceptions=True)
        raised = answers.pop(UNLUCKY)
    assert repr(raised) == """LookupError("this one's own gate")"""
    others = [number for number in range(RUNS) if number != UNLUCKY]
    assert [answer.final_text for answer in answers] == [f"It is {number * 2}." for number in others]
    endings = {run.task: run.stop_reason for run in journaled(tmp_path).values()}
    assert endings == {str(number): "finished" for number in others} | {str(UNLUCKY): "crashed"}


async def test_F55_never_are_more_requests_going_on_than_the_server_object_allows(tmp_path: Path) -> None:
    model = Model()
    async with looping(model, tmp_path) as loop:
        await asyncio.gather(*(loop.run(str(number)) for number in range(RUNS)))
    assert (model.most, model.asked) == (AT_ONCE, 2 * RUNS)


async def test_F55_one_observer_counts_every_event_of_every_run(tmp_path: Path) -> None:
    seen: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
    finished: list[int] = []

    def told(event: Event) -> None:
        seen[event.run_id].append((event.seq, type(event).__name__))
        finished.extend([len(finished) + 1] if isinstance(event, RunFinished) else [])

    async with looping(Model(), tmp_path) as loop:
        results = await asyncio.gather(*(loop.run(str(number), on_event=told) for number in range(RUNS)))
    assert finished == list(range(1, RUNS + 1))
    assert seen.keys() == {result.run_id for result in results}
    for path in (tmp_path / "runs").iterdir():
        events = [*journal.read_events(path)]
        assert seen[events[0].run_id] == [(event.seq, type(event).__name__) for event in events]


def whole(runs: list[hn.AgentResult]) -> Counter[str]:
    """How many runs ended how; all of them must be sendable."""
    for run in runs:
        assert hn.repair(run.messages).report == ()
        assert complaint({"messages": run.messages}) is None
    return Counter(run.stop_reason for run in runs)


@pytest.mark.parametrize("patience", [AT_ONCE, RUNS + RUNS // 2])
async def test_F55_cancelling_the_gathering_leaves_every_run_whole_as_far_as_it_came(
    patience: int, tmp_path: Path
) -> None:
    model = Model(patience)
    async with looping(model, tmp_path) as loop:
        runs = [loop.start(str(number)) for number in range(RUNS)]

        async def gather() -> None:
            await asyncio.gather(*runs)

        gathering = asyncio.create_task(gather())
        await model.weary.wait()
        gathering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gathering
        results = await asyncio.gather(*runs)
    ended = whole(results)
    assert set(ended) <= {"finished", "interrupted"}
    assert (ended.total(), ended["interrupted"] >= AT_ONCE) == (RUNS, True)
    on_disk = journaled(tmp_path)
    assert {result.run_id: result.messages for result in results} == {one: run.messages for one, run in on_disk.items()}
    assert whole([*on_disk.values()]) == ended


async def test_F55_runs_that_are_only_awaited_are_all_on_disk_when_the_gathering_was_cancelled(tmp_path: Path) -> None:
    model = Model(RUNS)
    async with looping(model, tmp_path) as loop:
        gathering = asyncio.gather(*(loop.run(str(number)) for number in range(RUNS)))
        await model.weary.wait()
        gathering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gathering
    ended = whole([*journaled(tmp_path).values()])
    assert (ended.total(), set(ended) <= {"finished", "interrupted"}) == (RUNS, True)
