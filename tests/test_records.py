"""Records are frozen, show themselves in one line, and derive what can be derived."""

from __future__ import annotations

import dataclasses
import weakref

import pytest

from hermes_nb import records
from hermes_nb.exceptions import RunFailed
from hermes_nb.records import AgentResult, Reply, RunError, ToolCall, ToolError, ToolResult, Turn, Usage

CALL = ToolCall(name="add", arguments='{"a": 1}', id="call_1", turn=1, index=0)


def result_of(*results: ToolResult, **fields: object) -> AgentResult:
    reply = Reply(message={"role": "assistant", "content": ""}, calls=tuple(r.call for r in results), reasoning="hm")
    return AgentResult(messages=[], turns=(Turn(number=1, reply=reply, results=results),), **fields)


def test_a_result_can_be_made_of_messages_alone() -> None:
    result = AgentResult(messages=[{"role": "user", "content": "hi"}])
    assert (result.turns_used, result.finished_naturally, result.reasoning_per_turn) == (0, False, [])
    assert (result.tool_errors, result.managed_state, result.ok) == ([], None, False)


def test_a_tool_error_takes_the_originals_five_fields_in_their_order() -> None:
    error = ToolError(3, "terminal", '{"command": "ls"}', "no such file", '{"error": "no such file"}')
    assert (error.turn, error.tool_name, error.error) == (3, "terminal", "no such file")
    assert (error.kind, error.fault) == ("exception", "tool")


def test_a_fact_cannot_be_edited_after_the_fact() -> None:
    for record in (CALL, ToolResult(call=CALL, content="3"), Usage(), AgentResult(messages=[])):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(record, dataclasses.fields(record)[0].name, None)


def test_every_record_shows_itself_in_one_line_without_an_address() -> None:
    for record in (
        CALL,
        ToolResult(call=CALL, content="3"),
        ToolError(1, "add", "{}", "boom", "{}"),
        Reply(message={}, text="two\nlines"),
        Turn(number=1),
        result_of(ToolResult(call=CALL, content="3")),
        Usage(prompt=1),
    ):
        assert "\n" not in repr(record)
        assert " at 0x" not in repr(record)


def test_a_call_knows_its_parsed_arguments_and_why_there_are_none() -> None:
    assert CALL.parsed == {"a": 1}
    assert CALL.problem is None
    broken = ToolCall(name="add", arguments='{"a": ')
    assert broken.parsed is None
    assert "char" in (broken.problem or "")


def test_what_a_result_derives_comes_from_its_turns() -> None:
    error = ToolError(1, "add", "{}", "boom", "{}", kind="exception")
    result = result_of(ToolResult(call=CALL, content="{}", error=error), stop_reason="finished")
    assert (result.turns_used, result.calls, result.tool_errors) == (1, [CALL], [error])
    assert result.reasoning_per_turn == ["hm"]
    assert result.results[0].status == "exception"


@pytest.mark.parametrize(
    ("last", "answer"),
    [
        ({"role": "assistant", "content": "five"}, "five"),
        ({"role": "assistant", "content": [{"type": "text", "text": "fi"}, {"type": "text", "text": "ve"}]}, "five"),
        ({"role": "assistant", "content": "thinking", "tool_calls": [{}]}, ""),
        ({"role": "tool", "tool_call_id": "x", "content": "5"}, ""),
        ({"role": "assistant", "content": None}, ""),
    ],
)
def test_the_answer_is_the_last_thing_the_assistant_said_if_it_called_nothing(last: dict, answer: str) -> None:
    assert AgentResult(messages=[{"role": "user", "content": "?"}, last]).final_text == answer


def test_unknown_usage_stays_unknown_and_a_sum_with_gaps_says_so() -> None:
    assert Usage() + Usage() == Usage()
    whole = Usage(prompt=1, completion=2, total=3) + Usage(prompt=10, completion=20, total=30)
    assert (whole.prompt, whole.completion, whole.total, whole.partial, whole.cost) == (11, 22, 33, False, None)
    torn = Usage(prompt=1) + Usage(completion=5)
    assert (torn.prompt, torn.completion, torn.partial) == (1, 5, True)


def test_raise_for_error_raises_only_for_runs_that_did_not_end_as_wanted() -> None:
    AgentResult(messages=[], stop_reason="finished").raise_for_error()
    AgentResult(messages=[], stop_reason="stopped").raise_for_error()
    cause = ZeroDivisionError("by zero")
    failed = AgentResult(messages=[], stop_reason="tool_error", error=RunError(type="X", message="no", cause=cause))
    with pytest.raises(RunFailed, match=r"tool_error.*no") as caught:
        failed.raise_for_error()
    assert caught.value.result is failed
    assert caught.value.__cause__ is cause


def test_a_result_can_be_referred_to_weakly() -> None:
    result = AgentResult(messages=[])
    assert weakref.ref(result)() is result


def test_every_error_kind_and_stop_reason_is_one_of_the_designs() -> None:
    assert set(records.ErrorKind.__args__) == {
        "unknown_tool", "bad_json", "bad_arguments", "exception", "timeout", "cancelled", "reported", "rejected",
    }  # fmt: skip
    assert {"finished", "interrupted", "running", "crashed", "context_overflow"} <= set(records.StopReason.__args__)
