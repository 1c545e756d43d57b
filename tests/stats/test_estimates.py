"""Intervals of shares and means, against the equations they solve and against every resampling there is."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import product
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes_nb import stats
from hermes_nb.exceptions import ConfigurationError
from hermes_nb.stats.estimates import mean, rate
from tests.stats.made import patiently

cases = st.integers(1, 400).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of)))
levels = st.sampled_from([0.5, 0.8, 0.9, 0.95, 0.99])


def test_a_published_example() -> None:
    """81 of 263: Newcombe (1998), Statistics in Medicine 17:857-872, table I, method 3."""
    assert stats.wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)


@patiently
@given(cases, levels)
def test_a_bound_is_the_share_from_which_the_sample_is_just_so_many_standard_errors_away(
    case: tuple[int, int], level: float
) -> None:
    count, of = case
    z = NormalDist().inv_cdf((1 + level) / 2)

    for bound in stats.wilson(count, of, level) or ():
        apart = abs(count / of - bound)
        assert apart == pytest.approx(z * math.sqrt(bound * (1 - bound) / of), abs=1e-7)


@patiently
@given(cases, levels)
def test_an_interval_holds_its_share_and_stays_within_0_and_1(case: tuple[int, int], level: float) -> None:
    low, high = stats.wilson(*case, level) or (math.nan, math.nan)

    assert 0 <= low <= case[0] / case[1] <= high <= 1
    assert low < high


@patiently
@given(cases)
def test_failures_have_the_mirrored_interval_of_successes(case: tuple[int, int]) -> None:
    count, of = case
    low, high = stats.wilson(count, of) or (math.nan, math.nan)

    assert stats.wilson(of - count, of) == pytest.approx((1 - high, 1 - low))


@patiently
@given(cases)
def test_more_of_the_same_gives_a_narrower_interval_and_a_higher_level_a_wider_one(case: tuple[int, int]) -> None:
    def width(count: int, of: int, level: float = 0.95) -> float:
        low, high = stats.wilson(count, of, level) or (math.nan, math.nan)
        return high - low

    assert width(4 * case[0], 4 * case[1]) < width(*case) < width(*case, 0.99)


def test_of_nothing_there_is_no_interval_and_no_rate() -> None:
    found = rate(0, 0, "calls")

    assert stats.wilson(0, 0) is None
    assert (found.value, found.low, found.high, found.count) == (None, None, None, 0)
    assert repr(found) == "Estimate(NA, no calls)"


@pytest.mark.parametrize(("count", "of", "level"), [(3, 2, 0.95), (-1, 2, 0.95), (1, 2, 95), (1, 2, 0.0), (1, 2, 1.0)])
def test_what_is_no_share_is_refused(count: int, of: int, level: float) -> None:
    with pytest.raises(ConfigurationError):
        stats.wilson(count, of, level)


def test_an_estimate_shows_value_interval_and_number_in_one_line() -> None:
    assert repr(rate(81, 263, "calls")) == "Estimate(0.308, 95 % interval 0.255 to 0.366 (Wilson), 263 calls)"


@patiently
@given(st.lists(st.integers(0, 3), min_size=2, max_size=4).filter(lambda values: len(set(values)) > 1))
def test_the_bounds_are_quantiles_of_all_the_means_that_resampling_can_give(values: list[int]) -> None:
    found = mean(values, "tasks")
    everything = [sum(one) / len(values) for one in product(values, repeat=len(values))]

    def share_below(bound: float, *, with_it: bool) -> float:
        return sum(one < bound - 1e-9 or (with_it and one < bound + 1e-9) for one in everything) / len(everything)

    for bound, share in ((found.low, 0.025), (found.high, 0.975)):
        assert bound is not None
        # 9999 draws are 0.005 off at most, but for once in a thousand.
        assert share_below(bound, with_it=False) - 0.006 <= share <= share_below(bound, with_it=True) + 0.006


@patiently
@given(st.lists(st.floats(-100, 100), min_size=1, max_size=30), st.integers(0, 99))
def test_a_mean_is_within_its_interval_and_the_same_seed_gives_the_same(values: list[float], seed: int) -> None:
    found = mean(values, "tasks", seed=seed)

    assert found.value == pytest.approx(float(sum(map(Fraction, values)) / len(values)), abs=1e-9)
    assert repr(mean(values, "tasks", seed=seed)) == repr(found)
    if found.low is not None and found.high is not None:
        assert found.low <= found.value <= found.high  # type: ignore[operator]


def test_the_notebooks_own_random_numbers_are_left_alone() -> None:
    before = np.random.get_state()[1].tolist()  # type: ignore[index]
    mean([0.0, 1.0, 1.0], "tasks")

    assert np.random.get_state()[1].tolist() == before  # type: ignore[index]


def test_values_that_are_all_alike_have_no_interval_unless_they_are_shares() -> None:
    assert (mean([2.0, 2.0], "tasks").low, mean([2.0], "tasks").high) == (None, None)

    found = mean([1.0, 1.0, 1.0], "tasks", shares=True)
    assert (found.method, (found.low, found.high)) == ("Wilson", stats.wilson(3, 3))
