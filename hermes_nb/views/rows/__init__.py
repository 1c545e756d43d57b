"""Turns runs into rows: the one place where it is decided what a view says of them, and where it is cut.

`ledger(result)` is a header, the answer, and one row per event, as frozen records of plain text; of a turn, a call or a
call's result, its rows alone. `table`, `errors` and `compared` do the same for several runs, `explained` for one call,
step by step, and `reparsed` for what parsers make of texts. The forms (text, HTML, Markdown, the live view) only draw
them, so they all say the same in the same words. `ready(record)` gives any of these records as JSON values.
"""

from __future__ import annotations

from typing import TypeAlias

from hermes_nb.views.rows.compared import Comparison, compared
from hermes_nb.views.rows.entries import Ledger, Row, Section, ready
from hermes_nb.views.rows.errors import Errors, errors
from hermes_nb.views.rows.explained import Case, Explained, explained
from hermes_nb.views.rows.legible import Lens, Shown, counted
from hermes_nb.views.rows.many import Order, Table, checked_order, table
from hermes_nb.views.rows.parsed import Reparsed, reparsed
from hermes_nb.views.rows.runs import ledger, run_of, runs_of

__all__ = [
    "Case",
    "Comparison",
    "Errors",
    "Explained",
    "Ledger",
    "Lens",
    "Order",
    "Record",
    "Reparsed",
    "Row",
    "Section",
    "Shown",
    "Table",
    "checked_order",
    "compared",
    "counted",
    "errors",
    "explained",
    "ledger",
    "ready",
    "reparsed",
    "run_of",
    "runs_of",
    "table",
]

Record: TypeAlias = Ledger | Table | Errors | Comparison | Explained | Reparsed
"""What a form draws."""
