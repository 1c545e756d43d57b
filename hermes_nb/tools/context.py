"""What a tool is told of the run it is called in."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

from hermes_nb.records import ToolCall


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolContext:
    """What a tool is told of the run it is called in; for a parameter annotated with this class, hidden from the model.

    `task_id` tells one rollout's sandbox from another's; `state` is what the run was given to share among its tools;
    `call` is the call being answered, `turn` the turn it was made in. `given_up` is set once the run no longer waits
    for this call (`context.given_up.wait(5)` is a sleep that ends then).

    A tool in a process of its own (`isolation="process"`) has a copy: what it changes in `state` stays there, a state
    that cannot be pickled says so when it is used, and `cancelled` is never true, for the process is ended instead.
    """

    task_id: str | None = None
    state: Any = None
    call: ToolCall
    turn: int = 0
    given_up: threading.Event = field(default_factory=threading.Event, compare=False)

    @property
    def cancelled(self) -> bool:
        """Whether the run has given this call up; a long-running sync tool may look, and end early."""
        return self.given_up.is_set()

    def __reduce__(self) -> tuple[Any, ...]:
        """What goes into another process: all but `given_up`, which no other process can hear."""
        return _carried, (self.task_id, self.state, self.call, self.turn)

    def __repr__(self) -> str:
        return f"ToolContext(turn {self.turn} · {self.call!r})"


def _carried(task_id: str | None, state: Any, call: ToolCall, turn: int) -> ToolContext:
    return ToolContext(task_id=task_id, state=state, call=call, turn=turn)
