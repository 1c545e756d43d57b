"""Where our requests differ from the recorded ones, and why.

Every difference must have one of the REASONS, each of which is checked on the difference itself; one that has none is
ours, and fails the test.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Any

from tests.real.judge import verdict
from tests.real.recordings import Chain, Exchange, Growth, Message, as_json, calls_of, growth, normal

ABSENT = type("Absent", (), {"__repr__": lambda _: "(absent)"})()

REASONING = ("reasoning_content", "reasoning", "thinking", "reasoning_details", "thinking_signature")


@dataclass(frozen=True, eq=False)
class Difference:
    """One field of one message that is not the same; `message` where one side has no such message at all."""

    field: str
    ours: Any
    recorded: Any
    pair: Pair

    @property
    def reason(self) -> str | None:
        return next((said for said, holds in REASONS.items() if holds(self)), None)

    def __repr__(self) -> str:
        return f"{self.field}: ours {_short(self.ours)} recorded {_short(self.recorded)}"


@dataclass(frozen=True, eq=False)
class Pair:
    """A message of ours and the recorded one that it should equal.

    `asked` is the exchange whose reply the message is, or whose calls it answers, and `sent_back` that reply as the
    recorded client sent it. `carried`: both stood in the request before. `rewritten`: on the recorded side, `was` stood
    here in the request before. `orders`: how the answers to one reply stand in ours and in the recorded one, where that
    is not the same.
    """

    ours: Message | None
    recorded: Message | None
    asked: Exchange | None = None
    sent_back: Message | None = None
    carried: bool = False
    rewritten: bool = False
    was: Message | None = None
    orders: tuple[list[Any], list[Any]] | None = None
    differences: tuple[Difference, ...] = ()

    @property
    def role(self) -> str:
        return str((self.ours or self.recorded or {}).get("role"))

    @property
    def reply(self) -> Message:
        """The reply that this is about, as the server sent it."""
        return (self.asked.reply if self.asked else None) or {}

    def judged(self) -> Pair:
        """The pair with its differences."""
        return replace(self, differences=tuple(_differences(self)))


def compare(chain: Chain, requests: Sequence[Sequence[Message]]) -> list[list[Pair]]:
    """The messages of each request of ours beside those of the recorded one."""
    compared = [[Pair(*both).judged() for both in zip_longest(requests[0], chain[0].messages)]]
    for place in range(1, len(chain)):
        earlier, later = chain[place - 1], chain[place]
        grown = growth(earlier, later)
        new = list(requests[place][len(requests[place - 1]) :])
        pairs = [*_carried(compared[-1], earlier.messages, grown.old), *_beside(new, grown, earlier)]
        compared.append([pair if pair.carried else pair.judged() for pair in pairs])
    return compared


def _carried(pairs: list[Pair], before: list[Message], now: list[Message]) -> Iterator[Pair]:
    """The pairs of the request before, as they stand in this one: the recording may have rewritten its own side."""
    stands = iter(_what_stands_now(before, now))
    for pair in pairs:
        if pair.recorded is None:
            yield replace(pair, carried=True)
            continue
        there = next(stands)
        kept = [message for message in there if normal(message) == normal(pair.recorded)][:1]
        added = [message for message in there if message not in kept]
        if kept:
            yield replace(pair, carried=True)
        for ours, message in zip_longest([] if kept else [pair.ours], added):
            was = None if kept else pair.recorded
            yield replace(pair, ours=ours, recorded=message, rewritten=True, was=was)
    yield from (Pair(None, message, rewritten=True) for message in next(stands))


def _what_stands_now(before: list[Message], now: list[Message]) -> list[list[Message]]:
    """For each message of `before`, and for their end, what stands there now: itself, unless it was rewritten."""
    stands: list[list[Message]] = [[] for _ in range(len(before) + 1)]
    was, there = [_canonical(message) for message in before], [_canonical(message) for message in now]
    for _, a, b, c, d in SequenceMatcher(None, was, there, autojunk=False).get_opcodes():
        for place in range(c, d):
            stands[min(a + place - c, max(b - 1, a))].append(now[place])
    return stands


def _beside(ours: list[Message], grown: Growth, asked: Exchange) -> Iterator[Pair]:
    """Our new messages beside the recorded ones: the reply, the answers by the call they answer, and what follows."""
    reply, rest = (ours[0], ours[1:]) if ours else (None, [])
    about = Pair(reply, grown.reply, asked, sent_back=grown.reply)
    pairs = list(_answers_and_more(rest, grown, about))
    yield replace(about, orders=_orders(pairs, grown))
    yield from pairs


def _answers_and_more(rest: list[Message], grown: Growth, about: Pair) -> Iterator[Pair]:
    answers = [message for message in rest if message.get("role") == "tool"]
    more = [message for message in rest if message.get("role") != "tool"]
    left = list(grown.answers)
    for place, answer in enumerate(answers):
        found = _answer_to(answer, place, left, about)
        if found is not None:
            left.remove(found)
        yield replace(about, ours=answer, recorded=found)
    for message in left:
        yield replace(about, ours=None, recorded=message)
    for one, message in zip_longest(more, grown.more):
        yield replace(about, ours=one, recorded=message)


def _orders(pairs: list[Pair], grown: Growth) -> tuple[list[Any], list[Any]] | None:
    """The order in which what was added stands in ours and in the recorded request, if there are two."""
    in_ours = [pair.recorded for pair in pairs if pair.recorded is not None]
    in_theirs = sorted(in_ours, key=lambda message: next(i for i, one in enumerate(grown.rest) if one is message))
    named = [[one.get("tool_call_id") or one.get("role") for one in order] for order in (in_ours, in_theirs)]
    return None if named[0] == named[1] else (named[0], named[1])


def _answer_to(answer: Message, place: int, recorded: list[Message], about: Pair) -> Message | None:
    """The recorded answer to the call that ours answers; the server, the recorded client and ours may each have given
    the call an id of their own."""
    theirs = [calls_of(message)[place : place + 1] for message in (about.reply, about.sent_back)]
    for call_id in (answer.get("tool_call_id"), *(call.get("id") for calls in theirs for call in calls)):
        for message in recorded:
            if message.get("tool_call_id") == call_id:
                return message
    return None


def _differences(pair: Pair) -> Iterator[Difference]:
    if pair.ours is None or pair.recorded is None:
        yield Difference("message", pair.ours, pair.recorded, pair)
        return
    if pair.orders is not None:
        yield Difference("order", *pair.orders, pair)
    ours, recorded = normal(pair.ours), normal(pair.recorded)
    for name in [*ours, *(name for name in recorded if name not in ours)]:
        a, b = ours.get(name, ABSENT), recorded.get(name, ABSENT)
        if a == b:
            continue
        if name == "tool_calls" and ABSENT not in (a, b):
            yield from _call_differences(a, b, pair)
        else:
            yield Difference(name, a, b, pair)


def _call_differences(ours: list[Any], recorded: list[Any], pair: Pair) -> Iterator[Difference]:
    if len(ours) != len(recorded):
        yield Difference("tool_calls", ours, recorded, pair)
    for a, b in zip(ours, recorded, strict=False):
        names = dict.fromkeys([*a, *b])
        for name in names:
            if a.get(name, ABSENT) != b.get(name, ABSENT):
                yield Difference(f"call.{name}", a.get(name, ABSENT), b.get(name, ABSENT), pair)


def _kept_the_first_calls(one: Difference) -> bool:
    """The recorded reply is the server's without its last calls; an answer that only we have is to one of those."""
    said = [call.get("id") for call in calls_of(one.pair.reply)]
    kept = [call.get("id") for call in calls_of(one.pair.sent_back)]
    if not (0 < len(kept) < len(said) and kept == said[: len(kept)]):
        return False
    if one.field == "tool_calls":
        return [call.get("id") for call in one.ours] == said
    only_ours = one.field == "message" and one.recorded is None and one.ours.get("role") == "tool"
    return only_ours and one.ours.get("tool_call_id") in said[len(kept) :]


def _tool_is_named(one: Difference) -> bool:
    """The tool that the answered call named."""
    if one.field != "name" or one.ours is not ABSENT or one.pair.role != "tool":
        return False
    return one.recorded in [call["function"]["name"] for call in _answered(one)]


def _reasoning_by_another_name(one: Difference) -> bool:
    """The text is the reply's own reasoning, and stands in our message under the name it came by."""
    if one.field not in REASONING or one.ours is not ABSENT or not isinstance(one.recorded, str):
        return False
    came = {name: value for name, value in one.pair.reply.items() if name in REASONING and isinstance(value, str)}
    told = [name for name, value in came.items() if value.strip() == one.recorded.strip() != ""]
    return any((one.pair.ours or {}).get(name) == came[name] for name in told)


def _reasoning_left_out(one: Difference) -> bool:
    """Ours is the field as it came."""
    return one.field in REASONING and one.recorded is ABSENT and one.pair.reply.get(one.field, ABSENT) == one.ours


def _reasoning_under_both_names(one: Difference) -> bool:
    """Ours is the reply's own text, under the other of the two names too."""
    pair = ("reasoning", "reasoning_content")
    if one.field not in pair or one.recorded is not ABSENT or one.field in one.pair.reply:
        return False
    other = pair[one.field == pair[0]]
    return bool(one.ours) and one.ours == one.pair.reply.get(other) == (one.pair.ours or {}).get(other)


def _details_alone(one: Difference) -> bool:
    """Ours has all details as they came, of which the recorded field is the text."""
    if one.field not in ("reasoning", "reasoning_content", "thinking") or one.ours is not ABSENT:
        return False
    details = one.pair.reply.get("reasoning_details")
    return bool(details) and (one.pair.ours or {}).get("reasoning_details") == details


def _field_of_answers_only(one: Difference) -> bool:
    """It came in the reply, and says nothing there; or it numbers the calls, which only a stream has use for."""
    if one.ours is not ABSENT:
        return False
    if one.field == "call.index":
        return one.recorded in [call.get("index") for call in calls_of(one.pair.reply)]
    return one.recorded in (None, [], "") and one.pair.reply.get(one.field, ABSENT) == one.recorded


def _at_its_default(one: Difference) -> bool:
    """Mistral's `prefix` says whether the model is to go on writing this very message."""
    return one.field == "prefix" and one.recorded is False and one.ours is ABSENT and "prefix" not in one.pair.reply


def _empty_list(one: Difference) -> bool:
    return one.field == "content" and one.recorded == [] and one.ours is ABSENT and not one.pair.reply.get("content")


def _refused_by_us(one: Difference) -> bool:
    """Judged without the library, the call cannot be run; ours is an error, the recorded answer is the tool's."""
    if one.field != "content" or one.pair.role != "tool" or one.pair.asked is None:
        return False
    told = as_json(one.ours)
    offered = one.pair.asked.tools
    judged = [verdict(c["function"]["name"], c["function"].get("arguments"), offered) for c in _answered(one)]
    return any(judged) and isinstance(told, dict) and "error" in told


def _answer_in_parts(one: Difference) -> bool:
    """Ours is the same parts as JSON: a tool's answer is text."""
    in_parts = one.field == "content" and one.pair.role == "tool" and isinstance(one.recorded, list)
    return in_parts and as_json(one.ours) == one.recorded


def _answered_in_another_order(one: Difference) -> bool:
    """Ours is the order of the calls."""
    order = {call.get("id"): place for place, call in enumerate(calls_of(one.pair.reply))}
    if one.field != "order" or not all(call_id in order for call_id in one.ours):
        return False
    return one.ours == sorted(one.ours, key=lambda call_id: order[call_id])


def _id_given_anew(one: Difference) -> bool:
    """Of the server's ids, one is missing, or stands for another call, too; ours is none of them."""
    if one.field not in ("call.id", "tool_call_id") or one.pair.asked is None:
        return False
    ids = [call.get("id") for call in calls_of(one.pair.reply)]
    used = [call.get("id") for message in one.pair.asked.messages for call in calls_of(message)]
    if one.ours in (*ids, *used):
        return False
    return not all(ids) if one.recorded not in ids else not one.recorded or (ids + used).count(one.recorded) > 1


def _nothing_as_an_object(one: Difference) -> bool:
    if one.field != "call.function" or not isinstance(one.recorded, dict) or one.ours.get("arguments") != {}:
        return False
    return one.recorded.get("arguments") in ("", None) and {**one.recorded, "arguments": {}} == one.ours


def _rewrote(one: Difference) -> bool:
    """In its own request before this one, the recording had another value here."""
    if not one.pair.rewritten:
        return False
    was, now = one.pair.was, one.pair.recorded
    if was is None or now is None:
        return was is not now
    return normal(was).get(one.field.partition(".")[0]) != normal(now).get(one.field.partition(".")[0])


REASONS: dict[str, Callable[[Difference], bool]] = {
    "the recorded client kept only the first of several calls": _kept_the_first_calls,
    "the recorded client names the tool in its answer": _tool_is_named,
    "the recorded client sends the reasoning under a second name, too": _reasoning_by_another_name,
    "the recorded client leaves out reasoning; ours sends it as it came": _reasoning_left_out,
    "ours sends the reasoning under both names": _reasoning_under_both_names,
    "ours sends reasoning_details alone, without their text": _details_alone,
    "the recorded client sends back a field that only answers have": _field_of_answers_only,
    "the recorded client adds a field of its own API, at its default": _at_its_default,
    "the recorded client writes no content as an empty list": _empty_list,
    "the recorded client ran a call that its own schema refuses": _refused_by_us,
    "the recorded client answers in parts; ours sends them as JSON text": _answer_in_parts,
    "the recorded client answers the calls in another order": _answered_in_another_order,
    "the server's id was none, or not its own; ours is new": _id_given_anew,
    "the model wrote no arguments; ours sends {}": _nothing_as_an_object,
    "the recorded client rewrote its own history": _rewrote,
}


def _answered(one: Difference) -> list[dict[str, Any]]:
    """The calls of the reply that the message answers, by the recorded id."""
    call_id = (one.pair.recorded or {}).get("tool_call_id")
    said = [call for call in calls_of(one.pair.reply) if isinstance(call.get("function"), dict)]
    return [call for call in said if call.get("id") == call_id]


def _canonical(message: Message) -> str:
    return json.dumps(normal(message), sort_keys=True)


def _short(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 300 else f"{shown[:300]}..."
