"""Draws what `rows` decided as Markdown, for a pull request or a comment: tables, and parts that can be closed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from hermes_nb.views.marked.escaping import code, fenced, prose, quote
from hermes_nb.views.marked.parsed import parsed_blocks
from hermes_nb.views.marked.strips import strip_blocks
from hermes_nb.views.marked.tables import table
from hermes_nb.views.rows import (
    Comparison,
    Errors,
    Explained,
    Ledger,
    Record,
    Reparsed,
    Row,
    Section,
    Shown,
    Table,
    counted,
)
from hermes_nb.views.rows.compared import Piece, Side

__all__ = ["markdown"]

BUDGET = 60_000
"""The most characters: GitHub takes no longer comment than 65,536."""

OPEN = 3


def markdown(shown: Record, *, details: bool = True) -> str:
    """At most about 60,000 characters; without `details`, with nothing that can be closed."""
    if isinstance(shown, Ledger):
        return "\n\n".join(ledger_blocks(shown, details))
    if isinstance(shown, Table):
        return "\n\n".join(runs_blocks(shown))
    if isinstance(shown, Explained):
        return "\n\n".join(bounded(explained_blocks(shown), BUDGET - 4000, "part", 2 + 4 * len(shown.steps)))
    if isinstance(shown, Reparsed):
        return "\n\n".join(bounded(parsed_blocks(shown, BUDGET), BUDGET - 4000, "part", 2 + 3 * len(shown.sheets)))
    drawn = errors_blocks(shown, details) if isinstance(shown, Errors) else compared_blocks(shown, details)
    return "\n\n".join(drawn)


def bounded(blocks: Iterable[str], budget: int, noun: str, total: int) -> Iterator[str]:
    """As many blocks as there is room for, and how many more there are."""
    used = 0
    for number, block in enumerate(blocks):
        used += len(block)
        if used > budget:
            yield f"cut here: {counted(total - number, noun)} more"
            return
        yield block


def folded(summary: str, blocks: Iterable[str], *, opened: bool, details: bool) -> str:
    """Blocks under a summary, that can be closed."""
    inner = "\n\n".join(blocks)
    if not details:
        return f"{summary}\n\n{inner}"
    return f"<details{' open' if opened else ''}><summary>{summary}</summary>\n\n{inner}\n\n</details>"


def bold(text: str) -> str:
    """A text that stands out, in a line or in a summary."""
    return f"<b>{prose(text)}</b>"


def fact(text: str) -> str:
    """A count of a header; errors stand out."""
    return bold(text) if text.startswith("✗") else prose(text)


# A run


def ledger_blocks(shown: Ledger, details: bool) -> Iterator[str]:
    """Header, answer, rows, and what rows hold."""
    if shown.ended:
        names = [prose(name) for name in shown.names]
        yield " · ".join([bold(f"{shown.glyph} {shown.ended}"), *names, *map(fact, shown.facts)])
        yield from answer_blocks(shown)
    if shown.rows:
        sides = ["right", "left", "left", "left", "right", "right"]
        heads = list(zip(["turn", "who", "what", "status", "time", "tokens"], sides, strict=True))
        yield table(heads, [row_cells(row) for row in shown.rows], "row", BUDGET // 2)
    holding = [row for row in shown.rows if row.sections]
    wrong = [row for row in holding if row.failed][:OPEN]
    alone = not shown.ended and len(shown.rows) == 1
    drawn = (row_block(row, alone or any(row is one for one in wrong), details) for row in holding)
    yield from bounded(drawn, BUDGET // 2 - 4000, "opened row", len(holding))


def answer_blocks(shown: Ledger) -> Iterator[str]:
    """The answer, or the failure and its hint, or why there is no answer."""
    if shown.answer is not None:
        yield "**answer**"
        yield from answer_within(shown.answer, BUDGET // 8)
    for number, told in enumerate(shown.error):
        yield f"**error** {code(told)}" if number == 0 else prose(told)
    if shown.answer is None and not shown.error and shown.note:
        yield prose(shown.note)


def answer_within(shown: Shown, room: int) -> Iterator[str]:
    """As much of the answer as there is room for, and how much more there is."""
    text = shown.text
    while len(quote(text)) > room:
        text = text[: len(text) * 3 // 4]
    yield quote(text)
    more = len(shown.text) - len(text) + shown.characters
    if more:
        yield f"cut here: {counted(more, 'character')} more"


def row_cells(row: Row) -> list[str]:
    """A row of the ledger."""
    if row.who == "cut":
        return ["", "", row.gist, "", "", ""]
    if row.text is not None:
        told = "<br>".join(filter(None, [prose(row.text.text), row.text.mark]))
    elif row.name:
        told = f"<code><b>{prose(row.name)}</b></code> {code(row.gist)}".strip()
    else:
        told = f"{prose(row.gist)} {row.more}".strip()
    told += f"<br>{bold(row.problem)}" if row.problem else ""
    status = f"{row.glyph} {row.status}".strip().replace(" ", "&nbsp;")
    who = f"**{row.who}**" if row.who == "user" else row.who
    return [row.turn, who, told, f"**{status}**" if row.failed else status, row.time.replace(" ", "&nbsp;"), row.tokens]


def row_block(row: Row, opened: bool, details: bool) -> str:
    """A row, opened."""
    told = f" · {prose(row.summary)}" if row.summary else ""
    summary = f"{bold(row.title)} {row.glyph} {row.status}".rstrip() + told
    blocks = chain.from_iterable(section_blocks(section) for section in row.sections)
    return folded(summary, blocks, opened=opened, details=details)


def section_blocks(section: Section) -> Iterator[str]:
    """A label, the text, and outside its block the cut mark."""
    if section.label:
        yield prose(section.label)
    if section.shown.text:
        yield quote(section.shown.text) if section.prose else fenced(section.shown.text)
    if section.strip is not None:
        yield from strip_blocks(section.strip)
    if section.shown.mark:
        yield section.shown.mark


# Many runs


def runs_blocks(shown: Table) -> Iterator[str]:
    """A header, and the table of runs."""
    yield " · ".join([bold(shown.title), *map(prose, shown.names), *map(fact, shown.facts)])
    names = ["task, attempt", "ended", "turns", "calls", "errors", "tokens", "time", *map(prose, shown.scores)]
    heads = [(name, "left" if number < 2 else "right") for number, name in enumerate(names)]
    lines = [
        [
            f"{bold(row.task)}{f' · {row.attempt}' if row.attempt else ''}",
            f"{row.glyph} {row.ended}".replace(" ", "&nbsp;"),
            str(row.turns),
            str(row.calls),
            f"**✗&nbsp;{row.errors}**" if row.errors else "0",
            row.tokens,
            row.time.replace(" ", "&nbsp;"),
            *row.scores,
            code(row.problem),
        ]
        for row in shown.rows
    ]
    if lines:
        yield table([*heads, ("first error", "left")], lines, "run", BUDGET - 4000)
    if shown.mark:
        yield shown.mark


# Errors


def errors_blocks(shown: Errors, details: bool) -> Iterator[str]:
    """The groups as a table, and each with its examples."""
    yield " · ".join([bold(shown.title), *filter(None, [prose(shown.where)]), *map(fact, shown.facts)])
    heads = [("count", "right"), ("runs", "right"), ("tool", "left"), ("what it said, numbers folded to …", "left"),
             ("what the model did next", "left")]  # fmt: skip
    lines = [
        [f"**{one.count}**", str(one.runs), f"<b>{code(one.tool)}</b>",
         f"{code(one.said)}<br>kind {one.kind}, fault {one.fault}", prose(one.next)]
        for one in shown.groups
    ]  # fmt: skip
    if lines:
        yield table(heads, lines, "group", BUDGET // 2)
    if shown.mark:
        yield shown.mark
    examples = [(group, one) for group in shown.groups for one in group.examples]
    drawn = (
        folded(
            f"<b>{code(group.tool)}</b> · {prose(one.title)}",
            [
                *chain.from_iterable(section_blocks(section) for section in one.sections),
                f"**then** {'<br>'.join(map(prose, one.then))}",
            ],
            opened=number < OPEN,
            details=details,
        )
        for number, (group, one) in enumerate(examples)
    )
    yield from bounded(drawn, BUDGET // 2 - 4000, "error", len(examples))


# Two runs


def compared_blocks(shown: Comparison, details: bool) -> Iterator[str]:
    """The first difference as a sentence, the two runs, every pair in order, and the differences in words."""
    yield f"{bold(shown.title)} · {prose(shown.sentence)}"
    yield f"**A** {prose(shown.a)}<br>**B** {prose(shown.b)}"
    yield " · ".join(shown.facts)
    lines = []
    for number, pair in enumerate(shown.pairs):
        missing = "no such turn" if pair.side.prose else "no such call"
        cells = [f"**{pair.sign}**"]
        for side in (pair.a, pair.b):
            here = "<br>**first difference**" if number == shown.first and side is pair.side else ""
            cells += [str(side.turn) if side else "", (side_cell(side) if side else missing) + here]
        lines.append(cells)
    if lines:
        heads = [(" ", "left"), ("turn", "right"), ("A", "left"), ("turn", "right"), ("B", "left")]
        yield table(heads, lines, "line", BUDGET // 2)
    if shown.mark:
        yield shown.mark
    differing = [(number, pair) for number, pair in enumerate(shown.pairs) if pair.a_words or pair.b_words]
    first = next((number for number, _ in differing if number >= (shown.first or 0)), None)
    drawn = (
        folded(
            f"<b>≠ {prose(pair.side.name or 'model')}</b> · turn {pair.side.turn} · {pair.label}",
            [f"A<br>{diffed(pair.a_words)}", f"B<br>{diffed(pair.b_words)}"],
            opened=number == first,
            details=details,
        )
        for number, pair in differing
    )
    yield from bounded(drawn, BUDGET // 2 - 4000, "difference", len(differing))


def side_cell(side: Side) -> str:
    """A call or a reply of one run."""
    if side.prose:
        return prose(side.gist)
    status = f"{side.glyph}&nbsp;{side.status}"
    told = f"<code><b>{prose(side.name)}</b></code> {code(side.gist)} {f'**{status}**' if side.failed else status}"
    return f"{told}<br>{bold(side.problem)}" if side.problem else told


def diffed(words: Iterable[Piece]) -> str:
    """A text, its own words between brackets with a sign."""
    told = (prose(one.text) if one.sign == "=" else f"<b>&#91;{one.sign} {prose(one.text)}&#93;</b>" for one in words)
    return " ".join(told)


# One call


def explained_blocks(shown: Explained) -> Iterator[str]:
    """The call, and its steps."""
    yield bold(shown.title)
    if shown.note:
        yield prose(shown.note)
    for number, step in enumerate(shown.steps, 1):
        yield f"{bold(f'{number}. {step.name} {step.glyph}'.rstrip())}<br>{prose(step.told)}"
        for section in step.sections:
            yield from section_blocks(section)
