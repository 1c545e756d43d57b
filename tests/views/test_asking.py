"""The gate that asks a person in the live view."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import hermes_nb as hn
from hermes_nb.servers.scripted import call
from hermes_nb.views.run import asking
from tests.views.test_run_view import Window, add


def loop(*, last: str = "Done.") -> hn.HermesAgentLoop:
    server = hn.ScriptedServer([[call("add", a=2, b=3)], last])
    return hn.HermesAgentLoop(server, tools=[add], before_call=hn.views.ask)


async def asked(window: Window) -> dict[str, Any]:
    """The question that the run's first call puts, once it does."""
    news = asyncio.Event()
    window.feed.connect(lambda message: (window.told.append(message), news.set()))
    while "q" not in window.rows.get("1.call0", {}):
        news.clear()
        await news.wait()
    return dict(window.rows["1.call0"]["q"])


@pytest.mark.parametrize(
    ("choice", "content", "kind"),
    [
        ({"ask": "approve"}, "5", None),
        ({"ask": "edit", "text": '{"a": 2, "b": 40}'}, "42", None),
        ({"ask": "answer", "text": "six"}, "six", None),
        ({"ask": "reject", "text": "not today"}, "not today", "rejected"),
    ],
)
async def test_a_call_waits_for_a_choice_and_then_does_as_it_says(
    choice: dict[str, Any], content: str, kind: str | None
) -> None:
    run = loop().start("Add.")
    window = Window(run)
    question = await asked(window)
    assert window.head["state"] == ["?", "asks you"]
    assert window.head["note"] == "No answer yet. One call waits for you."
    assert [f"{number}{rest}" for _, number, rest in window.head["facts"][1:3]] == ["0 calls", "1 waiting"]
    assert (question["name"], question["text"], question["edit"]) == ("add", '{"a":2,"b":3}', True)

    await asyncio.to_thread(window.feed.hear, {**choice, "question": question["id"]})
    result = await run

    assert content in result.results[0].content
    assert (result.results[0].error.kind if result.results[0].error else None) == kind
    assert asking._waiting == {}


async def test_A39_a_question_takes_one_answer_and_only_its_own() -> None:
    run = loop().start("Add.")
    window = Window(run)
    question = await asked(window)
    window.feed.hear({"ask": "approve", "question": "0123456789abcdef"})
    window.feed.hear({"ask": "edit", "question": question["id"], "text": "[1]"})
    window.feed.hear({"ask": "edit", "question": question["id"], "text": "{"})
    await asyncio.sleep(0)
    assert run.result.results == []
    window.feed.hear({"ask": "answer", "question": question["id"], "text": "first"})
    window.feed.hear({"ask": "answer", "question": question["id"], "text": "second"})
    result = await run
    window.feed.hear({"ask": "answer", "question": question["id"], "text": "third"})

    assert [one.content for one in result.results] == ["first"]


async def test_a_window_opened_late_is_asked_too_and_another_runs_window_is_not() -> None:
    run, other = loop().start("Add."), loop().start("Add.")
    first, others = Window(run), Window(other)
    question = await asked(first)
    late = Window(run)
    assert late.rows["1.call0"]["q"]["id"] == question["id"]
    assert (await asked(others))["id"] != question["id"]

    others.feed.hear({"ask": "answer", "question": question["id"], "text": "not yours"})
    late.feed.hear({"ask": "approve", "question": question["id"]})
    assert (await run).results[0].content == "5"
    other.stop()
    await other


async def test_a_run_that_is_stopped_asks_no_more() -> None:
    run = loop().start("Add.")
    window = Window(run)
    await asked(window)
    run.stop()
    result = await run

    assert result.stop_reason == "interrupted"
    assert result.tool_errors[0].kind == "cancelled"
    assert "q" not in window.rows["1.call0"]
    assert asking._waiting == {}


async def test_a_call_that_waits_unseen_says_so_and_one_that_is_seen_does_not(
    recwarn: pytest.WarningsRecorder,
) -> None:
    run = loop().start("Add.")
    window = Window(run)
    await asked(window)
    [question] = asking._waiting.values()
    asking._remind(question)
    assert len(recwarn) == 0
    window.feed.close()
    with pytest.warns(UserWarning, match="add waits for your choice, and nobody sees it"):
        asking._remind(question)
    run.stop()
    await run


async def test_arguments_that_cannot_be_shown_as_they_are_are_not_edited() -> None:
    secret = "sk-or-v1-" + "0123456789abcdef" * 4
    server = hn.ScriptedServer([[call("say", text=secret)], "Done."])

    def say(text: str) -> str:
        """Say it."""
        return text

    run = hn.HermesAgentLoop(server, tools=[say], before_call=hn.views.ask).start("Say.")
    window = Window(run)
    question = await asked(window)
    run.stop()
    await run

    assert question["edit"] is False
    assert secret not in question["text"]
