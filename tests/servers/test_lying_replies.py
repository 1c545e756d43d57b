"""Answers that are not what the API promises: one outcome each, by the table of `hermes_nb.replies`.

Every answer goes over a real socket.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from hermes_nb import HermesAgentLoop
from hermes_nb.records import AgentResult, Reply
from hermes_nb.servers import Scripted

TOOLS = [{"type": "function", "function": {"name": "add", "parameters": {"type": "object", "properties": {}}}}]


def body(message: Any, finish_reason: Any = "stop", **more: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "message": message, "finish_reason": finish_reason}], **more}


def called(*calls: Any, **fields: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": None, "tool_calls": list(calls), **fields}


def call(arguments: Any = '{"a": 2, "b": 3}', call_id: Any = "c1", name: Any = "add", **more: Any) -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}, **more}


@pytest.fixture
def reply(connect):
    """`await reply(body)`: the Reply that a server's answer gives."""

    async def asked(answer: Any, **settings: Any) -> Reply:
        raw = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        async with connect([Scripted(body=raw)], **settings) as (_, server):
            return await server.ask("2 + 3?")

    return asked


@pytest.fixture
def run(connect):
    """`await run(*bodies)`: the run of a loop whose server gives these answers, and then says 5."""

    async def ran(*answers: Any) -> AgentResult:
        script = [Scripted(body=json.dumps(answer).encode()) for answer in answers]
        async with connect([*script, "5"]) as (_, server):
            return await HermesAgentLoop(server, [add]).run("2 + 3?")

    return ran


def add(a: int, b: int) -> int:
    """Add two whole numbers."""
    return a + b


# No message at all


@pytest.mark.parametrize(
    ("answer", "kind", "code", "told"),
    [
        (b"<!doctype html><title>Log in</title>", "NotJSON", None, "not a JSON object"),
        (b"", "NotJSON", None, "empty"),
        (b'{"choices": [', "NotJSON", None, "not a JSON object"),
        (b"\xff\xfe", "NotJSON", None, "not a JSON object"),
        (b"[]", "NotJSON", None, "not a JSON object"),
        ({}, "NoReply", None, "empty"),
        ({"id": "1"}, "NoReply", None, "no choices"),
        ({"choices": []}, "NoReply", None, "no choices"),
        ({"choices": None}, "NoReply", None, "no choices"),
        ({"choices": [None]}, "NoReply", None, "no message"),
        (body(None), "NoReply", None, "no message"),
        (body("Hello"), "NoReply", None, "no message"),
        ({"error": {"message": "loading"}}, "APIStatusError", None, "loading"),
        ({"error": "loading", "choices": []}, "APIStatusError", None, "loading"),
        ({"object": "error", "message": "loading", "code": "busy"}, "APIStatusError", "busy", "loading"),
        ({"choices": [{"error": {"message": "overloaded", "code": 502}, "message": {"content": "Hel"}}]},
         "APIStatusError", None, "overloaded"),
        ({"error": {"message": "x", "code": "context_length_exceeded"}}, "APIStatusError", "context_length_exceeded",
         "x"),
    ],
)  # fmt: skip
async def test_F13_an_answer_without_a_message_is_one_named_error(
    answer: Any, kind: str, code: str | None, told: str, connect, failure
) -> None:
    raw = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    async with connect([Scripted(body=raw)]) as (_, server):
        error = await failure(server.ask("2 + 3?"))

    assert (error.type, error.code, error.status) == (kind, code, 200)
    assert told in error.message


async def test_an_error_beside_a_whole_message_is_noted(reply) -> None:
    answered = await reply(body({"content": "5"}, error={"message": "slow today"}))
    assert answered.text == "5"
    assert "slow today" in answered.problems[0]


# What it says


@pytest.mark.parametrize(
    ("content", "text", "kept"),
    [
        (None, "", ""),
        ("", "", ""),
        ([], "", []),
        ([{"type": "text", "text": "fi"}, {"type": "text", "text": "ve"}], "five", None),
        ([{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": "five"}], "five", None),
        (["five"], "five", None),
        ({"type": "text", "text": "five"}, "five", [{"type": "text", "text": "five"}]),
        ({"sum": 5}, '{"sum":5}', '{"sum":5}'),
        (5, "5", "5"),
    ],
)
async def test_F14_content_of_every_form_is_text_and_stays_what_it_was(
    content: Any, text: str, kept: Any, reply
) -> None:
    answered = await reply(body({"role": "assistant", "content": content}))
    assert answered.text == text
    assert answered.message["content"] == (content if kept is None else kept)
    assert bool(answered.problems) == (not isinstance(content, str | list | None))


async def test_the_parts_of_a_content_list_are_told_apart(reply) -> None:
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]},
        {"type": "text", "text": "Well."},
        {"type": "refusal", "refusal": "I must not."},
    ]
    answered = await reply(body({"role": "assistant", "content": parts}))
    assert (answered.text, answered.reasoning, answered.refusal) == ("Well.", "Hm.", "I must not.")


@pytest.mark.parametrize(
    "message", [{"content": None, "refusal": "No."}, {"content": [{"type": "refusal", "refusal": "No."}]}]
)
async def test_L27_a_run_whose_last_reply_refuses_ends_so(message: dict[str, Any], run) -> None:
    result = await run(body(message))
    assert (result.stop_reason, result.turns[0].reply.refusal) == ("refusal", "No.")


# Its calls


@pytest.mark.parametrize("finish_reason", ["stop", "", None, "length", "content_filter", "eos", 5])
async def test_F15_calls_are_run_whatever_the_finish_reason_says(finish_reason: Any, run) -> None:
    result = await run(body(called(call()), finish_reason))
    assert [one.content for one in result.results] == ["5"]


async def test_F15_a_finish_reason_of_calls_without_any_is_an_answer(run) -> None:
    result = await run(body({"role": "assistant", "content": "5", "tool_calls": []}, "tool_calls"))
    assert (result.stop_reason, result.final_text) == ("finished", "5")


async def test_F16_F17_ids_missing_empty_odd_and_repeated_are_new_on_both_sides_of_the_history(run) -> None:
    without = {key: value for key, value in call().items() if key != "id"}
    odd = (without, call(call_id=""), call(call_id=None), call(call_id=7), call(), call())
    result = await run(body(called(*odd)), body(called(call())))
    asked = [one["id"] for message in result.messages for one in message.get("tool_calls", ())]
    answered = [message["tool_call_id"] for message in result.messages if message["role"] == "tool"]
    assert asked == answered == [one.id for one in result.calls]
    assert len(set(asked)) == len(asked) == 7
    assert [one.sent_id for one in result.calls] == [None, None, None, None, None, "c1", "c1"]


async def test_F18_two_equal_calls_both_run(run) -> None:
    assert [one.content for one in (await run(body(called(call(), call(call_id="c2"))))).results] == ["5", "5"]


@pytest.mark.parametrize(
    ("arguments", "parsed"),
    [
        ({"a": 2, "b": 3}, {"a": 2, "b": 3}),
        (json.dumps(json.dumps({"a": 2, "b": 3})), {"a": 2, "b": 3}),
        (None, {}),
        ("", {}),
        ("null", {}),
        ([2, 3], [2, 3]),
        ('{"a": 2', None),
    ],
)
async def test_L4_arguments_of_every_form_are_read(arguments: Any, parsed: Any, reply) -> None:
    (one,) = (await reply(body(called(call(arguments))))).calls
    assert one.parsed == parsed
    assert (one.problem is None) == (parsed is not None)


async def test_L4_absent_arguments_are_none(reply) -> None:
    (one,) = (await reply(body(called({"id": "c1", "function": {"name": "add"}})))).calls
    assert (one.arguments, one.parsed) == ("{}", {})


@pytest.mark.parametrize("name", ["", None, 5, ["add"]])
async def test_L7_a_name_that_never_arrives_is_an_unknown_tool_that_the_model_is_told_of(name: Any, connect) -> None:
    async with connect([Scripted(body=json.dumps(body(called(call(name=name)))).encode()), "5"]) as (scripted, server):
        result = await HermesAgentLoop(server, [add]).run("2 + 3?")

    assert (result.stop_reason, result.tool_errors[0].kind, result.tool_errors[0].tool_name) == (
        "finished", "unknown_tool", "",
    )  # fmt: skip
    assert scripted.requests[1]["messages"][1]["tool_calls"][0]["function"]["name"] == "unnamed_tool"


async def test_a_legacy_function_call_is_run(run) -> None:
    legacy = {"role": "assistant", "content": None, "function_call": {"name": "add", "arguments": '{"a": 2, "b": 3}'}}
    result = await run(body(legacy, "function_call"))
    assert [one.content for one in result.results] == ["5"]
    assert "function_call" not in result.messages[1]


async def test_one_call_in_place_of_a_list_is_run(run) -> None:
    result = await run(body({"role": "assistant", "content": None, "tool_calls": call()}))
    assert [one.content for one in result.results] == ["5"]


async def test_L7_a_custom_tool_call_is_a_call_with_its_input(reply) -> None:
    custom = {"id": "c1", "type": "custom", "custom": {"name": "grep", "input": "x+"}}
    answered = await reply(body(called(custom)))
    assert (answered.calls[0].name, answered.calls[0].parsed) == ("grep", {"input": "x+"})
    assert answered.message["tool_calls"][0]["type"] == "function"


@pytest.mark.parametrize("calls", [None, [], {}, "add", 5, [None]])
async def test_what_is_no_list_of_calls_is_no_calls(calls: Any, reply) -> None:
    answered = await reply(body({"role": "assistant", "content": "5", "tool_calls": calls}))
    assert (answered.calls, answered.text, "tool_calls" in answered.message) == ((), "5", False)


# What it thought


@pytest.mark.parametrize(
    ("text", "reasoning", "rest"),
    [
        ("<think>Add.</think>\n\n5", "Add.", "5"),
        ("\n<think>\nAdd.\n</think>5", "Add.", "5"),
        ("<think>Add.", "Add.", ""),
        ("<think></think>5", None, "5"),
        ("Add.\n</think>\n5", "Add.", "5"),
        ("The tag <think> opens, </think> closes.", None, "The tag <think> opens, </think> closes."),
        ("5", None, "5"),
        ([{"type": "text", "text": "<think>Add.</think>5"}], "Add.", "5"),
    ],
)
async def test_L31_thoughts_in_the_text_are_split_off_on_request(
    text: Any, reasoning: str | None, rest: str, reply
) -> None:
    answered = await reply(body({"role": "assistant", "content": text}), split_think=True)
    whole = text if isinstance(text, str) else text[0]["text"]
    assert (answered.text, answered.reasoning) == (rest, reasoning)
    assert answered.source_text == (None if rest == whole else whole)
    assert answered.message["content"] == answered.raw["choices"][0]["message"]["content"] == text


async def test_L31_thoughts_in_the_text_stay_there_without_a_request(reply) -> None:
    answered = await reply(body({"content": "<think>Add.</think>5"}))
    assert (answered.text, answered.reasoning, answered.source_text) == ("<think>Add.</think>5", None, None)


async def test_thoughts_in_a_field_and_in_the_text_are_both_told(reply) -> None:
    answered = await reply(body({"reasoning": "Hm.", "content": "<think>Add.</think>5"}), split_think=True)
    assert answered.reasoning == "Hm.\n\nAdd."


async def test_the_answer_of_a_run_is_the_text_without_the_thoughts(connect) -> None:
    async with connect(["<think>Add.</think>5"], split_think=True) as (_, server):
        result = await HermesAgentLoop(server).run("2 + 3?")

    assert (result.final_text, result.reasoning_per_turn) == ("5", ["Add."])
    assert result.messages[-1]["content"] == "<think>Add.</think>5"


async def test_a_run_that_ends_in_the_middle_of_a_thought_is_empty(connect) -> None:
    async with connect(["<think>Add, and"], split_think=True) as (_, server):
        result = await HermesAgentLoop(server).run("2 + 3?")

    assert (result.stop_reason, result.final_text) == ("empty", "")


# What it cost


@pytest.mark.parametrize(
    ("usage", "counts"),
    [
        (None, {}),
        ([], {}),
        ({"prompt_tokens": "7", "completion_tokens": True}, {}),
        ({"prompt_tokens": 7, "completion_tokens": 0}, {"prompt": 7, "completion": 0}),
        ({"cached_tokens": 3}, {"cached": 3}),
        ({"prompt_cache_hit_tokens": 3}, {"cached": 3}),
        ({"prompt_tokens_details": {"cached_tokens": 0}, "cached_tokens": 3}, {"cached": 0}),
        ({"completion_tokens_details": {"reasoning_tokens": 5}}, {"reasoning": 5}),
        ({"cost": 0.001}, {"cost": 0.001}),
        ({"cost": 0}, {"cost": 0}),
        ({"cost": {"total_cost": 0.006}}, {"cost": 0.006}),
        ({"cost_in_usd_ticks": 1_176_500}, {"cost": 0.00011765}),
    ],
)  # fmt: skip
async def test_F19_usage_is_what_the_server_counted_and_unknown_where_it_did_not(
    usage: Any, counts: dict[str, Any], reply
) -> None:
    found = (await reply(body({"content": "5"}, usage=usage))).usage
    names = ("prompt", "completion", "total", "reasoning", "cached", "cost")
    assert {name: getattr(found, name) for name in names if getattr(found, name) is not None} == counts
    assert not found.partial


async def test_F19_a_run_sums_its_turns_and_says_where_one_was_silent(run) -> None:
    counted = {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9, "cost": 0.5}
    whole = await run(body(called(call()), usage=counted), body({"content": "5"}, usage=counted))
    assert (whole.usage.prompt, whole.usage.total, whole.usage.cost, whole.usage.partial) == (14, 18, 1.0, False)
    assert whole.usage.cached is None
    torn = await run(body(called(call()), usage=counted), body({"content": "5"}))
    assert (torn.usage.prompt, torn.usage.cost, torn.usage.partial) == (7, 0.5, True)
