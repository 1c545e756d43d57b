"""The live view as people meet it: runs that go on, ask and end, in a real JupyterLab."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import pytest
from playwright.sync_api import Locator

from tests.browser.stage import AXE, CHECK, CONTRAST, SAVED, SOIL, Stage, staged, written
from tests.views.runs import ANSWER, QUESTION, Script, invoices_script

if TYPE_CHECKING:
    from tests.browser.conftest import Lab

KERNEL = "window.jupyterapp.shell.currentWidget.sessionContext.session.kernel"
DRAWN = """async () => {
  const frame = () => new Promise(done => { requestAnimationFrame(() => setTimeout(done)); });
  await frame();
  await frame();
  return !document.body.innerText.includes("Loading widget");
}"""
WITHIN = """cells => cells.every(cell => {
  const words = document.createRange();
  words.selectNodeContents(cell);
  return words.getBoundingClientRect().width <= cell.getBoundingClientRect().width;
})"""
COUNT = """view => {
  window.drawn = [];
  new MutationObserver(() => window.drawn.push(performance.now()))
    .observe(view, { childList: true, subtree: true, characterData: true });
}"""
SECOND_TAB = """async () => {
  const { commands, shell } = window.jupyterapp;
  const notebook = shell.currentWidget;
  await commands.execute("notebook:create-output-view");
  window.second = [...shell.widgets("main")].find(one => one !== notebook);
  shell.activateById(notebook.id);
}"""
CLOSE_TAB = "() => { window.second.dispose(); }"
TO_MIDDLE = "() => document.activeElement.scrollIntoView({ block: 'center' })"
ADD = """async source => {
  const { commands, shell } = window.jupyterapp, notebook = shell.currentWidget.content;
  notebook.activeCellIndex = notebook.widgets.length - 1;
  await commands.execute("notebook:insert-cell-below");
  notebook.activeCell.model.sharedModel.setSource(source);
  await commands.execute("notebook:run-cell");
}"""

TALK, HANG, GATE, DONE, LONG, PLAY, AWAITED, WIDE = range(1, 9)
CELLS = [
    "dictated = Dictated()\ntalk = hn.HermesAgentLoop(dictated, tools=[add]).start('Tell me.', stream=True)\ntalk",
    "hanging = scripted([call('hang')]).start('Hang.')\nhanging",
    "gated = scripted([call('add', a=2, b=3)], 'Done.', before_call=hn.views.ask).start('Add.')\ngated",
    "hn.views.live(hn.journal.load('invoices.jsonl'))",
    "hn.views.live(hn.journal.load('long.jsonl'))",
    "played = hn.views.play('invoices.jsonl', speed=math.inf)\nplayed",
    "awaited = await scripted([call('add', a=2, b=3)], 'It is 5.').run('Add.', view=True)",
    "hn.views.live(hn.journal.load('wide.jsonl'))",
]
STEADY = (
    "steady = Dictated()\nsteady_loop = hn.HermesAgentLoop(steady, tools=[add], max_turns=40)\n"
    "steady_run = steady_loop.start('Go.', stream=True)\n"
    "for number in range(24):\n    function = {'name': 'add', 'arguments': '{\"a\": 1, \"b\": %d}' % number}\n"
    "    steady.pieces.put_nowait(f'Step {number}.')\n"
    "    steady.pieces.put_nowait({'tool_calls': [{'index': 0, 'id': f'c{number}', 'function': function}]})\n"
    "    steady.pieces.put_nowait(None)"
)
CALLED = (
    "function = {'name': 'add', 'arguments': '{\"a\": 2, \"b\": 2}'}\n"
    "steady.pieces.put_nowait({'tool_calls': [{'index': 0, 'id': 'late', 'function': function}]})"
)


def long_run(turns: int) -> Script:
    """Turns that all do something else, some of which fail."""
    script = Script()
    for number in range(turns):
        script.ask(f"Step {number}.", (f"tool_{number % 7}", {"n": number}))
        error = ("exception", f"ValueError: {number} is too much") if number % 100 == 99 else None
        script.answer(f"result {number}", error=error).done()
    script.ask("The end.").done()
    script.end()
    return script


def wide_run() -> Script:
    """A result that is one line of a million characters, and one with everything odd in it."""
    script = Script()
    script.ask("", ("read", {"path": "big.txt"}), ("read", {"path": "odd.txt"}))
    script.answer("0123456789" * 100_000).answer("tab\there \u202e and \x1b[31m end", 1).done()
    script.ask("Read.").done()
    script.end()
    return script


@pytest.fixture(scope="module")
def stage(
    new_window: Callable[[], AbstractContextManager[Lab]], lab_server: object, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    """All views, open side by side."""
    folder: Path = lab_server.folder  # type: ignore[attr-defined]
    for name, script in (("invoices", invoices_script()), ("long", long_run(1000)), ("wide", wide_run())):
        written(script, folder / f"{name}.jsonl")
    with staged(new_window, tmp_path_factory.mktemp("views"), "live", *CELLS, ready=WIDE) as opened:
        yield opened


def test_V01_a_run_is_live_in_one_output_with_its_counts_and_its_clock(stage: Stage) -> None:
    stage.state(HANG, "running")

    assert stage.cell(HANG).locator(".jp-OutputArea-output").count() == 1
    facts = stage.view(HANG).locator(".facts").inner_text()
    assert re.search(r"1 turn of 30\s+1 call\s+0 errors", facts)
    stage.view(HANG).locator(".facts", has_text=re.compile(r"0:0[1-9]")).wait_for()
    assert "hang at work" in stage.view(HANG).locator(".answer").inner_text()
    assert stage.row(HANG, "hang", "…running").count() == 1


def test_V01_a_run_of_thirty_turns_has_one_output_and_says_nothing_in_the_console(stage: Stage) -> None:
    start = (
        "replies = [[call('add', a=n, b=n)] for n in range(29)]\n"
        "thirty = scripted(*replies, 'Done.', max_turns=40).start('Go.')"
    )
    with shown(stage, start, "thirty") as view:
        view.locator(".state", has_text="finished").wait_for()
        assert re.search(r"30 turns\s+29 calls\s+0 errors", view.locator(".facts").inner_text())
        assert stage.lab.page.locator(".jp-CodeCell").last.locator(".jp-OutputArea-output").count() == 1
        assert (stage.lab.errors, stage.lab.asked_elsewhere) == ([], [])


def test_V07_an_error_is_read_on_its_row_and_counted_in_the_header(stage: Stage) -> None:
    failed = stage.row(DONE, "✗")

    assert failed.count() == 2
    assert "✗2 errors" in (stage.view(DONE).locator(".facts").text_content() or "")
    assert "ZeroDivisionError: float division by zero" in failed.first.inner_text()
    assert failed.first.locator(".err").is_visible()
    assert stage.view(DONE).locator(".answer").inner_text().replace("\n", " ").endswith(ANSWER)


def test_V13_a_reply_is_read_while_it_is_written_and_what_is_out_of_sight_is_announced(stage: Stage) -> None:
    stage.execute("for piece in ['Once upon ', 'a time ', 'there was']: dictated.pieces.put_nowait(piece)")
    writing = stage.row(TALK, "…writing")
    writing.wait_for()
    # The last word may become a secret; it is shown when it is whole.
    stage.row(TALK, "Once upon a time").wait_for()
    assert "there was" not in writing.inner_text()
    writing.click()
    stage.view(TALK).locator(".body", has_text="Once upon a time").wait_for()

    stage.execute("dictated.pieces.put_nowait(' a cat.'); dictated.pieces.put_nowait(None)")
    stage.view(TALK).locator(".answer", has_text="Once upon a time there was a cat.").wait_for()
    stage.state(TALK, "finished")


def test_V13_a_quick_stream_is_drawn_ten_times_a_second_at_most_and_moves_nothing_that_is_read(stage: Stage) -> None:
    with shown(stage, STEADY, "steady_run") as view:
        view.locator(".row", has_text="Step 23.").wait_for()
        row = view.get_by_role("button", name=re.compile("turn 3, add, ok"))
        row.focus()
        stage.lab.page.evaluate(TO_MIDDLE)
        before = row.bounding_box()
        view.evaluate(COUNT)
        stage.execute(
            "async def speak():\n    for number in range(200):\n        steady.pieces.put_nowait(f'word{number} ')\n"
            "        await asyncio.sleep(0.02)\nspeaking = asyncio.create_task(speak())"
        )
        stage.execute("await speaking")

        drawn = stage.lab.page.evaluate("() => window.drawn")
        assert len(drawn) > 10
        # Ten times what is new, and twice the clock. On the way, messages may bunch.
        assert len(drawn) <= 12 * (drawn[-1] - drawn[0]) / 1000 + 3
        assert (row.bounding_box() or {}) == pytest.approx(before, abs=1)
        stage.execute(CALLED, "steady.pieces.put_nowait(None)")
        pill = view.locator(".pill")
        pill.wait_for()
        assert re.fullmatch(r"↓ [123] new rows?", pill.inner_text())
        assert (row.bounding_box() or {}) == pytest.approx(before, abs=1)
        pill.click()
        pill.wait_for(state="hidden")
        stage.execute("steady.pieces.put_nowait('All done.'); steady.pieces.put_nowait(None)")
        view.locator(".state", has_text="finished").wait_for()


def test_V02_stop_ends_the_run_within_a_second_and_answers_its_open_call(stage: Stage) -> None:
    again = "stopped = scripted([call('hang')]).start('Hang.')\nview = hn.views.live(stopped)\n"
    seconds = (
        "import time\nbegun = time.monotonic()\nview._hear(view, {'ask': 'stop'}, None)\n"
        "result = await stopped\nseconds = time.monotonic() - begun"
    )

    took, reason, kind = stage.execute(
        f"{again}await asyncio.sleep(0.2)\n{seconds}", "(seconds, result.stop_reason, result.tool_errors[0].kind)"
    )

    assert (reason, kind) == ("interrupted", "cancelled")
    assert took < 1


def test_V02_the_stop_button_ends_the_run_that_it_stands_over(stage: Stage) -> None:
    stage.state(HANG, "running")
    stage.view(HANG).locator(".stop").click()

    stage.state(HANG, "interrupted")
    assert stage.row(HANG, "✗cancelled").count() == 1
    assert stage.view(HANG).locator(".stop").is_hidden()
    assert stage.execute("", "(hanging.status, stopped.status if 'stopped' in globals() else '')")[0] == "interrupted"


def test_V03_the_kernels_interrupt_ends_the_run_that_a_cell_awaits(stage: Stage) -> None:
    start = "silent = Dictated()\nwaiting = hn.HermesAgentLoop(silent).start('Wait.', stream=True)"
    with shown(stage, start, "waiting") as view:
        stage.lab.page.evaluate(f"source => {{ ({ADD})(source); }}", "await waiting")
        stage.lab.page.wait_for_function(f"() => ({KERNEL}).status === 'busy'")
        stage.lab.page.evaluate(f"() => ({KERNEL}).interrupt()")

        view.locator(".state", has_text="interrupted").wait_for(timeout=2000)
        stage.lab.page.locator(".jp-CodeCell").last.locator(
            ".jp-OutputArea-output", has_text="CancelledError"
        ).wait_for()
        stage.lab.page.evaluate("window.jupyterapp.commands.execute('notebook:delete-cell')")


def test_the_gate_asks_and_what_is_chosen_happens(stage: Stage) -> None:
    stage.state(GATE, "asks you")
    gate = stage.view(GATE).locator("[role=group]")
    assert "add wants to run. Nothing happens until you choose." in gate.inner_text()
    assert gate.get_by_role("button").all_inner_texts() == ["Approve", "Edit arguments", "Answer instead", "Reject"]
    assert stage.execute("", "gated.result.results") == []

    gate.get_by_role("button", name="Edit arguments").click()
    gate.locator("textarea").fill('{"a": 2, "b": ')
    assert gate.get_by_role("button", name="Approve").is_disabled()
    gate.locator("textarea").fill('{"a": 2, "b": 40}')
    gate.get_by_role("button", name="Approve").click()

    stage.state(GATE, "finished")
    assert stage.row(GATE, "add", "42").count() == 1
    assert stage.execute("", "[result.content for result in gated.result.results]") == ["42"]


@pytest.mark.parametrize(
    ("button", "typed", "content"),
    [
        ("Approve", None, "5"),
        ("Answer instead", "It is six.", "It is six."),
        ("Reject", "We do not add.", "Rejected: We do not add."),
    ],
)
def test_the_other_choices_of_the_gate_happen_too(stage: Stage, button: str, typed: str | None, content: str) -> None:
    start = "asking = scripted([call('add', a=2, b=3)], 'Done.', before_call=hn.views.ask).start('Add.')"
    with shown(stage, start, "asking") as view:
        group = view.locator("[role=group]")
        group.get_by_role("button", name=button).click()
        if typed is not None:
            group.locator("textarea").fill(typed)
            group.get_by_role("button", name=button).click()
        view.locator(".state", has_text="finished").wait_for()

        assert content in stage.execute("", "asking.result.results[0].content")


def test_a_view_opened_late_draws_the_whole_run(stage: Stage) -> None:
    stage.state(LONG, "finished")

    assert re.search(r"1001 turns\s+1000 calls", stage.view(LONG).locator(".facts").inner_text())
    assert "rows 1 to 200 of 2002" in stage.view(LONG).locator(".pages").inner_text()
    assert stage.row(LONG).count() == 200


def test_V11_a_long_run_is_read_in_pages_and_its_errors_found_in_them(stage: Stage) -> None:
    pages = stage.view(LONG).locator(".pages")
    pages.get_by_role("button", name="Next 200").click()
    assert stage.row(LONG).count() == 400
    pages.get_by_role("button", name="First error").click()
    assert stage.row(LONG, "99 is too much").first.evaluate("row => row === document.activeElement")
    pages.get_by_role("button", name="End").click()
    assert stage.row(LONG, "The end.").is_visible()
    assert stage.row(LONG).count() == 200


def test_a_journal_that_is_played_comes_to_the_run_that_was_kept(stage: Stage) -> None:
    stage.state(PLAY, "finished")

    assert stage.row(PLAY).all_inner_texts() == stage.row(DONE).all_inner_texts()
    assert stage.execute("", "repr(played)").startswith("Play(finished")


def test_V12_a_line_of_a_million_characters_stays_bounded_and_is_read_on(stage: Stage) -> None:
    stage.row(WIDE, "big.txt").click()
    body = stage.view(WIDE).locator(".body").first
    body.get_by_role("button", name="Show next 16 kB").wait_for()
    box = body.locator("pre").last
    assert box.bounding_box()["height"] < 600  # type: ignore[index]
    assert stage.lab.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")

    before = len(box.inner_text())
    body.get_by_role("button", name="Show next 16 kB").click()
    body.locator(".cut", has_text="982000 characters more").wait_for()
    assert 15_900 < len(body.locator("pre").last.inner_text()) - before < 16_100
    assert body.locator("pre").first.get_by_role("button").count() == 0


def test_V14_what_is_copied_is_what_was_stored_not_what_stands_for_it(stage: Stage) -> None:
    stage.row(WIDE, "odd.txt").click()
    shown_text = stage.view(WIDE).locator(".body", has_text="U+202E").first
    shown_text.wait_for()
    assert "⟦U+202E⟧" in shown_text.inner_text()
    shown_text.get_by_role("button", name="Copy").last.click()
    shown_text.get_by_role("button", name="Copied").wait_for()

    assert stage.lab.page.evaluate("navigator.clipboard.readText()") == "tab\there \u202e and \x1b[31m end"


def test_V16_a_filter_finds_what_is_behind_rows_too_and_clearing_it_brings_everything_back(stage: Stage) -> None:
    before = stage.row(DONE).all_inner_texts()
    search = stage.view(DONE).locator(".filter")
    search.fill("no day")
    stage.view(DONE).locator(".count", has_text="1 of").wait_for()
    assert stage.view(DONE).locator("mark").first.inner_text() == "no day"
    search.fill("tool execution")
    stage.view(DONE).locator(".body", has_text="Tool execution failed").wait_for()
    assert stage.row(DONE, "Tool execution failed").count() == stage.row(DONE).count() == 1
    stage.view(DONE).get_by_role("button", name="Clear").click()

    assert stage.row(DONE).all_inner_texts() == before


def test_the_outline_counts_calls_that_take_turns_together(stage: Stage) -> None:
    turns = "[[call('add', a=number, b=1)] if number % 2 else [call('no')] for number in range(22)]"
    start = f"both = hn.views.live(await scripted(*{turns}, 'Done.').run('Both.'))"
    with shown(stage, start, "both") as view:
        view.locator(".state", has_text="finished").wait_for()
        view.get_by_role("button", name="More").click()
        view.get_by_role("button", name="Outline").click()

        assert view.locator("nav button").all_text_contents() == ["Both.", "no ×11✗ 11", "add ×11"]


def test_the_column_of_turns_is_as_wide_as_their_numbers(stage: Stage) -> None:
    with shown(stage, "far = hn.views.live(hn.journal.load('long.jsonl'))", "far") as view:
        view.get_by_role("button", name="End", exact=True).last.click()
        view.locator(".n", has_text="1001").wait_for()

        assert view.locator(".n").evaluate_all(WITHIN)


def test_V15_a_view_opens_at_a_call(stage: Stage) -> None:
    with shown(stage, "at = hn.views.live(hn.journal.load('invoices.jsonl'), at='3.1')", "at") as view:
        view.locator(".body", has_text="ZeroDivisionError").wait_for()
        opened = view.locator(".row[aria-expanded=true]")
        assert opened.count() == 1
        assert "divide" in opened.inner_text()
        stage.execute("at.go('2.2')")
        view.locator(".row[aria-expanded=true]", has_text="38.6").wait_for()


def test_V08_everything_is_reached_by_keys_and_the_lab_hears_none_of_them(stage: Stage) -> None:
    page, view = stage.lab.page, stage.view(DONE)
    cells = stage.lab.page.locator(".jp-Cell").count()
    view.locator(".row[role=button][tabindex='0']").focus()
    for key in ("Home", "j", "j", "ArrowDown", "k"):
        page.keyboard.press(key)
    assert focused(stage) == "turn 1, total, ok"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    view.locator(".body", has_text="[120,75.5,0]").wait_for()
    page.keyboard.press("ArrowLeft")
    assert view.locator(".body").count() == 0
    page.keyboard.press("e")
    assert focused(stage) == "turn 3, divide, error, ZeroDivisionError: float division by zero"
    page.keyboard.press("e")
    assert focused(stage).startswith("turn 4, divide, bad JSON")
    page.keyboard.press("E")
    page.keyboard.press("t")
    assert view.locator(".lane").count() > 0 or view.get_by_role("button", name="Timeline").count() == 0
    page.keyboard.press("t")
    page.keyboard.press("/")
    page.keyboard.type("dd jjx")
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.closest('.hnb')") is None
    assert stage.lab.page.locator(".jp-Cell").count() == cells


def test_the_lab_is_saved_by_its_own_key_from_within_a_view(stage: Stage) -> None:
    stage.lab.page.evaluate(SOIL)
    stage.view(DONE).locator(".row[role=button][tabindex='0']").focus()
    stage.lab.page.keyboard.press("Control+s")

    stage.lab.page.wait_for_function(SAVED)


def test_V09_axe_finds_nothing_and_every_word_can_be_read_in_light_and_dark(stage: Stage, tmp_path: Path) -> None:
    page = stage.lab.page
    page.evaluate(AXE.read_text(encoding="utf-8"))
    stage.view(DONE).get_by_role("button", name="More").click()
    stage.row(DONE, "✗error").click()
    stage.view(DONE).locator(".body", has_text="ZeroDivisionError").wait_for()
    for theme in ("JupyterLab Dark", "JupyterLab Light"):
        stage.lab.theme(theme)
        for cell in (DONE, HANG, WIDE):
            view = stage.view(cell)
            assert view.evaluate(CHECK) == [], theme
            lowest = view.evaluate(CONTRAST)
            assert lowest["ratio"] >= 4.5, f"{theme}: {lowest}"
        stage.lab.screenshot(tmp_path / f"{theme.split()[1]}.png", DONE)
    stage.view(DONE).get_by_role("button", name="More").click()
    stage.row(DONE, "✗error").click()


def test_V10_colours_follow_the_theme(stage: Stage) -> None:
    colours = []
    for theme in ("JupyterLab Dark", "JupyterLab Light"):
        stage.lab.theme(theme)
        colours.append(
            stage.view(DONE).evaluate("view => [getComputedStyle(view).color, getComputedStyle(view).backgroundColor]")
        )

    assert colours[0][0] != colours[1][0]
    assert colours[0][1] != colours[1][1]


def test_V20_rows_have_names_and_say_whether_they_are_open(stage: Stage) -> None:
    view = stage.view(DONE)

    assert view.get_attribute("role") == "region"
    assert view.get_attribute("aria-label") == "run, scripted, invoices, finished"
    row = view.get_by_role("button", name="turn 3, divide, error, ZeroDivisionError: float division by zero")
    assert row.get_attribute("aria-expanded") == "false"
    assert QUESTION in (view.get_by_role("button", name="user").first.get_attribute("aria-label") or "")


def test_V18_two_views_of_one_run_are_in_step_and_closing_one_leaves_the_other(stage: Stage) -> None:
    start = "both = Dictated()\ntwo = hn.HermesAgentLoop(both).start('Twice.', stream=True)\nother = hn.views.live(two)"
    with shown(stage, start, "hn.views.live(two)", "other") as view:
        views = view.page.locator(".jp-CodeCell").last.locator(".hnb")
        stage.execute("both.pieces.put_nowait('Both see this. ')")
        views.nth(0).locator(".row", has_text="Both see this.").wait_for()
        views.nth(1).locator(".row", has_text="Both see this.").wait_for()
        stage.execute("other.close()")
        stage.execute("both.pieces.put_nowait(None)")
        views.nth(0).locator(".state", has_text="finished").wait_for()


def test_V18_a_view_in_a_second_tab_is_in_step_and_closing_it_leaves_the_first(stage: Stage) -> None:
    page = stage.lab.page
    start = "tabbed = Dictated()\ntab_run = hn.HermesAgentLoop(tabbed).start('Twice.', stream=True)"
    with shown(stage, start, "hn.views.live(tab_run)") as view:
        page.evaluate(SECOND_TAB)
        second = page.locator(".jp-LinkedOutputView .hnb")
        stage.execute("tabbed.pieces.put_nowait('Both see this. ')")
        second.locator(".row", has_text="Both see this.").wait_for()
        view.locator(".row", has_text="Both see this.").wait_for()
        page.evaluate(CLOSE_TAB)
        second.wait_for(state="detached")
        page.wait_for_timeout(2500)
        stage.execute("tabbed.pieces.put_nowait('And the end.'); tabbed.pieces.put_nowait(None)")
        view.locator(".answer", has_text="And the end.").wait_for()
        view.locator(".state", has_text="finished").wait_for()


def test_V19_at_320_pixels_nothing_is_clipped_and_the_numbers_fold_away(stage: Stage, tmp_path: Path) -> None:
    view = stage.view(DONE)
    view.evaluate("view => { view.parentElement.style.width = '320px'; }")
    try:
        assert view.evaluate(
            "view => [...view.querySelectorAll('*')].every(one => one.closest('[hidden], .voice, .what, bdi') || "
            "one.getBoundingClientRect().right <= view.getBoundingClientRect().right + 1)"
        )
        assert view.locator(".num").first.is_hidden()
        assert view.locator(".err").first.is_visible()
        stage.lab.screenshot(tmp_path / "narrow.png", DONE)
    finally:
        view.evaluate("view => { view.parentElement.style.width = ''; }")


def test_V06_a_saved_notebook_keeps_the_finished_run_and_no_widget_state(stage: Stage) -> None:
    stage.state(PLAY, "finished")
    stage.cell(PLAY).locator(".jp-RenderedHTML").wait_for(state="attached")
    assert stage.cell(PLAY).locator(".jp-RenderedHTML").is_hidden(), "the view goes on over the form that is saved"
    stage.lab.save()

    path = stage.lab.server.folder / "live.ipynb"
    saved = nbformat.read(path, as_version=4)
    [output] = saved.cells[PLAY].outputs
    assert "widgets" not in saved.metadata
    assert set(output.data) == {"text/html", "text/plain"}, "a live view, opened again, would have nobody to ask"
    assert "✓ finished" in output.data["text/plain"]
    assert ANSWER.split(":")[0] in output.data["text/html"]
    assert path.stat().st_size < 300_000


def test_a_run_that_is_awaited_with_a_view_is_shown_in_its_own_cell(stage: Stage) -> None:
    stage.state(AWAITED, "finished")

    assert stage.view(AWAITED).locator(".answer").inner_text().endswith("It is 5.")
    assert stage.cell(AWAITED).locator(".jp-OutputArea-child").count() == 1


def test_what_is_open_stays_open_and_in_its_place_when_the_run_ends(stage: Stage) -> None:
    with shown(stage, STEADY, "steady_run") as view:
        row = view.get_by_role("button", name=re.compile("turn 3, add, ok"))
        view.locator(".row", has_text="Step 23.").wait_for()
        row.click()
        view.locator(".body", has_text='"b": 2').wait_for()
        row.focus()
        stage.lab.page.evaluate(TO_MIDDLE)
        before = row.bounding_box()
        stage.execute("steady.pieces.put_nowait('All done.'); steady.pieces.put_nowait(None)")
        view.locator(".state", has_text="finished").wait_for()
        stage.execute("await steady_run")

        view.locator(".body", has_text='"b": 2').wait_for()
        stage.lab.page.wait_for_function("() => document.activeElement.ariaLabel?.startsWith('turn 3, add, ok')")
        after = row.bounding_box()
        assert before is not None
        assert after is not None
        # The answer has come in above it, and no more than that has moved.
        assert abs(after["y"] - before["y"]) < 30


def test_V25_F54_closed_views_leave_nothing_registered(stage: Stage) -> None:
    made = (
        "from ipywidgets.widgets.widget import _instances\nbefore = set(_instances)\n"
        "views = [hn.views.live(hn.journal.load('invoices.jsonl')) for _ in range(20)]\n"
        "while not all(view._feed._watched for view in views):\n    await asyncio.sleep(0.05)\n"
        "made = set(_instances) - before\nfor view in views: view.close()"
    )

    made_and_left = stage.execute(made, "(len(made), len(made & set(_instances)))")

    assert made_and_left[0] >= 20
    assert made_and_left[1] == 0


def test_V25_views_that_were_shown_leave_no_nodes_in_the_page_but_the_labs_own(stage: Stage) -> None:
    page, session = stage.lab.page, stage.lab.page.context.new_cdp_session(stage.lab.page)

    def nodes() -> int:
        """How many nodes there are, once nothing more of what is over can be collected."""
        before, now = -1, 0
        while now != before:
            session.send("HeapProfiler.collectGarbage")
            before, now = now, int(session.send("Memory.getDOMCounters")["nodes"])
        return now

    def left_by(come_and_go: Callable[[], None]) -> int:
        """How many nodes are in the page that were not, after four cells with five outputs each have come and gone."""
        counted = []
        for times in (1, 4):
            for _ in range(times):
                come_and_go()
            counted.append(nodes())
        return counted[1] - counted[0]

    def numbers() -> None:
        page.evaluate(ADD, "for number in range(5): display(number)")
        stage.execute("")
        page.wait_for_function(DRAWN)
        page.evaluate("window.jupyterapp.commands.execute('notebook:delete-cell')")

    def views() -> None:
        with shown(stage, "", *["hn.views.live(hn.journal.load('invoices.jsonl'))"] * 5):
            pass

    of_a_view = int(stage.view(DONE).evaluate("view => view.querySelectorAll('*').length"))
    assert of_a_view > 200
    assert left_by(views) - left_by(numbers) < 20 * of_a_view / 4


def test_V25_a_view_whose_output_is_cleared_closes_itself(stage: Stage) -> None:
    start = "cleared = hn.views.live(hn.journal.load('invoices.jsonl'))"
    with shown(stage, start, "cleared") as view:
        assert stage.execute("", "cleared.comm is not None")
        stage.lab.page.evaluate("window.jupyterapp.commands.execute('notebook:clear-cell-output')")
        view.wait_for(state="detached")
        stage.lab.page.wait_for_timeout(2500)
        assert stage.execute("", "cleared.comm is None")


def test_A39_messages_that_are_no_requests_are_not_heard(stage: Stage) -> None:
    bad = (
        "window = hn.views.live(hn.journal.load('invoices.jsonl'))\nsent = []\nwindow._feed.connect(sent.append)\n"
        "for content in [None, 1, 'stop', [], {}, {'ask': 'run'}, {'ask': 'eval', 'code': '1'}, {'ask': ['rows']},\n"
        "    {'ask': 'rows', 'more': 1}, {'ask': 'open'}, {'ask': 'open', 'id': 1}, {'ask': 'open', 'id': '../x'},\n"
        "    {'ask': 'open', 'id': 'x' * 100000}, {'ask': 'find', 'text': 'x' * 1000},\n"
        "    {'ask': 'approve', 'question': 'x'},\n"
        "    {'ask': 'more', 'id': '1m', 'part': 0, 'at': -1, 'raw': False}, {'ask': '__class__'}]:\n"
        "    window._hear(window, content, None)"
    )

    assert stage.execute(bad, "sent") == []


@contextlib.contextmanager
def shown(stage: Stage, start: str, *values: str) -> Iterator[Locator]:
    """A view in a cell of its own, at the notebook's end, which is taken away afterwards."""
    page = stage.lab.page
    displayed = "\n".join(f"display({value})" for value in values)
    page.evaluate(ADD, f"{start}\n{displayed}")
    view = page.locator(".jp-CodeCell").nth(page.locator(".jp-CodeCell").count() - 1).locator(".hnb").first
    view.locator("li").first.wait_for()
    try:
        yield view
    finally:
        # What the kernel said last is drawn first: a cell that goes while the lab draws it is an error of the lab's.
        stage.execute("")
        page.wait_for_function(DRAWN)
        page.evaluate("window.jupyterapp.commands.execute('notebook:delete-cell')")


def focused(stage: Stage) -> str:
    """The name of what has the focus."""
    return str(stage.lab.page.evaluate("document.activeElement.getAttribute('aria-label') ?? ''"))
