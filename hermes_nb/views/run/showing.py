"""Shows a run in a notebook: live while it goes on, and at its end in the form that a saved notebook keeps."""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from importlib import import_module
from typing import Any

from hermes_nb.exceptions import MissingDependency
from hermes_nb.records import AgentResult
from hermes_nb.views.run.feed import Feed, Source
from hermes_nb.views.run.pace import later

LEFT_SECONDS, LOOKS = 1.0, 30
"""How long a view may take to be drawn once it has appeared, and how often, so long apart, one looks whether it has."""


def show(run: Source | AgentResult) -> None:
    """Display the run in the cell that runs now. One that goes on is live there, with Stop; when it ends, the text and
    the HTML beside the live view are brought up to date. Without anywidget these are all there is, and in a terminal,
    where nothing can be brought up to date, the run as it is now.

    Raises:
        MissingDependency: IPython is not installed.
    """
    displayed = notebook()
    result = run if isinstance(run, AgentResult) else run.result
    if isinstance(run, AgentResult) or result.stop_reason != "running" or not in_a_kernel():
        displayed.display(result._repr_mimebundle_(), raw=True)
        return
    feed = Feed(run)
    live = _window(feed)
    shown = displayed.display({**live, **feed.result._repr_mimebundle_()}, raw=True, display_id=True)

    def update(bundle: dict[str, str]) -> None:
        # In no context: so it belongs to the cell that runs now, and also reaches those who listen to that one only.
        contextvars.Context().run(displayed.update_display, bundle, raw=True, display_id=shown.display_id)

    def end(result: AgentResult) -> None:
        kept = result._repr_mimebundle_()
        update({**live, **kept})
        if live:
            leave(lambda: feed.watched, lambda: update(kept))

    feed.when_over(end)


def leave(watched: Callable[[], bool], act: Callable[[], object], looks: int = LOOKS) -> None:
    """At a run's end, take the live view out of what a notebook keeps, once the page has it: opened again, the notebook
    has nobody to ask for one, and would say so in the run's place. What stays is the form that needs none, and on the
    page the view goes on over it."""

    def look() -> None:
        if watched():
            later(LEFT_SECONDS, act)
        elif looks:
            leave(watched, act, looks - 1)
        else:
            act()

    later(LEFT_SECONDS, look)


def notebook() -> Any:
    """What displays things in a notebook's cells.

    Raises:
        MissingDependency: IPython is not installed.
    """
    try:
        return import_module("IPython.display")
    except ModuleNotFoundError as error:
        raise MissingDependency("showing a run", "lab") from error


def in_a_kernel() -> bool:
    """Whether this runs in a notebook's kernel, rather than in a terminal."""
    return hasattr(import_module("IPython").get_ipython(), "kernel")


def _window(feed: Feed) -> dict[str, Any]:
    """What shows the live view, where there can be one."""
    try:
        from hermes_nb.views.run.widget import RunView
    except MissingDependency:
        return {}
    bundle, _ = RunView(feed)._repr_mimebundle_()
    return {kind: value for kind, value in bundle.items() if "widget-view" in kind}
