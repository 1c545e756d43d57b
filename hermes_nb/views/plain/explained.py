"""One tool call, step by step, as lines of text."""

from __future__ import annotations

from collections.abc import Iterator

from hermes_nb.views.plain.ledgers import headed, section_lines
from hermes_nb.views.plain.lines import indented, wrapped
from hermes_nb.views.rows import Explained


def explained_lines(shown: Explained, width: int) -> Iterator[str]:
    """The call, and its steps: name, sentence, and the texts behind a bar."""
    yield from headed(shown.title, width)
    yield from wrapped(shown.note, width) if shown.note else ()
    for number, step in enumerate(shown.steps, 1):
        yield "─" * width
        yield f"{number:>2}   {step.name} {step.glyph}".rstrip()
        yield from indented(wrapped(step.told, width - 5), " " * 5)
        for section in step.sections:
            yield from section_lines(section, width)
