"""What can be read is read, what cannot is named by file, line and byte, and nothing in a file is ever run."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes_nb import codec, journal
from hermes_nb.events import Unknown, fold
from hermes_nb.exceptions import JournalError, JournalWarning
from hermes_nb.journal import Bounds, Journal
from hermes_nb.records import AgentResult
from tests.journal.written import RUN, run_of, written

pytestmark = pytest.mark.usefixtures("nothing_is_left")

HEADER = b'{"hermes_nb_journal": "1.0"}\n'
STARTED = b'{"t": "RunStarted", "run_id": "r", "seq": 0}\n'


def file(path: Path, *lines: bytes | dict[str, Any]) -> Path:
    """A journal of these lines, by hand."""
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"".join([HEADER, *(line if isinstance(line, bytes) else dumped(line) for line in lines)]))
    return path


def dumped(entry: dict[str, Any]) -> bytes:
    return json.dumps(entry).encode() + b"\n"


def lines_of(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


# Which run


def test_a_path_is_the_run_in_the_file(tmp_path: Path) -> None:
    path = written(tmp_path / "run[1].jsonl")

    assert journal.load(path) == journal.load(str(path)) == journal.one(path) == fold(RUN)


def test_a_folder_and_a_pattern_are_all_runs_by_file_and_start(tmp_path: Path) -> None:
    written(tmp_path / "b.jsonl", run_of("b"))
    written(tmp_path / "a.jsonl", [*run_of("2")[:3], *run_of("1"), *run_of("2")[3:]])
    written(tmp_path / "c" / "c.jsonl", run_of("c"))
    (tmp_path / "notes.txt").write_text("no journal\n")

    def ids(pattern: str | Path) -> list[str | None]:
        loaded = journal.load(pattern)
        assert isinstance(loaded, list)
        return [result.run_id for result in loaded]

    assert ids(tmp_path) == ["2", "1", "b"]
    assert ids(tmp_path / "[ab].jsonl") == ["2", "1", "b"]
    assert ids(f"{tmp_path}/**/*.jsonl") == ["2", "1", "b", "c"]
    assert [result.run_id for result in journal.runs(tmp_path / "?.jsonl")] == ["1", "2", "b"], "as they end"


def test_one_run_of_many_is_named_by_its_id_or_its_place(tmp_path: Path) -> None:
    path = written(tmp_path / "x.jsonl", [*run_of("a"), *run_of("b")])
    written(tmp_path / "y.jsonl", run_of("c"))

    assert [journal.load(path, run).run_id for run in ("a", "b", 0, -1)] == ["a", "b", "a", "b"]
    assert [journal.load(tmp_path, run).run_id for run in ("a", "c", 1, -1)] == ["a", "c", "b", "c"]


@pytest.mark.parametrize(
    ("run", "told"),
    [
        (None, r"holds 2 runs: say which, by its id \(run='b'\) or its place \(run=-1 is the last\)"),
        (2, "holds 2 runs, and none at 2"),
        (-3, "holds 2 runs, and none at -3"),
        ("c", "holds no run 'c'"),
    ],
)
def test_a_run_that_is_not_there_or_not_the_only_one_is_refused(tmp_path: Path, run: Any, told: str) -> None:
    path = written(tmp_path / "x.jsonl", [*run_of("a"), *run_of("b")])

    with pytest.raises(JournalError, match=told):
        journal.load(path, run)


def test_an_id_that_was_used_twice_is_two_runs(tmp_path: Path) -> None:
    path = written(tmp_path / "x.jsonl", [*RUN[:3], *RUN])

    assert [result.stop_reason for result in journal.runs(path)] == ["crashed", "tool_error"]
    assert journal.load(path, -1) == fold(RUN)
    with pytest.raises(JournalError, match="2 runs 'r': say which, by its place"):
        journal.load(path, "r")


def test_what_is_not_there_is_the_systems_error(tmp_path: Path) -> None:
    for path in (tmp_path / "no.jsonl", tmp_path / "*.jsonl"):
        with pytest.raises(FileNotFoundError):
            journal.load(path)
    assert journal.load(tmp_path) == []


def test_interleaved_runs_are_each_what_they_are(tmp_path: Path) -> None:
    mixed = [event for pair in zip_longest(run_of("a"), run_of("b")[:4], run_of("c")) for event in pair if event]
    path = written(tmp_path / "x.jsonl", mixed)

    assert journal.load(path, "a") == fold(run_of("a"))
    assert journal.load(path, "b").stop_reason == "crashed"
    assert journal.load(path, "c") == fold(run_of("c"))


# Runs without an end


def test_a_run_without_an_end_is_running_while_its_file_is_written_and_crashed_after_that(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    with Journal(path) as kept:
        for event in RUN[:5]:
            kept.write(event)
        assert journal.one(path).stop_reason == "running"
        assert [result.stop_reason for result in journal.runs(path)] == ["running"]
    assert journal.one(path).stop_reason == "crashed"
    assert [result.call.id for result in journal.one(path).results] == ["c1"]


def test_a_run_that_another_writer_left_open_is_crashed_though_the_file_is_written(tmp_path: Path) -> None:
    path = written(tmp_path / "x.jsonl", run_of("old")[:3])
    with Journal(path) as kept:
        kept.write(run_of("new")[0])
        assert [result.stop_reason for result in journal.runs(path)] == ["crashed", "running"]


def test_files_that_were_put_together_are_all_their_runs(tmp_path: Path) -> None:
    one, two = written(tmp_path / "1", run_of("a")[:4]), written(tmp_path / "2", run_of("b"))
    (tmp_path / "x.jsonl").write_bytes(one.read_bytes() + two.read_bytes())

    assert [result.stop_reason for result in journal.runs(tmp_path / "x.jsonl")] == ["crashed", "tool_error"]


# Damage


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "no run"),
        (b"hello\n", "no journal"),
        (b"\n" + STARTED, "no journal"),
        (b'{"role": "user"}\n', "no journal"),
        (b'{"hermes_nb_journal": "2.0"}\n', "format 2.0; this version .* upgrade"),
        (b'{"hermes_nb_journal": "9.9", "new": [1]}\n{"t": "RunStarted"}', "format 9.9"),
        (HEADER, "no run"),
        (HEADER + b'{"t": "Nope"}\n', r"line 2 \(byte 29\) is no event: .*run_id"),
        (HEADER + b'{"t": "TurnStarted", "run_id": "r", "seq": 0}\n', r"line 2 \(byte 29\).*begin|under way"),
        (HEADER + STARTED + b'{"hermes_nb_journal": "2.0"}\n', r"line 3 \(byte 74\): from here on .* format 2.0"),
    ],
)
def test_a_file_that_is_no_journal_is_refused_with_its_reason(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(content)
    with pytest.raises(JournalError, match=told):
        journal.load(path)


EVENT = {"t": "TurnStarted", "run_id": "r", "seq": 1, "turn": 1}
DEEP = b'{"a":' * 10_000 + b"1" + b"}" * 10_000


@pytest.mark.parametrize(
    "line",
    [
        b"5\n",
        b'"TurnStarted"\n',
        b"[]\n",
        b"{}\n",
        b'{"torn": false}\n',
        b'{"t": 5}\n',
        b'{"t": ["Replied"]}\n',
        b'{"t":"Replied","run_id":"r","seq":"x","reply":5}\n',
        b'{"t": "Nope", "run_id": 5, "seq": 1}\n',
        b"[" * 100_000 + b"\n",
        DEEP + b"\n",
        b'{"t": "Replied", "run_id": "r", "seq": 1, "reply": ' + DEEP + b"}\n",
        b'{"t": "TurnStarted", "run_id": "r", "seq": ' + b"9" * 20_000 + b"}\n",
        b'{"t": "TurnStarted", "run_id": "r", "seq": 1e999}\n',
        dumped(EVENT | {"seq": True}),
        dumped(EVENT | {"seq": 2**63}),
        dumped(EVENT | {"seq": None}),
        dumped(EVENT | {"at": 10**400}),
        dumped(EVENT | {"at": "soon"}),
        dumped(EVENT | {"added_messages": {"role": "user"}}),
        dumped(EVENT | {"added_messages": ["hello"]}),
        dumped(EVENT | {"rewritten": "all"}),
        dumped(EVENT | {"request": []}),
        dumped(EVENT | {"t": "Replied"}),
        dumped(EVENT | {"t": "Replied", "reply": {}}),
        dumped(EVENT | {"t": "Replied", "reply": {"message": "hello"}}),
        dumped(EVENT | {"t": "Replied", "reply": {"message": {}, "calls": [5]}}),
        dumped(EVENT | {"t": "Replied", "reply": {"message": {}, "calls": [{"name": 5}]}}),
        dumped(EVENT | {"t": "Replied", "reply": {"message": {}, "calls": [{"name": "f", "arguments": {}}]}}),
        dumped(EVENT | {"t": "Replied", "reply": {"message": {}, "usage": {"prompt": "many"}}}),
        dumped(EVENT | {"t": "Replied", "reply": {"message": {}, "usage": None}}),
        dumped(EVENT | {"t": "Replied", "reply": {"message": {}}}),
        dumped(EVENT | {"t": "CallFinished", "result": {"call": {"name": "f", "index": "0"}, "content": ""}}),
        dumped(EVENT | {"t": "RunFinished", "stop_reason": 5}),
        dumped(EVENT | {"t": "RunFinished", "abandoned": [{}]}),
        dumped(EVENT | {"t": "RunFinished", "error": "it broke"}),
        dumped(EVENT | {"seq": 7}),
    ],
    ids=lambda line: line[:60].decode(),
)
def test_a_line_of_any_other_kind_is_damage_that_is_named_by_line_and_byte(tmp_path: Path, line: bytes) -> None:
    path = file(tmp_path / "x.jsonl", STARTED, line)
    with pytest.raises(JournalError, match=rf"x\.jsonl, line 3 \(byte {len(HEADER + STARTED)}\)") as refused:
        journal.load(path)
    assert ("a thousand levels are the limit" in str(refused.value)) == (b"[[[[" in line or DEEP in line)
    with pytest.warns(JournalWarning, match=r"line 3 \(byte"):
        assert [result.stop_reason for result in journal.runs(path)] in ([], ["crashed"])


@given(st.binary(max_size=40), st.integers(0, 10))
def test_whatever_bytes_are_in_a_file_it_is_loaded_or_refused(
    tmp_path_factory: pytest.TempPathFactory, junk: bytes, at: int
) -> None:
    lines = [HEADER, *(codec.dumps({"t": type(e).__name__, **codec.plain(e)}) + b"\n" for e in RUN)]
    path = tmp_path_factory.mktemp("any") / "x.jsonl"
    path.write_bytes(b"".join([*lines[:at], junk, *lines[at:]]))
    try:
        with_warnings(lambda: journal.load(path))
    except JournalError as error:
        assert "x.jsonl" in str(error)


def with_warnings(act: Callable[[], Any]) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", JournalWarning)
        return act()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@given(st.integers(0, len(RUN) - 1), st.data())
def test_whatever_a_field_holds_the_file_is_loaded_or_refused(
    tmp_path_factory: pytest.TempPathFactory, number: int, data: st.DataObject
) -> None:
    told = [{"t": type(event).__name__, **codec.plain(event)} for event in RUN]
    holder, name = data.draw(st.sampled_from([*places(told[number])]))
    holder[name] = data.draw(JSON)
    path = tmp_path_factory.mktemp("any") / "x.jsonl"
    path.write_bytes(HEADER + b"".join(codec.dumps(entry) + b"\n" for entry in told))
    try:
        result = with_warnings(lambda: journal.load(path, 0))
        assert isinstance(result, AgentResult)
    except JournalError as error:
        assert "x.jsonl" in str(error)


def places(value: Any) -> list[tuple[Any, Any]]:
    """Everything in the value that can be changed, by what it is in and its key there."""
    inner = (
        list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    )
    return [place for key, item in inner for place in ((value, key), *places(item))]


def test_a_line_that_is_missing_is_damage_of_its_run_alone(tmp_path: Path) -> None:
    path = written(tmp_path / "x.jsonl", list(chain.from_iterable(zip(run_of("a"), run_of("b"), strict=True))))
    kept = lines_of(path)
    missing = path.with_name("y.jsonl")
    missing.write_bytes(b"".join(kept[:5] + kept[6:]))
    place = rf"y\.jsonl, line 7 \(byte {sum(map(len, kept[:5] + kept[6:7]))}\): event 2 is missing: event 3 came"

    assert journal.load(missing, "b") == fold(run_of("b"))
    for run in (None, "a", 0):
        with pytest.raises(JournalError, match=place):
            journal.load(missing, run)
    with pytest.warns(JournalWarning, match=place):
        assert list(journal.runs(missing)) == [fold(run_of("b"))]


def test_a_run_that_begins_anew_after_it_was_damaged_is_read(tmp_path: Path) -> None:
    path = written(tmp_path / "x.jsonl", [*RUN[:2], *RUN[3:], *RUN])

    with pytest.warns(JournalWarning, match="event 2 is missing"):
        assert list(journal.runs(path)) == [fold(RUN)]


def test_a_line_that_is_no_json_in_the_middle_is_damage_and_others_are_not_lost(tmp_path: Path) -> None:
    path = written(tmp_path / "x.jsonl", [*run_of("a"), *run_of("b")])
    kept = lines_of(path)
    path.write_bytes(b"".join([*kept[:3], kept[3][:-20] + b"\n", *kept[4:]]))
    place = rf"x\.jsonl, line 4 \(byte {sum(map(len, kept[:3]))}\) is no JSON"

    with pytest.raises(JournalError, match=place):
        journal.load(path)
    with pytest.raises(JournalError, match=place):
        list(journal.read_events(path))
    with pytest.warns(JournalWarning, match=place):
        assert journal.load(path, "b") == fold(run_of("b"))
    with pytest.warns(JournalWarning, match=place), pytest.raises(JournalError, match="event 2 is missing"):
        journal.load(path, "a")
    with pytest.warns(JournalWarning) as told:
        assert list(journal.runs(path)) == [fold(run_of("b"))]
    assert len(told) == 2


def test_files_that_are_no_journals_do_not_keep_the_others_from_being_read(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"role": "user"}\n')
    (tmp_path / "b.jsonl").write_bytes(b"")
    written(tmp_path / "c.jsonl")

    with pytest.warns(JournalWarning, match=r"a\.jsonl is no journal"):
        assert list(journal.runs(tmp_path)) == [fold(RUN)]
    with pytest.warns(JournalWarning, match=r"a\.jsonl is no journal"):
        assert journal.load(tmp_path, "r") == fold(RUN)
    with pytest.raises(JournalError, match=r"a\.jsonl is no journal"):
        journal.load(tmp_path)


def test_a_line_beyond_the_limit_is_refused_by_the_limits_name(tmp_path: Path) -> None:
    path = written(tmp_path / "x.jsonl")
    longest = max(map(len, lines_of(path)))

    assert journal.load(path, bounds=Bounds(line=longest, lines=len(RUN) + 1)) == fold(RUN)
    with pytest.raises(JournalError, match=rf"longer than {longest - 1:,} bytes: Bounds\(line=...\)"):
        journal.load(path, bounds=Bounds(line=longest - 1))
    with pytest.raises(JournalError, match=rf"line {len(RUN) + 1} .*Bounds\(lines=...\) sets the limit"):
        journal.load(path, bounds=Bounds(lines=len(RUN)))


def test_what_is_no_ordinary_file_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.jsonl")

    with pytest.raises(JournalError, match="no ordinary file"):
        journal.load(tmp_path / "x.jsonl")
    assert journal.load(tmp_path) == []


def test_runs_are_given_as_they_end_with_no_more_of_them_in_memory_than_are_under_way(tmp_path: Path) -> None:
    path = written(tmp_path / "x.jsonl", [*run_of("a"), *run_of("b")])
    under_way = journal.runs(path)
    assert next(under_way).run_id == "a"
    with path.open("ab") as more:
        more.write(b"{}\n")

    assert next(under_way).run_id == "b"
    with pytest.warns(JournalWarning, match="has no t"):
        assert list(under_way) == []


# Newer versions


NEWER: list[dict[str, Any]] = [
    {"t": "RunStarted", "run_id": "r", "seq": 0, "mood": "good", "messages": [{"role": "sage", "content": "?", "x": 1}],
     "origin": {"kind": "dream", "of": [1]}, "meta": {}, "server": {}, "sampling": {}, "limits": {}, "versions": {}},
    {"t": "Pondered", "run_id": "r", "seq": 1, "at": 0.25, "turn": 1, "thoughts": {"deep": [None, {"a": 1}]}},
    {"t": "TurnStarted", "run_id": "r", "seq": 2, "turn": 1, "request": {}, "unread": 1, "fields": 2},
    {"t": "Replied", "run_id": "r", "seq": 3, "turn": 1, "reply": {
        "message": {"role": "assistant", "content": "hi"}, "text": "hi", "usage": {"audio": 7, "prompt": 1},
        "calls": [{"name": "f"}, {"name": "g", "index": 1, "why": "because"}], "voice": None}},
    {"t": "CallFinished", "run_id": "r", "seq": 4, "turn": 1, "result": {
        "call": {"name": "f", "colour": "red"}, "content": "", "error": {
            "turn": 1, "tool_name": "f", "arguments": "", "error": "", "tool_result": "", "kind": "bored", "x": {}}}},
    {"t": "Unknown", "run_id": "r", "seq": 5, "kind": "Unknown", "fields": {}},
    {"t": "RunFinished", "run_id": "r", "seq": 6, "stop_reason": "enlightened", "error": {
        "type": "T", "message": "m", "cause": "c"}},
]  # fmt: skip
"""A run as a later version 1.x may write it."""


def again(path: Path) -> list[Any]:
    """What is in the file when its events were read and written anew."""
    copy = written(path.with_name("copy.jsonl"), list(journal.read_events(path)))
    return [codec.loads(line) for line in lines_of(copy)[1:]]


def test_F59_what_a_newer_minor_version_wrote_is_loaded_and_kept(tmp_path: Path) -> None:
    path = file(tmp_path / "x.jsonl", *NEWER)
    path.write_bytes(path.read_bytes().replace(b'"1.0"', b'"1.7"', 1))
    result = journal.load(path)
    events = list(journal.read_events(path))

    assert isinstance(result, AgentResult)
    assert (result.stop_reason, result.final_text, result.turns_used) == ("enlightened", "", 1)
    assert (result.messages[0]["role"], result.tool_errors[0].kind) == ("sage", "bored")
    assert isinstance(events[1], Unknown)
    assert (events[1].kind, events[1].at, events[1].fields) == ("Pondered", 0.25, {"thoughts": NEWER[1]["thoughts"]})
    assert again(path) == NEWER


def test_F59_a_run_that_was_appended_by_a_newer_minor_version_is_kept_too(tmp_path: Path) -> None:
    path = written(tmp_path / "x.jsonl", run_of("old"))
    with path.open("ab") as more:
        more.write(b'{"hermes_nb_journal": "1.9"}\n' + b"".join(map(dumped, NEWER)))

    assert journal.load(path, "r").stop_reason == "enlightened"
    with Journal(path) as kept:
        kept.write(run_of("new")[0])
    assert [result.run_id for result in journal.runs(path)] == ["old", "r", "new"]


def test_F59_an_unknown_kind_counts_so_that_a_gap_beside_it_is_seen(tmp_path: Path) -> None:
    path = file(tmp_path / "x.jsonl", NEWER[0], *NEWER[2:])

    with pytest.raises(JournalError, match="event 1 is missing"):
        journal.load(path)


names = st.text(max_size=5).map(lambda name: f"x_{name}")


@given(st.data())
def test_F59_any_unknown_field_at_any_depth_is_kept(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    told = [{"t": type(event).__name__, **codec.plain(event)} for event in RUN]
    objects = [
        holder for entry in told for holder in [entry, *(h[k] for h, k in places(entry))] if type(holder) is dict
    ]
    for holder in data.draw(st.lists(st.sampled_from(objects), min_size=1, max_size=4)):
        holder[data.draw(names)] = data.draw(JSON.filter(lambda value: value == value and "nan" not in repr(value)))
    path = tmp_path_factory.mktemp("any") / "x.jsonl"
    path.write_bytes(HEADER + b"".join(codec.dumps(entry) + b"\n" for entry in told))

    assert again(path) == told
    assert isinstance(journal.load(path), AgentResult)


# The first version


FIRST = Path(__file__).parent / "1.0.jsonl"
MANY = Path(__file__).parent / "1.0-many.jsonl"


def test_a_journal_of_format_1_0_is_loaded_for_ever() -> None:
    """The file was written by the version that brought the format, and is never written again."""
    result = journal.one(FIRST)

    assert (result.run_id, result.task_id, result.task, result.attempt) == ("run-1", "task-1", "weather", 1)
    assert (result.stop_reason, result.seconds, result.turns_used) == ("finished", 7.125, 3)
    assert result.final_text == "Clear in Oslo; there is no Atlantis."
    assert result.meta == {"batch": "a", "big": 2**70}
    assert result.reasoning_per_turn == ["Two cities, so two calls.", None, "Enough."]
    assert [message["role"] for message in result.messages] == [
        "system", "user", "assistant", "tool", "tool", "assistant", "tool", "tool", "tool", "assistant"]  # fmt: skip
    assert [(call.id, call.name, call.turn, call.index) for call in result.calls] == [
        ("call_1", "weather", 1, 0), ("call_2", "weather", 1, 1),
        ("call_3", "whoami", 2, 0), ("call_4", "wether", 2, 1), ("call_5", "weather", 2, 2)]  # fmt: skip
    assert [call.parsed for call in result.calls] == [
        {"city": "Oslo", "days": 2}, {"city": "Atlantis"}, {}, {}, None]  # fmt: skip
    assert [one.status for one in result.results] == ["ok", "exception", "ok", "unknown_tool", "bad_json"]
    assert result.results[0].content == '{"city":"Oslo","sky":"clear ☀","high":21.5,"days":2}'
    assert result.results[2].content == "key [redacted:key#1], café \ud83d"
    assert [(one.fault, one.position) for one in result.tool_errors] == [
        ("tool", None), ("model", None), ("model", 15)]  # fmt: skip
    assert (result.tool_errors[0].traceback or "").endswith("LookupError: no such city: Atlantis\n")
    assert [(turn.at, turn.seconds, turn.model_seconds, turn.tool_seconds) for turn in result.turns] == [
        (0.25, 2.5, 0.375, 1.875), (2.875, 3.0, 0.375, 2.375), (6.0, 1.0, 0.375, 0.375)]  # fmt: skip
    assert (result.usage.prompt, result.usage.completion, result.usage.total) == (557, 192, 749)
    assert (result.usage.partial, result.usage.cost) == (False, None)
    reply = result.turns[0].reply
    assert reply is not None
    assert reply.raw is not None
    assert (reply.id, reply.model, reply.status, reply.raw["created"]) == ("chatcmpl-1", "scripted-1", 200, 1767225600)
    assert result.provenance is not None
    assert result.provenance.started_at == "2026-01-01T00:00:00+00:00"
    assert [tool["function"]["name"] for tool in result.provenance.tools] == ["weather", "whoami"]
    assert result.provenance.sampling["temperature"] == 0.5


def test_a_journal_of_many_runs_of_format_1_0_is_loaded_for_ever() -> None:
    """One after the other, interleaved, failed, killed in the middle of a line, and added after that."""
    with pytest.warns(JournalWarning, match=r"1\.0-many\.jsonl, line 37 \(byte \d+\) was cut short") as told:
        loaded = journal.load(MANY.with_name("1.0-many.*"))

    assert isinstance(loaded, list)
    assert [(result.run_id, result.stop_reason, result.turns_used, result.final_text) for result in loaded] == [
        ("run-2", "finished", 1, "You are welcome."),
        ("run-3", "server_error", 1, ""),
        ("run-4", "finished", 3, "Clear too."),
        ("run-5", "finished", 1, "Clear."),
        ("run-6", "crashed", 1, ""),
        ("run-7", "finished", 1, "You are welcome."),
    ]
    assert len(told) == 1
    assert (loaded[0].origin is not None, loaded[0].origin and loaded[0].origin.kind) == (True, "follow_up")
    assert loaded[1].error is not None
    assert (loaded[1].error.status, loaded[1].error.code) == (400, "invalid_api_key")


def test_F59_what_format_1_0_holds_is_written_again_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_bytes(FIRST.read_bytes())

    assert again(tmp_path / "x.jsonl") == [codec.loads(line) for line in lines_of(FIRST)[1:]]
