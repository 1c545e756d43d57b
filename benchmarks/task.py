"""The task every system is given: two small tools, and a prompt that tells the stub server what to answer.

Only the standard library is imported here: each peer reads this in an environment of its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

STREAMED = "chunks="
"""In a prompt: the answers are to be streamed, in so many chunks."""

SYSTEM = "You are a careful assistant. Use the tools."


@dataclass(frozen=True)
class Scenario:
    """So many loops at once, each of so many turns, all but the last of which make so many calls; with `chunks`, every
    answer is text, streamed in so many of them.

    `wait_ms` is the server's latency, `pause` how long a tool blocks (seconds), `times` how often one process repeats
    the whole: its best counts, as the one that was disturbed least.
    """

    turns: int
    calls: int
    loops: int = 1
    wait_ms: int = 0
    pause: float = 0.0
    times: int = 1
    chunks: int = 0

    @property
    def prompt(self) -> str:
        """What the user says; the stub server reads its script here."""
        plan = f"turns={self.turns} calls={self.calls} wait={self.wait_ms}ms"
        if self.chunks:
            plan += f" {STREAMED}{self.chunks}"
        return f"Call the tools as often as you need, then say that you are done. ({plan})"

    @property
    def ideal(self) -> float:
        """Seconds it takes where nothing costs anything but the waiting, and what can wait together does."""
        return self.turns * self.wait_ms / 1000 + (self.turns - 1) * self.pause

    def warm_up(self) -> Scenario:
        """The same kind of work, short: for connections, lazy imports and caches."""
        return replace(self, turns=min(self.turns, 3), loops=1, wait_ms=0, pause=0.0)


@dataclass
class Pace:
    """What the tools do besides answering: block for `pause` seconds, and note the process's CPU time in `beats`."""

    pause: float = 0.0
    beats: list[float] | None = None

    def keep(self) -> None:
        """Do it."""
        if self.pause:
            time.sleep(self.pause)
        if self.beats is not None:
            self.beats.append(time.process_time())


PACE = Pace()


def add(a: int, b: int) -> int:
    """Add two whole numbers.

    Args:
        a: the first
        b: the second
    """
    PACE.keep()
    return a + b


def echo(text: str) -> str:
    """Give the text back.

    Args:
        text: the text
    """
    PACE.keep()
    return text


TOOLS: dict[str, Callable[..., Any]] = {"add": add, "echo": echo}


def _schema(name: str, description: str, **properties: Any) -> dict[str, Any]:
    parameters = {"type": "object", "properties": properties, "required": list(properties)}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}


SCHEMAS = [
    _schema(
        "add",
        "Add two whole numbers.",
        a={"type": "integer", "description": "the first"},
        b={"type": "integer", "description": "the second"},
    ),
    _schema("echo", "Give the text back.", text={"type": "string", "description": "the text"}),
]
