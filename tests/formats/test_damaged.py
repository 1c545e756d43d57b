"""Files in which some value is not what its format says it is: they are read, or are a clean error."""

from __future__ import annotations

import copy
import json
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hermes_nb import formats
from hermes_nb.exceptions import FormatError

CALL = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": "{}"}}
ASKS = {"role": "user", "content": "2 + 3?"}
ACTS = {"role": "assistant", "content": "Add.", "tool_calls": [CALL]}
SEES = {"role": "tool", "tool_call_id": "c1", "content": "Error: no"}
BODY = {"id": "r1", "model": "m", "usage": {"prompt_tokens": 3, "completion_tokens": 2},
        "choices": [{"finish_reason": "stop", "message": ACTS}]}  # fmt: skip
STAMP = "2026-05-01T10:00:01"

DOCUMENTS: dict[str, Any] = {
    "tau-bench": [{"task_id": 1, "trial": 0, "reward": 1.0, "traj": [ASKS, ACTS, SEES],
                   "info": {"reward_info": {"info": {"r_actions": 1.0}}, "error": "x", "traceback": "E: x"}}],
    "tau2-bench": {
        "info": {"agent_info": {"llm": "m", "llm_args": {"temperature": 0}}, "user_info": {"llm": "u"},
                 "environment_info": {"tool_defs": {"add": {"name": "add"}}}, "git_commit": "abc", "seed": 1},
        "tasks": [{"id": "t"}],
        "simulations": [{
            "task_id": "t", "trial": 0, "termination_reason": "agent_error", "start_time": STAMP, "duration": 1.5,
            "reward_info": {"reward": 1.0, "reward_breakdown": {"DB": 1.0}}, "info": {"error": "x"},
            "messages": [
                {"role": "assistant", "content": "Hi", "timestamp": STAMP, "cost": 0.0, "usage": None},
                {"role": "user", "content": None, "tool_calls": [{"id": "u", "name": "look", "arguments": {}}]},
                {"role": "assistant", "usage": {"prompt_tokens": 1}, "cost": 0.1, "raw_data": BODY,
                 "generation_time_seconds": 1.0, "timestamp": STAMP},
                {"role": "tool", "id": "u", "content": "x", "error": True, "timestamp": STAMP},
            ],
        }],
    },
    "SWE-agent": {
        "history": [ASKS, {**ACTS, "agent": "main", "thinking_blocks": [{"thinking": "x"}]},
                    {"role": "tool", "content": "x", "tool_call_ids": ["c1"], "agent": "main", "is_demo": False}],
        "trajectory": [{"response": "Add.", "execution_time": 1.0}], "environment": "main",
        "info": {"exit_status": "exit_error", "model_stats": {"tokens_sent": 1, "instance_cost": 0.5, "api_calls": 1},
                 "review": {"accept": True}, "swe_agent_version": "1"},
        "replay_config": {"agent": {"model": {"name": "m", "temperature": 0}}, "problem_statement": {"id": "x"}},
    },
    "mini-swe-agent": {
        "trajectory_format": "mini-swe-agent-1.1", "instance_id": "x",
        "info": {"exit_status": "LimitsExceeded", "model_stats": {"instance_cost": 0.5, "api_calls": 2},
                 "config": {"agent": {"step_limit": 2}, "model": {"model_name": "m", "model_kwargs": {}}}},
        "messages": [
            ASKS, {**ACTS, "extra": {"response": BODY, "cost": 0.1, "timestamp": 100.0}},
            {**SEES, "extra": {"returncode": 1, "exception_info": "x", "timestamp": 101.0}},
            {"object": "response", "output": [{"type": "function_call", "call_id": "c2", "name": "bash"},
                                              {"type": "reasoning", "summary": [{"text": "x"}]}]},
            {"type": "function_call_output", "call_id": "c2", "output": "x"},
        ],
    },
    "OpenHands": {
        "instance_id": "x", "error": "E: x", "test_result": {"report": {"resolved": True}},
        "metadata": {"llm_config": {"model": "m", "temperature": 0}, "git_commit": "abc"},
        "metrics": {"accumulated_cost": 0.1, "accumulated_token_usage": {"prompt_tokens": 3},
                    "response_latencies": [{"response_id": "r1", "latency": 1.0}]},
        "history": [
            {"id": 0, "source": "user", "action": "message", "timestamp": STAMP,
             "args": {"content": "x", "image_urls": ["y"]}},
            {"id": 1, "source": "agent", "action": "run", "args": {"command": "ls"}, "timestamp": STAMP,
             "tool_call_metadata": {"tool_call_id": "c1", "function_name": "add", "model_response": BODY}},
            {"id": 2, "source": "agent", "observation": "run", "cause": 1, "content": "x", "timestamp": STAMP,
             "extras": {"metadata": {"exit_code": 1}}, "tool_call_metadata": {"tool_call_id": "c1"}},
            {"id": 3, "source": "agent", "action": "read", "args": {"path": "x", "thought": "y"}},
            {"id": 4, "source": "agent", "observation": "error", "cause": 3, "content": "x"},
        ],
    },
    "OpenHands ": {
        "instance_id": "x", "attempt": 1, "metadata": {"llm": {"model": "m"}},
        "metrics": {"token_usages": [{"response_id": "r1", "prompt_tokens": 3, "completion_tokens": 1}]},
        "history": [
            {"kind": "SystemPromptEvent", "system_prompt": {"text": "x"}, "tools": [{"name": "add"}]},
            {"kind": "MessageEvent", "source": "user", "timestamp": STAMP,
             "llm_message": {"role": "user", "content": [{"type": "text", "text": "x"}, {"image_urls": ["y"]}]}},
            {"kind": "ActionEvent", "tool_name": "add", "tool_call_id": "c1", "llm_response_id": "r1",
             "thought": [{"text": "x"}], "tool_call": {"arguments": "{}"}, "action": {"kind": "A"}},
            {"kind": "ObservationEvent", "tool_call_id": "c1", "timestamp": STAMP,
             "observation": {"content": [{"text": "x"}], "is_error": True, "exit_code": 1}},
            {"kind": "AgentErrorEvent", "tool_call_id": "c1", "error": "x"},
            {"kind": "ConversationStateUpdateEvent", "key": "x", "value": {"execution_status": "error"}},
        ],
    },
    "ATIF": {
        "schema_version": "ATIF-v1.7", "session_id": "s", "final_metrics": {"total_prompt_tokens": 3},
        "agent": {"name": "a", "version": "1", "model_name": "m", "tool_definitions": [CALL]},
        "steps": [
            {"source": "user", "message": "x", "timestamp": STAMP},
            {"source": "agent", "message": "x", "timestamp": STAMP, "metrics": {"prompt_tokens": 3, "cost_usd": 0.1},
             "tool_calls": [{"tool_call_id": "c1", "function_name": "add", "arguments": {}}],
             "observation": {"results": [{"source_call_id": "c1", "content": "x", "extra": {"is_error": True}},
                                         {"subagent_trajectory_ref": [{"session_id": "t"}]}]}},
        ],
        "subagent_trajectories": [{"session_id": "t", "agent": {}, "steps": [{"source": "agent", "message": "x"}]}],
    },
    "ToolBench": {
        "win": True, "forward_args": {},
        "tree": {"tree": {"node_type": "Action Input", "description": "", "children": [
            {"node_type": "Action", "description": "add", "children": [
                {"node_type": "Action Input", "description": "{}", "observation": "x", "children": []}]}]}},
        "answer_generation": {
            "query": "x", "total_tokens": 3, "finish_type": "give_up", "function": [{"name": "add"}],
            "train_messages": [[ASKS, {"role": "assistant", "function_call": {"name": "add", "arguments": "{}"}},
                                {"role": "function", "name": "add", "content": '{"error": "x"}'}]]},
    },
    "verifiers": {
        "task": {"key": "x", "data": {"idx": 1}}, "agent": {"config": {"model": "m"}, "name": "a"}, "ok": False,
        "tools": [{"name": "add"}], "verifiers": {"version": "1"}, "stop_condition": "x", "metrics": {"a": 1},
        "nodes": [{"message": ASKS}, {"message": ACTS, "parent": 0, "sampled": True}, {"message": SEES, "parent": 1},
                  {"message": ACTS, "parent": 0, "sampled": True}],
        "calls": [{"node": 1, "usage": {"prompt_tokens": 3, "completion_tokens": 1}, "sampling": {"top_p": 1},
                   "time": {"start": 101.0, "end": 102.0}}],
        "rewards": {"a": {"score": 1.0, "weight": 0.5}}, "errors": [{"type": "E", "message": "x"}],
        "timing": {"start": 100.0, "scoring": {"start": 101.0, "end": 102.0}},
    },
    "verifiers ": {
        "example_id": 1, "prompt": [ASKS], "completion": [{**ACTS, "tool_calls": [json.dumps(CALL)]}, SEES],
        "reward": 1.0, "metrics": {"a": 1.0}, "timing": {"total": 1.5}, "token_usage": {"input_tokens": 3.0},
        "tool_defs": [{"name": "add"}], "error": {"error": "E", "error_chain_str": "x"}, "is_truncated": True,
    },
}  # fmt: skip
"""A small file of each format, by the format's name."""

JUNK = st.sampled_from(
    [None, True, -1, 10**400, 1e308, float("nan"), float("-inf"), "", "x", STAMP, [], [None], [[]], [{}], {}, {"a": 1}]
)


def places_in(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where something stands in a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield (*place, key)
        yield from places_in(item, (*place, key))


def damaged(value: Any, place: tuple[Any, ...], junk: Any) -> Any:
    """A copy of a JSON value with something else in one place."""
    holder = copied = copy.deepcopy(value)
    for key in place[:-1]:
        holder = holder[key]
    holder[place[-1]] = copy.deepcopy(junk)
    return copied


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_small_files_are_of_their_formats(name: str, tmp_path: Path) -> None:
    (tmp_path / "x").write_text(json.dumps(DOCUMENTS[name]))

    assert formats.recognise(tmp_path / "x") == name.strip()
    assert any(result.calls for result in formats.read(tmp_path / "x"))


@given(name=st.sampled_from(sorted(DOCUMENTS)), data=st.data())
@settings(max_examples=300)
def test_whatever_stands_in_some_place_a_file_is_read_or_a_clean_error(name: str, data: st.DataObject) -> None:
    value = DOCUMENTS[name]
    for _ in range(data.draw(st.integers(1, 3))):
        value = damaged(value, data.draw(st.sampled_from(list(places_in(value)))), data.draw(JUNK))
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        path = Path(folder) / "x"
        path.write_text(json.dumps(value))
        try:
            results = formats.read(path)
        except FormatError as error:
            assert "x" in str(error)
            return
    for result in results:
        assert all(turn.at >= 0.0 and turn.seconds >= 0.0 for turn in result.turns)
        assert {call.id for call in result.calls} >= {one.call.id for one in result.results if one.call.arguments}
