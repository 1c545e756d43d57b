"""A run, or a part of one, as HTML."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

from hermes_nb.views.markup.pieces import (
    BOLD,
    CODE,
    GAP,
    LABEL,
    STYLES,
    TEXT,
    Form,
    Markup,
    boxed,
    cell,
    element,
    fact,
    facts,
    folded,
    form,
    grid,
    hard,
    line,
    lined,
    mark,
    paragraph,
    value,
)
from hermes_nb.views.markup.strips import strip_html
from hermes_nb.views.rows import Ledger, Row, Section, counted
from hermes_nb.views.rows.entries import Who

OPEN_ERRORS = 3
COLUMNS = [("turn", "turn"), ("who", "who"), ("what", "what"), ("status", "status"), ("time", "time"),
           ("tokens", "tokens")]  # fmt: skip

TITLES = len(grid(COLUMNS, []))
"""The bytes of a table without its rows."""

TOLD, NAMED = value(GAP), Markup(element("code", element("b", value(GAP)), " ", value(GAP)))
FAILED = Markup(NAMED, element("br"), element("b", value(GAP)))
"""What happened in most rows: a text, or a call by its tool and its gist, with the first line of an error."""

CALL = form(NAMED)

WIDE = {
    wrong: form(line(cell("turn", GAP), cell("who", GAP), cell("what", GAP, colspan=4), wrong=wrong))
    for wrong in (False, True)
}
"""A row whose words run over the last columns, as it is, and as a tool error."""

WIDEST = len("bad JSON")

TITLED = form(element("b", value(GAP)), GAP)
SUMMED = form(element("b", value(GAP)), GAP, " · ", value(GAP))
"""The title of an opened row and its status, and what tells it from its neighbours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """How much room there is, in bytes; whether parts can be closed; and whether rows are linked to what they hold,
    which takes a page of their own."""

    budget: int
    details: bool = True
    anchors: str = ""

    def anchor(self, row: Row) -> str:
        """The name of what a row holds, within the page; empty where there is none."""
        return f"hnb-{self.anchors}{row.key}" if self.anchors and row.sections and row.key else ""


def ledger_html(shown: Ledger, frame: Frame) -> Markup:
    """The whole of it."""
    head = Markup(header(shown), answer(shown)) if shown.ended else Markup()
    table, used = tabled(shown.rows, frame, min(frame.budget * 3 // 5, frame.budget - len(head) - 4000))
    opened = details(shown, frame, frame.budget - 2000 - len(head) - used)
    return Markup(head, table, *opened)


def header(shown: Ledger) -> Markup:
    """How the run ended, and its counts."""
    ended = element("b", f"{shown.glyph} {shown.ended}")
    return paragraph(*facts([ended, *(value(name) for name in shown.names), *map(fact, shown.facts)]))


def answer(shown: Ledger) -> Markup:
    """The answer, or the failure and its hint, or why there is no answer."""
    said = Markup()
    if shown.answer is not None:
        lines = element("blockquote", *lined(shown.answer.text), style=STYLES["answer"])
        said = Markup(paragraph(element("b", "answer"), style="label"), lines, mark(shown.answer))
    if shown.error:
        cause, *others = (value(part) for part in shown.error)
        told = paragraph(element("b", "error"), element("br"), element("b", element("code", cause)))
        return Markup(said, told, *(paragraph(other) for other in others))
    return said if shown.answer is not None or not shown.note else paragraph(shown.note)


def tabled(rows: Sequence[Row], frame: Frame, budget: int) -> tuple[Markup, int]:
    """The rows, as many as there is room for, as a table; and its bytes."""
    if not rows:
        return Markup(), 0
    drawn = [table_row(row, frame) for row in rows]
    body = Markup(*drawn)
    used = len(body)
    if used > budget:
        body = cut_short(drawn, frame, budget)
        used = len(body)
    return grid(COLUMNS, [body]), used + TITLES


def cut_short(drawn: Sequence[Markup], frame: Frame, budget: int) -> Markup:
    """As many rows as there is room for, and one that says how many more there are."""
    kept = bisect_right(list(accumulate(map(len, drawn))), budget)
    rest = Row(who="cut", gist=f"cut here: {counted(len(drawn) - kept, 'row')} more")
    return Markup(*drawn[:kept], table_row(rest, frame))


def table_row(row: Row, frame: Frame) -> Markup:
    """A row of the ledger; those without status and numbers run over the columns of these."""
    if row.who == "cut":
        return WIDE[False](row.turn, "", row.gist)
    if not (row.status or row.time or row.tokens):
        return WIDE[row.failed](row.turn, BOLD(row.who) if row.who == "user" else row.who, what(row, frame))
    time = hard(row.time)
    if row.text is not None or row.more or frame.anchors or not row.gist or (row.problem and not row.name):
        return formed(GAP, row.who, row.glyph, row.status)(row.turn, what(row, frame), time, row.tokens)
    if row.problem:
        drawn = formed(FAILED, row.who, row.glyph, row.status)
        return drawn(row.turn, row.name, row.gist, row.problem, time, row.tokens)
    if row.name:
        return formed(NAMED, row.who, row.glyph, row.status)(row.turn, row.name, row.gist, time, row.tokens)
    return formed(TOLD, row.who, row.glyph, row.status)(row.turn, row.gist, time, row.tokens)


@lru_cache(maxsize=512)
def formed(what: Markup | str, who: Who, glyph: str, word: str) -> Form:
    """A row of all columns, with gaps for its numbers and in this `what`; it is made once, as there are few kinds."""
    status, wrong = hard(f"{glyph} {word}".strip()), glyph == "✗"
    return form(
        line(
            cell("turn", GAP),
            cell("who", BOLD(who) if who == "user" else who),
            cell("what", what),
            cell("long" if wrong and len(word) > WIDEST else "status", BOLD(status) if wrong else status),
            cell("time", GAP),
            cell("tokens", GAP),
            wrong=wrong,
        )
    )


def what(row: Row, frame: Frame) -> Markup:
    """What happened in a row, and an error's first line."""
    if row.text is not None:
        cut = Markup(element("br"), row.text.mark) if row.text.mark else ""
        return Markup(*lined(row.text.text), cut)
    if row.name:
        gist = CALL(row.name, row.gist) if row.gist else CODE(BOLD(value(row.name)))
    else:
        gist = Markup(value(row.gist), f" {row.more}") if row.more else value(row.gist)
    anchor = frame.anchor(row)
    gist = element("a", gist, href=f"#{anchor}") if anchor else gist
    return Markup(gist, element("br"), element("b", value(row.problem))) if row.problem else gist


def details(shown: Ledger, frame: Frame, budget: int) -> Iterator[Markup]:
    """The rows that hold more, opened where they failed first, as many as there is room for."""
    holding = [row for row in shown.rows if row.sections]
    if holding and shown.ended:
        yield paragraph(element("b", "in full"))
    used, errors, alone = 0, 0, not shown.ended and len(shown.rows) == 1
    for number, row in enumerate(holding):
        errors += row.failed
        drawn = detail(row, frame, opened=alone or (row.failed and errors <= OPEN_ERRORS))
        used += len(drawn)
        if used > budget:
            yield paragraph(f"cut here: {counted(len(holding) - number, 'opened row')} more")
            return
        yield drawn


def detail(row: Row, frame: Frame, *, opened: bool) -> Markup:
    """A row, opened: a summary, then each part under its label."""
    status = f" {row.glyph} {row.status}" if row.status else ""
    parts = [part for section in row.sections for part in section_html(section)]
    told = row.summary
    summary = SUMMED(row.title, status, told) if told else TITLED(row.title, status)
    anchor = frame.anchor(row)
    # A browser that goes to something within a closed part opens it.
    inner = [element("div", *parts, id=anchor)] if anchor else parts
    return folded(summary, inner, opened=opened, details=frame.details)


def section_html(section: Section) -> Iterator[Markup]:
    """A label, the text, tokens or picture, and the cut mark."""
    shown = section.shown
    if section.label and shown.text and not (section.prose or shown.colours):
        yield TEXT(section.label, shown.text)
    else:
        yield from parts_of(section)
    if section.strip is not None:
        yield from strip_html(section.strip)
    picture = section.picture
    if picture is not None and picture.data:
        yield element(
            "img",
            src=f"data:image/{picture.kind};base64,{picture.data}",
            alt=picture.told,
            width=str(picture.width),
            height=str(picture.height),
            style=STYLES["picture"],
        )
    if shown.characters:
        yield mark(shown)


def parts_of(section: Section) -> Iterator[Markup]:
    """The label and the text of a section, whichever there are."""
    if section.label:
        yield LABEL(section.label)
    if section.prose:
        yield element("blockquote", *lined(section.shown.text), style=STYLES["prose"])
    elif section.shown.text:
        yield boxed(section.shown)
