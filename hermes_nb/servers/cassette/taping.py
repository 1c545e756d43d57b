"""Records one run, in a file beside the cassette; when the run is over, it is merged into the cassette as a whole."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from functools import cache, partial
from uuid import uuid4

from hermes_nb.events import Event, RunFinished
from hermes_nb.journal import Journal
from hermes_nb.redact import Redactor, Secret
from hermes_nb.servers.base import Server
from hermes_nb.servers.cassette.file import CassetteFile, Entry
from hermes_nb.servers.cassette.tape import Tape
from hermes_nb.tools.threads import Failure, Pool

UNPLAYABLE = ("interrupted", "crashed", "max_seconds")
"""The endings of a run that would not end so again: what ended it is in no recording."""


class RecordedTape(Tape):
    """A run that is recorded: every event, with the pieces of every reply, and without the secrets.

    With `anew`, it takes the place of the recordings of the same task and attempt, however it ends; without, a run
    whose server failed is not kept: it would fail for ever.
    """

    def __init__(self, server: Server, *, file: CassetteFile, secrets: Iterable[str | Secret], anew: bool) -> None:
        super().__init__(server)
        self._file = file
        self._redactor = Redactor(secrets)
        self._anew = anew
        self._path = file.path.with_name(f"{file.path.name}.{uuid4().hex[:8]}.part")
        self._journal: Journal | None = None
        self._ended: str | None = None
        self._error: OSError | None = None

    def observe(self, event: Event) -> None:
        """Write the event down."""
        if self._error is not None:
            return
        if isinstance(event, RunFinished):
            self._ended = event.stop_reason
        try:
            if self._journal is None:
                self._journal = Journal(self._path, self._redactor, deltas=True)
            self._journal.write(event)
        except OSError as error:
            self._error = error

    async def finish(self) -> None:
        """Merge the recording into the cassette, if it is to be kept, off the event loop.

        Raises:
            OSError: it could not be written, or not be merged; the cassette is as it was.
        """
        entry = self._file.enter(self._path, anew=self._anew) if self._is_kept() else None
        outcome = await _disk(os.getpid()).call(partial(self._put_away, entry)).outcome()
        if isinstance(outcome, Failure):
            raise outcome.error
        if self._error is not None:
            raise OSError(f"{self._file.path}: {self._error}") from self._error

    def _is_kept(self) -> bool:
        if self._error is not None or self._ended is None or self._ended in UNPLAYABLE:
            return False
        return self._anew or self._ended != "server_error"

    def _put_away(self, entry: Entry | None) -> None:
        if self._journal is None:
            return
        try:
            if entry is not None:
                self._file.settle(entry)
        except OSError as error:
            self._error = error
        finally:
            with suppress(OSError):  # What is kept of it is in the cassette, or nowhere.
                self._journal.close()
            self._path.unlink(missing_ok=True)


@cache
def _disk(process: int) -> Pool:
    """A few threads of its own, in every process: a disk that hangs must not take those that tools run in."""
    return Pool(limit=4)
