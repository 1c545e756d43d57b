"""Journals as results: one run, or all that there are in many files."""

from __future__ import annotations

import errno
import glob
import os
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Literal, TypeAlias, overload

from hermes_nb.events import Event, Fold, RunFinished, RunStarted
from hermes_nb.exceptions import JournalError, JournalWarning
from hermes_nb.journal import locks
from hermes_nb.journal.reading import Bounds, Damage, Opened, Place, Told, read
from hermes_nb.records import AgentResult

PathLike: TypeAlias = str | os.PathLike[str]

PATTERN = re.compile(r"[*?\[]")


@overload
def load(path: PathLike, run: str | int, *, bounds: Bounds | None = None) -> AgentResult: ...
@overload
def load(path: PathLike, run: None = None, *, bounds: Bounds | None = None) -> AgentResult | list[AgentResult]: ...
def load(
    path: PathLike, run: str | int | None = None, *, bounds: Bounds | None = None
) -> AgentResult | list[AgentResult]:
    """The run in a journal; of a folder, or a pattern such as `runs/*.jsonl`, a list of all runs, by file and start.

    A run without an end is `running` while somebody writes the file, and `crashed` after that. A last line that was cut
    short is passed over, with a JournalWarning.

    Args:
        path: a file, a folder (its `.jsonl` files) or a pattern with `*`, `?`, `[...]` or `**`.
        run: which run, where there are many: its id, or its place in the list (-1 is the last).
        bounds: what is read at most.

    >>> import hermes_nb as hn, pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "run.jsonl")
    >>> hn.HermesAgentLoop(hn.ScriptedServer(["It is 5."]), journal=path).run_sync("What is 2 + 3?")
    AgentResult(finished · 1 turn, 0 calls, 0 errors · 'It is 5.')
    >>> load(path)
    AgentResult(finished · 1 turn, 0 calls, 0 errors · 'It is 5.')

    Raises:
        JournalError: a file is no journal, is of a newer major version, or is damaged; or the run is not there, or not
            the only one. See `runs` for what can be had of damaged files.
        OSError: a file cannot be read, or none matches the pattern.
    """
    files = files_of(path)
    if run is None and files != [Path(path)]:
        return _all(files, bounds or Bounds())
    return one(path, run, bounds=bounds)


def one(path: PathLike, run: str | int | None = None, *, bounds: Bounds | None = None) -> AgentResult:
    """`load` where one run is wanted; without `run` it has to be the only one, in a file, folder or pattern.

    Raises:
        JournalError, OSError: as `load` does.
    """
    files, bounds = files_of(path), bounds or Bounds()
    found = _of_id(files, run, bounds) if isinstance(run, str) else _all(files, bounds)
    if isinstance(run, int):
        if not -len(found) <= run < len(found):
            raise JournalError(f"{path} holds {_counted(found)}, and none at {run}")
        return found[run]
    named = "" if run is None else f" {run!r}"
    if not found:
        raise JournalError(f"{path} holds no run{named}: there is none after its first line")
    if len(found) > 1:
        ids = "" if run is not None else f"its id (run={found[-1].run_id!r}) or "
        raise JournalError(f"{path} holds {_counted(found)}{named}: say which, by {ids}its place (run=-1 is the last)")
    return found[0]


def every(path: PathLike, *, bounds: Bounds | None = None) -> list[AgentResult]:
    """All runs of a file, folder or pattern, by file and start, however many there are.

    Raises:
        JournalError, OSError: as `load` does.
    """
    return _all(files_of(path), bounds or Bounds())


def runs(path: PathLike, *, bounds: Bounds | None = None) -> Iterator[AgentResult]:
    """Every run that is whole as far as it goes, file by file, as they end; memory is taken by those under way alone.

    What is damaged is passed over: a run with a line that cannot be read or that is missing, a file that is no journal.
    Each is told by a JournalWarning with the file, the line and the byte. The arguments are those of `load`.

    Raises:
        OSError: a file cannot be read, or none matches the pattern.
    """
    for file in files_of(path):
        for found in runs_in(file, bounds or Bounds()):
            if isinstance(found, Damage):
                _pass_over(found)
            else:
                yield found.result


def _counted(found: list[AgentResult]) -> str:
    return f"{len(found)} {'run' if len(found) == 1 else 'runs'}"


def files_of(path: PathLike) -> list[Path]:
    """The files of a folder or pattern in order, or the path itself."""
    place, text = Path(path), os.fspath(path)
    if place.is_dir():
        return sorted(file for file in place.glob("*.jsonl") if file.is_file())
    if PATTERN.search(text) and not place.exists():
        matching = [Path(name) for name in glob.glob(text, recursive=True)]  # noqa: PTH207 - Path wants a folder first
        files = sorted(file for file in matching if file.is_file())
        if not files:
            raise FileNotFoundError(errno.ENOENT, "no file matches", text)
        return files
    if place.exists() and not place.is_file():
        raise JournalError(f"{path} is no ordinary file, and a journal is one")
    return [place]


def _all(files: list[Path], bounds: Bounds) -> list[AgentResult]:
    loaded = []
    for file in files:
        found = []
        for run in runs_in(file, bounds):
            if isinstance(run, Damage):
                raise run.error
            found.append(run)
        loaded += [run.result for run in sorted(found, key=lambda run: run.start)]
    return loaded


def _of_id(files: list[Path], run_id: str, bounds: Bounds) -> list[AgentResult]:
    """The runs of this id. Damage to others does them no harm."""
    loaded = []
    for file in files:
        for found in runs_in(file, bounds, run_id):
            if not isinstance(found, Damage):
                loaded.append(found.result)
            elif found.run_id == run_id or (found.final and len(files) == 1):
                raise found.error
            else:
                _pass_over(found)
    return loaded


def _pass_over(damage: Damage) -> None:
    warnings.warn(f"{damage.error}; it is passed over", JournalWarning, stacklevel=3)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A run, and which one of its file it is by its start."""

    start: int
    result: AgentResult


def runs_in(path: Path, bounds: Bounds, run_id: str | None = None) -> Iterator[Loaded | Damage]:
    """The runs of a file, each when it is over, and what of it cannot be read."""
    written = locks.is_taken(path)
    under_way = _UnderWay()
    for found in read(path, bounds, run_id):
        match found:
            case Damage(run_id=whose, final=final):
                yield found
                if final:
                    return
                if whose is not None:
                    under_way.give_up(whose)
            case Opened():
                yield from under_way.left("crashed")
            case Told(place=place, event=event):
                yield from under_way.take(place, event)
    yield from under_way.left("running" if written or locks.is_taken(path) else "crashed")


class _UnderWay:
    """The runs that have begun and are not over."""

    def __init__(self) -> None:
        self._folds: dict[str, tuple[int, Fold]] = {}
        self._given_up: set[str] = set()
        self._starts = count()

    def take(self, place: Place, event: Event) -> Iterator[Loaded | Damage]:
        """Add the event to its run; the run, if that is its end, or a new one of the same id begins."""
        run_id = event.run_id
        if isinstance(event, RunStarted):
            yield from self._over(run_id, "crashed")
            self._given_up.discard(run_id)
            self._folds[run_id] = next(self._starts), Fold()
        if run_id in self._given_up:
            return
        try:
            if run_id not in self._folds:
                raise ValueError(f"run {run_id!r} is not under way")  # noqa: TRY301 - as an event that does not follow
            self._folds[run_id][1].add(event)
        except ValueError as error:
            self.give_up(run_id)
            yield Damage(JournalError(f"{place}: {error}"), run_id)
        else:
            if isinstance(event, RunFinished):
                yield from self._over(run_id, "crashed")

    def give_up(self, run_id: str) -> None:
        """Forget the run: something of it cannot be read."""
        self._folds.pop(run_id, None)
        self._given_up.add(run_id)

    def left(self, unended: Literal["running", "crashed"]) -> Iterator[Loaded]:
        """All of them, as they are."""
        for run_id in tuple(self._folds):
            yield from self._over(run_id, unended)

    def _over(self, run_id: str, unended: Literal["running", "crashed"]) -> Iterator[Loaded]:
        if run_id in self._folds:
            start, fold = self._folds.pop(run_id)
            yield Loaded(start, fold.result(unended))
