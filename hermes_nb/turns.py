"""The tool-calling loop itself: ask the model, answer its calls, ask again, until something ends it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from hermes_nb import endings
from hermes_nb.events import CallFinished, Delta, Replied, TurnFinished, TurnStarted
from hermes_nb.exceptions import ServerError
from hermes_nb.limits import Meter, Over
from hermes_nb.messages import Message
from hermes_nb.records import Reply, ToolCall, ToolResult
from hermes_nb.servers import base
from hermes_nb.servers.assemble import Piece
from hermes_nb.servers.base import Server
from hermes_nb.servers.streams import Listener
from hermes_nb.supervisor import Ending, Run
from hermes_nb.together import answer_all
from hermes_nb.tools.dispatch import Setting, answer, refused

if TYPE_CHECKING:
    from hermes_nb.loop import HermesAgentLoop


class Steering(Protocol):
    """Where the messages come from that join a run while it goes on."""

    def join(self) -> tuple[Message, ...]:
        """Those that have come since the last time."""

    def close(self, *, unless_waiting: bool = False) -> bool:
        """Take no more; False where it stays open because there are some."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Partners:
    """Whom the turns of one run work with.

    `server` is asked, `setting` is what tools are called with, `recorded` gives the answer to a call where a recording
    has it, `new_id` a name for a call that has none, `steering` the messages that join on the way. With `stream`, a
    reply is told piece by piece.
    """

    run: Run
    server: Server
    setting: Setting
    steering: Steering
    new_id: Callable[[], str]
    recorded: Callable[[ToolCall], ToolResult | None] | None = None
    stream: bool = False


class Turns:
    """The turns of one run of a loop. `history` is the conversation, and grows with it."""

    def __init__(self, loop: HermesAgentLoop, history: list[Message], partners: Partners) -> None:
        self._loop = loop
        self._history = history
        self._with = partners
        self._run = partners.run
        self._meter = Meter(loop.limits)
        self._serial = {tool.name for tool in loop.toolbox if tool.serial}
        self._taken = {call["id"] for message in history for call in message.get("tool_calls") or () if call.get("id")}

    async def take(self) -> Ending:
        """Take turns until something ends the run: how it ended, and the error behind it."""
        with self._with.setting.apart:
            for turn in range(1, self._loop.max_turns + 1):
                if ending := await self._turn(turn):
                    return ending
            if self._loop.answer_at_limit and (ending := await self._turn(self._loop.max_turns + 1, no_tools=True)):
                return ending
        return "max_turns", None

    async def _turn(self, turn: int, no_tools: bool = False) -> Ending | None:
        """Ask once and answer what was called; how the run ends with it, None when it goes on."""
        run, joined = self._run, self._with.steering.join()
        self._history.extend(joined)
        request = self._request(turn, no_tools)
        run.emit(TurnStarted, turn=turn, request=self._changed(turn, no_tools), added_messages=joined)
        began = run.now()
        try:
            reply = await self._ask(request, turn)
        except ServerError as failure:
            run.check()
            run.emit(TurnFinished, turn=turn, model_seconds=run.now() - began)
            return endings.of_failure(failure.error)
        asked = run.now()
        run.emit(Replied, turn=turn, reply=reply)
        run.check()
        over = Over("max_turns", endings.NO_MORE_CALLS) if no_tools else self._meter.take(reply)
        results = self._refuse(reply, over) if over else await self._answers(reply)
        run.check()
        spent = {"model_seconds": asked - began - reply.waited, "tool_seconds": run.now() - asked}
        run.emit(TurnFinished, turn=turn, **spent)
        self._history.extend(run.folded.said)
        return await self._ending(reply, results, over)

    def _request(self, turn: int, no_tools: bool) -> dict[str, Any]:
        loop = self._loop
        optional = {
            "temperature": loop.temperature,
            "tools": None if no_tools else loop.toolbox.schemas or None,
            "max_tokens": loop.max_tokens,
            "tool_choice": None if no_tools else self._choice(turn),
            "extra_body": loop.extra_body,
        }
        given = {name: value for name, value in optional.items() if value is not None}
        return {"messages": list(self._history), "n": 1, **given}

    def _choice(self, turn: int) -> str | dict[str, Any] | None:
        choice = self._loop.tool_choice
        if callable(choice):
            return choice(turn)
        lasting = turn == 1 or choice in ("auto", "none")
        return choice if lasting and len(self._loop.toolbox) else None

    def _changed(self, turn: int, no_tools: bool) -> dict[str, Any]:
        """What this turn's request has that is not as in the last one's."""
        if no_tools:
            return {"tools": None, "tool_choice": None}
        choice = self._choice(turn)
        if turn == 1:
            return {"tool_choice": choice} if callable(self._loop.tool_choice) else {}
        return {} if choice == self._choice(turn - 1) else {"tool_choice": choice}

    async def _ask(self, request: dict[str, Any], turn: int) -> Reply:
        known: dict[str, Any] = {"taken": self._taken, "new_id": self._with.new_id, "now": self._run.now}
        listener = self._listener(turn) if self._with.stream else None
        return await base.ask(self._with.server, request, turn=turn, listener=listener, **known)

    def _listener(self, turn: int) -> Listener:
        run = self._run

        def piece(one: Piece) -> None:
            run.emit(Delta, turn=turn, part=one.part, index=one.index, id=one.id, name=one.name, text=one.text)

        return Listener(piece=piece, partial=lambda reply: run.emit(Replied, turn=turn, reply=reply))

    async def _answers(self, reply: Reply) -> list[ToolResult]:
        run, setting, recorded = self._run, self._with.setting, self._with.recorded
        cut_short: dict[int, ToolResult] = {}

        async def one(call: ToolCall, queued: float) -> ToolResult:
            if recorded is not None and (result := recorded(call)):
                return result
            if endings.cut_off(call, reply):
                return refused(call, "bad_json", endings.CUT_OFF, now=run.now())
            keep = partial(cut_short.__setitem__, call.index)
            return await answer(call, setting, queued=queued, abandoned=run.abandoned.append, cancelled=keep)

        how: dict[str, Any] = {"at_once": self._loop.max_parallel_calls, "serial": self._serial}
        return await answer_all(run, reply.calls, one, **how, cut_short=cut_short)

    def _refuse(self, reply: Reply, over: Over) -> list[ToolResult]:
        """Answer every call with why it is not run."""
        results = [refused(call, "rejected", f"not run: {over.told}", now=self._run.now()) for call in reply.calls]
        for result in results:
            self._run.emit(CallFinished, turn=result.call.turn, result=result)
        return results

    async def _ending(self, reply: Reply, results: list[ToolResult], over: Over | None) -> Ending | None:
        """How the run ends after this turn; None when it goes on."""
        loop = self._loop
        if not reply.calls and self._with.steering.close(unless_waiting=True):
            at_limit = over is not None and over.ending == "max_turns"
            return ("max_turns" if at_limit else endings.last_word(reply)), None
        if over:
            return over.ending, None
        if loop.on_tool_error == "raise":
            for result in results:
                if result.error:
                    return "tool_error", endings.tool_failure(result.error, result.value)
        if any(result.call.name == loop.toolbox.finish and not result.error for result in results):
            return "stopped", None
        if self._meter.failing(results):
            return "too_many_errors", None
        if results and loop.stop_when is not None:
            stop = loop.stop_when(self._run.result().turns[-1])
            if await stop if inspect.isawaitable(stop) else stop:
                return "stopped", None
        return None
