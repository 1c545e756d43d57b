"""Times and names can be made repeatable, and no duration depends on the time of day."""

from __future__ import annotations

import ast
from datetime import UTC, datetime, timedelta
from pathlib import Path

import hermes_nb
from hermes_nb import HermesAgentLoop, ScriptedServer, journal
from hermes_nb.clocks import CountedIds, StillClock, SystemClock, random_ids
from hermes_nb.events import Event
from hermes_nb.servers import call


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


class TurnedBack(StillClock):
    """A clock whose time of day is an hour earlier whenever it is asked for, as when a server of time corrects it."""

    def __init__(self) -> None:
        super().__init__()
        self._corrected = 0

    def utc(self) -> datetime:
        self._corrected += 1
        return super().utc() - timedelta(hours=self._corrected)


async def test_F62_durations_are_right_though_the_time_of_day_goes_back(tmp_path: Path) -> None:
    clock = TurnedBack()

    async def work() -> str:
        """Take two seconds."""
        clock.advance(2)
        clock.utc()
        return "done"

    def say(messages: list[dict[str, str]]) -> object:
        clock.advance(1)
        clock.utc()
        return call("work") if len(messages) < 3 else "Done."

    seen: list[Event] = []
    file = tmp_path / "run.jsonl"
    loop = HermesAgentLoop(ScriptedServer(say), [work], clock=clock, journal=file)
    result = await loop.run("Go.", on_event=seen.append)
    more = await loop.run("More.", after=result, journal=None)

    for one in (result, journal.load(file)):
        assert one.seconds == 4.0
        assert [(turn.at, turn.seconds, turn.model_seconds, turn.tool_seconds) for turn in one.turns] == [
            (0.0, 3.0, 1.0, 2.0),
            (3.0, 1.0, 1.0, 0.0),
        ]
        assert [(answer.started, answer.queued, answer.seconds) for answer in one.results] == [(1.0, 0.0, 2.0)]
        assert [turn.reply.seconds for turn in one.turns if turn.reply] == [1.0, 1.0]
    times = [event.at for event in seen]
    assert times == sorted(times)
    assert more.seconds == 1.0
    assert result.provenance is not None
    assert more.provenance is not None
    assert more.provenance.started_at < result.provenance.started_at


def test_F62_nobody_asks_for_the_time_of_day_but_for_when_a_run_started() -> None:
    of_day = {"time.time", "time.time_ns", "time.localtime", "time.gmtime", "datetime.now", "datetime.utcnow",
              "datetime.today", "date.today", "time"}  # fmt: skip
    house = Path(hermes_nb.__file__).parent
    asked = {
        f"{path.relative_to(house)}: {name}"
        for path in house.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ((name := ast.unparse(node.func)) in of_day or name.endswith(".utc"))
    }

    assert asked == {"clocks.py: datetime.now", "loop.py: self.clock.utc"}
