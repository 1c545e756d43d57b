"""A server's answer, whatever its shape, becomes the same Reply."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion

from hermes_nb.clocks import CountedIds
from hermes_nb.exceptions import ServerError
from hermes_nb.records import Reply
from hermes_nb.replies import reply_from

CALL = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}


def body(message: Any, finish_reason: str | None = "stop", **more: Any) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": finish_reason}], **more,
    }  # fmt: skip


def read(answer: Any, taken: set[str] | None = None) -> Reply:
    ids = CountedIds()
    return reply_from(answer, turn=1, taken=taken, new_id=lambda: ids("call"))


def as_objects(value: Any) -> Any:
    if isinstance(value, dict):
        return SimpleNamespace(**{key: as_objects(item) for key, item in value.items()})
    return [as_objects(item) for item in value] if isinstance(value, list) else value


SHAPES: list[Callable[[dict[str, Any]], Any]] = [lambda b: b, ChatCompletion.model_validate, as_objects]


@pytest.mark.parametrize("shape", SHAPES, ids=["dict", "pydantic", "objects"])
def test_L6_every_shape_of_answer_gives_the_same_reply(shape: Callable[[dict[str, Any]], Any]) -> None:
    answer = body({"role": "assistant", "content": None, "tool_calls": [CALL], "reasoning": "hm"}, "tool_calls")
    reply = read(shape(answer))
    assert [(call.name, call.parsed, call.id, call.turn, call.index) for call in reply.calls] == [
        ("add", {"a": 1}, "c1", 1, 0)
    ]
    assert reply.message == {"role": "assistant", "content": "", "reasoning": "hm", "tool_calls": [CALL]}
    assert (reply.text, reply.reasoning, reply.finish_reason, reply.model, reply.id) == (
        "",
        "hm",
        "tool_calls",
        "m",
        "chatcmpl-1",
    )


def test_L6_tool_calls_given_as_dicts_on_a_pydantic_answer_are_read() -> None:
    answer = ChatCompletion.model_validate(body({"role": "assistant", "content": ""}))
    answer.choices[0].message.tool_calls = [CALL]
    assert read(answer).calls[0].name == "add"


@pytest.mark.parametrize(("arguments", "parsed"), [({"a": 1}, {"a": 1}), (None, {}), ("", {}), ([1], [1]), (5, 5)])
def test_L4_arguments_that_are_not_text_are_read_and_sent_back_as_text(arguments: Any, parsed: Any) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": arguments}}
    reply = read(body({"role": "assistant", "content": None, "tool_calls": [call]}))
    assert reply.calls[0].parsed == parsed
    assert isinstance(reply.message["tool_calls"][0]["function"]["arguments"], str)


def test_L8_missing_and_repeated_ids_are_made_unique_on_both_sides_of_the_history() -> None:
    calls = [{**CALL, "id": None}, {**CALL, "id": "same"}, {**CALL, "id": "same"}, {**CALL, "id": "old"}]
    taken = {"old"}
    reply = read(body({"role": "assistant", "content": None, "tool_calls": calls}), taken)
    ids = [call.id for call in reply.calls]
    assert len(set(ids)) == 4
    assert "old" not in ids
    assert [entry["id"] for entry in reply.message["tool_calls"]] == ids
    assert [call.sent_id for call in reply.calls] == [None, None, "same", "old"]
    assert taken == {"old", *ids}
    assert len(reply.problems) == 3


@pytest.mark.parametrize(
    "answer",
    [None, {}, [], "words", body(None), {"choices": []}, {"choices": None}, {"choices": [None]}, {"error": "no"}],
)  # fmt: skip
def test_L9_an_answer_without_a_message_is_one_named_error(answer: Any) -> None:
    with pytest.raises(ServerError) as caught:
        read(answer)
    assert caught.value.error.type == "NoReply"


def test_an_error_stated_in_the_body_is_told() -> None:
    with pytest.raises(ServerError, match="model is loading"):
        read({"error": {"message": "model is loading"}})


@pytest.mark.parametrize(
    "call",
    [
        {"id": "c1", "type": "custom", "custom": {"name": "grep", "input": "x"}},
        {"id": "c1", "type": "function", "function": {"name": None, "arguments": "{}"}},
        {"id": "c1", "type": "function", "function": {"name": ["add"], "arguments": "{}"}},
        {"id": "c1", "type": "function"},
        {"id": "c1", "function": None},
    ],
)
def test_L7_calls_of_odd_kinds_are_read_and_said_to_be_odd(call: dict[str, Any]) -> None:
    reply = read(body({"role": "assistant", "content": None, "tool_calls": [call]}))
    assert len(reply.calls) == 1
    assert isinstance(reply.calls[0].name, str)
    assert reply.problems


def test_what_a_server_adds_to_a_call_is_sent_back_unchanged() -> None:
    signed = {**CALL, "index": 0, "extra_content": {"google": {"thought_signature": "abc"}}}
    reply = read(body({"role": "assistant", "content": None, "tool_calls": [signed]}))
    assert reply.message["tool_calls"] == [{**CALL, "extra_content": {"google": {"thought_signature": "abc"}}}]


def test_a_legacy_function_call_is_a_tool_call() -> None:
    reply = read(body({"role": "assistant", "content": None, "function_call": {"name": "add", "arguments": "{}"}}))
    assert (reply.calls[0].name, reply.calls[0].id) == ("add", "call_1")


def test_an_empty_legacy_function_call_is_none() -> None:
    message = {"role": "assistant", "content": "hi", "function_call": {"name": "", "arguments": ""}, "tool_calls": None}
    assert read(body(message)).calls == ()


def test_usage_is_unknown_where_the_server_is_silent() -> None:
    usage = {"prompt_tokens": 7, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 3}}
    reply = read(body({"role": "assistant", "content": "hi"}, usage=usage))
    assert (reply.usage.prompt, reply.usage.completion, reply.usage.cached) == (7, 2, 3)
    assert (reply.usage.total, reply.usage.reasoning, reply.usage.cost) == (None, None, None)
    assert read(body({"role": "assistant", "content": "hi"})).usage.prompt is None


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
        ["choices", "message", "content", "tool_calls", "function", "name", "arguments", "id", "usage", "error",
         "reasoning_details", "text", "type", "prompt_tokens"]), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(ANYTHING, ANYTHING)
def test_no_answer_escapes_as_anything_but_a_reply_or_a_server_error(answer: Any, message: Any) -> None:
    for candidate in (answer, body(message), {"choices": [answer]}):
        try:
            reply = read(candidate)
        except ServerError:
            continue
        assert len({call.id for call in reply.calls}) == len(reply.calls)
