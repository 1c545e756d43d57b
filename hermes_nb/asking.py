"""How a run is asked for: what it begins with, and what it grew from."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from types import EllipsisType
from typing import TYPE_CHECKING, Any

from hermes_nb import codec, journal
from hermes_nb.events import Event
from hermes_nb.exceptions import ConfigurationError
from hermes_nb.messages import Message, conversation, lead_in
from hermes_nb.records import AgentResult, Origin
from hermes_nb.repairs import repair

if TYPE_CHECKING:
    from hermes_nb.servers.cassette import Cassette


@dataclass(frozen=True, slots=True, kw_only=True)
class How:
    """What a run is given besides its input; see `HermesAgentLoop.run`."""

    task: str | None = None
    attempt: int = 0
    meta: dict[str, Any] | None = None
    state: Any = None
    after: AgentResult | None = None
    stream: bool = False
    on_event: Callable[[Event], object] | None = None
    in_place: bool = False
    journal: str | os.PathLike[str] | EllipsisType | None = ...
    cassette: Cassette | EllipsisType | None = ...

    def origin(self, history: list[Message]) -> Origin | None:
        """The run it goes on from, if it does; `history` is the conversation that it begins with."""
        after = self.after
        if after is None:
            return None
        led_in = history[:1] != after.messages[:1]
        kept = len(after.messages) + led_in
        return Origin(kind="follow_up", run_id=after.run_id, turn=after.turns_used, messages=kept)


def conversation_of(input: str | list[Message], how: How, system: str | None) -> list[Message]:
    """What a run begins with: a list of its own, but for `in_place`, which is the given one.

    Raises:
        ConfigurationError: the input is no conversation, or does not go with the rest.
    """
    if how.in_place:
        if not isinstance(input, list) or how.after is not None:
            raise ConfigurationError("in_place=True appends to a list of messages: give it one, and no `after`")
        lead_in(input, system)
        return input
    if how.after is None:
        return conversation(input, system=system)
    return conversation([*how.after.messages, *conversation(input)], system=system)


def last_run(path: str | os.PathLike[str]) -> AgentResult:
    """The last run in a journal.

    Raises:
        JournalError: the file is no journal, or is damaged.
    """
    return journal.load(path, -1)


def left_of(run: AgentResult, input: str | list[Message] | None) -> tuple[list[Message], Origin]:
    """What a run that did not come to its end goes on with: its conversation, mended, and `input` if there is one; and
    its origin, which says how it was mended.

    Raises:
        ConfigurationError: it still goes on, or there is nothing to ask the model.
    """
    if run.stop_reason == "running" and run.run_id is not None:
        raise ConfigurationError("this run still goes on: stop it first, and then resume its result")
    mended = repair(run.messages)
    history = conversation([*mended.messages, *([] if input is None else conversation(input))])
    kept = len(mended.messages)
    if history[-1].get("role") == "assistant":
        raise ConfigurationError("this run ended with an answer, so there is nothing to resume: say what comes next")
    if b"[redacted:" in codec.dumps(history, default=repr):
        warnings.warn(
            "what is resumed comes from a journal that holds redacted text: where a secret was, the model reads a "
            "marker such as [redacted:key#1]",
            stacklevel=4,
        )
    edit = "; ".join(mended.report) or None
    return history, Origin(kind="resume", run_id=run.run_id, turn=run.turns_used, edit=edit, messages=kept)
