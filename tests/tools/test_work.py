"""A tool at work: whose timeout it was, whether it blocked the event loop, and what becomes of it if it never ends."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Generator
from typing import Any

import pytest

from hermes_nb import AgentResult, HermesAgentLoop, ScriptedServer, Toolbox
from hermes_nb.clocks import StillClock
from hermes_nb.records import ToolCall, ToolResult
from hermes_nb.servers import call
from hermes_nb.tools import Tool, ToolContext
from hermes_nb.tools.dispatch import Setting, answer
from hermes_nb.tools.watch import begun as first_step
from tests.leaks import no_leaks

SOON = 20.0
"""Seconds after which a test that hangs fails instead."""


def setting(*tools: Any, **more: Any) -> Setting:
    return Setting(toolbox=Toolbox(tools), now=StillClock().seconds, **more)


async def answered(name: str, how: Setting, **more: Any) -> ToolResult:
    return await asyncio.wait_for(answer(ToolCall(name=name), how, **more), SOON)


async def ran(function: Any, **more: Any) -> ToolResult:
    """The result of a call of `function` as a tool."""
    one = function if isinstance(function, Tool) else Tool(function)
    return await answered(one.name, setting(one, **more))


def named(function: Any) -> Tool:
    return Tool(function, name="tool")


# --- whose timeout


def raises_in_a_thread() -> None:
    raise TimeoutError("the database is slow")


async def raises_on_the_loop() -> None:
    raise asyncio.TimeoutError("the database is slow")  # noqa: UP041 - as older code spells it


async def has_a_timeout_of_its_own() -> None:
    async with asyncio.timeout(0.01):
        await asyncio.Event().wait()


async def waits_for_something_of_its_own() -> None:
    await asyncio.wait_for(asyncio.Event().wait(), 0.01)


def waits_in_a_thread() -> None:
    asyncio.run(has_a_timeout_of_its_own())


OWN = [raises_in_a_thread, raises_on_the_loop, has_a_timeout_of_its_own, waits_for_something_of_its_own]


@pytest.mark.parametrize("fail", [*OWN, waits_in_a_thread])
@pytest.mark.parametrize("limit", [None, SOON])
async def test_F27_F28_a_tools_own_timeout_error_is_not_taken_for_ours(fail: Any, limit: float | None) -> None:
    async with no_leaks():
        result = await ran(fail, timeout=limit)
    assert result.error is not None
    assert (result.error.kind, result.error.fault) == ("exception", "environment")
    assert result.error.exception_type == "TimeoutError"
    assert not result.synthesised


async def test_F27_a_timeout_error_that_a_tool_raises_at_the_very_moment_is_its_own() -> None:
    async def too_late_anyway() -> None:
        time.sleep(0.1)  # noqa: ASYNC251 - so that our time is over when it raises
        raise TimeoutError("its own")

    result = await ran(too_late_anyway, timeout=0.05)
    assert (result.status, result.error and result.error.error) == ("exception", "TimeoutError: its own")


async def test_F27_what_a_tool_makes_of_our_cancel_is_our_timeout_all_the_same() -> None:
    async def translate() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise TimeoutError("its own") from None

    result = await ran(translate, timeout=0.02)
    assert (result.status, result.error and result.error.error) == ("timeout", "timed out after 0.02 s")


async def test_F27_an_async_tool_that_hangs_is_cancelled_and_the_run_goes_on() -> None:
    looked: list[bool] = []

    async def hang(context: ToolContext) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            looked.append(context.cancelled)

    async with no_leaks():
        loop = HermesAgentLoop(ScriptedServer([call("hang"), "done"]), [hang], tool_timeout=0.05)
        result = await asyncio.wait_for(loop.run("?"), SOON)

    assert [(one.status, one.content) for one in result.results] == [("timeout", '{"error":"timed out after 0.05 s"}')]
    assert (result.stop_reason, result.abandoned, looked) == ("finished", (), [True])


async def test_F28_a_sync_tool_that_hangs_is_named_and_the_next_tools_run() -> None:
    looked, end = threading.Event(), threading.Event()

    def hang(context: ToolContext) -> None:
        context.given_up.wait(SOON)
        if context.cancelled:
            looked.set()
        end.wait(SOON)

    def add(a: int, b: int) -> int:
        return a + b

    async with no_leaks():
        script = ScriptedServer([call("hang"), [call("add", a=1, b=2), call("add", a=3, b=4)], "done"])
        async with no_leaks(abandoned=1):
            loop = HermesAgentLoop(script, [hang, add], tool_timeout=0.2)
            result = await asyncio.wait_for(loop.run("?"), SOON)
            assert await asyncio.to_thread(looked.wait, SOON)
        end.set()

    assert [one.status for one in result.results] == ["timeout", "ok", "ok"]
    assert [one.content for one in result.results][1:] == ["3", "7"]
    assert (result.stop_reason, result.abandoned) == ("finished", ("hang",))


# --- blocking


async def test_F30_a_sync_tool_may_start_an_event_loop() -> None:
    def start() -> str:
        async def inner() -> str:
            await asyncio.sleep(0)
            return "from a loop of its own"

        return asyncio.run(inner())

    async with no_leaks():
        assert (await ran(start)).content == "from a loop of its own"


async def test_F30_an_async_tool_that_blocks_the_event_loop_is_warned_of_once_a_run_and_the_run_goes_on() -> None:
    async def block() -> str:
        await asyncio.sleep(0)
        time.sleep(0.1)  # noqa: ASYNC251 - this is the mistake
        return "done"

    async with no_leaks():
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            for _ in range(2):
                how = setting(block, hold_up=0.05)
                results = [await answered("block", how) for _ in range(3)]

    assert [result.content for result in results] == ["done"] * 3
    assert len(told) == 2
    assert told[0].category is RuntimeWarning
    assert str(told[0].message).startswith("the tool 'block' blocked the event loop for 0.1 s")
    assert "`def` in place of `async def`" in str(told[0].message)


def test_F30_the_warning_is_seen_in_the_open_and_is_none_of_the_tools_prints() -> None:
    script = """
import asyncio, time
import hermes_nb as hn
from hermes_nb.servers.scripted import call

async def block():
    time.sleep(1.1)
    return "done"

loop = hn.HermesAgentLoop(hn.ScriptedServer([[call("block"), call("block")], "done"]), [block])
print([(one.content, one.printed) for one in loop.run_sync("?").results])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.returncode) == ("[('done', ''), ('done', '')]\n", 0)
    assert done.stderr.count("RuntimeWarning: the tool 'block' blocked the event loop for 1.") == 1


async def test_F30_of_two_tools_in_progress_the_one_that_blocked_is_named() -> None:
    both, done = asyncio.Event(), asyncio.Event()

    async def innocent() -> None:
        both.set()
        await done.wait()
        await asyncio.sleep(0)

    async def guilty() -> None:
        await both.wait()
        time.sleep(0.7)  # noqa: ASYNC251
        done.set()

    how = setting(innocent, guilty, hold_up=0.5)
    with pytest.warns(RuntimeWarning, match="the tool 'guilty' blocked the event loop") as told:
        await asyncio.gather(answered("innocent", how), answered("guilty", how))
    assert len(told) == 1


@pytest.mark.parametrize("where", ["at its beginning", "between", "cleaning up", "in what a sync tool gave to await"])
async def test_F30_it_does_not_matter_where_a_tool_blocks(where: str) -> None:
    async def block() -> None:
        if where == "at its beginning":
            time.sleep(0.1)  # noqa: ASYNC251
        await asyncio.sleep(0)
        if where != "cleaning up":
            time.sleep(0.1)  # noqa: ASYNC251
        try:
            await asyncio.Event().wait()
        finally:
            time.sleep(0.1)  # noqa: ASYNC251

    def begin() -> Any:
        return block()

    one = named(begin if where.startswith("in what") else block)
    async with no_leaks():
        with pytest.warns(RuntimeWarning, match="the tool 'tool' blocked"):
            result = await ran(one, timeout=0.3, hold_up=0.05)
    assert result.status == "timeout"


async def test_F30_a_tool_that_waits_for_long_blocks_nobody() -> None:
    async def wait() -> str:
        await asyncio.sleep(0.3)
        return "done"

    assert (await ran(wait, hold_up=0.25)).content == "done"


class Steps:
    """Something to await that is no coroutine."""

    def __init__(self, wanted: asyncio.Future[str]) -> None:
        self.wanted = wanted

    def __await__(self) -> Generator[Any, None, str]:
        return (yield from self.wanted)


async def watched(one: Any) -> Any:
    """What it gives, awaited under watch."""
    value, rest = first_step(one, 1000, print)
    return value if rest is None else await rest


@pytest.mark.parametrize("kind", ["coroutine", "future", "other"])
async def test_what_is_watched_gets_and_gives_what_it_would_unwatched(kind: str) -> None:
    wanted: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(wanted.set_result, "given")

    async def coroutine() -> str:
        return await wanted

    ways: dict[str, Callable[[], Any]] = {
        "coroutine": coroutine,
        "future": lambda: wanted,
        "other": lambda: Steps(wanted),
    }
    assert await watched(ways[kind]()) == "given"


def test_whatever_is_thrown_at_what_is_watched_reaches_it_and_so_does_its_end() -> None:
    told: list[str] = []

    async def wait() -> str:
        while True:
            try:
                await asyncio.sleep(0)
            except ValueError as error:
                return str(error)
            finally:
                told.append("over")

    watching = watched(wait())
    watching.send(None)
    with pytest.raises(StopIteration, match="thrown"):
        watching.throw(ValueError("thrown"))
    unfinished = wait()
    watching = watched(unfinished)
    watching.send(None)
    watching.close()
    assert inspect.getcoroutinestate(unfinished) == inspect.CORO_CLOSED
    assert told == ["over", "over"]


# --- what does not end


async def ended_at(reason: str, stubborn: Tool, begun: asyncio.Event, logged: Callable[[], list[str]]) -> AgentResult:
    """The result of a run whose tool does not end at its timeout, or when the run is interrupted."""
    loop = HermesAgentLoop(
        ScriptedServer([call(stubborn.name), "done"]), [stubborn], tool_timeout=0.05 if reason == "timeout" else None
    )
    running = asyncio.create_task(loop.run("?"))
    await begun.wait()
    if reason == "interrupt":
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(asyncio.shield(running), SOON)
    else:
        await asyncio.wait_for(running, SOON)
    assert loop.last_result is not None
    assert len([line for line in logged() if "left behind" in line]) == (1 if loop.last_result.abandoned else 0)
    return loop.last_result


@pytest.mark.parametrize("reason", ["timeout", "interrupt"])
@pytest.mark.parametrize("kind", ["once", "for ever", "cleaning up"])
async def test_F36_a_tool_that_swallows_its_cancel_is_left_behind_named_and_told_of_once(
    reason: str, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    begun, end = asyncio.Event(), asyncio.Event()

    async def stubborn() -> str:
        begun.set()
        if kind == "cleaning up":
            try:
                await asyncio.Event().wait()
            finally:
                await end.wait()
        while not end.is_set():
            if kind == "once":
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.Event().wait()
                await end.wait()
            with contextlib.suppress(asyncio.CancelledError):
                await end.wait()
        return "too late"

    async with no_leaks():
        result = await ended_at(reason, Tool(stubborn), begun, lambda: caplog.messages)
        end.set()

    assert result.abandoned == ("stubborn",)
    assert result.stop_reason == ("finished" if reason == "timeout" else "interrupted")
    assert [one.status for one in result.results] == ["timeout" if reason == "timeout" else "cancelled"]


async def test_F36_a_tool_that_blocks_when_it_cleans_up_is_waited_for_there_being_no_other_way() -> None:
    async def slow() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            time.sleep(0.2)  # noqa: ASYNC251

    left: list[str] = []
    async with no_leaks():
        result = await answered("slow", setting(slow, timeout=0.05, grace=0.1), abandoned=left.append)
    assert (result.status, left) == ("timeout", [])


def test_F36_asyncio_run_ends_though_a_tool_never_does() -> None:
    script = """
import asyncio
import hermes_nb as hn
from hermes_nb.servers.scripted import call

async def stubborn():
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            pass

loop = hn.HermesAgentLoop(hn.ScriptedServer([call("stubborn"), "done"]), [stubborn], tool_timeout=0.1)
result = asyncio.run(loop.run("?"))
print(result.stop_reason, result.abandoned)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.returncode) == ("finished ('stubborn',)\n", 0)
    assert done.stderr == "left behind, for they would not stop: stubborn\n"
