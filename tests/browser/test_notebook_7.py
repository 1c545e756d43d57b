"""The live view in Notebook 7, which is made of JupyterLab's parts, and shows the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import nbformat
import pytest

from tests.browser.conftest import LabServer, served, window
from tests.browser.stage import AXE, CHECK, SAVED, SOIL, Stage, staged, written
from tests.views.runs import ANSWER, invoices_script

if TYPE_CHECKING:
    from tests.browser.conftest import Lab

pytest.importorskip("notebook", reason="Notebook 7 is on the shelf `test`")

RUNNING, KEPT, MANY = 1, 2, 3
CELLS = [
    "hanging = scripted([call('hang')]).start('Hang.')\nhanging",
    "hn.views.live(hn.journal.load('kept.jsonl'))",
    "pair = [scripted([call('hang')]).start('Hang.', task=name) for name in 'ab']\nhn.views.show(pair)",
]


@pytest.fixture(scope="module")
def rows_in_lab(
    new_window: Callable[[], AbstractContextManager[Lab]],
    lab_server: LabServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> list[str]:
    """The rows of the kept run as JupyterLab shows them."""
    written(invoices_script(), lab_server.folder / "kept.jsonl")
    with staged(new_window, tmp_path_factory.mktemp("beside"), "beside", CELLS[KEPT - 1], ready=1) as beside:
        return beside.row(1).all_inner_texts()


@pytest.fixture(scope="module")
def stage(chromium: str, rows_in_lab: list[str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A notebook with a run that goes on, one that was kept, and a table of two. No other window is open beside it."""
    home = tmp_path_factory.mktemp("notebook")
    with served(home, "notebook", "JupyterNotebookApp") as url:
        server = LabServer(url, home / "notebooks", opens="notebooks/{}")
        written(invoices_script(), server.folder / "kept.jsonl")
        # What Notebook 7 stumbles over while it starts, before a cell has run, is its own.
        with staged(
            lambda: window(chromium, server), home, "seven", *CELLS, ready=KEPT, opened=lambda lab: lab.errors.clear()
        ) as opened:
            yield opened


def test_a_kept_run_has_the_rows_it_has_in_jupyterlab(stage: Stage, rows_in_lab: list[str]) -> None:
    assert len(rows_in_lab) > 5
    assert stage.row(KEPT).all_inner_texts() == rows_in_lab
    assert stage.cell(KEPT).locator(".jp-OutputArea-output").count() == 1
    assert stage.view(KEPT).locator(".answer").inner_text().replace("\n", " ").endswith(ANSWER)


def test_its_rows_open_and_its_colours_follow_the_theme(stage: Stage) -> None:
    stage.row(KEPT, "✗error").click()
    stage.view(KEPT).locator(".body", has_text="ZeroDivisionError").wait_for()
    stage.lab.page.evaluate(AXE.read_text(encoding="utf-8"))
    colours = []
    for theme in ("JupyterLab Dark", "JupyterLab Light"):
        stage.lab.theme(theme)
        assert stage.view(KEPT).evaluate(CHECK) == []
        colours.append(stage.view(KEPT).evaluate("view => getComputedStyle(view).color"))
    assert colours[0] != colours[1]


def test_its_keys_are_its_own_and_the_notebooks_keys_are_the_notebooks(stage: Stage) -> None:
    page, cells = stage.lab.page, stage.lab.page.locator(".jp-Cell")
    before = cells.count()
    stage.view(KEPT).locator(".row[role=button][tabindex='0']").focus()
    for key in ("Home", "j", "j", "ArrowDown", "k"):
        page.keyboard.press(key)
    assert page.evaluate("document.activeElement.ariaLabel") == "turn 1, total, ok"
    page.keyboard.press("Enter")
    stage.view(KEPT).locator(".body", has_text="[120,75.5,0]").wait_for()
    page.keyboard.press("/")
    page.keyboard.type("dd bax")
    assert stage.view(KEPT).locator(".filter").input_value() == "dd bax"
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    assert cells.count() == before

    stage.cell(MANY).locator(".jp-InputPrompt").click()
    page.keyboard.press("b")
    cells.nth(before).wait_for()
    page.keyboard.press("d")
    page.keyboard.press("d")
    cells.nth(before).wait_for(state="detached")


def test_the_notebook_is_saved_by_its_own_key_from_within_a_view(stage: Stage) -> None:
    stage.lab.page.evaluate(SOIL)
    stage.view(KEPT).locator(".row[role=button][tabindex='0']").focus()
    stage.lab.page.keyboard.press("Control+s")

    stage.lab.page.wait_for_function(SAVED)


def test_a_table_of_runs_is_walked_and_opens_them(stage: Stage) -> None:
    view = stage.view(MANY)
    view.get_by_role("button", name="a · 0, running").focus()
    stage.lab.page.keyboard.press("j")
    stage.lab.page.keyboard.press("Enter")
    view.locator(".opened pre", has_text="hang").wait_for()
    assert view.get_by_role("button", name="b · 0, running").get_attribute("aria-expanded") == "true"


def test_stop_ends_the_run_and_the_saved_notebook_keeps_it(stage: Stage) -> None:
    stage.state(RUNNING, "running")
    stage.view(RUNNING).locator(".stop").click()
    stage.state(RUNNING, "interrupted")
    assert stage.execute("", "hanging.status") == "interrupted"
    form = stage.cell(RUNNING).locator(".jp-RenderedHTML")
    form.wait_for(state="attached")
    assert form.is_hidden(), "the view goes on over the form that is saved"
    stage.state(RUNNING, "interrupted")
    stage.lab.save()

    saved = nbformat.read(stage.lab.server.folder / "seven.ipynb", as_version=4)
    assert "widgets" not in saved.metadata
    [kept] = saved.cells[KEPT].outputs
    assert "✓ finished" in kept.data["text/plain"]
    [ended] = saved.cells[RUNNING].outputs
    assert "⊘ interrupted" in ended.data["text/html"].replace("&nbsp;", " ")
    assert set(ended.data) == {"text/html", "text/plain"}
