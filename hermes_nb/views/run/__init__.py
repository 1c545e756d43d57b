"""The live view: a run as it goes on, one that is over, or a journal that is played; with Stop, and with a gate.

`feed` turns events into messages, at most ten a second; `widget` is the window they are shown in; `asking` has a call
wait for the person; `requests` is all that a window may ask of Python.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hermes_nb.views.run.feed import Feed, Source

if TYPE_CHECKING:
    from hermes_nb.records import AgentResult
    from hermes_nb.redact import Redactor
    from hermes_nb.views.run.widget import RunView

__all__ = ["Feed", "Source", "live"]


def live(run: Source | AgentResult, *, at: str | None = None, redactor: Redactor | None = None) -> RunView:
    """A window on the run. `at` is where it opens: "4" is turn 4, "4.2" its second call.

    Raises:
        MissingDependency: anywidget is not installed.
        ValueError: the run has no such turn or call.
    """
    from hermes_nb.views.run.widget import RunView

    view = RunView(Feed(run, redactor=redactor))
    if at is not None:
        view.go(at)
    return view
