"""What happens in a run, in order, and `fold`, which makes the result of it.

Every event says whose run it is (`run_id`), where it stands (`seq`, contiguous from 0: a gap is damage), when it
was (`at`, seconds since the run began) and in which turn (1-based; 0 outside any). A run that is going on, one that
was loaded and one that is replayed are the same stream seen at different times.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from hermes_nb.messages import Message, tool
from hermes_nb.records import (
    MEMORY,
    AgentResult,
    Origin,
    Provenance,
    Reply,
    RunError,
    StopReason,
    ToolCall,
    ToolResult,
    Turn,
    Usage,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened in a run; the kinds of it are below. `unread` holds what a newer version wrote with it
    (see `codec.build`), so that it is not lost when the event is written again."""

    run_id: str
    seq: int
    at: float = 0.0
    turn: int = 0
    unread: dict[str, Any] | None = field(default=None, repr=False, compare=False, metadata=MEMORY)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted(Event):
    """A run begins. `messages` is the whole conversation it starts from, said this once."""

    started_at: str = ""
    task_id: str | None = None
    task: str | None = None
    attempt: int = 0
    origin: Origin | None = None
    server: dict[str, Any] = field(default_factory=dict)
    sampling: dict[str, Any] = field(default_factory=dict)
    tools: tuple[dict[str, Any], ...] = ()
    toolbox_hash: str | None = None
    limits: dict[str, Any] = field(default_factory=dict)
    messages: tuple[Message, ...] = ()
    meta: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnStarted(Event):
    """The model is about to be asked. `request` holds what changed in the request since the last turn besides the
    messages; `added_messages` joined the history before it; `rewritten` is a history that took its place."""

    request: dict[str, Any] = field(default_factory=dict)
    added_messages: tuple[Message, ...] = ()
    rewritten: tuple[Message, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta(Event):
    """A piece of a reply that is still forming, or of a tool's output. Not journaled unless asked, and not counted: its
    `seq` is that of the event it comes before. `index`, `id` and `name` are a call's, as far as they are known."""

    part: Literal["text", "reasoning", "call", "output"] = "text"
    index: int = 0
    id: str | None = None
    name: str | None = None
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replied(Event):
    """The model answered."""

    reply: Reply


@dataclass(frozen=True, slots=True, kw_only=True)
class CallStarted(Event):
    """A tool call is about to be answered."""

    call: ToolCall


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFinished(Event):
    """A tool call was answered. Calls of one turn may finish in any order."""

    result: ToolResult


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnFinished(Event):
    """The turn is over: the reply is in, and every call of it is answered."""

    model_seconds: float = 0.0
    tool_seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFinished(Event):
    """The run is over. `abandoned` names the tools that could not be stopped."""

    stop_reason: StopReason = "finished"
    error: RunError | None = None
    seconds: float = 0.0
    abandoned: tuple[str, ...] = ()
    managed_state: Any = field(default=None, compare=False, metadata=MEMORY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown(Event):
    """Something that only a newer version knows, as it wrote it. It counts, and changes nothing in the result."""

    kind: str
    fields: dict[str, Any] = field(default_factory=dict)


KINDS: dict[str, type[Event]] = {
    kind.__name__: kind
    for kind in (RunStarted, TurnStarted, Delta, Replied, CallStarted, CallFinished, TurnFinished, RunFinished)
}
"""The event types by the name they carry on disk."""


def fold(events: Iterable[Event]) -> AgentResult:
    """The result of a stream of events; of a stream that stops early, the result so far (`running`).

    Raises:
        ValueError: the stream does not begin with RunStarted, or an event is missing from its middle.
    """
    folded = Fold()
    for event in events:
        folded.add(event)
    return folded.result()


class Fold:
    """The result of a run while its events arrive, one `add` each; `result()` is the result so far."""

    def __init__(self) -> None:
        self.started: RunStarted | None = None
        self.finished: RunFinished | None = None
        self.messages: list[Message] = []
        self.turns: list[Turn] = []
        self.usage: Usage | None = None
        self.at = 0.0
        self._next = 0
        self._open: _OpenTurn | None = None

    def add(self, event: Event) -> None:
        """Take in the next event.

        Raises:
            ValueError: it is not the next one.
        """
        if event.seq != self._next:
            raise ValueError(f"event {self._next} is missing: event {event.seq} came in its place")
        if self.started is None and not isinstance(event, RunStarted):
            raise ValueError(f"a run begins with RunStarted, not with {type(event).__name__}")
        self._next += not isinstance(event, Delta)
        self.at = event.at
        self._take(event)

    def _take(self, event: Event) -> None:
        match event:
            case RunStarted():
                self.started = event
                self.messages = list(event.messages)
            case TurnStarted():
                self._close()
                if event.rewritten is not None:
                    self.messages = list(event.rewritten)
                self.messages.extend(event.added_messages)
                self._open = _OpenTurn(event)
            case Replied():
                self.usage = event.reply.usage if self.usage is None else self.usage + event.reply.usage
                self._turn.reply = event.reply
            case CallFinished():
                self._turn.results[event.result.call.index] = event.result
            case TurnFinished():
                self._turn.finished = event
            case RunFinished():
                self._close()
                self.finished = event
            case _:
                pass

    @property
    def unanswered(self) -> list[ToolCall]:
        """The calls of the turn that is going on which have no answer yet."""
        if self._open is None or self._open.reply is None:
            return []
        return [call for call in self._open.reply.calls if call.index not in self._open.results]

    @property
    def said(self) -> list[Message]:
        """What the turn that began last adds to the conversation, until the next begins: the reply, and the answers."""
        return [] if self._open is None else self._open.said()

    @property
    def _turn(self) -> _OpenTurn:
        if self._open is None:
            raise ValueError("a reply or an answer outside any turn")
        return self._open

    def _close(self) -> None:
        if self._open is not None:
            self.turns.append(self._open.turn(self.at))
            self.messages.extend(self._open.said())
            self._open = None

    def result(
        self, unended: Literal["running", "crashed"] = "running", *, journal_error: str | None = None
    ) -> AgentResult:
        """The result of what has been added; without an end its stop reason is `unended`.

        Raises:
            ValueError: nothing has.
        """
        started, finished = self.started, self.finished
        if started is None:
            raise ValueError("no events: a run begins with RunStarted")
        open_turns = [] if self._open is None else [self._open.turn(self.at)]
        return AgentResult(
            messages=[*self.messages, *self.said],
            managed_state=finished.managed_state if finished else None,
            run_id=started.run_id,
            task_id=started.task_id,
            task=started.task,
            attempt=started.attempt,
            meta=started.meta,
            origin=started.origin,
            turns=(*self.turns, *open_turns),
            stop_reason=finished.stop_reason if finished else unended,
            error=finished.error if finished else None,
            usage=self.usage or Usage(),
            seconds=finished.seconds if finished else self.at,
            abandoned=finished.abandoned if finished else (),
            provenance=_provenance(started),
            journal_error=journal_error,
        )


class _OpenTurn:
    """A turn while its events arrive."""

    def __init__(self, started: TurnStarted) -> None:
        self.started = started
        self.reply: Reply | None = None
        self.results: dict[int, ToolResult] = {}
        self.finished: TurnFinished | None = None
        self._said: list[Message] | None = None

    def _in_order(self) -> list[ToolResult]:
        return [self.results[index] for index in sorted(self.results)]

    def turn(self, now: float) -> Turn:
        """The turn so far, `now` being seconds since the run began."""
        return Turn(
            number=self.started.turn,
            reply=self.reply,
            results=tuple(self._in_order()),
            at=self.started.at,
            seconds=(self.finished.at if self.finished else now) - self.started.at,
            model_seconds=self.finished.model_seconds if self.finished else 0.0,
            tool_seconds=self.finished.tool_seconds if self.finished else 0.0,
            added_messages=self.started.added_messages,
            request=self.started.request,
        )

    def said(self) -> list[Message]:
        """What the turn adds to the conversation: the reply and the answers there are, in call order.

        A reply that was cut short before it said anything adds nothing: few servers would take it back. Of a turn that
        is finished they are always the same messages.
        """
        if self.finished is None:
            return self._messages()
        if self._said is None:
            self._said = self._messages()
        return self._said

    def _messages(self) -> list[Message]:
        if self.reply is None or (self.reply.partial and not self.reply.message.get("content")):
            return []
        return [self.reply.message, *(tool(one.call.id, one.content, one.parts) for one in self._in_order())]


def _provenance(started: RunStarted) -> Provenance:
    return Provenance(
        started_at=started.started_at,
        server=started.server,
        sampling=started.sampling,
        tools=started.tools,
        toolbox_hash=started.toolbox_hash,
        limits=started.limits,
        versions=started.versions,
    )
