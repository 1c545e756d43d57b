"""Notebooks to share: check them, clean them, run them again, make a page of them.

    sharing.check(path)        what should not be shared, and what does not hold: findings, each with its cell
    sharing.clean(path)        takes out what can be taken out without running it again
    await sharing.run(path)    runs it, and stores its outputs: the one way stored outputs are made
    sharing.html(path)         a page that works offline, without a script

They work on any notebook of format 4, and are what the command `hermes-nb` does. A notebook that somebody sent can
hold widgets whose scripts run as soon as it is opened, and no check of ours is asked then: `check` it before opening
it, `clean` it, or open it with Jupyter's widgets extension off.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from hermes_nb.sharing.cleaning import cleaned
from hermes_nb.sharing.notebooks import NotebookError, opened, written
from hermes_nb.sharing.rules import LARGEST, RULES, Finding, every
from hermes_nb.sharing.running import CellFailed, rerun, sanitizer

if TYPE_CHECKING:
    from hermes_nb.redact import Secret

__all__ = ["RULES", "CellFailed", "Finding", "NotebookError", "check", "clean", "html", "run"]

Place = str | os.PathLike[str]


def check(path: Place, *, secrets: Iterable[str | Secret] = (), largest: int = LARGEST) -> tuple[Finding, ...]:
    """What breaks a rule in the notebook at `path`; `sharing.RULES` names them, and an empty tuple says that none is.

    Args:
        path: the notebook's file, which is only read.
        secrets: values that must not be in it, besides everything shaped like a key.
        largest: how many bytes the file may have.

    Raises:
        NotebookError: it cannot be read, or is no notebook of format 4.
    """
    return tuple(every(opened(path), secrets, largest))


def clean(path: Place, *, secrets: Iterable[str | Secret] = ()) -> tuple[str, ...]:
    """Take out of the notebook at `path` what can be taken out without running it, and say what that was.

    Saved widget state goes, and views of widgets, whose other forms stay; secrets and paths of one machine go from
    outputs, attachments and metadata; execution counts that rise with the cells are numbered from 1. Sources stay as
    they are. The file is written at once or not at all, and only when something changed; a second time nothing does.

    Raises:
        NotebookError: it cannot be read or written, or is no notebook of format 4.
    """
    notebook = opened(path)
    changes = cleaned(notebook, secrets)
    if changes:
        written(notebook)
    return tuple(changes)


async def run(
    path: Place, *, sanitize_with: Place | None = None, seconds: int | None = None, fresh: bool = False
) -> tuple[str, ...]:
    """Run the notebook at `path` in a fresh kernel, store its outputs, and name the cells whose outputs are new.

    The kernel is the notebook's own, and its folder the notebook's. What is stored has no times in it, keeps the cells'
    ids, counts from 1, and is the same bytes when it is run twice, as far as the outputs are the same.

    Args:
        path: the notebook's file.
        sanitize_with: a file of patterns as nbval takes it; an output that differs in nothing else stays as it was.
        seconds: how many seconds a cell may take; any number of them where it is None.
        fresh: whether cells that say that their output is not compared get a new one, too.

    Raises:
        CellFailed: a cell ended in an error, with its number and traceback; the file is as it was.
        NotebookError: it cannot be read, run or written.
        MissingDependency: nbclient is not installed.
    """
    return tuple(await rerun(Path(path), sanitizer(sanitize_with), seconds=seconds, fresh=fresh))


def html(path: Place, out: Place | None = None) -> Path:
    """Write the notebook at `path` as a page that works offline, and give the page's path.

    It holds no script, and asks nothing of any machine: pictures are in it, those of other machines are named instead,
    and links wait for a click. Formulas stand as they are written.

    Args:
        path: the notebook's file.
        out: the page; beside the notebook, with its name and `.html`, where it is None.

    Raises:
        NotebookError: it cannot be read, or the page cannot be written.
        MissingDependency: nbconvert is not installed.
    """
    from hermes_nb.sharing.notebooks import save
    from hermes_nb.sharing.pages import page

    notebook = opened(path)
    place = Path(path).with_suffix(".html") if out is None else Path(out)
    save(place, page(notebook))
    return place
