"""A result made of chat messages, as if the run had been ours: turns, calls, answers and errors that agree.

Nothing is repaired: a call nobody answered stays without an answer, an answer to no call stays where it stands.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hermes_nb import codec
from hermes_nb.formats.base.source import Source
from hermes_nb.formats.base.turning import Note, Turning
from hermes_nb.messages import Message
from hermes_nb.records import AgentResult, Origin, Provenance, RunError, StopReason, Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a file says of a whole run beside its messages. Every part of it may be unknown.

    Args:
        model: the model's name; by default the first that a note names.
        tools: the schemas of the tools, as they were sent.
        started_at: UTC, in ISO 8601.
        server: more of who answered: base_url, name.
        sampling: temperature, max_tokens, tool_choice and the like.
        versions: of the software that made the run.
        task: the name of the dataset's item; `attempt` counts samples of it.
        meta: whatever else the file says.
        scores: numbers (or words) by the name of the score.
        stop_reason: how it ended; by default what the last message says, and `running` where that is no answer, since
            then nobody knows.
        error: why it could not go on.
        usage: the run's tokens; by default the sum of the notes'.
        seconds: the run's duration; by default the end of its last turn, as far as the notes say it.
    """

    model: str | None = None
    tools: Sequence[Any] = ()
    started_at: str = ""
    server: Mapping[str, Any] = field(default_factory=dict)
    sampling: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, Any] = field(default_factory=dict)
    task: str | None = None
    attempt: int = 0
    meta: Mapping[str, Any] = field(default_factory=dict)
    scores: Mapping[str, Any] = field(default_factory=dict)
    stop_reason: StopReason | None = None
    error: RunError | None = None
    usage: Usage | None = None
    seconds: float | None = None

    def provenance(self, model: str | None) -> Provenance | None:
        """How the run was made; None where nothing is known of it. `model` is the one that the notes name."""
        name = self.model or model
        server = {**({"model": name} if name else {}), **self.server}
        if not (server or self.tools or self.started_at or self.sampling or self.versions):
            return None
        return Provenance(
            started_at=self.started_at,
            server=server,
            sampling=dict(self.sampling),
            tools=tuple(dict(tool) for tool in self.tools if isinstance(tool, Mapping)),
            versions=dict(self.versions),
        )


NOTHING = About()


def conversation(
    messages: Sequence[Any],
    source: Source,
    format: str,
    place: str | None = None,
    about: About = NOTHING,
    *,
    notes: Mapping[int, Note] | None = None,
) -> AgentResult:
    """The result of a conversation: chat messages in OpenAI's form, the older `function_call` and role `function` too.

    Every assistant's message is a turn, but for those a note says were given. An answer belongs to the nearest call
    before it that has its id and no answer yet; without an id, to the next open call of the turn before it, by name
    where it has one. An answer to a call that the file does not hold is a result of the turn it follows (of a turn 0,
    which was no model call, before the first), under a call without arguments; a second answer to a call is a message
    and no result. Calls without an id, or with one used before, get a new one; `sent_id` is the old.

    The run's id is made of its content: the same conversation has the same one, whatever its file is called. `meta`
    gets the `format` (the reader's NAME), the name of the `file`, and the `place` in it (`line 3`, a member's name).
    `notes` are what else is known of single messages, by their place in the list, from 0.

    Raises:
        FormatError: a message is no object with a role.
    """
    for index, message in enumerate(messages):
        if not isinstance(message, Mapping) or not isinstance(message.get("role"), str):
            raise source.error(f"message {index} is no object with a role: {message!r:.80}", place)
    turning = Turning(messages, notes or {})
    for index, message in enumerate(messages):
        turning.add(index, dict(message))
    where = {"format": format, "file": source.name, "place": place}
    return _result(turning, about, _identity(messages, about), {key: value for key, value in where.items() if value})


def _result(turning: Turning, about: About, run_id: str, where: dict[str, Any]) -> AgentResult:
    turns = turning.turns()
    ended = max((turn.at + turn.seconds for turn in turns), default=0.0)
    return AgentResult(
        messages=turning.messages,
        run_id=run_id,
        task=about.task,
        attempt=about.attempt,
        meta={**where, **about.meta},
        scores=dict(about.scores),
        origin=Origin(kind="import"),
        turns=turns,
        stop_reason=about.stop_reason or _ending(turning.messages, turning.last_finish_reason),
        error=about.error,
        usage=turning.usage if about.usage is None else about.usage,
        seconds=ended if about.seconds is None else about.seconds,
        provenance=about.provenance(turning.model),
    )


def _identity(messages: Sequence[Any], about: About) -> str:
    told = codec.dumps([list(messages), about.task, about.attempt, dict(about.scores)], default=repr)
    return f"import-{hashlib.sha256(told).hexdigest()[:24]}"


def _ending(messages: list[Message], finish_reason: str | None) -> StopReason:
    """What the last message says of how the run ended."""
    last = messages[-1] if messages else {}
    if last.get("role") != "assistant" or last.get("tool_calls"):
        return "running"
    match finish_reason:
        case "length":
            return "length"
        case "content_filter":
            return "content_filter"
    if last.get("content"):
        return "finished"
    return "refusal" if last.get("refusal") else "empty"
