"""The tool calls of a reply while their pieces arrive: which piece belongs to which call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from hermes_nb import codec
from hermes_nb.servers.assemble.fields import merged

NOTHING: dict[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Piece:
    """What a chunk adds that can be shown: text, reasoning, or some of the arguments of a call.

    `index` is the call's place among the calls so far; `id` and `name` are as far as they are known.
    """

    part: Literal["text", "reasoning", "call"]
    text: str
    index: int = 0
    id: str | None = None
    name: str | None = None


class Calls:
    """The tool calls of a reply while their pieces arrive.

    A piece belongs to the call at its `index`; without one, to the call with its `id`; with neither, to the last. It
    begins another call where one is there already if it brings another id and a name, or, without ids, a name while
    the arguments so far are whole or within the same chunk. What else it says of a call that is known (its id, its
    name, empty or again, ids that change with every piece) says nothing new.
    """

    def __init__(self) -> None:
        self._calls: list[Call] = []

    def __len__(self) -> int:
        return len(self._calls)

    def take(self, entries: list[Any]) -> list[Piece]:
        """Take in the entries of one chunk, and give what of them can be shown."""
        named: set[int] = set()
        shown = []
        for entry in entries:
            if isinstance(entry, dict):
                index = self._place(entry, named)
                shown.append(self._calls[index].take(entry, index))
                if _name(entry):
                    named.add(index)
        return shown

    def _place(self, entry: Mapping[str, Any], named: set[int]) -> int:
        key, sent_id = entry.get("index"), entry.get("id") or None
        found = next((number for number in self._candidates(key, sent_id, _name(entry))), None)
        if found is not None and not self._calls[found].is_over(entry, again=found in named):
            return found
        self._calls.append(Call(key))
        return len(self._calls) - 1

    def _candidates(self, key: Any, sent_id: str | None, name: str) -> Iterator[int]:
        """The calls this piece may belong to, the likeliest first."""
        latest = range(len(self._calls) - 1, -1, -1)
        if key is not None:
            yield from (number for number in latest if self._calls[number].key == key)
        if sent_id is not None and (key is None or not name):
            yield from (number for number in latest if self._calls[number].id == sent_id)
        last = self._calls[-1] if self._calls else None
        if key is None and last is not None and (sent_id is None or (last.id is None and not name)):
            yield latest[0]

    def entries(self) -> list[dict[str, Any]]:
        """The calls as a message has them, in the order of their indexes where all have one."""
        keys = [call.key for call in self._calls]
        numbered = all(isinstance(key, int) for key in keys)
        return [call.entry() for call in (sorted(self._calls, key=lambda call: call.key) if numbered else self._calls)]


class Call:
    """A tool call while its pieces arrive; `key` is the index it was begun with."""

    def __init__(self, key: Any) -> None:
        self.key = key
        self.id: str | None = None
        self._name = ""
        self._arguments: list[str] = []
        self._object: Any = None
        self._rest: dict[str, Any] = {}
        self._function: dict[str, Any] = {}

    def is_over(self, entry: Mapping[str, Any], *, again: bool) -> bool:
        """Whether this piece begins another call, although it stands where this one is; `again`: in the same chunk."""
        name, sent_id = _name(entry), entry.get("id") or None
        arguments = _text(_function(entry).get("arguments")).strip()
        if sent_id is not None and sent_id == self.id:
            return bool(name and arguments) and self._is_whole() and arguments != self._text().strip()
        if sent_id is not None and self.id is not None:
            return bool(name) or (bool(arguments) and self._is_whole())
        if not name or not self._name:
            return False
        other = name != self._name
        return again or (other and self.key is None) or (bool(arguments or other) and self._is_whole())

    def _text(self) -> str:
        return "".join(self._arguments) if self._object is None else _text(self._object)

    def _is_whole(self) -> bool:
        """Whether the arguments so far are an object already, to which no text can be added."""
        text = self._text()
        if not text.rstrip().endswith("}"):
            return False
        try:
            return isinstance(codec.loads(text), dict)
        except ValueError:
            return False

    def take(self, entry: Mapping[str, Any], index: int) -> Piece:
        """Take in a piece of this call, and give what of it can be shown."""
        function = _function(entry)
        added = "" if self._is_repeated(entry, function) else self._add(function)
        self.id = self.id or entry.get("id") or None
        self._name = _named(self._name, _name(entry))
        for held, given in ((self._rest, entry), (self._function, function)):
            for name, value in given.items():
                if name not in ("index", "function", "arguments"):
                    held[name] = merged(name, held.get(name), value)
        if self._name and function.get("name"):
            self._function["name"] = self._name
        if isinstance(custom := entry.get("custom"), dict):
            added = _text(custom.get("input"))
        return Piece("call", added, index, self.id, self._name or None)

    def _is_repeated(self, entry: Mapping[str, Any], function: Mapping[str, Any]) -> bool:
        """Whether this is the whole call once more."""
        same = bool(self.id) and entry.get("id") == self.id and function.get("name") == self._name != ""
        return same and _text(function.get("arguments")).strip() == self._text().strip() != "" and self._is_whole()

    def _add(self, function: Mapping[str, Any]) -> str:
        arguments = function.get("arguments")
        if isinstance(arguments, str):
            if self._object is not None:
                self._arguments, self._object = [_text(self._object)], None
            self._arguments.append(arguments)
        elif arguments is not None and not any(self._arguments):
            self._object = arguments
        elif arguments is not None:
            self._arguments.append(_text(arguments))
        if "arguments" in function:
            self._function["arguments"] = None
        return _text(arguments)

    def entry(self) -> dict[str, Any]:
        """The call as a message has it."""
        entry = dict(self._rest)
        if self.id is not None:
            entry["id"] = self.id
        if self._function:
            function = dict(self._function)
            if "arguments" in function and (self._arguments or self._object is not None):
                function["arguments"] = "".join(self._arguments) if self._object is None else self._object
            entry["function"] = function
        return entry


def _function(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    function = entry.get("function")
    return function if isinstance(function, dict) else NOTHING


def _name(entry: Mapping[str, Any]) -> str:
    custom = entry.get("custom")
    name = (custom if isinstance(custom, dict) else _function(entry)).get("name")
    return name if isinstance(name, str) else ""


def _text(arguments: Any) -> str:
    if arguments is None or isinstance(arguments, str):
        return arguments or ""
    return codec.dumps(arguments).decode()


def _named(name: str, given: str) -> str:
    """A call's name with what another piece says of it: the rest of it, the same again, or nothing."""
    if not given:
        return name
    return given if given.startswith(name) else name + given
