"""Recordings of other clients as journals of ours: a converter, so that what they recorded can be played."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hermes_nb import endings
from hermes_nb.clocks import CountedIds
from hermes_nb.events import CallFinished, Delta, Event, Replied, RunFinished, RunStarted, TurnFinished, TurnStarted
from hermes_nb.exceptions import ServerError
from hermes_nb.journal import Journal
from hermes_nb.records import Reply, RunError, ToolResult
from hermes_nb.servers import Scripted, ScriptedServer, base
from hermes_nb.servers.assemble import Piece
from hermes_nb.servers.streams import Listener
from tests.real.recordings import Exchange

NOT_RUN = "(nobody ran it)"


@dataclass(frozen=True, kw_only=True)
class Came:
    """What came of a recorded answer: a Reply, an error, or a reply that was cut short and the error that cut it; and
    the pieces it came in, where it was streamed."""

    reply: Reply | None = None
    error: RunError | None = None
    pieces: Sequence[Piece] = ()


async def as_cassette(path: Path, name: str, exchanges: list[Exchange]) -> Path:
    """A journal with a run of one turn for every exchange: `name` is its task, the exchange's number its attempt."""
    with Journal(path, deltas=True) as kept:
        for one in exchanges:
            async for event in events_of(name, one):
                kept.write(event)
    return path


def is_playable(exchange: Exchange) -> bool:
    """Whether the exchange asks for a completion of a conversation."""
    roles = [message.get("role") for message in exchange.messages]
    return bool(roles) and all(isinstance(role, str) for role in roles)


async def events_of(name: str, exchange: Exchange) -> AsyncIterator[Event]:
    """The events of a run that consists of this exchange."""
    came = await answer_of(exchange)
    calls = came.reply.calls if came.reply else ()
    run: dict[str, Any] = {"run_id": f"{name} {exchange.number}"}
    seq = itertools.count(2)
    yield RunStarted(**run, seq=0, task=name, attempt=exchange.number, messages=tuple(exchange.messages))
    yield TurnStarted(**run, seq=1, turn=1)
    for one in came.pieces:
        told = {"part": one.part, "index": one.index, "id": one.id, "name": one.name, "text": one.text}
        yield Delta(**run, seq=2, turn=1, **told)
    if came.reply is not None:
        yield Replied(**run, seq=next(seq), turn=1, reply=came.reply)
    for call in calls:
        yield CallFinished(**run, seq=next(seq), turn=1, result=ToolResult(call=call, content=NOT_RUN))
    yield TurnFinished(**run, seq=next(seq), turn=1)
    ending = endings.of_failure(came.error)[0] if came.error else "max_turns" if calls else "finished"
    yield RunFinished(**run, seq=next(seq), stop_reason=ending, error=came.error)


async def answer_of(exchange: Exchange) -> Came:
    """What the library reads in the recorded answer."""
    pieces: list[Piece] = []
    partial: list[Reply] = []
    server = ScriptedServer([Scripted(body=exchange.body, status=exchange.status, headers=exchange.headers)])
    listener = Listener(piece=pieces.append, partial=partial.append)
    ids, calls = CountedIds(), [call for one in exchange.messages for call in one.get("tool_calls") or ()]
    try:
        reply = await base.ask(
            server, {"messages": exchange.messages}, turn=1, taken={call["id"] for call in calls if call.get("id")},
            new_id=lambda: ids("call"), now=lambda: 0.0, listener=listener if exchange.request.get("stream") else None,
        )  # fmt: skip
    except ServerError as failure:
        return Came(reply=partial[0] if partial else None, error=failure.error, pieces=pieces)
    return Came(reply=reply, pieces=pieces)
