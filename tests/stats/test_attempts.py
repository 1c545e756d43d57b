"""pass@k and pass^k, against every way to draw k attempts."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes_nb import stats
from hermes_nb.exceptions import ConfigurationError
from hermes_nb.records import AgentResult, Origin
from hermes_nb.stats.attempts import all_of_them, at_least_one
from tests.stats.made import patiently, sampled, scored, tasks

draws = st.integers(1, 9).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(1, n)))


@patiently
@given(draws)
def test_both_estimators_are_the_shares_of_all_ways_to_draw_k_of_n(draw: tuple[int, int, int]) -> None:
    n, c, k = draw
    ways = list(combinations([True] * c + [False] * (n - c), k))

    assert at_least_one(n, c, k) == pytest.approx(sum(map(any, ways)) / len(ways))
    assert all_of_them(n, c, k) == pytest.approx(sum(map(all, ways)) / len(ways))


@patiently
@given(draws)
def test_at_least_one_passes_exactly_when_not_all_fail(draw: tuple[int, int, int]) -> None:
    n, c, k = draw

    assert at_least_one(n, c, k) == pytest.approx(1 - all_of_them(n, n - c, k))


@pytest.mark.parametrize(("n", "c", "k"), [(3, 1, 4), (3, 4, 1), (3, 1, 0), (0, 0, 1), (3, -1, 1)])
def test_more_drawn_than_there_are_is_refused(n: int, c: int, k: int) -> None:
    for estimator in (at_least_one, all_of_them):
        with pytest.raises(ConfigurationError):
            estimator(n, c, k)


def test_thousands_of_attempts_neither_overflow_nor_lose_digits() -> None:
    assert at_least_one(10_000, 1, 5_000) == pytest.approx(0.5)
    assert all_of_them(10_000, 9_999, 5_000) == pytest.approx(0.5)


@patiently
@given(tasks)
def test_with_k_of_1_both_are_the_mean_of_the_tasks_means(passes: dict[str, list[bool]]) -> None:
    expected = sum(sum(one) / len(one) for one in passes.values()) / len(passes)

    for estimate in (stats.pass_at_k(sampled(passes)), stats.pass_hat_k(sampled(passes))):
        assert estimate.value == pytest.approx(expected)
        assert estimate.count == len(passes)


@patiently
@given(st.dictionaries(st.sampled_from("abcdef"), st.lists(st.booleans(), min_size=4, max_size=4), min_size=1))
def test_more_attempts_make_pass_at_k_no_less_and_pass_hat_k_no_more(passes: dict[str, list[bool]]) -> None:
    table = stats.passes(sampled(passes))

    assert table["k"].tolist() == [1, 2, 3, 4]
    assert table["pass_at_k"].is_monotonic_increasing
    assert table["pass_hat_k"].is_monotonic_decreasing
    assert table["pass_at_k"].iloc[0] == pytest.approx(table["pass_hat_k"].iloc[0])


@patiently
@given(tasks, st.integers(1, 3))
def test_an_interval_holds_its_estimate_and_stays_within_0_and_1(passes: dict[str, list[bool]], k: int) -> None:
    for estimate in (stats.pass_at_k(sampled(passes), k), stats.pass_hat_k(sampled(passes), k)):
        if estimate.value is None:
            assert (estimate.low, estimate.high) == (None, None)
        else:
            assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1  # type: ignore[operator]


@patiently
@given(tasks, st.randoms())
def test_the_order_of_the_runs_changes_nothing(passes: dict[str, list[bool]], random) -> None:
    runs = sampled(passes)
    other = list(runs)
    random.shuffle(other)

    assert stats.pass_at_k(other, 2).value == pytest.approx(stats.pass_at_k(runs, 2).value)


def test_every_task_counts_the_same_however_many_attempts_it_has() -> None:
    found = stats.pass_at_k(sampled({"often": [True] * 8, "once": [False]}))

    assert found.value == 0.5


def test_a_task_with_fewer_than_k_attempts_is_left_out_and_the_estimate_says_so() -> None:
    found = stats.pass_at_k(sampled({"a": [True, False], "b": [False]}), k=2)

    assert (found.value, found.count) == (1.0, 1)
    assert found.notes == ("1 with fewer than 2 attempts left out",)
    assert "1 with fewer than 2 attempts left out" in repr(found)


def test_more_attempts_than_any_task_has_is_unknown_and_no_crash() -> None:
    found = stats.pass_hat_k(sampled({"a": [True, False]}), k=3)

    assert (found.value, found.low, found.high, found.count) == (None, None, None, 0)


def test_a_failed_scorer_and_a_run_without_a_task_are_no_failures_of_the_model() -> None:
    runs = [scored("a", True), scored("a", None, 1), scored("a", float("nan"), 2), scored(None, False)]
    found = stats.pass_at_k(runs)

    assert (found.value, found.count) == (1.0, 1)
    assert found.notes == ("1 runs without a task left out", "2 runs without a score left out")


def test_a_run_that_was_resumed_is_no_attempt_of_its_own() -> None:
    first = scored("a", False, run_id="first")
    second = scored("a", True, run_id="second", origin=Origin(kind="resume", run_id="first"))

    assert stats.pass_at_k([first, second]).value == 1.0
    assert stats.pass_at_k([first, second], k=2).count == 0


def test_a_fork_of_a_run_is_an_attempt_of_its_own() -> None:
    first = scored("a", False, run_id="first")
    second = scored("a", True, run_id="second", origin=Origin(kind="fork", run_id="first", turn=2))

    assert stats.pass_at_k([first, second]).value == 0.5


def test_a_threshold_makes_a_score_pass_and_fail() -> None:
    runs = sampled({"a": [0.2, 0.5, 0.9]})

    assert stats.pass_at_k(runs, threshold=0.5).value == pytest.approx(2 / 3)
    with pytest.raises(ConfigurationError, match=r"0\.2 says neither pass nor fail: set threshold="):
        stats.pass_at_k(runs)


def two_scores(task: str, exact: float, style: float) -> AgentResult:
    return AgentResult(messages=[], run_id=task, task=task, scores={"exact": exact, "style": style})


def test_of_several_scores_one_has_to_be_named() -> None:
    runs = [two_scores("a", 1, 0), two_scores("b", 1, 1)]

    assert (stats.pass_at_k(runs, name="exact").value, stats.pass_at_k(runs, name="style").value) == (1.0, 0.5)
    with pytest.raises(ConfigurationError, match="'exact', 'style'"):
        stats.pass_at_k(runs)
    with pytest.raises(ConfigurationError, match="no score 'taste'"):
        stats.pass_at_k(runs, name="taste")


def test_without_scores_a_runs_own_ok_can_be_asked_for() -> None:
    ended = [("a", "finished"), ("a", "max_turns"), ("b", "stopped")]
    runs = [
        AgentResult(messages=[], run_id=str(number), task=task, stop_reason=reason)  # type: ignore[arg-type]
        for number, (task, reason) in enumerate(ended)
    ]

    assert stats.pass_at_k(runs, name="ok").value == 0.75
    with pytest.raises(ConfigurationError, match="`ok` is every run's own"):
        stats.pass_at_k(runs)


def test_of_no_runs_everything_is_unknown() -> None:
    assert repr(stats.pass_at_k([], k=3)) == "Estimate(NA, no tasks)"
    assert len(stats.passes([])) == 0
    assert list(stats.passes([]).columns)[:3] == ["k", "tasks", "pass_at_k"]


def test_k_is_1_at_least() -> None:
    with pytest.raises(ConfigurationError):
        stats.pass_at_k([], k=0)
