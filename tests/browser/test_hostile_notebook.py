"""A38: a notebook from elsewhere whose saved widget runs when it is opened, and what `hermes-nb clean` leaves of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import anywidget
import nbformat
import pytest

from hermes_nb import sharing
from tests.browser.conftest import NOTEBOOK_SECONDS
from tests.sharing.made import STATE, code, notebook, saved, shown

if TYPE_CHECKING:
    from tests.browser.conftest import Lab

ESM = "window.__pwn = 1; export default { render({ el }) { el.textContent = 'gotcha'; } };"


class Theirs(anywidget.AnyWidget):
    """What the sender's notebook held."""

    _esm = ESM


def hostile() -> nbformat.NotebookNode:
    """A saved run of somebody's, with a widget of theirs and what is shown where there are no widgets."""
    widget = Theirs()
    state = {"version_major": 2, "version_minor": 0, "state": Theirs.get_manager_state()["state"]}
    view = {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}
    widget.close()
    data = {"application/vnd.jupyter.widget-view+json": view, "text/html": "<p>the run, in words</p>"}
    made = notebook(code("run", 1, shown(data, 1)))
    made.metadata["widgets"] = {STATE: state}
    return made


def opened(lab: Lab, path: Path) -> None:
    lab.page.goto(f"{lab.server.url}lab/tree/{path.name}?reset")
    lab.page.wait_for_selector(".jp-OutputArea-output", timeout=NOTEBOOK_SECONDS * 1000)


@pytest.mark.parametrize("cleaned", [False, True], ids=["as it came", "cleaned"])
def test_A38_the_script_of_a_saved_widget_runs_unless_it_was_cleaned(lab: Lab, cleaned: bool) -> None:
    path = saved(hostile(), lab.server.folder / f"sent-{cleaned}.ipynb")
    assert {found.rule for found in sharing.check(path)} == {"widget-state"}
    if cleaned:
        assert sharing.clean(path) == (
            "the notebook: saved widget state taken out",
            'cell 1 "run", output 1: view of a widget taken out, its other forms stay',
        )
        assert sharing.check(path) == ()

    opened(lab, path)

    if cleaned:
        lab.page.get_by_text("the run, in words").wait_for()
        lab.page.wait_for_timeout(2000)
        assert lab.page.evaluate("() => window.__pwn") is None
    else:
        lab.page.wait_for_function("() => window.__pwn === 1", timeout=20_000)
