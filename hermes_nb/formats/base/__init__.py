"""What readers and writers share: a file that is bounded (`Source`, `Head`), a conversation made a result
(`conversation`), and files written whole or not at all (`write_atomically`, `Report`)."""

from __future__ import annotations

from hermes_nb.formats.base.bounds import Bounds
from hermes_nb.formats.base.building import About, conversation
from hermes_nb.formats.base.source import Head, Row, Source, mapping, number, sequence, text
from hermes_nb.formats.base.turning import Failure, Note, reported

__all__ = [
    "About",
    "Bounds",
    "Failure",
    "Head",
    "Note",
    "Row",
    "Source",
    "conversation",
    "mapping",
    "number",
    "reported",
    "sequence",
    "text",
]
