"""What a model did after a tool call: whether it tried again, and how."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from hermes_nb.records import Reply, ToolCall, Turn

NextAction = Literal["retried_same", "changed_arguments", "changed_tool", "answered", "ended"]
"""What the reply of the next turn did: one of its calls has the same tool and arguments; one has the same tool; it has
calls, none of the same tool; it has none, but says something, and is whole; there is no such reply, it is empty, or it
was cut off before any call."""

Made: TypeAlias = Mapping[str, Collection[str]]
"""The calls of a reply, as they are compared with others: by the tool, their arguments as `canonical` gives them."""


def next_action(tool: str, arguments: str, reply: Reply | None, then: Made) -> NextAction:
    """What came after a call of `tool`, where the next turn has this `reply`, which makes the calls `then`."""
    if not then:
        whole = reply is not None and (reply.text or reply.refusal) and not reply.partial
        return "answered" if whole else "ended"
    of_the_tool = then.get(tool)
    if of_the_tool is None:
        return "changed_tool"
    return "retried_same" if arguments in of_the_tool else "changed_arguments"


@dataclass(frozen=True, slots=True)
class Following:
    """What came after a call: the act, the turn it was done in, and the call it was done by, where there are such."""

    action: NextAction
    turn: Turn | None = None
    call: ToolCall | None = None


def following(turns: Sequence[Turn], call: ToolCall) -> Following:
    """What the model did in the reply of the turn after `call`, `turns` being those of the run.

    Other calls of the same reply do not count: they were made before the answer was seen.
    """
    turn = next((turn for turn in turns if turn.number > call.turn), None)
    if turn is None or turn.reply is None:
        return Following("ended")
    made: dict[str, dict[str, ToolCall]] = {}
    for one in reversed(turn.reply.calls):
        made.setdefault(one.name, {})[canonical(one)] = one
    arguments = canonical(call)
    action = next_action(call.name, arguments, turn.reply, made)
    if action == "retried_same":
        return Following(action, turn, made[call.name][arguments])
    if action == "changed_arguments":
        return Following(action, turn, next(one for one in turn.reply.calls if one.name == call.name))
    return Following(action, turn, next(iter(turn.reply.calls), None))


def canonical(call: ToolCall) -> str:
    """A call's arguments such that equal ones are equal texts, whatever their spaces and the order of their names; as
    they came where they are not JSON."""
    if call.problem is not None:
        return call.arguments
    try:
        return json.dumps(call.parsed, sort_keys=True, ensure_ascii=True)
    except (TypeError, ValueError, RecursionError):
        return call.arguments
