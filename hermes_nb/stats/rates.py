"""How often: runs that finish, calls that fail, by what and whose fault, and what becomes of a run after an error.

Every share has its real denominator beside it, and Wilson's interval. Calls of one run are not independent of each
other, so an interval over calls is narrower than it should be where errors come in clusters; `rates` gives the shares
of turns and runs beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from hermes_nb.exceptions import ConfigurationError
from hermes_nb.stats import seen
from hermes_nb.stats.estimates import LEVEL, Estimate, checked_level, rate, wilson
from hermes_nb.stats.seen import Results

SHARE = {"count": "Int64", "denominator": "Int64", "rate": "Float64", "low": "Float64", "high": "Float64"}
"""The columns of every table of shares, after those that say what each row is about."""

BY = {"tool": "name", "kind": "kind", "fault": "fault", "turn": "turn"}
"""What errors are counted by, and the column of the calls that says it."""

WHERE_ERRORS_ARE = ("kind", "fault")
"""What only an error has, so that its share is one of all calls."""


def finished_rate(results: Results, *, level: float = LEVEL) -> Estimate:
    """The share of runs that ended with an answer (`stop_reason` is `finished`), of those that ended at all."""
    ended, going = _ended(seen.runs(results))
    notes = [f"{going} not ended left out"] if going else []
    return rate(int((ended["stop_reason"] == "finished").sum()), len(ended), "runs", level, notes)


def error_rate(results: Results, *, level: float = LEVEL) -> Estimate:
    """The share of tool calls that failed, of all calls the model made."""
    calls = seen.calls(results)
    return rate(int(calls["kind"].notna().sum()), len(calls), "calls", level)


def rates(results: Results, *, level: float = LEVEL) -> pd.DataFrame:
    """The shares that describe a set of runs: one row each, with `what` and `of`, then count, denominator and interval.

    finished, of the runs that ended; failed, of the calls, of the turns (at least one call failed), of the turns that
    made calls, and of the runs.
    """
    runs, turns, calls = seen.tables(results)
    ended, _ = _ended(runs)
    failed = calls[calls["kind"].notna()]
    turns_of = [len(one[["run_id", "turn"]].drop_duplicates()) for one in (failed, calls)]
    rows = [
        ("finished", "runs ended", int((ended["stop_reason"] == "finished").sum()), len(ended)),
        ("error", "calls", len(failed), len(calls)),
        ("error", "turns with calls", turns_of[0], turns_of[1]),
        ("error", "turns", turns_of[0], len(turns)),
        ("error", "runs", failed["run_id"].nunique(), len(runs)),
    ]
    return shares(rows, {"what": "str", "of": "str"}, level)


def errors(results: Results, by: str | Sequence[str] = "tool", *, level: float = LEVEL) -> pd.DataFrame:
    """Errors by tool, kind, fault or turn, or by several of them: `by="kind"`, `by=("tool", "kind")`.

    A row holds the `count` of errors, the `denominator` of calls, and `rate` with `low` and `high`. By tool and turn
    the denominator is the calls of that tool and in that turn, and there is a row for each of them, errors or not; by
    kind and fault, which only an error has, it is all the calls that could have had it. Most errors come first, turns
    in their order.

    Raises:
        ConfigurationError: `by` is none of these.
    """
    kept = _wanted(by)
    calls = seen.calls(results).rename(columns={"name": "tool"})
    within = [name for name in kept if name not in WHERE_ERRORS_ARE]
    failed = calls[calls["kind"].notna()]
    of = _sizes(calls, within) if within else {(): len(calls)}
    counted = _sizes(failed, kept)
    if kept == within:
        counted = {key: counted.get(key, 0) for key in of}
    rows = [(*key, count, of[_part(key, kept, within)]) for key, count in counted.items()]
    rows.sort(key=lambda row: _order(row, kept))
    return shares(rows, {name: "Int64" if name == "turn" else "str" for name in kept}, level)


def recovery(results: Results, by: str | None = None, *, level: float = LEVEL) -> pd.DataFrame:
    """How often a failed call was made good later in its run, and in how many turns.

    A call has recovered when the same tool answers without an error in a later turn (for a tool that there is not, when
    any does): `recovered` of `hermes_nb.frames.calls`. `by` is `tool`, `kind`, `fault`, `turn` or `next_action`; None
    gives one row for all. `count` of `denominator` errors recovered; `median_turns` and `most_turns` are the turns that
    took, NA where none did.

    Raises:
        ConfigurationError: `by` is none of these.
    """
    calls = seen.calls(results).rename(columns={"name": "tool"})
    failed = calls[calls["kind"].notna()]
    names = [] if by is None else ["next_action"] if by == "next_action" else _wanted(by)
    groups = failed.groupby(names, observed=True) if names else [((), failed)]
    rows = []
    for key, group in groups:
        recovered = group[group["recovered"].fillna(False).astype(bool)]
        rows.append((*_key(key), len(recovered), len(group), recovered["turns_to_recover"]))
    rows.sort(key=lambda row: (row[0] if by == "turn" else -row[-2], *map(str, row[: len(names)])))
    made = shares([row[:-1] for row in rows], {name: "Int64" if name == "turn" else "str" for name in names}, level)
    made["median_turns"] = pd.array([_or_na(row[-1].median()) for row in rows], dtype="Float64")
    made["most_turns"] = pd.array([_or_na(row[-1].max()) for row in rows], dtype="Int64")
    return made


def shares(rows: Sequence[tuple[Any, ...]], about: dict[str, str], level: float) -> pd.DataFrame:
    """A table of shares: each row says what it is about, then its count and denominator."""
    checked_level(level)
    full = []
    for row in rows:
        count, of = row[-2:]
        low, high = wilson(count, of, level) or (pd.NA, pd.NA)
        full.append((*row, count / of if of else pd.NA, low, high))
    dtypes = about | SHARE
    return pd.DataFrame(full, columns=list(dtypes)).astype(dtypes)


def _ended(runs: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    ended = runs[(runs["stop_reason"] != "running").fillna(True)]
    return ended, len(runs) - len(ended)


def _wanted(by: str | Sequence[str]) -> list[str]:
    kept = [by] if isinstance(by, str) else list(by)
    if not kept or len(set(kept)) < len(kept) or set(kept) - set(BY):
        raise ConfigurationError(f"errors are counted by {', '.join(BY)}, not by {by!r}")
    return kept


def _key(key: Any) -> tuple[Any, ...]:
    return key if isinstance(key, tuple) else (key,)


def _sizes(table: pd.DataFrame, names: list[str]) -> dict[tuple[Any, ...], int]:
    return {_key(key): int(size) for key, size in table.groupby(names, observed=True).size().items()}


def _part(key: tuple[Any, ...], kept: list[str], within: list[str]) -> tuple[Any, ...]:
    """The key of the denominator."""
    return tuple(value for value, name in zip(key, kept, strict=True) if name in within)


def _order(row: tuple[Any, ...], kept: list[str]) -> tuple[Any, ...]:
    about = tuple(value if isinstance(value, int) else str(value) for value in row[: len(kept)])
    return about if kept[0] == "turn" else (-row[-2], *about)


def _or_na(value: Any) -> Any:
    return pd.NA if pd.isna(value) else value
