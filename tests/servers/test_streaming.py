"""Streamed replies over real sockets: what is asked, what comes of what servers send, and how a stream ends badly."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from types import SimpleNamespace
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletionChunk

from hermes_nb.clocks import CountedIds, SystemClock
from hermes_nb.exceptions import ConfigurationError, ServerError
from hermes_nb.records import Reply
from hermes_nb.servers import OpenAIServer, Scripted, ScriptedServer, base, call
from hermes_nb.servers.assemble import Piece
from hermes_nb.servers.openai import connection
from hermes_nb.servers.streams import Listener

SOON = {"retry-after-ms": "1"}
EVENTS = {"content-type": "text/event-stream"}
MESSAGES = [{"role": "user", "content": "Hi"}]
DONE = b"data: [DONE]\n\n"


def event(delta: Any, line_end: str = "\n", **choice: Any) -> bytes:
    body = {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, **choice}]}
    return f"data: {json.dumps(body, ensure_ascii=False)}{line_end * 2}".encode()


STOP = event({}, finish_reason="stop")
HELLO = [event({"role": "assistant", "content": "Hel"}), event({"content": "lo 😀"})]


def raw(*pieces: bytes, **how: Any) -> Scripted:
    return Scripted(body=list(pieces), headers=EVENTS, **how)


class Heard:
    """Hears a reply out, and keeps what it is told."""

    def __init__(self) -> None:
        self.pieces: list[Piece] = []
        self.partial: Reply | None = None
        self.begun = asyncio.Event()

    def _hear(self, piece: Piece) -> None:
        self.pieces.append(piece)
        self.begun.set()

    async def ask(self, server: Any, **request: Any) -> Reply:
        def keep(reply: Reply) -> None:
            self.partial = reply

        ids = CountedIds()
        return await base.ask(
            server, {"messages": MESSAGES, **request}, new_id=lambda: ids("call"), now=SystemClock().seconds,
            listener=Listener(piece=self._hear, partial=keep),
        )  # fmt: skip

    @property
    def text(self) -> str:
        return "".join(piece.text for piece in self.pieces if piece.part == "text")


@pytest.fixture
def heard() -> Heard:
    return Heard()


# What is asked


async def test_a_streamed_request_is_the_one_that_create_would_make(connect) -> None:
    fields: dict[str, Any] = {"temperature": 0.5, "max_tokens": 9, "stream_options": {"include_usage": True}}
    async with connect(["one", "two"]) as (scripted, server):
        async with openai.AsyncOpenAI(base_url=server.base_url, api_key=server._account.key.reveal()) as client:
            async for _ in await client.chat.completions.create(model="m", messages=MESSAGES, stream=True, **fields):
                pass
        async for _ in server.stream(messages=MESSAGES, tools=None, **fields):
            pass

    theirs, ours = scripted.requests
    assert ours == theirs
    assert {**ours.headers, "content-length": ""} == {**theirs.headers, "content-length": ""}


async def test_usage_is_asked_for_and_a_server_that_refuses_is_asked_once_without(connect, heard) -> None:
    told = "Extra inputs are not permitted: stream_options"
    async with connect([Scripted(status=400, text=told), "one", "two"]) as (scripted, server):
        first, second = await heard.ask(server), await heard.ask(server)

    assert [request.get("stream_options") for request in scripted.requests] == [{"include_usage": True}, None, None]
    assert ((first.text, first.retries), (second.text, second.retries)) == (("one", 1), ("two", 0))


async def test_another_refusal_is_not_asked_again(connect, heard) -> None:
    async with connect([Scripted(status=400, text="no such model")]) as (scripted, server):
        with pytest.raises(ServerError, match="no such model"):
            await heard.ask(server)

    assert len(scripted.requests) == 1


async def test_the_wish_of_the_user_stands(connect) -> None:
    async with connect(["one"]) as (scripted, server):
        async for _ in server.stream(messages=MESSAGES, stream_options={"include_usage": False}):
            pass

    assert scripted.requests[0]["stream_options"] == {"include_usage": False}


async def test_a_stream_is_retried_before_its_first_byte_and_counted(connect, heard) -> None:
    async with connect([Scripted(status=503, headers=SOON), "Hello"]) as (scripted, server):
        reply = await heard.ask(server)

    assert (reply.text, reply.retries, len(scripted.requests)) == ("Hello", 1, 2)


async def test_streams_keep_their_connection(connect, heard) -> None:
    connections = set()

    def script(request: Any) -> str:
        connections.add(asyncio.current_task())  # The scripted server has a task for each connection.
        return "Hello"

    async with connect(script) as (_, server):
        for _ in range(3):
            await heard.ask(server)

    assert len(connections) == 1


async def test_max_tokens_is_renamed_in_streams_too(connect, heard) -> None:
    told = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
    async with connect([Scripted(status=400, text=told), "one"]) as (scripted, server):
        await heard.ask(server, max_tokens=9)

    assert [request.get("max_completion_tokens") for request in scripted.requests] == [None, 9]


async def test_a_stream_of_several_completions_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="n=1"):
        OpenAIServer("m").stream(messages=MESSAGES, n=2)


# What comes of it

ANSWER = Scripted(text="It is 5.", reasoning="2 + 3", calls=[call("add", a=2, b=3), call("now")], chunk_size=3)


async def test_a_streamed_reply_is_the_one_in_one_piece(connect, heard) -> None:
    async with connect([ANSWER, ANSWER]) as (_, server):
        streamed = await heard.ask(server)
        ids = CountedIds()
        whole = await base.ask(server, {"messages": MESSAGES}, new_id=lambda: ids("call"), now=SystemClock().seconds)

    assert whole.raw is not None
    assert streamed.raw is not None
    assert {**streamed.raw, "id": ""} == {**whole.raw, "id": ""}
    alike = ("message", "text", "reasoning", "calls", "finish_reason", "usage", "model", "problems", "status")
    assert [getattr(streamed, name) for name in alike] == [getattr(whole, name) for name in alike]
    assert (streamed.request_id, streamed.partial, heard.partial) == ("req_1", False, None)


async def test_pieces_come_while_the_reply_forms_and_the_first_is_timed(connect, heard) -> None:
    async with connect([ANSWER]) as (_, server):
        reply = await heard.ask(server)

    assert heard.text == "It is 5."
    assert "".join(piece.text for piece in heard.pieces if piece.part == "reasoning") == "2 + 3"
    assert {(p.index, p.id, p.name) for p in heard.pieces if p.part == "call"} == {
        (0, "call_1", "add"),
        (1, "call_2", "now"),
    }
    assert reply.first_token_at is not None


async def test_the_object_streams_what_its_socket_streams(connect, heard) -> None:
    async with connect([ANSWER]) as (_, server):
        over_a_socket = await heard.ask(server)
    other = Heard()
    as_an_object = await other.ask(ScriptedServer([ANSWER], model="m"))

    assert (as_an_object.raw, other.pieces) == (over_a_socket.raw, heard.pieces)


def wire(line_end: str) -> bytes:
    """A stream with most that the standard allows."""
    chunks = [event({"role": "assistant", "content": "Hel"}, line_end), event({"content": "lo 😀"}, line_end)]
    comment = f": keep alive{line_end * 2}event: message{line_end}".encode()
    odd = f'data:{{"choices": [{{"delta":{line_end}data:{{"content": "!"}}}}]}}{line_end * 2}data: null{line_end * 2}'
    return comment + b"".join(chunks) + odd.encode() + event({}, line_end, finish_reason="stop")


@pytest.mark.parametrize("done", [b"", DONE, b"data:[DONE]\r\n\r\n", b"data: [DONE]"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("size", [1, 7, 10_000])
async def test_F12_a_stream_cut_anywhere_gives_the_message_of_one_chunk(
    line_end: str, size: int, done: bytes, connect, heard
) -> None:
    sent = wire(line_end) + done
    pieces = [sent[at : at + size] for at in range(0, len(sent), size)]
    async with connect([raw(*pieces)]) as (_, server):
        reply = await heard.ask(server)

    assert (reply.message, reply.finish_reason) == ({"role": "assistant", "content": "Hello 😀!"}, "stop")


@pytest.mark.parametrize(
    ("told", "pieces"),
    [
        ("no [DONE], but a finish_reason", [*HELLO, STOP]),
        ("[DONE], but no finish_reason", [*HELLO, DONE]),
        ("a finish_reason on the first chunk", [event({"content": "Hel"}, finish_reason="stop"), *HELLO[1:]]),
        ("something after [DONE]", [*HELLO, STOP, DONE, event({"content": "!"})]),
        ("a chunk with nothing but null", [b"data: null\n\n", *HELLO, STOP, DONE]),
        ("no blank line at the end", [*HELLO, STOP.rstrip()]),
    ],
)
async def test_a_stream_may_end_in_several_ways(told: str, pieces: Sequence[bytes], connect, heard) -> None:
    async with connect([raw(*pieces)]) as (_, server):
        assert (await heard.ask(server)).text == "Hello 😀"


async def test_a_stream_that_stays_open_after_done_is_not_waited_for(connect, heard) -> None:
    async with connect([raw(HELLO[0] + HELLO[1] + STOP + DONE, b": an hour later", chunk_delay=3600)]) as (_, server):
        assert (await asyncio.wait_for(heard.ask(server), 20)).text == "Hello 😀"


@pytest.mark.parametrize("headers", [EVENTS, {"content-type": "application/json"}])
async def test_a_server_that_ignores_stream_and_answers_in_one_piece_is_heard(headers: Any, connect, heard) -> None:
    body = {"id": "x", "object": "chat.completion", "choices": [{"index": 0, "message": {"content": "Hello"}}]}
    sent = json.dumps(body).encode()
    async with connect([Scripted(body=[sent[:20], sent[20:]], headers=headers)]) as (_, server):
        reply = await heard.ask(server)

    assert (reply.text, reply.raw, heard.text) == ("Hello", body, "Hello")


async def test_a_foreign_stream_may_give_the_openai_packages_chunks(heard) -> None:
    class Foreign:
        async def stream(self, **request: Any) -> AsyncIterator[Any]:
            head = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m"}
            for delta, end in (({"content": "Hel"}, None), ({"content": "lo", "reasoning": "hm"}, "stop")):
                choice = {"index": 0, "delta": delta, "finish_reason": end}
                yield ChatCompletionChunk.model_validate({**head, "choices": [choice]})

        async def chat_completion(self, **request: Any) -> Any:
            raise AssertionError("it can stream")

    reply = await heard.ask(Foreign())

    assert (reply.text, reply.reasoning, reply.model, heard.text) == ("Hello", "hm", "m", "Hello")


async def test_a_foreign_stream_may_have_to_be_awaited_and_give_plain_objects(heard) -> None:
    async def chunks() -> AsyncIterator[Any]:
        delta = SimpleNamespace(role="assistant", content="Hello")
        yield SimpleNamespace(choices=[SimpleNamespace(index=0, delta=delta, finish_reason="stop")], id="x")

    async def stream(**request: Any) -> Any:
        return chunks()

    assert (await heard.ask(SimpleNamespace(stream=stream, chat_completion=None))).text == "Hello"


async def test_a_server_that_cannot_stream_is_asked_for_one_piece(heard) -> None:
    class Plain:
        async def chat_completion(self, **request: Any) -> Any:
            return {"choices": [{"message": {"content": "Hello"}}]}

    assert ((await heard.ask(Plain())).text, heard.pieces) == ("Hello", [])


# What goes wrong


async def failed(heard: Heard, server: Any, **request: Any) -> Any:
    with pytest.raises(ServerError) as caught:
        await heard.ask(server, **request)
    return caught.value.error


@pytest.mark.parametrize(
    ("body", "kind", "told"),
    [
        (b"<html>Log in</html>", "NotJSON", "not a JSON object"),
        (b"upstream connect error", "NotJSON", "not a JSON object"),
        (b"", "NotJSON", "empty"),
        (b'{"choices": [{', "NotJSON", "not a JSON object"),
        (b'{"error": {"message": "no provider"}}', "APIStatusError", "no provider"),
        (b'{"choices": []}', "NoReply", "no choices"),
        (b"data: {oh\n\n", "NotJSON", "not a JSON object"),
        (b"data: [1]\n\n", "NotJSON", "not a JSON object"),
        (b": a comment\n\n", "StreamCut", "cut before"),
        (DONE, "NoReply", "empty"),
    ],
)
async def test_F13_a_200_that_is_no_stream_is_a_typed_error(body: bytes, kind: str, told: str, connect, heard) -> None:
    async with connect([Scripted(body=[body], headers=EVENTS)]) as (_, server):
        error = await failed(heard, server)

    assert (error.type, error.status, error.request_id, heard.pieces) == (kind, 200, "req_1", [])
    assert told in error.message


ERROR = {"message": "the engine died", "code": "engine_dead", "type": "server_error"}


@pytest.mark.parametrize(
    "reported",
    [
        b"event: error\ndata: " + json.dumps({"error": ERROR}).encode() + b"\n\n",
        b"event: error\ndata: " + json.dumps(ERROR).encode() + b"\n\n",
        b"data: " + json.dumps({"error": ERROR}).encode() + b"\n\n",
        event({"content": ""}, finish_reason="error", error=ERROR),
        b"data: "
        + json.dumps({"error": ERROR, "choices": [{"delta": {}, "finish_reason": "error"}]}).encode()
        + b"\n\n",
    ],
)
async def test_an_error_inside_a_stream_is_the_servers_error_and_what_came_is_kept(
    reported: bytes, connect, heard
) -> None:
    async with connect([raw(*HELLO, reported, DONE), "again"]) as (scripted, server):
        error = await failed(heard, server)

    assert (error.code, error.status, "the engine died" in error.message) == ("engine_dead", 200, True)
    assert (heard.partial.text, heard.partial.partial, len(scripted.requests)) == ("Hello 😀", True, 1)


async def test_an_error_in_a_foreign_stream_is_the_servers_error(heard) -> None:
    class Foreign:
        async def stream(self, **request: Any) -> AsyncIterator[Any]:
            yield {"choices": [{"delta": {"content": "Hel"}}]}
            yield {"error": ERROR}

        async def chat_completion(self, **request: Any) -> Any: ...

    error = await failed(heard, Foreign())

    assert (error.code, heard.partial.text) == ("engine_dead", "Hel")


async def test_a_foreign_stream_that_raises_is_named(heard) -> None:
    class Foreign:
        async def stream(self, **request: Any) -> AsyncIterator[Any]:
            yield {"choices": [{"delta": {"content": "Hel"}}]}
            raise ConnectionResetError("gone")

        async def chat_completion(self, **request: Any) -> Any: ...

    error = await failed(heard, Foreign())

    assert (error.type, heard.partial.text) == ("ConnectionResetError", "Hel")


async def test_F10_a_stream_that_stalls_ends_after_its_idle_time(connect, heard) -> None:
    script = [raw(HELLO[0], HELLO[1], chunk_delay=3600), "again"]
    async with connect(script, stream_idle_timeout=0.1) as (scripted, server):
        error = await asyncio.wait_for(failed(heard, server), 20)

    assert (error.type, error.status, error.request_id) == ("StreamStalled", 200, "req_1")
    assert "0.1 s" in error.message
    assert "stream_idle_timeout" in error.hint
    assert (heard.partial.text, len(scripted.requests)) == ("Hel", 1)


async def test_F10_a_slow_stream_is_no_stall_and_neither_is_a_late_start(connect, heard) -> None:
    slow = raw(*HELLO, b": still here\n\n", b": still here\n\n", STOP, chunk_delay=0.3, delay=1.5)
    async with connect([slow], stream_idle_timeout=1.0) as (_, server):
        assert (await heard.ask(server)).text == "Hello 😀"


async def test_F10_a_stall_after_the_reply_was_whole_loses_nothing(connect, heard) -> None:
    async with connect([raw(HELLO[0] + HELLO[1] + STOP, DONE, chunk_delay=3600)], stream_idle_timeout=0.1) as (
        _,
        server,
    ):
        reply = await asyncio.wait_for(heard.ask(server), 20)

    assert (reply.text, reply.partial) == ("Hello 😀", False)
    assert "after the reply was whole" in reply.problems[0]


HALF = [event({"content": "I'll add"}), event({"tool_calls": [{"index": 0, "id": "c1", "function": {"name": "add"}}]}),
        event({"tool_calls": [{"index": 0, "function": {"arguments": '{"a": 2}'}}]})]  # fmt: skip


@pytest.mark.parametrize("broken", [False, True])
async def test_F11_a_cut_stream_is_kept_as_partial_without_its_calls(broken: bool, connect, heard) -> None:
    script = [raw(*HALF, STOP, cut_at=sum(map(len, HALF)) + 5) if broken else raw(*HALF), "again"]
    async with connect(script) as (scripted, server):
        error = await failed(heard, server)

    assert (error.type, error.status, error.request_id) == ("StreamCut", 200, "req_1")
    partial = heard.partial
    assert (partial.text, partial.calls, partial.partial) == ("I'll add", (), True)
    assert partial.message == {"role": "assistant", "content": "I'll add"}
    assert partial.problems[-1] == "call 0 (add): not run, the reply was cut short"
    assert partial.raw["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"] == '{"a": 2}'
    assert len(scripted.requests) == 1


async def test_F11_a_connection_that_breaks_after_the_reply_was_whole_loses_nothing(connect, heard) -> None:
    async with connect([raw(*HELLO, STOP, DONE, cut_at=sum(map(len, [*HELLO, STOP])) + 3)]) as (_, server):
        reply = await heard.ask(server)

    assert (reply.text, reply.partial) == ("Hello 😀", False)
    assert "after the reply was whole" in reply.problems[0]


async def test_what_was_cut_before_it_said_anything_is_not_partial(connect, heard) -> None:
    async with connect([raw(event({"role": "assistant", "content": ""}))]) as (_, server):
        error = await failed(heard, server)

    assert (error.type, heard.partial) == ("StreamCut", None)


async def test_a_stopped_stream_hands_over_what_had_come(connect, heard) -> None:
    async with connect([raw(*HELLO, chunk_delay=3600)]) as (_, server):
        asking = asyncio.ensure_future(heard.ask(server))
        await heard.begun.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking

    assert (heard.partial.text, heard.partial.partial) == ("Hel", True)


async def test_a_stream_that_is_left_early_lets_go_of_its_connection(connect) -> None:
    limits = connection.http().Limits(max_connections=1)
    async with (
        connect(["x" * 4000, "Hello"]) as (_, server),
        openai.AsyncOpenAI(
            base_url=server.base_url, api_key="none", http_client=openai.DefaultAsyncHttpxClient(limits=limits)
        ) as client,
    ):
        narrow = OpenAIServer("m", client=client)
        stream = narrow.stream(messages=MESSAGES)
        async for _ in stream:
            break
        await stream.aclose()

        assert (await asyncio.wait_for(narrow.ask("Hi"), 20)).text == "Hello"
        assert (stream.status, stream.request_id, repr(stream)) == (200, "req_1", "Stream(going on)")
