"""A run as rows are made of it, whether it came from a result or straight from a file's lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from hermes_nb.messages import Message, tool
from hermes_nb.records import AgentResult, Origin, Reply, RunError, ToolResult, Turn, Usage


@dataclass(slots=True)
class Facts:
    """The fields of an AgentResult that are no turns and no messages. `usage` is None where it is the turns' sum."""

    run_id: str | None
    task_id: str | None
    task: str | None
    attempt: int
    meta: dict[str, Any]
    origin: Origin | None
    stop_reason: str
    error: RunError | None
    seconds: float
    abandoned: Sequence[str]
    provenance: Any
    usage: Usage | None = None
    scores: dict[str, Any] = field(default_factory=dict)
    journal_error: str | None = None
    managed_state: Any = None


class PlainTurn(msgspec.Struct, gc=False):
    """The fields of a Turn."""

    number: int
    reply: Reply | None
    results: list[ToolResult]
    at: float
    seconds: float
    model_seconds: float
    tool_seconds: float
    added_messages: Sequence[Message]


def said(turn: Turn | PlainTurn) -> list[Message]:
    """What the turn added to the conversation, after what joined it."""
    reply = turn.reply
    if reply is None or (reply.partial and not reply.message.get("content")):
        return []
    return [reply.message, *(tool(one.call.id, one.content, one.parts) for one in turn.results)]


@dataclass(slots=True)
class PlainRun:
    """A run. The records in it are ours, or shapes of them.

    The conversation is `start`, and then what the turns from the place `first` on added; `placed` says whether `start`
    is what the run began with. It is not where the history was rewritten on the way.
    """

    facts: Facts | AgentResult
    start: Sequence[Message]
    turns: Sequence[Turn | PlainTurn]
    first: int = 0
    placed: bool = True
    key: str = ""

    @property
    def measured(self) -> bool:
        """Whether its times were taken: 0 is a time then, and unknown otherwise."""
        origin = self.facts.origin
        return self.facts.provenance is not None and (origin is None or origin.kind != "import")


def settle(messages: Sequence[Message], turns: Sequence[Turn | PlainTurn]) -> tuple[Sequence[Message], int, bool]:
    """`start`, `first` and `placed` of a run with this conversation: how far back from its end the turns explain it."""
    end = len(messages)
    for place in range(len(turns) - 1, -1, -1):
        turn = turns[place]
        added = [*turn.added_messages, *said(turn)]
        if added != list(messages[max(0, end - len(added)) : end]):
            return messages[:end], place + 1, False
        end -= len(added)
    return messages[:end], 0, True


def plain_run(result: AgentResult) -> PlainRun:
    """The run of a result."""
    start, first, placed = settle(result.messages, result.turns)
    return PlainRun(result, start, result.turns, first, placed)
