"""What a set of runs says: rates with intervals, pass@k, two groups compared, percentiles, numbers for a tracker.

Every function takes `results`, which is what `hermes_nb.frames` takes: one result, any iterable of results, or paths
and patterns of journals. `level` is that of the intervals, a share: 0.95 for 95 %. What was not seen is unknown (None
in an estimate, NA in a table), never 0, and no p stands without its effect and interval.

    stats.rates(results)                  finished, failed: of runs, turns, calls
    stats.errors(results, by="tool")      or kind, fault, turn, or several
    stats.recovery(results)               what becomes of a run after an error
    stats.pass_at_k(results, k=4)         and pass_hat_k: by task over its attempts
    stats.paired(before, after)           the same tasks, two groups
    stats.percentiles(results)            seconds and tokens
    stats.metrics(results)                a flat dict for wandb, MLflow or TensorBoard
"""

from __future__ import annotations

from hermes_nb.stats.attempts import pass_at_k, pass_hat_k, passes
from hermes_nb.stats.estimates import Estimate, wilson
from hermes_nb.stats.lasting import survival
from hermes_nb.stats.pairs import Paired, paired
from hermes_nb.stats.rates import error_rate, errors, finished_rate, rates, recovery
from hermes_nb.stats.spread import percentiles
from hermes_nb.stats.tracked import metrics

__all__ = [
    "Estimate",
    "Paired",
    "error_rate",
    "errors",
    "finished_rate",
    "metrics",
    "paired",
    "pass_at_k",
    "pass_hat_k",
    "passes",
    "percentiles",
    "rates",
    "recovery",
    "survival",
    "wilson",
]
