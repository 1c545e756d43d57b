"""What the live view costs in the kernel, and prints it as one line of JSON.

python -m benchmarks.views

`bare` tells a window the whole run anew, as updating one big trait does; `ours` tells it what a turn has changed, the
window being told after every single turn. Both are drawn, and packed as a kernel packs them.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

from jupyter_client.jsonutil import json_clean
from jupyter_client.session import Session

import hermes_nb as hn
from hermes_nb.events import Event, Fold, RunFinished
from hermes_nb.records import AgentResult
from hermes_nb.servers.scripted import call
from hermes_nb.views.run.feed import Feed

TURNS = 1000
WATCHED = 100
AGAIN = 5


class Told:
    """A run of these events, told one by one."""

    def __init__(self, events: list[Event]) -> None:
        self.folded, self.observers = Fold(), list[Any]()
        for event in events:
            self.folded.add(event)

    @property
    def result(self) -> AgentResult:
        """As far as it was told."""
        return self.folded.result()

    def observe(self, observer: Any) -> AgentResult:
        """Tell the observer what comes."""
        self.observers.append(observer)
        return self.result

    def forget(self, observer: Any) -> None:
        """Tell it no more."""

    def stop(self) -> None:
        """Not asked for here."""

    def tell(self, event: Event) -> None:
        """The next event."""
        self.folded.add(event)
        for observer in self.observers:
            observer(event)


def look(what: str) -> str:
    """Look something up."""
    return f"{what}: " + "x" * 400


async def events() -> list[Event]:
    """Those of a run of a thousand turns."""
    script = [[call("look", what=f"thing {turn}")] for turn in range(TURNS - 1)]
    loop = hn.HermesAgentLoop(hn.ScriptedServer([*script, "Done."]), tools=[look], max_turns=TURNS)
    return [event async for event in loop.events("Look.")]


async def measure(told: list[Event]) -> dict[str, Any]:
    """CPU seconds and bytes: of a whole telling, and of one turn of the last hundred."""
    turns = [index for index, event in enumerate(told) if type(event).__name__ == "TurnFinished"]
    begin, end = turns[-WATCHED - 1] + 1, turns[-1] + 1
    session, sent = Session(key=b"benchmark"), [0]

    def send(message: dict[str, Any]) -> None:
        content = json_clean({"data": {"method": "custom", "content": message}})
        sent[0] += sum(map(len, session.serialize(session.msg("comm_msg", content))))

    run = Told(told[:begin])
    feed = Feed(run)
    feed.connect(send)
    whole = min([_cpu(lambda: feed.hear({"ask": "rows"})) for _ in range(AGAIN)])
    anew = sent[0] / AGAIN
    sent[0] = 0

    def watch() -> None:
        for event in told[begin:end]:
            if not isinstance(event, RunFinished):
                run.tell(event)
            if type(event).__name__ == "TurnFinished":
                feed.flush()

    spent = _cpu(watch)
    return {"bare": {"cpu": whole, "bytes": anew}, "ours": {"cpu": spent / WATCHED, "bytes": sent[0] / WATCHED}}


def _cpu(act: Any) -> float:
    before = time.process_time()
    act()
    return time.process_time() - before


async def main() -> None:
    """Measure, and print it."""
    print(json.dumps(await measure(await events())))


if __name__ == "__main__":
    asyncio.run(main())
