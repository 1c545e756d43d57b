"""What several parsers make of the same texts, as Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from hermes_nb.views.marked.escaping import fenced, prose
from hermes_nb.views.marked.tables import table
from hermes_nb.views.rows import Reparsed
from hermes_nb.views.rows.parsed import Excerpt, Sheet

TOTALS = [("parser", "left"), ("texts with calls", "right"), ("calls", "right"), ("problems", "right")]
COLUMNS = [("parser", "left"), ("verdict", "left"), ("what or why", "left"), ("where it failed", "left")]


def parsed_blocks(shown: Reparsed, room: int) -> Iterator[str]:
    """A header, the totals of several texts, and each text with a row for every parser."""
    yield " · ".join([f"<b>{prose(shown.title)}</b>", *map(prose, shown.facts)])
    if shown.totals:
        lines = [[f"<b>{prose(one.parser)}</b>", str(one.texts), str(one.calls), str(one.problems)]
                 for one in shown.totals]  # fmt: skip
        yield table(TOTALS, lines, "parser", room // 4)
    for sheet in shown.sheets:
        if shown.totals:
            yield f"<b>{prose(sheet.title)}</b>"
        yield from sheet_blocks(sheet, room // 2)
    if shown.mark:
        yield shown.mark


def sheet_blocks(sheet: Sheet, room: int) -> Iterator[str]:
    """The text, and what each parser made of it."""
    if sheet.text.text:
        yield fenced(sheet.text.text)
    if sheet.text.mark:
        yield sheet.text.mark
    lines = [
        [f"<b>{prose(one.parser)}</b>", told(f"{one.glyph} {one.status}", wrong=one.failed), prose(one.why),
         marked(one.excerpt)]
        for one in sheet.lines
    ]  # fmt: skip
    yield table(COLUMNS, lines, "parser", room)
    if sheet.mark:
        yield sheet.mark


def told(status: str, *, wrong: bool) -> str:
    """A verdict; one that failed stands out."""
    shown = status.replace(" ", "&nbsp;")
    return f"**{shown}**" if wrong else shown


def marked(excerpt: Excerpt | None) -> str:
    """A piece of the text with the character in it."""
    if excerpt is None:
        return ""
    before, at, after = (edged(one) for one in (excerpt.before, excerpt.at, excerpt.after))
    return f"<code>{before}<ins><b>{at}</b></ins>{after}</code>"


def edged(text: str) -> str:
    """A text whose blanks at its ends stay."""
    inner = text.strip()
    if not inner:
        return "&nbsp;" * len(text)
    left, right = (len(text) - len(text.lstrip()), len(text) - len(text.rstrip()))
    return f"{'&nbsp;' * left}{prose(inner)}{'&nbsp;' * right}"
