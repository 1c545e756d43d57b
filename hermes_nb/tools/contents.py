"""Turns what a tool returned into what the model gets: text, of a bounded size."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from enum import Enum
from itertools import islice
from typing import Any, NamedTuple

from hermes_nb import codec
from hermes_nb.records import ErrorKind, Fault, ToolCall, ToolError, ToolResult
from hermes_nb.tools.parts import PLAIN, shown

FAULTS: dict[ErrorKind, Fault] = {
    "unknown_tool": "model",
    "bad_json": "model",
    "bad_arguments": "model",
    "exception": "tool",
    "reported": "tool",
    "timeout": "environment",
    "cancelled": "run",
    "rejected": "run",
}
"""Whose fault an error of each kind is, as a rule; an exception of the operating system is the environment's."""

BYTES = (bytes, bytearray)

AS_JSON = (dict, list, tuple, int, float, type(None), Mapping, AbstractSet)

MOST_ITEMS = 10_000
"""Items of an iterator that are read; one may have no end."""

HEAD = 0.4
"""The part of a cut text's room that goes to its beginning; how an output went is more often said at its end."""


class Content(NamedTuple):
    """A return value, and the text of it that the model gets.

    `size` is the text's bytes before it was cut (None: it was not), of an iterator those that were read. `reported` is
    the error that the tool itself told of, and `exit_code` its exit code, where it returned a JSON object that has
    them. `parts` are what a model that sees gets beside the text.
    """

    value: Any
    text: str
    size: int | None = None
    reported: str | None = None
    exit_code: int | None = None
    parts: tuple[dict[str, Any], ...] | None = None


def answered(
    call: ToolCall,
    content: Content,
    queued: float = 0.0,
    started: float = 0.0,
    seconds: float = 0.0,
    printed: str = "",
) -> ToolResult:
    """The result of a call whose tool returned."""
    told = content.reported
    return ToolResult(
        call=call,
        content=content.text,
        value=content.value,
        error=None if told is None else error_of(call, "reported", told, content.text),
        queued=queued,
        started=started,
        seconds=seconds,
        size=content.size,
        exit_code=content.exit_code,
        parts=content.parts,
        printed=printed,
    )


def error_of(call: ToolCall, kind: ErrorKind, told: str, content: str, **more: Any) -> ToolError:
    """The record of what went wrong in a call; `content` is what the model gets, `more` are fields of the ToolError."""
    return ToolError(
        turn=call.turn,
        tool_name=call.name,
        arguments=call.arguments,
        error=told,
        tool_result=content,
        kind=kind,
        call_id=call.id,
        call_index=call.index,
        **{"fault": FAULTS[kind], **more},
    )


def content_of(value: Any, limit: int) -> Content:
    """The content a return value makes, of at most `limit` bytes.

    A JSON object (a value that becomes one, or text that is one) with a true `error` reports an error. An exit code
    reports none, whatever it is. Images and tables are shown as `parts.shown` says. An iterator is read, and told as a
    list, until its text is of `limit` bytes or it has given `MOST_ITEMS`; whoever holds it has the rest.

    Raises:
        Exception: what the value raised when it was asked for its text.
    """
    if type(value) not in PLAIN and (rare := _content_of_rare(value, limit)) is not None:
        return rare
    whole = text_of(value)
    told = value if isinstance(value, dict) else _object_in(whole)
    text, size = shorten(whole, limit)
    if not told:
        return Content(value, text, size)
    error, exit_code = told.get("error"), told.get("exit_code")
    return Content(
        value=value,
        text=text,
        size=size,
        reported=shorten(text_of(error), limit)[0] if _is_true(error) else None,
        exit_code=exit_code if type(exit_code) is int else None,
    )


def _content_of_rare(value: Any, limit: int) -> Content | None:
    """The content of an iterator, of what is shown, and of long bytes, which are not read whole; None for all else."""
    if isinstance(value, Iterator | AsyncIterator):
        return Content(value, *_read_out(value, limit))
    if (seen := shown(value)) is not None:
        return Content(value, *shorten(seen.text, limit), parts=seen.parts)
    if isinstance(value, BYTES) and len(value) > 4 * limit:
        front, back = _encoded(_read(value[:limit])), _encoded(_read(value[-limit:]))
        return Content(value, cut(front, back, len(value), limit), len(value))
    return None


def text_of(value: Any) -> str:
    """A value as text: a string itself; bytes read as UTF-8, what is not UTF-8 as `\\xff`; what JSON has a form for,
    dataclasses and pydantic models too, as JSON; anything else as `str` gives it."""
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, str):
        return value
    if isinstance(value, BYTES):
        return _read(value)
    if isinstance(value, AS_JSON) or _is_record(value):
        try:
            return codec.dumps(value, default=_plain).decode()
        except (TypeError, ValueError, RecursionError):
            pass  # Keys that are not text, a circle, or a great depth: `str` copes with most.
    return str(value)


def _read_out(value: Iterator[Any] | AsyncIterator[Any], limit: int) -> tuple[str, int | None]:
    """What an iterator gives as text, and None; or, where there is more than is read, its beginning and its size."""
    if isinstance(value, AsyncIterator):
        raise TypeError("a tool answers once, and nobody reads the async iterator that it returned: return a list")
    read: list[str] = []
    size, whole = 0, True
    for item in value:
        whole = size <= limit and len(read) < MOST_ITEMS
        if not whole:
            break
        read.append(_json(item))
        size += len(read[-1].encode()) + 1
    text = ",".join(read)
    if whole:
        return shorten(f"[{text}]", limit)
    raw, mark = _encoded(f"[{text}"), f"\n[... {len(read):,} items were read, and there are more ...]"
    return raw[: _boundary(raw, max(limit - len(mark), 0), -1)].decode("utf-8", "surrogatepass") + mark, len(raw)


def _json(value: Any) -> str:
    try:
        return codec.dumps(value, default=_plain).decode()
    except (TypeError, ValueError, RecursionError):
        return codec.dumps(str(value)).decode()


def shorten(text: str, limit: int) -> tuple[str, int | None]:
    """The text, and None; or, where it is longer than `limit` bytes of UTF-8, the text without its middle, in whose
    place stands how much is missing, and its size before. The mark counts as text, but is never left out."""
    if len(text) * 4 <= limit:
        return text, None
    raw = _encoded(text)
    return (text, None) if len(raw) <= limit else (cut(raw, raw, len(raw), limit), len(raw))


def cut(front: bytes, back: bytes, size: int, limit: int) -> str:
    """The beginning of `front` and the end of `back`, around a mark that says what is missing of `size` bytes."""
    room = max(limit - len(_mark(size, size)), 0)
    head = front[: _boundary(front, int(room * HEAD), -1)]
    tail = back[_boundary(back, len(back) - room + len(head), +1) :]
    middle = _mark(size - len(head) - len(tail), size)
    return head.decode("utf-8", "surrogatepass") + middle + tail.decode("utf-8", "surrogatepass")


def _mark(missing: int, size: int) -> str:
    return f"\n[... {missing:,} of {size:,} bytes left out ...]\n"


def _boundary(raw: bytes, at: int, step: int) -> int:
    """The nearest place from `at` on, in the direction of `step`, that is not inside a character."""
    while 0 < at < len(raw) and raw[at] & 0xC0 == 0x80:
        at += step
    return at


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _read(raw: bytes | bytearray) -> str:
    return raw.decode("utf-8", "backslashreplace")


def _object_in(text: str) -> dict[str, Any]:
    """The JSON object that the text is; an empty one where it is none, or none that says how it went."""
    if not text.lstrip().startswith("{") or ('"error"' not in text and '"exit_code"' not in text):
        return {}
    try:
        value = codec.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _is_true(error: Any) -> bool:
    """Whether there is an error. Anything that is not a plain value is one: an array's truth, say, cannot be asked."""
    return bool(error) if isinstance(error, (str, int, float, dict, list, tuple, type(None))) else True


def _is_record(value: Any) -> bool:
    return not isinstance(value, type) and (is_dataclass(value) or hasattr(value, "model_dump"))


def _plain(value: Any) -> Any:
    """What JSON can hold of a value inside another; the `default` of the encoder."""
    if _is_record(value):
        if hasattr(value, "model_dump"):
            return value.model_dump(mode="json")
        return {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, AbstractSet):
        return sorted(value, key=repr)  # A set of strings has another order in every process.
    if type(value).__module__ == "numpy":
        return value.tolist()
    if isinstance(value, Iterator):
        return [*islice(value, MOST_ITEMS), *(["..."] if next(value, value) is not value else [])]
    return text_of(value)
