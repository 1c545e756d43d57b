"""Draws a run as a fragment of HTML that needs neither script nor style: in reading order, every word of it text.

`Markup` is the one way into it. It is made of elements from a short list and of text, which it escapes; a plain string
cannot be added to it, nor made one.
"""

from __future__ import annotations

import html as entities
from collections.abc import Iterator
from typing import Literal, TypeAlias

from hermes_nb.records import AgentResult
from hermes_nb.redact import Redactor
from hermes_nb.views.rows import Ledger, Row, Section, Shown, counted, ledger

BUDGET = 200_000
"""The most bytes of a fragment: a notebook keeps every one of them."""

OPEN_ERRORS = 3
NBSP = "\u00a0"

Tag: TypeAlias = Literal[
    "b", "bdi", "blockquote", "br", "code", "details", "div", "p", "pre", "summary",
    "table", "tbody", "td", "th", "thead", "tr",
]  # fmt: skip
TAGS = frozenset(Tag.__args__)  # type: ignore[attr-defined]  # A Literal keeps its words there.
ATTRIBUTES = frozenset({"align", "class", "colspan", "open", "style"})

LEFT = {"align": "left", "style": "text-align:left"}
"""Both are needed: GitHub keeps `align`, and the lab's own style for cells yields to `style` only."""
WRONG = {"align": "left", "style": "text-align:left;border-left:3px solid #d32f2f"}
ABOVE = {"style": "margin:0"}
BELOW = {"style": "margin:0 0 1em;word-break:normal;overflow-wrap:anywhere"}
"""A label belongs to the box under it; the lab gives boxes no room below, and breaks their lines inside words."""
UNTOUCHED = "tex2jax_ignore mathjax_ignore"
"""Keeps MathJax from typesetting what a model wrote."""


class Markup:
    """A piece of HTML, made of text, which is escaped, and of other pieces. Nothing else gets in."""

    __slots__ = ("_html",)

    def __init__(self, *parts: Markup | str) -> None:
        self._html = "".join(
            part.html if isinstance(part, Markup) else entities.escape(part, quote=True) for part in parts
        )

    @classmethod
    def element(cls, tag: Tag, *parts: Markup | str, **attributes: str) -> Markup:
        """An element of these parts. A name ending in `_` stands for the one without it (`class_`).

        Raises:
            ValueError: the element or an attribute is not one that this library writes.
        """
        named = {name.rstrip("_"): value for name, value in attributes.items()}
        if tag not in TAGS or not named.keys() <= ATTRIBUTES:
            raise ValueError(f"neither {tag!r} nor its attributes {sorted(named)} belong here")
        told = "".join(f' {name}="{entities.escape(value, quote=True)}"' for name, value in named.items())
        made = cls()
        made._html = f"<{tag}{told}>" + ("" if tag == "br" else f"{cls(*parts).html}</{tag}>")
        return made

    @property
    def html(self) -> str:
        """The piece as it is written into a document."""
        return self._html

    def __len__(self) -> int:
        return len(self._html.encode("utf-8"))

    def __repr__(self) -> str:
        return f"Markup({len(self)} bytes)"


element = Markup.element


def html(result: AgentResult, *, redactor: Redactor | None = None) -> str:
    """The run as an HTML fragment of at most 200 kB."""
    shown = ledger(result, redactor)
    head = Markup(header(shown), answer(shown))
    table = tabled(shown.rows, BUDGET // 2)
    opened = details(shown.rows, BUDGET - 2000 - len(head) - len(table))
    return element("div", head, table, *opened, class_=UNTOUCHED).html


def header(shown: Ledger) -> Markup:
    """How the run ended, and its counts."""
    parts = [Markup(value(name)) for name in shown.names]
    parts += [element("b", hard(fact)) if fact.startswith("✗") else Markup(hard(fact)) for fact in shown.facts]
    return element("p", element("b", f"{shown.glyph} {shown.ended}"), *(Markup(" · ", part) for part in parts))


def answer(shown: Ledger) -> Markup:
    """The answer, or the failure and its hint, or why there is no answer."""
    said = Markup()
    if shown.answer is not None:
        lines = element("blockquote", *lined(shown.answer.text))
        said = Markup(element("p", element("b", "answer")), lines, mark(shown.answer))
    if shown.error:
        cause, *others = (value(line) for line in shown.error)
        told = element("p", element("b", "error"), element("br"), element("b", element("code", cause)))
        return Markup(said, told, *(element("p", other) for other in others))
    return said if shown.answer is not None else element("p", shown.note)


def tabled(rows: tuple[Row, ...], budget: int) -> Markup:
    """The ledger."""
    if not rows:
        return Markup()
    right = {"align": "right"}
    heads = [("turn", right), ("who", LEFT), ("what", LEFT), ("status", LEFT), ("time", right), ("tokens", right)]
    head = element("thead", element("tr", *(element("th", name, **side) for name, side in heads)))
    drawn, used = [], 0
    for number, row in enumerate(rows):
        line = table_row(row)
        used += len(line)
        if used > budget:
            drawn.append(table_row(Row(who="cut", gist=f"cut here: {counted(len(rows) - number, 'row')} more")))
            break
        drawn.append(line)
    return element("table", head, element("tbody", *drawn))


def table_row(row: Row) -> Markup:
    """A row of the ledger; those without status and numbers run over the columns of these."""
    turn = element("td", row.turn, align="right")
    who = element("td", element("b", row.who) if row.who == "user" else row.who, **(WRONG if row.failed else LEFT))
    if row.who == "cut":
        return element("tr", turn, element("td", **LEFT), element("td", row.gist, colspan="4", **LEFT))
    if not (row.status or row.time or row.tokens):
        return element("tr", turn, who, element("td", what(row), colspan="4", **LEFT))
    status = hard(f"{row.glyph} {row.status}".strip())
    return element(
        "tr",
        turn,
        who,
        element("td", what(row), **LEFT),
        element("td", element("b", status) if row.failed else status, **LEFT),
        element("td", hard(row.time), align="right"),
        element("td", row.tokens, align="right"),
    )


def what(row: Row) -> Markup:
    """What happened in a row, and an error's first line."""
    if row.text is not None:
        cut = Markup(element("br"), row.text.mark) if row.text.mark else ""
        return Markup(*lined(row.text.text), cut)
    if row.name:
        gist = element("code", element("b", value(row.name)), Markup(" ", value(row.gist)) if row.gist else "")
    else:
        gist = Markup(value(row.gist), f" {row.more}" if row.more else "")
    return Markup(gist, element("br"), element("b", value(row.problem))) if row.problem else gist


def details(rows: tuple[Row, ...], budget: int) -> Iterator[Markup]:
    """The rows that hold more, opened where they failed first, as many as there is room for."""
    holding = [row for row in rows if row.sections]
    wrong = [row for row in holding if row.failed][:OPEN_ERRORS]
    if holding:
        yield element("p", element("b", "in full"))
    used = 0
    for number, row in enumerate(holding):
        drawn = detail(row, opened=any(row is one for one in wrong))
        used += len(drawn)
        if used > budget:
            yield element("p", f"cut here: {counted(len(holding) - number, 'opened row')} more")
            return
        yield drawn


def detail(row: Row, *, opened: bool) -> Markup:
    """A row, opened: a summary, then each part under its label."""
    turns = f"turns {row.number}–{row.last} · " if row.last else f"turn {row.number} · "
    title = turns if row.number else ""
    status = f" {row.glyph} {row.status}" if row.status else ""
    problem = Markup(" · ", value(row.problem)) if row.problem else ""
    summary = element("summary", element("b", title, value(row.name or row.who)), status, problem)
    parts = (part for section in row.sections for part in drawn_section(section))
    return element("details", summary, *parts, **({"open": ""} if opened else {}))


def drawn_section(section: Section) -> Iterator[Markup]:
    """A label, the text in a box of its own, and outside it the cut mark, which no tool can forge."""
    if section.label:
        yield element("p", section.label, **ABOVE)
    if section.prose:
        yield element("blockquote", *lined(section.shown.text))
    elif section.shown.text:
        yield element("pre", element("code", section.shown.text), **BELOW)
    yield mark(section.shown)


def mark(shown: Shown) -> Markup:
    """What says that a text was cut, if it was."""
    return element("p", shown.mark) if shown.mark else Markup()


def lined(text: str) -> Iterator[Markup]:
    """Text whose line breaks hold."""
    for number, line in enumerate(text.split("\n")):
        if number:
            yield element("br")
        yield value(line)


def value(text: str) -> Markup:
    """Text that is not ours, kept apart, so that its direction does not turn its neighbours."""
    return element("bdi", text)


def hard(text: str) -> str:
    """A number and its unit, not to be broken between lines."""
    return text.replace(" ", NBSP)
