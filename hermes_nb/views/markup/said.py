"""Draws sentences of ours that stand by themselves: a tick or a cross, and what was found."""

from __future__ import annotations

from collections.abc import Iterable

from hermes_nb.views.markup.pieces import UNTOUCHED, Markup, element, paragraph, value

__all__ = ["sentences"]


def sentences(told: Iterable[tuple[str, str]]) -> str:
    """One line each: a glyph, and a sentence, in which there may be words that are not ours."""
    lines = [paragraph(element("b", glyph) if glyph else "", " " if glyph else "", value(said)) for glyph, said in told]
    return Markup.element("div", *lines, class_=UNTOUCHED).html
