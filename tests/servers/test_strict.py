"""A strict ScriptedServer refuses every history that a strict server would, in OpenAI's words, and takes all others."""

from __future__ import annotations

from typing import Any

import openai
import pytest

from hermes_nb import HermesAgentLoop
from hermes_nb.exceptions import ServerError
from hermes_nb.servers import OpenAIServer, Scripted, ScriptedServer, call
from hermes_nb.servers.scripted.strict import complaint, fault

USER = {"role": "user", "content": "What is 2 + 3?"}
UNANSWERED = (
    "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. "
    "The following tool_call_ids did not have response messages: "
)
ORPHANED = "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'."
NULL = "Invalid value for 'content': expected a string, got null."
NOTHING_SAID = "Assistant message must have either content or tool_calls, but not none."


def entry(call_id: Any = "call_1", name: Any = "add", arguments: Any = '{"a":2}', **more: Any) -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}, **more}


def calls(*entries: Any, **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": None, "tool_calls": list(entries), **more}


def answer(call_id: Any = "call_1", content: Any = "5") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def empty(place: str) -> str:
    return f"Invalid '{place}': empty array. Expected an array with minimum length 1, but got an empty array instead."


def no_text(place: str) -> str:
    told = "empty string. Expected a string with minimum length 1, but got an empty string instead."
    return f"Invalid '{place}': {told}"


def wrong_type(place: str, expected: str, got: str) -> str:
    return f"Invalid type for '{place}': expected {expected}, but got {got} instead."


CALL = "messages[1].tool_calls[0]"
ROLES = "'system', 'assistant', 'user', 'function', 'tool', and 'developer'"


def no_object(got: str) -> str:
    return f"Invalid value for '{CALL}.function.arguments': expected the text of a JSON object, got {got}."


REFUSED: list[tuple[list[Any], str, str, str | None]] = [
    # unanswered calls
    ([USER, calls(entry())], UNANSWERED + "call_1", "messages.[2].role", None),
    ([USER, calls(entry()), USER], UNANSWERED + "call_1", "messages.[2].role", None),
    ([USER, calls(entry()), USER, answer()], UNANSWERED + "call_1", "messages.[2].role", None),
    ([USER, calls(entry("a"), entry("b"), entry("c")), answer("b")], UNANSWERED + "a, c", "messages.[3].role", None),
    ([USER, calls(entry()), calls(entry("b")), answer("b")], UNANSWERED + "call_1", "messages.[2].role", None),
    # answers to no call
    ([USER, answer()], ORPHANED, "messages.[1].role", None),
    ([answer(), calls(entry()), answer()], ORPHANED, "messages.[0].role", None),
    ([USER, calls(entry()), answer(), answer("other")], ORPHANED, "messages.[3].role", None),
    ([USER, calls(entry()), answer(), USER, answer()], ORPHANED, "messages.[4].role", None),
    ([USER, calls(entry()), answer(None)],
     "Missing parameter 'tool_call_id': messages with role 'tool' must have a 'tool_call_id'.",
     "messages.[2].tool_call_id", None),
    # twice the same
    ([USER, calls(entry()), answer(), answer()],
     "Invalid parameter: Duplicate value for 'tool_call_id' of 'call_1', in messages[2] and messages[3].",
     "messages.[3].tool_call_id", None),
    ([USER, calls(entry(), entry()), answer(), answer()],
     "Invalid parameter: Duplicate value for 'id' of 'call_1', in the 'tool_calls' of messages[1] and messages[1].",
     "messages.[1].tool_calls", None),
    ([USER, calls(entry()), answer(), calls(entry()), answer()],
     "Invalid parameter: Duplicate value for 'id' of 'call_1', in the 'tool_calls' of messages[1] and messages[3].",
     "messages.[3].tool_calls", None),
    # calls that are none
    ([USER, calls()], empty("messages[1].tool_calls"), "messages[1].tool_calls", "empty_array"),
    ([USER, {"role": "assistant", "content": "Hi", "tool_calls": None}],
     wrong_type("messages[1].tool_calls", "an array of objects", "null"), "messages[1].tool_calls", "invalid_type"),
    ([USER, calls("add")], wrong_type(CALL, "an object", "a string"), CALL, "invalid_type"),
    ([USER, calls({"type": "function"})],
     f"Missing required parameter: '{CALL}.id'.", f"{CALL}.id", "missing_required_parameter"),
    ([USER, calls(entry(""))], no_text(f"{CALL}.id"), f"{CALL}.id", "empty_string"),
    ([USER, calls(entry(5))], wrong_type(f"{CALL}.id", "a string", "an integer"), f"{CALL}.id", "invalid_type"),
    ([USER, calls({"id": "a", "function": {}})],
     f"Missing required parameter: '{CALL}.type'.", f"{CALL}.type", "missing_required_parameter"),
    ([USER, calls({"id": "a", "type": "function"})],
     f"Missing required parameter: '{CALL}.function'.", f"{CALL}.function", "missing_required_parameter"),
    ([USER, calls(entry(name=""))],
     no_text(f"{CALL}.function.name"), f"{CALL}.function.name", "empty_string"),
    ([USER, calls(entry(arguments={"a": 2}))],
     wrong_type(f"{CALL}.function.arguments", "a string", "an object"), f"{CALL}.function.arguments", "invalid_type"),
    ([USER, calls(entry(arguments=None))],
     wrong_type(f"{CALL}.function.arguments", "a string", "null"), f"{CALL}.function.arguments", "invalid_type"),
    ([USER, calls(entry(arguments='{"a": 1'))],
     no_object("'{\"a\": 1' (Expecting ',' delimiter: line 1 column 8 (char 7))"),
     f"{CALL}.function.arguments", "invalid_value"),
    ([USER, calls(entry(arguments=""))],
     no_object("''"),
     f"{CALL}.function.arguments", "invalid_value"),
    ([USER, calls(entry(arguments="[1]"))],
     no_object("'[1]'"),
     f"{CALL}.function.arguments", "invalid_value"),
    # neither content nor calls
    ([USER, {"role": "assistant"}], NULL, "messages.[1].content", None),
    ([USER, {"role": "assistant", "content": None}], NULL, "messages.[1].content", None),
    ([USER, {"role": "assistant", "content": ""}], NOTHING_SAID, "messages.[1].content", None),
    ([USER, {"role": "assistant", "content": []}],
     empty("messages[1].content"), "messages[1].content", "empty_array"),
    ([{"role": "user", "content": None}], NULL, "messages.[0].content", None),
    ([{"role": "system"}], NULL, "messages.[0].content", None),
    ([USER, calls(entry()), answer(content=None)], NULL, "messages.[2].content", None),
    # content that is neither text nor a list of parts
    ([{"role": "user", "content": {"type": "text", "text": "Hi"}}],
     wrong_type("messages[0].content", "one of a string or array of objects", "an object"),
     "messages[0].content", "invalid_type"),
    ([{"role": "user", "content": ["Hi"]}],
     wrong_type("messages[0].content[0]", "an object", "a string"), "messages[0].content[0]", "invalid_type"),
    ([{"role": "user", "content": [{"text": "Hi"}]}],
     "Missing required parameter: 'messages[0].content[0].type'.",
     "messages[0].content[0].type", "missing_required_parameter"),
    ([{"role": "user", "content": [{"type": "text", "text": None}]}],
     wrong_type("messages[0].content[0].text", "a string", "null"), "messages[0].content[0].text", "invalid_type"),
    # roles
    ([{"role": "critic", "content": "Hi"}],
     f"Invalid value: 'critic'. Supported values are: {ROLES}.", "messages[0].role", "invalid_value"),
    ([{"content": "Hi"}],
     "Missing required parameter: 'messages[0].role'.", "messages[0].role", "missing_required_parameter"),
    (["Hi"], wrong_type("messages[0]", "an object", "a string"), "messages[0]", "invalid_type"),
    # no messages
    ([], empty("messages"), "messages", "empty_array"),
]  # fmt: skip


@pytest.mark.parametrize(("messages", "told", "param", "code"), REFUSED)
def test_what_a_strict_server_refuses_is_refused_in_its_words_and_fields(
    messages: list[Any], told: str, param: str, code: str | None
) -> None:
    found = fault({"messages": messages})

    assert found is not None
    assert found.body() == {"error": {"message": told, "type": "invalid_request_error", "param": param, "code": code}}
    assert complaint({"messages": messages}) == told


PART = {"type": "text", "text": "Hi"}
TAKEN: list[list[Any]] = [
    [USER],
    [{"role": "system", "content": "Be brief."}, {"role": "developer", "content": "Brief."}, USER, USER],
    [USER, calls(entry()), answer()],
    [USER, calls(entry("a"), entry("b")), answer("b"), answer("a"), USER],
    [USER, calls(entry("a"), content="", reasoning="hm"), answer("a"), calls(entry("b"), content="So"), answer("b")],
    [USER, calls(entry(index=0, extra={"signature": "x"})), answer(content="")],
    [USER, calls(entry(arguments=" {} ")), answer(content=[PART, {"type": "image_url", "image_url": {"url": "x"}}])],
    [USER, calls({"id": "a", "type": "custom", "custom": {"name": "shell", "input": "not JSON"}}), answer("a")],
    [USER, {"tool_calls": [entry()], "role": "assistant"}, answer()],
    [{"role": "user", "content": [PART]}, {"role": "assistant", "content": [PART]}],
    [{"role": "user", "content": "", "name": "Ann", "unknown": {"field": 1}}],
    [USER, {"role": "assistant", "content": None, "refusal": "I cannot."}],
    [USER, {"role": "assistant", "content": None, "function_call": {"name": "add", "arguments": "{}"}},
     {"role": "function", "name": "add", "content": "5"}],
]  # fmt: skip


@pytest.mark.parametrize("messages", TAKEN)
def test_a_sound_history_is_taken(messages: list[Any]) -> None:
    assert complaint({"messages": messages}) is None


def test_a_choice_of_tools_without_tools_is_refused() -> None:
    told = "Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are specified."

    assert complaint({"messages": [USER], "tool_choice": "auto"}) == told
    assert complaint({"messages": [USER], "tool_choice": "auto", "tools": []}) == empty("tools")
    assert complaint({"messages": [USER], "tool_choice": "auto", "tools": [{}]}) is None
    assert complaint({"messages": [USER], "tool_choice": None}) is None


def test_a_request_without_messages_is_refused() -> None:
    assert complaint({}) == "Missing required parameter: 'messages'."
    assert complaint({"messages": "Hi"}) == wrong_type("messages", "an array of objects", "a string")


DANGLING = [USER, calls(entry())]


async def test_an_object_refuses_as_a_client_would_be_refused(failure) -> None:
    server = ScriptedServer(["Hello"], strict=True)

    error = await failure(server.chat_completion(messages=DANGLING))

    assert (error.type, error.status, error.code) == ("BadRequestError", 400, None)
    assert error.message == f"the server answered 400 Bad Request: {UNANSWERED}call_1"


async def test_an_object_refuses_while_it_is_streamed_too() -> None:
    server = ScriptedServer(["Hello"], strict=True)

    with pytest.raises(ServerError, match="did not have response messages: call_1"):
        async for _ in server.stream(messages=DANGLING):
            pass


@pytest.mark.parametrize("stream", [False, True])
async def test_openais_own_client_is_refused_over_the_socket(stream: bool) -> None:
    async with (
        ScriptedServer(["Hello"], strict=True).serve() as base_url,
        openai.AsyncOpenAI(base_url=base_url, api_key="none", max_retries=0) as client,
    ):
        asked: Any = {"model": "m", "messages": DANGLING, "stream": stream}
        with pytest.raises(openai.BadRequestError) as caught:
            await client.chat.completions.create(**asked)

    told = {"message": f"{UNANSWERED}call_1", "type": "invalid_request_error"}
    assert caught.value.body == {**told, "param": "messages.[2].role", "code": None}


async def test_a_refused_request_is_kept_and_uses_up_no_reply() -> None:
    server = ScriptedServer(["one", "two"], strict=True)

    with pytest.raises(ServerError):
        await server.chat_completion(messages=DANGLING)

    assert [(await server.ask("Hi")).text for _ in range(2)] == ["one", "two"]
    assert server.requests[0]["messages"] == DANGLING


async def test_a_function_is_not_asked_about_what_is_refused() -> None:
    asked: list[Any] = []
    server = ScriptedServer(lambda messages: asked.append(messages) or "Hello", strict=True)

    with pytest.raises(ServerError):
        await server.chat_completion(messages=DANGLING)

    assert asked == []


async def test_without_strictness_anything_is_taken() -> None:
    assert (await ScriptedServer(["Hello"]).chat_completion(messages=DANGLING))["choices"]


def add(a: int, b: int) -> int:
    """Add two whole numbers."""
    return a + b


async def test_a_loop_gets_through_its_script_with_a_strict_server() -> None:
    script = [[call("add", a=2, b=3), call("add", a=1, b=1)], Scripted(text="Hm.", calls=[call("add", a=5, b=2)]), "7"]
    server = ScriptedServer(script, strict=True)

    result = await HermesAgentLoop(server, tools=[add]).run("What is 2 + 3 + 2?")

    assert (result.stop_reason, result.final_text) == ("finished", "7")


async def test_a_loop_that_starts_from_a_broken_history_is_told_so() -> None:
    async with ScriptedServer(["Hello"], strict=True).serve() as base_url:
        server = OpenAIServer("m", base_url=base_url, api_key="none")
        result = await HermesAgentLoop(server).run([USER, answer()])
        await server.close()

    assert result.stop_reason == "server_error"
    assert result.error is not None
    assert result.error.message == f"the server answered 400 Bad Request: {ORPHANED}"
