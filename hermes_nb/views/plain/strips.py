"""A turn's tokens as lines of text."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from hermes_nb.views.plain.lines import indented, wrapped
from hermes_nb.views.rows.entries import Strip, Tile

__all__ = ["strip_lines"]

LEGEND = {"~": "~ template", "(": "(…) how likely, where p < 0.37"}


def strip_lines(shown: Strip, width: int, margin: str) -> Iterator[str]:
    """The tokens with blanks between them: the prompt's, then those that were sampled; and what is not shown."""
    if shown.before:
        yield f"{margin}╌ {shown.before} ╌"
    for sampled, tiles in groupby(shown.tiles, key=lambda one: one.sampled):
        told = " ".join(map(tile_text, tiles)).replace("\n ", "\n").rstrip("\n")
        yield f"{margin}{'sampled' if sampled else 'prompt'}"
        yield from indented(wrapped(told, width - len(margin) - 2), f"{margin}│ ")
    if shown.mark:
        yield f"{margin}╌ {shown.mark} ╌"
    signs = {"~"} if any(one.template for one in shown.tiles) else set()
    signs |= {"("} if any(one.chance for one in shown.tiles) else set()
    if signs:
        yield margin + ", ".join(told for sign, told in LEGEND.items() if sign in signs)


def tile_text(tile: Tile) -> str:
    """One token, with a sign before the template's, and how likely it was behind the unlikely ones."""
    told = f"{'~' if tile.template else ''}{tile.text.rstrip(chr(10))}"
    told += f"({tile.chance})" if tile.chance else ""
    return told + ("\n" if tile.text.endswith("\n") else "")
