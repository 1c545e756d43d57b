"""Runs to be written: one whole run as its events, and children that write real ones and are killed at it.

`python -m tests.journal.written WHAT ...` is a child: see the functions at the end.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from subprocess import PIPE, Popen

from hermes_nb import HermesAgentLoop, ScriptedServer
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
from hermes_nb.servers.scripted import Scripted, call

CALL = ToolCall(name="add", arguments='{"a": 1}', id="c1", turn=1, index=0)
REPLY = Reply(
    message={"role": "assistant", "content": ""},
    calls=(CALL,),
    usage=Usage(prompt=3),
    problems=("odd",),
    raw={"choices": [{"message": None}]},
)
ERROR = ToolError(1, "add", '{"a": 1}', "boom", "no", kind="exception", call_id="c1", traceback="Traceback")
FAILED = RunError(type="X", message="boom", cause=ValueError())
RUN: list[Event] = [
    RunStarted(
        run_id="r",
        seq=0,
        messages=({"role": "user", "content": "?"},),
        origin=Origin(kind="follow_up", run_id="q"),
        tools=({"type": "function"},),
        limits={"max_turns": 3},
        versions={"git": None},
    ),
    TurnStarted(run_id="r", seq=1, at=0.5, turn=1, added_messages=({"role": "user", "content": "x"},)),
    Replied(run_id="r", seq=2, at=1.0, turn=1, reply=REPLY),
    CallStarted(run_id="r", seq=3, at=1.0, turn=1, call=CALL),
    CallFinished(
        run_id="r",
        seq=4,
        at=2.0,
        turn=1,
        result=ToolResult(call=CALL, content="no \ud800", value=object(), error=ERROR),
    ),
    TurnFinished(run_id="r", seq=5, at=2.0, turn=1, model_seconds=0.5, tool_seconds=1.0),
    RunFinished(
        run_id="r",
        seq=6,
        at=3.0,
        stop_reason="tool_error",
        error=FAILED,
        seconds=3.0,
        abandoned=("add",),
        managed_state=object(),
    ),
]
"""A run with something in every corner."""


def run_of(run_id: str) -> list[Event]:
    """The same run under another id."""
    return [replace(event, run_id=run_id) for event in RUN]


def written(path: Path, events: list[Event] | None = None, *, redactor: Redactor | None = None) -> Path:
    """The path of a journal with these events; all of `RUN` by default."""
    with Journal(path, redactor) as kept:
        for event in RUN if events is None else events:
            kept.write(event)
    return path


def add(a: int, b: int) -> int:
    """Add two whole numbers."""
    return a + b


def boom() -> str:
    """Fail."""
    raise RuntimeError("it broke")


def loop(**how: object) -> HermesAgentLoop:
    """A loop whose every run has 12 events: two turns, and two calls in the first, one of which fails."""
    two = [call("add", a=1, b=2), call("boom")]
    server = ScriptedServer([Scripted(calls=two, reasoning="I had better add."), "It is 3."] * 20)
    return HermesAgentLoop(server, [add, boom], max_parallel_calls=1, **how)  # type: ignore[arg-type]


EVENTS = 12


# Children


@contextmanager
def child(*arguments: object) -> Iterator[Popen[str]]:
    """A process of its own that does one of the things below; it is dead at the end."""
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-m", "tests.journal.written", *map(str, arguments)]
    with Popen(command, cwd=root, stdin=PIPE, stdout=PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def heard(process: Popen[str]) -> object:
    """The next line the child says."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, "the child died without a word"
    return json.loads(line)


def ask(process: Popen[str], what: object) -> object:
    """Tell the child something, and give its answer."""
    assert process.stdin is not None
    process.stdin.write(f"{what}\n")
    process.stdin.flush()
    return heard(process)


def _say(what: object) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def stop_at_each(folder: str) -> None:
    """For every number we hear: fork a process that runs the loop with a journal named by that number, and stands still
    once so many events were emitted; it says its id and which they were, and we say when it is dead."""
    for number in map(int, iter(sys.stdin.readline, "")):
        process = os.fork()  # We have no threads: the loop runs in the children alone.
        if process == 0:
            _stop_at(number, f"{folder}/{number}.jsonl")
            os._exit(0)
        os.waitpid(process, 0)
        _say("dead")


def _stop_at(number: int, path: str) -> None:
    seen: list[str] = []

    def stand_still(event: Event) -> None:
        seen.append(type(event).__name__)
        if len(seen) == number:
            _say([os.getpid(), seen])
            os.read(0, 1)

    asyncio.run(loop(journal=path).run("1 + 2?", on_event=stand_still))


def hold(path: str) -> None:
    """Have the file open until somebody closes our standard input."""
    with Journal(path) as kept:
        for event in run_of("theirs")[:3]:
            kept.write(event)
        _say("held")
        sys.stdin.read()


def run_out_of_room(path: str, room: str) -> None:
    """Run the loop where no file may grow beyond so many bytes; say how it ended, and how often we were warned."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(room), resource.RLIM_INFINITY))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        result = asyncio.run(loop(journal=path).run("1 + 2?"))
    _say([result.stop_reason, result.final_text, [str(one.message) for one in told]])


def find_room_again(path: str) -> None:
    """Write two runs to one file, the second of which has room again where the first had none left."""
    one, two = Journal(path), Journal(path)
    for event in run_of("one")[:2]:
        one.write(event)
    two.write(run_of("two")[0])
    resource.setrlimit(resource.RLIMIT_FSIZE, (Path(path).stat().st_size + 20, resource.RLIM_INFINITY))
    errors = [_error(journal, event) for journal, event in ((one, run_of("one")[2]), (one, run_of("one")[3]))]
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    errors.append(_error(one, run_of("one")[3]))
    for event in run_of("two")[1:]:
        two.write(event)
    one.close()
    two.close()
    _say(errors)


def _error(journal: Journal, event: Event) -> int | None:
    try:
        journal.write(event)
    except OSError as error:
        return error.errno
    return None


def fork(path: str) -> None:
    """Write a run's beginning, and let a forked child try to go on; say what came of it, and go on ourselves."""
    kept = Journal(path)
    kept.write(RUN[0])
    reading, writing = os.pipe()
    if os.fork() == 0:
        refused = None
        try:
            Journal(path)
        except Exception as error:
            refused = type(error).__name__
        os.write(writing, json.dumps([_error(kept, RUN[1]), refused]).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as told:
        _say(json.loads(told.read()))
    kept.write(RUN[1])
    kept.close()


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
