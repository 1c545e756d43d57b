"""Who may write a file: a lock that one process has at a time, and that the system takes from one that dies."""

from __future__ import annotations

import errno
import os
import sys
import time
from contextlib import suppress
from pathlib import Path

TAKEN = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, errno.EDEADLK)
"""What a system says when another has the lock; whatever else it says, it has no locks, and there is nothing to do."""

PATIENCE = (0.0, 0.01, 0.02, 0.04, 0.08)
"""Seconds between tries: whoever looks whether a file is written has its lock for a moment."""

if sys.platform == "win32":
    import msvcrt

    FAR = 2**62
    """Where no journal reaches: on Windows what is locked cannot be read."""

    def _lock(fd: int, shared: bool) -> None:
        os.lseek(fd, FAR, os.SEEK_SET)
        msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)

    def _unlock(fd: int) -> None:
        os.lseek(fd, FAR, os.SEEK_SET)
        msvcrt.locking(fd, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _lock(fd: int, shared: bool) -> None:
        fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)

    def _unlock(fd: int) -> None:
        fcntl.flock(fd, fcntl.LOCK_UN)


def take(fd: int) -> bool:
    """Take the lock on this open file, for as long as it is open; whether that could be done."""
    for seconds in PATIENCE:
        if seconds:
            time.sleep(seconds)
        if _free(fd, shared=False):
            return True
    return False


def let_go(fd: int) -> None:
    """Let the next one have it, whoever else may still have a copy of the descriptor."""
    with suppress(OSError):  # There was none to be had.
        _unlock(fd)


def is_taken(path: Path) -> bool:
    """Whether somebody has the lock: this process, or another."""
    try:
        fd = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    except OSError:
        return False
    try:
        return not _free(fd, shared=True)
    finally:
        os.close(fd)


def holder(fd: int) -> str:
    """Who has the lock, as far as the system tells: `process 123`, or `another process`."""
    number = str(os.fstat(fd).st_ino)
    try:
        told = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):
        return "another process"
    owners = {words[4] for words in map(str.split, told) if len(words) > 5 and words[5].endswith(f":{number}")}
    only = owners.pop() if len(owners) == 1 else "0"
    return f"process {only}" if only.isdecimal() and int(only) > 0 else "another process"


def _free(fd: int, shared: bool) -> bool:
    try:
        _lock(fd, shared)
    except OSError as error:
        return error.errno not in TAKEN
    return True
