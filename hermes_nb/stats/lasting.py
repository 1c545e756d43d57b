"""How long runs go on, in turns."""

from __future__ import annotations

import pandas as pd

from hermes_nb.stats import seen
from hermes_nb.stats.estimates import LEVEL
from hermes_nb.stats.rates import shares
from hermes_nb.stats.seen import Results


def survival(results: Results, *, level: float = LEVEL) -> pd.DataFrame:
    """The share of runs that still go on after each turn, from turn 0 to the last that any run had; a row each.

    Columns: `turn`, `ended` (the runs whose last turn it was), then `count` (the runs with more turns), `denominator`
    (all runs that ended), `rate` and Wilson's `low` and `high`. Runs that have not ended are left out: how many turns
    they will have nobody knows.
    """
    runs = seen.runs(results)
    turns = runs.loc[(runs["stop_reason"] != "running").fillna(True), "turns"].dropna().astype(int)
    last = turns.value_counts()
    rows = []
    left = len(turns)
    for turn in range(int(turns.max()) + 1 if len(turns) else 0):
        left -= int(last.get(turn, 0))
        rows.append((turn, int(last.get(turn, 0)), left, len(turns)))
    return shares(rows, {"turn": "Int64", "ended": "Int64"}, level)
