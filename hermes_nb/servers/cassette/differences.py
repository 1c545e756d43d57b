"""Compares what is sent with what was recorded, and says in words what differs first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from hermes_nb import codec
from hermes_nb.messages import Message, text_of
from hermes_nb.recordings import Recording
from hermes_nb.redact import Redactor, Secret

MARKER = re.compile(rb"\[redacted:[a-z]+#\d+\]")
"""What stands for a secret. Which number it has depends on what was redacted before it."""

BEFORE, AFTER = 24, 64
"""How many characters of a text are told, before the first that differs and from it on."""

NOT_COMPARED = ("stream",)
"""Settings that change how an answer comes, and not what it says."""


class Difference(NamedTuple):
    """The first place where two values differ, as a path of keys and indexes, and what each has there."""

    path: tuple[str, ...]
    expected: Any
    sent: Any

    def told(self) -> str:
        """What is different, in two lines, of a bounded length."""
        expected, sent = self.expected, self.sent
        if isinstance(expected, str) and isinstance(sent, str):
            expected, sent = _excerpts(expected, sent)
        else:
            expected, sent = _short(expected), _short(sent)
        return f"  expected: {expected}\n  sent:     {sent}"


class Eye:
    """Sees what a recording would hold of a value: without these secrets, and without what must not matter."""

    def __init__(self, secrets: Iterable[str | Secret] = ()) -> None:
        self._redactor = Redactor(secrets)
        self._starts: WeakKeyDictionary[Recording, bytes] = WeakKeyDictionary()

    def plain(self, value: Any) -> Any:
        """The value as JSON, with the same marker in the place of every secret."""
        written = codec.dumps(self._redactor.value(value), default=repr)
        return codec.loads(MARKER.sub(b"[redacted]", written))

    def message(self, message: Message) -> Message:
        """The message in the one form in which two are compared: nothing, null and "" are the same, and so are the
        arguments of a call however they are spaced."""
        kept = {name: value for name, value in self.plain(message).items() if value not in (None, "", [])}
        calls = kept.get("tool_calls")
        return kept if not isinstance(calls, list) else {**kept, "tool_calls": [_call(call) for call in calls]}

    def start(self, messages: Iterable[Message]) -> bytes:
        """What tells a conversation from another."""
        return codec.dumps([_sorted(self.message(message)) for message in messages])

    def start_of(self, recording: Recording) -> bytes:
        """The same of the conversation that a recording starts with; read once."""
        if recording not in self._starts:
            self._starts[recording] = self.start(recording.started.messages)
        return self._starts[recording]

    def tools(self, recorded: Iterable[Any], sent: Iterable[Any]) -> str | None:
        """How the tools differ; None where they do not. Their order says nothing."""
        before, now = (_by_name(self.plain(list(schemas))) for schemas in (recorded, sent))
        gone, new = ([name for name in one if name not in other] for one, other in ((before, now), (now, before)))
        if gone or new:
            lists = (("recorded, and not offered now", gone), ("not recorded, and offered now", new))
            return "the tools differ: " + "; ".join(f"{told}: {', '.join(names)}" for told, names in lists if names)
        for name, schema in before.items():
            if found := first_difference(schema, now[name]):
                return f"the schema of the tool {name} differs in {_path(found.path)}\n{found.told()}"
        return None

    def sampling(self, recorded: Mapping[str, Any], sent: Mapping[str, Any]) -> str | None:
        """How the settings of the request differ; None where they do not. What either does not name is not compared."""
        names = [name for name in recorded if name in sent and name not in NOT_COMPARED]
        before, now = (self.plain({name: settings[name] for name in names}) for settings in (recorded, sent))
        found = first_difference(before, now)
        return f"the setting {_path(found.path)} differs\n{found.told()}" if found else None


class Reading:
    """Compares a conversation with a recorded one as it grows: what was compared once is not read again."""

    def __init__(self, eye: Eye) -> None:
        self._eye = eye
        self._same: list[tuple[Message, Message]] = []

    def difference(self, expected: Sequence[Message], sent: Sequence[Message]) -> str | None:
        """How what is sent differs from what was recorded; None where it does not."""
        told = self._first(expected, sent)
        if told is None or len(expected) == len(sent):
            return told
        return f"{told}\n  ({_messages(len(expected))} expected, {_messages(len(sent))} sent)"

    def _first(self, expected: Sequence[Message], sent: Sequence[Message]) -> str | None:
        for place, pair in enumerate(zip_longest(expected, sent)):
            if place < len(self._same) and self._same[place] == pair:
                continue
            del self._same[place:]
            one, other = (None if message is None else self._eye.message(message) for message in pair)
            if one is None or other is None:
                return f"message {place + 1} is {'too many' if one is None else 'not there'}\n{_who_says(one, other)}"
            if one.get("role") != other.get("role"):
                return f"message {place + 1} is another\n{_who_says(one, other)}"
            if found := first_difference(one, other):
                where = "" if found.path == ("content",) else f" in {_path(found.path)}"
                return f"message {place + 1} ({one.get('role')}) differs{where}\n{found.told()}"
            # A copy: who changes a message in place later must not change what it is compared with.
            self._same.append((pair[0], codec.loads(codec.dumps(pair[1], default=repr))))
        return None


def first_difference(expected: Any, sent: Any) -> Difference | None:
    """The first place where two JSON values differ; None where they are the same."""
    todo: list[tuple[tuple[str, ...], Any, Any]] = [((), expected, sent)]
    while todo:
        path, one, other = todo.pop()
        if isinstance(one, dict) and isinstance(other, dict):
            names = reversed(dict.fromkeys((*one, *other)))
            todo += [((*path, name), one.get(name), other.get(name)) for name in names]
        elif isinstance(one, list) and isinstance(other, list):
            pairs = list(enumerate(zip_longest(one, other)))
            todo += [((*path, str(index)), *pair) for index, pair in reversed(pairs)]
        elif not _same(one, other):
            return Difference(path, one, other)
    return None


def _same(one: Any, other: Any) -> bool:
    """Whether two values are the same: 1 is 1.0, True is not 1, and NaN is NaN."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return bool(one == other or (one != one and other != other))


def _call(call: Any) -> Any:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("arguments"), str):
        return call
    value, problem = codec.parse_arguments(function["arguments"])
    return call if problem else {**call, "function": {**function, "arguments": value}}


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _sorted(value[name]) for name in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list) else value


def _by_name(schemas: Iterable[Any]) -> dict[str, Any]:
    named = {}
    for number, schema in enumerate(schemas, 1):
        function = schema.get("function") if isinstance(schema, dict) else None
        name = function.get("name") if isinstance(function, dict) else None
        named[str(name or number)] = schema
    return named


def _messages(count: int) -> str:
    return f"{count} message{'' if count == 1 else 's'}"


def _who_says(expected: Message | None, sent: Message | None) -> str:
    """Who says what, in the fewest words."""
    told = []
    for message in (expected, sent):
        said = message and (text_of(message.get("content")) or message.get("tool_calls") or message.get("content"))
        told.append(f"{message.get('role')}: {_short(said)}" if message else "nothing")
    return f"  expected: {told[0]}\n  sent:     {told[1]}"


def _path(path: tuple[str, ...]) -> str:
    return ".".join(path) or "all of it"


def _excerpts(expected: str, sent: str) -> tuple[str, str]:
    """The words around the first character that differs, of both texts."""
    pairs = enumerate(zip(expected, sent, strict=False))
    place = next((index for index, (one, other) in pairs if one != other), min(len(expected), len(sent)))
    start = max(0, place - BEFORE)
    if start and (space := expected.find(" ", start, place)) >= 0:
        start = space + 1
    return _from(expected, start, place), _from(sent, start, place)


def _from(text: str, start: int, place: int) -> str:
    end = place + AFTER
    told = f"{'…' if start else ''}{text[start:end]}{'…' if end < len(text) else ''}"
    return codec.dumps(told).decode() if told else "nothing"


def _short(value: Any) -> str:
    if value is None:
        return "nothing"
    text = codec.dumps(value, default=repr).decode()
    return text if len(text) <= BEFORE + AFTER else f"{text[: BEFORE + AFTER]}…"
