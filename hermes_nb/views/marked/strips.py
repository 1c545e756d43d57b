"""A turn's tokens as Markdown, told apart as in HTML."""

from __future__ import annotations

from collections.abc import Iterator

from hermes_nb.views.marked.escaping import prose
from hermes_nb.views.rows.entries import Strip, Tile

__all__ = ["strip_blocks"]

LEGEND = "underlined: sampled · italic: template · bold: p < 0.37"


def strip_blocks(shown: Strip) -> Iterator[str]:
    """The tokens with blanks between them, and what is not shown of them before and after."""
    if shown.before:
        yield shown.before
    if shown.tiles:
        told = " ".join(map(tile_marked, shown.tiles)).replace("<br> ", "<br>")
        yield f"<code>{told.removesuffix('<br>')}</code>"
    yield " · ".join(filter(None, [shown.mark, LEGEND])).replace("<", "&lt;")


def tile_marked(tile: Tile) -> str:
    """One token; the line breaks in it stand behind it."""
    told = prose(tile.text.rstrip("\n"))
    for tag, wanted in (("i", tile.template), ("b", tile.level == "unlikely"), ("ins", tile.sampled)):
        told = f"<{tag}>{told}</{tag}>" if wanted else told
    return told + ("<br>" if tile.text.endswith("\n") else "")
