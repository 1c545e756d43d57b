"""OpenHands: outputs of evaluations and lists of events, of newer and older versions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hermes_nb import formats
from hermes_nb.exceptions import FormatError
from hermes_nb.records import AgentResult, Usage

TOOLS = [{"type": "function", "function": {"name": "execute_bash", "parameters": {"type": "object"}}}]


def at(second: float) -> str:
    return f"2025-04-30T16:32:{second:09.6f}"


SYSTEM = {"id": 0, "timestamp": at(0), "source": "agent", "action": "system", "message": "You are an agent.",
          "args": {"content": "You are an agent.", "tools": TOOLS}}  # fmt: skip
ASKS = {"id": 1, "timestamp": at(0), "source": "user", "action": "message", "args": {"content": "Mend it."}}
RECALL = {"id": 2, "timestamp": at(0), "source": "user", "action": "recall", "args": {"query": "Mend it."}}
DONE = {"id": 9, "timestamp": at(9), "source": "agent", "action": "finish", "args": {"thought": "It works."}}


def call(id_: str, name: str = "execute_bash") -> dict[str, Any]:
    return {"index": 1, "id": id_, "type": "function", "function": {"name": name, "arguments": '{"command": "ls"}'}}


def metadata(id_: str, *ids: str, response: str = "gen-1") -> dict[str, Any]:
    message = {"role": "assistant", "content": "Look.", "tool_calls": [call(one) for one in ids or (id_,)],
               "function_call": None}  # fmt: skip
    body = {"id": response, "model": "m-1", "choices": [{"finish_reason": "stop", "message": message}],
            "usage": {"prompt_tokens": 20, "completion_tokens": 5, "total_tokens": 25}}  # fmt: skip
    return {"function_name": "execute_bash", "tool_call_id": id_, "model_response": body}


def acts(number: int, id_: str, *ids: str, second: float = 3) -> dict[str, Any]:
    return {"id": number, "timestamp": at(second), "source": "agent", "action": "run",
            "args": {"command": "ls", "thought": "Look."}, "tool_call_metadata": metadata(id_, *ids)}  # fmt: skip


def sees(number: int, cause: int, id_: str, content: str = "a.py", *ids: str, second: float = 4, kind: str = "run",
         exit_code: int | None = 0) -> dict[str, Any]:  # fmt: skip
    extras = {"command": "ls", "metadata": {"exit_code": exit_code}}
    return {"id": number, "timestamp": at(second), "source": "agent", "cause": cause, "observation": kind,
            "content": content, "extras": extras, "tool_call_metadata": metadata(id_, *ids)}  # fmt: skip


def read_events(tmp_path: Path, *events: Any) -> AgentResult:
    (tmp_path / "x").write_text(json.dumps(list(events), indent=2))
    [result] = formats.read(tmp_path / "x")
    return result


def read_output(tmp_path: Path, *events: Any, **known: Any) -> AgentResult:
    row = {"instance_id": "dj-1", "history": list(events), "test_result": {"git_patch": "diff"}, **known}
    (tmp_path / "x").write_text(json.dumps(row) + "\n")
    [result] = formats.read(tmp_path / "x")
    return result


def test_events_are_messages_calls_and_answers(tmp_path: Path) -> None:
    result = read_events(tmp_path, SYSTEM, ASKS, RECALL, acts(3, "c1"), sees(4, 3, "c1"))

    assert [message["role"] for message in result.messages] == ["system", "user", "assistant", "tool"]
    assert result.messages[2]["content"] == "Look."
    assert [(one.call.id, one.call.name, one.call.parsed, one.content) for one in result.results] == [
        ("c1", "execute_bash", {"command": "ls"}, "a.py")
    ]
    assert result.provenance is not None
    assert (list(result.provenance.tools), result.provenance.server) == (TOOLS, {"model": "m-1"})
    assert result.meta["other_events"] == {"recall": 1}


def test_a_reply_is_told_once_however_many_events_came_of_it(tmp_path: Path) -> None:
    both = ("c1", "c2")
    events = (acts(3, "c1", *both), acts(4, "c2", *both), sees(5, 3, "c1", "1", *both), sees(6, 4, "c2", "2", *both))
    result = read_events(tmp_path, ASKS, *events)

    assert (result.turns_used, [call.id for call in result.calls]) == (1, ["c1", "c2"])
    assert [one.content for one in result.results] == ["1", "2"]
    assert result.usage == Usage(prompt=20, completion=5, total=25)


def test_a_call_whose_reply_the_file_does_not_hold_is_made_of_its_action(tmp_path: Path) -> None:
    bare = {"function_name": "execute_bash", "tool_call_id": "c1", "total_calls_in_response": 1}
    events = ({**acts(3, "c1"), "tool_call_metadata": bare}, {**sees(4, 3, "c1"), "tool_call_metadata": bare})
    result = read_events(tmp_path, ASKS, *events)

    assert [(one.call.id, one.call.name, one.call.parsed, one.content) for one in result.results] == [
        ("c1", "execute_bash", {"command": "ls"}, "a.py")
    ]
    assert (result.turns_used, result.messages[1]["content"]) == (1, "Look.")


def test_times_are_those_of_the_events_and_latencies_those_of_the_metrics(tmp_path: Path) -> None:
    tokens = {"prompt_tokens": 30, "completion_tokens": 6, "cache_read_tokens": 8}
    latencies = [{"response_id": "gen-1", "latency": 2.0}]
    metrics = {"response_latencies": latencies, "accumulated_cost": 0.25, "accumulated_token_usage": tokens}
    result = read_output(tmp_path, ASKS, acts(3, "c1", second=3), sees(4, 3, "c1", second=4.5), metrics=metrics)

    [turn] = result.turns
    assert (turn.at, turn.model_seconds, turn.tool_seconds) == (1.0, 2.0, 1.5)
    assert (turn.results[0].started, result.seconds) == (3.0, 4.5)
    assert result.usage == Usage(prompt=30, completion=6, total=36, cached=8, cost=0.25)
    assert result.provenance is not None
    assert result.provenance.started_at == at(0)


def test_an_exit_code_is_kept_and_is_no_error(tmp_path: Path) -> None:
    [one] = read_events(tmp_path, ASKS, acts(3, "c1"), sees(4, 3, "c1", exit_code=127)).results

    assert (one.exit_code, one.error) == (127, None)


@pytest.mark.parametrize(
    ("kind", "as_", "fault"), [("error", "reported", "tool"), ("user_rejected", "rejected", "run")]
)
def test_an_error_or_rejection_in_place_of_an_observation_is_an_error(
    tmp_path: Path, kind: str, as_: str, fault: str
) -> None:
    result = read_events(tmp_path, ASKS, acts(3, "c1"), sees(4, 3, "c1", "No such path", kind=kind))

    assert [(one.kind, one.fault, one.error) for one in result.tool_errors] == [(as_, fault, "No such path")]


def test_an_error_that_is_no_answer_is_what_the_agent_was_told(tmp_path: Path) -> None:
    told = {"id": 5, "timestamp": at(5), "source": "environment", "observation": "error", "content": "Stuck."}

    assert read_events(tmp_path, ASKS, told).messages[-1] == {"role": "user", "content": "Stuck."}


def test_actions_of_older_versions_are_calls_of_the_action_s_name(tmp_path: Path) -> None:
    action = {
        "id": 3,
        "source": "agent",
        "action": "run",
        "args": {"command": "ls", "thought": "Look.", "hidden": False},
    }
    seen = {"id": 4, "source": "agent", "cause": 3, "observation": "run", "content": "a.py", "extras": {"exit_code": 2}}
    result = read_output(tmp_path, [ASKS, {"observation": "null", "source": "agent"}], [action, seen])

    assert [(one.call.name, one.call.parsed, one.content, one.exit_code) for one in result.results] == [
        ("run", {"command": "ls"}, "a.py", 2)
    ]
    assert result.messages[1]["content"] == "Look."


def test_an_evaluation_s_output_has_its_task_settings_and_scores(tmp_path: Path) -> None:
    config = {"model": "m-0", "api_key": "**********", "base_url": "http://here", "temperature": 0.0, "seed": None}
    about = {"llm_config": config, "git_commit": "abc", "max_iterations": 50}
    report = {"resolved": True, "tests": {"passed": 3}}
    result = read_output(
        tmp_path, ASKS, acts(3, "c1"), metadata=about, test_result={"git_patch": "diff", "report": report}
    )

    assert (result.task, result.scores) == ("dj-1", {"resolved": 1.0, "passed": 3.0})
    assert result.provenance is not None
    assert result.provenance.server == {"model": "m-0", "base_url": "http://here"}
    assert (result.provenance.sampling, result.provenance.versions) == ({"temperature": 0.0}, {"openhands": "abc"})
    assert result.meta["metadata"] == {"git_commit": "abc", "max_iterations": 50}
    assert result.meta["test_result"]["git_patch"] == "diff"


@pytest.mark.parametrize(
    ("told", "stop", "type_"),
    [
        ("AgentStuckInLoopError: Agent got stuck in a loop", "repeating", "AgentStuckInLoopError"),
        ("RuntimeError: Agent reached maximum iteration. Current: 50", "max_turns", "RuntimeError"),
        ("the lights went out", "crashed", "error"),
    ],
)
def test_an_error_says_how_the_run_ended(tmp_path: Path, told: str, stop: str, type_: str) -> None:
    result = read_output(tmp_path, ASKS, acts(3, "c1"), error=told)

    assert result.stop_reason == stop
    assert result.error is not None
    assert (result.error.type, told.endswith(result.error.message)) == (type_, True)


@pytest.mark.parametrize(("state", "stop"), [("error", "crashed"), ("stopped", "interrupted"), ("running", "running")])
def test_the_last_state_of_the_agent_says_how_the_run_ended(tmp_path: Path, state: str, stop: str) -> None:
    changed = {"id": 5, "source": "environment", "observation": "agent_state_changed", "content": "",
               "extras": {"agent_state": state, "reason": "LLM down"}}  # fmt: skip
    result = read_events(tmp_path, ASKS, acts(3, "c1"), sees(4, 3, "c1"), changed)

    assert (result.stop_reason, result.error.message if result.error else None) == (
        stop, "LLM down" if stop == "crashed" else None
    )  # fmt: skip


def test_an_agent_that_finished_is_finished_until_somebody_says_more(tmp_path: Path) -> None:
    assert read_events(tmp_path, ASKS, acts(3, "c1"), DONE).stop_reason == "finished"
    assert read_events(tmp_path, ASKS, acts(3, "c1"), DONE, {**ASKS, "id": 10}).stop_reason == "running"


def test_images_are_parts_of_the_message(tmp_path: Path) -> None:
    shown = {**ASKS, "args": {"content": "See.", "image_urls": ["data:image/png;base64,AA=="]}}

    assert read_events(tmp_path, shown).messages[0]["content"] == [
        {"type": "text", "text": "See."},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
    ]


def test_a_run_that_never_began_is_a_result_without_messages(tmp_path: Path) -> None:
    result = read_output(tmp_path, error="RuntimeError: no container")

    assert (result.messages, result.stop_reason, result.task) == ([], "crashed", "dj-1")


def test_a_trajectory_may_be_in_an_object_or_in_lines(tmp_path: Path) -> None:
    events = [ASKS, acts(3, "c1"), sees(4, 3, "c1")]
    (tmp_path / "object").write_text(json.dumps({"trajectory": events}))
    (tmp_path / "lines").write_text("".join(json.dumps(event) + "\n" for event in events))

    assert [len(one.results) for one in formats.read([tmp_path / "object", tmp_path / "lines"])] == [1, 1]


def test_a_list_of_something_else_is_not_taken_for_events(tmp_path: Path) -> None:
    (tmp_path / "x").write_text(json.dumps([{"action": "click", "source": "mouse"}]))

    assert formats.recognise(tmp_path / "x") is None


def test_an_event_that_is_none_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="x, document: event 1 is no object"):
        read_output(tmp_path, ASKS, "x")
