"""What runs look like: the answer first, then one row per event, in the same words in every form.

    views.text(result)             80 columns, for print and for notebooks that keep no HTML
    views.html(result)             a plain fragment, without script or style to depend on: what a saved notebook keeps
    views.markdown(result)         for a pull request or a comment
    views.save_html(result, path)  a page of its own, that works without a network

    views.errors(results)          the tool errors of one or many runs, those that are alike together
    views.compare(one, other)      two runs beside each other, the first difference first
    views.runs(results)            many runs as a table

    views.live(run)                a window on a run that goes on, or is over: the rows open in place
    views.play(path)               a journal, live once more, at any speed
    views.show(runs)               a run, live in this cell; of several, a table
    views.progress(runs)           awaits many runs, with a bar

The first four take a run, finished or not; a turn, a call, a call's result; a list of runs; what parsers make of a
text (`hn.parsers.verdicts`); and what the next three give. All of these show themselves. All forms say the same, cut
what is long and say so, and show untrusted text as text, without the secrets in it: `redactor` takes out those it was
made with, and keys by their shape (None: these alone). `results` are one run or an iterable of runs. The rooms
`plain`, `markup`, `marked` and `run` draw them from `rows`, where everything is decided that they say.
`before_call=views.ask` has tool calls wait for a person who looks at the live view.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from hermes_nb.display import Displayed

if TYPE_CHECKING:
    import os

    from hermes_nb.records import AgentResult, ToolCall
    from hermes_nb.redact import Redactor
    from hermes_nb.verdicts import Verdict
    from hermes_nb.views.rows import Ledger, Lens, Order, Record
    from hermes_nb.views.run.asking import Context
    from hermes_nb.views.run.feed import Source
    from hermes_nb.views.run.many import Held
    from hermes_nb.views.run.playing import Play
    from hermes_nb.views.run.widget import RunView

__all__ = [
    "View", "ask", "compare", "errors", "html", "live", "markdown", "play", "progress", "runs", "save_html",
    "show", "text",
]  # fmt: skip

Shown: TypeAlias = "Displayed | Iterable[AgentResult]"

OPENED_RUNS = 20


class View(Displayed):
    """Something to look at that several runs make together: it shows itself, and `views.text`, `html`, `markdown` and
    `save_html` take it. `record` is what it shows, as data."""

    __slots__ = ("_draw", "_redactor")

    def __init__(self, draw: Callable[[Lens], Record], redactor: Redactor | None = None) -> None:
        self._draw, self._redactor = draw, redactor

    @property
    def record(self) -> Record:
        """What it shows, ready to be drawn."""
        return self.drawn(None)

    def drawn(self, redactor: Redactor | None, **bounds: int) -> Record:
        """The record, without the secrets that the redactor knows: the given one, else the view's own."""
        from hermes_nb.redact import Redactor
        from hermes_nb.views.rows import Lens

        return self._draw(Lens(redactor or self._redactor or Redactor(), **bounds))

    def __str__(self) -> str:
        return text(self)

    def __repr__(self) -> str:
        return f"View({self.record!r})"


def text(
    shown: Shown,
    width: int = 80,
    *,
    turn: int | None = None,
    turns: Collection[int] | None = None,
    ascii: bool = False,
    redactor: Redactor | None = None,
) -> str:
    """What is shown as lines of at most `width` columns (from 60 on).

    With `turn`, that turn of a run, opened; with `turns`, the rows of these alone; with `ascii`, nothing but ASCII. The
    default redactor knows keys by their shape. A given one also takes out the secrets it was made with.

    Raises:
        ValueError: the run has no such turn.
        TypeError: it is nothing of a run.
    """
    from hermes_nb.views.plain import lines
    from hermes_nb.views.rows import ledger, run_of

    seen = _seen(shown)
    if isinstance(seen, View):
        drawn: Any = seen.drawn(redactor)
    elif turn is not None:
        drawn = _opened(seen, turn, redactor)
    else:
        opened = () if run_of(seen) is not None else None
        drawn = ledger(seen, redactor, turns=turns, opened=opened, tracebacks=True)
    return lines(drawn, width, ascii=ascii)


def html(
    shown: Shown,
    *,
    details: bool = True,
    turns: Collection[int] | None = None,
    redactor: Redactor | None = None,
) -> str:
    """What is shown as an HTML fragment of at most 200 kB: lines, a table and closed details, and no script.

    With `turns`, the rows of these alone. Without `details`, nothing can be closed: for exports through a sanitizer
    that shows such elements as text.

    Raises:
        ValueError: the run has no such turn.
        TypeError: it is nothing of a run.
    """
    from hermes_nb.views.markup import fragment

    return fragment(_record(shown, turns, redactor), details=details)


def markdown(
    shown: Shown,
    *,
    details: bool = True,
    turns: Collection[int] | None = None,
    redactor: Redactor | None = None,
) -> str:
    """What is shown as Markdown of at most 60,000 characters, which GitHub takes as a comment.

    `turns` and `details` are as for `html`.

    Raises:
        ValueError: the run has no such turn.
        TypeError: it is nothing of a run.
    """
    from hermes_nb.views.marked import markdown as drawn

    return drawn(_record(shown, turns, redactor), details=details)


def save_html(
    shown: Shown,
    path: str | Path,
    *,
    turns: Collection[int] | None = None,
    redactor: Redactor | None = None,
) -> Path:
    """Write what is shown as a page of its own, and give its path: one file, without script, that asks no other for
    anything. Twenty times as much of every row is in it as in `html`, and all rows.

    In a folder, the file is named after the run's task. `turns` are as for `html`.

    Raises:
        ValueError: the run has no such turn.
        TypeError: it is nothing of a run.
        OSError: the file cannot be written.
    """
    from hermes_nb.redact import Redactor
    from hermes_nb.views.markup import whole_page
    from hermes_nb.views.naming import file_name
    from hermes_nb.views.rows import Lens, ledger

    bounds, seen = {"lines": 1000, "characters": 40_000}, _seen(shown)
    if isinstance(seen, View):
        drawn: Any = seen.drawn(redactor, **bounds)
    else:
        lens = Lens(redactor or Redactor(), **bounds)
        drawn = ledger(seen, lens=lens, turns=turns, tracebacks=True, most=20_000)
    written = Path(path)
    if written.is_dir():
        written /= file_name(shown if isinstance(shown, Displayed) else seen)
    written.write_text(whole_page(drawn), encoding="utf-8", newline="\n")
    return written


def errors(
    results: Displayed | Iterable[AgentResult], *, tracebacks: bool = False, redactor: Redactor | None = None
) -> View:
    """The tool errors of one run or of many: those of one tool that say the same together, the most frequent first.

    Of each: its kind and fault, what the model did next, and the first few in full, with arguments, what the tool said,
    the exact text the model saw; and with `tracebacks` those, which name files of the machine that ran it.

    Raises:
        TypeError: something among them is no run.
    """
    from hermes_nb.views.rows import errors as drawn
    from hermes_nb.views.rows import runs_of

    told = runs_of(results)
    return View(lambda lens: drawn(told, lens, tracebacks=tracebacks), redactor)


def compare(one: Displayed, other: Displayed, *, redactor: Redactor | None = None) -> View:
    """Two runs beside each other, A and B, aligned on their calls: the first difference as a sentence, then each call
    and reply with `=`, `≠`, `−` (only in A) or `+` (only in B), and the words in which they differ.

    Raises:
        TypeError: one of them is no run.
    """
    from hermes_nb.views.rows import compared, runs_of

    [a, b] = runs_of([one, other])
    return View(lambda lens: compared(a, b, lens), redactor)


def runs(results: Displayed | Iterable[AgentResult], *, by: Order = "errors", redactor: Redactor | None = None) -> View:
    """Many runs as a table: task, how it ended, turns, calls, errors, tokens, time, scores, first error. Those with the
    most errors come first, or the most of what `by` names; `by="given"` leaves them as they came.

    Raises:
        TypeError: something among them is no run.
        ValueError: they cannot be sorted by that.
    """
    from hermes_nb.views.rows import checked_order, runs_of, table

    told, by = runs_of(results), checked_order(by)
    return View(lambda lens: table(told, lens, by=by, opened=OPENED_RUNS), redactor)


def live(run: Source | AgentResult, *, at: str | None = None, redactor: Redactor | None = None) -> RunView:
    """A window on a run that goes on, or on one that is over. `at` is where it opens: "4" is turn 4, "4.2" its second
    call.

    Raises:
        MissingDependency: anywidget is not installed.
        ValueError: the run has nothing there.
    """
    from hermes_nb.views.run import live as opened

    return opened(run, at=at, redactor=redactor)


def show(run: Source | AgentResult | Iterable[Source]) -> None:
    """Display the run in the cell that runs now: live while it goes on, and brought up to date when it ends. Several
    runs are a table, whose rows keep their places while they go on.

    Raises:
        MissingDependency: IPython is not installed.
    """
    from hermes_nb.views.run.many import Several
    from hermes_nb.views.run.showing import show as shown

    if isinstance(run, Iterable):
        Several(list(run))
    else:
        shown(run)


async def progress(runs: Iterable[Held]) -> list[AgentResult]:
    """The results of runs that go on, in their order, once all are over; meanwhile a bar says how many are, and how
    they ended.

    Raises:
        MissingDependency: tqdm is not installed.
    """
    from hermes_nb.views.run.many import progress as awaited

    return await awaited(runs)


async def ask(call: ToolCall, context: Context) -> Verdict:
    """Have the call wait for a person's choice in the live view of its run, which `context` knows: approve it, edit its
    arguments, answer in the tool's place, or reject it. For `before_call=`."""
    from hermes_nb.views.run.asking import ask as asked

    return await asked(call, context)


def play(path: str | os.PathLike[str], *, run: str | int = -1, speed: float = 1.0) -> Play:
    """The run in a journal (its id, or its place among many), live once more, `speed` times as fast as it happened.

    Raises:
        JournalError: the file is no journal, is damaged, or has no such run.
        ValueError: the speed is not above 0.
    """
    from hermes_nb.views.run.playing import play as played

    return played(path, run=run, speed=speed)


def _opened(shown: Displayed, turn: int, redactor: Redactor | None) -> Ledger:
    """One turn of a run, without what stands above."""
    from dataclasses import replace

    from hermes_nb.views.rows import ledger

    drawn = ledger(shown, redactor, turns=(turn,), opened={turn}, tracebacks=True)
    return replace(drawn, ended="")


def _record(shown: Shown, turns: Collection[int] | None, redactor: Redactor | None) -> Record:
    """What is shown, ready to be drawn."""
    from hermes_nb.views.rows import ledger

    seen = _seen(shown)
    return seen.drawn(redactor) if isinstance(seen, View) else ledger(seen, redactor, turns=turns)


def _seen(shown: Shown) -> Displayed:
    """What is shown, as something of a run or as a View; several runs are a table."""
    from hermes_nb.views.rows import reparsed

    if isinstance(shown, list) and isinstance(shown, Displayed):
        told: Any = shown
        return View(lambda lens: reparsed(told, lens))
    return shown if isinstance(shown, Displayed) else runs(shown)
