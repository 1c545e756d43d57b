"""Every notebook of ours as it is met without a kernel: exported by nbconvert, and opened in a lab that does not trust
it. Its runs are there, word for word, and every output can be seen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbconvert
import nbformat
import pytest
from nbformat import NotebookNode
from playwright.sync_api import Page, sync_playwright

from hermes_nb.views.markup.pieces import UNTOUCHED
from tests.browser.conftest import CHROMIUM, NOTEBOOK_SECONDS
from tests.browser.test_shared_pages import OURS
from tests.browser.test_static_views import CLIPPED
from tests.views import test_html

if TYPE_CHECKING:
    from tests.browser.conftest import Lab

OURS_IN = f".{UNTOUCHED.split()[0]}"
"""What our own fragments stand in, in any page."""

SHOWN = """([selector, ours]) => [...document.querySelectorAll(selector)].map(one => {
  const { width, height } = one.getBoundingClientRect();
  const run = one.querySelector(ours);
  return { words: run && run.textContent, text: one.textContent, seen: width > 0 && height > 0 };
})"""


def outputs(*paths: Path) -> list[NotebookNode]:
    """The outputs that these notebooks keep, in order."""
    return [
        output
        for path in paths
        for cell in nbformat.read(path, as_version=4).cells
        if cell.cell_type == "code"
        for output in cell.outputs
    ]


def words(text: str) -> str:
    """The text with one blank between words."""
    return " ".join(text.split())


def assert_shown(kept: list[NotebookNode], found: list[dict[str, Any]]) -> None:
    """Every output is in the page and can be seen; of a run, every word is there."""
    assert len(found) == len(kept)
    for output, one in zip(kept, found, strict=True):
        fragment = output.get("data", {}).get("text/html", "")
        told = output.get("text") or output.get("data", {}).get("text/plain", "")
        assert one["seen"], told[:200]
        if UNTOUCHED in fragment:
            assert words(one["words"]) == words(test_html.Page(fragment).text)
        elif not fragment and "data" not in output:
            assert words(told) in words(one["text"])


@pytest.fixture
def page(chromium: str) -> Iterator[Page]:
    """A window that reaches nothing but files."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM)
        opened = browser.new_page(viewport={"width": 1100, "height": 900})
        opened.route(lambda url: not url.startswith("file:"), lambda route: route.abort())
        yield opened
        browser.close()


@pytest.fixture(scope="module")
def exporter() -> nbconvert.HTMLExporter:
    """nbconvert's, as it comes."""
    return nbconvert.HTMLExporter()


@pytest.mark.parametrize(
    "found",
    [
        [],
        [{"words": "✓ finished", "text": "", "seen": True}],
        [{"words": "✓ finished It is 5.", "text": "", "seen": False}],
    ],
    ids=["stripped", "a word is gone", "not to be seen"],
)
def test_a_run_that_is_not_shown_is_noticed(found: list[dict[str, Any]]) -> None:
    fragment = f'<div class="{UNTOUCHED}"><p>✓ finished</p> It is 5.</div>'
    kept = [nbformat.v4.new_output("display_data", {"text/html": fragment, "text/plain": "✓ finished"})]

    assert_shown(kept, [{"words": "✓ finished It is 5.", "text": "", "seen": True}])
    with pytest.raises(AssertionError):
        assert_shown(kept, found)


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.stem)
def test_an_exported_notebook_shows_its_runs(
    page: Page, exporter: nbconvert.HTMLExporter, tmp_path: Path, path: Path
) -> None:
    made = tmp_path / "page.html"
    made.write_text(exporter.from_filename(str(path))[0], encoding="utf-8")

    page.goto(made.as_uri(), wait_until="domcontentloaded")

    assert_shown(outputs(path), page.evaluate(SHOWN, [".jp-OutputArea-output", OURS_IN]))
    assert page.evaluate(CLIPPED) == []


def test_the_lab_shows_the_runs_of_notebooks_that_it_does_not_trust_and_has_no_kernel_for(
    lab: Lab, tmp_path: Path
) -> None:
    cells = [
        NotebookNode({**cell, "id": f"{number}-{cell.id}"[:64]})
        for number, path in enumerate(OURS)
        for cell in nbformat.read(path, as_version=4).cells
    ]
    # All in one: a lab takes seconds to open each, and looks at each cell by itself.
    book = nbformat.v4.new_notebook(cells=cells)
    book.metadata["kernelspec"] = {"name": "no-such-kernel", "display_name": "None", "language": "python"}
    nbformat.write(book, lab.server.folder / "untrusted.ipynb")

    lab.page.goto(f"{lab.server.url}lab/tree/untrusted.ipynb?reset")
    dialog = lab.page.locator(".jp-Dialog", has_text="Select Kernel")
    dialog.wait_for(timeout=NOTEBOOK_SECONDS * 1000)
    dialog.get_by_role("button", name="No Kernel").click()
    kept = outputs(*OURS)
    assert len([one for one in kept if UNTOUCHED in one.get("data", {}).get("text/html", "")]) >= 10
    lab.page.wait_for_function(
        "number => document.querySelectorAll('.jp-OutputArea-output').length === number", arg=len(kept)
    )
    lab.screenshot(tmp_path / "untrusted.png", 3)

    assert lab.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.session") is None
    assert not lab.page.evaluate("() => window.jupyterapp.shell.currentWidget.model.cells.get(1).trusted")
    assert_shown(kept, lab.page.evaluate(SHOWN, [".jp-OutputArea-output", OURS_IN]))
