"""Live views that lost what they show: a kernel that is gone, a page that is loaded anew, a network that is shut."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.browser.stage import staged, written
from tests.views.runs import invoices_script

if TYPE_CHECKING:
    from tests.browser.conftest import Lab, LabServer

RESTART = "async () => { await window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart(); }"
POLICY = """() => {
  const policy = document.createElement("meta");
  policy.httpEquiv = "Content-Security-Policy";
  policy.content = "img-src 'self' data:; connect-src 'self' ws:";
  document.head.append(policy);
}"""
CELLS = [
    "kept = scripted([call('hang')]).start('Hang.')\nkept",
    "hn.views.live(hn.journal.load('gone.jsonl'))",
]


def test_V17_a_view_stays_readable_when_its_kernel_is_gone(
    new_window: Callable[[], AbstractContextManager[Lab]], lab_server: LabServer, tmp_path: Path
) -> None:
    written(invoices_script(), lab_server.folder / "gone.jsonl")
    with staged(new_window, tmp_path, "gone", *CELLS, ready=2) as stage:
        stage.state(1, "running")
        stage.row(2, "total amounts").click()
        stage.view(2).locator(".body", has_text="195.5").wait_for()
        stage.lab.page.evaluate(RESTART)

        stage.state(1, "kernel stopped")
        assert stage.view(1).locator(".stop").is_disabled()
        assert "hang" in stage.view(1).inner_text()
        assert "The kernel stopped" in stage.view(2).locator(".facts").inner_text()
        stage.state(2, "finished")
        assert stage.view(2).locator(".body", has_text="195.5").is_visible()
        stage.row(2, "✗error").click()
        stage.view(2).locator(".body", has_text="kernel stopped").wait_for()


def test_V17_a_table_of_runs_stays_readable_when_its_kernel_is_gone(
    new_window: Callable[[], AbstractContextManager[Lab]], tmp_path: Path
) -> None:
    cells = ["pair = [scripted([call('hang')]).start('Hang.', task=name) for name in 'ab']\nhn.views.show(pair)"]
    with staged(new_window, tmp_path, "gone_runs", *cells, ready=1, first="tr[data-row]") as stage:
        view = stage.view(1)
        view.locator("tr", has_text="b · 0").filter(has_text="running").wait_for()
        stage.lab.page.evaluate(RESTART)

        view.locator(".facts", has_text="The kernel stopped").wait_for()
        view.get_by_role("button", name="a · 0").click()
        assert "kernel stopped: see the static form" in view.locator(".opened").inner_text()
        view.locator("thead").get_by_role("button", name="task, attempt").click()
        view.locator(".filter").fill("b")
        assert view.locator("tr[data-row]").count() == 1


def test_V05_a_page_that_is_loaded_anew_finds_the_run_that_goes_on(
    new_window: Callable[[], AbstractContextManager[Lab]], lab_server: LabServer, tmp_path: Path
) -> None:
    written(invoices_script(), lab_server.folder / "gone.jsonl")
    with staged(new_window, tmp_path, "again", *CELLS, ready=2) as stage:
        stage.state(1, "running")
        stage.lab.save()
        stage.lab.page.reload()

        stage.state(1, "running")
        stage.state(2, "finished")
        assert stage.row(2, "✗").count() == 2
        stage.view(1).locator(".stop").click()
        stage.state(1, "interrupted")


def test_V26_a_view_works_under_a_policy_that_lets_nothing_in_from_elsewhere(
    new_window: Callable[[], AbstractContextManager[Lab]], lab_server: LabServer, tmp_path: Path
) -> None:
    written(invoices_script(), lab_server.folder / "gone.jsonl")

    def shut(lab: Lab) -> None:
        lab.page.evaluate(POLICY)

    with staged(new_window, tmp_path, "shut", *CELLS, ready=2, opened=shut) as stage:
        stage.row(2, "✗error").click()
        stage.view(2).locator(".body", has_text="ZeroDivisionError").wait_for()
        stage.view(1).locator(".stop").click()
        stage.state(1, "interrupted")
