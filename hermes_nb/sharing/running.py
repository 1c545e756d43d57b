"""Run a notebook again, and store its outputs in one form: the same bytes when nothing else is said."""

from __future__ import annotations

import configparser
import copy
import json
import os
import re
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hermes_nb.exceptions import HermesError, MissingDependency
from hermes_nb.sharing.cleaning import numbered, without_view
from hermes_nb.sharing.notebooks import Cell, Notebook, NotebookError, opened, save
from hermes_nb.sharing.rules import ignoring

if TYPE_CHECKING:
    from nbclient import NotebookClient

TIMES = {"execution", "ExecuteTime", "papermill"}
"""What tools note in metadata of when a cell was run, and how long it took."""

OVERWRITTEN = re.compile(r"[^\n]*\r(?=[^\n])")
ANSI = re.compile(r"\x1b\[[\d;]*m")

Sanitize = Callable[[str], str]


class CellFailed(HermesError):
    """A cell ended in an error that it is not tagged for; the text names the cell and holds its traceback."""


async def rerun(path: Path, sanitize: Sanitize, *, seconds: int | None, fresh: bool) -> list[str]:
    """Run all cells in a fresh kernel in the notebook's folder, write the file, and name the cells that changed.

    An output that differs only in what `sanitize` takes away stays as it was; so does that of a cell whose output no
    test compares, unless `fresh`.

    Raises:
        CellFailed: a cell ended in an error; the file is as it was.
        NotebookError: it cannot be read, run or written.
    """
    before = opened(path)
    after = Notebook(before.path, await _executed(before, seconds), before.size)
    changed = []
    for old, new in zip(before.cells, after.cells, strict=True):
        _normalise(new.data)
        if new.is_code and _kept(old, new, sanitize, fresh):
            new.data["outputs"] = copy.deepcopy(old.outputs)
        elif new.is_code:
            changed.append(new.name)
    for number, cell in enumerate(_run(after), 1):
        numbered(cell.data, number)
    _normalise_whole(after, before.data.get("metadata", {}).get("language_info"))
    _write(after)
    return changed


def _run(notebook: Notebook) -> list[Cell]:
    return [cell for cell in notebook.code if "skip-execution" not in cell.tags]


def _kept(old: Cell, new: Cell, sanitize: Sanitize, fresh: bool) -> bool:
    """Whether the outputs that are stored stay: they say the same, or nobody promises what they say."""
    if old.outputs and not fresh and any("ignore" in mark.lower() for mark in ignoring(old)):
        return True
    return bool(_compared(old.outputs, sanitize) == _compared(new.outputs, sanitize))


def _compared(outputs: list[dict[str, Any]], sanitize: Sanitize) -> Any:
    """The outputs as they are compared: every text whole and sanitized, execution counts left out."""

    def plain(value: Any) -> Any:
        if isinstance(value, list) and all(isinstance(line, str) for line in value):
            value = "".join(value)
        if isinstance(value, dict):
            return {key: plain(inner) for key, inner in value.items() if key != "execution_count"}
        if isinstance(value, list):
            return [plain(inner) for inner in value]
        return sanitize(value) if isinstance(value, str) else value

    return plain(outputs)


async def _executed(notebook: Notebook, seconds: int | None) -> dict[str, Any]:
    """The notebook as a fresh kernel left it, as plain JSON."""
    try:
        from jupyter_client.kernelspec import NoSuchKernel
        from nbclient import NotebookClient
        from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
        from nbformat import NotebookNode, from_dict
    except ModuleNotFoundError as error:
        raise MissingDependency("running a notebook", "share") from error
    node: NotebookNode = from_dict(_joined(notebook.data))  # type: ignore[no-untyped-call]
    name = _kernel(notebook)
    client = NotebookClient(
        node, timeout=seconds, kernel_name=name, record_timing=False, store_widget_state=False,
        resources={"metadata": {"path": str(notebook.path.resolve().parent)}},
    )  # fmt: skip
    try:
        await client.async_execute(stderr=subprocess.DEVNULL)  # the kernel's own log, no cell's output
    except NoSuchKernel as error:
        raise NotebookError(f"its kernel, {name}, is not installed here: choose another in Jupyter") from error
    except CellTimeoutError as error:
        raise CellFailed(f"a cell takes more than {seconds} s: give it more with --timeout") from error
    except DeadKernelError as error:
        raise CellFailed("the kernel died while it ran the notebook") from error
    except CellExecutionError as error:
        raise CellFailed(_failure(client, notebook)) from error
    executed: dict[str, Any] = json.loads(json.dumps(node))
    return executed


def _kernel(notebook: Notebook) -> str:
    said = notebook.data.get("metadata", {}).get("kernelspec")
    name = said.get("name") if isinstance(said, dict) else None
    return name if isinstance(name, str) and name else "python3"


def _joined(data: dict[str, Any]) -> dict[str, Any]:
    """A copy without outputs, in which sources are strings and every cell has its id: what runs it takes no others."""
    copied = copy.deepcopy(data)
    names = set[str]()
    for number, cell in enumerate(copied["cells"], 1):
        if (copied["nbformat"], copied.get("nbformat_minor", 0)) >= (4, 5):
            cell["id"] = _name(cell.get("id"), number, names)
        cell["source"] = Cell(number, cell).source
        cell.setdefault("metadata", {})
        if cell["cell_type"] == "code":
            cell |= {"outputs": [], "execution_count": None}
    return copied


def _name(found: Any, number: int, taken: set[str]) -> str:
    """The cell's id, entered in `taken`; where it has none of its own, one that is the same in every run."""
    name = found if isinstance(found, str) and found and found not in taken else f"cell-{number:02}"
    while name in taken:
        name += "-"
    taken.add(name)
    return name


def _failure(client: NotebookClient, notebook: Notebook) -> str:
    """Which cell failed, and its traceback: the first with an error that it is not tagged for."""
    for number, cell in enumerate(client.nb.cells, 1):
        errors = [output for output in cell.get("outputs", ()) if output["output_type"] == "error"]
        if errors and "raises-exception" not in cell.metadata.get("tags", ()):
            told = ANSI.sub("", "\n".join(errors[0].get("traceback") or [])) or f"{errors[0].ename}: {errors[0].evalue}"
            return f"{notebook.cells[number - 1].name} ended in {errors[0].ename}; the file is as it was\n{told}"
    return "a cell ended in an error; the file is as it was"


def _normalise(cell: dict[str, Any]) -> None:
    """Take out when the cell was run and views of widgets, which end with the kernel, and lay its streams together."""
    cell["metadata"] = {key: value for key, value in cell["metadata"].items() if key not in TIMES}
    if cell["cell_type"] == "code":
        cell["outputs"] = _streams_together(cell["outputs"])
        for output in cell["outputs"]:
            without_view(output)


def _streams_together(outputs: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Between two other outputs, one text of what was printed and then one of the warnings: their order is chance."""
    laid: list[dict[str, Any]] = []
    streams: dict[str, str] = {}

    def lay() -> None:
        for name in sorted(streams, reverse=True):
            text = OVERWRITTEN.sub("", streams[name])
            laid.append({"name": name, "output_type": "stream", "text": text})
        streams.clear()

    for output in outputs:
        if output["output_type"] == "stream":
            streams[output["name"]] = streams.get(output["name"], "") + output["text"]
        else:
            lay()
            laid.append(output)
    lay()
    return laid


def _normalise_whole(notebook: Notebook, language: Any) -> None:
    """Take out times and widgets; what is said of the language stays, or comes without this machine's version."""
    metadata = notebook.data.setdefault("metadata", {})
    for name in (*TIMES, "widgets"):
        metadata.pop(name, None)
    if language is not None:
        metadata["language_info"] = language
    elif isinstance(metadata.get("language_info"), dict):
        metadata["language_info"].pop("version", None)


def _write(notebook: Notebook) -> None:
    import nbformat

    node = nbformat.from_dict(notebook.data)  # type: ignore[no-untyped-call]
    try:
        text: str = nbformat.writes(node)  # type: ignore[no-untyped-call]
    except ValueError as error:
        raise NotebookError(f"what its cells left cannot be written: {error}") from error
    save(notebook.path, text if text.endswith("\n") else text + "\n")


def sanitizer(path: str | os.PathLike[str] | None) -> Sanitize:
    """What replaces in a text all that nbval's file of patterns names: sections with `regex` and `replace`.

    Raises:
        NotebookError: it is no such file.
    """
    if path is None:
        return lambda text: text
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(Path(path).read_text(encoding="utf-8"))
        patterns = [(re.compile(parser[name]["regex"]), parser[name]["replace"]) for name in parser.sections()]
    except (OSError, ValueError, KeyError, configparser.Error, re.error) as error:
        raise NotebookError(f"{path} is no file of patterns for --sanitize-with: {error}") from error

    def sanitize(text: str) -> str:
        for pattern, replacement in patterns:
            text = pattern.sub(replacement, text)
        return text

    return sanitize
