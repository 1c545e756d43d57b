"""Rows become a DataFrame, some thousand at a time: what they are made of is let go of before the next are made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from hermes_nb.frames.declared import FLAG, NUMBER, TEXT, TIME, WHOLE, Column
from hermes_nb.frames.values import json_text

AT_ONCE = 1024
"""How many rows wait as Python objects."""

ARROW = {
    TEXT: pa.large_string(), WHOLE: pa.int64(), NUMBER: pa.float64(), FLAG: pa.bool_(),
    TIME: pa.timestamp("us", "UTC"),
}  # fmt: skip
PANDAS = {
    pa.large_string(): pd.StringDtype("pyarrow", na_value=float("nan")),
    pa.int64(): pd.Int64Dtype(),
    pa.float64(): pd.Float64Dtype(),
    pa.bool_(): pd.BooleanDtype(),
}


Mark: TypeAlias = tuple[int, list[list[Any]]]


class Table:
    """A table that grows by the rows of one run after the other."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._schema = pa.schema([(one.name, ARROW[one.dtype]) for one in columns])
        self._lengths = {one.name: one.bytes_of for one in columns if one.bytes_of}
        self._batches: list[pa.RecordBatch] = []
        self._waiting: list[list[Any]] = [[] for _ in columns]

    def add(self, rows: list[tuple[Any, ...]]) -> None:
        """Add these at the end."""
        if rows:
            for column, values in zip(self._waiting, zip(*rows, strict=True), strict=True):
                column += values
            if len(self._waiting[0]) >= AT_ONCE:
                self._pack()

    def _pack(self) -> None:
        if self._waiting[0]:
            arrays = [_array(values, field.type) for values, field in zip(self._waiting, self._schema, strict=True)]
            batch = pa.RecordBatch.from_arrays(arrays, schema=self._schema)
            for name, text in self._lengths.items():
                lengths = pc.fill_null(batch[name], pc.binary_length(batch[text]).cast(pa.int64()))
                batch = batch.set_column(self._schema.get_field_index(name), name, lengths)
            self._batches.append(batch)
            for column in self._waiting:
                column.clear()

    def mark(self) -> Mark:
        """Where the table stands, to come back to."""
        return len(self._batches), [list(column) for column in self._waiting]

    def back(self, mark: Mark) -> None:
        """Forget all rows since then."""
        batches, waiting = mark
        del self._batches[batches:]
        self._waiting = [list(column) for column in waiting]

    def reorder(self, mark: Mark, order: Sequence[int]) -> None:
        """Put the rows since then in this order: the places where they are now."""
        self._pack()
        batches, waiting = mark
        earlier, since = len(waiting[0]), pa.Table.from_batches(self._batches[batches:], schema=self._schema)
        places = [*range(earlier), *(earlier + place for place in order)]
        self._batches[batches:] = since.take(pa.array(places, pa.int64())).to_batches()

    def _arrow(self) -> pa.Table:
        return pa.Table.from_batches(self._batches, schema=self._schema)

    def frame(self) -> pd.DataFrame:
        """The table; it is empty after that."""
        self._pack()
        whole, self._batches = self._arrow(), []
        made: pd.DataFrame = whole.to_pandas(types_mapper=PANDAS.get, self_destruct=True, split_blocks=True)
        return made


def _array(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    try:
        return pa.array(values, kind)
    except (UnicodeEncodeError, pa.ArrowInvalid):
        if kind != pa.large_string():
            raise
        return pa.array([value and value.encode("utf-8", "backslashreplace").decode() for value in values], kind)


def extra_columns(prefix: str, told: Sequence[dict[str, Any]], names: Iterable[str]) -> dict[str, pd.Series[Any]]:
    """A column for each name, sorted: flags, whole numbers, numbers or text, whichever holds all its values."""
    return {f"{prefix}.{name}": _fitting([one.get(name) for one in told]) for name in sorted(names)}


def _fitting(values: list[Any]) -> pd.Series[Any]:
    kinds = {type(value) for value in values if value is not None}
    fits: Any = lambda *allowed: kinds <= set(allowed)  # noqa: E731
    if not kinds:
        dtype = NUMBER
    elif fits(bool):
        dtype = FLAG
    elif fits(int) and all(value is None or abs(value) < 2**63 for value in values):
        dtype = WHOLE
    elif fits(bool, int, float):
        dtype = NUMBER
    else:
        dtype = TEXT
        values = [value if value is None or type(value) is str else json_text(value) for value in values]
    if dtype == NUMBER:
        values = [None if value is None or value != value else float(value) for value in values]
    made: pd.Series[Any] = _array(values, ARROW[dtype]).to_pandas(types_mapper=PANDAS.get)
    return made
