"""Take out of a notebook what can be taken out without running it again; sources are never touched."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from hermes_nb.redact import Redactor, Secret
from hermes_nb.sharing import places, rules
from hermes_nb.sharing.notebooks import Cell, Notebook, Text, texts


def cleaned(notebook: Notebook, secrets: Iterable[str | Secret] = ()) -> list[str]:
    """Change the notebook in memory, and say what was changed, one sentence each; nothing where it was clean.

    Saved widget state goes, and views of widgets beside other forms; secrets and paths of one machine in outputs,
    attachments and metadata are replaced; cells that were run in order, but numbered from elsewhere, are numbered from
    1.
    """
    redactor = Redactor(secrets)
    changes = [f"the notebook: {change}" for change in _widgets(notebook)]
    changes += [f"the notebook, metadata: {change}" for change in _mended(rules.metadata_texts(notebook), redactor)]
    for cell in notebook.cells:
        changes += [f"{cell.name}, {change}" for change in _cell(cell, redactor)]
    return [*changes, *_counts(notebook)]


def _widgets(notebook: Notebook) -> Iterator[str]:
    if notebook.data.get("metadata", {}).pop("widgets", None) is not None:
        yield "saved widget state taken out"


def _cell(cell: Cell, redactor: Redactor) -> Iterator[str]:
    for where in ("metadata", "attachments"):
        found = texts(cell.data, where) if where in cell.data else ()
        yield from (f"{where}: {change}" for change in _mended(found, redactor))
    for number, output in enumerate(cell.outputs, 1):
        if output.get("data", {}).pop(rules.STATE, None) is not None:
            yield f"output {number}: saved widget state taken out"
        if without_view(output):
            yield f"output {number}: view of a widget taken out, its other forms stay"
        yield from (f"output {number}: {change}" for change in _mended(texts([output], 0), redactor))


def without_view(output: dict[str, Any]) -> bool:
    """Take the view of a widget out of an output that has another form; whether there was one."""
    data = output.get("data", {})
    return len(data) > 1 and data.pop(rules.VIEW, None) is not None


def _mended(found: Iterable[Text], redactor: Redactor) -> Iterator[str]:
    """Mend the texts, and say what was done, each kind once."""
    steps: list[tuple[str, Callable[[str], str]]] = [
        ("secrets replaced by markers", redactor.text),
        ("paths of one machine shortened", places.shortened),
    ]
    kept = list(found)
    for told, mend in steps:
        if [text for text in kept if _replaced(text, mend)]:
            yield told


def _replaced(text: Text, mend: Callable[[str], str]) -> bool:
    before = text.value
    after = mend(before)
    if after != before:
        text.replace(after)
    return after != before


def _counts(notebook: Notebook) -> Iterator[str]:
    """Number cells that were run in this order from 1; in any other order, only running them again is honest."""
    code = notebook.code
    counts = [cell.count for cell in code if cell.count is not None]
    in_order = len(counts) == len(code) and counts == sorted(set(counts))
    if in_order and counts != [*range(1, len(code) + 1)]:
        for number, cell in enumerate(code, 1):
            numbered(cell.data, number)
        yield f"the notebook: execution counts begin at 1, and leave none out (they were {_told(counts)})"


def numbered(cell: dict[str, Any], number: int | None) -> None:
    """Give a code cell, and the results in its outputs, this execution count."""
    cell["execution_count"] = number
    for output in cell.get("outputs", ()):
        if output.get("output_type") == "execute_result":
            output["execution_count"] = number


def _told(counts: list[int]) -> str:
    shown = ", ".join(map(str, counts[:8]))
    return shown if len(counts) <= 8 else f"{shown}, …"
