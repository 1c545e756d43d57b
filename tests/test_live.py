"""LiveRun: a run that is held while it goes on."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import threading
import weakref
from pathlib import Path
from typing import Any

import pytest

import hermes_nb as hn
from hermes_nb import journal
from hermes_nb.events import CallStarted, Event, Replied, TurnStarted
from hermes_nb.servers.scripted import Scripted, call

pytestmark = pytest.mark.usefixtures("nothing_is_left")

ASKED = {"role": "user", "content": "And now?"}


def add(a: int, b: int) -> int:
    """Add two whole numbers."""
    return a + b


class Silent:
    """A server that never answers, and says when it was asked."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    async def chat_completion(self, **request: Any) -> dict[str, Any]:
        self.asked.set()
        await asyncio.Event().wait()
        raise AssertionError


class Gate:
    """A tool that says when it was entered, and ends when it is let go."""

    def __init__(self) -> None:
        self.entered, self.go = asyncio.Event(), asyncio.Event()

    async def wait(self) -> str:
        """Wait."""
        self.entered.set()
        await self.go.wait()
        return "done"


def five() -> hn.ScriptedServer:
    return hn.ScriptedServer([[call("add", a=2, b=3)], "It is 5."], strict=True)


async def test_start_gives_the_run_at_once_and_await_its_result() -> None:
    loop = hn.HermesAgentLoop(five(), tools=[add])
    run = loop.start("What is 2 + 3?")
    assert (run.status, run.done, run.result.messages[-1]["content"]) == ("running", False, "What is 2 + 3?")
    result = await run
    assert (result.final_text, run.status, run.done) == ("It is 5.", "finished", True)
    assert result == run.result == loop.last_result
    assert await run == result


async def test_many_may_await_one_run() -> None:
    run = hn.HermesAgentLoop(five(), tools=[add]).start("?")

    async def wait() -> hn.AgentResult:
        return await run

    one, other = await asyncio.gather(wait(), wait())
    assert one == other


async def test_a_run_nobody_holds_is_not_let_go_of() -> None:
    asked = asyncio.Event()

    class Unheld:
        async def chat_completion(self, **request: Any) -> None:
            asked.set()
            await asyncio.Event().wait()

    held = weakref.ref(hn.HermesAgentLoop(Unheld()).start("?"))
    await asked.wait()
    gc.collect()
    run = held()
    assert run is not None
    run.stop()
    await run


async def test_stop_ends_a_silent_model_call_and_gives_the_partial_result() -> None:
    server = Silent()
    run = hn.HermesAgentLoop(server).start("?")
    await server.asked.wait()
    run.stop()
    result = await run
    assert (result.stop_reason, result.turns_used, run.status) == ("interrupted", 1, "interrupted")


async def test_stop_works_before_the_run_has_taken_a_step() -> None:
    loop = hn.HermesAgentLoop(five(), tools=[add])
    run = loop.start("?")
    run.stop()
    result = await run
    assert (result.stop_reason, result.turns_used) == ("interrupted", 0)
    assert result.provenance is not None


def test_stop_works_where_the_loop_has_not_come_to_the_run_yet() -> None:
    busy, go = threading.Event(), threading.Event()

    async def hold_up() -> str:
        busy.set()
        go.wait()
        return ""

    first = hn.HermesAgentLoop(hn.ScriptedServer([[call("hold_up")], "Well."]), tools=[hold_up]).start("?")
    busy.wait()
    server = five()
    second = hn.HermesAgentLoop(server, tools=[add]).start("?")
    second.stop()
    go.set()
    assert (second.wait().stop_reason, server.requests) == ("interrupted", [])
    first.wait()


async def test_F50_stop_works_from_another_thread_and_answers_the_open_call() -> None:
    gate = Gate()
    server = hn.ScriptedServer([[call("wait"), call("add", a=1, b=1)], "never"], strict=True)
    run = hn.HermesAgentLoop(server, tools=[gate.wait, add]).start("?")
    await gate.entered.wait()
    thread = threading.Thread(target=run.stop)
    thread.start()
    result = await run
    thread.join()
    assert result.stop_reason == "interrupted"
    assert result.results[0].status == "cancelled"
    assert hn.repair(result.messages).report == ()


async def test_stopping_a_run_that_is_over_does_nothing() -> None:
    run = hn.HermesAgentLoop(five(), tools=[add]).start("?")
    await run
    run.stop()
    await asyncio.sleep(0)
    assert run.status == "finished"


async def test_cancelling_the_one_who_awaits_stops_the_run() -> None:
    server = Silent()
    loop = hn.HermesAgentLoop(server)
    run = loop.start("?")

    async def wait() -> hn.AgentResult:
        return await run

    waiting = asyncio.ensure_future(wait())
    await server.asked.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert run.status == "interrupted"
    assert (await run).stop_reason == "interrupted"
    assert loop.last_result == run.result


async def test_what_a_tool_swallows_does_not_keep_the_run_from_ending() -> None:
    entered = asyncio.Event()

    async def stubborn() -> str:
        entered.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "I did not notice"
        return ""

    server = hn.ScriptedServer([[call("stubborn")], "never"])
    run = hn.HermesAgentLoop(server, tools=[stubborn]).start("?")
    await entered.wait()
    run.stop()
    result = await run
    assert (result.stop_reason, len(server.requests)) == ("interrupted", 1)
    assert [answer.status for answer in result.results] == ["cancelled"]


async def test_F44_a_server_that_swallows_the_cancel_is_asked_no_more() -> None:
    entered, requests = asyncio.Event(), []

    class Stubborn:
        async def chat_completion(self, **request: Any) -> Any:
            requests.append(request)
            entered.set()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
            return {"choices": [{"message": {"role": "assistant", "tool_calls": [call("add", a=1, b=2)]}}]}

    run = hn.HermesAgentLoop(Stubborn(), tools=[add]).start("?")
    await entered.wait()
    run.stop()
    result = await run
    assert (result.stop_reason, len(requests)) == ("interrupted", 1)
    assert [answer.status for answer in result.results] == ["cancelled"]


async def test_F36_a_gate_that_never_lets_go_is_left_behind_and_named(caplog: pytest.LogCaptureFixture) -> None:
    entered, release = asyncio.Event(), asyncio.Event()

    async def stubborn(call: Any, context: Any) -> None:
        entered.set()
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue

    server = hn.ScriptedServer([[call("add", a=2, b=3)], "never"], strict=True)
    before = asyncio.all_tasks()
    run = hn.HermesAgentLoop(server, tools=[add], before_call=stubborn).start("?")
    await entered.wait()
    run.stop()
    result = await run
    assert (result.stop_reason, result.abandoned) == ("interrupted", ("add",))
    assert [answer.status for answer in result.results] == ["cancelled"]
    assert "left behind" in caplog.text
    release.set()
    await asyncio.wait(asyncio.all_tasks() - before)
    assert run.result == result


async def test_steering_joins_before_the_next_turn_and_is_recorded() -> None:
    gate = Gate()
    server = hn.ScriptedServer([[call("wait")], "Well."], strict=True)
    run = hn.HermesAgentLoop(server, tools=[gate.wait]).start("?")
    await gate.entered.wait()
    run.steer("And now?")
    gate.go.set()
    result = await run
    assert result.turns[1].added_messages == (ASKED,)
    assert server.requests[1]["messages"][-1] == ASKED
    assert [message["role"] for message in result.messages] == ["user", "assistant", "tool", "user", "assistant"]
    assert run.unjoined == ()


async def test_a_message_that_comes_with_the_last_answer_gets_one_of_its_own() -> None:
    runs: list[hn.LiveRun] = []

    def told(event: Event) -> None:
        if isinstance(event, Replied) and event.turn == 1:
            runs[0].steer([ASKED])

    server = hn.ScriptedServer(["One.", "Two."], strict=True)
    runs.append(hn.HermesAgentLoop(server).start("?", on_event=told))
    result = await runs[0]
    assert (result.final_text, result.turns_used, result.stop_reason) == ("Two.", 2, "finished")


@pytest.mark.parametrize("silence", ["", Scripted(refusal="I would rather not.")])
async def test_what_says_nothing_is_not_sent_again_when_a_run_goes_on(silence: Any) -> None:
    runs: list[hn.LiveRun] = []

    def told(event: Event) -> None:
        if isinstance(event, Replied) and event.turn == 1:
            runs[0].steer([ASKED])

    server = hn.ScriptedServer([silence, "Two.", "Three."], strict=True)
    loop = hn.HermesAgentLoop(server)
    runs.append(loop.start("?", on_event=told))
    result = await runs[0]
    assert (result.final_text, result.turns_used, result.stop_reason) == ("Two.", 2, "finished")
    assert [message["content"] for message in result.messages] == ["?", "", "And now?", "Two."]
    assert [message["content"] for message in server.requests[1]["messages"]] == ["?", "And now?"]
    assert (await loop.run("And then?", after=result)).final_text == "Three."


async def test_steering_a_run_that_is_over_says_how_to_go_on() -> None:
    run = hn.HermesAgentLoop(five(), tools=[add]).start("?")
    await run
    with pytest.raises(hn.HermesError, match=r"after=run\.result"):
        run.steer("And now?")


async def test_a_message_that_joined_no_turn_is_not_lost() -> None:
    gate = Gate()
    server = hn.ScriptedServer([[call("wait")]])
    run = hn.HermesAgentLoop(server, tools=[gate.wait], max_turns=1).start("?")
    await gate.entered.wait()
    run.steer("And now?")
    gate.go.set()
    assert (await run).stop_reason == "max_turns"
    assert run.unjoined == (ASKED,)


async def test_steering_takes_chat_messages_only() -> None:
    run = hn.HermesAgentLoop(five(), tools=[add]).start("?")
    with pytest.raises(hn.HermesError, match="role"):
        run.steer({"content": "nobody said this"})
    await run


async def test_an_observer_that_comes_late_gets_the_run_so_far_and_all_that_follows() -> None:
    gate, seen = Gate(), list[Event]()
    server = hn.ScriptedServer([[call("wait")], "Well."])
    run = hn.HermesAgentLoop(server, tools=[gate.wait]).start("?")
    await gate.entered.wait()
    so_far = run.observe(seen.append)
    assert (so_far.turns_used, len(so_far.calls), so_far.stop_reason) == (1, 1, "running")
    gate.go.set()
    result = await run
    assert [type(event).__name__ for event in seen] == [
        "CallFinished", "TurnFinished", "TurnStarted", "Replied", "TurnFinished", "RunFinished",
    ]  # fmt: skip
    assert result.turns_used == 2


async def test_an_observer_can_be_told_no_more() -> None:
    gate, seen = Gate(), list[Event]()
    run = hn.HermesAgentLoop(hn.ScriptedServer([[call("wait")], "."]), tools=[gate.wait]).start("?")
    await gate.entered.wait()
    run.observe(seen.append)
    run.forget(seen.append)
    gate.go.set()
    await run
    assert seen == []


async def test_F51_an_exception_nobody_awaits_is_logged_and_shown(caplog: pytest.LogCaptureFixture) -> None:
    def broken(call: Any, context: Any) -> None:
        raise LookupError("my own gate")

    server, before = hn.ScriptedServer([[call("add", a=2, b=3)]]), asyncio.all_tasks()
    run = hn.HermesAgentLoop(server, tools=[add], before_call=broken).start("?")
    await asyncio.wait(asyncio.all_tasks() - before)
    assert "my own gate" in caplog.text
    assert repr(run) == "LiveRun(crashed · LookupError('my own gate'))"
    assert (run.status, run.result.error and run.result.error.message) == ("crashed", "my own gate")
    with pytest.raises(LookupError, match="my own gate"):
        await run


async def test_an_exception_somebody_awaits_is_raised_and_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    def broken(call: Any, context: Any) -> None:
        raise LookupError("my own gate")

    server = hn.ScriptedServer([[call("add", a=2, b=3)]])
    with caplog.at_level(logging.ERROR), pytest.raises(LookupError):
        await hn.HermesAgentLoop(server, tools=[add], before_call=broken).run("?")
    assert caplog.text == ""


async def test_what_is_wrong_with_the_input_is_said_when_it_is_started() -> None:
    loop = hn.HermesAgentLoop(five(), tools=[add])
    with pytest.raises(hn.HermesError):
        loop.start([{"content": "no role"}])
    with pytest.raises(TypeError, match="tsak"):
        loop.start("?", tsak="a")


def test_start_works_where_no_loop_runs_and_wait_gives_the_result() -> None:
    run = hn.HermesAgentLoop(five(), tools=[add]).start("?")
    assert run.wait().final_text == "It is 5."


def test_wait_gives_up_after_its_timeout_and_the_run_goes_on() -> None:
    entered, go = threading.Event(), threading.Event()

    def hang() -> str:
        entered.set()
        go.wait()
        return "done"

    run = hn.HermesAgentLoop(hn.ScriptedServer([[call("hang")], "Well."]), tools=[hang]).start("?")
    entered.wait()
    with pytest.raises(TimeoutError, match="not over after"):
        run.wait(timeout=0.01)
    assert run.status == "running"
    go.set()
    assert run.wait().final_text == "Well."


def test_a_run_of_another_loop_can_be_awaited_and_stopped() -> None:
    entered, go = threading.Event(), threading.Event()

    def hang() -> str:
        entered.set()
        go.wait()
        return "done"

    run = hn.HermesAgentLoop(hn.ScriptedServer([[call("hang")], "Well."]), tools=[hang]).start("?")

    async def elsewhere() -> hn.AgentResult:
        await asyncio.to_thread(entered.wait)
        run.stop()
        return await run

    result = asyncio.run(elsewhere())
    go.set()
    assert (result.stop_reason, result.abandoned) == ("interrupted", ("hang",))


async def test_wait_says_so_where_it_would_wait_for_ever() -> None:
    run = hn.HermesAgentLoop(five(), tools=[add]).start("?")
    with pytest.raises(hn.HermesError, match="await run"):
        run.wait()
    await run


async def test_a_run_shows_itself_as_far_as_it_came() -> None:
    gate = Gate()
    run = hn.HermesAgentLoop(hn.ScriptedServer([[call("wait")], "Well."]), tools=[gate.wait]).start("?")
    await gate.entered.wait()
    assert repr(run) == "LiveRun(running · 1 turn, 1 call, 0 errors · '')"
    assert "running" in run._repr_mimebundle_()["text/plain"]
    gate.go.set()
    await run
    assert repr(run) == "LiveRun(finished · 2 turns, 1 call, 0 errors · 'Well.')"


async def test_leaving_the_events_early_stops_the_run_and_answers_its_calls() -> None:
    gate = Gate()
    loop = hn.HermesAgentLoop(hn.ScriptedServer([[call("wait")], "never"]), tools=[gate.wait])
    coming = loop.events("?")
    async for event in coming:
        if isinstance(event, CallStarted):
            break
    await coming.aclose()
    assert loop.last_result is not None
    assert loop.last_result.stop_reason == "interrupted"
    assert hn.repair(loop.last_result.messages).report == ()


def test_a_loop_that_closes_on_a_run_leaves_a_whole_record() -> None:
    loop = hn.HermesAgentLoop(five(), tools=[add])
    runs: list[hn.LiveRun] = []

    async def leave() -> None:
        runs.append(loop.start("?"))
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    asyncio.run(leave())
    assert (runs[0].status, runs[0].done) == ("interrupted", True)


async def test_turns_are_counted_from_the_start_of_each_run() -> None:
    loop = hn.HermesAgentLoop(hn.ScriptedServer(lambda messages: "Yes."))
    turns: list[int] = []

    def told(event: Event) -> None:
        if isinstance(event, TurnStarted):
            turns.append(event.turn)

    first = await loop.start("?", on_event=told)
    await loop.start("And?", after=first, on_event=told)
    assert turns == [1, 1]


@pytest.mark.parametrize("calls", [1, 3])
@pytest.mark.parametrize("gate", ["before_call", "stop_when"])
async def test_a_gate_that_raises_SystemExit_crashes_its_run_and_not_the_event_loop(gate: str, calls: int) -> None:
    def leave(*_: object) -> None:
        raise SystemExit(3)

    server = hn.ScriptedServer([[call("add", a=2, b=3)] * calls, "It is 5."], strict=True)
    loop = hn.HermesAgentLoop(server, tools=[add], **{gate: leave})
    with pytest.raises(SystemExit):
        await loop.run("?")
    result = loop.last_result
    assert result is not None
    assert (result.stop_reason, result.error and result.error.type) == ("crashed", "SystemExit")
    assert hn.repair(result.messages).report == ()


async def test_an_observer_that_raises_SystemExit_is_told_no_more_and_the_run_goes_on() -> None:
    def leave(event: Event) -> None:
        raise SystemExit(3)

    with pytest.warns(UserWarning, match="told no more"):
        result = await hn.HermesAgentLoop(five(), tools=[add]).run("?", on_event=leave)
    assert result.final_text == "It is 5."


def left_on_a_closed_loop(server: Silent, folder: Path) -> hn.LiveRun:
    """A run whose event loop was closed in the middle of it, with no word to its tasks."""
    loop = asyncio.new_event_loop()

    async def begin() -> hn.LiveRun:
        run = hn.HermesAgentLoop(server, journal=folder / "run.jsonl").start("?")
        await server.asked.wait()
        return run

    run = loop.run_until_complete(begin())
    for task in asyncio.all_tasks(loop):
        task._log_destroy_pending = False
    loop.close()
    return run


def test_waiting_for_a_run_whose_event_loop_was_closed_ends(tmp_path: Path) -> None:
    run = left_on_a_closed_loop(Silent(), tmp_path)
    run.stop()
    for _ in range(2):
        with pytest.raises(asyncio.CancelledError):
            run.wait()
    assert (run.done, run.status) == (True, "interrupted")
    assert journal.load(tmp_path / "run.jsonl").stop_reason == "interrupted"
    with pytest.raises(hn.HermesError, match="over"):
        run.steer("More.")


async def test_awaiting_a_run_whose_event_loop_was_closed_ends(tmp_path: Path) -> None:
    run = await asyncio.to_thread(left_on_a_closed_loop, Silent(), tmp_path)
    with pytest.raises(asyncio.CancelledError):
        await run
    assert run.status == "interrupted"
