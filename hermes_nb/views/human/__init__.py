"""The form in which a person answers as the model: the messages and tools of a request, and a reply to be written.

`desk` is what the form is told and may say; `widget` is the form; `requests` is all that it may ask of Python. Without
a kernel there is no form, but its static form, which says what waited.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hermes_nb import views
from hermes_nb.exceptions import MissingDependency
from hermes_nb.records import AgentResult
from hermes_nb.views.human.desk import Asked, Desk
from hermes_nb.views.rows import Ledger, Lens, counted, ledger
from hermes_nb.views.rows.words import ASKS

__all__ = ["Asked", "Desk", "shown"]

NOTHING = "Nothing waits for a reply. What a run asks this server appears here, for a person to answer."
WAITS = "It waits for a person's reply. Run this cell to write it: the form needs a kernel."


def shown(server: Asked) -> dict[str, Any]:
    """What a notebook is given of the server: the form, and beside it text and HTML, which a saved notebook keeps."""
    static = views.View(lambda lens: drawn(server, lens))._repr_mimebundle_()
    try:
        from hermes_nb.views.human.widget import HumanForm
    except MissingDependency:
        return static
    return {**HumanForm(Desk(server)).bundle(), **static}


def drawn(server: Asked, lens: Lens) -> Ledger:
    """The server as it is now: the conversation that waits, if one does."""
    waiting, names = server.waiting, (lens.name(server.model),)
    if not waiting:
        answered = f"{counted(server.answered, 'request')} answered"
        return Ledger(glyph="○", ended="nothing waits", names=names, facts=(answered,), note=NOTHING)
    first, (glyph, ended) = waiting[0], ASKS
    facts = (counted(len(first.messages), "message"), counted(len(first.tools), "tool"))
    told = ledger(AgentResult(messages=list(first.messages)), lens=lens)
    return replace(told, glyph=glyph, ended=ended, names=names, facts=facts, answer=None, note=WAITS)
