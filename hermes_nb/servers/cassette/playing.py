"""Plays one run from its recording, turn by turn, as long as what is sent is what was recorded."""

from __future__ import annotations

import copy
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hermes_nb.events import CallFinished, CallStarted, Event, RunFinished, TurnFinished, TurnStarted
from hermes_nb.exceptions import ServerError
from hermes_nb.recordings import Recording
from hermes_nb.records import RunError, ToolCall, ToolResult
from hermes_nb.replies import fresh_ids
from hermes_nb.servers.base import CASSETTE_VARIABLE, Server
from hermes_nb.servers.cassette.differences import Eye, Reading, first_difference
from hermes_nb.servers.cassette.finding import named
from hermes_nb.servers.cassette.player import Answer, Player
from hermes_nb.servers.cassette.tape import Tape

MISS = "CassetteMiss"
"""The type of the error of a run that is not as recorded."""

REMEDY = f'Record this run anew with mode="record", or with {CASSETTE_VARIABLE}=record.'
HINT = (
    "recording asks a server, and keeps what is recorded of other runs; runs that differ need a task, or an attempt, "
    "of their own"
)


class PlayedTape(Tape):
    """A run that is played. Where it is not as recorded, the server `behind` goes on from there, or, without one, it
    ends with an error that says what differs. `name` is the cassette's.
    """

    def __init__(self, recording: Recording, *, eye: Eye, behind: Server | None, live_tools: bool, name: str) -> None:
        super().__init__(Player(self._answer, behind))
        self._recording = recording
        self._eye = eye
        self._reading = Reading(eye)
        self._behind = behind
        self._live_tools = live_tools
        self._name = name
        self._turn = 0
        self._first: Mapping[str, Any] = {}
        self._ids: deque[str] = deque()
        self._missed: str | None = None
        self._seen: Counter[tuple[type[Event], int, int]] = Counter()
        self._late = 0.0

    @property
    def playing(self) -> bool:
        """Whether the recording answers, and has not been left."""
        return self._missed is None

    def describe(self) -> dict[str, Any]:
        """The recorded server, and the cassette."""
        return {**self._recording.started.server, "cassette": self._name}

    def id(self, kind: str) -> str | None:
        """The recorded id."""
        match kind:
            case "run":
                return self._recording.run_id
            case "task":
                return self._recording.started.task_id
        return self._ids.popleft() if self._ids else None

    def observe(self, event: Event) -> None:
        """Take note of which turn it is."""
        if isinstance(event, TurnStarted):
            self._turn = event.turn

    def _answer(self, request: Mapping[str, Any]) -> Answer | None:
        """What the recording says to a request; None where it is left, and the server behind is to be asked.

        Raises:
            ServerError: it says nothing to this request, and there is no server behind.
        """
        self._ids.clear()
        turn, recording = max(1, self._turn), self._recording
        if self._missed is None:
            self._missed = self._difference(turn, request)
        if self._missed is not None:
            if self._behind is not None:
                return None
            place = f"turn {turn} of {named(*recording.key)}"
            raise missed(f"{place} is not as in {self._name}: {self._missed}")
        reply = recording.reply(turn)
        self._ids.extend(fresh_ids(reply) if reply else ())
        return Answer(reply=reply, error=recording.failure(turn), deltas=recording.deltas(turn))

    def _difference(self, turn: int, request: Mapping[str, Any]) -> str | None:
        """Why the recording has no answer to this request; None where it has."""
        recording = self._recording
        if turn > recording.turns:
            end = recording.finished.stop_reason if recording.finished else "it breaks off there"
            return f"the recording has no turn {turn} ({end} after {recording.turns})"
        differing = self._reading.difference(recording.messages(turn), request["messages"])
        return differing or self._changed(turn, request) or self._incomplete(turn)

    def _changed(self, turn: int, request: Mapping[str, Any]) -> str | None:
        """How the rest of the request differs; what did not change since the first one is as it was in that."""
        self._first = self._first or request
        expected = {**self._first, **self._recording.changes(turn)}
        for name in sorted({*expected, *request} - {"messages"}):
            one, other = expected.get(name), request.get(name)
            if one != other and (found := first_difference(self._eye.plain(one), self._eye.plain(other))):
                return f"the setting {name} differs\n{found.told()}"
        return None

    def _incomplete(self, turn: int) -> str | None:
        reply = self._recording.reply(turn)
        if self._recording.failure(turn) is not None:
            return None
        if reply is None or reply.partial:
            return "the recording breaks off before the model had answered"
        open_calls = [call.name for call in reply.calls if self._recording.result(turn, call.index) is None]
        if open_calls and not self._live_tools:
            return f"the recording breaks off before {', '.join(open_calls)} had answered"
        return None

    def answered(self, call: ToolCall) -> ToolResult | None:
        """The recorded result, where this call was recorded."""
        if not self.playing or self._live_tools:
            return None
        result = self._recording.result(call.turn, call.index)
        if result is None or (result.call.name, result.call.arguments) != (call.name, call.arguments):
            return None
        return replace(result, call=call, replayed=True, parts=copy.deepcopy(result.parts))

    def times(self, kind: type[Event], fields: Mapping[str, Any]) -> dict[str, Any]:
        """The recorded times; of an answer that is written anew, the times in it too."""
        if not self.playing:
            return {}
        turn, result = fields.get("turn", 0), fields.get("result")
        call = result.call if result is not None else fields.get("call")
        place = (kind, turn, call.index if call is not None else 0)
        times = self._recording.times(*place, self._seen[place])
        self._seen[place] += 1
        if self._live_tools:
            return self._with_live_tools(kind, times, fields)
        if result is not None and result.synthesised and (recorded := self._recording.result(turn, place[2])):
            spans = {name: getattr(recorded, name) for name in ("queued", "started", "seconds")}
            return {**times, "result": replace(result, **spans)}
        return times

    def _with_live_tools(self, kind: type[Event], times: dict[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
        """The recorded times, later by as much as the tools take longer than they did."""
        if kind in (CallStarted, CallFinished) or not times:
            return {}
        if kind is TurnFinished and self._recording.result(fields.get("turn", 0), 0) is not None:
            self._late = fields.get("at", 0.0) - times["at"]
            return {"model_seconds": times["model_seconds"], "at": fields.get("at", 0.0)}
        late = {**times, "at": times["at"] + self._late}
        return {**late, "seconds": times["seconds"] + self._late} if kind is RunFinished else late


class MissingTape(Tape):
    """A run that no recording has: its first request is answered by the error that says so."""

    def __init__(self, told: str, *, name: str) -> None:
        super().__init__(Player(self._answer, None))
        self._told = told
        self._name = name

    def describe(self) -> dict[str, Any]:
        """The cassette."""
        return {"name": "Cassette", "model": None, "base_url": None, "cassette": self._name}

    def _answer(self, request: Mapping[str, Any]) -> Answer | None:
        raise missed(self._told)


def missed(told: str) -> ServerError:
    """The error of a run that is not as recorded."""
    return ServerError(RunError(type=MISS, message=f"{told}\n{REMEDY}", hint=HINT))
