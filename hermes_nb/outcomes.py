"""What a model did after a tool call: whether it tried again, and how."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from hermes_nb.records import ToolCall, Turn

NextAction = Literal["retried_same", "changed_arguments", "changed_tool", "answered", "ended"]
"""The model made the same call again; called the same tool with other arguments; called only other tools; said
something and called nothing; or was not asked again, or did not reply."""


@dataclass(frozen=True, slots=True)
class Following:
    """What came after a call: the act, the turn it was done in, and the call it was done by, where there are such."""

    action: NextAction
    turn: Turn | None = None
    call: ToolCall | None = None


def following(turns: Sequence[Turn], call: ToolCall) -> Following:
    """What the model did in its first reply after it saw the answer to `call`, `turns` being those of the run.

    Other calls of the same reply do not count: they were made before the answer was seen.
    """
    later = (turn for turn in turns if turn.number > call.turn and turn.reply is not None)
    turn = next(later, None)
    if turn is None or turn.reply is None:
        return Following("ended")
    calls = turn.reply.calls
    if not calls:
        said = bool(turn.reply.text.strip() or turn.reply.refusal)
        return Following("answered" if said else "ended", turn)
    again = [one for one in calls if one.name == call.name]
    if not again:
        return Following("changed_tool", turn, calls[0])
    same = next((one for one in again if canonical(one) == canonical(call)), None)
    return Following("retried_same", turn, same) if same else Following("changed_arguments", turn, again[0])


def canonical(call: ToolCall) -> str:
    """A call's arguments such that equal ones are equal texts, whatever their spaces and the order of their names."""
    if call.problem is not None:
        return call.arguments.strip()
    try:
        return json.dumps(call.parsed, sort_keys=True, ensure_ascii=True)
    except (TypeError, ValueError, RecursionError):
        return call.arguments.strip()
