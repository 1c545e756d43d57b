"""Results of verifiers' older evaluations: a rollout on a line.

Source of the form: PrimeIntellect-ai/verifiers (`verifiers/utils/save_utils.py`: `state_to_output`;
`verifiers/utils/message_utils.py`: `sanitize_tool_calls`, which writes every call as JSON text; `verifiers/types.py`:
`RolloutOutput`, `RolloutTiming`), and the results among its environments, of older versions still.

| a row's | comes to |
|---|---|
| `prompt`, `completion`: messages, or text | the messages; those of the prompt are no turns |
| `reward`, `metrics`, and where there are none the numbers beside them | `scores` |
| `example_id`, or `id` | `task` |
| `token_usage`; `timing`, or `total_ms` | usage and seconds |
| `tool_defs` | tools |
| `error`, `stop_condition`, `is_truncated` | error and stop reason |
| everything else but `trajectory`, which has the messages again | `meta` |
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hermes_nb.formats.base import About, Note, Source, conversation, decoded, mapping, number, text
from hermes_nb.formats.verifiers.naming import NAME, ending_of, message_of, numbers_in, tools_of
from hermes_nb.messages import Message
from hermes_nb.records import AgentResult, RunError, Usage

TIMES = ("generation_ms", "scoring_ms", "total_ms")
USED = ("prompt", "completion", "reward", "metrics", "example_id", "token_usage", "tool_defs", "trajectory",
        "error_chain", "long_error_chain")  # fmt: skip
NO_SCORES = (*TIMES, "id", "example_id", "reward", "is_completed", "is_truncated", "answer", "task", "num_steps")


def is_result(row: Mapping[str, Any]) -> bool:
    """Whether a row is the result of a rollout."""
    if not {"prompt", "completion", "reward"} <= set(row):
        return False
    return "example_id" in row or bool({"timing", "generation_ms"} & set(row))


def task_of(row: Mapping[str, Any]) -> str | None:
    """The number of the example that a rollout is of."""
    named = row.get("example_id", row.get("id"))
    return str(named) if isinstance(named, str | int) else None


def result(row: Mapping[str, Any], attempt: int, source: Source, place: str) -> AgentResult:
    """The rollout of a row.

    Raises:
        FormatError: its prompt or completion is neither text nor a list of messages.
    """
    prompt = _messages(row.get("prompt"), "user", "prompt", source, place)
    completion = _messages(row.get("completion"), "assistant", "completion", source, place)
    notes = {index: Note(given=True) for index in range(len(prompt))}
    about = _about(row, attempt)
    return conversation([*prompt, *completion], source, NAME, place, about, notes=notes)


def _messages(given: Any, role: str, name: str, source: Source, place: str) -> list[Message]:
    messages = decoded(given)
    if messages is None:
        return []
    if isinstance(messages, str):
        return [{"role": role, "content": messages}] if messages else []
    if not isinstance(messages, list) or not all(isinstance(one, Mapping) for one in messages):
        raise source.error(f"its {name} is neither text nor messages: {given!r:.80}", place)
    return [message_of(one) for one in messages]


def _about(row: Mapping[str, Any], attempt: int) -> About:
    error = _error(row.get("error"))
    ending = ending_of(row.get("stop_condition"), error is not None)
    meta = {key: value for key, value in row.items() if key not in USED and value not in (None, "", {}, [])}
    scores = _scores(row)
    return About(
        tools=tools_of(row.get("tool_defs")),
        task=task_of(row),
        attempt=attempt,
        scores=scores,
        stop_reason="length" if ending is None and row.get("is_truncated") is True else ending,
        error=error,
        usage=_usage(mapping(row.get("token_usage"))),
        seconds=_seconds(row),
        meta={key: value for key, value in meta.items() if key not in scores},
    )


def _scores(row: Mapping[str, Any]) -> dict[str, float]:
    beside = {key: value for key, value in row.items() if key not in NO_SCORES}
    measured = mapping(row.get("metrics")) or beside
    return {**numbers_in(measured), **numbers_in({"reward": row["reward"]})}


def _usage(counted: Mapping[str, Any]) -> Usage | None:
    sent, received = number(counted.get("input_tokens")), number(counted.get("output_tokens"))
    if sent is None or received is None:
        return None
    return Usage(prompt=int(sent), completion=int(received), total=int(sent + received))


def _seconds(row: Mapping[str, Any]) -> float | None:
    timing = mapping(row.get("timing"))
    total = number(timing.get("total"))
    if total is not None:
        return max(0.0, total)
    in_ms = number(timing.get("total_ms", row.get("total_ms")))
    return None if in_ms is None else max(0.0, in_ms / 1000)


def _error(given: Any) -> RunError | None:
    """An error that is an object, or of older versions the text of one: `RateLimitError('slow down')`."""
    if told := text(given):
        name, parenthesis, _ = told.partition("(")
        is_named = bool(parenthesis) and name.isidentifier()
        return RunError(type=name if is_named else "Error", message=told)
    error = mapping(given)
    if not error:
        return None
    message = text(error.get("error_chain_str")) or text(error.get("error_chain_repr"))
    return RunError(type=text(error.get("error")) or "Error", message=message or "the result does not say why")
