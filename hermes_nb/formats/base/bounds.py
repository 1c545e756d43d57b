"""What is read at most of one file, and the only ways to read it: counted while it is unpacked, parsed and no more."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import stat
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import orjson

from hermes_nb import codec
from hermes_nb.exceptions import FormatError

if sys.version_info >= (3, 14):
    import zipfile

    from compression import zstd
else:
    from backports import zstd
    from backports.zstd import zipfile

__all__ = ["Bounds", "Meter", "opened", "parsed", "unpacking", "zipfile"]


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """What is read at most of one file, whatever it says of its own size.

    Args:
        line: bytes of a line of JSON lines.
        document: bytes of one JSON document, unpacked: a whole file, or a member of an archive.
        total: bytes unpacked from one file altogether.
        ratio: how many times its own size a packed file may unpack to; the first 16 MiB are not asked for it.
        rows: lines of a file, rows of a table, members of an archive.
        depth: levels of nesting of a JSON value.

    A JSON value takes up to about 25 times its bytes in memory.
    """

    line: int = 128 * 2**20
    document: int = 512 * 2**20
    total: int = 8 * 2**30
    ratio: int = 200
    rows: int = 10_000_000
    depth: int = 254


FREE_BYTES = 16 * 2**20
"""Unpacked bytes that are not held against a file for being small."""

PACKED = (zlib.error, lzma.LZMAError, zstd.ZstdError, zipfile.BadZipFile, EOFError, gzip.BadGzipFile)
"""What the unpackers raise for a file that is damaged."""


class Meter:
    """Counts what was unpacked of a file."""

    def __init__(self, path: Path, bounds: Bounds) -> None:
        self.path, self.bounds = path, bounds
        self._size = path.stat().st_size
        self._unpacked = 0

    def add(self, number: int) -> None:
        """So many bytes more.

        Raises:
            FormatError: they are too many.
        """
        self._unpacked += number
        if self._unpacked > self.bounds.total:
            raise FormatError(f"{self.path} unpacks to more than {self.bounds.total:,} bytes: Bounds(total=...)")
        if self._unpacked > max(FREE_BYTES, self._size * self.bounds.ratio):
            raise FormatError(f"{self.path} unpacks to over {self.bounds.ratio} times its size: Bounds(ratio=...)")


class Metered(io.RawIOBase):
    """A stream that counts what is read of it."""

    def __init__(self, inner: BinaryIO, packed: BinaryIO, meter: Meter) -> None:
        self._inner, self._packed, self._meter = inner, packed, meter

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read and count."""
        with unpacking(self._meter.path):
            data = self._inner.read(len(buffer))
        self._meter.add(len(data))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Close what is read, and what that reads."""
        self._inner.close()
        self._packed.close()
        super().close()


@contextmanager
def unpacking(path: Path) -> Iterator[None]:
    """Names the file when what is done with it shows that it is damaged.

    Raises:
        FormatError: it is.
    """
    try:
        yield
    except PACKED as error:
        raise FormatError(f"{path} is damaged, or cut short: {error}") from error
    except (NotImplementedError, RuntimeError) as error:  # An encrypted archive, or one packed in an unknown way.
        raise FormatError(f"{path} cannot be unpacked: {error}") from error


def opened(path: Path, bounds: Bounds) -> io.BufferedReader:
    """The file's bytes, unpacked when they are gzip, zstd, bzip2 or xz by their content.

    Raises:
        FormatError: it is no ordinary file; while it is read, that it is damaged or over the bounds.
        OSError: it cannot be read.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise FormatError(f"{path} is no ordinary file")
    file = path.open("rb")
    start = file.read(6)
    file.seek(0)
    plain = cast(BinaryIO, file)
    for magic, unpack in UNPACKERS.items():
        if start.startswith(magic):
            return io.BufferedReader(Metered(unpack(plain), plain, Meter(path, bounds)), 2**17)
    return file


UNPACKERS: dict[bytes, Any] = {
    b"\x1f\x8b": lambda file: gzip.GzipFile(fileobj=file),
    b"\x28\xb5\x2f\xfd": zstd.ZstdFile,
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\x00": lzma.LZMAFile,
}


def parsed(raw: bytes, bounds: Bounds) -> Any:
    """The JSON value in the bytes, which may begin with a byte order mark.

    Raises:
        ValueError: they are no JSON, or it is nested more deeply than the bounds say. A json.JSONDecodeError or a
            UnicodeDecodeError may be the mark of a line that was cut short.
    """
    try:
        value = codec.loads(raw.removeprefix(b"\xef\xbb\xbf"))
    except MemoryError as error:
        raise ValueError("there is no memory for it") from error
    if _may_be_deep(value, bounds.depth) and _is_deeper(value, bounds.depth):
        raise ValueError(f"nested more than {bounds.depth} levels deep: Bounds(depth=...)")
    return value


def _may_be_deep(value: Any, depth: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    try:
        orjson.dumps(value)  # Which goes 254 levels deep, and is many times as fast as looking.
    except TypeError:
        return True
    return depth < ORJSON_DEPTH


ORJSON_DEPTH = 254


def _is_deeper(value: Any, depth: int) -> bool:
    level = [value]
    for _ in range(depth):
        level = [inner for item in level for inner in _children(item) if isinstance(inner, dict | list)]
        if not level:
            return False
    return True


def _children(item: Any) -> Any:
    return item.values() if isinstance(item, dict) else item
