"""Chat messages become a result whose parts agree, and nothing in them is repaired."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hermes_nb.exceptions import FormatError
from hermes_nb.formats.base import About, Bounds, Failure, Note, Source, conversation
from hermes_nb.records import AgentResult, Usage

USER = {"role": "user", "content": "What is 2 + 3?"}


def asks(*calls: tuple[str | None, str, str], text: str = "") -> dict[str, Any]:
    """An assistant's message with calls of (id, name, arguments)."""
    entries = [
        {**({"id": id_} if id_ else {}), "type": "function", "function": {"name": name, "arguments": arguments}}
        for id_, name, arguments in calls
    ]
    return {"role": "assistant", "content": text, "tool_calls": entries}


def answer(id_: str | None, content: Any, **extra: Any) -> dict[str, Any]:
    return {"role": "tool", "content": content, **({"tool_call_id": id_} if id_ else {}), **extra}


def said(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


def made(*messages: dict[str, Any], notes: dict[int, Note] | None = None, **about: Any) -> AgentResult:
    return conversation(messages, Source(None, rows=[]), "test", None, About(**about), notes=notes)


def test_a_conversation_has_turns_calls_answers_and_a_final_text() -> None:
    result = made(USER, asks(("c1", "add", '{"a": 2, "b": 3}')), answer("c1", "5"), said("It is 5."))

    assert (result.stop_reason, result.final_text, result.turns_used) == ("finished", "It is 5.", 2)
    assert [(call.name, call.parsed, call.id, call.turn, call.index) for call in result.calls] == [
        ("add", {"a": 2, "b": 3}, "c1", 1, 0)
    ]
    assert [(one.call, one.content) for one in result.results] == [(result.calls[0], "5")]
    assert [message["role"] for message in result.messages] == ["user", "assistant", "tool", "assistant"]
    assert result.turns[1].reply is not None
    assert result.turns[1].reply.message is result.messages[3]


def test_what_others_say_between_turns_is_added_to_the_turn_after_it() -> None:
    later = {"role": "user", "content": "And doubled?"}
    result = made({"role": "system", "content": "Be brief."}, USER, said("5"), later, said("10"))

    assert [turn.added_messages for turn in result.turns] == [(), (later,)]


def test_a_call_that_nobody_answered_stays_so() -> None:
    result = made(USER, asks(("c1", "add", "{}"), ("c2", "add", "{}")), answer("c2", "5"))

    assert [call.id for call in result.calls] == ["c1", "c2"]
    assert [one.call.id for one in result.results] == ["c2"]
    assert result.stop_reason == "running"


def test_an_answer_to_no_call_is_kept_where_it_stands() -> None:
    result = made(USER, asks(("c1", "add", "{}")), answer("other", "7", name="mul"), said("So."))

    assert [(one.call.id, one.call.name, one.call.index) for one in result.results] == [("other", "mul", 1)]
    assert [call.id for call in result.calls] == ["c1"]
    assert result.messages[2] == answer("other", "7", name="mul")


def test_an_answer_before_any_turn_is_a_result_of_turn_0() -> None:
    result = made(answer("c9", "no", name="bash"), notes={0: Note(failure=Failure(error="no", kind="timeout"))})

    assert [(turn.number, turn.reply) for turn in result.turns] == [(0, None)]
    assert [(error.kind, error.fault, error.tool_name) for error in result.tool_errors] == [
        ("timeout", "environment", "bash")
    ]


def test_a_second_answer_to_a_call_is_a_message_and_no_result() -> None:
    again = answer("c1", "6")
    result = made(USER, asks(("c1", "add", "{}")), answer("c1", "5"), again, said("5 or 6"))

    assert [one.content for one in result.results] == ["5"]
    assert result.turns[1].added_messages == (again,)


def test_an_id_used_twice_gets_a_new_one_and_its_answer_follows_it() -> None:
    result = made(USER, asks(("c", "add", "{}")), answer("c", "1"), asks(("c", "add", "{}")), answer("c", "2"))
    first, second = result.calls

    assert first.id == "c"
    assert (second.id != "c", second.sent_id) == (True, "c")
    assert result.messages[4]["tool_call_id"] == second.id == result.messages[3]["tool_calls"][0]["id"]
    assert [one.content for one in result.results] == ["1", "2"]


def test_equal_ids_in_one_turn_are_answered_in_call_order() -> None:
    result = made(USER, asks(("c", "add", "{}"), ("c", "mul", "{}")), answer("c", "1"), answer("c", "2"))

    assert [(one.call.name, one.content) for one in result.results] == [("add", "1"), ("mul", "2")]


def test_an_answer_without_an_id_goes_to_the_open_call_of_its_name() -> None:
    result = made(
        USER, asks((None, "add", "{}"), (None, "mul", "{}")), answer(None, "6", name="mul"), answer(None, "5")
    )

    assert [(one.call.name, one.content) for one in result.results] == [("add", "5"), ("mul", "6")]
    assert len({call.id for call in result.calls}) == 2


def test_a_new_id_is_none_that_the_file_has() -> None:
    result = made(
        USER, asks((None, "add", "{}")), answer(None, "1"), asks(("call_0", "add", "{}")), answer("call_0", "2")
    )

    assert result.calls[0].id != "call_0"
    assert (result.calls[1].id, result.calls[1].sent_id) == ("call_0", None)


def test_the_older_function_call_and_its_answer_are_a_call_and_a_result() -> None:
    called = {"role": "assistant", "content": None, "function_call": {"name": "add", "arguments": '{"a": 1}'}}
    result = made(USER, called, {"role": "function", "name": "add", "content": "1"}, said("1"))

    assert [(one.call.name, one.call.parsed, one.content) for one in result.results] == [("add", {"a": 1}, "1")]
    assert result.messages[2] == {"role": "tool", "name": "add", "content": "1", "tool_call_id": result.calls[0].id}


def test_a_message_that_was_given_is_no_turn() -> None:
    result = made(said("Hi! How can I help?"), USER, said("5"), notes={0: Note(given=True)})

    assert [turn.reply.text for turn in result.turns if turn.reply] == ["5"]
    assert len(result.messages) == 3


def test_what_else_is_known_of_a_message_is_in_the_records() -> None:
    notes = {
        1: Note(usage=Usage(prompt=10, completion=2), model="m", finish_reason="tool_calls", at=1.0, seconds=0.5),
        2: Note(failure=Failure(error="boom", kind="exception", exception_type="ValueError"), at=1.5, seconds=2.0),
        3: Note(usage=Usage(prompt=20, completion=4), finish_reason="length", at=4.0, seconds=1.0),
    }
    result = made(USER, asks(("c1", "add", "{}")), answer("c1", "boom"), said("cut"), notes=notes)

    assert (result.usage, result.stop_reason, result.seconds) == (Usage(prompt=30, completion=6), "length", 5.0)
    assert (result.turns[0].model_seconds, result.turns[0].tool_seconds, result.turns[0].seconds) == (0.5, 2.0, 2.5)
    [error] = result.tool_errors
    assert (error.error, error.kind, error.fault, error.exception_type) == ("boom", "exception", "tool", "ValueError")
    assert (error.turn, error.call_index, error.call_id, error.tool_result) == (1, 0, "c1", "boom")
    assert result.provenance is not None
    assert result.provenance.server == {"model": "m"}


def test_a_field_that_only_the_file_knows_stays_on_its_message() -> None:
    result = made(USER, {"role": "assistant", "content": "5", "weight": 0, "reasoning_content": "2 + 3"})

    assert result.messages[1] == {"role": "assistant", "content": "5", "weight": 0, "reasoning_content": "2 + 3"}
    assert result.reasoning_per_turn == ["2 + 3"]


def test_the_same_conversation_has_the_same_id_and_another_has_another() -> None:
    assert made(USER, said("5")).run_id == made(USER, said("5")).run_id
    assert made(USER, said("5")).run_id != made(USER, said("6")).run_id
    assert made(USER, said("5"), attempt=0).run_id != made(USER, said("5"), attempt=1).run_id


def test_a_message_without_a_role_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"run\.json, line 3: message 1 is no object with a role"):
        conversation([USER, {"content": "x"}], Source(tmp_path / "run.json"), "test", "line 3")


def test_bounds_are_named_where_they_are_met(tmp_path: Path) -> None:
    (tmp_path / "long.json").write_text('{"messages": "' + "x" * 100 + '"}')

    with pytest.raises(FormatError, match=r"Bounds\(document"):
        Source(tmp_path / "long.json", Bounds(document=50, line=50)).document()
