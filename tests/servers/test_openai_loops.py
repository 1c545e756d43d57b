"""One OpenAIServer, many event loops, many requests."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from hermes_nb.exceptions import ConfigurationError, WrongLoopError
from hermes_nb.servers import OpenAIServer, ScriptedServer


@pytest.fixture
def elsewhere() -> Iterator[str]:
    """The base_url of a scripted server on an event loop of another thread: it answers whatever this thread does."""
    ready: list[Any] = []
    started = threading.Event()

    async def serve() -> None:
        over = asyncio.Event()
        async with ScriptedServer(lambda messages: messages[-1]["content"]).serve() as base_url:
            ready.extend([base_url, asyncio.get_running_loop(), over])
            started.set()
            await over.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    started.wait()
    base_url, loop, over = ready
    yield base_url
    loop.call_soon_threadsafe(over.set)
    thread.join()


def test_one_server_works_with_asyncio_run_twice(elsewhere: str) -> None:
    server = OpenAIServer("m", base_url=elsewhere)

    assert [asyncio.run(server.ask(text)).text for text in ("one", "two")] == ["one", "two"]
    assert server._account.clients == {}


def test_one_server_works_on_several_loops_at_once(elsewhere: str) -> None:
    server = OpenAIServer("m", base_url=elsewhere)
    met = threading.Barrier(3)
    said: list[str] = []

    async def several() -> None:
        said.append((await server.ask("before")).text)
        await asyncio.to_thread(met.wait)
        said.append((await server.ask("after")).text)

    threads = [threading.Thread(target=asyncio.run, args=(several(),)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(said) == ["after"] * 3 + ["before"] * 3
    assert server._account.clients == {}


def test_a_loop_that_was_closed_by_hand_is_forgotten(elsewhere: str) -> None:
    server = OpenAIServer("m", base_url=elsewhere)
    loop = asyncio.new_event_loop()
    loop.run_until_complete(server.ask("one"))
    kept = server._account.clients[loop]
    loop.run_until_complete(kept.holder.aclose())
    server._account.clients[loop] = kept
    loop.close()

    asyncio.run(server.ask("two"))

    assert server._account.clients == {}


SCRIPT = """
    import asyncio, gc, weakref
    from hermes_nb.servers import OpenAIServer

    server = OpenAIServer("m", base_url={base_url!r}, aiohttp={aiohttp})
    loops = []

    async def main():
        loops.append(weakref.ref(asyncio.get_running_loop()))
        replies = await asyncio.gather(*(server.ask(str(number)) for number in range(5)))
        assert [reply.text for reply in replies] == list("01234")

    asyncio.run(main())
    asyncio.run(main())
    del main
    gc.collect()
    assert [loop() for loop in loops] == [None, None], loops
"""


LOCAL = """
    import asyncio
    from hermes_nb.servers import OpenAIServer

    async def main():
        return await OpenAIServer("m", base_url={base_url!r}, aiohttp={aiohttp}).ask("one")

    assert asyncio.run(main()).text == "one"
"""


@pytest.mark.parametrize("aiohttp", [False, True])
@pytest.mark.parametrize("source", [SCRIPT, LOCAL], ids=["two loops", "a server that goes with its loop"])
def test_asyncio_runs_leave_no_socket_and_no_loop_behind(elsewhere: str, source: str, aiohttp: bool) -> None:
    script = textwrap.dedent(source.format(base_url=elsewhere, aiohttp=aiohttp))
    command = [sys.executable, "-W", "error::ResourceWarning", "-c", script]

    ended = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (ended.returncode, ended.stderr) == (0, "")


async def test_a_closed_server_opens_again_when_it_is_used(connect) -> None:
    async with connect(["one", "two"]) as (_, server):
        await server.ask("Hi")
        await server.close()
        assert server._account.clients == {}
        assert (await server.ask("Hi")).text == "two"


async def test_closing_what_was_never_opened_does_nothing() -> None:
    await OpenAIServer("m").close()


async def test_a_client_that_was_passed_in_is_used_and_left_open() -> None:
    scripted = ScriptedServer(["one", "two"])
    async with scripted.serve() as base_url, openai.AsyncOpenAI(base_url=base_url, api_key="mine") as client:
        server = OpenAIServer("m", client=client)
        assert (await server.ask("Hi")).text == "one"
        await server.close()
        assert (await server.ask("Hi")).text == "two"
        assert server.base_url == base_url

    assert scripted.requests[0].headers["authorization"] == "Bearer mine"


async def test_a_client_that_looks_into_the_body_is_given_it() -> None:
    scripted = ScriptedServer(["one"])

    class Looking(openai.AsyncOpenAI):
        """As Azure's client does."""

        def _build_request(self, options: Any, **more: Any) -> Any:
            options.headers = {"x-saw": options.json_data["model"]}
            return super()._build_request(options, **more)

    async with scripted.serve() as base_url, Looking(base_url=base_url, api_key="mine") as client:
        await OpenAIServer("m", client=client).ask("Hi")

    assert scripted.requests[0].headers["x-saw"] == "m"


async def test_a_client_that_was_passed_in_belongs_to_the_loop_that_used_it_first(elsewhere: str) -> None:
    async with openai.AsyncOpenAI(base_url=elsewhere, api_key="mine") as client:
        server = OpenAIServer("m", client=client)
        await server.ask("here")

        with pytest.raises(WrongLoopError, match="in place of client="):
            await asyncio.to_thread(lambda: asyncio.run(server.ask("there")))


async def test_a_client_and_settings_of_our_own_are_refused_together() -> None:
    async with openai.AsyncOpenAI(base_url="http://localhost/v1", api_key="mine") as client:
        with pytest.raises(ConfigurationError, match="set them there"):
            OpenAIServer("m", client=client, base_url="http://localhost:8000/v1")


async def test_two_hundred_requests_at_once_are_all_answered(connect) -> None:
    async with connect(lambda messages: messages[-1]["content"]) as (scripted, server):
        replies = await asyncio.gather(*(server.ask(str(number)) for number in range(200)))

    assert [reply.text for reply in replies] == [str(number) for number in range(200)]
    assert len(scripted.requests) == 200


async def test_the_aiohttp_transport_sends_and_retries_alike(connect) -> None:
    from hermes_nb.servers import Scripted

    refused = Scripted(status=500, headers={"retry-after-ms": "1"})
    async with connect([refused, "Hello"], aiohttp=True) as (_, server):
        reply = await server.ask("Hi")

    assert (reply.text, reply.retries, reply.request_id) == ("Hello", 1, "req_2")


WITHOUT = """
    import asyncio, sys
    sys.modules["aiohttp"] = None
    from hermes_nb.exceptions import MissingDependency
    from hermes_nb.servers import OpenAIServer
    try:
        asyncio.run(OpenAIServer("m", base_url="http://localhost:1/v1", aiohttp=True).ask("Hi"))
    except MissingDependency as error:
        assert "hermes_nb[fast]" in str(error)
    else:
        raise SystemExit("no error")
"""


def test_the_aiohttp_transport_without_its_package_names_the_shelf() -> None:
    command = [sys.executable, "-c", textwrap.dedent(WITHOUT)]

    ended = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (ended.returncode, ended.stderr) == (0, "")


async def test_a_server_that_is_dropped_while_its_loop_goes_on_closes_its_client() -> None:
    async with ScriptedServer(["hi"]).serve() as base_url:
        server = OpenAIServer("m", base_url=base_url)
        await server.ask("?")
        client = next(iter(server._account.clients.values()))[0]
        del server
        gc.collect()
        async with asyncio.timeout(20):
            while not client.is_closed():  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.01)
