"""SWE-agent's trajectories: history and steps, demonstrations, attempts, and how a run was ended."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hermes_nb import formats
from hermes_nb.exceptions import FormatError
from hermes_nb.records import AgentResult, Usage

SYSTEM = {"role": "system", "content": "Solve it.", "agent": "main", "message_type": "system_prompt"}
TASK = {"role": "user", "content": "Mend it.", "agent": "main", "message_type": "observation"}
CALL = {"id": "c1", "type": "function", "function": {"name": "open", "arguments": '{"path":"a.py"}'}}
ACTS = {"role": "assistant", "content": "Look.", "thought": "Look.", "action": "open a.py", "agent": "main",
        "tool_calls": [CALL], "message_type": "action", "thinking_blocks": None}  # fmt: skip
SEES = {"role": "tool", "content": "x = 1", "agent": "main", "tool_call_ids": ["c1"], "message_type": "observation"}
WRITES = {
    "role": "assistant",
    "content": "Look.\n```\nls\n```",
    "thought": "Look.\n",
    "action": "ls\n",
    "agent": "main",
}
STATS = {"instance_cost": 0.5, "tokens_sent": 100, "tokens_received": 20, "api_calls": 2}


def step(response: str, seconds: float = 0.0) -> dict[str, Any]:
    return {"action": "x", "observation": "y", "response": response, "thought": "", "execution_time": seconds}


def read(tmp_path: Path, *history: Any, **known: Any) -> list[AgentResult]:
    row = {"trajectory": [], "history": list(history), "info": {}, "environment": "main", **known}
    (tmp_path / "x").write_text(json.dumps(row, indent=2))
    return formats.read(tmp_path / "x")


def test_calls_and_answers_find_each_other_by_the_ids(tmp_path: Path) -> None:
    [result] = read(tmp_path, SYSTEM, TASK, ACTS, SEES)

    assert [(one.call.id, one.call.name, one.call.parsed, one.content) for one in result.results] == [
        ("c1", "open", {"path": "a.py"}, "x = 1")
    ]
    assert result.messages[2:] == [
        {"role": "assistant", "content": "Look.", "tool_calls": [CALL]},
        {"role": "tool", "content": "x = 1", "tool_call_id": "c1"},
    ]
    assert (result.meta["format"], result.meta["environment"]) == ("SWE-agent", "main")


def test_an_action_in_the_text_stays_text(tmp_path: Path) -> None:
    [result] = read(tmp_path, SYSTEM, TASK, WRITES, {"role": "user", "content": "a.py", "agent": "main"})

    assert (result.calls, result.turns_used, len(result.messages)) == ([], 1, 4)
    assert result.messages[2] == {"role": "assistant", "content": "Look.\n```\nls\n```"}


def test_demonstrations_are_given(tmp_path: Path) -> None:
    shown = [{**ACTS, "is_demo": True}, {**SEES, "is_demo": True}]
    [result] = read(tmp_path, SYSTEM, *shown, TASK, ACTS, SEES)

    assert (result.turns_used, len(result.calls), len(result.results), len(result.messages)) == (1, 1, 1, 6)


def test_thinking_is_reasoning(tmp_path: Path) -> None:
    blocks = [{"type": "thinking", "thinking": "Hm."}, {"type": "thinking", "thinking": "So."}]
    [result] = read(tmp_path, TASK, {**ACTS, "thinking_blocks": blocks})

    assert result.reasoning_per_turn == ["Hm.\n\nSo."]


def test_a_step_tells_how_long_its_call_took_and_steps_beside_the_history_are_counted(tmp_path: Path) -> None:
    [result] = read(tmp_path, TASK, ACTS, SEES, trajectory=[step("Nonsense."), step("Look.", 1.5)])

    assert (result.results[0].seconds, result.turns[0].tool_seconds) == (1.5, 1.5)
    assert result.meta["requeries"] == 1


def test_statistics_are_the_usage_of_the_run(tmp_path: Path) -> None:
    [result] = read(tmp_path, TASK, ACTS, info={"model_stats": STATS})
    [uncounted] = read(tmp_path, TASK, ACTS, info={"model_stats": dict.fromkeys(STATS, 0)})

    assert result.usage == Usage(prompt=100, completion=20, total=120, cost=0.5)
    assert uncounted.usage == Usage()


def test_the_model_and_the_task_are_those_of_the_configuration(tmp_path: Path) -> None:
    config = {"agent": {"model": {"name": "m-1", "temperature": 0.0}}, "problem_statement": {"id": "django__1"}}
    [result] = read(tmp_path, TASK, ACTS, replay_config=json.dumps(config), info={"swe_agent_version": "1.1.0"})

    assert result.task == "django__1"
    assert result.provenance is not None
    assert (result.provenance.server, result.provenance.sampling) == ({"model": "m-1"}, {"temperature": 0.0})
    assert result.provenance.versions == {"swe_agent_version": "1.1.0"}


@pytest.mark.parametrize(
    ("status", "stop"),
    [
        ("submitted", "finished"), ("submitted (exit_cost)", "max_cost"), ("exit_cost", "max_cost"),
        ("exit_format", "too_many_errors"), ("submitted (exit_total_execution_time)", "max_seconds"),
        ("exit_forfeit", "stopped"), (None, "running"), ("a word of tomorrow", "running"),
    ],
)  # fmt: skip
def test_the_exit_status_is_how_it_ended(tmp_path: Path, status: str | None, stop: str) -> None:
    [result] = read(tmp_path, TASK, ACTS, SEES, info={"exit_status": status, "submission": "diff"})

    assert (result.stop_reason, result.error) == (stop, None)
    assert result.meta["info"]["submission"] == "diff"


def test_a_run_that_could_not_go_on_says_why_and_its_last_words_are_not_the_model_s(tmp_path: Path) -> None:
    words = {"role": "assistant", "content": "Exit due to retry error: 503", "agent": "main", "tool_calls": None}
    [result] = read(tmp_path, TASK, ACTS, SEES, words, info={"exit_status": "submitted (exit_api)"})

    assert (result.stop_reason, result.turns_used, len(result.messages)) == ("server_error", 1, 4)
    assert result.error is not None
    assert (result.error.type, result.error.message) == ("submitted (exit_api)", "Exit due to retry error: 503")


def test_every_attempt_is_a_result(tmp_path: Path) -> None:
    attempts = [
        {"history": [TASK, ACTS], "info": {"exit_status": "exit_cost", "review": {"accept": 0.25}}},
        {"history": [TASK, ACTS, SEES], "info": {"exit_status": "submitted", "review": {"accept": True}}},
    ]
    results = read(tmp_path, TASK, ACTS, SEES, attempts=attempts, info={"best_attempt_idx": 1})

    assert [(one.attempt, one.stop_reason, one.scores, one.meta["is_best"]) for one in results] == [
        (0, "max_cost", {"review": 0.25}, False),
        (1, "finished", {"review": 1.0}, True),
    ]


def test_a_history_alone_is_a_trajectory(tmp_path: Path) -> None:
    (tmp_path / "x").write_text(json.dumps({"history": [TASK, ACTS, SEES]}))

    assert len(formats.read(tmp_path / "x")[0].results) == 1


def test_a_message_without_a_role_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="x, document: message 1 is no object with a role"):
        read(tmp_path, TASK, {"content": "x"})
