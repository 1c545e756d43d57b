"""Every saved notebook was run from top to bottom, and holds nothing but what a reader should see.

A notebook whose outputs and counts were stripped passes `make notebooks` in silence: there is nothing to compare. These
tests are what makes its outputs claims.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat import NotebookNode

from hermes_nb.redact import Redactor, known_secrets

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
SAVED = sorted(path for path in NOTEBOOKS.rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts)

LONGEST_CELL = 12
WIDEST_LINE = 104
"""As many characters of code as a JupyterLab window of 1,000 px shows without scrolling."""
METADATA = {"kernelspec", "language_info"}
TAGS = {"nbval-ignore-output", "raises-exception"}
PATH = re.compile(r"(?<![\w.:/])(?:/(?:home|root|work|opt|tmp|usr|var|mnt|Users)/|[A-Z]:\\)\w[\w./\\-]*")
LINK = re.compile(r"\]\(([^)#\s]+)")
FENCED = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
PASSING = re.compile(r"\b(?:at 0x[0-9a-f]{6,}|127\.0\.0\.1:\d+)")


def faults(notebook: NotebookNode) -> list[str]:
    """Everything a notebook says that it should not, and does not say that it should."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    counts = [cell.execution_count for cell in code]
    kernel = notebook.metadata.get("kernelspec", {}).get("name")
    found = [] if kernel == "python3" else [f"a kernel that not every reader has: {kernel}"]
    found += [f"metadata: {name}" for name in sorted(set(notebook.metadata) - METADATA)]
    found += [] if counts == [*range(1, len(code) + 1)] else [f"not run once from top to bottom: {counts}"]
    found += [f"{cell.id}: {fault}" for cell in code for fault in cell_faults(cell)]
    for before, cell in pairwise([None, *notebook.cells]):
        if cell.cell_type == "code" and (before is None or before.cell_type != "markdown"):
            found.append(f"{cell.id}: no text before it says what to expect")
    return found + [fault for text in texts(notebook) for fault in text_faults(text)]


def cell_faults(cell: NotebookNode) -> Iterator[str]:
    tags = set(cell.metadata.get("tags", ()))
    if len(cell.source.splitlines()) > LONGEST_CELL:
        yield f"longer than {LONGEST_CELL} lines"
    if wide := [line for line in cell.source.splitlines() if len(line) > WIDEST_LINE]:
        yield f"wider than {WIDEST_LINE} characters: {wide[0]}"
    if others := tags - TAGS:
        yield f"tags: {sorted(others)}"
    if shows_something(cell.source) and not cell.outputs:
        yield "its last line shows something, and no output is saved"
    for output in cell.outputs:
        if output.output_type == "error" and "raises-exception" not in tags:
            yield "it ended in an error"
        if output.get("name") == "stderr":
            yield "it warns its reader"
        if any("widget" in mime for mime in output.get("data", ())):
            yield "it shows a widget, which nobody sees in a saved page"


def shows_something(source: str) -> bool:
    """Whether a cell ends in an expression to look at; what is awaited there is awaited for its effect."""
    cell = compile(source, "cell", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    last = cell.body[-1] if cell.body else None
    return isinstance(last, ast.Expr) and not isinstance(last.value, ast.Await)


def texts(value: Any) -> Iterator[str]:
    """Every text in a notebook."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from texts(inner)


def text_faults(text: str) -> Iterator[str]:
    yield from (f"a path of one machine: {found[0]}" for found in PATH.finditer(text))
    yield from (f"another in every run: {found[0]}" for found in PASSING.finditer(text))
    if Redactor(known_secrets(os.environ)).text(text) != text:
        yield "a secret"


@pytest.mark.parametrize("path", SAVED, ids=lambda path: path.stem)
def test_a_saved_notebook_is_honest(path: Path) -> None:
    assert faults(nbformat.read(path, as_version=4)) == []


@pytest.mark.parametrize("path", SAVED, ids=lambda path: path.stem)
def test_every_link_in_a_notebook_leads_somewhere(path: Path) -> None:
    cells = nbformat.read(path, as_version=4).cells
    prose = [FENCED.sub("", cell.source) for cell in cells if cell.cell_type == "markdown"]
    targets = {target for text in prose for target in LINK.findall(text)}

    assert {target for target in targets if "://" not in target and not (path.parent / target).exists()} == set()


def test_the_first_notebook_is_compared_as_a_whole() -> None:
    first = nbformat.read(NOTEBOOKS / "course" / "01_one_question.ipynb", as_version=4)

    assert [cell.id for cell in first.cells if cell.metadata or "NBVAL" in cell.source] == []


def honest() -> NotebookNode:
    """A notebook without a fault: what each test of a fault begins with."""
    shown = nbformat.v4.new_output("execute_result", {"text/plain": "4"}, execution_count=2)
    cells = [
        nbformat.v4.new_markdown_cell("Expect nothing."),
        nbformat.v4.new_code_cell("import math", execution_count=1),
        nbformat.v4.new_markdown_cell("Expect four."),
        nbformat.v4.new_code_cell("2 + 2", execution_count=2, outputs=[shown]),
    ]
    return nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": {"display_name": "Python", "name": "python3"}})


def test_a_notebook_without_a_fault_has_none() -> None:
    assert faults(honest()) == []


def output(kind: str, **content: Any) -> Callable[[NotebookNode], Any]:
    return lambda notebook: notebook.cells[3].outputs.append(nbformat.v4.new_output(kind, **content))


def source(index: int, text: str) -> Callable[[NotebookNode], Any]:
    return lambda notebook: notebook.cells[index].update(source=text)


DAMAGE: dict[str, tuple[Callable[[NotebookNode], Any], str]] = {
    "stripped": (lambda notebook: notebook.cells[3].update(execution_count=None, outputs=[]), "not run once"),
    "out of order": (lambda notebook: notebook.cells[3].update(execution_count=7), "not run once"),
    "output cleared": (lambda notebook: notebook.cells[3].update(outputs=[]), "no output is saved"),
    "widget state": (lambda notebook: notebook.metadata.update(widgets={}), "metadata: widgets"),
    "another kernel": (lambda notebook: notebook.metadata["kernelspec"].update(name="mine"), "a kernel that"),
    "skipped": (lambda notebook: notebook.cells[3].metadata.update(tags=["nbval-skip"]), "tags"),
    "no text before": (lambda notebook: notebook.cells.pop(2), "no text before"),
    "long": (source(1, "import math\n" * 13), "longer than 12 lines"),
    "wide": (source(1, "import math  # " + "and more " * 12), "wider than 104 characters"),
    "error": (output("error", ename="KeyError", evalue="x"), "ended in an error"),
    "warning": (output("stream", name="stderr", text="careful"), "warns its reader"),
    "widget": (output("display_data", data={"application/vnd.jupyter.widget-view+json": {}}), "shows a widget"),
    "path": (output("stream", text="in /" + "home/ada/notes.txt"), "a path of one machine"),
    "Windows path": (source(0, "See C:\\ada\\notes.txt"), "a path of one machine"),
    "address": (output("stream", text="<object at 0x7f3a2c00d0>"), "another in every run"),
    "port": (output("stream", text="http://127.0.0.1:40123/v1"), "another in every run"),
    "key": (source(1, "key = 'sk-proj-" + "Ab3dEf6hIj9k" * 4 + "'"), "a secret"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_fault_is_found(damage: str) -> None:
    notebook = honest()
    spoil, told = DAMAGE[damage]
    spoil(notebook)

    assert [fault for fault in faults(notebook) if told in fault]
