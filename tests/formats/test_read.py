"""Any file is read by what is in it, bounded, and nothing in it is executed."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
import pickle
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hermes_nb import codec, formats
from hermes_nb.events import Replied, RunFinished, RunStarted, TurnStarted
from hermes_nb.exceptions import FormatError, FormatWarning, HermesError
from hermes_nb.formats import Bounds
from hermes_nb.formats.base import Source
from hermes_nb.journal import Journal
from hermes_nb.records import Reply

MESSAGES = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]
OPENAI = json.dumps({"messages": MESSAGES}) + "\n"
SHAREGPT = json.dumps({"conversations": [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "hello"}]}) + "\n"


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., Path]:
    """`file(content)`: a file with it, whose name says nothing."""

    def made(content: str | bytes, name: str = "x.bin") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return made


def journal_at(path: Path, *run_ids: str) -> None:
    journal = Journal(path)
    for run_id in run_ids:
        reply = Reply(message={"role": "assistant", "content": "hello"}, text="hello")
        for event in (
            RunStarted(run_id=run_id, seq=0, messages=({"role": "user", "content": "hi"},)),
            TurnStarted(run_id=run_id, seq=1, turn=1),
            Replied(run_id=run_id, seq=2, turn=1, reply=reply),
            RunFinished(run_id=run_id, seq=3),
        ):
            journal.write(event)
    journal.close()


@pytest.mark.parametrize(
    ("content", "name"),
    [(OPENAI, "OpenAI chat"), (SHAREGPT, "ShareGPT"), ('{"hermes_nb_journal": "1.0"}\n', "hermes_nb journal")],
)
def test_a_format_is_known_by_its_content(file: Callable[..., Path], content: str, name: str) -> None:
    for lie in ("a.eval", "b.traj", "c.csv", "noname"):
        assert formats.recognise(file(content, lie)) == name


def test_a_row_that_could_be_of_two_formats_is_of_the_more_specific(file: Callable[..., Path]) -> None:
    turns = [{"from": "human", "value": "hi", "role": "user", "content": "hi"}]
    both = {"conversations": turns, "messages": MESSAGES}
    record = {"run_id": "r", "messages": MESSAGES, "record": codec.dumps({"messages": MESSAGES}).decode()}

    assert formats.recognise(file(json.dumps(both))) == "ShareGPT"
    assert formats.recognise(file(json.dumps(record))) == "Hugging Face rows"
    assert formats.READERS.index("journals") == 0
    assert formats.READERS[-2:] == ("sharegpt", "openai")


def test_our_own_journals_are_read_with_all_their_runs(tmp_path: Path) -> None:
    journal_at(tmp_path / "a.jsonl", "r1", "r2")

    assert [result.run_id for result in formats.read(tmp_path / "a.jsonl")] == ["r1", "r2"]


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_a_packed_file_is_unpacked(file: Callable[..., Path], pack: Callable[[bytes], bytes]) -> None:
    assert [result.messages for result in formats.read(file(pack(OPENAI.encode())))] == [MESSAGES]


def test_a_folder_a_pattern_and_a_list_are_read_in_order(file: Callable[..., Path], tmp_path: Path) -> None:
    for name in ("b", "a", ".hidden"):
        file(json.dumps({"messages": [{"role": "user", "content": name}]}), name)
    (tmp_path / "inner").mkdir()
    file(json.dumps({"messages": [{"role": "user", "content": "c"}]}), "inner/c")

    def said(path: Any) -> list[str]:
        return [result.messages[0]["content"] for result in formats.read(path)]

    assert said(tmp_path) == ["a", "b", "c"]
    assert said(f"{tmp_path}/*") == ["a", "b"]
    assert said([tmp_path / "b", tmp_path / "a", tmp_path / "b"]) == ["b", "a"]


def test_unknown_files_in_a_folder_are_passed_over_and_named(file: Callable[..., Path], tmp_path: Path) -> None:
    file(OPENAI, "known")
    file("# Notes", "README.md")

    with pytest.warns(FormatWarning, match=r"README\.md"):
        assert len(formats.read(tmp_path)) == 1


def test_a_folder_of_nothing_known_is_an_error(file: Callable[..., Path], tmp_path: Path) -> None:
    file("# Notes", "README.md")

    with pytest.raises(FormatError, match=r"README\.md.*Known formats: hermes_nb journal"):
        formats.read(tmp_path)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b'{"a": 1, "b": 2}', r"an object with the keys a, b\. Known formats: .*OpenAI chat"),
        (b"[1, 2]", "JSON, list"),
        (b'{"a": 1}\n{"a": 2}\n', "JSON lines, the first of them an object with the keys a"),
        (b"plain text", r"no JSON; it begins with b'plain text'"),
        (b"", "nothing in it"),
        (b'{"messages": [', "it looks like JSON and is none"),
    ],
)
def test_a_file_nobody_knows_is_an_error_that_says_what_was_found(
    file: Callable[..., Path], content: bytes, told: str
) -> None:
    with pytest.raises(FormatError, match=told):
        formats.read(file(content))


def test_a_pattern_that_matches_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no file matches"):
        formats.read(f"{tmp_path}/*.jsonl")


def test_a_torn_last_line_is_passed_over_and_said(file: Callable[..., Path]) -> None:
    path = file(OPENAI * 2 + OPENAI[:30])

    with pytest.warns(FormatWarning, match=r"x\.bin, line 3: .*cut short"):
        assert len(formats.read(path)) == 2


def test_a_broken_line_in_the_middle_is_an_error_that_names_it(file: Callable[..., Path]) -> None:
    with pytest.raises(FormatError, match=r"x\.bin, line 2: no JSON"):
        formats.read(file(OPENAI + OPENAI[:30] + "\n" + OPENAI))


def test_the_same_file_gives_the_same_results_and_no_two_samples_share_an_id(file: Callable[..., Path]) -> None:
    path = file(OPENAI * 3)

    results = formats.read(path)
    assert results == formats.read(path)
    assert len({result.run_id for result in results}) == 3


def test_F61_ids_are_unique_across_files(file: Callable[..., Path]) -> None:
    results = formats.read([file(OPENAI, "a"), file(OPENAI, "b")])

    assert len({result.run_id for result in results}) == 2
    assert results[0].messages == results[1].messages


def test_rows_in_memory_are_read(file: Callable[..., Path]) -> None:
    assert [result.messages for result in formats.read([{"messages": MESSAGES}])] == [MESSAGES]


def test_a_data_set_is_read_as_its_rows_are() -> None:
    class Dataset:
        column_names = ("messages",)

        def __iter__(self) -> Iterator[dict[str, Any]]:
            yield {"messages": MESSAGES}

    assert [result.messages for result in formats.read(Dataset())] == [MESSAGES]


def test_A32_a_pickle_under_another_name_is_an_error_and_is_not_loaded(
    file: Callable[..., Path], tmp_path: Path
) -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "sprung"),)

    with pytest.raises(FormatError, match="no JSON"):
        formats.read(file(pickle.dumps(Trap()), "x.jsonl"))
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    "value",
    [
        {"py/object": "os.system", "py/reduce": [{"py/type": "os.system"}, {"py/tuple": ["id"]}]},
        "!!python/object/apply:os.system ['id']",
        {"__reduce__": ["os.system", "id"], "__class__": "x"},
        {"$ref": "file:///etc/passwd"},
        1e308,
        10**400,
    ],
)
def test_A31_what_looks_like_code_is_data(file: Callable[..., Path], value: Any) -> None:
    [result] = formats.read(file(json.dumps({"messages": MESSAGES, "extra": value})))

    assert result.meta["extra"] == value


def test_A31_nan_and_keys_that_are_there_twice_are_data(file: Callable[..., Path]) -> None:
    [result] = formats.read(file('{"messages": [{"role": "user", "content": "a", "content": "b"}], "x": -Infinity}'))

    assert (result.messages[0]["content"], result.meta["x"]) == ("b", float("-inf"))


@pytest.mark.parametrize("deep", ["[" * 100_000, '{"a":' * 100_000, "[" * 300 + "]" * 300])
def test_A31_deep_nesting_is_an_error(file: Callable[..., Path], deep: str) -> None:
    with pytest.raises(FormatError):
        formats.read(file(f'{{"messages": {json.dumps(MESSAGES)}, "x": {deep}}}'))


def test_A31_a_line_over_the_bounds_is_an_error_that_names_them(file: Callable[..., Path]) -> None:
    long = json.dumps({"messages": MESSAGES, "x": "y" * 1000})

    with pytest.raises(FormatError, match=r"line 2: longer than 500 bytes: Bounds\(line"):
        formats.read(file(f"{OPENAI}{long}\n"), bounds=Bounds(line=500))


def test_A31_more_rows_than_the_bounds_are_an_error(file: Callable[..., Path]) -> None:
    with pytest.raises(FormatError, match=r"Bounds\(rows"):
        formats.read(file(OPENAI * 4), bounds=Bounds(rows=3))


def test_A31_a_packed_file_may_not_unpack_to_much_more_than_it_is(file: Callable[..., Path]) -> None:
    bomb = gzip.compress(OPENAI.encode() + b" " * (40 * 2**20) + b"\n" + OPENAI.encode())

    with pytest.raises(FormatError, match=r"over 200 times its size: Bounds\(ratio"):
        formats.read(file(bomb))
    with pytest.raises(FormatError, match=r"more than 1,000,000 bytes: Bounds\(total"):
        formats.read(file(bomb), bounds=Bounds(total=10**6))


def test_A31_a_member_of_an_archive_is_counted_while_it_is_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.json", b" " * (40 * 2**20))
        archive.writestr("small.json", b'{"a": 1}')
    source = Source(tmp_path / "x")

    assert source.head.names == ("bomb.json", "small.json")
    assert source.member_json("small.json") == {"a": 1}
    with pytest.raises(FormatError, match=r"Bounds\(ratio"):
        source.member("bomb.json")
    with pytest.raises(FormatError, match=r"other: there is no such member"):
        source.member("other")
    source.close()


def test_a_packed_file_that_is_cut_short_is_an_error(file: Callable[..., Path]) -> None:
    whole = gzip.compress(OPENAI.encode() * 100)

    with pytest.raises(FormatError, match="damaged, or cut short"):
        formats.read(file(whole[:-20]))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_A31_a_pipe_is_refused_and_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(FormatError, match="no ordinary file"):
        formats.read(tmp_path / "pipe")


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["", "add", '{"a": 1}', "<tool_call>{</tool_call>"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["id", "function", "name", "arguments", "type", "text"]), inner, max_size=4)
    ),
    max_leaves=8,
)
fields = ("content", "tool_calls", "tool_call_id", "name", "function_call", "reasoning_content", "refusal", "weight")
messages = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "tool", "function", "system", "other"])},
    optional=dict.fromkeys(fields, junk),
)
turns = st.fixed_dictionaries(
    {"from": st.sampled_from(["human", "gpt", "tool", "function_call", "observation", "system"])},
    optional={"value": junk, "tool_calls": junk, "tool_call_id": junk, "weight": junk},
)
extra = dict.fromkeys(("tools", "model", "usage", "id", "metadata", "system", "functions", "error", "body"), junk)
rows = (
    st.fixed_dictionaries({"messages": st.lists(messages, min_size=1, max_size=5)}, optional=extra)
    | st.fixed_dictionaries({"conversations": st.lists(turns, min_size=1, max_size=5)}, optional=extra)
    | st.fixed_dictionaries(
        {"choices": st.lists(st.fixed_dictionaries({"message": messages}), max_size=2)}, optional=extra
    )
    | st.fixed_dictionaries({"custom_id": junk, "response": junk}, optional=extra)
    | st.fixed_dictionaries({"run_id": junk, "messages": junk, "record": st.builds(json.dumps, junk)})
    | junk
)


@settings(max_examples=300)
@given(row=rows)
def test_whatever_is_in_a_row_it_is_read_whole_or_a_clean_error(row: Any) -> None:
    try:
        results = formats.read([{"x": 1} if not isinstance(row, dict) else row])
    except HermesError:
        return
    for result in results:
        assert {one.call.turn for one in result.results} <= {turn.number for turn in result.turns}
        assert len({call.id for call in result.calls}) == len(result.calls)
        assert str(result)
