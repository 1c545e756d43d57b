"""Recorded streams of other clients, sent again over a socket: the provider's message comes back field by field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hermes_nb.clocks import CountedIds, SystemClock
from hermes_nb.exceptions import ServerError
from hermes_nb.records import Reply
from hermes_nb.servers import OpenAIServer, Scripted, ScriptedServer, base
from hermes_nb.servers.assemble import Piece
from hermes_nb.servers.streams import Listener

SIZES = (1, 997)
"""Bytes in a piece: a body is sent in pieces of each, but for long ones, which are sent in 300 pieces."""


def sent_in(recorded: str) -> list[dict[str, Any]]:
    """The chunks in a recorded stream, read line by line and by nothing of ours."""
    lines = [line for line in recorded.replace("\r\n", "\n").split("\n") if line.startswith("data:")]
    data = [line.removeprefix("data:").strip() for line in lines]
    return [json.loads(one) for one in data if one and one != "[DONE]"]


class Merge:
    """A stream put together the plainest way: what the chunks say of each place, listed; nothing of ours is used."""

    def __init__(self, chunks: list[dict[str, Any]]) -> None:
        self.choices = [one for chunk in chunks for one in chunk.get("choices") or () if one["index"] == 0]
        self.deltas = [one["delta"] for one in self.choices if one.get("delta")]
        self.calls: dict[Any, list[dict[str, Any]]] = {}
        for delta in self.deltas:
            for entry in delta.get("tool_calls") or ():
                self.calls.setdefault(entry.get("index", entry.get("id")), []).append(entry)

    def told(self, name: str) -> list[Any]:
        return [delta[name] for delta in self.deltas if delta.get(name) is not None]

    def fields(self) -> set[str]:
        return {name for delta in self.deltas for name in delta} - {"tool_calls"}


def said_last(dicts: list[dict[str, Any]]) -> dict[str, Any]:
    """The last word on every field, those within fields too; lists are whole words."""
    merged: dict[str, Any] = {}
    for one in dicts:
        for name, value in one.items():
            if isinstance(value, dict) and isinstance(merged.get(name), dict):
                merged[name] = said_last([merged[name], value])
            elif value not in (None, "") or name not in merged:
                merged[name] = value
    return merged


def check_message(message: dict[str, Any], merge: Merge) -> None:
    """Every field of every delta is in the message, and the message holds nothing else."""
    assert set(message) - {"tool_calls"} == merge.fields() | {"role", "content"}
    for name in merge.fields():
        values = merge.told(name)
        if name in ("role", "channel"):
            assert {message[name]} == set(values)
        elif all(isinstance(value, str) for value in values):
            assert (message[name] or "") == "".join(values)
        else:
            assert texts(message[name]) == sum_of_texts(values), name
            assert leaves(message[name]) == {leaf for value in values for leaf in leaves(value)}
    assert len(message.get("tool_calls", ())) == len(merge.calls)
    for call, entries in zip(message.get("tool_calls", ()), merge.calls.values(), strict=True):
        check_call(call, entries)


def check_call(call: dict[str, Any], entries: list[dict[str, Any]]) -> None:
    functions = [entry["function"] for entry in entries]
    names = list(dict.fromkeys(one["name"] for one in functions if one.get("name")))
    texts = [one.get("arguments") for one in functions]
    arguments = "".join(text for text in texts if text is not None) if any(text is not None for text in texts) else None
    assert call["function"] == {"name": names[0], "arguments": arguments}
    assert len(names) == 1
    rest = {
        name: value for entry in entries for name, value in entry.items() if value and name not in ("index", "function")
    }
    assert {name: value for name, value in call.items() if name != "function"} == rest


def texts(value: Any) -> str:
    """All text in a list of items, in order."""
    items = value if isinstance(value, list) else [value]
    return "".join(item.get("text") or "" for item in items if isinstance(item, dict))


def sum_of_texts(values: list[Any]) -> str:
    return "".join(texts(value) for value in values)


def leaves(value: Any, path: str = "") -> set[tuple[str, str]]:
    """What is at the ends of a value, but for the text that grows, by the names on the way to it."""
    if isinstance(value, dict):
        return {leaf for name, item in value.items() if name != "text" for leaf in leaves(item, f"{path}.{name}")}
    if isinstance(value, list):
        return {leaf for item in value for leaf in leaves(item, path)}
    return {(path, json.dumps(value))}


async def heard(body: bytes, headers: dict[str, str], size: int) -> tuple[Reply, list[Piece]]:
    """The Reply of a server that streams this body in pieces of `size` bytes."""
    pieces: list[Piece] = []
    limit = max(size, len(body) // 300)
    cut = [body[at : at + limit] for at in range(0, len(body), limit)]
    async with ScriptedServer([Scripted(body=cut, headers=headers)]).serve() as base_url:
        server = OpenAIServer("m", base_url=base_url, api_key="none", max_retries=0)
        ids = CountedIds()
        try:
            reply = await base.ask(
                server, {"messages": [{"role": "user", "content": "?"}]}, new_id=lambda: ids("call"),
                now=SystemClock().seconds, listener=Listener(piece=pieces.append, partial=lambda _: None),
            )  # fmt: skip
        finally:
            await server.close()
    return reply, pieces


async def check(recorded: str, headers: dict[str, str], size: int) -> None:
    """Send the stream, and hold what came of it against what was recorded."""
    chunks = sent_in(recorded)
    reply, pieces = await heard(recorded.encode(), headers, size)
    assert reply.raw is not None
    [choice], merge = reply.raw["choices"], Merge(chunks)
    check_message(choice["message"], merge)
    fields = [{name: value for name, value in one.items() if name != "delta"} for one in merge.choices]
    assert {name: value for name, value in choice.items() if name != "message"} == {"finish_reason": None} | said_last(
        fields
    )
    body = said_last([{name: value for name, value in one.items() if name != "choices"} for one in chunks])
    assert {name: value for name, value in reply.raw.items() if name != "choices"} == body | (
        {"object": "chat.completion"} if "object" in body else {}
    )
    assert reply.text == "".join(piece.text for piece in pieces if piece.part == "text")
    assert (reply.reasoning or "") == "".join(piece.text for piece in pieces if piece.part == "reasoning")
    assert "".join(call.arguments for call in reply.calls) == "".join(
        "".join(part["function"].get("arguments") or "" for part in parts) or "{}" for parts in merge.calls.values()
    )


def streams(recording: Path) -> list[tuple[str, dict[str, str]]]:
    """The streams in a recording, each with its headers."""
    answers = [one["response"] for one in json.loads(recording.read_text(encoding="utf-8"))["exchanges"]]
    return [(one["sse"], one.get("headers") or {}) for one in answers if "sse" in one]


@pytest.mark.parametrize("size", SIZES)
async def test_every_recorded_stream_gives_the_providers_message(stream: Path, size: int) -> None:
    for recorded, headers in streams(stream):
        if any(chunk.get("error") for chunk in sent_in(recorded)):
            continue
        await check(recorded, headers, size)


async def test_a_recorded_error_in_a_stream_is_the_servers_error(real: Path) -> None:
    failed = [
        (recorded, headers)
        for path in sorted((real / "wire").glob("*.json"))
        for recorded, headers in streams(path)
        if any(chunk.get("error") for chunk in sent_in(recorded))
    ]
    assert failed
    for recorded, headers in failed:
        [error] = [chunk["error"] for chunk in sent_in(recorded) if chunk.get("error")]
        with pytest.raises(ServerError) as caught:
            await heard(recorded.encode(), headers, 100)
        assert (caught.value.error.code, error["message"] in caught.value.error.message) == (error["code"], True)


@pytest.mark.parametrize("size", SIZES)
async def test_every_chunk_fixture_gives_the_providers_message(real: Path, size: int) -> None:
    fixtures = sorted((real / "wire_fixtures").glob("*.chunks.txt"))
    assert fixtures
    for path in fixtures:
        lines = path.read_text(encoding="utf-8").splitlines()
        recorded = "".join(f"data: {line}\n\n" for line in lines if line.strip()) + "data: [DONE]\n\n"
        await check(recorded, {"content-type": "text/event-stream"}, size)


async def test_the_merge_that_streams_are_held_against_is_not_blind() -> None:
    chunks = [{"choices": [{"index": 0, "delta": {"content": "a", "odd": {"x": 1}}}]}]
    for wrong in ({"content": "a"}, {"content": "", "odd": {"x": 1}}, {"content": "a", "odd": {"x": 2}}):
        with pytest.raises(AssertionError):
            check_message({"role": "assistant", **wrong}, Merge(chunks))
    check_message({"role": "assistant", "content": "a", "odd": {"x": 1}}, Merge(chunks))
