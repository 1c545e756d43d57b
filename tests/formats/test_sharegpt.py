"""ShareGPT: its dialects are read, and the Hermes form is written without hermes-agent's three faults."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from hermes_nb import codec, formats
from hermes_nb.exceptions import FormatError
from hermes_nb.formats import sharegpt
from hermes_nb.formats.base import Source, losses_between
from hermes_nb.records import AgentResult, Provenance, Reply, ToolCall, ToolResult, Turn
from tests.formats import made

HUMAN = {"from": "human", "value": "2 + 3?"}
CALLS = '<tool_call>\n{"name": "add", "arguments": {"a": 2, "b": 3}}\n</tool_call>'
ANSWER = '<tool_response>\n{"tool_call_id": "c7", "name": "add", "content": {"sum": 5}}\n</tool_response>'


def read(*rows: Any) -> list[AgentResult]:
    return formats.read(list(rows))


def turns(*entries: dict[str, Any], **more: Any) -> AgentResult:
    [result] = read({"conversations": list(entries), **more})
    return result


def written(tmp_path: Path, result: AgentResult) -> list[dict[str, str]]:
    """The turns that are in the file."""
    sharegpt.write(result, tmp_path / "out.jsonl")
    entries: list[dict[str, str]] = json.loads((tmp_path / "out.jsonl").read_text())["conversations"]
    return entries


def test_thoughts_calls_and_answers_stand_in_tags() -> None:
    result = turns(
        HUMAN,
        {"from": "gpt", "value": f"<think>\nadd them\n</think>\nLet me see.\n{CALLS}"},
        {"from": "tool", "value": ANSWER},
        {"from": "gpt", "value": "<think>\n</think>\n5"},
    )

    assert made.calls_of(result) == [("c7", "add", '{"a": 2, "b": 3}')]
    assert made.answers_of(result) == [("c7", '{"sum": 5}')]
    assert result.messages[1]["content"] == "Let me see."
    assert (result.reasoning_per_turn, result.final_text) == (["add them", None], "5")


def test_a_call_that_is_no_json_is_a_call_with_the_text_as_arguments() -> None:
    result = turns(HUMAN, {"from": "gpt", "value": "<tool_call>\n{'name': 'add', 'arguments': {'a': 1}}\n</tool_call>"})

    [call] = result.calls
    assert (call.name, call.arguments, call.parsed) == ("add", "{'name': 'add', 'arguments': {'a': 1}}", None)
    assert call.problem is not None


def test_one_broken_call_of_two_takes_nothing_from_the_other() -> None:
    result = turns(HUMAN, {"from": "gpt", "value": f"<tool_call>\n{{oops\n</tool_call>\n{CALLS}"})

    assert [(call.name, call.problem is None) for call in result.calls] == [("", False), ("add", True)]


def test_a_call_without_its_end_is_a_call() -> None:
    assert turns(HUMAN, {"from": "gpt", "value": CALLS.removesuffix("\n</tool_call>")}).calls[0].name == "add"


def test_function_calls_and_observations_are_calls_and_answers() -> None:
    result = turns(
        HUMAN,
        {"from": "function_call", "value": '{"name": "add", "arguments": {"a": 2}}'},
        {"from": "observation", "value": "5"},
        {"from": "gpt", "value": "It is 5."},
        tools=json.dumps([{"name": "add", "description": "Adds.", "parameters": {}}]),
        system="Be brief.",
    )

    assert [(one.call.name, one.call.parsed, one.content) for one in result.results] == [("add", {"a": 2}, "5")]
    assert result.messages[0] == {"role": "system", "content": "Be brief."}
    assert result.provenance is not None
    assert result.provenance.tools[0]["function"]["name"] == "add"


@pytest.mark.parametrize(
    ("human", "gpt"), [("user", "assistant"), ("human", "chatgpt"), ("User", "model"), ("human", "bing")]
)
def test_roles_go_by_many_names(human: str, gpt: str) -> None:
    result = turns({"from": human, "value": "hi"}, {"from": gpt, "value": "hello"})

    assert [message["role"] for message in result.messages] == ["user", "assistant"]


def test_a_turn_by_nobody_known_is_an_error_that_names_it() -> None:
    with pytest.raises(FormatError, match="item 1: turn 1 is by nobody known: 'narrator'"):
        turns(HUMAN, {"from": "narrator", "value": "..."})


def test_an_answer_without_an_id_goes_to_the_call_of_its_name() -> None:
    calls = "\n".join(CALLS.replace("add", name) for name in ("add", "mul"))
    answers = '<tool_response>\n{"name": "mul", "content": "6"}\n</tool_response>'
    result = turns(HUMAN, {"from": "gpt", "value": calls}, {"from": "tool", "value": answers})

    assert [(one.call.name, one.content) for one in result.results] == [("mul", "6")]


def test_another_prompt_that_offers_tools_stays_a_message() -> None:
    value = 'You call functions. <tools> [{"type": "function", "function": {"name": "add"}}] </tools> Be careful.'
    result = turns({"from": "system", "value": value}, HUMAN)

    assert result.messages[0] == {"role": "system", "content": value}
    assert result.provenance is not None
    assert result.provenance.tools == ({"type": "function", "function": {"name": "add"}},)


def test_scratchpads_are_thoughts() -> None:
    value = "<REASONING_SCRATCHPAD>\nhm\n</REASONING_SCRATCHPAD>\n5"

    assert turns(HUMAN, {"from": "gpt", "value": value}).reasoning_per_turn == ["hm"]


def test_a_trajectory_that_was_not_completed_was_interrupted() -> None:
    gpt = {"from": "gpt", "value": "<think>\n</think>\n5"}
    done, failed = read(
        {"conversations": [HUMAN, gpt], "timestamp": "2026-03-30T14:22:31", "model": "m", "completed": True},
        {"conversations": [HUMAN, gpt], "timestamp": "2026-03-30T14:22:31", "model": "m", "completed": False},
    )

    assert (done.stop_reason, failed.stop_reason) == ("finished", "interrupted")
    assert done.provenance is not None
    assert (done.provenance.server, done.provenance.started_at) == ({"model": "m"}, "2026-03-30T14:22:31")


def test_a_batch_line_names_its_task_and_keeps_its_counts() -> None:
    stats = {"add": {"count": 1, "success": 0, "failure": 1}, "web": {"count": 0, "success": 0, "failure": 0}}
    failed = ANSWER.replace('{"sum": 5}', '{"error": "overflow"}')
    result = turns(
        HUMAN, {"from": "gpt", "value": CALLS}, {"from": "tool", "value": failed},
        prompt_index=42, metadata={"batch_num": 2, "model": "m"}, completed=False, partial=True, api_calls=2,
        toolsets_used=["math"], tool_stats=stats, tool_error_counts={"add": 1, "web": 0},
    )  # fmt: skip

    assert (result.task, result.meta["tool_stats"], result.meta["partial"]) == ("42", stats, True)
    assert result.meta["toolsets_used"] == ["math"]
    assert [(error.tool_name, error.error, error.kind) for error in result.tool_errors] == [
        ("add", "overflow", "reported")
    ]


def run(*messages: dict[str, Any], tools: Any = ()) -> AgentResult:
    """A run of one's own."""
    started_at = "2026-01-01T00:00:00Z"
    return AgentResult(
        messages=list(messages), turns=_turns(messages), stop_reason="finished",
        provenance=Provenance(started_at=started_at, server={"model": "m"}, sampling={}, tools=tuple(tools)),
    )  # fmt: skip


def _turns(messages: Any) -> tuple[Turn, ...]:
    found: list[Turn] = []
    for message in messages:
        if message["role"] == "assistant":
            calls = tuple(
                ToolCall(
                    name=one["function"]["name"], arguments=one["function"]["arguments"], id=one["id"], index=index
                )
                for index, one in enumerate(message.get("tool_calls", ()))
            )
            answers = {one["tool_call_id"]: one["content"] for one in messages if one["role"] == "tool"}
            results = tuple(ToolResult(call=call, content=answers[call.id]) for call in calls if call.id in answers)
            found.append(Turn(number=len(found) + 1, reply=Reply(message=message, calls=calls), results=results))
    return tuple(found)


def asks(*calls: tuple[str, str, str], **more: Any) -> dict[str, Any]:
    entries = [{"id": id_, "type": "function", "function": {"name": n, "arguments": a}} for id_, n, a in calls]
    return {"role": "assistant", "content": "", "tool_calls": entries, **more}


def test_it_is_written_as_hermes_agent_writes_it(tmp_path: Path) -> None:
    result = run(
        {"role": "user", "content": "2 + 3?"},
        asks(("c7", "add", '{"a": 2, "b": 3}')),
        {"role": "tool", "tool_call_id": "c7", "content": '{"sum": 5}'},
        {"role": "assistant", "content": "5"},
        tools=made.TOOLS[:1],
    )

    system, *entries = written(tmp_path, result)
    assert entries == [
        HUMAN,
        {"from": "gpt", "value": f"<think>\n</think>\n{CALLS}"},
        {"from": "tool", "value": ANSWER},
        {"from": "gpt", "value": "<think>\n</think>\n5"},
    ]
    assert (
        '<tools>\n[{"name": "add", "description": "Does add.", "parameters": {"type": "object", "properties": {}}, '
        '"required": null}]\n</tools>\nFor each function call return a JSON object' in system["value"]
    )
    line = json.loads((tmp_path / "out.jsonl").read_text())
    assert {key: value for key, value in line.items() if key != "conversations"} == {
        "timestamp": "2026-01-01T00:00:00Z", "model": "m", "completed": True,
    }  # fmt: skip


def test_a_leading_system_message_neither_hides_nor_doubles_the_users(tmp_path: Path) -> None:
    entries = written(tmp_path, run({"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}))

    assert entries == [{"from": "system", "value": "Be brief."}, {"from": "human", "value": "hi"}]


def test_a_system_message_and_tools_are_both_there_and_read_back(tmp_path: Path) -> None:
    system = {"role": "system", "content": "Be brief."}
    result = run(system, {"role": "user", "content": "hi"}, tools=made.TOOLS)
    sharegpt.write(result, tmp_path / "out.jsonl")

    [again] = formats.read(tmp_path / "out.jsonl")
    assert again.messages == result.messages
    assert again.provenance is not None
    assert list(again.provenance.tools) == made.TOOLS


def test_answers_out_of_order_have_the_names_of_their_own_calls(tmp_path: Path) -> None:
    result = run(
        {"role": "user", "content": "?"},
        asks(("c1", "add", "{}"), ("c2", "mul", "{}")),
        {"role": "tool", "tool_call_id": "c2", "content": "6"},
        {"role": "tool", "tool_call_id": "c1", "content": "5"},
    )

    blocks = written(tmp_path, result)[-1]["value"].split("\n")[1::3]
    assert [(one["tool_call_id"], one["name"]) for one in map(json.loads, blocks)] == [("c2", "mul"), ("c1", "add")]


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_reasoning_is_written_from_whichever_field_has_it(tmp_path: Path, field: str) -> None:
    entries = written(
        tmp_path, run({"role": "user", "content": "?"}, {"role": "assistant", "content": "5", field: "hm"})
    )

    assert entries[-1]["value"] == "<think>\nhm\n</think>\n5"


def test_arguments_that_are_no_json_are_kept(tmp_path: Path) -> None:
    result = run({"role": "user", "content": "?"}, asks(("c1", "add", '{"a": ')))
    value = written(tmp_path, result)[-1]["value"]

    assert json.loads(value.split("\n")[-2]) == {"name": "add", "arguments": '{"a": '}
    assert formats.read(tmp_path / "out.jsonl")[0].calls[0].arguments == '{"a": '


def test_text_that_holds_a_tag_is_reported_where_it_does_not_read_back(tmp_path: Path) -> None:
    plain = run({"role": "user", "content": "?"}, {"role": "assistant", "content": "5"})
    tagged = run({"role": "user", "content": "?"}, {"role": "assistant", "content": "say <tool_call>{}</tool_call>"})

    assert sharegpt.write(plain, tmp_path / "one.jsonl").lossless
    assert "message 1 content" in sharegpt.write(tagged, tmp_path / "two.jsonl").counts()


@given(made.results())
def test_whatever_is_not_reported_reads_back_to_the_letter(result: AgentResult) -> None:
    row = codec.loads(codec.dumps(sharegpt.row_of(result)))
    [again] = sharegpt.read(Source(None, rows=[row]))
    lost = {loss.what for loss in losses_between(result, again, "")}

    if not any("message" in what for what in lost):
        assert again.messages == result.messages
        assert made.calls_of(again) == made.calls_of(result)
        assert made.answers_of(again) == made.answers_of(result)
    assert len(again.messages) == len(result.messages)
    assert [name for _, name, _ in made.calls_of(again)] == [name for _, name, _ in made.calls_of(result)]
    assert sorted(text for _, text in made.answers_of(again)) == sorted(text for _, text in made.answers_of(result))
