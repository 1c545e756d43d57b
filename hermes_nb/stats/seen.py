"""What of the runs is counted: the tables of `hermes_nb.frames` that the estimates need."""

from __future__ import annotations

from typing import TypeAlias

import pandas as pd

from hermes_nb import frames
from hermes_nb.sources import Source, parts

Results: TypeAlias = Source
"""What `hermes_nb.frames` takes: one result, any iterable of results, paths and patterns of journals."""

TOKENS = ("prompt", "completion", "total", "reasoning", "cached")


def runs(results: Results) -> pd.DataFrame:
    """A row for each run, with `score.<name>` of each score."""
    return frames.runs(results)


def calls(results: Results) -> pd.DataFrame:
    """A row for each call."""
    return frames.calls(results)


def tables(results: Results) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Runs, turns and calls, also of an iterator, which can be gone through but once."""
    held = list(parts(results))
    return frames.runs(held), frames.turns(held), frames.calls(held)
