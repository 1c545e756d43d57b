"""How fast a server object asks: limits shared by every run that uses it, on all its event loops."""

from __future__ import annotations

import asyncio
import copy
import pickle
import threading
from collections.abc import Callable
from typing import Any

import pytest

from hermes_nb.clocks import SystemClock
from hermes_nb.exceptions import ConfigurationError, ServerError
from hermes_nb.loop import HermesAgentLoop
from hermes_nb.servers import OpenAIServer, Scripted, call
from hermes_nb.servers.openai.pace import Pace


async def until(true: Callable[[], bool]) -> None:
    """Let the others go on until it is true."""
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110 - it becomes true in places that have no event for it
            await asyncio.sleep(0.001)


class Crowd:
    """A script that holds every request until `go` is set, and counts how many it holds at once."""

    def __init__(self) -> None:
        self.going = self.most = 0
        self.go = asyncio.Event()

    async def __call__(self, messages: list[dict[str, Any]]) -> str:
        self.going += 1
        self.most = max(self.most, self.going)
        await self.go.wait()
        self.going -= 1
        return "Hello"


async def test_no_more_requests_are_going_on_than_max_concurrency(connect) -> None:
    crowd = Crowd()
    async with connect(crowd, max_concurrency=3) as (scripted, server):
        asked = asyncio.gather(*(server.ask("Hi") for _ in range(10)))
        await until(lambda: crowd.going == 3 and server._pace.waiting == 7)
        before = len(scripted.requests)
        crowd.go.set()
        replies = await asked

    assert (before, crowd.most, len(scripted.requests)) == (3, 3, 10)
    assert [reply.waited > 0 for reply in replies] == [False] * 3 + [True] * 7


async def test_the_limit_is_one_for_all_event_loops_and_threads(connect) -> None:
    crowd = Crowd()

    async with connect(crowd, max_concurrency=2) as (scripted, server):

        async def some() -> None:
            await asyncio.gather(*(server.ask("Hi") for _ in range(3)))
            await server.close()

        threads = [asyncio.to_thread(asyncio.run, some()) for _ in range(3)]
        ended = asyncio.gather(*threads)
        await until(lambda: crowd.going == 2 and server._pace.waiting == 7)
        crowd.go.set()
        await ended

    assert (crowd.most, len(scripted.requests)) == (2, 9)


async def test_those_who_came_first_are_served_first(connect) -> None:
    async with connect(lambda messages: messages[0]["content"], max_concurrency=1) as (scripted, server):
        await asyncio.gather(*(server.ask(str(number)) for number in range(8)))

    assert [request["messages"][0]["content"] for request in scripted.requests] == list("01234567")


async def test_one_who_is_cancelled_gives_up_the_place_and_the_wait_for_it(connect) -> None:
    crowd = Crowd()
    async with connect(crowd, max_concurrency=1) as (scripted, server):
        holder, waiter, last = (asyncio.ensure_future(server.ask(name)) for name in ("holds", "waits", "last"))
        await until(lambda: crowd.going == 1 and server._pace.waiting == 2)
        waiter.cancel()
        holder.cancel()
        await until(lambda: len(scripted.requests) == 2)
        crowd.go.set()
        await last

    assert [request["messages"][0]["content"] for request in scripted.requests] == ["holds", "last"]
    assert (waiter.cancelled(), server._pace.going, server._pace.waiting) == (True, 0, 0)


async def test_nobody_overtakes_one_whose_turn_it_is() -> None:
    pace = Pace(1)
    served = []

    async def serve(name: str) -> None:
        async with pace.place():
            served.append(name)

    async with pace.place():
        waits = asyncio.ensure_future(serve("waits"))
        await until(lambda: pace.waiting == 1)
    # The place is free, and the one who waits for it is told so, but does not run yet.
    comes = asyncio.ensure_future(serve("comes"))
    await asyncio.gather(waits, comes)

    assert served == ["waits", "comes"]


async def test_one_who_is_cancelled_when_it_is_their_turn_lets_the_next_one_in() -> None:
    pace = Pace(1)
    async with pace.place():
        called, following = (asyncio.ensure_future(pace._enter()) for _ in range(2))
        await until(lambda: pace.waiting == 2)
    called.cancel()
    async with asyncio.timeout(20):
        await following

    assert (called.cancelled(), pace.going, pace.waiting) == (True, 1, 0)


async def test_a_request_that_failed_gives_up_its_place(connect) -> None:
    async with connect([Scripted(status=400), "Hello"], max_concurrency=1) as (_, server):
        with pytest.raises(ServerError):
            await server.ask("Hi")

        assert (await server.ask("Hi")).text == "Hello"


async def test_a_waiter_whose_event_loop_is_over_holds_nobody_up() -> None:
    pace = Pace(1)
    kept = []

    def wait_in_a_loop_that_ends() -> None:
        loop = asyncio.new_event_loop()
        loop.set_exception_handler(lambda *_: None)
        kept.append(loop.create_task(pace._enter()))
        loop.call_soon(loop.stop)
        loop.run_forever()
        loop.close()

    async with pace.place():
        thread = threading.Thread(target=wait_in_a_loop_that_ends)
        thread.start()
        await asyncio.to_thread(thread.join)
        assert pace.waiting == 1
    async with asyncio.timeout(20), pace.place():
        assert (pace.going, pace.waiting) == (1, 0)


class Still(SystemClock):
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.at = 0.0

    def seconds(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.at += seconds

    def pace(self, at_once: int | None, per_minute: int | None) -> Pace:
        return Pace(at_once, per_minute, now=self.seconds, sleep=self.sleep)


async def test_within_any_minute_no_more_requests_begin_than_requests_per_minute() -> None:
    clock = Still()
    pace = clock.pace(None, 2)
    begun = []
    for seconds in (0.0, 10.0, 0.0, 0.0, 0.0, 300.0):
        await clock.sleep(seconds)
        async with pace.place() as place:
            begun.append((clock.at, place.waited))

    assert begun == [(0, 0), (10, 0), (60, 50), (70, 10), (120, 50), (420, 0)]


async def test_repeats_are_counted_for_the_minute() -> None:
    clock = Still()
    pace = clock.pace(None, 3)
    async with pace.place() as place:
        place.repeats = 2
    async with pace.place() as place:
        assert place.waited == 60


async def test_the_repeats_of_a_request_that_failed_are_counted_too(connect) -> None:
    clock = Still()
    soon = {"retry-after-ms": "1"}
    async with connect([Scripted(status=500, headers=soon)] * 3 + ["Hello"]) as (_, server):
        server._pace = clock.pace(None, 3)
        with pytest.raises(ServerError):
            await server.ask("Hi")

        assert (await server.ask("Hi")).waited == 60


async def test_the_repeats_of_a_streamed_request_are_counted_too(connect) -> None:
    clock = Still()
    failed = Scripted(status=500, headers={"retry-after-ms": "1"})
    async with connect([failed, failed, "Hello", "Hello"]) as (_, server):
        server._pace = clock.pace(None, 3)
        waits = []
        for _ in range(2):
            stream = server.stream(messages=[{"role": "user", "content": "Hi"}])
            assert [chunk async for chunk in stream]
            waits.append(stream.waited)

    assert waits == [0, 60]


async def test_a_stream_keeps_its_place_until_its_end(connect) -> None:
    async with connect(["Hello", "Hello"], max_concurrency=1) as (scripted, server):
        stream = server.stream(messages=[{"role": "user", "content": "Hi"}])
        await anext(stream)
        later = asyncio.ensure_future(server.ask("Hi"))
        await until(lambda: server._pace.waiting == 1)
        before = len(scripted.requests)
        await stream.aclose()
        await later

    assert (before, len(scripted.requests), server._pace.going) == (1, 2, 0)


async def test_a_request_over_the_limit_of_the_minute_is_not_sent(connect) -> None:
    async with connect(["one", "two"], requests_per_minute=2) as (scripted, server):
        asked = [asyncio.ensure_future(server.ask("Hi")) for _ in range(3)]
        await until(lambda: all(one.done() for one in asked[:2]) and server._pace.waiting == 1)
        asked[2].cancel()
        await asyncio.wait(asked)

    assert (len(scripted.requests), server._pace.waiting) == (2, 0)


def ping() -> str:
    """Answer."""
    return "pong"


async def test_the_wait_is_recorded_and_is_no_time_of_the_model(connect) -> None:
    clock = Still()
    async with connect([call("ping"), "Done"]) as (_, server):
        server._pace = clock.pace(None, 1)
        result = await HermesAgentLoop(server, tools=[ping], clock=clock).run("Hi")

    assert [turn.reply.waited for turn in result.turns] == [0, 60]
    assert [(turn.reply.seconds, turn.model_seconds, turn.seconds) for turn in result.turns] == [(0, 0, 0), (0, 0, 60)]


async def test_without_limits_nobody_waits(connect) -> None:
    crowd = Crowd()
    async with connect(crowd) as (_, server):
        asked = asyncio.gather(*(server.ask("Hi") for _ in range(20)))
        await until(lambda: crowd.going == 20)
        crowd.go.set()
        replies = await asked

    assert (server._pace, {reply.waited for reply in replies}) == (None, {0.0})


@pytest.mark.parametrize("limit", ["max_concurrency", "requests_per_minute"])
@pytest.mark.parametrize("value", [0, -1, 1.5, True, "3"])
def test_a_limit_that_is_none_is_refused(limit: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=f"{limit} is a whole number from 1 up"):
        OpenAIServer("m", **{limit: value})


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda server: pickle.loads(pickle.dumps(server))])
def test_a_copy_of_a_server_has_its_limits_and_places_of_its_own(copied: Callable[[Any], Any]) -> None:
    server = OpenAIServer("m", base_url="http://localhost:1/v1", max_concurrency=3, requests_per_minute=60)
    twin = copied(server)

    assert repr(twin._pace) == "Pace(at_once=3, per_minute=60)"
    assert twin._pace is not server._pace


RUNS, ALLOWED = 50, 5


class Strict:
    """A server that takes five requests at once, and answers all others with 429."""

    def __init__(self) -> None:
        self.going = self.refused = 0

    async def __call__(self, messages: list[dict[str, Any]]) -> Any:
        self.going += 1
        refused = self.going > ALLOWED
        await asyncio.sleep(0.001)
        self.going -= 1
        self.refused += refused
        return Scripted(status=429, headers={"retry-after-ms": "1"}) if refused else "Hello"


async def test_F05_a_storm_of_429_is_answered_with_no_more_requests_than_runs_and_their_retries(connect) -> None:
    strict = Strict()
    async with connect(strict, max_retries=2) as (scripted, server):
        loop = HermesAgentLoop(server)
        results = await asyncio.gather(*(loop.run("Hi") for _ in range(RUNS)))

    assert {result.stop_reason for result in results} <= {"finished", "server_error"}
    assert strict.refused > 0
    assert len(scripted.requests) <= RUNS * 3


async def test_F05_a_server_that_is_asked_as_it_allows_sends_no_429(connect) -> None:
    strict = Strict()
    async with connect(strict, max_retries=2, max_concurrency=ALLOWED) as (scripted, server):
        loop = HermesAgentLoop(server)
        results = await asyncio.gather(*(loop.run("Hi") for _ in range(RUNS)))

    assert {result.stop_reason for result in results} == {"finished"}
    assert (len(scripted.requests), strict.refused) == (RUNS, 0)
