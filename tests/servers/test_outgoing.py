"""What of a history is sent: reasoning by the server's policy, and calls that every server can read."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes_nb import HermesAgentLoop, codec, curl, outgoing
from hermes_nb.exceptions import ConfigurationError
from hermes_nb.servers import OpenAIServer, Scripted

HOME, OPENAI, GROQ = "http://localhost:8000/v1", "https://api.openai.com/v1", "https://api.groq.com/openai/v1"
SIGNED = [
    {"type": "reasoning.text", "text": "Hm.", "signature": "c2ln", "index": 0},
    {"type": "reasoning.encrypted", "data": "gAAA", "id": "rs_1", "format": "openai-responses-v1", "index": 1},
]
THOUGHTS = [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}, {"type": "text", "text": "5"}]


def said(**fields: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": "5", **fields}


def sent(message: dict[str, Any], policy: Any = "auto", base_url: str = HOME, model: str = "hermes-4") -> Any:
    """The message as it is sent; that ours is left as it was is checked on the way."""
    before = copy.deepcopy(message)
    (out,) = outgoing.to_send([message], outgoing.echo_for(policy, base_url, model))
    assert message == before
    return out


def called(arguments: Any, name: Any = "add", **extra: Any) -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    return said(tool_calls=[{"id": "c1", "type": "function", "function": function, **extra}])


def arguments_sent(arguments: Any) -> str:
    return str(sent(called(arguments))["tool_calls"][0]["function"]["arguments"])


@pytest.mark.parametrize(
    ("came", "base_url", "model", "goes_back"),
    [
        pytest.param({"reasoning": "Hm."}, OPENAI, "gpt-5", {}, id="openai takes none"),
        pytest.param({"reasoning_details": SIGNED}, OPENAI, "gpt-5", {}, id="openai takes no details"),
        pytest.param({"content": THOUGHTS}, "https://me.openai.azure.com/openai/v1", "o4",
                     {"content": [{"type": "text", "text": "5"}]}, id="azure takes no thinking parts"),
        pytest.param({"reasoning": "Hm.", "reasoning_details": SIGNED}, "https://openrouter.ai/api/v1", "x",
                     {"reasoning_details": SIGNED}, id="details go back alone"),
        pytest.param({"reasoning_content": "Hm.", "reasoning_details": SIGNED}, HOME, "x",
                     {"reasoning_details": SIGNED}, id="details go back alone at home too"),
        pytest.param({"thinking": "Hm.", "thinking_signature": "c2ln"}, HOME, "x",
                     {"thinking": "Hm.", "thinking_signature": "c2ln"}, id="a signature goes with its text"),
        pytest.param({"reasoning_content": "Hm.", "thinking_blocks": [{"thinking": "Hm.", "signature": "c2ln"}]}, HOME,
                     "x", {"reasoning_content": "Hm.", "thinking_blocks": [{"thinking": "Hm.", "signature": "c2ln"}]},
                     id="signed blocks go with their text"),
        pytest.param({"content": THOUGHTS}, "https://api.mistral.ai/v1", "x", {"content": THOUGHTS}, id="mistral"),
        pytest.param({"content": THOUGHTS}, HOME, "x", {"content": THOUGHTS}, id="thinking parts at home"),
        pytest.param({"reasoning_content": "Hm."}, HOME, "deepseek-v4", {"reasoning_content": "Hm."}, id="deepseek"),
        pytest.param({"reasoning_content": ""}, "https://api.deepseek.com", "deepseek-v4", {"reasoning_content": ""},
                     id="deepseek's empty text"),
        pytest.param({"reasoning_content": "Hm."}, "https://api.moonshot.ai/v1", "kimi-k2.5",
                     {"reasoning_content": "Hm."}, id="kimi"),
        pytest.param({"reasoning": "Hm."}, HOME, "x", {"reasoning": "Hm.", "reasoning_content": "Hm."}, id="new vllm"),
        pytest.param({"reasoning_content": "Hm."}, "http://10.1.2.3:8000/v1", "x",
                     {"reasoning": "Hm.", "reasoning_content": "Hm."}, id="old vllm"),
        pytest.param({"reasoning": "Hm.", "reasoning_content": "Hm!"}, HOME, "x",
                     {"reasoning": "Hm.", "reasoning_content": "Hm!"}, id="both came"),
        pytest.param({"reasoning": ""}, HOME, "x", {"reasoning": ""}, id="empty text gets no second name"),
        pytest.param({"reasoning": "Hm."}, GROQ, "openai/gpt-oss-120b", {"reasoning": "Hm."}, id="groq"),
        pytest.param({"reasoning_content": "Hm."}, "https://api.x.ai/v1", "grok", {"reasoning_content": "Hm."},
                     id="xai"),
    ],
)  # fmt: skip
def test_L29_auto_sends_reasoning_back_as_its_table_says(
    came: dict[str, Any], base_url: str, model: str, goes_back: dict[str, Any]
) -> None:
    assert sent(said(**came), "auto", base_url, model) == said(**goes_back)


EVERYTHING = said(reasoning="Hm.", reasoning_details=SIGNED, thinking_signature="c2ln")


@pytest.mark.parametrize(
    ("policy", "goes_back"),
    [
        ("none", {}),
        ("reasoning", {"reasoning": "Hm."}),
        ("reasoning_content", {"reasoning_content": "Hm."}),
        ("both", {"reasoning": "Hm.", "reasoning_content": "Hm."}),
        ("details", {"reasoning_details": SIGNED}),
        ("verbatim", {"reasoning": "Hm.", "reasoning_details": SIGNED, "thinking_signature": "c2ln"}),
    ],
)
def test_a_named_policy_holds_at_every_server(policy: str, goes_back: dict[str, Any]) -> None:
    for base_url in (HOME, OPENAI, GROQ):
        assert sent(EVERYTHING, policy, base_url) == said(**goes_back)


@pytest.mark.parametrize(
    ("came", "goes_back"),
    [
        ({"content": THOUGHTS}, {"content": [{"type": "text", "text": "5"}], "reasoning_content": "Hm."}),
        ({"content": THOUGHTS[:1]}, {"content": "", "reasoning_content": "Hm."}),
        ({"reasoning_content": ""}, {"reasoning_content": ""}),
        ({"reasoning": ""}, {"reasoning_content": ""}),
        ({"reasoning_details": [{"type": "reasoning.encrypted", "data": "gAAA"}]}, {}),
        ({"reasoning_details": [{"type": "reasoning.summary", "summary": "Hm."}]}, {"reasoning_content": "Hm."}),
    ],
)
def test_the_text_is_sent_under_the_name_that_was_asked_for(came: dict[str, Any], goes_back: dict[str, Any]) -> None:
    assert sent(said(**came), "reasoning_content") == said(**goes_back)


def test_details_are_the_very_same_object() -> None:
    assert sent(EVERYTHING)["reasoning_details"] is SIGNED


def test_a_history_that_needs_no_change_is_the_very_same_list() -> None:
    history = [
        {"role": "user", "content": "2 + 3?"},
        called('{"a": 2}', extra_content={"google": {"thought_signature": "c2ln"}}),
        {"role": "tool", "tool_call_id": "c1", "content": "5", "reasoning": "a tool's own"},
        said(reasoning="Hm.", reasoning_content="Hm."),
    ]
    assert outgoing.to_send(history, outgoing.echo_for("auto", HOME, "m")) is history
    assert outgoing.to_send(history[:3], outgoing.echo_for("none", HOME, "m"))[2] is history[2]


def test_only_the_message_that_changes_is_copied() -> None:
    history = [said(), said(reasoning="Hm."), called('{"a": 2}')]
    out = outgoing.to_send(history, outgoing.echo_for("none", HOME, "m"))
    assert [one is other for one, other in zip(out, history, strict=True)] == [True, False, True]


def test_what_is_no_message_goes_on_to_be_refused_where_it_is_written() -> None:
    history: list[Any] = [object(), {}, {"role": "assistant", "tool_calls": "none"}, said(tool_calls=[None, {}, "x"])]
    assert list(outgoing.to_send(history, outgoing.echo_for("auto", HOME, "m"))) == history


def test_an_unknown_policy_is_our_own_mistake() -> None:
    with pytest.raises(ConfigurationError, match="'verbatim'"):
        OpenAIServer("m", echo_reasoning="all")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("host", "own"),
    [
        ("localhost", True), ("vllm", True), ("127.0.0.1", True), ("192.168.1.7", True), ("::1", True),
        ("gpu.internal", True), ("8.8.8.8", False), ("api.groq.com", False), ("notlocal", True), ("a.locale", False),
    ],
)  # fmt: skip
def test_an_address_of_ones_own_is_told_by_its_name(host: str, own: bool) -> None:
    assert outgoing.is_own(host) is own


@pytest.mark.parametrize(
    ("wrote", "goes_out"),
    [
        ('{"a": 2', {"_malformed": '{"a": 2'}),
        ("a=2", {"_malformed": "a=2"}),
        ("[1, 2]", {"_malformed": "[1, 2]"}),
        ('"a"', {"_malformed": '"a"'}),
        ('{"a": NaN}', {"_malformed": '{"a": NaN}'}),
        ('{"a": 1} {"a": 2}', {"_malformed": '{"a": 1} {"a": 2}'}),
        ([1], {"_malformed": "[1]"}),
        ('"{\\"a\\": 2}"', {"a": 2}),
        ({"a": 2}, {"a": 2}),
        (None, {}),
        ("", {}),
        (" \n", {}),
        ("null", {}),
    ],
)
def test_arguments_that_are_no_object_are_sent_as_one_that_tells_what_was_written(wrote: Any, goes_out: Any) -> None:
    assert json.loads(arguments_sent(wrote)) == goes_out


@pytest.mark.parametrize("wrote", ['{"a": 2}', ' {"a" :2}\n', "{}", '{"a": 12345678901234567890123}'])
def test_arguments_that_are_an_object_go_out_letter_by_letter(wrote: str) -> None:
    assert arguments_sent(wrote) is wrote


def test_absent_arguments_and_an_empty_name_are_made_up_for() -> None:
    message = said(tool_calls=[{"id": "c1", "type": "function", "function": {"name": ""}}])
    assert sent(message)["tool_calls"][0]["function"] == {"name": "unnamed_tool", "arguments": "{}"}


def test_what_a_server_put_on_a_call_stays_when_its_arguments_are_mended() -> None:
    signed = {"google": {"thought_signature": "c2ln"}}
    (call,) = sent(called("a=2", extra_content=signed))["tool_calls"]
    assert (call["id"], call["type"], call["extra_content"]) == ("c1", "function", signed)


@given(st.text() | st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.lists(inner)).map(json.dumps))
def test_whatever_a_model_writes_is_sent_as_the_text_of_an_object(wrote: str) -> None:
    value, problem = codec.parse_arguments(wrote)
    out = codec.loads(arguments_sent(wrote))
    assert out == (value if isinstance(value, dict) and problem is None else {"_malformed": wrote})


async def test_a_loop_sends_a_malformed_call_as_an_object_and_keeps_it_as_it_came(connect) -> None:
    script = [Scripted(body=broken_call()), "I see."]
    async with connect(script) as (scripted, server):
        result = await HermesAgentLoop(server, [add]).run("2 + 3?")

    out = scripted.requests[1]["messages"][1]["tool_calls"][0]["function"]["arguments"]
    assert json.loads(out) == {"_malformed": '{"a": 2, "b":'}
    assert result.messages[1]["tool_calls"][0]["function"]["arguments"] == '{"a": 2, "b":'
    assert result.calls[0].arguments == '{"a": 2, "b":'
    assert [error.kind for error in result.tool_errors] == ["bad_json"]


async def test_a_loop_applies_the_policy_to_what_it_sends_and_not_to_its_history(connect) -> None:
    thoughtful = {"reasoning": "Add.", "reasoning_details": SIGNED}
    script = [Scripted(body=broken_call('{"a": 2, "b": 3}', **thoughtful)), "5"]
    async with connect(script) as (scripted, server):
        result = await HermesAgentLoop(server, [add]).run("2 + 3?")

    out = scripted.requests[1]["messages"][1]
    assert (out["reasoning_details"], "reasoning" in out) == (SIGNED, False)
    assert result.messages[1].items() >= thoughtful.items()


async def test_a_curl_command_sends_what_was_sent_and_not_what_the_history_holds(connect) -> None:
    script = [Scripted(body=broken_call(reasoning="Add.")), "I see."]
    async with connect(script, echo_reasoning="reasoning_content") as (scripted, server):
        result = await HermesAgentLoop(server, [add]).run("2 + 3?")

    assert curl.body(result, 2) == scripted.requests[1]


def broken_call(arguments: str = '{"a": 2, "b":', **fields: Any) -> bytes:
    call = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": arguments}}
    message = {"role": "assistant", "content": None, "tool_calls": [call], **fields}
    return json.dumps({"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}).encode()


def add(a: int, b: int) -> int:
    """Add two whole numbers."""
    return a + b


def test_an_assistant_message_that_says_nothing_is_not_sent() -> None:
    asked: dict[str, Any] = {"role": "user", "content": "?"}
    silent: list[dict[str, Any]] = [
        {"role": "assistant", "content": ""},
        {"role": "assistant", "content": None, "reasoning_content": "Hm."},
        {"role": "assistant", "content": [], "tool_calls": []},
        {"role": "assistant", "content": "", "tool_calls": []},
    ]
    for message in silent:
        assert list(outgoing.to_send([asked, message, asked], None)) == [asked, asked]
        assert outgoing.as_recorded({}, [asked, message, asked]) == [asked, asked]
    refused = {"role": "assistant", "content": None, "refusal": "No."}
    assert list(outgoing.to_send([asked, refused], None)) == [asked, refused]
