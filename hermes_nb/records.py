"""What a run was: frozen facts, from one tool call up to the whole run.

Times: `at` and `started` are seconds since the run began (monotonic), `seconds` and `queued` are durations, and
`started_at` is UTC. Sizes are bytes of UTF-8. `None` always means "unknown", never zero. A field marked
`MEMORY` can hold any Python object; it is never written to disk.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from hermes_nb import codec
from hermes_nb.display import Displayed
from hermes_nb.exceptions import RunFailed
from hermes_nb.messages import Message, text_of

StopReason = Literal[
    "finished", "stopped", "max_turns", "length", "content_filter", "refusal", "empty",
    "server_error", "context_overflow",
    "max_total_tokens", "max_seconds", "max_tool_calls", "max_cost", "repeating", "too_many_errors",
    "tool_error", "interrupted", "running", "crashed",
]  # fmt: skip
"""How a run ended; `running` and `crashed` for one that has no end (yet)."""

ErrorKind = Literal[
    "unknown_tool", "bad_json", "bad_arguments", "exception", "timeout", "cancelled", "reported", "rejected"
]
Fault = Literal["model", "tool", "environment", "run"]

MEMORY = {"memory_only": True}


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall(Displayed):
    """One call as the model wrote it.

    `arguments` is the text as received; `parsed` is its JSON value and `problem` says why there is none. `id` is
    unique in the run; `sent_id` is the server's own, where it had to be changed (None: it sent none).
    """

    name: str
    arguments: str = "{}"
    id: str = "call_0"
    turn: int = 0
    index: int = 0
    sent_id: str | None = None
    parsed: Any = field(init=False, compare=False)
    problem: str | None = field(init=False, compare=False)

    def __post_init__(self) -> None:
        parsed, problem = codec.parse_arguments(self.arguments)
        object.__setattr__(self, "parsed", parsed)
        object.__setattr__(self, "problem", problem)

    def __repr__(self) -> str:
        return f"ToolCall({self.name} {self.arguments})"


@dataclass(frozen=True, slots=True)
class ToolError:
    """What went wrong in one tool call: a record to count and to read, at most one per call.

    The first five fields are the original's: `turn` (from 1), `tool_name`, `arguments` (text as received), `error`,
    `tool_result` (what the model was told). `fault` says whose it was: of the `kind`s, the model's (unknown_tool,
    bad_json, bad_arguments), the tool's (exception, reported), the environment's (timeout, and exceptions of the
    system) or the run's (cancelled, rejected). `call_id` and `call_index` (from 0) name the call, `position` the
    character at which JSON broke, `exception_type` and `traceback` what was raised. It is no exception itself.
    """

    turn: int
    tool_name: str
    arguments: str
    error: str
    tool_result: str
    kind: ErrorKind = "exception"
    fault: Fault = "tool"
    call_id: str | None = None
    call_index: int | None = None
    exception_type: str | None = None
    position: int | None = None
    traceback: str | None = None

    def __repr__(self) -> str:
        return f"ToolError({self.tool_name} · {self.kind} · {self.error})"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolResult(Displayed):
    """The answer to one call. `content` is exactly what the model gets; `value` is what the tool returned.

    `queued` is the wait before the tool began at `started`; `size` is the content's before it was cut (None: it was
    not). `parts` are content parts (an image) that a server which takes them gets beside the content. `synthesised`:
    written by us because no tool ran to its end. `replayed`: taken from a recording.
    """

    call: ToolCall
    content: str
    value: Any = field(default=None, compare=False, metadata=MEMORY)
    error: ToolError | None = None
    queued: float = 0.0
    started: float = 0.0
    seconds: float = 0.0
    size: int | None = None
    parts: tuple[dict[str, Any], ...] | None = None
    printed: str = ""
    exit_code: int | None = None
    synthesised: bool = False
    replayed: bool = False

    @property
    def status(self) -> Literal["ok"] | ErrorKind:
        """`ok`, or the kind of the error."""
        return "ok" if self.error is None else self.error.kind

    def __repr__(self) -> str:
        return f"ToolResult({self.call.name} · {self.status})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens and cost. None: the server did not say. `partial`: a sum in which some part was unknown."""

    prompt: int | None = None
    completion: int | None = None
    total: int | None = None
    reasoning: int | None = None
    cached: int | None = None
    cost: float | None = None
    partial: bool = False

    def __add__(self, other: Usage) -> Usage:
        """The sum, where an unknown part makes it partial rather than unknown."""
        pairs = {name: (getattr(self, name), getattr(other, name)) for name in COUNTED}
        torn = any((one is None) != (two is None) for one, two in pairs.values())
        sums = {name: None if pair == (None, None) else sum(part or 0 for part in pair) for name, pair in pairs.items()}
        return Usage(**sums, partial=self.partial or other.partial or torn)


COUNTED = ("prompt", "completion", "total", "reasoning", "cached", "cost")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer of a model, normalised, with what the server really sent kept in `raw`.

    `message` is the canonical assistant message that enters the history. `finish_reason` is the server's word.
    `retries` counts requests beyond the first. `waited` is the time before it was asked for, spent behind other
    requests of the same server object (`max_concurrency`, `requests_per_minute`); `seconds` is without it. `partial`:
    the reply was cut off. `problems` names what had to be mended. `source_text` is the text before we
    took thoughts or calls out of it.
    """

    message: Message
    text: str = ""
    reasoning: str | None = None
    calls: tuple[ToolCall, ...] = ()
    refusal: str | None = None
    finish_reason: str | None = None
    usage: Usage = Usage()
    model: str | None = None
    id: str | None = None
    request_id: str | None = None
    status: int | None = None
    retries: int = 0
    seconds: float = 0.0
    waited: float = 0.0
    first_token_at: float | None = None
    partial: bool = False
    problems: tuple[str, ...] = ()
    source_text: str | None = None
    raw: dict[str, Any] | None = None

    def __repr__(self) -> str:
        said = ", ".join(f"{call.name}()" for call in self.calls) or repr(self.text)
        return f"Reply({said})"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunError:
    """Why a run could not go on. `hint` says what to try; `body` is the start of what the server sent."""

    type: str
    message: str
    status: int | None = None
    code: str | None = None
    request_id: str | None = None
    retries: int = 0
    hint: str | None = None
    body: str | None = None
    cause: BaseException | None = field(default=None, compare=False, repr=False, metadata=MEMORY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The run this one grew from, and where: after its end (follow_up, resume) or at a turn or call (fork).

    `messages` is how many of the messages this run begins with are that one's, a system message put before them
    included (None: nobody kept count).
    """

    kind: Literal["resume", "fork", "follow_up", "import"]
    run_id: str | None = None
    turn: int | None = None
    call_index: int | None = None
    edit: str | None = None
    messages: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn(Displayed):
    """One model call and the answers to its tool calls, in call order. `reply` is None when the server failed.

    `request` holds what changed in the request since the turn before, besides the messages.
    """

    number: int
    reply: Reply | None = None
    results: tuple[ToolResult, ...] = ()
    at: float = 0.0
    seconds: float = 0.0
    model_seconds: float = 0.0
    tool_seconds: float = 0.0
    added_messages: tuple[Message, ...] = ()
    request: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"Turn({self.number} · {len(self.results)} calls)" if self.results else f"Turn({self.number})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Under what conditions a run was made: enough to make it again.

    `server`: name, model, base_url, and of our own servers echo_reasoning and images. `sampling`: temperature,
    max_tokens, tool_choice, extra_body, stream. `tools`: the schemas as sent. `versions`: hermes_nb, python, openai,
    git commit and dirty.
    """

    started_at: str
    server: dict[str, Any]
    sampling: dict[str, Any]
    tools: tuple[dict[str, Any], ...] = ()
    toolbox_hash: str | None = None
    limits: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True, weakref_slot=True)
class AgentResult(Displayed):
    """A whole run, ended or not: the conversation, the turns, and how it ended.

    `messages` is the conversation, chat messages as dicts; `turns` are this run's, `origin` is what it goes on from.
    `run_id` is its own; `task` and `attempt` (from 0) say what it was about, `task_id` isolates its tools. It ended
    with `stop_reason`, of an `error` if it had to; `usage` is in tokens, `seconds` all it took. `meta` is the caller's,
    `scores` are those of `scored`; `provenance` says how it was made, `managed_state` is what the server's `get_state`
    gave. `abandoned` names the tools that could not be stopped. `journal_error` says why the journal could not be
    written to its end; the result holds the whole run all the same.

    Shown in a notebook it draws itself; `print(result)` gives the text form. `AgentResult(messages=[...])` alone is a
    result too, of a conversation nobody recorded the making of.
    """

    messages: list[Message]
    managed_state: Any = field(default=None, compare=False, metadata=MEMORY)
    run_id: str | None = None
    task_id: str | None = None
    task: str | None = None
    attempt: int = 0
    meta: dict[str, Any] = field(default_factory=dict)
    scores: dict[str, Any] = field(default_factory=dict)
    origin: Origin | None = None
    turns: tuple[Turn, ...] = ()
    stop_reason: StopReason = "running"
    error: RunError | None = None
    usage: Usage = Usage()
    seconds: float = 0.0
    abandoned: tuple[str, ...] = ()
    provenance: Provenance | None = None
    journal_error: str | None = None

    @property
    def turns_used(self) -> int:
        """How many times the model was asked; a request that failed counts."""
        return len(self.turns)

    @property
    def finished_naturally(self) -> bool:
        """The model stopped calling tools and gave an answer."""
        return self.stop_reason == "finished"

    @property
    def ok(self) -> bool:
        """The run ended as wanted: an answer, or a stop that was asked for."""
        return self.stop_reason in ("finished", "stopped")

    @property
    def reasoning_per_turn(self) -> list[str | None]:
        """The reasoning text of every turn that got a reply."""
        return [turn.reply.reasoning for turn in self.turns if turn.reply]

    @property
    def calls(self) -> list[ToolCall]:
        """Every tool call the model made, in order."""
        return [call for turn in self.turns if turn.reply for call in turn.reply.calls]

    @property
    def results(self) -> list[ToolResult]:
        """Every answered tool call, in call order."""
        return [result for turn in self.turns for result in turn.results]

    @property
    def tool_errors(self) -> list[ToolError]:
        """Every tool error, at most one per call, in call order."""
        return [result.error for result in self.results if result.error]

    @property
    def final_text(self) -> str:
        """The answer: the text of a last message by the assistant; empty when the run ended without one."""
        last = self.messages[-1] if self.messages else {}
        if last.get("role") != "assistant" or last.get("tool_calls"):
            return ""
        reply = self.turns[-1].reply if self.turns else None
        split = reply is not None and reply.source_text is not None and reply.message == last
        return reply.text if reply is not None and split else text_of(last.get("content"))

    def raise_for_error(self) -> None:
        """Do nothing for a run that ended as wanted.

        Raises:
            RunFailed: with the run in `.result`, from the exception behind it where there was one.
        """
        if not self.ok:
            raise RunFailed(self) from (self.error.cause if self.error else None)

    def curl(self, turn: int | None = None) -> str:
        """A turn's request (None: the last one's) as a curl command; see `hermes_nb.curl.command`."""
        from hermes_nb.curl import command

        return command(self, turn)

    def __repr__(self) -> str:
        kept = {"turn": self.turns_used, "call": len(self.calls), "error": len(self.tool_errors)}
        counts = ", ".join(f"{number} {name}{'' if number == 1 else 's'}" for name, number in kept.items())
        return f"AgentResult({self.stop_reason} · {counts} · {self.final_text!r})"

    def __str__(self) -> str:
        from hermes_nb import views

        return views.text(self)
