"""The course's exercises: as they are stored the gap is open and the check says so, and the solution closes it."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode

COURSE = Path(__file__).resolve().parents[2] / "notebooks" / "course"
SOLUTION = re.compile(
    r"<details><summary>A solution</summary>\n\n```python\n(.*?)\n```\n(?:.*\n)*?</details>", re.DOTALL
)
CHECK = re.compile(r"check(-\d+)?-code")


def exercises(notebook: NotebookNode) -> dict[str, NotebookNode]:
    """The check of each exercise, by the exercise's id."""
    checks = [cell for cell in notebook.cells if CHECK.fullmatch(cell.id)]
    return {cell.id.replace("check", "exercise").removesuffix("-code"): cell for cell in checks}


def said(cell: NotebookNode) -> str:
    """All that a cell shows, as text."""
    return "\n".join(output.get("text") or output.data["text/plain"] for output in cell.outputs)


def lessons() -> list[Path]:
    return [path for path in sorted(COURSE.glob("*.ipynb")) if exercises(nbformat.read(path, as_version=4))]


@pytest.mark.parametrize("path", lessons(), ids=lambda path: path.stem)
def test_a_stored_exercise_is_open_and_its_check_says_so(path: Path) -> None:
    checks = exercises(nbformat.read(path, as_version=4))

    assert [name for name, cell in checks.items() if "✗" not in said(cell)] == []


@pytest.mark.parametrize("path", lessons(), ids=lambda path: path.stem)
async def test_the_solution_of_every_exercise_passes_its_check(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    checks, cells = exercises(notebook), {cell.id: cell for cell in notebook.cells}
    for name in checks:
        [solution] = SOLUTION.findall(cells[name].source)
        cells[f"{name}-code"].source = solution

    await NotebookClient(notebook, kernel_name="python3", resources={"metadata": {"path": path.parent}}).async_execute()

    found = {name: said(cell) for name, cell in checks.items()}
    assert {name: text for name, text in found.items() if "✗" in text or "✓" not in text} == {}
