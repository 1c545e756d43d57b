"""What a test may leave behind: nothing. `with no_leaks():` around it looks, on an event loop `async with no_leaks():`.

Looked for are tasks, threads, child processes, open descriptors, and what stands in for `sys.stdout` and `sys.stderr`.
Idle threads of a pool are no leak, nor is the private event loop of `run_sync`; nor is what has ended within the
patience, for ends are seldom seen at once.
"""

from __future__ import annotations

import asyncio
import concurrent.futures.thread
import gc
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, TracebackType
from typing import Self

from hermes_nb import sync
from hermes_nb.tools.threads import Pool

IDLE: set[CodeType] = {Pool._next.__code__, concurrent.futures.thread._worker.__code__}
"""Where a thread is that waits for work."""


class no_leaks:  # noqa: N801 - it is used as a function is
    """Looks, when it is left, that all is as it was when it was entered.

    `abandoned` is how many threads of sync tools hang on, on purpose, that `result.abandoned` names; `patience`, how
    many seconds all else may take to end.
    """

    def __init__(self, *, abandoned: int = 0, patience: float = 10.0) -> None:
        self.abandoned = abandoned
        self.patience = patience

    def __enter__(self) -> Self:
        sync.private_loop()  # Not made before it is needed, and here for good.
        self._tasks = _tasks()
        self._threads = _busy()
        self._children = set(_children())
        self._descriptors = set(_descriptors())
        self._streams = sys.stdout, sys.stderr
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if error is None and self.found():
            gc.collect()
            deadline = time.monotonic() + self.patience
            while self.found() and time.monotonic() < deadline:
                time.sleep(0.01)
            self.check()

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        if error is None and self.found():
            gc.collect()
            deadline = time.monotonic() + self.patience
            while self.found() and time.monotonic() < deadline:  # noqa: ASYNC110 - what ends tells no event loop
                await asyncio.sleep(0.01)
            self.check()

    def check(self) -> None:
        """Fail if there is something now."""
        found = self.found()
        assert not found, "left behind: " + "; ".join(found)

    def found(self) -> list[str]:
        """What there is that was not, each in a few words."""
        return [*self._found()]

    def _found(self) -> Iterator[str]:
        yield from (f"task {task.get_name()} {task.get_coro()}" for task in _tasks() - self._tasks)
        busy = _busy() - self._threads
        hung = [thread for thread in busy if thread.name == "hermes_nb tool"]
        if len(hung) != self.abandoned:
            yield f"{len(hung)} threads at work in tools, where {self.abandoned} are left on purpose"
        yield from (f"thread {thread.name}" for thread in busy if thread not in hung)
        yield from (f"child {child} {_command(child)}" for child in set(_children()) - self._children)
        yield from (f"descriptor {number}" for number in set(_descriptors()) - self._descriptors)
        if not self.abandoned and (sys.stdout, sys.stderr) != self._streams:
            yield f"sys.stdout is {sys.stdout!r}, sys.stderr is {sys.stderr!r}"


def _tasks() -> set[asyncio.Task[object]]:
    try:
        return asyncio.all_tasks()
    except RuntimeError:  # No loop is running here.
        return set()


def _busy() -> set[threading.Thread]:
    """The threads that do not just wait for work."""
    frames = sys._current_frames()
    at = {thread: frames.get(thread.ident or 0) for thread in threading.enumerate()}
    return {thread for thread, frame in at.items() if frame is None or frame.f_code not in IDLE}


def _children() -> Iterator[int]:
    """The processes whose parent is this one; those that are dead and not yet waited for, too."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:  # It has ended meanwhile.
            continue
        if parent == os.getpid():
            yield int(process.name)


def _command(process: int) -> str:
    try:
        return Path(f"/proc/{process}/cmdline").read_text().replace("\0", " ").strip() or "(dead)"
    except OSError:
        return "(gone)"


def _descriptors() -> Iterator[str]:
    """The open descriptors, with what they are of: 7 socket:[1234]."""
    folder = Path("/proc/self/fd")
    for one in folder.iterdir() if folder.exists() else ():
        try:
            yield f"{one.name} {one.readlink()}"
        except OSError:  # That of the listing itself.
            continue
