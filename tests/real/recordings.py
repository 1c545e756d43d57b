"""Recordings of POST /chat/completions, and the conversations in them.

A recording is a JSON file with `exchanges`: each a request body and the answer to it (status, some headers, and the
body as JSON or text). Which of its requests go on from which is nowhere written; it is read from the messages.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

Message = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Exchange:
    """A request and its answer, as recorded; `number` is its place in the recording, from 1."""

    number: int
    request: dict[str, Any]
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def messages(self) -> list[Message]:
        return self.request.get("messages") or []

    @property
    def tools(self) -> list[dict[str, Any]]:
        return self.request.get("tools") or []

    @cached_property
    def choice(self) -> dict[str, Any]:
        """What the server chose to say; empty where the answer is an error, or no completion."""
        try:
            choice = json.loads(self.body)["choices"][0]
        except (ValueError, LookupError, TypeError):
            return {}
        return choice if isinstance(choice, dict) else {}

    @property
    def reply(self) -> Message | None:
        """The message in the answer; None where it holds none."""
        message = self.choice.get("message")
        return message if isinstance(message, dict) else None


@dataclass(frozen=True, eq=False)
class Growth:
    """What a request holds: the conversation before (`old`), the reply to it, and what was added (`rest`)."""

    old: list[Message]
    reply: Message
    rest: list[Message]

    @property
    def answers(self) -> list[Message]:
        """The tools' answers in what was added."""
        return [message for message in self.rest if message.get("role") == "tool"]

    @property
    def more(self) -> list[Message]:
        """What was added beside them."""
        return [message for message in self.rest if message.get("role") != "tool"]


Chain = Sequence[Exchange]
"""Exchanges of one conversation, each of which goes on from the one before."""


def read(path: Path) -> list[Exchange]:
    """The exchanges of a recording, in the order they were made."""
    recorded = json.loads(path.read_text(encoding="utf-8"))["exchanges"]
    return [_exchange(number, one["request"], one["response"]) for number, one in enumerate(recorded, 1)]


def _exchange(number: int, request: dict[str, Any], answer: dict[str, Any]) -> Exchange:
    body = json.dumps(answer["json"]) if "json" in answer else answer.get("sse") or answer.get("text") or ""
    return Exchange(number, request.get("json") or {}, answer["status"], answer.get("headers") or {}, body.encode())


def is_streamed(exchanges: Iterable[Exchange]) -> bool:
    return any(one.request.get("stream") for one in exchanges)


def is_one_conversation(exchanges: Sequence[Exchange]) -> bool:
    """Whether every request begins with the one before and adds to it: the plainest form of a recorded tool loop."""
    steps = [(before.messages, after.messages) for before, after in pairwise(exchanges)]
    return bool(steps) and all(len(after) > len(before) and begins_with(after, before) for before, after in steps)


def tool_loops(exchanges: Sequence[Exchange]) -> list[Chain]:
    """The conversations of a recording in which a tool's answer went back to the model."""
    return [chain for chain in chains(exchanges) if any(growth(*step).answers for step in pairwise(chain))]


def chains(exchanges: Sequence[Exchange]) -> list[Chain]:
    """The conversations of a recording: other agents' requests may lie between theirs, and two may begin alike."""
    before = {place: _predecessor(exchanges, place) for place in range(len(exchanges))}
    ends = [place for place in before if place not in before.values()]
    return [[exchanges[place] for place in _way_to(end, before)] for end in ends]


def _predecessor(exchanges: Sequence[Exchange], place: int) -> int | None:
    """Which earlier exchange this one goes on from: the one with the longest history that it repeats, else the last."""
    later = exchanges[place]
    able = [i for i in range(place) if joint(exchanges[i], later) is not None]

    def fit(i: int) -> tuple[bool, int, int]:
        earlier = exchanges[i].messages
        repeats = begins_with(later.messages, earlier)
        return repeats, len(earlier) if repeats else 0, i

    return max(able, key=fit, default=None)


def _way_to(end: int, before: dict[int, int | None]) -> list[int]:
    way: list[int] = []
    place: int | None = end
    while place is not None:
        way.insert(0, place)
        place = before[place]
    return way


def joint(earlier: Exchange, later: Exchange) -> int | None:
    """Where among the messages of `later` the reply to `earlier` stands; None where `later` does not go on from it."""
    reply, messages = earlier.reply, later.messages
    if reply is None:
        return None
    at = len(earlier.messages)
    if at < len(messages) and begins_with(messages, earlier.messages) and _stands_for(messages[at], reply):
        return at
    # A client that rewrites its history is known by the calls in it alone.
    places = [i for i, message in enumerate(messages) if _calls_named(message) & _calls_named(reply)]
    return places[-1] if places else None


def growth(earlier: Exchange, later: Exchange) -> Growth:
    """What `later` holds, which goes on from `earlier`."""
    at = joint(earlier, later)
    assert at is not None
    return Growth(later.messages[:at], later.messages[at], later.messages[at + 1 :])


def calls_of(message: Message | None) -> list[dict[str, Any]]:
    return [call for call in (message or {}).get("tool_calls") or [] if isinstance(call, dict)]


def text_of(content: Any) -> str:
    """The text of a message's content, be it text or a list of parts."""
    if isinstance(content, list):
        parts = [part for part in content if isinstance(part, dict)]
        return "".join(str(p.get("text") or "") for p in parts if p.get("type") in ("text", "output_text", None))
    return content if isinstance(content, str) else ""


def begins_with(messages: Sequence[Message], start: Sequence[Message]) -> bool:
    return len(messages) >= len(start) and all(normal(a) == normal(b) for a, b in zip(messages, start, strict=False))


def normal(message: Message) -> Message:
    """The message in the one form in which two are compared: null, "" and absent content are the same, the order of
    keys says nothing, and arguments are compared as JSON."""
    kept = {name: value for name, value in message.items() if name != "content" or value not in (None, "")}
    if isinstance(kept.get("tool_calls"), list):
        kept["tool_calls"] = [_normal_call(call) for call in kept["tool_calls"]]
    return kept


def _normal_call(call: Any) -> Any:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict):
        return call
    return {**call, "function": {**function, "arguments": as_json(function.get("arguments"))}}


def as_json(arguments: Any) -> Any:
    """Arguments as the JSON value they are; as they are where they are none."""
    try:
        return json.loads(arguments)
    except (TypeError, ValueError):
        return arguments


def _stands_for(message: Message, reply: Message) -> bool:
    """Whether the message can be the reply as a client sent it back: it has a call of it, or its text."""
    if message.get("role") != "assistant":
        return False
    if calls_of(reply):
        with_ids = all(call.get("id") for call in calls_of(reply))
        return bool(_calls_named(message, with_ids) & _calls_named(reply, with_ids))
    sent, said = text_of(message.get("content")), text_of(reply.get("content"))
    return not calls_of(message) and (sent == said or bool(sent and sent in said))


def _calls_named(message: Message, with_ids: bool = True) -> set[tuple[str, str, str]]:
    """What tells the calls of a message from others: ids alone would not do where servers count anew in every reply."""
    return {_named(call, with_ids) for call in calls_of(message)}


def _named(call: dict[str, Any], with_id: bool) -> tuple[str, str, str]:
    function = call.get("function") or {}
    arguments = json.dumps(as_json(function.get("arguments")), sort_keys=True)
    return str(call.get("id")) if with_id else "", str(function.get("name")), arguments
