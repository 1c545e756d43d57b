"""inspect_ai's table of messages, of a log with the same content; run by the Python of its own environment.

python benchmarks/frames/inspected.py JOURNALS      prints the wall seconds and the rows as one line of JSON
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

from inspect_ai.analysis import messages_df
from inspect_ai.event import ModelEvent
from inspect_ai.log import EvalConfig, EvalDataset, EvalLog, EvalSample, EvalSpec, write_eval_log
from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageTool,
    ChatMessageUser,
    GenerateConfig,
    ModelOutput,
)
from inspect_ai.tool import ToolCall


def conversations(path: Path) -> list[list[Any]]:
    """The runs of a journal as inspect_ai's messages."""
    told: dict[str, list[Any]] = {}
    for line in path.read_bytes().splitlines():
        event = json.loads(line)
        kind, said = event.get("t"), told.setdefault(event.get("run_id", ""), [])
        if kind == "RunStarted":
            first, second = event["messages"]
            said += [ChatMessageSystem(content=first["content"]), ChatMessageUser(content=second["content"])]
        elif kind == "Replied":
            calls = [_call(one) for one in event["reply"].get("calls", ())]
            said.append(ChatMessageAssistant(content=event["reply"]["message"]["content"], tool_calls=calls or None))
        elif kind == "CallFinished":
            call = event["result"]["call"]
            content = event["result"]["content"]
            said.append(ChatMessageTool(content=content, tool_call_id=call["id"], function=call["name"]))
    every = [said for said in told.values() if said]
    for message in (message for said in every for message in said):
        message.id = uuid4().hex
    return every


def _call(call: dict[str, Any]) -> ToolCall:
    try:
        arguments = json.loads(call["arguments"])
    except ValueError:
        arguments = {"arguments": call["arguments"]}
    return ToolCall(id=call["id"], function=call["name"], arguments=arguments)


def _event(said: list[Any]) -> ModelEvent:
    """The last reply with all that went before it, as one request: its table reads messages from such events."""
    output = ModelOutput(model="none", choices=[ChatCompletionChoice(message=said[-1])])
    return ModelEvent(
        model="none", input=said[:-1], tools=[], tool_choice="auto", config=GenerateConfig(), output=output
    )  # fmt: skip


def main(folder: Path) -> None:
    """Write the log, make the table, and print what that cost."""
    every = [said for path in sorted(folder.glob("*.jsonl")) for said in conversations(path)]
    samples = [
        EvalSample(id=number, epoch=1, input="?", target="!", messages=said, events=[_event(said)])
        for number, said in enumerate(every, 1)
    ]
    spec = EvalSpec(
        created="2026-01-01T00:00:00+00:00", task="bench", dataset=EvalDataset(samples=len(samples)), model="none/none",
        config=EvalConfig(),
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as place:
        path = f"{place}/log.eval"
        write_eval_log(EvalLog(eval=spec, status="success", samples=samples), path)
        began = time.perf_counter()
        rows = len(messages_df(path, quiet=True))
        print(json.dumps({"wall": time.perf_counter() - began, "rows": rows}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
