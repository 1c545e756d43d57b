"""What a server is, and the one doorway to it: `ask` gives a Reply, or a ServerError that names what went wrong.

A server is anything with `async chat_completion(**request)` that returns a chat completion: a dict, the openai
package's object, or any object with those attributes.
"""

from __future__ import annotations

import copy
import inspect
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from sys import intern
from typing import Any, Literal, Protocol, TypeAlias, get_args

from hermes_nb import codec, failures
from hermes_nb.clocks import SystemClock, random_ids
from hermes_nb.exceptions import ConfigurationError, HermesError, ServerError
from hermes_nb.failures import Place
from hermes_nb.messages import Message, as_text, conversation
from hermes_nb.records import Reply
from hermes_nb.redact import Secret
from hermes_nb.replies import reply_from
from hermes_nb.servers.streams import Hearing, Listener, Stream, cut_short

log = logging.getLogger("hermes_nb")

Mode: TypeAlias = Literal["auto", "record", "replay", "live"]
"""How a cassette is used."""

CASSETTE_VARIABLE = "HERMES_NB_CASSETTE"
"""The environment variable whose mode takes the place of every cassette's own, and of every stand-in if it is live."""


class Server(Protocol):
    """What the loop needs of a server; `get_state()` and `stream(**request)` are used where they are there too."""

    def chat_completion(self, *args: Any, **request: Any) -> Awaitable[Any]:
        """Answer a request that has the fields of POST /chat/completions: messages, n, temperature, tools, ..."""


class Completion(dict[str, Any]):
    """A chat completion's body as the server sent it. The attributes say how it travelled.

    `status` is the HTTP status, `request_id` the server's name for the exchange, `retries` the number of requests
    beyond the first, `waited` the seconds before it was sent, spent behind other requests of the same server object.
    `times` holds what a recording says of the Reply's times (`seconds`, `first_token_at`), in place of those measured.
    """

    __slots__ = ("request_id", "retries", "status", "times", "waited")

    def __init__(
        self, body: Mapping[str, Any], *, status: int | None = 200, request_id: str | None = None, retries: int = 0
    ) -> None:
        super().__init__(body)
        self.status = status
        self.request_id = request_id
        self.retries = retries
        self.waited = 0.0
        self.times: Mapping[str, float | None] = {}


def completion(content: bytes, *, headers: Mapping[str, str], status: int, retries: int, server: Any) -> Completion:
    """The completion in the bytes of a body.

    Raises:
        ServerError: they are no JSON object, or one that holds an error in place of choices.
    """
    came: dict[str, Any] = {"headers": headers, "status": status, "retries": retries}
    try:
        body = codec.loads(content)
    except ValueError as error:
        raise ServerError(failures.no_json(content, **came, place=place_of(server), cause=error)) from error
    if not isinstance(body, dict):
        raise ServerError(failures.no_json(content, **came, place=place_of(server)))
    if told := _error_in(body):
        raise ServerError(failures.refusal(codec.dumps(told), **came, place=place_of(server)))
    _share_words(body)
    return Completion(body, status=status, request_id=failures.request_id(headers), retries=retries)


def _share_words(body: dict[str, Any]) -> None:
    """Have the words that stand in every reply in memory once."""
    _intern(body, "model", "object", "system_fingerprint", "service_tier")
    for choice in body["choices"] if isinstance(body.get("choices"), list) else ():
        if isinstance(choice, dict) and isinstance(message := choice.get("message"), dict):
            _intern(choice, "finish_reason")
            _intern(message, "role")
            for call in message.get("tool_calls") or () if isinstance(message.get("tool_calls"), list) else ():
                if isinstance(call, dict) and isinstance(function := call.get("function"), dict):
                    _intern(call, "type")
                    _intern(function, "name")


def _intern(holder: dict[str, Any], *names: str) -> None:
    for name in names:
        if isinstance(word := holder.get(name), str):
            holder[name] = intern(word)


def _error_in(body: dict[str, Any]) -> dict[str, Any] | None:
    """The error that a body of status 200 holds: in place of the choices, or in the first (OpenRouter's way)."""
    choices = body.get("choices")
    if not choices:
        return body if body.get("error") or body.get("object") == "error" else None
    first = choices[0] if isinstance(choices, list) else None
    error = first.get("error") if isinstance(first, dict) else None
    return {"error": error} if error else None


async def ask(
    server: Server,
    request: Mapping[str, Any],
    *,
    turn: int = 0,
    taken: set[str] | None = None,
    new_id: Callable[[], str],
    now: Callable[[], float],
    listener: Listener | None = None,
) -> Reply:
    """Ask the server once, and read its answer; `turn`, `taken` and `new_id` are those of `reply_from`.

    With a `listener`, a server that can stream is asked to, and the Reply is the one it would give in one piece.
    Images and files in tools' answers go to servers that have an attribute `images`, which see to them; others get the
    text.

    Raises:
        ServerError: whatever went wrong at the server or on the way to it, named.
        ConfigurationError: the server or the request was set up so that it cannot work.
    """
    began = now()
    if not hasattr(server, "images"):
        request = {**request, "messages": as_text(request["messages"])}
    read = partial(_read, server, began, now, {"turn": turn, "taken": taken, "new_id": new_id})
    stream = getattr(server, "stream", None)
    if listener is None or stream is None:
        return read(await _named(server, server.chat_completion, request))
    hearing = Hearing(listener.piece, now, place_of(server))

    async def hear(**request: Any) -> None:
        await hearing.hear(stream(**request))

    try:
        await _named(server, hear, request)
    except BaseException:
        if hearing.first_token_at is not None:
            reply = read(_heard(hearing), first_token_at=hearing.first_token_at)
            listener.partial(cut_short(reply))
        raise
    reply = read(_heard(hearing), first_token_at=hearing.first_token_at)
    return replace(reply, problems=(*reply.problems, *hearing.problems))


async def _named(server: Server, asked: Callable[..., Awaitable[Any]], request: Mapping[str, Any]) -> Any:
    try:
        return await asked(**request)
    except HermesError:
        raise
    except Exception as error:  # The wire's doorway: a server may raise anything.
        raise ServerError(failures.named(error, place_of(server))) from error


def _heard(hearing: Hearing) -> dict[str, Any]:
    body, stream = hearing.body(), hearing.stream
    if not isinstance(stream, Stream):
        return body
    answer = Completion(body, **stream.travel)
    answer.waited, answer.times = stream.waited, stream.times
    return answer


def _read(
    server: Server, began: float, now: Callable[[], float], how: Mapping[str, Any], answer: Any, **more: Any
) -> Reply:
    travel = _travel(answer)
    try:
        waited, times = (answer.waited, answer.times) if isinstance(answer, Completion) else (0.0, {})
        took: dict[str, Any] = {"seconds": max(0.0, now() - began - waited), "waited": waited, **more, **times}
        split = getattr(server, "split_think", False)
        return reply_from(answer, **how, **took, **travel, split_think=split)
    except ServerError as failure:
        raise ServerError(failures.clean(replace(failure.error, **travel), place_of(server))) from failure
    except Exception as error:  # The same doorway: an answer may be any object, and may fail when it is read.
        raise ServerError(failures.named(error, place_of(server))) from error


def _travel(answer: Any) -> dict[str, Any]:
    if isinstance(answer, Completion):
        return {"status": answer.status, "request_id": answer.request_id, "retries": answer.retries}
    request_id = None if isinstance(answer, dict) else getattr(answer, "_request_id", None)
    return {"request_id": request_id} if isinstance(request_id, str) else {}


async def ask_by_hand(
    server: Server, messages: str | Sequence[Message], tools: Any, request: Mapping[str, Any]
) -> Reply:
    """Ask outside any run: text or messages in, a Reply out. `tools`: functions, Tools, schemas, or a Toolbox.

    Raises:
        ServerError: the server did not answer with a reply.
        ConfigurationError: the messages or the tools are none.
    """
    offered = {} if tools is None else {"tools": _schemas(tools)}
    asked = {"messages": conversation(messages), **offered, **request}
    return await ask(server, asked, new_id=partial(random_ids, "call"), now=SystemClock().seconds)


def _schemas(tools: Any) -> list[dict[str, Any]]:
    if hasattr(tools, "schemas"):
        return list(tools.schemas)
    from hermes_nb.tools.schema import schema

    return [tool if isinstance(tool, dict) else schema(tool) for tool in tools]


def mode_in(environ: Mapping[str, str]) -> Mode | None:
    """The mode that the environment asks for, None where it asks for none; raises ConfigurationError for an unknown."""
    said = environ.get(CASSETTE_VARIABLE, "").strip()
    mode: Mode | None = known(f"the environment variable {CASSETTE_VARIABLE}", said, get_args(Mode)) if said else None
    return mode


def known(name: str, value: Any, values: Sequence[str]) -> Any:
    """The value, if it is one of the values that a setting may have; ConfigurationError, with all of them, if not."""
    if value not in values:
        raise ConfigurationError(f"{name} is one of {', '.join(map(repr, values))}; got {value!r:.80}")
    return value


async def called(function: Callable[..., Any], *given: Any) -> Any:
    """What a user's function gives, awaited where it is async; or the exception it raises, as a value."""
    try:
        value = function(*given)
        return await value if inspect.isawaitable(value) else value
    except Exception as error:  # The same doorway, seen from inside a server: its user's function may raise anything.
        return error


def describe(server: Any) -> dict[str, Any]:
    """Who the server is: `name`, `model`, and `base_url` without user and password; None where it does not say.

    Of our own also what it does to the messages it is given, `echo_reasoning` and `images`; and `tokens`, where it asks
    for them.
    """
    base_url = _first_text(server, "base_url")
    model = _first_text(server, "model", "model_name")
    described = {"name": type(server).__name__, "model": model, "base_url": without_userinfo(base_url)}
    policy = getattr(server, "echo_reasoning", None)
    if not policy:
        return described
    tokens = {"tokens": True} if getattr(server, "tokens", False) else {}
    return {**described, "echo_reasoning": policy, "images": server.images, **tokens}


def place_of(server: Any) -> Place:
    """What the record of a failure may tell of the server, and must not."""
    described = describe(server)
    return Place(model=described["model"], base_url=described["base_url"], secrets=secrets_of(server))


def secrets_of(server: Any) -> frozenset[str | Secret]:
    """What must not be stored or shown of a server: our own servers' `secrets()`, and the `api_key` of others."""
    own = getattr(server, "secrets", None)
    told = own() if callable(own) else ()
    keys = (getattr(layer, "api_key", None) for layer in _layers(server))
    return frozenset(secret for secret in (*told, *keys) if isinstance(secret, str | Secret))


def without_userinfo(url: str | None) -> str | None:
    """The address without the user and password in it."""
    scheme, mark, rest = (url or "").partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{mark}{host.rpartition('@')[2]}{slash}{path}" if mark else url


def _first_text(server: Any, *names: str) -> str | None:
    values = (getattr(layer, name, None) for layer in _layers(server) for name in names)
    return next((value for value in values if isinstance(value, str) and value), None)


def _layers(server: Any, depth: int = 4) -> Iterator[Any]:
    """The server, its configuration, and in the same way the server it is wrapped round, or the first it manages."""
    if server is None or depth == 0:
        return
    yield server
    yield getattr(server, "config", None)
    managed = getattr(server, "servers", None)
    within = managed[0] if isinstance(managed, list) and managed else getattr(server, "server", None)
    yield from _layers(within, depth - 1)


async def managed_state(server: Any) -> Any:
    """A snapshot of the server's `get_state()`, sync or async; None without one, or if it fails (which is logged)."""
    get_state = getattr(server, "get_state", None)
    if get_state is None:
        return None
    try:
        state = get_state()
        return copy.deepcopy(await state if inspect.isawaitable(state) else state)
    except Exception:  # The same doorway: a run that is over must not be lost to its server's bookkeeping.
        log.exception("get_state() of %s failed: the run has no managed state", type(server).__name__)
        return None
