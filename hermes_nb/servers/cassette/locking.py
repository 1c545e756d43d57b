"""One at a time, between threads and between processes, for a file that is replaced and so cannot be locked itself."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from hermes_nb.journal import locks

PATIENCE_SECONDS = 60.0
"""How long to wait for the others: a merge takes milliseconds, and a process that dies lets go."""


@contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    """Be the only one who is in here for this path; a file `<path>.lock` stands beside it meanwhile. It blocks.

    Raises:
        TimeoutError: somebody else is in there, and stays.
        OSError: there can be no file beside the path.
    """
    beside = path.with_name(f"{path.name}.lock")
    lock = _taken(beside)
    try:
        yield
    finally:
        with suppress(OSError):  # Where a file that is open cannot be removed, it stays.
            beside.unlink()
        os.close(lock)


def _taken(beside: Path) -> int:
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        lock = os.open(beside, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o666)
        # Whoever had it before may have removed it: then it keeps nobody out any more.
        with suppress(FileNotFoundError):
            if locks.take(lock) and os.path.samestat(os.fstat(lock), beside.stat()):
                return lock
        os.close(lock)
    raise TimeoutError(f"{beside} has been held for {PATIENCE_SECONDS:g} s by another process")
