"""Makes the runs that `notebooks/analyses/where_tool_errors_come_from.ipynb` looks at:

    .venv/bin/python -m tests.notebooks.error_runs

Eighty runs, twenty tasks with four attempts each, of a scripted model that is spoiled by a seed. Times and names are
counted. What says on which machine it was made, versions and tracebacks, is left out: the file is the same everywhere.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from random import Random
from typing import Any

import hermes_nb as hn
from hermes_nb import codec
from hermes_nb.clocks import CountedIds, StillClock
from hermes_nb.servers.scripted import Faults, Request, Scripted, call

ERRORS = Path(__file__).resolve().parents[2] / "data" / "runs" / "errors.jsonl"
TASKS, ATTEMPTS, STEPS = 20, 4, 4
MODEL_FAULTS = ("half_arguments", "wrong_arguments", "list_arguments", "unknown_tool")


def find_order(order: int) -> dict[str, Any]:
    """Look an order up by its number."""
    if order % 3 == 0:
        return {"error": f"there is no order {order}"}
    return {"order": order, "euros": order * 7}


def weigh_parcel(order: int) -> float:
    """Weigh the parcel of an order. Gives kilograms."""
    if order % 4 == 0:
        raise ValueError(f"order {order} has no parcel")
    return order / 10


def print_label(order: int) -> str:
    """Print the label of an order."""
    if order % 5 == 0:
        raise OSError("the printer is out of paper")
    return f"label {order} printed"


@hn.tool(timeout=0.01)
async def ask_carrier(order: int) -> str:
    """Ask the carrier where an order is."""
    if order % 4 == 1:
        await asyncio.Event().wait()
    return f"order {order} is on its way"


TOOLS = {"find_order": 9, "weigh_parcel": 7, "print_label": 6, "ask_carrier": 4}
"""The tools' names, and how often each is asked for."""


def clerk(clock: StillClock, seed: str) -> Any:
    """A model that calls tools for a few turns, by the seed, and then answers."""

    def reply(request: Request) -> Scripted:
        asked = sum(message["role"] == "assistant" for message in request["messages"])
        lot = Random(f"{seed} {asked}")
        clock.advance(round(lot.uniform(0.2, 2.0), 3))
        if asked >= STEPS:
            return Scripted(text="Done.")
        [name] = lot.choices(list(TOOLS), list(TOOLS.values()))
        return Scripted(calls=[call(name, order=lot.randrange(1, 40))])

    return reply


async def made() -> bytes:
    """The runs, as the lines of a journal."""
    with tempfile.TemporaryDirectory() as folder:
        journal = Path(folder) / "errors.jsonl"
        ids, clock = CountedIds(), StillClock()
        for task in range(TASKS):
            for attempt in range(ATTEMPTS):
                script = Faults(clerk(clock, f"{task} {attempt}"), seed=task * 10 + attempt, kinds=MODEL_FAULTS)
                loop = hn.HermesAgentLoop(
                    hn.ScriptedServer(script), [find_order, weigh_parcel, print_label, ask_carrier],
                    clock=clock, ids=ids, journal=journal,
                )  # fmt: skip
                await loop.run(f"See to the orders of customer {task}.", task=f"customer-{task}", attempt=attempt)
        lines = [codec.dumps(_anywhere(codec.loads(line))) for line in journal.read_bytes().splitlines()]
    return b"\n".join(lines) + b"\n"


def _anywhere(value: Any) -> Any:
    """What does not depend on the machine; of a reply as it came, the message says it all."""
    if isinstance(value, dict):
        dropped = ("versions", "traceback", "raw")
        return {name: _anywhere(inner) for name, inner in value.items() if name not in dropped}
    return [_anywhere(inner) for inner in value] if isinstance(value, list) else value


if __name__ == "__main__":
    ERRORS.parent.mkdir(exist_ok=True)
    ERRORS.write_bytes(asyncio.run(made()))
