"""The first notebooks' promise: one line puts the reader's own server in place of the scripted one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from hermes_nb.servers import ScriptedServer, call

COURSE = Path(__file__).resolve().parents[2] / "notebooks" / "course"
LINE = re.compile(r"^server = .*$", re.MULTILINE)


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
