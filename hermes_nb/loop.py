"""The tool-calling loop: ask the model, answer its tool calls, ask again."""

from __future__ import annotations

import asyncio
import inspect
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from types import EllipsisType
from typing import Any, Literal, TypeAlias

from hermes_nb import endings, sync
from hermes_nb import messages as chat
from hermes_nb.clocks import Clock, Ids, SystemClock, random_ids
from hermes_nb.events import Delta, Event, Replied, RunStarted, TurnFinished, TurnStarted
from hermes_nb.exceptions import ConfigurationError, ServerError
from hermes_nb.journal import Journal, journal_path
from hermes_nb.messages import Message
from hermes_nb.records import AgentResult, Origin, Reply, ToolCall, ToolResult, Turn
from hermes_nb.redact import Redactor, known_secrets
from hermes_nb.servers import base
from hermes_nb.servers.assemble import Piece
from hermes_nb.servers.base import Server
from hermes_nb.servers.streams import Listener
from hermes_nb.supervisor import Ending, Observer, Run, settle
from hermes_nb.tools.dispatch import Setting, answer, refused
from hermes_nb.tools.gates import Gate
from hermes_nb.tools.toolbox import Toolbox
from hermes_nb.versions import versions

StopWhen: TypeAlias = Callable[[Turn], bool | Awaitable[bool]]
ToolChoice: TypeAlias = str | dict[str, Any] | Callable[[int], str | dict[str, Any] | None] | None
PathLike: TypeAlias = str | os.PathLike[str]


class HermesAgentLoop:
    """Asks a model, answers its tool calls, and asks again until it gives an answer.

    A loop is configuration: it holds nothing of a run but `last_result`, the run that ended last, and may have many
    runs going at once.

    Args:
        server: anything with `async chat_completion(**request)`.
        tools: functions, Tools, or a Toolbox.
        system: put first in every conversation that has no system message of its own.
        max_turns: how often the model may be asked in one run.
        task_id: given to tools, to tell one rollout's sandbox from another's; a fresh one for each run by default.
        temperature: None leaves it to the server.
        max_tokens: of one reply, None leaves it to the server.
        tool_choice: "required", and a tool named, hold for the first turn only; a function is asked for every turn.
        extra_body: further fields of the request.
        max_parallel_calls: how many calls of one turn run together; 1 is one after the other.
        tool_timeout: seconds a tool may take, where it has no limit of its own.
        before_call: asked before every call; see `hermes_nb.tools.gates`.
        stop_when: asked after every turn with calls; true ends the run (`stopped`).
        on_tool_error: "raise" ends the run at the first tool error (`tool_error`); `raise_for_error()` then raises it.
        journal: a file each run is written to, or a folder (ending in "/") that gets a file a run.
        clock, ids: where times and names come from; see `hermes_nb.clocks`.
        tool_schemas, valid_tool_names, handler: a foreign registry, in place of `tools`; see `Toolbox.from_schemas`.

    Raises:
        ConfigurationError: the arguments cannot work together.
    """

    def __init__(
        self,
        server: Server,
        tools: Toolbox | Sequence[Any] | None = None,
        *misplaced: Any,
        system: str | None = None,
        max_turns: int = 30,
        task_id: str | None = None,
        temperature: float | None = 1.0,
        max_tokens: int | None = None,
        tool_choice: ToolChoice = None,
        extra_body: dict[str, Any] | None = None,
        max_parallel_calls: int = 8,
        tool_timeout: float | None = None,
        before_call: Gate | None = None,
        stop_when: StopWhen | None = None,
        on_tool_error: Literal["report", "raise"] = "report",
        journal: PathLike | None = None,
        clock: Clock | None = None,
        ids: Ids = random_ids,
        tool_schemas: Sequence[dict[str, Any]] | None = None,
        valid_tool_names: set[str] | None = None,
        handler: Callable[..., Any] | None = None,
    ) -> None:
        if misplaced or _looks_like_schemas(tools):
            raise TypeError(NEW_CALL)
        self.server = server
        self.toolbox = _toolbox(tools, tool_schemas, valid_tool_names, handler)
        self.system = system
        self.max_turns = _at_least("max_turns", max_turns, 0)
        self.task_id = task_id
        self.temperature = temperature
        self.max_tokens = max_tokens
        self.tool_choice = tool_choice
        self.extra_body = extra_body
        self.max_parallel_calls = _at_least("max_parallel_calls", max_parallel_calls, 1)
        self.tool_timeout = tool_timeout
        self.before_call = before_call
        self.stop_when = stop_when
        self.on_tool_error = on_tool_error
        self.journal = journal
        self.clock = clock or SystemClock()
        self.ids = ids
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
        on_event: Observer | None = None,
        in_place: bool = False,
        journal: PathLike | EllipsisType | None = ...,
    ) -> AgentResult:
        """Run to an end, whichever it is, and give the whole run.

        Args:
            input: a question, or a list of chat messages, which is never changed.
            task, attempt, meta: which item of a dataset this is, which sample of it, and what else to keep with it.
            state: what tools find in `ToolContext.state`; a fresh dict by default.
            after: a result whose conversation goes on with `input`, as a new run.
            stream: have every reply in pieces (`Delta` events) while it forms, from a server that has `stream`.
            on_event: called with every event as it happens.
            in_place: append to the given list of messages, as the original loop did.
            journal: in place of the loop's own; None writes none.

        Raises:
            ConfigurationError: the input is no conversation.
            JournalError: the journal's file is there already.
            asyncio.CancelledError: the run was interrupted; as far as it came, it is `last_result`.
        """
        history = self._history(input, after, in_place)
        made_with = await versions()
        run = self._new_run(on_event, self.journal if journal is ... else journal)
        setting = self._setting(run, state)
        run.emit(
            RunStarted, started_at=self.clock.utc().isoformat(), task_id=setting.task_id, task=task, attempt=attempt,
            origin=_follow_up(after), messages=tuple(history), meta=meta or {}, versions=made_with,
            **self._conditions(stream),
        )  # fmt: skip
        try:
            await run.conduct(self._turns(run, history, setting, stream), lambda: base.managed_state(self.server))
        finally:
            result = self.last_result = _result(run, history if in_place else None)
        return result

    def _new_run(self, on_event: Observer | None, journal: PathLike | None) -> Run:
        run_id = self.ids("run")
        kept = None
        if journal is not None:
            secrets = known_secrets(os.environ) | base.secrets_of(self.server)
            kept = Journal(journal_path(journal, run_id), Redactor(secrets))
        return Run(run_id, self.clock, observers=[on_event] if on_event else (), journal=kept)

    def _setting(self, run: Run, state: Any) -> Setting:
        return Setting(
            toolbox=self.toolbox,
            task_id=self.task_id or self.ids("task"),
            state={} if state is None else state,
            now=run.now,
            before_call=self.before_call,
            timeout=self.tool_timeout,
        )

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

        run = asyncio.ensure_future(self.run(input, on_event=arrive, **how))
        run.add_done_callback(lambda _: arrived.put_nowait(None))
        try:
            while (event := await arrived.get()) is not None:
                yield event
            await run
        finally:
            await settle([run])

    async def _turns(self, run: Run, history: list[Message], setting: Setting, stream: bool) -> Ending:
        """The loop itself: how it ended, and the error behind it."""
        taken = {call["id"] for message in history for call in message.get("tool_calls") or () if call.get("id")}
        for turn in range(1, self.max_turns + 1):
            run.emit(TurnStarted, turn=turn, request=self._changed(turn))
            began = run.now()
            try:
                reply = await base.ask(
                    self.server, self._request(history, turn), turn=turn, taken=taken,
                    new_id=lambda: self.ids("call"), now=run.now, listener=_listener(run, turn) if stream else None,
                )  # fmt: skip
            except ServerError as failure:
                run.emit(TurnFinished, turn=turn, model_seconds=run.now() - began)
                return endings.of_failure(failure.error)
            asked = run.now()
            run.emit(Replied, turn=turn, reply=reply)
            results = await self._answers(run, reply, setting)
            spent = {"model_seconds": asked - began - reply.waited, "tool_seconds": run.now() - asked}
            run.emit(TurnFinished, turn=turn, **spent)
            history.append(reply.message)
            history.extend(chat.tool(one.call.id, one.content, one.parts) for one in results)
            if ending := await self._ending(run, reply, results):
                return ending
        return "max_turns", None

    def _request(self, history: list[Message], turn: int) -> dict[str, Any]:
        optional = {
            "temperature": self.temperature,
            "tools": self.toolbox.schemas or None,
            "max_tokens": self.max_tokens,
            "tool_choice": self._choice(turn),
            "extra_body": self.extra_body,
        }
        return {"messages": list(history), "n": 1, **{name: v for name, v in optional.items() if v is not None}}

    def _choice(self, turn: int) -> str | dict[str, Any] | None:
        if callable(self.tool_choice):
            return self.tool_choice(turn)
        lasting = turn == 1 or self.tool_choice in ("auto", "none")
        return self.tool_choice if lasting and len(self.toolbox) else None

    def _changed(self, turn: int) -> dict[str, Any]:
        choice = self._choice(turn)
        if turn == 1:
            return {"tool_choice": choice} if callable(self.tool_choice) else {}
        return {} if choice == self._choice(turn - 1) else {"tool_choice": choice}

    async def _answers(self, run: Run, reply: Reply, setting: Setting) -> list[ToolResult]:
        async def one(call: ToolCall, queued: float) -> ToolResult:
            if endings.cut_off(call, reply):
                return refused(call, "bad_json", endings.CUT_OFF, now=run.now())
            return await answer(call, setting, queued=queued, abandoned=run.abandoned.append)

        serial = {tool.name for tool in self.toolbox if tool.serial}
        return await run.answer_all(reply.calls, one, at_once=self.max_parallel_calls, serial=serial)

    async def _ending(self, run: Run, reply: Reply, results: list[ToolResult]) -> Ending | None:
        """How the run ends after this turn; None when it goes on."""
        if not reply.calls:
            return endings.last_word(reply), None
        if self.on_tool_error == "raise":
            for result in results:
                if result.error:
                    return "tool_error", endings.tool_failure(result.error, result.value)
        if any(result.call.name == self.toolbox.finish and not result.error for result in results):
            return "stopped", None
        if self.stop_when is not None:
            stop = self.stop_when(run.result().turns[-1])
            if await stop if inspect.isawaitable(stop) else stop:
                return "stopped", None
        return None

    def _history(self, input: str | list[Message], after: AgentResult | None, in_place: bool) -> list[Message]:
        if in_place:
            if not isinstance(input, list) or after is not None:
                raise ConfigurationError("in_place=True appends to a list of messages: give it one, and no `after`")
            chat.lead_in(input, self.system)
            return input
        if after is None:
            return chat.conversation(input, system=self.system)
        return chat.conversation([*after.messages, *chat.conversation(input)], system=self.system)

    def _conditions(self, stream: bool) -> dict[str, Any]:
        """What RunStarted records of the configuration."""
        return {
            "server": base.describe(self.server),
            "sampling": {
                "temperature": self.temperature,
                "max_tokens": self.max_tokens,
                "tool_choice": "a function" if callable(self.tool_choice) else self.tool_choice,
                "extra_body": self.extra_body,
                "stream": stream,
            },
            "tools": tuple(self.toolbox.schemas),
            "toolbox_hash": self.toolbox.hash,
            "limits": {"max_turns": self.max_turns, "tool_timeout": self.tool_timeout},
        }

    def __repr__(self) -> str:
        return f"HermesAgentLoop({self.server!r}, {self.toolbox!r})"


NEW_CALL = (
    "HermesAgentLoop takes the tools themselves: HermesAgentLoop(server, tools=[add, search], max_turns=30). "
    "A registry of your own goes in by keywords: HermesAgentLoop(server, tool_schemas=schemas, "
    "valid_tool_names=names, handler=handle_function_call)."
)


def _looks_like_schemas(tools: Any) -> bool:
    return isinstance(tools, list | tuple) and bool(tools) and isinstance(tools[0], dict)


def _toolbox(tools: Any, schemas: Any, names: set[str] | None, handler: Callable[..., Any] | None) -> Toolbox:
    if schemas is None and handler is None:
        return tools if isinstance(tools, Toolbox) else Toolbox(tools or ())
    if tools is not None or schemas is None or handler is None:
        raise ConfigurationError(f"give either tools, or tool_schemas and handler together. {NEW_CALL}")
    return Toolbox.from_schemas(schemas, handler, valid_names=names)


def _at_least(name: str, value: int, least: int) -> int:
    if not isinstance(value, int) or value < least:
        raise ConfigurationError(f"{name} is a whole number from {least} up, not {value!r}")
    return value


def _listener(run: Run, turn: int) -> Listener:
    def piece(one: Piece) -> None:
        run.emit(Delta, turn=turn, part=one.part, index=one.index, id=one.id, name=one.name, text=one.text)

    return Listener(piece=piece, partial=lambda reply: run.emit(Replied, turn=turn, reply=reply))


def _follow_up(after: AgentResult | None) -> Origin | None:
    return None if after is None else Origin(kind="follow_up", run_id=after.run_id, turn=after.turns_used)


def _result(run: Run, in_place: list[Message] | None) -> AgentResult:
    result = run.result()
    if in_place is None:
        return result
    in_place[:] = result.messages
    return replace(result, messages=in_place)
