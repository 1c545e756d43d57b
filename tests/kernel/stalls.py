"""What a run may be interrupted in. Each of these loops stalls its first run for a minute, and lets the second through.

A stall is code, for a cell or a script, that makes `loop` and rings `bell()` when it stalls. The model may be behind a
socket, which is then served here, in a thread of this process.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import hermes_nb as hn
from hermes_nb.servers.scripted import Scripted
from tests.kernel.driving import Bell

STALL_SECONDS = 60

SOON_SECONDS = 20
"""Machines are shared, so one second cannot be insisted on; but whoever has not ended by now has slept through it."""

Misbehave = Callable[[Bell], Awaitable[Any]]


@dataclass(frozen=True, kw_only=True)
class Stall:
    """A loop that stalls. `how` are the arguments of its runs; `model`, what a model behind a socket does first.

    Once its first run was interrupted, `answers` is how its calls were answered, `abandoned` what was left behind, and
    `done` what its tools had done; the second run does all of `whole`.
    """

    code: str
    how: str = ""
    model: Misbehave | None = None
    answers: tuple[str, ...] = ()
    abandoned: tuple[str, ...] = ()
    done: tuple[str, ...] = ()
    whole: tuple[str, ...] = ()

    @contextmanager
    def ready(self, bell: Bell, journals: str) -> Iterator[str]:
        """The code that makes the loop, while the model it may ask is there."""
        model = nullcontext("") if self.model is None else served(_script(self.model, bell))
        with model as base_url:
            names = f"base_url, journals = {base_url!r}, {journals!r}\n"
            yield bell.code + SETUP + names + self.code


def _script(misbehave: Misbehave, bell: Bell) -> Callable[[Any], Awaitable[Any]]:
    asked: list[Any] = []

    async def answer(request: Any) -> Any:
        asked.append(request)
        return await misbehave(bell) if len(asked) == 1 else "done"

    return answer


@contextmanager
def served(script: Any) -> Iterator[str]:
    """The base_url of a ScriptedServer that runs in a thread of its own."""
    serving: queue.SimpleQueue[tuple[str, asyncio.AbstractEventLoop, asyncio.Event]] = queue.SimpleQueue()

    async def serve() -> None:
        async with hn.ScriptedServer(script).serve() as base_url:
            over = asyncio.Event()
            serving.put((base_url, asyncio.get_running_loop(), over))
            await over.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    base_url, loop, over = serving.get()
    try:
        yield base_url
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()


async def silent(bell: Bell) -> str:
    """Never answer."""
    bell.ring()
    await asyncio.sleep(STALL_SECONDS)
    return "late"


async def stalled(bell: Bell) -> Scripted:
    """Answer in pieces, and stop after the first. The bell is rung by whoever gets that."""
    pieces = [b'data: {"choices": [{"index": 0, "delta": {"content": "It begins"}}]}\n\n', b"data: [DONE]\n\n"]
    return Scripted(body=pieces, headers={"content-type": "text/event-stream"}, chunk_delay=STALL_SECONDS)


async def busy(bell: Bell) -> Scripted:
    """Ask to come again in half a minute."""
    bell.ring()
    return Scripted(status=429, headers={"retry-after": "30"}, text="there are too many of you")


SETUP = f"""
import asyncio, threading, time
import hermes_nb as hn
from hermes_nb.servers.scripted import call

done, let_go, rung = [], threading.Event(), []

def add(a: int, b: int) -> int:
    "Add two whole numbers."
    done.append("add")
    return a + b

def stalling():
    "Whether to stall here: the first time only."
    done.append("went on" if "stalled" in done else "stalled")
    if done[-1] == "stalled":
        bell()
    return done[-1] == "stalled"

async def wait():
    if stalling():
        await asyncio.sleep({STALL_SECONDS})

def hang():
    if stalling():
        let_go.wait({STALL_SECONDS})

async def wait_before(call, context):
    if call.name == "tool":
        await wait()

def ring_once(event):
    if type(event).__name__ == "Delta" and not rung:
        rung.append(event)
        bell()

def reply(messages):
    if messages[-1]["role"] == "user":
        return [call("add", a=1, b=1), call("tool"), call("add", a=2, b=2)]
    return "done"

def looping(tool=lambda: "nothing", **settings):
    server = hn.ScriptedServer(reply, strict=True)
    tools = [add, hn.Tool(tool, name="tool")]
    return hn.HermesAgentLoop(server, tools=tools, max_parallel_calls=1, journal=journals, **settings)

def asking(**settings):
    server = hn.OpenAIServer("m", base_url=base_url, **settings)
    return hn.HermesAgentLoop(server, journal=journals)
"""

CAREFUL = """
async def careful() -> str:
    try:
        bell()
        await asyncio.sleep(60)
    finally:
        bell()
        await asyncio.sleep(0.5)
        done.append("cleaned up")
    return "never"

loop = looping(careful)
"""
"""A loop whose tool takes its time to clean up. It rings when it is entered, and when it begins with that."""

ANSWERED, OPEN = ("ok", "ok", "ok"), ("ok", "cancelled", "cancelled")
DONE, WHOLE = ("add", "stalled"), ("add", "went on", "add")

STALLS = {
    "a silent model": Stall(code="loop = asking()", model=silent),
    "a silent model, by aiohttp": Stall(code="loop = asking(aiohttp=True)", model=silent),
    "a stream that stalls": Stall(code="loop = asking()", how=", stream=True, on_event=ring_once", model=stalled),
    "the wait before a retry": Stall(code="loop = asking()", model=busy),
    "an async tool": Stall(code="loop = looping(wait)", answers=OPEN, done=DONE, whole=WHOLE),
    "a sync tool": Stall(code="loop = looping(hang)", answers=OPEN, abandoned=("tool",), done=DONE, whole=WHOLE),
    "before a call": Stall(code="loop = looping(before_call=wait_before)", answers=OPEN, done=DONE, whole=WHOLE),
    "between turns": Stall(
        code="loop = looping(stop_when=lambda turn: wait())", answers=ANSWERED, done=("add", "add", "stalled"),
        whole=("add", "add", "went on"),
    ),
}  # fmt: skip
"""By what stalls."""
