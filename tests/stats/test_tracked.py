"""Numbers for a tracker: the original's two names, real denominators, and names that every tracker takes."""

from __future__ import annotations

import json
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes_nb import stats
from hermes_nb.exceptions import ConfigurationError
from hermes_nb.records import AgentResult, ToolCall, ToolError, ToolResult, Turn
from tests.stats.made import many_runs, patiently, run, scored

MLFLOW = re.compile(r"[/\w.\- ]+")
TENSORBOARD = re.compile(r"[-/\w.]+")

odd_names = st.text(max_size=150)


def failed(name: str, arguments: str, error: str, turn: int = 1) -> AgentResult:
    call = ToolCall(name=name, arguments=arguments, turn=turn)
    wrong = ToolError(turn, name, arguments, error, error)
    turns = (Turn(number=turn, results=(ToolResult(call=call, content=error, error=wrong),)),)
    return AgentResult(messages=[], run_id="one", turns=turns, stop_reason="finished")


def test_the_originals_two_names_say_what_they_said_there() -> None:
    arguments, error = json.dumps({"a": "x" * 200}), "ValueError: " + "y" * 400
    found = stats.metrics([failed("divide", arguments, error, turn=3)])

    assert found["train/tool_errors_count"] == 1
    assert found["train/tool_error_details"] == f"[turn 3] divide({arguments[:80]}) -> {error[:150]}"


def test_several_errors_have_a_line_each_in_their_order() -> None:
    found = stats.metrics(run("one", [("add", "timeout"), ("look", None)], [("divide", "exception")]))

    assert found["train/tool_error_details"] == (
        '[turn 1] add({"place": 0}) -> timeout in add\n[turn 2] divide({"place": 0}) -> exception in divide'
    )


def test_without_errors_there_are_0_errors_and_no_details() -> None:
    for runs in ([], [run("one", [("add", None)])]):
        assert stats.metrics(runs)["train/tool_errors_count"] == 0
        assert "train/tool_error_details" not in stats.metrics(runs)


def test_a_secret_in_an_error_is_not_sent_away() -> None:
    key = "sk-proj-" + "a1B2c3D4e5F6" * 4
    found = stats.metrics([failed("fetch", json.dumps({"key": key}), f"401 for {key}")])

    assert key not in str(found)
    assert "[redacted:" in str(found["train/tool_error_details"])


@patiently
@given(many_runs)
def test_counts_and_rates_have_their_denominators(runs: list[AgentResult]) -> None:
    found = stats.metrics(runs, prefix="")
    errors, calls = sum(len(run.tool_errors) for run in runs), sum(len(run.calls) for run in runs)

    assert (found["runs"], found["turns"], found["calls"]) == (len(runs), sum(run.turns_used for run in runs), calls)
    assert found["tool_errors_count"] == errors
    assert found.get("tool_error_rate") == (errors / calls if calls else None)
    assert sum(value for name, value in found.items() if name.startswith("error_kind/")) == errors
    assert sum(value for name, value in found.items() if name.startswith("error_fault/")) == errors
    for name, value in found.items():
        if name.endswith("/error_rate"):
            start = name.removesuffix("error_rate")
            assert value == found[f"{start}errors"] / found[f"{start}calls"]


@patiently
@given(many_runs)
def test_what_is_unknown_has_no_entry_and_nothing_is_nan(runs: list[AgentResult]) -> None:
    for name, value in stats.metrics(runs).items():
        assert isinstance(value, str if name.endswith("details") else int | float), name
        assert not isinstance(value, bool)
        assert isinstance(value, str) or math.isfinite(value), name


@patiently
@given(st.lists(odd_names, min_size=1, max_size=4, unique=True))
def test_names_of_tools_and_scores_are_legal_everywhere_and_stay_apart(names: list[str]) -> None:
    runs = [run("one", [(name, None) for name in names], scores=dict.fromkeys(names, 0.5))]
    found = stats.metrics(runs)

    for name in found:
        assert name.isascii()
        assert MLFLOW.fullmatch(name), name
        assert TENSORBOARD.fullmatch(name), name
        assert len(name) <= 250
        assert "//" not in name
    assert sum(name.endswith("/calls") and "/tool/" in name for name in found) == len(names)
    assert sum(name.startswith("train/score/") for name in found) == len(names)


def test_ordinary_names_stay_as_they_are() -> None:
    found = stats.metrics(run("one", [("get_user-details", "exception")]), prefix="eval.")

    assert found["eval.tool/get_user-details/errors"] == 1


def test_F61_tools_that_a_model_made_up_add_no_names() -> None:
    made_up = run("one", [(f"imagined_{number}", "unknown_tool") for number in range(100)], [("add", None)])
    found = stats.metrics(made_up)

    assert found["train/error_kind/unknown_tool"] == 100
    assert [name for name in found if "/tool/" in name and name.endswith("/calls")] == ["train/tool/add/calls"]


def test_F61_the_names_of_two_sets_of_runs_differ_by_tools_and_endings_alone() -> None:
    one, other = (set(stats.metrics(run("one", [(tool, "exception")], [(tool, None)]))) for tool in ("add", "look"))

    assert {name for name in one ^ other if "/tool/" not in name} == set()


def test_scores_tokens_and_seconds_are_there_where_they_are_known() -> None:
    runs = [scored("a", True), scored("b", 0.0), scored("c", None), scored("d", float("nan"))]
    found = stats.metrics(runs)

    assert found["train/score/exact"] == 0.5
    assert not [name for name in found if name.startswith("train/tokens/")]


def test_how_runs_ended_is_counted() -> None:
    ended = ["finished", "stopped", "max_turns", "running"]
    found = stats.metrics([run(reason, [], stop_reason=reason) for reason in ended])

    assert (found["train/finished_rate"], found["train/ok_rate"]) == (pytest.approx(1 / 3), pytest.approx(2 / 3))
    assert found["train/stop_reason/max_turns"] == 1
    assert "train/stop_reason/running" not in found


@pytest.mark.parametrize("prefix", ["/train/", "train//", "train/../", "träin/", "a b", "\n"])
def test_a_prefix_that_a_tracker_refuses_is_refused(prefix: str) -> None:
    with pytest.raises(ConfigurationError):
        stats.metrics([], prefix=prefix)
