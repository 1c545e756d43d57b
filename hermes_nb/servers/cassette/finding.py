"""Finds the recording of a run by what it starts with, or says which there are and how they differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, NamedTuple

from hermes_nb.messages import Message
from hermes_nb.recordings import Recording
from hermes_nb.servers.cassette.differences import Eye, Reading

MOST_NAMED = 5


class Found(NamedTuple):
    """What there is of a run: the recording that is played; or why none is, and whether there is none of this run."""

    recording: Recording | None = None
    told: str = ""
    is_new: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What a run starts with: its task and attempt, its messages, and the tools and settings of its requests."""

    task: str | None
    attempt: int
    messages: Sequence[Message]
    tools: Sequence[Mapping[str, Any]]
    sampling: Mapping[str, Any]
    eye: Eye

    def find(self, recorded: Sequence[Recording], name: str) -> Found:
        """The recording of this run among those of the file `name`: the last of those that fit best.

        With a task, what has it and its attempt is of this run, however it starts. Without one, a run that starts with
        other messages is another run.
        """
        of_this = [one for one in recorded if one.key == (self.task, self.attempt)]
        if not of_this:
            told = f"{name} has no recording of {named(self.task, self.attempt)}{_there(recorded)}"
            return Found(told=told, is_new=True)
        start = self.eye.start(self.messages)
        alike = [one for one in of_this if self.eye.start_of(one) == start]
        if not alike:
            nearest = max(reversed(of_this), key=self._in_common)
            unlike = Reading(self.eye).difference(nearest.started.messages, self.messages)
            among = f"\n  (so the nearest of its {len(of_this)} recordings)" if len(of_this) > 1 else ""
            return Found(told=f"{self._differs(name)}: {unlike}{among}", is_new=self.task is None)
        best = max(reversed(alike), key=lambda one: (self._unlike(one) is None, one.finished is not None))
        unlike = self._unlike(best)
        return Found(told=f"{self._differs(name)}: {unlike}") if unlike else Found(best)

    def _differs(self, name: str) -> str:
        return f"turn 1 of {named(self.task, self.attempt)} is not as in {name}"

    def _in_common(self, one: Recording) -> int:
        """With how many of these messages a recording starts."""
        pairs = zip(one.started.messages, self.messages, strict=False)
        same = (self.eye.message(recorded) == self.eye.message(sent) for recorded, sent in pairs)
        return sum(takewhile(bool, same))

    def _unlike(self, one: Recording) -> str | None:
        recorded = one.started
        return self.eye.tools(recorded.tools, self.tools) or self.eye.sampling(recorded.sampling, self.sampling)


def named(task: str | None, attempt: int) -> str:
    """Which run is meant, in words."""
    if task is None:
        return f"attempt {attempt} of a run without a task" if attempt else "a run without a task"
    return f"task {task!r}, attempt {attempt}"


def _there(recorded: Sequence[Recording]) -> str:
    names = list(dict.fromkeys(named(*one.key) for one in recorded))
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f"; it has those of {'; '.join(names[:MOST_NAMED])}{more}" if names else "; it is empty"
