"""The lessons that invite you to put your own server in their place run with another one, as the environment names it.

That one is scripted too, behind a real socket, but knows nothing of the lessons: it calls the first tool it is shown,
once, and then says something of its own.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

import hermes_nb as hn
from hermes_nb.servers.scripted import call

COURSE = Path(__file__).resolve().parents[2] / "notebooks" / "course"
INVITES = "**The last line is the one to change**"
ITS_OWN = 'hn.OpenAIServer("scripted", base_url=base_url)'
INVITING = sorted(path.stem for path in COURSE.glob("*.ipynb") if INVITES in path.read_text("utf-8"))
VALUES = {"string": "Miso", "integer": 2, "number": 2.5, "boolean": True, "array": [], "object": {}}


def model(request: dict[str, Any]) -> Any:
    """Another model's replies."""
    last, tools = request["messages"][-1], request.get("tools") or ()
    if not tools or last["role"] != "user":
        return "That is all that another model has to say."
    function = tools[0]["function"]
    known = function["parameters"].get("properties", {})
    return call(function["name"], **{name: VALUES.get(of.get("type"), "Miso") for name, of in known.items()})


def test_some_lessons_invite() -> None:
    assert "02_one_tool" in INVITING


@pytest.mark.parametrize("lesson", INVITING)
async def test_a_lesson_runs_with_the_server_that_the_environment_names(
    lesson: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    notebook = nbformat.read(COURSE / f"{lesson}.ipynb", as_version=4)
    changed = [cell for cell in notebook.cells if cell.cell_type == "code" and ITS_OWN in cell.source]
    for cell in changed:
        cell.source = cell.source.replace(ITS_OWN, "hn.default_server()")
    async with hn.ScriptedServer(model).serve() as base_url:
        for name, value in (
            ("HERMES_NB_MODEL", "another"), ("OPENAI_BASE_URL", base_url), ("OPENAI_API_KEY", "none"),
            ("HERMES_NB_CASSETTE", "live"),
        ):  # fmt: skip
            monkeypatch.setenv(name, value)
        client = NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(COURSE)}})
        await client.async_execute()

    assert changed
    assert "another model" in json.dumps(notebook)
