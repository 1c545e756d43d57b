"""Check a notebook before it is shared: every rule, what breaks it, and what to do about it.

    secret        a key or a password in a source, an output, an attachment or the metadata
    widget-state  saved widgets, whose scripts run in the browser of whoever opens the file, and views of widgets that
                  are gone by then, which JupyterLab shows as an error in place of an output's other forms
    remote        an output that asks something of another machine when it is looked at
    path          a path of one machine
    size          a file or an output too large for a page
    order         cells that were not run once each, from top to bottom
    ignored       an output that no test compares, and nobody says why

A reason for an ignored output is a comment of three words or more in the cell, or a word such as "differs" or "because"
in the text before it.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from hermes_nb.redact import MARKER, Redactor, Secret
from hermes_nb.sharing import places, remote
from hermes_nb.sharing.notebooks import Cell, Notebook, Text, text_of, texts

RULES = ("secret", "widget-state", "remote", "path", "size", "order", "ignored")
STATE = "application/vnd.jupyter.widget-state+json"
VIEW = "application/vnd.jupyter.widget-view+json"
LARGEST = 5_000_000
"""Bytes of a whole notebook; GitHub and many mail servers show or take little more."""
LARGEST_OUTPUT = 1_000_000
"""Bytes of one output."""

IGNORING = {"nbval-ignore-output", "nbval-skip", "raises-exception", "nbval-raises-exception", "skip-execution"}
COMMENTS = {"NBVAL_IGNORE_OUTPUT", "NBVAL_SKIP", "NBVAL_RAISES_EXCEPTION", "PYTEST_VALIDATE_IGNORE_OUTPUT"}
COMMENT = re.compile(r"^\s*#+\s*(.*?)\s*$|\s#\s+(.*?)\s*$", re.MULTILINE)
REASON = re.compile(
    r"(?i)\b(?:because|since|differ\w*|var(?:y|ies)|random\w*|ignored?|not compared|another? \w+ (?:each|every) time"
    r"|every run|errors?|exceptions?|rais(?:es?|ed)|fail\w*|refus\w*|nbval\S*)\b"
)


@dataclass(frozen=True, slots=True)
class Finding:
    """What breaks a rule, and where.

    `cell` is the number of the cell, counted from 1 over all cells, or None where it is about the whole notebook;
    `name` is that cell's, with its first line; `where` is `source`, `output 1`, `metadata`, ...; `todo` says how to
    mend it.
    """

    rule: str
    what: str
    todo: str
    where: str = "metadata"
    cell: int | None = None
    name: str = "the notebook"
    cell_id: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return f"{self.name}, {self.where}: {self.what} [{self.rule}]. {self.todo}."


def every(notebook: Notebook, secrets: Iterable[str | Secret] = (), largest: int = LARGEST) -> list[Finding]:
    """Everything in a notebook that breaks a rule, the whole notebook first, then cell by cell."""
    known = tuple(secrets)
    found = [*_whole(notebook, largest), *_texts_of_metadata(notebook, known), *_order(notebook)]
    before = ""
    for cell in notebook.cells:
        found += [*_source(cell, known), *_kept(cell, known), *_outputs(cell, known), *_ignored(cell, before)]
        before = cell.source if cell.data["cell_type"] == "markdown" else ""
    return sorted(found, key=lambda finding: finding.cell or 0)


def _at(cell: Cell, rule: str, what: str, todo: str, where: str = "source") -> Finding:
    found = cell.data.get("id")
    return Finding(rule, what, todo, where, cell.number, cell.name, found if isinstance(found, str) else None)


def _whole(notebook: Notebook, largest: int) -> Iterator[Finding]:
    widgets = notebook.data.get("metadata", {}).get("widgets")
    if widgets is not None:
        scripted = "_esm" in json.dumps(widgets)
        what = "saved widget state" + (" with a script, which runs when the file is opened" if scripted else "")
        yield Finding("widget-state", what, CLEAN)
    if notebook.size > largest:
        todo = "Show less, or keep it in a file beside the notebook"
        yield Finding("size", f"{_megabytes(notebook.size)}, and more than {_megabytes(largest)}", todo, "size")


CLEAN = "`hermes-nb clean` takes it out"
RENEW = "Take it out, and make the key anew: whoever had the file may have it"


def secrets_in(found: Iterable[Text], known: Iterable[str | Secret]) -> str | None:
    """What secrets are in these texts, such as "a secret (key)"; None where there are none."""
    redactor, kinds = Redactor(known), Counter[str]()
    for text in found:
        value = text.value
        clean = redactor.text(value)
        if clean is not value:
            kinds += Counter(MARKER.findall(clean)) - Counter(MARKER.findall(value))
    labels = sorted({marker.removeprefix("[redacted:").partition("#")[0] for marker in kinds})
    count = "a secret" if len(kinds) == 1 else f"{len(kinds)} secrets"
    return f"{count} ({', '.join(labels)})" if kinds else None


def paths_in(found: Iterable[Text]) -> str | None:
    """The first path of one machine in these texts, and how many more."""
    paths = list(dict.fromkeys(path for text in found for path in places.found(text.value)))
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    return f"a path of one machine, {_shown(paths[0])}{more}" if paths else None


def metadata_texts(notebook: Notebook) -> list[Text]:
    """The texts of a notebook's own metadata, without those of saved widgets, which are a finding of their own."""
    metadata = notebook.data.get("metadata", {})
    return [text for key in metadata if key != "widgets" for text in texts(metadata, key)]


def _texts_of_metadata(notebook: Notebook, known: tuple[str | Secret, ...]) -> Iterator[Finding]:
    found = metadata_texts(notebook)
    if what := secrets_in(found, known):
        yield Finding("secret", what, CLEAN)
    if what := paths_in(found):
        yield Finding("path", what, CLEAN)


def _source(cell: Cell, known: tuple[str | Secret, ...]) -> Iterator[Finding]:
    source = [Text(cell.data, "source")] if cell.source else []
    if what := secrets_in(source, known):
        yield _at(cell, "secret", what, f"{RENEW}. Read it from the environment, or ask with getpass")
    if what := paths_in(source):
        yield _at(cell, "path", what, "Write it relative to the notebook")


def _kept(cell: Cell, known: tuple[str | Secret, ...]) -> Iterator[Finding]:
    """What is kept with a cell besides source and outputs."""
    for where in ("metadata", "attachments"):
        found = list(texts(cell.data, where)) if where in cell.data else []
        if what := secrets_in(found, known):
            yield _at(cell, "secret", what, CLEAN, where)
        if what := paths_in(found):
            yield _at(cell, "path", what, CLEAN, where)


def _outputs(cell: Cell, known: tuple[str | Secret, ...]) -> Iterator[Finding]:
    for number, output in enumerate(cell.outputs, 1):
        where, found = f"output {number}", list(texts([output], 0))
        if what := secrets_in(found, known):
            yield _at(cell, "secret", what, f"{CLEAN}; make the key anew", where)
        if what := paths_in(found):
            yield _at(cell, "path", what, CLEAN, where)
        data = output.get("data", {})
        asked = [url for mime, content in data.items() for url in remote.in_data(mime, content, text_of(content))]
        if asked:
            more = f" and {len(asked) - 1} more" if len(asked) > 1 else ""
            what = f"asks another machine when it is shown, {_shown(Redactor(known).text(asked[0]))}{more}"
            yield _at(cell, "remote", what, "Show a picture or a table that is whole in itself, and run again", where)
        if STATE in data:
            yield _at(cell, "widget-state", "saved widget state", CLEAN, where)
        elif STATE in text_of(data.get("text/html")):
            yield _at(cell, "widget-state", "saved widget state in HTML", "Clear the output, and run again", where)
        elif VIEW in data and len(data) > 1:
            what = "a view of a widget that is gone when the file is opened again"
            yield _at(cell, "widget-state", what, f"{CLEAN}; its other forms stay", where)
        size = len(json.dumps(output, ensure_ascii=False).encode("utf-8", "surrogatepass"))
        if size > LARGEST_OUTPUT:
            what = f"{_megabytes(size)}, and more than {_megabytes(LARGEST_OUTPUT)}"
            yield _at(cell, "size", what, "Show less: a part of the table, a smaller picture", where)


def _order(notebook: Notebook) -> Iterator[Finding]:
    """The first cell that shows that they were not run once each, from top to bottom."""
    for expected, cell in enumerate(notebook.code, 1):
        if cell.count != expected and "skip-execution" not in cell.tags:
            was = f"was run as number {cell.count}" if cell.count is not None else "was not run, or was stripped"
            what = f"{was}, and is code cell {expected} from the top"
            todo = "Run all cells from top to bottom: `hermes-nb run` does"
            yield _at(cell, "order", what, todo, "execution count")
            return


def ignoring(cell: Cell) -> set[str]:
    """The tags and comments by which tests pass over a cell's output, or expect an error of it."""
    return {mark for mark in _comments(cell) if mark in COMMENTS} | (cell.tags & IGNORING)


def _comments(cell: Cell) -> list[str]:
    return [own or beside for own, beside in COMMENT.findall(cell.source)]


def _ignored(cell: Cell, before: str) -> Iterator[Finding]:
    marks = ignoring(cell) if cell.is_code else set()
    said = any(len(comment.split()) >= 3 for comment in _comments(cell))
    if marks and not said and not REASON.search(before):
        todo = "Say why in a comment of the cell, or in the text before it"
        yield _at(cell, "ignored", f"{', '.join(sorted(marks))} without a reason", todo, "output")


def _shown(text: str) -> str:
    """A piece of the notebook as it can stand in a line: short, without control characters."""
    plain = "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)
    return plain if len(plain) <= 80 else f"{plain[:79]}…"


def _megabytes(size: int) -> str:
    return f"{size / 1_000_000:.1f} MB"
