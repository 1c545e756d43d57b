"""What the tests of cassettes share: a tool, a loop that records, a loop that plays, and how two runs are compared."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from hermes_nb import AgentResult, HermesAgentLoop, ScriptedServer, views
from hermes_nb.events import CallFinished, Delta, Event, RunStarted
from hermes_nb.servers.cassette import Cassette
from hermes_nb.servers.scripted import call

QUESTION = "What is 2 + 3?"
SUMS = [call("add", a=2, b=3), call("add", a=1, b=1)]


def add(a: int, b: int) -> int:
    """Add two whole numbers."""
    return a + b


def sums() -> ScriptedServer:
    """A server that has two sums added, and then gives the answer."""
    return ScriptedServer([SUMS, "It is 5, and 2."])


def echo() -> ScriptedServer:
    """A server that has one sum added, of the numbers it was asked for, and answers with what came of it."""

    def said(messages: list[dict[str, Any]]) -> Any:
        last = messages[-1]
        if last["role"] == "tool":
            return f"It is {last['content']}."
        one, other = (int(word) for word in last["content"].split())
        return call("add", a=one, b=other)

    return ScriptedServer(said)


async def record(
    path: Path, server: Any, asked: Any = QUESTION, tools: Iterable[Any] = (add,), **how: Any
) -> AgentResult:
    """A run that is recorded in the cassette."""
    return await HermesAgentLoop(None, list(tools), cassette=Cassette(path, server, mode="record")).run(asked, **how)


def player(path: Path, tools: Iterable[Any] = (add,), **how: Any) -> HermesAgentLoop:
    """A loop that has nothing but the cassette."""
    return HermesAgentLoop(None, list(tools), cassette=Cassette(path), **how)


async def play(path: Path, asked: Any = QUESTION, tools: Iterable[Any] = (add,), **how: Any) -> AgentResult:
    """The run again, from the cassette alone."""
    return await player(path, tools).run(asked, **how)


def put(path: Path, content: bytes) -> Path:
    """A file with this content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def content_of(path: Path) -> bytes:
    """What is in a file."""
    return path.read_bytes()


def beside(path: Path) -> list[str]:
    """What stands in the folder of a cassette."""
    return sorted(one.name for one in path.parent.iterdir())


def in_order(events: Iterable[Event]) -> list[Event]:
    """The events of a run without what tells a played one from the recorded one: that its results were replayed, which
    calls of a turn were begun before others were over, and that RunStarted names the cassette and the code."""
    kept = sorted(map(plain, events), key=lambda one: (one.turn, one.at, type(one).__name__, index_of(one)))
    return [replace(one, seq=0) for one in kept]


def plain(event: Event) -> Event:
    if isinstance(event, CallFinished):
        return replace(event, result=replace(event.result, replayed=False, value=None))
    if isinstance(event, RunStarted):
        server = {name: value for name, value in event.server.items() if name != "cassette"}
        return replace(event, server=server, versions={})
    return event


def index_of(event: Event) -> tuple[int, int]:
    about = getattr(event, "call", None) or getattr(getattr(event, "result", None), "call", None)
    return (about.index if about else 0, event.seq if isinstance(event, Delta) else 0)


def without_marks(result: AgentResult) -> AgentResult:
    """The result as if nothing in it had been replayed."""
    turns = [
        replace(turn, results=tuple(replace(one, replayed=False, value=None) for one in turn.results))
        for turn in result.turns
    ]
    provenance = result.provenance
    assert provenance is not None
    server = {name: value for name, value in provenance.server.items() if name != "cassette"}
    return replace(
        result, turns=tuple(turns), managed_state=None, provenance=replace(provenance, server=server, versions={})
    )


def shown(result: AgentResult) -> tuple[str, str, str]:
    """The result as a notebook shows it, as text and as HTML, and with all of it opened."""
    turns = "".join(views.text(result, turn=number) for number in range(1, result.turns_used + 1))
    return views.text(result), views.html(result), turns


class Listening:
    """Keeps the events it is told of."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def __call__(self, event: Event) -> None:
        self.events.append(event)


Check = Callable[[AgentResult], None]
