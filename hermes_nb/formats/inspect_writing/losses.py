"""What of a result a log of Inspect does not hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hermes_nb.formats.base import Loss
from hermes_nb.formats.inspect_writing import wire
from hermes_nb.messages import is_thinking
from hermes_nb.records import AgentResult, Turn

WHY = "Inspect's log has no place for it"


def losses(result: AgentResult) -> Iterator[Loss]:
    """Everything that is lost of a result."""
    for what in _lost_of_run(result):
        yield Loss(what=what, run_id=result.run_id, why=WHY)
    for turn in result.turns:
        for what in _lost(turn):
            yield Loss(what=what, run_id=result.run_id, turn=turn.number, why=WHY)


def _lost_of_run(result: AgentResult) -> Iterator[str]:
    made = result.provenance
    given = {
        "task_id": result.task_id,
        "origin": result.origin if result.origin and result.origin.kind != "import" else None,
        "abandoned": result.abandoned,
        "managed_state": result.managed_state,
        "journal_error": result.journal_error,
        "tools": made and made.tools,
        "sampling": made and made.sampling,
        "limits": made and made.limits,
        "versions": made and made.versions,
        "toolbox_hash": made and made.toolbox_hash,
        "server": made and {key: value for key, value in made.server.items() if key != "model"},
    }
    yield from (name for name, value in given.items() if value is not None and not _is_empty(value))
    yield from (f"score {name}" for name, value in result.scores.items() if not wire.is_score(value))
    for index, message in enumerate(result.messages):
        parts = message.get("content")
        if message.get("role") not in ("user", "assistant", "tool", "system"):
            yield f"message {index} role"
        if isinstance(parts, list) and any(not is_thinking(part) and wire.part_of(part) is None for part in parts):
            yield f"message {index} content"


def _is_empty(value: Any) -> bool:
    return isinstance(value, tuple | dict | str) and not value


def _lost(turn: Turn) -> Iterator[str]:
    reply = turn.reply
    if reply is not None:
        for name in ("id", "request_id", "refusal", "source_text", "raw"):
            if getattr(reply, name):
                yield name
        if reply.finish_reason and reply.finish_reason not in wire.STOPS:
            yield "finish_reason"
        yield from (f"call {call.index} arguments" for call in reply.calls if not isinstance(call.parsed, dict))
        yield from (f"call {call.index} sent_id" for call in reply.calls if call.sent_id)
    for one in turn.results:
        for name in ("queued", "size", "printed", "exit_code", "synthesised", "replayed"):
            if getattr(one, name):
                yield f"result {one.call.index} {name}"
        if one.error and (one.error.kind not in ("timeout", "cancelled", "rejected") or one.error.traceback):
            yield f"result {one.call.index} error kind"
