"""What readers and writers share: a file that is bounded (`Source`, `Head`), a conversation made a result
(`conversation`), and files written whole or not at all (`write_atomically`, `Report`)."""

from __future__ import annotations

from hermes_nb.formats.base.bounds import Bounds
from hermes_nb.formats.base.building import About, conversation
from hermes_nb.formats.base.source import Head, Row, Source
from hermes_nb.formats.base.turning import Failure, Note, reported
from hermes_nb.formats.base.values import decoded, mapping, number, sequence, text
from hermes_nb.formats.base.writing import (
    Loss,
    Report,
    Results,
    each,
    encoded,
    losses_between,
    write_atomically,
    write_lines,
)

__all__ = [
    "About",
    "Bounds",
    "Failure",
    "Head",
    "Loss",
    "Note",
    "Report",
    "Results",
    "Row",
    "Source",
    "conversation",
    "decoded",
    "each",
    "encoded",
    "losses_between",
    "mapping",
    "number",
    "reported",
    "sequence",
    "text",
    "write_atomically",
    "write_lines",
]
