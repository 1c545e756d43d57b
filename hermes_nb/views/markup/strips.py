"""A turn's tokens as HTML: underlined what the model wrote, italic what is the template's, bold what was unlikely."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from hermes_nb.views.markup.pieces import STYLES, Markup, element, paragraph
from hermes_nb.views.rows.entries import Strip, Tile

__all__ = ["strip_html"]

LEGEND = "underlined: sampled · italic: template · blue: p < 0.95 · bold: p < 0.37"


def strip_html(shown: Strip) -> Iterator[Markup]:
    """The tokens, apart from each other, and what is not shown of them before and after."""
    if shown.before:
        yield paragraph(shown.before, style="label")
    parts = list[Markup]()
    for sampled, tiles in groupby(shown.tiles, key=lambda one: one.sampled):
        drawn = Markup(*(part for one in tiles for part in (tile_html(one), "" if one.text.endswith("\n") else " ")))
        parts.append(drawn if sampled else element("span", drawn, style=STYLES["prompt"]))
    if parts:
        yield element("pre", element("code", *parts), style=STYLES["box"])
    yield paragraph(" · ".join(filter(None, [shown.mark, LEGEND])), style="label")


def tile_html(tile: Tile) -> Markup:
    """One token."""
    told = element("i", tile.text) if tile.template else Markup(tile.text)
    if tile.level == "unlikely":
        told = element("b", told)
    if not tile.sampled:
        return told
    if tile.level in ("likely", "unlikely"):
        return element("ins", told, style=STYLES[tile.level])
    return element("ins", told)
