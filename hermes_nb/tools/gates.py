"""What `before_call` may say about a tool call that is about to be answered.

A gate is a function of the call and its context, sync or async. It is asked about every call whose tool exists and
whose arguments are a JSON object, before they are checked against the tool, and gives one of these verdicts; None
allows. What a gate raises is the user's own and ends the run.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from hermes_nb.exceptions import ConfigurationError
from hermes_nb.records import ToolCall

if TYPE_CHECKING:
    from hermes_nb.tools.context import ToolContext


@dataclass(frozen=True, slots=True)
class Allow:
    """Run the tool."""


@dataclass(frozen=True, slots=True)
class Replace:
    """Run the tool with these arguments instead. The result's call holds them; the reply's, what the model wrote."""

    arguments: dict[str, Any]

    def __post_init__(self) -> None:
        if not isinstance(self.arguments, dict):
            raise ConfigurationError(f"Replace takes a dict of arguments, not a {type(self.arguments).__name__}")


@dataclass(frozen=True, slots=True)
class Answer:
    """Give the model this answer in the tool's place; the tool does not run."""

    content: str

    def __post_init__(self) -> None:
        if not isinstance(self.content, str):
            raise ConfigurationError(f"Answer takes the text for the model, not a {type(self.content).__name__}")


@dataclass(frozen=True, slots=True)
class Reject:
    """Do not run the tool, and tell the model why: an error of kind `rejected`."""

    reason: str


Verdict: TypeAlias = Allow | Replace | Answer | Reject | None
"""What a gate says; None means `Allow()`."""

Gate: TypeAlias = Callable[[ToolCall, "ToolContext"], Verdict | Awaitable[Verdict]]
"""Asked before a call is answered."""
