"""Chat messages, one after the other, as turns with calls and answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from hermes_nb import codec
from hermes_nb.formats.base.values import sequence
from hermes_nb.messages import Message, text_of
from hermes_nb.records import ErrorKind, Fault, Reply, ToolCall, ToolError, ToolResult, Turn, Usage
from hermes_nb.replies import reply_from

FAULTS: dict[ErrorKind, Fault] = {
    "unknown_tool": "model", "bad_json": "model", "bad_arguments": "model", "exception": "tool", "reported": "tool",
    "timeout": "environment", "cancelled": "run", "rejected": "run",
}  # fmt: skip
"""Whose fault an error of a kind is, where the file does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What a file says went wrong in one tool call. `fault` follows from the kind where it is None."""

    error: str
    kind: ErrorKind = "reported"
    fault: Fault | None = None
    exception_type: str | None = None
    traceback: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What a file says of one message beside the message.

    Of an assistant's: usage, model, finish_reason, id, request_id, retries, raw (the provider's body), problems,
    source_text; and `given` where no model was asked for it (an example in the prompt, a greeting): it is no turn then.
    Of a tool's answer: failure, queued, size, printed, exit_code, synthesised. Of both: `at`, when it began in seconds
    since the run did, and `seconds`, how long it took.
    """

    at: float | None = None
    seconds: float = 0.0
    given: bool = False
    usage: Usage | None = None
    model: str | None = None
    finish_reason: str | None = None
    id: str | None = None
    request_id: str | None = None
    retries: int = 0
    raw: dict[str, Any] | None = None
    problems: tuple[str, ...] = ()
    source_text: str | None = None
    failure: Failure | None = None
    queued: float = 0.0
    size: int | None = None
    printed: str = ""
    exit_code: int | None = None
    synthesised: bool = False


SILENT = Note()


@dataclass(slots=True)
class _Open:
    """A turn while its messages arrive. `sent` has the ids of its calls in the file, in call order."""

    number: int
    reply: Reply | None
    note: Note
    added: tuple[Message, ...] = ()
    sent: tuple[str | None, ...] = ()
    results: dict[int, ToolResult] = field(default_factory=dict)

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        return self.reply.calls if self.reply else ()

    def unanswered(self) -> list[ToolCall]:
        return [call for call in self.calls if call.index not in self.results]

    def next_index(self) -> int:
        return max((*self.results, len(self.calls) - 1), default=-1) + 1

    def closed(self) -> Turn:
        results = tuple(self.results[index] for index in sorted(self.results))
        ran = [result for result in results if result.seconds]
        tool_seconds = (
            max(one.started + one.seconds for one in ran) - min(one.started for one in ran)
            if all(one.started for one in ran) and ran
            else sum((one.seconds for one in ran), 0.0)
        )
        seconds = self.note.seconds + tool_seconds
        return Turn(
            number=self.number, reply=self.reply, results=results, at=self.note.at or 0.0, seconds=seconds,
            model_seconds=self.note.seconds, tool_seconds=tool_seconds, added_messages=self.added,
        )  # fmt: skip


class Turning:
    """Takes in messages in their order; `messages` are those of the result, `turns()` its turns."""

    def __init__(self, given: Sequence[Mapping[str, Any]], notes: Mapping[int, Note]) -> None:
        self.messages: list[Message] = []
        self.usage = Usage()
        self.model: str | None = None
        self.last_finish_reason: str | None = None
        self._notes = notes
        self._turns: list[_Open] = []
        self._between: list[Message] = []
        self._taken: set[str] = set()
        self._fresh = _fresh_ids(given)
        self._made: set[str] = set()

    def turns(self) -> tuple[Turn, ...]:
        """The turns of all messages so far."""
        return tuple(turn.closed() for turn in self._turns)

    def add(self, index: int, message: Message) -> None:
        """Take in the next message; `index` is its place in the file's list."""
        note = self._notes.get(index, SILENT)
        match message["role"]:
            case "assistant" if not note.given:
                self._reply(message, note)
            case "tool" | "function":
                self._answer({**message, "role": "tool", "content": _content(message.get("content"))}, note)
            case _:
                self._say({**message, "content": _content(message.get("content"))})

    def _say(self, message: Message) -> None:
        self.messages.append(message)
        if self._turns:
            self._between.append(message)

    def _reply(self, message: Message, note: Note) -> None:
        number = self._turns[-1].number + 1 if self._turns else 1
        body = {"choices": [{"message": message, "finish_reason": note.finish_reason}], "model": note.model}
        reply = reply_from(body, turn=number, taken=self._taken, new_id=self._new_id)
        kept = {key: value for key, value in message.items() if value is not None and key not in REWRITTEN}
        reply = replace(
            reply, message={**kept, **reply.message}, usage=note.usage or Usage(), id=note.id, raw=note.raw,
            request_id=note.request_id, retries=note.retries, seconds=note.seconds, source_text=note.source_text,
            problems=(*reply.problems, *note.problems),
        )  # fmt: skip
        self.usage = self.usage + reply.usage if any(turn.reply for turn in self._turns) else reply.usage
        self.model = self.model or reply.model
        self.last_finish_reason = reply.finish_reason
        self.messages.append(reply.message)
        sent = tuple(
            None if call.id in self._made and not call.sent_id else call.sent_id or call.id for call in reply.calls
        )
        self._turns.append(_Open(number, reply, note, tuple(self._between), sent))
        self._between = []

    def _new_id(self) -> str:
        made = next(self._fresh)
        self._made.add(made)
        return made

    def _answer(self, message: Message, note: Note) -> None:
        sent_id = message.get("tool_call_id")
        turn, call = self._asked(sent_id, message.get("name")) if sent_id else self._next(message.get("name"))
        if call is not None:
            message = {**message, "tool_call_id": call.id}
        elif sent_id and any(sent_id in turn.sent for turn in self._turns):
            self._say(message)  # The call has an answer; this is another.
            return
        else:
            turn = self._turns[-1] if self._turns else self._before()
            call = _call_of(message, turn)
        self.messages.append(message)
        turn.results[call.index] = _result(call, message, note)

    def _asked(self, sent_id: Any, name: Any) -> tuple[_Open, ToolCall | None]:
        """The nearest turn with an open call of this id, and the first such call."""
        for turn in reversed(self._turns):
            for call in turn.unanswered():
                if turn.sent[call.index] == sent_id:
                    return turn, call
        nameless = (
            [call for call in self._turns[-1].unanswered() if self._turns[-1].sent[call.index] is None]
            if self._turns
            else []
        )
        return (self._turns[-1], _by_name(nameless, name)) if nameless else (NO_TURN, None)

    def _next(self, name: Any) -> tuple[_Open, ToolCall | None]:
        """The turn before, and the call of it that is next to be answered."""
        return (self._turns[-1], _by_name(self._turns[-1].unanswered(), name)) if self._turns else (NO_TURN, None)

    def _before(self) -> _Open:
        """A turn for answers that stand before any model was asked."""
        self._turns.append(_Open(0, None, SILENT))
        return self._turns[-1]


NO_TURN = _Open(0, None, SILENT)

REWRITTEN = ("role", "content", "tool_calls", "function_call")
"""The fields of an assistant's message that `reply_from` makes anew."""


def _fresh_ids(given: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Ids that no call of these messages has."""
    entries = [entry for message in given for entry in sequence(message.get("tool_calls"))]
    used = {entry["id"] for entry in entries if isinstance(entry, Mapping) and isinstance(entry.get("id"), str)}
    return (made for made in map("call_{}".format, count()) if made not in used)


def _by_name(calls: list[ToolCall], name: Any) -> ToolCall | None:
    """The first call of that name; the first of all where there is none."""
    return next((call for call in calls if call.name == name), calls[0] if calls else None)


def _call_of(message: Message, turn: _Open) -> ToolCall:
    """The call that an answer speaks of and the file does not hold."""
    name, sent_id = message.get("name"), message.get("tool_call_id")
    return ToolCall(
        name=name if isinstance(name, str) else "", arguments="", id=sent_id if isinstance(sent_id, str) else "",
        turn=turn.number, index=turn.next_index(),
    )  # fmt: skip


def _result(call: ToolCall, message: Message, note: Note) -> ToolResult:
    content = message["content"]
    told = text_of(content)
    parts = [part for part in content if not text_of([part])] if isinstance(content, list) else []
    return ToolResult(
        call=call, content=told, error=_error(call, told, note.failure), queued=note.queued, started=note.at or 0.0,
        seconds=note.seconds, size=note.size, parts=tuple(parts) or None, printed=note.printed,
        exit_code=note.exit_code, synthesised=note.synthesised,
    )  # fmt: skip


def _error(call: ToolCall, told: str, failure: Failure | None) -> ToolError | None:
    if failure is None:
        return None
    return ToolError(
        turn=call.turn, tool_name=call.name, arguments=call.arguments, error=failure.error, tool_result=told,
        kind=failure.kind, fault=failure.fault or FAULTS[failure.kind], call_id=call.id, call_index=call.index,
        exception_type=failure.exception_type, traceback=failure.traceback,
    )  # fmt: skip


def _content(content: Any) -> str | list[Any]:
    if isinstance(content, str | list):
        return content
    return "" if content is None else codec.dumps(content, default=str).decode()


def reported(content: str) -> Failure | None:
    """The error in a tool's answer that is a JSON object with a true `error`, as our own tools' answers are read."""
    if not content.lstrip().startswith("{"):
        return None
    value, _ = codec.parse_arguments(content)
    error = value.get("error") if isinstance(value, dict) else None
    return Failure(error=error if isinstance(error, str) else codec.dumps(error).decode()) if error else None
