"""SWE-agent's trajectories (`.traj`): the history that the model saw, and the steps beside it.

Source of the form: SWE-agent/SWE-agent (`sweagent/agent/agents.py`: `get_trajectory_data` of an agent and of a
`RetryAgent`, `add_step_to_history`, `forward_with_handling`; `sweagent/types.py`: `HistoryItem`, `TrajectoryStep`,
`AgentInfo`; `sweagent/agent/models.py`: `InstanceStats`).

| a file's | comes to |
|---|---|
| `history` | the messages; a tool's answer has the call's id in `tool_call_ids` |
| messages with `is_demo` | messages that were given: no turns, no results |
| `attempts` | a result for each, with its number as `attempt`; the file's own history is that of the best |
| `trajectory` | `execution_time` is the seconds of a call; steps beside the history are `meta["requeries"]` |
| `info.exit_status` | the stop reason; `submitted (exit_cost)` is a run that `exit_cost` ended |
| `info.model_stats` | the run's usage; there is none of single turns |
| `info.review.accept` | the score `review` |
| `replay_config`: problem statement, model | `task`, model and sampling; nothing else of it |
| `info`, `environment` | `meta` |

In function-calling mode the calls are calls. In the other modes an action is text in the model's message, and stays it:
the file says what was run, and not how it was called. Which command failed is not in these files.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

from hermes_nb.formats.base import (
    About,
    Head,
    Note,
    Source,
    conversation,
    decoded,
    mapping,
    number,
    sequence,
    text,
)
from hermes_nb.messages import Message, text_of
from hermes_nb.records import AgentResult, RunError, StopReason, Usage

NAME = "SWE-agent"

ENDINGS: dict[str, StopReason] = {
    "submitted": "finished", "exit_command": "finished", "exit_forfeit": "stopped", "exit_cost": "max_cost",
    "exit_context": "context_overflow", "exit_api": "server_error", "exit_total_execution_time": "max_seconds",
    "exit_command_timeout": "too_many_errors", "exit_format": "too_many_errors", "exit_error": "crashed",
    "exit_environment_error": "crashed", "early_exit": "max_cost",
}  # fmt: skip

FAILED = ("crashed", "server_error", "context_overflow")

AUTOMATIC = re.compile(r"Exit(?:ing)? due to ")
"""How a message begins that the agent, and not its model, wrote last."""

VERSIONS = ("swe_agent_version", "swe_agent_hash", "swe_rex_version", "swe_rex_hash")
OWN = ("thought", "action", "agent", "is_demo", "message_type", "tool_call_ids", "tags", "thinking_blocks")
"""The fields of a message that are SWE-agent's."""


def recognises(head: Head) -> bool:
    """An object whose `history` is of messages with an agent, or beside a `trajectory` or `info`; or one of attempts
    that have one."""
    row = head.row
    return isinstance(row, Mapping) and (_has_history(row) or bool(_attempts(row)))


def read(source: Source) -> Iterator[AgentResult]:
    """One result for each trajectory, or for each of its attempts.

    Raises:
        FormatError: a row is no trajectory, or over the bounds.
    """
    for row in source.rows():
        given = mapping(row.value)
        attempts = _attempts(given)
        if not attempts and not _has_history(given):
            raise source.error("no trajectory: it has no history of messages", row.place)
        best = mapping(given.get("info")).get("best_attempt_idx")
        for index, attempt in enumerate(attempts or [given]):
            known = {"is_best": index == best} if attempts and best is not None else {}
            yield _result({**given, **attempt}, index, known, source, row.place)


def _has_history(row: Mapping[str, Any]) -> bool:
    history = sequence(row.get("history"))
    first = mapping(history[0]) if history else {}
    return isinstance(first.get("role"), str) and ("agent" in first or bool({"trajectory", "info"} & set(row)))


def _attempts(row: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [one for one in sequence(row.get("attempts")) if isinstance(one, Mapping) and _has_history(one)]


def _result(row: Mapping[str, Any], attempt: int, known: dict[str, Any], source: Source, place: str) -> AgentResult:
    history = row["history"]
    for index, message in enumerate(history):
        if not isinstance(message, Mapping) or not isinstance(message.get("role"), str):
            raise source.error(f"message {index} is no object with a role: {message!r:.80}", place)
    ran, requeries = _ran(history, sequence(row.get("trajectory")))
    notes = {index: _note(message, ran.get(index - 1, 0.0)) for index, message in enumerate(history)}
    if requeries:
        known = {**known, "requeries": requeries}
    about = _about(row, history, attempt, known)
    return conversation([_message(one) for one in history], source, NAME, place, about, notes=notes)


def _message(given: Mapping[str, Any]) -> Message:
    message = {key: value for key, value in given.items() if value is not None and key not in OWN}
    ids = sequence(given.get("tool_call_ids"))
    if given["role"] == "tool" and ids and "tool_call_id" not in given:
        message["tool_call_id"] = ids[0]
    blocks = (mapping(block).get("thinking") for block in sequence(given.get("thinking_blocks")))
    thoughts = [thought for thought in blocks if isinstance(thought, str)]
    return {**({"reasoning_content": "\n\n".join(thoughts)} if thoughts else {}), **message}


def _note(message: Mapping[str, Any], seconds: float) -> Note:
    automatic = message["role"] == "assistant" and AUTOMATIC.match(text_of(message.get("content"))) is not None
    given = message.get("is_demo") is True or (automatic and not message.get("tool_calls"))
    return Note(given=given, seconds=seconds if message["role"] == "tool" else 0.0)


def _ran(history: list[Any], steps: Any) -> tuple[dict[int, float], int]:
    """How long the action of each message took, by the message's place; and how many steps the history has not."""
    found: dict[int, float] = {}
    places: dict[Any, deque[int]] = {}
    for place, step in enumerate(steps):
        places.setdefault(text_of(mapping(step).get("response")), deque()).append(place)
    done = -1
    for index, message in enumerate(history):
        if message["role"] != "assistant" or message.get("is_demo"):
            continue
        left = places.get(text_of(message.get("content")), deque())
        while left and left[0] <= done:
            left.popleft()
        if left:
            done = left.popleft()
            found[index] = max(0.0, number(mapping(steps[done]).get("execution_time")) or 0.0)
    return found, max(0, len(steps) - len(found)) if found else 0


def _about(row: Mapping[str, Any], history: list[Any], attempt: int, known: dict[str, Any]) -> About:
    info = mapping(row.get("info"))
    config = mapping(decoded(row.get("replay_config")))
    model = mapping(mapping(config.get("agent")).get("model"))
    sampling = {name: model[name] for name in ("temperature", "top_p") if number(model.get(name)) is not None}
    task = mapping(config.get("problem_statement")).get("id") or row.get("instance_id")
    accepted = mapping(info.get("review")).get("accept")
    ending, error = _ending(info, history)
    meta = {"info": dict(info), "environment": row.get("environment"), **known}
    return About(
        model=text(model.get("name")),
        sampling=sampling,
        versions={name: info[name] for name in VERSIONS if text(info.get(name))},
        task=text(task),
        attempt=attempt,
        scores={"review": float(accepted)} if isinstance(accepted, bool | int | float) else {},
        stop_reason=ending,
        error=error,
        usage=_usage(mapping(info.get("model_stats"))),
        seconds=0.0,
        meta={key: value for key, value in meta.items() if value not in (None, {}, "")},
    )


def _ending(info: Mapping[str, Any], history: list[Any]) -> tuple[StopReason | None, RunError | None]:
    """How the run ended; what is in parentheses is why it was submitted without the model."""
    status = text(info.get("exit_status"))
    if status is None:
        return None, None
    submitted = re.fullmatch(r"submitted \((\w+)\)", status)
    ending = ENDINGS.get(submitted.group(1) if submitted else status)
    if ending not in FAILED:
        return ending, None
    told = [text_of(one.get("content")) for one in history if one["role"] == "assistant"]
    message = told[-1] if told and AUTOMATIC.match(told[-1]) else "the file does not say why"
    return ending, RunError(type=status, message=message)


def _usage(stats: Mapping[str, Any]) -> Usage | None:
    """The run's tokens and cost; statistics of no calls at all are those of a run that was not counted."""
    sent, received = number(stats.get("tokens_sent")), number(stats.get("tokens_received"))
    cost = number(stats.get("instance_cost"))
    if not (sent or received or cost or stats.get("api_calls")):
        return None
    prompt, completion = (None if one is None else int(one) for one in (sent, received))
    total = prompt + completion if prompt is not None and completion is not None else None
    return Usage(prompt=prompt, completion=completion, total=total, cost=cost)
