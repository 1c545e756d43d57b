"""ScriptedServer as an object: what a script may hold, and what becomes of it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hermes_nb.exceptions import ConfigurationError, ServerError
from hermes_nb.servers import Completion, Scripted, ScriptedServer, call


async def test_two_lines_are_enough() -> None:
    server = ScriptedServer([call("add", a=2, b=3), "It is 5."])

    assert [repr(await server.ask("What is 2 + 3?")) for _ in range(2)] == ["Reply(add())", "Reply('It is 5.')"]


async def test_a_completion_is_as_openai_writes_it() -> None:
    server = ScriptedServer([call("add", a=2, b=3)], model="m")

    answer = await server.chat_completion(messages=[{"role": "user", "content": "Hi"}])

    assert isinstance(answer, Completion)
    assert answer == {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1767225600,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": None,
                    "refusal": None,
                    "tool_calls": [
                        {"id": "call_1", "type": "function", "function": {"name": "add", "arguments": '{"a":2,"b":3}'}}
                    ],
                },
                "logprobs": None,
                "finish_reason": "tool_calls",
            }
        ],
        "usage": {"prompt_tokens": 8, "completion_tokens": 39, "total_tokens": 47},
        "system_fingerprint": None,
    }


@pytest.mark.parametrize(
    ("reply", "text", "calls", "reasoning"),
    [
        ("Hello", "Hello", [], None),
        ("", "", [], None),
        (call("add", a=1), "", ["add"], None),
        ([call("add", a=1), call("sub")], "", ["add", "sub"], None),
        ({"content": "Hello", "reasoning": "hm"}, "Hello", [], "hm"),
        ({"role": "assistant", "tool_calls": [call("add")]}, "", ["add"], None),
        ({"choices": [{"message": {"content": "Hello"}}]}, "Hello", [], None),
        (b'{"choices": [{"message": {"content": "Hello"}}]}', "Hello", [], None),
        (Scripted(text="Hello", reasoning="hm", calls=[call("add")]), "Hello", ["add"], "hm"),
    ],
)
async def test_a_script_holds_replies_in_many_forms(
    reply: Any, text: str, calls: list[str], reasoning: str | None
) -> None:
    said = await ScriptedServer([reply]).ask("Hi")

    assert (said.text, [one.name for one in said.calls], said.reasoning) == (text, calls, reasoning)


@pytest.mark.parametrize("reply", [None, 5, [], [1], {"a": 1}])
def test_a_script_that_holds_no_reply_is_refused_when_it_is_made(reply: Any) -> None:
    with pytest.raises(ConfigurationError, match="cannot hold"):
        ScriptedServer([reply])


@pytest.mark.parametrize("script", ["Hello", {"content": "Hello"}, Scripted(text="Hello"), None, 5])
def test_a_reply_in_place_of_a_list_is_refused(script: Any) -> None:
    with pytest.raises(ConfigurationError, match="a script is a list"):
        ScriptedServer(script)


async def test_a_function_is_given_the_messages() -> None:
    server = ScriptedServer(lambda messages: messages[-1]["content"].upper())

    assert (await server.ask("hello")).text == "HELLO"


async def test_a_function_may_ask_for_the_whole_request_and_may_be_async() -> None:
    async def count(request: dict[str, Any]) -> str:
        return f"{len(request['tools'])} tools at {request['temperature']}"

    assert (await ScriptedServer(count).ask("Hi", [{}, {}], temperature=0.5)).text == "2 tools at 0.5"


async def test_a_function_cannot_change_what_was_recorded() -> None:
    def greedy(messages: list[Any]) -> str:
        messages.clear()
        return "Hello"

    server = ScriptedServer(greedy)
    await server.ask("Hi")

    assert server.requests[0]["messages"] == [{"role": "user", "content": "Hi"}]


async def test_a_function_that_fails_fails_as_a_server_would() -> None:
    def fails(messages: list[Any]) -> str:
        raise LookupError("no idea")

    with pytest.raises(ServerError, match="no idea"):
        await ScriptedServer(fails).ask("Hi")


async def test_a_function_that_gives_no_reply_is_told_so() -> None:
    with pytest.raises(ConfigurationError, match="cannot hold None"):
        await ScriptedServer(lambda messages: None).ask("Hi")


async def test_the_requests_are_kept_as_they_were() -> None:
    server = ScriptedServer(["a", "b"])
    messages = [{"role": "user", "content": "Hi"}]

    await server.chat_completion(messages=messages, temperature=1.0)
    messages.append({"role": "user", "content": "more"})

    assert server.requests == [{"messages": [{"role": "user", "content": "Hi"}], "temperature": 1.0}]


async def test_calls_are_numbered_on_from_those_in_the_conversation() -> None:
    earlier = {"role": "assistant", "tool_calls": [{"id": "call_1"}, {"id": "call_2"}]}
    server = ScriptedServer(lambda messages: [call("add"), call("add")])

    reply = await server.ask([{"role": "user", "content": "Hi"}, earlier])

    assert [one.id for one in reply.calls] == ["call_3", "call_4"]


async def test_an_id_that_the_script_gives_is_sent_even_if_it_is_none() -> None:
    server = ScriptedServer([[{"id": None, **call("add")}, {"id": "mine", **call("add")}]])

    answer = await server.chat_completion(messages=[])

    assert [one["id"] for one in answer["choices"][0]["message"]["tool_calls"]] == [None, "mine"]


async def test_a_script_at_its_end_says_how_many_requests_came_and_what_was_asked() -> None:
    server = ScriptedServer(["one"])
    await server.ask("first")

    with pytest.raises(ServerError, match=r"1 replies, and this is request 2, which ends in .*'second'") as caught:
        await server.ask("second")

    assert caught.value.error.code == "script_ended"


async def test_an_exception_in_the_script_is_raised() -> None:
    server = ScriptedServer([asyncio.CancelledError(), ConnectionError("gone")])

    with pytest.raises(asyncio.CancelledError):
        await server.ask("Hi")
    with pytest.raises(ServerError, match="gone"):
        await server.ask("Hi")


async def test_a_status_is_the_error_that_a_client_would_raise() -> None:
    said = Scripted(status=429, text="slow down", code="rate_limit_exceeded", headers={"Retry-After": "3"})

    with pytest.raises(ServerError) as caught:
        await ScriptedServer([said]).ask("Hi")

    error = caught.value.error
    assert (error.type, error.status, error.code) == ("RateLimitError", 429, "rate_limit_exceeded")
    assert error.message == "the server answered 429 Too Many Requests: slow down (it asks to wait 3 s)"


async def test_a_status_with_a_body_of_its_own_is_still_an_error() -> None:
    with pytest.raises(ServerError) as caught:
        await ScriptedServer([Scripted(status=503, body="upstream down")]).ask("Hi")

    error = caught.value.error
    assert (error.type, error.message) == (
        "InternalServerError",
        "the server answered 503 Service Unavailable: upstream down",
    )


async def test_a_cut_is_a_broken_connection() -> None:
    with pytest.raises(ServerError) as caught:
        await ScriptedServer([Scripted(text="Hello", cut_at=5)]).ask("Hi")

    assert caught.value.error.type == "APIConnectionError"


async def test_usage_may_be_given_or_unknown() -> None:
    server = ScriptedServer([Scripted(text="a", usage={"total_tokens": 7}), Scripted(text="b", usage=None)])

    assert [(await server.ask("Hi")).usage.total for _ in range(2)] == [7, None]


def test_reprs_are_one_line_and_say_what_was_said() -> None:
    said = Scripted(text="Hello", delay=0.5, calls=[call("f")])

    assert repr(said) == f"Scripted(text='Hello', calls=[{call('f')!r}], delay=0.5)"
    assert repr(ScriptedServer(["a", "b"])) == "ScriptedServer(2 replies, 0 requests so far)"
    assert repr(ScriptedServer(lambda messages: "a")) == "ScriptedServer(a function, 0 requests so far)"
