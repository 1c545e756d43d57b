"""Static views full of attacks, in a real browser: in the lab, trusted and not, as pages, and as Markdown.

A server on this machine stands where the attacks send what they stole, and must hear nothing.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mistune
import nbconvert
import nbformat
import pytest
from playwright.sync_api import Page, sync_playwright

from hermes_nb import views
from hermes_nb.messages import user
from tests.browser.conftest import CHROMIUM, NOTEBOOK_SECONDS
from tests.views.attacks import at, attacked
from tests.views.runs import Script, invoices
from tests.views.test_tables import run

if TYPE_CHECKING:
    from tests.browser.conftest import Lab

ROOT = Path(__file__).resolve().parents[2]

FOREIGN = """outputs => [...new Set(outputs
  .flatMap(one => [...one.querySelectorAll('*')])
  .filter(one => !/^(DIV|P|B|BDI|BR|BLOCKQUOTE|CODE|PRE|SPAN|DEL|INS|I|DETAILS|SUMMARY|TABLE|THEAD|TBODY|TR|TH|TD)$/
    .test(one.tagName))
  .map(one => one.tagName))]"""
OUTSIDE = """() => ({
  heads: [...document.head.children]
    .filter(one => /LINK|META|BASE/.test(one.tagName) && !/favicon/.test(one.className))
    .map(one => one.outerHTML),
  frames: document.querySelectorAll('iframe, form[action]').length,
  title: [...document.querySelectorAll('h1')].filter(one => one.textContent.includes('Fake')).length,
  notebook: getComputedStyle(document.querySelector('.jp-Notebook')).display,
})"""
CLIPPED = """() => [...document.querySelectorAll('td, th, p, summary, pre, blockquote')]
  .filter(one => one.getClientRects().length && one.getBoundingClientRect().right > innerWidth + 1)
  .map(one => one.textContent.slice(0, 60))"""


@pytest.fixture
def beacon() -> Iterator[tuple[str, list[str]]]:
    """A server's address, and what it was asked for."""
    asked: list[str] = []

    class Listener(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(204)
            self.end_headers()

        do_POST = do_GET  # noqa: N815 - the library's own spelling

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Listener)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def page(chromium: str) -> Iterator[Page]:
    """An empty window; it fails its test when a dialog is shown."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM)
        opened = browser.new_page(viewport={"width": 900, "height": 900})
        dialogs = list[str]()
        opened.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
        yield opened
        browser.close()
    assert dialogs == []


def everything(beacon: str) -> list[Any]:
    """Each attack in a run, and all of them in the views of several runs."""
    results = [attacked(attack) for attack in at(beacon).values()]
    return [*results, views.errors(results), views.runs(results), views.compare(results[0], results[1])]


def written(path: Path, *shown: Any, markdown: bool = False) -> Path:
    """A notebook as it was saved elsewhere: with outputs that this machine has not signed."""
    cells = []
    for number, one in enumerate(shown, 1):
        output = nbformat.v4.new_output("execute_result", one._repr_mimebundle_(), execution_count=number)
        cells.append(nbformat.v4.new_code_cell("result", execution_count=number, outputs=[output]))
        cells += [nbformat.v4.new_markdown_cell(views.markdown(one))] if markdown else []
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


def unharmed(page: Page, url: str, selector: str) -> None:
    """The page is where it was, nothing ran, and what is shown holds no element that is not ours."""
    page.wait_for_timeout(500)
    assert page.url == url
    assert page.evaluate("() => window.__pwn") is None
    assert page.eval_on_selector_all(selector, FOREIGN) == []


CELLS = """import sys; sys.path.insert(0, {root!r})
from tests.browser.test_static_views import everything
from IPython.display import display
for one in everything({beacon!r}): display(one)"""


def test_V04_attacks_that_a_cell_displays_do_nothing(lab: Lab, beacon: tuple[str, list[str]], tmp_path: Path) -> None:
    address, asked = beacon
    notebook = tmp_path / "attacked.ipynb"
    source = CELLS.format(root=str(ROOT), beacon=address)
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)]), notebook)
    lab.open(notebook)
    url, before = lab.page.url, lab.page.evaluate(OUTSIDE)
    lab.run_all()
    lab.wait_output(0, "First difference", seconds=60)

    unharmed(lab.page, url, ".jp-RenderedHTMLCommon")
    assert lab.page.evaluate(OUTSIDE) == before
    assert asked == []


def test_V05_attacks_in_a_notebook_that_is_not_trusted_do_nothing(lab: Lab, beacon: tuple[str, list[str]]) -> None:
    address, asked = beacon
    written(lab.server.folder / "foreign.ipynb", *everything(address), markdown=True)
    lab.page.goto(f"{lab.server.url}lab/tree/foreign.ipynb?reset")
    lab.page.wait_for_selector(".jp-OutputArea-output table", timeout=NOTEBOOK_SECONDS * 1000)
    url = lab.page.url

    unharmed(lab.page, url, ".jp-OutputArea-output .jp-RenderedHTMLCommon")
    rendered = lab.page.locator(".jp-MarkdownOutput")
    rendered.first.wait_for()
    assert rendered.locator("img, a[href], script, iframe, form, mjx-container, h1, h2, input").count() == 0
    assert asked == []


def test_V05_what_is_not_trusted_keeps_its_words_and_their_order(lab: Lab, tmp_path: Path) -> None:
    written(lab.server.folder / "foreign.ipynb", invoices())
    lab.page.goto(f"{lab.server.url}lab/tree/foreign.ipynb?reset")
    output = lab.page.locator(".jp-OutputArea-output").first
    output.locator("table").wait_for(timeout=NOTEBOOK_SECONDS * 1000)
    lab.screenshot(tmp_path / "untrusted.png", 0)

    shown = " ".join(output.inner_text().split())
    places = [shown.index(words) for words in (
        "✓ finished", "The total is 195.50", "Three invoices", "total amounts", "ZeroDivisionError", "in full",
        "the model saw the same 77 characters",
    )]  # fmt: skip
    assert places == sorted(places)


@pytest.mark.parametrize("sanitized", [False, True])
def test_V05_attacks_in_an_exported_notebook_do_nothing(
    page: Page, beacon: tuple[str, list[str]], tmp_path: Path, sanitized: bool
) -> None:
    address, asked = beacon
    exporter = nbconvert.HTMLExporter(sanitize_html=sanitized)
    html, _ = exporter.from_filename(str(written(tmp_path / "attacked.ipynb", *everything(address))))
    shown_as_page(page, tmp_path, html, ".jp-RenderedHTMLCommon")

    assert asked == []


def test_attacks_in_a_page_of_its_own_do_nothing(page: Page, beacon: tuple[str, list[str]], tmp_path: Path) -> None:
    address, asked = beacon
    for number, one in enumerate(everything(address)):
        path = views.save_html(one, tmp_path / f"{number}.html")
        page.goto(path.as_uri())
        assert page.evaluate("() => window.__pwn") is None
        assert page.locator("a:not([href^='#hnb-']), img, script, iframe, form, input, h1").count() == 0

    assert asked == []


def test_attacks_in_markdown_do_nothing(page: Page, beacon: tuple[str, list[str]], tmp_path: Path) -> None:
    address, asked = beacon
    render = mistune.create_markdown(escape=False, plugins=["table", "url", "strikethrough"])
    body = "".join(str(render(views.markdown(one))) for one in everything(address))
    shown_as_page(page, tmp_path, f"<!DOCTYPE html><meta charset=utf-8><main>{body}</main>", "nothing")

    assert page.locator("main").locator("a, img, script, iframe, form, input, h1, h2, li").count() == 0
    assert asked == []


def shown_as_page(page: Page, folder: Path, html: str, selector: str) -> None:
    """Open a document, with no way to other machines, and see that it stays unharmed."""
    path = folder / "page.html"
    path.write_text(html, encoding="utf-8")
    page.route(lambda url: url.startswith("http") and "127.0.0.1" not in url, lambda route: route.abort())
    page.goto(path.as_uri())
    unharmed(page, path.as_uri(), selector)


@pytest.mark.parametrize("width", [320, 360, 900])
def test_V19_nothing_is_clipped_however_narrow_it_is(page: Page, tmp_path: Path, width: int) -> None:
    long = Script(user("x" * 3000)).ask("", ("a_tool_with_a_rather_long_name_indeed", {"path": "y" * 300}))
    result = long.answer("z" * 1_000_000, error=("bad_arguments", "w" * 300)).done().end()
    shown = [invoices(), result, views.errors([invoices(), result]), views.runs([invoices(), result])]
    shown.append(views.compare(invoices(), result))
    page.set_viewport_size({"width": width, "height": 900})
    page.route(lambda url: url.startswith("http"), lambda route: route.abort())
    exported, _ = nbconvert.HTMLExporter().from_filename(str(written(tmp_path / "wide.ipynb", *shown)))
    (tmp_path / "exported.html").write_text(exported, encoding="utf-8")
    paths = [views.save_html(one, tmp_path / f"{number}.html") for number, one in enumerate(shown)]
    for path in (tmp_path / "exported.html", *paths):
        page.goto(path.as_uri())
        page.screenshot(path=tmp_path / f"{path.stem}.png", full_page=True)
        assert page.evaluate(CLIPPED) == [], path.stem
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width


def test_V07_an_errors_first_line_is_read_without_a_click(page: Page, tmp_path: Path) -> None:
    page.goto(views.save_html(invoices(), tmp_path / "run.html").as_uri())

    failed = page.locator("tbody tr", has_text="✗")
    assert failed.count() == 2
    assert failed.get_by_text("ZeroDivisionError: float division by zero").is_visible()
    assert failed.get_by_text("Expecting ',' delimiter").is_visible()


def test_a_status_begins_where_the_others_do_however_long_its_words_are(page: Page) -> None:
    script = Script()
    script.ask("", ("add", {}), ("ad", {}), ("add", "{")).answer("5")
    script.answer("no such tool", 1, error=("unknown_tool", "no such tool")).answer("no", 2, error=("bad_json", "no"))
    script.done().ask("", ("add", {"c": 1})).answer("no", error=("bad_arguments", "c is no argument")).done()
    script.end()
    # The lab's own padding, which takes part of a cell's width.
    lab = "<style>* { font: 13px sans-serif } b { font-weight: 700 } td{ box-sizing: border-box; padding: 6px }</style>"
    page.set_content(lab + views.html(script.result()))

    statuses = page.locator("td").filter(has_text=re.compile("^[✓✗]"))
    assert len({place["x"] for one in statuses.all() if (place := one.bounding_box())}) == 1
    assert statuses.count() == 4


def test_V21_the_first_difference_of_two_runs_is_open_and_told_by_signs_without_a_colour(
    page: Page, tmp_path: Path
) -> None:
    start = [("look", {"id": 1}, "one"), ("read", {"id": 2}, "two")]
    one = run(*start, "There are not enough seats.")
    other = run(start[0], ("read", {"id": 3}, "two"), "There aren't enough seats.")
    page.goto(views.save_html(views.compare(one, other), tmp_path / "compared.html").as_uri())
    page.context.new_cdp_session(page).send("Emulation.setEmulatedVisionDeficiency", {"type": "achromatopsia"})
    page.screenshot(path=tmp_path / "compared.png", full_page=True)

    assert page.locator("p").first.inner_text() == "First difference: turn 2 · both call read, with other arguments"
    signs = page.locator("table").first.locator("tbody td:first-child")
    assert [text.strip() for text in signs.all_inner_texts()] == ["=", "≠", "≠"]
    assert page.locator("tr", has_text="≠").filter(has_text="first difference").count() == 1
    first, second = page.locator("details").all()
    assert (first.get_attribute("open"), second.get_attribute("open")) == ("", None)
    assert first.locator("del").inner_text() == "− 2"
    assert first.locator("ins").inner_text() == "+ 3"
    assert first.locator("ins").is_visible()
    second.locator("summary").click()
    assert second.locator("del").inner_text() == "− are not"


def test_V15_a_row_leads_to_what_it_holds_within_a_closed_part(page: Page, tmp_path: Path) -> None:
    page.goto(views.save_html(invoices(), tmp_path / "run.html").as_uri())
    arguments = page.get_by_text('{"amounts":[120,75.5,0]}')

    assert not arguments.is_visible()
    page.locator("tbody a", has_text="total").first.click()
    assert arguments.is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_V09_every_word_of_a_page_can_be_read(page: Page, tmp_path: Path, scheme: Any) -> None:
    from tests.browser.test_first_notebook import LOWEST_CONTRAST

    page.emulate_media(color_scheme=scheme)
    coloured = Script().ask("", ("look", {})).answer("".join(f"\x1b[{code}mword " for code in range(31, 37))).done()
    for shown in (invoices(), coloured.end().results[0], views.compare(coloured.end(), invoices())):
        page.goto(views.save_html(shown, tmp_path / "run.html").as_uri())
        page.screenshot(path=tmp_path / f"{scheme}.png")
        lowest = page.locator("body").evaluate(LOWEST_CONTRAST)
        assert lowest["ratio"] >= 4.5, lowest
