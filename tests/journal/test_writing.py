"""What was written is what is loaded; nothing but a journal is ever written to, and no secret ever written."""

from __future__ import annotations

import asyncio
import enum
import math
import os
import shutil
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes_nb import codec, journal
from hermes_nb.events import CallFinished, CallStarted, Delta, Replied, RunStarted, TurnStarted, fold
from hermes_nb.exceptions import JournalError
from hermes_nb.journal import Journal, journal_path
from hermes_nb.records import Reply, ToolCall, ToolResult, Usage
from hermes_nb.redact import Redactor
from tests.journal.written import RUN, add, loop, run_of, written

pytestmark = pytest.mark.usefixtures("nothing_is_left")

KEY = "sk-or-v1-" + "0123456789abcdef" * 4
PASSPHRASE = "correct-horse-battery-9"


def entries(path: Path) -> list[dict[str, Any]]:
    return [codec.loads(line) for line in path.read_bytes().splitlines()]


def descriptors(path: Path) -> int:
    """How many descriptors of this process are of the file."""
    there = Path("/proc/self/fd")
    if not there.exists():
        pytest.skip("this system does not list a process's descriptors")
    return sum(os.path.realpath(one) == str(path.resolve()) for one in there.iterdir())


# What is written


def test_a_loaded_run_is_the_run_that_was_written(tmp_path: Path) -> None:
    assert journal.load(written(tmp_path / "run.jsonl")) == fold(RUN)
    assert list(journal.read_events(tmp_path / "run.jsonl")) == RUN


def test_the_file_is_a_header_and_one_json_line_per_event(tmp_path: Path) -> None:
    header, *told = entries(written(tmp_path / "run.jsonl"))

    assert header == {"hermes_nb_journal": "1.0"}
    assert [entry["t"] for entry in told] == [type(event).__name__ for event in RUN]


def test_an_event_is_in_the_file_when_write_returns(tmp_path: Path) -> None:
    with Journal(tmp_path / "run.jsonl") as kept:
        for number, event in enumerate(RUN, 1):
            kept.write(event)
            assert list(journal.read_events(tmp_path / "run.jsonl")) == RUN[:number]


def test_what_a_turn_says_is_short(tmp_path: Path) -> None:
    kept = written(tmp_path / "run.jsonl", [RUN[0], TurnStarted(run_id="r", seq=1, at=1.5, turn=1)])

    assert entries(kept)[2] == {"t": "TurnStarted", "run_id": "r", "seq": 1, "at": 1.5, "turn": 1, "request": {}}


class Colour(enum.Enum):
    RED = "red"


class Rude:
    def __repr__(self) -> str:
        raise RuntimeError("no")


@dataclass(frozen=True)
class Point:
    x: int
    usage: Usage


def in_itself() -> list[Any]:
    row: list[Any] = [1]
    row.append(row)
    return row


def nested(levels: int) -> Any:
    value: Any = "deep"
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (Colour.RED, "red"),
        ({1: "a", None: "b", False: "c", (1, 2): "d"}, {"1": "a", "false": "c", "null": "b", "(1, 2)": "d"}),
        ((1, (2,)), [1, [2]]),
        (Point(1, Usage(cost=0.5)), {"x": 1, "usage": {"cost": 0.5}}),
        (Rude(), "<Rude whose repr raises RuntimeError>"),
        ({"\ud800": 2**70, "z": math.inf}, {"\ud800": 2**70, "z": math.inf}),
        (in_itself(), [1, "[left out: it holds itself]"]),
        (type("Half", (float,), {})(0.5), 0.5),
        ([2**40_000], [hex(2**40_000)]),
    ],
)
def test_whatever_is_in_an_event_it_can_be_written(tmp_path: Path, value: Any, kept: Any) -> None:
    path = written(tmp_path / "run.jsonl", [RunStarted(run_id="r", seq=0, meta={"it": value})])

    assert journal.one(path).meta == {"it": kept}


def test_what_is_nested_too_deeply_to_be_read_again_is_kept_as_far_as_it_can_be(tmp_path: Path) -> None:
    for levels in (200, 300, 5_000):
        path = tmp_path / f"{levels}.jsonl"
        written(path, [RunStarted(run_id="r", seq=0, meta={"it": nested(levels)})])
        kept = journal.one(path).meta["it"]
        depth = 0
        while isinstance(kept, list):
            kept, depth = kept[0], depth + 1
        assert (kept == "deep" and depth == levels) or (levels == 5_000 and "left out: nested" in kept)


def test_NaN_in_a_record_within_a_field_is_no_null(tmp_path: Path) -> None:
    path = written(tmp_path / "run.jsonl", [RunStarted(run_id="r", seq=0, meta={"it": Usage(cost=math.nan)})])

    assert math.isnan(journal.one(path).meta["it"]["cost"])


# Deltas


def pieces(*texts: str, part: Any = "text", index: int = 0, run_id: str = "r") -> list[Delta]:
    return [Delta(run_id=run_id, seq=2, at=0.6, turn=1, part=part, index=index, text=text) for text in texts]


def test_deltas_are_not_kept_unless_asked(tmp_path: Path) -> None:
    events = [*RUN[:2], *pieces("a", "b"), *RUN[2:]]

    with Journal(tmp_path / "with.jsonl", deltas=True) as kept:
        for event in events:
            kept.write(event)

    assert list(journal.read_events(written(tmp_path / "without.jsonl", events))) == RUN
    assert list(journal.read_events(tmp_path / "with.jsonl")) == events
    assert journal.load(tmp_path / "with.jsonl") == fold(RUN)


def test_deltas_of_a_reply_that_never_came_are_kept_when_the_journal_is_closed(tmp_path: Path) -> None:
    with Journal(tmp_path / "run.jsonl", deltas=True) as kept:
        for event in [*RUN[:2], *pieces("a", "b")]:
            kept.write(event)

    assert [event.text for event in journal.read_events(tmp_path / "run.jsonl") if isinstance(event, Delta)] == [
        "a",
        "b",
    ]


def test_A29_a_secret_that_comes_in_two_deltas_reaches_the_file_in_neither(tmp_path: Path) -> None:
    cut = [*pieces("It is ", KEY[:20], KEY[20:], "."), *pieces(KEY[:30], part="call"), *pieces(KEY[30:], part="call")]
    others = pieces("a plain text", part="call", index=1)

    with Journal(tmp_path / "run.jsonl", deltas=True) as kept:
        for event in [*RUN[:2], *cut, *others, *RUN[2:]]:
            kept.write(event)
    texts = [event.text for event in journal.read_events(tmp_path / "run.jsonl") if isinstance(event, Delta)]

    assert texts == ["It is [redacted:key#1].", "", "", "", "[redacted:key#1]", "", "a plain text"]


# Secrets


def test_A27_secrets_never_reach_the_file(tmp_path: Path) -> None:
    event = RunStarted(
        run_id="r",
        seq=0,
        messages=({"role": "user", "content": f"use {PASSPHRASE} and {KEY}"},),
        meta={"k": PASSPHRASE, KEY: [f"a\n{KEY}"]},
    )
    path = written(tmp_path / "run.jsonl", [event], redactor=Redactor({PASSPHRASE}))
    result = journal.one(path)

    assert not any(secret in path.read_text() for secret in (PASSPHRASE, KEY))
    assert result.messages[0]["content"] == "use [redacted:secret#1] and [redacted:key#2]"
    assert result.meta == {"k": "[redacted:secret#1]", "[redacted:key#2]": ["a\n[redacted:key#2]"]}


def test_A27_a_secret_in_a_call_reaches_the_file_in_none_of_its_events(tmp_path: Path) -> None:
    asked, changed = (
        ToolCall(name="login", arguments=f'{{"password": "{word}"}}', id="c1", turn=1) for word in ("hunter-two", KEY)
    )
    for number, (first, then) in enumerate([(asked, changed), (changed, changed), (changed, asked)]):
        path = tmp_path / f"{number}.jsonl"
        events = [
            RUN[0],
            RUN[1],
            Replied(run_id="r", seq=2, turn=1, reply=Reply(message={"content": ""}, calls=(first,))),
            CallStarted(run_id="r", seq=3, turn=1, call=then),
            CallStarted(run_id="r", seq=4, turn=1, call=first),
            CallFinished(run_id="r", seq=5, turn=1, result=ToolResult(call=then, content="in")),
            CallStarted(run_id="r", seq=6, turn=1, call=then),
        ]
        said = [then.arguments, first.arguments, then.arguments, then.arguments]
        written(path, events)
        kept = [codec.loads(line) for line in path.read_bytes().splitlines()[4:]]
        told = [(entry.get("call") or entry["result"]["call"])["arguments"] for entry in kept]

        assert told == [text.replace(KEY, "[redacted:key#1]") for text in said]
        assert KEY not in path.read_text()


class Telling:
    def __repr__(self) -> str:
        return f"Client(key={KEY})"


def test_A27_a_secret_in_the_repr_of_what_is_no_json_never_reaches_the_file(tmp_path: Path) -> None:
    held = [Telling(), enum.Enum("Key", {"ONE": KEY}).ONE, {Telling(): 1}]  # type: ignore[attr-defined]
    for number, it in enumerate(held):
        path = written(tmp_path / f"{number}.jsonl", [RunStarted(run_id="r", seq=0, meta={"it": it})])
        assert KEY not in path.read_text()
        assert "[redacted:key#1]" in path.read_text()


json_data = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=10,
)
texts = st.text(st.characters(codec=None), max_size=20)


@given(
    messages=st.lists(st.dictionaries(texts, json_data, max_size=4), max_size=3).map(tuple),
    text=texts,
    raw=st.none() | st.dictionaries(st.text(max_size=5), json_data, max_size=4),
    cost=st.none() | st.floats(allow_nan=False),
    count=st.none() | st.integers(-(2**63), 2**63 - 1),
    at=st.floats(0, 1e12),
)
def test_any_event_comes_back_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, messages: Any, text: str, raw: Any, cost: Any, count: Any, at: float
) -> None:
    call = ToolCall(name=text, arguments=text, id=text, sent_id=text)
    reply = Reply(message={"content": text}, text=text, calls=(call,), raw=raw, usage=Usage(prompt=count, cost=cost))
    events = [
        RunStarted(run_id="r", seq=0, messages=messages, meta={text: raw}),
        TurnStarted(run_id="r", seq=1, at=at, turn=1, rewritten=messages),
        Replied(run_id="r", seq=2, at=at, turn=1, reply=reply),
        CallFinished(run_id="r", seq=3, at=at, turn=1, result=ToolResult(call=call, content=text, size=count)),
    ]
    path = tmp_path_factory.mktemp("any") / "run.jsonl"

    assert list(journal.read_events(written(path, list(events), redactor=Plain()))) == events


class Plain(Redactor):
    """One that finds nothing, for texts that happen to look like secrets."""

    def suspects(self, encoded: str) -> bool:
        return False


# Whose file it is


def test_a_file_that_is_a_journal_is_added_to(tmp_path: Path) -> None:
    path = written(tmp_path / "runs.jsonl", run_of("one"))
    before = path.read_bytes()
    written(path, run_of("two"))

    assert path.read_bytes().startswith(before)
    assert journal.load(path, "one") == fold(run_of("one"))
    assert journal.load(path, "two") == fold(run_of("two"))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"hello\n", "no journal"),
        (b"{", "no journal"),
        (b'{"role": "user"}\n', "no journal"),
        (b"x" * 100_000, "no journal"),
        (b"\n" * 10, "no journal"),
        (b'{"hermes_nb_journal": "2.0"}\n', "upgrade"),
        (b'{"hermes_nb_journal": []}\n', "no journal"),
        (b'{"hermes_nb_journal": ".."}\n', "no journal"),
    ],
)
def test_a_file_that_is_something_else_is_refused_and_left_as_it_is(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(content)
    with pytest.raises(JournalError, match=told):
        Journal(path)
    assert path.read_bytes() == content
    assert descriptors(path) == 0


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, told in ((tmp_path, "is a folder"), (tmp_path / "pipe", "no ordinary"), (Path("/dev/null"), "ordinary")):
        with pytest.raises(JournalError, match=told):
            Journal(path)


def test_the_folders_of_a_new_file_are_made(tmp_path: Path) -> None:
    assert journal.load(written(tmp_path / "a" / "b" / "run.jsonl")) == fold(RUN)


def test_what_the_system_refuses_is_its_own_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError):
        Journal(tmp_path / "file" / "run.jsonl")


def test_a_link_is_followed_and_is_the_same_file(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    link = tmp_path / "link.jsonl"
    link.symlink_to(tmp_path / "there" / "run.jsonl")
    with Journal(link) as one, Journal(tmp_path / "there" / "run.jsonl") as two:
        one.write(run_of("one")[0])
        two.write(run_of("two")[0])

    assert link.is_symlink()
    assert [result.run_id for result in journal.runs(tmp_path / "there" / "run.jsonl")] == ["one", "two"]


def test_a_folder_gets_a_file_named_by_run_id(tmp_path: Path) -> None:
    assert journal_path(tmp_path, "run-1") == tmp_path / "run-1.jsonl"
    assert journal_path("runs/", "run-1") == Path("runs/run-1.jsonl")
    assert journal_path(tmp_path / "one.jsonl", "run-1") == tmp_path / "one.jsonl"


def test_A37_a_run_id_cannot_lead_out_of_the_folder(tmp_path: Path) -> None:
    assert journal_path(tmp_path, "../../x/y").parent == tmp_path


# Many runs at once


async def test_F55_many_runs_of_one_process_write_to_one_file_at_once(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    results = await asyncio.gather(*(loop().run("1 + 2?", journal=path, attempt=number) for number in range(8)))

    assert {result.run_id: result for result in journal.runs(path)} == {result.run_id: result for result in results}
    assert [result.attempt for result in journal.load(tmp_path)] == list(range(8))
    assert [entry for entry in entries(path) if "t" not in entry] == [{"hermes_nb_journal": "1.0"}]
    assert descriptors(path) == 0


def test_threads_that_write_to_one_file_do_not_mix_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    together = threading.Barrier(4)

    def write(run_id: str) -> None:
        with Journal(path) as kept:
            kept.write(run_of(run_id)[0])
            together.wait()
            for seq in range(1, 200):
                kept.write(TurnStarted(run_id=run_id, seq=seq, added_messages=({"content": run_id * 500},)))
            kept.sync()

    threads = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {(result.run_id, result.turns_used) for result in journal.runs(path)} == {(name, 199) for name in "abcd"}


def test_the_file_is_open_once_until_the_last_run_lets_go_of_it(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    one, two = Journal(path), Journal(path)
    assert descriptors(path) == 1
    one.close()
    one.close()
    assert descriptors(path) == 1
    two.write(RUN[0])
    two.close()
    assert descriptors(path) == 0
    with pytest.raises(OSError, match="closed"):
        two.write(RUN[1])
    with pytest.raises(OSError, match="closed"):
        one.sync()


def test_a_journal_that_nobody_holds_any_more_lets_go_of_its_file(tmp_path: Path) -> None:
    Journal(tmp_path / "run.jsonl").write(RUN[0])

    assert descriptors(tmp_path / "run.jsonl") == 0


def test_no_child_inherits_the_file(tmp_path: Path) -> None:
    with Journal(tmp_path / "run.jsonl") as kept:
        assert not os.get_inheritable(kept._file._fd)


# A disk that fails


def test_F48_a_file_that_was_deleted_is_told_when_it_is_brought_to_the_disk(tmp_path: Path) -> None:
    kept, other = Journal(tmp_path / "runs" / "run.jsonl"), Journal(tmp_path / "runs" / "run.jsonl")
    shutil.rmtree(tmp_path / "runs")
    kept.write(RUN[0])
    for one in (kept, other):
        with pytest.raises(FileNotFoundError, match="deleted"):
            one.sync()
    for one in (kept, other):
        with pytest.raises(FileNotFoundError, match=r"run\.jsonl"):
            one.close()
        one.close()


async def test_F48_a_folder_that_is_deleted_under_a_run_is_one_warning_and_the_run_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "run.jsonl"

    def boom() -> str:
        """Delete it."""
        shutil.rmtree(path.parent)
        return "gone"

    made = loop(journal=path)
    made.toolbox = type(made.toolbox)([add, boom])
    with pytest.warns(UserWarning, match="no longer written") as told:
        result = await made.run("1 + 2?")

    assert result.ok
    assert len(result.calls) == 2
    assert len(told) == 1
    assert "deleted" in (result.journal_error or "")


def test_a_folder_that_was_moved_is_no_trouble(tmp_path: Path) -> None:
    with Journal(tmp_path / "here" / "run.jsonl") as kept:
        (tmp_path / "here").rename(tmp_path / "there")
        for event in RUN:
            kept.write(event)

    assert journal.load(tmp_path / "there" / "run.jsonl") == fold(RUN)


def test_a_journal_shows_its_name_alone(tmp_path: Path) -> None:
    with Journal(tmp_path / "run.jsonl") as kept:
        assert repr(kept) == "Journal(run.jsonl)"
        assert repr(kept._file) == "SharedFile(run.jsonl · 1 users)"


def test_an_event_with_another_run_id_is_another_run(tmp_path: Path) -> None:
    path = written(tmp_path / "runs.jsonl", [RUN[0], replace(RUN[0], run_id="s"), *RUN[1:]])

    assert [result.run_id for result in journal.load(tmp_path)] == ["r", "s"]
    assert journal.load(path, "r") == fold(RUN)
