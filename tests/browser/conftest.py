"""A real JupyterLab, its kernels, and a headless Chromium looking at it.

A test asks for `lab`:

    def test_the_sum_is_shown(lab: Lab) -> None:
        lab.open(Path("notebooks/course/01_one_question.ipynb"))
        lab.run_all()
        lab.wait_output(0, "2")

`lab` fails the test at its end when the page raised an error, logged one, or asked anything of another machine.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import nbformat
import pytest
from playwright.sync_api import ConsoleMessage, Locator, Page, Route, sync_playwright

SERVER_SECONDS = 120
NOTEBOOK_SECONDS = 90
OUTPUT_SECONDS = 30

SERVER = [
    "--no-browser", "--allow-root", "--ip=127.0.0.1", "--port=0", "--IdentityProvider.token=",
    "--expose-app-in-browser", "--LanguageServerManager.autodetect=False",
]  # fmt: skip
SETTINGS = {
    "@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    # All cells stay in the page, also those that are scrolled out of sight.
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},
}
CHROMIUM = [
    "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--disable-sync", "--no-first-run",
    "--disable-background-networking", "--disable-component-update",
]  # fmt: skip

KERNEL_IDLE = """() => {
  const panel = window.jupyterapp && window.jupyterapp.shell.currentWidget;
  const session = panel && panel.sessionContext && panel.sessionContext.session;
  return !!(session && session.kernel && session.kernel.status === "idle");
}"""
START_ALL = """() => {
  window.allRan = false;
  window.jupyterapp.commands.execute("notebook:run-all-cells").finally(() => { window.allRan = true; });
}"""
CHANGE_THEME = "async theme => { await window.jupyterapp.commands.execute('apputils:change-theme', { theme }); }"
SAVE = "async () => { await window.jupyterapp.commands.execute('docmanager:save'); }"


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser's program: `CHROMIUM`, or what the machine has. Without one the tests skip; in CI they fail."""
    names = [os.environ.get("CHROMIUM"), "chromium", "chromium-browser", "google-chrome"]
    found = next((path for name in names if name and (path := shutil.which(name))), None)
    if found is None:
        told = "no Chromium found: install it (apt-get install chromium) or name it in CHROMIUM"
        pytest.fail(told) if os.environ.get("CI") == "true" else pytest.skip(told)
    return found


@dataclass(frozen=True)
class LabServer:
    """A JupyterLab that serves `folder` at `url`, and opens a notebook at the path `opens`."""

    url: str
    folder: Path
    opens: str = "lab/tree/{}?reset"  # without `reset` the tabs of the test before come back, and would be found


@pytest.fixture(scope="session")
def lab_server(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    """One JupyterLab for all tests, with settings of its own; its port is the system's choice."""
    home = tmp_path_factory.mktemp("lab")
    with served(home, "jupyterlab", "LabApp", "--LabApp.extension_manager=readonly") as url:
        yield LabServer(url, home / "notebooks")


@contextlib.contextmanager
def served(home: Path, module: str, app: str, *options: str) -> Iterator[str]:
    """The address of a server, of this module, whose files are all in `home`; its notebooks in `notebooks`."""
    folder, log = home / "notebooks", home / "server.log"
    folder.mkdir()
    for plugin, values in SETTINGS.items():
        path = home / "settings" / f"{plugin}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values))
    places = {f"JUPYTER_{kind.upper()}_DIR": kind for kind in ("config", "data", "runtime")} | {"IPYTHONDIR": "ipython"}
    with log.open("w") as written:
        process = subprocess.Popen(
            [sys.executable, "-m", module, *SERVER, *options, f"--ServerApp.root_dir={folder}",
             f"--{app}.user_settings_dir={home / 'settings'}", f"--{app}.workspaces_dir={home / 'workspaces'}"],
            env=os.environ | {name: str(home / place) for name, place in places.items()},
            stdin=subprocess.DEVNULL, stdout=written, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    try:
        yield address(process, home / "runtime", log)
    finally:
        stop(process)


def address(process: subprocess.Popen[bytes], runtime: Path, log: Path) -> str:
    """The server's address, once it is up: it writes it down when it listens."""
    for _ in range(SERVER_SECONDS * 10):
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.1)
            break
        for written in runtime.glob("jpserver-*.json"):
            with contextlib.suppress(json.JSONDecodeError):  # it is being written
                return str(json.loads(written.read_text())["url"])
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()[-3000:]}")


def stop(process: subprocess.Popen[bytes]) -> None:
    """End the server, which ends its kernels; what does not end in time is killed with them."""
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@dataclass
class Lab:
    """A JupyterLab in a browser window, holding one notebook."""

    page: Page
    server: LabServer
    errors: list[str] = field(default_factory=list)
    asked_elsewhere: list[str] = field(default_factory=list)

    def open(self, notebook: Path) -> Path:
        """Open a copy of the notebook, its outputs cleared, and wait for its kernel. Returns the copy's path."""
        document = nbformat.read(notebook, as_version=4)
        for cell in document.cells:
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
        document.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        copy = self.server.folder / notebook.name
        nbformat.write(document, copy)
        self.page.goto(self.server.url + self.server.opens.format(notebook.name))
        self.page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=NOTEBOOK_SECONDS * 1000)
        # A command given before the kernel is there is lost, or asks which kernel to take.
        self.page.wait_for_function(KERNEL_IDLE, timeout=NOTEBOOK_SECONDS * 1000)
        return copy

    def run_all(self, *, wait: bool = True) -> None:
        """Run all cells; with `wait`, until the last has ended or one has raised."""
        self.page.evaluate(START_ALL)
        if wait:
            self.page.wait_for_function("() => window.allRan", timeout=NOTEBOOK_SECONDS * 1000)

    def command(self, name: str) -> None:
        """Give the lab a command, such as `docmanager:save`, without waiting for its end."""
        self.page.evaluate("name => { window.jupyterapp.commands.execute(name); }", name)

    def outputs(self, cell: int) -> list[str]:
        """The text of each output of the code cell with this index (0-based, code cells only)."""
        return self.page.locator(".jp-CodeCell").nth(cell).locator(".jp-OutputArea-output").all_inner_texts()

    def wait_output(self, cell: int, text: str, *, seconds: float = OUTPUT_SECONDS) -> None:
        """Wait until an output of that code cell holds the text; the source beside it may hold the same words."""
        outputs = self.page.locator(".jp-CodeCell").nth(cell).locator(".jp-OutputArea-output", has_text=text)
        outputs.first.wait_for(timeout=seconds * 1000)

    def output(self, cell: int) -> Locator:
        """The first output of that code cell."""
        return self.page.locator(".jp-CodeCell").nth(cell).locator(".jp-OutputArea-output").first

    def rows(self, cell: int, *texts: str) -> Locator:
        """The table rows in that cell's first output which hold all of these texts."""
        found = self.output(cell).locator("tr")
        for text in texts:
            found = found.filter(has_text=text)
        return found

    def theme(self, name: str) -> None:
        """Change to the theme, such as "JupyterLab Dark"; the lab keeps it for the tests that follow."""
        self.page.evaluate(CHANGE_THEME, name)
        self.page.wait_for_function("name => document.body.dataset.jpThemeName === name", arg=name)
        # The lab takes its splash away 200 ms later, once for every change: of two in that time, the second misses it.
        self.page.wait_for_selector("#jupyterlab-splash", state="detached")

    def save(self) -> None:
        """Save the notebook, and wait until it is on disk."""
        self.page.evaluate(SAVE)

    def screenshot(self, path: Path, cell: int | None = None) -> None:
        """Save what the window shows as a PNG; with `cell`, scrolled to that code cell."""
        path.parent.mkdir(parents=True, exist_ok=True)
        if cell is not None:
            self.page.locator(".jp-CodeCell").nth(cell).evaluate("shown => shown.scrollIntoView()")
        self.page.screenshot(path=path)

    def close(self) -> None:
        """End the kernels, or the next notebook of the same name would go on with one of them."""
        self.page.evaluate("() => window.jupyterapp && window.jupyterapp.serviceManager.sessions.shutdownAll()")
        self.page.close()

    def watch(self) -> None:
        """Take note of every error, and let no request leave this machine."""
        self.page.on("pageerror", lambda error: self.errors.append(f"page error: {error}"))
        self.page.on("console", self._heard)
        self.page.on("websocket", lambda socket: self._is_elsewhere(socket.url))
        self.page.route(self._is_elsewhere, lambda route: self._refuse(route))

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(f"console: {message.text} ({message.location.get('url', '')})")

    def _is_elsewhere(self, url: str) -> bool:
        parts = urlsplit(url)
        elsewhere = parts.scheme in ("http", "https", "ws", "wss") and parts.hostname not in ("127.0.0.1", "localhost")
        if elsewhere:
            self.asked_elsewhere.append(url)
        return elsewhere

    @staticmethod
    def _refuse(route: Route) -> None:
        route.abort()


@contextlib.contextmanager
def window(chromium: str, server: LabServer) -> Iterator[Lab]:
    """A headless Chromium with the lab in it. It leaves no event loop behind; what went wrong in the page is raised."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM)
        opened = Lab(browser.new_page(viewport={"width": 1280, "height": 900}), server)
        opened.watch()
        yield opened
        errors, asked_elsewhere = list(opened.errors), list(opened.asked_elsewhere)
        opened.close()
        browser.close()
    assert errors == []
    assert asked_elsewhere == []


@pytest.fixture(scope="session")
def new_window(chromium: str, lab_server: LabServer) -> Callable[[], AbstractContextManager[Lab]]:
    """Opens a window, for tests that share one notebook's run: it costs some seconds."""
    return lambda: window(chromium, lab_server)


@pytest.fixture
def lab(new_window: Callable[[], AbstractContextManager[Lab]]) -> Iterator[Lab]:
    """A window of this test's own."""
    with new_window() as opened:
        yield opened
