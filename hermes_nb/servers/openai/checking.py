"""What is behind an address: asked with four small requests, and said in a table.

Sources of the names: /models of vLLM and SGLang (`max_model_len`), OpenRouter and Together (`context_length`), Groq
(`context_window`), Mistral (`max_context_length`), LM Studio (`loaded_context_length`), llama.cpp (`meta.n_ctx`) and
Hugging Face (`providers[].context_length`); `return_token_ids` of vLLM. In which format calls are that come
as text is what the parser `auto` finds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from hermes_nb import codec, failures
from hermes_nb.exceptions import HermesError, ServerError
from hermes_nb.messages import REASONING_FIELDS, Message, reasoning_of, text_of, user
from hermes_nb.records import Reply
from hermes_nb.servers import base
from hermes_nb.servers.openai import connection

if TYPE_CHECKING:
    from openai import AsyncOpenAI

PATIENCE_SECONDS = 60.0
"""What one request may take: a server at home may have to load its model first."""

SHORT, LONG = 16, 512
"""The `max_tokens` of a request that needs no answer to speak of, and of the one that asks for calls: a model may
think before it calls."""

WINDOWS = (
    "max_model_len", "loaded_context_length", "context_length", "context_window", "max_context_length",
    "max_input_tokens", "n_ctx",
)  # fmt: skip
"""By what name servers tell the context window, in the order in which they are believed."""

LOOSE = {"```tool_code": "python", '{"name":': "json", '{"name" :': "json"}
"""How a call begins that a model wrote in no format that a parser reads, and what to call that."""

LOOK = {
    "type": "function",
    "function": {
        "name": "look",
        "description": "Look into one box, and say what is in it.",
        "parameters": {
            "type": "object",
            "properties": {"box": {"type": "string", "description": "The letter of the box."}},
            "required": ["box"],
        },
    },
}
ASKED_TO_LOOK = (
    "There are two boxes, A and B. Call the tool `look` for both of them now, with two calls in this one reply. "
    "Write nothing else."
)
ASKED_TO_SAY = "Say: OK"

ROWS = {
    "models": "models", "context_window": "context window", "tools": "tools", "parallel_calls": "parallel calls",
    "streaming": "streaming", "usage_in_streams": "usage in streams", "reasoning": "reasoning",
    "token_ids": "token ids",
}  # fmt: skip
"""The rows of the table, by the field each shows."""

LONGEST_REASON = 100


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ServerCheck:
    """What a server was found to do. None: not found out, and `why` says why, by the field's name.

    `models`: the names it lists. `context_window`: in tokens. `tools`: it gives calls, writes them as text (in
    `tool_format`: a name of `hermes_nb.parsers.names()`, or "json" or "python" where no parser reads them; `why` says
    what shows it), or the model answered without. `parallel_calls`: several in one
    reply. `streaming`: answers come in pieces; `usage_in_streams`: with the tokens counted. `reasoning`: the field it
    came in ("<think>": at the start of the text; "content": in parts of it). `token_ids`: they are given where
    `return_token_ids` asks for them. `requests`: how many were made.

    What a model did not do once, it may do at another time: "no" says what was seen.
    """

    model: str
    base_url: str
    models: tuple[str, ...] | None = None
    context_window: int | None = None
    tools: Literal["calls", "text", "none"] | None = None
    tool_format: str | None = None
    parallel_calls: bool | None = None
    streaming: bool | None = None
    usage_in_streams: bool | None = None
    reasoning: str | None = None
    token_ids: bool | None = None
    why: Mapping[str, str] = field(default_factory=dict)
    requests: int = 0

    def __repr__(self) -> str:
        known = sum(getattr(self, name) is not None for name in ROWS)
        return f"ServerCheck({self.model} · {known} of {len(ROWS)} known)"

    def __str__(self) -> str:
        width = max(map(len, ROWS.values()))
        lines, before = [f"{self.model}, asked {self.requests} times"], ""
        for name, title in ROWS.items():
            why = shortened(self.why.get(name, ""), LONGEST_REASON)
            told = f": {'as above' if why == before else why}" if why else ""
            lines.append(f"{title:<{width}}  {self._found(name)}{told}")
            before = why
        return "\n".join(lines)

    def _found(self, name: str) -> str:
        value: Any = getattr(self, name)
        match name, value:
            case _, None:
                return "unknown"
            case "models", _:
                listed = "listed" if self.model in value else "not listed"
                return f"{len(value)}, {self.model} {listed}"
            case "context_window", _:
                return f"{value:,} tokens"
            case "tools", "calls":
                return "as calls"
            case "tools", "text":
                return f"as text, in the format {self.tool_format}"
            case "tools", _:
                return "none called"
            case "reasoning", _:
                return f"in {value}"
        return "yes" if value else "no"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/plain": str(self)}


def shortened(text: str, longest: int) -> str:
    """The first line of a text, cut where it is too long for a table."""
    line = (text.strip().splitlines() or [""])[0]
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


async def check(server: Any, client: AsyncOpenAI) -> ServerCheck:
    """Ask four times: for the models, for two tool calls, for an answer in pieces, and for token ids.

    `client` is asked for the models, `server` for all else. What fails is a reason in `why`.
    """
    inquiry = _Inquiry(server)
    await inquiry.ask_for_models(client)
    await inquiry.ask_for_calls()
    await inquiry.ask_for_pieces()
    await inquiry.ask_for_token_ids()
    return inquiry.check()


def unasked(server: Any, error: HermesError) -> ServerCheck:
    """The check of a server that could not be asked at all."""
    return ServerCheck(model=server.model, base_url=server.base_url, why=dict.fromkeys(ROWS, str(error)))


class _Inquiry:
    """A check while it goes on."""

    def __init__(self, server: Any) -> None:
        self.server = server
        self.found: dict[str, Any] = {"requests": 0}
        self.why: dict[str, str] = {}
        self.replied = False

    def check(self) -> ServerCheck:
        if "reasoning" not in self.found:
            self.why["reasoning"] = "none came" if self.replied else self.why["tools"]
        return ServerCheck(model=self.server.model, base_url=self.server.base_url, why=self.why, **self.found)

    async def ask_for_models(self, client: AsyncOpenAI) -> None:
        self.found["requests"] += 1
        try:
            listed = await _listed(client, self.server)
        except ServerError as failure:
            self._unknown(failure, "models", "context_window")
            return
        self.found["models"] = tuple(str(one.get("id")) for one in listed)
        own = next((one for one in listed if one.get("id") == self.server.model), None)
        window = None if own is None else window_of(own)
        if window is None:
            self.why["context_window"] = "the server does not tell" if own else "the model is not in the server's list"
        else:
            self.found["context_window"] = window

    async def ask_for_calls(self) -> None:
        reply = await self._ask(ASKED_TO_LOOK, ("tools", "parallel_calls"), tools=[LOOK], max_tokens=LONG)
        if reply is None:
            return
        self._look_for_reasoning(reply.message)
        if reply.calls:
            self.found |= {"tools": "calls", "parallel_calls": len(reply.calls) > 1}
        elif written := format_of(reply.text) or format_of(reply.reasoning or ""):
            name, reason = written
            self.found |= {"tools": "text", "tool_format": name}
            self.why |= {"tools": reason, "parallel_calls": "the calls come as text"}
        elif reply.finish_reason == "length":
            self.why |= dict.fromkeys(("tools", "parallel_calls"), f"{LONG} tokens were not enough for the model")
        else:
            self.found["tools"] = "none"
            self.why |= {"tools": f"the model wrote {reply.text!r}", "parallel_calls": "no call came"}

    async def ask_for_pieces(self) -> None:
        rows = ("streaming", "usage_in_streams")
        self.found["requests"] += 1
        stream = self.server.stream(messages=[user(ASKED_TO_SAY)], max_tokens=SHORT)
        try:
            chunks = [chunk async for chunk in stream]
        except HermesError as failure:
            self._unknown(failure, *rows)
            return
        self.replied = True
        self.found["requests"] += stream.retries
        choices = [choice for chunk in chunks for choice in _several(chunk.get("choices")) if isinstance(choice, dict)]
        deltas = [delta for choice in choices if isinstance(delta := choice.get("delta"), dict)]
        self.found["streaming"] = bool(deltas)
        if not deltas:
            self.why |= {rows[0]: "the answer came in one piece", rows[1]: "no stream came"}
            return
        self.found["usage_in_streams"] = any(chunk.get("usage") for chunk in chunks)
        self._look_for_reasoning(*deltas)

    async def ask_for_token_ids(self) -> None:
        asked = {"max_tokens": SHORT, "extra_body": {"return_token_ids": True}}
        reply = await self._ask(ASKED_TO_SAY, ("token_ids",), **asked)
        if reply is not None:
            self._look_for_reasoning(reply.message)
            self.found["token_ids"] = _holds_token_ids(reply.raw or {})

    async def _ask(self, text: str, rows: Sequence[str], **request: Any) -> Reply | None:
        """Ask once; None when it failed, and the rows say why."""
        self.found["requests"] += 1
        try:
            reply = await base.ask_by_hand(self.server, text, None, request)
        except HermesError as failure:
            self._unknown(failure, *rows)
            return None
        self.replied = True
        self.found["requests"] += reply.retries
        return reply

    def _unknown(self, failure: HermesError, *rows: str) -> None:
        if isinstance(failure, ServerError):
            self.found["requests"] += failure.error.retries
        self.why |= dict.fromkeys(rows, failure.error.message if isinstance(failure, ServerError) else str(failure))

    def _look_for_reasoning(self, *messages: Message) -> None:
        for name in filter(None, map(reasoning_field, messages)):
            self.found.setdefault("reasoning", name)


async def _listed(client: AsyncOpenAI, server: Any) -> list[Mapping[str, Any]]:
    """The entries of GET /models, as they came."""
    import openai

    try:
        response = await client.get("/models", cast_to=connection.http().Response)
    except openai.OpenAIError as error:
        raise ServerError(failures.named(error, base.place_of(server))) from error
    came: dict[str, Any] = {"headers": response.headers, "status": response.status_code}
    try:
        body = codec.loads(response.content)
    except ValueError as error:
        raise ServerError(failures.no_json(response.content, **came, place=base.place_of(server))) from error
    entries = body.get("data", body.get("models")) if isinstance(body, Mapping) else body
    if not isinstance(entries, list):
        raise ServerError(failures.refusal(response.content, **came, place=base.place_of(server)))
    return [entry for entry in entries if isinstance(entry, Mapping)]


def window_of(entry: Mapping[str, Any]) -> int | None:
    """The context window in a model's entry of GET /models, in tokens; None where it is not told."""
    places = [entry, *(entry.get(name) for name in ("meta", "top_provider")), *_several(entry.get("providers"))]
    told = (place.get(name) for place in places if isinstance(place, Mapping) for name in WINDOWS)
    return next((size for size in told if isinstance(size, int) and not isinstance(size, bool) and size > 0), None)


def _several(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def format_of(text: str) -> tuple[str, str] | None:
    """The name of the format in which a text holds a tool call, and what shows it; None where it seems to hold none."""
    from hermes_nb.parsers import get_parser

    parsed = get_parser("auto", tools=[LOOK]).parse(text)
    if parsed.calls or parsed.problems:
        return str(parsed.format), parsed.reason
    if parsed.evidence:
        return parsed.evidence[0].format, parsed.reason
    for opening, name in LOOSE.items():
        if (at := text.find(opening)) >= 0:
            return name, f"no parser reads it, but {opening!r} at character {at} begins a call"
    return None


def reasoning_field(message: Message) -> str | None:
    """Where a message has its reasoning: the field's name, "content" for parts of it, "<think>" for the text itself."""
    if named := next((name for name in REASONING_FIELDS if message.get(name)), None):
        return named
    if text_of(message.get("content")).lstrip().startswith("<think>"):
        return "<think>"
    return "content" if reasoning_of(message) else None


def _holds_token_ids(body: Mapping[str, Any]) -> bool:
    choices = _several(body.get("choices"))
    return any(isinstance(one, Mapping) and isinstance(one.get("token_ids"), list) for one in [body, *choices])
