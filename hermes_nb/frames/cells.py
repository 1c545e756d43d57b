"""Tables as CSV that no spreadsheet takes for formulas, and back."""

from __future__ import annotations

import os
from typing import Any

import pandas as pd

from hermes_nb.frames.declared import TABLES, TEXT, TIME

GUARD = "'"
DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What a spreadsheet takes for the beginning of a formula, the full-width forms with it."""


def to_csv(frame: pd.DataFrame, path: str | os.PathLike[str]) -> None:
    """Write a table, `frame`, as CSV in UTF-8 to `path`, without its index, so that nothing in it is a formula.

    Text that begins with `=`, `+`, `-`, `@` (or their full-width forms), a tab or a line break is written with an
    apostrophe before it; so that this can be undone, text that begins with an apostrophe is too, and empty text is one
    apostrophe. Headers are treated alike. An unknown value is an empty cell. Numbers stay numbers, negative ones with
    them, and nothing else is changed; `read_csv` gives the table back.

    Raises:
        OSError: it cannot be written.
    """
    safe = pd.DataFrame({_guarded(str(name)): _safe(column) for name, column in frame.items()}, index=frame.index)
    safe.to_csv(path, index=False, encoding="utf-8", lineterminator="\r\n")


def _safe(column: pd.Series[Any]) -> pd.Series[Any]:
    kind = str(column.dtype)
    return column.map(_guarded, na_action="ignore") if kind in (TEXT, "object", "string") else column


def _guarded(value: object) -> object:
    told = value if isinstance(value, str) else str(value)
    return GUARD + told if not told or told.startswith((GUARD, *DANGEROUS)) else told


def read_csv(path: str | os.PathLike[str], table: str) -> pd.DataFrame:
    """The table that `to_csv` wrote to `path`, `table` being its kind (`"calls"`), with the declared dtypes; scores and
    meta have the dtypes that pandas finds for them.

    Raises:
        KeyError: there is no such kind of table.
        OSError: it cannot be read.
    """
    declared = {column.name: column.dtype for column in TABLES[table]}
    kinds = {name: TEXT if dtype == TIME else dtype for name, dtype in declared.items()}
    frame = pd.read_csv(
        path, dtype=kinds, keep_default_na=False, na_values=[""], encoding="utf-8", dtype_backend="numpy_nullable"
    )
    made = {_bare(name): _back(column, declared.get(str(name))) for name, column in frame.items()}
    return pd.DataFrame(made, index=frame.index)


def _back(column: pd.Series[Any], declared: str | None) -> pd.Series[Any]:
    if declared == TIME:
        return _as(pd.to_datetime(column, format="ISO8601", utc=True), TIME)
    if declared is None and str(column.dtype).startswith("string"):
        column = _as(column, TEXT)
    return _as(column.map(_bare, na_action="ignore"), TEXT) if column.dtype == TEXT else column


def _as(column: Any, dtype: Any) -> pd.Series[Any]:
    made: pd.Series[Any] = column.astype(dtype)
    return made


def _bare(value: object) -> str:
    return str(value).removeprefix(GUARD)
