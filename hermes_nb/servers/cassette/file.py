"""The file of a cassette: read when it has changed, and added to so that it holds whole recordings at every moment."""

from __future__ import annotations

import os
import stat
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TypeAlias
from uuid import uuid4

from hermes_nb import codec
from hermes_nb.exceptions import JournalError
from hermes_nb.journal import locks, read_events
from hermes_nb.recordings import Recording, recordings
from hermes_nb.servers.cassette.differences import Eye
from hermes_nb.servers.cassette.locking import one_at_a_time

HEADER = "hermes_nb_journal"

Stamp: TypeAlias = tuple[int, ...]
"""What tells one state of a file from another; nothing where there is no file."""


@dataclass(slots=True, eq=False)
class Entry:
    """A recording that waits to be added: the journal of one run. With `anew`, others of its task and attempt go."""

    path: Path
    anew: bool
    error: OSError | None = None


class CassetteFile:
    """The file of a cassette. One object serves many runs and threads, and other processes may write it too."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read: tuple[Stamp, list[Recording]] = ((), [])
        self._made: set[str] = set()
        self._waiting: deque[Entry] = deque()
        self._lock = threading.Lock()

    @property
    def is_there(self) -> bool:
        """Whether there is a file."""
        return bool(_stamp(self.path))

    def recordings(self) -> list[Recording]:
        """The runs in it, in the order in which they stand there.

        Raises:
            JournalError: it is no journal, of a newer major version, or damaged.
            OSError: it cannot be read.
        """
        stamp = _stamp(self.path)
        if self._read[0] != stamp:
            self._read = (stamp, _recordings(self.path) if stamp else [])
        return self._read[1]

    def enter(self, path: Path, *, anew: bool) -> Entry:
        """Line a recording up to be added."""
        entry = Entry(path, anew)
        self._waiting.append(entry)
        return entry

    def settle(self, entry: Entry) -> None:
        """See that a recording is added, by this thread or by another, and with it all that wait. It blocks.

        It takes the place of those of its task and attempt that start alike, with the same tools and settings. With
        `anew`, and a task, it takes the place of all of that task and attempt, but for those that this object made and
        those that it goes on from, or that go on from it.

        Raises:
            OSError: it could not be done; the file is as it was.
        """
        with self._lock:
            batch = [self._waiting.popleft() for _ in range(len(self._waiting))]
            try:
                if batch:
                    self._add(batch)
            except (OSError, JournalError) as error:
                for one in batch:
                    one.error = error if isinstance(error, OSError) else OSError(str(error))
        if entry.error is not None:
            raise entry.error

    def _add(self, batch: Iterable[Entry]) -> None:
        real = Path(os.path.realpath(self.path))
        with one_at_a_time(real):
            if locks.is_taken(real):
                raise OSError(f"{self.path} is being written as a journal: record into a file of its own")
            runs = list(self.recordings())
            kept = list(runs)
            lines = _lines(real) if runs else []
            for entry in batch:
                lines += _lines(entry.path)
                for fresh in _recordings(entry.path):
                    kept = [*(old for old in kept if not self._gives_way(old, fresh, entry.anew)), fresh]
                    runs.append(fresh)
                    self._made.add(fresh.run_id)
            stays = set(kept)
            gone = {place for place, one in enumerate(runs) if one not in stays}
            header = max(filter(_is_header, lines), key=_version)
            events = [line for line in lines if not _is_header(line)]
            _replace(real, [header, *(_without(gone, events) if gone else events)])
            self._read = (_stamp(self.path), kept)

    def _gives_way(self, old: Recording, new: Recording, anew: bool) -> bool:
        if old.key != new.key:
            return False
        eye, one, other = Eye(), old.started, new.started
        starts = [[eye.message(message) for message in started.messages] for started in (one, other)]
        if starts[0] == starts[1]:
            return not eye.tools(one.tools, other.tools) and not eye.sampling(one.sampling, other.sampling)
        if not anew or other.task is None or one.run_id in self._made:
            return False
        shorter, longer = sorted(starts, key=len)
        return longer[: len(shorter)] != shorter


def _stamp(path: Path) -> Stamp:
    try:
        state = path.stat()
    except FileNotFoundError:
        return ()
    return state.st_mtime_ns, state.st_size, state.st_ino


def _recordings(path: Path) -> list[Recording]:
    try:
        return recordings(read_events(path))
    except JournalError:
        raise
    except ValueError as error:
        raise JournalError(f"{path}: {error}") from error


def _lines(path: Path) -> list[bytes]:
    """The lines of a journal; a last one that was not written to its end is none."""
    *lines, last = path.read_bytes().split(b"\n")
    with suppress(ValueError):
        lines += [last] if codec.loads(last) else []
    return [line for line in lines if line]


def _is_header(line: bytes) -> bool:
    return line.startswith(b"{") and HEADER.encode() in line[:40]


def _without(gone: set[int], lines: Iterable[bytes]) -> Iterator[bytes]:
    """The lines without those of these runs, by their places among the runs; lines of several may lie between."""
    places: dict[str, int] = {}
    starts = count()
    for line in lines:
        with suppress(ValueError):  # A line that was cut short is nobody's.
            entry = codec.loads(line)
            if entry.get("t") == "RunStarted":
                places[entry["run_id"]] = next(starts)
            if places.get(entry.get("run_id"), -1) not in {-1, *gone}:
                yield line


def _version(header: bytes) -> tuple[int, ...]:
    with suppress(ValueError, LookupError, TypeError, AttributeError):
        return tuple(int(part) for part in codec.loads(header)[HEADER].split("."))
    return ()


def _replace(path: Path, lines: Sequence[bytes]) -> None:
    """Put a file of these lines in the place of the one at `path`, at one moment, with its permissions."""
    written = path.with_name(f"{path.name}.{uuid4().hex[:8]}.new")
    try:
        with written.open("xb") as file:
            file.writelines(line + b"\n" for line in lines)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            written.chmod(stat.S_IMODE(path.stat().st_mode))
        written.replace(path)
    except BaseException:
        written.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Bring the new name to the disk too, where a folder can be opened for that."""
    with suppress(OSError):
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)
