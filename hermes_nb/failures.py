"""A server's failure, whatever its shape, as a RunError: an exception, an error's body, a body that is no answer.

Failures are named by what they carry, not by where they come from, so the exceptions of the openai package, of an
HTTP client or of another agent's server are read alike. Wire format of an error's body:
`{"error": {"message", "type", "param", "code"}}` of the OpenAI API, and what other servers make of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from http import HTTPStatus
from traceback import format_exception_only
from typing import Any

from hermes_nb import codec
from hermes_nb.records import RunError
from hermes_nb.redact import Redactor, Secret

LONGEST_MESSAGE = 2000
"""Characters of an error's message that are kept; a body keeps 200."""

OVERFLOW = "context_length_exceeded"
OVERFLOW_TEXTS = (
    OVERFLOW,  # OpenAI, OpenRouter
    "maximum context length",  # OpenAI, vLLM, Mistral
    "reduce the length of the messages",  # Groq
    "maximum model length",  # vLLM
    "too long to fit into the model",  # vLLM
    "model's context length",  # SGLang
    "exceeds the available context size",  # llama.cpp
    "exceed_context_size",  # llama.cpp
    "exceeds the context window",
    "context length exceeded",
    "prompt is too long",  # Anthropic
    "input is too long for requested model",  # Bedrock
    "exceeds the maximum number of tokens",  # Gemini
)
"""How servers say, in lower case, that a conversation is too long for the model."""

NEVER_OVERFLOW = (401, 402, 403, 404, 408, 409, 429)
RATES = ("rate_limit_exceeded", "insufficient_quota")
"""Codes that are none of an overflow, whatever the words beside them say of tokens."""

TIMEOUTS = {"APITimeoutError", "TimeoutException", "TimeoutError"}
CONNECTIONS = {"APIConnectionError", "RequestError", "ConnectionError", "ClientConnectionError"}
UNREACHED = {"ConnectError", "ConnectTimeout", "ClientConnectorError", "ConnectionRefusedError", "gaierror"}
"""Classes of exceptions by name, so that none of their packages is needed to know them."""

STATUS_NAMES = {
    400: "BadRequestError", 401: "AuthenticationError", 403: "PermissionDeniedError", 404: "NotFoundError",
    409: "ConflictError", 422: "UnprocessableEntityError", 429: "RateLimitError",
}  # fmt: skip
"""The names the openai package gives to statuses."""

HINTS: dict[str | int, str] = {
    OVERFLOW: "the conversation is longer than the model can read: shorten it, or use a model with a larger context",
    "insufficient_quota": "the account has no credit left; waiting will not help",
    "tool_use_failed": "the server could not read the model's reply as tool calls; what the model wrote is in the body "
    "(failed_generation). Ask again, at a lower temperature, or leave out tool_choice",
    402: "the account has no credit left; waiting will not help",
    401: "check the API key: give it as api_key=, or in the environment as OPENAI_API_KEY",
    403: "the key is known, but may not use this model or address",
    404: "check the model's name ({model}) and base_url ({base_url}), which often ends in /v1",
    413: "the request is larger than the server takes, or than the account's tokens per minute: shorten it",
    429: "the server limits how much it is asked: wait, or have fewer runs going at once",
    500: "the server itself failed; its log says more",
    "timeout": "the server is slow or stuck; timeout= sets how many seconds it is given",
    "unreached": "is the server running at {base_url}?",
    "broken": "the connection broke before the answer was whole; the server's log may say why",
    "stalled": "the server is stuck, or thinks in silence; stream_idle_timeout= sets how many seconds it may pause",
    "page": "this looks like a web page: does base_url ({base_url}) lead to the API (often /v1), past any login page?",
    "not_json": "does base_url ({base_url}) lead to a server that speaks the chat completions API?",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a failure happened, as far as it helps to tell: the server's model, its address, and its secrets."""

    model: str | None = None
    base_url: str | None = None
    secrets: frozenset[str | Secret] = frozenset()

    def hint(self, key: str | int | None) -> str | None:
        """What to try, for a code, a status or a kind of trouble; None where nothing is known to help."""
        template = HINTS.get(key) if key is not None else None
        return template.format(model=self.model or "model", base_url=self.base_url or "base_url") if template else None


def no_json(
    content: bytes, *, headers: Mapping[str, str], status: int, place: Place, retries: int = 0,
    cause: ValueError | None = None,
) -> RunError:  # fmt: skip
    """The record of an answer that is no JSON object; `cause` is what reading it raised."""
    text = content.decode("utf-8", "replace").lstrip()
    kind = headers.get("content-type", "of no stated type")
    told = f"the server's answer ({kind}) is not a JSON object{f': {cause}' if cause else ''}"
    record = RunError(
        type="NotJSON", message=told if text else "the server's answer is empty",
        status=status, request_id=request_id(headers), retries=retries,
        hint=place.hint("page" if text.startswith("<") else "not_json"), body=text, cause=cause,
    )  # fmt: skip
    return clean(record, place)


SILENCES = ("StreamCut", "StreamStalled")
"""The types of a stream that ended before its end was said: a reply that was whole by then is a reply."""


def cut(place: Place, cause: BaseException | None = None, **known: Any) -> RunError:
    """The record of a stream that ended in the middle; `cause` is how its connection broke, where it did."""
    why = f": {_told(list(_chain(cause))[-1]) or type(cause).__name__}" if cause else ""
    message = f"the stream from {place.base_url or 'the server'} was cut before the reply was whole{why}"
    return clean(RunError(type="StreamCut", message=message, hint=place.hint("broken"), cause=cause, **known), place)


def stalled(seconds: float | None, place: Place, cause: BaseException | None = None, **known: Any) -> RunError:
    """The record of a stream in which nothing came for so many seconds."""
    message = f"the stream from {place.base_url or 'the server'} fell silent: nothing came for {seconds or 0:g} s"
    known |= {"message": message, "hint": place.hint("stalled"), "cause": cause}
    return clean(RunError(type="StreamStalled", **known), place)


def refusal(
    content: bytes, *, headers: Mapping[str, str], status: int, place: Place, retries: int = 0,
    type: str | None = None, cause: BaseException | None = None,
) -> RunError:  # fmt: skip
    """The record of an answer that is an error, in OpenAI's form (`{"error": {"message", "type", "code"}}`) or not."""
    text = content.decode("utf-8", "replace").strip()
    said, code = stated(text)
    if status not in NEVER_OVERFLOW and code not in RATES and _too_long(text):
        code = OVERFLOW
    wait = headers.get("retry-after")
    asked = f" (it asks to wait {wait}{' s' if wait.isdigit() else ''})" if wait else ""
    record = RunError(
        type=type or STATUS_NAMES.get(status) or ("InternalServerError" if status >= 500 else "APIStatusError"),
        message=f"the server answered {_phrase(status)}{said}{asked}",
        status=status, code=code, request_id=request_id(headers), retries=retries,
        hint=place.hint(code) or place.hint(min(status, 500)), body=text, cause=cause,
    )  # fmt: skip
    return clean(record, place)


def _too_long(text: str) -> bool:
    lowered = text.lower()
    return any(known in lowered for known in OVERFLOW_TEXTS)


def _phrase(status: int) -> str:
    if status < 400:
        return f"{status} with an error"
    known = {one.value: one.phrase for one in HTTPStatus}
    return f"{status} {known[status]}" if status in known else str(status)


def stated(text: str) -> tuple[str, str | None]:
    """What an error's body says, led by a colon, and its code: a word, never the status in another form.

    Gemini wraps the body in a list. OpenRouter puts the words of the provider behind it into `metadata`.
    """
    try:
        body = codec.loads(text)
    except ValueError:
        return ("" if not text or text.startswith("<") else f": {text}"), None
    body = body[0] if isinstance(body, list) and body else body
    error = (body.get("error") or body) if isinstance(body, dict) else body
    if not isinstance(error, dict):
        return f": {error}", None
    said = error.get("message") or error.get("detail")
    behind = error.get("metadata")
    if isinstance(behind, dict) and (raw := behind.get("raw")):
        said = f"{said} ({behind.get('provider_name') or 'the provider'} says: {raw})"
    return f": {said}" if said else "", _code(error)


def _code(error: dict[str, Any]) -> str | None:
    code, kind = error.get("code"), error.get("type")
    if isinstance(code, str) and code and not code.isdigit():
        return code
    return kind if isinstance(kind, str) and kind in (OVERFLOW, *RATES) else None


def named(error: BaseException, place: Place = Place()) -> RunError:
    """The record of an exception that a server, or a client of one, raised. Known secrets are taken out of both.

    An HTTP status, a broken connection and a timeout are recognised whichever package the exception comes from;
    tenacity's RetryError stands for the last error it holds. `cause` keeps the exception, in memory only.
    """
    error, attempts = _unwrapped(error)
    with suppress(AttributeError, RuntimeError):  # Both are how httpx says that there is none.
        attempts *= 1 + retries_of(error.request)  # type: ignore[attr-defined]
    response = getattr(error, "response", None)
    statuses = (getattr(error, "status_code", None), getattr(response, "status_code", None))
    status = next((one for one in statuses if isinstance(one, int)), None)
    known: dict[str, Any] = {"retries": attempts - 1, "cause": error, "type": type(error).__name__}
    if status is None:
        record = clean(_no_answer(error, place, **known), place)
    else:
        headers = getattr(response, "headers", {})
        record = refusal(_sent(error, response), headers=headers, status=status, place=place, **known)
    _scrub(error, place)
    return record


def retries_of(request: Any) -> int:
    """How many requests went before this one: the openai client counts them in a header."""
    count = request.headers.get("x-stainless-retry-count", "0")
    return int(count) if count.isdigit() else 0


def request_id(headers: Mapping[str, str]) -> str | None:
    """The server's own name for an exchange, from its headers."""
    return headers.get("x-request-id") or headers.get("request-id")


def _unwrapped(error: BaseException) -> tuple[BaseException, int]:
    attempts = 1
    while type(error).__name__ == "RetryError" and (last := getattr(error, "last_attempt", None)) is not None:
        attempts *= getattr(last, "attempt_number", 1)
        error = last.exception() or error.__cause__ or ValueError("no answer was good enough")
    return error, attempts


def _sent(error: BaseException, response: Any) -> bytes:
    """The body behind an error, as far as it was read."""
    with suppress(AttributeError, RuntimeError):  # RuntimeError: a streamed body that nobody read.
        return bytes(response.content)
    body = getattr(error, "body", None)
    return codec.dumps(body if body is not None else _told(error), default=repr)


def _no_answer(error: BaseException, place: Place, **known: Any) -> RunError:
    chain = list(_chain(error))
    own, whole = _kinds(chain[:1]), _kinds(chain)
    root = _told(chain[-1]) or type(chain[-1]).__name__
    at = place.base_url or "the server"
    if not own & (TIMEOUTS | CONNECTIONS):
        said = _told(error)
        code = OVERFLOW if _too_long(said) else None
        return RunError(message=said or type(error).__name__, code=code, hint=place.hint(code), **known)
    if whole & UNREACHED:
        return RunError(message=f"no connection to {at}: {root}", hint=place.hint("unreached"), **known)
    if own & TIMEOUTS:
        return RunError(message=f"no answer from {at} in time: {root}", hint=place.hint("timeout"), **known)
    return RunError(message=f"the connection to {at} broke: {root}", hint=place.hint("broken"), **known)


def _kinds(errors: Sequence[BaseException]) -> set[str]:
    return {kind.__name__ for error in errors for kind in type(error).__mro__}


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error, what it came from, and so on down to the first."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _told(error: BaseException) -> str:
    """The exception's own words; a text in their place when they cannot be had."""
    return "".join(format_exception_only(error)).partition(": ")[2].strip()


def clean(record: RunError, place: Place) -> RunError:
    """The record without secrets, and bounded."""
    redact = Redactor(place.secrets).text
    message = redact(record.message)
    cut = message[:LONGEST_MESSAGE] + (" ..." if len(message) > LONGEST_MESSAGE else "")
    body = None if record.body is None else redact(record.body)[:200]
    return replace(record, message=cut, body=body)


def _scrub(error: BaseException, place: Place) -> None:
    """Take secrets out of an exception's own words: a traceback shows them. A server may send a key back."""
    redactor = Redactor(place.secrets)
    for name in ("args", "message", "body"):
        with suppress(AttributeError, TypeError):
            said = getattr(error, name)
            if (clean := redactor.value(said)) != said:
                setattr(error, name, clean)
