"""Events as JSON lines on disk: a header line, then one line per event; secrets never reach the file.

Format 1.0: `{"hermes_nb_journal": "1.0"}`, then objects whose `t` names the event's type and whose other keys are its
fields; fields at their default are left out, and fields that live in memory only are not there.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from hermes_nb import codec
from hermes_nb.events import KINDS, Delta, Event, Fold
from hermes_nb.exceptions import JournalError
from hermes_nb.records import AgentResult
from hermes_nb.redact import Redactor

FORMAT = "1.0"
HEADER = {"hermes_nb_journal": FORMAT}


class Journal:
    """A file that a run's events are written to as they happen, one `write` each.

    Raises:
        JournalError: the file is already there, and holds something; a journal is never written over.
    """

    def __init__(self, path: str | os.PathLike[str], redactor: Redactor | None = None) -> None:
        self.path = Path(path)
        self._redactor = redactor or Redactor()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file: BinaryIO = self.path.open("ab", buffering=0)
        if self._file.tell():
            self._file.close()
            raise JournalError(f"{self.path} is there already and is not written over: name another file, or delete it")
        self._write(HEADER)

    def write(self, event: Event) -> None:
        """Append the event. Deltas are not kept."""
        if not isinstance(event, Delta):
            self._write({"t": type(event).__name__, **codec.plain(event)})

    def _write(self, entry: dict[str, Any]) -> None:
        self._file.write(codec.dumps(self._redactor.value(entry), default=repr) + b"\n")

    def close(self) -> None:
        """Bring everything written to the disk and let go of the file."""
        if not self._file.closed:
            os.fsync(self._file.fileno())
            self._file.close()

    def __repr__(self) -> str:
        return f"Journal({self.path.name})"


def journal_path(path: str | os.PathLike[str], run_id: str) -> Path:
    """The file for a run: `path` itself, or in it, where it is a folder or ends in a slash, a file named by run id."""
    folder = os.fspath(path).endswith(("/", os.sep)) or Path(path).is_dir()
    return Path(path) / f"{re.sub(r'[^A-Za-z0-9._-]', '-', run_id)}.jsonl" if folder else Path(path)


def load(path: str | os.PathLike[str]) -> AgentResult:
    """The run in a journal. One that has no end is `crashed`: nobody is writing it any more.

    Raises:
        JournalError: the file is no journal, is of a newer major version, or is damaged.
        OSError: the file cannot be read.
    """
    folded = Fold()
    for number, event in _events(Path(path)):
        try:
            folded.add(event)
        except ValueError as error:
            raise JournalError(f"{path}, line {number}: {error}") from error
    if folded.started is None:
        raise JournalError(f"{path} holds no run: there is nothing after its header")
    return folded.result(unended="crashed")


def read_events(path: str | os.PathLike[str]) -> Iterator[Event]:
    """The events in a journal, in order.

    Raises:
        JournalError: the file is no journal, is of a newer major version, or is damaged.
    """
    for _, event in _events(Path(path)):
        yield event


def _events(path: Path) -> Iterator[tuple[int, Event]]:
    with path.open("rb") as file:
        _check_header(path, file.readline())
        for number, line in enumerate(file, start=2):
            yield number, _event(path, number, line)


def _check_header(path: Path, line: bytes) -> None:
    try:
        version = codec.loads(line)["hermes_nb_journal"]
        major = int(version.split(".")[0])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise JournalError(f"{path} is not a journal of hermes_nb: its first line is not a journal's header") from error
    if major > int(FORMAT.split(".")[0]):
        raise JournalError(f"{path} is of format {version}; this version reads up to {FORMAT}: upgrade hermes_nb")


def _event(path: Path, number: int, line: bytes) -> Event:
    try:
        entry = codec.loads(line)
        return codec.build(KINDS[entry["t"]], entry)
    except (ValueError, KeyError, TypeError) as error:
        raise JournalError(f"{path}, line {number} is no event: {error}") from error
