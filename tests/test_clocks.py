"""Times and names can be made repeatable."""

from __future__ import annotations

from datetime import UTC, datetime

from hermes_nb.clocks import CountedIds, StillClock, SystemClock, random_ids


def test_a_still_clock_moves_only_when_told() -> None:
    clock = StillClock(datetime(2026, 1, 1, tzinfo=UTC))
    assert (clock.seconds(), clock.utc().isoformat()) == (0.0, "2026-01-01T00:00:00+00:00")
    clock.advance(90)
    assert (clock.seconds(), clock.utc().minute) == (90.0, 1)
    assert clock.seconds() == clock.seconds()


def test_the_system_clock_never_goes_back() -> None:
    clock = SystemClock()
    readings = [clock.seconds() for _ in range(100)]
    assert readings == sorted(readings)
    assert clock.utc().tzinfo is UTC


def test_counted_ids_count_each_kind_on_its_own() -> None:
    ids = CountedIds()
    assert [ids("run"), ids("call"), ids("run"), ids("call")] == ["run-1", "call_1", "run-2", "call_2"]


def test_random_ids_are_never_the_same() -> None:
    assert len({random_ids("call") for _ in range(100)}) == 100
    assert random_ids("call").startswith("call_")
