"""Other people's transcripts in and out, one file for each format.

    results = hn.read("somebody's log")
    report = hn.formats.write(results, "trajectories.jsonl", "sharegpt")

`read` takes any file that one of `READERS` recognises by its content, whatever the file is called, and our own
journals. A `path` is text or a `Path`; `results` are one AgentResult, or any iterable of them. To add a format, add a
module with `NAME`, `recognises(head)` and `read(source)`, and its name to `READERS`.
"""

from __future__ import annotations

import errno
import glob
import os
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, TypeAlias, cast

from hermes_nb.exceptions import FormatError, FormatWarning
from hermes_nb.formats.base import Bounds, Head, Loss, Report, Results, Source
from hermes_nb.records import AgentResult

__all__ = ["READERS", "WRITERS", "Bounds", "Loss", "Report", "read", "recognise", "to_rows", "write"]

READERS = (
    "journals",
    "inspect_logs",
    "rows",
    "tau",
    "tau2",
    "swe_agent",
    "atif",
    "toolbench",
    "openhands",
    "mini_swe_agent",
    "verifiers",
    "sharegpt",
    "openai",
)
"""The modules that read a format, from the most specific to the least: the first that recognises a file reads it."""

WRITERS = {"openai": "openai", "sharegpt": "sharegpt", "inspect": "inspect_writing", "rows": "rows"}
"""The formats that can be written, and the modules that do."""

PathLike: TypeAlias = str | os.PathLike[str]

PATTERN = re.compile(r"[*?\[]")


class Reader(Protocol):
    """A module that reads one format."""

    NAME: str

    def recognises(self, head: Head) -> bool:
        """Whether the file is of this format, by its content alone."""

    def read(self, source: Source) -> Iterator[AgentResult]:
        """The results in the file, in its order."""


def readers() -> Iterator[Reader]:
    """Every reader, in the order in which they are asked."""
    for name in READERS:
        yield cast(Reader, import_module(f"hermes_nb.formats.{name}"))


def recognise(path: PathLike, *, bounds: Bounds | None = None) -> str | None:
    """The name of the format a file is in, by its content; None where it is none that is known.

    Raises:
        FormatError: the file is over the bounds, or damaged.
        OSError: it cannot be read.
    """
    source = Source(path, bounds)
    try:
        found = _reader_of(source)
        return found.NAME if found else None
    finally:
        source.close()


def read(
    path: PathLike | Iterable[PathLike] | Iterable[Mapping[str, Any]], *, bounds: Bounds | None = None
) -> list[AgentResult]:
    """The results in `path`: a file, all files of a folder and its folders, those that match a pattern, a list of
    any of these; or rows that are in memory: a list of dicts, or a `datasets.Dataset`.

    Which format a file is in is seen from its content. In a folder or pattern, files in no known format are passed over
    with a FormatWarning that names them; hidden ones without. Nothing in a file is executed. Results that would have
    the same run_id get it with `-2`, `-3` and so on, in the order of the files.

    Raises:
        FormatError: a file that was named is in no known format, is damaged, or is over the bounds; or no file of a
            folder or pattern is in a known one.
        JournalError: a journal is damaged.
        OSError: a file cannot be read, or none matches the pattern.
    """
    if isinstance(path, str | os.PathLike):
        return _distinct(_from_files([path], bounds))
    given = path if hasattr(path, "column_names") else list(path)
    if isinstance(given, list) and not (given and isinstance(given[0], Mapping)):
        return _distinct(_from_files(cast(list[PathLike], given), bounds))
    return _distinct(_from(Source(None, bounds, rows=cast(Iterable[Any], given)), whole=True) or [])


def write(results: Results, path: PathLike, format: str) -> Report:
    """Write one result, or many, to a file in another tool's format, and report what of them it could not keep.

    `format` is `openai` (chat messages, as JSON lines), `sharegpt` (the Hermes form, as JSON lines), `inspect` (a log
    of Inspect) or `rows` (rows of a Hugging Face data set, as JSON lines; `to_rows` gives them in memory).
    The module of each says what reads back to the letter. A report without losses means that everything does. The file
    is written whole or not at all, and everything shaped like a secret is redacted.

    Raises:
        FormatError: there is no such format.
        OSError: the file cannot be written; one of that name is as it was.
    """
    if format not in WRITERS:
        raise FormatError(f"no format {format!r} is written; there are {', '.join(WRITERS)}")
    report: Report = import_module(f"hermes_nb.formats.{WRITERS[format]}").write(results, path)
    return report


def to_rows(results: Results) -> list[dict[str, Any]]:
    """Rows of a data set in memory, for `datasets.Dataset.from_list` or a DataFrame that is written as Parquet: one
    for each result, with the columns and types that `hermes_nb/formats/rows.py` declares. `read` takes them again, from
    memory or from a file. Everything shaped like a secret is redacted.

    >>> import hermes_nb as hn
    >>> result = hn.HermesAgentLoop(hn.ScriptedServer(["It is 5."])).run_sync("What is 2 + 3?")
    >>> [row] = to_rows([result])
    >>> row["final_text"], row["stop_reason"], row["turns"]
    ('It is 5.', 'finished', 1)
    """
    found: list[dict[str, Any]] = import_module("hermes_nb.formats.rows").rows(results)
    return found


def _from_files(paths: list[PathLike], bounds: Bounds | None) -> list[AgentResult]:
    found: list[AgentResult] = []
    unknown: list[Path] = []
    files = {file.resolve(): (file, named) for path in paths for file, named in _files(path)}
    for file, named in files.values():
        results = _from(Source(file, bounds), whole=named)
        if results is None:
            unknown.append(file)
        else:
            found += results
    if unknown and len(unknown) == len(files):
        raise FormatError(f"none of {len(unknown)} files is in a known format, {unknown[0]} for one. {_known()}")
    if unknown:
        names = ", ".join(map(str, unknown[:5])) + (", ..." if len(unknown) > 5 else "")
        warnings.warn(f"passed over, since in no known format: {names}", FormatWarning, stacklevel=3)
    return found


def _from(source: Source, *, whole: bool) -> list[AgentResult] | None:
    """The results of one source; None where its format is unknown, or an error if it has to be read (`whole`)."""
    try:
        reader = _reader_of(source)
        if reader is not None:
            return list(reader.read(source))
    finally:
        source.close()
    if whole:
        raise FormatError(f"{source.path or 'rows in memory'}: {found_in(source.head)}. {_known()}")
    return None


def _reader_of(source: Source) -> Reader | None:
    return next((reader for reader in readers() if reader.recognises(source.head)), None)


def found_in(head: Head) -> str:
    """What a file holds that nobody recognises, in words."""
    keys = f"an object with the keys {', '.join(map(str, sorted(head.keys(), key=str)))[:200]}" if head.keys() else None
    match head.kind:
        case "document":
            return keys or f"JSON, {type(head.first).__name__}"
        case "lines":
            return f"JSON lines, the first of them {keys or type(head.first).__name__}"
        case "zip":
            return f"an archive of {len(head.names)} members, such as {', '.join(head.names[:3])}"
        case "parquet" | "rows":
            return f"rows, the first of them {keys or type(head.row).__name__}"
    if head.problem:
        return f"it looks like JSON and is none: {head.problem}"
    return f"no JSON; it begins with {head.start[:20]!r}" if head.start else "nothing in it"


def _known() -> str:
    return f"Known formats: {', '.join(reader.NAME for reader in readers())}"


def _files(path: PathLike) -> Iterator[tuple[Path, bool]]:
    """The files a path stands for, and whether it is the name of that one file."""
    place, text = Path(path), os.fspath(path)
    if place.is_dir():
        inner = sorted(file for file in place.rglob("*") if file.is_file())
        yield from ((file, False) for file in inner if not _is_hidden(file.relative_to(place)))
    elif PATTERN.search(text) and not place.exists():
        matching = [Path(name) for name in glob.glob(text, recursive=True)]  # noqa: PTH207 - Path wants a folder first
        files = sorted(file for file in matching if file.is_file())
        if not files:
            raise FileNotFoundError(errno.ENOENT, "no file matches", text)
        yield from ((file, False) for file in files)
    else:
        yield place, True


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _distinct(results: list[AgentResult]) -> list[AgentResult]:
    """The results, where those that were read from other people's files have run ids that no other has."""
    seen: dict[str | None, int] = {}
    distinct = []
    for result in results:
        times = seen[result.run_id] = seen.get(result.run_id, 0) + 1
        imported = result.origin is not None and result.origin.kind == "import"
        again = times > 1 and imported
        distinct.append(replace(result, run_id=f"{result.run_id}-{times}") if again else result)
    return distinct
