"""What was written is what is loaded, and no secret is ever written."""

from __future__ import annotations

from pathlib import Path

import pytest

from hermes_nb import codec, journal
from hermes_nb.events import CallFinished, Delta, Replied, RunFinished, RunStarted, TurnFinished, TurnStarted, fold
from hermes_nb.exceptions import JournalError
from hermes_nb.journal import Journal, journal_path
from hermes_nb.records import Origin, Reply, RunError, ToolCall, ToolError, ToolResult, Usage
from hermes_nb.redact import Redactor

CALL = ToolCall(name="add", arguments='{"a": 1}', id="c1", turn=1, index=0)
REPLY = Reply(
    message={"role": "assistant", "content": ""},
    calls=(CALL,),
    usage=Usage(prompt=3),
    problems=("odd",),
    raw={"choices": [{"message": None}]},
)
ERROR = ToolError(1, "add", '{"a": 1}', "boom", "no", kind="exception", call_id="c1", traceback="Traceback")
FAILED = RunError(type="X", message="boom", cause=ValueError())
RUN = [
    RunStarted(
        run_id="r",
        seq=0,
        messages=({"role": "user", "content": "?"},),
        origin=Origin(kind="follow_up", run_id="q"),
        tools=({"type": "function"},),
        limits={"max_turns": 3},
        versions={"git": None},
    ),
    TurnStarted(run_id="r", seq=1, at=0.5, turn=1, added_messages=({"role": "user", "content": "x"},)),
    Replied(run_id="r", seq=2, at=1.0, turn=1, reply=REPLY),
    CallFinished(
        run_id="r",
        seq=3,
        at=2.0,
        turn=1,
        result=ToolResult(call=CALL, content="no \ud800", value=object(), error=ERROR),
    ),
    TurnFinished(run_id="r", seq=4, at=2.0, turn=1, model_seconds=0.5, tool_seconds=1.0),
    RunFinished(
        run_id="r",
        seq=5,
        at=3.0,
        stop_reason="tool_error",
        error=FAILED,
        seconds=3.0,
        abandoned=("add",),
        managed_state=object(),
    ),
]


def written(path: Path, *, redactor: Redactor | None = None, upto: int = len(RUN)) -> Path:
    kept = Journal(path, redactor)
    for event in RUN[:upto]:
        kept.write(event)
    kept.close()
    return path


def test_a_loaded_run_is_the_run_that_was_written(tmp_path: Path) -> None:
    assert journal.load(written(tmp_path / "run.jsonl")) == fold(RUN)
    assert list(journal.read_events(tmp_path / "run.jsonl")) == RUN


def test_the_file_is_a_header_and_one_json_line_per_event(tmp_path: Path) -> None:
    lines = written(tmp_path / "run.jsonl").read_bytes().splitlines()
    assert codec.loads(lines[0]) == {"hermes_nb_journal": "1.0"}
    assert [codec.loads(line)["t"] for line in lines[1:]] == [type(event).__name__ for event in RUN]


def test_a_run_without_an_end_is_loaded_as_crashed(tmp_path: Path) -> None:
    result = journal.load(written(tmp_path / "run.jsonl", upto=4))
    assert result.stop_reason == "crashed"
    assert [r.call.id for r in result.results] == ["c1"]


def test_deltas_are_not_kept(tmp_path: Path) -> None:
    kept = Journal(tmp_path / "run.jsonl")
    kept.write(Delta(run_id="r", seq=0, text="x"))
    kept.close()
    assert len((tmp_path / "run.jsonl").read_bytes().splitlines()) == 1


def test_a_journal_is_never_written_over(tmp_path: Path) -> None:
    path = written(tmp_path / "run.jsonl")
    before = path.read_bytes()
    with pytest.raises(JournalError, match="name another file"):
        Journal(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "first line"),
        (b"hello\n", "first line"),
        (b'{"role": "user"}\n', "first line"),
        (b'{"hermes_nb_journal": "2.0"}\n', "upgrade"),
        (b'{"hermes_nb_journal": "1.0"}\n', "no run"),
        (b'{"hermes_nb_journal": "1.0"}\n{"t": "Nope"}\n', "line 2"),
        (b'{"hermes_nb_journal": "1.0"}\n{"t": "TurnStarted", "run_id": "r", "seq": 0}\n', "line 2"),
    ],
)
def test_a_file_that_is_no_journal_is_refused_with_its_reason(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(content)
    with pytest.raises(JournalError, match=told):
        journal.load(path)


def test_A27_secrets_never_reach_the_file(tmp_path: Path) -> None:
    secret = "correct-horse-battery-9"
    kept = Journal(tmp_path / "run.jsonl", Redactor({secret}))
    key = "sk-or-v1-" + "0123456789abcdef" * 4
    kept.write(
        RunStarted(
            run_id="r", seq=0, messages=({"role": "user", "content": f"use {secret} and {key}"},), meta={"k": secret}
        )
    )
    kept.close()
    text = (tmp_path / "run.jsonl").read_text()
    assert secret not in text
    assert key not in text
    assert "[redacted:" in journal.load(tmp_path / "run.jsonl").messages[0]["content"]


def test_a_folder_gets_a_file_named_by_run_id(tmp_path: Path) -> None:
    assert journal_path(tmp_path, "run-1") == tmp_path / "run-1.jsonl"
    assert journal_path("runs/", "run-1") == Path("runs/run-1.jsonl")
    assert journal_path(tmp_path / "one.jsonl", "run-1") == tmp_path / "one.jsonl"


def test_A37_a_run_id_cannot_lead_out_of_the_folder(tmp_path: Path) -> None:
    assert journal_path(tmp_path, "../../x/y").parent == tmp_path
