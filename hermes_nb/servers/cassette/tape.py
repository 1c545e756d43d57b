"""One run's view of a cassette: what the loop asks of it, whichever way the cassette is used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hermes_nb.events import Event
from hermes_nb.records import ToolCall, ToolResult
from hermes_nb.servers.base import Server


class Tape:
    """A run that goes on as if there were no cassette: its server is asked, its tools are run, nothing is kept.

    `server` is to be asked in place of the loop's own.
    """

    def __init__(self, server: Server) -> None:
        self.server = server

    @property
    def playing(self) -> bool:
        """Whether a recording answers."""
        return False

    def describe(self) -> dict[str, Any] | None:
        """Who the recorded server was, and in which cassette it is; None where `server` is to be described."""
        return None

    def id(self, kind: str) -> str | None:
        """The recorded id of the run ("run"), its task ("task"), or the next call that needs one ("call"); None where
        a fresh one is to be made."""
        return None

    def times(self, kind: type[Event], fields: Mapping[str, Any]) -> dict[str, Any]:
        """The recorded times of an event that is about to be emitted, by its kind and its fields; {} where none are."""
        return {}

    def answered(self, call: ToolCall) -> ToolResult | None:
        """The recorded result of a call; None where the tool is to be run."""
        return None

    def observe(self, event: Event) -> None:
        """Take note of an event of the run."""

    async def finish(self) -> None:
        """Put away what is to be kept of the run, which is over.

        Raises:
            OSError: it could not be kept.
        """

    def __repr__(self) -> str:
        return f"Tape({self.server!r})"
