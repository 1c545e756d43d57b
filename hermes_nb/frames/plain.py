"""A run as plain values: what rows are made of, whether it came from a result or straight from a file's lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hermes_nb import codec
from hermes_nb.messages import Message, tool
from hermes_nb.records import AgentResult, Turn

Entry = dict[str, Any]
"""A record as `codec.plain` writes it: fields at their default are left out."""


@dataclass(slots=True)
class PlainTurn:
    """One model call: see `records.Turn`. `results` are in call order."""

    number: int
    at: float
    seconds: float
    model_seconds: float
    tool_seconds: float
    added: Sequence[Message]
    reply: Entry | None
    results: Sequence[Entry]

    def said(self) -> list[Message]:
        """What the turn added to the conversation, after what joined it."""
        reply = self.reply
        if reply is None or (reply.get("partial") and not reply["message"].get("content")):
            return []
        answers = (tool(one["call"].get("id", "call_0"), one["content"], one.get("parts")) for one in self.results)
        return [reply["message"], *answers]


@dataclass(slots=True)
class PlainRun:
    """A run. `facts` are the fields of its result that are no turns and no messages, as an Entry.

    The conversation is `start`, and then what the turns from the place `first` on added; `placed` says whether `start`
    is what the run began with. It is not where the history was rewritten on the way.
    """

    facts: Entry
    start: Sequence[Message]
    turns: Sequence[PlainTurn]
    first: int = 0
    placed: bool = True
    managed_state: Any = None
    key: str = ""

    @property
    def measured(self) -> bool:
        """Whether its times were taken: 0 is a time then, and unknown otherwise."""
        return "provenance" in self.facts and (self.facts.get("origin") or {}).get("kind") != "import"


def settle(messages: Sequence[Message], turns: Sequence[PlainTurn]) -> tuple[Sequence[Message], int, bool]:
    """`start`, `first` and `placed` of a run with this conversation: how far back from its end the turns explain it."""
    end = len(messages)
    for place in range(len(turns) - 1, -1, -1):
        turn = turns[place]
        added = [*turn.added, *turn.said()]
        if added != list(messages[max(0, end - len(added)) : end]):
            return messages[:end], place + 1, False
        end -= len(added)
    return messages[:end], 0, True


def plain_run(result: AgentResult) -> PlainRun:
    """The run of a result."""
    turns = [_plain_turn(turn) for turn in result.turns]
    start, first, placed = settle(result.messages, turns)
    facts = {name: value for name, value in codec.outline(result, _shallow).items() if name not in APART}
    return PlainRun(facts, start, turns, first, placed, result.managed_state)


APART = ("messages", "turns")


def _shallow(record: Any) -> Any:
    return record if isinstance(record, Turn) else codec.outline(record)


def _plain_turn(turn: Turn) -> PlainTurn:
    return PlainTurn(
        number=turn.number, at=turn.at, seconds=turn.seconds, model_seconds=turn.model_seconds,
        tool_seconds=turn.tool_seconds, added=turn.added_messages,
        reply=None if turn.reply is None else codec.outline(turn.reply),
        results=[codec.outline(one) for one in turn.results],
    )  # fmt: skip
