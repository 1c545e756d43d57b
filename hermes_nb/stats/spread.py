"""How long and how much: percentiles of seconds and tokens."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from hermes_nb.exceptions import ConfigurationError
from hermes_nb.stats import seen
from hermes_nb.stats.seen import Results

SHARES = (0.05, 0.25, 0.5, 0.75, 0.95, 0.99)

MEASURED = {
    ("run", "s"): ("runs", "seconds"),
    ("model reply", "s"): ("turns", "reply_seconds"),
    ("first token", "s"): ("turns", "first_token_seconds"),
    ("tool call", "s"): ("calls", "seconds"),
    ("tool queue", "s"): ("calls", "queued"),
    ("prompt of a turn", "tokens"): ("turns", "prompt_tokens"),
    ("reply of a turn", "tokens"): ("turns", "completion_tokens"),
    ("total of a run", "tokens"): ("runs", "total_tokens"),
}
"""What is measured, in which unit, and the table and column that say it."""


def percentiles(results: Results, shares: Sequence[float] = SHARES) -> pd.DataFrame:
    """Percentiles of what runs, replies, first tokens and tool calls took, and of their tokens: a row for each.

    Columns: `what`, `unit`, `count` (of the values that are known), `mean`, `min`, one for each of `shares` (`p50` is
    the median) and `max`. Between two values a percentile is interpolated linearly. What is unknown counts nowhere; a
    row without values is NA.

    Raises:
        ConfigurationError: a share is not within 0 and 1, or stands there twice.
    """
    names = [share_name(share) for share in shares]
    if len(set(names)) < len(names):
        raise ConfigurationError(f"these shares name a percentile twice: {list(shares)}")
    runs, turns, calls = seen.tables(results)
    first = (turns["first_token_at"] - turns["at"] - turns["waited"]).clip(lower=0)
    tables = {"runs": runs, "turns": turns.assign(first_token_seconds=first), "calls": calls}
    rows = []
    for (what, unit), (table, column) in MEASURED.items():
        values = tables[table][column].dropna().astype(float)
        middle = values.quantile(list(shares)).tolist() if len(values) else [pd.NA] * len(names)
        ends = (values.mean(), values.min(), values.max()) if len(values) else (pd.NA,) * 3
        rows.append((what, unit, len(values), *ends[:2], *middle, ends[2]))
    numbers = ["mean", "min", *names, "max"]
    dtypes = {"what": "str", "unit": "str", "count": "Int64"} | dict.fromkeys(numbers, "Float64")
    return pd.DataFrame(rows, columns=list(dtypes)).astype(dtypes)


def share_name(share: float) -> str:
    """`p50` for 0.5, `p99.9` for 0.999.

    Raises:
        ConfigurationError: it is not within 0 and 1.
    """
    if not 0 <= share <= 1:
        raise ConfigurationError(f"a percentile's share is within 0 and 1 (0.5 is the median), not {share!r}")
    return f"p{round(share * 100, 6):g}"
