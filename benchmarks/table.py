"""The rows of the table, what each is to reach, and how rounds become its cells."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from benchmarks.experiments import Cost, Round

Rounds = Sequence[Round]
HEAD = ("work", "bare", "floor", "ours", "goal", "met?")


@dataclass(frozen=True)
class Row:
    """One line of the table.

    `value` takes the figure out of a system's costs. `compared` says what stands in a cell: the `ratio` to the bare
    client's figure in the same round, what is `above` the bare client's, or the figure `itself`. `columns` names the
    system of a column where it is another than the column says, and `against` the one to compare with, where it is
    not the bare client: then only ours has a figure.
    """

    experiment: str
    work: str
    value: Callable[[Cost], float | None]
    compared: Literal["ratio", "above", "itself"]
    goal: float
    at_least: bool = False
    unit: str = ""
    columns: dict[str, str] = field(default_factory=dict)
    against: str = "bare"

    def figures(self, rounds: Rounds, column: str) -> list[float]:
        """The column's figure in every round that has it."""
        if self.against != "bare" and column != "ours":
            return []
        system = self.columns.get(column, column)
        return [figure for one in rounds if (figure := self._figure(one, system)) is not None]

    def _figure(self, costs: Round, system: str) -> float | None:
        own, bare = self._value(costs, system), self._value(costs, self.against)
        if own is None or self.compared == "itself" or (system == "bare" and self.compared == "above"):
            return own
        if not bare:
            return None
        return own / bare if self.compared == "ratio" else own - bare

    def _value(self, costs: Round, system: str) -> float | None:
        cost = costs.get(system)
        return None if cost is None or "failed" in cost or "skipped" in cost else self.value(cost)

    def met(self, rounds: Rounds) -> bool | None:
        """Whether the median reaches the goal; None where nothing was measured."""
        figures = self.figures(rounds, "ours")
        if not figures:
            return None
        middle = statistics.median(figures)
        return middle >= self.goal if self.at_least else middle <= self.goal

    def cell(self, rounds: Rounds, column: str) -> str:
        """The median, and the least and the most where there were several rounds."""
        figures = self.figures(rounds, column)
        if not figures:
            system = self.columns.get(column, column)
            return "failed" if any("failed" in one.get(system, {}) for one in rounds) else "-"
        sign = "+" if self.compared == "above" and column != "bare" else ""
        least, middle, most = (f"{figure:{sign}.3g}" for figure in _spread(figures))
        same = self.compared == "ratio" and column == "bare"
        return f"{middle}{self.unit}" if same or len(figures) == 1 else f"{middle}{self.unit} [{least}, {most}]"

    def aim(self) -> str:
        """The goal in words."""
        sign = "+" if self.compared == "above" else ""
        return f"{'≥' if self.at_least else '≤'} {sign}{self.goal:g}{self.unit}"


def _per_turn(cost: Cost) -> float:
    return float(cost["cpu"] / cost["turns"])


def _turns_a_second(cost: Cost) -> float:
    return float(cost["turns"] / cost["wall"])


JOURNAL: dict[str, Any] = {"columns": {"ours": "ours, journal"}, "against": "ours"}
APART = {"ours": "ours, apart"}
AIOHTTP = {"floor": "floor, aiohttp", "ours": "ours, aiohttp"}

ROWS = [
    Row("short", "1 loop, 20 turns x 1 call: CPU a turn", _per_turn, "ratio", 0.30),
    Row("short", "... with a journal, over without", _per_turn, "ratio", 1.15, **JOURNAL),
    Row("wide", "1 loop, 20 turns x 8 calls: CPU a turn", _per_turn, "ratio", 0.12),
    Row("wide", "... with a journal, over without", _per_turn, "ratio", 1.15, **JOURNAL),
    Row("long", "1 loop, 200 turns x 1 call: CPU a turn", _per_turn, "ratio", 0.06),
    Row("long", "... its last tenth over its first", lambda cost: cost["growth"], "itself", 2.5),
    Row("many", "200 loops at once, 10 turns x 2 calls: turns/s", _turns_a_second, "ratio", 2.5, at_least=True),
    Row("many", "... with the aiohttp transport", _turns_a_second, "ratio", 4, at_least=True, columns=AIOHTTP),
    Row("many", "... memory a loop", lambda cost: cost["memory"], "above", 40, unit=" KiB"),
    Row("blocking", "32 loops, 2 x 200 ms blocking tools: wall over ideal", lambda cost: cost["over_ideal"],
        "itself", 1.25),
    Row("stream", "1 answer of 300 streamed chunks: CPU a chunk", lambda cost: cost["cpu"] / cost["chunks"],
        "ratio", 0.40),
    Row("import", "import, of `import openai`", lambda cost: cost["cpu"], "ratio", 0.15),
    Row("calls", "a call on a thread, above a bare hop", lambda cost: cost["thread"], "above", 100, unit=" µs"),
    Row("frames", "journals of 100,000 messages as two tables: wall", lambda cost: cost["wall"], "ratio", 1.5),
    Row("frames", "... peak memory over the tables' own", lambda cost: cost["over_deep"], "itself", 2),
    Row("frames", "... each in a reading of its own: wall", lambda cost: cost["wall"], "ratio", 1.5, columns=APART),
    Row("frames-long", "journals of 1,000,000 messages: wall", lambda cost: cost["wall"], "ratio", 1.5),
    Row("frames-long", "... peak memory over the tables' own", lambda cost: cost["over_deep"], "itself", 2),
    Row("calls", "an async call, above a bare await", lambda cost: cost["async"], "above", 30, unit=" µs"),
    Row("views", "live view of 1,000 turns: CPU a turn, of telling all anew", lambda cost: cost["cpu"], "ratio", 0.01),
    Row("parsing", "a reply of 2 kB parsed, Hermes's format: of a turn's CPU",
        lambda cost: 100 * cost["hermes"] / cost["turn"], "itself", 5, unit=" %"),
    Row("parsing", "... the slowest format", lambda cost: 100 * cost["reply"] / cost["turn"], "itself", 5, unit=" %"),
    Row("parsing", "100 kB letter by letter, over the whole: worst format", lambda cost: cost["over"], "itself", 20),
    Row("parsing", "... a letter of 100 kB over one of 10 kB", lambda cost: cost["growth"], "itself", 1.5),
    Row("parsing", "... a letter of words or one string alone", lambda cost: cost["letter"], "itself", 2, unit=" µs"),
    Row("views", "... and what is sent of a turn", lambda cost: cost.get("bytes"), "itself", 1500, unit=" B"),
    Row("views", "... of what telling all anew sends", lambda cost: cost.get("bytes"), "ratio", 0.01),
    Row("pages", "static page of 1,000 turns: CPU, of joining what it shows", lambda cost: cost["cpu"], "ratio", 1.5),
    Row("pages", "... of joining all the run's texts", lambda cost: cost["cpu"], "ratio", 1.5, against="bare, whole"),
    Row("paint", "500 rows, all of them painted: time, of a bare <table>", lambda cost: cost["500"], "ratio", 3),
    Row("paint", "1,000 rows opened, 200 of them painted", lambda cost: cost["1000"], "ratio", 3),
    Row("paint", "5,000 rows opened, 200 of them painted", lambda cost: cost["5000"], "ratio", 4),
]  # fmt: skip

SHARED = ("short", "wide", "many", "blocking", "frames")
SHARED_ROWS = [row for row in ROWS if row.experiment in SHARED and not row.columns and "own" not in row.work]
"""The rows that peers are measured in."""


def goals(measured: dict[str, list[Round]]) -> str:
    """The table of what was measured beside what is to be reached."""
    told = {True: "yes", False: "NO", None: "-"}
    lines = [
        [row.work, *(row.cell(rounds, column) for column in HEAD[1:4]), row.aim(), told[row.met(rounds)]]
        for row in ROWS
        if (rounds := measured.get(row.experiment))
    ]
    return drawn([list(HEAD), *lines])


def side_by_side(measured: dict[str, list[Round]], systems: Sequence[str]) -> str:
    """The table of one column a row, one line a system."""
    rows = [row for row in SHARED_ROWS if row.experiment in measured]
    lines = [[system, *(row.cell(measured[row.experiment], system) for row in rows)] for system in systems]
    return drawn([["system", *(row.work for row in rows)], *lines])


def troubles(measured: dict[str, list[Round]]) -> list[str]:
    """What did not go as it should: systems that failed, and requests that were made more than once."""
    found = []
    for experiment, rounds in measured.items():
        for system, cost in (pair for one in rounds for pair in one.items()):
            if "failed" in cost:
                found.append(f"{system} failed at {experiment}: {cost['failed']}")
            elif "skipped" in cost:
                found.append(f"{experiment} was skipped: {cost['skipped']}")
            elif cost.get("requests", 0) != cost.get("turns", 0):
                found.append(f"{system} made {cost['requests']} requests for {cost['turns']} turns of {experiment}")
    return list(dict.fromkeys(found))


def drawn(lines: list[list[str]]) -> str:
    """A Markdown table, its columns lined up."""
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    lines = [lines[0], ["-" * width for width in widths], *lines[1:]]
    return "\n".join("| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in lines)


def _spread(figures: list[float]) -> tuple[float, float, float]:
    return min(figures), statistics.median(figures), max(figures)
