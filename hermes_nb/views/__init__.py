"""What a run looks like: the answer first, then one row per event, in the same words in every form.

    views.text(result)     80 columns, for print and for notebooks that keep no HTML
    views.html(result)     a plain fragment, without script or style to depend on: what a saved notebook keeps

Both say the same, cut what is long and say so, and show untrusted text as text, without the secrets in it. The rooms
`plain` and `markup` draw them from `rows`, where everything is decided that they say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hermes_nb.records import AgentResult
    from hermes_nb.redact import Redactor

__all__ = ["html", "text"]


def text(result: AgentResult, width: int = 80, *, turn: int | None = None, redactor: Redactor | None = None) -> str:
    """The run as lines of at most `width` columns (from 60 on); with `turn`, that turn opened, in full.

    The default redactor knows keys by their shape. A given one also takes out the secrets it was made with.

    Raises:
        ValueError: the run has no such turn.
    """
    from hermes_nb.views.plain import text as drawn

    return drawn(result, width, turn=turn, redactor=redactor)


def html(result: AgentResult, *, redactor: Redactor | None = None) -> str:
    """The run as an HTML fragment of at most 200 kB: headings, a table and closed details, and no script."""
    from hermes_nb.views.markup import html as drawn

    return drawn(result, redactor=redactor)
