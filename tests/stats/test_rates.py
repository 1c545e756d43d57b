"""Rates, errors and recovery, against counts made call by call."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given

from hermes_nb import stats
from hermes_nb.exceptions import ConfigurationError
from hermes_nb.loop import HermesAgentLoop
from hermes_nb.records import AgentResult
from hermes_nb.servers.scripted import ScriptedServer, call
from tests.stats.made import FAULTS, many_runs, patiently, run

SHARE = ["count", "denominator", "rate", "low", "high"]

TWO = [
    run("one", [("add", None), ("divide", "exception")], [("divide", "bad_json")], [("divide", None)], []),
    run("two", [("look", "timeout")], [], stop_reason="max_turns"),
]


def made(table: pd.DataFrame, *about: str) -> dict:
    """What a table counts: `(count, denominator)` by what its rows are about."""
    keys = [tuple(row) if len(about) > 1 else row[0] for row in table[list(about)].itertuples(index=False)]
    return dict(zip(keys, zip(table["count"], table["denominator"], strict=True), strict=True))


@patiently
@given(many_runs)
def test_errors_by_tool_and_turn_are_shares_of_the_calls_there(runs: list[AgentResult]) -> None:
    answers = [answer for run in runs for answer in run.results]
    for by, key in (("tool", lambda call: call.name), ("turn", lambda call: call.turn)):
        of = Counter(key(answer.call) for answer in answers)
        wrong = Counter(key(answer.call) for answer in answers if answer.error)

        assert made(stats.errors(runs, by), by) == {one: (wrong[one], of[one]) for one in of}


@patiently
@given(many_runs)
def test_errors_by_kind_and_fault_are_shares_of_all_calls(runs: list[AgentResult]) -> None:
    errors = [error for run in runs for error in run.tool_errors]
    calls = sum(len(run.calls) for run in runs)
    for by in ("kind", "fault"):
        counted = Counter(getattr(error, by) for error in errors)

        assert made(stats.errors(runs, by), by) == {one: (count, calls) for one, count in counted.items()}


@patiently
@given(many_runs)
def test_errors_by_tool_and_kind_are_shares_of_the_tools_calls(runs: list[AgentResult]) -> None:
    of = Counter(call.name for run in runs for call in run.calls)
    pairs = Counter((error.tool_name, error.kind) for run in runs for error in run.tool_errors)
    table = stats.errors(runs, ("tool", "kind"))

    assert made(table, "tool", "kind") == {pair: (count, of[pair[0]]) for pair, count in pairs.items()}
    assert all(made(stats.errors(runs, ("kind", "tool")), "tool", "kind")[pair] == (count, of[pair[0]])
               for pair, count in pairs.items())  # fmt: skip


@patiently
@given(many_runs)
def test_every_rate_is_count_over_denominator_within_its_interval(runs: list[AgentResult]) -> None:
    for table in (stats.rates(runs), stats.errors(runs), stats.errors(runs, "turn"), stats.recovery(runs, "kind")):
        for count, of, rate, low, high in table[SHARE].itertuples(index=False):
            if of:
                assert rate == pytest.approx(count / of)
                assert (low, high) == pytest.approx(stats.wilson(count, of))
            else:
                assert rate is low is high is pd.NA


@patiently
@given(many_runs)
def test_the_rates_of_a_set_of_runs_have_calls_turns_and_runs_below_them(runs: list[AgentResult]) -> None:
    turns = [turn for run in runs for turn in run.turns]
    wrong = [turn for turn in turns if any(answer.error for answer in turn.results)]
    table = made(stats.rates(runs), "what", "of")

    assert table == {
        ("finished", "runs ended"): (len(runs), len(runs)),
        ("error", "calls"): (sum(len(run.tool_errors) for run in runs), sum(len(run.calls) for run in runs)),
        ("error", "turns with calls"): (len(wrong), sum(bool(turn.results) for turn in turns)),
        ("error", "turns"): (len(wrong), len(turns)),
        ("error", "runs"): (sum(bool(run.tool_errors) for run in runs), len(runs)),
    }


def test_the_finished_rate_is_of_the_runs_that_ended() -> None:
    found = stats.finished_rate([*TWO, run("three", [], stop_reason="running")])

    assert (found.value, found.count, found.notes) == (0.5, 2, ("1 not ended left out",))


def test_the_error_rate_is_of_the_calls() -> None:
    found = stats.error_rate(TWO)

    assert (found.value, found.count) == (0.6, 5)
    assert repr(found).startswith("Estimate(0.600, 95 % interval ")


def test_most_errors_come_first_and_turns_in_their_order() -> None:
    assert stats.errors(TWO)["tool"].tolist() == ["divide", "look", "add"]
    assert stats.errors(TWO, "turn")["turn"].tolist() == [1, 2, 3]


def test_a_failed_call_has_recovered_when_its_tool_works_in_a_later_turn() -> None:
    whole = stats.recovery(TWO)
    by_tool = stats.recovery(TWO, "tool")

    assert whole[["count", "denominator", "median_turns", "most_turns"]].values.tolist() == [[2, 3, 1.5, 2]]
    assert made(by_tool, "tool") == {"divide": (2, 2), "look": (0, 1)}
    assert by_tool["median_turns"].tolist() == [1.5, pd.NA]


def test_recovery_by_what_came_next() -> None:
    table = made(stats.recovery(TWO, "next_action"), "next_action")

    assert sum(count for count, _ in table.values()) == 2
    assert sum(of for _, of in table.values()) == 3
    assert table["answered"] == (0, 1)


@pytest.mark.parametrize("by", ["name", "", (), ("tool", "tool"), ("tool", "next_action")])
def test_errors_by_anything_else_are_refused(by: str | tuple[str, ...]) -> None:
    with pytest.raises(ConfigurationError, match="tool, kind, fault, turn"):
        stats.errors(TWO, by)


@pytest.mark.parametrize(
    ("table", "about"),
    [
        (stats.errors([]), ["tool"]),
        (stats.errors([], ("turn", "kind")), ["turn", "kind"]),
        (stats.errors([run("idle", [], [])]), ["tool"]),
        (stats.recovery([], "fault"), ["fault"]),
    ],
)
def test_F60_nothing_gives_a_table_with_its_columns_and_no_rows(table: pd.DataFrame, about: list[str]) -> None:
    assert list(table.columns)[: len(about) + 5] == [*about, *SHARE]
    assert len(table) == 0
    assert [str(dtype) for dtype in table[SHARE].dtypes] == ["Int64", "Int64", "Float64", "Float64", "Float64"]


def test_F60_rates_of_nothing_are_unknown_and_not_0() -> None:
    assert stats.rates([])["rate"].isna().all()
    assert stats.rates([])["denominator"].tolist() == [0] * 5
    assert stats.recovery([])["rate"].isna().all()
    assert (stats.finished_rate([]).value, stats.error_rate([]).value) == (None, None)


def test_every_kind_and_fault_of_error_is_counted_under_its_name() -> None:
    every = run("every", [("add", kind) for kind in FAULTS])

    assert set(stats.errors(every, "kind")["kind"]) == set(FAULTS)
    assert made(stats.errors(every, "fault"), "fault") == {
        "model": (3, 8), "tool": (2, 8), "run": (2, 8), "environment": (1, 8),
    }  # fmt: skip


def divide(a: float, b: float) -> float:
    """Divide a by b."""
    return a / b


async def test_runs_of_the_loop_and_their_journal_say_the_same(tmp_path: Path) -> None:
    server = ScriptedServer([[call("divide", a=1, b=0)], [call("divide", a=1, b=2)], "0.5"])
    path = tmp_path / "run.jsonl"
    result = await HermesAgentLoop(server, tools=[divide]).run("1 over 0?", journal=path)

    assert made(stats.errors(result, "kind"), "kind") == {"exception": (1, 2)}
    for given_ in (path, str(tmp_path / "*.jsonl"), [path]):
        pd.testing.assert_frame_equal(stats.errors(given_), stats.errors(result))
        assert repr(stats.finished_rate(given_)) == repr(stats.finished_rate(result))
