"""Two groups over the same tasks, against every way the differences could have turned out."""

from __future__ import annotations

from itertools import product
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes_nb import stats
from hermes_nb.exceptions import ConfigurationError
from hermes_nb.stats.pairs import mcnemar
from tests.stats.made import patiently, sampled, scored

few = st.integers(0, 7)
outcomes = st.dictionaries(st.sampled_from("abcdefgh"), st.tuples(st.booleans(), st.booleans()), min_size=1)
numbers = st.dictionaries(
    st.sampled_from("abcdefgh"), st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=2, max_size=8
)


def groups(pairs: dict[str, tuple]) -> tuple[list, list]:
    return tuple([scored(task, both[side]) for task, both in pairs.items()] for side in (0, 1))  # type: ignore[return-value]


@patiently
@given(few, few)
def test_mcnemars_p_is_the_share_of_coin_tosses_that_are_no_more_even(better: int, worse: int) -> None:
    tosses = list(product([1, -1], repeat=better + worse))
    as_far = [abs(sum(toss)) >= abs(better - worse) for toss in tosses]

    assert mcnemar(better, worse) == pytest.approx(sum(as_far) / len(as_far))


@patiently
@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemars_p_is_the_two_tails_of_the_binomial_distribution(better: int, worse: int) -> None:
    n, tail = better + worse, min(better, worse)
    both = 2 * sum(comb(n, i) for i in range(tail + 1)) / 2**n

    assert mcnemar(better, worse) == pytest.approx(min(1.0, both))


@patiently
@given(outcomes)
def test_pass_and_fail_are_counted_pair_by_pair(pairs: dict[str, tuple[bool, bool]]) -> None:
    found = stats.paired(*groups(pairs))
    better = sum(b > a for a, b in pairs.values())
    worse = sum(b < a for a, b in pairs.values())

    assert (found.pairs, found.better, found.worse) == (len(pairs), better, worse)
    assert found.equal == len(pairs) - better - worse
    assert found.effect == pytest.approx((better - worse) / len(pairs))
    assert (found.test, found.p) == ("exact McNemar", pytest.approx(mcnemar(better, worse)))


@patiently
@given(numbers)
def test_the_p_of_other_scores_is_that_of_all_ways_to_swap_the_groups(pairs: dict[str, tuple[int, int]]) -> None:
    found = stats.paired(*groups(pairs))
    differences = [b - a for a, b in pairs.values()]
    ways = [abs(sum(sign * one for sign, one in zip(signs, differences, strict=True))) for signs in
            product([1, -1], repeat=len(differences))]  # fmt: skip
    expected = sum(way >= abs(sum(differences)) for way in ways) / len(ways)

    if found.test == "permutation":
        assert found.p == pytest.approx(expected)


@patiently
@given(numbers)
def test_an_interval_holds_its_effect_and_turning_the_groups_around_turns_both(
    pairs: dict[str, tuple[int, int]],
) -> None:
    one, other = groups(pairs)
    there, back = stats.paired(one, other), stats.paired(other, one)

    assert back.effect == pytest.approx(-there.effect)  # type: ignore[operator]
    assert back.p == pytest.approx(there.p)
    if there.low is not None:
        assert there.low <= there.effect <= there.high  # type: ignore[operator]
        assert back.low is not None
        assert back.low <= back.effect <= back.high  # type: ignore[operator]


def test_attempts_of_a_task_are_one_value_and_each_task_counts_the_same() -> None:
    before = sampled({"a": [1, 0, 0, 0], "b": [0]})
    after = sampled({"a": [1, 1], "b": [0, 0, 0]})
    found = stats.paired(before, after)

    assert (found.pairs, found.effect) == (2, pytest.approx(0.375))
    assert (found.better, found.worse, found.equal) == (1, 0, 1)
    assert found.test == "permutation"


def test_means_that_differ_only_in_rounding_are_equal() -> None:
    found = stats.paired(sampled({"a": [0.1, 0.2, 0.3]}), sampled({"a": [0.3, 0.2, 0.1]}))

    assert (found.better, found.worse, found.equal) == (0, 0, 1)


def test_a_threshold_compares_what_passes() -> None:
    before, after = groups({"a": (0.1, 0.6), "b": (0.7, 0.8), "c": (0.9, 0.5)})

    assert stats.paired(before, after, threshold=0.5).effect == pytest.approx(1 / 3)
    assert stats.paired(before, after, threshold=0.5).test == "exact McNemar"
    assert stats.paired(before, after).effect == pytest.approx((0.5 + 0.1 - 0.4) / 3)


def test_tasks_of_one_group_alone_are_named_and_not_counted() -> None:
    before = sampled({"a": [1], "b": [0], "c": [0]})
    after = sampled({"a": [1], "b": [1], "x": [1], "y": [1], "z": [1], "w": [1]})
    found = stats.paired(before, after)

    assert (found.pairs, found.only_a, found.only_b) == (2, ("c",), ("w", "x", "y", "z"))
    assert "only in a: 'c'; only in b: 'w', 'x', 'y' and 1 more" in repr(found)


def test_no_p_stands_without_effect_interval_and_pairs() -> None:
    found = stats.paired(
        sampled({"a": [0], "b": [0], "c": [1], "d": [0]}), sampled({"a": [1], "b": [0], "c": [1], "d": [1]})
    )

    assert repr(found) == (
        "Paired(exact: +0.500, 95 % interval +0.000 to +1.000; 4 pairs: 2 better, 0 worse, 2 equal; "
        "p = 0.5, exact McNemar)"
    )


def test_hostile_task_names_stay_in_their_line() -> None:
    found = stats.paired([scored("a\n\x1b[2J\u202e", 1)], [scored("b", 1)])

    assert repr(found).isprintable()


def test_groups_without_a_task_in_common_have_no_effect_and_no_p() -> None:
    found = stats.paired(sampled({"a": [1]}), sampled({"b": [1]}))

    assert (found.effect, found.low, found.high, found.p, found.pairs) == (None, None, None, None, 0)
    assert repr(found) == "Paired(exact: NA, no task is in both groups; only in a: 'a'; only in b: 'b')"


def test_of_no_runs_nothing_is_known() -> None:
    found = stats.paired([], [])

    assert (found.effect, found.p, found.mean_a, found.mean_b) == (None, None, None, None)


def test_one_group_alone_has_no_effect() -> None:
    found = stats.paired(sampled({"a": [1]}), [])

    assert (found.effect, found.mean_b, found.only_a) == (None, None, ("a",))


def test_differences_that_are_all_alike_have_no_interval() -> None:
    found = stats.paired(sampled({"a": [0], "b": [0]}), sampled({"a": [1], "b": [1]}))

    assert (found.effect, found.low, found.high, found.p) == (1.0, None, None, 0.5)


def test_what_was_left_out_is_said_of_each_group() -> None:
    found = stats.paired([scored("a", 1), scored("b", None)], [scored("a", 1), scored(None, 1)])

    assert found.notes == ("a: 1 runs without a score left out", "b: 1 runs without a task left out")
    assert found.only_a == ()


def test_a_score_that_one_group_lacks_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="no score 'style'"):
        stats.paired(sampled({"a": [1]}), sampled({"a": [1]}), name="style")
