"""What may be said about a tool call before it is answered: run it, run it otherwise, answer in its place, or do not.

They are facts: what asks for them and what gives them meet here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from hermes_nb.exceptions import ConfigurationError


@dataclass(frozen=True, slots=True)
class Allow:
    """Run the tool."""


@dataclass(frozen=True, slots=True)
class Replace:
    """Run the tool with these arguments instead. The result's call holds them; the reply's, what the model wrote.

    Raises:
        ConfigurationError: they are no dict.
    """

    arguments: dict[str, Any]

    def __post_init__(self) -> None:
        if not isinstance(self.arguments, dict):
            raise ConfigurationError(f"Replace takes a dict of arguments, not a {type(self.arguments).__name__}")


@dataclass(frozen=True, slots=True)
class Answer:
    """Give the model this answer in the tool's place; the tool does not run.

    Raises:
        ConfigurationError: it is no text.
    """

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
