"""Every conversation of other people's transcripts in every form: complete, in order, within bounds."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from hermes_nb import views
from hermes_nb.messages import text_of
from hermes_nb.records import AgentResult, Reply, ToolCall, ToolError, ToolResult, Turn
from hermes_nb.views.rows import ledger
from tests.real import readers
from tests.real.conftest import ABSENT, REAL
from tests.views.test_html import checked
from tests.views.test_markdown import rendered

AIRLINE = REAL / "transcripts" / "tau_bench_airline_gpt-4o.json"


def conversations(found: Any) -> Iterator[list[dict[str, Any]]]:
    """The lists of chat messages in a document, wherever they are."""
    if isinstance(found, list) and found and all(isinstance(one, dict) and "role" in one for one in found):
        yield [one for one in found if isinstance(one.get("content"), str | list | None)]
        return
    inner = found.values() if isinstance(found, dict) else found if isinstance(found, list) else ()
    for one in inner:
        yield from conversations(one)


def result_of(messages: list[dict[str, Any]]) -> AgentResult:
    """A conversation as the run it was: a turn for each reply, the tools' answers in it."""
    opening, turns = list[dict[str, Any]](), list[Turn]()
    pending: list[dict[str, Any]] = opening
    for message in messages:
        if message["role"] == "assistant":
            added = () if pending is opening else tuple(pending)
            turns.append(Turn(number=len(turns) + 1, reply=reply_of(message, len(turns) + 1), added_messages=added))
            pending = []
        elif message["role"] == "tool" and turns and not pending and room(turns[-1]):
            turns[-1] = answered(turns[-1], text_of(message.get("content")))
        else:
            pending.append(message)
    said = messages if turns and not pending else messages[: len(messages) - len(pending)] if turns else messages
    return AgentResult(messages=said, turns=tuple(turns), stop_reason="finished")


def reply_of(message: dict[str, Any], number: int) -> Reply:
    given = message.get("tool_calls") or []
    calls = tuple(
        ToolCall(name=call.name, arguments=call.arguments, turn=number, index=index)
        for index, call in enumerate(readers._calls_in([{"tool_calls": given}]))
    )
    return Reply(message=message, text=text_of(message.get("content")), calls=calls)


def room(turn: Turn) -> bool:
    return turn.reply is not None and len(turn.results) < len(turn.reply.calls)


def answered(turn: Turn, content: str) -> Turn:
    assert turn.reply is not None
    call = turn.reply.calls[len(turn.results)]
    failed = content.startswith("Error")
    error = ToolError(turn.number, call.name, call.arguments, content, content, kind="reported") if failed else None
    result = ToolResult(call=call, content=content, error=error)
    return Turn(
        number=turn.number,
        reply=turn.reply,
        results=(*turn.results, result),
        added_messages=turn.added_messages,
    )


def all_of(transcript: Path) -> list[AgentResult]:
    found = (messages for document in readers.documents(transcript) for messages in conversations(document))
    return [result_of(messages) for messages in found if messages]


def test_every_conversation_is_shown_in_order_and_within_bounds(transcript: Path) -> None:
    for result in all_of(transcript):
        rows = ledger(result).rows
        numbers = [row.number for row in rows if row.who != "cut"]
        assert numbers == sorted(numbers)
        assert sum(row.failed for row in rows) == len(result.tool_errors)
        text, fragment, markdown = views.text(result), views.html(result), views.markdown(result)
        page = checked(fragment)
        assert (len(fragment.encode()) <= 200_000, len(markdown) <= 65_536, len(text) <= 100_000) == (True,) * 3
        assert max(map(len, text.split("\n"))) <= 80
        shown = " ".join(page.text.split()), " ".join(rendered(markdown).text.split())
        for row in rows:
            if row.name and row.gist:
                told = " ".join(f"{row.name} {row.gist}".split())
                assert told in shown[0]


def test_the_runs_of_a_file_are_shown_together(transcript: Path) -> None:
    results = all_of(transcript)
    for view in (views.runs(results), views.errors(results)):
        assert len(views.html(view).encode()) <= 200_000
        checked(views.html(view))
        rendered(views.markdown(view))
    for one, other in pairwise(results[:5]):
        checked(views.html(views.compare(one, other)))


@pytest.mark.skipif(not AIRLINE.exists(), reason=ABSENT)
def test_the_errors_of_airline_are_counted_as_they_were_recorded() -> None:
    results = all_of(AIRLINE)
    shown = views.errors(results).record

    assert shown.title == "✗ 26 errors"  # type: ignore[union-attr]
    assert [(group.count, group.runs) for group in shown.groups][:4] == [(9, 5), (7, 6), (4, 2), (3, 1)]  # type: ignore[union-attr]
    assert [group.next for group in shown.groups][:2] == [  # type: ignore[union-attr]
        "8 called think, 1 run ended",
        "6 told the user, 1 tried again",
    ]
