"""The promise of many notebooks: one line puts the reader's own server in place of the scripted one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from hermes_nb.servers import ScriptedServer, call

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
COURSE = NOTEBOOKS / "course"
LINE = re.compile(r"^server = .*$", re.MULTILINE)
PROMISE = re.compile(r"\*\*[^*]*(?:\bserver\b|\bline\b)[^*]*is the(?:\sone|\sline)\sto\schange\b")
VALUES = {"string": "Miso", "integer": 2, "number": 2.5, "boolean": True, "array": [], "object": {}}


def answer(request: dict[str, Any]) -> Any:
    """What another model might say: it calls the tool in its own time, and words things in its own way."""
    if not request.get("tools"):
        return "No idea."
    last = request["messages"][-1]
    if last["role"] == "user":
        return call("weigh", cat=last["content"].split()[-2])
    return "I give up." if "error" in last["content"] else f"{last['content']} kilograms."


LESSONS = {"01_one_question": "No idea.", "02_one_tool": "I give up.", "04_the_loop": ""}
"""What the last run of each says with that other model."""


@pytest.mark.parametrize(("name", "said"), LESSONS.items())
async def test_with_one_line_changed_the_whole_notebook_runs_on_the_readers_own_server(
    name: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    notebook = nbformat.read(COURSE / f"{name}.ipynb", as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    [holder] = [cell for cell in code if LINE.search(cell.source)]
    own = ScriptedServer(answer)

    async with own.serve() as base_url:
        monkeypatch.setenv("HERMES_NB_CASSETTE", "live")
        monkeypatch.setenv("HERMES_NB_MODEL", "mine")
        monkeypatch.setenv("OPENAI_BASE_URL", base_url)
        holder.source = LINE.sub("server = hn.default_server()", holder.source)
        code[-1].source = f"print(len(scripted.requests), result.final_text)\n{code[-1].source}"
        await NotebookClient(notebook, kernel_name="python3").async_execute()

    assert code[-1].outputs[0].text == f"0 {said}\n"
    assert {request["model"] for request in own.requests} == {"mine"}


def another(request: dict[str, Any]) -> Any:
    """A model that knows nothing of the notebook: it calls the first tool it is shown, and tells what that said."""
    last, tools = request["messages"][-1], request.get("tools")
    if not tools or last["role"] != "user":
        return f"Another model was told: {last['content']}"
    parameters = tools[0]["function"]["parameters"].get("properties", {})
    given = {name: VALUES.get(of.get("type"), "Miso") for name, of in parameters.items()}
    return call(tools[0]["function"]["name"], **given)


def promising() -> list[str]:
    """The notebooks that name the line to change."""
    found = {path: nbformat.read(path, as_version=4).cells for path in sorted(NOTEBOOKS.rglob("*.ipynb"))}
    return [
        f"{path.parent.name}/{path.stem}"
        for path, cells in found.items()
        if any(PROMISE.search(cell.source) for cell in cells if cell.cell_type == "markdown")
        and any(LINE.search(cell.source) for cell in cells if cell.cell_type == "code")
    ]


def test_the_promise_is_found_where_it_is_given() -> None:
    assert {f"course/{name}" for name in LESSONS} | {"course/12_replay", "howto/record_a_cassette"} <= set(promising())


@pytest.mark.parametrize("name", promising())
async def test_whatever_another_model_says_the_notebook_runs_to_its_end(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = NOTEBOOKS / f"{name}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    [holder] = [cell for cell in code if LINE.search(cell.source)]
    own = ScriptedServer(another)

    async with own.serve() as base_url:
        for variable, value in {
            "HERMES_NB_CASSETTE": "live", "HERMES_NB_MODEL": "another", "OPENAI_BASE_URL": base_url,
            "OPENAI_API_KEY": "none",
        }.items():  # fmt: skip
            monkeypatch.setenv(variable, value)
        holder.source = LINE.sub("server = hn.default_server()", holder.source)
        code[-1].source = f"print(len(scripted.requests))\n{code[-1].source}"
        client = NotebookClient(notebook, kernel_name="python3", resources={"metadata": {"path": path.parent}})
        await client.async_execute()

    assert code[-1].outputs[0].text.splitlines()[0] == "0"  # Nobody asked the scripted one.
    assert {request["model"] for request in own.requests} == {"another"}
