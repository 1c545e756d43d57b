"""OpenAIServer: what it sends, and what it makes of answers; every exchange goes over a real socket."""

from __future__ import annotations

import asyncio
import copy
import email.utils
import logging
import pickle
import socket
import time
import traceback
from typing import Any

import openai
import pytest

from hermes_nb.exceptions import ConfigurationError, ServerError
from hermes_nb.redact import Secret
from hermes_nb.servers import OpenAIServer, Scripted, ScriptedServer, call, default_server

SOON = {"retry-after-ms": "1"}
MESSAGES = [{"role": "user", "content": "What is 2 + 3?"}]
TOOLS = [{"type": "function", "function": {"name": "add", "parameters": {"type": "object", "properties": {}}}}]


def hello(**fields: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}, **fields}]}


# What is sent


async def test_a_request_is_the_one_that_create_would_make(connect) -> None:
    history = [
        *MESSAGES,
        {
            "role": "assistant",
            "content": "",
            "reasoning_content": "hm",
            "tool_calls": [{"id": "a", **call("add", a=2)}],
        },
        {"role": "tool", "tool_call_id": "a", "content": "fünf \N{GRINNING FACE}"},
    ]
    fields: dict[str, Any] = {"temperature": 0.5, "tools": TOOLS, "max_tokens": 9, "tool_choice": "auto", "seed": 7}
    settings: dict[str, Any] = {"headers": {"X-Course": "4"}, "echo_reasoning": "verbatim"}
    async with connect(["one", "two"], **settings) as (scripted, server):
        async with openai.AsyncOpenAI(
            base_url=server.base_url, api_key=server._account.key.reveal(), default_headers={"X-Course": "4"}
        ) as client:
            await client.chat.completions.create(
                model="m", messages=history, extra_body={"provider": {"only": ["x"]}}, **fields
            )
        await server.chat_completion(messages=history, n=1, extra_body={"provider": {"only": ["x"]}}, **fields)

    theirs, ours = scripted.requests
    assert ours == theirs
    assert {**ours.headers, "content-length": ""} == {**theirs.headers, "content-length": ""}
    assert ours.headers["authorization"].startswith("Bearer sk-test")


async def test_what_is_none_or_the_default_is_left_out(connect) -> None:
    async with connect(["Hello"]) as (scripted, server):
        await server.chat_completion(messages=MESSAGES, n=1, temperature=None, tools=[], max_tokens=None)

    assert scripted.requests[0] == {"model": "m", "messages": MESSAGES}


async def test_more_than_one_completion_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="n=1"):
        await OpenAIServer("m").chat_completion(messages=MESSAGES, n=2)


async def test_a_request_that_is_no_json_is_our_own_mistake(connect) -> None:
    async with connect(["Hello"]) as (_, server):
        with pytest.raises(ConfigurationError, match="as JSON"):
            await server.chat_completion(messages=[{"role": "user", "content": object()}])


async def test_a_lone_surrogate_in_a_message_goes_out_and_comes_back(connect) -> None:
    async with connect(["half \ud800 pair"]) as (scripted, server):
        reply = await server.ask("\udfff")

    assert reply.text == "half \ud800 pair"
    assert scripted.requests[0]["messages"][0]["content"] == "\udfff"


@pytest.mark.parametrize(
    ("model", "base_url", "renamed"),
    [
        ("o3-mini", None, True),
        ("gpt-5.1", "https://eu.api.openai.com/v1", True),
        ("ft:o4-mini:me", "https://me.openai.azure.com/openai/v1", True),
        ("gpt-4o", None, False),
        ("gpt-4.1", None, False),
        ("gpt-5.1", "http://localhost:8000/v1", False),
        ("gpt-5.1", "https://api.openai.com.example.org/v1", False),
    ],
)
def test_max_tokens_is_renamed_for_reasoning_models_at_openai_and_azure(
    model: str, base_url: str | None, renamed: bool
) -> None:
    assert OpenAIServer(model, base_url=base_url or "https://api.openai.com/v1")._renames(model) is renamed


async def test_max_tokens_is_renamed_when_the_server_demands_it_and_that_is_remembered(connect) -> None:
    told = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
    refused = Scripted(status=400, text=told, code="unsupported_parameter")
    async with connect([refused, "one", "two"]) as (scripted, server):
        first = await server.ask("Hi", max_tokens=9)
        second = await server.ask("Hi", max_tokens=9)

    sent = [{name: size for name, size in request.items() if "tokens" in name} for request in scripted.requests]
    assert sent == [{"max_tokens": 9}, {"max_completion_tokens": 9}, {"max_completion_tokens": 9}]
    assert (first.retries, second.retries) == (1, 0)


async def test_another_400_is_not_asked_again(connect, failure) -> None:
    told = "'max_tokens' or 'max_completion_tokens' is too large: 2000. This model's maximum context length is 4096"
    async with connect([Scripted(status=400, text=told)]) as (scripted, server):
        error = await failure(server.ask("Hi", max_tokens=2000))

    assert len(scripted.requests) == 1
    assert error.code == "context_length_exceeded"


async def test_ask_takes_text_messages_and_tools_of_any_kind(connect) -> None:
    class Box:
        schemas = TOOLS

    async with connect(["a", "b"]) as (scripted, server):
        assert (await server.ask("Hi", TOOLS)).text == "a"
        assert (await server.ask(MESSAGES, Box(), temperature=0)).text == "b"

    assert [request["tools"] for request in scripted.requests] == [TOOLS, TOOLS]
    assert scripted.requests[1]["messages"] == MESSAGES


def add(a: int, b: int) -> int:
    """Add two whole numbers."""
    return a + b


async def test_ask_describes_functions_to_the_model(connect) -> None:
    async with connect([call("add", a=2, b=3)]) as (scripted, server):
        await server.ask("What is 2 + 3?", [add, *TOOLS])

    described, given = scripted.requests[0]["tools"]
    assert described["function"]["name"] == "add"
    assert given == TOOLS[0]


# What comes back


async def test_a_body_is_kept_as_it_was_sent(connect) -> None:
    body = {**hello(odd={"n": 2**70, "x": 1.5}), "id": "x", "provider": "P"}
    async with connect([Scripted(body=body)]) as (_, server):
        answer = await server.chat_completion(messages=MESSAGES)

    assert answer == body
    assert (answer.status, answer.request_id, answer.retries) == (200, "req_1", 0)


@pytest.mark.parametrize(
    ("said", "kind", "told", "hint"),
    [
        (
            Scripted(body="<html>Log in</html>", headers={"Content-Type": "text/html"}),
            "NotJSON",
            "text/html",
            "login page",
        ),
        (Scripted(body=b'{"a": "\xff"}'), "NotJSON", "utf-8", "base_url"),
        (Scripted(body=b'{"choices": [{'), "NotJSON", "not a JSON object", "base_url"),
        (Scripted(body=b""), "NotJSON", "empty", "base_url"),
        (Scripted(body=b"[1, 2]"), "NotJSON", "not a JSON object", "base_url"),
        (Scripted(body={"error": {"message": "no provider", "code": "502"}}), "APIStatusError", "no provider", None),
        (Scripted(body={"choices": []}), "NoReply", "no choices", None),
        (Scripted(body={"choices": [{"message": None}]}), "NoReply", "no message", None),
    ],
)
async def test_F13_a_200_that_is_no_completion_is_a_typed_error(
    said: Scripted, kind: str, told: str, hint: str | None, connect, failure
) -> None:
    async with connect([said]) as (_, server):
        error = await failure(server.ask("Hi"))

    assert (error.type, error.status, error.request_id) == (kind, 200, "req_1")
    assert told in error.message
    assert (hint is None) or hint in (error.hint or "")


async def test_F14_content_that_is_null_beside_calls_is_no_text(connect) -> None:
    async with connect([call("add", a=2, b=3)]) as (_, server):
        reply = await server.ask("Hi")

    assert (reply.text, reply.calls[0].parsed, reply.finish_reason) == ("", {"a": 2, "b": 3}, "tool_calls")


async def test_F16_calls_without_ids_are_given_some(connect) -> None:
    calls = [{"id": None, "index": 0, **call("add", a=number)} for number in range(3)]
    async with connect([calls]) as (_, server):
        reply = await server.ask("Hi")

    assert len({one.id for one in reply.calls}) == 3


# Trouble


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504])
async def test_F06_a_passing_trouble_is_retried_and_counted(status: int, connect) -> None:
    async with connect([Scripted(status=status, headers=SOON), "Hello"]) as (scripted, server):
        reply = await server.ask("Hi")

    assert (reply.text, reply.retries, len(scripted.requests)) == ("Hello", 1, 2)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
async def test_F06_a_lasting_trouble_is_not_retried(status: int, connect, failure) -> None:
    async with connect([Scripted(status=status, headers=SOON, text="no"), "Hello"]) as (scripted, server):
        error = await failure(server.ask("Hi"))

    assert (error.status, error.retries, len(scripted.requests)) == (status, 0, 1)
    assert ": no" in error.message


async def test_retries_are_counted_in_a_failure_too(connect, failure) -> None:
    async with connect([Scripted(status=500, headers=SOON)] * 3) as (scripted, server):
        error = await failure(server.ask("Hi"))

    assert (error.type, error.retries, len(scripted.requests)) == ("InternalServerError", 2, 3)


async def test_max_retries_can_be_set(connect, failure) -> None:
    async with connect([Scripted(status=500)], max_retries=0) as (scripted, server):
        await failure(server.ask("Hi"))

    assert len(scripted.requests) == 1


def in_two_seconds() -> str:
    return email.utils.formatdate(time.time() + 2, usegmt=True)


@pytest.mark.parametrize(
    ("headers", "at_least"),
    [
        ({"Retry-After": "0.2"}, 0.2),
        ({"retry-after-ms": "150"}, 0.15),
        ({"Retry-After": in_two_seconds}, 0.9),
        ({"Retry-After": "nan"}, 0.3),
        ({"Retry-After": "-5"}, 0.3),
        ({"Retry-After": "soon"}, 0.3),
    ],
)
async def test_F01_F02_a_retry_waits_as_long_as_it_is_asked_to(
    headers: dict[str, Any], at_least: float, connect
) -> None:
    given = {name: value if isinstance(value, str) else value() for name, value in headers.items()}
    async with connect([Scripted(status=429, headers=given), "Hello"]) as (scripted, server):
        reply = await server.ask("Hi")

    first, second = scripted.requests
    assert reply.retries == 1
    assert second.at - first.at >= at_least


async def test_F03_a_wait_of_a_day_is_not_waited_for_but_told(connect, failure) -> None:
    async with connect([Scripted(status=429, headers={"Retry-After": "86400"}), "Hello"]) as (scripted, server):
        error = await failure(server.ask("Hi"))

    assert len(scripted.requests) == 1
    assert "86400" in error.message


async def test_F04_a_used_up_quota_is_not_retried(connect, failure) -> None:
    said = Scripted(status=429, text="You exceeded your current quota", code="insufficient_quota", headers=SOON)
    async with connect([said, "Hello"]) as (scripted, server):
        error = await failure(server.ask("Hi"))

    assert (len(scripted.requests), error.code) == (1, "insufficient_quota")
    assert "credit" in (error.hint or "")


async def test_F04_the_word_quota_in_prose_is_retried(connect) -> None:
    said = Scripted(status=429, text="insufficient_quota for this minute", code="rate_limit", headers=SOON)
    async with connect([said, "Hello"]) as (_, server):
        assert (await server.ask("Hi")).retries == 1


@pytest.mark.parametrize(("status", "word", "requests"), [(500, "false", 1), (400, "true", 2)])
async def test_F07_a_server_that_says_whether_to_retry_is_obeyed(
    status: int, word: str, requests: int, connect
) -> None:
    said = Scripted(status=status, headers={"x-should-retry": word, **SOON})
    async with connect([said, "Hello"]) as (scripted, server):
        await asyncio.gather(server.ask("Hi"), return_exceptions=True)

    assert len(scripted.requests) == requests


async def test_F08_a_server_that_is_not_there_is_named_without_its_password(failure) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # Bound and not listening: nobody answers there, and nobody else can come.
        address = f"127.0.0.1:{taken.getsockname()[1]}/v1"
        server = OpenAIServer("m", base_url=f"http://me:Hunter2hunter2@{address}", max_retries=0)
        error = await failure(server.ask("Hi"))
        await server.close()

    assert error.message.startswith(f"no connection to http://{address}")
    assert error.hint == f"is the server running at http://{address}?"
    assert "Hunter2" not in repr((error, server, vars(server)))


async def test_F09_an_answer_that_never_comes_is_a_timeout_after_its_retries(connect, failure) -> None:
    silent = Scripted(text="Hello", delay=3600)
    async with connect([silent, silent], timeout=0.05, max_retries=1) as (scripted, server):
        error = await failure(server.ask("Hi"))

    assert (error.type, error.retries, len(scripted.requests)) == ("APITimeoutError", 1, 2)
    assert "in time" in error.message
    assert "timeout=" in (error.hint or "")


async def test_a_connection_that_is_cut_in_the_body_is_told_as_such(connect, failure) -> None:
    async with connect([Scripted(text="Hello", cut_at=10)], max_retries=0) as (_, server):
        error = await failure(server.ask("Hi"))

    assert error.type == "APIConnectionError"
    assert "broke" in error.message


async def test_a_user_and_password_in_the_address_go_to_the_server(connect) -> None:
    scripted = ScriptedServer(["Hello"])
    async with scripted.serve() as base_url:
        server = OpenAIServer("m", base_url=base_url.replace("://", "://me:Hunter2hunter2@"))
        assert (await server.ask("Hi")).text == "Hello"
        await server.close()

    assert scripted.requests[0].headers["authorization"].startswith("Basic ")
    assert server.base_url == base_url


# Keys and addresses


async def test_a_key_that_the_server_sends_back_is_in_no_error_and_no_traceback(connect, key: str) -> None:
    async with connect([Scripted(status=401, text=f"Incorrect API key provided: {key}.")]) as (_, server):
        with pytest.raises(ServerError) as caught:
            await server.ask("Hi")

    shown = (
        "".join(traceback.format_exception(caught.value)) + repr(caught.value.error) + repr(caught.value.error.cause)
    )
    assert key not in shown
    assert "[redacted:" in caught.value.error.message


async def test_the_key_is_in_nothing_that_can_be_shown_or_stored(
    connect, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        async with connect(["Hello"], headers={"X-Api-Key": key}) as (_, server):
            await server.ask("Hi")
            shown = f"{server} {server!r} {vars(server)} {caplog.text}"
            copied = copy.deepcopy(server)
            pickled = pickle.dumps(server)

    assert key not in shown + repr(vars(copied))
    assert key.encode() not in pickled


async def test_a_copy_works_and_keeps_clients_of_its_own(connect) -> None:
    async with connect(["a", "b"]) as (scripted, server):
        await server.ask("Hi")
        copied = copy.deepcopy(server)
        assert (await copied.ask("Hi")).text == "b"
        await copied.close()

    assert scripted.requests[1].headers["authorization"] == scripted.requests[0].headers["authorization"]


async def test_what_was_pickled_says_that_its_key_is_gone(connect) -> None:
    async with connect(["Hello"]) as (_, server):
        with pytest.raises(ConfigurationError, match="left its secrets behind"):
            await pickle.loads(pickle.dumps(server)).ask("Hi")


def test_a_server_knows_its_secrets_and_shows_none(key: str) -> None:
    server = OpenAIServer(
        "m", base_url="http://me:pw@h/v1", api_key=key, headers={"X-Token": "t-123", "X-Title": "notes"}
    )

    assert {secret.reveal() for secret in server.secrets()} == {key, "http://me:pw@h/v1", "t-123"}
    assert "hidden" in repr(server.secrets())


def test_a_key_may_be_given_as_a_secret(key: str) -> None:
    assert Secret(key) in OpenAIServer("m", base_url="http://localhost/v1", api_key=Secret(key)).secrets()


def test_a_repr_is_one_line_with_model_and_address() -> None:
    server = OpenAIServer("hermes-4", base_url="http://me:pw@localhost:8000/v1")

    assert repr(server) == "OpenAIServer(hermes-4 at http://localhost:8000/v1)"


@pytest.mark.parametrize("model", ["", None, 4])
def test_a_server_needs_a_models_name(model: Any) -> None:
    with pytest.raises(ConfigurationError, match="name of a model"):
        OpenAIServer(model)


def test_an_address_without_its_scheme_is_refused_at_once() -> None:
    with pytest.raises(ConfigurationError, match="http://"):
        OpenAIServer("m", base_url="localhost:8000/v1")


# The environment, which is set for one block: these tests are about it.


class Environment:
    """Variables for the length of a `with` block; None takes one away."""

    def __init__(self, **wanted: str | None) -> None:
        self.patch = pytest.MonkeyPatch()
        self.wanted = wanted

    def __enter__(self) -> None:
        for name, value in self.wanted.items():
            if value is None:
                self.patch.delenv(name, raising=False)
            else:
                self.patch.setenv(name, value)

    def __exit__(self, *exception: object) -> None:
        self.patch.undo()


async def test_the_environment_says_where_and_with_which_key(key: str) -> None:
    scripted = ScriptedServer(["Hello"])
    async with scripted.serve() as base_url:
        with Environment(OPENAI_BASE_URL=base_url, OPENAI_API_KEY=key, HERMES_NB_MODEL="hermes-4"):
            server = default_server()
            assert (await server.ask("Hi")).text == "Hello"
            assert server.base_url == base_url
            assert {secret.reveal() for secret in server.secrets()} == {key}
            await server.close()

    assert scripted.requests[0]["model"] == "hermes-4"
    assert scripted.requests[0].headers["authorization"] == f"Bearer {key}"


def test_a_default_server_without_a_model_says_which_variable_names_it() -> None:
    with Environment(HERMES_NB_MODEL=None), pytest.raises(ConfigurationError, match="HERMES_NB_MODEL"):
        default_server()


async def test_a_stand_in_answers_until_the_environment_says_live() -> None:
    stand_in = ScriptedServer(["Hello"])
    for mode in (None, "", "auto", "replay", "record"):
        with Environment(HERMES_NB_CASSETTE=mode, HERMES_NB_MODEL="hermes-4"):
            assert default_server(stand_in, max_concurrency=2) is stand_in

    async with ScriptedServer(["Hello from afar"]).serve() as base_url:
        with Environment(HERMES_NB_CASSETTE="live", HERMES_NB_MODEL="hermes-4", OPENAI_BASE_URL=base_url):
            server = default_server(stand_in, max_concurrency=2)
            assert repr(server) == f"OpenAIServer(hermes-4 at {base_url})"
            assert (await server.ask("Hi")).text == "Hello from afar"
    assert not stand_in.requests


def test_live_without_a_model_and_an_unknown_mode_are_said_and_not_covered_by_the_stand_in() -> None:
    stand_in = ScriptedServer(["Hello"])
    with (
        Environment(HERMES_NB_CASSETTE="live", HERMES_NB_MODEL=None),
        pytest.raises(ConfigurationError, match="HERMES_NB_MODEL"),
    ):
        default_server(stand_in)
    with Environment(HERMES_NB_CASSETTE="Live"), pytest.raises(ConfigurationError, match=r"one of 'auto'.*got 'Live'"):
        default_server(stand_in)


async def test_a_local_server_needs_no_key() -> None:
    async with ScriptedServer(["Hello"]).serve() as base_url:
        with Environment(OPENAI_API_KEY=None):
            server = OpenAIServer("m", base_url=base_url)
            assert (await server.ask("Hi")).text == "Hello"
            await server.close()


async def test_any_other_server_without_a_key_says_how_to_give_one() -> None:
    with Environment(OPENAI_API_KEY=None, OPENAI_BASE_URL=None), pytest.raises(ConfigurationError, match="api_key="):
        await OpenAIServer("m").ask("Hi")
