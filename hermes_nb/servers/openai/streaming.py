"""A streamed completion through the openai package's client: its auth, retries and timeouts, and bytes to read."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from hermes_nb import failures
from hermes_nb.exceptions import ServerError
from hermes_nb.records import RunError
from hermes_nb.servers import base, sse
from hermes_nb.servers.openai import connection
from hermes_nb.servers.streams import Stream

if TYPE_CHECKING:
    from openai import AsyncOpenAI

WITH_USAGE = {"include_usage": True}
REFUSED = re.compile("stream_options|include_usage")


def streamed(body: dict[str, Any], *, counted: bool) -> dict[str, Any]:
    """The body of a request that asks for a stream, and, where it is `counted`, for usage at its end."""
    options = {"stream_options": WITH_USAGE} if counted else {}
    return {**options, **body, "stream": True}


def refuses_options(body: dict[str, Any], error: RunError) -> bool:
    """Whether the server refused our wish for usage by name; it is asked again without."""
    told = f"{error.message} {error.body}"
    return body.get("stream_options") is WITH_USAGE and error.status in (400, 422) and bool(REFUSED.search(told))


async def begin(client: AsyncOpenAI, path: str, body: dict[str, Any], server: Any) -> Any:
    """The response to a streamed request, none of its body read yet; retries are the client's, up to here.

    Raises:
        ServerError: the server refused, or could not be reached.
    """
    import openai

    try:
        return await client.post(
            path, cast_to=connection.http().Response, stream=True, stream_cls=openai.AsyncStream[Any],
            **connection.payload(client, body),
        )  # fmt: skip
    except openai.OpenAIError as error:
        raise ServerError(failures.named(error, base.place_of(server))) from error


def chunks(
    response: Any, stream: Stream, *, server: Any, idle: float | None, asked: int
) -> AsyncGenerator[dict[str, Any], None]:
    """The chunks in the response; `asked` is how many requests were refused before this one.

    Raises:
        ServerError: as `sse.chunks`, or the connection broke.
    """
    stream.status = response.status_code
    stream.request_id = failures.request_id(response.headers)
    stream.retries = asked + failures.retries_of(response.request)
    came = {"headers": response.headers, "status": stream.status, "retries": stream.retries}
    return sse.chunks(_received(response, stream, server), stream, came=came, server=server, idle=idle)


async def _received(response: Any, stream: Stream, server: Any) -> AsyncGenerator[bytes, None]:
    """The pieces of the body, whatever the network made of them."""
    try:
        async with aclosing(response.aiter_bytes()) as pieces:
            async for piece in pieces:
                yield piece
    except connection.http().RequestError as error:
        raise ServerError(failures.cut(base.place_of(server), error, **stream.travel)) from error
