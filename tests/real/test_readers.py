"""The readers of transcripts, and the judge that knows nothing of the library."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.real.judge import verdict
from tests.real.readers import RecordedCall, Transcript, read

PARAMETERS = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
ADD = {"name": "add", "parameters": PARAMETERS}
WRAPPED = {"type": "function", "function": ADD}
CALLED = RecordedCall("add", '{"a": 2}', "c1")


def from_file(folder: Path, content: Any) -> list[Transcript]:
    path = folder / "transcript"
    path.write_text(json.dumps(content), encoding="utf-8")
    return read(path)


def test_openai_calls_have_no_schema_where_the_file_has_none(tmp_path: Path) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a": 2}'}}
    history = {"history": [{"role": "user", "content": "Hi"}, {"role": "assistant", "tool_calls": [call]}]}
    assert from_file(tmp_path, history) == [Transcript("swe-agent", (CALLED,))]


def test_a_call_that_a_log_repeats_at_every_event_is_one_call(tmp_path: Path) -> None:
    message = {"role": "assistant", "tool_calls": [{"id": "c1", "function": "add", "arguments": {"a": 2}}]}
    event = {"event": "model", "tools": [ADD], "output": {"choices": [{"message": message}]}}
    sample = {"messages": [message], "events": [event, event]}
    assert from_file(tmp_path, {"samples": [sample]}) == [Transcript("inspect", (CALLED,), (ADD,))]


def test_an_archive_of_samples_is_read(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "log", "w") as archive:
        archive.writestr("header.json", "{}")
        archive.writestr("samples/1.json", json.dumps({"messages": [{"role": "user", "content": "Hi"}]}))
    assert read(tmp_path / "log") == [Transcript("inspect", ())]


def test_a_tree_of_attempts_gives_the_calls_of_all_branches(tmp_path: Path) -> None:
    inputs = [{"node_type": "Action Input", "description": text, "children": []} for text in ('{"a": 1}', '{"a": 2}')]
    actions = [{"node_type": "Action", "description": "add", "children": [one]} for one in inputs]
    root = {"node_type": "Action Input", "description": "", "children": actions}
    document = {"tree": {"tree": root}, "answer_generation": {"function": [ADD]}}
    calls = (RecordedCall("add", '{"a": 1}'), RecordedCall("add", '{"a": 2}'))
    assert from_file(tmp_path, document) == [Transcript("toolbench", calls, (ADD,))]


def test_a_file_that_no_reader_knows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no reader knows"):
        from_file(tmp_path, {"something": "else"})


@pytest.mark.parametrize(
    ("name", "arguments", "kind"),
    [
        ("add", '{"a": 2}', None),
        ("add", '"{\\"a\\": 2}"', None),
        ("sub", '{"a": 2}', "unknown_tool"),
        ("add", '{"a": 2', "bad_json"),
        ("add", '{"a": NaN}', "bad_json"),
        ("add", '{"a": "two"}', "bad_arguments"),
        ("add", "", "bad_arguments"),
        ("add", "[2]", "bad_arguments"),
    ],
)
def test_the_judge_names_what_is_wrong_with_a_call(name: str, arguments: str, kind: str | None) -> None:
    assert verdict(name, arguments, [ADD]) == verdict(name, arguments, [WRAPPED]) == kind
