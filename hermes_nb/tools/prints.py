"""Keeps what tools print: of each call apart, within bounds, and out of the cell.

While a tool is at work, `sys.stdout` and `sys.stderr` are stood in for by objects that ask a context variable whose
print it is: a call's goes to the call's Sheet, all else on to the stream. Tasks and threads that a tool starts are
known as its own where they inherit the context (`asyncio.to_thread` does, `threading.Thread` does not). What goes
around `sys.stdout` is not seen: a child process, code in C, a stream that was imported earlier.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable
from contextvars import ContextVar, copy_context
from functools import cache
from itertools import count
from operator import attrgetter
from typing import Any, TypeVar

from hermes_nb.tools.contents import cut

T = TypeVar("T")

GATHERED = 8192
"""Characters, at least, that are gathered before their middle is thrown away: line by line that would be slow."""


class Hold:
    """Has `sys.stdout` and `sys.stderr` stood in for while it is entered; `on` says that it is.

    A run enters one for all its calls. A call that finds none holds the streams itself, for as long as it is at work.
    """

    __slots__ = ("on",)

    def __init__(self) -> None:
        self.on = False

    def __enter__(self) -> None:
        self.on = True
        _hold(self, next(_numbers))

    def __exit__(self, *_: object) -> None:
        self.on = False
        _let_go(self)

    def __repr__(self) -> str:
        return f"Hold({'on' if self.on else 'off'})"


class Sheet:
    """What one call prints: of a long text, `limit` bytes, from its beginning and its end.

    The tool enters it in every context of its own that it is carried out in, and leaves it when it has really ended,
    however late.
    """

    __slots__ = (
        "_apart", "_back", "_cutting", "_front", "_gathered", "_limit", "_pieces", "_size",
        "at_work", "given_up", "number",
    )  # fmt: skip

    def __init__(self, limit: int, apart: Hold) -> None:
        self.at_work = False
        self.given_up = False
        self._limit = limit
        self._apart = apart
        self._pieces: deque[str] | None = None  # None until something is printed, which most tools never do.

    def __enter__(self) -> None:
        self.at_work = True
        self.number = next(_numbers)
        _printing.set(self)
        spared = self._apart.on and not self.given_up
        if not spared or type(sys.stdout) is not StandIn or type(sys.stderr) is not StandIn:
            _hold(self, self.number)

    def __exit__(self, *_: object) -> None:
        self.at_work = False
        if self in _holding:
            _let_go(self)

    def outlast(self) -> None:
        """Hold the streams until the tool, which was given up, has really ended: its run may be over before."""
        _hold(self, next(_numbers))
        if not self.at_work:  # Asked after the holding, as `__exit__` asks after the leaving: one of them sees both.
            _let_go(self)

    def write(self, text: str) -> int:
        """Take the text down, as `sys.stdout.write` would print it; of a tool that was given up, nothing.

        Raises:
            TypeError: it is not text.
        """
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        if self.given_up:
            return len(text)
        if self._pieces is None:
            self._open()
        assert self._pieces is not None
        self._pieces.append(text)
        self._gathered += len(text) + 1  # An empty one takes room, too.
        if self._gathered > max(self._limit, GATHERED) and self._cutting.acquire(blocking=False):
            self._cut()
        return len(text)

    def text(self) -> str:
        """What was printed."""
        if self._pieces is None:
            return ""
        self._cutting.acquire()
        self._cut()
        if self._size <= self._limit:
            return self._front.decode("utf-8", "surrogatepass")
        return cut(self._front, self._back, self._size, self._limit)

    def _open(self) -> None:
        with _lock:
            if self._pieces is None:
                self._front = self._back = b""
                self._gathered = self._size = 0
                self._cutting = threading.Lock()
                self._pieces = deque()

    def _cut(self) -> None:
        """Keep, of what was gathered, what belongs to the beginning and the end; and let go of `_cutting`.

        Threads that print go on meanwhile: they append, and leave the cutting to whoever is at it.
        """
        assert self._pieces is not None
        try:
            self._gathered = 0
            raw = "".join(self._pieces.popleft() for _ in range(len(self._pieces))).encode("utf-8", "surrogatepass")
            self._size += len(raw)
            self._front += raw[: self._limit - len(self._front)]
            self._back = (self._back + raw)[-self._limit :]
        finally:
            self._cutting.release()

    def __repr__(self) -> str:
        return f"Sheet({'given up' if self.given_up else 'at work' if self.at_work else 'at rest'})"


class StandIn:
    """`sys.stdout` or `sys.stderr` while tools are at work: the stream itself, but for what tools print.

    Calls that began before number `since` print on the stream: it may be one of them that put it there, to catch what
    it prints itself (`contextlib.redirect_stdout`).
    """

    __slots__ = ("__weakref__", "_since", "_stream")

    def __init__(self, stream: Any, since: int) -> None:
        object.__setattr__(self, "_stream", stream)
        object.__setattr__(self, "_since", since)

    @property
    def write(self) -> Callable[[str], Any]:
        """What prints here and now. In the open it is the stream's own: IPython puts another in its place on the stream
        while a cell runs, which calls the one that it found."""
        return self._stream.write if self._is_open() else self._write

    def _write(self, text: str) -> Any:
        sheet = _printing.get()
        if sheet is None or self._is_open():
            return self._stream.write(text)
        return sheet.write(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Print the lines."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Flush the stream; a sheet needs none."""
        if self._is_open():
            self._stream.flush()

    def isatty(self) -> bool:
        """Whether it is a terminal; a sheet is none."""
        return self._is_open() and bool(self._stream.isatty())

    def _is_open(self) -> bool:
        """Whether what is printed here and now goes to the stream: what a tool left behind when it ended is none of its
        own. But one that was given up prints no more."""
        sheet = _printing.get()
        return sheet is None or not (sheet.at_work or sheet.given_up) or sheet.number < self._since

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._stream, name, value)

    def __repr__(self) -> str:
        return f"StandIn({getattr(self._stream, 'name', type(self._stream).__name__)!r})"


_stream_of = attrgetter("_stream")


def in_the_open(act: Callable[[], T]) -> T:
    """Do something on our own account while a tool is at work: what it prints is not the tool's."""
    context = copy_context()
    context.run(_printing.set, None)
    return context.run(act)


_printing: ContextVar[Sheet | None] = ContextVar("hermes_nb_printing", default=None)
"""The sheet of the call whose tool this code is called by, on whatever thread or loop it runs now."""

_lock = threading.RLock()  # Entered again where the garbage collector ends a tool's coroutine at this very moment.
_holding: set[Hold | Sheet] = set()
_numbers = count()


def _hold(one: Hold | Sheet, since: int) -> None:
    """Stand in for the streams, and, where somebody has redirected them meanwhile, for theirs."""
    _mind_forks()
    with _lock:
        _holding.add(one)
        if sys.stdout is not None and not isinstance(sys.stdout, StandIn):
            sys.stdout = StandIn(sys.stdout, since)
        if sys.stderr is not None and not isinstance(sys.stderr, StandIn):
            sys.stderr = StandIn(sys.stderr, since)


def _let_go(one: Hold | Sheet) -> None:
    """Hold the streams no more. The last one puts them back; but not where somebody has put others in their places."""
    with _lock:
        _holding.discard(one)
        if not _holding:
            _put_back()


def _put_back() -> None:
    if isinstance(sys.stdout, StandIn):
        sys.stdout = _stream_of(sys.stdout)
    if isinstance(sys.stderr, StandIn):
        sys.stderr = _stream_of(sys.stderr)


@cache
def _mind_forks() -> None:
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_begin_anew)


def _begin_anew() -> None:
    """In a forked child no call is at work: it prints in the open, and waits for no lock of its parent's threads."""
    global _lock
    _lock = threading.RLock()
    _holding.clear()
    _put_back()
