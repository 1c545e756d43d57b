"""Any object with `async chat_completion(**request)` is a server, whatever shape its answers have."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletion
from pydantic import BaseModel, ConfigDict

from hermes_nb.loop import HermesAgentLoop
from hermes_nb.records import AgentResult
from hermes_nb.servers import call
from hermes_nb.servers.scripted import Scripted, wire

NUMBERS = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
FIRST = {
    "role": "assistant",
    "content": "Let me see.",
    "reasoning_content": "two sums",
    "tool_calls": [{"id": "a", **call("add", a=2, b=3)}, {"id": "b", **call("add", a=1, b=1)}],
}
ANSWERS = [Scripted(message=FIRST, usage=NUMBERS), Scripted(text="5 and 2", usage=NUMBERS)]
BODIES = [wire.completion(said, {}, model="m", number=number) for number, said in enumerate(ANSWERS, 1)]


def add(a: int, b: int) -> int:
    """Add two whole numbers."""
    return a + b


class Duck:
    """A server that gives its bodies in one shape, and nothing else of what ours have."""

    def __init__(self, shape: Callable[[Any], Any]) -> None:
        self._shape, self._bodies = shape, iter(BODIES)

    async def chat_completion(self, **request: Any) -> Any:
        return self._shape(next(self._bodies))


async def run(server: Any) -> AgentResult:
    return await HermesAgentLoop(server, tools=[add]).run("What is 2 + 3, and 1 + 1?")


def namespace(value: Any) -> Any:
    match value:
        case dict():
            return SimpleNamespace(**{name: namespace(inner) for name, inner in value.items()})
        case list():
            return [namespace(inner) for inner in value]
    return value


class Open(BaseModel):
    """A pydantic model of anything."""

    model_config = ConfigDict(extra="allow")


def model(value: Any) -> Any:
    match value:
        case dict():
            return Open(**{name: model(inner) for name, inner in value.items()})
        case list():
            return [model(inner) for inner in value]
    return value


def data(value: Any) -> Any:
    """A dataclass made for it."""
    match value:
        case dict():
            made = dataclasses.make_dataclass("Data", list(value), slots=True)
            return made(**{name: data(inner) for name, inner in value.items()})
        case list():
            return tuple(data(inner) for inner in value)
    return value


def calls_as_dicts(body: dict[str, Any]) -> Any:
    shaped = namespace(body)
    message = body["choices"][0]["message"]
    if "tool_calls" in message:
        shaped.choices[0].message.tool_calls = message["tool_calls"]
    return shaped


def functions_as_objects(body: dict[str, Any]) -> Any:
    shaped = calls_as_dicts(body)
    entries = getattr(shaped.choices[0].message, "tool_calls", None) or []
    shaped.choices[0].message.tool_calls = [{**one, "function": namespace(one["function"])} for one in entries]
    return shaped


def messages_as_objects(body: dict[str, Any]) -> Any:
    return {**body, "choices": [{**one, "message": namespace(one["message"])} for one in body["choices"]]}


def calls_as_objects(body: dict[str, Any]) -> Any:
    [choice] = body["choices"]
    message = dict(choice["message"])
    if "tool_calls" in message:
        message["tool_calls"] = namespace(message["tool_calls"])
    return {**body, "choices": [{**choice, "message": message}]}


SHAPES: dict[str, Callable[[Any], Any]] = {
    "a dict": lambda body: body,
    "namespaces": namespace,
    "pydantic models": model,
    "dataclasses": data,
    "the openai package's ChatCompletion": ChatCompletion.model_validate,
    "the openai package's, unchecked": lambda body: ChatCompletion.construct(**body),
    "objects with calls as dicts": calls_as_dicts,
    "objects with calls as dicts with functions as objects": functions_as_objects,
    "a dict with objects in it": lambda body: {**body, "choices": namespace(body["choices"])},
    "a dict with pydantic models in it": lambda body: {**body, "choices": model(body["choices"])},
    "a dict with dataclasses in it": lambda body: {**body, "choices": data(body["choices"])},
    "a dict with messages as objects": messages_as_objects,
    "a dict with calls as objects": calls_as_objects,
    "an object with dicts in it": lambda body: SimpleNamespace(**body),
}


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_run_is_the_same_whatever_shape_the_answers_have(shape: str) -> None:
    result = await run(Duck(SHAPES[shape]))

    assert result.stop_reason == "finished", result.error
    assert result.messages == [
        {"role": "user", "content": "What is 2 + 3, and 1 + 1?"},
        FIRST,
        {"role": "tool", "tool_call_id": "a", "content": "5"},
        {"role": "tool", "tool_call_id": "b", "content": "2"},
        {"role": "assistant", "content": "5 and 2"},
    ]
    assert (result.reasoning_per_turn, result.usage.total) == (["two sums", None], 20)


async def test_fields_that_nobody_knows_are_kept_from_a_pydantic_model() -> None:
    result = await run(Duck(lambda body: ChatCompletion.model_validate({**body, "provider": "P"})))

    assert [turn.reply.raw["provider"] for turn in result.turns] == ["P", "P"]


@dataclass
class Message:
    role: str = "assistant"
    content: str | None = "Hello"
    tool_calls: list[Any] = field(default_factory=list)


@dataclass
class Choice:
    message: Message = field(default_factory=Message)
    finish_reason: str = "stop"


@dataclass
class Answer:
    """No more than what is needed."""

    choices: list[Choice] = field(default_factory=lambda: [Choice()])


async def test_an_answer_of_nothing_but_a_message_is_enough() -> None:
    class Small:
        async def chat_completion(self, **request: Any) -> Answer:
            return Answer()

    result = await run(Small())

    assert (result.final_text, result.usage.total) == ("Hello", None)


async def test_a_server_may_be_made_of_an_openai_client() -> None:
    class Wrapped:
        """As people write it: the client's own method, and what it returns."""

        def __init__(self, client: openai.AsyncOpenAI) -> None:
            self._client = client

        async def chat_completion(self, **request: Any) -> Any:
            return await self._client.chat.completions.create(model="m", **request)

    from hermes_nb.servers import ScriptedServer

    async with (
        ScriptedServer(ANSWERS).serve() as base_url,
        openai.AsyncOpenAI(base_url=base_url, api_key="none") as client,
    ):
        result = await run(Wrapped(client))

    assert (result.stop_reason, result.final_text, result.usage.total) == ("finished", "5 and 2", 20)


class Managed(Duck):
    """One that keeps a state, as ManagedServer does."""

    def __init__(self, state: Callable[[], Any]) -> None:
        super().__init__(namespace)
        self.get_state = state


async def later() -> dict[str, Any]:
    return {"nodes": [1, 2]}


@pytest.mark.parametrize("state", [lambda: {"nodes": [1, 2]}, later], ids=["sync", "async"])
async def test_the_state_of_a_server_is_in_the_result_whether_it_comes_now_or_later(state: Callable[[], Any]) -> None:
    assert (await run(Managed(state))).managed_state == {"nodes": [1, 2]}


async def test_a_state_that_cannot_be_had_costs_no_run(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> Any:
        raise RuntimeError("no nodes yet")

    with caplog.at_level(logging.ERROR, "hermes_nb"):
        result = await run(Managed(broken))

    assert (result.stop_reason, result.managed_state) == ("finished", None)
    assert "get_state() of Managed failed" in caplog.text


@pytest.mark.parametrize(
    "answer",
    [None, "Hello", 7, [], {}, Answer(choices=[]), SimpleNamespace(), SimpleNamespace(choices=None), object()],
    ids=lambda answer: type(answer).__name__,
)
async def test_an_answer_that_is_none_ends_the_run_and_says_so(answer: Any) -> None:
    result = await run(Duck(lambda body: answer))

    assert result.stop_reason == "server_error"
    assert "without a message" in result.error.message


async def test_an_answer_that_fails_when_it_is_read_ends_the_run_and_says_so() -> None:
    class Broken:
        @property
        def choices(self) -> Any:
            raise ZeroDivisionError("no choices today")

    result = await run(Duck(lambda body: Broken()))

    assert (result.stop_reason, result.error.type) == ("server_error", "ZeroDivisionError")


@pytest.mark.parametrize(
    "raised", [RuntimeError("no"), TimeoutError(), ConnectionRefusedError("no"), BaseExceptionGroup]
)
async def test_whatever_a_server_raises_ends_the_run_and_is_named(raised: Any) -> None:
    error = ExceptionGroup("several", [ValueError("no")]) if raised is BaseExceptionGroup else raised

    class Raising:
        async def chat_completion(self, **request: Any) -> Any:
            raise error

    result = await run(Raising())

    assert (result.stop_reason, result.error.type) == ("server_error", type(error).__name__)


async def test_a_request_is_the_original_loops() -> None:
    asked = []

    class Strict:
        async def chat_completion(
            self, *, messages: Any, n: int, temperature: float, tools: Any, max_tokens: int, extra_body: Any
        ) -> Any:
            asked.append((n, temperature, [one["function"]["name"] for one in tools], max_tokens, extra_body))
            return Answer()

    result = await HermesAgentLoop(Strict(), tools=[add], max_tokens=9, extra_body={"top_k": 1}).run("Hi")

    assert (result.final_text, asked) == ("Hello", [(1, 1.0, ["add"], 9, {"top_k": 1})])
