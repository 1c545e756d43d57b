"""Tables of a source, made run by run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import pandas as pd

from hermes_nb.frames import rows
from hermes_nb.frames.declared import TABLES
from hermes_nb.frames.files import Keys, quickly, slowly
from hermes_nb.frames.lines import Odd
from hermes_nb.frames.plain import PlainRun, plain_run
from hermes_nb.frames.shapes import MESSAGES, SPOKEN, shapes
from hermes_nb.frames.table import Mark, Table, extra_columns
from hermes_nb.frames.token_rows import tokens
from hermes_nb.journal import Bounds
from hermes_nb.records import AgentResult
from hermes_nb.sources import Source, parts

ROWS: dict[str, Callable[[PlainRun], list[tuple[Any, ...]]]] = {
    "runs": rows.runs, "turns": rows.turns, "messages": rows.own_messages, "conversations": rows.all_messages,
    "calls": rows.calls, "errors": rows.errors, "tokens": tokens,
}  # fmt: skip

ASKED = {
    "runs": (*MESSAGES, "server", "sampling", "versions", "meta"),
    "messages": SPOKEN, "conversations": SPOKEN, "tokens": ("raw",),
}  # fmt: skip
"""The fields whose objects a table is made of; it needs no more of the others than that they are objects."""


class Maker:
    """Makes tables of one source in one reading: `names` say of which rows, and whether that of the messages has the
    inherited ones."""

    def __init__(self, names: Sequence[str], bounds: Bounds) -> None:
        self._names = tuple(names)
        self._makers = [ROWS[name] for name in names]
        self._tables = [Table(TABLES["messages" if name == "conversations" else name]) for name in names]
        self._bounds = bounds
        self._keys = Keys()
        asked = tuple(dict.fromkeys(field for name in names for field in ASKED.get(name, ())))
        self._quick = [shapes(*asked)]
        if self._quick[0].spoken:
            self._quick.append(shapes(*asked, *MESSAGES))
        self._extra: list[tuple[dict[str, Any], dict[str, Any]]] | None = [] if "runs" in names else None

    def take(self, source: Source) -> dict[str, pd.DataFrame]:
        """The tables of all that is in the source, by their names."""
        for part in parts(source):
            if isinstance(part, AgentResult):
                self._add(plain_run(part))
            else:
                self._file(part)
        made = {name: table.frame() for name, table in zip(self._names, self._tables, strict=True)}
        if self._extra is not None:
            made["runs"] = _widened(made["runs"], self._extra)
        return made

    def _add(self, run: PlainRun) -> list[int]:
        """Add a run; how many rows it has in each table."""
        run.key = self._keys.of(run)
        counts = []
        for table, rows_of in zip(self._tables, self._makers, strict=True):
            rows_of_it = rows_of(run)
            table.add(rows_of_it)
            counts.append(len(rows_of_it))
        if self._extra is not None:
            self._extra.append((run.facts.scores or {}, run.facts.meta or {}))
        return counts

    def _file(self, path: Path) -> None:
        marks, runs = [table.mark() for table in self._tables], len(self._extra or ())
        ended = self._read(path, marks, runs)
        by_start = sorted(range(len(ended)), key=lambda place: ended[place][0])
        if by_start != list(range(len(ended))):
            for place, (table, mark) in enumerate(zip(self._tables, marks, strict=True)):
                table.reorder(mark, _row_order(by_start, [counts[place] for _, counts in ended]))
            if self._extra is not None:
                self._extra[runs:] = [self._extra[runs + place] for place in by_start]

    def _read(self, path: Path, marks: list[Mark], runs: int) -> list[tuple[int, list[int]]]:
        """As `_ended`, in the quickest way that takes the file: what another added is taken back."""
        keys = self._keys.copy()
        for way in self._quick:
            try:
                return self._ended(quickly(path, self._bounds, way))
            except Odd:
                for table, mark in zip(self._tables, marks, strict=True):
                    table.back(mark)
                self._keys = keys.copy()
                if self._extra is not None:
                    del self._extra[runs:]
        return self._ended(slowly(path, self._bounds))

    def _ended(self, found: Iterator[tuple[int, PlainRun]]) -> list[tuple[int, list[int]]]:
        """Add the runs as they end; of each its number by their starts, and how many rows it has in each table."""
        return [(start, self._add(run)) for start, run in found]


def _row_order(runs: list[int], counts: list[int]) -> list[int]:
    firsts = [0, *accumulate(counts)]
    return [row for run in runs for row in range(firsts[run], firsts[run + 1])]


def _widened(frame: pd.DataFrame, extra: list[tuple[dict[str, Any], dict[str, Any]]]) -> pd.DataFrame:
    """The frame with a column for every score and every key of meta, in sorted order."""
    told: dict[str, Any] = {}
    for place, prefix in enumerate(("score", "meta")):
        column = [one[place] for one in extra]
        told |= extra_columns(prefix, column, {str(name) for one in column for name in one})
    return frame.assign(**told) if told else frame
