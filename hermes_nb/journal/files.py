"""A journal's file while it is written: one for all who write to it in this process, and locked against all others."""

from __future__ import annotations

import errno
import os
import stat
import threading
from pathlib import Path

from hermes_nb.exceptions import JournalError
from hermes_nb.journal import locks
from hermes_nb.journal.lines import LONGEST_OPENING, OPENING, TORN, check_opening, may_be_opening

FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)

_open: dict[tuple[int, int], SharedFile] = {}
_lock = threading.RLock()  # A Journal that is collected gives its file back at any moment, in here too.
_forks_are_told = False


def borrow(path: Path) -> SharedFile:
    """The file, open for appending; it is let go of when everybody who borrowed it gave it back.

    Raises:
        JournalError: it is no journal, is of a newer major version, or is written by another process.
        OSError: it cannot be opened, or made.
    """
    _make_way(path)
    with _lock:
        _tell_forks()
        fd = os.open(path, FLAGS, 0o666)
        known = os.fstat(fd)
        file = _open.get((known.st_dev, known.st_ino))
        if file is not None:
            os.close(fd)
        else:
            try:
                file = SharedFile(path, fd)
            except BaseException:
                os.close(fd)
                raise
            _open[file.key] = file
        file.users += 1
        if _open.get(file.key) is file:
            return file
    return borrow(path)  # A Journal that nobody held any more was collected just now, and closed the file.


def _make_way(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        return
    if stat.S_ISDIR(mode):
        raise JournalError(f"{path} is a folder: name a file in it, or use journal_path, which names one by the run")
    if not stat.S_ISREG(mode):
        raise JournalError(f"{path} is no ordinary file, and a journal is one")


class SharedFile:
    """An open journal. It begins with a line that says so, on a new line whatever the file ended with."""

    def __init__(self, path: Path, fd: int) -> None:
        self.path = path
        self.users = 0
        self._folder = path.absolute().parent
        self._fd = fd
        self._lock = threading.Lock()
        self._syncing = threading.Lock()
        self._lost: OSError | None = None
        if not locks.take(fd):
            raise JournalError(
                f"{path} is being written by {locks.holder(fd)}: name another file, or a folder, where every run has a "
                "file of its own, or let that one end"
            )
        info = os.fstat(fd)
        self.key = (info.st_dev, info.st_ino)
        self._was_linked = info.st_nlink > 0
        self._torn = info.st_size > 0 and self._ends_in_a_line(info.st_size)
        self._new = info.st_size == 0
        self._unsynced = True
        self.append(OPENING)

    def _ends_in_a_line(self, size: int) -> bool:
        """Whether the file, which is of us, ends within a line."""
        os.lseek(self._fd, 0, os.SEEK_SET)
        first = os.read(self._fd, LONGEST_OPENING).partition(b"\n")[0]
        if not may_be_opening(first):
            try:
                check_opening(first)
            except JournalError as error:
                raise JournalError(f"{self.path} is {error}. Name another file") from error
        os.lseek(self._fd, size - 1, os.SEEK_SET)
        return os.read(self._fd, 1) != b"\n"

    def append(self, lines: bytes) -> None:
        """Write the lines, all or, where that fails, as much of them as there was room for; what anybody writes after
        that begins on a new line.

        Raises:
            OSError: not all of it was written.
        """
        if self._fd < 0:  # In a forked child the lock may be held by a thread it does not have.
            raise self._closed()
        with self._lock:
            if self._fd < 0:
                raise self._closed()
            rest = b"\n" + TORN + lines if self._torn else lines
            self._unsynced = True
            while (written := os.write(self._fd, rest)) < len(rest):
                self._torn = True
                rest = rest[written:]
            self._torn = False

    def sync(self) -> None:
        """Bring what was written to the disk itself, and a new file's name too.

        Raises:
            OSError: it could not be; or the file was deleted, and what is written to it goes nowhere.
        """
        if self._fd < 0:
            raise self._closed()
        with self._syncing:  # Whoever comes meanwhile waits, and learns what came of it.
            if self._lost is not None:
                raise again(self._lost)
            if not self._unsynced:
                return
            with self._lock:
                if self._fd < 0:
                    raise self._closed()
                self._unsynced = False
                fd = os.dup(self._fd)  # So that nobody closes it meanwhile.
            try:
                self._bring(fd)
            except OSError as error:
                self._lost = error  # The system says it once; everybody who writes to the file has to know.
                raise
            finally:
                os.close(fd)

    def _bring(self, fd: int) -> None:
        os.fsync(fd)
        if self._was_linked and os.fstat(fd).st_nlink == 0:
            raise FileNotFoundError(errno.ENOENT, "it was deleted while it was written", str(self.path))
        if self._new:
            self._new = False
            _sync_folder(self._folder)

    def _closed(self) -> OSError:
        return OSError(errno.EBADF, "the journal is closed", str(self.path))

    def give_back(self) -> None:
        """Use it no longer. The last one closes it."""
        with _lock:
            self.users -= 1
            if self.users == 0 and _open.pop(self.key, None) is self:
                with self._lock:
                    locks.let_go(self._fd)
                    self.forget()

    def forget(self) -> None:
        """Close the descriptor, and nothing else."""
        fd, self._fd = self._fd, -1
        os.close(fd)

    def __repr__(self) -> str:
        return f"SharedFile({self.path.name} · {self.users} users)"


def _sync_folder(path: Path) -> None:
    try:
        fd = os.open(path, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
    except OSError:
        return  # It was moved, or is not ours to read; on Windows no folder is opened. The file is safe all the same.
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EBADF, errno.ENOTSUP):
            raise
    finally:
        os.close(fd)


def again(error: OSError) -> OSError:
    """The same error, to be raised once more."""
    return type(error)(error.errno, error.strerror, error.filename)


def _tell_forks() -> None:
    """A forked child gets copies of the descriptors, and with them its parent's locks: it has to give them up."""
    global _forks_are_told
    if not _forks_are_told and hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_forget_all)
    _forks_are_told = True


def _forget_all() -> None:
    global _lock
    _lock = threading.RLock()  # Another thread of the parent may have had the old one.
    for file in _open.values():
        file.forget()
    _open.clear()
