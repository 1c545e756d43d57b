"""Draws what `rows` decided as HTML that needs neither script nor style: in reading order, every word of it text."""

from __future__ import annotations

from hermes_nb.views.markup.explained import explained_html
from hermes_nb.views.markup.ledgers import Frame, ledger_html
from hermes_nb.views.markup.page import page
from hermes_nb.views.markup.parsed import parsed_html
from hermes_nb.views.markup.pieces import UNTOUCHED, Markup
from hermes_nb.views.markup.tables import compared_html, errors_html, runs_html
from hermes_nb.views.rows import Errors, Explained, Ledger, Record, Reparsed, Table

__all__ = ["BUDGET", "Markup", "fragment", "whole_page"]

BUDGET = 200_000
"""The most bytes of a fragment: a notebook keeps every one of them."""

PAGE_BUDGET = 16_000_000
"""The most bytes of a page: what a browser opens without complaint."""


def fragment(shown: Record, *, details: bool = True) -> str:
    """At most 200 kB of HTML; without `details`, with nothing that can be closed, for sanitizers that show such as
    text."""
    return drawn(shown, Frame(budget=BUDGET, details=details)).html


def whole_page(shown: Record) -> str:
    """At most 16 MB of HTML, as one document with links from rows to what they hold."""
    return page(titled(shown), drawn(shown, Frame(budget=PAGE_BUDGET, anchors="row-")))


def drawn(shown: Record, frame: Frame) -> Markup:
    """The fragment, in one element that keeps MathJax off."""
    return Markup.element("div", inner(shown, frame), class_=UNTOUCHED)


def inner(shown: Record, frame: Frame) -> Markup:
    """What is in it."""
    if isinstance(shown, Ledger):
        return ledger_html(shown, frame)
    if isinstance(shown, Table):
        return runs_html(shown, frame)
    if isinstance(shown, Explained):
        return explained_html(shown, frame)
    if isinstance(shown, Reparsed):
        return parsed_html(shown, frame)
    return errors_html(shown, frame) if isinstance(shown, Errors) else compared_html(shown, frame)


def titled(shown: Record) -> str:
    """What a tab of a browser says."""
    if isinstance(shown, Ledger):
        return " · ".join([f"{shown.glyph} {shown.ended}".strip() or "run", *shown.names])
    return shown.title
