"""What the tables promise: columns, dtypes, keys, and what came after a call."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import hermes_nb as hn
from hermes_nb import frames
from hermes_nb.exceptions import ConfigurationError
from hermes_nb.messages import tool, user
from hermes_nb.records import (
    AgentResult,
    Origin,
    Provenance,
    Reply,
    RunError,
    ToolCall,
    ToolError,
    ToolResult,
    Turn,
    Usage,
)
from hermes_nb.servers.scripted import call

NAMES = ("runs", "turns", "messages", "calls", "errors", "tokens")
TABLES = [getattr(frames, name) for name in NAMES]


def add(a: int, b: int) -> int:
    """Add two whole numbers."""
    return a + b


def boom() -> str:
    """Fail."""
    raise RuntimeError("it broke")


def read(path: str = "x") -> str:
    """Read."""
    return path


async def ran(*script: Any, tools: Any = (add, boom, read), **how: Any) -> AgentResult:
    return await hn.HermesAgentLoop(hn.ScriptedServer(list(script)), tools=list(tools)).run("?", **how)


def made(*steps: tuple[list[tuple[str, str, str | None]], str]) -> AgentResult:
    """A result of turns, each its calls (tool, arguments, kind of error) and its text."""
    turns = []
    for number, (asked, text) in enumerate(steps, 1):
        calls = tuple(
            ToolCall(name=name, arguments=arguments, id=f"c{number}{index}", turn=number, index=index)
            for index, (name, arguments, _) in enumerate(asked)
        )
        results = tuple(
            ToolResult(
                call=one, content="", error=kind and ToolError(number, one.name, one.arguments, "", "", kind=kind)
            )  # type: ignore[arg-type]
            for one, (_, _, kind) in zip(calls, asked, strict=True)
        )
        turns.append(
            Turn(
                number=number,
                reply=Reply(message={"role": "assistant", "content": text}, text=text, calls=calls),
                results=results,
            )
        )
    return AgentResult(messages=[], run_id="r", turns=tuple(turns))


def facts(result: AgentResult, *columns: str) -> list[tuple[Any, ...]]:
    table = frames.calls(result)[list(columns)].astype(object)
    return [tuple(None if pd.isna(value) else value for value in row) for row in table.itertuples(index=False)]


# Columns


@pytest.mark.parametrize("name", NAMES)
def test_F60_every_declared_column_is_there_without_a_row(name: str) -> None:
    table = getattr(frames, name)([])
    declared = frames.columns(name)

    assert list(table.columns) == list(declared["name"])
    assert [str(dtype) for dtype in table.dtypes] == list(declared["dtype"])
    assert len(table) == 0


async def test_F60_dtypes_and_order_are_the_same_whatever_is_in_the_table(tmp_path: Path) -> None:
    sources = [
        AgentResult(messages=[]),
        AgentResult(messages=[], run_id="e", stop_reason="server_error", error=RunError(type="X", message="m")),
        await ran([call("add", a=1, b=2), call("boom")], "3"),
    ]
    for table, name in zip(TABLES, NAMES, strict=True):
        declared = frames.columns(name)
        for source in (*sources, sources):
            head = table(source)[list(declared["name"])]
            assert [str(dtype) for dtype in head.dtypes] == list(declared["dtype"])


def test_F60_usage_that_is_not_known_is_NA_and_never_0() -> None:
    one = AgentResult(messages=[], run_id="a", usage=Usage(prompt=5, cost=0.0))
    table = frames.runs([one, AgentResult(messages=[], run_id="b")])

    assert table["prompt_tokens"].tolist() == [5, pd.NA]
    assert table["completion_tokens"].isna().all()
    assert table["cost"].tolist() == [0.0, pd.NA]
    assert table["seconds"].isna().all(), "nobody measured"
    assert table["final_text"].isna().all()
    assert not table.astype(object).isin(["None"]).to_numpy().any()


def test_a_time_of_zero_that_was_measured_is_zero() -> None:
    measured = Provenance(started_at="2026-01-01T00:00:00+00:00", server={}, sampling={})
    one = AgentResult(messages=[], provenance=measured)
    table = frames.runs([one, replace(one, origin=Origin(kind="import"))])

    assert table["seconds"].tolist() == [0.0, pd.NA]
    assert table["started_at"][0] == pd.Timestamp("2026-01-01", tz="UTC")


def test_F60_a_hundred_thousand_rows_are_a_table() -> None:
    said = [user(str(number)) for number in range(1000)]
    table = frames.messages(AgentResult(messages=said, run_id=str(run)) for run in range(100))

    assert len(table) == 100_000
    assert table["content"].iloc[-1] == "999"
    assert table.groupby("run_id").size().eq(1000).all()


def test_a_table_that_is_not_declared_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="there is no table 'call'"):
        frames.columns("call")
    assert set(frames.columns()["table"]) == set(NAMES)
    assert (frames.columns()["meaning"] != "").all()


# Keys


async def test_F61_keys_join_and_are_unique_over_concatenated_runs() -> None:
    script = [[call("add", a=1, b=2), call("boom")], [call("boom")], "3"]
    results = [
        await ran(*script),
        await ran(*script),
        AgentResult(messages=[user("a")]),
        AgentResult(messages=[user("a")]),
    ]
    runs, turns, calls, errors = (table(results) for table in (frames.runs, frames.turns, frames.calls, frames.errors))

    assert runs["run_id"].is_unique
    assert len(runs) == 4
    assert not turns.duplicated(["run_id", "turn"]).any()
    assert not calls.duplicated(["run_id", "turn", "call_index"]).any()
    joined = errors.merge(calls, on=["run_id", "turn", "call_index"], how="left", suffixes=("", "_of_call"))
    assert joined["kind_of_call"].tolist() == errors["kind"].tolist() == ["exception"] * 4
    assert (
        calls.merge(turns, on=["run_id", "turn"], validate="m:1").merge(runs, on="run_id", validate="m:1").shape[0] == 6
    )


def test_a_result_without_an_id_has_the_same_key_every_time() -> None:
    one, other = AgentResult(messages=[user("a")]), AgentResult(messages=[user("b")])
    keys = frames.runs([one, other, one])["run_id"].tolist()

    assert keys == frames.messages([one, other, one])["run_id"].tolist()
    assert keys[0] != keys[1]
    assert keys[2] == f"{keys[0]}~2"
    assert frames.runs([AgentResult(messages=[user("a")])])["run_id"].tolist() == keys[:1]


def test_F61_different_tools_and_arguments_make_no_columns() -> None:
    one = made(([("add", '{"a": 1}', None)], ""))
    other = replace(made(([("read", '{"path": "x", "deep": {"k": [1]}}', None)], "")), run_id="s")
    both = frames.calls([one, other])

    assert list(both.columns) == list(frames.columns("calls")["name"])
    pd.testing.assert_frame_equal(both, pd.concat([frames.calls(one), frames.calls(other)], ignore_index=True))
    assert both["parsed"].tolist() == ['{"a":1}', '{"deep":{"k":[1]},"path":"x"}']


# Runs that grow from others


async def test_F61_a_message_that_a_follow_up_begins_with_is_counted_once() -> None:
    loop = hn.HermesAgentLoop(hn.ScriptedServer([[call("add", a=1, b=2)], "3", "6", "12"]), tools=[add])
    first = await loop.run("1 + 2?")
    second = await loop.run("And doubled?", after=first)
    third = await loop.run("Again?", after=second)
    table = frames.messages([first, second, third])

    assert table["content"].tolist() == [one.get("content") for one in third.messages]
    assert table["position"].tolist() == list(range(len(third.messages)))
    assert not table["inherited"].any()
    assert frames.messages(second)["content"].tolist() == ["And doubled?", "6"], "whichever others are there"
    whole = frames.messages(second, inherited=True)
    assert whole["content"].tolist() == [one.get("content") for one in second.messages]
    assert whole["inherited"].tolist() == [True] * len(first.messages) + [False] * 2
    assert whole["turn"].tolist() == [0] * (len(first.messages) + 1) + [1]
    origin = frames.runs(second).iloc[0]
    assert (origin["origin_kind"], origin["origin_run_id"], origin["origin_turn"]) == ("follow_up", first.run_id, 2)


async def test_F61_a_run_that_failed_at_once_and_was_resumed_counts_its_messages_once() -> None:
    def server(*script: Any) -> hn.HermesAgentLoop:
        return hn.HermesAgentLoop(hn.ScriptedServer(list(script)), tools=[add], system="Be brief.")

    first = await server().run("1 + 2?")
    assert [one["role"] for one in first.messages] == ["system", "user"]
    second = await server("3").resume(first)

    assert frames.messages([first, second])["content"].tolist() == ["Be brief.", "1 + 2?", "3"]


def test_what_is_inherited_is_guessed_where_the_origin_does_not_say() -> None:
    said = [user("a"), {"role": "assistant", "content": "b"}, user("c")]
    grown = AgentResult(messages=said, origin=Origin(kind="fork", run_id="q"))

    assert frames.messages(grown)["content"].tolist() == ["c"]
    assert len(frames.messages(replace(grown, origin=Origin(kind="import")))) == 3


# What came next


@pytest.mark.parametrize(
    ("then", "told"),
    [
        (([("add", '{"b":2, "a":1}', None)], ""), "retried_same"),
        (([("read", "{}", None), ("add", '{"a": 9}', None)], ""), "changed_arguments"),
        (([("read", "{}", None)], ""), "changed_tool"),
        (([], "It is 3."), "answered"),
        (([], ""), "ended"),
        (None, "ended"),
    ],
)
def test_next_action_is_what_the_next_reply_did(then: Any, told: str) -> None:
    first: Any = ([("add", '{"a": 1, "b": 2}', "exception")], "")
    result = made(first, then) if then else made(first)

    assert facts(result, "next_action")[0] == (told,)


def test_a_broken_argument_is_compared_as_text() -> None:
    result = made(([("add", '{"a"', "bad_json")], ""), ([("add", '{"a"', "bad_json")], ""), ([("add", "{}", None)], ""))

    assert facts(result, "next_action") == [("retried_same",), ("changed_arguments",), ("ended",)]


def test_a_next_turn_that_failed_or_was_cut_off_is_an_end() -> None:
    result = made(([("add", "{}", None)], ""), ([], "It"))
    cut = replace(result.turns[1].reply, partial=True)  # type: ignore[type-var]
    for reply in (None, cut):
        turns = (result.turns[0], replace(result.turns[1], reply=reply))
        assert facts(replace(result, turns=turns), "next_action") == [("ended",)]


def test_recovery_is_a_later_answer_of_the_same_tool() -> None:
    result = made(
        (
            [
                ("add", "{}", "exception"),
                ("add", "{}", None),
                ("boom", "{}", "exception"),
                ("nope", "{}", "unknown_tool"),
            ],
            "",
        ),
        ([("add", "{}", "timeout")], ""),
        ([("read", "{}", None), ("add", "{}", None)], ""),
    )

    assert facts(result, "name", "recovered", "turns_to_recover") == [
        ("add", True, 2), ("add", None, None), ("boom", False, None), ("nope", True, 2),
        ("add", True, 1),
        ("read", None, None), ("add", None, None),
    ]  # fmt: skip


# What is in the rows


async def test_a_call_has_what_it_was_asked_what_came_of_it_and_what_the_model_saw() -> None:
    result = await ran([call("add", a=1, b=2), call("boom")], "3")
    good, bad = (row for _, row in frames.calls(result).iterrows())

    assert (good["status"], good["content"], good["bytes"], good["bytes_before_cut"]) == ("ok", "3", 1, 1)
    assert pd.isna(good["kind"])
    assert (bad["status"], bad["kind"], bad["fault"], bad["exception_type"]) == ("exception",) * 2 + (
        "tool",
        "RuntimeError",
    )
    assert "it broke" in bad["traceback"]
    assert bad["content"] == result.results[1].content
    assert frames.errors(result)["tool_result"].tolist() == [result.tool_errors[0].tool_result]


def test_a_call_that_nobody_answered_has_a_row_without_an_answer() -> None:
    result = made(([("add", "{}", None)], ""))
    result = replace(result, turns=(replace(result.turns[0], results=()),))

    assert facts(result, "name", "status", "content", "bytes") == [("add", None, None, None)]


async def test_messages_say_of_which_turn_and_call_they_are() -> None:
    result = await ran([call("add", a=1, b=2), call("read")], "3")
    table = frames.messages(result)[["role", "turn", "call_index", "name", "calls"]].astype(object)

    assert [tuple(None if pd.isna(one) else one for one in row) for row in table.itertuples(index=False)] == [
        ("user", 0, None, None, 0), ("assistant", 1, None, None, 2),
        ("tool", 1, 0, "add", 0), ("tool", 1, 1, "read", 0),
        ("assistant", 2, None, None, 0),
    ]  # fmt: skip


async def test_a_history_that_was_trimmed_has_no_turns_where_it_cannot_be_told() -> None:
    result = await ran([call("add", a=1, b=2)], "3")
    trimmed = replace(result, messages=[user("summary"), *result.messages[2:]])

    assert frames.messages(trimmed)["turn"].tolist() == [pd.NA, pd.NA, 2]


def test_scores_and_meta_come_last_and_sorted() -> None:
    one = AgentResult(messages=[], scores={"b": 1, "a": True}, meta={"z": "x", "k": [1]})
    table = frames.runs([one, AgentResult(messages=[user("x")], scores={"b": 0.5})])

    assert list(table.columns)[-4:] == ["score.a", "score.b", "meta.k", "meta.z"]
    assert [str(dtype) for dtype in table.dtypes][-4:] == ["boolean", "Float64", "str", "str"]
    assert table["meta.k"][0] == "[1]"


def test_tokens_are_a_managed_servers_or_the_log_probabilities_of_a_reply() -> None:
    node = {"tokens": [1, 2, 3], "masked_tokens": [-100, 2, 3], "logprobs": [1.0, -0.5, -0.25]}
    managed = frames.tokens(AgentResult(messages=[], run_id="m", managed_state={"nodes": [node]}))
    raw = {"choices": [{"logprobs": {"content": [{"token": "Hi", "logprob": -0.5}]}}]}
    turn = Turn(number=2, reply=Reply(message={"role": "assistant", "content": "Hi"}, raw=raw))
    chat = frames.tokens(AgentResult(messages=[], run_id="c", turns=(turn,)))

    assert managed["logprob"].tolist() == [pd.NA, -0.5, -0.25]
    assert managed["mask"].tolist() == [False, True, True]
    assert chat[["turn", "position", "text", "logprob", "mask"]].to_numpy().tolist() == [[2, 0, "Hi", -0.5, True]]


# Sources


async def test_a_source_is_a_result_what_holds_one_or_any_mixture(tmp_path: Path) -> None:
    @dataclass
    class Held:
        result: AgentResult

    kept = await ran("1", journal=tmp_path / "x.jsonl")
    other = await ran("2")
    table = frames.runs([[Held(other)], str(tmp_path / "*.jsonl"), (one for one in [tmp_path])])

    assert table["run_id"].tolist() == [other.run_id, kept.run_id, f"{kept.run_id}~2"]


@pytest.mark.parametrize("source", [7, None, [b"x"], {"a": 1}])
def test_what_is_no_source_is_refused(source: Any) -> None:
    with pytest.raises(ConfigurationError, match="runs come from results"):
        frames.runs(source)


# Out and in again

HOSTILE = [
    "=cmd|' /C calc'!A0",
    "+1",
    "-2+3",
    "@SUM",
    "\t=1",
    "＝1",
    "'x",
    "",
    "a\r\nb",
    "NA",
    "\r=1",
    'q"',
    "-1",
    "\ud800",
]


@pytest.fixture
def hostile() -> AgentResult:
    said = [user(text) for text in HOSTILE]
    return AgentResult(
        messages=said, run_id="=1", meta={"=k": "@x", "n": 3}, scores={"s": -0.5},
        origin=Origin(kind="import", edit="-"), usage=Usage(prompt=3),
        provenance=Provenance(started_at="2026-01-01T00:00:00.123456+00:00", server={}, sampling={}),
        turns=(Turn(number=1, reply=Reply(message=tool("c", "x"), text="=1")),),
    )  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_parquet_loses_nothing(name: str, hostile: AgentResult, tmp_path: Path) -> None:
    table = getattr(frames, name)([hostile, made(([("add", "{", "bad_json")], "x"))])
    table.to_parquet(tmp_path / "x.parquet")

    pd.testing.assert_frame_equal(table, pd.read_parquet(tmp_path / "x.parquet"))


@pytest.mark.parametrize("name", NAMES)
def test_A36_csv_holds_no_formula_and_comes_back_as_it_was(name: str, hostile: AgentResult, tmp_path: Path) -> None:
    table = getattr(frames, name)([hostile, made(([("add", "{", "bad_json")], "x"))])
    frames.to_csv(table, tmp_path / "x.csv")
    bare = pd.read_csv(tmp_path / "x.csv", header=None, dtype=str, keep_default_na=False)

    cells = [cell for row in bare.to_numpy().tolist() for cell in row]
    assert [cell for cell in cells if cell.startswith(("=", "+", "@", "\t", "\r", "＝"))] == []
    assert {cell for cell in cells if cell.startswith("-")} <= {"-0.5"}, "negative numbers stay numbers"
    pd.testing.assert_frame_equal(table, frames.read_csv(tmp_path / "x.csv", name))


def test_half_of_a_surrogate_pair_is_its_escape() -> None:
    assert frames.messages(AgentResult(messages=[user("a\ud800")]))["content"].tolist() == ["a\\ud800"]
