"""Plays a recorded conversation again: the recorded answers over a socket, our loop in the place of the client."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from hermes_nb import AgentResult, HermesAgentLoop, OpenAIServer, Toolbox
from hermes_nb.records import ToolCall, Turn
from hermes_nb.servers.scripted import Scripted, ScriptedServer
from tests.real.recordings import Chain, Exchange, Message, calls_of, growth

NOT_RECORDED = "(the recording has no answer to this call)"

NO_LIMIT = 100_000_000

answering: ContextVar[ToolCall] = ContextVar("answering")


@dataclass(eq=False)
class Played:
    """What came of it: the bodies of our requests, and the runs."""

    requests: list[dict[str, Any]]
    results: list[AgentResult]


class Part:
    """The part of the recorded client in one run: what tools answer, and where the run has to be stopped."""

    def __init__(self, chain: Chain, start: int) -> None:
        self.chain = chain
        self.start = start

    def tools(self) -> Toolbox:
        offered = [schema for schema in self.chain[self.start].tools if isinstance(schema.get("function"), dict)]
        return Toolbox.from_schemas(offered, self.answer, max_output=NO_LIMIT)

    def take_note(self, call: ToolCall, context: Any) -> None:
        """The gate: it alone is told which of several calls is meant."""
        answering.set(call)

    async def answer(self, name: str, arguments: dict[str, Any]) -> Any:
        call = answering.get()
        place = self.start + call.turn - 1
        if place + 1 >= len(self.chain):
            return NOT_RECORDED
        return recorded_answer(self.chain[place], self.chain[place + 1], call.index)

    def is_over(self, turn: Turn) -> bool:
        """Whether the client did next what no loop does: it added messages, offered other tools, or ended."""
        place = self.start + turn.number - 1
        if place + 1 >= len(self.chain):
            return True
        before, after = self.chain[place], self.chain[place + 1]
        return bool(growth(before, after).more) or before.tools != after.tools


def recorded_answer(asked: Exchange, later: Exchange, index: int) -> Any:
    """What the recorded client answered to a call of a reply: by the call's id, or its place if ids are of no use."""
    call_id = calls_of(asked.reply)[index].get("id")
    answers = growth(asked, later).answers
    by_id = [answer for answer in answers if call_id and answer.get("tool_call_id") == call_id]
    found = by_id if len(by_id) == 1 else [] if by_id == [] and call_id else answers[index : index + 1]
    return found[0].get("content") if found else NOT_RECORDED


async def play(chain: Chain, **how: Any) -> Played:
    """Play the conversation, each further message of its user by a follow-up run; `how` is for the loop."""
    server = ScriptedServer(list(_script(chain)))
    async with server.serve() as base_url:
        model = OpenAIServer(str(chain[0].request.get("model")), base_url=base_url, api_key="none", max_retries=0)
        try:
            return Played(requests=server.requests, results=[result async for result in runs(chain, model, **how)])
        finally:
            await model.close()


async def runs(chain: Chain, model: OpenAIServer | None, **how: Any) -> AsyncIterator[AgentResult]:
    """The runs that the conversation takes, one after the other."""
    given: list[Message] = chain[0].messages
    after: AgentResult | None = None
    start = 0
    while start < len(chain):
        part = Part(chain, start)
        part_in_it = {"before_call": part.take_note, "stop_when": part.is_over}
        loop = HermesAgentLoop(model, part.tools(), temperature=None, **part_in_it, **how)
        after = await loop.run(given, after=after)
        yield after
        start += after.turns_used
        if start < len(chain):
            given, after = _next(chain, start, after)


def _script(chain: Chain) -> Iterator[Scripted]:
    for one in chain:
        yield Scripted(body=one.body, status=one.status, headers=one.headers)


def _next(chain: Chain, start: int, result: AgentResult) -> tuple[list[Message], AgentResult | None]:
    """What to go on with: the messages that the client added, or the conversation as it is."""
    more = growth(chain[start - 1], chain[start]).more
    return (more, result) if more else (result.messages, None)
