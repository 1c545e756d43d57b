"""Cleaning takes out what it can, says so, and leaves everything else as it stood."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import nbformat
import pytest

from hermes_nb import sharing
from tests.sharing.made import BAD, HOME, KEY, bad, code, honest, notebook, printed, saved

MENDED = {
    "a secret in an output", "a secret in metadata", "A38, a hostile widget", "a widget's state in an output",
    "a home folder in an output", "a temporary folder", "a drive of Windows", "a coloured path", "out of order",
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_can_be_mended_is_and_nothing_else_changes(name: str, tmp_path: Path) -> None:
    path = saved(bad(name), tmp_path / "made.ipynb")
    before = path.read_bytes()

    changes = sharing.clean(path)

    assert bool(changes) == (name in MENDED)
    assert (path.read_bytes() == before) == (not changes)
    assert (sharing.check(path) == ()) == (name in MENDED)
    sources = [cell.source for cell in nbformat.read(path, as_version=4).cells]
    assert sources == [cell.source for cell in bad(name).cells]


@pytest.mark.parametrize("name", sorted(MENDED))
def test_a_second_time_nothing_is_changed(name: str, tmp_path: Path) -> None:
    path = saved(bad(name), tmp_path / "made.ipynb")
    sharing.clean(path)
    once = path.stat().st_mtime_ns, path.read_bytes()

    assert sharing.clean(path) == ()
    assert (path.stat().st_mtime_ns, path.read_bytes()) == once


def test_A38_a_hostile_widget_is_gone_and_its_place_shows_what_else_it_said(tmp_path: Path) -> None:
    made = bad("A38, a hostile widget")
    view = {"application/vnd.jupyter.widget-view+json": {"model_id": "m1"}, "text/html": "<b>a run</b>"}
    made.cells[3].outputs = [nbformat.v4.new_output("display_data", view)]
    path = saved(made, tmp_path / "made.ipynb")

    assert sharing.clean(path) == (
        "the notebook: saved widget state taken out",
        'cell 4 "answer = 4", output 1: view of a widget taken out, its other forms stay',
    )
    assert "_esm" not in path.read_text()
    assert "widget-view" not in path.read_text()
    assert "<b>a run</b>" in path.read_text()


@pytest.mark.usefixtures("nothing_is_left")
async def test_what_nbclient_saves_of_a_live_view_is_found_and_taken_out_and_the_run_stays(tmp_path: Path) -> None:
    pytest.importorskip("anywidget")
    nbclient = pytest.importorskip("nbclient")
    lines = [
        "import hermes_nb as hn",
        "shown = await hn.HermesAgentLoop(hn.ScriptedServer(['It is five.'])).run('Add.', view=True)",
    ]
    made = notebook(code("\n".join(lines), None))
    await nbclient.NotebookClient(made, timeout=60, kernel_name="python3").async_execute()
    path = saved(made, tmp_path / "made.ipynb")
    assert path.stat().st_size > 40_000

    state, view = [one for one in sharing.check(path) if one.rule == "widget-state"]
    assert "with a script" in state.what
    assert view.what == "a view of a widget that is gone when the file is opened again"
    assert "the notebook: saved widget state taken out" in sharing.clean(path)
    assert [one for one in sharing.check(path) if one.rule == "widget-state"] == []
    assert path.stat().st_size < 10_000
    assert "It is five." in sharing.html(path).read_text()

    await sharing.run(path)
    [output] = nbformat.read(path, as_version=4).cells[0].outputs
    assert set(output.data) == {"text/plain", "text/html"}
    assert sharing.check(path) == ()


def test_every_change_is_told_with_its_cell(tmp_path: Path) -> None:
    made = notebook(code("key", 3, printed(f"{KEY}\n{HOME}/data.csv")), code("2", 5))
    path = saved(made, tmp_path / "made.ipynb")

    assert sharing.clean(path) == (
        'cell 1 "key", output 1: secrets replaced by markers',
        'cell 1 "key", output 1: paths of one machine shortened',
        "the notebook: execution counts begin at 1, and leave none out (they were 3, 5)",
    )
    assert json.loads(path.read_text())["cells"][0]["outputs"][0]["text"] == ["[redacted:key#1]\n", "…/data.csv"]


def test_cells_that_were_not_run_in_order_keep_their_counts(tmp_path: Path) -> None:
    path = saved(notebook(code("1", 4), code("2", 2)), tmp_path / "made.ipynb")

    assert sharing.clean(path) == ()
    assert [found.rule for found in sharing.check(path)] == ["order"]


def test_the_file_keeps_its_rights_and_the_link_to_it_stays(tmp_path: Path) -> None:
    path = saved(bad("a secret in an output"), tmp_path / "made.ipynb")
    path.chmod(0o640)
    link = tmp_path / "link.ipynb"
    link.symlink_to(path)

    assert sharing.clean(link)
    assert link.is_symlink()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert sorted(one.name for one in tmp_path.iterdir()) == ["link.ipynb", "made.ipynb"]


def test_a_folder_that_takes_no_file_leaves_the_notebook_as_it_was(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("the system's administrator may write everywhere")
    path = saved(bad("a secret in an output"), tmp_path / "made.ipynb")
    before = path.read_bytes()
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(sharing.NotebookError, match="cannot be written"):
            sharing.clean(path)
    finally:
        tmp_path.chmod(0o700)

    assert path.read_bytes() == before


def test_an_honest_notebook_is_not_written(tmp_path: Path) -> None:
    path = saved(honest(), tmp_path / "made.ipynb")
    before = path.stat()

    assert sharing.clean(path) == ()
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == (before.st_mtime_ns, before.st_ino)


def test_a_path_that_stands_alone_in_the_metadata_is_shortened_there(tmp_path: Path) -> None:
    made = honest()
    made.metadata["saved_as"] = f"{HOME}/study.ipynb"
    made.cells[1].metadata["opened"] = [f"{HOME}/a.csv", {"by": f"{HOME}/b.csv"}]
    path = saved(made, tmp_path / "made.ipynb")

    assert sharing.clean(path) == (
        "the notebook, metadata: paths of one machine shortened",
        'cell 2 "import math", metadata: paths of one machine shortened',
    )
    assert sharing.clean(path) == sharing.check(path) == ()
    assert HOME not in path.read_text()
