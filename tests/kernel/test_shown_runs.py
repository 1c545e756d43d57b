"""What a notebook keeps of a run that was shown while it went on, when nobody looks at it but the kernel's client."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

pytest.importorskip("anywidget")

ROOT = Path(__file__).resolve().parents[2]
SETUP = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
import hermes_nb as hn
from hermes_nb.servers.scripted import call

def add(a: int, b: int) -> int:
    "Add two whole numbers."
    return a + b

loop = hn.HermesAgentLoop(hn.ScriptedServer([[call("add", a=2, b=3)], "It is 5."] * 2), tools=[add])
"""


@pytest.fixture(scope="module")
def executed() -> nbformat.NotebookNode:
    """A notebook whose second cell starts a run that the third one awaits; the fourth runs one with a view."""
    started, viewed = "run = loop.start('What is 2 + 3?')\nrun", "_ = await loop.run('And?', view=True)"
    cells = [nbformat.v4.new_code_cell(source) for source in (SETUP, started, "result = await run", viewed)]
    notebook = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    return notebook


@pytest.mark.parametrize("cell", [1, 3])
def test_the_cell_that_showed_a_run_keeps_its_end(executed: nbformat.NotebookNode, cell: int) -> None:
    [output] = executed.cells[cell].outputs

    assert output.data["text/plain"].startswith("✓ finished · scripted")
    assert "It is 5." in output.data["text/html"]
    assert "application/vnd.jupyter.widget-view+json" in output.data


def test_no_state_of_a_widget_holds_anything_of_the_run(executed: nbformat.NotebookNode) -> None:
    saved = executed.metadata.get("widgets", {}).get("application/vnd.jupyter.widget-state+json", {}).get("state", {})
    files = ("_esm", "_css")
    told = " ".join(str(value) for one in saved.values() for name, value in one["state"].items() if name not in files)

    assert "2 + 3" not in told
    assert "It is 5" not in told
