"""A run owns its calls: together, in order, and answered whatever happens."""

from __future__ import annotations

import asyncio
import gc
import signal
import warnings
import weakref
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import hermes_nb as hn
from hermes_nb.clocks import StillClock
from hermes_nb.events import CallFinished, Event, Replied, RunStarted, TurnStarted
from hermes_nb.heartbeat import heartbeat
from hermes_nb.records import Reply, ToolCall, ToolResult
from hermes_nb.servers.scripted import call
from hermes_nb.supervisor import Run
from hermes_nb.together import answer_all

pytestmark = pytest.mark.usefixtures("nothing_is_left")

CALLS = [ToolCall(name=name, id=f"c{index}", turn=1, index=index) for index, name in enumerate("abscd")]


def begun(**more: object) -> Run:
    run = Run("r", StillClock(), **more)
    run.emit(RunStarted)
    run.emit(TurnStarted, turn=1)
    run.emit(Replied, turn=1, reply=Reply(message={"role": "assistant", "content": ""}, calls=tuple(CALLS)))
    return run


def answering(act: Callable[[str], Awaitable[None]]) -> Callable[[ToolCall, float], Awaitable[ToolResult]]:
    async def answer(call: ToolCall, queued: float) -> ToolResult:
        await act(call.name)
        return ToolResult(call=call, content=call.name)

    return answer


async def test_calls_run_together_and_results_keep_call_order() -> None:
    run, released, order = begun(), asyncio.Event(), []

    async def act(name: str) -> None:
        if name == "a":
            await released.wait()
        if name == "d":
            released.set()
        order.append(name)

    results = await answer_all(run, CALLS, answering(act), at_once=8, serial=())
    assert [result.content for result in results] == list("abscd")
    assert order[-1] == "a"


async def test_no_more_than_at_once_run_together() -> None:
    running, most = 0, 0

    async def act(name: str) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        running -= 1

    await answer_all(begun(), CALLS, answering(act), at_once=2, serial=())
    assert most == 2
    most = 0
    await answer_all(begun(), CALLS, answering(act), at_once=1, serial=())
    assert most == 1


async def test_a_serial_tool_is_a_barrier() -> None:
    log: list[str] = []

    async def act(name: str) -> None:
        log.append(f"+{name}")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        log.append(f"-{name}")

    await answer_all(begun(), CALLS, answering(act), at_once=8, serial={"s"})
    at = log.index
    assert max(at("-a"), at("-b")) < at("+s") < at("-s") < min(at("+c"), at("+d"))
    assert at("+b") < at("-a")


async def test_L15_cancelling_answers_every_open_call() -> None:
    run, entered = begun(), asyncio.Event()

    async def act(name: str) -> None:
        if name == "b":
            entered.set()
            await asyncio.Event().wait()

    task = asyncio.ensure_future(answer_all(run, CALLS, answering(act), at_once=8, serial={"s"}))
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    results = run.result().results
    assert [(r.call.name, r.status) for r in results] == [
        ("a", "ok"),
        *((name, "cancelled") for name in "bscd"),
    ]
    assert [r.synthesised for r in results] == [False, True, True, True, True]


async def test_F43_a_second_cancel_during_the_clean_up_loses_no_answer() -> None:
    run, entered, cleaning = begun(), asyncio.Event(), asyncio.Event()
    before = asyncio.all_tasks()

    async def act(name: str) -> None:
        try:
            if name == "d":
                entered.set()
            await asyncio.Event().wait()
        finally:
            cleaning.set()
            for _ in range(20):
                await asyncio.sleep(0)

    task = asyncio.ensure_future(answer_all(run, CALLS, answering(act), at_once=8, serial=()))
    await entered.wait()
    task.cancel()
    await cleaning.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [r.status for r in run.result().results] == ["cancelled"] * 5
    assert asyncio.all_tasks() == before


async def test_what_a_gate_raises_ends_the_others_and_every_call_is_answered() -> None:
    run = begun()

    async def act(name: str) -> None:
        if name == "b":
            raise LookupError("the user's own gate")
        await asyncio.Event().wait()

    with pytest.raises(LookupError):
        await answer_all(run, CALLS, answering(act), at_once=8, serial=())
    assert len(run.result().results) == 5


async def test_an_observer_that_fails_is_told_no_more_and_the_run_goes_on() -> None:
    seen: list[Event] = []

    def failing(event: Event) -> None:
        raise RuntimeError("no")

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run = begun(observers=[failing, seen.append])
    assert len(caught) == 1
    assert "told no more" in str(caught[0].message)
    assert [event.seq for event in seen] == [0, 1, 2]
    assert run.result().turns_used == 1


async def test_events_are_numbered_without_gaps_and_say_whose_they_are() -> None:
    seen: list[Event] = []
    run = begun(observers=[seen.append])
    await answer_all(run, CALLS, answering(lambda name: asyncio.sleep(0)), at_once=8, serial=())
    assert [event.seq for event in seen] == list(range(len(seen)))
    assert {event.run_id for event in seen} == {"r"}
    assert sum(isinstance(event, CallFinished) for event in seen) == 5


async def test_the_heartbeat_shows_the_loop_what_a_signal_handler_queued() -> None:
    loop = asyncio.get_running_loop()
    seen, other_wake_ups = asyncio.Event(), []
    timer = loop.call_later(30, other_wake_ups.append, "the only other thing that would wake the loop")
    # As a kernel does it: queued from a signal handler in the loop's own thread, which wakes nothing.
    before = signal.signal(signal.SIGALRM, lambda *_: loop.call_soon(seen.set))
    try:
        with heartbeat(), heartbeat():
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            await seen.wait()
    finally:
        signal.signal(signal.SIGALRM, before)
        timer.cancel()
    assert other_wake_ups == []


async def test_what_a_run_worked_with_goes_away_with_it_and_needs_no_garbage_collector() -> None:
    class State:
        pass

    def weigh(thing: str, context: hn.ToolContext) -> str:
        return f"{thing} weighs {type(context.state).__name__}"

    said: list[Any] = [[call("weigh", thing="a cat"), call("weigh", thing="a dog")], "They weigh nothing."]
    loop = hn.HermesAgentLoop(hn.ScriptedServer(said * 2), tools=[weigh])
    await loop.run("What do they weigh?")
    gc.collect()
    gc.disable()
    try:
        state = State()
        gone = weakref.ref(state)
        assert (await loop.run("What do they weigh?", state=state)).ok
        del state
        assert gone() is None
    finally:
        gc.enable()
