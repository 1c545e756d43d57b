"""The window on many runs: an anywidget that is told how each of them stands. Sorting happens in the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.resources import files
from typing import Any

try:
    import anywidget
except ModuleNotFoundError as error:
    from hermes_nb.exceptions import MissingDependency

    raise MissingDependency("the live table of runs", "lab") from error

from hermes_nb.records import AgentResult
from hermes_nb.redact import Redactor
from hermes_nb.views.rows import Lens, table
from hermes_nb.views.rows.many import RunRow, number_of
from hermes_nb.views.run.requests import Close, Open, Rows, heard

STATIC = files("hermes_nb.views") / "static"
OPENED_TURNS = 30


class RunsView(anywidget.AnyWidget):
    """A table of these runs as they stand, brought up to date by `tell`. `opened` draws one of them as text, whole or
    some of its turns."""

    _esm = (STATIC / "runs.js").read_text(encoding="utf-8")
    _css = "\n".join((STATIC / name).read_text(encoding="utf-8") for name in ("run.css", "runs.css"))

    def __init__(
        self, told: Callable[[], Sequence[AgentResult]], opened: Callable[[AgentResult, range | None], str]
    ) -> None:
        self._told, self._opened = told, opened
        self._known: dict[str, dict[str, Any]] | None = None
        super().__init__()
        self.on_msg(self._hear)

    @property
    def watched(self) -> bool:
        """Whether a window has asked for the rows."""
        return self._known is not None

    def tell(self) -> None:
        """Send the rows that have changed, and the header, once a window has asked for them."""
        if self._known is not None:
            self._send_rows("more", self._known)

    def _send_rows(self, kind: str, known: dict[str, dict[str, Any]]) -> None:
        results = self._told()
        drawn = table(results, Lens(Redactor()), by="given")
        rows = [packed(row, results[row.index], drawn.scores) for row in drawn.rows]
        self._known = {row["i"]: row for row in rows}
        facts = [*drawn.facts, *([drawn.mark] if drawn.mark else [])]
        head = {"title": drawn.title, "names": drawn.names, "facts": facts, "scores": drawn.scores}
        self.send({"do": kind, "head": head, "rows": [row for row in rows if known.get(row["i"]) != row]})

    def _hear(self, _: Any, content: object, __: Any) -> None:
        match heard(content):
            case Rows():
                self._send_rows("all", {})
            case Open(name) if name.isdecimal() and int(name) < len(results := self._told()):
                one = results[int(name)]
                turns = range(1, OPENED_TURNS + 1) if one.turns_used > OPENED_TURNS else None
                self.send({"do": "body", "id": name, "parts": [{"text": self._opened(one, turns)}]})
            case Close():
                self.close()
            case _:
                pass

    def close(self) -> None:
        """Close the window wherever it is shown; the runs go on."""
        layout = self.layout
        super().close()
        layout.close()

    def __repr__(self) -> str:
        return f"RunsView({len(self._told())} runs)"


def packed(row: RunRow, result: AgentResult, scores: Sequence[str]) -> dict[str, Any]:
    """A row as it is drawn, `c`, and what each of its columns is sorted by, `by`; null is unknown, and comes last."""
    tokens = [turn.reply.usage.completion for turn in result.turns if turn.reply]
    known = [number for number in tokens if number is not None]
    numbers = [number_of(value) for value in list(result.scores.values())[: len(scores)]]
    return {
        "i": str(row.index),
        "s": [row.glyph, row.ended],
        "c": [row.title, row.ended, str(row.turns), str(row.calls), f"✗ {row.errors}" if row.errors else "0",
              row.tokens, row.time, *row.scores, row.problem],
        "by": [row.title, row.ended, row.turns, row.calls, row.errors, sum(known) if known else None,
               round(result.seconds, 3), *numbers, row.problem or None],
    }  # fmt: skip
