"""A chat completions server that costs next to nothing, in a process of its own.

It reads no JSON. The script stands in the prompt (`turns=20 calls=8 wait=0ms`), and how far a loop has come is the
number of assistant messages in the request. Every turn but the last calls `add` and `echo` by turns; the last says that
the work is done, or calls `final_answer` where the request offers such a tool. With `chunks=150` in the prompt the
answer is text, streamed in so many chunks. `GET /requests` gives the number of completions so far.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

PLAN = re.compile(rb"turns=(\d+) calls=(\d+) wait=(\d+)ms(?: chunks=(\d+))?")
ASSISTANT = re.compile(rb'"role": ?"assistant"')
LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
DONE = "Every tool answered, the sums came out as they should, and the work is done."


@contextmanager
def stub_server() -> Iterator[str]:
    """The address of a stub server that runs until the block ends, or this process does."""
    server = subprocess.Popen([sys.executable, "-m", "benchmarks.stub"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert server.stdin is not None
    assert server.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(server.stdout.readline())}"
    finally:
        server.stdin.close()
        server.wait(10)
        server.stdout.close()


@cache
def completion(turn: int, turns: int, calls: int, answers_by_tool: bool) -> bytes:
    """The whole HTTP response of this turn."""
    message: dict[str, object] = {"role": "assistant", "content": None, "refusal": None}
    if turn < turns:
        message["tool_calls"] = [_call(turn, index) for index in range(calls)]
    elif answers_by_tool:
        message["tool_calls"] = [_wire(f"call_{turn}", "final_answer", {"answer": DONE})]
    else:
        message["content"] = DONE
    choice = {
        "index": 0,
        "message": message,
        "logprobs": None,
        "finish_reason": "tool_calls" if "tool_calls" in message else "stop",
    }
    usage = {"prompt_tokens": 100 * turn, "completion_tokens": 20, "total_tokens": 100 * turn + 20}
    body = {"id": f"chatcmpl-{turn}", "object": "chat.completion", "created": 1_790_000_000, "model": "stub"}
    return _response({**body, "choices": [choice], "usage": usage})


def _call(turn: int, index: int) -> dict[str, object]:
    identity = f"call_{turn:04}_{index:02}_abcdefghijkl"
    if (turn + index) % 2:
        return _wire(identity, "add", {"a": turn, "b": index})
    return _wire(identity, "echo", {"text": "a sentence of ten words that a model might well repeat"})


def _wire(identity: str, name: str, arguments: dict[str, object]) -> dict[str, object]:
    return {"id": identity, "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}


@cache
def stream(chunks: int) -> bytes:
    """The whole HTTP response of an answer that is streamed, each event in a chunk of HTTP's own; written at once."""
    deltas = [({"content": " word"}, None)] * (chunks - 2)
    whole = [({"role": "assistant", "content": ""}, None), *deltas, ({}, "stop")]
    events = [b"data: " + json.dumps(_chunk(delta, ending)).encode() + b"\n\n" for delta, ending in whole]
    written = [b"%x\r\n%s\r\n" % (len(event), event) for event in [*events, b"data: [DONE]\n\n"]]
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n"
    return b"".join([head, b"x-request-id: req_stub\r\n\r\n", *written, b"0\r\n\r\n"])


def _chunk(delta: dict[str, str], ending: str | None) -> dict[str, object]:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": ending}
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_790_000_000, "model": "stub"}
    return {**head, "system_fingerprint": "fp_stub", "choices": [choice], "usage": None}


def _response(value: object) -> bytes:
    body = json.dumps(value).encode()
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\nx-request-id: req_stub"
    return head.encode() + b"\r\n\r\n" + body


class Connection(asyncio.Protocol):
    """One client's connection: HTTP/1.1, kept alive."""

    requests = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._received = bytearray()
        self._body_from = self._ends = 0

    def data_received(self, data: bytes) -> None:
        self._received += data
        while self._complete():
            body = bytes(self._received[self._body_from : self._ends])
            del self._received[: self._ends]
            self._ends = 0
            self._answer(body)

    def _complete(self) -> bool:
        if not self._ends:
            head = self._received.find(b"\r\n\r\n")
            if head < 0:
                return False
            length = LENGTH.search(self._received, 0, head)
            self._body_from = head + 4
            self._ends = self._body_from + (int(length[1]) if length else 0)
        return len(self._received) >= self._ends

    def _answer(self, body: bytes) -> None:
        if not body:
            self._transport.write(_response(Connection.requests))
            return
        Connection.requests += 1
        plan = PLAN.search(body)
        if plan is None:
            self._transport.write(b"HTTP/1.1 400 no plan in the prompt\r\ncontent-length: 0\r\n\r\n")
            return
        turns, calls, wait_ms, chunks = (int(number or 0) for number in plan.groups())
        if chunks:
            self._transport.write(stream(chunks))
            return
        turn = 1 + len(ASSISTANT.findall(body))
        response = completion(turn, turns, calls, turn >= turns and b'"final_answer"' in body)
        if wait_ms:
            asyncio.get_running_loop().call_later(wait_ms / 1000, self._transport.write, response)
        else:
            self._transport.write(response)


async def serve() -> None:
    """Say which port it is, then serve until the standard input is closed."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Connection, "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve())
