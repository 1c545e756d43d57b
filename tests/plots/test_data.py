"""What each plot draws, against counts made call by call."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace

import pandas as pd
import pytest

from hermes_nb import plots, stats
from hermes_nb.exceptions import ConfigurationError
from hermes_nb.records import AgentResult
from tests.plots.made import MANY, ONE, TOOLS, run
from tests.stats.made import run as called

ANSWERS = [(one, answer) for one in MANY for answer in one.results]


def numbers(text: str) -> list[str]:
    return re.findall(r"\d[\d,.]*\d|\d", text)


def test_a_timeline_has_a_bar_for_every_reply_and_every_call() -> None:
    data = plots.timeline(MANY).data
    bars = {tuple(bar) for bar in data[["run_id", "what", "turn", "start", "seconds"]].itertuples(index=False)}

    assert bars == {
        *((one.run_id, "model", turn.number, turn.at, turn.model_seconds) for one in MANY for turn in one.turns),
        *((one.run_id, "tool", answer.call.turn, answer.started, answer.seconds) for one, answer in ANSWERS),
    }
    assert data["error"].notna().sum() == sum(len(one.tool_errors) for one in MANY)


def test_a_timeline_of_one_run_has_a_lane_for_the_model_and_one_for_each_tool() -> None:
    plot = plots.timeline(ONE)
    labels = [label.get_text() for label in plot.axes[0].get_yticklabels()]

    assert labels == ["model", *dict.fromkeys(answer.call.name for answer in ONE.results)]
    assert plot.axes[0].get_xlim()[0] == 0


def test_a_tool_named_model_has_a_lane_of_its_own() -> None:
    labels = [label.get_text() for label in plots.timeline(run(3, 9, ["model"])).axes[0].get_yticklabels()]

    assert labels == ["model", "model"]


def test_of_very_many_tools_and_runs_a_timeline_says_what_it_leaves_out() -> None:
    tools = [f"tool_{number:02}" for number in range(60)]
    of_tools = plots.timeline(run(5, 200, tools))
    of_runs = plots.timeline([run(seed, 3) for seed in range(30)])

    assert [label.get_text() for label in of_tools.axes[0].get_yticklabels()][-1] == "other tools"
    assert len(of_tools.axes[0].get_yticks()) == 1 + 24
    assert [label.get_text() for label in of_runs.axes[0].get_yticklabels()][-1] == "… and 6 runs more"
    assert of_runs.data["run_id"].nunique() == 30


def test_times_that_nobody_measured_are_not_drawn_as_0() -> None:
    plot = plots.timeline(AgentResult(messages=[], run_id="one", turns=ONE.turns[:0], stop_reason="finished"))

    assert plot.data.empty
    assert plot.alt == "No times are known: there is nothing to draw."


def test_tokens_are_those_of_every_turn() -> None:
    data = plots.tokens(MANY).data
    expected = [
        (one.run_id, turn.number, turn.reply.usage.prompt, turn.reply.usage.completion, turn.reply.usage.total)
        for one in MANY
        for turn in one.turns
        if turn.reply
    ]

    assert [tuple(row) for row in data.itertuples(index=False)] == expected


def test_the_context_window_is_drawn_and_what_went_beyond_it_is_counted() -> None:
    most = max(turn.reply.usage.total for turn in ONE.turns if turn.reply)
    inside, beyond = (plots.tokens(ONE, context_window=size) for size in (2 * most, most - 1))

    assert f"50 % of the context window of {2 * most:,}." in inside.alt
    assert beyond.alt.endswith("; 1 turn went beyond it.")
    for plot, size in ((inside, 2 * most), (beyond, most - 1)):
        low, high = plot.axes[0].get_ylim()
        assert low == 0
        assert high > max(size, most)
        assert any(f"context window, {size:,}" in text.get_text() for text in plot.axes[0].texts)


@pytest.mark.parametrize("size", [0, -1])
def test_a_context_window_of_nothing_is_refused(size: int) -> None:
    with pytest.raises(ConfigurationError):
        plots.tokens(ONE, context_window=size)


def test_errors_has_every_pair_of_tool_and_kind_with_the_tools_calls() -> None:
    data = plots.errors(MANY).data
    of = Counter(answer.call.name for _, answer in ANSWERS)
    wrong = Counter((answer.call.name, answer.error.kind) for _, answer in ANSWERS if answer.error)
    kinds = {kind for _, kind in wrong}

    assert {(tool, kind): (count, calls) for tool, kind, count, calls, _ in data.itertuples(index=False)} == {
        (tool, kind): (wrong[tool, kind], of[tool]) for tool in of for kind in kinds
    }
    assert (data["rate"] == data["count"] / data["calls"]).all()


def test_the_cells_of_errors_say_count_and_share() -> None:
    plot = plots.errors(called("one", [("add", "timeout"), ("add", None)], [("look", "bad_json")]))
    cells = [text.get_text() for text in plot.axes[0].texts]

    assert cells == ["0", "1 · 50 %", "1 · 100 %", "0"]
    assert [label.get_text() for label in plot.axes[0].get_xticklabels()] == ["bad JSON", "timeout"]
    assert [label.get_text() for label in plot.axes[0].get_yticklabels()] == ["add (2)", "look (1)"]


def test_beyond_20_tools_errors_sums_the_rest_up_and_its_data_has_them_all() -> None:
    tools = [f"tool_{number:02}" for number in range(30)]
    plot = plots.errors(called("one", [(tool, "timeout") for tool in tools]))

    assert [label.get_text() for label in plot.axes[0].get_yticklabels()][-1] == "11 other tools (11)"
    assert plot.data["tool"].tolist() == tools


def test_calls_without_an_error_are_said_to_be_without() -> None:
    plot = plots.errors(called("one", [("add", None)], [("add", None)]))

    assert plot.alt == "2 tool calls, and none failed."
    assert list(plot.data.columns) == ["tool", "kind", "count", "calls", "rate"]


def test_latency_has_every_call_and_the_slowest_tool_first() -> None:
    plot = plots.latency(MANY)
    seconds = {tool: [answer.seconds for _, answer in ANSWERS if answer.call.name == tool] for tool in TOOLS}
    medians = {tool: pd.Series(values).median() for tool, values in seconds.items()}
    slowest = sorted(TOOLS, key=lambda tool: -medians[tool])

    assert {tool: sorted(inside) for tool, inside in plot.data.groupby("tool")["seconds"]} == {
        tool: sorted(values) for tool, values in seconds.items()
    }
    assert [label.get_text() for label in plot.axes[0].get_yticklabels()] == [
        f"{tool} ({len(seconds[tool])})" for tool in slowest
    ]


def test_a_straight_axis_begins_at_0_and_a_logarithmic_one_says_so() -> None:
    straight, bent = plots.latency(MANY, log=False).axes[0], plots.latency(MANY, log=True).axes[0]

    assert (straight.get_xlim()[0], straight.get_xlabel()) == (0, "seconds")
    assert (bent.get_xscale(), bent.get_xlabel()) == ("log", "seconds, logarithmic")


def test_calls_that_took_no_measurable_time_can_be_drawn_on_both_axes() -> None:
    timed = called("one", [("quick", None), ("slow", None)])
    answers = tuple(replace(one, seconds=0.0 if one.call.name == "quick" else 0.1) for one in timed.results)
    runs = replace(timed, turns=(replace(timed.turns[0], results=answers),))

    for log in (True, False, None):
        plot = plots.latency(runs, log=log)
        assert plot.data["seconds"].tolist() == [0.0, 0.1]
        assert plot.png()


def test_survival_draws_the_table_of_the_statistics() -> None:
    plot = plots.survival(MANY)

    pd.testing.assert_frame_equal(plot.data, stats.survival(MANY))
    assert plot.axes[0].get_ylim()[0] == 0
    assert plot.axes[0].get_ylim()[1] >= 1
    longest = max(one.turns_used for one in MANY)
    assert plot.alt.endswith(f"none after {longest} turns.")


def test_recovery_flows_from_every_error() -> None:
    data = plots.recovery(MANY).data
    table = stats.recovery(MANY, "next_action").set_index("next_action")

    assert data["count"].sum() == sum(len(one.tool_errors) for one in MANY)
    for action, inside in data.groupby("next_action"):
        good = inside.loc[inside["recovered"], "count"].sum()
        assert (good, inside["count"].sum()) == (table.loc[action, "count"], table.loc[action, "denominator"])


def test_recovery_names_stations_with_counts_and_shares() -> None:
    plot = plots.recovery(called("one", [("add", "exception")], [("add", None)], [("look", "timeout")], []))
    told = [text.get_text() for text in plot.axes[0].texts]

    assert told == [
        "2 errors", "same call again, 1 (50 %)",
        "answered, 1 (50 %)", "recovered\n1 (50 %)", "not recovered\n1 (50 %)",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("draw", "said"),
    [
        (plots.timeline, ["1", str(len(ONE.turns)), str(len(ONE.calls)), str(len(ONE.tool_errors))]),
        (plots.errors, [str(len(ONE.tool_errors)), str(len(ONE.calls))]),
        (plots.latency, [str(len(ONE.calls))]),
        (plots.survival, ["1", str(len(ONE.turns))]),
        (plots.recovery, [str(len(ONE.tool_errors))]),
        (plots.tokens, ["1", str(len(ONE.turns))]),
    ],
)
def test_V23_the_words_hold_the_numbers(draw, said: list[str]) -> None:
    assert set(said) <= set(numbers(draw(ONE).alt))
