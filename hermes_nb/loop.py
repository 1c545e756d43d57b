"""HermesAgentLoop: what runs are made with, and the ways to hold one."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import asdict, replace
from types import EllipsisType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from hermes_nb import sync
from hermes_nb.asking import How, conversation_of, last_run, left_of
from hermes_nb.clocks import Clock, Ids, SystemClock, random_ids
from hermes_nb.events import Event
from hermes_nb.exceptions import ConfigurationError
from hermes_nb.journal import journal_path
from hermes_nb.keeping import Keeper, keeper_of
from hermes_nb.limits import NO_LIMITS, Limits
from hermes_nb.live import LiveRun, Steering
from hermes_nb.messages import Message
from hermes_nb.records import AgentResult, Origin, Turn
from hermes_nb.redact import Redactor, Secret, known_secrets
from hermes_nb.servers import base
from hermes_nb.servers.base import Server
from hermes_nb.supervisor import Ending, Observer, Run
from hermes_nb.together import settle
from hermes_nb.tools.dispatch import Setting
from hermes_nb.tools.gates import Gate
from hermes_nb.tools.registries import NEW_CALL, looks_like_schemas, toolbox_of
from hermes_nb.tools.toolbox import Toolbox
from hermes_nb.turns import Partners, Turns
from hermes_nb.versions import versions

if TYPE_CHECKING:
    from hermes_nb.servers.cassette import Cassette, Tape

StopWhen: TypeAlias = Callable[[Turn], bool | Awaitable[bool]]
ToolChoice: TypeAlias = str | dict[str, Any] | Callable[[int], str | dict[str, Any] | None] | None
PathLike: TypeAlias = str | os.PathLike[str]


class HermesAgentLoop:
    """Asks a model, answers its tool calls, and asks again until it gives an answer.

    A loop is configuration: it holds nothing of a run but `last_result`, the run that ended last, and may have many
    runs going at once.

    Args:
        server: anything with `async chat_completion(**request)`; None where a cassette answers in its place.
        tools: functions, Tools, or a Toolbox.
        system: put first in every conversation that has no system message of its own.
        max_turns: how often the model may be asked in one run.
        task_id: given to tools, to tell one rollout's sandbox from another's; a fresh one for each run by default.
        temperature: None leaves it to the server.
        max_tokens: of one reply, None leaves it to the server.
        tool_choice: "required", and a tool named, hold for the first turn only; a function is asked for every turn.
        extra_body: further fields of the request.
        limits: how much a run may use besides turns.
        answer_at_limit: at `max_turns`, ask once more, without tools, for an answer.
        max_parallel_calls: how many calls of one turn run together; 1 is one after the other.
        tool_timeout: seconds a tool may take, where it has no limit of its own.
        before_call: asked before every call; see `hermes_nb.tools.gates`.
        stop_when: asked after every turn with calls; true ends the run (`stopped`).
        on_tool_error: "raise" ends the run at the first tool error (`tool_error`); `raise_for_error()` then raises it.
        journal: a file every run is added to, or a folder (ending in "/") that gets a file a run.
        cassette: plays what it has recorded, and records what it has not; see `hermes_nb.Cassette`.
        clock, ids: where times and names come from; see `hermes_nb.clocks`.
        tool_schemas, valid_tool_names, handler: a foreign registry, in place of `tools`; see `Toolbox.from_schemas`.

    >>> from hermes_nb.servers import ScriptedServer, call
    >>> def add(a: int, b: int) -> int:
    ...     "Add two whole numbers."
    ...     return a + b
    >>> loop = HermesAgentLoop(ScriptedServer([call("add", a=2, b=3), "It is 5."]), tools=[add])
    >>> loop.run_sync("What is 2 + 3?")  # in a notebook: await loop.run(...)
    AgentResult(finished · 2 turns, 1 call, 0 errors · 'It is 5.')

    Raises:
        ConfigurationError: the arguments cannot work together.
    """

    def __init__(
        self,
        server: Server | None,
        tools: Toolbox | Sequence[Any] | None = None,
        *misplaced: Any,
        system: str | None = None,
        max_turns: int = 30,
        task_id: str | None = None,
        temperature: float | None = 1.0,
        max_tokens: int | None = None,
        tool_choice: ToolChoice = None,
        extra_body: dict[str, Any] | None = None,
        limits: Limits | None = None,
        answer_at_limit: bool = False,
        max_parallel_calls: int = 8,
        tool_timeout: float | None = None,
        before_call: Gate | None = None,
        stop_when: StopWhen | None = None,
        on_tool_error: Literal["report", "raise"] = "report",
        journal: PathLike | None = None,
        cassette: Cassette | None = None,
        clock: Clock | None = None,
        ids: Ids = random_ids,
        tool_schemas: Sequence[dict[str, Any]] | None = None,
        valid_tool_names: set[str] | None = None,
        handler: Callable[..., Any] | None = None,
    ) -> None:
        if misplaced or looks_like_schemas(tools):
            raise TypeError(NEW_CALL)
        self.server = server
        self.toolbox = toolbox_of(tools, tool_schemas, valid_tool_names, handler)
        self.system = system
        self.max_turns = _at_least("max_turns", max_turns, 0)
        self.task_id = task_id
        self.temperature, self.max_tokens = temperature, max_tokens
        self.tool_choice, self.extra_body = tool_choice, extra_body
        self.limits = _limits(limits)
        self.answer_at_limit = answer_at_limit
        self.max_parallel_calls = _at_least("max_parallel_calls", max_parallel_calls, 1)
        self.tool_timeout = tool_timeout
        self.before_call, self.stop_when = before_call, stop_when
        self.on_tool_error = on_tool_error
        self.journal, self.cassette = journal, cassette
        self.clock, self.ids = clock or SystemClock(), ids
        self.last_result: AgentResult | None = None

    async def run(
        self,
        input: str | list[Message],
        *,
        task: str | None = None,
        attempt: int = 0,
        meta: dict[str, Any] | None = None,
        state: Any = None,
        after: AgentResult | None = None,
        stream: bool = False,
        view: bool = False,
        on_event: Observer | None = None,
        in_place: bool = False,
        journal: PathLike | EllipsisType | None = ...,
        cassette: Cassette | EllipsisType | None = ...,
    ) -> AgentResult:
        """Run to an end, whichever it is, and give the whole run.

        Args:
            input: a question, or a list of chat messages, which is never changed.
            task, attempt, meta: which item of a dataset this is, which sample of it, and what else to keep with it.
            state: what tools find in `ToolContext.state`; a fresh dict by default.
            after: a result whose conversation goes on with `input`, as a new run.
            stream: have every reply in pieces (`Delta` events) while it forms, from a server that has `stream`.
            view: show the run, live, in the notebook's cell that runs now.
            on_event: called with every event as it happens.
            in_place: append to the given list of messages, as the original loop did.
            journal, cassette: in place of the loop's own; None for none.

        Raises:
            ConfigurationError: the input is no conversation, or there is no server to ask.
            JournalError: the journal's file is something else, or another process writes it.
            asyncio.CancelledError: the run was interrupted; as far as it came, it is `last_result`.
        """
        how = How(
            task=task, attempt=attempt, meta=meta, state=state, after=after, stream=stream, view=view,
            on_event=on_event, in_place=in_place, journal=journal, cassette=cassette,
        )  # fmt: skip
        return await self._started(conversation_of(input, how, self.system), how)

    def start(self, input: str | list[Message], **how: Any) -> LiveRun:
        """Begin a run, and give it at once, to hold while it goes on. It takes the arguments of `run`.

        It runs on the event loop that is running here, a notebook's say; where none is, on the private one of
        `run_sync`.
        """
        asked = How(**how)
        return self._started(conversation_of(input, asked, self.system), asked)

    def run_sync(self, input: str | list[Message], **how: Any) -> AgentResult:
        """`run` for code that cannot await: in a script, a callback, or a cell. It takes the same arguments.

        The run is on a private event loop, in a thread of its own; Ctrl-C and the kernel's interrupt stop it.
        """
        return sync.wait_for(self.run(input, **how))

    async def events(self, input: str | list[Message], **how: Any) -> AsyncIterator[Event]:
        """`run` as the stream of its events. It takes the same arguments; leaving early stops the run."""
        arrived: asyncio.Queue[Event | None] = asyncio.Queue()
        told = how.pop("on_event", None)

        def arrive(event: Event) -> None:
            arrived.put_nowait(event)
            if told is not None:
                told(event)

        running = asyncio.ensure_future(self.run(input, on_event=arrive, **how))
        running.add_done_callback(lambda _: arrived.put_nowait(None))
        try:
            while (event := await arrived.get()) is not None:
                yield event
            await running
        finally:
            await settle([running])

    async def resume(
        self, run: AgentResult | PathLike, input: str | list[Message] | None = None, **how: Any
    ) -> AgentResult:
        """Go on with a run that was interrupted, crashed or limited, as a new run with an origin; limits start afresh.

        What the run left open is mended first (`hermes_nb.repair`), and `origin.edit` says how. Task, attempt and meta
        are those of the run, unless given; all else is as in `run`.

        Args:
            run: the run, or the path of its journal, of whose runs it is the last.
            input: what to say next; a run that ended with an answer needs it.

        Raises:
            ConfigurationError: the run goes on, or has an answer and there is no `input`.
            JournalError: the file is no journal, or is damaged.
        """
        made = run if isinstance(run, AgentResult) else last_run(run)
        asked = How(**{"task": made.task, "attempt": made.attempt, "meta": made.meta, **how})
        history, origin = left_of(made, input)
        return await self._started(history, asked, origin)

    def _started(self, history: list[Message], how: How, origin: Origin | None = None) -> LiveRun:
        """A run of this conversation, begun."""
        tape = self._tape(history, how)
        server = self.server if tape is None else tape.server
        if server is None:
            raise ConfigurationError("there is no server to ask: HermesAgentLoop(server, ...), or give a cassette")
        ids = self.ids if tape is None else lambda kind: tape.id(kind) or self.ids(kind)
        task_id, run_id = self.task_id or ids("task"), ids("run")
        opening = {
            "started_at": self.clock.utc().isoformat(), "task_id": task_id, "task": how.task, "attempt": how.attempt,
            "origin": origin or how.origin(history), "messages": tuple(history), "meta": how.meta or {},
            **self._conditions(how.stream, (tape and tape.describe()) or base.describe(server)),
        }  # fmt: skip
        run = Run(
            run_id, self.clock, opening=opening, kept=self._kept(run_id, how, server),
            times=tape.times if tape else None,
            observers=[observer for observer in (tape and tape.observe, how.on_event) if observer],
        )  # fmt: skip
        steering = Steering()
        partners = Partners(
            run=run, server=server, setting=self._setting(run, task_id, how.state), steering=steering,
            new_id=lambda: ids("call"), recorded=tape.answered if tape else None, stream=how.stream,
        )  # fmt: skip
        live = LiveRun(run, steering, self._conducted(history, partners, how, tape))
        if how.view:
            self._show(live)
        return live

    @staticmethod
    def _show(live: LiveRun) -> None:
        from hermes_nb import views

        try:
            views.show(live)
        except BaseException:
            live.stop()
            raise

    async def _conducted(self, history: list[Message], partners: Partners, how: How, tape: Tape | None) -> AgentResult:
        run = partners.run

        async def turns() -> Ending:
            run.begin(versions=await versions())
            return await Turns(self, history, partners).take()

        try:
            await run.conduct(
                turns(), state=lambda: base.managed_state(partners.server), seconds=self.limits.seconds,
                after=tape.finish if tape else None,
            )  # fmt: skip
        finally:
            result = self.last_result = _result(run, history if how.in_place else None)
        return result

    def _kept(self, run_id: str, how: How, server: Server) -> Keeper | None:
        path = self.journal if how.journal is ... else how.journal
        return None if path is None else keeper_of(journal_path(path, run_id), Redactor(_secrets(server, self.server)))

    def _tape(self, history: list[Message], how: How) -> Tape | None:
        cassette = self.cassette if how.cassette is ... else how.cassette
        if cassette is None:
            return None
        sampling = self._conditions(how.stream, {})["sampling"]
        return cassette.tape(
            messages=history, task=how.task, attempt=how.attempt, server=self.server, sampling=sampling,
            toolbox_schemas=self.toolbox.schemas, secrets=_secrets(self.server), environ=os.environ,
        )  # fmt: skip

    def _setting(self, run: Run, task_id: str, state: Any) -> Setting:
        return Setting(
            toolbox=self.toolbox, task_id=task_id, state={} if state is None else state, now=run.now,
            before_call=self.before_call, timeout=self.tool_timeout,
        )  # fmt: skip

    def _conditions(self, stream: bool, server: dict[str, Any]) -> dict[str, Any]:
        """What RunStarted records of the configuration."""
        used = {name: value for name, value in asdict(self.limits).items() if value is not None}
        return {
            "server": server,
            "sampling": {
                "temperature": self.temperature,
                "max_tokens": self.max_tokens,
                "tool_choice": "a function" if callable(self.tool_choice) else self.tool_choice,
                "extra_body": self.extra_body,
                "stream": stream,
            },
            "tools": tuple(self.toolbox.schemas),
            "toolbox_hash": self.toolbox.hash,
            "limits": {"max_turns": self.max_turns, "tool_timeout": self.tool_timeout, **used},
        }

    def __repr__(self) -> str:
        return f"HermesAgentLoop({self.server!r}, {self.toolbox!r})"


def _secrets(*servers: Server | None) -> frozenset[str | Secret]:
    return known_secrets(os.environ).union(*map(base.secrets_of, servers))


def _at_least(name: str, value: int, least: int) -> int:
    if not isinstance(value, int) or value < least:
        raise ConfigurationError(f"{name} is a whole number from {least} up, not {value!r}")
    return value


def _limits(given: Limits | None) -> Limits:
    if given is not None and not isinstance(given, Limits):
        raise ConfigurationError(f"limits=Limits(seconds=60, ...) says how much a run may use; {given!r:.80} does not")
    return given or NO_LIMITS


def _result(run: Run, in_place: list[Message] | None) -> AgentResult:
    result = run.result()
    if in_place is None:
        return result
    in_place[:] = result.messages
    return replace(result, messages=in_place)
