"""OpenHands' output of evaluations (`output.jsonl`), and its trajectories: lists of events.

Sources of the form: All-Hands-AI/OpenHands (`evaluation/utils/shared.py`: `EvalOutput`, `EvalMetadata`;
`openhands/events/serialization/event.py`; `openhands/events/tool.py`: `ToolCallMetadata`; `openhands/core/schema`;
`openhands/llm/metrics.py`), and for what an agent saw of an event `openhands/memory/conversation_memory.py`.

| a file | comes to |
|---|---|
| lines of `{"instance_id": ..., "history": [...], ...}` | a result for each |
| `{"trajectory": [...]}`, or a list (or lines) of events | a result |

| its | comes to |
|---|---|
| events | the messages; how is told in `events.py` of this folder, and for those of the newer SDK in `sdk.py` |
| `instance_id`, `attempt` | `task` and `attempt` |
| `metadata.llm_config` (or `llm`), `metadata.git_commit` | model, server and sampling, version |
| `metrics` | the run's tokens and cost, and by the reply's id how long it took |
| numbers and truth values in `test_result` and `report` | `scores`: of `report.resolved`, `resolved` is the name |
| `error`, and the last state of the agent | stop reason and error |
| `instruction`, `test_result`, `instance`, the rest of `metadata` | `meta` |
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hermes_nb.formats.base import About, Head, Source, as_float, conversation, mapping, number, sequence, text, whole
from hermes_nb.formats.openhands.events import Telling
from hermes_nb.formats.openhands.sdk import SdkTelling, is_sdk_event
from hermes_nb.records import AgentResult, RunError, StopReason, Usage

NAME = "OpenHands"

STATES: dict[str, StopReason] = {
    "finished": "finished", "rejected": "refusal", "error": "crashed", "stopped": "interrupted",
    "rate_limited": "server_error", "stuck": "repeating", "paused": "interrupted",
}  # fmt: skip
"""The agent's last state, and how that ends a run; other states say that it goes on."""

ERRORS: tuple[tuple[str, StopReason], ...] = (
    ("AgentStuckInLoop", "repeating"), ("maximum iteration", "max_turns"), ("max iteration", "max_turns"),
    ("maximum budget", "max_cost"), ("budget", "max_cost"), ("ContextWindow", "context_overflow"),
    ("RateLimit", "server_error"), ("APIError", "server_error"), ("ServiceUnavailable", "server_error"),
    ("Timeout", "server_error"), ("InternalServerError", "server_error"),
)  # fmt: skip
"""Words in an error, and how it ended the run; without any of them it crashed."""

SAMPLING = ("temperature", "top_p", "max_output_tokens", "reasoning_effort", "seed", "native_tool_calling")
KEPT = ("instruction", "test_result", "report", "instance")
NAMED = re.compile(r"^(\w+(?:Error|Exception)): ?(.*)", re.DOTALL)


def recognises(head: Head) -> bool:
    """The first row has a `history` of events beside an `instance_id`, or a `trajectory` of them; or it is an event of
    a list."""
    row = head.row
    if isinstance(row, Mapping) and (_is_output(row) or _are_events(row.get("trajectory"))):
        return True
    return _is_event(row) and (isinstance(head.first, list) or head.kind in ("lines", "rows"))


def read(source: Source) -> Iterator[AgentResult]:
    """One result for each output of an evaluation, or one for a list of events.

    Raises:
        FormatError: a row is of another shape, or over the bounds.
    """
    if _is_event(source.head.row):
        yield _result({"history": [row.value for row in source.rows()]}, source, None)
        return
    for row in source.rows():
        given = mapping(row.value)
        if _are_events(given.get("trajectory")):
            yield _result({**given, "history": given["trajectory"]}, source, row.place)
        elif _is_output(given):
            yield _result(given, source, row.place)
        else:
            raise source.error("neither an output with a history nor a trajectory", row.place)


def _is_event(value: Any) -> bool:
    if is_sdk_event(value):
        return True
    if not isinstance(value, Mapping) or "source" not in value:
        return False
    return ("action" in value and "args" in value) or ("observation" in value and "content" in value)


def _are_events(value: Any) -> bool:
    """Whether it is a list of events, or of pairs of an action and what came of it."""
    first = value[0] if isinstance(value, list) and value else None
    return _is_event(first) or (isinstance(first, list) and bool(first) and _is_event(first[0]))


def _is_output(row: Mapping[str, Any]) -> bool:
    history = row.get("history")
    if "instance_id" not in row or "history" not in row:
        return False
    return _are_events(history) or (not history and bool({"test_result", "metadata", "metrics"} & set(row)))


def _result(row: Mapping[str, Any], source: Source, place: str | None) -> AgentResult:
    metrics = mapping(row.get("metrics"))
    latencies = [mapping(one) for one in sequence(metrics.get("response_latencies"))]
    usages = {str(one.get("response_id")): _counted(one) for one in map(mapping, sequence(metrics.get("token_usages")))}
    events = list(_flat(sequence(row.get("history"))))
    kind = SdkTelling if any(map(is_sdk_event, events)) else Telling
    telling = kind({str(one.get("response_id")): number(one.get("latency")) or 0.0 for one in latencies}, usages)
    for index, event in enumerate(events):
        if not isinstance(event, Mapping):
            raise source.error(f"event {index} is no object: {event!r:.80}", place)
        telling.add(event)
    about = _about(row, telling, _usage(metrics, telling))
    return conversation(telling.messages, source, NAME, place, about, notes=telling.notes)


def _counted(usage: Mapping[str, Any]) -> dict[str, Any]:
    """The tokens of one reply, by OpenAI's names."""
    prompt, completion = whole(usage.get("prompt_tokens")), whole(usage.get("completion_tokens"))
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": None if prompt is None or completion is None else prompt + completion,
        "prompt_tokens_details": {"cached_tokens": usage.get("cache_read_tokens")},
        "completion_tokens_details": {"reasoning_tokens": usage.get("reasoning_tokens")},
    }


def _flat(history: Sequence[Any]) -> Iterator[Any]:
    for entry in history:
        yield from entry if isinstance(entry, list) else [entry]


def _usage(metrics: Mapping[str, Any], telling: Telling) -> Usage | None:
    """What the metrics say of the whole run, where they say anything."""
    counted = mapping(metrics.get("accumulated_token_usage")) or telling.accumulated
    cost = number(metrics.get("accumulated_cost"))
    prompt, completion = whole(counted.get("prompt_tokens")), whole(counted.get("completion_tokens"))
    if not prompt and not completion:
        return None if cost is None else Usage(cost=cost)
    return Usage(
        prompt=prompt or 0,
        completion=completion or 0,
        total=(prompt or 0) + (completion or 0),
        cached=whole(counted.get("cache_read_tokens")),
        cost=cost,
    )


def _about(row: Mapping[str, Any], telling: Telling, usage: Usage | None) -> About:
    metadata = mapping(row.get("metadata"))
    config = mapping(metadata.get("llm_config")) or mapping(metadata.get("llm"))
    commit, base_url = text(metadata.get("git_commit")), text(config.get("base_url"))
    task, attempt = row.get("instance_id"), row.get("attempt")
    ending, error = _ending(row.get("error"), telling)
    meta = {key: row[key] for key in KEPT if row.get(key) not in (None, "", {})}
    about_it = {
        key: value
        for key, value in metadata.items()
        if key not in ("llm_config", "llm") and value not in (None, "", {})
    }
    return About(
        model=text(config.get("model")),
        tools=telling.tools,
        started_at=telling.started_at,
        server={"base_url": base_url} if base_url else {},
        sampling={name: config[name] for name in SAMPLING if config.get(name) is not None},
        versions={"openhands": commit} if commit else {},
        task=None if task is None else str(task),
        attempt=attempt if type(attempt) is int else 0,
        scores={**_scores(mapping(row.get("report"))), **_scores(mapping(row.get("test_result")))},
        stop_reason=ending,
        error=error,
        usage=usage,
        seconds=telling.seconds,
        meta={
            **meta,
            **({"metadata": about_it} if about_it else {}),
            **({"other_events": dict(telling.passed_over)} if telling.passed_over else {}),
        },
    )


def _scores(holder: Mapping[str, Any], depth: int = 3) -> dict[str, float]:
    """Every number and truth value in an object and its objects, by its key; the outermost of a key counts."""
    inner = (_scores(value, depth - 1) for value in holder.values() if isinstance(value, Mapping) and depth)
    nested = {key: value for scores in inner for key, value in scores.items()}
    own = {key: score for key, value in holder.items() if (score := as_float(value)) is not None}
    return {**nested, **own}


def _ending(told: Any, telling: Telling) -> tuple[StopReason | None, RunError | None]:
    if message := text(told):
        found = NAMED.match(message)
        reason: StopReason = next((reason for words, reason in ERRORS if words in message), "crashed")
        type_, said = found.groups() if found else ("error", message)
        return reason, RunError(type=type_, message=said)
    if telling.did_finish:
        return "finished", None
    ending = STATES.get(telling.state or "")
    failed = ending in ("crashed", "server_error")
    return ending, RunError(type=str(telling.state), message=telling.reason) if failed else None
