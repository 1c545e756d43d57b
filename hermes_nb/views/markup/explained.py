"""One tool call, step by step, as HTML."""

from __future__ import annotations

from collections.abc import Iterator

from hermes_nb.views.markup.ledgers import Frame, section_html
from hermes_nb.views.markup.pieces import Markup, element, paragraph, value
from hermes_nb.views.markup.tables import within
from hermes_nb.views.rows import Explained


def explained_html(shown: Explained, frame: Frame) -> Markup:
    """The call, and its steps: name, sentence, and the texts. Nothing is closed, so that it reads from start to end."""
    note = paragraph(value(shown.note)) if shown.note else Markup()
    drawn = list(steps(shown))
    kept = within(drawn, frame.budget - 4000, "part", len(drawn))
    return Markup(paragraph(element("b", value(shown.title))), note, *kept)


def steps(shown: Explained) -> Iterator[Markup]:
    """Every part of every step."""
    for number, step in enumerate(shown.steps, 1):
        name = element("b", f"{number}. {step.name} {step.glyph}".rstrip())
        yield paragraph(name, element("br"), value(step.told), style="label")
        for section in step.sections:
            yield from section_html(section)
