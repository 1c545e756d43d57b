"""Which runs are attempts at which task, and which of them passed."""

from __future__ import annotations

import pandas as pd

from hermes_nb.exceptions import ConfigurationError

PREFIX = "score."


def score_name(runs: pd.DataFrame, name: str | None) -> str:
    """The column of a score.

    Raises:
        ConfigurationError: there is no such score; or none was named, and there is none, or are several.
    """
    there = [column.removeprefix(PREFIX) for column in runs.columns if column.startswith(PREFIX)]
    if name in there:
        return f"{PREFIX}{name}"
    if name == "ok":
        return "ok"
    told = f"they have {', '.join(map(repr, there))}" if there else "they have none; `ok` is every run's own"
    if name is not None:
        raise ConfigurationError(f"these runs have no score {name!r}: {told}")
    if len(there) != 1:
        raise ConfigurationError(f"say which score, by name=: {told}")
    return f"{PREFIX}{there[0]}"


def attempts(
    runs: pd.DataFrame, name: str | None, threshold: float | None, *, binary: bool = True
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The runs that have a task and a score, with `task`, `attempt`, `score` and, where wanted, `passed`; and notes.

    Raises:
        ConfigurationError: there is not exactly the score that was asked for, or it says neither 0 nor 1 and there is
            no threshold.
    """
    if len(runs) == 0:
        return pd.DataFrame({"task": [], "attempt": [], "score": [], "passed": []}).astype({"task": "str"}), ()
    column = score_name(runs, name)
    last = runs[~gone_on_with(runs)]
    tasked = last[last["task"].notna()]
    score = pd.to_numeric(tasked[column], errors="coerce").astype("Float64")
    scored = score.notna() & ~score.isin([float("inf"), float("-inf")])
    table = pd.DataFrame({
        "task": tasked["task"].astype("str"), "attempt": tasked["attempt"].astype("Int64"), "score": score,
    })[scored.to_numpy(dtype=bool)].reset_index(drop=True)  # fmt: skip
    if binary:
        table["passed"] = passed(table["score"], threshold)
    out = {"without a task": len(last) - len(tasked), "without a score": len(tasked) - len(table)}
    return table, tuple(f"{number} runs {why} left out" for why, number in out.items() if number)


def passed(scores: pd.Series, threshold: float | None) -> pd.Series:
    """Which scores pass.

    Raises:
        ConfigurationError: without a threshold, a score that is neither 0 nor 1.
    """
    if threshold is not None:
        return (scores >= threshold).astype(bool)
    other = scores[~scores.isin([0.0, 1.0])]
    if len(other):
        raise ConfigurationError(f"a score of {other.iloc[0]:g} says neither pass nor fail: set threshold=")
    return (scores == 1).astype(bool)


def gone_on_with(runs: pd.DataFrame) -> pd.Series:
    """Which runs another one of them resumed: both are one attempt, and the last of them is how it ended."""
    resumed = runs.loc[(runs["origin_kind"] == "resume").fillna(False), "origin_run_id"].dropna()
    return runs["run_id"].isin(set(resumed)).fillna(False).astype(bool)
