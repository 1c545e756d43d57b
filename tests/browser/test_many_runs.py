"""Many runs as people watch them: a table that goes on with them, in a real JupyterLab."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.stage import Stage, staged

if TYPE_CHECKING:
    from tests.browser.conftest import Lab

ONE, MANY = 1, 2
FORM_SAYS = """words => JSON.stringify(
  window.jupyterapp.shell.currentWidget.content.model.sharedModel.toJSON()).includes(words)"""
CELLS = [
    "hn.views.live(await scripted('Hello.').run('Say hello.'))",
    """def fail(what: str) -> str:
    "Fails."
    raise ValueError(f"<img src=x onerror='window.__pwn = 1'> {what}")

told = [Dictated() for _ in range(2)]
loops = [scripted(call('fail', what='a'), call('fail', what='b'), 'Given up.', tools=[fail]), scripted('Done at once.')]
slow = [hn.HermesAgentLoop(one, tools=[add]) for one in told]
runs = [loop.start('Tell me.', task=f'slow {n}', stream=True) for n, loop in enumerate(slow)]
runs += [loop.start('Go.', task=task) for loop, task in zip(loops, ['wrong', '<b>quick</b>'])]
hn.views.show(runs)""",
]


@pytest.fixture(scope="module")
def stage(
    new_window: Callable[[], AbstractContextManager[Lab]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    with staged(new_window, tmp_path_factory.mktemp("many"), "many", *CELLS, ready=ONE) as stage:
        stage.view(MANY).locator("tbody tr", has_text="wrong").filter(has_text="finished").wait_for()
        yield stage


def tasks(stage: Stage) -> list[str]:
    """The tasks, in the order in which they stand."""
    return [text.strip() for text in stage.view(MANY).locator("tbody th bdi").all_inner_texts()]


def test_V22_a_click_on_a_heading_sorts_and_the_order_keeps_while_runs_go_on(stage: Stage, tmp_path: Path) -> None:
    view = stage.view(MANY)
    assert tasks(stage) == ["slow 0 · 0", "slow 1 · 0", "wrong · 0", "<b>quick</b> · 0"]

    view.get_by_role("button", name="errors").click()
    assert tasks(stage)[0] == "wrong · 0"
    assert view.locator("th[aria-sort=descending]").inner_text() == "errors ↓"
    view.get_by_role("button", name="task, attempt").click()
    order = ["<b>quick</b> · 0", "slow 0 · 0", "slow 1 · 0", "wrong · 0"]
    assert tasks(stage) == order

    stage.execute("told[1].pieces.put_nowait('Done.'); told[1].pieces.put_nowait(None)")
    view.locator("tbody tr", has_text="slow 1").filter(has_text="finished").wait_for()
    assert view.locator("tbody tr", has_text="slow 0").filter(has_text="running").count() == 1
    assert tasks(stage) == order
    stage.lab.screenshot(tmp_path / "many.png", MANY)


def test_a_row_opens_its_run_and_what_a_tool_said_stays_text(stage: Stage) -> None:
    view = stage.view(MANY)
    opens = view.get_by_role("button", name="wrong")
    opens.click()

    shown = view.locator(".opened pre")
    shown.get_by_text("Given up.").first.wait_for()
    assert "✗ 2 errors" in shown.inner_text()
    assert opens.get_attribute("aria-expanded") == "true"
    assert view.locator("img").count() == 0
    assert stage.lab.page.evaluate("() => window.__pwn") is None
    opens.click()
    assert view.locator(".opened").count() == 0


def test_when_all_are_over_the_order_keeps_and_the_static_table_is_up_to_date(stage: Stage) -> None:
    stage.execute("told[0].pieces.put_nowait('Done.'); told[0].pieces.put_nowait(None)")
    # The window is told first; the cell's own form follows, and has the lab draw the window anew.
    stage.lab.page.wait_for_function(FORM_SAYS, arg="4 finished")
    stage.view(MANY).locator("tbody tr", has_text="slow 0").filter(has_text="finished").wait_for()
    stage.lab.save()

    saved = (stage.lab.server.folder / "many.ipynb").read_text(encoding="utf-8")
    assert "4 finished" in saved
    assert "4 runs" in saved
    # It is empty for a moment, until Python has told it of the rows.
    stage.view(MANY).filter(has_text=re.compile("quick.* · 0.*slow 0 · 0.*slow 1 · 0.*wrong · 0", re.DOTALL)).wait_for()
