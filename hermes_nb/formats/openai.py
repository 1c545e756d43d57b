"""OpenAI's chat messages."""

from __future__ import annotations

from collections.abc import Iterator

from hermes_nb.formats.base import About, Head, Source, conversation, mapping, sequence
from hermes_nb.records import AgentResult

NAME = "OpenAI chat"


def recognises(head: Head) -> bool:
    """The first row has `messages`, whose first is an object with a role and content."""
    first = next(iter(sequence(mapping(head.row).get("messages"))), None)
    return isinstance(first, dict) and isinstance(first.get("role"), str)


def read(source: Source) -> Iterator[AgentResult]:
    """One result for each row."""
    for row in source.rows():
        messages = sequence(mapping(row.value).get("messages"))
        about = About(tools=sequence(row.value.get("tools")))
        yield conversation(messages, source, NAME, row.place, about)
