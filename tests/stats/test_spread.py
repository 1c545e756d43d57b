"""Percentiles, against the standard library's, and how many turns runs go on."""

from __future__ import annotations

import statistics

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes_nb import stats
from hermes_nb.exceptions import ConfigurationError
from hermes_nb.records import AgentResult, Reply, Turn, Usage
from tests.stats.made import MADE, many_runs, patiently, run

times = st.lists(st.floats(0.001, 1000), min_size=2, max_size=40)


def asked(run_id: str, *seconds: float) -> AgentResult:
    """A run whose replies took this long; of their tokens nothing is known."""
    turns = tuple(
        Turn(number=number, reply=Reply(message={"role": "assistant"}, seconds=one, usage=Usage()), model_seconds=one)
        for number, one in enumerate(seconds, 1)
    )
    return AgentResult(
        messages=[], run_id=run_id, turns=turns, stop_reason="finished", seconds=sum(seconds), provenance=MADE
    )


@patiently
@given(times)
def test_percentiles_are_those_of_the_standard_library(seconds: list[float]) -> None:
    row = stats.percentiles(asked("one", *seconds)).set_index("what").loc["model reply"]
    hundredths = statistics.quantiles(seconds, n=100, method="inclusive")

    for share in (5, 25, 50, 75, 95, 99):
        assert row[f"p{share}"] == pytest.approx(hundredths[share - 1])
    assert (row["min"], row["max"], row["count"]) == (min(seconds), max(seconds), len(seconds))
    assert row["mean"] == pytest.approx(statistics.fmean(seconds))


def test_every_quantity_is_counted_with_its_unit() -> None:
    table = stats.percentiles(run("one", [("add", None), ("add", None)], [])).set_index("what")

    assert table["unit"].to_dict() == {
        "run": "s", "model reply": "s", "first token": "s", "tool call": "s", "tool queue": "s",
        "prompt of a turn": "tokens", "reply of a turn": "tokens", "total of a run": "tokens",
    }  # fmt: skip
    assert table.loc[["run", "model reply", "tool call"], "count"].tolist() == [1, 2, 2]
    assert table.loc["model reply", "p50"] == pytest.approx(0.5)
    assert table.loc["first token", "max"] == pytest.approx(0.2)
    assert table.loc["prompt of a turn", ["min", "max"]].tolist() == [100, 200]


def test_what_no_server_said_is_unknown_and_not_0() -> None:
    row = stats.percentiles(asked("one", 0.5)).set_index("what").loc["prompt of a turn"]

    assert row["count"] == 0
    assert row[["mean", "min", "p50", "max"]].isna().all()


def test_F60_percentiles_of_nothing_have_all_rows_and_no_values() -> None:
    table = stats.percentiles([])

    assert len(table) == 8
    assert table["p50"].isna().all()
    assert str(table["p50"].dtype) == "Float64"


def test_other_shares_can_be_asked_for_and_name_their_columns() -> None:
    assert list(stats.percentiles([], [0.5, 0.999]).columns)[-3:] == ["p50", "p99.9", "max"]


@pytest.mark.parametrize("shares", [[50], [-0.1], [0.5, 0.5]])
def test_shares_that_are_none_are_refused(shares: list[float]) -> None:
    with pytest.raises(ConfigurationError):
        stats.percentiles([], shares)


@patiently
@given(many_runs)
def test_survival_counts_the_runs_that_have_more_turns(runs: list[AgentResult]) -> None:
    table = stats.survival(runs)
    turns = [run.turns_used for run in runs]

    assert table["turn"].tolist() == list(range(max(turns, default=-1) + 1))
    assert table["count"].tolist() == [sum(one > turn for one in turns) for turn in table["turn"]]
    assert table["ended"].tolist() == [turns.count(turn) for turn in table["turn"]]
    assert table["rate"].is_monotonic_decreasing
    if runs:
        assert table["rate"].iloc[-1] == 0


def test_runs_that_have_not_ended_say_nothing_of_how_long_runs_go_on() -> None:
    going = run("going", [], [], [], stop_reason="running")
    table = stats.survival([going, run("over", [])])

    assert table["denominator"].tolist() == [1, 1]
    assert len(stats.survival([going])) == 0


def test_survival_has_its_columns_with_no_runs() -> None:
    expected = ["turn", "ended", "count", "denominator", "rate", "low", "high"]

    assert list(stats.survival([]).columns) == expected
    assert isinstance(stats.survival([])["rate"].dtype, pd.Float64Dtype)
