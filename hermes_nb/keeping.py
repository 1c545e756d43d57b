"""Keeps a run's journal: written as things happen, brought to the disk off the event loop, given up before the run is.

Every event is in the system's hands when `write` returns, so a process that is killed loses none. To the disk itself,
where a machine that fails loses none either, they are brought a few times a second, all journals of an event loop at
once; only the end of a run waits for that.
"""

from __future__ import annotations

import asyncio
import os
import warnings
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from weakref import WeakKeyDictionary

from hermes_nb.events import Event
from hermes_nb.journal import Journal
from hermes_nb.redact import Redactor
from hermes_nb.tools.threads import Failure, Pool, Value

SYNC_SECONDS = 0.25
"""How long what was written may wait to be brought to the disk."""


class Keeper:
    """The journal of one run, if it has one. `error` says why it is no longer written, `unsynced` whether some of it
    waits to be brought to the disk."""

    def __init__(self, journal: Journal | None) -> None:
        self.error: str | None = None
        self.journal = journal
        self.unsynced = False

    def write(self, *events: Event) -> None:
        """Write the events down."""
        if self.journal is None:
            return
        try:
            self.journal.write(*events)
        except OSError as error:
            self.lose(error)
            return
        if not self.unsynced:
            self.unsynced = True
            _syncer().soon(self)

    def lose(self, error: BaseException) -> None:
        """Keep the journal no longer, and warn of it, once."""
        journal, self.journal = self.journal, None
        if journal is not None:
            self.warn(f"{journal.path} is no longer written: {error}")
            _failure(journal.close)

    def warn(self, error: str) -> None:
        """Say why the journal is not written."""
        self.error = error
        warnings.warn(f"{error}. The run goes on, and its result holds all of it.", stacklevel=3)

    def cut(self) -> None:
        """`close`, on this thread."""
        journal, self.journal = self.journal, None
        if journal is not None and (error := _failure(journal.close)):
            self.warn(f"{journal.path} is no longer written: {error}")

    async def close(self) -> None:
        """Bring everything to the disk, and let go of the file."""
        journal = self.journal
        if journal is None:
            return
        try:
            closing = _disk().call(partial(_failure, journal.close))
        except OSError:  # There is no thread for it.
            self.cut()
            return
        self.journal = None  # From here on a sync that comes too late, to a closed file, is no loss.
        outcome = await closing.outcome()
        if isinstance(outcome, Failure):
            raise outcome.error
        if outcome.value is not None:
            self.warn(f"{journal.path} is no longer written: {outcome.value}")


def keeper_of(path: Path, redactor: Redactor) -> Keeper:
    """The keeper of a journal at `path`; where the system lets none be written there, one that says so.

    Raises:
        JournalError: the file is something else, or another process writes it.
    """
    try:
        return Keeper(Journal(path, redactor))
    except OSError as error:
        kept = Keeper(None)
        kept.warn(f"{path} cannot be written: {error}")
        return kept


class _Syncer:
    """Brings the journals of one event loop to the disk, all that were written to in one go."""

    def __init__(self) -> None:
        self._written: set[Keeper] = set()
        self._waiting = False

    def soon(self, keeper: Keeper) -> None:
        self._written.add(keeper)
        if not self._waiting:
            self._waiting = True
            asyncio.get_running_loop().call_later(SYNC_SECONDS, self._begin)

    def _begin(self) -> None:
        for keeper in self._written:
            keeper.unsynced = False
        written, self._written = [one for one in self._written if one.journal is not None], set()
        journals = [one.journal for one in written if one.journal is not None]
        if not journals:
            self._waiting = False
            return
        try:
            syncing = _disk().call(partial(_sync, journals))
        except OSError:  # There is no thread for it: the end of each run will have to do.
            self._waiting = False
            return
        syncing.outcome().add_done_callback(partial(self._done, written))

    def _done(self, written: list[Keeper], outcome: asyncio.Future[Value[list[OSError | None]] | Failure]) -> None:
        self._waiting = False
        result = outcome.result()
        errors = result.value if isinstance(result, Value) else [result.error] * len(written)
        for keeper, error in zip(written, errors, strict=True):
            if error is not None:
                keeper.lose(error)
        if self._written:
            self.soon(self._written.pop())


def _sync(journals: list[Journal]) -> list[OSError | None]:
    return [_failure(journal.sync) for journal in journals]


def _failure(act: Callable[[], None]) -> OSError | None:
    try:
        act()
    except OSError as error:
        return error
    return None


_syncers: WeakKeyDictionary[asyncio.AbstractEventLoop, _Syncer] = WeakKeyDictionary()


def _syncer() -> _Syncer:
    loop = asyncio.get_running_loop()
    if loop not in _syncers:
        _syncers[loop] = _Syncer()
    return _syncers[loop]


def _disk() -> Pool:
    """A few threads of its own: a disk that hangs must not take those that tools run in."""
    return _disk_of(os.getpid())


@cache
def _disk_of(process: int) -> Pool:
    return Pool(limit=4)
