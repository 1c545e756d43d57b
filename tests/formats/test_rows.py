"""Rows of a data set: one schema for all, and a result that reads back whole."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from hermes_nb import formats
from hermes_nb.exceptions import FormatError
from hermes_nb.formats import rows
from hermes_nb.formats.base import About, Source, conversation
from hermes_nb.records import AgentResult, Origin
from tests.formats import made


def conversations(*answers: Any) -> list[AgentResult]:
    """A run for each answer, and nothing in common between them."""
    call = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}
    told = [{"role": "user", "content": "?"}, {"role": "assistant", "content": "", "tool_calls": [call]}]
    return [
        conversation([*told, {"role": "tool", "tool_call_id": "c1", "content": answer}], Source(None, rows=()), "t",
                     None, About(task=f"t{number}", scores={f"s{number}": 1.0}, meta={f"m{number}": answer}))
        for number, answer in enumerate(answers)
    ]  # fmt: skip


@given(made.results())
def test_a_result_reads_back_whole(result: AgentResult) -> None:
    [again] = formats.read(formats.to_rows(result))

    assert again == result


def test_a_run_of_our_own_keeps_its_id_and_its_origin(tmp_path: Path) -> None:
    own = replace(conversations("x")[0], run_id="run-1", origin=Origin(kind="follow_up", run_id="run-0"))
    report = rows.write([own, own], tmp_path / "rows.jsonl")

    assert formats.read(tmp_path / "rows.jsonl") == [own, own]
    assert (report.lossless, report.written) == (True, 2)


def test_every_row_has_the_columns_in_their_order() -> None:
    found = formats.to_rows([AgentResult(messages=[]), *conversations("x", [{"type": "text", "text": "y"}])])

    assert {tuple(row) for row in found} == {rows.COLUMNS}
    assert {tuple(message) for row in found for message in row["messages"]} == {
        ("role", "content", "reasoning_content", "name", "tool_call_id", "tool_calls")
    }


def test_a_table_of_them_has_one_schema_and_reads_back(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    results = conversations("x", '{"error": "no"}', [{"type": "text", "text": "y"}])
    parquet.write_table(arrow.Table.from_pylist(formats.to_rows(results)), tmp_path / "table")

    assert formats.read(tmp_path / "table") == results


def test_a_table_from_pandas_reads_back(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    results = conversations("x", "y")
    pandas.DataFrame(formats.to_rows(results)).to_parquet(tmp_path / "table")

    assert formats.read(tmp_path / "table") == results


def test_rows_without_their_record_are_read_by_their_messages(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    [result] = conversations("5")
    row = {key: value for key, value in formats.to_rows(result)[0].items() if key != "record"}
    parquet.write_table(arrow.Table.from_pylist([row]), tmp_path / "table")

    [again] = formats.read(tmp_path / "table")
    assert (again.messages, made.calls_of(again)) == (result.messages, made.calls_of(result))


def test_what_lives_in_memory_only_is_reported(tmp_path: Path) -> None:
    report = rows.write(replace(conversations("x")[0], managed_state=object()), tmp_path / "rows.jsonl")

    assert report.counts() == {"managed_state": 1}


def test_a_record_of_something_else_is_an_error_that_says_where(tmp_path: Path) -> None:
    row = {"run_id": "1", "messages": [], "record": '{"turns": 5}'}
    (tmp_path / "x").write_text(json.dumps(row) + "\n" + json.dumps(row) + "\n")

    with pytest.raises(FormatError, match="line 1: its record is not that of a result"):
        formats.read(tmp_path / "x")
