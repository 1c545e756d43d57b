"""Many runs as people watch them: a table that goes on with them, in a real JupyterLab."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Locator

from tests.browser.stage import AXE, CHECK, CONTRAST, Stage, staged

if TYPE_CHECKING:
    from tests.browser.conftest import Lab

ONE, FEW, MANY = 1, 2, 3
FORM_SAYS = """words => JSON.stringify(
  window.jupyterapp.shell.currentWidget.content.model.sharedModel.toJSON()).includes(words)"""
PLACES = """view => [...view.querySelectorAll("tbody tr, footer")].map(one => {
  const { top, bottom } = one.getBoundingClientRect();
  return [one.dataset.row, top, bottom];
})"""
OUT_OF_BOUNDS = """view => {
  const edge = view.getBoundingClientRect().right + 1;
  const seen = one => !one.closest("[hidden], .voice, bdi, code") && one.getClientRects().length;
  const cut = one => one.tagName === "PRE" && one.scrollWidth > one.clientWidth;
  const shown = [...view.querySelectorAll("*")].filter(seen);
  const wrong = shown.filter(one => one.getBoundingClientRect().right > edge || cut(one));
  return wrong.map(one => one.outerHTML.slice(0, 200));
}"""
DELETE = """async index => {
  const { commands, shell } = window.jupyterapp;
  shell.currentWidget.content.activeCellIndex = index;
  await commands.execute("notebook:delete-cell");
}"""
FAIL = """def fail(what: str) -> str:
    "Fails."
    raise ValueError(f"<img src=x onerror='window.__pwn = 1'> {what}")
"""
CELLS = [
    "hn.views.live(await scripted('Hello.').run('Say hello.'))",
    f"""{FAIL}
told = [Dictated() for _ in range(2)]
loops = [scripted(call('fail', what='a'), call('fail', what='b'), 'Given up.', tools=[fail]), scripted('Done at once.')]
slow = [hn.HermesAgentLoop(one, tools=[add]) for one in told]
runs = [loop.start('Tell me.', task=f'slow {{n}}', stream=True) for n, loop in enumerate(slow)]
runs += [loop.start('Go.', task=task) for loop, task in zip(loops, ['wrong', '<b>quick</b>'])]
hn.views.show(runs)""",
    """def script(n):
    return [call('add', a=n, b=k) for k in range(n % 9)] + [call('fail', what=f'no {n}')] * (n % 4) + ['Done.']

crowd = [scripted(*script(n), tools=[add, fail]).start('Go.', task=f'item {n}') for n in range(197)]
late = [Dictated() for _ in range(3)]
for n, one in enumerate(late):
    run = hn.HermesAgentLoop(one, tools=[add, fail]).start('Tell me.', task=f'late {n}', stream=True)
    crowd.insert(n * 20, run)
hn.views.show(crowd)""",
]


@pytest.fixture(scope="module")
def stage(
    new_window: Callable[[], AbstractContextManager[Lab]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    with staged(new_window, tmp_path_factory.mktemp("many"), "many", *CELLS, ready=ONE) as stage:
        stage.view(FEW).locator("tbody tr", has_text="wrong").filter(has_text="finished").wait_for()
        stage.view(MANY).locator(".facts", has_text="197 finished").wait_for()
        yield stage


def tasks(stage: Stage, cell: int = FEW) -> list[str]:
    """The tasks, in the order in which they stand."""
    return [text.strip() for text in stage.view(cell).locator("tbody th button > bdi").all_inner_texts()]


def sort(stage: Stage, cell: int, heading: str) -> None:
    """Sort by a heading, numbers from the most on, words from the first."""
    way = "ascending" if heading == "task, attempt" else "descending"
    head = stage.view(cell).locator("thead th", has_text=heading)
    head.get_by_role("button").click()
    if head.get_attribute("aria-sort") != way:
        head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == way


def line(stage: Stage, task: str, cell: int = MANY) -> Locator:
    """The row of this task."""
    return stage.view(cell).locator("tr[data-row]", has_text=re.compile(rf"^\W*{re.escape(task)} "))


def focused(stage: Stage) -> str:
    """The name of what has the focus."""
    return str(stage.lab.page.evaluate("document.activeElement.getAttribute('aria-label') ?? ''"))


def test_V22_a_click_on_a_heading_sorts_and_the_order_keeps_while_runs_go_on(stage: Stage, tmp_path: Path) -> None:
    view = stage.view(FEW)
    assert tasks(stage) == ["slow 0 · 0", "slow 1 · 0", "wrong · 0", "<b>quick</b> · 0"]

    sort(stage, FEW, "errors")
    assert tasks(stage)[0] == "wrong · 0"
    assert view.locator("th[aria-sort=descending]").inner_text() == "errors ↓"
    sort(stage, FEW, "task, attempt")
    order = ["<b>quick</b> · 0", "slow 0 · 0", "slow 1 · 0", "wrong · 0"]
    assert tasks(stage) == order

    stage.execute("told[1].pieces.put_nowait('Done.'); told[1].pieces.put_nowait(None)")
    view.locator("tbody tr", has_text="slow 1").filter(has_text="finished").wait_for()
    assert view.locator("tbody tr", has_text="slow 0").filter(has_text="running").count() == 1
    assert tasks(stage) == order
    stage.lab.screenshot(tmp_path / "many.png", FEW)


def test_a_row_opens_its_run_and_what_a_tool_said_stays_text(stage: Stage) -> None:
    view = stage.view(FEW)
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


def test_V22_two_hundred_runs_are_read_in_pages_of_which_none_moves_what_is_above(stage: Stage) -> None:
    view = stage.view(MANY)
    assert "200 runs" in view.locator(".top").inner_text()
    assert view.locator("tr[data-row]").count() == 50
    assert "50 of 200 rows" in view.locator("footer").inner_text()

    before = tasks(stage, MANY)
    view.get_by_role("button", name="Show 50 more").click()
    assert tasks(stage, MANY)[:50] == before
    assert view.locator("tr[data-row]").count() == 100
    sort(stage, MANY, "calls")
    numbers = [int(text) for text in view.locator("td[data-name=calls]").all_inner_texts()]
    assert numbers == sorted(numbers, reverse=True)
    assert numbers[0] == 8 + 3  # of all two hundred, not of the page
    view.get_by_role("button", name="Show 50 more").click()
    view.get_by_role("button", name="Show 50 more").click()
    assert view.locator("tr[data-row]").count() == 200
    assert view.locator("footer .btn").is_hidden()


def test_V22_rows_stay_where_they_are_under_the_pointer_while_runs_go_on(stage: Stage) -> None:
    view = stage.view(MANY)
    sort(stage, MANY, "task, attempt")
    row = line(stage, "late 1")
    row.hover()
    before, width = view.evaluate(PLACES), row.locator("th").bounding_box()

    stage.execute("late[1].pieces.put_nowait({'tool_calls': [{'index': 0, 'id': 'c', 'function': {'name': 'fail', "
                  "'arguments': '{\"what\": \"long \" }'}}]}); late[1].pieces.put_nowait(None)")  # fmt: skip
    row.locator("td.bad", has_text="1").wait_for()
    assert row.get_by_text("ValueError").is_visible()

    assert view.evaluate(PLACES) == before
    assert row.locator("th").bounding_box() == width
    assert row.evaluate("row => row.matches(':hover')")


def test_V22_a_filter_finds_rows_by_their_words_and_what_comes_to_match_moves_none(stage: Stage) -> None:
    view, filter_ = stage.view(MANY), stage.view(MANY).locator(".filter")
    sort(stage, MANY, "task, attempt")
    filter_.fill("NO 10")
    found = [f"item {n} · 0" for n in (10, 101, 102, 103, 105, 106, 107, 109)]
    assert tasks(stage, MANY) == found
    assert view.locator(".found").inner_text() == "8 of 200"
    assert view.locator("mark").first.inner_text() == "no 10"
    filter_.fill("running")
    assert sorted(tasks(stage, MANY)) == ["late 0 · 0", "late 1 · 0", "late 2 · 0"]
    filter_.fill("finished")
    assert view.locator(".found").inner_text() == "197 of 200"
    assert view.locator("tr[data-row]").count() == 50

    view.get_by_role("button", name="Clear").click()
    assert filter_.input_value() == ""
    assert view.locator(".found").is_hidden()
    assert "50 of 200 rows" in view.locator("footer").inner_text()


def test_V22_bars_are_as_long_as_the_turns_they_stand_beside(stage: Stage) -> None:
    sort(stage, MANY, "turns")
    cells = stage.view(MANY).locator("td.turns").all()
    turns = [int(cell.inner_text()) for cell in cells]
    sizes = [cell.locator("i").evaluate("bar => getComputedStyle(bar).backgroundSize.split(' ')[0]") for cell in cells]

    assert turns[0] == 12
    assert len(set(turns)) > 2
    assert [float(re.sub(r"[^0-9.]", "", size)) for size in sizes] == pytest.approx(
        [n / 12 * 100 for n in turns], abs=0.01
    )


def test_V22_everything_is_reached_by_keys_and_the_lab_hears_none_of_them(stage: Stage) -> None:
    page, view = stage.lab.page, stage.view(MANY)
    sort(stage, MANY, "errors")
    order, cells = tasks(stage, MANY), page.locator(".jp-Cell").count()
    view.locator("tr[data-row] button[tabindex='0']").focus()
    for key in ("Home", "j", "j", "ArrowDown", "k"):
        page.keyboard.press(key)
    assert focused(stage) == f"{order[2]}, finished, ✗ 3"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert view.locator("tr[data-row] button[tabindex='0']").count() == 1

    page.keyboard.press("Enter")
    view.locator(".opened pre", has_text="Done.").wait_for()
    assert page.evaluate("document.activeElement.getAttribute('aria-expanded')") == "true"
    page.keyboard.press("ArrowLeft")
    assert view.locator(".opened").count() == 0
    page.keyboard.press("End")
    assert view.locator("tr[data-row]").count() == 200
    page.keyboard.press("E")
    assert "✗ 1" in focused(stage)
    page.keyboard.press("?")
    assert "previous error" in view.locator(".keys").inner_text()
    page.keyboard.press("?")
    page.keyboard.press("/")
    page.keyboard.type("dd jjx")
    assert view.locator("tr[data-row]").count() == 0
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.closest('.hnb')") is None
    assert page.locator(".jp-Cell").count() == cells


def test_V09_axe_finds_nothing_in_the_table_in_light_and_dark_and_every_word_can_be_read(
    stage: Stage, tmp_path: Path
) -> None:
    page, view = stage.lab.page, stage.view(MANY)
    page.evaluate(AXE.read_text(encoding="utf-8"))
    sort(stage, MANY, "errors")
    view.get_by_role("button", name="More", exact=True).click()
    view.locator("tr[data-row] button").nth(1).click()
    view.locator(".opened pre", has_text="Done.").wait_for()
    for theme in ("JupyterLab Dark", "JupyterLab Light"):
        stage.lab.theme(theme)
        assert view.evaluate(CHECK) == [], theme
        lowest = view.evaluate(CONTRAST)
        assert lowest["ratio"] >= 4.5, f"{theme}: {lowest}"
        stage.lab.screenshot(tmp_path / f"{theme.split()[1]}.png", MANY)
    view.get_by_role("button", name="More", exact=True).click()
    view.locator("tr[data-row] button").nth(1).click()


@pytest.mark.parametrize("width", [320, 360, 600, 900])
def test_V19_at_any_width_nothing_of_the_table_is_clipped(stage: Stage, tmp_path: Path, width: int) -> None:
    view = stage.view(MANY)
    sort(stage, MANY, "errors")
    view.evaluate("(view, width) => { view.parentElement.style.width = `${width}px`; }", width)
    view.locator("tr[data-row] button").first.click()
    view.locator(".opened pre", has_text="Done.").wait_for()
    try:
        assert view.evaluate(OUT_OF_BOUNDS) == []
        assert view.evaluate("view => view.scrollWidth <= view.clientWidth")
        first = view.locator("tr[data-row]").first
        assert first.get_by_text("ValueError").is_visible()
        assert first.locator("td.bad", has_text="3").is_visible()
        assert view.evaluate(CHECK) == []
        stage.lab.screenshot(tmp_path / f"{width}.png", MANY)
    finally:
        view.locator("tr[data-row] button").first.click()
        view.evaluate("view => { view.parentElement.style.width = ''; }")


def test_when_all_are_over_what_somebody_made_of_the_table_stays_and_the_static_one_is_up_to_date(stage: Stage) -> None:
    sort(stage, FEW, "task, attempt")
    view = stage.view(FEW)
    view.locator(".filter").fill("o")
    view.get_by_role("button", name="wrong").click()
    view.locator(".opened pre", has_text="Given up.").wait_for()
    view.evaluate("before => { before.dataset.before = 'yes'; }")
    stage.execute("for one in told: one.pieces.put_nowait('Done.'); one.pieces.put_nowait(None)")
    # The window is told first; the cell's own form follows, and has the lab draw the window anew.
    stage.lab.page.wait_for_function(FORM_SAYS, arg="4 finished")

    after = stage.cell(FEW).locator(".hnb:not([data-before])")
    after.locator("tbody tr", has_text="slow 0").filter(has_text="finished").wait_for()
    after.locator(".opened pre", has_text="Given up.").wait_for()
    assert [text.strip() for text in after.locator("tbody th bdi").all_inner_texts()] == [
        "slow 0 · 0", "slow 1 · 0", "wrong · 0",
    ]  # fmt: skip
    assert after.locator(".filter").input_value() == "o"
    assert focused(stage).startswith("wrong · 0")
    stage.lab.save()
    saved = (stage.lab.server.folder / "many.ipynb").read_text(encoding="utf-8")
    assert "4 finished" in saved
    assert "4 runs" in saved


def test_V25_tables_that_are_closed_or_whose_cell_is_deleted_leave_nothing_behind(stage: Stage) -> None:
    page, tables = stage.lab.page, "[one for one in _instances.values() if type(one).__name__ == 'RunsView']"
    stage.execute("from ipywidgets.widgets.widget import _instances")
    assert stage.execute("", f"len({tables})") == 2

    stage.execute(f"for one in {tables}:\n    if len(one._told()) == 4: one.close()")
    stage.view(FEW).wait_for(state="detached")
    page.evaluate(DELETE, MANY)
    stage.view(MANY).wait_for(state="detached")
    page.wait_for_timeout(2500)
    assert stage.execute("", f"len({tables})") == 0
    assert stage.lab.errors == []
