"""ScriptedServer over a socket: HTTP as it is spoken, and OpenAI's format as its own client reads it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap
from dataclasses import replace
from typing import Any

import openai
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hermes_nb.exceptions import ConfigurationError, ServerError
from hermes_nb.records import Reply, RunError
from hermes_nb.servers import OpenAIServer, Scripted, ScriptedServer, call

TEXT = st.text(st.characters(), max_size=40)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)


def as_call(call_id: str | None, name: str, arguments: Any) -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


ARGUMENTS = TEXT | st.none() | st.dictionaries(TEXT, JSON, max_size=3)
CALLS = st.lists(st.builds(as_call, st.none() | TEXT, TEXT, ARGUMENTS), min_size=1, max_size=3)
REPLIES = st.one_of(
    st.builds(Scripted, text=st.none() | TEXT, reasoning=st.none() | TEXT, refusal=st.none() | TEXT,
              calls=st.just([]) | CALLS, finish_reason=st.none() | st.sampled_from(["stop", "length"])),
    st.builds(lambda content, extra: {"role": "assistant", "content": content, **extra},
              st.none() | TEXT | st.just([{"type": "text", "text": "a"}]), st.dictionaries(TEXT, JSON, max_size=2)),
    st.builds(lambda status, text, code: Scripted(status=status, text=text, code=code),
              st.sampled_from([400, 401, 404, 422]), TEXT, st.none() | TEXT),
    st.builds(lambda status, body: Scripted(status=status, body=body), st.sampled_from([200, 400]), st.binary()),
)  # fmt: skip
PATIENT = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)


async def outcome(server: Any) -> Reply | RunError:
    """The Reply or the error, without what depends on time, on chance, or on there being a socket."""
    try:
        reply: Reply = await server.ask("Hi")
    except ServerError as failure:
        return replace(failure.error, hint=None)
    named = {one.id: f"call {index}" for index, one in enumerate(reply.calls)}
    message = {name: value for name, value in reply.message.items() if name != "tool_calls"}
    calls = tuple(replace(one, id=named[one.id]) for one in reply.calls)
    return replace(reply, seconds=0.0, message=message, calls=calls, problems=())


@PATIENT
@given(said=REPLIES)
async def test_whatever_is_scripted_is_the_same_over_the_socket_as_by_the_object(said: Any) -> None:
    by_object = await outcome(ScriptedServer([said], model="m"))
    async with ScriptedServer([said], model="m").serve() as base_url:
        server = OpenAIServer("m", base_url=base_url, api_key="none")
        over_socket = await outcome(server)
        await server.close()

    assert over_socket == by_object


async def streamed(client: openai.AsyncOpenAI, **request: Any) -> tuple[dict[str, Any], str | None, Any]:
    """A streamed message put together again from the client's own chunks; how it finished; its usage."""
    message: dict[str, Any] = {}
    finish, usage = None, None
    asked = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], **request}
    stream = await client.chat.completions.create(stream=True, stream_options={"include_usage": True}, **asked)
    async for chunk in stream:
        usage = chunk.usage.model_dump(exclude_unset=True) if chunk.usage else usage
        for choice in chunk.choices:
            finish = choice.finish_reason or finish
            _add(message, choice.delta.model_dump(exclude_unset=True))
    return message, finish, usage


def _add(message: dict[str, Any], delta: dict[str, Any]) -> None:
    for name, value in delta.items():
        if name == "tool_calls":
            for piece in value:
                _add_call(message.setdefault("tool_calls", []), dict(piece))
        elif isinstance(value, str) and isinstance(message.get(name), str):
            message[name] += value
        else:
            message[name] = value


def _add_call(calls: list[dict[str, Any]], piece: dict[str, Any]) -> None:
    index = piece.pop("index")
    if index == len(calls):
        calls.append(piece)
    else:
        assert set(piece) == {"function"}
        assert set(piece["function"]) == {"arguments"}
        calls[index]["function"]["arguments"] += piece["function"]["arguments"]


@pytest.mark.parametrize("chunk_size", [1, 3, 1000])
@pytest.mark.parametrize(
    "said",
    [
        Scripted(text="Grüße, \N{GRINNING FACE}!", reasoning="hm hm"),
        Scripted(text="", calls=[call("add", a=1), call("add", a=2)]),
        Scripted(calls=[call("say", text="ü" * 20)]),
        Scripted(refusal="I will not."),
        Scripted(message={"content": "x", "reasoning_details": [{"type": "reasoning.text", "text": "hm"}]}),
        Scripted(text="cut", finish_reason="length", usage=None),
    ],
)
async def test_a_streamed_reply_is_the_same_message_in_openais_own_client(said: Scripted, chunk_size: int) -> None:
    server = ScriptedServer([replace(said, chunk_size=chunk_size)] * 2, model="m")
    async with server.serve() as base_url, openai.AsyncOpenAI(base_url=base_url, api_key="none") as client:
        message, finish, usage = await streamed(client)
        whole = await client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hi"}])

    body = whole.model_dump(exclude_unset=True)
    assert message == body["choices"][0]["message"]
    assert finish == body["choices"][0]["finish_reason"]
    assert usage == body.get("usage")


async def read(base_url: str, request: bytes) -> bytes:
    """What comes back, byte for byte, until the server closes the connection."""
    host, _, port = base_url.removeprefix("http://").removesuffix("/v1").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request)
    received = await reader.read()
    writer.close()
    await writer.wait_closed()
    return received


def post(body: bytes, path: bytes = b"/v1/chat/completions") -> bytes:
    head = b"POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
    return head % (path, len(body)) + body


async def test_a_stream_is_written_as_openai_writes_it() -> None:
    async with ScriptedServer([Scripted(text="Hello", chunk_size=3, usage=None)], model="m").serve() as base_url:
        received = await read(base_url, post(b'{"messages": [], "stream": true}'))

    head, _, body = received.partition(b"\r\n\r\n")
    events = [line for line in body.split(b"\r\n") if line.startswith(b"data: ")]
    known = b'"id":"chatcmpl-1","created":1767225600,"model":"m","system_fingerprint":null'
    opening = b'data: {"object":"chat.completion.chunk",%s,' % known
    choice = opening + b'"choices":[{"index":0,"logprobs":null,"finish_reason":%s,"delta":%s}]}\n\n'
    assert b"content-type: text/event-stream; charset=utf-8" in head
    assert events == [
        choice % (b"null", b'{"role":"assistant","refusal":null,"content":""}'),
        choice % (b"null", b'{"content":"Hel"}'),
        choice % (b"null", b'{"content":"lo"}'),
        choice % (b'"stop"', b"{}"),
        b"data: [DONE]\n\n",
    ]
    assert body.endswith(b"\r\n0\r\n\r\n")


async def test_usage_is_streamed_only_where_it_was_asked_for() -> None:
    async with ScriptedServer(["Hello"] * 2).serve() as base_url:
        without = await read(base_url, post(b'{"messages": [], "stream": true}'))
        with_it = await read(base_url, post(b'{"messages":[],"stream":true,"stream_options":{"include_usage":true}}'))

    assert b"usage" not in without
    assert with_it.count(b'"usage":null') == 3
    assert b'"choices":[],"usage":{"prompt_tokens"' in with_it


async def test_a_recorded_body_is_served_byte_for_byte() -> None:
    recorded = b'{"choices": [ ],\n "odd":   1e2}'
    async with ScriptedServer([Scripted(body=recorded, status=203, headers={"X-Odd": "1"})]).serve() as base_url:
        received = await read(base_url, post(b'{"messages": [], "stream": true}'))

    assert received.startswith(b"HTTP/1.1 203 Non-Authoritative Information\r\n")
    assert b"x-odd: 1\r\n" in received
    assert received.endswith(b"\r\n\r\n" + recorded)


async def test_a_body_may_come_in_pieces() -> None:
    pieces = [b'{"choi', b'ces": [{"message": {"content": "gr\xc3', b'\xbcn"}}]}']
    async with ScriptedServer([Scripted(body=pieces, chunk_delay=0.001)]).serve() as base_url:
        server = OpenAIServer("m", base_url=base_url, api_key="none")
        assert (await server.ask("Hi")).text == "grün"
        await server.close()


@pytest.mark.parametrize("cut_at", [0, 1, 30])
@pytest.mark.parametrize("stream", [b"false", b"true"])
async def test_a_cut_drops_the_connection_after_so_many_bytes(cut_at: int, stream: bytes) -> None:
    async with ScriptedServer([Scripted(text="Hello", cut_at=cut_at)]).serve() as base_url:
        received = await read(base_url, post(b'{"messages": [], "stream": %s}' % stream))

    body = received.partition(b"\r\n\r\n")[2]
    sent = body.partition(b"\r\n")[2].removesuffix(b"\r\n") if stream == b"true" else body
    assert len(sent) == cut_at
    assert not received.endswith(b"0\r\n\r\n")


async def test_a_delay_comes_before_the_answer(connect) -> None:
    async with connect([Scripted(text="Hello", delay=0.05)]) as (_, server):
        reply = await server.ask("Hi")

    assert reply.seconds >= 0.05


async def test_a_delay_between_the_pieces_of_a_stream_is_kept() -> None:
    said = Scripted(text="four", chunk_size=1, chunk_delay=0.02)
    async with ScriptedServer([said]).serve() as base_url:
        began = asyncio.get_running_loop().time()
        await read(base_url, post(b'{"messages": [], "stream": true}'))

    assert asyncio.get_running_loop().time() - began >= 6 * 0.02


async def test_the_requests_hold_body_headers_and_time(connect) -> None:
    async with connect(["a", "b"], headers={"X-Course": "4"}) as (scripted, server):
        await server.ask("Hi", temperature=0.5)
        await server.ask("Hi")

    first, second = scripted.requests
    assert first == {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "temperature": 0.5}
    assert first.headers["x-course"] == "4"
    assert second.at >= first.at


async def test_an_exception_is_a_status_of_500() -> None:
    async with ScriptedServer([LookupError("no idea")]).serve() as base_url:
        received = await read(base_url, post(b'{"messages": []}'))

    assert received.startswith(b"HTTP/1.1 500 Internal Server Error\r\n")
    assert b'"message":"no idea"' in received


async def test_a_function_that_gives_no_reply_answers_500_and_says_why() -> None:
    async with ScriptedServer(lambda messages: None).serve() as base_url:
        received = await read(base_url, post(b'{"messages": []}'))

    assert received.startswith(b"HTTP/1.1 500")
    assert b"cannot hold None" in received


@pytest.mark.parametrize(
    ("request_", "status", "told"),
    [
        (post(b"{"), b"400", b"not JSON"),
        (post(b"[]"), b"400", b"no list of messages"),
        (post(b'{"messages": "Hi"}'), b"400", b"no list of messages"),
        (post(b"{}", b"/v1/embeddings"), b"404", b"POST /v1/embeddings"),
        (b"GET /v1/chat/completions HTTP/1.1\r\nConnection: close\r\n\r\n", b"404", b"GET /v1/chat/completions"),
        (b"GET /v1/models?limit=1 HTTP/1.1\r\nConnection: close\r\n\r\n", b"200", b'"id":"scripted","object":"model"'),
    ],
)
async def test_other_requests_are_answered_as_an_api_would(request_: bytes, status: bytes, told: bytes) -> None:
    server = ScriptedServer([])
    async with server.serve() as base_url:
        received = await read(base_url, request_)

    assert received.startswith(b"HTTP/1.1 " + status)
    assert told in received
    assert server.requests == []


async def test_the_models_are_listed_as_openais_client_reads_them() -> None:
    server = ScriptedServer([], model="hermes-4")
    async with server.serve() as base_url, openai.AsyncOpenAI(base_url=base_url, api_key="none") as client:
        assert [model.id async for model in client.models.list()] == ["hermes-4"]


async def test_a_chunked_request_is_read() -> None:
    chunked = (
        b"POST /v1/chat/completions HTTP/1.1\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        b'6\r\n{"mess\r\nB;odd=1\r\nages": [1]}\r\n0\r\nTrailer: x\r\n\r\n'
    )
    server = ScriptedServer(["Hello"])
    async with server.serve() as base_url:
        await read(base_url, chunked)

    assert server.requests == [{"messages": [1]}]


async def test_one_connection_serves_several_requests() -> None:
    first = post(b'{"messages": []}').replace(b"Connection: close\r\n", b"")
    async with ScriptedServer(["one", "two"]).serve() as base_url:
        received = await read(base_url, first + post(b'{"messages": []}'))

    assert received.count(b"HTTP/1.1 200 OK") == 2
    assert received.index(b'"one"') < received.index(b'"two"')


@pytest.mark.parametrize(
    "noise", [b"", b"nonsense", b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: 10\r\n\r\n{"]
)
async def test_a_client_that_hangs_up_or_talks_nonsense_disturbs_nobody(noise: bytes) -> None:
    async with ScriptedServer(["Hello"]).serve() as base_url:
        host, _, port = base_url.removeprefix("http://").removesuffix("/v1").partition(":")
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(noise)
        writer.write_eof()
        writer.close()
        await writer.wait_closed()

        assert b"Hello" in await read(base_url, post(b'{"messages": []}'))


async def test_nothing_is_left_running_when_serving_ends() -> None:
    before = asyncio.all_tasks()
    came = asyncio.Event()

    def never(messages: list[Any]) -> Scripted:
        came.set()
        return Scripted(text="never", delay=3600)

    async with ScriptedServer(never).serve() as base_url:
        waiting = asyncio.create_task(read(base_url, post(b'{"messages": []}')))
        await came.wait()

    assert await waiting == b""
    assert asyncio.all_tasks() == before


async def test_two_servers_at_once_have_addresses_of_their_own() -> None:
    async with ScriptedServer([]).serve() as one, ScriptedServer([]).serve() as other:
        assert one != other


SCRIPT = """
    import asyncio
    from hermes_nb.servers import OpenAIServer, ScriptedServer

    async def main():
        async with ScriptedServer(["Hello", "Hello"]).serve() as base_url:
            for _ in range(2):
                assert (await OpenAIServer("m", base_url=base_url).ask("Hi")).text == "Hello"

    asyncio.run(main())
"""


def test_serving_leaves_no_socket_behind() -> None:
    command = [sys.executable, "-W", "error::ResourceWarning", "-c", textwrap.dedent(SCRIPT)]

    ended = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (ended.returncode, ended.stderr) == (0, "")


async def test_a_notebooks_cells_share_a_server_from_start_to_stop() -> None:
    server = ScriptedServer(["one", "two"])
    base_url = await server.start()
    model = OpenAIServer("m", base_url=base_url, max_retries=0)
    assert (await model.ask("?")).text == "one"
    with pytest.raises(ConfigurationError, match="stop"):
        await server.start()
    await server.stop()
    await server.stop()
    with pytest.raises(ServerError, match="no connection"):
        await model.ask("?")
    again = await server.start()
    assert (await OpenAIServer("m", base_url=again).ask("?")).text == "two"
    await server.stop()
    await model.close()
