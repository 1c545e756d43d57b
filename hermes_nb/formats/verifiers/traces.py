"""verifiers' traces: a graph in which every message stands once, and every leaf ends a branch.

Source of the form: PrimeIntellect-ai/verifiers (`verifiers/v1/trace.py`: `Trace`, `ModelCall`, `Timing`, `Error`;
`verifiers/v1/graph.py`: `MessageNode`; `verifiers/v1/types.py`: the messages, and `Usage`).

| a trace's | comes to |
|---|---|
| `nodes`, from a root to each leaf | the messages of a result each |
| nodes that no model was asked for (`sampled` false), or that an earlier branch has | messages and no turns |
| `calls`, by their node | usage, model, finish reason and times of the turn; `prompt_tokens` are without cached ones |
| calls without a node | `meta["failed_calls"]` |
| `rewards` and `metrics` | `scores`, with the weighted sum of the rewards as `reward` |
| `stop_condition`, `ok`, `errors` | stop reason and error |
| `task.key`, or a name or number in its data, or `task.hash` | `task` |
| `agent.config`, `tools`, `verifiers`, `timing` | model, sampling, tools, versions, times |
| `id`, `info`, the task's data, the agent's name, `root_reply` | `meta` |

Token ids and logprobs stay behind. Errors of tools are not marked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from hermes_nb.formats.base import About, Note, Source, between, conversation, mapping, number, sequence, text, whole
from hermes_nb.formats.verifiers.naming import NAME, ending_of, message_of, numbers_in, tools_of
from hermes_nb.records import AgentResult, RunError, Usage

NAMES = ("task_id", "name", "id", "example_id", "idx")
"""Where a task's data may name it."""

KEPT = ("id", "info", "root_reply", "stop_condition", "is_completed", "ok", "extra_usage")


def is_trace(row: Mapping[str, Any]) -> bool:
    """Whether a row is a trace."""
    nodes = row.get("nodes")
    if not isinstance(nodes, list) or "task" not in row or not {"agent", "calls", "rewards"} & set(row):
        return False
    return not nodes or "message" in mapping(nodes[0])


def task_of(trace: Mapping[str, Any]) -> str | None:
    """The name of the task that a trace is of."""
    task = mapping(trace.get("task"))
    data = _data(trace)
    names = (task.get("key"), *(data.get(name) for name in NAMES), task.get("hash"))
    return next((str(name) for name in names if isinstance(name, str | int) and name != ""), None)


def agent_of(trace: Mapping[str, Any]) -> str | None:
    """The name of the environment's agent that a trace is of."""
    return text(mapping(trace.get("agent")).get("name"))


def branches(trace: Mapping[str, Any], attempt: int, source: Source, place: str) -> Iterator[AgentResult]:
    """One result for each branch of a trace; one without messages where it has none.

    Raises:
        FormatError: a node has no message, or a parent that does not stand before it; or the branches have more
            messages together than `Bounds.rows`.
    """
    nodes = trace["nodes"]
    paths = _paths(nodes, source, place)
    calls = {call["node"]: call for call in map(mapping, sequence(trace.get("calls"))) if type(call.get("node")) is int}
    told: set[int] = set()
    for index, path in enumerate(paths):
        where = f"{place}, branch {index + 1}" if len(paths) > 1 else place
        given = _given(nodes, path, told)
        notes = {at: _note(nodes[node], calls.get(node), trace, node in given) for at, node in enumerate(path)}
        messages = [message_of(nodes[node]["message"]) for node in path]
        about = _about(trace, attempt, {"branch": index} if len(paths) > 1 else {})
        yield conversation(messages, source, NAME, where, about, notes=notes)
        told.update(path)


def _paths(nodes: list[Any], source: Source, place: str) -> list[list[int]]:
    """The way to every leaf, in the order of the leaves."""
    parents: list[int | None] = []
    for index, node in enumerate(nodes):
        message, parent = mapping(mapping(node).get("message")), mapping(node).get("parent")
        if not isinstance(message.get("role"), str):
            raise source.error(f"node {index} has no message with a role", place)
        if parent is not None and not (type(parent) is int and 0 <= parent < index):
            raise source.error(f"node {index} has a parent that does not stand before it: {parent!r:.40}", place)
        parents.append(parent)
    inner, told = set(parents), 0
    paths = []
    for leaf in (index for index in range(len(nodes)) if index not in inner):
        path: list[int] = []
        at: int | None = leaf
        while at is not None:
            path.append(at)
            at = parents[at]
        paths.append(path[::-1])
        told += len(path)
        if told > source.bounds.rows:
            raise source.error(f"branches with more than {source.bounds.rows:,} messages: Bounds(rows=...)", place)
    return paths or [[]]


def _given(nodes: list[Any], path: list[int], told: set[int]) -> set[int]:
    """The nodes of a path that no model was asked for, or that an earlier branch has, with the answers to their calls.
    Where no node of a trace says that it was sampled, every assistant's was."""
    is_said = any(mapping(node).get("sampled") is True for node in nodes)
    given: set[int] = set()
    open_calls: set[str] = set()
    for node in path:
        message = nodes[node]["message"]
        ids = {str(mapping(call).get("id")) for call in sequence(message.get("tool_calls"))}
        if message["role"] == "tool":
            if node in told or str(message.get("tool_call_id")) in open_calls:
                given.add(node)
        elif node in told or (is_said and nodes[node].get("sampled") is not True):
            given.add(node)
            open_calls |= ids if node not in told else set()
    return given


def _note(node: Mapping[str, Any], call: Mapping[str, Any] | None, trace: Mapping[str, Any], is_given: bool) -> Note:
    start = _start(trace)
    known = mapping(call)
    time = mapping(known.get("time"))
    usage = known.get("usage") or node.get("usage")
    begun = time.get("start") or node.get("timestamp")
    return Note(
        at=between(start, begun) if start and begun else None,
        seconds=(between(time.get("start"), time.get("end")) or 0.0) if time.get("end") else 0.0,
        given=is_given,
        usage=_usage(mapping(usage)) if usage and not is_given else None,
        model=text(known.get("model")),
        finish_reason=text(known.get("finish_reason")) or text(node.get("finish_reason")),
    )


def _usage(counted: Mapping[str, Any]) -> Usage:
    prompt, completion, cached, reasoning = (
        whole(counted.get(name))
        for name in ("prompt_tokens", "completion_tokens", "cached_input_tokens", "reasoning_tokens")
    )
    asked = None if prompt is None else prompt + (cached or 0)
    total = None if asked is None or completion is None else asked + completion
    cost = number(counted.get("cost"))
    return Usage(prompt=asked, completion=completion, total=total, reasoning=reasoning, cached=cached, cost=cost)


def _start(trace: Mapping[str, Any]) -> float | None:
    return number(mapping(trace.get("timing")).get("start")) or None


def _utc(seconds: float | None) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat() if seconds else ""
    except (OverflowError, OSError, ValueError):
        return ""


def _data(trace: Mapping[str, Any]) -> Mapping[str, Any]:
    task = mapping(trace.get("task"))
    return mapping(task.get("data")) or task


def _about(trace: Mapping[str, Any], attempt: int, known: dict[str, Any]) -> About:
    agent = mapping(trace.get("agent"))
    config = mapping(agent.get("config")) or agent
    calls = [mapping(call) for call in sequence(trace.get("calls"))]
    sampling = next((mapping(call["sampling"]) for call in calls if mapping(call.get("sampling"))), {})
    version = mapping(trace.get("verifiers"))
    start, errors = _start(trace), [mapping(error) for error in sequence(trace.get("errors"))]
    failed = bool(errors) and trace.get("ok") is not True
    failures = [dict(call) for call in calls if call.get("node") is None and call.get("error")]
    meta = {key: trace.get(key) for key in KEPT}
    meta |= {"agent": agent.get("name"), "task": dict(_data(trace)), "failed_calls": failures, **known}
    return About(
        model=text(config.get("model")) or text(mapping(config.get("model")).get("name")),
        tools=tools_of(trace.get("tools")),
        started_at=_utc(start),
        sampling={
            key: value for key, value in (sampling or mapping(config.get("sampling"))).items() if value is not None
        },
        versions={f"verifiers_{key}": version[key] for key in ("version", "commit") if text(version.get(key))},
        task=task_of(trace),
        attempt=attempt,
        scores=_scores(trace),
        stop_reason=ending_of(trace.get("stop_condition"), failed),
        error=_error(errors[-1]) if failed else None,
        seconds=_seconds(trace),
        meta={key: value for key, value in meta.items() if value not in (None, "", {}, [])},
    )


def _scores(trace: Mapping[str, Any]) -> dict[str, float]:
    rewards = mapping(trace.get("rewards"))
    plain = numbers_in({name: mapping(one).get("score", one) for name, one in rewards.items()})
    weights = {name: number(mapping(rewards[name]).get("weight")) for name in plain}
    total = sum(score * (1.0 if weights[name] is None else weights[name] or 0.0) for name, score in plain.items())
    summed = {"reward": total} if plain else {}
    return {**numbers_in(mapping(trace.get("metrics"))), **summed, **plain}


def _seconds(trace: Mapping[str, Any]) -> float | None:
    """From the start of the trace to the end of its last part."""
    timing = mapping(trace.get("timing"))
    ends = [end for part in timing.values() if (end := number(mapping(part).get("end")))]
    return between(_start(trace), max(ends)) if ends and _start(trace) else None


def _error(error: Mapping[str, Any]) -> RunError:
    status = error.get("status_code")
    return RunError(
        type=text(error.get("type")) or "Error",
        message=text(error.get("message")) or "the trace does not say why",
        status=status if type(status) is int else None,
    )
