"""ToolBench's answers: the chain that was settled on, the tree around it, and errors as the environment tells them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hermes_nb import formats
from hermes_nb.exceptions import FormatError
from hermes_nb.records import AgentResult, Usage

SCHEMA = {"name": "track", "description": "Tracks.", "parameters": {"type": "object", "properties": {}, "optional": []}}


def node(kind: str, described: str, *children: Any, observed: str | None = None) -> dict[str, Any]:
    told = {} if observed is None else {"observation": observed}
    return {"node_type": kind, "description": described, "children": list(children), **told}


def call(name: str, arguments: str, *after: Any, observed: str = '{"error": "", "response": "ok"}') -> dict[str, Any]:
    return node("Action", name, node("Action Input", arguments, *after, observed=observed))


def said(name: str, arguments: str) -> dict[str, Any]:
    return {"role": "assistant", "content": None, "function_call": {"name": name, "arguments": arguments}}


def answered(name: str, content: str) -> dict[str, Any]:
    return {"role": "function", "name": name, "content": content}


TREE = node(
    "Action Input", "",
    call("track", '{"id": 1}', call("Finish", '{"return_type": "give_up_and_restart"}', observed='{"response":"x"}')),
    node("Thought", "Again.", call("track", '{"id": 2}', call("Finish", '{"return_type": "give_answer"}'))),
)  # fmt: skip
CHAIN = [
    {"role": "system", "content": "You are AutoGPT."}, {"role": "user", "content": "Where?"},
    said("track", '{"id": 2}'), answered("track", '{"error": "", "response": "ok"}'),
    said("Finish", '{"return_type": "give_answer"}'),
]  # fmt: skip


def read(tmp_path: Path, *, win: bool = True, tree: Any = TREE, train: Any = None, **known: Any) -> AgentResult:
    trained = [CHAIN[:3], CHAIN] if train is None else train
    generated = {
        "query": "Where?", "query_count": 4, "total_tokens": 2916, "function": [SCHEMA], "finish_type": "give_answer",
        "final_answer": '{"return_type": "give_answer"}', "train_messages": trained, **known,
    }  # fmt: skip
    row = {"win": win, "tree": {"size": 9, "tree": tree}, "forward_args": {}, "answer_generation": generated}
    (tmp_path / "x").write_text(json.dumps(row, indent=2))
    [result] = formats.read(tmp_path / "x")
    return result


def test_the_last_chain_is_the_conversation(tmp_path: Path) -> None:
    result = read(tmp_path)

    assert [message["role"] for message in result.messages] == ["system", "user", "assistant", "tool", "assistant"]
    assert [(call.name, call.arguments) for call in result.calls] == [
        ("track", '{"id": 2}'),
        ("Finish", '{"return_type": "give_answer"}'),
    ]
    assert [(one.call.name, one.content) for one in result.results] == [("track", '{"error": "", "response": "ok"}')]
    assert (result.scores, result.stop_reason, result.usage) == ({"win": 1.0}, "finished", Usage(total=2916))


def test_schemas_of_the_older_form_are_tools(tmp_path: Path) -> None:
    result = read(tmp_path)

    assert result.provenance is not None
    assert result.provenance.tools == ({"type": "function", "function": SCHEMA},)


def test_calls_of_other_paths_are_told_apart(tmp_path: Path) -> None:
    [other] = read(tmp_path).meta["other_paths"]

    assert [(one["name"], one["arguments"]) for one in other] == [
        ("track", '{"id": 1}'),
        ("Finish", '{"return_type": "give_up_and_restart"}'),
    ]


def test_without_a_chain_the_last_path_of_the_tree_is_the_conversation(tmp_path: Path) -> None:
    result = read(tmp_path, train=[])

    assert [message["role"] for message in result.messages] == ["user", "assistant", "tool", "assistant", "tool"]
    assert result.messages[1]["content"] == "Again."
    assert [(one.call.name, one.call.parsed) for one in result.results] == [
        ("track", {"id": 2}),
        ("Finish", {"return_type": "give_answer"}),
    ]


def test_a_chain_that_was_tried_is_read_where_there_is_no_tree(tmp_path: Path) -> None:
    chain = [node("Thought", "Hm."), node("Action", "track"), node("Action Input", "{}", observed="seen"),
             node("Thought", "So.")]  # fmt: skip
    row = {"win": False, "trys": [{"chain": chain}], "answer_generation": {"query": "Where?", "train_messages": []}}
    (tmp_path / "x").write_text(json.dumps(row))

    [result] = formats.read(tmp_path / "x")
    assert ([one.content for one in result.results], result.final_text, result.scores) == (
        ["seen"],
        "So.",
        {"win": 0.0},
    )


@pytest.mark.parametrize(
    ("content", "kind", "error"),
    [
        ('{"error": "API not working", "response": ""}', "reported", "API not working"),
        ('{"error": "No such function name: fly", "response": ""}', "unknown_tool", "No such function name: fly"),
        ('{"error": "Timeout error...", "response": ""}', "timeout", "Timeout error..."),
        ('{"error": "Broken pipe", "response": "' + "x" * 50 + "...", "reported", "Broken pipe"),
    ],
)
def test_an_error_in_an_answer_is_one(tmp_path: Path, content: str, kind: str, error: str) -> None:
    result = read(tmp_path, train=[[*CHAIN[:3], answered("track", content)]])

    assert [(one.kind, one.error) for one in result.tool_errors] == [(kind, error)]


@pytest.mark.parametrize("content", ['{"error": "", "response": "an error"}', "{'error': 'not JSON'}", ""])
def test_an_empty_error_is_none(tmp_path: Path, content: str) -> None:
    assert read(tmp_path, train=[[*CHAIN[:3], answered("track", content)]]).tool_errors == []


def test_a_call_of_a_function_that_there_is_not_has_the_name_the_model_wrote(tmp_path: Path) -> None:
    made_up = "invalid_hallucination_function_name"
    told = '{"error": "No such function name: fly", "response": ""}'
    tree = node("Action Input", "", call("fly", "{}", call("track", "{}"), observed=told))
    chain = [*CHAIN[:2], said(made_up, "{}"), answered(made_up, told), said("track", "{}")]
    result = read(tmp_path, tree=tree, train=[chain])

    assert [one.name for one in result.calls] == ["fly", "track"]
    assert [(one.tool_name, one.kind, one.fault) for one in result.tool_errors] == [("fly", "unknown_tool", "model")]
    assert "other_paths" not in result.meta


def test_a_search_without_an_answer_had_no_steps_left(tmp_path: Path) -> None:
    result = read(tmp_path, win=False, train=[], valid_data=False, final_answer="")

    assert (result.stop_reason, result.scores) == ("max_turns", {"win": 0.0})


def test_one_that_gave_up_is_stopped_and_lost(tmp_path: Path) -> None:
    result = read(tmp_path, win=False, finish_type="give_up")

    assert (result.stop_reason, result.scores) == ("stopped", {"win": 0.0})


def test_a_row_that_is_no_answer_is_an_error_that_names_it(tmp_path: Path) -> None:
    good = {"win": True, "answer_generation": {"train_messages": [CHAIN]}}
    (tmp_path / "x").write_text(json.dumps(good) + "\n" + json.dumps({"win": True}) + "\n")

    with pytest.raises(FormatError, match="x, line 2: no answer"):
        formats.read(tmp_path / "x")
