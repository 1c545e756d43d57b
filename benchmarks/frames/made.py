"""Journals to be read: varied runs, written by the journal's own writer.

python -m benchmarks.frames.made FOLDER MESSAGES
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

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
from hermes_nb.messages import tool
from hermes_nb.records import Reply, ToolCall, ToolError, ToolResult, Usage

FILES = 40
WORDS = (  # noqa: SIM905 - read as text; with quotes to escape, and more than ASCII.
    "the result of the search is a list of files in which the function that was asked for is called with one "
    'argument und zwar größer, naïve café 数据 as before; error: no such file or directory /tmp/x.py line 12 "quoted"'
).split()
TOOLS = ("terminal", "read_file", "search", "write_file", "web_fetch")
SCHEMAS = tuple(
    {"type": "function", "function": {"name": name, "description": "Does it.", "parameters": {"type": "object"}}}
    for name in TOOLS
)


class Writer:
    """Makes runs with random words in them, always the same ones."""

    def __init__(self) -> None:
        self._random = random.Random(7)
        self._number = 0

    def _words(self, most: int) -> str:
        return " ".join(self._random.choices(WORDS, k=self._random.randint(1, most)))

    def run(self) -> tuple[list[Event], int]:
        """The events of one more run, and how many messages are in it."""
        self._number += 1
        turns = self._random.randint(2, 20)
        run_id = f"run_{self._number:032x}"
        start = ({"role": "system", "content": self._words(120)}, {"role": "user", "content": self._words(60)})
        said: list[dict[str, Any]] = [
            {
                "kind": RunStarted, "started_at": "2026-01-01T00:00:00+00:00", "task_id": f"task_{self._number}",
                "task": f"item/{self._number % 500}", "attempt": self._number // 500,
                "server": {"name": "OpenAIServer", "model": "hermes-4", "base_url": "http://localhost:8000/v1"},
                "sampling": {"temperature": 1.0, "max_tokens": None, "tool_choice": None, "stream": False},
                "tools": SCHEMAS, "toolbox_hash": "0" * 64, "messages": start, "meta": {"split": "dev"},
                "versions": {"hermes_nb": "0.1.0", "python": "3.11.7", "openai": "3.54.0", "git": None},
            }
        ]  # fmt: skip
        messages = len(start)
        for turn in range(1, turns + 1):
            events, count = self._turn(turn, last=turn == turns)
            said += events
            messages += count
        said.append({"kind": RunFinished, "stop_reason": "finished", "seconds": turns * 1.5})
        return [self._event(run_id, seq, **one) for seq, one in enumerate(said)], messages

    def _event(self, run_id: str, seq: int, kind: type[Event], **fields: Any) -> Event:
        return kind(run_id=run_id, seq=seq, **{"at": seq * 0.125 + 0.0123456, **fields})

    def _turn(self, turn: int, last: bool) -> tuple[list[dict[str, Any]], int]:
        calls = () if last else tuple(self._call(turn, index) for index in range(self._random.choice((1, 1, 1, 2, 3))))
        text, thought = self._words(80) if last else "", self._words(60) if self._random.random() < 0.5 else None
        answers = [self._answer(call) for call in calls]
        return [
            {"kind": TurnStarted, "turn": turn},
            {"kind": Replied, "turn": turn, "reply": self._reply(calls, text, thought)},
            *({"kind": CallStarted, "turn": turn, "call": call} for call in calls),
            *({"kind": CallFinished, "turn": turn, "result": result} for result in answers),
            {"kind": TurnFinished, "turn": turn, "model_seconds": 1.1234567, "tool_seconds": 0.2345678},
        ], 1 + len([tool(one.call.id, one.content) for one in answers])

    def _call(self, turn: int, index: int) -> ToolCall:
        arguments = orjson.dumps({"command": self._words(12), "timeout": self._random.randint(1, 90)}).decode()
        if self._random.random() < 0.02:
            arguments = arguments[:-1]
        call_id = f"call_{self._random.getrandbits(64):016x}"
        return ToolCall(name=self._random.choice(TOOLS), arguments=arguments, id=call_id, turn=turn, index=index)

    def _answer(self, call: ToolCall) -> ToolResult:
        content, error = self._words(120), None
        if call.problem or self._random.random() < 0.08:
            kind = "bad_json" if call.problem else "exception"
            trace = None if call.problem else f"Traceback (most recent call last):\n{self._words(60)}"
            error = ToolError(
                call.turn, call.name, call.arguments, "it broke", content, kind=kind,
                fault="model" if call.problem else "tool", call_id=call.id, call_index=call.index, traceback=trace,
            )  # fmt: skip
        return ToolResult(call=call, content=content, error=error, queued=0.001, started=2.5, seconds=0.1234567)

    def _reply(self, calls: tuple[ToolCall, ...], text: str, thought: str | None) -> Reply:
        entries = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in calls
        ]
        message: dict[str, Any] = {"role": "assistant", "content": text}
        if thought:
            message["reasoning_content"] = thought
        if entries:
            message["tool_calls"] = entries
        counts = {"prompt_tokens": 1200, "completion_tokens": 80, "total_tokens": 1280}
        reason = "tool_calls" if calls else "stop"
        choice = {"index": 0, "message": {**message, "refusal": None}, "finish_reason": reason, "logprobs": None}
        raw = {
            "id": f"chatcmpl-{self._random.getrandbits(64):016x}", "object": "chat.completion", "created": 1767225600,
            "model": "hermes-4", "choices": [choice], "usage": counts,
        }  # fmt: skip
        return Reply(
            message=message, text=text, reasoning=thought, calls=calls, finish_reason=reason, model="hermes-4",
            usage=Usage(prompt=1200, completion=80, total=1280), id=raw["id"], status=200, seconds=1.1234567, raw=raw,
        )  # fmt: skip


def runs(messages: int) -> Iterator[list[Event]]:
    """Runs until they hold so many messages."""
    writer, left = Writer(), messages
    while left > 0:
        events, count = writer.run()
        left -= count
        yield events


def write(folder: Path, messages: int) -> None:
    """Journals in the folder, which is made, that hold so many messages, or a few more."""
    folder.mkdir(parents=True)
    journals = [Journal(folder / f"{number:02}.jsonl") for number in range(FILES)]
    for number, events in enumerate(runs(messages)):
        for event in events:
            journals[number % FILES].write(event)
    for journal in journals:
        journal.close()


if __name__ == "__main__":
    write(Path(sys.argv[1]), int(sys.argv[2]))
