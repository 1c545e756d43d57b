"""What a script may hold: replies in plain words, and how a server misbehaves."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from hermes_nb import codec
from hermes_nb.exceptions import ConfigurationError

Usage = Mapping[str, Any] | Literal["counted"] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scripted:
    """One scripted answer of a server. What is not said is as OpenAI's API would have it.

    A reply is made of `text`, `reasoning`, `calls` (made by `call`, or dicts as they go over the wire) and `refusal`;
    or `message` is all of it. `finish_reason` follows from it, and `usage` is counted at a token per 4 bytes of JSON
    (None: not sent). `model` is the request's and `id` counted, unless said; `headers` are sent beside the usual ones.
    A `status` of 400 and more is an error with `text` as its message, and `code`. `body` is sent in place of all that:
    a dict, bytes, text, or pieces of bytes as a network might break them up.

    `delay` is the seconds before the answer begins, `chunk_delay` those between the pieces of a streamed one, of
    `chunk_size` characters each. `cut_at` drops the connection after that many bytes of the body. `error` is an
    exception: raised by the server as an object, and a status of 500 over a socket.
    """

    text: str | None = None
    reasoning: str | None = None
    calls: Sequence[Mapping[str, Any]] = ()
    refusal: str | None = None
    message: Mapping[str, Any] | None = None
    finish_reason: str | None = None
    usage: Usage = "counted"
    model: str | None = None
    id: str | None = None
    status: int = 200
    code: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | bytes | str | Sequence[bytes] | None = None
    error: BaseException | None = None
    delay: float = 0.0
    chunk_delay: float = 0.0
    chunk_size: int = 8
    cut_at: int | None = None

    def __repr__(self) -> str:
        said = ((one.name, getattr(self, one.name)) for one in fields(self))
        told = (f"{name}={value!r}" for name, value in said if value not in (None, "counted", 200, 8, 0.0, (), {}))
        return f"Scripted({', '.join(told)})"


class Request(dict[str, Any]):
    """A request's body as a scripted server got it, with its `headers` (lower-case names; none for a call in Python)
    and `at`, the event loop's time when it came."""

    __slots__ = ("at", "headers")

    def __init__(self, body: Mapping[str, Any], *, headers: Mapping[str, str], at: float) -> None:
        super().__init__(body)
        self.headers = headers
        self.at = at


def call(name: str, /, **arguments: Any) -> dict[str, Any]:
    """A tool call for a script: `call("add", a=2, b=3)`. It is numbered when it is sent: call_1, call_2, ...

    `name` is the tool's; the `arguments` become JSON text, as a model would write them.

    >>> call("add", a=2, b=3)["function"]
    {'name': 'add', 'arguments': '{"a":2,"b":3}'}
    """
    return {"type": "function", "function": {"name": name, "arguments": codec.dumps(arguments).decode()}}


def scripted(reply: Any) -> Scripted:
    """A reply as a script may hold it, as a Scripted.

    Text is an answer; a call or a list of calls is one reply with these calls; a dict is a whole body (it has choices
    or an error) or a whole message; bytes are a body; an exception is raised.

    Raises:
        ConfigurationError: it is none of these.
    """
    match reply:
        case Scripted():
            return reply
        case str():
            return Scripted(text=reply)
        case bytes():
            return Scripted(body=reply)
        case BaseException():
            return Scripted(error=reply)
        case {"choices": _} | {"error": _}:
            return Scripted(body=reply)
        case {"function": _}:
            return Scripted(calls=(reply,))
        case {"content": _} | {"tool_calls": _} | {"role": _}:
            return Scripted(message=reply)
        case [*calls] if calls and all(isinstance(one, Mapping) for one in calls):
            return Scripted(calls=tuple(calls))
    raise ConfigurationError(
        "a script holds text, call(...), lists of calls, messages, bodies, exceptions and Scripted(...); "
        f"it cannot hold {reply!r:.80}"
    )


def listed(script: Any) -> Iterable[Any]:
    """The script, which is to be a list of replies.

    Raises:
        ConfigurationError: it is none.
    """
    if isinstance(script, str | bytes | Mapping | Scripted) or not isinstance(script, Iterable):
        raise ConfigurationError(f"a script is a list, such as ['Hello'], or a function; got {script!r:.80}")
    return script


def first_parameter(function: Callable[..., Any]) -> str | None:
    """The name of what the function is given."""
    return next(iter(inspect.signature(function).parameters), None)
