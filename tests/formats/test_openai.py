"""OpenAI's chat format: every shape it comes in, and what a file of it keeps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from hermes_nb import codec, formats
from hermes_nb.exceptions import FormatError
from hermes_nb.formats import openai
from hermes_nb.formats.base import Source
from hermes_nb.records import AgentResult, Usage
from tests.formats import made

TOOLS = [{"type": "function", "function": {"name": "add", "description": "Add.", "parameters": {"type": "object"}}}]
CALL = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a": 2}'}}
MESSAGES = [
    {"role": "user", "content": "2?"},
    {"role": "assistant", "content": "", "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "c1", "content": "2"},
    {"role": "assistant", "content": "Two."},
]
COMPLETION = {
    "id": "chatcmpl-1", "object": "chat.completion", "model": "m-1",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "One."}, "finish_reason": "stop"},
        {"index": 1, "message": {"role": "assistant", "content": "Tw"}, "finish_reason": "length"},
    ],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
}  # fmt: skip


def read_rows(tmp_path: Path, *rows: Any) -> list[AgentResult]:
    """The results of a file of these lines, whose name says nothing."""
    (tmp_path / "data.bin").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return formats.read(tmp_path / "data.bin")


def test_a_row_with_messages_and_tools_is_a_run(tmp_path: Path) -> None:
    [result] = read_rows(tmp_path, {"messages": MESSAGES, "tools": TOOLS, "parallel_tool_calls": False, "split": "x"})

    assert result.messages == MESSAGES
    assert [(call.name, call.parsed) for call in result.calls] == [("add", {"a": 2})]
    assert result.provenance is not None
    assert (list(result.provenance.tools), result.provenance.sampling) == (TOOLS, {"parallel_tool_calls": False})
    assert result.meta == {"format": "OpenAI chat", "file": "data.bin", "place": "document", "split": "x"}


@pytest.mark.parametrize("encode", [lambda row: row["messages"], lambda row: {"messages": json.dumps(row["messages"])}])
def test_messages_may_stand_alone_or_as_json_text(tmp_path: Path, encode: Any) -> None:
    results = read_rows(tmp_path, encode({"messages": MESSAGES}), encode({"messages": MESSAGES[:1]}))

    assert [result.messages for result in results] == [MESSAGES, MESSAGES[:1]]


def test_a_document_that_is_a_list_of_messages_is_one_run(tmp_path: Path) -> None:
    (tmp_path / "x").write_text(json.dumps(MESSAGES, indent=1))

    [result] = formats.read(tmp_path / "x")
    assert result.messages == MESSAGES


def test_a_document_that_is_a_list_of_rows_is_many(tmp_path: Path) -> None:
    (tmp_path / "x").write_text(json.dumps([{"messages": MESSAGES}, {"messages": MESSAGES[:1]}], indent=1))

    assert [len(result.messages) for result in formats.read(tmp_path / "x")] == [4, 1]


def test_the_weight_of_a_message_is_kept(tmp_path: Path) -> None:
    weighed = [MESSAGES[0], {"role": "assistant", "content": "Two.", "weight": 0}]

    assert read_rows(tmp_path, {"messages": weighed})[0].messages == weighed


def test_older_functions_are_tools(tmp_path: Path) -> None:
    [result] = read_rows(tmp_path, {"messages": MESSAGES, "functions": [TOOLS[0]["function"]]})

    assert result.provenance is not None
    assert list(result.provenance.tools) == TOOLS


def test_a_reported_error_is_an_error(tmp_path: Path) -> None:
    failed = [*MESSAGES[:2], {"role": "tool", "tool_call_id": "c1", "content": '{"error": "no such file"}'}]
    [result] = read_rows(tmp_path, {"messages": failed})

    assert [(error.kind, error.fault, error.error) for error in result.tool_errors] == [
        ("reported", "tool", "no such file")
    ]


def test_every_choice_of_an_answer_is_an_attempt(tmp_path: Path) -> None:
    results = read_rows(tmp_path, {"request": {"messages": MESSAGES[:1], "temperature": 0.5}, "response": COMPLETION})

    assert [(one.attempt, one.final_text, one.stop_reason) for one in results] == [
        (0, "One.", "finished"),
        (1, "Tw", "length"),
    ]
    assert results[0].usage == Usage(prompt=3, completion=2, total=5)
    assert results[0].provenance is not None
    assert (results[0].provenance.server, results[0].provenance.sampling) == ({"model": "m-1"}, {"temperature": 0.5})


def test_an_answer_alone_is_a_run_without_a_question(tmp_path: Path) -> None:
    assert [len(result.messages) for result in read_rows(tmp_path, COMPLETION)] == [1, 1]


def test_the_lines_of_a_batch_name_their_tasks_and_a_failed_one_is_a_failed_run(tmp_path: Path) -> None:
    failed = {"status_code": 400, "request_id": "r2", "body": {"error": {"message": "too long", "type": "invalid"}}}
    one, _, bad = read_rows(
        tmp_path,
        {"id": "b1", "custom_id": "q-1", "response": {"status_code": 200, "request_id": "r1", "body": COMPLETION}},
        {"id": "b2", "custom_id": "q-2", "response": failed, "error": None},
    )

    assert (one.task, one.final_text, bad.task, bad.stop_reason) == ("q-1", "One.", "q-2", "server_error")
    assert bad.error is not None
    assert (bad.error.message, bad.error.status, bad.error.request_id) == ("too long", 400, "r2")


def test_a_batch_that_was_not_sent_yet_is_runs_without_turns(tmp_path: Path) -> None:
    body = {"model": "m", "messages": MESSAGES[:1], "tools": TOOLS}
    [result] = read_rows(tmp_path, {"custom_id": "q", "method": "POST", "url": "/v1/chat/completions", "body": body})

    assert (result.task, result.turns, result.stop_reason, len(result.messages)) == ("q", (), "running", 1)


def test_a_row_of_another_shape_is_an_error_that_says_where(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"data\.bin, line 2: neither messages nor"):
        read_rows(tmp_path, {"messages": MESSAGES}, {"text": "x"})


def test_what_is_written_reads_back_and_the_rest_is_reported(tmp_path: Path) -> None:
    [result] = read_rows(tmp_path, {"messages": MESSAGES, "tools": TOOLS, "model": "m-1", "id": 7})

    report = openai.write(result, tmp_path / "out.jsonl")
    [again] = formats.read(tmp_path / "out.jsonl")

    assert (again.messages, again.calls, again.results) == (result.messages, result.calls, result.results)
    assert report.counts() == {"run_id": 1, "task": 1, "meta id": 1, "server": 1}
    assert {loss.run_id for loss in report.losses} == {result.run_id}


@given(made.results())
def test_messages_calls_answers_and_tools_read_back_to_the_letter(result: AgentResult) -> None:
    row = codec.loads(codec.dumps(openai.row_of(result)))
    [again] = openai.read(Source(None, rows=[row]))

    assert again.messages == result.messages
    assert again.calls == result.calls
    assert made.answers_of(again) == made.answers_of(result)
    assert again.reasoning_per_turn == result.reasoning_per_turn
    assert (again.provenance.tools if again.provenance else ()) == (
        result.provenance.tools if result.provenance else ()
    )


def test_a_file_that_cannot_be_made_leaves_the_old_one(tmp_path: Path) -> None:
    (tmp_path / "out.jsonl").write_text("old")

    def broken() -> Any:
        yield AgentResult(messages=[])
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError):
        openai.write(broken(), tmp_path / "out.jsonl")
    assert [path.name for path in tmp_path.iterdir()] == ["out.jsonl"]
    assert (tmp_path / "out.jsonl").read_text() == "old"


def test_a_key_is_not_written(tmp_path: Path) -> None:
    key = "sk-proj-" + "a1B2c3D4" * 6
    report = openai.write(AgentResult(messages=[{"role": "user", "content": f"use {key}"}]), tmp_path / "out.jsonl")

    assert key not in (tmp_path / "out.jsonl").read_text()
    assert "message 0 content" in report.counts()
