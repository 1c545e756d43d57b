"""The lines of a journal, one by one, whoever wrote the file: what each holds, or why it holds nothing."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from json import JSONDecodeError
from pathlib import Path
from typing import Any, BinaryIO

from hermes_nb import codec
from hermes_nb.events import Event
from hermes_nb.exceptions import JournalError, JournalWarning
from hermes_nb.journal import lines, locks


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """What is read at most of one file, whatever its size: bytes of a line, and how many lines. Values may be nested
    about a thousand levels deep."""

    line: int = 256 * 2**20
    lines: int = 100_000_000


@dataclass(frozen=True, slots=True)
class Place:
    """Where a line stands: its number, from 1, and its first byte, from 0."""

    path: Path
    line: int
    byte: int

    def __str__(self) -> str:
        return f"{self.path}, line {self.line} (byte {self.byte})"


@dataclass(frozen=True, slots=True)
class Opened:
    """A writer opened the file here: every run before this is over."""


@dataclass(frozen=True, slots=True)
class Told:
    """An event stands here."""

    place: Place
    event: Event


@dataclass(frozen=True, slots=True)
class Torn:
    """The writer of the next line found the one before this cut short."""


@dataclass(frozen=True, slots=True)
class Cut:
    """What stands here is no JSON: the line was cut short, if it is the last one or if a `Torn` says so after it. Which
    may have been cut short itself."""

    may_be_torn: bool = False


@dataclass(frozen=True, slots=True)
class Damage:
    """Nothing can be read here, and of which run it was, where that is known; after a `final` one, nothing at all."""

    error: JournalError
    run_id: str | None = None
    final: bool = False


def read_events(path: str | os.PathLike[str], *, bounds: Bounds | None = None) -> Iterator[Event]:
    """The events in a journal, in order, those that only a newer version knows too (`Unknown`).

    Raises:
        JournalError: the file is no journal, is of a newer major version, or is damaged.
        OSError: it cannot be read.
    """
    for found in read(Path(path), bounds or Bounds()):
        if isinstance(found, Damage):
            raise found.error
        if isinstance(found, Told):
            yield found.event


def read(path: Path, bounds: Bounds, run_id: str | None = None) -> Iterator[Opened | Told | Damage]:
    """What the lines of the file hold, where there is something to say of them; only of this run, if one is named.

    A line whose writing was cut short is passed over, with a warning; with none where the file is being written.

    Raises:
        OSError: it cannot be read.
    """
    cut: Place | None = None
    for place, raw in _lines(path, bounds):
        found = _found(place, raw, run_id)
        if cut is not None and (isinstance(found, Torn) or (isinstance(found, Cut) and found.may_be_torn)):
            _passed_over(cut)
            cut = None
            continue
        if cut is not None:
            yield Damage(JournalError(f"{cut} is no JSON"))
        cut = place if isinstance(found, Cut) else None
        if isinstance(found, Opened | Told | Damage):
            yield found
    if cut is not None and not locks.is_taken(path):
        _passed_over(cut)


def _passed_over(cut: Place) -> None:
    warnings.warn(f"{cut} was cut short while it was written, and is passed over", JournalWarning, stacklevel=4)


def _lines(path: Path, bounds: Bounds) -> Iterator[tuple[Place, bytes | JournalError]]:
    """Every line but empty ones, and the first; where one is over the bounds, the error that says so, and no more."""
    byte = 0
    with path.open("rb") as file:
        for number in count(1):
            place = Place(path, number, byte)
            raw = _line(file, place, bounds)
            if not raw:
                return
            if isinstance(raw, JournalError) or not raw.isspace() or number == 1:
                yield place, raw
            if isinstance(raw, JournalError):
                return
            byte += len(raw)


def _line(file: BinaryIO, place: Place, bounds: Bounds) -> bytes | JournalError:
    try:
        raw = file.readline(bounds.line + 1)
    except MemoryError:
        return JournalError(f"{place} is longer than there is memory for")
    if raw and place.line > bounds.lines:
        return JournalError(f"{place} is one more than are read: Bounds(lines=...) sets the limit")
    if len(raw) > bounds.line:
        return JournalError(f"{place} is longer than {bounds.line:,} bytes: Bounds(line=...) sets the limit")
    return raw


def _found(place: Place, raw: bytes | JournalError, run_id: str | None) -> Opened | Told | Damage | Torn | Cut | None:
    """What the line holds; None for an event of another run than the one that is asked for."""
    if isinstance(raw, JournalError):
        return Damage(raw, final=True)
    if place.line == 1:
        return _opening(place, raw)
    try:
        entry = codec.loads(raw)
    except (JSONDecodeError, UnicodeDecodeError):
        return Cut(may_be_torn=lines.TORN.startswith(raw.rstrip()))
    except (ValueError, RecursionError, MemoryError) as error:
        return Damage(_no_event(place, "there is no memory for it" if isinstance(error, MemoryError) else error))
    if isinstance(entry, dict) and "t" in entry:
        return _told(place, entry, run_id)
    if isinstance(entry, dict) and "hermes_nb_journal" in entry:
        return _opening(place, raw)
    return Torn() if entry == {"torn": True} else Damage(_no_event(place, "it has no t, which says what it is"))


def _opening(place: Place, raw: bytes) -> Opened | Cut | Damage:
    try:
        lines.check_opening(raw)
    except JournalError as error:
        told = f"{place.path} is {error}" if place.line == 1 else f"{place}: from here on the file is {error}"
        return Cut() if lines.may_be_opening(raw) else Damage(JournalError(told), final=True)
    return Opened()


def _told(place: Place, entry: dict[str, Any], run_id: str | None) -> Told | Damage | None:
    whose = entry.get("run_id")
    if run_id is not None and whose != run_id:
        return None
    try:
        return Told(place, lines.event(entry))
    except ValueError as error:
        return Damage(_no_event(place, error), whose if isinstance(whose, str) else None)


def _no_event(place: Place, why: object) -> JournalError:
    return JournalError(f"{place} is no event: {why}")
