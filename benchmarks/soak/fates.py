"""What each run of the soak goes through. All of it is drawn from the seed and the run's number, so it can be repeated.

The prompt carries both, and the server draws the model's part from it: see `reply`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from hermes_nb.limits import Limits
from hermes_nb.servers import Scripted, call

PROMPT = re.compile(r"run (\d+) of seed (\d+)")

PLAIN = {
    "add": 8, "add_async": 8, "nap": 4, "nap_async": 4, "in_line": 2, "fail": 3, "fail_async": 3, "chatter": 1,
    "listen": 0.5, "hang_async": 0.7, "hang": 0.2, "deaf": 0.2, "interrupt": 0.05,
}  # fmt: skip
"""The tools, and how often a model calls each, set against the others."""

ENDS = {"": 60, "cancel": 8, "cancel twice": 4, "stop": 8, "stop from a thread": 6, "leave": 4, "steer": 4}
"""How a run is interfered with, and how often; "" is left alone."""

LIMITS = {
    "": 70,
    "seconds": 10,
    "total_tokens": 4,
    "tool_calls": 4,
    "errors_in_a_row": 4,
    "same_call": 4,
    "max_turns": 4,
}
"""What limits a run has, and how often."""


@dataclass(frozen=True, slots=True)
class Fate:
    """The fate of one run: how often the model calls tools before it answers, whether it is streamed, which limit the
    run has, and how it is interfered with: `wait` seconds after its event number `event`."""

    number: int
    turns: int
    streamed: bool
    limit: str
    end: str
    event: int
    wait: float

    @property
    def limits(self) -> Limits | None:
        """What the run is limited to."""
        return {
            "seconds": Limits(seconds=0.2 + self.wait * 8),
            "total_tokens": Limits(total_tokens=900),
            "tool_calls": Limits(tool_calls=3),
            "errors_in_a_row": Limits(errors_in_a_row=2),
            "same_call": Limits(same_call=2),
        }.get(self.limit)

    @property
    def max_turns(self) -> int:
        """How often the model may be asked."""
        return 2 if self.limit == "max_turns" else 30


def fate(seed: int, number: int) -> Fate:
    """The fate of run `number`."""
    lot = Random(f"{seed} {number}")
    return Fate(
        number=number,
        turns=lot.randrange(0, 7),
        streamed=lot.random() < 0.3,
        limit=drawn(lot, LIMITS),
        end=drawn(lot, ENDS),
        event=lot.randrange(0, 12),
        wait=lot.choice([0, lot.uniform(0, 0.5)]),
    )


def drawn(lot: Random, shares: Mapping[str, float]) -> str:
    """One of these, as often as its share says."""
    return lot.choices(list(shares), list(shares.values()))[0]


def prompt(seed: int, number: int) -> str:
    """What the user says in a run."""
    return f"This is run {number} of seed {seed}. Use the tools until you are done."


def reply(messages: list[dict[str, Any]]) -> Scripted:
    """What the model says next in the run that these messages belong to."""
    found = PROMPT.search(messages[0]["content"])
    assert found is not None
    number, seed = map(int, found.groups())
    turn = sum(message["role"] == "assistant" for message in messages)
    lot = Random(f"{seed} {number} {turn}")
    late = lot.choice([0, 0, lot.uniform(0, 0.3)])
    if turn < fate(seed, number).turns:
        calls = [_call(lot) for _ in range(lot.choice([1, 1, 2, 3, 8]))]
        thought = "Let me see." if lot.random() < 0.3 else None
        return Scripted(calls=calls, reasoning=thought, delay=late, chunk_delay=late / 20)
    last = drawn(lot, {"answer": 20, "nothing": 1, "refusal": 1, "length": 1, "content_filter": 1})
    if last == "refusal":
        return Scripted(refusal="I would rather not.", delay=late)
    text = "" if last == "nothing" else "Everything that could be done is done, and this is the answer to it."
    ending = last if last in ("length", "content_filter") else None
    return Scripted(text=text, finish_reason=ending, delay=late, chunk_delay=late / 20)


def _call(lot: Random) -> dict[str, Any]:
    name = drawn(lot, PLAIN)
    if name in ("add", "add_async"):
        return call(name, a=lot.randrange(3), b=1)
    return call(name, how=lot.randrange(8)) if name.startswith("fail") else call(name)
