"""What servers and models get wrong, drawn by lot: a script that fails now and then, each time in a way with a name.

server = ScriptedServer(Faults(script, seed=7, rate=0.2))
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b
from random import Random
from typing import Any, NamedTuple, TypeAlias

from hermes_nb import codec
from hermes_nb.exceptions import ConfigurationError
from hermes_nb.servers import base
from hermes_nb.servers.scripted import wire
from hermes_nb.servers.scripted.script import Request, Scripted, first_parameter, listed, scripted

RETRY_MS = 50
"""After how many milliseconds a request that was turned away may come again."""


class Struck(NamedTuple):
    """A fault that a request met: the how-manieth of the script's requests it was, and the fault's name."""

    request: int
    kind: str


class Faults:
    """A script for a ScriptedServer that fails now and then, as servers and models do.

    A share `rate` of the requests meets a fault, one of `kinds` that the reply allows: a name of `SERVER_FAULTS`, where
    the server is to blame, or of `MODEL_FAULTS`, which need a reply made of `calls`. Errors that the script holds are
    left as they are. `done` says what was done, in order.

    The lot is drawn by the seed, the messages of the request, and how often they were sent before. So the same run
    meets the same faults whatever else asks the server meanwhile, and a request that is repeated may get through. A
    fault of the server uses up no reply of a list.

    Args:
        script: what a ScriptedServer takes: a list of replies, or a function.
        seed: another seed, other faults.
        rate: 0 for none, 1 for every request.
        kinds: which there may be; all by default.
        silence: seconds that a `silent` server says nothing, before a gateway gives it up (504).

    Raises:
        ConfigurationError: the script holds something that is no reply, a kind is unknown, or the rate is no share.
    """

    def __init__(
        self,
        script: Iterable[Any] | Callable[..., Any],
        *,
        seed: int = 0,
        rate: float = 0.2,
        kinds: Sequence[str] | None = None,
        silence: float = 60.0,
    ) -> None:
        if not 0 <= rate <= 1:
            raise ConfigurationError(f"a rate is a share from 0 to 1, not {rate!r}")
        self.seed = seed
        self.rate = rate
        self.kinds = tuple(FAULTS if kinds is None else kinds)
        if unknown := [kind for kind in self.kinds if kind not in FAULTS]:
            raise ConfigurationError(f"there is no fault {unknown[0]!r}; there are: {', '.join(FAULTS)}")
        self.silence = silence
        self.done: list[Struck] = []
        self._requests = 0
        self._sent: Counter[bytes] = Counter()
        self._function = script if callable(script) else None
        self._wants_request = callable(script) and first_parameter(script) == "request"
        self._replies = () if callable(script) else tuple(scripted(reply) for reply in listed(script))
        self._place = 0

    async def __call__(self, request: Request) -> Scripted:
        """The answer to a request, as good or as bad as the lot has it."""
        self._requests += 1
        number, lot = self._requests, self._lot(request)
        reply = await self._reply(request)
        kind = self._drawn(lot, reply)
        if kind not in SERVER_FAULTS:
            self._place += 1
        if kind is None:
            return reply
        self.done.append(Struck(number, kind))
        return FAULTS[kind](_Case(reply, request, lot, self.silence))

    def _lot(self, request: Mapping[str, Any]) -> Random:
        asked = blake2b(codec.dumps(request.get("messages"), default=repr), digest_size=16).digest()
        self._sent[asked] += 1
        return Random(f"{self.seed} {asked.hex()} {self._sent[asked]}")  # noqa: S311 - nothing secret hangs on it

    async def _reply(self, request: Request) -> Scripted:
        if self._function is not None:
            return scripted(await base.called(self._function, request if self._wants_request else request["messages"]))
        if self._place < len(self._replies):
            return self._replies[self._place]
        return Scripted(status=400, code="script_ended", text=f"all {len(self._replies)} replies have been given")

    def _drawn(self, lot: Random, reply: Scripted) -> str | None:
        """The fault that this reply is to meet, if any."""
        if lot.random() >= self.rate or reply.error is not None or reply.status >= 400:
            return None
        fitting = [kind for kind in self.kinds if kind in SERVER_FAULTS or _has_calls(reply)]
        return lot.choice(fitting) if fitting else None

    def __repr__(self) -> str:
        met = ", ".join(f"{count} {kind}" for kind, count in Counter(one.kind for one in self.done).most_common())
        return f"Faults(seed {self.seed} · {self._requests} requests · {met or 'none met one'})"


class _Case(NamedTuple):
    """A reply that is to be spoiled, and what is needed for it."""

    reply: Scripted
    request: Request
    lot: Random
    silence: float


def _has_calls(reply: Scripted) -> bool:
    """Whether there is a call to spoil: the last, as `call` makes it."""
    function = reply.calls[-1].get("function") if reply.calls else None
    return isinstance(function, Mapping) and all(isinstance(function.get(name), str) for name in ("name", "arguments"))


def _cut(case: _Case) -> Scripted:
    """The answer with the connection dropped somewhere in it."""
    streamed = case.request.get("stream") is True
    whole = wire.answer(case.reply, case.request, model="", number=0, streamed=streamed)
    return replace(case.reply, cut_at=case.lot.randrange(1, max(len(whole.content), 2)))


def _last(case: _Case, **changed: Callable[[str], str]) -> Scripted:
    """The reply with the name or the arguments of its last call changed."""
    *first, last = case.reply.calls
    function = {**last["function"], **{name: change(last["function"][name]) for name, change in changed.items()}}
    return replace(case.reply, calls=(*first, {**last, "function": function}))


def _named(case: _Case, call_id: str | None) -> Scripted:
    """The reply with this id for every call."""
    return replace(case.reply, calls=tuple({**one, "id": call_id} for one in case.reply.calls))


LIMITED = Scripted(
    status=429, code="rate_limit_exceeded", text="too many requests", headers={"retry-after-ms": str(RETRY_MS)}
)
WEB_PAGE = Scripted(body="<html><h1>502 Bad Gateway</h1></html>", headers={"content-type": "text/html"})
TOLD_ERROR = Scripted(body={"error": {"message": "the provider gave up", "type": "provider_error", "code": 502}})

Spoil: TypeAlias = Callable[[_Case], Scripted]

SERVER_FAULTS: dict[str, Spoil] = {
    "rate_limited": lambda case: LIMITED,
    "broken": lambda case: Scripted(status=500, text="something broke"),
    "overloaded": lambda case: Scripted(status=503, text="come back later"),
    "silent": lambda case: Scripted(status=504, text="the server said nothing", delay=case.silence),
    "hung_up": lambda case: replace(case.reply, cut_at=0),
    "cut": _cut,
    "web_page": lambda case: WEB_PAGE,
    "told_error": lambda case: TOLD_ERROR,
}
"""What a server gets wrong: it turns the request away for now, breaks, has too much to do, says nothing until a gateway
gives it up, drops the connection before the answer's body or in the midst of it, and answers with a status of 200 and a
web page, or an error."""

MODEL_FAULTS: dict[str, Spoil] = {
    "half_arguments": lambda case: _last(case, arguments=lambda text: text[: max(1, len(text) // 2)]),
    "wrong_arguments": lambda case: _last(case, arguments=lambda text: '{"no_such_argument": true}'),
    "list_arguments": lambda case: _last(case, arguments=lambda text: f"[{text}]"),
    "unknown_tool": lambda case: _last(case, name=lambda name: f"{name}_v2"),
    "cut_off": lambda case: replace(_last(case, arguments=lambda text: "{"), finish_reason="length"),
    "no_ids": lambda case: _named(case, None),
    "same_ids": lambda case: _named(case, "call_0"),
}
"""What a model gets wrong. In the last call of a reply: arguments that end half-way, that are not the tool's, or are a
list; a tool that there is not; the token limit that falls into it. In all its calls: no ids, or one and the same."""

FAULTS: dict[str, Spoil] = {**SERVER_FAULTS, **MODEL_FAULTS}
"""All faults by their names."""
