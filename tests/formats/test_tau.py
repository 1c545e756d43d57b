"""tau-bench's results: trials with rewards, errors by the words of the environment, and how they ended."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hermes_nb import formats
from hermes_nb.exceptions import FormatError
from hermes_nb.records import AgentResult

STOP = {"role": "user", "content": "Thanks. ###STOP###"}
VERDICT = {"reward": 1.0, "info": {"r_actions": True, "gt_data_hash": "ea14"}, "actions": []}


def call(id_: str, name: str = "get_user") -> dict[str, Any]:
    function = {"name": name, "arguments": '{"user": "mia"}'}
    return {"role": "assistant", "content": None, "tool_calls": [{"id": id_, "type": "function", "function": function}]}


def answer(id_: str, content: str) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": id_, "name": "get_user", "content": content}


def trial(*messages: dict[str, Any], **known: Any) -> dict[str, Any]:
    row = {"task_id": 3, "reward": 1.0, "info": {"task": {"user_id": "mia"}, "reward_info": VERDICT}, "trial": 2}
    return {**row, "traj": [{"role": "system", "content": "Policy."}, *messages], **known}


def read(tmp_path: Path, *trials: Any) -> list[AgentResult]:
    (tmp_path / "x.txt").write_text(json.dumps(list(trials), indent=2))
    return formats.read(tmp_path / "x.txt")


def test_a_trial_has_a_task_an_attempt_and_its_rewards(tmp_path: Path) -> None:
    [result] = read(tmp_path, trial(call("c1"), answer("c1", "{}"), {"role": "assistant", "content": "Done."}, STOP))

    assert (result.task, result.attempt, result.scores) == ("3", 2, {"reward": 1.0, "r_actions": 1.0})
    assert (result.stop_reason, result.turns_used) == ("stopped", 2)
    assert [(one.call.name, one.call.parsed, one.content) for one in result.results] == [
        ("get_user", {"user": "mia"}, "{}")
    ]
    assert result.meta["format"] == "tau-bench"
    assert result.meta["place"] == "item 1"
    assert result.meta["info"]["reward_info"] == VERDICT


@pytest.mark.parametrize(
    ("content", "kind", "fault", "error"),
    [
        ("Error: not enough seats", "reported", "tool", "not enough seats"),
        ("Error: Book.invoke() got an unexpected keyword argument 'x'", "bad_arguments", "model",
         "Book.invoke() got an unexpected keyword argument 'x'"),
        ("Unknown action think", "unknown_tool", "model", "Unknown action think"),
    ],
)  # fmt: skip
def test_what_the_environment_calls_an_error_is_one(
    tmp_path: Path, content: str, kind: str, fault: str, error: str
) -> None:
    [result] = read(tmp_path, trial(call("c1"), answer("c1", content), STOP))

    assert [(one.kind, one.fault, one.error, one.tool_result) for one in result.tool_errors] == [
        (kind, fault, error, content)
    ]


@pytest.mark.parametrize("content", ["", "no Error", '{"error": "of the shop\'s own"}', "12.0"])
def test_other_answers_are_no_errors(tmp_path: Path, content: str) -> None:
    [result] = read(tmp_path, trial(call("c1"), answer("c1", content), STOP))

    assert (result.tool_errors, result.results[0].content) == ([], content)


def test_an_episode_without_a_verdict_ran_out_of_steps(tmp_path: Path) -> None:
    [result] = read(tmp_path, trial(call("c1"), answer("c1", "{}"), info={"task": {}}, reward=0.0))

    assert (result.stop_reason, result.scores) == ("max_turns", {"reward": 0.0})


def test_a_trial_that_broke_off_is_a_run_without_messages_that_says_why(tmp_path: Path) -> None:
    told = 'Traceback (most recent call last):\n  File "run.py", line 1\nlitellm.exceptions.RateLimitError: slow down\n'
    broken = trial(traj=[], info={"error": "slow down", "traceback": told}, reward=0.0)
    [result] = read(tmp_path, broken)

    assert (result.messages, result.stop_reason, result.task) == ([], "crashed", "3")
    assert result.error is not None
    assert (result.error.type, result.error.message) == ("RateLimitError", "slow down")


def test_trials_may_be_lines(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("".join(json.dumps(trial(STOP, trial=number)) + "\n" for number in (0, 1)))

    assert [one.attempt for one in formats.read(tmp_path / "x")] == [0, 1]


def test_a_row_that_is_no_trial_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"x\.txt, item 2: no trial"):
        read(tmp_path, trial(STOP), {"reward": 1.0})


def test_a_file_that_was_cut_short_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "cut.json").write_text(json.dumps([trial(STOP)], indent=2)[:-20])

    with pytest.raises(FormatError, match=r"cut\.json: it looks like JSON and is none"):
        formats.read(tmp_path / "cut.json")
