"""What one writes by hand: orjson, lists, DataFrames. One pass over the files for both tables; nothing is checked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import orjson
import pandas as pd


def tables(paths: Sequence[Path]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The messages and the calls in journals: the columns that matter most."""
    messages: dict[str, list] = {
        name: [] for name in ("run_id", "position", "turn", "role", "content", "reasoning", "tool_call_id", "calls")
    }
    calls: dict[str, list] = {
        name: []
        for name in (
            "run_id", "turn", "call_index", "call_id", "name", "arguments", "content", "kind", "fault", "error",
            "traceback", "queued", "started", "seconds",
        )
    }  # fmt: skip
    for path in paths:
        _read(path, messages, calls)
    return pd.DataFrame(messages), pd.DataFrame(calls)


def _read(path: Path, messages: dict[str, list], calls: dict[str, list]) -> None:  # noqa: C901 - as one writes it
    told, made = [*messages.values()], [*calls.values()]
    positions: dict[str, int] = {}

    def add(run_id: str, turn: int, message: dict) -> None:
        position = positions[run_id]
        positions[run_id] = position + 1
        row = (
            run_id, position, turn, message["role"], message.get("content"), message.get("reasoning_content"),
            message.get("tool_call_id"), len(message.get("tool_calls") or ()),
        )  # fmt: skip
        for column, value in zip(told, row, strict=True):
            column.append(value)

    with path.open("rb") as file:
        for line in file:
            event = orjson.loads(line)
            kind = event.get("t")
            if kind == "RunStarted":
                positions[event["run_id"]] = 0
                for message in event["messages"]:
                    add(event["run_id"], 0, message)
            elif kind == "TurnStarted":
                for message in event.get("added_messages", ()):
                    add(event["run_id"], event["turn"], message)
            elif kind == "Replied":
                add(event["run_id"], event["turn"], event["reply"]["message"])
            elif kind == "CallFinished":
                result = event["result"]
                call, error = result["call"], result.get("error") or {}
                message = {"role": "tool", "content": result["content"], "tool_call_id": call["id"]}
                add(event["run_id"], event["turn"], message)
                row = (
                    event["run_id"], event["turn"], call.get("index", 0), call["id"], call["name"], call["arguments"],
                    result["content"], error.get("kind", "exception") if error else None,
                    error.get("fault", "tool") if error else None, error.get("error"), error.get("traceback"),
                    result.get("queued", 0.0), result.get("started", 0.0), result.get("seconds", 0.0),
                )  # fmt: skip
                for column, value in zip(made, row, strict=True):
                    column.append(value)
