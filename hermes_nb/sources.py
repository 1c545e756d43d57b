"""Where runs come from: results, whatever holds one, paths and patterns of files, and any mixture of them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Protocol, TypeAlias, Union
from warnings import warn

from hermes_nb import codec
from hermes_nb.exceptions import ConfigurationError, JournalWarning
from hermes_nb.journal import Bounds, lines
from hermes_nb.journal.loading import files_of, runs_in
from hermes_nb.journal.reading import Damage
from hermes_nb.records import AgentResult


class Holder(Protocol):
    """What has a run's result, such as a LiveRun."""

    @property
    def result(self) -> AgentResult:
        """The run as far as it came."""


Source: TypeAlias = Union[AgentResult, Holder, str, os.PathLike[str], Iterable["Source"]]  # noqa: UP007 - it names itself


def parts(source: Source) -> Iterator[AgentResult | Path]:
    """The results and files of a source, in its order.

    Raises:
        ConfigurationError: something in it is neither.
        OSError: no file matches a pattern.
    """
    held = getattr(source, "result", None)
    if isinstance(source, AgentResult):
        yield source
    elif isinstance(source, str | os.PathLike):
        yield from files_of(source)
    elif isinstance(held, AgentResult):
        yield held
    elif isinstance(source, Iterable) and not isinstance(source, bytes | dict):
        for one in source:
            yield from parts(one)
    else:
        raise ConfigurationError(
            f"runs come from results, paths and patterns of files, or an iterable of these; got {source!r:.80}"
        )


def is_journal(path: Path) -> bool:
    """Whether the file begins as a journal does; an empty one, whose writer was killed at once, does too."""
    with path.open("rb") as file:
        first = file.readline(lines.LONGEST_OPENING)
    if not first or lines.may_be_opening(first):
        return True
    try:
        return "hermes_nb_journal" in codec.loads(first)
    except (ValueError, TypeError, RecursionError):
        return False


def results(source: Source, bounds: Bounds | None = None) -> Iterator[AgentResult]:
    """Every run of the source as a result.

    Raises:
        HermesError: a file is of no kind that can be read.
        OSError: a file cannot be read.
    """
    for part in parts(source):
        if isinstance(part, AgentResult):
            yield part
        else:
            yield from (result for _, result in sorted(loaded(part, bounds or Bounds()), key=lambda one: one[0]))


def loaded(path: Path, bounds: Bounds) -> Iterator[tuple[int, AgentResult]]:
    """The results in a file, each with its number by their starts; what is damaged is passed over with a warning."""
    if not is_journal(path):
        yield from enumerate(import_module("hermes_nb.formats").read(path))
        return
    for found in runs_in(path, bounds):
        if not isinstance(found, Damage):
            yield found.start, found.result
        elif found.final and str(found.error).startswith(f"{path} is "):  # Its first line says so.
            raise found.error
        else:
            warn(f"{found.error}; it is passed over", JournalWarning, stacklevel=5)
