"""A person answers as the model: with replies that were kept, and with those given while a request waits."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

import hermes_nb as hn
from hermes_nb.exceptions import ConfigurationError


def add(a: int, b: int) -> int:
    """Add two whole numbers."""
    return a + b


class Watching:
    """Notes that something changed, and looks, or does not."""

    def __init__(self, human: hn.HumanServer, *, looks: bool = True) -> None:
        self.human, self.looks = human, looks
        self.news = asyncio.Event()
        human.watch(self)

    def changed(self) -> bool:
        self.news.set()
        return self.looks

    async def until(self, number: int) -> None:
        """Wait until so many requests wait."""
        while len(self.human.waiting) != number:
            self.news.clear()
            await self.news.wait()


async def test_replies_that_were_kept_are_given_in_order() -> None:
    human = hn.HumanServer()
    human.call("add", {"a": 2, "b": 3})
    human.answer("It is 5.")
    assert repr(human) == "HumanServer(human · 0 answered · 0 waiting · 2 kept)"

    result = await hn.HermesAgentLoop(human, tools=[add]).run("What is 2 + 3?")

    assert (result.results[0].content, result.final_text) == ("5", "It is 5.")
    assert result.turns[0].reply is not None
    assert result.turns[0].reply.problems == ()
    assert result.usage.total is None
    assert result.provenance is not None
    assert result.provenance.server["model"] == "human"
    assert repr(human) == "HumanServer(human · 2 answered · 0 waiting)"


async def test_a_request_waits_with_what_a_model_is_sent_and_takes_the_reply() -> None:
    human = hn.HumanServer()
    watching = Watching(human)
    run = hn.HermesAgentLoop(human, tools=[add], system="Be brief.").start("What is 2 + 3?")
    await watching.until(1)
    [question] = human.waiting

    assert [message["role"] for message in question.messages] == ["system", "user"]
    assert question.tools == (hn.schema(add),)
    assert repr(question) == "Question(1 · 2 messages, 1 tools)"

    human.reply("Let me add.", [("add", {"a": 2, "b": 3})])
    while not (human.waiting and human.waiting[0] is not question):
        watching.news.clear()
        await watching.news.wait()
    assert human.waiting[0].messages[-1]["content"] == "5"
    human.answer("5")

    assert (await run).final_text == "5"
    assert human.waiting == ()


@pytest.mark.parametrize(
    ("name", "arguments", "kind"),
    [
        ("add", {"a": 2, "b": 3}, "ok"),
        ("add", '{"a": 2, "b"', "bad_json"),
        ("add", {"a": "two"}, "bad_arguments"),
        ("subtract", None, "unknown_tool"),
        ("", "{}", "unknown_tool"),
    ],
)
async def test_a_call_is_sent_as_it_was_written_valid_malformed_or_invented(
    name: str, arguments: Any, kind: str
) -> None:
    human = hn.HumanServer()
    human.call(name, arguments)
    human.answer("Well.")

    result = await hn.HermesAgentLoop(human, tools=[add]).run("?")

    assert [one.status for one in result.results] == [kind]
    if isinstance(arguments, str):
        assert result.calls[0].arguments == arguments


async def test_several_calls_at_once_and_an_empty_reply_are_replies_too() -> None:
    human = hn.HumanServer()
    human.reply(calls=[("add", {"a": 1, "b": 1}), ("add", {"a": 2, "b": 2})])
    human.reply()

    result = await hn.HermesAgentLoop(human, tools=[add]).run("?")

    assert [one.content for one in result.results] == ["2", "4"]
    assert len({call.id for call in result.calls}) == 2
    assert result.stop_reason == "empty"


async def test_a_run_that_is_stopped_leaves_nothing_that_waits() -> None:
    human = hn.HumanServer()
    watching = Watching(human)
    run = hn.HermesAgentLoop(human).start("?")
    await watching.until(1)
    watching.news.clear()

    run.stop()
    result = await run

    assert result.stop_reason == "interrupted"
    assert human.waiting == ()
    assert watching.news.is_set()
    assert human.answered == 0
    human.answer("for the next")
    assert (await hn.HermesAgentLoop(human).run("?")).final_text == "for the next"


async def test_a_cancelled_run_leaves_nothing_that_waits() -> None:
    human = hn.HumanServer()
    watching = Watching(human)
    task = asyncio.ensure_future(hn.HermesAgentLoop(human).run("?"))
    await watching.until(1)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert human.waiting == ()


async def test_a_request_takes_one_reply_and_only_its_own() -> None:
    human = hn.HumanServer()
    watching = Watching(human)
    runs = [hn.HermesAgentLoop(human).start(name) for name in ("one", "two")]
    await watching.until(2)
    first, second = human.waiting

    assert human.settle(second.id, "for two", ())
    assert not human.settle(second.id, "again", ())
    assert not human.settle("0123456789abcdef", "nobody's", ())
    assert human.waiting == (first,)
    human.answer("for one")

    assert [(await run).final_text for run in runs] == ["for one", "for two"]


async def test_a_reply_may_come_from_any_thread() -> None:
    human = hn.HumanServer()
    watching = Watching(human)
    run = hn.HermesAgentLoop(human).start("?")
    await watching.until(1)

    thread = threading.Thread(target=human.answer, args=("from a thread",))
    thread.start()

    assert (await run).final_text == "from a thread"
    thread.join()


async def test_what_waits_can_be_awaited_and_looked_at() -> None:
    human = hn.HumanServer()
    looking = asyncio.ensure_future(human.asked())
    run = hn.HermesAgentLoop(human, tools=[add]).start("What is 2 + 3?")
    first = await looking
    assert await human.asked() is first

    human.call("add", {"a": 2, "b": 3})
    second = await human.asked()
    human.answer("5")
    await run

    assert (first.number, second.number) == (1, 2)
    assert second.messages[-1]["content"] == "5"
    assert len(human._windows) == 0


async def test_two_people_are_model_and_user() -> None:
    model, user = hn.HumanServer(), hn.HumanServer(model="user")
    model.answer("Which day?")
    user.answer("Monday.")
    model.answer("Booked for Monday.")
    loop = hn.HermesAgentLoop(model)

    first = await loop.run("Book a table.")
    said = await user.ask(first.messages)
    second = await loop.run(said.text, after=first)

    assert [message["content"] for message in second.messages] == [
        "Book a table.", "Which day?", "Monday.", "Booked for Monday.",
    ]  # fmt: skip


async def test_a_request_that_nobody_sees_says_so_and_one_that_is_seen_does_not(
    recwarn: pytest.WarningsRecorder,
) -> None:
    human = hn.HumanServer()
    watching = Watching(human, looks=False)
    run = hn.HermesAgentLoop(human).start("?")
    await watching.until(1)
    [question] = human.waiting
    with pytest.warns(UserWarning, match="a run waits for a person's reply, and nobody sees it"):
        human._remind(question)
    watching.looks = True
    human._remind(question)
    run.stop()
    await run
    human._remind(question)

    assert len(recwarn) == 0


async def test_it_waits_longer_than_the_reminder_without_a_word_where_somebody_looks() -> None:
    human = hn.HumanServer()
    watching = Watching(human)
    run = hn.HermesAgentLoop(human).start("?")
    await watching.until(1)
    human.leave(watching)
    watching.news.clear()
    human.answer("Here.")

    assert (await run).final_text == "Here."
    assert not watching.news.is_set()


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (lambda human: human.answer(5), "a reply is text"),
        (lambda human: human.reply("", {"add": {}}), "calls are a list of pairs"),
        (lambda human: human.reply("", "add"), "calls are a list of pairs"),
        (lambda human: human.reply("", ["add"]), "a call is a name and arguments"),
        (lambda human: human.call(add, {}), "a call is a name and arguments"),
        (lambda human: human.call("add", [1]), "arguments are a dict, or text"),
        (lambda human: human.call("add", {"a": object()}), "the arguments of 'add' are no JSON"),
        (lambda human: hn.HumanServer(model=""), "model= is a name"),
    ],
)
def test_what_is_no_reply_is_refused_at_once(wrong: Any, told: str) -> None:
    human = hn.HumanServer()

    with pytest.raises(ConfigurationError, match=told):
        wrong(human)
    assert repr(human) == "HumanServer(human · 0 answered · 0 waiting)"
