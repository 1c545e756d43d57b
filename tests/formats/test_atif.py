"""ATIF: steps with calls and observations, what no model was asked for, subagents, and metrics."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hermes_nb import formats
from hermes_nb.exceptions import FormatError
from hermes_nb.records import AgentResult, Usage

SYSTEM = {"step_id": 1, "source": "system", "message": "You are an agent."}
ASKS = {"step_id": 2, "source": "user", "message": "Mend it.", "timestamp": "2025-10-11T10:30:00Z"}
SAYS = {"step_id": 9, "source": "agent", "message": "Done.", "timestamp": "2025-10-11T10:30:09Z"}


def acts(*ids: str, results: list[Any] | None = None, **known: Any) -> dict[str, Any]:
    calls = [{"tool_call_id": id_, "function_name": "bash", "arguments": {"command": "ls"}} for id_ in ids]
    return {"step_id": 3, "source": "agent", "message": "Look.", "timestamp": "2025-10-11T10:30:02Z",
            "tool_calls": calls, "observation": {"results": results or []}, **known}  # fmt: skip


def read(tmp_path: Path, *steps: Any, **known: Any) -> list[AgentResult]:
    agent = {"name": "openhands", "version": "1.1.0", "model_name": "m-1", "tool_definitions": [{"type": "function"}]}
    row = {"schema_version": "ATIF-v1.5", "session_id": "s1", "agent": agent, "steps": list(steps), **known}
    (tmp_path / "x").write_text(json.dumps(row, indent=2))
    return formats.read(tmp_path / "x")


def test_steps_are_messages_with_calls_and_answers(tmp_path: Path) -> None:
    answers = [{"source_call_id": "c2", "content": "two"}, {"source_call_id": "c1", "content": "one"}]
    [result] = read(tmp_path, SYSTEM, ASKS, acts("c1", "c2", results=answers, reasoning_content="Hm."), SAYS)

    assert [message["role"] for message in result.messages] == [
        "system",
        "user",
        "assistant",
        "tool",
        "tool",
        "assistant",
    ]
    assert [(one.call.id, one.call.name, one.call.parsed, one.content) for one in result.results] == [
        ("c1", "bash", {"command": "ls"}, "one"),
        ("c2", "bash", {"command": "ls"}, "two"),
    ]
    assert (result.reasoning_per_turn, result.final_text, result.stop_reason) == (["Hm.", None], "Done.", "finished")


def test_the_agent_says_model_tools_and_versions(tmp_path: Path) -> None:
    [result] = read(tmp_path, ASKS, acts("c1", reasoning_effort="high"), notes="A note.")

    assert result.provenance is not None
    assert (result.provenance.server, result.provenance.tools) == ({"model": "m-1"}, ({"type": "function"},))
    assert result.provenance.versions == {"openhands": "1.1.0", "atif": "ATIF-v1.5"}
    assert (result.provenance.sampling, result.provenance.started_at) == (
        {"reasoning_effort": "high"}, "2025-10-11T10:30:00Z"
    )  # fmt: skip
    assert (result.meta["session_id"], result.meta["notes"]) == ("s1", "A note.")
    assert result.meta["agent"] == {"name": "openhands", "version": "1.1.0", "model_name": "m-1"}


def test_metrics_are_the_usage_of_the_turn_and_final_ones_that_of_the_run(tmp_path: Path) -> None:
    metrics = {"prompt_tokens": 100, "completion_tokens": 5, "cached_tokens": 80, "cost_usd": 0.5,
               "logprobs": [-0.1], "extra": {"reasoning_tokens": 3}}  # fmt: skip
    final = {"total_prompt_tokens": 120, "total_completion_tokens": 6, "total_cost_usd": 0.75}
    [own] = read(tmp_path, ASKS, acts("c1", metrics=metrics))
    [told] = read(tmp_path, ASKS, acts("c1", metrics=metrics), final_metrics=final)

    assert own.usage == Usage(prompt=100, completion=5, total=105, reasoning=3, cached=80, cost=0.5)
    assert told.usage == Usage(prompt=120, completion=6, total=126, cost=0.75)
    assert told.turns[0].reply is not None
    assert told.turns[0].reply.usage == own.usage


def test_times_run_from_the_first_step_that_has_one(tmp_path: Path) -> None:
    [result] = read(tmp_path, SYSTEM, ASKS, acts("c1"), SAYS)

    assert ([turn.at for turn in result.turns], result.seconds) == ([2.0, 9.0], 9.0)


def test_a_result_of_no_call_is_what_the_agent_was_told(tmp_path: Path) -> None:
    [result] = read(tmp_path, ASKS, acts(results=[{"content": "New Terminal Output"}]))

    assert result.messages[-1] == {"role": "user", "content": "New Terminal Output"}
    assert (result.calls, result.results) == ([], [])


@pytest.mark.parametrize("flag", [{"is_error": True}, {"extra": {"is_error": True}}])
def test_a_result_that_is_marked_as_an_error_is_one(tmp_path: Path, flag: dict[str, Any]) -> None:
    [result] = read(tmp_path, ASKS, acts("c1", results=[{"source_call_id": "c1", "content": "no such file", **flag}]))

    assert [(one.kind, one.error) for one in result.tool_errors] == [("reported", "no such file")]


def test_copied_context_and_steps_without_a_model_are_no_turns(tmp_path: Path) -> None:
    copied = acts("c1", results=[{"source_call_id": "c1", "content": "a.py"}], is_copied_context=True)
    [result] = read(tmp_path, ASKS, copied, {**SAYS, "llm_call_count": 0}, acts("c2"))

    assert (result.turns_used, [call.id for call in result.calls], len(result.messages)) == (1, ["c2"], 5)


def test_subagents_are_named_and_those_that_are_there_are_results(tmp_path: Path) -> None:
    reference = {"session_id": "s2", "trajectory_path": "s2.json"}
    observation = [{"source_call_id": "c1", "subagent_trajectory_ref": [reference]}]
    inner = {"schema_version": "ATIF-v1.7", "session_id": "s2", "agent": {"name": "helper"}, "steps": [SAYS]}
    outer, helper = read(tmp_path, ASKS, acts("c1", results=observation), subagent_trajectories=[inner])

    assert (outer.meta["subagents"], outer.results[0].content) == ([reference], "")
    assert (helper.final_text, helper.meta["subagent_of"]) == ("Done.", "s1")


def test_content_in_parts_stays_in_parts(tmp_path: Path) -> None:
    parts = [
        {"type": "text", "text": "See "},
        {"type": "image", "source": {"media_type": "image/png", "path": "a.png"}},
    ]
    [result] = read(tmp_path, {**ASKS, "message": parts}, SAYS)

    assert result.messages[0]["content"] == parts


def test_a_trajectory_on_a_line_of_its_own_is_read_too(tmp_path: Path) -> None:
    row = {"schema_version": "ATIF-v1.0", "session_id": "s", "agent": {}, "steps": [ASKS, SAYS]}
    (tmp_path / "x").write_text((json.dumps(row) + "\n") * 2)

    assert [one.meta["place"] for one in formats.read(tmp_path / "x")] == ["line 1", "line 2"]


def test_a_step_of_nobody_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="x, document: step 2 has none of the sources"):
        read(tmp_path, ASKS, {"source": "robot", "message": "beep"})
