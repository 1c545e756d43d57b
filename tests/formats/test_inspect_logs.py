"""Logs of Inspect, as documents and as archives."""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from hermes_nb import formats
from hermes_nb.exceptions import FormatError
from hermes_nb.formats.base import Bounds
from hermes_nb.records import AgentResult, Usage
from tests.formats import made

if sys.version_info >= (3, 14):
    import zipfile
else:
    from backports.zstd import zipfile

CALL = {"id": "c1", "function": "bash", "arguments": {"cmd": "ls"}, "type": "function"}
USED = {"input_tokens": 6, "output_tokens": 5, "total_tokens": 15, "input_tokens_cache_read": 4}
MESSAGES: list[dict[str, Any]] = [
    {"id": "s", "role": "system", "content": "Be brief."},
    {"id": "u", "role": "user", "content": "What is here?", "source": "input"},
    {"id": "a", "role": "assistant", "content": "", "tool_calls": [CALL], "source": "generate"},
    {"id": "t", "role": "tool", "content": "bin", "tool_call_id": "c1", "function": "bash"},
    {"id": "e", "role": "assistant", "content": "A folder.", "source": "generate"},
]
START = "2026-01-02T03:04:05+00:00"


def model_event(message: dict[str, Any], at: str, **more: Any) -> dict[str, Any]:
    output = {"model": "m-1", "choices": [{"message": message, "stop_reason": "stop"}], "usage": USED}
    bash = {"name": "bash", "description": "Run.", "parameters": {"type": "object", "properties": {}}}
    told = {"event": "model", "model": "m", "timestamp": at, "working_time": 0.5, "retries": 2, "tools": [bash]}
    return {**told, "output": output, **more}


def tool_event(at: str, **more: Any) -> dict[str, Any]:
    told = {"event": "tool", "id": "c1", "function": "bash", "timestamp": at, "completed": "2026-01-02T03:04:08+00:00"}
    return {**told, "working_time": 0.25, **more}


EVENTS = [
    {"event": "sample_init", "timestamp": START},
    model_event(MESSAGES[2], "2026-01-02T03:04:06+00:00"),
    tool_event("2026-01-02T03:04:07+00:00", truncated=[20_000, 3]),
    model_event(MESSAGES[4], "2026-01-02T03:04:08+00:00"),
]


def sample(**more: Any) -> dict[str, Any]:
    return {"id": "files", "epoch": 2, "input": "?", "target": "bin", "messages": MESSAGES, "events": EVENTS, **more}


def log(*samples: dict[str, Any], **more: Any) -> dict[str, Any]:
    made_of = {"task": "ls", "model": "openai/m", "created": START, "packages": {"inspect_ai": "0.3"}, **more}
    return {"version": 2, "status": "success", "eval": made_of, "plan": {}, "samples": list(samples)}


def read(tmp_path: Path, document: Any, **more: Any) -> list[AgentResult]:
    path = tmp_path / "some.bin"
    path.write_text(json.dumps(document), encoding="utf-8")
    return formats.read(path, **more)


def one(tmp_path: Path, **more: Any) -> AgentResult:
    [result] = read(tmp_path, log(sample(**more)))
    return result


def archived(path: Path, members: dict[str, Any], packed: int) -> Path:
    with zipfile.ZipFile(path, "w", packed) as archive:
        for name, content in members.items():
            archive.writestr(name, content if isinstance(content, str) else json.dumps(content))
    return path


def test_a_sample_is_a_result_with_its_calls_answers_and_text(tmp_path: Path) -> None:
    result = one(tmp_path)

    assert [message["role"] for message in result.messages] == ["system", "user", "assistant", "tool", "assistant"]
    assert [(call.name, call.parsed, call.id) for call in result.calls] == [("bash", {"cmd": "ls"}, "c1")]
    assert [(answer.call.id, answer.content, answer.size) for answer in result.results] == [("c1", "bin", 20_000)]
    assert (result.final_text, result.stop_reason, result.task, result.attempt) == ("A folder.", "finished", "files", 1)
    assert result.meta["target"] == "bin"
    assert result.meta["eval"]["task"] == "ls"


def test_times_usage_retries_and_models_come_from_the_events(tmp_path: Path) -> None:
    result = one(tmp_path, total_time=4.0)
    first, last = result.turns

    assert (first.at, first.model_seconds, first.tool_seconds, last.at) == (1.0, 0.5, 0.25, 3.0)
    assert first.reply is not None
    assert first.reply.usage == Usage(prompt=10, completion=5, total=15, cached=4)
    assert (first.reply.retries, first.reply.model, first.reply.finish_reason) == (2, "m-1", "stop")
    assert (result.usage.total, result.seconds) == (30, 4.0)
    assert result.provenance is not None
    assert (result.provenance.server["model"], result.provenance.started_at) == ("openai/m", START)
    assert [tool["function"]["name"] for tool in result.provenance.tools] == ["bash"]
    assert result.provenance.versions == {"inspect_ai": "0.3"}


def test_without_events_the_usage_is_the_samples_own(tmp_path: Path) -> None:
    result = one(tmp_path, events=[], model_usage={"a": USED, "b": {"input_tokens": 1, "total_tokens": 1}})

    assert result.usage == Usage(prompt=11, completion=5, total=16, cached=4, partial=True)
    assert [turn.reply.usage for turn in result.turns if turn.reply] == [Usage(), Usage()]


def test_events_of_the_first_versions_stand_in_a_transcript_and_have_no_ids(tmp_path: Path) -> None:
    nameless = [{key: value for key, value in message.items() if key != "id"} for message in MESSAGES]
    events = [model_event(nameless[4], START), model_event(nameless[2], START)]
    result = one(tmp_path, events=None, transcript={"events": events}, messages=nameless)

    assert [turn.reply.usage.total for turn in result.turns if turn.reply] == [15, 15]


def test_messages_that_samples_share_are_in_each_of_them(tmp_path: Path) -> None:
    results = read(tmp_path, log(sample(epoch=1), sample(epoch=2), sample(id="other")))

    assert [len(result.messages) for result in results] == [5, 5, 5]
    assert [(result.task, result.attempt) for result in results] == [("files", 0), ("files", 1), ("other", 1)]
    assert len({result.run_id for result in results}) == 3


ERRORS = [
    ("parsing", "the arguments are wrong", "bad_arguments", "model"),
    ("parsing", "Tool nope not found", "unknown_tool", "model"),
    ("timeout", "too slow", "timeout", "environment"),
    ("permission", "no", "exception", "environment"),
    ("sandbox_unavailable", "gone", "exception", "environment"),
    ("output_limit", "10 MiB", "reported", "environment"),
    ("approval", "no", "rejected", "run"),
    ("cancelled", "by hand", "cancelled", "run"),
    ("unknown", "hm", "reported", "tool"),
    ("something new", "hm", "reported", "tool"),
]


@pytest.mark.parametrize(("type_", "message", "kind", "fault"), ERRORS)
def test_an_error_of_a_tool_has_the_nearest_kind(
    tmp_path: Path, type_: str, message: str, kind: str, fault: str
) -> None:
    answer = {**MESSAGES[3], "error": {"type": type_, "message": message}}
    [error] = one(tmp_path, messages=[*MESSAGES[:3], answer, MESSAGES[4]]).tool_errors

    assert (error.kind, error.fault, error.error, error.exception_type) == (kind, fault, message, type_)
    assert error.tool_result == "bin"


def test_arguments_that_could_not_be_read_are_bad_json(tmp_path: Path) -> None:
    call = {**CALL, "arguments": {}, "parse_error": "no JSON: {"}
    asked = {**MESSAGES[2], "tool_calls": [call]}
    answer = {**MESSAGES[3], "error": {"type": "parsing", "message": "no JSON: {"}}
    result = one(tmp_path, messages=[*MESSAGES[:2], asked, answer])

    assert [error.kind for error in result.tool_errors] == ["bad_json"]
    assert result.turns[0].reply is not None
    assert "no JSON: {" in result.turns[0].reply.problems


def test_an_error_may_stand_in_the_event_alone(tmp_path: Path) -> None:
    failed = tool_event(START, error={"type": "timeout", "message": "too slow"})

    assert [error.kind for error in one(tmp_path, events=[failed]).tool_errors] == ["timeout"]


def test_long_texts_are_put_back_in_their_places(tmp_path: Path) -> None:
    said = {**MESSAGES[4], "content": "attachment://77"}
    result = one(tmp_path, messages=[*MESSAGES[:4], said], attachments={"77": "long " * 100})

    assert result.final_text == "long " * 100


def test_a_text_that_only_looks_like_an_attachment_stays(tmp_path: Path) -> None:
    said = {**MESSAGES[4], "content": "attachment://88"}

    assert one(tmp_path, messages=[*MESSAGES[:4], said], attachments={"77": "x"}).final_text == "attachment://88"


def test_thoughts_images_and_texts_are_read_from_parts(tmp_path: Path) -> None:
    parts = [
        {"type": "reasoning", "reasoning": "look", "signature": "s1"},
        {"type": "reasoning", "reasoning": "ENCRYPTED", "redacted": True, "summary": "in short"},
        {"type": "text", "text": "A picture."},
    ]
    asked = {"id": "u", "role": "user", "content": [{"type": "image", "image": "data:x", "detail": "auto"}]}
    result = one(tmp_path, messages=[asked, {"id": "e", "role": "assistant", "content": parts}])

    assert result.messages[0]["content"] == [{"type": "image_url", "image_url": {"url": "data:x"}}]
    assert (result.final_text, result.reasoning_per_turn) == ("A picture.", ["look\n\nin short"])
    assert [part["type"] for part in result.messages[1]["reasoning_details"]] == [
        "reasoning.text",
        "reasoning.encrypted",
    ]
    assert "ENCRYPTED" not in (result.reasoning_per_turn[0] or "")


def test_the_reasoning_of_early_logs_is_read(tmp_path: Path) -> None:
    said = {"role": "assistant", "content": "Yes.", "reasoning": "hm"}

    assert one(tmp_path, messages=[MESSAGES[1], said], events=[]).reasoning_per_turn == ["hm"]


def test_an_assistants_message_that_was_given_is_no_turn(tmp_path: Path) -> None:
    example = {"id": "x", "role": "assistant", "content": "An example.", "source": "input"}
    result = one(tmp_path, messages=[MESSAGES[1], example, *MESSAGES[1:]])

    assert (result.turns_used, len(result.messages)) == (2, 6)


@pytest.mark.parametrize(
    ("told", "stop_reason"),
    [
        ({"limit": {"type": "message", "limit": 3}}, "max_turns"),
        ({"limit": {"type": "token", "limit": 3}}, "max_total_tokens"),
        ({"limit": {"type": "time", "limit": 3}}, "max_seconds"),
        ({"limit": {"type": "context", "limit": 3}}, "context_overflow"),
        ({"limit": {"type": "something", "limit": 3}}, "stopped"),
        ({"messages": MESSAGES[:4]}, "stopped"),
        ({"metadata": {"stop_reason": "refusal"}}, "refusal"),
    ],
)
def test_how_a_sample_ended_is_said(tmp_path: Path, told: dict[str, Any], stop_reason: str) -> None:
    assert one(tmp_path, **told).stop_reason == stop_reason


def test_a_sample_that_failed_says_how(tmp_path: Path) -> None:
    error = {"message": "ValueError('no such model')", "traceback": "Traceback ...\nValueError: no such model\n"}
    result = one(tmp_path, error=error)

    assert (result.stop_reason, result.error and result.error.type) == ("crashed", "ValueError")
    assert result.error is not None
    assert "no such model" in result.error.message


def test_a_sample_that_failed_early_has_the_messages_of_its_last_request(tmp_path: Path) -> None:
    event = {**model_event({}, START), "input": [], "input_refs": [[0, 2]], "error": "500", "output": {"choices": []}}
    result = one(tmp_path, messages=[], message_pool=MESSAGES, events=[event], error={"message": "E: no"})

    assert [message["role"] for message in result.messages] == ["system", "user"]


def test_scores_are_kept_as_they_are_with_what_was_said_of_them(tmp_path: Path) -> None:
    scores = {
        "includes": {"value": "C", "explanation": "it is there"},
        "share": {"value": 0.5},
        "both": {"value": {"a": 1}},
    }
    result = one(tmp_path, scores=scores)

    assert result.scores == {"includes": "C", "share": 0.5, "both": {"a": 1}}
    assert result.meta["scored"] == {"includes": {"explanation": "it is there"}}


def test_the_one_score_of_early_logs_has_its_scorers_name(tmp_path: Path) -> None:
    old = {**log(sample(score={"value": 1})), "results": {"scorer": {"name": "match"}}}

    assert read(tmp_path, old)[0].scores == {"match": 1}


@pytest.mark.parametrize("packed", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_ZSTANDARD])
def test_an_archive_is_read_however_it_is_packed(tmp_path: Path, packed: int) -> None:
    header = {key: value for key, value in log().items() if key != "samples"}
    members = {"_journal/start.json": header, "samples/files_epoch_2.json": sample(), "header.json": header}
    [result] = formats.read(archived(tmp_path / "log.txt", members, packed))

    assert (result.final_text, result.meta["place"]) == ("A folder.", "samples/files_epoch_2.json")


def test_an_archive_of_an_evaluation_that_was_killed_has_what_was_there(tmp_path: Path) -> None:
    members = {"_journal/start.json": {"version": 2, "eval": {"task": "ls"}}, "samples/1_epoch_1.json": sample()}

    assert len(formats.read(archived(tmp_path / "a.eval", members, zipfile.ZIP_DEFLATED))) == 1


def test_a_log_without_samples_is_no_result(tmp_path: Path) -> None:
    assert read(tmp_path, {**log(), "samples": None, "status": "error"}) == []


def test_a_broken_member_is_named(tmp_path: Path) -> None:
    members = {"header.json": log(), "samples/1_epoch_1.json": '{"id": '}

    with pytest.raises(FormatError, match=r"a\.eval, samples/1_epoch_1\.json: no JSON"):
        formats.read(archived(tmp_path / "a.eval", members, zipfile.ZIP_DEFLATED))


def test_an_archive_that_was_cut_is_an_error_that_names_it(tmp_path: Path) -> None:
    path = archived(tmp_path / "a.eval", {"header.json": log(), "samples/1.json": sample()}, zipfile.ZIP_DEFLATED)
    path.write_bytes(path.read_bytes()[:-40])

    with pytest.raises(FormatError, match=r"a\.eval"):
        formats.read(path)


def test_A32_an_archive_that_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    members = {"header.json": log(), "samples/1.json": json.dumps({"messages": "x" * 2**20})}
    path = archived(tmp_path / "a.eval", members, zipfile.ZIP_ZSTANDARD)

    with pytest.raises(FormatError, match="Bounds"):
        formats.read(path, bounds=Bounds(document=1000))


def test_A31_a_sample_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="sample 1"):
        read(tmp_path, {**log(), "samples": ["!"]})


junk = made.json_values


@given(value=junk)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
def test_whatever_a_field_holds_gives_a_result_or_an_error_of_ours(tmp_path: Path, value: Any) -> None:
    for name in ("messages", "events", "scores", "error", "limit", "attachments", "metadata", "model_usage", "epoch"):
        with contextlib.suppress(FormatError):
            read(tmp_path, log(sample(**{name: value})))


@given(result=made.results())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_what_we_write_as_a_log_reads_back(tmp_path: Path, result: AgentResult) -> None:
    formats.write([result], tmp_path / "log.json", "inspect")
    [back] = formats.read(tmp_path / "log.json")

    assert [message["role"] for message in back.messages] == [message["role"] for message in result.messages]
    assert [message.get("content") for message in back.messages] == [
        message.get("content") for message in result.messages
    ]
    assert [call.name for call in back.calls] == [call.name for call in result.calls]
    assert [call.parsed for call in back.calls if isinstance(call.parsed, dict) and call.parsed] == [
        call.parsed for call in result.calls if isinstance(call.parsed, dict) and call.parsed
    ]
    assert made.answers_of(back) == made.answers_of(result)
    assert [error.error for error in back.tool_errors] == [error.error for error in result.tool_errors]
    assert back.reasoning_per_turn == result.reasoning_per_turn
    assert (back.scores, back.stop_reason, back.attempt) == (result.scores, result.stop_reason, result.attempt)
    for turn, again in zip(result.turns, back.turns, strict=True):
        assert (turn.reply and turn.reply.usage.prompt) == (again.reply and again.reply.usage.prompt)
