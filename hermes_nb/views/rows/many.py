"""Many runs as a table: one row each, and above it what they come to together."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from hermes_nb.records import AgentResult
from hermes_nb.views.rows import words
from hermes_nb.views.rows.entries import Ledger
from hermes_nb.views.rows.legible import Lens, counted
from hermes_nb.views.rows.runs import ledger, model_of

Order = Literal["errors", "turns", "calls", "seconds", "given"]
"""What many runs are sorted by: the most first; `given` leaves them as they came."""

MOST_RUNS = 200
OPENED_ROWS = 60
MOST_SCORES = 3
NAMED = 3
PROBLEM = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """One run in a line. `share` is its part of the most turns of any run, from 0 to 1; `index` its place as given."""

    index: int
    task: str
    attempt: str
    glyph: str
    ended: str
    turns: int
    share: float
    calls: int
    errors: int
    tokens: str
    time: str
    scores: tuple[str, ...] = ()
    problem: str = ""

    @property
    def failed(self) -> bool:
        """Whether the run ended in a failure."""
        return self.glyph == "✗"

    @property
    def title(self) -> str:
        """`airline 15 · 1`: the item and the attempt."""
        return f"{self.task} · {self.attempt}" if self.attempt else self.task


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Many runs: how many, of what, what they come to, the names of their scores, the rows, and how many more.

    `ledgers` are the runs of the first rows, as they look when they are opened.
    """

    title: str
    names: tuple[str, ...]
    facts: tuple[str, ...]
    scores: tuple[str, ...]
    rows: tuple[RunRow, ...]
    more: int = 0
    ledgers: tuple[Ledger, ...] = ()

    @property
    def mark(self) -> str:
        """The words that say how many runs have no row; empty where all have."""
        return f"cut here: {counted(self.more, 'run')} more" if self.more else ""

    def __repr__(self) -> str:
        return f"Table({self.title})"


def table(
    results: Sequence[AgentResult], lens: Lens, *, by: Order = "errors", most: int = MOST_RUNS, opened: int = 0
) -> Table:
    """The runs as a table, the first `most` of them in that order, and the first `opened` with their rows."""
    names = score_names(results)
    longest = max((result.turns_used for result in results), default=0)
    order = sorted(range(len(results)), key=lambda index: -measure(results[index], by))
    return Table(
        title=counted(len(results), "run"),
        names=together(results, lens),
        facts=facts(results, names, lens),
        scores=tuple(lens.gist(name, 24) for name in names),
        rows=tuple(row(index, results[index], lens, names, longest) for index in order[:most]),
        more=max(len(results) - most, 0),
        ledgers=tuple(
            ledger(results[index], lens=lens, opened=(), most=OPENED_ROWS) for index in order[: min(opened, most)]
        ),
    )


def checked_order(by: Order) -> Order:
    """The order itself.

    Raises:
        ValueError: there is no such order.
    """
    if by not in get_args(Order):
        raise ValueError(f"runs are sorted by one of {', '.join(get_args(Order))}; not by {by!r}")
    return by


def measure(result: AgentResult, by: Order) -> float:
    """The number that runs are sorted by."""
    measures = {
        "errors": len(result.tool_errors),
        "turns": result.turns_used,
        "calls": len(result.calls),
        "seconds": result.seconds,
    }
    return measures.get(by, 0)


def row(index: int, result: AgentResult, lens: Lens, names: Sequence[str], longest: int) -> RunRow:
    """One run."""
    glyph, ended = words.ending(result)
    errors = result.tool_errors
    first = result.error.message if result.error else errors[0].error if errors else ""
    return RunRow(
        index=index,
        task=lens.gist(result.task) if result.task is not None else f"run {index}",
        attempt=str(result.attempt) if result.task is not None else "",
        glyph=glyph,
        ended=ended,
        turns=result.turns_used,
        share=result.turns_used / longest if longest else 0.0,
        calls=len(result.calls),
        errors=len(errors),
        tokens=words.tokens_out(result).split()[0] if result.turns else words.UNKNOWN,
        time=words.duration(result.seconds),
        scores=tuple(score(result.scores.get(name)) for name in names),
        problem=lens.line(first, PROBLEM) if first else "",
    )


def together(results: Sequence[AgentResult], lens: Lens) -> tuple[str, ...]:
    """The models, and how many items there are, and how often each was tried where all were as often."""
    models = list(dict.fromkeys(filter(None, (model_of(result, lens) for result in results))))
    tasks = Counter(result.task for result in results if result.task is not None)
    told = models[:NAMED] + ([f"{len(models) - NAMED} models more"] if len(models) > NAMED else [])
    if tasks:
        times = set(tasks.values())
        each = f" × {times.pop()}" if len(times) == 1 and times != {1} else ""
        told.append(f"{counted(len(tasks), 'task')}{each}")
    return tuple(told)


def facts(results: Sequence[AgentResult], names: Sequence[str], lens: Lens) -> tuple[str, ...]:
    """How the runs ended, their mean scores, calls, and errors."""
    ended = Counter(words.ending(result)[1] for result in results)
    told = [f"{number} {word}" for word, number in ended.most_common()]
    for name in names:
        numbers = [value for result in results if (value := number_of(result.scores.get(name))) is not None]
        if numbers:
            told.append(f"{lens.gist(name, 24)} mean {rounded(sum(numbers) / len(numbers))}")
    told.append(counted(sum(len(result.calls) for result in results), "call"))
    errors = [len(result.tool_errors) for result in results]
    wrong = f" in {counted(sum(map(bool, errors)), 'run')}" if any(errors) else ""
    return (*told, f"{'✗ ' if any(errors) else ''}{counted(sum(errors), 'error')}{wrong}")


def score_names(results: Sequence[AgentResult]) -> list[str]:
    """The first few scores that any run has."""
    return [str(name) for name in dict.fromkeys(name for result in results for name in result.scores)][:MOST_SCORES]


def number_of(value: Any) -> float | None:
    """A score as a number; None for what is none, and for what is not finite."""
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def score(value: Any) -> str:
    """A score as it stands in its column; unknown is `–`."""
    number = number_of(value)
    return words.UNKNOWN if number is None else rounded(number)


def rounded(number: float) -> str:
    """`1`, `0.54`."""
    return f"{number:.2f}".rstrip("0").rstrip(".") if abs(number) < 1e6 else f"{number:.3g}"
