"""One notebook with a live view in each of its cells, and a way to run code beside them."""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import axe_playwright_python
import nbformat
from playwright.sync_api import Locator

from hermes_nb.journal import Journal
from tests.views.runs import Script

if TYPE_CHECKING:
    from tests.browser.conftest import Lab

EXECUTE = """async code => {
  const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  const user_expressions = { value: "_value" };
  const asked = kernel.requestExecute({ code, silent: true, store_history: false, user_expressions });
  const { content } = await asked.done;
  if (content.status !== "ok") throw new Error(content.ename + ": " + content.evalue);
  return content.user_expressions.value.data["text/plain"];
}"""

AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js")
CHECK = """async shown => {
  const { violations } = await window.axe.run(shown, { resultTypes: ["violations"] });
  return violations.filter(one => ["serious", "critical"].includes(one.impact))
    .map(one => `${one.id}: ${one.nodes.map(node => node.html).slice(0, 3).join(" ")}`);
}"""

SOIL = "() => { window.jupyterapp.shell.currentWidget.context.model.dirty = true; }"
SAVED = "() => !window.jupyterapp.shell.currentWidget.context.model.dirty"

CONTRAST = """shown => {
  // As [red, green, blue, alpha], 0 to 255; mixed colours are told in parts of one.
  const parts = colour => {
    const [r, g, b, a = 1] = colour.match(/[\\d.]+(?:e-?\\d+)?/g).map(Number);
    return colour.startsWith("color(") ? [r * 255, g * 255, b * 255, a] : [r, g, b, a];
  };
  const over = ([r, g, b, a], ground) => [r, g, b].map((v, i) => v * a + ground[i] * (1 - a));
  const ground = node => {
    if (!node) return [255, 255, 255];
    const colour = parts(getComputedStyle(node).backgroundColor);
    return colour[3] === 1 ? colour.slice(0, 3) : over(colour, ground(node.parentElement));
  };
  const light = colour => colour
    .map(v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const texts = document.createTreeWalker(shown, NodeFilter.SHOW_TEXT);
  let lowest = { ratio: 21, text: "" };
  while (texts.nextNode()) {
    const node = texts.currentNode, holder = node.parentElement;
    if (!node.data.trim() || !holder.getClientRects().length || holder.closest(".voice")) continue;
    const below = ground(holder), above = over(parts(getComputedStyle(holder).color), below);
    const pair = [light(above), light(below)].sort((a, b) => b - a);
    const ratio = (pair[0] + 0.05) / (pair[1] + 0.05);
    if (ratio < lowest.ratio) lowest = { ratio, text: node.data };
  }
  return lowest;
}"""

SETUP = """
import asyncio, math
import hermes_nb as hn
from hermes_nb.servers.scripted import call

class Dictated:
    "Says what it is told to, piece by piece; None is the end of a reply."
    def __init__(self):
        self.pieces = asyncio.Queue()
    async def chat_completion(self, **request):
        raise NotImplementedError
    async def stream(self, **request):
        while (piece := await self.pieces.get()) is not None:
            delta = piece if isinstance(piece, dict) else {"content": piece}
            yield {"choices": [{"index": 0, "delta": delta}]}
        yield {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}

async def hang() -> str:
    "Never ends."
    await asyncio.sleep(1000)

def add(a: int, b: int) -> int:
    "Add two whole numbers."
    return a + b

def scripted(*replies, tools=(hang, add), **how):
    return hn.HermesAgentLoop(hn.ScriptedServer(list(replies)), tools=list(tools), **how)
"""


@dataclass
class Stage:
    """A notebook open in the lab, and the views in its cells."""

    lab: Lab

    def execute(self, code: str, value: str = "None") -> Any:
        """Run code in the kernel beside the cells; what `value` is then, as a literal."""
        return ast.literal_eval(self.lab.page.evaluate(EXECUTE, f"{code}\n_value = {value}"))

    def cell(self, index: int) -> Locator:
        """A code cell."""
        return self.lab.page.locator(".jp-CodeCell").nth(index)

    def view(self, index: int) -> Locator:
        """The view in a code cell."""
        return self.cell(index).locator(".hnb")

    def row(self, index: int, *texts: str) -> Locator:
        """The rows of that view which hold all of these texts."""
        found = self.view(index).locator(".row[role=button]")
        for text in texts:
            found = found.filter(has_text=text)
        return found

    def state(self, index: int, word: str) -> None:
        """Wait until the header says so."""
        self.view(index).locator(".state", has_text=word).wait_for()


def notebook(folder: Path, name: str, *sources: str) -> Path:
    """A notebook of these code cells."""
    document = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    path = folder / f"{name}.ipynb"
    nbformat.write(document, path)
    return path


def written(script: Script, path: Path) -> None:
    """The run as a journal, in place of what the file held."""
    path.unlink(missing_ok=True)
    with Journal(path) as journal:
        for event in script.events:
            journal.write(event)


@contextlib.contextmanager
def staged(
    new_window: Callable[[], AbstractContextManager[Lab]],
    folder: Path,
    name: str,
    *cells: str,
    ready: int,
    first: str = "li",
    opened: Callable[[Lab], object] = lambda _: None,
) -> Iterator[Stage]:
    """A window with the notebook of these cells, all of them run, once the view in cell `ready` has a row (`first`).
    `opened` is called before they run."""
    with new_window() as lab:
        lab.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        lab.open(notebook(folder, name, SETUP, *cells))
        opened(lab)
        lab.run_all()
        stage = Stage(lab)
        stage.view(ready).locator(first).first.wait_for()
        yield stage


@contextlib.contextmanager
def beacon() -> Iterator[HTTPServer]:
    """A server that nothing may ask; what did is in its `asked`."""

    class Asked(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.server.asked.append(self.path)  # type: ignore[attr-defined]
            self.send_response(204)
            self.end_headers()

        do_POST = do_HEAD = do_GET  # noqa: N815 - the library's own spelling

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Asked)
    server.asked = []  # type: ignore[attr-defined]
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
