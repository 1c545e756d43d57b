"""ShareGPT conversations, in the Hermes form and its relatives; hermes-agent's trajectories and batches among them.

Sources of the wire format: NousResearch/hermes-agent (`agent/trajectory.py` and `run_agent.py` for lines of
`trajectory_samples.jsonl` and `failed_trajectories.jsonl`, `batch_runner.py` for those of batches), the data set
NousResearch/hermes-function-calling-v1, and hiyouga/LLaMA-Factory (`data/README.md`: `function_call`, `observation`,
the columns `system` and `tools`).

A row has `conversations` (or `conversation`), entries of `from` and `value` (or `role` and `content`). Thoughts at the
start, in `<think>` or `<REASONING_SCRATCHPAD>`, are reasoning; `<tool_call>` blocks are calls, also those that are no
JSON; each `<tool_response>` block is an answer, and one without an id goes to the next open call of its name. The
prompt with which hermes-agent offers the tools is the tools, and no message.

| hermes-agent says | comes to |
|---|---|
| `completed` is true | what the last message says |
| `completed` is false | `interrupted` |
| `prompt_index` | `task` |
| `timestamp`, `model` (or those in `metadata`) | provenance |
| `partial`, `api_calls`, `toolsets_used`, `tool_stats`, `tool_error_counts` and all else | `meta` |

Written are lines such as hermes-agent's, but for three faults of its converter: every message is there, once, a system
message first or not; an answer has the name of the tool of its call, by the id; `reasoning_content`, and whatever other
field holds the reasoning, is in `<think>`; and arguments that are no JSON stay, as text, where it writes `{}`.

Read again, the texts, calls, arguments and answers are the same, to the letter, but for images, for ids of calls that
nobody answered, for text that holds the tags itself or begins with blank lines, and for whatever stands beside the
messages; `write` reports each of these.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from hermes_nb import codec
from hermes_nb.formats.base import (
    About,
    Head,
    Note,
    Report,
    Results,
    Source,
    conversation,
    decoded,
    mapping,
    reported,
    sequence,
    text,
    write_lines,
)
from hermes_nb.formats.sharegpt import tags
from hermes_nb.messages import Message, text_of
from hermes_nb.records import AgentResult, StopReason

NAME = "ShareGPT"

WHY = "the ShareGPT form has no place for it"

ROLES = {
    **dict.fromkeys(("human", "user"), "user"),
    **dict.fromkeys(("gpt", "assistant", "model", "chatgpt", "bot", "bing", "bard", "ai"), "assistant"),
    **dict.fromkeys(("tool", "observation", "function_response", "ipython", "function", "tool_response"), "tool"),
    **dict.fromkeys(("function_call", "tool_call"), "call"),
    "system": "system",
}
"""Whose words an entry is, by what its dialect calls them."""

WORDS = ("from", "role", "value", "content", "text")


def recognises(head: Head) -> bool:
    """The first row, or the row itself, is a list of entries with `from` and `value`, or with `role` and `content`
    under the name `conversations`."""
    if head.kind == "document" and _is_entry(next(iter(sequence(head.first)), None), strict=True):
        return True
    return _entries(head.row) is not None


def read(source: Source) -> Iterator[AgentResult]:
    """One result for each row.

    Raises:
        FormatError: a row has no such entries, or one that nobody is known to say.
    """
    if source.head.kind == "document" and _is_entry(next(iter(sequence(source.head.first)), None), strict=True):
        yield _result({"conversations": source.head.first}, source, None)
        return
    for row in source.rows():
        if _entries(row.value) is None:
            raise source.error("no conversations, with from and value", row.place)
        yield _result(row.value if isinstance(row.value, Mapping) else {"conversations": row.value}, source, row.place)


def write(results: Results, path: str | os.PathLike[str]) -> Report:
    """Write one line for each result, and report what could not be kept. Everything shaped like a secret is redacted.

    Raises:
        OSError: the file cannot be written; one of that name is as it was.
    """
    back = Source(None, rows=())
    return write_lines(results, path, row_of, lambda row: _result(row, back, None), WHY)


def _is_entry(entry: Any, *, strict: bool) -> bool:
    """Whether this is a turn; a strict one has `from`, since a message with a role may be OpenAI's too."""
    if not isinstance(entry, Mapping):
        return False
    return isinstance(entry.get("from"), str) or (not strict and isinstance(entry.get("role"), str))


def _entries(row: Any) -> list[Any] | None:
    """The turns of a row; None where it has none."""
    if isinstance(row, list):
        return row if row and _is_entry(row[0], strict=True) else None
    for key in ("conversations", "conversation", "messages"):
        entries = decoded(mapping(row).get(key))
        if isinstance(entries, list) and entries and _is_entry(entries[0], strict=key == "messages"):
            return entries
    return None


def _result(row: Mapping[str, Any], source: Source, place: str | None) -> AgentResult:
    tools = [tags.tool_of(tool) for tool in sequence(decoded(row.get("tools"))) if isinstance(tool, Mapping)]
    messages, notes = list[Message](), dict[int, Note]()
    if system := text(row.get("system")) or text(row.get("system_prompt")):
        messages.append({"role": "system", "content": system})
    for index, entry in enumerate(_entries(row) or ()):
        if not isinstance(entry, Mapping):
            raise source.error(f"turn {index} is no object", place)
        role = ROLES.get(str(entry.get("from", entry.get("role"))).lower())
        if role is None:
            raise source.error(f"turn {index} is by nobody known: {entry.get('from', entry.get('role'))!r:.80}", place)
        offered, said = _said(role, entry)
        tools = tools or offered
        messages.extend(said)
    _pass_ids(messages)
    for index, message in enumerate(messages):
        failure = reported(text_of(message.get("content"))) if message["role"] == "tool" else None
        if failure is not None:
            notes[index] = Note(failure=failure)
    return conversation(messages, source, NAME, place, _about(row, tools), notes=notes)


def _said(role: str, entry: Mapping[str, Any]) -> tuple[list[dict[str, Any]], list[Message]]:
    """The tools that a turn offers, and the messages that it is."""
    given = next((entry[key] for key in ("value", "content", "text") if entry.get(key) is not None), "")
    more = {key: value for key, value in entry.items() if key not in WORDS and value is not None}
    match role, given:
        case "system", str():
            tools, own = tags.tools_in(given)
            return tools, [{"role": "system", "content": own, **more}] if own else []
        case "assistant", str() if "tool_calls" not in more:
            return [], [{**tags.message_of(given), **more}]
        case "call", _:
            calls = tags.calls_in(given) if isinstance(given, str) else tags.calls_in(_json(given))
            return [], [{"role": "assistant", "content": "", "tool_calls": calls, **more}]
        case "tool", str():
            return [], [{**message, **more} for message in tags.answers_in(given)]
    return [], [{"role": role, "content": given, **more}]


def _json(value: Any) -> str:
    return codec.dumps(value, default=repr).decode()


def _pass_ids(messages: list[Message]) -> None:
    """Give calls the ids of their answers: the form has ids in the answers alone. A name that is the call's own is no
    news, and is left out."""
    open_calls: list[dict[str, Any]] = []
    names: dict[str, str] = {}
    for message in messages:
        if message["role"] == "assistant":
            calls = [call for call in sequence(message.get("tool_calls")) if isinstance(call, dict)]
            open_calls = [call for call in calls if not call.get("id")]
            names = {call["id"]: _name_of(call) for call in calls if text(call.get("id"))}
        elif message["role"] == "tool" and (call_id := text(message.get("tool_call_id"))):
            name = message.get("name")
            if open_calls and call_id not in names:
                call = next((one for one in open_calls if _name_of(one) == name), open_calls[0])
                call["id"], names[call_id] = call_id, _name_of(call)
                open_calls.remove(call)
            if name is not None and names.get(call_id) == name:
                del message["name"]


def _name_of(call: Mapping[str, Any]) -> str:
    return text(mapping(call.get("function")).get("name")) or ""


def _about(row: Mapping[str, Any], tools: list[dict[str, Any]]) -> About:
    known = mapping(row.get("metadata"))
    task = row.get("prompt_index", row.get("id"))
    used = ("conversations", "conversation", "messages", "tools", "system", "system_prompt", "model", "timestamp")
    failed: StopReason | None = "interrupted" if row.get("completed") is False else None
    return About(
        model=text(row.get("model")) or text(known.get("model")),
        tools=tools,
        started_at=text(row.get("timestamp")) or text(known.get("timestamp")) or "",
        task=str(task) if isinstance(task, str | int) else None,
        meta={key: value for key, value in row.items() if key not in used and value is not None},
        stop_reason=failed,
    )


def row_of(result: AgentResult) -> dict[str, Any]:
    """The result as a line of hermes-agent's `trajectory_samples.jsonl`."""
    made = result.provenance
    return {
        "conversations": list(_turns(result)),
        "timestamp": made.started_at if made else "",
        "model": str(made.server.get("model") or "") if made else "",
        "completed": result.ok,
    }


def _turns(result: AgentResult) -> Iterator[dict[str, str]]:
    messages = list(result.messages)
    tools = result.provenance.tools if result.provenance else ()
    if tools or result.calls:
        own = messages.pop(0) if messages and messages[0].get("role") == "system" else {}
        yield {"from": "system", "value": tags.prompt(tools, text_of(own.get("content")))}
    names = {call.id: call.name for call in (*(one.call for one in result.results), *result.calls)}
    answers: list[str] = []
    for message in messages:
        content = text_of(message.get("content"))
        if message.get("role") == "tool":
            call_id = str(message.get("tool_call_id") or "")
            answers.append(tags.answered(call_id, names.get(call_id) or str(message.get("name") or ""), content))
            continue
        if answers:
            yield {"from": "tool", "value": "\n".join(answers)}
            answers = []
        match message.get("role"):
            case "assistant":
                yield {"from": "gpt", "value": tags.said(message)}
            case "system" | "developer":
                yield {"from": "system", "value": content}
            case _:
                yield {"from": "human", "value": content}
    if answers:
        yield {"from": "tool", "value": "\n".join(answers)}
