from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import threading
import weakref
from contextvars import ContextVar
from typing import Any

import pytest

from hermes_nb.tools.threads import Failure, Pool, Value, shared_pool

SOON = 20.0
"""Seconds after which a test that hangs fails instead."""

where: ContextVar[str] = ContextVar("where", default="nowhere")


async def given(pool: Pool, function: Any) -> Any:
    return await asyncio.wait_for(pool.call(function).outcome(), SOON)


def raise_(error: BaseException) -> Any:
    raise error


def threads_of_tools() -> int:
    return sum(thread.name == "hermes_nb tool" for thread in threading.enumerate())


async def until(true: Any) -> None:
    async with asyncio.timeout(SOON):
        while not true():  # noqa: ASYNC110 - a thread's end tells no event loop
            await asyncio.sleep(0.005)


async def test_work_runs_in_a_daemon_thread_of_its_own() -> None:
    outcome = await given(Pool(), threading.current_thread)
    assert outcome.value is not threading.current_thread()
    assert outcome.value.daemon


async def test_what_the_work_returns_comes_back_as_a_value() -> None:
    assert await given(Pool(), lambda: 5) == Value(5)


@pytest.mark.parametrize("kind", [ValueError, SystemExit, KeyboardInterrupt, GeneratorExit, asyncio.CancelledError])
async def test_whatever_the_work_raises_comes_back_as_a_failure(kind: type[BaseException]) -> None:
    error = kind("no")
    assert await given(Pool(), lambda: raise_(error)) == Failure(error)


async def test_L16_work_that_raises_system_exit_leaves_its_thread_alive() -> None:
    pool = Pool()
    assert isinstance((await given(pool, sys.exit)).error, SystemExit)
    assert await given(pool, lambda: "still here") == Value("still here")


async def test_L17_work_that_raises_stop_iteration_does_not_hang_the_await() -> None:
    outcome = await given(Pool(), lambda: next(iter(())))
    assert isinstance(outcome.error, StopIteration)


async def test_L23_context_variables_travel_into_the_thread_and_what_is_set_there_stays_there() -> None:
    where.set("here")

    def look() -> str:
        seen = where.get()
        where.set("in the thread")
        return seen

    assert await given(Pool(), look) == Value("here")
    assert where.get() == "here"


async def test_a_thread_that_is_free_is_used_again() -> None:
    pool = Pool()
    names = {(await given(pool, threading.get_ident)).value for _ in range(20)}
    assert len(names) == 1


async def test_a_thread_ends_when_it_has_been_idle() -> None:
    pool = Pool(idle_seconds=0.01)
    thread = (await given(pool, threading.current_thread)).value
    thread.join(SOON)
    assert not thread.is_alive()
    assert repr(pool) == "Pool(0 of 256 threads, 0 abandoned)"


async def test_work_goes_on_when_idle_threads_end_at_the_same_moment() -> None:
    pool = Pool(limit=2, idle_seconds=0.0)
    outcomes = [await given(pool, lambda number=number: number) for number in range(300)]
    assert outcomes == [Value(number) for number in range(300)]


async def test_no_more_than_the_limit_runs_at_once_and_the_rest_waits_its_turn() -> None:
    pool, lock, running, most = Pool(limit=3), threading.Lock(), 0, 0
    three = threading.Barrier(3)

    def count() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        three.wait(SOON)
        with lock:
            running -= 1

    await asyncio.gather(*(given(pool, count) for _ in range(12)))
    assert most == 3


async def test_waiting_work_begins_in_the_order_it_was_given() -> None:
    pool, order = Pool(limit=1), []
    await asyncio.gather(*(given(pool, lambda number=number: order.append(number)) for number in range(10)))
    assert order == list(range(10))


async def test_abandoned_work_runs_on_and_its_place_is_free() -> None:
    pool, end = Pool(limit=1), threading.Event()
    hung = pool.call(lambda: end.wait(SOON))
    following = pool.call(lambda: "next")
    await until(lambda: hung.begun)
    assert hung.abandon()
    assert pool.abandoned == 1
    assert await asyncio.wait_for(following.outcome(), SOON) == Value("next")
    end.set()
    await until(lambda: pool.abandoned == 0)


async def test_abandoning_twice_counts_once() -> None:
    pool, end = Pool(), threading.Event()
    hung = pool.call(lambda: end.wait(SOON))
    await until(lambda: hung.begun)
    assert [hung.abandon(), hung.abandon(), pool.abandoned] == [True, False, 1]
    end.set()
    await until(lambda: pool.abandoned == 0)


async def test_work_that_is_abandoned_before_it_begins_never_begins() -> None:
    pool, end, begun = Pool(limit=1), threading.Event(), []
    first = pool.call(lambda: end.wait(SOON))
    waiting = pool.call(lambda: begun.append(True))
    assert not waiting.abandon()
    end.set()
    await asyncio.wait_for(first.outcome(), SOON)
    await given(pool, lambda: None)
    assert begun == []


async def test_work_that_its_thread_has_not_come_to_is_not_left_behind() -> None:
    come, begun = threading.Event(), []

    class Slow(Pool):
        def _begins(self, ticket: Any) -> bool:
            come.wait(SOON)
            return super()._begins(ticket)

    pool = Slow()
    assert not pool.call(lambda: begun.append(True)).abandon()
    come.set()
    await until(lambda: pool.abandoned == 0)
    assert begun == []


async def test_work_that_has_ended_is_not_abandoned() -> None:
    pool = Pool()
    ticket = pool.call(lambda: 1)
    await asyncio.wait_for(ticket.outcome(), SOON)
    assert not ticket.abandon()
    assert pool.abandoned == 0


async def test_F28_when_too_many_were_abandoned_new_work_is_refused_with_their_number() -> None:
    pool, end = Pool(max_abandoned=2), threading.Event()
    for _ in range(2):
        pool.call(lambda: end.wait(SOON)).abandon()
    with pytest.raises(OSError, match="2 earlier tool calls were given up"):
        pool.call(lambda: 1)
    end.set()
    await until(lambda: pool.abandoned == 0)
    assert await given(pool, lambda: 1) == Value(1)


async def test_L13_work_that_waits_for_work_of_its_own_is_never_in_its_own_way() -> None:
    pool = Pool(limit=2)

    def outer() -> int:
        async def inner() -> int:
            outcomes = [await pool.call(lambda: 1).outcome() for _ in range(2)]
            return sum(outcome.value for outcome in outcomes if isinstance(outcome, Value))

        return asyncio.run(inner())

    outcomes = await asyncio.gather(*(given(pool, outer) for _ in range(40)))
    assert outcomes == [Value(2)] * 40


async def test_work_done_beside_a_full_pool_leaves_no_more_threads_than_the_limit() -> None:
    pool = Pool(limit=1)

    def outer() -> None:
        async def inner() -> None:
            await asyncio.gather(*(pool.call(lambda: None).outcome() for _ in range(5)))

        asyncio.run(inner())

    await given(pool, outer)
    await until(lambda: repr(pool) == "Pool(1 of 1 threads, 0 abandoned)")


async def test_a_pool_keeps_no_reference_to_work_that_is_done() -> None:
    class Result:
        pass

    pool = Pool()
    for _ in range(2):  # By a new thread, and by one that is used again.
        ticket = pool.call(Result)
        outcome = await asyncio.wait_for(ticket.outcome(), SOON)
        assert isinstance(outcome, Value)
        kept = weakref.WeakSet([outcome.value])
        del outcome, ticket
        gc.collect()
        await until(lambda kept=kept: not kept)


async def test_a_failure_keeps_its_ticket_out_of_its_traceback() -> None:
    error = (await given(Pool(), lambda: raise_(ValueError("no")))).error
    names = []
    trace = error.__traceback__
    while trace:
        names.append(trace.tb_frame.f_code.co_name)
        trace = trace.tb_next
    assert names == ["<lambda>", "raise_"]


def test_work_that_outlives_its_loop_troubles_nobody() -> None:
    pool, end, ended = Pool(), threading.Event(), threading.Event()

    def work() -> None:
        end.wait(SOON)
        ended.set()

    async def leave() -> None:
        pool.call(work)

    asyncio.run(leave())
    end.set()
    assert ended.wait(SOON)
    assert asyncio.run(given(pool, lambda: "still here")) == Value("still here")


async def test_the_pool_is_one_for_the_process() -> None:
    assert shared_pool() is shared_pool()
    assert shared_pool().limit == 256


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
def test_a_forked_child_has_a_pool_of_its_own() -> None:
    code = """
import asyncio, os
from hermes_nb.tools.threads import shared_pool
async def one():
    return await shared_pool().call(os.getpid).outcome()
asyncio.run(one())
child = os.fork()
if child == 0:
    os._exit(0 if asyncio.run(one()).value == os.getpid() else 1)
raise SystemExit(os.waitpid(child, 0)[1])
"""
    assert subprocess.run([sys.executable, "-c", code], timeout=SOON, check=False).returncode == 0


def test_L13_a_process_ends_though_a_thread_of_the_pool_hangs() -> None:
    code = """
import asyncio, threading
from hermes_nb.tools.threads import Pool
async def main():
    Pool().call(threading.Event().wait)
asyncio.run(main())
"""
    assert subprocess.run([sys.executable, "-c", code], timeout=SOON, check=False).returncode == 0


async def test_two_hundred_pieces_of_work_at_once_all_come_back() -> None:
    pool = Pool(idle_seconds=0.05)
    all_here = threading.Barrier(200)
    outcomes = await asyncio.gather(*(given(pool, lambda: all_here.wait(SOON) >= 0) for _ in range(200)))
    assert outcomes == [Value(True)] * 200


async def test_a_ticket_and_a_pool_have_a_one_line_repr() -> None:
    pool = Pool()
    ticket = pool.call(lambda: None)
    await asyncio.wait_for(ticket.outcome(), SOON)
    assert repr(ticket) == "Ticket(ended)"
    assert repr(pool) == "Pool(1 of 256 threads, 0 abandoned)"


async def test_quick_work_shares_a_thread_and_work_behind_a_slow_one_gets_its_own() -> None:
    pool, released, ran = Pool(), threading.Event(), threading.Event()
    first = pool.call(lambda: (released.wait(SOON), threading.get_ident())[1])
    second = pool.call(lambda: (ran.set(), threading.get_ident())[1])
    released.set()
    assert ran.wait(SOON)  # On this thread, so the event loop had no moment to see that it waits.
    one, two = await first.outcome(), await second.outcome()
    assert one == two

    blocked = threading.Event()
    slow = pool.call(lambda: blocked.wait(SOON))
    try:
        assert await given(pool, threading.get_ident) != one
    finally:
        blocked.set()
    assert await slow.outcome() == Value(True)


async def test_work_that_waited_for_a_thread_is_told_that_the_system_gives_no_more() -> None:
    pool, blocked = Pool(), threading.Event()
    slow = pool.call(lambda: blocked.wait(SOON))
    before = threading.stack_size(1 << 47)  # More than there are addresses.
    try:
        outcome = await given(pool, threading.get_ident)
    finally:
        threading.stack_size(before)
        blocked.set()
    assert isinstance(outcome.error, OSError)
    assert "the system gives no more threads" in str(outcome.error)
    assert await slow.outcome() == Value(True)
    assert await given(pool, lambda: 5) == Value(5)
