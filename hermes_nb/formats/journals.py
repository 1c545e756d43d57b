"""Our own journals; `hermes_nb.journal` has the format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hermes_nb import journal
from hermes_nb.formats.base import Head, Source
from hermes_nb.records import AgentResult

NAME = "hermes_nb journal"


def recognises(head: Head) -> bool:
    """A line that says so is the first of every journal."""
    return isinstance(head.first, Mapping) and "hermes_nb_journal" in head.first


def read(source: Source) -> Iterator[AgentResult]:
    """The runs in the journal, by their start. One that is packed has to be unpacked first.

    Raises:
        JournalError: it is of a newer major version, or damaged.
    """
    bounds = journal.Bounds(line=source.bounds.line, lines=source.bounds.rows)
    yield from journal.every(source.file, bounds=bounds)
