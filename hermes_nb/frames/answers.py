"""Every tool call of a run, with its answer and what came after it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hermes_nb.frames.plain import Entry, PlainRun, PlainTurn
from hermes_nb.frames.values import canonical


@dataclass(slots=True)
class Answered:
    """A call, its result (None: nobody answered it), and what the model did next: see `frames.calls`."""

    turn: int
    index: int
    call: Entry
    parsed: str | None
    result: Entry | None
    error: Entry | None
    next_action: str = "ended"
    recovered: bool | None = None
    turns_to_recover: int | None = None


def answered(run: PlainRun) -> list[Answered]:
    """Every call of the run, by turn and place."""
    turns = [list(_of_turn(turn)) for turn in run.turns]
    for place, calls in enumerate(turns):
        if calls:
            after = place + 1
            if after < len(turns):
                _look_ahead(calls, run.turns[after].reply, turns[after])
    every = [one for calls in turns for one in calls]
    if any(one.error is not None for one in every):
        _look_for_recovery(every)
    return every


def _of_turn(turn: PlainTurn) -> Iterator[Answered]:
    results = {one["call"].get("index", 0): one for one in turn.results}
    calls = {one.get("index", 0): one for one in turn.reply.get("calls", ())} if turn.reply else {}
    order = calls if results.keys() <= calls.keys() else {*calls, *results}
    for index in sorted(order):
        result = results.get(index)
        call = calls[index] if index in calls else results[index]["call"]
        error = None if result is None else result.get("error")
        yield Answered(turn.number, index, call, canonical(call.get("arguments", "{}")), result, error)


def _look_ahead(calls: list[Answered], reply: Entry | None, then: list[Answered]) -> None:
    if reply is None or (reply.get("partial") and not then):
        return
    made = {(one.call["name"], _wanted(one)) for one in then}
    names = {name for name, _ in made}
    for one in calls:
        name = one.call["name"]
        if not made:
            one.next_action = "answered"
        elif (name, _wanted(one)) in made:
            one.next_action = "retried_same"
        else:
            one.next_action = "changed_arguments" if name in names else "changed_tool"


def _wanted(one: Answered) -> str:
    return one.call.get("arguments", "{}") if one.parsed is None else one.parsed


def _look_for_recovery(every: list[Answered]) -> None:
    """From the last call to the first: the nearest later turn in which the tool, or any tool, gave an answer."""
    nearest: dict[str | None, int] = {}
    met: list[Answered] = []
    for one in reversed(every):
        if met and met[-1].turn != one.turn:
            for later in met:
                nearest[later.call["name"]] = nearest[None] = later.turn
            met = []
        if one.error is not None:
            unknown = one.error.get("kind") == "unknown_tool"
            good = nearest.get(None if unknown else one.call["name"])
            one.recovered = good is not None
            one.turns_to_recover = None if good is None else good - one.turn
        elif one.result is not None:
            met.append(one)
