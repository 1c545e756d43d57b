"""The lab fixture itself: a cell runs, and what must fail a test is seen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import nbformat

if TYPE_CHECKING:
    from tests.browser.conftest import Lab


def notebook(folder: Path, *cells: str) -> Path:
    """A notebook of these code cells."""
    path = folder / "cells.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells]), path)
    return path


def test_a_cell_runs_and_its_output_is_shown_and_saved_nowhere_but_in_the_copy(lab: Lab, tmp_path: Path) -> None:
    original = notebook(tmp_path, "1 + 1", "print('sum is', _ + 40)")

    lab.open(original)
    lab.run_all()

    lab.wait_output(1, "sum is 42")
    assert lab.outputs(0) == ["2"]
    assert "sum is 42" not in original.read_text()


def test_running_all_ends_at_a_cell_that_raises(lab: Lab, tmp_path: Path) -> None:
    lab.open(notebook(tmp_path, "'before'", "1 / 0", "'after'"))
    lab.run_all()

    lab.wait_output(1, "ZeroDivisionError")
    assert [lab.outputs(0), lab.outputs(2)] == [["'before'"], []]


def test_every_test_gets_a_kernel_of_its_own(lab: Lab, tmp_path: Path) -> None:
    lab.open(notebook(tmp_path, "'first'", "len(In)"))
    lab.run_all()

    assert lab.outputs(1) == ["3"]


def test_an_error_in_the_page_is_seen(lab: Lab, tmp_path: Path) -> None:
    lab.open(notebook(tmp_path, "1 + 1"))
    with lab.page.expect_event("pageerror"):
        lab.page.evaluate("() => { setTimeout(() => { throw new Error('on purpose'); }, 0); }")

    assert [error for error in lab.errors if "on purpose" in error]
    lab.errors.clear()


def test_a_request_to_another_machine_is_refused_and_seen(lab: Lab, tmp_path: Path) -> None:
    lab.open(notebook(tmp_path, "1 + 1"))
    reached = lab.page.evaluate("() => fetch('http://elsewhere.invalid/x').then(() => true, () => false)")

    assert not reached
    assert lab.asked_elsewhere == ["http://elsewhere.invalid/x"]
    lab.asked_elsewhere.clear()
    lab.errors.clear()
