"""Notebooks on a server of the reader's own: the environment puts it in the place of every stand-in."""

from __future__ import annotations

import re
from copy import deepcopy
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from hermes_nb.servers import ScriptedServer, call

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
VALUES = {"string": "Miso", "integer": 2, "number": 2.5, "boolean": True, "array": [], "object": {}}
LIVE = {"HERMES_NB_CASSETTE": "live", "HERMES_NB_MODEL": "another", "OPENAI_API_KEY": "none"}


def answer(request: dict[str, Any]) -> Any:
    """What another model might say: it calls the tool in its own time, and words things in its own way."""
    if not request.get("tools"):
        return "No idea."
    last = request["messages"][-1]
    if last["role"] == "user":
        return call("weigh", cat=last["content"].split()[-2])
    return "I give up." if "error" in last["content"] else f"{last['content']} kilograms."


def another(request: dict[str, Any]) -> Any:
    """A model that knows nothing of the notebook: it calls the first tool it is shown, and tells what that said."""
    last, tools = request["messages"][-1], request.get("tools")
    if not tools or last["role"] != "user":
        return f"Another model was told: {last['content']}"
    parameters = tools[0]["function"]["parameters"].get("properties", {})
    given = {name: VALUES.get(of.get("type"), "Miso") for name, of in parameters.items()}
    return call(tools[0]["function"]["name"], **given)


async def run_live(notebook: Any, path: Path, model: Any, monkeypatch: pytest.MonkeyPatch) -> ScriptedServer:
    """Execute a notebook as it is, in an environment that names a server: the one that comes back."""
    own = ScriptedServer(model)
    async with own.serve() as base_url:
        for variable, value in {**LIVE, "OPENAI_BASE_URL": base_url}.items():
            monkeypatch.setenv(variable, value)
        await NotebookClient(
            notebook, kernel_name="python3", resources={"metadata": {"path": path.parent}}
        ).async_execute()
    return own


LESSONS = {"01_one_question": "No idea.", "02_one_tool": "I give up.", "04_the_loop": ""}
"""What the last run of each says with that other model."""


@pytest.mark.parametrize(("name", "said"), LESSONS.items())
async def test_a_lesson_shows_what_the_readers_own_server_says(
    name: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = NOTEBOOKS / "course" / f"{name}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    last = [cell for cell in notebook.cells if cell.cell_type == "code"][-1]
    last.source = f"print(len(scripted.requests), result.final_text)\n{last.source}"

    own = await run_live(notebook, path, answer, monkeypatch)

    assert last.outputs[0].text == f"0 {said}\n"
    assert {request["model"] for request in own.requests} == {"another"}


ASKING = re.compile(r"\bhn\.(?:default_server|Cassette)\(")
ALL = {path: nbformat.read(path, as_version=4) for path in sorted(NOTEBOOKS.rglob("*.ipynb"))}
ASKED = [
    path
    for path, notebook in ALL.items()
    if any(ASKING.search(cell.source) for cell in notebook.cells if cell.cell_type == "code")
]
"""The notebooks whose model is a stand-in. In the others its mistakes, its silence or its wire are the subject, and the
environment says nothing to them."""


def test_a_model_that_only_stands_in_gives_way() -> None:
    assert {path.stem for path in ASKED} == {
        "01_one_question", "02_one_tool", "03_the_loop_by_hand", "04_the_loop", "12_replay", "14_errors_and_statistics",
        "15_from_notebook_to_experiment", "add_a_tool", "record_a_cassette", "your_server",
    }  # fmt: skip


@pytest.mark.parametrize("path", ASKED, ids=lambda path: path.stem)
async def test_live_a_notebook_runs_to_its_end_whatever_the_model_says(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = await run_live(deepcopy(ALL[path]), path, another, monkeypatch)

    assert {request["model"] for request in own.requests} == {"another"}
