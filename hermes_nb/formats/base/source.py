"""A transcript's file before anybody knows what it is: its head, its JSON document, its rows, its members."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from hermes_nb.exceptions import FormatError, FormatWarning, MissingDependency
from hermes_nb.formats.base.bounds import Bounds, Meter, opened, parsed, unpacking, zipfile

Kind = Literal["document", "lines", "zip", "parquet", "rows", "other"]
"""What a file is made of: one JSON document, JSON lines, an archive, a Parquet table, rows in memory, anything else."""

START_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Row:
    """One JSON value of many, and where it stands: `line 3` of a file, `item 3` of a list; both count from 1."""

    value: Any
    place: str


class Head:
    """What is known of a file before it is read: cheap to ask, and bounded.

    `start` is its first 4,096 bytes, unpacked. `kind` is what it is made of. `first` is the first JSON value: of JSON
    lines the first line's, otherwise the whole document; `row` is that, or the first item where it is a list. `names`
    are the members of an archive.
    """

    def __init__(self, source: Source) -> None:
        self._source = source

    @cached_property
    def start(self) -> bytes:
        """The first 4,096 bytes, unpacked; of rows in memory, none."""
        if self._source.path is None:
            return b""
        with opened(self._source.path, self._source.bounds) as file:
            return file.read(START_BYTES)

    @cached_property
    def kind(self) -> Kind:
        """What the file is made of."""
        if self._source.path is None:
            return "rows"
        if self.start.startswith((b"PK\x03\x04", b"PK\x05\x06")):
            return "zip"
        if self.start.startswith(b"PAR1"):
            return "parquet"
        return self._probed[0]

    @property
    def first(self) -> Any:
        """The first JSON value: of JSON lines the first line's, of a table the first row, otherwise the document."""
        if self.kind in ("rows", "parquet"):
            return next((row.value for row in self._source.rows()), None)
        return self._probed[1] if self.kind in ("document", "lines") else None

    @cached_property
    def row(self) -> Any:
        """The first row: `first`, or its first item where that is a list in a document."""
        first = self.first
        if self.kind == "document" and isinstance(first, list):
            return first[0] if first else None
        return first

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of an archive's members, in order; none of any other file."""
        return tuple(self._source.members()) if self.kind == "zip" else ()

    @cached_property
    def problem(self) -> str | None:
        """Why a file that looks like JSON is none; None where it is, or looks like nothing of the kind."""
        return self._probed[2]

    @cached_property
    def _probed(self) -> tuple[Kind, Any, str | None]:
        if not self.start.removeprefix(b"\xef\xbb\xbf").lstrip().startswith((b"{", b"[")):
            return "other", None, None
        try:
            first, more = self._source.first_line()
        except ValueError as on_one_line:
            try:
                return "document", self._source.whole(), None
            except ValueError as error:
                broken = isinstance(on_one_line, json.JSONDecodeError) or not isinstance(error, json.JSONDecodeError)
                return "other", None, str(error if broken else on_one_line)
        return ("lines" if more else "document"), first, None

    def keys(self) -> frozenset[str]:
        """The keys of `row`; none where it is no object."""
        return frozenset(self.row) if isinstance(self.row, Mapping) else frozenset()

    def __repr__(self) -> str:
        return f"Head({self._source.name} · {self.kind})"


class Source:
    """A transcript to be read: a file, or rows that are in memory already. Nothing is executed, whatever it says.

    `name` is the file's name without its folder, `head` what is known before it is read.
    """

    def __init__(
        self, path: str | os.PathLike[str] | None, bounds: Bounds | None = None, *, rows: Iterable[Any] | None = None
    ) -> None:
        self.path = None if path is None else Path(path)
        self.bounds = bounds or Bounds()
        self.head = Head(self)
        self._rows = rows

    @property
    def name(self) -> str:
        """The file's name; of rows in memory `rows`."""
        return "rows" if self.path is None else self.path.name

    @property
    def file(self) -> Path:
        """The file.

        Raises:
            FormatError: there is none: the rows are in memory.
        """
        if self.path is None:
            raise FormatError("rows in memory are no file")
        return self.path

    def document(self) -> Any:
        """The JSON document the file is; of JSON lines with one line, that line. It is parsed once.

        Raises:
            FormatError: it is none.
        """
        if self.head.kind != "document":
            raise self.error(f"no JSON document: {self.head.problem or self.head.kind}")
        return self.head.first

    def rows(self) -> Iterator[Row]:
        """The rows: of JSON lines each line, of a document that is a list each item, of any other document itself, of a
        Parquet table each row as a dict without its nulls, of rows in memory each of them.

        A last line that was cut short is passed over, with a FormatWarning.

        Raises:
            FormatError: a line is no JSON, or over the bounds; or the file has no rows.
            MissingDependency: it is a Parquet table, and pyarrow is not installed.
        """
        for number, row in enumerate(self._all_rows(), 1):
            if number > self.bounds.rows:
                raise self.error(f"more than {self.bounds.rows:,} rows: Bounds(rows=...)")
            yield row

    def _all_rows(self) -> Iterator[Row]:
        match self.head.kind:
            case "lines":
                yield from self._lines()
            case "document":
                given = self.head.first
                yield from _items(given) if isinstance(given, list) else [Row(given, "document")]
            case "parquet":
                yield from _items(_table(self.file))
            case "rows":
                yield from _items(self._rows or ())
            case _:
                raise self.error(f"no rows: {self.head.problem or self.head.kind}")

    def _lines(self) -> Iterator[Row]:
        cut: FormatError | None = None
        for number, raw in self._raw_lines():
            if cut is not None:
                raise cut
            try:
                yield Row(parsed(raw, self.bounds), f"line {number}")
            except (json.JSONDecodeError, UnicodeDecodeError) as error:
                cut = self.error(f"no JSON: {error}", f"line {number}")
            except ValueError as error:
                raise self.error(str(error), f"line {number}") from error
        if cut is not None:
            warnings.warn(f"{cut}; the last line was cut short, and is passed over", FormatWarning, stacklevel=3)

    def _raw_lines(self) -> Iterator[tuple[int, bytes]]:
        """The lines that are not blank, and their numbers."""
        limit = self.bounds.line
        with opened(self.file, self.bounds) as file:
            for number, raw in enumerate(iter(lambda: file.readline(limit + 1), b""), 1):
                if len(raw) > limit:
                    raise self.error(f"longer than {limit:,} bytes: Bounds(line=...)", f"line {number}")
                if not raw.isspace():
                    yield number, raw

    def first_line(self) -> tuple[Any, bool]:
        """The value of the first line that is not blank, and whether there are more such lines.

        Raises:
            ValueError: it is no JSON, or there is none.
        """
        lines = [raw for _, raw in islice(self._raw_lines(), 2)]
        if not lines:
            raise self.error("nothing in it")
        return parsed(lines[0], self.bounds), len(lines) > 1

    def whole(self) -> Any:
        """The value of all of the file.

        Raises:
            ValueError: it is no JSON, or over the bounds.
        """
        limit = self.bounds.document
        with opened(self.file, self.bounds) as file:
            raw = file.read(limit + 1)
        if len(raw) > limit:
            raise self.error(f"longer than {limit:,} bytes: Bounds(document=...)")
        return parsed(raw, self.bounds)

    def members(self) -> list[str]:
        """The names of the archive's members.

        Raises:
            FormatError: it is none, is damaged, or has too many of them.
        """
        names: list[str] = self._archive.namelist()
        if len(names) > self.bounds.rows:
            raise self.error(f"more than {self.bounds.rows:,} members: Bounds(rows=...)")
        return names

    def member(self, name: str) -> bytes:
        """The bytes of one member, unpacked.

        Raises:
            FormatError: it is not there, is damaged, or over the bounds.
        """
        pieces, size = [], 0
        try:
            with unpacking(self.file), self._archive.open(name) as file:
                while piece := file.read(2**20):
                    self._meter.add(len(piece))
                    size += len(piece)
                    if size > self.bounds.document:
                        raise self.error(f"longer than {self.bounds.document:,} bytes: Bounds(document=...)", name)
                    pieces.append(piece)
        except KeyError as error:
            raise self.error("there is no such member", name) from error
        return b"".join(pieces)

    def member_json(self, name: str) -> Any:
        """The JSON value of one member.

        Raises:
            FormatError: as `member`, or it is no JSON.
        """
        raw = self.member(name)
        try:
            return parsed(raw, self.bounds)
        except ValueError as error:
            raise self.error(f"no JSON: {error}", name) from error

    @cached_property
    def _meter(self) -> Meter:
        return Meter(self.file, self.bounds)

    @cached_property
    def _archive(self) -> Any:
        with unpacking(self.file):
            return zipfile.ZipFile(self.file)

    def close(self) -> None:
        """Let go of the file."""
        archive = self.__dict__.pop("_archive", None)
        if archive is not None:
            archive.close()

    def error(self, why: str, place: str | None = None) -> FormatError:
        """An error that names the file, and the place in it."""
        return FormatError(f"{', '.join(part for part in (str(self.path or 'rows'), place) if part)}: {why}")

    def __repr__(self) -> str:
        return f"Source({self.name} · {self.head.kind})"


def _items(values: Iterable[Any]) -> Iterator[Row]:
    for number, value in enumerate(values, 1):
        yield Row(value, f"item {number}")


def _table(path: Path) -> Iterator[Any]:
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise MissingDependency("a Parquet table", "tables") from error
    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=256):
                yield from map(_without_nulls, batch.to_pylist())
    except (OSError, ValueError) as error:  # pyarrow's own errors are both.
        raise FormatError(f"{path} is a Parquet table that cannot be read: {error}") from error


def _without_nulls(value: Any) -> Any:
    """A table's columns are the same in every row: what one row does not have is null in it."""
    if isinstance(value, Mapping):
        return {key: _without_nulls(inner) for key, inner in value.items() if inner is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value
