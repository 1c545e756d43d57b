"""How much a run may use, and when it has used it: an ending, never an exception."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

from hermes_nb.exceptions import ConfigurationError
from hermes_nb.records import Reply, StopReason, ToolCall, ToolResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much a run may use. None is no limit; a run that grows from another starts afresh.

    A reply that goes over a limit ends the run before any of its tool calls is run: each is answered as rejected, and
    says why. A reply without calls is the answer, and finishes the run whatever it took.

    Args:
        total_tokens: of all requests of the run, as the server counts them (`max_total_tokens`).
        seconds: from the run's start to its end; what is going on then is cancelled (`max_seconds`).
        tool_calls: a reply whose calls would go beyond it has none of them run (`max_tool_calls`).
        cost: US dollars, where the server says what a reply cost (`max_cost`).
        same_call: how often the model may make the same call, name and arguments, one after the other (`repeating`).
        errors_in_a_row: how many tool calls may fail one after the other (`too_many_errors`).

    >>> import hermes_nb as hn
    >>> server = hn.ScriptedServer([hn.servers.call("look", where="up")] * 9)
    >>> hn.HermesAgentLoop(server, limits=Limits(same_call=3)).run_sync("Look!").stop_reason
    'repeating'

    Raises:
        ConfigurationError: a limit is not a number above 0.
    """

    total_tokens: int | None = None
    seconds: float | None = None
    tool_calls: int | None = None
    cost: float | None = None
    same_call: int | None = None
    errors_in_a_row: int | None = None

    def __post_init__(self) -> None:
        for limit in fields(self):
            value = getattr(self, limit.name)
            allowed = int | float if limit.name in ("seconds", "cost") else int
            if value is not None and (isinstance(value, bool) or not isinstance(value, allowed) or not value > 0):
                kind = "number" if allowed is not int else "whole number"
                raise ConfigurationError(f"Limits({limit.name}=...) is a {kind} above 0 or None, not {value!r}")


NO_LIMITS = Limits()


class Over(NamedTuple):
    """A limit that a reply goes over: how the run ends, and what its calls are answered with."""

    ending: StopReason
    told: str


class Meter:
    """What one run has used of its limits."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._unheld: set[str] = set()
        self._tokens = 0
        self._cost = 0.0
        self._calls = 0
        self._errors = 0
        self._repeats = 0
        self._last: ToolCall | None = None

    def take(self, reply: Reply) -> Over | None:
        """Count a reply and the calls in it, and say which limit they go over."""
        checks = (self._tokens_over, self._cost_over, self._calls_over, self._repeating)
        return next((over for check in checks if (over := check(reply))), None)

    def failing(self, results: Sequence[ToolResult]) -> bool:
        """Count the answers of a turn, in call order, and say whether too many have failed one after the other."""
        limit = self._limits.errors_in_a_row
        for result in results:
            self._errors = 0 if result.error is None else self._errors + 1
            if limit is not None and self._errors >= limit:
                return True
        return False

    def _tokens_over(self, reply: Reply) -> Over | None:
        limit, usage = self._limits.total_tokens, reply.usage
        if limit is None:
            return None
        parts = (usage.prompt, usage.completion) if usage.total is None else (usage.total,)
        if parts == (None, None):
            self._warn("total_tokens")
            return None
        self._tokens += sum(part or 0 for part in parts)
        told = f"the run has used {self._tokens} tokens, and its limit is {limit}"
        return Over("max_total_tokens", told) if self._tokens >= limit else None

    def _cost_over(self, reply: Reply) -> Over | None:
        limit = self._limits.cost
        if limit is None:
            return None
        if reply.usage.cost is None:
            self._warn("cost")
            return None
        self._cost += reply.usage.cost
        told = f"the run has cost ${self._cost:g}, and its limit is ${limit:g}"
        return Over("max_cost", told) if self._cost >= limit else None

    def _warn(self, name: str) -> None:
        """Say once that a limit cannot hold."""
        if name not in self._unheld:
            self._unheld.add(name)
            warnings.warn(f"Limits({name}=...) cannot hold: the server does not say what a reply took", stacklevel=2)

    def _calls_over(self, reply: Reply) -> Over | None:
        limit = self._limits.tool_calls
        if limit is not None and self._calls + len(reply.calls) > limit:
            asked = f"{len(reply.calls)} more would be too many" if len(reply.calls) > 1 else "one more is too many"
            return Over("max_tool_calls", f"the run has made {self._calls} of at most {limit} tool calls: {asked}")
        self._calls += len(reply.calls)
        return None

    def _repeating(self, reply: Reply) -> Over | None:
        limit = self._limits.same_call
        for call in reply.calls if limit is not None else ():
            self._repeats = self._repeats + 1 if _same(self._last, call) else 1
            self._last = call
            if limit is not None and self._repeats >= limit:
                return Over("repeating", f"{call.name} was called {self._repeats} times with the same arguments")
        return None


def _same(one: ToolCall | None, other: ToolCall) -> bool:
    """Whether two calls ask for the same: the same tool, with the same arguments in whatever order."""
    if one is None or one.name != other.name:
        return False
    if one.arguments == other.arguments:
        return True
    try:
        return one.problem is None and other.problem is None and bool(one.parsed == other.parsed)
    except RecursionError:  # Too deep to compare, and not the same text.
        return False
