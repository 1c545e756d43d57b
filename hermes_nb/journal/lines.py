"""One line of a journal: an event as JSON without secrets, and JSON as an event."""

from __future__ import annotations

import math
from typing import Any

import orjson

from hermes_nb import codec
from hermes_nb.events import (
    KINDS,
    CallStarted,
    Event,
    Replied,
    RunFinished,
    TurnFinished,
    TurnStarted,
    Unknown,
)
from hermes_nb.exceptions import JournalError
from hermes_nb.records import ToolCall
from hermes_nb.redact import Redactor

FORMAT = "1.0"
OPENING = codec.dumps({"hermes_nb_journal": FORMAT}) + b"\n"
TORN = codec.dumps({"torn": True}) + b"\n"

DEPTH = 250
"""How deep values are kept when they cannot be encoded at once."""

LONGEST_NUMBER = 8192
"""How many bits a whole number may have: Python writes and reads no much longer ones as decimals."""

LONGEST_OPENING = 4096


class Writer:
    """Makes lines of events, with a marker for every secret. It takes any event, whatever somebody put into its fields:
    what JSON has no form for is kept as its repr."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._calls: dict[int, tuple[ToolCall, orjson.Fragment]] = {}
        self._cleared: str | None = None

    def line(self, event: Event) -> bytes:
        """The event as a line."""
        kind = type(event)
        if kind is TurnStarted or kind is RunFinished:
            self._calls = {}
        cleared = event.run_id == self._cleared and self._says_nothing_new(kind, event)
        encoded = self._encoded(kind, event)
        # Nearly every line is cleared by this look, which costs a tenth of a walk through the strings in it.
        if not cleared and self._redactor.suspects(encoded.decode()):
            encoded = codec.dumps(self._redactor.value(codec.loads(encoded)))
            self._cleared = None
        elif kind is Replied:
            self._cleared = event.run_id
        return encoded + b"\n"

    def _says_nothing_new(self, kind: type[Event], event: Any) -> bool:
        """Whether there is no text in it, or none but what was in the reply of its turn."""
        if kind is CallStarted:
            new = id(event.call) not in self._calls
        elif kind is TurnStarted:
            new = bool(event.request or event.added_messages or event.rewritten)
        else:
            new = kind is not TurnFinished
        return not new and event.unread is None

    def _encoded(self, kind: type[Event], event: Event) -> bytes:
        if event.unread is None and kind is not Unknown:
            try:
                return _dumps(codec.outline(event, self._record, t=kind.__name__))
            except (TypeError, ValueError, RecursionError):
                self._calls = {}  # And the event is taken apart below.
        entry = codec.outline(event, t=kind.__name__)
        if isinstance(event, Unknown):
            entry |= {"t": entry.pop("kind")} | entry.pop("fields")
        codec.merge(entry, event.unread or {})
        return _encoded(entry)

    def _record(self, record: Any) -> Any:
        """What stands for a record; a tool call, which three events of a turn hold, is encoded once."""
        if type(record) is not ToolCall:
            return codec.outline(record, self._record)
        known = self._calls.get(id(record))
        if known is None:
            known = self._calls[id(record)] = record, orjson.Fragment(_encoded(codec.outline(record)))
        return known[1]


def _dumps(entry: Any) -> bytes:
    return codec.dumps(entry, default=_told, option=orjson.OPT_PASSTHROUGH_DATACLASS)


def _encoded(entry: Any) -> bytes:
    try:
        return _dumps(entry)
    except (TypeError, ValueError, RecursionError):  # Keys of no JSON, a list in itself, a thousand levels.
        return codec.dumps(_tame(entry, ()))


def _told(value: Any) -> Any:
    if isinstance(value, orjson.Fragment):
        raise TypeError("only orjson knows what to make of its own fragments")
    if codec.is_record(value):
        return codec.outline(value)
    if isinstance(value, float) and math.isfinite(value):
        return float(value)
    try:
        return repr(value)
    except Exception as error:  # The doorway to objects of other people's making.
        return f"<{type(value).__name__} whose repr raises {type(error).__name__}>"


def _tame(value: Any, within: tuple[int, ...]) -> Any:
    """The value as something that JSON has a form for."""
    if isinstance(value, int) and value.bit_length() > LONGEST_NUMBER:
        return hex(value)
    if isinstance(value, str | int | float | None):
        return value
    if id(value) in within:
        return "[left out: it holds itself]"
    if len(within) == DEPTH:
        return f"[left out: nested more than {DEPTH} deep]"
    inner = (*within, id(value))
    if isinstance(value, dict):
        return {key if isinstance(key, str) else _key(key): _tame(item, inner) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_tame(item, inner) for item in value]
    told = _told(value)
    return _tame(told, inner) if isinstance(told, dict) else told


def _key(key: Any) -> str:
    return codec.dumps(_tame(key, ())).decode() if isinstance(key, int | float | None) else str(_told(key))


def check_opening(raw: bytes) -> None:
    """Nothing, for the first line of a journal that this version can read.

    Raises:
        JournalError: it is none, or of a newer major version.
    """
    try:
        version = codec.loads(raw)["hermes_nb_journal"]
        major = int(version.split(".")[0])
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise JournalError("no journal of hermes_nb: its first line is not a journal's") from error
    if major > int(FORMAT.split(".")[0]):
        raise JournalError(f"of format {version:.20}; this version of hermes_nb reads up to {FORMAT}: upgrade it")


def may_be_opening(raw: bytes) -> bool:
    """Whether this may be the beginning of a first line whose writing was cut short."""
    return len(raw) > len(b'{"hermes_nb') and OPENING.startswith(raw.rstrip(b"\n"))


def event(entry: dict[str, Any]) -> Event:
    """The event that a line holds, of whatever kind.

    Raises:
        ValueError: it holds none.
    """
    fields = dict(entry)
    name = fields.pop("t", None)
    if not isinstance(name, str):
        raise ValueError("it has no t, which says what it is")  # noqa: TRY004
    unread: dict[str, Any] = {}
    try:
        made = codec.build(KINDS.get(name, Event), fields, unread)
        if name not in KINDS:
            return Unknown(run_id=made.run_id, seq=made.seq, at=made.at, turn=made.turn, kind=name, fields=unread)
        if unread:
            # Facts are frozen once they are told; this one has not been told yet.
            object.__setattr__(made, "unread", unread)
    except TypeError as error:  # What Python says when an argument, here a field, is missing.
        raise ValueError(str(error).partition("() ")[2] or str(error)) from error
    return made
