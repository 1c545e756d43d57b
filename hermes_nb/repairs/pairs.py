"""Brings calls and results together: every call with an id of its own, and directly after it one result for each."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from hermes_nb import codec
from hermes_nb import messages as chat
from hermes_nb.messages import Message
from hermes_nb.repairs.forms import title
from hermes_nb.repairs.report import Report, named

"""What the model is told of a call that nobody answered; a run that is interrupted says the same."""

Placed = tuple[int, Message]
"""A message, and its place in the history that was given."""


@dataclass(slots=True, eq=False)
class _Result:
    """A tool message. `follows` is the assistant message that it and the results before it directly follow."""

    place: int
    message: Message
    key: str | None
    follows: _Asked | None


@dataclass(slots=True, eq=False)
class _Call:
    """A call, by its number in its message; `key` is its id as it came, None where that is none."""

    number: int
    entry: dict[str, Any]
    key: str | None
    result: _Result | None = None


@dataclass(slots=True, eq=False)
class _Asked:
    """An assistant message with calls. `open` are those without a result yet, by key; `early` the results before it
    that name a call of it, `strays` those after it that name none of the history."""

    place: int
    calls: list[_Call]
    open: dict[str, deque[_Call]] = field(default_factory=lambda: defaultdict(deque))
    early: list[_Result] = field(default_factory=list)
    strays: list[_Result] = field(default_factory=list)


def paired(kept: Sequence[Placed], report: Report) -> list[Message]:
    """The messages with every result directly after its call, and one for every call. The messages are changed."""
    asked = {place: _asked(place, message["tool_calls"]) for place, message in kept if _has_calls(message)}
    matching = _Matching(asked.values(), report)
    for place, message in kept:
        if message["role"] == "tool":
            matching.answer(place, message)
        else:
            matching.go_on(asked.get(place))
    matching.end(asked.values())
    _number(asked.values(), report)
    history: list[Message] = []
    for place, message in kept:
        if message["role"] != "tool":
            history.append(message)
        if place in asked:
            history.extend(_results(asked[place], report))
    return history


def _has_calls(message: Message) -> bool:
    return message["role"] == "assistant" and bool(message.get("tool_calls"))


def _asked(place: int, entries: Sequence[dict[str, Any]]) -> _Asked:
    one = _Asked(place, [_Call(number, entry, _key(entry.get("id"))) for number, entry in enumerate(entries)])
    for call in one.calls:
        if call.key is not None:
            one.open[call.key].append(call)
    return one


def _key(call_id: Any) -> str | None:
    """An id as text; a number counts as its digits, and nothing else that is no text is an id."""
    if isinstance(call_id, int) and not isinstance(call_id, bool):
        return str(call_id)
    return call_id if isinstance(call_id, str) and call_id else None


class _Matching:
    """Finds the call of each result, while the history goes by."""

    def __init__(self, asked: Iterable[_Asked], report: Report) -> None:
        self._known = {call.key for one in asked for call in one.calls}
        self._nearest: dict[str | None, _Asked] = {}
        self._early: dict[str | None, list[_Result]] = defaultdict(list)
        self._latest: _Asked | None = None
        self._follows: _Asked | None = None
        self._report = report

    def go_on(self, asked: _Asked | None) -> None:
        """A message comes that is no result; `asked` are its calls, if it has any."""
        self._follows = asked
        if asked is None:
            return
        self._latest = asked
        for key in asked.open:
            self._nearest[key] = asked
            asked.early.extend(self._early.pop(key, ()))

    def answer(self, place: int, message: Message) -> None:
        """A result comes."""
        result = _Result(place, message, _key(message.get("tool_call_id")), self._follows)
        if result.key is not None and result.key in self._nearest:
            self._give(self._nearest[result.key], result)
        elif result.key is not None and result.key in self._known:
            self._early[result.key].append(result)
        elif self._latest is not None:
            self._latest.strays.append(result)
        else:
            self._orphan(result)

    def end(self, asked: Iterable[_Asked]) -> None:
        """All has gone by: what has no result yet may have one that came too early, or names no call."""
        for one in asked:
            for result in one.early:
                self._give(one, result)
            unanswered = deque(call for call in one.calls if call.result is None)
            nameless = deque(call for call in unanswered if call.key is None)
            for result in one.strays:
                self._guess(unanswered if result.key is None else nameless, result)

    def _give(self, one: _Asked, result: _Result) -> None:
        waiting = one.open[result.key or ""]
        if waiting:
            waiting.popleft().result = result
        else:
            told = f"this is a second result for call {named(result.key)}, and was removed; the first is kept"
            self._report.add(result.place, told)

    def _guess(self, waiting: deque[_Call], result: _Result) -> None:
        while waiting and waiting[0].result is not None:
            waiting.popleft()
        if waiting:
            waiting.popleft().result = result
        else:
            self._orphan(result)

    def _orphan(self, result: _Result) -> None:
        which = "without an id" if result.key is None else f"for call {named(result.key)}"
        self._report.add(result.place, f"this result {which} answers no call, and was removed")


def _number(asked: Iterable[_Asked], report: Report) -> None:
    """Give every call an id that no other has: its own, if no call before it has that."""
    calls = [(one.place, call) for one in asked for call in one.calls]
    taken = {call.key for _, call in calls}
    counts: Counter[str] = Counter()
    used: set[str] = set()
    for place, call in calls:
        call_id = call.key
        while call_id is None or call_id in used:
            # Names that count: deterministic, and never one of the history's own.
            base = call.key or "call"
            counts[base] += 1
            fresh = f"{base}_{counts[base] + (call.key is not None)}"
            call_id = None if fresh in taken else fresh
        used.add(call_id)
        if call.entry.get("id") != call_id:
            report.add(place, f"{title(call.number, call.entry)} {_why(call)}, and is {named(call_id)} now")
            call.entry["id"] = call_id


def _why(call: _Call) -> str:
    if call.key is None:
        return "had no id"
    return "had an id that was used before" if isinstance(call.entry.get("id"), str) else "had an id that is no text"


def _results(one: _Asked, report: Report) -> Iterator[Message]:
    """The results of a message's calls in the order in which they came, then those that are missing."""
    came = [(call.result, call.entry["id"]) for call in one.calls if call.result is not None]
    for result, call_id in sorted(came, key=lambda pair: pair[0].place):
        if result.message.get("tool_call_id") != call_id:
            result.message["tool_call_id"] = call_id
            report.add(result.place, f"this result is one of call {named(call_id)} now")
        if result.follows is not one:
            report.add(result.place, f"the result of call {named(call_id)} was moved to follow its call")
        yield result.message
    for call in one.calls:
        if call.result is None:
            call_id = call.entry["id"]
            report.add(one.place, f"call {named(call_id)} had no result, and is answered as interrupted")
            yield chat.tool(call_id, codec.dumps({"error": chat.UNANSWERED}).decode())
