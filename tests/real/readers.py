"""Tool calls, and the schemas they were made under, out of other people's transcripts.

A reader is chosen by what a file holds, not by its name. Arguments that a format keeps as an object are written as
JSON again; arguments kept as text stay that text.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Schema = dict[str, Any]


@dataclass(frozen=True)
class RecordedCall:
    """A tool call as it was recorded: `arguments` is JSON text, or what the model wrote in its place."""

    name: str
    arguments: str
    id: str | None = None


@dataclass(frozen=True)
class Transcript:
    """The calls of one conversation; `schemas` is None where the file does not carry them."""

    form: str
    calls: tuple[RecordedCall, ...]
    schemas: tuple[Schema, ...] | None = None


def read(path: Path) -> list[Transcript]:
    """The conversations in a file.

    Raises:
        ValueError: no reader knows what the file holds.
    """
    return [transcript for document in documents(path) for transcript in _transcripts(document)]


def documents(path: Path) -> Iterator[Any]:
    """The JSON documents of a file, a file of lines, or an archive."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            samples = [json.loads(archive.read(n)) for n in archive.namelist() if n.startswith("samples/")]
        yield {"samples": samples}
        return
    text = path.read_text(encoding="utf-8")
    try:
        yield json.loads(text)
    except ValueError:
        yield from (json.loads(line) for line in text.splitlines() if line.strip())


def _transcripts(document: Any) -> list[Transcript]:
    for known, transcripts in READERS:
        if known(document):
            return list(transcripts(document))
    raise ValueError(f"no reader knows this: {json.dumps(document)[:200]}")


def _holds(*keys: str) -> Callable[[Any], bool]:
    return lambda document: isinstance(document, dict) and all(key in document for key in keys)


def _list_of(key: str) -> Callable[[Any], bool]:
    return lambda document: isinstance(document, list) and bool(document) and key in document[0]


def _inspect(log: dict[str, Any]) -> Iterator[Transcript]:
    """Inspect's logs: the calls are in the messages, and in what the model gave; each model event has its tools."""
    for sample in log["samples"]:
        events = [event for event in sample.get("events") or [] if event.get("event") == "model"]
        given = [choice["message"] for event in events for choice in event["output"].get("choices") or []]
        offered = {tool["name"]: tool for event in events for tool in event.get("tools") or []}
        calls = _calls_in([*sample["messages"], *given])
        yield Transcript("inspect", _distinct(calls), tuple(offered.values()) or None)


def _atif(trajectory: dict[str, Any]) -> Iterator[Transcript]:
    """Harbor's agent trajectory interchange format."""
    yield Transcript("atif", _calls_in(trajectory["steps"]), _schemas(trajectory["agent"].get("tool_definitions")))


def _openhands(run: dict[str, Any]) -> Iterator[Transcript]:
    yield from _openhands_events(run["history"])


def _openhands_events(events: list[dict[str, Any]]) -> Iterator[Transcript]:
    """OpenHands: every event that came of a call has the reply it was in; the first may have the tools."""
    about = [event.get("tool_call_metadata") or {} for event in events]
    messages = [choice["message"] for one in about for choice in (one.get("model_response") or {}).get("choices") or []]
    offered = [tools for event in events if (tools := (event.get("args") or {}).get("tools"))]
    yield Transcript("openhands", _distinct(_calls_in(messages)), _schemas(offered[0] if offered else None))


def _toolbench(answer: dict[str, Any]) -> Iterator[Transcript]:
    """ToolBench: a tree of attempts, in which an action's child is its input; the older form of schemas."""
    calls = tuple(_actions(answer["tree"]["tree"]))
    yield Transcript("toolbench", calls, _schemas(answer["answer_generation"].get("function")))


def _actions(node: dict[str, Any]) -> Iterator[RecordedCall]:
    for child in node["children"]:
        if node["node_type"] == "Action" and child["node_type"] == "Action Input":
            yield RecordedCall(node["description"], child["description"])
        yield from _actions(child)


def _tau2(results: dict[str, Any]) -> Iterator[Transcript]:
    """tau2: the user has tools, too; definitions, where they are there, are the agent's."""
    offered = _schemas(results["info"]["environment_info"].get("tool_defs"))
    for simulation in results["simulations"]:
        messages = simulation["messages"]
        yield Transcript("tau2", _calls_in(one for one in messages if one["role"] != "user"), offered)
        yield Transcript("tau2", _calls_in(one for one in messages if one["role"] == "user"))


def _tau(results: list[dict[str, Any]]) -> Iterator[Transcript]:
    yield from (Transcript("tau", _calls_in(one["traj"])) for one in results)


def _swe_agent(trajectory: dict[str, Any]) -> Iterator[Transcript]:
    yield Transcript("swe-agent", _calls_in(trajectory["history"]))


def _plain(messages: list[dict[str, Any]]) -> Iterator[Transcript]:
    """A bare list of chat messages, as mini-swe-agent writes it."""
    yield Transcript("messages", _calls_in(messages))


READERS: tuple[tuple[Callable[[Any], bool], Callable[[Any], Iterable[Transcript]]], ...] = (
    (_holds("samples"), _inspect),
    (_holds("schema_version", "steps"), _atif),
    (_holds("history", "instance_id"), _openhands),
    (_list_of("action"), _openhands_events),
    (_holds("tree", "answer_generation"), _toolbench),
    (_holds("simulations"), _tau2),
    (_list_of("traj"), _tau),
    (_holds("history"), _swe_agent),
    (_list_of("role"), _plain),
)


def _schemas(given: Any) -> tuple[Schema, ...] | None:
    return tuple(given) if isinstance(given, list) and given else None


def _calls_in(messages: Iterable[dict[str, Any]]) -> tuple[RecordedCall, ...]:
    return tuple(_call(one) for message in messages for one in message.get("tool_calls") or [])


def _call(one: dict[str, Any]) -> RecordedCall:
    """A call in any of its spellings: OpenAI's, Inspect's (`function` is the name), ATIF's, tau2's (`name`)."""
    function = one.get("function")
    inner = function if isinstance(function, dict) else one
    name = function if isinstance(function, str) else inner.get("name") or inner.get("function_name")
    arguments = inner.get("arguments")
    text = arguments if isinstance(arguments, str) else json.dumps({} if arguments is None else arguments)
    return RecordedCall(str(name), text, one.get("id") or one.get("tool_call_id"))


def _distinct(calls: Iterable[RecordedCall]) -> tuple[RecordedCall, ...]:
    """The calls without those that are there again: logs repeat a conversation at every event."""
    return tuple(dict.fromkeys(calls))
