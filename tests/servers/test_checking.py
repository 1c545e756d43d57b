"""`server.check()`: what is behind an address, asked over a real socket."""

from __future__ import annotations

import dataclasses
import json
import socket
from collections.abc import Callable
from typing import Any

import openai
import pytest

from hermes_nb.servers import OpenAIServer, Scripted, ScriptedServer, call
from hermes_nb.servers.openai import checking
from hermes_nb.servers.scripted.listener import Received, listen
from hermes_nb.servers.scripted.wire import Answer

BOTH = [call("look", box="A"), call("look", box="B")]
UNKNOWN = Scripted(status=400, text="Unrecognized request argument: return_token_ids", code="unknown_parameter")


def model(
    called: Any = BOTH, *, said: Any = "OK", streamed: Any = "OK", counted: Any = UNKNOWN
) -> Callable[[dict[str, Any]], Any]:
    """A model that answers each of the questions in its own way."""

    def answer(request: dict[str, Any]) -> Any:
        if request.get("tools"):
            return called
        if request.get("stream"):
            return streamed
        return counted if "return_token_ids" in request else said

    return answer


WITH_IDS = {
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "OK"}, "token_ids": [151, 7]}],
    "prompt_token_ids": [9, 10],
}


async def test_what_is_there_is_told_in_a_small_table(connect) -> None:
    thinks = Scripted(calls=BOTH, reasoning="two boxes")
    async with connect(model(thinks, counted=WITH_IDS)) as (scripted, server):
        scripted.about = {"max_model_len": 32768}
        found = await server.check()

    assert str(found).splitlines() == [
        "m, asked 4 times",
        "models            1, m listed",
        "context window    32,768 tokens",
        "tools             as calls",
        "parallel calls    yes",
        "streaming         yes",
        "usage in streams  yes",
        "reasoning         in reasoning_content",
        "token ids         yes",
    ]
    assert found._repr_mimebundle_() == {"text/plain": str(found)}
    assert repr(found) == "ServerCheck(m · 8 of 8 known)"


async def test_it_is_a_record_that_does_not_change(connect) -> None:
    async with connect(model(counted=WITH_IDS)) as (_, server):
        found = await server.check()

    assert (found.models, found.context_window, found.tools, found.tool_format) == (("m",), None, "calls", None)
    assert (found.parallel_calls, found.streaming, found.usage_in_streams, found.token_ids) == (True, True, True, True)
    assert (found.reasoning, found.requests, found.base_url) == (None, 4, server.base_url)
    assert found.why == {"context_window": "the server does not tell", "reasoning": "none came"}
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.tools = "none"


async def test_few_requests_are_made_and_they_are_small(connect) -> None:
    async with connect(model()) as (scripted, server):
        await server.check()

    sizes = [request["max_tokens"] for request in scripted.requests]
    assert (len(sizes), max(sizes)) == (3, 512)
    assert max(len(json.dumps(request)) for request in scripted.requests) < 1000


@pytest.mark.parametrize(
    ("about", "window"),
    [
        ({"max_model_len": 32768}, 32768),
        ({"context_length": 200000, "top_provider": {"context_length": 131072}}, 200000),
        ({"context_window": 131072}, 131072),
        ({"max_context_length": 131072, "loaded_context_length": 4096}, 4096),
        ({"meta": {"n_ctx": 8192, "n_ctx_train": 131072}}, 8192),
        ({"providers": [{"provider": "x"}, {"provider": "y", "context_length": 65536}]}, 65536),
        ({"max_model_len": None, "context_length": "many", "meta": []}, None),
        ({"context_window": True}, None),
        ({}, None),
    ],
)
async def test_the_context_window_is_found_under_any_servers_name_and_remembered(
    about: dict[str, Any], window: int | None, connect
) -> None:
    async with connect(model()) as (scripted, server):
        scripted.about = about
        before = server.context_window
        found = await server.check()

    assert (before, found.context_window, server.context_window) == (None, window, window)


async def test_a_window_that_was_known_is_not_forgotten_when_it_is_not_told(connect) -> None:
    async with connect(model()) as (_, server):
        server.context_window = 4096
        await server.check()

    assert server.context_window == 4096


async def test_a_model_that_is_not_in_the_list_has_no_window(connect) -> None:
    async with connect(model()) as (scripted, server):
        scripted.about = {"id": "another", "max_model_len": 5}
        found = await server.check()

    assert (found.models, found.context_window) == (("another",), None)
    assert "models            1, m not listed\ncontext window    unknown: the model is not in the server's list" in str(
        found
    )


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ('<tool_call>\n{"name": "look", "arguments": {"box": "A"}}\n</tool_call>', "hermes"),
        ("<tool_call>\n<function=look>\n<parameter=box>\nA\n</parameter>\n</function>\n</tool_call>", "qwen3_coder"),
        ("<tool_call>look\n<arg_key>box</arg_key>\n<arg_value>A</arg_value>\n</tool_call>", "glm45"),
        ('<longcat_tool_call>{"name": "look"}</longcat_tool_call>', "longcat"),
        ('[TOOL_CALLS] [{"name": "look", "arguments": {"box": "A"}}]', "mistral"),
        ('<|python_tag|>{"name": "look", "parameters": {"box": "A"}}', "llama3_json"),
        ("<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>look<｜tool▁sep｜>{}", "deepseek_v3_1"),
        ("<|tool_calls_section_begin|><|tool_call_begin|>functions.look:0", "kimi_k2"),
        ("<|channel|>commentary to=functions.look<|message|>{}", "gpt_oss"),
        ("<start_function_call>call:look{box:<escape>A<escape>}<end_function_call>", "functiongemma"),
        ("[look(box='A'), look(box='B')]", "pythonic"),
        ("```tool_code\nlook(box='A')\n```", "python"),
        ('Of course: {"name": "look", "parameters": {"box": "A"}}', "json"),
    ],
)
async def test_calls_that_come_as_text_are_told_with_their_format(written: str, name: str, connect) -> None:
    async with connect(model(written)) as (_, server):
        found = await server.check()

    assert (found.tools, found.tool_format, found.parallel_calls) == ("text", name, None)
    assert f"tools             as text, in the format {name}: " in str(found)


async def test_why_calls_as_text_are_in_a_format_is_told(connect) -> None:
    written = '<tool_call>{"name": "look", "arguments": {"box": "A"}}</tool_call>'
    async with connect(model(2 * written)) as (_, server):
        found = await server.check()
    async with connect(model('Sure: {"name": "look"}')) as (_, server):
        loose = await server.check()

    assert found.why["tools"] == "'<tool_call>{' at character 0 is hermes's; 2 calls, 0 problems"
    assert loose.why["tools"] == "no parser reads it, but '{\"name\":' at character 6 begins a call"
    assert found.why["parallel_calls"] == "the calls come as text"
    assert found.why["tools"] in str(found)


async def test_an_answer_that_only_speaks_of_calls_is_none(connect) -> None:
    async with connect(model("I would write <tool_call> or [look], and then {box}.")) as (_, server):
        assert (await server.check()).tools == "none"


async def test_calls_that_a_reasoning_parser_swallowed_are_seen(connect) -> None:
    async with connect(model(Scripted(text="", reasoning="hm <tool_call>{}"))) as (_, server):
        assert (await server.check()).tool_format == "hermes"


@pytest.mark.parametrize(
    ("called", "tools", "parallel", "why"),
    [
        ([call("look", box="A")], "calls", False, None),
        ("I cannot look into boxes.", "none", None, "the model wrote 'I cannot look into boxes.'"),
        (Scripted(text="Hm, well", finish_reason="length"), None, None, "512 tokens were not enough for the model"),
        (
            Scripted(status=400, text="m does not support tools"),
            None,
            None,
            "400 Bad Request: m does not support tools",
        ),
        (Scripted(body="<html>"), None, None, "not a JSON object"),
        (Scripted(body={"choices": []}), None, None, "no choices"),
    ],
)
async def test_what_became_of_the_tools_is_told(
    called: Any, tools: str | None, parallel: bool | None, why: str | None, connect
) -> None:
    async with connect(model(called)) as (_, server):
        found = await server.check()

    assert (found.tools, found.parallel_calls) == (tools, parallel)
    assert (why is None) or why in found.why["tools"]
    assert found.streaming is True


async def test_a_server_that_ignores_stream_is_told(connect) -> None:
    whole = b'{"choices": [{"index": 0, "message": {"role": "assistant", "content": "OK"}, "finish_reason": "stop"}]}'
    async with connect(model(streamed=whole)) as (_, server):
        found = await server.check()

    assert (found.streaming, found.usage_in_streams) == (False, None)
    assert "streaming         no: the answer came in one piece" in str(found)


async def test_a_stream_without_usage_is_told(connect) -> None:
    async with connect(model(streamed=Scripted(text="OK", usage=None))) as (_, server):
        found = await server.check()

    assert (found.streaming, found.usage_in_streams) == (True, False)


async def test_a_server_that_refuses_to_count_in_streams_is_asked_once_more_and_that_is_remembered(connect) -> None:
    def answer(request: dict[str, Any]) -> Any:
        return Scripted(status=400, text="stream_options: no such field") if "stream_options" in request else "OK"

    async with connect(answer) as (scripted, server):
        found = await server.check()
        again = await server.check()

    assert (found.streaming, found.requests, again.requests) == (True, 5, 4)
    assert len(scripted.requests) == 7


@pytest.mark.parametrize(
    ("message", "name"),
    [
        ({"content": "", "reasoning": "hm"}, "reasoning"),
        ({"content": "", "reasoning_content": "hm"}, "reasoning_content"),
        ({"content": "", "reasoning_details": [{"type": "reasoning.text", "text": "hm"}]}, "reasoning_details"),
        ({"content": "<think>hm</think>OK"}, "<think>"),
        ({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]}, "content"),
        ({"content": "OK", "reasoning": ""}, None),
    ],
)
async def test_the_field_of_the_reasoning_is_told(message: dict[str, Any], name: str | None, connect) -> None:
    async with connect(model({"role": "assistant", **message})) as (_, server):
        assert (await server.check()).reasoning == name


async def test_reasoning_that_only_a_stream_has_is_seen(connect) -> None:
    async with connect(model(streamed=Scripted(text="OK", reasoning="hm"))) as (_, server):
        assert (await server.check()).reasoning == "reasoning_content"


@pytest.mark.parametrize(("counted", "ids"), [(WITH_IDS, True), ("OK", False), (UNKNOWN, None)])
async def test_token_ids_are_there_only_where_they_came(counted: Any, ids: bool | None, connect) -> None:
    async with connect(model(counted=counted)) as (_, server):
        found = await server.check()

    assert found.token_ids is ids
    assert ("token_ids" in found.why) is (ids is None)


async def test_nothing_is_retried(connect) -> None:
    busy = Scripted(status=500, text="no", headers={"retry-after-ms": "1"})
    async with connect(lambda messages: busy, max_retries=5) as (scripted, server):
        found = await server.check()

    assert (len(scripted.requests), found.requests) == (3, 4)
    assert found.reasoning is None
    assert found.why["reasoning"] == found.why["tools"] == "the server answered 500 Internal Server Error: no"
    assert server.max_retries == 5


async def test_nobody_answers_and_every_row_says_so_once() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        server = OpenAIServer("m", base_url=f"http://me:Hunter2hunter2@127.0.0.1:{taken.getsockname()[1]}/v1")
        found = await server.check()
        await server.close()

    assert str(found).count("no connection to http://127.0.0.1:") == 1
    assert str(found).count("unknown: as above") == 7
    assert "Hunter2" not in repr((found, found.why))


async def test_a_server_that_is_silent_is_given_up(connect) -> None:
    async with connect(lambda messages: Scripted(text="OK", delay=3600), timeout=0.2) as (scripted, server):
        found = await server.check()

    assert len(scripted.requests) == 3
    assert "in time" in found.why["tools"]


async def test_a_missing_key_is_a_reason_and_no_exception(without_a_key: None) -> None:
    found = await OpenAIServer("m", base_url="https://api.example.org/v1").check()

    assert (found.requests, set(found.why)) == (0, set(checking.ROWS))
    assert "needs a key" in found.why["tools"]


@pytest.fixture
def without_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


@pytest.mark.parametrize(
    ("status", "body", "models", "why"),
    [
        (200, b'[{"id": "m", "context_length": 9}, {"id": "n"}, "o"]', ("m", "n"), None),
        (200, b'{"models": [{"id": "m", "context_length": 9}]}', ("m",), None),
        (200, b'{"object": "list"}', None, "200 with an error"),
        (200, b"<html>", None, "not a JSON object"),
        (200, b"", None, "empty"),
        (404, b'{"error": {"message": "no such place"}}', None, "404 Not Found: no such place"),
    ],
)
async def test_any_list_of_models_is_read_and_what_is_none_is_a_reason(
    status: int, body: bytes, models: tuple[str, ...] | None, why: str | None
) -> None:
    async def respond(received: Received) -> Answer:
        asked = body if received.path == "/models" else b"{}"
        return Answer(status=status, pieces=[asked], length=len(asked))

    async with listen(respond) as address:
        server = OpenAIServer("m", base_url=address)
        found = await server.check()
        await server.close()

    assert (found.models, found.context_window) == (models, 9 if models else None)
    assert (why is None) or why in found.why["models"]


def test_a_long_reason_is_whole_in_the_record_and_one_line_in_the_table() -> None:
    why = "it failed, " * 50 + "\nat last"
    found = checking.ServerCheck(model="m", base_url="x", why={"models": why})

    assert max(map(len, str(found).splitlines())) < 140
    assert (len(str(found).splitlines()), found.why["models"]) == (9, why)


async def test_a_client_that_was_passed_in_is_asked(connect) -> None:
    async with (
        ScriptedServer(model(), model="m").serve() as base_url,
        openai.AsyncOpenAI(base_url=base_url, api_key="none") as client,
    ):
        found = await OpenAIServer("m", client=client).check()

    assert (found.tools, found.streaming) == ("calls", True)


async def test_a_renamed_max_tokens_is_learned_for_the_server_too(connect) -> None:
    told = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."

    def answer(request: dict[str, Any]) -> Any:
        return Scripted(status=400, text=told) if "max_tokens" in request else model()(request)

    async with connect(answer) as (scripted, server):
        found = await server.check()
        before = len(scripted.requests)
        await server.ask("Hi", max_tokens=3)

    assert (found.tools, found.requests, before, len(scripted.requests)) == ("calls", 5, 4, 5)
