"""Many runs, their errors, and two runs beside each other, as lines of text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from hermes_nb.views.plain.ledgers import headed, mark_line, section_lines
from hermes_nb.views.plain.lines import columns, fitted, indented, padded, wrapped
from hermes_nb.views.rows import Comparison, Errors, Table
from hermes_nb.views.rows.compared import Pair, Piece, Side
from hermes_nb.views.rows.errors import Group
from hermes_nb.views.rows.many import RunRow
from hermes_nb.views.rows.words import UNKNOWN

MOST_RUNS, MOST_DIFFS = 60, 3
TASK = 24


def runs_lines(shown: Table, width: int) -> Iterator[str]:
    """A header, and a line for each run."""
    yield from headed(" · ".join([shown.title, *shown.names]), width)
    yield from headed(" · ".join(shown.facts), width)
    if not shown.rows:
        return
    yield "─" * width
    rows = shown.rows[:MOST_RUNS]
    task = min(max(13, *(columns(row.title) for row in rows)), TASK)
    ended = max(columns(f"{row.glyph} {row.ended}") for row in rows)
    timed = any(row.time != UNKNOWN for row in rows)
    heads = ["turns", "calls", "errors", "tokens", *(["time"] if timed else []), *shown.scores]
    sizes = [5, 5, 6, 6, *([7] if timed else []), *(max(columns(name), 5) for name in shown.scores)]
    numbers = " ".join(f"{head:>{size}}" for head, size in zip(heads, sizes, strict=True))
    yield fitted(f"{padded('task, attempt', task)} {padded('ended', ended)} {numbers}  first error", width)
    for row in rows:
        left = f"{padded(fitted(row.title, task), task)} {padded(f'{row.glyph} {row.ended}', ended)}"
        numbers = " ".join(right(one, size) for one, size in zip(told(row, timed), sizes, strict=True))
        yield fitted(f"{left} {numbers}  {row.problem}".rstrip(), width)
    hidden = shown.more + len(shown.rows) - len(rows)
    if hidden:
        yield mark_line(f"cut here: {hidden} {'run' if hidden == 1 else 'runs'} more", "")


def told(row: RunRow, timed: bool) -> list[str]:
    """The numbers of a run; its time, where that of any is known."""
    errors = f"✗ {row.errors}" if row.errors else "0"
    return [str(row.turns), str(row.calls), errors, row.tokens, *([row.time] if timed else []), *row.scores]


def right(text: str, room: int) -> str:
    """The text at the right end of its column."""
    return " " * max(room - columns(text), 0) + text


# Errors


def errors_lines(shown: Errors, width: int) -> Iterator[str]:
    """A header, a line for each group, and the first error of each."""
    yield from headed(" · ".join(filter(None, [shown.title, shown.where])), width)
    yield from headed(" · ".join(shown.facts), width)
    for group in shown.groups:
        yield "─" * width
        yield from group_lines(group, width)
    if shown.mark:
        yield mark_line(shown.mark, "")


def group_lines(group: Group, width: int) -> Iterator[str]:
    """What a group says, and its first error in full."""
    runs = f"{group.runs} {'run' if group.runs == 1 else 'runs'}"
    yield from headed(f"✗ {group.count} in {runs} · {group.tool} · kind {group.kind}, fault {group.fault}", width)
    yield from indented(wrapped(group.said, width - 13)[:2], " " * 11 + "│ ")
    yield from indented(wrapped(f"next: {group.next}", width - 11), " " * 11)
    for example in group.examples[:1]:
        yield from indented(wrapped(example.title, width - 5), " " * 5)
        for section in example.sections:
            yield from section_lines(section, width)
        first, *others = [line for step in example.then for line in wrapped(step, width - 10)]
        yield from [f"     then {first}".rstrip(), *indented(others, " " * 10)]


# Two runs


def compared_lines(shown: Comparison, width: int) -> Iterator[str]:
    """The first difference as a sentence, the two runs, every pair in order, and the first pairs in words."""
    yield from headed(f"{shown.title} · {shown.sentence}", width)
    yield from headed(f"A {shown.a}", width)
    yield from headed(f"B {shown.b}", width)
    yield from headed(" · ".join(shown.facts), width)
    yield "─" * width
    half = (width - 3) // 2
    for index, pair in enumerate(shown.pairs):
        yield from pair_lines(pair, half, first=index == shown.first)
    if shown.mark:
        yield mark_line(shown.mark, "")
    yield from diff_lines(shown, width)


def pair_lines(pair: Pair, half: int, *, first: bool) -> Iterator[str]:
    """One pair beside each other; the first difference is marked where it stands."""
    missing = "no such turn" if pair.side.prose else "no such call"
    left, right_side = ([*side_lines(side, half)] if side else [f"     {missing}"] for side in (pair.a, pair.b))
    height = max(len(left), len(right_side))
    for number in range(height):
        one, other = (lines[number] if number < len(lines) else "" for lines in (left, right_side))
        sign = pair.sign if number == 0 else " "
        yield f"{sign} {padded(fitted(one, half), half)} {fitted(other, half)}".rstrip()
    if first:
        yield "       ↑ first difference"


def side_lines(side: Side, half: int) -> Iterator[str]:
    """A call or a reply of one run, and its error under it."""
    status = f" {side.glyph} {side.status}" if side.status else ""
    room = half - 5 - columns(status)
    yield f"{side.turn:>4} {padded(fitted(f'{side.name} {side.gist}'.strip(), room), room)}{status}"
    if side.problem:
        yield f"     │ {side.problem}"


def diff_lines(shown: Comparison, width: int) -> Iterator[str]:
    """The first pairs that differ, word by word: those around the first difference come first."""
    differing = [(index, pair) for index, pair in enumerate(shown.pairs) if pair.a_words or pair.b_words]
    differing.sort(key=lambda item: item[0] < (shown.first or 0))
    for _, pair in differing[:MOST_DIFFS]:
        turns = " and ".join(str(side.turn) for side in (pair.a, pair.b) if side)
        yield "─" * width
        yield from headed(f"≠ turns {turns} · {pair.side.name or 'model'} · {pair.label}", width)
        for name, words in (("A", pair.a_words), ("B", pair.b_words)):
            yield from behind(f"{name} │ ", diffed(words), width)
    if len(differing) > MOST_DIFFS:
        yield mark_line(f"cut here: {len(differing) - MOST_DIFFS} differences more", "")


def behind(start: str, text: str, width: int) -> Iterator[str]:
    """A text behind a bar, its first line named."""
    lines: Sequence[str] = wrapped(text, width - len(start))
    for number, line in enumerate(lines):
        yield f"{start if number == 0 else '  │ '}{line}".rstrip()


def diffed(words: Iterable[Piece]) -> str:
    """A text, its own words between brackets with a sign."""
    return "".join(piece.text if piece.sign == "=" else f"[{piece.sign} {piece.text}]" for piece in words)
