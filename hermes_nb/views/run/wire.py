"""Rows, heads and pages as the window gets them: what is empty is left out."""

from __future__ import annotations

import re
from itertools import accumulate
from typing import Any, TypeAlias

from hermes_nb.views.rows import Ledger, Row
from hermes_nb.views.rows.bodies import Page, Part
from hermes_nb.views.rows.entries import Tile
from hermes_nb.views.rows.growing import Folded, Line
from hermes_nb.views.rows.legible import Lens
from hermes_nb.views.rows.strips import inked

Packed: TypeAlias = dict[str, Any]
Spans: TypeAlias = tuple[tuple[int, int, str], ...]

LEGEND = inked(
    (
        Tile(text="grey: prompt"), Tile(text="italic: template", template=True),
        Tile(text="underlined: sampled, the stronger the less likely", sampled=True),
        Tile(text="p > 0.95", sampled=True, level="sure"), Tile(text="p 0.37 to 0.95", sampled=True, level="likely"),
        Tile(text="p < 0.37", sampled=True, level="unlikely"),
    )
)  # fmt: skip

FACT = re.compile(r"(?:(?P<sign>✗) )?(?P<number>~?[\d.:]+[kM]?(?: m?s)?|–)(?P<rest> .*)?")


def line(shown: Line) -> Packed:
    """A row that is by itself: `l`, that it goes on; `y`, that its gist is ours."""
    return row(shown.row) | ({"l": 1} if shown.live else {}) | ({"y": 1} if shown.quiet else {})


def row(shown: Row) -> Packed:
    """A row as it is drawn; `b` is when it began and how long it took, in seconds."""
    told: Packed = {
        "i": shown.key, "n": shown.number, "w": shown.who, "t": shown.turn, "a": shown.name, "g": shown.gist,
        "m": shown.more, "d": shown.time, "k": shown.tokens, "p": shown.problem,
    }  # fmt: skip
    if shown.text is not None:
        told |= {"x": shown.text.text, "c": shown.text.mark}
    if shown.status:
        told["s"] = [shown.glyph, shown.status]
    if shown.at is not None:
        told["b"] = [round(shown.at, 4), None if shown.seconds is None else round(shown.seconds, 4)]
    return {name: value for name, value in told.items() if value}


def fold(shown: Folded) -> Packed:
    """Rows that stand for others."""
    return {"first": shown.first, "last": shown.last, "rows": [row(one) | {"y": 1} for one in shown.rows]}


def head(shown: Ledger) -> Packed:
    """The header and the answer."""
    answer = shown.answer
    return {
        "state": [shown.glyph, shown.ended],
        "names": list(shown.names),
        "facts": [fact(one) for one in shown.facts],
        "answer": None if answer is None else [answer.text, answer.mark],
        "note": shown.note,
        "error": list(shown.error),
    }


def fact(said: str) -> list[str]:
    """A fact in three: its glyph, if it has one, a blank for a failure without one; what stands out in it, a number or
    a time; and the rest."""
    found = FACT.fullmatch(said)
    sign = " " if said.endswith((" after 1 retry", " retries")) else ""
    return [sign, "", said] if found is None else [found["sign"] or sign, found["number"], found["rest"] or ""]


def part(shown: Part, page: Page, lens: Lens) -> Packed:
    """A part of an opened row, and its first page; `legend` says how tokens are told apart."""
    told = {
        "label": shown.label, "told": lens.gist(shown.told, 200), "prose": shown.prose,
        "kind": "tokens" if shown.tokens else "bad" if shown.bad else "", "turned": page.turned,
        "legend": shown.tokens and LEGEND,
    }  # fmt: skip
    return {name: value for name, value in told.items() if value} | paged(page)


def paged(page: Page) -> Packed:
    """A page of a text: `at` is its place, `next` that of the one after it."""
    told = {
        "text": page.text, "at": page.at, "next": page.next, "mark": page.mark, "then": page.then,
        "laid": page.laid_out, "warned": page.warned, "colours": units(page.text, page.colours),
    }  # fmt: skip
    return {name: value for name, value in told.items() if value}


def units(text: str, colours: Spans) -> Spans:
    """The colours' places as a script counts them, to which a letter beyond the first 65,536 is two."""
    if text.isascii() or not colours:
        return colours
    at = [0, *accumulate(1 + (letter > "\uffff") for letter in text)]
    return tuple((at[begin], at[end], kind) for begin, end, kind in colours)
