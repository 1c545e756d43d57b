"""A turn's tokens as HTML: underlined what the model wrote, italic what is the template's, bold what was unlikely."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from hermes_nb.views.markup.pieces import STYLES, Markup, element, paragraph
from hermes_nb.views.rows.entries import Strip, Tile

__all__ = ["strip_html"]

LEGEND = "underlined: sampled · italic: template · blue: p < 0.95 · bold: p < 0.37"


def strip_html(shown: Strip) -> Iterator[Markup]:
    """The tokens, apart from each other, and what is not shown of them before and after."""
    if shown.before:
        yield paragraph(shown.before, style="label")
    parts = [coloured(style, tiles) for style, tiles in groupby(shown.tiles, key=style_of)]
    if parts:
        yield element("pre", element("code", *parts), style=STYLES["box"])
    yield paragraph(" · ".join(filter(None, [shown.mark, LEGEND])), style="label")


def style_of(tile: Tile) -> str:
    """Which style the tile has: one for many, as most neighbours are alike."""
    if not tile.sampled:
        return "prompt"
    return tile.level if tile.level in ("likely", "unlikely") else ""


def coloured(style: str, tiles: Iterable[Tile]) -> Markup:
    """Tokens of one style, apart from each other; a line break is enough."""
    drawn = Markup(*(part for one in tiles for part in (tile_html(one), "" if one.text.endswith("\n") else " ")))
    return element("span", drawn, style=STYLES[style]) if style else drawn


def tile_html(tile: Tile) -> Markup:
    """One token."""
    told = element("i", tile.text) if tile.template else Markup(tile.text)
    told = element("b", told) if tile.level == "unlikely" else told
    return element("ins", told) if tile.sampled else told
