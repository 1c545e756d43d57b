"""Many runs at once: a table that goes on with them, and a bar of how many are over."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from hermes_nb.events import Event, RunFinished
from hermes_nb.exceptions import MissingDependency
from hermes_nb.records import AgentResult
from hermes_nb.views.rows import table, words
from hermes_nb.views.run.feed import Source
from hermes_nb.views.run.pace import later
from hermes_nb.views.run.showing import in_a_kernel, leave, notebook

if TYPE_CHECKING:
    from hermes_nb.views.run.listed import RunsView

PACE_SECONDS = 0.5


class Held(Source, Awaitable[AgentResult], Protocol):
    """A run that goes on, and gives its result when it is awaited."""


class Several:
    """The table of these runs in the cell that runs now. While they go on its rows keep their places."""

    def __init__(self, runs: Sequence[Source]) -> None:
        self._notebook = notebook()
        self._runs = runs
        self._lock = threading.Lock()
        self._due = self._ended = False
        self._told_at = time.monotonic()
        with self._lock:
            self._left = sum(run.observe(self._happened).stop_reason == "running" for run in runs)
            self._window = window(self._told) if self._left > 0 and in_a_kernel() else None
            bundle = live(self._window) | self._kept()
            self._id = self._notebook.display(bundle, raw=True, display_id=True).display_id

    def _kept(self) -> dict[str, str]:
        from hermes_nb import views

        told = self._told()
        drawn = views.runs(told) if self._left <= 0 else views.View(lambda lens: table(told, lens, by="given"))
        return drawn._repr_mimebundle_()

    def _update(self, bundle: dict[str, str]) -> None:
        # In no context, so that it belongs to the cell that runs now.
        contextvars.Context().run(self._notebook.update_display, bundle, raw=True, display_id=self._id)

    def _told(self) -> list[AgentResult]:
        return [run.result for run in self._runs]

    def _happened(self, event: Event) -> None:
        with self._lock:
            self._left -= isinstance(event, RunFinished)
            wait = self._told_at + PACE_SECONDS - time.monotonic() if self._left > 0 else 0.0
            if wait > 0 and self._due:
                return
            self._due = wait > 0
        if wait > 0:
            later(wait, self._tell)
        else:
            self._tell()

    def _tell(self) -> None:
        with self._lock:
            if self._ended:
                return
            self._due, self._told_at, self._ended = False, time.monotonic(), self._left <= 0
        if self._window is not None:
            self._window.tell()
            if self._left > 0:
                return
        kept = self._kept()
        self._update(live(self._window) | kept)
        if (shown := self._window) is not None and self._ended:
            leave(lambda: shown.watched, lambda: self._update(kept))


def window(told: Callable[[], list[AgentResult]]) -> RunsView | None:
    """The live table of these runs, where there can be one."""
    from hermes_nb import views

    try:
        from hermes_nb.views.run.listed import RunsView
    except MissingDependency:
        return None
    return RunsView(told, lambda result, turns: views.text(result, turns=turns))


def live(shown: RunsView | None) -> dict[str, str]:
    """What shows the live table, and nothing else of it."""
    bundle: Any = shown._repr_mimebundle_() if shown is not None else {}
    kinds = bundle[0] if isinstance(bundle, tuple) else bundle or {}
    return {kind: value for kind, value in kinds.items() if "widget-view" in kind}


async def progress(runs: Iterable[Held]) -> list[AgentResult]:
    """The results of these runs, in their order, once all are over; meanwhile a bar says how many are, and how.

    Raises:
        MissingDependency: tqdm is not installed.
    """
    try:
        bars = import_module("tqdm.auto")
    except ModuleNotFoundError as error:
        raise MissingDependency("a progress bar", "lab") from error
    held, ended = list(runs), Counter[str]()
    with bars.tqdm(total=len(held), unit="run") as bar:

        async def one(run: Held) -> AgentResult:
            result = await run
            ended[" ".join(words.ending(result))] += 1
            bar.set_postfix_str(
                ", ".join(f"{ending} {number}" for ending, number in ended.most_common()), refresh=False
            )
            bar.update()
            return result

        return await asyncio.gather(*map(one, held))
