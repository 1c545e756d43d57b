"""ATIF, Harbor's agent trajectory interchange format, of the versions 1.0 to 1.7.

Source of the form: laude-institute/harbor (`docs/rfcs/0001-trajectory-format.md`, and the models of
`harbor/models/trajectories/`: `Trajectory`, `Step`, `ToolCall`, `ObservationResult`, `Metrics`, `FinalMetrics`).

| a trajectory's | comes to |
|---|---|
| steps of the system, of the user, of the agent | a message each; an agent's is a turn |
| results of a step's observation | an answer to the call each names; of no call, a message of the user |
| steps with `is_copied_context`, or with `llm_call_count` 0 and no calls | messages and no turns |
| `metrics` of a step | usage of the turn; token ids and logprobs stay behind |
| `timestamp` of a step | when its turn began, from the first of them on |
| `final_metrics` | usage of the run |
| `agent` | model, tools, versions |
| `is_error` of a result, or in its `extra` | an error of the call |
| `subagent_trajectories` | a result each; `meta["subagent_of"]` has the session it served |
| references to subagents and to what continues it, `session_id`, `notes`, `extra` | `meta` |

Rewards are in other files. A trajectory does not say how it ended.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hermes_nb import codec
from hermes_nb.formats.base import (
    About,
    Failure,
    Head,
    Note,
    Source,
    between,
    conversation,
    mapping,
    number,
    sequence,
    text,
)
from hermes_nb.messages import Message, text_of
from hermes_nb.records import AgentResult, Usage

NAME = "ATIF"

ROLES = {"system": "system", "user": "user", "agent": "assistant"}

KEPT = ("session_id", "trajectory_id", "notes", "extra", "continued_trajectory_ref")


def recognises(head: Head) -> bool:
    """The first row has `steps`, an `agent`, and a `schema_version` of ATIF."""
    return isinstance(head.row, Mapping) and _is_trajectory(head.row)


def read(source: Source) -> Iterator[AgentResult]:
    """One result for each trajectory, and for each of its subagents' that it holds.

    Raises:
        FormatError: a row is no trajectory, or over the bounds.
    """
    for row in source.rows():
        if not isinstance(row.value, Mapping) or not _is_trajectory(row.value):
            raise source.error("no trajectory: it has no schema_version, agent and steps", row.place)
        yield from _results(row.value, source, row.place, None)


def _is_trajectory(row: Mapping[str, Any]) -> bool:
    version, steps = row.get("schema_version"), row.get("steps")
    if not isinstance(steps, list) or not isinstance(row.get("agent"), Mapping):
        return False
    return isinstance(version, str) and version.upper().startswith("ATIF")


def _results(trajectory: Mapping[str, Any], source: Source, place: str, served: Any) -> Iterator[AgentResult]:
    yield _result(trajectory, source, place, served)
    name = trajectory.get("trajectory_id") or trajectory.get("session_id")
    for inner in sequence(trajectory.get("subagent_trajectories")):
        if isinstance(inner, Mapping) and isinstance(inner.get("steps"), list):
            yield from _results(inner, source, place, name)


def _result(trajectory: Mapping[str, Any], source: Source, place: str, served: Any) -> AgentResult:
    messages: list[Message] = []
    notes: dict[int, Note] = {}
    subagents: list[Any] = []
    start = next((when for step in trajectory["steps"] if (when := mapping(step).get("timestamp")) is not None), None)
    for index, step in enumerate(trajectory["steps"], 1):
        if not isinstance(step, Mapping) or step.get("source") not in ROLES:
            raise source.error(f"step {index} has none of the sources {', '.join(ROLES)}: {step!r:.80}", place)
        is_given = _is_given(step)
        notes[len(messages)] = _note(step, start, is_given)
        messages.append(_message(step))
        for result in sequence(mapping(step.get("observation")).get("results")):
            subagents += sequence(mapping(result).get("subagent_trajectory_ref"))
            if (answer := _answer(mapping(result))) is not None:
                notes[len(messages)] = Note(failure=_failure(mapping(result)), given=is_given)
                messages.append(answer)
    meta = {key: trajectory[key] for key in KEPT if trajectory.get(key) not in (None, {}, "")}
    known = {"subagents": subagents, "subagent_of": served, "agent": dict(mapping(trajectory.get("agent")))}
    known["agent"].pop("tool_definitions", None)
    about = _about(trajectory, start, {**meta, **{key: value for key, value in known.items() if value}})
    return conversation(messages, source, NAME, place, about, notes=notes)


def _is_given(step: Mapping[str, Any]) -> bool:
    """Whether no model was asked for the step."""
    return step.get("is_copied_context") is True or (step.get("llm_call_count") == 0 and not step.get("tool_calls"))


def _message(step: Mapping[str, Any]) -> Message:
    message: Message = {"role": ROLES[step["source"]], "content": _content(step.get("message"))}
    if thought := text(step.get("reasoning_content")):
        message["reasoning_content"] = thought
    if calls := sequence(step.get("tool_calls")):
        message["tool_calls"] = [_call(mapping(call)) for call in calls]
    return message


def _content(given: Any) -> str | list[Any]:
    if isinstance(given, str | list):
        return given
    return "" if given is None else codec.dumps(given, default=str).decode()


def _call(given: Mapping[str, Any]) -> dict[str, Any]:
    arguments = given.get("arguments")
    written = arguments if isinstance(arguments, str) else codec.dumps(arguments or {}).decode()
    function = {"name": given.get("function_name"), "arguments": written}
    return {"id": given.get("tool_call_id"), "type": "function", "function": function}


def _answer(result: Mapping[str, Any]) -> Message | None:
    """What a result says; None where it only names a subagent, and answers no call."""
    call_id, content = text(result.get("source_call_id")), result.get("content")
    if call_id is not None:
        return {"role": "tool", "tool_call_id": call_id, "content": _content(content)}
    return None if content is None else {"role": "user", "content": _content(content)}


def _failure(result: Mapping[str, Any]) -> Failure | None:
    flagged = result.get("is_error") is True or mapping(result.get("extra")).get("is_error") is True
    return Failure(error=text_of(_content(result.get("content")))) if flagged else None


def _note(step: Mapping[str, Any], start: Any, is_given: bool) -> Note:
    metrics = step.get("metrics")
    return Note(
        at=between(start, step.get("timestamp")),
        given=is_given,
        usage=_usage(mapping(metrics)) if metrics and not is_given else None,
        model=text(step.get("model_name")),
    )


def _usage(metrics: Mapping[str, Any], prefix: str = "") -> Usage:
    named = ("prompt_tokens", "completion_tokens", "cached_tokens")
    prompt, completion, cached = (_whole(metrics.get(f"{prefix}{name}")) for name in named)
    return Usage(
        prompt=prompt,
        completion=completion,
        total=prompt + completion if prompt is not None and completion is not None else None,
        reasoning=_whole(mapping(metrics.get("extra")).get("reasoning_tokens")),
        cached=cached,
        cost=number(metrics.get(f"{prefix}cost_usd")),
    )


def _whole(value: Any) -> int | None:
    counted = number(value)
    return None if counted is None else int(counted)


def _about(trajectory: Mapping[str, Any], start: Any, meta: dict[str, Any]) -> About:
    agent = mapping(trajectory.get("agent"))
    steps = [mapping(step) for step in trajectory["steps"]]
    times = [seconds for step in steps if (seconds := between(start, step.get("timestamp"))) is not None]
    effort = next((step["reasoning_effort"] for step in steps if step.get("reasoning_effort") is not None), None)
    final = _usage(mapping(trajectory.get("final_metrics")), "total_")
    versions = {text(agent.get("name")): text(agent.get("version")), "atif": text(trajectory.get("schema_version"))}
    return About(
        model=text(agent.get("model_name")),
        tools=sequence(agent.get("tool_definitions")),
        started_at=text(start) or "",
        sampling={} if effort is None else {"reasoning_effort": effort},
        versions={name: version for name, version in versions.items() if name and version},
        usage=None if final == Usage() else final,
        seconds=max(times, default=None),
        meta=meta,
    )
