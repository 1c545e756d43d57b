"""A turn's request as a curl command, made from the record of its run alone."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from hermes_nb import codec, dialects, outgoing
from hermes_nb.exceptions import ConfigurationError
from hermes_nb.messages import Message
from hermes_nb.redact import Redactor

if TYPE_CHECKING:
    from hermes_nb.records import AgentResult, Provenance, Turn

LONGEST_ARGUMENT = 100_000
"""Bytes of a body that is given as an argument: Linux takes up to 131,071. A longer one is a here-document."""


class Command(str):
    """A command for a shell, shown by a notebook as it is to be copied."""

    __slots__ = ()

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/plain": str(self)}


def command(result: AgentResult, turn: int | None = None) -> Command:
    """The request of a turn (None: the last) as a curl command for sh, bash and zsh, with the key as $OPENAI_API_KEY.

    Whatever is shaped like a secret is redacted in it. It holds what the record knows: not the headers given to a
    server object, nor what a server object learned from refusals (`max_completion_tokens` in place of `max_tokens`
    for a model that is not known to want it; a stream without `stream_options`), nor the path and version that a client
    of Azure's puts into the address.

    Raises:
        ConfigurationError: there is no such turn, or the record does not say where it was sent.
    """
    made, asked = _recorded(result, turn)
    redactor = Redactor()
    text = codec.dumps(redactor.value(_body(result, made, asked))).decode()
    address = shlex.quote(redactor.text(f"{made.server['base_url'].rstrip('/')}/chat/completions"))
    lines = [f"curl {address}", "-H 'Content-Type: application/json'", '-H "Authorization: Bearer $OPENAI_API_KEY"']
    if len(text.encode()) <= LONGEST_ARGUMENT:
        return Command(" \\\n  ".join([*lines, f"--data-raw {shlex.quote(text)}"]))
    return Command(" \\\n  ".join([*lines, f"--data-binary @- <<'JSON'\n{text}\nJSON"]))


def body(result: AgentResult, turn: int | None = None) -> dict[str, Any]:
    """The body of a turn's request, secrets and all.

    Raises:
        ConfigurationError: there is no such turn, or the record does not say how it was made.
    """
    return _body(result, *_recorded(result, turn))


def _recorded(result: AgentResult, number: int | None) -> tuple[Provenance, Turn]:
    made = result.provenance
    if made is None or not made.server.get("base_url") or not made.server.get("model"):
        raise ConfigurationError("the record of this run does not say where its requests were sent")
    turns = {turn.number: turn for turn in result.turns}
    asked = turns.get(max(turns, default=0) if number is None else number)
    if asked is None:
        there = f"turns {min(turns)} to {max(turns)}" if turns else "no turns"
        raise ConfigurationError(f"there is no turn {number}: this run has {there}")
    return made, asked


def _body(result: AgentResult, made: Provenance, turn: Turn) -> dict[str, Any]:
    model, base_url = made.server["model"], made.server["base_url"]
    sampling = made.sampling
    fields = {
        "temperature": sampling.get("temperature"),
        "tools": turn.request.get("tools", list(made.tools)) or None,
        "max_tokens": sampling.get("max_tokens"),
        "tool_choice": _tool_choice(result, made, turn),
    }
    given = {name: value for name, value in fields.items() if value is not None}
    messages = outgoing.as_recorded(made.server, _messages_before(result, turn))
    tokens = dialects.WITH_TOKENS if made.server.get("tokens") else {}
    body = {"model": model, "messages": messages, **tokens, **given, **(sampling.get("extra_body") or {})}
    if sampling.get("stream"):
        body = {"stream_options": {"include_usage": True}, **body, "stream": True}
    if "max_tokens" in body and dialects.wants_max_completion_tokens(body["model"], base_url):
        body["max_completion_tokens"] = body.pop("max_tokens")
    return body


def _tool_choice(result: AgentResult, made: Provenance, turn: Turn) -> Any:
    """What the run began with, and what the turns up to this one changed of it."""
    choice = made.sampling.get("tool_choice") if made.tools else None
    for one in result.turns:
        if one.number <= turn.number:
            choice = one.request.get("tool_choice", choice)
    return choice


def _messages_before(result: AgentResult, turn: Turn) -> list[Message]:
    """The conversation without what this turn and those after it added."""
    later = [one for one in result.turns if one.number > turn.number]
    said = sum(1 + len(one.results) for one in (turn, *later) if one.reply is not None)
    added = sum(len(one.added_messages) for one in later)
    return result.messages[: len(result.messages) - said - added]
