"""Packs what crosses between a run and a tool's own process: a call on its way there, what came of it on its way back.

Functions and classes of a notebook's cells are packed whole, by cloudpickle, since no other process can import them;
those of a module by their name. Both sides are the same Python with the same packages.
"""

from __future__ import annotations

import inspect
import io
import linecache
import pickle
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from types import CodeType, FunctionType
from typing import Any

import cloudpickle

from hermes_nb.exceptions import ToolDefinitionError
from hermes_nb.tools import contents
from hermes_nb.tools.contents import Content, content_of, shorten
from hermes_nb.tools.context import ToolContext

LARGEST_VALUE = 8 * 1024 * 1024
"""Bytes of a returned value, pickled, that come back from a tool's process. Of a larger one the content comes alone."""

OURS = {__file__, contents.__file__}
"""The files whose frames are no part of a tool's traceback."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """A call on its way to a process. `classes` are those that were packed whole: what comes back names them only."""

    content: bytes
    classes: tuple[type, ...]

    def __repr__(self) -> str:
        return f"Parcel({len(self.content)} bytes)"


@dataclass(frozen=True, slots=True)
class Raised:
    """What a tool raised in its process: the exception, and its traceback as text."""

    error: BaseException
    trace: str | None


class NotCarried:
    """Stands in a tool's own process for a run's state that cannot be taken there; using it says so."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)  # What pickle and copy look for.
        raise AttributeError(f"the run's state could not be taken into the tool's own process: {self._reason}")

    def __repr__(self) -> str:
        return f"NotCarried({self._reason})"


class _Packer(cloudpickle.Pickler):  # type: ignore[misc]
    """Packs for a process, and keeps the classes that it packed whole."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, protocol=pickle.HIGHEST_PROTOCOL)
        self.classes: list[type] = []

    def reducer_override(self, thing: Any) -> Any:
        """How a thing is packed; asked by pickle."""
        if isinstance(thing, FunctionType) and (place := _place_of(thing)):
            return _function_at, place
        if isinstance(thing, CodeType):  # cloudpickle may forget the file, and with it a traceback's lines.
            return _code_of, (thing.co_filename, *self.dispatch_table[CodeType](thing))
        reduced = super().reducer_override(thing)
        if isinstance(thing, type) and reduced is not NotImplemented:
            self.classes.append(thing)
        return reduced


class _Returner(cloudpickle.Pickler):  # type: ignore[misc]
    """Packs for the run. A class that came from there goes back as its number: packed whole, it would overwrite what
    the notebook's own class has become since."""

    def __init__(self, file: io.BytesIO, classes: list[type]) -> None:
        super().__init__(file, protocol=pickle.HIGHEST_PROTOCOL)
        self._numbers = {id(one): number for number, one in enumerate(classes)}

    def persistent_id(self, thing: Any) -> int | None:
        """The number of a class; asked by pickle."""
        return self._numbers.get(id(thing)) if isinstance(thing, type) else None


class _Opener(pickle.Unpickler):
    """Opens what a `_Returner` packed."""

    def __init__(self, file: io.BytesIO, classes: tuple[type, ...]) -> None:
        super().__init__(file)
        self._classes = classes

    def persistent_load(self, number: int) -> type:
        """The class of that number; asked by pickle."""
        return self._classes[number]


class _Bounded(io.BytesIO):
    """A file of at most `LARGEST_VALUE` bytes."""

    def write(self, data: Any, /) -> int:
        """Take more, unless it becomes too much."""
        if self.tell() + memoryview(data).nbytes > LARGEST_VALUE:
            raise OverflowError("the value is too large")
        return super().write(data)


def packed(ready: Callable[[], Any], limit: int) -> Parcel:
    """A call for a process of its own, of whose output at most `limit` bytes are wanted.

    Raises:
        ToolDefinitionError: something of it cannot be taken there; the text says what.
    """
    try:
        whole, classes = _dumped(ready)
    except Exception as error:  # What is packed is the user's, and may fail at anything.
        whole, classes = _dumped_without_state(ready, error)
    sources = {name: entry for name, entry in list(linecache.cache.items()) if len(entry) == 4 and entry[1] is None}
    return Parcel(pickle.dumps((list(sys.path), sources, whole, limit)), classes)


def outcome_of(call: bytes, limit: int) -> bytes:
    """Carry a packed call out, in its own process; what came of it, packed."""
    classes: list[type] = []
    try:
        ready, classes = _opened(call)
        value = ready()
        content = content_of(_at_once(value), limit)
    except BaseException as error:  # As in a thread: nothing that a tool raises ends us without an answer.
        return pickle.dumps(_failure(error, classes, limit))
    return pickle.dumps(content._asdict() | {"value": _returned(content.value, classes)})


def opened(outcome: bytes, parcel: Parcel) -> Content | Raised:
    """What came of a call, in the run again. A value that could not be brought back is None."""
    fields = pickle.loads(outcome)  # noqa: S301 - from the process we started, with the tool's own rights
    if "raised" in fields:
        return _raised(fields, parcel)
    value = None if fields["value"] is None else _brought_back(fields["value"], parcel)
    return Content(**fields | {"value": value})


def _dumped(thing: Any) -> tuple[bytes, tuple[type, ...]]:
    file = io.BytesIO()
    packer = _Packer(file)
    packer.dump((thing, packer.classes))  # In this order: by the time the list is packed, it is complete.
    return file.getvalue(), tuple(packer.classes)


def _at_once(value: Any) -> Any:
    if inspect.isawaitable(value):
        getattr(value, "close", int)()  # Or a coroutine says that it was never awaited.
        raise TypeError("the tool returned something to await, and in a process of its own there is no event loop")
    return value


def _dumped_without_state(ready: Callable[[], Any], problem: Exception) -> tuple[bytes, tuple[type, ...]]:
    """A call that cannot be packed, packed without the run's state, should that have been the problem."""
    given = ready.keywords if isinstance(ready, partial) else {}
    for name, context in given.items():
        if isinstance(context, ToolContext):
            stateless = replace(context, state=NotCarried(str(problem)))
            with suppress(Exception):
                return _dumped(partial(ready, **{name: stateless}))
    raise ToolDefinitionError(_why_not(ready, problem)) from problem


def _opened(call: bytes) -> tuple[Callable[[], Any], list[type]]:
    try:
        ready, classes = pickle.loads(call)  # noqa: S301 - it is our parent's
    except Exception as error:
        raise ToolDefinitionError(
            f"the tool's own process could not take the function over ({type(error).__name__}: {error}): define it in "
            "the notebook, or in a module that a fresh Python imports from the same sys.path"
        ) from error
    return ready, classes


def _returned(value: Any, classes: list[type]) -> bytes | None:
    """A value or an exception, packed; None: it cannot be, or is too large."""
    file = _Bounded()
    try:
        _Returner(file, classes).dump(value)
    except Exception:  # What is packed is the tool's, and may fail at anything.
        return None
    return file.getvalue()


def _brought_back(whole: bytes, parcel: Parcel) -> Any:
    try:
        return _Opener(io.BytesIO(whole), parcel.classes).load()
    except Exception:  # As above: a class may not be here that the tool imported there.
        return None


def _failure(error: BaseException, classes: list[type], limit: int) -> dict[str, Any]:
    """What is told of an exception: all that the run needs should the exception itself not get there."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename in OURS:
        trace = trace.tb_next
    told: dict[str, Any] = {"raised": type(error).__name__, "message": "(its message cannot be read)", "trace": None}
    with suppress(Exception):  # A tool's exception may fail at anything.
        told["message"] = shorten(str(error), limit)[0]
    with suppress(Exception):
        told["trace"] = shorten("".join(traceback.format_exception(error.with_traceback(trace))), limit)[0]
    return told | {"environment": isinstance(error, OSError), "error": _returned(error, classes)}


def _raised(fields: dict[str, Any], parcel: Parcel) -> Raised:
    error = None if fields["error"] is None else _brought_back(fields["error"], parcel)
    if not isinstance(error, BaseException):  # Many an exception is pickled, and then cannot be made again.
        like = OSError if fields["environment"] else Exception
        error = type(fields["raised"], (like,), {"__module__": __name__})(fields["message"])
    return Raised(error, fields["trace"])


def _place_of(function: FunctionType) -> tuple[str, str] | None:
    """The module and name where a function is found within the Tool that took its name; None: it is not there."""
    if function.__module__ in (None, "__main__"):
        return None
    found: Any = sys.modules.get(function.__module__)
    for name in function.__qualname__.split("."):
        found = getattr(found, name, None)
    return (function.__module__, function.__qualname__) if getattr(found, "function", None) is function else None


def _function_at(module: str, name: str) -> Any:
    __import__(module)
    found: Any = sys.modules[module]
    for part in name.split("."):
        found = getattr(found, part)
    return found.function


def _code_of(file: str, make: Callable[..., CodeType], parts: tuple[Any, ...]) -> CodeType:
    return make(*parts).replace(co_filename=file)


def _why_not(ready: Callable[[], Any], problem: Exception) -> str:
    named = ", ".join(_culprits(ready)) or "something it uses"
    return (
        f"isolation='process' takes the function, and what it uses, into another process, where {named} cannot go: "
        f"{type(problem).__name__}: {problem}. Make it or import it inside the function, or leave the isolation out"
    )


def _culprits(ready: Callable[[], Any]) -> Iterator[str]:
    """The names that the function uses, and the arguments, of which each by itself cannot be packed."""
    uses: dict[str, Any] = {}
    function: Any = ready
    while isinstance(function, partial):
        uses |= function.keywords
        function = function.func
    if inspect.ismethod(function):
        uses["self"] = function.__self__
    with suppress(TypeError, ValueError):  # It is written in C, or uses a name that has no value yet.
        used = inspect.getclosurevars(function)
        uses |= {**used.globals, **used.nonlocals}
    for name, thing in uses.items():
        try:
            _dumped(thing)
        except Exception:  # As in `packed`.
            yield repr(name)
