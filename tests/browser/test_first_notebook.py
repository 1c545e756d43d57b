"""The first notebook with a tool as a newcomer meets it: JupyterLab in a real browser, all cells run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import pytest

if TYPE_CHECKING:
    from tests.browser.conftest import Lab

FIRST = Path(__file__).resolve().parents[2] / "notebooks" / "course" / "02_one_tool.ipynb"

LOWEST_CONTRAST = """shown => {
  const brush = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const parts = colour => {
    brush.clearRect(0, 0, 1, 1);
    brush.fillStyle = colour;
    brush.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = brush.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const light = ([r, g, b]) => [r, g, b]
    .map(v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = node => {
    for (let at = node; at; at = at.parentElement) {
      const colour = parts(getComputedStyle(at).backgroundColor);
      if (colour[3] === 1) return colour;
    }
    return [255, 255, 255, 1];
  };
  const texts = document.createTreeWalker(shown, NodeFilter.SHOW_TEXT);
  let lowest = { ratio: 21, text: "" };
  while (texts.nextNode()) {
    const node = texts.currentNode, holder = node.parentElement;
    if (!node.data.trim() || !holder.getClientRects().length) continue;
    const pair = [light(parts(getComputedStyle(holder).color)), light(ground(holder))].sort((a, b) => b - a);
    const ratio = (pair[0] + 0.05) / (pair[1] + 0.05);
    if (ratio < lowest.ratio) lowest = { ratio, text: node.data };
  }
  return lowest;
}"""


def cell_of(source: str) -> int:
    """The index, among the code cells, of the one whose source holds this."""
    cells = [cell.source for cell in nbformat.read(FIRST, as_version=4).cells if cell.cell_type == "code"]
    [index] = [index for index, text in enumerate(cells) if source in text]
    return index


ASKED = cell_of("loop.run(question)")
FAILING = cell_of("does Mizo weigh")
RECORD = cell_of("error.kind")


@pytest.fixture(scope="module")
def ran(new_window: Callable[[], AbstractContextManager[Lab]]) -> Iterator[Lab]:
    """The notebook, every cell of it run, as all tests here look at it."""
    with new_window() as lab:
        lab.open(FIRST)
        lab.run_all()
        lab.wait_output(RECORD, "LookupError")
        yield lab


def test_running_all_cells_shows_the_answer_and_the_rows_that_led_to_it(ran: Lab, tmp_path: Path) -> None:
    ran.screenshot(tmp_path / "answer.png", ASKED)

    shown = words(ran, ASKED)
    assert shown.index("✓ finished") < shown.index("Miso weighs 4.2 kg.") < shown.index("calls weigh")
    assert "2 turns · 1 call · 0 errors" in shown
    assert ran.rows(ASKED, "weigh", "✓ ok").count() == 1
    assert (ran.errors, ran.asked_elsewhere) == ([], [])


def test_an_error_is_read_on_its_row_without_a_click(ran: Lab, tmp_path: Path) -> None:
    ran.screenshot(tmp_path / "error.png", FAILING)

    failed = ran.rows(FAILING, "✗")
    assert "3 turns · 2 calls · ✗ 1 error" in words(ran, FAILING)
    assert failed.count() == 1
    assert "LookupError: no cat is called Mizo; there are Biscuit, Miso, Pickle" in failed.inner_text()


def test_a_call_is_read_in_full_after_a_click(ran: Lab) -> None:
    call = ran.output(ASKED).locator("details", has_text="weigh")
    arguments = call.get_by_text('{"cat":"Miso"}')

    assert not arguments.is_visible()
    call.locator("summary").click()
    assert arguments.is_visible()


def test_every_word_of_a_result_can_be_read_in_a_light_and_in_a_dark_theme(ran: Lab, tmp_path: Path) -> None:
    for theme in ("JupyterLab Dark", "JupyterLab Light"):
        ran.theme(theme)
        for cell in (ASKED, FAILING):
            ran.screenshot(tmp_path / f"{theme.split()[1]}-{cell}.png", cell)
            lowest = ran.output(cell).evaluate(LOWEST_CONTRAST)
            assert lowest["ratio"] >= 4.5, f"{theme}: {lowest}"


def test_what_is_saved_says_what_was_shown_and_holds_no_widget(ran: Lab) -> None:
    ran.save()

    saved = nbformat.read(ran.server.folder / FIRST.name, as_version=4)
    [result] = [cell.outputs[0].data for cell in saved.cells if "does Mizo weigh" in cell.source]
    assert "widgets" not in saved.metadata
    assert set(result) == {"text/plain", "text/html"}
    assert all("Miso weighs 4.2 kg." in form for form in result.values())


def words(lab: Lab, cell: int) -> str:
    """What that cell shows, with plain blanks."""
    return " ".join(lab.output(cell).inner_text().split())
