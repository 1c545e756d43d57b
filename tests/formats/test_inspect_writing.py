"""A log of Inspect that is made of results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hermes_nb import formats
from hermes_nb.exceptions import FormatError
from hermes_nb.formats.base import About, Failure, Note, Source, conversation
from hermes_nb.records import AgentResult, Usage

CALL = {"id": "c1", "type": "function", "function": {"name": "read_file", "arguments": '{"path": "/x"}'}}
MESSAGES = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "What is in /x?"},
    {"role": "assistant", "content": "", "tool_calls": [CALL], "reasoning_content": "look"},
    {"role": "tool", "tool_call_id": "c1", "content": "no such file"},
    {"role": "assistant", "content": "Nothing."},
]
NOTES = {
    2: Note(usage=Usage(prompt=10, completion=5, total=15, cached=4), finish_reason="tool_calls", at=1.0, seconds=0.5),
    3: Note(failure=Failure(error="no such file", kind="exception", exception_type="FileNotFoundError"), at=1.5),
    4: Note(usage=Usage(prompt=20, completion=2, total=22), finish_reason="stop", at=2.0, seconds=0.25),
}


def made(messages: Any = MESSAGES, notes: dict[int, Note] = NOTES, **about: Any) -> AgentResult:
    known = {"model": "m", "started_at": "2026-01-02T03:04:05+00:00", "task": "files", "scores": {"exact": 0.5}}
    return conversation(messages, Source(None, rows=()), "t", None, About(**{**known, **about}), notes=notes)


def written(tmp_path: Path, *results: AgentResult) -> dict[str, Any]:
    formats.write(results, tmp_path / "log.json", "inspect")
    log: dict[str, Any] = json.loads((tmp_path / "log.json").read_text())
    return log


def test_a_result_is_a_sample_with_its_messages_calls_and_thoughts(tmp_path: Path) -> None:
    [sample] = written(tmp_path, made())["samples"]

    assert (sample["id"], sample["epoch"], sample["scores"]) == ("files", 1, {"exact": {"value": 0.5}})
    system, user, asked, answered, said = sample["messages"]
    assert (system["role"], user["content"], said["content"]) == ("system", "What is in /x?", "Nothing.")
    assert asked["content"] == [{"type": "reasoning", "reasoning": "look"}]
    assert asked["tool_calls"] == [
        {"id": "c1", "function": "read_file", "arguments": {"path": "/x"}, "type": "function"}
    ]
    assert (answered["tool_call_id"], answered["function"]) == ("c1", "read_file")
    assert answered["error"] == {"type": "file_not_found", "message": "no such file"}
    assert len({message["id"] for message in sample["messages"]}) == 5


@pytest.mark.parametrize(
    ("kind", "type_"),
    [("timeout", "timeout"), ("bad_json", "parsing"), ("rejected", "approval"), ("cancelled", "cancelled"),
     ("reported", "unknown"), ("exception", "unknown")],
)  # fmt: skip
def test_an_error_has_the_nearest_of_inspects_types(tmp_path: Path, kind: Any, type_: str) -> None:
    [sample] = written(tmp_path, made(notes={3: Note(failure=Failure(error="no", kind=kind))}))["samples"]

    assert sample["messages"][3]["error"] == {"type": type_, "message": "no"}


def test_cached_tokens_are_no_input_tokens_there(tmp_path: Path) -> None:
    log = written(tmp_path, made())
    [model_event, _, _] = log["samples"][0]["events"]

    assert model_event["output"]["usage"] == {
        "input_tokens": 6, "output_tokens": 5, "total_tokens": 15, "input_tokens_cache_read": 4,
    }  # fmt: skip
    assert log["stats"]["model_usage"] == {
        "m": {"input_tokens": 26, "output_tokens": 7, "total_tokens": 37, "input_tokens_cache_read": 4}
    }


def test_every_turn_and_every_answer_is_an_event_at_its_time(tmp_path: Path) -> None:
    [sample] = written(tmp_path, made())["samples"]

    assert [(one["event"], one["timestamp"], one["working_time"]) for one in sample["events"]] == [
        ("model", "2026-01-02T03:04:06+00:00", 0.5),
        ("tool", "2026-01-02T03:04:06.500000+00:00", 0.0),
        ("model", "2026-01-02T03:04:07+00:00", 0.25),
    ]


def test_the_input_of_a_model_event_is_what_was_said_since_the_one_before(tmp_path: Path) -> None:
    [sample] = written(tmp_path, made())["samples"]
    asked, _, said = sample["events"]

    assert asked["input"] == sample["messages"][:2]
    assert asked["output"]["choices"][0]["message"] == sample["messages"][2]
    assert said["input"] == sample["messages"][3:4]


def test_arguments_that_are_no_object_are_a_parse_error_and_a_loss(tmp_path: Path) -> None:
    broken = [*MESSAGES[:2], {**MESSAGES[2], "tool_calls": [{**CALL, "function": {"name": "f", "arguments": "{"}}]}]
    report = formats.write(made(broken, notes={}), tmp_path / "log.json", "inspect")
    [call] = json.loads((tmp_path / "log.json").read_text())["samples"][0]["messages"][2]["tool_calls"]

    assert call["arguments"] == {}
    assert call["parse_error"].endswith(": {")
    assert report.counts() == {"call 0 arguments": 1}


def test_no_two_samples_have_the_same_id_and_epoch(tmp_path: Path) -> None:
    samples = written(tmp_path, made(), made(), made(attempt=1))["samples"]

    assert [(one["id"], one["epoch"]) for one in samples] == [("files", 1), ("files", 2), ("files", 3)]


def test_a_run_that_hit_a_limit_says_which(tmp_path: Path) -> None:
    [sample] = written(tmp_path, made(stop_reason="max_seconds"))["samples"]

    assert sample["limit"]["type"] == "time"
    assert sample["metadata"]["stop_reason"] == "max_seconds"


def test_the_scores_of_a_log_have_their_mean(tmp_path: Path) -> None:
    log = written(tmp_path, made(), made(scores={"exact": 1.0, "note": "good"}))

    assert [(one["name"], one["metrics"].get("mean", {}).get("value")) for one in log["results"]["scores"]] == [
        ("exact", 0.75),
        ("note", None),
    ]


def test_the_same_results_make_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        formats.write([made(), made(started_at="")], tmp_path / name, "inspect")

    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_what_a_log_has_no_place_for_is_reported(tmp_path: Path) -> None:
    tools = [{"type": "function", "function": {"name": "read_file"}}]
    notes = {**NOTES, 2: Note(id="chat-1", finish_reason="tool_calls")}
    report = formats.write(made(tools=tools, notes=notes, sampling={"seed": 1}), tmp_path / "log", "inspect")

    assert [(loss.what, loss.turn) for loss in report.losses] == [
        ("tools", None), ("sampling", None), ("id", 1), ("result 0 error kind", 1),
    ]  # fmt: skip


def test_a_format_that_is_not_written_is_an_error_that_names_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="openai, sharegpt, inspect, rows"):
        formats.write([], tmp_path / "x", "csv")
