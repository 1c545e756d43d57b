"""Open a notebook's file, name its cells, and write it back whole.

Nothing here needs Jupyter: a notebook is JSON. What is read is kept as it stands in the file, so that what is not
changed is written as it was.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hermes_nb.exceptions import HermesError
from hermes_nb.redact import Redactor

LONGEST_LINE = 48
BINARY = ("image/", "audio/", "video/", "application/pdf", "application/octet-stream")
JOINED = ("source", "text")
"""The fields whose text may stand in the file as a list of lines; in `data` and attachments every one may."""


class NotebookError(HermesError, ValueError):
    """A file that is no notebook, or none that can be worked on; the text says what is wrong and what to do."""


@dataclass(frozen=True, slots=True)
class Text:
    """One text in a notebook: `holder[key]`, a string or a list of lines, which `replace` puts another in place of."""

    holder: Any
    key: Any

    @property
    def value(self) -> str:
        """The whole text, its lines joined."""
        return text_of(self.holder[self.key])

    def replace(self, text: str) -> None:
        """Put another text there, as lines where it stood as lines."""
        lines = isinstance(self.holder[self.key], list)
        self.holder[self.key] = text.splitlines(keepends=True) if lines else text


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: `number` counts all cells from 1, as a reader does; `data` is what the file says of it."""

    number: int
    data: dict[str, Any]

    @property
    def is_code(self) -> bool:
        """Whether it holds code, and may have outputs."""
        return bool(self.data["cell_type"] == "code")

    @property
    def source(self) -> str:
        """What a person wrote in it."""
        return text_of(self.data.get("source", ""))

    @property
    def outputs(self) -> list[dict[str, Any]]:
        """What it left behind, as the file has it; nothing where it holds no code."""
        return list(self.data.get("outputs", ())) if self.is_code else []

    @property
    def count(self) -> int | None:
        """The execution count, in code cells."""
        found = self.data.get("execution_count")
        return found if isinstance(found, int) else None

    @property
    def tags(self) -> set[str]:
        """Its tags."""
        found = self.data.get("metadata", {}).get("tags", ())
        return {tag for tag in found if isinstance(tag, str)} if isinstance(found, list) else set()

    @property
    def first_line(self) -> str:
        """The first line with something in it, short, without secrets and control characters."""
        line = next((line.strip() for line in self.source.splitlines() if line.strip()), "")
        line = Redactor().text(line)
        line = "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in line)
        return line if len(line) <= LONGEST_LINE else f"{line[: LONGEST_LINE - 1]}…"

    @property
    def name(self) -> str:
        """What a person finds the cell by: `cell 3 "answer = 42"`."""
        line = self.first_line
        return f'cell {self.number} "{line}"' if line else f"cell {self.number} (empty)"


@dataclass(frozen=True, slots=True)
class Notebook:
    """A notebook's file: `data` is its JSON, `size` its length in bytes."""

    path: Path
    data: dict[str, Any]
    size: int

    @property
    def cells(self) -> list[Cell]:
        """All cells, in order."""
        return [Cell(number, cell) for number, cell in enumerate(self.data["cells"], 1)]

    @property
    def code(self) -> list[Cell]:
        """The code cells that hold code; an empty one is never run."""
        return [cell for cell in self.cells if cell.is_code and cell.source.strip()]


def text_of(value: Any) -> str:
    """A text that may be written as a list of lines; "" where it is neither."""
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return "".join(value)
    return value if isinstance(value, str) else ""


def opened(path: str | os.PathLike[str]) -> Notebook:
    """Read a notebook of format 4.

    Raises:
        NotebookError: there is no such file, it is no notebook, or it is one of another format.
    """
    place = Path(path)
    try:
        raw = place.read_bytes()
    except OSError as error:
        raise NotebookError(f"it cannot be read: {error.strerror or error}") from error
    try:
        data = json.loads(raw.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise NotebookError(f"it is no notebook: a notebook is JSON in UTF-8, and this is not ({error})") from error
    wrong = _wrong(data)
    if wrong:
        raise NotebookError(f"it is no notebook that can be read: {wrong}")
    return Notebook(place, data, len(raw))


def _wrong(data: Any) -> str | None:
    """What keeps this JSON from being a notebook of format 4."""
    if not isinstance(data, dict) or not isinstance(data.get("nbformat"), int):
        return "it does not say which format it has (nbformat)"
    if data["nbformat"] != 4:
        newer = (
            "update this package" if data["nbformat"] > 4 else "open it in Jupyter and save it, which brings it to 4"
        )
        return f"it is of format {data['nbformat']}, and 4 is what is read; {newer}"
    if not isinstance(data.get("metadata", {}), dict):
        return "its metadata is no table"
    if not isinstance(data.get("cells"), list):
        return "it has no list of cells"
    found = ((number, _wrong_cell(cell)) for number, cell in enumerate(data["cells"], 1))
    return next((f"cell {number} {wrong}" for number, wrong in found if wrong), None)


def _wrong_cell(cell: Any) -> str | None:
    if not isinstance(cell, dict) or not isinstance(cell.get("cell_type"), str):
        return "does not say which type it has"
    if not isinstance(cell.get("metadata", {}), dict):
        return "has metadata that is no table"
    if not _is_text(cell.get("source", "")):
        return "has a source that is no text"
    outputs = cell.get("outputs", [])
    if not isinstance(outputs, list) or not all(isinstance(output, dict) for output in outputs):
        return "has outputs that are no list of tables"
    if not all(isinstance(output.get("data", {}), dict) for output in outputs):
        return "has an output whose data is no table"
    return None


def _is_text(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(line, str) for line in value))


def texts(holder: Any, key: Any) -> Iterator[Text]:
    """Every text in `holder[key]`, a part of a notebook, in order, but for pictures and the like."""
    todo: list[Text] = [Text(holder, key)]
    while todo:
        one = todo.pop()
        item = one.holder[one.key]
        if isinstance(item, str) or (isinstance(item, list) and _is_lines(one)):
            yield one
        elif isinstance(item, dict):
            todo += reversed([Text(item, key) for key in item if not _is_binary(key)])
        elif isinstance(item, list):
            todo += reversed([Text(item, index) for index in range(len(item))])


def _is_lines(text: Text) -> bool:
    """Whether a list of strings is one text, and no list of several: a MIME type names it, or its field does."""
    named = isinstance(text.key, str) and ("/" in text.key or text.key in JOINED)
    return named and bool(text.holder[text.key]) and _is_text(text.holder[text.key])


def _is_binary(key: Any) -> bool:
    return isinstance(key, str) and key.startswith(BINARY) and key != "image/svg+xml"


def written(notebook: Notebook) -> None:
    """Write the notebook where it was read, in the form Jupyter writes, at once or not at all."""
    save(notebook.path, json.dumps(notebook.data, ensure_ascii=False, indent=1) + "\n")


def save(path: Path, text: str) -> None:
    """Put a text into a file at once or not at all, through links and with the rights the file has.

    Raises:
        NotebookError: it cannot be written there.
    """
    place, waiting = Path(os.path.realpath(path)), None
    try:
        with tempfile.NamedTemporaryFile("wb", dir=place.parent, prefix=f".{place.stem}-", delete=False) as file:
            waiting = Path(file.name)
            file.write(text.encode("utf-8", "surrogatepass"))
            file.flush()
            os.fsync(file.fileno())
        if place.exists():
            shutil.copymode(place, waiting)
        else:
            waiting.chmod(0o666 & ~_umask())
        waiting.replace(place)
    except OSError as error:
        if waiting is not None:
            waiting.unlink(missing_ok=True)
        raise NotebookError(f"it cannot be written: {error.strerror or error}") from error


def _umask() -> int:
    now = os.umask(0)
    os.umask(now)
    return now
