"""The form of a person who answers as the model: what it is told, and what it may say."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hermes_nb as hn
from hermes_nb.views.human import Desk, requests, shown
from tests.views.attacks import ATTACKS, HIDDEN
from tests.views.test_html import checked

STATIC = Path(hn.views.__file__).with_name("static")
SECRET = "sk-or-v1-" + "0123456789abcdef" * 4


def add(a: int, b: int, round: bool = False) -> int:
    """Add two whole numbers."""
    return a + b


class Form:
    """A form that is drawn: what it was told."""

    def __init__(self, human: hn.HumanServer, *, ready: bool = True) -> None:
        self.told: list[dict[str, Any]] = []
        self.news = asyncio.Event()
        self.desk = Desk(human)
        self.desk.connect(lambda message: (self.told.append(message), self.news.set()))
        if ready:
            self.desk.hear({"ask": "ready"})

    async def asked(self, after: str = "") -> dict[str, Any]:
        """The question it shows, once there is one, and another than this."""
        while not self.told or self.told[-1].get("question", {}).get("id", after) == after:
            self.news.clear()
            await self.news.wait()
        return dict(self.told[-1]["question"])

    def reply(self, question: Any, text: Any = "", calls: Any = ()) -> None:
        self.desk.hear({"ask": "reply", "question": question, "text": text, "calls": list(calls)})


async def test_a_form_is_told_messages_and_tools_and_its_reply_is_the_models() -> None:
    human = hn.HumanServer()
    form = Form(human)
    run = hn.HermesAgentLoop(human, tools=[add]).start("What is 2 + 3?")
    question = await form.asked()

    assert question["messages"] == [
        {"role": "user", "parts": [{"shown": {"text": "What is 2 + 3?"}, "prose": True}]},
    ]
    [tool] = question["tools"]
    assert (tool["name"], tool["told"]) == ("add", "(a, b, round) Add two whole numbers.")
    assert json.loads(tool["first"]) == {"a": 0, "b": 0}
    assert json.loads(tool["schema"]["shown"]["text"]) == hn.schema(add)["function"]

    form.reply(question["id"], "Let me.", [{"name": "add", "arguments": '{"a":2,"b":3}'}])
    second = await form.asked(question["id"])
    assert [one["role"] for one in second["messages"]] == ["user", "assistant", "tool"]
    assert second["messages"][1]["parts"][1]["label"].startswith("calls add, call_1")
    assert second["messages"][2]["parts"][0] == {"label": "answers call_1", "shown": {"text": "5"}}
    form.reply(second["id"], "It is 5.")

    assert (await run).final_text == "It is 5."
    assert "question" not in form.told[-1]
    assert form.told[-1]["answered"] == 2


async def test_two_forms_are_told_the_same_and_the_first_reply_counts() -> None:
    human = hn.HumanServer()
    one, other = Form(human), Form(human)
    run = hn.HermesAgentLoop(human).start("?")
    question = await one.asked()
    assert (await other.asked())["id"] == question["id"]

    other.reply(question["id"], "first")
    one.reply(question["id"], "second")

    assert (await run).final_text == "first"
    assert human.answered == 1
    assert "question" not in one.told[-1]


async def test_a_form_that_opens_late_is_told_what_waits_and_one_that_is_closed_nothing() -> None:
    human = hn.HumanServer()
    early = Form(human)
    run = hn.HermesAgentLoop(human).start("?")
    await early.asked()
    late = Form(human)
    assert late.told[-1]["question"]["number"] == 1
    early.desk.close()
    said = len(early.told)

    human.answer("Done.")
    await run

    assert len(early.told) == said


async def test_a_run_that_is_stopped_is_taken_off_the_form() -> None:
    human = hn.HumanServer()
    form = Form(human)
    run = hn.HermesAgentLoop(human).start("?")
    question = await form.asked()
    run.stop()
    await run

    assert "question" not in form.told[-1]
    form.reply(question["id"], "too late")
    assert repr(human) == "HumanServer(human · 0 answered · 0 waiting)"


NO_REQUESTS: list[Any] = [
    None, 1, "ready", [], {}, {"ask": "run"}, {"ask": ["ready"]}, {"ask": "ready", "more": 1}, {"ask": "stop"},
    {"ask": "reply"}, {"ask": "reply", "question": "x", "text": ""}, {"ask": "__class__"},
    {"ask": "reply", "question": "x", "text": 1, "calls": []},
    {"ask": "reply", "question": "../x", "text": "", "calls": []},
    {"ask": "reply", "question": "x" * 17, "text": "", "calls": []},
    {"ask": "reply", "question": "x", "text": "", "calls": {}},
    {"ask": "reply", "question": "x", "text": "", "calls": ["add"]},
    {"ask": "reply", "question": "x", "text": "", "calls": [{"name": "add"}]},
    {"ask": "reply", "question": "x", "text": "", "calls": [{"name": "add", "arguments": {}}]},
    {"ask": "reply", "question": "x", "text": "", "calls": [{"name": "a", "arguments": "", "id": "x"}]},
    {"ask": "reply", "question": "x", "text": "", "calls": [{"name": "a", "arguments": ""}] * 17},
    {"ask": "reply", "question": "x", "text": "x" * 100_001, "calls": []},
    {"ask": "reply", "question": "x", "text": "x" * 50_000, "calls": [{"name": "a", "arguments": "x" * 50_000}]},
]  # fmt: skip


@pytest.mark.parametrize("content", NO_REQUESTS, ids=lambda content: repr(content)[:40])
async def test_A39_what_a_form_may_not_say_is_not_heard(content: Any) -> None:
    human = hn.HumanServer()
    form = Form(human)
    run = hn.HermesAgentLoop(human).start("?")
    await form.asked()
    said = list(form.told)
    form.desk.hear(content)

    assert requests.heard(content) is None
    assert form.told == said
    assert len(human.waiting) == 1
    run.stop()
    await run


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["ready", "reply", "x"]),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["ask", "question", "text", "calls", "name", "arguments"]), inner)
        ),
        max_leaves=8,
    )
)
def test_A39_a_form_can_say_anything_without_an_error(content: Any) -> None:
    human = hn.HumanServer()
    form = Form(human)
    form.desk.hear(content)

    assert len(form.told) <= 2
    assert repr(human) == "HumanServer(human · 0 answered · 0 waiting)"


async def test_A39_a_reply_is_heard_once_and_only_while_python_waits_for_it() -> None:
    human = hn.HumanServer()
    form = Form(human)
    form.reply("0123456789abcdef", "before anything was asked")
    run = hn.HermesAgentLoop(human, tools=[add]).start("?")
    question = await form.asked()
    form.reply("0123456789abcdef", "to nobody")
    form.reply(question["id"], calls=[{"name": "add", "arguments": '{"a":1,"b":1}'}])
    form.reply(question["id"], "again")
    second = await form.asked(question["id"])
    form.reply(question["id"], "a replay")
    assert [one.id for one in human.waiting] == [second["id"]]
    form.reply(second["id"], "Two.")
    result = await run
    form.reply(second["id"], "after the end")

    assert result.final_text == "Two."
    assert repr(human) == "HumanServer(human · 2 answered · 0 waiting)"


async def test_what_is_long_is_cut_and_secrets_stay_out() -> None:
    human = hn.HumanServer()
    form = Form(human)
    history = [{"role": role, "content": "x" * 40_000} for _ in range(150) for role in ("user", "assistant")]
    run = hn.HermesAgentLoop(human, tools=[add]).start([*history, {"role": "user", "content": f"My key: {SECRET}"}])
    question = await form.asked()
    static = shown(human)
    run.stop()
    await run

    assert question["cut"] == "cut here: 101 earlier messages"
    assert len(question["messages"]) == 200
    assert question["messages"][0]["parts"][0]["shown"]["characters"] == 24_000
    assert SECRET not in json.dumps(form.told) + static["text/html"] + static["text/plain"]


@pytest.mark.parametrize("attack", ATTACKS)
async def test_hostile_words_are_text_to_the_form_and_in_its_static_form(attack: str) -> None:
    text, human = ATTACKS[attack], hn.HumanServer()
    form = Form(human)
    calls = [{"id": text, "type": "function", "function": {"name": text, "arguments": text}}]
    history = [{"role": "assistant", "content": text, "tool_calls": calls}, {"role": "tool", "tool_call_id": text,
               "content": text}, {"role": "user", "content": text}]  # fmt: skip
    asking = asyncio.ensure_future(human.ask(history, tools=[{"type": "function", "function": {"name": text}}]))
    await form.asked()
    static = shown(human)
    human.answer(text)
    await asking

    told = "".join(strings(form.told))
    assert not HIDDEN & set(told + checked(static["text/html"]).text + static["text/plain"])


def strings(value: Any) -> list[str]:
    """Every text in a message."""
    if isinstance(value, dict):
        return [one for inner in value.values() for one in strings(inner)]
    if isinstance(value, list):
        return [one for inner in value for one in strings(inner)]
    return [value] if isinstance(value, str) else []


NO_FUNCTIONS: list[Any] = [
    None, {"name": 1, "parameters": []}, {"parameters": {"properties": 1}}, {"parameters": {"required": 1}},
    {"parameters": {"required": [1, "a"]}},
]  # fmt: skip


@pytest.mark.parametrize("function", NO_FUNCTIONS)
async def test_a_tool_that_is_none_is_shown_all_the_same(function: Any) -> None:
    human = hn.HumanServer()
    form = Form(human)
    asking = asyncio.ensure_future(human.ask("?", tools=[{"function": function}]))
    assert len((await form.asked())["tools"]) == 1
    human.answer("Well.")
    await asking


async def test_a_saved_notebook_keeps_what_waited_and_no_state_of_the_form() -> None:
    human = hn.HumanServer()
    empty = shown(human)
    form = Form(human)
    run = hn.HermesAgentLoop(human).start("What is 2 + 3?")
    await form.asked()
    waits = shown(human)
    run.stop()
    await run

    assert empty["text/plain"].startswith("○ nothing waits · human\n0 requests answered\n")
    assert waits["text/plain"].startswith("? asks you · human\n1 message · 0 tools\n")
    assert "What is 2 + 3?" in waits["text/html"]
    assert "the form needs a kernel" in " ".join(waits["text/plain"].split())
    assert waits["application/vnd.jupyter.widget-view+json"]["model_id"]


def test_S1_the_forms_script_writes_text_only_and_asks_the_network_for_nothing() -> None:
    script = (STATIC / "human.js").read_text(encoding="utf-8")
    style = (STATIC / "human.css").read_text(encoding="utf-8")
    ways = (
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|srcdoc|\bimport\b|https?:|"
        r"fetch\(|XMLHttpRequest|WebSocket|createContextualFragment|DOMParser|setHTML|\.href|\.src\b|localStorage|cookie"
    )

    assert re.findall(ways, script) == []
    assert re.findall(r"url\(|@import|https?:|#[0-9a-fA-F]{3,8}\b", style) == []
    assert len(script.encode()) < 10 * 1024
