"""Writes a run's events down as they happen."""

from __future__ import annotations

import os
import re
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self

from hermes_nb.events import Delta, Event
from hermes_nb.journal.files import again, borrow
from hermes_nb.journal.lines import Writer
from hermes_nb.redact import Redactor


class Journal:
    """A file that runs' events are added to as they happen, by `write`.

    A new file begins with a header; one that is a journal is added to, on a new line, whatever became of its last one.
    Runs of one process may write to one file at once. With `deltas` the pieces of replies are kept too; they are
    written when what they are pieces of is whole, so that no secret gets by in two of them.

    Raises:
        JournalError: the file is something else, is of a newer major version, or is written by another process.
        OSError: it cannot be opened, or made.
    """

    def __init__(self, path: str | os.PathLike[str], redactor: Redactor | None = None, *, deltas: bool = False) -> None:
        self.path = Path(path)
        self._redactor = redactor or Redactor()
        self._line = Writer(self._redactor).line
        self._pieces: dict[str, list[Delta]] | None = {} if deltas else None
        self._failure: OSError | None = None
        self._file = borrow(self.path)
        self._give_back = weakref.finalize(self, self._file.give_back)
        self._give_back.atexit = False  # A run that the end of the process cuts short is written down after that.

    def write(self, *events: Event) -> None:
        """Append the events, in one go.

        Raises:
            OSError: it could not be written whole. No other is written then: a run with a gap in it is damaged.
        """
        lines = [self._lines(event) for event in events]
        if written := lines[0] if len(lines) == 1 else b"".join(lines):
            self._append(written)

    def _lines(self, event: Event) -> bytes:
        """What is written of the event, and with it."""
        if type(event) is Delta:
            if self._pieces is not None:
                self._pieces.setdefault(event.run_id, []).append(event)
            return b""
        line = self._line(event)
        return self._pieces_of(event.run_id) + line if self._pieces else line

    def _pieces_of(self, run_id: str) -> bytes:
        pieces = self._pieces.pop(run_id, ()) if self._pieces else ()
        return b"".join([self._line(delta) for delta in whole(pieces, self._redactor)])

    def _append(self, lines: bytes) -> None:
        if self._failure is not None:
            raise again(self._failure)
        try:
            self._file.append(lines)
        except OSError as error:
            self._failure = error
            raise

    def sync(self) -> None:
        """Bring what was written to the disk itself, so that it outlives the machine's failure. It blocks.

        Raises:
            OSError: it could not be, or the file was deleted.
        """
        self._file.sync()

    def close(self) -> None:
        """Bring everything to the disk and let go of the file; a second time does nothing.

        Raises:
            OSError: not everything got there. The file is let go of all the same.
        """
        if not self._give_back.alive:
            return
        try:
            for run_id in tuple(self._pieces or ()):
                self._append(self._pieces_of(run_id))
            self._file.sync()
        finally:
            self._give_back()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Journal({self.path.name})"


def whole(deltas: Sequence[Delta], redactor: Redactor) -> Iterator[Delta]:
    """The deltas, as they are; where their texts together hold a secret, all that is left of them is in the first."""
    texts: dict[tuple[str, int], str] = {}
    for delta in deltas:
        texts[_stream(delta)] = texts.get(_stream(delta), "") + delta.text
    changed = {stream: told for stream, text in texts.items() if (told := redactor.text(text)) != text}
    for delta in deltas:
        stream = _stream(delta)
        yield replace(delta, text=changed[stream]) if stream in changed else delta
        if stream in changed:
            changed[stream] = ""


def _stream(delta: Delta) -> tuple[str, int]:
    return delta.part, delta.index


def journal_path(path: str | os.PathLike[str], run_id: str) -> Path:
    """The file for a run: `path` itself, or in it, where it is a folder or ends in a slash, one named by `run_id`."""
    folder = os.fspath(path).endswith(("/", os.sep)) or Path(path).is_dir()
    return Path(path) / f"{re.sub(r'[^A-Za-z0-9._-]', '-', run_id)}.jsonl" if folder else Path(path)
