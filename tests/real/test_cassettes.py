"""What other clients recorded of many providers, converted into cassettes and played; and our own recordings of it."""

from __future__ import annotations

from pathlib import Path

from hermes_nb import HermesAgentLoop
from hermes_nb.events import Delta, Event
from hermes_nb.records import AgentResult
from hermes_nb.servers.assemble import Piece
from hermes_nb.servers.cassette import Cassette
from tests.real import recordings
from tests.real.cassettes import NOT_RUN, answer_of, as_cassette, is_playable
from tests.real.recordings import Exchange
from tests.real.replay import play, runs
from tests.servers.cassettes import without_marks


async def played(
    path: Path, name: str, exchange: Exchange, *, stream: bool = False, max_turns: int = 1
) -> tuple[AgentResult, list[Event]]:
    """The exchange as a run that only the cassette answers."""
    events: list[Event] = []
    loop = HermesAgentLoop(None, cassette=Cassette(path, mode="replay"), max_turns=max_turns)
    how = {"task": name, "attempt": exchange.number, "stream": stream, "on_event": events.append}
    return await loop.run(exchange.messages, **how), events


async def test_every_recorded_exchange_plays_as_a_cassette(wire: Path, tmp_path: Path) -> None:
    exchanges = [one for one in recordings.read(wire) if is_playable(one)]
    path = await as_cassette(tmp_path / "x.jsonl", wire.stem, exchanges)
    for one in exchanges:
        came = await answer_of(one)
        result, _ = await played(path, wire.stem, one)
        [turn] = result.turns
        assert result.error == came.error
        assert turn.reply == (came.reply if came.error is None else None)
        assert {answer.content for answer in turn.results} <= {NOT_RUN}


async def test_every_recorded_stream_is_played_in_its_pieces(wire: Path, tmp_path: Path) -> None:
    exchanges = [one for one in recordings.read(wire) if is_playable(one)]
    path = await as_cassette(tmp_path / "x.jsonl", wire.stem, exchanges)
    for one in exchanges:
        came = await answer_of(one)
        result, events = await played(path, wire.stem, one, stream=True)
        heard = [event for event in events if isinstance(event, Delta)]
        [turn] = result.turns
        assert result.error == came.error
        assert turn.reply == came.reply
        if one.request.get("stream"):
            assert [Piece(one.part, one.text, one.index, one.id, one.name) for one in heard] == came.pieces
        elif came.reply is not None:
            assert "".join(one.text for one in heard if one.part == "text") == came.reply.text


async def test_a_recorded_tool_loop_that_we_recorded_is_played_without_the_provider(
    recording: Path, tmp_path: Path
) -> None:
    for number, chain in enumerate(recordings.tool_loops(recordings.read(recording))):
        path = tmp_path / f"{number}.jsonl"
        recorded = await play(chain, cassette=Cassette(path, mode="record"))
        again = [result async for result in runs(chain, None, cassette=Cassette(path, mode="replay"))]
        assert [without_marks(result) for result in again] == [without_marks(result) for result in recorded.results]


async def test_an_exchange_whose_conversation_differs_is_a_miss(recording: Path, tmp_path: Path) -> None:
    exchange = recordings.tool_loops(recordings.read(recording))[0][-1]
    path = await as_cassette(tmp_path / "x.jsonl", recording.stem, [exchange])
    asked = [*exchange.messages[:-1], {**exchange.messages[-1], "content": "something else"}]
    loop = HermesAgentLoop(None, cassette=Cassette(path))
    result = await loop.run(asked, task=recording.stem, attempt=exchange.number)

    assert result.error is not None
    assert result.error.type == "CassetteMiss"
    assert f"message {len(asked)} ({asked[-1]['role']}) differs" in result.error.message
