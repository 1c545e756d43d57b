"""What one result holds and another does not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from hermes_nb.records import AgentResult, Provenance, Reply, ToolResult, Turn

Difference = tuple[str, int | None]
"""What differs, and in which turn (None: in no single one)."""

RUN = ("run_id", "task_id", "task", "attempt", "scores", "stop_reason", "error", "usage", "seconds", "abandoned",
       "journal_error")  # fmt: skip
TURN = ("at", "seconds", "model_seconds", "tool_seconds", "request")
REPLY = ("text", "reasoning", "refusal", "finish_reason", "usage", "model", "id", "request_id", "status", "retries",
         "waited", "first_token_at", "partial", "source_text", "raw")  # fmt: skip
CALL = ("id", "sent_id", "name", "arguments")
RESULT = ("content", "parts", "error", "queued", "started", "seconds", "size", "printed", "exit_code", "synthesised",
          "replayed")  # fmt: skip
OF_THE_FILE = ("format", "file", "place")
"""What `meta` says of where a result was read: another file says something else."""


def differences(before: AgentResult, after: AgentResult) -> Iterator[Difference]:
    """Everything of `before` that `after` has not, or has otherwise. What only `after` has is no difference."""
    yield from ((name, None) for name in _changed(before, after, RUN))
    if before.managed_state is not None and after.managed_state is None:
        yield "managed_state", None
    if before.origin is not None and before.origin.kind != "import" and before.origin != after.origin:
        yield "origin", None
    yield from (
        (f"meta {key}", None)
        for key, value in before.meta.items()
        if key not in OF_THE_FILE and not _same(value, after.meta.get(key))
    )
    if before.provenance is not None:
        yield from ((name, None) for name in _of_provenance(before.provenance, after.provenance))
    yield from _of_messages(before.messages, after.messages)
    others = {turn.number: turn for turn in after.turns}
    for turn in before.turns:
        yield from ((what, turn.number) for what in _of_turn(turn, others.get(turn.number)))


def _changed(before: Any, after: Any, names: tuple[str, ...]) -> Iterator[str]:
    """The names under which `before` has something that `after` has not."""
    for name in names:
        value = getattr(before, name)
        if not _is_nothing(value) and not _same(value, getattr(after, name, None)):
            yield name


def _is_nothing(value: Any) -> bool:
    return value is None or (isinstance(value, str | int | float | tuple | list | dict) and not value)


def _same(one: Any, other: Any) -> bool:
    try:
        return bool(one == other)
    except (ValueError, TypeError):  # An array has no one answer.
        return False


def _of_provenance(before: Provenance, after: Provenance | None) -> Iterator[str]:
    yield from _changed(before, after, tuple(field.name for field in fields(Provenance)))


def _of_messages(before: list[Any], after: list[Any]) -> Iterator[Difference]:
    for index, message in enumerate(before):
        other = after[index] if index < len(after) else {}
        for key, value in message.items():
            if not _same(value, other.get(key)):
                yield f"message {index} {key}", None
    if len(after) > len(before):
        yield "the number of messages", None


def _of_turn(before: Turn, after: Turn | None) -> Iterator[str]:
    if after is None:
        yield "the turn"
        return
    yield from _changed(before, after, TURN)
    if before.reply is not None:
        yield from _of_reply(before.reply, after.reply)
    others = {one.call.index: one for one in after.results}
    for result in before.results:
        yield from _of_result(result, others.get(result.call.index))


def _of_reply(before: Reply, after: Reply | None) -> Iterator[str]:
    yield from _changed(before, after, REPLY)
    others = after.calls if after is not None else ()
    for call in before.calls:
        other = others[call.index] if call.index < len(others) else None
        yield from (f"call {call.index} {name}" for name in _changed(call, other, CALL))


def _of_result(before: ToolResult, after: ToolResult | None) -> Iterator[str]:
    index = before.call.index
    if after is None:
        yield f"result {index}"
        return
    yield from (f"result {index} {name}" for name in _changed(before, after, RESULT))
