"""Every tool call of a run, with its answer and what came after it."""

from __future__ import annotations

import msgspec

from hermes_nb.frames.plain import PlainRun, PlainTurn
from hermes_nb.frames.values import canonical
from hermes_nb.outcomes import next_action
from hermes_nb.records import Reply, ToolCall, ToolError, ToolResult, Turn


class Answered(msgspec.Struct, gc=False):
    """A call, its result (None: nobody answered it), and what the model did next: see `frames.calls`.

    `asked`: it is in the reply. `wanted`: its arguments as they are compared with others.
    """

    turn: int
    index: int
    call: ToolCall
    parsed: str | None
    wanted: str
    asked: bool
    result: ToolResult | None
    error: ToolError | None
    next_action: str = "ended"
    recovered: bool | None = None
    turns_to_recover: int | None = None


def answered(run: PlainRun) -> list[Answered]:
    """Every call of the run, by turn and place."""
    turns = [_of_turn(turn) for turn in run.turns]
    for place, calls in enumerate(turns[:-1], 1):
        if calls:
            _look_ahead(calls, run.turns[place].reply, turns[place])
    every = [one for calls in turns for one in calls]
    if any(one.error is not None for one in every):
        _look_for_recovery(every)
    return every


def _of_turn(turn: Turn | PlainTurn) -> list[Answered]:
    results, calls, number = turn.results, turn.reply.calls if turn.reply else (), turn.number
    if len(results) == len(calls):
        told = []
        for index, call in enumerate(calls):
            result = results[index]
            if call.index != index or result.call.index != index:
                break
            parsed = canonical(call.arguments)
            wanted = call.arguments if parsed is None else parsed
            told.append(Answered(number, index, call, parsed, wanted, True, result, result.error))
        else:  # As nearly always.
            return told
    answers, asked = {one.call.index: one for one in results}, {one.index: one for one in calls}
    return [
        _answered(number, index, asked[index] if index in asked else answers[index].call, index in asked,
                  answers.get(index))
        for index in sorted({*asked, *answers})
    ]  # fmt: skip


def _answered(turn: int, index: int, call: ToolCall, asked: bool, result: ToolResult | None) -> Answered:
    parsed = canonical(call.arguments)
    wanted = call.arguments if parsed is None else parsed
    return Answered(turn, index, call, parsed, wanted, asked, result, None if result is None else result.error)


def _look_ahead(calls: list[Answered], reply: Reply | None, then: list[Answered]) -> None:
    made: dict[str, set[str]] = {}
    for one in then:
        if one.asked:
            made.setdefault(one.call.name, set()).add(one.wanted)
    for one in calls:
        one.next_action = next_action(one.call.name, one.wanted, reply, made)


def _look_for_recovery(every: list[Answered]) -> None:
    """From the last call to the first: the nearest later turn in which the tool, or any tool, gave an answer."""
    nearest: dict[str | None, int] = {}
    met: list[Answered] = []
    for one in reversed(every):
        if met and met[-1].turn != one.turn:
            for later in met:
                nearest[later.call.name] = nearest[None] = later.turn
            met = []
        if one.error is not None:
            unknown = one.error.kind == "unknown_tool"
            good = nearest.get(None if unknown else one.call.name)
            one.recovered = good is not None
            one.turns_to_recover = None if good is None else good - one.turn
        elif one.result is not None:
            met.append(one)
