"""What was promised of every run, and of all together: each function names the promises that were broken."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import get_args

import hermes_nb as hn
from benchmarks.soak.play import Played
from hermes_nb import outgoing
from hermes_nb.live import LiveRun
from hermes_nb.messages import Message
from hermes_nb.records import AgentResult, StopReason
from hermes_nb.supervisor import Run
from hermes_nb.tools import threads
from hermes_nb.turns import Turns

ENDINGS = set(get_args(StopReason)) - {"running", "crashed"}
PATIENCE_SECONDS = 10.0

DESCRIPTORS = Path("/proc/self/fd") if sys.platform == "linux" else Path("/dev/fd")


def of_run(played: Played) -> Iterator[str]:
    """What is wrong with a run that is over."""
    result = played.result
    if played.raised is not None:
        yield f"it raised {played.raised!r}"
    if result is None:
        yield "it left no result"
        return
    if result.stop_reason not in ENDINGS:
        yield f"it has no ending: it is {result.stop_reason!r}"
    if result.error is not None and result.error.status == 400:
        yield f"a strict server refused its history: {result.error.message}"
    if played.interrupted and result.stop_reason != "interrupted" and not played.fate.end.startswith("cancel"):
        yield f"nobody cancelled it, and it raised CancelledError after {result.stop_reason!r}"
    for told in hn.repair(_sendable(result)).report:
        yield f"its history is not sound: {told}"
    yield from _answers(result)
    yield from _on_disk(played, result)


def _sendable(result: AgentResult) -> list[Message]:
    """The history as it is sent: what a model got wrong in its arguments made safe, and an empty last word left out."""
    sent = list(outgoing.to_send(result.messages, None))
    *before, last = sent
    said = last.get("content") or last.get("tool_calls")
    return before if last["role"] == "assistant" and not said else sent


def _answers(result: AgentResult) -> Iterator[str]:
    """Every call has one answer, and it follows in the history."""
    said = Counter(message["tool_call_id"] for message in result.messages if message["role"] == "tool")
    for turn in result.turns:
        asked = [call.id for call in turn.reply.calls] if turn.reply else []
        answered = [one.call.id for one in turn.results]
        if asked != answered:
            yield f"turn {turn.number} has the calls {asked} and the answers {answered}"
        if not (turn.reply and turn.reply.partial) and any(said[call_id] != 1 for call_id in asked):
            yield f"turn {turn.number}: its answers are not in the history, once each"


def _on_disk(played: Played, result: AgentResult) -> Iterator[str]:
    """The journal holds the same run."""
    if result.journal_error is not None:
        yield f"its journal was given up: {result.journal_error}"
        return
    kept = hn.journal.load(played.journal)
    for name in ("stop_reason", "messages", "abandoned", "turns_used", "task"):
        if getattr(kept, name) != getattr(result, name):
            yield f"its journal has another {name}: {getattr(kept, name)!r:.300}, not {getattr(result, name)!r:.300}"


def of_tools(named: Mapping[str | None, Counter[str]], at_work: Mapping[tuple[str | None, str], int]) -> Iterator[str]:
    """Every tool that was at work when all runs were over was named by its run as left behind."""
    for (task_id, name), count in at_work.items():
        told = named.get(task_id, Counter())
        if count > told[name]:
            yield f"{count} calls of {name} were at work for {task_id}, which names {dict(told)}"


class Baseline:
    """What there was before a soak, to compare with what is there after it; what is to end has `patience` seconds."""

    def __init__(self, patience: float = PATIENCE_SECONDS) -> None:
        self._patience = patience
        self._tasks = asyncio.all_tasks()
        self._threads = set(threading.enumerate())
        self._descriptors = _descriptors()
        self._objects = _objects()

    async def left(self) -> list[str]:
        """What is left behind, once it has had its time to end."""
        end = time.perf_counter() + self._patience
        gc.collect()  # The HTTP client lets go of a connection here and there, unclosed, when a request is cancelled.
        # Nobody tells when a thread or a descriptor is gone.
        while (left := [*self._running(), *self._open()]) and time.perf_counter() < end:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        return left

    def _running(self) -> Iterator[str]:
        for task in asyncio.all_tasks() - self._tasks:
            yield f"a task is left: {task!r:.300}"
        for thread in set(threading.enumerate()) - self._threads:
            if not (_idle(thread) or thread.name.startswith("asyncio_")):  # In those the event loop looks up names.
                yield f"a thread is left: {thread.name}"

    def _open(self) -> Iterator[str]:
        for number in sorted(set(now := _descriptors()) - set(self._descriptors)):
            yield f"a descriptor is left: {number} is {now[number]}"

    def kept(self) -> list[str]:
        """What the memory still holds of runs that nobody holds."""
        gc.collect()
        now = _objects()
        return [f"{now[kind] - count} of {kind.__name__} are still held" for kind, count in self._objects.items()
                if now[kind] > count]  # fmt: skip


def _idle(thread: threading.Thread) -> bool:
    """Whether it is a pool's thread that waits for work; it ends by itself when there has been none for a while."""
    frame = sys._current_frames().get(thread.ident or 0)  # noqa: SLF001 - its name, but a documented function
    while frame is not None:
        if (frame.f_code.co_filename, frame.f_code.co_name) == (threads.__file__, "_next"):
            return True
        frame = frame.f_back
    return not thread.is_alive()


def _descriptors() -> dict[str, str]:
    """The descriptors that are open, and where each leads; not the one by which they are listed."""
    found = {}
    for path in list(DESCRIPTORS.iterdir()):
        with suppress(OSError):
            os.fstat(int(path.name))
            found[path.name] = "open"
            found[path.name] = str(path.readlink())
    return found


def _objects() -> dict[type, int]:
    counted = Counter(type(one) for one in gc.get_objects())
    return {kind: counted[kind] for kind in (Run, LiveRun, Turns, AgentResult)}
