"""A person answers as the model, in a form in a real JupyterLab: one screen, and two."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Locator

from tests.browser.stage import CONTRAST, SETUP, Stage, notebook
from tests.browser.test_live_view import AXE, CHECK
from tests.views.attacks import ATTACKS

if TYPE_CHECKING:
    from tests.browser.conftest import Lab

FORM, USER, STARTED = 1, 2, 3
CELLS = [
    SETUP,
    "human = hn.HumanServer()\nloop = hn.HermesAgentLoop(human, tools=[add])\nhuman",
    "other = hn.HumanServer(model='user')\nother",
    "run = loop.start('What is 2 + 3?')\nrun",
]


@pytest.fixture(scope="module")
def stage(
    new_window: Callable[[], AbstractContextManager[Lab]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    """A run that waits for a person, and the form for its reply."""
    with new_window() as lab:
        lab.open(notebook(tmp_path_factory.mktemp("human"), "human", *CELLS))
        lab.run_all()
        stage = Stage(lab)
        stage.view(FORM).locator(".state", has_text="asks you").wait_for()
        yield stage


def again(stage: Stage) -> Locator:
    """The form of a run that has just begun, whatever waited before."""
    stage.execute("run.stop()\nrun = loop.start('What is 2 + 3?')")
    form = stage.view(FORM)
    form.locator(".body", has_text="What is 2 + 3?").wait_for()
    stage.execute("await asyncio.sleep(0)")
    return form


def write(form: Locator, call: int, name: str, arguments: str) -> None:
    """Add a call to the reply."""
    form.get_by_role("button", name="Call a tool").click()
    pick = form.get_by_label(f"tool of call {call}")
    if name in pick.locator("option").all_inner_texts():
        pick.select_option(name)
    else:
        pick.select_option("a name of your own")
        form.get_by_label(f"name of call {call}").fill(name)
    form.get_by_label(f"arguments of call {call}").fill(arguments)


def test_a_person_calls_a_tool_and_answers_and_the_run_is_theirs(stage: Stage) -> None:
    form = stage.view(FORM)
    assert "request 1" in form.locator(".facts").inner_text()
    assert "What is 2 + 3?" in form.locator(".body", has_text="user").first.inner_text()
    form.locator("summary", has_text="add").click()
    assert '"description": "Add two whole numbers."' in form.locator("details pre").inner_text()

    write(form, 1, "add", '{"a": 2, "b": 3}')
    form.get_by_role("button", name="Send reply").click()

    form.locator(".body", has_text="answers call_1").wait_for()
    form.get_by_label("the text of your reply").fill("It is 5.")
    form.get_by_role("button", name="Send reply").click()

    stage.state(STARTED, "finished")
    form.locator(".state", has_text="nothing waits").wait_for()
    assert stage.execute("result = await run", "(result.final_text, result.results[0].content)") == ("It is 5.", "5")


@pytest.mark.parametrize(
    ("name", "arguments", "hint", "kind"),
    [
        ("add", '{"a": 2, "b"', "not JSON", "bad_json"),
        ("add", '{"a": "two"}', "", "bad_arguments"),
        ("subtract", "{}", "no tool has this name", "unknown_tool"),
    ],
)
def test_a_malformed_or_invented_call_is_sent_as_it_is_written(
    stage: Stage, name: str, arguments: str, hint: str, kind: str
) -> None:
    form = again(stage)
    write(form, 1, name, arguments)
    assert hint in form.locator(".hint").inner_text()
    form.get_by_role("button", name="Send reply").click()
    form.locator(".body", has_text="answers call_1").wait_for()

    assert stage.execute("", "[(one.call.arguments, one.status) for one in run.result.results]") == [(arguments, kind)]


def test_several_calls_are_one_reply_and_one_can_be_taken_back(stage: Stage) -> None:
    form = again(stage)
    for number in (1, 2, 3):
        write(form, number, "add", f'{{"a": {number}, "b": {number}}}')
    form.locator(".made").nth(1).get_by_role("button", name="Remove").click()
    form.get_by_role("button", name="Send reply").click()
    form.locator(".body", has_text="answers call_2").wait_for()

    assert stage.execute("", "[one.content for one in run.result.results]") == ["2", "6"]


def test_what_is_being_written_stays_while_another_request_comes(stage: Stage) -> None:
    form = again(stage)
    form.get_by_label("the text of your reply").fill("Half a sen")
    stage.execute("more = loop.start('And this?')")
    form.locator(".facts", has_text="1 more waits").wait_for()
    assert form.get_by_label("the text of your reply").input_value() == "Half a sen"

    form.get_by_role("button", name="Send reply").click()
    form.locator(".body", has_text="And this?").wait_for()
    stage.execute("more.stop()")
    form.locator(".state", has_text="nothing waits").wait_for()
    assert stage.execute("", "(run.result.final_text, human.waiting)") == ("Half a sen", ())


def test_keys_typed_in_the_form_are_not_the_labs(stage: Stage) -> None:
    form = again(stage)
    cells = stage.lab.page.locator(".jp-Cell").count()
    area = form.get_by_label("the text of your reply")
    area.click()
    stage.lab.page.keyboard.type("dd aa bb x")

    assert area.input_value() == "dd aa bb x"
    assert stage.lab.page.locator(".jp-Cell").count() == cells


def test_an_awaiting_cell_hears_the_form_too(stage: Stage) -> None:
    form = again(stage)
    stage.execute("run.stop()")
    stage.lab.page.evaluate(
        """source => {
          const notebook = window.jupyterapp.shell.currentWidget.content;
          notebook.activeCellIndex = notebook.widgets.length - 1;
          notebook.activeCell.model.sharedModel.setSource(source);
          window.jupyterapp.commands.execute("notebook:run-cell");
        }""",
        "(await loop.run('Awaited?')).final_text",
    )
    form.locator(".body", has_text="Awaited?").wait_for()
    form.get_by_label("the text of your reply").fill("Heard.")
    form.get_by_role("button", name="Send reply").click()
    stage.lab.wait_output(STARTED, "Heard.")


def test_two_people_are_model_and_user_in_two_forms(stage: Stage) -> None:
    form, person = again(stage), stage.view(USER)
    stage.execute(
        "async def talk():\n    first = await loop.run('Book a table.')\n    said = await other.ask(first.messages)\n"
        "    return await loop.run(said.text, after=first)\nrun.stop()\ntalking = asyncio.ensure_future(talk())"
    )
    for place, text, seen in (
        (form, "Which day?", "Book a table."), (person, "Monday.", "Which day?"), (form, "Booked.", "Monday."),
    ):  # fmt: skip
        place.locator(".body", has_text=seen).first.wait_for()
        place.get_by_label("the text of your reply").fill(text)
        place.get_by_role("button", name="Send reply").click()

    assert stage.execute("talked = await talking", "[m['content'] for m in talked.messages]") == [
        "Book a table.", "Which day?", "Monday.", "Booked.",
    ]  # fmt: skip


def test_a_second_screen_shows_the_same_form_and_its_reply_counts(stage: Stage) -> None:
    form = again(stage)
    stage.lab.save()
    browser = stage.lab.page.context.browser
    assert browser is not None
    other = browser.new_page(viewport={"width": 1280, "height": 900})
    try:
        other.goto(f"{stage.lab.server.url}lab/workspaces/auto-human/tree/human.ipynb")
        second = other.locator(".jp-CodeCell").nth(FORM).locator(".hnb")
        second.locator(".body", has_text="What is 2 + 3?").wait_for()
        second.get_by_label("the text of your reply").fill("From the second screen.")
        second.get_by_role("button", name="Send reply").click()

        form.locator(".state", has_text="nothing waits").wait_for()
        second.locator(".state", has_text="nothing waits").wait_for()
    finally:
        other.close()
    assert stage.execute("result = await run", "result.final_text") == "From the second screen."


def test_what_others_wrote_is_text_in_the_form(stage: Stage) -> None:
    stage.execute("run.stop()")
    for name, attack in ATTACKS.items():
        stage.execute(f"run = loop.start({attack!r})")
        form = stage.view(FORM)
        form.locator(".reply").wait_for()
        assert form.locator("script, img, iframe, svg, a, style, object, form").count() == 0, name
        stage.execute("run.stop()\nawait run")
        form.locator(".state", has_text="nothing waits").wait_for()
    assert stage.lab.errors == []


def test_it_is_legible_and_named_in_both_themes_and_narrow(stage: Stage, tmp_path: Path) -> None:
    form = again(stage)
    write(form, 1, "add", '{"a": 2, "b"')
    write(form, 2, "subtract", "{}")
    page = stage.lab.page
    page.add_script_tag(path=AXE)
    try:
        for theme in ("JupyterLab Dark", "JupyterLab Light"):
            stage.lab.theme(theme)
            assert form.evaluate(CHECK) == [], theme
            lowest = form.evaluate(CONTRAST)
            assert lowest["ratio"] >= 4.5, f"{theme}: {lowest}"
            stage.lab.screenshot(tmp_path / f"{theme.split()[1]}.png", FORM)
        page.set_viewport_size({"width": 640, "height": 900})
        page.wait_for_timeout(300)
        assert form.evaluate("shown => shown.scrollWidth <= shown.clientWidth + 1")
        stage.lab.screenshot(tmp_path / "narrow.png", FORM)
    finally:
        page.set_viewport_size({"width": 1280, "height": 900})
        stage.lab.theme("JupyterLab Light")
