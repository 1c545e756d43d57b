"""A notebook as a page, in a real browser: nothing runs, nothing is asked for, and everything is there."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Page, sync_playwright

from hermes_nb import sharing
from tests.browser.conftest import CHROMIUM
from tests.browser.test_static_views import CLIPPED
from tests.sharing.made import HOSTILE, code, notebook, printed, saved, shown, text
from tests.views.attacks import at
from tests.views.runs import invoices

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
OURS = sorted(path for path in NOTEBOOKS.rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts)
DOT = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><script>window.__pwn=1</script>'
    '<rect width="9" height="9"/></svg>'
)

HARM = """() => ({
  scripts: document.scripts.length,
  active: document.querySelectorAll('iframe, object, embed, form, input, button, link, base, svg, video, audio').length,
  handlers: [...document.querySelectorAll('*')].flatMap(one => [...one.attributes])
    .filter(one => one.name.startsWith('on')).length,
  ran: window.__pwn === undefined ? 0 : 1,
})"""
NO_HARM = {"scripts": 0, "active": 0, "handlers": 0, "ran": 0}
BROKEN = "() => [...document.images].filter(one => !one.complete || !one.naturalWidth).length"


@dataclass
class Watched:
    """A window, and every address the page asked for besides itself."""

    page: Page
    asked: list[str] = field(default_factory=list)

    def open(self, path: Path) -> None:
        self.page.goto(path.as_uri(), wait_until="load")
        own = path.as_uri()
        self.asked[:] = [url for url in self.asked if url != own and not url.startswith("data:")]


@pytest.fixture
def window(chromium: str) -> Iterator[Watched]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM)
        watched = Watched(browser.new_page(viewport={"width": 900, "height": 900}))
        watched.page.on("request", lambda request: watched.asked.append(request.url))
        yield watched
        browser.close()


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.stem)
def test_every_notebook_of_ours_is_a_page_that_works_offline(window: Watched, tmp_path: Path, path: Path) -> None:
    window.page.context.set_offline(True)

    window.open(sharing.html(path, tmp_path / "page.html"))

    window.page.screenshot(path=tmp_path / "page.png", full_page=True)
    assert window.page.evaluate(HARM) == NO_HARM
    assert window.asked == []
    assert window.page.evaluate(BROKEN) == 0
    code_cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    assert window.page.locator(".source").count() == len(code_cells)
    assert window.page.locator(".output").count() == sum(len(cell.outputs) for cell in code_cells)
    assert window.page.locator(".left-out").count() == 0
    assert window.page.evaluate(CLIPPED) == []


def test_attacks_from_every_side_do_nothing(window: Watched, tmp_path: Path) -> None:
    attacks = list(at("http://far.example").values())
    cells = [code(attack, number, printed(attack)) for number, attack in enumerate(attacks, 1)]
    for cell, attack in zip(cells, attacks, strict=True):
        cell.outputs += [
            shown({"text/html": attack}), shown({"text/markdown": attack}), shown({"image/svg+xml": attack}),
            shown({"image/png": attack}), shown({"application/javascript": attack}), shown({"text/latex": attack}),
            nbformat.v4.new_output("error", ename=attack, evalue=attack, traceback=[attack]),
        ]  # fmt: skip
    made = notebook(text("# </title><script>window.__pwn=1</script>"), *map(text, attacks), *cells)
    made.metadata["widgets"] = HOSTILE
    made.metadata["language_info"] = {"name": attacks[0], "pygments_lexer": attacks[1]}

    window.open(sharing.html(saved(made, tmp_path / "made.ipynb")))
    window.page.wait_for_timeout(500)

    assert window.page.evaluate(HARM) == NO_HARM
    assert window.asked == []
    assert window.page.url == (tmp_path / "made.html").as_uri()


def test_pictures_are_in_the_page_where_they_may_be_and_named_where_not(window: Watched, tmp_path: Path) -> None:
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "dot.png").write_bytes(DOT)
    (tmp_path / "outside.png").write_bytes(DOT)
    pictures = text(
        "![near](dot.png) ![far](http://far.example/a.png) ![outside](../outside.png) ![attached](attachment:a.png) "
        "![missing](attachment:b.png)"
    )
    pictures.attachments = {"a.png": {"image/png": base64.b64encode(DOT).decode()}}
    outputs = [shown({"image/png": base64.b64encode(DOT).decode()}), shown({"image/svg+xml": SVG})]
    made = notebook(pictures, code("1", 1, *outputs))

    window.open(sharing.html(saved(made, tmp_path / "book" / "made.ipynb")))

    assert window.page.locator("img").count() == 4
    assert window.page.evaluate(BROKEN) == 0
    assert window.page.locator(".left-out").all_inner_texts() == [
        f"[a picture: {name}, not in this page]" for name in ("far", "outside", "missing")
    ]
    assert window.page.evaluate(HARM) == NO_HARM
    assert window.asked == []


def test_a_run_is_shown_without_its_widget_and_opens_in_place(window: Watched, tmp_path: Path) -> None:
    data = invoices()._repr_mimebundle_()
    view = {"application/vnd.jupyter.widget-view+json": {"model_id": "m1", "version_major": 2, "version_minor": 0}}
    made = notebook(code("run", 1, shown(view | data, 1)))

    window.open(sharing.html(saved(made, tmp_path / "made.ipynb")))

    arguments = window.page.get_by_text('{"amounts":[120,75.5,0]}')
    assert "The total is 195.50" in window.page.locator("body").inner_text()
    assert not arguments.is_visible()
    for summary in window.page.locator("summary").all():
        if not arguments.is_visible():
            summary.click()
    assert arguments.is_visible()


def test_links_in_the_text_stay_and_those_in_outputs_do_not(window: Watched, tmp_path: Path) -> None:
    far = "https://far.example/"
    made = notebook(text(f"[a link]({far}) [a script](javascript:alert(1))"),
                    code("1", 1, shown({"text/html": f'<a href="{far}">more</a>'}, 1)))  # fmt: skip

    window.open(sharing.html(saved(made, tmp_path / "made.ipynb")))

    assert window.page.eval_on_selector_all("a[href]", "all => all.map(one => one.getAttribute('href'))") == [far]
