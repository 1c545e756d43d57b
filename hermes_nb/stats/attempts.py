"""How good is a model that may try k times, or must succeed k times: pass@k and pass^k, by task over its attempts.

Every run of a task is an attempt at it. A run that another one went on with (a resume) is no attempt of its own. An
attempt without a score is not counted as a failure: it is left out, and the estimate says so; so does a task that has
fewer than k attempts, and a run without a task.
"""

from __future__ import annotations

from collections.abc import Callable
from math import comb

import pandas as pd

from hermes_nb.exceptions import ConfigurationError
from hermes_nb.stats import seen
from hermes_nb.stats.estimates import LEVEL, Estimate, mean
from hermes_nb.stats.scores import attempts
from hermes_nb.stats.seen import Results


def at_least_one(n: int, c: int, k: int) -> float:
    """The chance that of k attempts, drawn from n of which c passed, at least one did: `1 - C(n-c, k) / C(n, k)`.

    Chen et al. (2021), Evaluating large language models trained on code, arXiv:2107.03374, equation 1. Unbiased for
    every n >= k, which `1 - (1 - c/n)^k` is not.

    Raises:
        ConfigurationError: not `1 <= k <= n`, or not `0 <= c <= n`.
    """
    _check(n, c, k)
    return 1 - comb(n - c, k) / comb(n, k)


def all_of_them(n: int, c: int, k: int) -> float:
    """The chance that k attempts, drawn from n of which c passed, all did: `C(c, k) / C(n, k)`.

    Yao et al. (2024), tau-bench: a benchmark for tool-agent-user interaction in real-world domains, arXiv:2406.12045,
    section 3, where it is pass^k ("pass hat k"). Unbiased for every n >= k.

    Raises:
        ConfigurationError: not `1 <= k <= n`, or not `0 <= c <= n`.
    """
    _check(n, c, k)
    return comb(c, k) / comb(n, k)


def pass_at_k(
    results: Results, k: int = 1, *, name: str | None = None, threshold: float | None = None, level: float = LEVEL,
    seed: int = 0,
) -> Estimate:  # fmt: skip
    """pass@k: that at least one of k attempts passes, as the mean over tasks (each counts the same).

    Args:
        results: the runs.
        k: the attempts that are allowed.
        name: the score; None takes the only one there is. `ok` is the run's own, where no score is called so.
        threshold: an attempt passes when its score is at least this. None wants scores that are true or false, 1 or 0.
        level: of the interval, which is a bootstrap over tasks.
        seed: of the bootstrap.

    >>> import hermes_nb as hn
    >>> loop = hn.HermesAgentLoop(hn.ScriptedServer(["yes", "no", "yes"]))
    >>> runs = [loop.run_sync("?", task="guess", attempt=attempt) for attempt in range(3)]
    >>> round(pass_at_k(hn.scored(runs, lambda one: one.final_text == "yes"), k=1).value, 2)
    0.67

    Raises:
        ConfigurationError: no or several scores and no name; scores that are neither 0 nor 1, and no threshold; k < 1.
    """
    return _macro(results, k, at_least_one, name, threshold, level, seed)


def pass_hat_k(
    results: Results, k: int = 1, *, name: str | None = None, threshold: float | None = None, level: float = LEVEL,
    seed: int = 0,
) -> Estimate:  # fmt: skip
    """pass^k: that all of k attempts pass, as the mean over tasks; `results`, `name`, `threshold`, `level`, `seed`
    and errors are those of `pass_at_k`."""
    return _macro(results, k, all_of_them, name, threshold, level, seed)


def passes(
    results: Results, *, name: str | None = None, threshold: float | None = None, most: int = 8, level: float = LEVEL,
    seed: int = 0,
) -> pd.DataFrame:  # fmt: skip
    """pass@k and pass^k for every k from 1 to the most attempts that a task has (at most `most`), a row each.

    Columns: k, tasks (that have k attempts), pass_at_k, pass_at_k_low, pass_at_k_high, and the same of pass_hat_k. The
    tasks behind a row get fewer as k grows, when tasks have unequal numbers of attempts; see `tasks`.
    `results`, `name`, `threshold`, `level` and `seed` are those of `pass_at_k`.

    Raises:
        ConfigurationError: as `pass_at_k` does.
    """
    table, notes = attempts(seen.runs(results), name, threshold)
    by_task = table.groupby("task")["passed"].agg(["size", "sum"])
    rows = []
    for k in range(1, min(most, int(by_task["size"].max()) if len(by_task) else 0) + 1):
        one, every = (_of(by_task, k, fn, level, seed, notes) for fn in (at_least_one, all_of_them))
        rows.append((k, one.count, one.value, one.low, one.high, every.value, every.low, every.high))
    names = [f"{what}{end}" for what in ("pass_at_k", "pass_hat_k") for end in ("", "_low", "_high")]
    dtypes = {"k": "Int64", "tasks": "Int64"} | dict.fromkeys(names, "Float64")
    return pd.DataFrame(rows, columns=list(dtypes)).astype(dtypes)


def _macro(
    results: Results, k: int, estimator: Callable[[int, int, int], float], name: str | None, threshold: float | None,
    level: float, seed: int,
) -> Estimate:  # fmt: skip
    if k < 1:
        raise ConfigurationError(f"k is a number of attempts, 1 or more, not {k!r}")
    table, notes = attempts(seen.runs(results), name, threshold)
    return _of(table.groupby("task")["passed"].agg(["size", "sum"]), k, estimator, level, seed, notes)


def _of(
    by_task: pd.DataFrame, k: int, estimator: Callable[[int, int, int], float], level: float, seed: int,
    notes: tuple[str, ...],
) -> Estimate:  # fmt: skip
    enough = by_task[by_task["size"] >= k]
    short = len(by_task) - len(enough)
    values = [estimator(int(n), int(c), k) for n, c in enough.itertuples(index=False)]
    if short:
        notes = (*notes, f"{short} with fewer than {k} attempts left out")
    return mean(values, "tasks", level=level, seed=seed, shares=True, notes=notes)


def _check(n: int, c: int, k: int) -> None:
    if not (1 <= k <= n and 0 <= c <= n):
        raise ConfigurationError(f"of {n} attempts, {c} passed and {k} drawn: 1 <= k <= n and 0 <= c <= n has to hold")
