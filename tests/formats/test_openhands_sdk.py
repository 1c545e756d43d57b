"""Events of OpenHands' newer SDK."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hermes_nb import formats
from hermes_nb.records import AgentResult, Usage


def at(second: float) -> str:
    return f"2026-01-30T16:32:{second:09.6f}"


SYSTEM = {"kind": "SystemPromptEvent", "source": "agent", "timestamp": at(0),
          "system_prompt": {"type": "text", "text": "Be."},
          "tools": [{"kind": "TerminalTool", "name": "terminal", "description": "Runs."}]}  # fmt: skip
ASKS = {"kind": "MessageEvent", "source": "user", "timestamp": at(0),
        "llm_message": {"role": "user", "content": [{"type": "text", "text": "Mend it."}]}}  # fmt: skip


def acts(id_: str, name: str = "terminal", response: str = "r1", second: float = 3) -> dict[str, Any]:
    return {"kind": "ActionEvent", "id": f"e-{id_}", "source": "agent", "timestamp": at(second), "tool_name": name,
            "tool_call_id": id_, "llm_response_id": response, "thought": [{"type": "text", "text": "Look."}],
            "reasoning_content": "Hm.", "action": {"kind": "TerminalAction", "command": "ls"},
            "tool_call": {"id": id_, "name": name, "arguments": '{"command": "ls"}'}}  # fmt: skip


def sees(id_: str, second: float = 4, **known: Any) -> dict[str, Any]:
    observation = {"kind": "TerminalObservation", "content": [{"type": "text", "text": "a.py"}], "is_error": False,
                   "exit_code": 0, **known}  # fmt: skip
    return {"kind": "ObservationEvent", "source": "environment", "timestamp": at(second), "tool_call_id": id_,
            "observation": observation}  # fmt: skip


def read(tmp_path: Path, *events: Any, **known: Any) -> AgentResult:
    row = {"instance_id": "dj-1", "attempt": 1, "test_result": {"git_patch": "x"}, "history": list(events), **known}
    (tmp_path / "x").write_text(json.dumps(row) + "\n")
    [result] = formats.read(tmp_path / "x")
    return result


def test_events_are_messages_calls_and_answers(tmp_path: Path) -> None:
    result = read(tmp_path, SYSTEM, ASKS, acts("c1"), sees("c1", exit_code=2), metadata={"llm": {"model": "m-1"}})

    assert [message["role"] for message in result.messages] == ["system", "user", "assistant", "tool"]
    assert [(one.call.name, one.call.parsed, one.content, one.exit_code, one.error) for one in result.results] == [
        ("terminal", {"command": "ls"}, "a.py", 2, None)
    ]
    assert (result.messages[1]["content"], result.reasoning_per_turn) == ("Mend it.", ["Hm."])
    assert (result.task, result.attempt, result.meta["format"]) == ("dj-1", 1, "OpenHands")
    assert result.provenance is not None
    assert result.provenance.server == {"model": "m-1"}
    assert [tool["function"]["name"] for tool in result.provenance.tools] == ["terminal"]


def test_calls_of_one_reply_are_one_turn(tmp_path: Path) -> None:
    result = read(tmp_path, ASKS, acts("c1"), acts("c2"), sees("c2"), sees("c1"), acts("c3", response="r2"))

    assert [[call.id for call in turn.reply.calls] for turn in result.turns if turn.reply] == [["c1", "c2"], ["c3"]]


def test_usage_and_latency_are_those_of_the_reply_in_the_metrics(tmp_path: Path) -> None:
    usage = {"response_id": "r1", "prompt_tokens": 20, "completion_tokens": 5, "cache_read_tokens": 10,
             "reasoning_tokens": 2}  # fmt: skip
    metrics = {"token_usages": [usage], "response_latencies": [{"response_id": "r1", "latency": 2.0}]}
    result = read(tmp_path, ASKS, acts("c1", second=3), sees("c1", second=4.5), metrics=metrics)

    [turn] = result.turns
    assert (turn.at, turn.model_seconds, turn.tool_seconds) == (1.0, 2.0, 1.5)
    assert result.usage == Usage(prompt=20, completion=5, total=25, cached=10, reasoning=2)


@pytest.mark.parametrize(
    ("event", "kind", "error"),
    [
        (sees("c1", is_error=True), "reported", "a.py"),
        ({"kind": "AgentErrorEvent", "tool_call_id": "c1", "error": "Tool 'x' not found."}, "unknown_tool",
         "Tool 'x' not found."),
        ({"kind": "AgentErrorEvent", "tool_call_id": "c1", "error": "Error validating args {}"}, "bad_arguments",
         "Error validating args {}"),
        ({"kind": "UserRejectObservation", "tool_call_id": "c1", "rejection_reason": "no"}, "rejected", "no"),
    ],
)  # fmt: skip
def test_errors_are_those_that_the_events_name(tmp_path: Path, event: Any, kind: str, error: str) -> None:
    assert [(one.kind, one.error) for one in read(tmp_path, ASKS, acts("c1"), event).tool_errors] == [(kind, error)]


@pytest.mark.parametrize(
    ("events", "stop"),
    [
        ([acts("c1", "finish")], "finished"),
        ([acts("c1", "finish"), ASKS], "running"),
        ([{"kind": "ConversationStateUpdateEvent", "key": "execution_status", "value": "stuck"}], "repeating"),
        ([{"kind": "ConversationErrorEvent", "code": "X", "detail": "no key"}], "crashed"),
    ],
)
def test_the_last_word_is_how_it_ended(tmp_path: Path, events: list[Any], stop: str) -> None:
    assert read(tmp_path, ASKS, *events).stop_reason == stop


def test_images_stay_parts_and_other_events_are_counted(tmp_path: Path) -> None:
    content = [{"type": "text", "text": "See."}, {"type": "image", "image_urls": ["data:x"]}]
    shown = {**ASKS, "llm_message": {"role": "user", "content": content}}
    result = read(tmp_path, shown, {"kind": "Condensation", "summary": "x"})

    assert result.messages[0]["content"][1] == {"type": "image_url", "image_url": {"url": "data:x"}}
    assert result.meta["other_events"] == {"Condensation": 1}


def test_a_list_of_events_is_a_trajectory(tmp_path: Path) -> None:
    (tmp_path / "x").write_text(json.dumps([SYSTEM, ASKS, acts("c1"), sees("c1")], indent=1))

    assert len(formats.read(tmp_path / "x")[0].results) == 1
