"""Runs made by hand and at random, to be counted in two ways."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from hermes_nb.records import AgentResult, Provenance, Reply, ToolCall, ToolError, ToolResult, Turn, Usage

FAULTS = {
    "unknown_tool": "model", "bad_json": "model", "bad_arguments": "model", "exception": "tool", "reported": "tool",
    "timeout": "environment", "cancelled": "run", "rejected": "run",
}  # fmt: skip

patiently = settings(max_examples=40, deadline=None)
"""How the random tests run: the first table of a process takes its time."""

MADE = Provenance(started_at="2026-01-01T00:00:00Z", server={"name": "made"}, sampling={})
"""With it the times of a run are taken for measured."""

Call = tuple[str, str | None]
"""A tool's name, and the kind of the error that it ended in."""


def run(run_id: str, *turns: list[Call], stop_reason: str = "finished", **more: Any) -> AgentResult:
    """A run whose turns make these calls; a reply takes half a second, a call 0.1 s, its arguments are its place."""
    made = tuple(turn(number, calls) for number, calls in enumerate(turns, 1))
    more.setdefault("provenance", MADE)
    return AgentResult(messages=[], run_id=run_id, turns=made, stop_reason=stop_reason, seconds=len(made) * 0.6, **more)  # type: ignore[arg-type]


def turn(number: int, calls: list[Call]) -> Turn:
    asked = tuple(
        ToolCall(name=name, arguments=f'{{"place": {index}}}', id=f"call_{number}_{index}", turn=number, index=index)
        for index, (name, _) in enumerate(calls)
    )
    at = (number - 1) * 0.6
    results = tuple(answer(call, kind, at + 0.5) for call, (_, kind) in zip(asked, calls, strict=True))
    reply = Reply(
        message={"role": "assistant", "content": ""}, calls=asked, seconds=0.5, first_token_at=(number - 1) * 0.6 + 0.2,
        usage=Usage(prompt=100 * number, completion=10, total=100 * number + 10),
    )  # fmt: skip
    return Turn(number=number, reply=reply, results=results, at=at, seconds=0.6, model_seconds=0.5, tool_seconds=0.1)


def answer(call: ToolCall, kind: str | None, started: float) -> ToolResult:
    error = None
    if kind:
        told = f"{kind} in {call.name}"
        error = ToolError(
            call.turn, call.name, call.arguments, told, told, kind=kind, fault=FAULTS[kind], call_id=call.id,
            call_index=call.index,
        )  # type: ignore[arg-type]  # fmt: skip
    return ToolResult(call=call, content="", error=error, started=started, seconds=0.1)


def scored(task: str | None, score: Any, attempt: int = 0, *, name: str = "exact", **more: Any) -> AgentResult:
    """A finished run of a task that has this score."""
    run_id = more.pop("run_id", f"{task}-{attempt}-{name}")
    return AgentResult(
        messages=[], run_id=run_id, task=task, attempt=attempt, scores={name: score}, stop_reason="finished", **more
    )


def sampled(passes: dict[str, list[Any]]) -> list[AgentResult]:
    """Tasks by their attempts' scores."""
    return [scored(task, score, attempt) for task, scores in passes.items() for attempt, score in enumerate(scores)]


calls = st.tuples(st.sampled_from(["add", "divide", "look"]), st.none() | st.sampled_from(sorted(FAULTS)))
lists_of_calls = st.lists(st.lists(st.lists(calls, max_size=3), max_size=5), max_size=5)
many_runs = lists_of_calls.map(lambda runs: [run(f"run-{number}", *turns) for number, turns in enumerate(runs)])
tasks = st.dictionaries(
    st.sampled_from("abcdefgh"), st.lists(st.booleans(), min_size=1, max_size=5), min_size=1, max_size=8
)
