"""A run that is killed, cut off, out of room or not alone loses nothing that was written, and harms nobody else's."""

from __future__ import annotations

import errno
import os
import signal
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from hermes_nb import journal
from hermes_nb.events import CallFinished, Event, Replied, TurnFinished, TurnStarted, fold
from hermes_nb.exceptions import JournalError, JournalWarning
from hermes_nb.journal import Journal
from tests.journal.written import EVENTS, RUN, ask, child, heard, run_of, written

pytestmark = pytest.mark.usefixtures("nothing_is_left")

# Killed


def test_F46_a_run_that_is_killed_after_any_of_its_events_is_loaded_with_all_of_them(tmp_path: Path) -> None:
    with child("stop_at_each", tmp_path) as process:
        for number in range(1, EVENTS + 1):
            path = tmp_path / f"{number}.jsonl"
            killed, emitted = ask(process, number)  # type: ignore[misc]
            assert journal.one(path).stop_reason == ("finished" if number == EVENTS else "running")
            os.kill(killed, signal.SIGKILL)
            assert heard(process) == "dead"

            events = list(journal.read_events(path))
            assert [type(event).__name__ for event in events] == emitted
            assert len(events) == number
            check_the_loaded(journal.one(path), events)


def check_the_loaded(result: Any, events: list[Event]) -> None:
    """The result is of all these events, says that the run was not ended, and where it stopped."""
    counts = Counter(type(event) for event in events)
    assert result.stop_reason == ("finished" if len(events) == EVENTS else "crashed")
    assert result.turns_used == counts[TurnStarted]
    assert len(result.results) == counts[CallFinished]
    assert [turn.reply is not None for turn in result.turns].count(True) == counts[Replied]
    assert result.seconds <= events[-1].at
    assert result.provenance is not None
    if counts[TurnStarted] > counts[TurnFinished]:
        last = result.turns[-1]
        assert (last.reply is None) == (counts[TurnStarted] > counts[Replied])
        if last.number == 1 and last.reply:
            assert len(last.reply.calls) - len(last.results) == 2 - counts[CallFinished]


def test_F46_the_file_of_a_run_that_was_killed_is_there_for_the_next_one(tmp_path: Path) -> None:
    with child("stop_at_each", tmp_path) as process:
        killed, _ = ask(process, 4)  # type: ignore[misc]
        os.kill(killed, signal.SIGKILL)
        assert heard(process) == "dead"
    written(tmp_path / "4.jsonl", run_of("next"))

    assert [result.stop_reason for result in journal.runs(tmp_path)] == ["crashed", "tool_error"]
    assert journal.load(tmp_path, "next") == fold(run_of("next"))


# Cut off


def cuts(path: Path) -> list[tuple[bytes, int]]:
    """What the file would be if it had been cut at any byte of its last line, and where that line begins."""
    whole = path.read_bytes()
    begin = whole.rindex(b"\n", 0, -1) + 1
    return [(whole[:end], begin) for end in range(begin, len(whole))]


def test_F47_of_a_file_that_is_cut_at_any_byte_of_its_last_line_that_line_alone_is_lost(tmp_path: Path) -> None:
    path = written(tmp_path / "run.jsonl")
    whole = path.read_bytes()
    line = len(whole.splitlines())
    for content, begin in cuts(path):
        path.write_bytes(content)
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            result = journal.load(path)
        if content == whole[:-1]:
            assert (told, result) == ([], fold(RUN))
            continue
        assert (result.stop_reason, result.turns) == ("crashed", fold(RUN[:-1]).turns)
        assert [(one.category, str(one.message)) for one in told] == (
            [
                (
                    JournalWarning,
                    f"{path}, line {line} (byte {begin}) was cut short while it was written, and is passed over",
                )
            ]
            if len(content) > begin
            else []
        )


def test_F47_what_is_added_to_a_file_that_was_cut_anywhere_is_whole_and_the_cut_line_is_left_as_it_is(
    tmp_path: Path,
) -> None:
    path = written(tmp_path / "run.jsonl", run_of("one"))
    added = run_of("two")
    for content, _ in cuts(path):
        path.write_bytes(content)
        written(path, added)
        assert path.read_bytes().startswith(content)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", JournalWarning)
            one, two = journal.runs(path)
        assert two == fold(added)
        assert one.turns == fold(run_of("one")).turns
        assert one.run_id == "one"


def test_F47_a_cut_line_between_two_runs_is_told_with_its_line_and_byte(tmp_path: Path) -> None:
    path = written(tmp_path / "run.jsonl", run_of("one"))
    content, begin = cuts(path)[40]
    path.write_bytes(content)
    written(path, run_of("two"))

    with pytest.warns(JournalWarning, match=rf"run\.jsonl, line 8 \(byte {begin}\) was cut short") as told:
        loaded = journal.load(tmp_path)
    assert isinstance(loaded, list)
    assert [result.stop_reason for result in loaded] == ["crashed", "tool_error"]
    assert len(told) == 1


def test_F47_a_file_whose_first_line_was_cut_is_taken_up_again(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    for size in range(12, 28):
        path.write_bytes(b'{"hermes_nb_journal":"1.0"}\n'[:size])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", JournalWarning)
            with pytest.raises(JournalError, match="no run"):
                journal.load(path)
            written(path)
            assert journal.load(path) == fold(RUN)


def test_a_line_that_is_being_written_is_not_told_as_cut(tmp_path: Path) -> None:
    with Journal(tmp_path / "run.jsonl") as kept:
        kept.write(RUN[0])
        with (tmp_path / "run.jsonl").open("ab") as writer:
            writer.write(b'{"t":"TurnSta')
        assert journal.one(tmp_path / "run.jsonl").stop_reason == "running"


# Out of room


def test_F48_a_run_whose_disk_is_full_goes_on_with_one_warning(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    with child("run_out_of_room", path, 4000) as process:
        stop_reason, answer, told = heard(process)  # type: ignore[misc]

    assert (stop_reason, answer) == ("finished", "It is 3.")
    assert len(told) == 1
    assert str(path) in told[0]
    assert "too large" in told[0]
    assert path.stat().st_size == 4000
    with pytest.warns(JournalWarning, match="cut short"):
        assert journal.one(path).stop_reason == "crashed"


def test_F48_half_a_line_does_no_harm_to_what_others_write_after_it(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    with child("find_room_again", path) as process:
        errors = heard(process)

    assert errors == [errno.EFBIG] * 3, "a run that lost an event writes no other, room or not: it would have a gap"
    with pytest.warns(JournalWarning, match=r"line 5 \(byte \d+\) was cut short"):
        one, two = sorted(journal.runs(path), key=lambda result: str(result.run_id))
    assert (one.run_id, one.stop_reason, one.turns_used) == ("one", "crashed", 1)
    assert two == fold(run_of("two"))


@pytest.mark.parametrize("second", [b'{"to', b"{", b'{"torn":true}', b'{"torn":true}\n{"t":"Turn'])
def test_F48_a_disk_that_stays_full_leaves_pieces_that_do_no_harm(tmp_path: Path, second: bytes) -> None:
    path = written(tmp_path / "runs.jsonl", run_of("one")[:3])
    path.write_bytes(path.read_bytes()[:-7] + b"\n" + second)
    written(path, run_of("two"))

    with pytest.warns(JournalWarning, match="cut short"):
        one, two = journal.runs(path)
    assert (one.run_id, one.stop_reason) == ("one", "crashed")
    assert two == fold(run_of("two"))


# Not alone


def test_F49_a_file_that_another_process_writes_is_refused_and_says_whose_it_is(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    with child("hold", path) as process:
        heard(process)
        before = path.read_bytes()
        owner = f"process {process.pid}|another process"
        with pytest.raises(JournalError, match=rf"runs\.jsonl is being written by ({owner}): name another file"):
            Journal(path)
        assert path.read_bytes() == before
        assert journal.one(path).stop_reason == "running"
        assert process.stdin is not None
        process.stdin.close()
        process.wait()
    written(path, run_of("ours"))

    assert [result.run_id for result in journal.runs(path)] == ["theirs", "ours"]


def test_F49_the_lock_of_a_process_that_was_killed_is_free(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    with child("hold", path) as process:
        heard(process)
        process.kill()
        process.wait()
        Journal(path).close()


def test_a_forked_child_writes_nothing_to_its_parents_file(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    with child("fork", path) as process:
        assert heard(process) == [errno.EBADF, "JournalError"]
        process.wait()

    assert list(journal.read_events(path)) == RUN[:2]
