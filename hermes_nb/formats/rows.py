"""Rows of a Hugging Face data set: a list of dicts whose columns and types are the same whatever the results hold.

Sources of the form: huggingface/datasets (`Dataset.from_list`, `Dataset.to_json`, `Dataset.to_parquet`: one Arrow
schema for all rows, in which an object's keys are columns too) and huggingface/trl (`docs/source/dataset_formats.md`:
`messages` and `tools`). That is why everything whose keys differ from run to run is JSON text.

| column | type | holds |
|---|---|---|
| run_id, task, stop_reason, model, final_text | text | as the result has them |
| attempt, turns, calls, tool_errors | whole number | how many, but for `attempt` |
| messages | list of objects | role, content, reasoning_content, name, tool_call_id, tool_calls: as trainers do |
| tools, scores, meta | text | JSON |
| record | text | JSON of the whole result, which is what is read again |

In `messages`, content that is a list of parts is JSON text, and what a message does not have is null. Read again, a
result is the same in everything but what lives in memory only: the value that a tool returned, `managed_state`, the
exception behind an error. Rows without `record` are read by whichever format knows their `messages`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from hermes_nb import codec
from hermes_nb.formats.base import Head, Report, Results, Source, each, encoded, mapping, write_lines
from hermes_nb.messages import Message, reasoning_of
from hermes_nb.records import AgentResult
from hermes_nb.redact import Redactor

NAME = "Hugging Face rows"

WHY = "it lives in memory only, or was redacted"

COLUMNS = ("run_id", "task", "attempt", "stop_reason", "model", "final_text", "turns", "calls", "tool_errors",
           "messages", "tools", "scores", "meta", "record")  # fmt: skip
"""The columns, in their order."""


def recognises(head: Head) -> bool:
    """The first row has a `record` beside `run_id` and `messages`."""
    row = head.row
    return isinstance(row, Mapping) and {"run_id", "messages", "record"} <= set(row) and isinstance(row["record"], str)


def read(source: Source) -> Iterator[AgentResult]:
    """One result for each row, of its `record`.

    Raises:
        FormatError: a row has none, or one that is not of a result.
    """
    for row in source.rows():
        try:
            yield result_of(mapping(row.value))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise source.error(f"its record is not that of a result: {error}", row.place) from error


def write(results: Results, path: str | os.PathLike[str]) -> Report:
    """Write the rows as JSON lines, which `datasets.load_dataset("json", data_files=path)` takes, and report what could
    not be kept. Everything shaped like a secret is redacted.

    Raises:
        OSError: the file cannot be written; one of that name is as it was.
    """
    return write_lines(results, path, row_of, result_of, WHY)


def rows(results: Results) -> list[dict[str, Any]]:
    """The rows in memory, for `datasets.Dataset.from_list` or `pandas.DataFrame(...).to_parquet`. Everything shaped
    like a secret is redacted."""
    redactor = Redactor()
    return [codec.loads(encoded(row_of(result), redactor)) for result in each(results)]


def row_of(result: AgentResult) -> dict[str, Any]:
    """One result as a row."""
    made = result.provenance
    model = made.server.get("model") if made else None
    return {
        "run_id": result.run_id,
        "task": result.task,
        "attempt": result.attempt,
        "stop_reason": result.stop_reason,
        "model": model if isinstance(model, str) else None,
        "final_text": result.final_text,
        "turns": result.turns_used,
        "calls": len(result.calls),
        "tool_errors": len(result.tool_errors),
        "messages": [_message(message) for message in result.messages],
        "tools": _json(list(made.tools) if made else []),
        "scores": _json(result.scores),
        "meta": _json(result.meta),
        "record": _json(codec.plain(result)),
    }


def _message(message: Message) -> dict[str, Any]:
    content = message.get("content")
    calls = message.get("tool_calls")
    return {
        "role": str(message.get("role")),
        "content": content if isinstance(content, str) or content is None else _json(content),
        "reasoning_content": reasoning_of(message),
        "name": _text(message.get("name")),
        "tool_call_id": _text(message.get("tool_call_id")),
        "tool_calls": [_call(mapping(call)) for call in calls] if isinstance(calls, list) and calls else None,
    }


def _call(entry: Mapping[str, Any]) -> dict[str, Any]:
    function = mapping(entry.get("function"))
    arguments = function.get("arguments")
    return {
        "id": _text(entry.get("id")),
        "type": "function",
        "function": {
            "name": _text(function.get("name")),
            "arguments": arguments if isinstance(arguments, str) else _json(arguments),
        },
    }


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _json(value: Any) -> str:
    return codec.dumps(value, default=repr).decode()


def result_of(row: Mapping[str, Any]) -> AgentResult:
    """The result that a row is of.

    Raises:
        ValueError, TypeError, KeyError: its record is not that of a result.
    """
    return codec.build(AgentResult, codec.loads(row["record"]))
