"""Draws what `rows` decided as lines of text, in columns that hold in a terminal and in a notebook."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from hermes_nb.views.plain.explained import explained_lines
from hermes_nb.views.plain.ledgers import ledger_lines
from hermes_nb.views.plain.parsed import parsed_lines
from hermes_nb.views.plain.tables import compared_lines, errors_lines, runs_lines
from hermes_nb.views.rows import Errors, Explained, Ledger, Record, Reparsed, Table
from hermes_nb.views.rows.entries import fields_of
from hermes_nb.views.rows.words import STAND_INS

__all__ = ["lines"]

NARROWEST = 60

GLYPHS = str.maketrans(STAND_INS)
STROKES = str.maketrans(
    {"─": "-", "│": "|", "╌": "~", "·": "-", "–": "-", "↑": "^", "≠": "!", "−": "-", "×": "x"}
)  # fmt: skip
"""Strokes of ours that come in while lines are drawn, each with a stand-in of one column."""


def lines(shown: Record, width: int = 80, *, ascii: bool = False) -> str:
    """Lines of at most `width` columns (from 60 on); with `ascii`, of nothing but ASCII, the words the same."""
    width = max(width, NARROWEST)
    drawn = "\n".join(drawn_lines(stood_in(shown) if ascii else shown, width))
    return re.sub(".…", "..", drawn).translate(STROKES) if ascii else drawn


def drawn_lines(shown: Record, width: int) -> Iterator[str]:
    """The lines, by what is shown."""
    if isinstance(shown, Ledger):
        return ledger_lines(shown, width)
    if isinstance(shown, Table):
        return runs_lines(shown, width)
    if isinstance(shown, Explained):
        return explained_lines(shown, width)
    if isinstance(shown, Reparsed):
        return parsed_lines(shown, width)
    return errors_lines(shown, width) if isinstance(shown, Errors) else compared_lines(shown, width)


def stood_in(record: Any) -> Any:
    """The record in ASCII: glyphs by their stand-ins, all other letters by their numbers."""
    if isinstance(record, str):
        told = "ok" if record == "✓" else record.translate(GLYPHS)
        return told if told.isascii() else told.encode("ascii", "backslashreplace").decode()
    named = fields_of(record)
    if named is not None:
        changed = {name: stood_in(value) for name, value in named.items()}
        if changed.get("glyph") == changed.get("status") == "ok":
            changed["glyph"] = ""
        return type(record)(**changed)
    return tuple(stood_in(one) for one in record) if isinstance(record, tuple) else record
