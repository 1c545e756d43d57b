"""Random journals: runs of every kind, interleaved, crashed, torn, and with what only a newer version knows."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from hermes_nb.events import (
    CallFinished,
    CallStarted,
    Event,
    Replied,
    RunFinished,
    RunStarted,
    TurnFinished,
    TurnStarted,
)
from hermes_nb.journal import Journal
from hermes_nb.records import Origin, Reply, RunError, ToolCall, ToolError, ToolResult, Usage
from hermes_nb.redact import Redactor

SECRET = "sk-proj-abcdefghijklmnopqrstuvwxyz0123456789ABCD"
WORDS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ["", "=1+1", "größer", "'x", "\ud800", ',"raw":{"a":1}}', SECRET, "<think>hm</think>yes", "a\r\nb"]
    ),
)
NAMES = st.sampled_from(["add", "read", ""])
ARGUMENTS = st.sampled_from(
    ["{}", '{"a": 1}', '{"a":1}', '{"b":2,"a":1}', '{"a"', "[1]", "null", '{"n":12345678901234567890123}']
)
SECONDS = st.sampled_from([0.0, 0.25, 1.5])
PARTS = st.sampled_from(
    [None, ({"type": "image_url", "image_url": {"url": "data:,"}},), ({"type": "text", "text": "t"},)]
)
CONTENT = st.one_of(
    WORDS, st.none(), st.sampled_from([[], [{"type": "text", "text": "a"}, {"raw": {"type": "x"}}, "b"]])
)
MESSAGES = st.one_of(
    st.builds(lambda content: {"role": "user", "content": content}, CONTENT),
    st.builds(lambda name, content: {"role": "system", "name": name, "content": content}, WORDS, CONTENT),
    st.just({"role": "assistant", "content": None, "tool_calls": [{"id": "c", "function": {"name": "add"}}]}),
    st.just({"role": "tool", "tool_call_id": "c", "content": "3"}),
    st.just({"role": "assistant", "content": "x", "reasoning_content": "why"}),
)
USAGES = st.builds(
    Usage, prompt=st.sampled_from([None, 0, 7]), total=st.sampled_from([None, 9]), cost=st.sampled_from([None, 0.5])
)
RAWS = st.sampled_from([
    None, {}, {"id": "x", "usage": {"prompt_tokens": 7}}, {"choices": [{"logprobs": {"content": [
        {"token": "a", "logprob": -0.5}, {"token": "\ud800", "logprob": None}, 7]}}]}, {"usage": {"prompt": 1}},
])  # fmt: skip
STARTS = st.sampled_from(["", "2026-01-01T00:00:00+00:00", "2026-01-01T02:00:00.5+02:00"])
METAS = st.dictionaries(st.sampled_from(["k", "=x"]), st.sampled_from([1, True, 0.5, "a", None, [1], 2**70]))
ORIGINS = st.sampled_from([
    None, Origin(kind="follow_up", run_id="q", turn=1), Origin(kind="resume", run_id="q", messages=1, edit="mended"),
    Origin(kind="import"), Origin(kind="fork", run_id="q", turn=2, call_index=1, messages=9),
])  # fmt: skip


@st.composite
def calls(draw: st.DrawFn, turn: int) -> tuple[ToolCall, ...]:
    return tuple(
        ToolCall(
            name=draw(NAMES), arguments=draw(ARGUMENTS), id=f"c{turn}{index}", turn=turn, index=index,
            sent_id=draw(st.sampled_from([None, "theirs"])),
        )
        for index in range(draw(st.integers(0, 3)))
    )  # fmt: skip


@st.composite
def results(draw: st.DrawFn, call: ToolCall) -> ToolResult:
    content, error = draw(WORDS), None
    if draw(st.booleans()):
        kind = draw(st.sampled_from(["exception", "unknown_tool", "timeout", "of a newer version"]))
        error = ToolError(
            call.turn, call.name, call.arguments, draw(WORDS), content, kind=kind, fault="model", call_id=call.id,
            position=draw(st.sampled_from([None, 3])), traceback=draw(st.sampled_from([None, "Traceback"])),
        )  # fmt: skip
    return ToolResult(
        call=call, content=content, error=error, queued=draw(SECONDS), started=draw(SECONDS), seconds=draw(SECONDS),
        size=draw(st.sampled_from([None, 99])), parts=draw(PARTS), printed=draw(WORDS),
        exit_code=draw(st.sampled_from([None, 1])), synthesised=draw(st.booleans()),
    )  # fmt: skip


@st.composite
def turns(draw: st.DrawFn, turn: int) -> list[dict[str, Any]]:
    joined = tuple(draw(st.lists(MESSAGES, max_size=1)))
    rewritten = draw(st.sampled_from([None, None, None, True]))
    told: list[dict[str, Any]] = [
        {
            "kind": TurnStarted,
            "added_messages": joined,
            "rewritten": rewritten and tuple(draw(st.lists(MESSAGES, max_size=2))),
        }
    ]
    if draw(st.integers(0, 9)) == 0:
        return [*told, {"kind": TurnFinished}]
    made, content = draw(calls(turn)), draw(CONTENT.filter(lambda one: one is not None))
    message: dict[str, Any] = {"role": "assistant", "content": content}
    if made:
        message["tool_calls"] = [{"id": one.id, "function": {"name": one.name}} for one in made]
    reply = Reply(
        message=message, text=draw(WORDS), reasoning=draw(st.sampled_from([None, "hm"])), calls=made,
        usage=draw(USAGES),
        partial=draw(st.sampled_from([False, False, True])), raw=draw(RAWS),
        problems=draw(st.sampled_from([(), ("odd",)])),
        source_text=draw(st.sampled_from([None, "whole"])), status=draw(st.sampled_from([None, 200])),
    )  # fmt: skip
    told.append({"kind": Replied, "reply": reply})
    answers = [draw(results(one)) for one in made]
    for one in draw(st.permutations(answers)):
        told += [{"kind": CallStarted, "call": one.call}, {"kind": CallFinished, "result": one}]
    return [*told, {"kind": TurnFinished, "model_seconds": draw(SECONDS), "tool_seconds": draw(SECONDS)}]


@st.composite
def runs(draw: st.DrawFn, run_id: str) -> list[Event]:
    """The events of a run, as far as it came."""
    told: list[tuple[int, dict[str, Any]]] = [(0, {
        "kind": RunStarted, "started_at": draw(STARTS),
        "task": draw(st.sampled_from([None, "sums/1"])), "attempt": draw(st.integers(0, 2)), "origin": draw(ORIGINS),
        "server": draw(st.sampled_from([{}, {"model": "hermes-4", "name": "S"}])),
        "sampling": draw(st.sampled_from([{}, {"temperature": 1, "max_tokens": 5, "tool_choice": {"a": 1}}])),
        "messages": tuple(draw(st.lists(MESSAGES, max_size=4))),
        "meta": draw(METAS),
        "versions": draw(st.sampled_from([{}, {"git": {"commit": "f" * 40, "dirty": True}}, {"git": None}])),
    })]  # fmt: skip
    for turn in range(1, draw(st.integers(0, 3)) + 1):
        told += [(turn, one) for one in draw(turns(turn))]
    error = draw(st.sampled_from([None, RunError(type="X", message="boom", status=500)]))
    reason = draw(st.sampled_from(["finished", "server_error", "interrupted"]))
    told.append(
        (0, {"kind": RunFinished, "stop_reason": reason, "error": error, "seconds": 3.0, "abandoned": ("add",)})
    )
    told = told[: draw(st.integers(1, len(told)))] if draw(st.booleans()) else told
    return [
        fields.pop("kind")(run_id=run_id, seq=seq, at=seq * 0.5, turn=turn, **fields)
        for seq, (turn, fields) in enumerate(told)
    ]


@st.composite
def mixed(draw: st.DrawFn) -> list[Event]:
    """Runs whose events stand between each other's; one id may have been used twice."""
    left = [draw(runs(run_id)) for run_id in draw(st.lists(st.sampled_from(["r1", "r2", "=r3"]), max_size=3))]
    one_after_the_other = len({events[0].run_id for events in left}) < len(left)
    told: list[Event] = []
    while left:
        place = 0 if one_after_the_other else draw(st.integers(0, len(left) - 1))
        told.append(left[place].pop(0))
        if not left[place]:
            left.pop(place)
    return told


def newer(line: bytes, how: str) -> bytes:
    """The line as a newer version, or another program, might have written it."""
    entry = json.loads(line)
    if how == "sorted":
        return json.dumps(entry, sort_keys=True).encode() + b"\n"
    for holder in (entry, entry.get("reply"), entry.get("result"), (entry.get("reply") or {}).get("usage")):
        if holder is not None:
            holder["new"] = {"raw": {"usage": 1}}
    if how == "late" and "reply" in entry:
        entry["reply"] |= {"partial": True, "usage": {"prompt": 77}}
    return json.dumps(entry, separators=(",", ":")).encode() + b"\n"


@st.composite
def journals(draw: st.DrawFn) -> tuple[list[Event], list[str], bytes]:
    """Events, what is done to the line of each, and what stands at the file's end."""
    events = draw(mixed())
    ways = ["as it is"] * 12 + ["sorted", "new", "late", "unknown before"]
    how = [draw(st.sampled_from(ways)) for _ in events]
    return events, how, draw(st.sampled_from([b"", b"", b'{"t":"Repl', b"\n"]))


def write(path: Path, journal: tuple[list[Event], list[str], bytes]) -> None:
    """The journal as a file."""
    events, how, end = journal
    told, shifts, lines = [], dict.fromkeys((one.run_id for one in events), 0), []
    for event, way in zip(events, how, strict=True):
        if isinstance(event, RunStarted):
            shifts[event.run_id] = 0
        elif way == "unknown before":
            seq = event.seq + shifts[event.run_id]
            lines.append((len(told), {"t": "Thought", "run_id": event.run_id, "seq": seq, "at": 9.0, "more": [1]}))
            shifts[event.run_id] += 1
        told.append(replace(event, seq=event.seq + shifts[event.run_id]))
    path.unlink(missing_ok=True)
    with Journal(path, Redactor([SECRET])) as kept:
        for event in told:
            kept.write(event)
    first, *rest = path.read_bytes().splitlines(keepends=True)
    rest = [
        line if way not in ("sorted", "new", "late") else newer(line, way) for line, way in zip(rest, how, strict=True)
    ]
    for place, entry in reversed(lines):
        rest.insert(place, json.dumps(entry).encode() + b"\n")
    path.write_bytes(b"".join([first, *rest, end]))
