"""The doorway to any server, met by servers that are not ours."""

from __future__ import annotations

import asyncio
import concurrent.futures
import itertools
import logging
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from hermes_nb.exceptions import ConfigurationError, ServerError
from hermes_nb.records import Reply
from hermes_nb.servers import base
from hermes_nb.servers.base import Completion


class Foreign:
    """A server of somebody else's: it returns what it was given, or raises it."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    async def chat_completion(self, **request: Any) -> Any:
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


def bodied(message: Any, **choice: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "message": message, **choice}]}


def calling(**call: Any) -> dict[str, Any]:
    return bodied({"role": "assistant", "content": None, "tool_calls": [{"id": "a", "type": "function", **call}]})


async def asked(answer: Any, taken: set[str] | None = None) -> Reply:
    numbers = itertools.count(1)
    return await base.ask(
        Foreign(answer), {"messages": []}, taken=taken, new_id=lambda: f"new_{next(numbers)}", now=lambda: 0.0
    )


@pytest.mark.parametrize(("arguments", "parsed"), [(None, {}), ({"a": 1}, {"a": 1})])
async def test_L4_arguments_that_are_none_or_a_dict_are_read(arguments: Any, parsed: Any) -> None:
    reply = await asked(calling(function={"name": "add", "arguments": arguments}))

    assert reply.calls[0].parsed == parsed
    assert isinstance(reply.message["tool_calls"][0]["function"]["arguments"], str)


async def test_L6_tool_calls_that_are_dicts_inside_an_object_are_read() -> None:
    call = {"id": "a", "type": "function", "function": {"name": "add", "arguments": '{"a":1}'}}
    message = SimpleNamespace(role="assistant", content=None, tool_calls=[call])
    answer = SimpleNamespace(choices=[SimpleNamespace(message=message, finish_reason="tool_calls")])

    reply = await asked(answer)

    assert [(one.name, one.parsed) for one in reply.calls] == [("add", {"a": 1})]


@pytest.mark.parametrize(
    ("call", "name"),
    [
        ({"type": "custom", "custom": {"name": "shell", "input": "ls"}}, "shell"),
        ({"function": {"name": None, "arguments": "{}"}}, ""),
        ({"function": {"name": ["add"], "arguments": "{}"}}, ""),
    ],
)
async def test_L7_a_call_of_another_type_or_without_a_name_is_a_call_with_a_problem(call: Any, name: str) -> None:
    reply = await asked(calling(**call))

    assert reply.calls[0].name == name
    assert reply.problems


async def test_L8_ids_that_are_missing_or_used_before_are_replaced_and_kept() -> None:
    calls = [
        {"id": one, "type": "function", "function": {"name": "add", "arguments": "{}"}} for one in ("x", "x", None)
    ]
    taken = {"old"}

    reply = await asked(bodied({"role": "assistant", "tool_calls": calls}), taken)

    assert [one.id for one in reply.calls] == ["x", "new_1", "new_2"]
    assert [one.sent_id for one in reply.calls] == [None, "x", None]
    assert [one["id"] for one in reply.message["tool_calls"]] == ["x", "new_1", "new_2"]
    assert taken == {"old", "x", "new_1", "new_2"}


@pytest.mark.parametrize(
    "answer",
    [
        None,
        "",
        {},
        {"choices": None},
        {"choices": []},
        bodied(None),
        SimpleNamespace(choices=[SimpleNamespace(message=None, finish_reason="stop")]),
        SimpleNamespace(),
    ],
)
async def test_L9_an_answer_without_a_message_is_a_server_error_that_says_so(answer: Any) -> None:
    with pytest.raises(ServerError, match="without a message"):
        await asked(answer)


async def test_L9_a_message_without_the_attribute_tool_calls_is_a_message() -> None:
    answer = SimpleNamespace(choices=[SimpleNamespace(message=SimpleNamespace(content="Hello"))])

    assert (await asked(answer)).text == "Hello"


@pytest.mark.parametrize("content", [None, "", [{"type": "text", "text": ""}]])
async def test_content_that_is_null_empty_or_a_list_is_read(content: Any) -> None:
    reply = await asked(bodied({"role": "assistant", "content": content}))

    assert reply.text == ""


async def test_reasoning_is_read_from_whichever_field_holds_it() -> None:
    details = [{"type": "reasoning.text", "text": "one "}, {"type": "reasoning.summary", "summary": "two"}]

    reply = await asked(bodied({"role": "assistant", "content": "x", "reasoning_details": details}))

    assert reply.reasoning == "one two"
    assert reply.message["reasoning_details"] == details


async def test_calls_are_trusted_whatever_the_finish_reason_says() -> None:
    body = calling(function={"name": "add", "arguments": "{}"})
    body["choices"][0]["finish_reason"] = "stop"

    reply = await asked(body)

    assert [call.name for call in reply.calls] == ["add"]
    assert reply.finish_reason == "stop"


async def test_two_equal_calls_are_two_calls() -> None:
    call = {"type": "function", "function": {"name": "add", "arguments": "{}"}}

    reply = await asked(bodied({"role": "assistant", "tool_calls": [{"id": "a", **call}, {"id": "b", **call}]}))

    assert [one.id for one in reply.calls] == ["a", "b"]


async def test_usage_that_was_not_sent_is_unknown_and_not_zero() -> None:
    reply = await asked(bodied({"role": "assistant", "content": "x"}))

    assert reply.usage.total is None


async def test_an_exception_of_a_foreign_server_becomes_a_record_with_its_name_words_and_cause() -> None:
    raised = KeyError("content")

    with pytest.raises(ServerError) as caught:
        await asked(raised)

    error = caught.value.error
    assert (error.type, error.message, error.cause) == ("KeyError", "'content'", raised)


async def test_an_object_that_fails_when_it_is_read_is_a_server_error() -> None:
    class Trap:
        @property
        def choices(self) -> Any:
            raise RuntimeError("already closed")

    with pytest.raises(ServerError, match="already closed"):
        await asked(Trap())


@pytest.mark.parametrize("raised", [asyncio.CancelledError(), KeyboardInterrupt()])
async def test_an_interrupt_passes_through(raised: BaseException) -> None:
    with pytest.raises(type(raised)):
        await asked(raised)


async def test_our_own_misuse_is_raised_as_it_is() -> None:
    with pytest.raises(ConfigurationError, match="set up wrongly"):
        await asked(ConfigurationError("set up wrongly"))


class RetryError(Exception):
    """As tenacity makes it: a future that holds the last error."""

    def __init__(self, error: BaseException, attempts: int) -> None:
        self.last_attempt: Any = concurrent.futures.Future()
        self.last_attempt.set_exception(error)
        self.last_attempt.attempt_number = attempts
        super().__init__(self.last_attempt)


async def test_L28_the_error_inside_nested_retry_errors_is_the_one_that_is_told() -> None:
    raised = RetryError(RetryError(ValueError("no such prompt"), 3), 3)

    with pytest.raises(ServerError) as caught:
        await asked(raised)

    error = caught.value.error
    assert (error.type, error.message, error.retries) == ("ValueError", "no such prompt", 8)


@pytest.mark.parametrize(
    "said",
    [
        "This model's maximum context length is 8192 tokens. However, your messages resulted in 8545 tokens.",
        "The decoder prompt (length 10127) is longer than the maximum model length of 8192.",
        "the request exceeds the available context size. try increasing the context size",
        "The input (9000 tokens) is longer than the model's context length (4096 tokens).",
        "prompt is too long: 210000 tokens > 200000 maximum",
    ],
)
async def test_L32_a_conversation_that_is_too_long_has_the_same_code_at_every_server(said: str) -> None:
    with pytest.raises(ServerError) as caught:
        await asked(ValueError(said))

    error = caught.value.error
    assert error.code == "context_length_exceeded"
    assert error.hint is not None
    assert "larger context" in error.hint


async def test_how_a_completion_travelled_is_in_the_reply() -> None:
    body = bodied({"role": "assistant", "content": "x"})

    reply = await asked(Completion(body, status=200, request_id="req_7", retries=2))

    assert (reply.status, reply.request_id, reply.retries, reply.raw) == (200, "req_7", 2, body)


async def test_how_a_completion_travelled_is_in_the_error_too() -> None:
    with pytest.raises(ServerError) as caught:
        await asked(Completion({"choices": []}, status=200, request_id="req_7", retries=2))

    error = caught.value.error
    assert (error.type, error.status, error.request_id, error.retries) == ("NoReply", 200, "req_7", 2)


async def test_seconds_are_measured_with_the_clock_that_was_given() -> None:
    ticks = iter([10.0, 12.5])

    reply = await base.ask(
        Foreign(bodied({"content": "x"})), {"messages": []}, new_id=lambda: "new", now=lambda: next(ticks)
    )

    assert reply.seconds == 2.5


def test_a_server_that_keeps_its_settings_in_a_config_is_described_by_it() -> None:
    config = SimpleNamespace(model_name="hermes-4", base_url="http://me:secret@localhost:8000/v1", api_key="k-123")
    managed = SimpleNamespace(server=SimpleNamespace(config=config))
    manager = SimpleNamespace(servers=[SimpleNamespace(config=config)])

    for server in (managed, manager):
        described = base.describe(server)
        assert described == {"name": "SimpleNamespace", "model": "hermes-4", "base_url": "http://localhost:8000/v1"}
        assert base.secrets_of(server) == {"k-123"}


def test_a_server_that_says_nothing_of_itself_has_a_name() -> None:
    assert base.describe(Foreign(None)) == {"name": "Foreign", "model": None, "base_url": None}


async def sooner_or_later(state: Any) -> Any:
    return state


@pytest.mark.parametrize("get_state", [lambda: {"nodes": [1]}, lambda: sooner_or_later({"nodes": [1]})])
async def test_L24_the_state_of_a_server_is_taken_whether_it_comes_now_or_later(get_state: Callable[[], Any]) -> None:
    assert await base.managed_state(SimpleNamespace(get_state=get_state)) == {"nodes": [1]}


async def test_L24_a_state_that_cannot_be_had_is_logged_and_none(caplog: pytest.LogCaptureFixture) -> None:
    def fails() -> None:
        raise RuntimeError("reset")

    with caplog.at_level(logging.ERROR, "hermes_nb"):
        assert await base.managed_state(SimpleNamespace(get_state=fails)) is None

    assert "get_state()" in caplog.text


async def test_L24_the_state_is_a_snapshot() -> None:
    state: dict[str, list[int]] = {"nodes": [1]}

    taken = await base.managed_state(SimpleNamespace(get_state=lambda: state))
    state["nodes"].clear()

    assert taken == {"nodes": [1]}


async def test_a_server_without_a_state_has_none() -> None:
    assert await base.managed_state(Foreign(None)) is None
