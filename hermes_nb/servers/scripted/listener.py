"""HTTP/1.1 on a local socket, as much of it as a scripted server needs: keep-alive, and bodies of both kinds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus

from hermes_nb.servers.scripted.wire import Answer

HOST = "127.0.0.1"
LONGEST_HEAD = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A request as it came; the names of the headers are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


Respond = Callable[[Received], Awaitable[Answer]]


@asynccontextmanager
async def listen(respond: Respond) -> AsyncIterator[str]:
    """Listen on a free port of this machine, and give the address. At the end every connection is closed."""
    connections: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        try:
            await _converse(reader, writer, respond)
        except asyncio.CancelledError:
            pass  # Only `listen` knows this task, so only its end cancels it.
        finally:
            connections.discard(task)
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    server = await asyncio.start_server(connected, HOST, 0, limit=LONGEST_HEAD)
    try:
        yield f"http://{HOST}:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
        await server.wait_closed()


async def _converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, respond: Respond) -> None:
    """Answer the requests of one connection, until either side closes it."""
    with suppress(ConnectionError, asyncio.IncompleteReadError):
        while received := await _read(reader):
            last = received.headers.get("connection", "").lower() == "close"
            if not await _send(writer, await respond(received), last=last) or last:
                return


async def _read(reader: asyncio.StreamReader) -> Received | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return None  # The client hung up between two requests, or is no HTTP client.
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines if line)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    method, _, rest = first.partition(" ")
    path = rest.partition(" ")[0]
    return Received(method=method, path=path, headers=headers, body=await _read_body(reader, headers))


async def _read_body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() != "chunked":
        return await reader.readexactly(int(headers.get("content-length", 0)))
    parts = []
    while size := int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16):
        parts.append(await reader.readexactly(size))
        await reader.readexactly(2)
    while await reader.readuntil(b"\r\n") != b"\r\n":
        pass  # Trailers, which mean nothing here.
    return b"".join(parts)


async def _send(writer: asyncio.StreamWriter, answer: Answer, *, last: bool) -> bool:
    """Send the answer; whether the connection is good for another request."""
    await asyncio.sleep(answer.delay)
    writer.write(_head(answer, last))
    for place, piece in enumerate(answer.pieces):
        await asyncio.sleep(answer.chunk_delay if place else 0)
        writer.write(piece if answer.length is not None else b"%x\r\n%s\r\n" % (len(piece), piece))
        await writer.drain()
    if answer.cut:
        return False
    if answer.length is None:
        writer.write(b"0\r\n\r\n")
    await writer.drain()
    return True


def _head(answer: Answer, last: bool) -> bytes:
    known = {status.value: status.phrase for status in HTTPStatus}
    framing = ("transfer-encoding", "chunked") if answer.length is None else ("content-length", str(answer.length))
    headers = dict([framing, ("connection", "close" if last else "keep-alive"), *answer.headers.items()])
    first = f"HTTP/1.1 {answer.status} {known.get(answer.status, 'Status')}"
    lines = [first, *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
