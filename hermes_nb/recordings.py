"""Recorded runs, asked by turn and by call: what the model was sent, what came of it, and when everything was."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from hermes_nb.events import (
    CallFinished,
    CallStarted,
    Delta,
    Event,
    Fold,
    Replied,
    RunFinished,
    RunStarted,
    TurnStarted,
)
from hermes_nb.messages import Message
from hermes_nb.records import Reply, RunError, ToolResult

TIMES = ("at", "started_at", "seconds", "model_seconds", "tool_seconds")
"""The fields of events that say when, and how long."""

FAILURES = ("server_error", "context_overflow")
"""The endings of a run whose server failed."""


@dataclass(slots=True)
class _Turn:
    messages: list[Message]
    changes: dict[str, Any]
    reply: Reply | None = None
    deltas: list[Delta] = field(default_factory=list)
    results: dict[int, ToolResult] = field(default_factory=dict)


class Recording:
    """One recorded run, whole or as far as it came, made of its events in their order.

    Raises:
        ValueError: an event is missing, at the start or in the middle.
    """

    def __init__(self, events: Iterable[Event]) -> None:
        self.finished: RunFinished | None = None
        self._turns: dict[int, _Turn] = {}
        self._times: dict[tuple[str, int, int, int], dict[str, Any]] = {}
        seen: Counter[tuple[str, int, int]] = Counter()
        folded = Fold()
        for event in events:
            folded.add(event)
            self._take(event, folded)
            place = (type(event).__name__, event.turn, _index(event))
            times = {name: getattr(event, name) for name in TIMES if hasattr(event, name)}
            self._times[*place, seen[place]] = times
            seen[place] += 1
        if folded.started is None:
            raise ValueError("no events: a run begins with RunStarted")
        self.started: RunStarted = folded.started

    def _take(self, event: Event, folded: Fold) -> None:
        match event:
            case TurnStarted():
                changed = self._turns[max(self._turns)].changes if self._turns else {}
                self._turns[event.turn] = _Turn(list(folded.messages), {**changed, **event.request})
            case Delta():
                self._turn(event).deltas.append(event)
            case Replied():
                self._turn(event).reply = event.reply
            case CallFinished():
                self._turn(event).results[event.result.call.index] = event.result
            case RunFinished():
                self.finished = event
            case _:
                pass

    def _turn(self, event: Event) -> _Turn:
        if event.turn not in self._turns:
            raise ValueError(f"event {event.seq} is of turn {event.turn}, which did not begin")
        return self._turns[event.turn]

    @property
    def run_id(self) -> str:
        """The id of the run."""
        return self.started.run_id

    @property
    def key(self) -> tuple[str | None, int]:
        """Which item of a dataset the run was of, and which sample of it."""
        return self.started.task, self.started.attempt

    @property
    def turns(self) -> int:
        """How many turns there are."""
        return len(self._turns)

    def messages(self, turn: int) -> list[Message]:
        """The whole conversation that the model was sent at this turn; nothing for a turn that is not there."""
        return self._turns[turn].messages if turn in self._turns else []

    def changes(self, turn: int) -> dict[str, Any]:
        """What this turn's request had, besides the messages, that was not as the run's settings say."""
        return self._turns[turn].changes if turn in self._turns else {}

    def reply(self, turn: int) -> Reply | None:
        """What the model answered, cut short or whole; None where it did not."""
        return self._turns[turn].reply if turn in self._turns else None

    def failure(self, turn: int) -> RunError | None:
        """What the server failed with at this turn; None where it did not fail."""
        reply = self.reply(turn)
        if self.finished is None or turn != max(self._turns, default=0) or (reply is not None and not reply.partial):
            return None
        return self.finished.error if self.finished.stop_reason in FAILURES else None

    def deltas(self, turn: int) -> list[Delta]:
        """The pieces the reply came in, where they were recorded."""
        return self._turns[turn].deltas if turn in self._turns else []

    def result(self, turn: int, index: int) -> ToolResult | None:
        """The answer to a call of this turn's reply; None where there is none."""
        return self._turns[turn].results.get(index) if turn in self._turns else None

    def times(self, kind: type[Event], turn: int = 0, index: int = 0, nth: int = 0) -> dict[str, Any]:
        """The times in the nth event (from 0) of a kind, of this turn and call; nothing for one that is not there."""
        return self._times.get((kind.__name__, turn, index, nth), {})

    def __repr__(self) -> str:
        ended = self.finished.stop_reason if self.finished else "no end"
        return f"Recording({self.run_id} · {self.turns} {'turn' if self.turns == 1 else 'turns'} · {ended})"


def _index(event: Event) -> int:
    """The index of the call that an event is of; 0 for an event of no call."""
    match event:
        case CallStarted():
            return event.call.index
        case CallFinished():
            return event.result.call.index
    return 0


def recordings(events: Iterable[Event]) -> list[Recording]:
    """The runs in a file's events, in the order in which they began; events of different runs may lie between.

    Raises:
        ValueError: an event of a run is missing, at its start or in its middle.
    """
    runs: list[list[Event]] = []
    going: dict[str, list[Event]] = {}
    for event in events:
        # A second start of the same id is another run: counted ids begin anew in every session.
        if isinstance(event, RunStarted) or event.run_id not in going:
            going[event.run_id] = []
            runs.append(going[event.run_id])
        going[event.run_id].append(event)
    return [Recording(run) for run in runs]
