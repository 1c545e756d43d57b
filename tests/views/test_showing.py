"""Runs that are displayed: live while they go on, brought up to date when they end."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from typing import Any

import pytest

import hermes_nb as hn
from hermes_nb.servers.scripted import call
from tests.views.runs import invoices
from tests.views.test_run_view import STATIC, WAYS, add

pytest.importorskip("IPython")
from IPython.core.interactiveshell import InteractiveShell

WIDGET = "application/vnd.jupyter.widget-view+json"


class Cell:
    """What a notebook's cell was told to show."""

    def __init__(self) -> None:
        self.shown: list[dict[str, Any]] = []
        self.at: list[tuple[str, bool]] = []

    def publish(self, data: dict[str, Any], *, transient: Any = None, update: bool = False, **_: Any) -> None:
        self.shown.append(data)
        self.at.append(((transient or {}).get("display_id", ""), update))


@pytest.fixture
def cell() -> Iterator[Cell]:
    """A shell whose displays are kept."""
    shell, cell = InteractiveShell.instance(), Cell()
    before, shell.display_pub.publish = shell.display_pub.publish, cell.publish
    shell.kernel = object()
    yield cell
    shell.display_pub.publish = before
    InteractiveShell.clear_instance()


async def test_a_run_shows_itself_live_and_is_brought_up_to_date_in_its_place(cell: Cell) -> None:
    server = hn.ScriptedServer([[call("add", a=2, b=3)], "It is 5."])
    run = hn.HermesAgentLoop(server, tools=[add]).start("What is 2 + 3?")
    run._ipython_display_()
    [begun] = cell.shown
    assert WIDGET in begun
    assert "not started" in begun["text/plain"]
    result = await run

    [(first, _), (last, updated)] = cell.at
    assert first == last != ""
    assert updated
    assert cell.shown[-1][WIDGET] == begun[WIDGET]
    assert cell.shown[-1]["text/plain"] == hn.views.text(result)
    assert cell.shown[-1]["text/html"] == hn.views.html(result)


async def test_a_run_that_is_over_shows_its_result_and_no_widget(cell: Cell) -> None:
    run = hn.HermesAgentLoop(hn.ScriptedServer(["Yes."])).start("Is it?")
    await run
    run._ipython_display_()

    [shown] = cell.shown
    assert shown.keys() == {"text/plain", "text/html"}


async def test_in_a_terminal_a_run_is_shown_as_it_is_and_not_again(cell: Cell) -> None:
    del InteractiveShell.instance().kernel
    run = hn.HermesAgentLoop(hn.ScriptedServer(["Yes."])).start("Is it?")
    run._ipython_display_()
    await run

    [shown] = cell.shown
    assert shown.keys() == {"text/plain", "text/html"}


async def test_run_with_a_view_shows_the_run_while_it_goes_on(cell: Cell) -> None:
    result = await hn.HermesAgentLoop(hn.ScriptedServer(["Yes."])).run("Is it?", view=True)

    assert [update for _, update in cell.at] == [False, True]
    assert cell.shown[-1]["text/plain"] == hn.views.text(result)


async def test_several_runs_are_a_table_that_keeps_its_rows_in_place(cell: Cell) -> None:
    server = hn.ScriptedServer(lambda messages: f"Answer to {messages[-1]['content']}")
    loop = hn.HermesAgentLoop(server)
    runs = [loop.start(f"Question {number}", task=f"item {number}") for number in range(3)]
    hn.views.show(runs)
    results = await asyncio.gather(*runs)

    assert {identity for identity, _ in cell.at} == {cell.at[0][0]}
    assert [update for _, update in cell.at] == [False] + [True] * (len(cell.at) - 1)
    still = {kind: form for kind, form in cell.shown[-1].items() if "widget-view" not in kind}
    assert still == hn.views.runs(results)._repr_mimebundle_()
    for shown in cell.shown:
        places = [shown["text/plain"].index(f"item {number}") for number in range(3)]
        assert places == sorted(places)


def test_A39_a_table_hears_requests_for_its_rows_and_runs_and_nothing_else() -> None:
    pytest.importorskip("anywidget")
    from hermes_nb.views.run.listed import RunsView

    class Told(RunsView):
        def send(self, content: Any, buffers: Any = None) -> None:
            sent.append(content)

    sent: list[dict[str, Any]] = []
    results = [invoices(), invoices()]
    table = Told(lambda: results, lambda one, turns: one.task or "")
    try:
        for content in (
            [
                None,
                1,
                "rows",
                [],
                {},
                {"ask": "run"},
                {"ask": "eval", "code": "1"},
                {"ask": "rows", "more": 1},
                {"ask": "stop"},
            ]
            + [{"ask": "open", "id": name} for name in (1, "2", "-1", "1.0", "../0", "9" * 100_000, "x", "٣")]
            + [
                {"ask": "open"},
                {"ask": "find", "text": "x"},
                {"ask": "copy", "id": "0", "part": 0},
                {"ask": "__class__"},
            ]
        ):
            table._hear(table, content, None)
        assert sent == []
        table._hear(table, {"ask": "open", "id": "1"}, None)
        table._hear(table, {"ask": "rows"}, None)
        assert [content["do"] for content in sent] == ["body", "all"]
        assert sent[0] == {"do": "body", "id": "1", "parts": [{"text": results[1].task or ""}]}
    finally:
        table.close()


def test_S1_the_tables_script_writes_text_only_and_its_style_has_no_colours_of_its_own() -> None:
    script, style = ((STATIC / name).read_text(encoding="utf-8") for name in ("runs.js", "runs.css"))

    assert re.findall(WAYS, script) == []
    assert re.findall(r"url\(|@import|https?:|#[0-9a-fA-F]{3,8}\b", style) == []
    assert len(script.encode()) < 24 * 1024


async def test_the_results_of_many_runs_are_awaited_in_their_order(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("tqdm")
    loop = hn.HermesAgentLoop(hn.ScriptedServer(lambda messages: messages[-1]["content"]))
    runs = [loop.start(f"{number}") for number in range(5)]

    results = await hn.views.progress(runs)

    assert [result.final_text for result in results] == ["0", "1", "2", "3", "4"]
    assert "✓ finished 5" in capsys.readouterr().err


def test_a_result_is_shown_as_it_shows_itself(cell: Cell) -> None:
    hn.views.show(invoices())

    assert cell.shown == [invoices()._repr_mimebundle_()]
