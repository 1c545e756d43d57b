"""Runs to look at, built from events written by hand."""

from __future__ import annotations

from typing import Any

from hermes_nb.codec import dumps
from hermes_nb.events import (
    CallFinished,
    Event,
    Replied,
    RunFinished,
    RunStarted,
    TurnFinished,
    TurnStarted,
    fold,
)
from hermes_nb.messages import Message, user
from hermes_nb.records import AgentResult, Reply, ToolCall, ToolError, ToolResult, Usage


class Script:
    """A run written down event by event: `script.ask(...)`, `script.answer(...)` and at last `script.end(...)`."""

    def __init__(self, *messages: Message, **started: Any) -> None:
        self.events: list[Event] = []
        self.turn = 0
        started.setdefault("server", {"name": "scripted", "model": "hermes-4"})
        self._add(RunStarted, messages=messages or (user("What is 2 + 3?"),), **started)

    def ask(
        self,
        text: str = "",
        *calls: tuple[str, Any],
        seconds: float = 0.5,
        usage: Usage | None = None,
        added: tuple[Message, ...] = (),
        **reply: Any,
    ) -> Script:
        """A turn's reply. Arguments that are no string are JSON."""
        self.turn += 1
        made = tuple(
            ToolCall(
                name=name,
                arguments=given if isinstance(given, str) else dumps(given).decode(),
                id=f"call_{self.turn}_{index}",
                turn=self.turn,
                index=index,
            )
            for index, (name, given) in enumerate(calls)
        )
        message: Message = {"role": "assistant", "content": text}
        if made:
            message["tool_calls"] = [
                {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
                for call in made
            ]
        self.calls = made
        self._add(TurnStarted, added_messages=added)
        reply = {"message": message, "text": text, "calls": made, "seconds": seconds, **reply}
        self._add(Replied, reply=Reply(usage=usage or Usage(), **reply))
        return self

    def unanswered(self) -> Script:
        """A turn in which the model is asked, and says nothing."""
        self.turn += 1
        self._add(TurnStarted)
        return self

    def answer(self, content: str, index: int = 0, *, error: tuple[str, Any] | None = None, **more: Any) -> Script:
        """A call's result; `error` is its kind and what it says."""
        call = self.calls[index]
        wrong = None
        if error:
            kind, told = error
            traceback = more.pop("traceback", None)
            wrong = ToolError(self.turn, call.name, call.arguments, told, content, kind=kind, traceback=traceback)  # type: ignore[arg-type]
        more.setdefault("seconds", 0.0001)
        self._add(CallFinished, result=ToolResult(call=call, content=content, error=wrong, **more))
        return self

    def done(self) -> Script:
        """The end of the turn."""
        self._add(TurnFinished)
        return self

    def end(self, stop_reason: str = "finished", **more: Any) -> AgentResult:
        """The result of the whole run."""
        self._add(RunFinished, stop_reason=stop_reason, seconds=more.pop("seconds", 4.5), **more)
        return self.result()

    def result(self) -> AgentResult:
        """The result so far."""
        return fold(self.events)

    def _add(self, kind: type[Any], **fields: Any) -> None:
        self.events.append(kind(run_id="run", seq=len(self.events), turn=self.turn, **fields))


QUESTION = "Three invoices: 120, 75.50 and 0. Each one's share of the total, and the total per paid day?"
ANSWER = (
    "The total is 195.50: 61.4 % from the first invoice, 38.6 % from the second. "
    "Spread over the two days that had payments, that is 97.75 a day."
)
THOUGHT = (
    "b is 0, the third invoice has no day. Dividing by zero cannot work, so I should count only the two days on "
    "which something was paid."
)


def invoices() -> AgentResult:
    """Six turns with two errors, a thought, and calls that are alike."""
    return invoices_script().result()


def invoices_script() -> Script:
    """The same, as its events."""
    script = Script(user(QUESTION), task="invoices", server={"model": "scripted"})
    script.ask("Three amounts: I add them first.", ("total", {"amounts": [120, 75.5, 0]}), seconds=0.62)
    script.answer("195.5").done()
    first, second = {"part": 120, "whole": 195.5}, {"part": 75.5, "whole": 195.5}
    script.ask("", ("percent", first), ("percent", second), seconds=0.81)
    script.answer("38.6", 1).answer("61.4", 0).done()
    script.ask("", ("divide", {"a": 195.5, "b": 0}), seconds=0.55)
    told = "ZeroDivisionError: float division by zero"
    script.answer(f'{{"error": "Tool execution failed: {told}"}}', error=("exception", told), seconds=0.0019).done()
    text = "The third invoice was paid on day 0, so there is nothing to divide by. I take the two paid days."
    script.ask(text, ("divide", '{"a": 195.5, "b": 2'), seconds=0.93, reasoning=THOUGHT)
    told = "Expecting ',' delimiter: line 1 column 20 (char 19)"
    script.answer('{"error": "bad JSON"}', error=("bad_json", told), seconds=0.0014).done()
    script.ask("", ("divide", {"a": 195.5, "b": 2}), seconds=0.48).answer("97.75").done()
    script.ask(ANSWER, seconds=1.12).done()
    script.end()
    return script
