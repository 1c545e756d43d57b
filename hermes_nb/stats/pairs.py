"""Two groups of runs over the same tasks: which is better, by how much, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from hermes_nb.stats import seen
from hermes_nb.stats.estimates import LEVEL, RESAMPLES, checked_level, number, resampled, shown_interval
from hermes_nb.stats.scores import attempts, score_name
from hermes_nb.stats.seen import Results

NAMED = 3
"""So many unmatched tasks a repr names; all are in `only_a` and `only_b`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paired:
    """What changes from group a to group b over the tasks that both have.

    `effect` is the mean of b minus the mean of a, each task counting once; `low` and `high` bound it at `level`. Of the
    `pairs`, `better`, `worse` and `equal` say how many tasks b did better in. `p` is the chance of a difference this
    far from none, either way, if the groups did not differ; `test` names how it was found. None is unknown: no pairs,
    or for the interval fewer than two that differ from each other. `only_a` and `only_b` name the tasks that just one
    group has, `notes` what else was left out.
    """

    name: str
    effect: float | None
    low: float | None
    high: float | None
    level: float
    pairs: int
    better: int
    worse: int
    equal: int
    p: float | None
    test: str
    mean_a: float | None
    mean_b: float | None
    only_a: tuple[str, ...] = ()
    only_b: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        if self.effect is None:
            parts = [f"{self.name}: NA, no task is in both groups"]
        else:
            interval = shown_interval(self.low, self.high, self.level, signed=True)
            parts = [
                f"{self.name}: {number(self.effect, signed=True)}, {interval}",
                f"{self.pairs} pairs: {self.better} better, {self.worse} worse, {self.equal} equal",
                f"p = {self.p:.3g}, {self.test}",
            ]
        parts += [f"only in {group}: {_some(tasks)}" for group, tasks in self._unmatched if tasks]
        return f"Paired({'; '.join([*parts, *self.notes])})"

    @property
    def _unmatched(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        return ("a", self.only_a), ("b", self.only_b)


def paired(
    a: Results, b: Results, *, name: str | None = None, threshold: float | None = None, level: float = LEVEL,
    seed: int = 0,
) -> Paired:  # fmt: skip
    """Compare group b to group a over the tasks that both have, task by task.

    A task's value is the mean of its attempts' scores (with a threshold, of which pass). The interval is the paired
    bootstrap's: tasks are drawn again and again, both groups' values together. Where every task has one attempt a side
    and scores of 0 or 1, p is McNemar's exact test: of the tasks in which the groups differ, how unlike a fair coin are
    the two ways. Otherwise it is a paired permutation test of the mean difference (exact for few pairs). McNemar, Q.
    (1947), Psychometrika 12:153-157.

    Args:
        a: the group to compare with.
        b: the other.
        name: the score; None takes the only one there is. `ok` is the run's own, where no score is called so.
        threshold: compare which attempts score at least this, not how much.
        level: of the interval.
        seed: of the resampling.

    Raises:
        ConfigurationError: no or several scores and no name.
    """
    checked_level(level)
    one, two = seen.runs(a), seen.runs(b)
    (first, left_a), (second, left_b) = (_by_task(runs, name, threshold) for runs in (one, two))
    both = first.add_suffix("_a").join(second.add_suffix("_b"), how="inner").sort_index()
    values_a, values_b = (both[f"mean_{group}"].to_numpy(dtype=float) for group in "ab")
    # Means of the same scores in another order differ in their last digits.
    differences = np.where(np.isclose(values_a, values_b, rtol=0, atol=1e-12), 0.0, values_b - values_a)
    single = bool((both[["size_a", "size_b"]] == 1).all(axis=None))
    binary = single and set(values_a) | set(values_b) <= {0.0, 1.0}
    better, worse = int((differences > 0).sum()), int((differences < 0).sum())
    low, high = resampled(differences, level, seed) or (None, None)
    p, test = (mcnemar(better, worse), "exact McNemar") if binary else (_permuted(differences, seed), "permutation")
    there = [runs for runs in (one, two) if len(runs)]
    return Paired(
        name=score_name(there[0], name).removeprefix("score.") if there else name or "score",
        effect=_mean(differences), low=low, high=high, level=level,
        pairs=len(both), better=better, worse=worse, equal=len(both) - better - worse,
        p=p if len(both) else None, test=test, mean_a=_mean(values_a), mean_b=_mean(values_b),
        only_a=_only(first, second), only_b=_only(second, first),
        notes=(*(f"a: {note}" for note in left_a), *(f"b: {note}" for note in left_b)),
    )  # fmt: skip


def mcnemar(better: int, worse: int) -> float:
    """The exact two-sided p of so many pairs that differ one way, and so many that differ the other way."""
    if better + worse == 0:
        return 1.0
    return float(stats.binomtest(better, better + worse, 0.5).pvalue)


def _by_task(runs: pd.DataFrame, name: str | None, threshold: float | None) -> tuple[pd.DataFrame, tuple[str, ...]]:
    table, notes = attempts(runs, name, threshold, binary=threshold is not None)
    value = table["score" if threshold is None else "passed"].astype(float)
    return value.groupby(table["task"]).agg(["size", "mean"]), notes


def _permuted(differences: np.ndarray, seed: int) -> float:
    if len(differences) < 2 or not differences.any():
        return 1.0  # Turned around, they are the same again: with one pair both ways are as likely.
    found = stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", vectorized=True, n_resamples=RESAMPLES,
        batch=max(1, 4_000_000 // len(differences)), rng=np.random.default_rng(seed),
    )  # fmt: skip
    return float(found.pvalue)


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None


def _only(one: pd.DataFrame, other: pd.DataFrame) -> tuple[str, ...]:
    return tuple(sorted(set(one.index) - set(other.index)))


def _some(tasks: tuple[str, ...]) -> str:
    more = f" and {len(tasks) - NAMED} more" if len(tasks) > NAMED else ""
    return f"{', '.join(map(repr, tasks[:NAMED]))}{more}"
