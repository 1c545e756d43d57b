"""mini-swe-agent's trajectories: both versions, commands in text and in calls, and how a run ended."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hermes_nb import formats
from hermes_nb.exceptions import FormatError
from hermes_nb.records import AgentResult, Usage

TASK = {"role": "user", "content": "Mend it."}
WRITES = {"role": "assistant", "content": "THOUGHT: look\n\n```bash\nls\n```"}
SEES = {"role": "user", "content": "<returncode>0</returncode>\n<output>\na.py\n</output>"}
HANDS_IN = {"role": "assistant", "content": "```bash\necho MINI_SWE_AGENT_FINAL_OUTPUT\n```"}
BODY = {"id": "r1", "model": "m-2", "choices": [{"finish_reason": "tool_calls", "message": {}}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 14}}  # fmt: skip


def call(id_: str) -> dict[str, Any]:
    return {"id": id_, "type": "function", "function": {"name": "bash", "arguments": '{"command": "ls"}'}}


def acts(*ids: str, at: float = 100.0, cost: float | None = 0.5) -> dict[str, Any]:
    extra = {"actions": [{"command": "ls"}], "response": BODY, "cost": cost, "timestamp": at}
    return {"role": "assistant", "content": "", "tool_calls": [call(id_) for id_ in ids], "function_call": None,
            "provider_specific_fields": None, "extra": extra}  # fmt: skip


def answers(id_: str, at: float = 102.0, **extra: Any) -> dict[str, Any]:
    given = {"raw_output": "a.py", "returncode": 0, "timestamp": at, "exception_info": "", **extra}
    return {"role": "tool", "tool_call_id": id_, "content": "<returncode>0</returncode>", "extra": given}


def read(tmp_path: Path, *messages: Any, **info: Any) -> AgentResult:
    known = {"model_stats": {"instance_cost": 0.75, "api_calls": 2}, "mini_version": "2.3.0", **info}
    row = {"info": known, "messages": list(messages), "trajectory_format": "mini-swe-agent-1.1", "instance_id": "dj-1"}
    (tmp_path / "x").write_text(json.dumps(row, indent=2))
    [result] = formats.read(tmp_path / "x")
    return result


def test_a_bare_list_in_which_commands_were_run_is_a_trajectory(tmp_path: Path) -> None:
    (tmp_path / "x").write_text(json.dumps([TASK, WRITES, SEES, HANDS_IN, {"role": "user", "content": "done"}]))

    [result] = formats.read(tmp_path / "x")
    assert result.meta == {"format": "mini-swe-agent", "file": "x"}
    assert (result.turns_used, result.calls, len(result.messages), result.stop_reason) == (2, [], 5, "finished")


def test_a_bare_list_that_handed_nothing_in_is_not_said_to_have_ended(tmp_path: Path) -> None:
    (tmp_path / "x").write_text(json.dumps([TASK, WRITES, SEES]))

    assert formats.read(tmp_path / "x")[0].stop_reason == "running"


def test_calls_have_their_answers_and_exit_codes(tmp_path: Path) -> None:
    result = read(tmp_path, TASK, acts("c1"), answers("c1", returncode=2))

    assert [(one.call.id, one.call.parsed, one.exit_code, one.error) for one in result.results] == [
        ("c1", {"command": "ls"}, 2, None)
    ]
    assert result.messages[1] == {"role": "assistant", "content": "", "tool_calls": [call("c1")]}
    assert result.messages[2] == {"role": "tool", "tool_call_id": "c1", "content": "<returncode>0</returncode>"}


def test_a_reply_has_its_usage_cost_and_body(tmp_path: Path) -> None:
    result = read(tmp_path, TASK, acts("c1"), answers("c1"), config={"model": {"model_name": "m-1"}})

    reply = result.turns[0].reply
    assert reply is not None
    assert (reply.id, reply.model, reply.finish_reason, reply.raw) == ("r1", "m-2", "tool_calls", BODY)
    assert reply.usage == result.usage == Usage(prompt=10, completion=4, total=14, cost=0.5)
    assert result.provenance is not None
    assert (result.provenance.server, result.provenance.versions) == ({"model": "m-1"}, {"mini_version": "2.3.0"})


def test_the_cost_of_the_run_stands_in_where_no_message_has_one(tmp_path: Path) -> None:
    result = read(tmp_path, TASK, acts("c1", cost=None), answers("c1"))

    assert (result.usage.prompt, result.usage.cost) == (10, 0.75)


def test_times_run_from_the_first_that_is_known(tmp_path: Path) -> None:
    result = read(tmp_path, TASK, acts("c1"), answers("c1", 102.0), acts("c2", at=105.0), answers("c2", 105.5))

    assert [(turn.at, turn.model_seconds, turn.tool_seconds) for turn in result.turns] == [
        (0.0, 0.0, 2.0),
        (2.0, 3.0, 0.5),
    ]
    assert result.seconds == 5.5


def test_of_several_commands_in_a_turn_no_time_is_known(tmp_path: Path) -> None:
    result = read(tmp_path, TASK, acts("c1", "c2"), answers("c1"), answers("c2"))

    assert [one.seconds for one in result.results] == [0.0, 0.0]


@pytest.mark.parametrize(
    ("extra", "kind", "fault", "synthesised"),
    [
        ({"exception_info": "Command timed out", "exception_type": "TimeoutExpired"}, "timeout", "environment", False),
        ({"exception_info": "no docker", "exception_type": "OSError"}, "exception", "tool", False),
        ({"exception_info": "action was not executed", "returncode": -1}, "cancelled", "run", True),
    ],
)
def test_a_command_that_raised_is_an_error(
    tmp_path: Path, extra: dict[str, Any], kind: str, fault: str, synthesised: bool
) -> None:
    [one] = read(tmp_path, TASK, acts("c1"), answers("c1", **extra)).results

    assert one.error is not None
    assert (one.error.kind, one.error.fault, one.error.error) == (kind, fault, extra["exception_info"])
    assert (one.error.exception_type, one.synthesised) == (extra.get("exception_type"), synthesised)


@pytest.mark.parametrize(
    ("status", "step_limit", "stop"),
    [
        ("Submitted", 0, "finished"), ("LimitsExceeded", 2, "max_turns"), ("LimitsExceeded", 0, "max_cost"),
        ("TimeExceeded", 0, "max_seconds"), ("UserInterruption", 0, "interrupted"), (None, 0, "running"),
        ("", 0, "running"),
    ],
)  # fmt: skip
def test_the_exit_status_is_how_it_ended(tmp_path: Path, status: Any, step_limit: int, stop: str) -> None:
    end = {"role": "exit", "content": "diff", "extra": {"exit_status": status, "submission": "diff"}}
    result = read(
        tmp_path,
        TASK,
        acts("c1"),
        end,
        exit_status=status,
        submission="diff",
        config={"agent": {"step_limit": step_limit}},
    )

    assert (result.stop_reason, result.task, result.error) == (stop, "dj-1", None)
    assert result.messages[-1] == {"role": "exit", "content": "diff"}
    assert result.meta["submission"] == "diff"


def test_a_run_that_an_exception_ended_crashed_and_says_why(tmp_path: Path) -> None:
    told = "Traceback (most recent call last):\n  ...\nopenai.BadRequestError: too hot\n"
    result = read(tmp_path, TASK, exit_status="BadRequestError", traceback=told)

    assert result.stop_reason == "crashed"
    assert result.error is not None
    assert (result.error.type, result.error.message) == ("BadRequestError", "openai.BadRequestError: too hot")


def test_what_the_responses_api_gave_is_a_reply_with_calls(tmp_path: Path) -> None:
    output = [
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]},
        {"type": "message", "content": [{"type": "output_text", "text": "Look."}]},
        {"type": "function_call", "call_id": "c1", "name": "bash", "arguments": '{"command": "ls"}'},
    ]
    usage = {"input_tokens": 9, "output_tokens": 3, "total_tokens": 12, "input_tokens_details": {"cached_tokens": 4}}
    given = {"object": "response", "id": "resp1", "model": "m-3", "output": output, "usage": usage}
    result = read(
        tmp_path, TASK, given,
        {"type": "function_call_output", "call_id": "c1", "output": "a.py", "extra": {"returncode": 0}},
    )  # fmt: skip

    assert [(one.call.name, one.content, one.exit_code) for one in result.results] == [("bash", "a.py", 0)]
    assert (result.turns[0].reply and result.turns[0].reply.text, result.reasoning_per_turn) == ("Look.", ["Hm."])
    assert (result.usage.prompt, result.usage.completion, result.usage.cached) == (9, 3, 4)


def test_a_message_that_is_none_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="x, document: message 1 is no object with a role"):
        read(tmp_path, TASK, "x")
