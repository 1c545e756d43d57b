"""tau2-bench's results: two parties with tools, rewards, costs and times."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hermes_nb import formats
from hermes_nb.exceptions import FormatError
from hermes_nb.records import AgentResult, Usage

GREETING = {"role": "assistant", "content": "Hi! How can I help you today?", "cost": 0.0, "usage": None,
            "raw_data": None, "timestamp": "2026-05-01T10:00:00"}  # fmt: skip
ASKS = {"role": "user", "content": "Make a task.", "cost": 0.5, "timestamp": "2026-05-01T10:00:02",
        "usage": {"prompt_tokens": 100, "completion_tokens": 10}}  # fmt: skip
BODY = {
    "id": "chatcmpl-1", "model": "m-2025", "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10},
    "choices": [{"finish_reason": "tool_calls", "message": {"content": None, "reasoning_content": "A call, then."}}],
}  # fmt: skip
CALLS = {
    "role": "assistant", "content": None, "cost": 0.25, "timestamp": "2026-05-01T10:00:05",
    "generation_time_seconds": 2.0, "usage": {"prompt_tokens": 7, "completion_tokens": 3}, "raw_data": BODY,
    "tool_calls": [{"id": "c1", "name": "create", "arguments": {"title": "Ä"}, "requestor": "assistant"}],
}  # fmt: skip
USER_CALLS = {"role": "user", "content": None, "timestamp": "2026-05-01T10:00:07",
              "tool_calls": [{"id": "u1", "name": "look", "arguments": {}, "requestor": "user"}]}  # fmt: skip
VERDICT = {"reward": 1.0, "reward_breakdown": {"DB": 1.0, "COMMUNICATE": 0.0}, "reward_basis": ["DB", "COMMUNICATE"]}
INFO = {
    "git_commit": "abc", "num_trials": 2, "max_steps": 9, "seed": 300, "user_info": {"llm": "user-model"},
    "agent_info": {"llm": "agent-model", "llm_args": {"temperature": 0.0}},
    "environment_info": {"domain_name": "mock", "policy": "Be kind.", "tool_defs": {
        "create": {"name": "create", "doc": "Makes one.", "params": {"type": "object"}, "returns": {}}}},
}  # fmt: skip


def answer(id_: str, content: str, *, error: bool = False, who: str = "assistant", at: str = "06") -> dict[str, Any]:
    return {"id": id_, "role": "tool", "content": content, "requestor": who, "error": error,
            "timestamp": f"2026-05-01T10:00:{at}"}  # fmt: skip


def simulation(*messages: dict[str, Any], **known: Any) -> dict[str, Any]:
    given = {"id": "s1", "task_id": "t1", "trial": 1, "start_time": "2026-05-01T10:00:00", "duration": 9.5,
             "termination_reason": "user_stop", "reward_info": VERDICT, "seed": 5, "review": None}  # fmt: skip
    return {**given, "messages": list(messages), **known}


def read(tmp_path: Path, *simulations: dict[str, Any]) -> list[AgentResult]:
    results = {"timestamp": "x", "info": INFO, "tasks": [{"id": "t1", "ticket": "..."}], "simulations": simulations}
    (tmp_path / "x").write_text(json.dumps(results, indent=1))
    return formats.read(tmp_path / "x")


def test_a_simulation_has_its_task_trial_rewards_and_ending(tmp_path: Path) -> None:
    [result] = read(tmp_path, simulation(GREETING, ASKS, CALLS, answer("c1", "{}")))

    assert (result.task, result.attempt, result.seconds, result.stop_reason) == ("t1", 1, 9.5, "stopped")
    assert result.scores == {"reward": 1.0, "DB": 1.0, "COMMUNICATE": 0.0}
    assert (result.meta["place"], result.meta["domain"], result.meta["seed"]) == ("simulation 1", "mock", 5)
    assert result.meta["task"] == {"id": "t1", "ticket": "..."}
    assert "review" not in result.meta


def test_the_agent_s_model_tools_and_sampling_are_known(tmp_path: Path) -> None:
    [result] = read(tmp_path, simulation(GREETING, ASKS, CALLS))

    assert result.provenance is not None
    assert result.provenance.server == {"model": "agent-model"}
    assert (result.provenance.sampling, result.provenance.versions) == ({"temperature": 0.0}, {"tau2": "abc"})
    assert result.provenance.started_at == "2026-05-01T10:00:00"
    assert [tool["function"] for tool in result.provenance.tools] == [
        {"name": "create", "description": "Makes one.", "parameters": {"type": "object"}}
    ]


def test_a_turn_has_the_usage_the_times_and_the_body_of_the_message(tmp_path: Path) -> None:
    [result] = read(tmp_path, simulation(GREETING, ASKS, CALLS, answer("c1", "{}")))

    [turn] = result.turns
    assert turn.reply is not None
    assert (turn.at, turn.model_seconds, turn.tool_seconds, turn.seconds) == (3.0, 2.0, 1.0, 3.0)
    assert turn.reply.usage == Usage(prompt=7, completion=3, total=10, cost=0.25)
    assert (turn.reply.model, turn.reply.id, turn.reply.finish_reason) == ("m-2025", "chatcmpl-1", "tool_calls")
    assert (turn.reply.reasoning, turn.reply.raw) == ("A call, then.", BODY)
    assert (turn.results[0].started, turn.results[0].seconds) == (5.0, 1.0)


def test_the_greeting_is_a_message_and_no_turn(tmp_path: Path) -> None:
    [result] = read(tmp_path, simulation(GREETING, ASKS, CALLS))

    assert (len(result.messages), result.turns_used, result.turns[0].number) == (3, 1, 1)


def test_an_agent_that_begins_alone_has_a_first_turn(tmp_path: Path) -> None:
    [result] = read(tmp_path, simulation(CALLS, answer("c1", "{}")))

    assert result.turns_used == 1


def test_calls_are_in_openai_s_form_with_arguments_as_json_text(tmp_path: Path) -> None:
    [result] = read(tmp_path, simulation(GREETING, ASKS, CALLS, answer("c1", "made")))

    function = {"name": "create", "arguments": '{"title":"Ä"}'}
    assert result.messages[2]["tool_calls"] == [{"id": "c1", "type": "function", "function": function}]
    assert result.messages[3] == {"role": "tool", "content": "made", "tool_call_id": "c1"}
    assert [(one.call.parsed, one.content) for one in result.results] == [({"title": "Ä"}, "made")]


def test_the_user_s_calls_are_calls_and_its_tokens_are_told_apart(tmp_path: Path) -> None:
    replies = (USER_CALLS, answer("u1", "blinks", who="user", at="08"))
    [result] = read(tmp_path, simulation(GREETING, ASKS, CALLS, answer("c1", "{}"), *replies))

    assert [(one.call.name, one.content) for one in result.results] == [("create", "{}"), ("look", "blinks")]
    assert [turn.reply.message["role"] for turn in result.turns if turn.reply] == ["assistant", "user"]
    assert result.usage == Usage(prompt=7, completion=3, total=10, cost=0.25)
    assert result.meta["user_usage"] == {"prompt": 100, "completion": 10, "cost": 0.5}


@pytest.mark.parametrize(
    ("content", "kind", "error"),
    [
        ("Error: User not found", "exception", "User not found"),
        ("Error: Tool 'fly' not found.", "unknown_tool", "Tool 'fly' not found."),
        ("Error: T.create() missing 1 required positional argument: 'title'", "bad_arguments",
         "T.create() missing 1 required positional argument: 'title'"),
        (None, "exception", "the tool failed, and does not say why"),
    ],
)  # fmt: skip
def test_an_answer_marked_as_an_error_is_one(tmp_path: Path, content: Any, kind: str, error: str) -> None:
    [result] = read(tmp_path, simulation(ASKS, CALLS, answer("c1", content, error=True)))

    assert [(one.kind, one.error) for one in result.tool_errors] == [(kind, error)]


def test_an_answer_that_is_not_marked_is_no_error_whatever_it_says(tmp_path: Path) -> None:
    [result] = read(tmp_path, simulation(ASKS, CALLS, answer("c1", "Error: this is the log you asked for")))

    assert result.tool_errors == []


@pytest.mark.parametrize(
    ("reason", "stop", "type_"),
    [
        ("agent_stop", "finished", None), ("max_steps", "max_turns", None), ("timeout", "max_seconds", None),
        ("too_many_errors", "too_many_errors", None), ("infrastructure_error", "server_error", "APIError"),
        ("agent_error", "crashed", "APIError"), ("context_window_exceeded", "context_overflow", "APIError"),
    ],
)  # fmt: skip
def test_the_reason_of_termination_is_how_it_ended(tmp_path: Path, reason: str, stop: str, type_: str | None) -> None:
    told = {"error": "gone", "error_type": "APIError"}
    [result] = read(tmp_path, simulation(GREETING, ASKS, termination_reason=reason, info=told))

    assert (result.stop_reason, result.error.type if result.error else None) == (stop, type_)


def test_a_simulation_without_a_verdict_has_no_scores(tmp_path: Path) -> None:
    assert read(tmp_path, simulation(GREETING, ASKS, reward_info=None))[0].scores == {}


def test_a_spoken_conversation_is_read_of_its_ticks(tmp_path: Path) -> None:
    ticks = [
        {"timestamp": "2026-05-01T10:00:01", "agent_chunk": None, "user_chunk": ASKS, "agent_tool_calls": []},
        {"timestamp": "2026-05-01T10:00:05", "agent_chunk": None, "agent_tool_calls": CALLS["tool_calls"],
         "agent_tool_results": [answer("c1", "{}")]},
    ]  # fmt: skip
    [result] = read(tmp_path, simulation(messages=None, ticks=ticks))

    assert [message["role"] for message in result.messages] == ["user", "assistant", "tool"]
    assert len(result.results) == 1


def test_several_answers_in_one_message_are_one_each(tmp_path: Path) -> None:
    both = {"role": "tool", "tool_messages": [answer("c1", "1"), answer("c2", "2")]}
    calls = {**CALLS, "tool_calls": [{"id": id_, "name": "create", "arguments": {}} for id_ in ("c1", "c2")]}

    assert [one.content for one in read(tmp_path, simulation(ASKS, calls, both))[0].results] == ["1", "2"]


def test_a_simulation_alone_is_a_file_of_the_folder_form(tmp_path: Path) -> None:
    (tmp_path / "s").write_text(json.dumps(simulation(GREETING, ASKS)))

    [result] = formats.read(tmp_path / "s")
    assert (result.task, result.provenance and result.provenance.server) == ("t1", {})


@pytest.mark.parametrize(
    ("broken", "match"),
    [
        ({"task_id": "t1"}, "x, simulation 2: no simulation"),
        (simulation({"content": "nobody"}), "x, simulation 2: message 0 is no object with a role"),
    ],
)
def test_a_damaged_simulation_is_an_error_that_names_it(tmp_path: Path, broken: Any, match: str) -> None:
    with pytest.raises(FormatError, match=match):
        read(tmp_path, simulation(ASKS), broken)
