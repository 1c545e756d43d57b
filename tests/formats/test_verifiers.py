"""verifiers: traces whose leaves are branches, and results of older evaluations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hermes_nb import formats
from hermes_nb.exceptions import FormatError
from hermes_nb.records import AgentResult, Usage

SYSTEM = {"role": "system", "content": "Be brief."}
ASKS = {"role": "user", "content": "2 + 3?"}
CALLS = {"role": "assistant", "content": None, "reasoning_content": "Add.",
         "tool_calls": [{"id": "c1", "name": "add", "arguments": '{"a": 2}'}]}  # fmt: skip
ANSWER = {"role": "tool", "tool_call_id": "c1", "content": "5"}
SAYS = {"role": "assistant", "content": "Five."}
TOOL = {"name": "add", "description": "Adds.", "parameters": {"type": "object"}}


def nodes(*messages: dict[str, Any], parents: list[int | None] | None = None) -> list[dict[str, Any]]:
    before = parents or [None, *range(len(messages) - 1)]
    return [
        {
            "message": message,
            "sampled": message["role"] == "assistant",
            **({} if parent is None else {"parent": parent}),
        }
        for message, parent in zip(messages, before, strict=True)
    ]


def trace(given: list[dict[str, Any]], **known: Any) -> dict[str, Any]:
    row = {
        "version": 1, "id": "t1", "verifiers": {"version": "0.4.0", "commit": "abc"},
        "task": {"type": "Sum", "data": {"idx": 7, "prompt": "2 + 3?"}, "hash": "h1"},
        "agent": {"config": {"model": "m-1", "sampling": {"temperature": 1.0}}, "name": "solver"},
        "tools": [TOOL], "nodes": given, "rewards": {}, "metrics": {}, "is_completed": True, "ok": True,
        "stop_condition": "agent_completed", "errors": [],
        "timing": {"start": 1000.0, "scoring": {"start": 1010.0, "end": 1012.0}},
    }  # fmt: skip
    return {**row, **known}


def read(tmp_path: Path, *rows: Any) -> list[AgentResult]:
    (tmp_path / "x").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return formats.read(tmp_path / "x")


def test_a_trace_is_a_conversation_with_calls_in_openai_s_form(tmp_path: Path) -> None:
    [result] = read(tmp_path, trace(nodes(SYSTEM, ASKS, CALLS, ANSWER, SAYS)))

    assert [(one.call.name, one.call.parsed, one.content) for one in result.results] == [("add", {"a": 2}, "5")]
    assert (result.final_text, result.stop_reason, result.turns_used) == ("Five.", "finished", 2)
    assert (result.reasoning_per_turn[0], result.seconds, result.task) == ("Add.", 12.0, "7")
    assert result.provenance is not None
    assert (result.provenance.server, result.provenance.sampling) == ({"model": "m-1"}, {"temperature": 1.0})
    assert result.provenance.tools == ({"type": "function", "function": TOOL},)
    assert result.provenance.versions == {"verifiers_version": "0.4.0", "verifiers_commit": "abc"}
    assert result.provenance.started_at == "1970-01-01T00:16:40+00:00"
    assert (result.meta["id"], result.meta["agent"], result.meta["task"]["prompt"]) == ("t1", "solver", "2 + 3?")


def test_a_call_s_record_is_its_turn_s_and_cached_tokens_are_part_of_the_prompt(tmp_path: Path) -> None:
    usage = {"prompt_tokens": 30, "completion_tokens": 5, "cached_input_tokens": 70, "reasoning_tokens": 2, "cost": 0.5}
    call = {"node": 2, "model": "m-2", "finish_reason": "tool_calls", "usage": usage, "sampling": {"top_p": 0.9},
            "time": {"start": 1001.0, "end": 1003.5}}  # fmt: skip
    lost = {"model": "m-2", "error": {"type": "ProviderError", "message": "too long"}}
    [result] = read(tmp_path, trace(nodes(SYSTEM, ASKS, CALLS, ANSWER), calls=[call, lost]))

    [turn] = result.turns
    assert turn.reply is not None
    assert (turn.at, turn.model_seconds, turn.reply.model) == (1.0, 2.5, "m-2")
    assert turn.reply.usage == Usage(prompt=100, completion=5, total=105, reasoning=2, cached=70, cost=0.5)
    assert turn.reply.finish_reason == "tool_calls"
    assert result.meta["failed_calls"] == [lost]
    assert result.provenance is not None
    assert result.provenance.sampling == {"top_p": 0.9}


def test_every_leaf_ends_a_branch_and_what_they_share_is_counted_once(tmp_path: Path) -> None:
    other = {"role": "assistant", "content": "5!"}
    first, second = read(tmp_path, trace(nodes(ASKS, CALLS, ANSWER, SAYS, other, parents=[None, 0, 1, 2, 2])))

    assert [one.final_text for one in (first, second)] == ["Five.", "5!"]
    assert [(one.turns_used, len(one.calls), len(one.results)) for one in (first, second)] == [(2, 1, 1), (1, 0, 0)]
    assert [len(one.messages) for one in (first, second)] == [4, 4]
    assert [one.meta["place"] for one in (first, second)] == ["document, branch 1", "document, branch 2"]


def test_what_no_model_was_asked_for_is_no_turn(tmp_path: Path) -> None:
    given = nodes(ASKS, CALLS, ANSWER, SAYS)
    given[1]["sampled"] = False
    [result] = read(tmp_path, trace(given))

    assert (result.turns_used, result.calls, result.results, len(result.messages)) == (1, [], [], 4)


def test_rewards_are_scores_with_their_sum_and_metrics_beside_them(tmp_path: Path) -> None:
    rewards = {"right": {"score": 1.0, "weight": 0.5}, "short": {"score": -1.0, "weight": 0.25}, "none": None}
    [result] = read(tmp_path, trace(nodes(ASKS, SAYS), rewards=rewards, metrics={"turns": 1, "lost": None}))
    [older] = read(tmp_path, trace(nodes(ASKS, SAYS), rewards={"solved": 0.5}))

    assert result.scores == {"reward": 0.25, "right": 1.0, "short": -1.0, "turns": 1.0}
    assert older.scores == {"reward": 0.5, "solved": 0.5}


def test_rollouts_of_a_task_are_attempts(tmp_path: Path) -> None:
    other = trace(nodes(ASKS, SAYS), task={"key": "other", "data": {}})
    results = read(tmp_path, trace(nodes(ASKS, SAYS)), other, {"traces": [trace(nodes(ASKS, SAYS), id="t2")]})

    assert [(one.task, one.attempt) for one in results] == [("7", 0), ("other", 0), ("7", 1)]


@pytest.mark.parametrize(
    ("condition", "stop"),
    [("max_turns", "max_turns"), ("max_total_tokens", "max_total_tokens"), ("game_over", "finished")],
)
def test_the_stop_condition_is_how_it_ended(tmp_path: Path, condition: str, stop: str) -> None:
    assert read(tmp_path, trace(nodes(ASKS, SAYS), stop_condition=condition))[0].stop_reason == stop


def test_a_trace_that_failed_says_why(tmp_path: Path) -> None:
    errors = [{"type": "ProviderError", "message": "slow down", "status_code": 429}]
    [result] = read(tmp_path, trace([], ok=False, stop_condition="error", errors=errors))

    assert (result.stop_reason, result.messages) == ("crashed", [])
    assert result.error is not None
    assert (result.error.type, result.error.message, result.error.status) == ("ProviderError", "slow down", 429)


@pytest.mark.parametrize(
    ("parents", "match"),
    [([None, 1], "line 1: node 1 has a parent"), ([None, -1], "line 1: node 1 has a parent")],
)
def test_a_graph_that_goes_round_is_an_error_that_names_the_node(
    tmp_path: Path, parents: list[int | None], match: str
) -> None:
    with pytest.raises(FormatError, match=match):
        read(tmp_path, trace(nodes(ASKS, SAYS, parents=parents)), trace(nodes(ASKS, SAYS)))


def test_A31_branches_of_more_messages_than_the_bounds_are_an_error(tmp_path: Path) -> None:
    parents = [None, *range(20), *([20] * 20)]
    graph = nodes(*[ASKS] * len(parents), parents=parents)
    (tmp_path / "x").write_text(json.dumps(trace(graph)))

    assert len(formats.read(tmp_path / "x")) == 20
    with pytest.raises(FormatError, match=r"Bounds\(rows=\.\.\.\)"):
        formats.read(tmp_path / "x", bounds=formats.Bounds(rows=100))


def test_a_graph_of_something_else_is_not_taken_for_a_trace(tmp_path: Path) -> None:
    (tmp_path / "x").write_text(json.dumps({"task": "layout", "nodes": [], "edges": []}))

    assert formats.recognise(tmp_path / "x") is None


def rollout(**known: Any) -> dict[str, Any]:
    call = json.dumps({"id": "c1", "name": "add", "arguments": '{"a": 2}'})
    made = [{"role": "assistant", "content": "", "tool_calls": [call]}, ANSWER, SAYS]
    row = {"example_id": 3, "prompt": [SYSTEM, ASKS], "completion": made, "answer": "5", "reward": 0.75,
           "timing": {"total": 2.5, "model": 2.0}, "is_completed": True, "is_truncated": False,
           "stop_condition": "no_tools_called", "metrics": {"right": 1.0, "short": 0.5}, "right": 1.0, "short": 0.5,
           "tool_defs": [TOOL], "token_usage": {"input_tokens": 40.0, "output_tokens": 9.0}}  # fmt: skip
    return {**row, **known}


def test_a_rollout_s_calls_are_json_text_in_the_file(tmp_path: Path) -> None:
    [result] = read(tmp_path, rollout())

    assert [(one.call.id, one.call.name, one.call.parsed, one.content) for one in result.results] == [
        ("c1", "add", {"a": 2}, "5")
    ]
    assert (result.task, result.final_text, result.stop_reason, result.seconds) == ("3", "Five.", "finished", 2.5)
    assert (result.scores, result.usage) == (
        {"reward": 0.75, "right": 1.0, "short": 0.5}, Usage(prompt=40, completion=9, total=49)
    )  # fmt: skip
    assert result.provenance is not None
    assert result.provenance.tools == ({"type": "function", "function": TOOL},)
    assert (result.meta["answer"], "right" in result.meta) == ("5", False)


def test_examples_in_the_prompt_are_no_turns(tmp_path: Path) -> None:
    shown = [{"role": "user", "content": "1 + 1?"}, CALLS, ANSWER, {"role": "assistant", "content": "Two."}, ASKS]
    [result] = read(tmp_path, rollout(prompt=shown, completion=[SAYS]))

    assert (result.turns_used, result.calls, len(result.messages)) == (1, [], 6)


def test_text_in_place_of_messages_is_said_by_the_one_whose_turn_it_is(tmp_path: Path) -> None:
    assert read(tmp_path, rollout(prompt="2 + 3?", completion="Five."))[0].messages == [ASKS, SAYS]


def test_rows_of_older_versions_have_scores_beside_the_reward_and_milliseconds(tmp_path: Path) -> None:
    row = {"id": 0, "prompt": [ASKS], "completion": [SAYS], "task": "default", "reward": 1.0, "generation_ms": 1500.0,
           "scoring_ms": 1.0, "total_ms": 1501.0, "answer": "5", "right_func": 1.0}  # fmt: skip
    results = read(tmp_path, row, {**row, "total_ms": 2000.0})

    assert [(one.task, one.attempt, one.seconds) for one in results] == [("0", 0, 1.501), ("0", 1, 2.0)]
    assert results[0].scores == {"reward": 1.0, "right_func": 1.0}


@pytest.mark.parametrize(
    ("error", "type_", "message"),
    [
        (
            {"error": "ModelError", "error_chain_repr": "r", "error_chain_str": "slow -> down"},
            "ModelError",
            "slow -> down",
        ),
        ("RateLimitError('slow down')", "RateLimitError", "RateLimitError('slow down')"),
        ("it broke", "Error", "it broke"),
    ],
)
def test_a_rollout_that_failed_says_why(tmp_path: Path, error: Any, type_: str, message: str) -> None:
    [result] = read(tmp_path, rollout(completion=None, error=error, stop_condition="has_error"))

    assert result.stop_reason == "crashed"
    assert result.error is not None
    assert (result.error.type, result.error.message) == (type_, message)


def test_a_rollout_that_was_cut_off_ended_by_its_length(tmp_path: Path) -> None:
    assert read(tmp_path, rollout(is_truncated=True, stop_condition=None))[0].stop_reason == "length"


def test_a_completion_that_is_neither_text_nor_messages_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="x, line 2: its completion is neither"):
        read(tmp_path, rollout(), rollout(completion=[1]))
