"""Tables straight from journals are the tables of the results in them; nothing in a file is run."""

from __future__ import annotations

import json
import pickle
import warnings
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings

from hermes_nb import frames, journal
from hermes_nb.events import Event, fold
from hermes_nb.exceptions import ConfigurationError, JournalError, JournalWarning
from hermes_nb.frames.lines import runs_of
from hermes_nb.frames.shapes import shapes
from hermes_nb.journal import Bounds, Journal
from hermes_nb.outcomes import following
from tests.frames.journals import journals, runs, write
from tests.journal.written import RUN, run_of, written

NAMES = ("runs", "turns", "messages", "calls", "errors", "tokens")


def same(one: pd.DataFrame, other: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(one, other, check_exact=True)


def every(source: Any) -> list[pd.DataFrame]:
    return [*(getattr(frames, name)(source) for name in NAMES), frames.messages(source, inherited=True)]


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(journals())
def test_tables_from_files_are_the_tables_of_the_loaded_runs(
    tmp_path_factory: pytest.TempPathFactory, one: Any
) -> None:
    folder = tmp_path_factory.mktemp("runs")
    write(folder / "a.jsonl", one)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", JournalWarning)
        results = journal.load(folder / "*.jsonl")
        tables = every(folder / "*.jsonl")
        for fast, slow in zip(tables, every(results), strict=True):
            same(fast, slow)
        together = frames.tables(folder / "*.jsonl")
        assert tuple(together) == NAMES
        for name, apart in zip(NAMES, tables, strict=False):
            same(together[name], apart)
        for name, apart in zip(("errors", "calls"), (tables[4], tables[3]), strict=True):
            same(frames.tables(folder / "*.jsonl", "errors", "calls")[name], apart)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(runs("r"))
def test_what_came_next_is_what_the_views_show(events: list[Event]) -> None:
    result = fold(events)
    table = frames.calls(result)

    assert table["next_action"].tolist() == [following(result.turns, call).action for call in result.calls]


def test_what_the_writer_writes_is_read_straight_from_its_lines(tmp_path: Path) -> None:
    path = written(tmp_path / "x.jsonl", [*run_of("a")[:4], *run_of("b"), *run_of("a")[4:]])

    found = [(start, run.facts.run_id) for start, run in runs_of(path, Bounds(), shapes())]
    assert found == [(1, "b"), (0, "a")], "as they end, and nothing of it was odd"
    assert list(frames.runs(path)["run_id"]) == ["a", "b"], "by their starts"
    assert frames.calls(path)["run_id"].tolist() == ["a", "b"]


def test_a_second_writer_in_a_file_ends_the_runs_of_the_first_where_they_were(tmp_path: Path) -> None:
    path = written(tmp_path / "x.jsonl", run_of("a")[:5])
    later = written(tmp_path / "later.jsonl", run_of("b"))
    path.write_bytes(path.read_bytes() + later.read_bytes())
    later.unlink()

    assert [run.facts.run_id for _, run in runs_of(path, Bounds(), shapes())] == ["a", "b"]
    for fast, slow in zip(every(path), every(journal.load(tmp_path)), strict=True):
        same(fast, slow)
    assert frames.runs(path)["seconds"].tolist() == [one.seconds for one in journal.load(tmp_path)]


def test_a_run_that_is_damaged_is_passed_over_with_a_warning_and_the_others_are_read(tmp_path: Path) -> None:
    path = written(tmp_path / "x.jsonl", [*run_of("a"), *run_of("b")])
    lines = path.read_bytes().splitlines(keepends=True)
    del lines[3]
    path.write_bytes(b"".join(lines))

    with pytest.warns(JournalWarning, match="event 2 is missing"):
        assert list(frames.runs(path)["run_id"]) == ["b"]


def test_a_value_of_a_wrong_type_is_damage_as_it_is_to_the_journal(tmp_path: Path) -> None:
    path = written(tmp_path / "x.jsonl", [*run_of("a"), *run_of("b")])
    path.write_bytes(path.read_bytes().replace(b'"model_seconds":0.5', b'"model_seconds":"half"', 1))

    with pytest.warns(JournalWarning, match="model_seconds: must be a number"):
        assert list(frames.messages(path)["run_id"].unique()) == ["b"]


@pytest.mark.parametrize("table", ["runs", "messages", "calls", "errors"])
@pytest.mark.parametrize("kind", ["Replied", "CallStarted", "CallFinished"])
def test_damage_in_what_a_table_does_not_show_is_damage_all_the_same(tmp_path: Path, kind: str, table: str) -> None:
    path = written(tmp_path / "x.jsonl", [*run_of("a"), *run_of("b")])
    lines = path.read_bytes().splitlines(keepends=True)
    place = next(at for at, line in enumerate(lines) if line.startswith(f'{{"t":"{kind}"'.encode()))
    lines[place] = lines[place].replace(b'"name":"add"', b'"name":7', 1)
    path.write_bytes(b"".join(lines))

    with pytest.warns(JournalWarning, match="name: must be text"):
        assert list(getattr(frames, table)(path)["run_id"].unique()) == ["b"]


def test_tables_that_do_not_exist_are_named_with_those_that_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is no table 'steps'; there are runs, turns"):
        frames.tables(tmp_path, "runs", "steps")


def test_a_run_whose_file_is_being_written_is_running(tmp_path: Path) -> None:
    with Journal(tmp_path / "x.jsonl") as kept:
        for event in RUN[:3]:
            kept.write(event)
        assert frames.runs(tmp_path)["stop_reason"].tolist() == ["running"]
    assert frames.runs(tmp_path)["stop_reason"].tolist() == ["crashed"]


def test_A31_what_a_line_says_is_data_and_bounds_hold(tmp_path: Path) -> None:
    path = written(tmp_path / "x.jsonl", RUN[:1])
    evil = {"py/object": "os.system", "$ref": "file:///etc/passwd", "n": 1e308}
    with path.open("a") as file:
        file.write(json.dumps({"t": "TurnStarted", "run_id": "r", "seq": 1, "turn": 1, "request": evil}) + "\n")
        file.write('{"t": "Replied", "run_id": "r", "seq": 2, "turn": 1, "x": ' + "[" * 100_000 + "\n")

    with pytest.warns(JournalWarning):
        assert len(frames.turns(path)) <= 1
    with pytest.warns(JournalWarning, match="longer than 40 bytes"):
        frames.turns(path, bounds=Bounds(line=40))
    with pytest.warns(JournalWarning, match="one more than are read"):
        frames.turns(path, bounds=Bounds(lines=2))


def test_A32_a_pickle_under_a_journals_name_is_a_clean_error(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "ran",))

    path = tmp_path / "x.jsonl"
    path.write_bytes(b'{"hermes_nb_journal": 1}' + pickle.dumps(Bomb()))
    with pytest.raises((JournalError, ImportError, ValueError)):
        frames.runs(path)
    assert not (tmp_path / "ran").exists()


def test_a_journal_of_a_newer_major_version_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('{"hermes_nb_journal": "2.0"}\n')
    with pytest.raises(JournalError, match="upgrade it"):
        frames.runs(path)


def test_a_pattern_that_nothing_matches_is_the_systems_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        frames.runs(tmp_path / "*.jsonl")
    assert len(frames.runs(tmp_path)) == 0
