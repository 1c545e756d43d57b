"""The comparison of notebooks turns red when it should: a green one says something only if it could have been red."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat import NotebookNode

from tests.notebooks.test_honesty import faults

ROOT = Path(__file__).resolve().parents[2]
FIRST = ROOT / "notebooks" / "course" / "01_one_question.ipynb"

COMPARE = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--nbval", "--nbval-current-env"]


def compared(notebook: NotebookNode, folder: Path) -> tuple[int, str]:
    """The exit code of the comparison that `make notebooks` makes, on this copy, and what it said."""
    path = folder / FIRST.name
    nbformat.write(notebook, path)
    (folder / "pytest.ini").write_text("[pytest]\n")
    ran = subprocess.run(
        [*COMPARE, "--nbval-sanitize-with", str(ROOT / "notebooks" / "sanitize.cfg"), str(path)],
        cwd=folder, capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    return ran.returncode, ran.stdout + ran.stderr


def first() -> NotebookNode:
    return nbformat.read(FIRST, as_version=4)


def shows_text(cell: NotebookNode) -> bool:
    return cell.cell_type == "code" and any("text/plain" in output.get("data", {}) for output in cell.outputs)


def spoiled(change: Callable[[NotebookNode], Any]) -> NotebookNode:
    """A copy of the first lesson, with one cell changed: the last that shows something."""
    notebook = first()
    change([cell for cell in notebook.cells if shows_text(cell)][-1])
    return notebook


def another_output(cell: NotebookNode) -> None:
    output = next(output for output in cell.outputs if "text/plain" in output.get("data", {}))
    output.data["text/plain"] += ", said nobody"


def raised_error(cell: NotebookNode) -> None:
    cell.source = f"raise KeyError('nobody expects this')\n{cell.source}"


def hidden_warning(cell: NotebookNode) -> None:
    cell.source = f"import warnings\nwarnings.warn('look here', stacklevel=1)\n{cell.source}"


def more_printed(cell: NotebookNode) -> None:
    cell.source = f"print('one line more')\n{cell.source}"


SPOILED = {
    "a changed output": (another_output, "mismatch 'text/plain'"),
    "a raised error": (raised_error, "KeyError"),
    "a hidden warning": (hidden_warning, "Unexpected output fields"),
    "one line more": (more_printed, "Unexpected output fields"),
}


def test_the_copy_is_green_as_it_is(tmp_path: Path) -> None:
    exit_code, said = compared(first(), tmp_path)

    assert exit_code == 0, said


@pytest.mark.parametrize("name", SPOILED)
def test_what_a_cell_says_otherwise_turns_it_red(name: str, tmp_path: Path) -> None:
    change, told = SPOILED[name]

    exit_code, said = compared(spoiled(change), tmp_path)

    assert exit_code == 1, said
    assert re.search(r"\b1 failed", said), said
    assert told in said


def test_a_notebook_that_lost_its_outputs_turns_it_red(tmp_path: Path) -> None:
    notebook = first()
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = []

    exit_code, said = compared(notebook, tmp_path)

    assert exit_code == 1, said
    assert "Unexpected output fields" in said


def test_a_stripped_notebook_is_passed_over_by_nbval_and_turns_the_test_of_honesty_red(tmp_path: Path) -> None:
    notebook = first()
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None

    exit_code, _ = compared(notebook, tmp_path)

    assert any("not run once from top to bottom" in fault for fault in faults(notebook))
    assert exit_code == 0, "nbval sees it now: say so in the text of test_honesty.py"
