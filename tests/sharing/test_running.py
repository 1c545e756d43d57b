"""Running a notebook stores what its cells said, in one form, or leaves the file as it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nbformat
import pytest

from hermes_nb import sharing
from tests.sharing.made import HOSTILE, code, notebook, printed, saved, shown, text

pytestmark = pytest.mark.usefixtures("nothing_is_left")

PATTERNS = "[numbers]\nregex: 0\\.\\d+\nreplace: NUMBER\n"


def cells(path: Path) -> list[Any]:
    return list(nbformat.read(path, as_version=4).cells)


async def test_outputs_are_stored_and_the_same_bytes_when_it_is_run_twice(tmp_path: Path) -> None:
    made = notebook(
        text("# Sums"),
        code("import sys\nprint('one')\nprint('careful', file=sys.stderr)\nprint('two')", 9),
        code("  ", None),
        code("from pathlib import Path\nsorted(p.name for p in Path().iterdir())", None),
    )
    made.metadata["widgets"] = HOSTILE
    made.cells[1].metadata["execution"] = {"iopub.status.busy": "2024-01-01T00:00:00Z"}
    path = saved(made, tmp_path / "made.ipynb")

    changed = await sharing.run(path)
    once = path.read_bytes()

    assert changed == ('cell 2 "import sys"', 'cell 4 "from pathlib import Path"')
    assert await sharing.run(path) == ()
    assert path.read_bytes() == once
    assert [cell.id for cell in cells(path)] == ["cell-00", "cell-01", "cell-02", "cell-03"]
    assert [cell.get("execution_count") for cell in cells(path)] == [None, 1, None, 2]
    assert [(one.name, one.text) for one in cells(path)[1].outputs] == [
        ("stdout", "one\ntwo\n"),
        ("stderr", "careful\n"),
    ]
    assert cells(path)[3].outputs[0].data["text/plain"] == "['made.ipynb']"
    assert sharing.check(path) == ()
    assert "execution" not in cells(path)[1].metadata
    assert nbformat.read(path, as_version=4).metadata.language_info == {"name": "python"}


async def test_a_failing_cell_is_named_with_its_traceback_and_the_file_stays(tmp_path: Path) -> None:
    path = saved(notebook(text("Expect."), code("values = []\nvalues[3]", 1), code("2", 2)), tmp_path / "made.ipynb")
    before = path.read_bytes()

    with pytest.raises(sharing.CellFailed) as failed:
        await sharing.run(path)

    assert str(failed.value).startswith('cell 2 "values = []" ended in IndexError; the file is as it was')
    assert "----> 2 values[3]" in str(failed.value)
    assert path.read_bytes() == before


async def test_an_error_that_is_expected_is_an_output(tmp_path: Path) -> None:
    path = saved(notebook(code("1 / 0  # nobody divides by zero", 1, tags=("raises-exception",))), tmp_path / "a.ipynb")

    await sharing.run(path)

    assert cells(path)[0].outputs[0].ename == "ZeroDivisionError"
    assert sharing.check(path) == ()


async def test_an_output_that_differs_only_in_what_is_sanitized_stays(tmp_path: Path) -> None:
    (tmp_path / "sanitize.cfg").write_text(PATTERNS)
    made = notebook(code("0.25", 5, shown({"text/plain": "0.11"}, 5)), code("'b'", 6, shown({"text/plain": "'a'"}, 6)))
    path = saved(made, tmp_path / "made.ipynb")

    assert await sharing.run(path, sanitize_with=tmp_path / "sanitize.cfg") == ("cell 2 \"'b'\"",)
    assert [one.outputs[0].data["text/plain"] for one in cells(path)] == ["0.11", "'b'"]
    assert [one.outputs[0].execution_count for one in cells(path)] == [1, 2]


async def test_an_output_that_nobody_compares_stays_unless_it_is_asked_for(tmp_path: Path) -> None:
    source = "# NBVAL_IGNORE_OUTPUT\n# never the same number\n2"
    path = saved(notebook(code(source, 5, shown({"text/plain": "1"}, 5))), tmp_path / "made.ipynb")

    assert await sharing.run(path) == ()
    [cell] = cells(path)
    assert (cell.outputs[0].data["text/plain"], cell.execution_count, cell.outputs[0].execution_count) == ("1", 1, 1)
    assert len(await sharing.run(path, fresh=True)) == 1
    assert cells(path)[0].outputs[0].data["text/plain"] == "2"


async def test_cells_without_an_id_or_with_the_same_get_one_that_lasts(tmp_path: Path) -> None:
    made = json.loads(nbformat.writes(notebook(code("1", 1), code("2", 2), code("3", 3))))
    made["cells"][0]["id"] = made["cells"][1]["id"] = "twin"
    del made["cells"][2]["id"]
    path = tmp_path / "made.ipynb"
    path.write_text(json.dumps(made))

    await sharing.run(path)

    assert [cell["id"] for cell in json.loads(path.read_text())["cells"]] == ["twin", "cell-02", "cell-03"]


async def test_a_progress_bar_is_stored_as_it_looked_at_the_end(tmp_path: Path) -> None:
    path = saved(notebook(code("print('10 %\\r50 %\\r100 %')", 1, printed("x"))), tmp_path / "made.ipynb")

    await sharing.run(path)

    assert cells(path)[0].outputs[0].text == "100 %\n"


async def test_a_cell_that_takes_too_long_is_given_up(tmp_path: Path) -> None:
    path = saved(notebook(code("import threading\nthreading.Event().wait()", 1)), tmp_path / "made.ipynb")

    with pytest.raises(sharing.CellFailed, match="more than 1 s"):
        await sharing.run(path, seconds=1)


async def test_a_kernel_that_is_not_there_is_named(tmp_path: Path) -> None:
    made = notebook(code("1", 1))
    made.metadata["kernelspec"]["name"] = "fortran"

    with pytest.raises(sharing.NotebookError, match="its kernel, fortran, is not installed"):
        await sharing.run(saved(made, tmp_path / "made.ipynb"))


async def test_a_file_that_holds_no_patterns_is_told(tmp_path: Path) -> None:
    (tmp_path / "sanitize.cfg").write_text("[one]\nregex: (\nreplace: x\n")

    with pytest.raises(sharing.NotebookError, match="is no file of patterns"):
        await sharing.run(saved(notebook(), tmp_path / "made.ipynb"), sanitize_with=tmp_path / "sanitize.cfg")
