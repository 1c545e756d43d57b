"""`loop.resume` goes on with a run that did not come to its end."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import hermes_nb as hn
from hermes_nb.records import Origin
from hermes_nb.servers.scripted import call

pytestmark = pytest.mark.usefixtures("nothing_is_left")


def add(a: int, b: int) -> int:
    """Add two whole numbers."""
    return a + b


async def interrupted(**more: Any) -> hn.AgentResult:
    """A run that was stopped in the second of its calls."""
    entered = asyncio.Event()

    async def hang() -> str:
        """Hang."""
        entered.set()
        await asyncio.Event().wait()
        return ""

    server = hn.ScriptedServer([[call("add", a=2, b=3), call("hang")]])
    run = hn.HermesAgentLoop(server, tools=[add, hang]).start("What is 2 + 3?", **more)
    await entered.wait()
    run.stop()
    return await run


async def test_an_interrupted_run_goes_on_as_a_new_one_with_an_origin() -> None:
    first = await interrupted(task="sums/1", attempt=2, meta={"split": "dev"})
    server = hn.ScriptedServer(["It is 5."], strict=True)
    second = await hn.HermesAgentLoop(server, tools=[add]).resume(first)
    assert (second.stop_reason, second.final_text, second.turns_used) == ("finished", "It is 5.", 1)
    assert second.origin == Origin(kind="resume", run_id=first.run_id, turn=1)
    assert second.run_id != first.run_id
    assert (second.task, second.attempt, second.meta) == ("sums/1", 2, {"split": "dev"})
    assert server.requests[0]["messages"] == first.messages


async def test_F46_a_journal_cut_off_in_the_middle_of_a_turn_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    await interrupted(journal=path)
    lines = path.read_bytes().splitlines(keepends=True)
    finished = [place for place, line in enumerate(lines) if b'"CallFinished"' in line]
    path.write_bytes(b"".join(lines[: finished[0]]))
    assert hn.journal.load(path).stop_reason == "crashed"
    server = hn.ScriptedServer(["It is 5."], strict=True)
    second = await hn.HermesAgentLoop(server, tools=[add]).resume(path)
    assert second.final_text == "It is 5."
    assert second.origin is not None
    assert "call_" in (second.origin.edit or "")


async def test_F46_a_run_goes_on_from_every_event_at_which_it_may_have_been_killed(tmp_path: Path) -> None:
    script = [[call("add", a=1, b=2), call("nothing"), call("add", a=3, b=4)], [call("add", a=3, b=7)], "It is 10."]
    path = tmp_path / "whole.jsonl"
    await hn.HermesAgentLoop(hn.ScriptedServer(script), tools=[add], journal=path).run("?")
    lines = path.read_bytes().splitlines(keepends=True)
    for place in range(2, len(lines)):
        cut = tmp_path / f"{place}.jsonl"
        cut.write_bytes(b"".join(lines[:place]))
        left = hn.journal.load(cut)
        assert (left.stop_reason, left.run_id is not None) == ("crashed", True)
        server = hn.ScriptedServer(["Well."], strict=True)
        answered = left.messages[-1]["role"] == "assistant" and not left.messages[-1].get("tool_calls")
        result = await hn.HermesAgentLoop(server, tools=[add]).resume(cut, "And?" if answered else None)
        assert (result.stop_reason, len(server.requests)) == ("finished", 1)


async def test_a_journal_that_is_gone_on_with_in_itself_can_be_gone_on_with_again(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    first = await interrupted(journal=path)
    for turn in ("", "And now?"):
        loop = hn.HermesAgentLoop(hn.ScriptedServer(["Well."], strict=True), journal=path)
        second = await loop.resume(path, *([turn] if turn else []))
    assert [message["role"] for message in second.messages][-3:] == ["assistant", "user", "assistant"]
    assert second.messages[: len(first.messages)] == first.messages


async def test_what_comes_next_can_be_said() -> None:
    first = await hn.HermesAgentLoop(hn.ScriptedServer(["Yes."])).run("?")
    server = hn.ScriptedServer(["No."], strict=True)
    second = await hn.HermesAgentLoop(server).resume(first, "Are you sure?")
    assert [message["content"] for message in second.messages] == ["?", "Yes.", "Are you sure?", "No."]


async def test_a_run_with_an_answer_has_nothing_to_resume() -> None:
    first = await hn.HermesAgentLoop(hn.ScriptedServer(["Yes."])).run("?")
    with pytest.raises(hn.HermesError, match="say what comes next"):
        await hn.HermesAgentLoop(hn.ScriptedServer(["No."])).resume(first)


async def test_a_run_that_goes_on_is_not_resumed() -> None:
    run = hn.HermesAgentLoop(hn.ScriptedServer(["Yes."])).start("?")
    await asyncio.sleep(0)
    with pytest.raises(hn.HermesError, match="still goes on"):
        await hn.HermesAgentLoop(hn.ScriptedServer(["No."])).resume(run.result)
    await run


async def test_a_journal_that_was_redacted_says_so(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    loop = hn.HermesAgentLoop(hn.ScriptedServer([[call("add", a=1, b=1)]]), tools=[add], max_turns=1, journal=path)
    await loop.run("My key is sk-proj-abcdefghijklmnopqrstuvwxyz0123456789ABCD, keep it.")
    with pytest.warns(UserWarning, match="redacted"):
        second = await hn.HermesAgentLoop(hn.ScriptedServer(["Yes."], strict=True)).resume(path)
    assert second.final_text == "Yes."


async def test_limits_start_afresh() -> None:
    loop = hn.HermesAgentLoop(
        hn.ScriptedServer(lambda messages: [call("add", a=len(messages), b=1)]), tools=[add], max_turns=2
    )
    first = await loop.run("?")
    second = await loop.resume(first)
    assert (first.stop_reason, second.stop_reason, second.turns_used) == ("max_turns", "max_turns", 2)
