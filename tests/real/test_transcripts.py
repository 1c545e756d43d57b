"""Every tool call of other people's transcripts, dispatched by the library and judged without it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hermes_nb import Toolbox
from hermes_nb.records import ToolCall, ToolResult
from hermes_nb.tools.dispatch import Setting, answer
from tests.real import readers
from tests.real.judge import arguments_of, declared, verdict
from tests.real.readers import RecordedCall, Schema
from tests.real.report import CallRow, Findings


async def echo(name: str, arguments: dict[str, Any]) -> str:
    return json.dumps({"called": name, "with": arguments})


def toolbox(schemas: tuple[Schema, ...] | None) -> Toolbox:
    return Toolbox.from_schemas(schemas or (), echo, max_output=10_000_000)


async def dispatched(call: RecordedCall, tools: Toolbox) -> ToolResult:
    setting = Setting(toolbox=tools, now=lambda: 0.0)
    return await answer(ToolCall(name=call.name, arguments=call.arguments, id=call.id or "call_0"), setting)


async def test_every_call_is_dispatched_or_refused_with_the_right_kind(transcript: Path, findings: Findings) -> None:
    for conversation in readers.read(transcript):
        outcomes: Counter[str] = Counter()
        tools = toolbox(conversation.schemas)
        for call in conversation.calls:
            if conversation.schemas is None:
                outcomes[f"without a schema, {_read_as_json(call)}"] += 1
                continue
            result = await dispatched(call, tools)
            kind = verdict(call.name, call.arguments, conversation.schemas)
            assert (result.error.kind if result.error else None) == kind, result.content
            if kind is None:
                assert json.loads(result.content) == {"called": call.name, "with": arguments_of(call.arguments)}
            outcomes[kind or "dispatched"] += 1
        findings.calls.append(CallRow(conversation.form, outcomes))


async def test_damaged_copies_of_the_calls_are_refused_with_the_right_kind(
    transcript: Path, findings: Findings
) -> None:
    for conversation in readers.read(transcript):
        schemas = conversation.schemas or ()
        tools = toolbox(schemas)
        outcomes: Counter[str] = Counter()
        for call in conversation.calls if schemas else ():
            if verdict(call.name, call.arguments, schemas) is not None:
                continue
            for damaged in _damaged(call, schemas):
                kind = verdict(damaged.name, damaged.arguments, schemas)
                result = await dispatched(damaged, tools)
                assert (result.error.kind if result.error else None) == kind, result.content
                outcomes[kind or "dispatched"] += 1
        findings.calls.append(CallRow(conversation.form, outcomes, damaged=True))


def test_the_readers_find_every_call_that_the_index_counts(real: Path) -> None:
    index = real / "transcripts" / "INDEX.jsonl"
    if not index.exists():
        pytest.skip("this real input has no index of its transcripts")
    for line in index.read_text(encoding="utf-8").splitlines():
        listed = json.loads(line)
        found = sum(len(one.calls) for one in readers.read(real / listed["file"]))
        assert found >= listed["tool_calls"], listed["file"]


def _read_as_json(call: RecordedCall) -> str:
    try:
        value = json.loads(call.arguments)
    except ValueError:
        return "not JSON"
    return "a JSON object" if isinstance(value, dict) else "other JSON"


def _damaged(call: RecordedCall, schemas: tuple[Schema, ...]) -> Iterator[RecordedCall]:
    """The call under a name that is not offered, cut short, without each argument, and with each of another type."""
    yield RecordedCall(f"{call.name}_", call.arguments)
    yield RecordedCall(call.name, call.arguments.rstrip()[:-1])
    arguments = arguments_of(call.arguments)
    parameters = next((declared(one)["parameters"] for one in schemas if declared(one)["name"] == call.name), {})
    for name in parameters.get("properties", {}):
        yield RecordedCall(call.name, json.dumps({key: value for key, value in arguments.items() if key != name}))
        yield RecordedCall(call.name, json.dumps({**arguments, name: [arguments.get(name)]}))
    yield RecordedCall(call.name, json.dumps({**arguments, "one_more": 1}))
    yield RecordedCall(call.name, json.dumps([arguments]))
