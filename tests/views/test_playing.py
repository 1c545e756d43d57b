"""Journals that are played."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

import hermes_nb as hn
from hermes_nb.exceptions import JournalError
from hermes_nb.journal import Journal
from tests.views.runs import Script, invoices, invoices_script
from tests.views.test_run_view import Window


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """The journal of a run."""
    return written(invoices_script(), tmp_path / "run.jsonl")


def written(script: Script, path: Path) -> Path:
    with Journal(path) as journal:
        for event in script.events:
            journal.write(event)
    return path


async def test_a_journal_that_is_played_comes_to_the_run_that_was_kept(kept: Path) -> None:
    played = hn.views.play(kept, speed=math.inf)
    assert repr(played).startswith("Play(running")
    result = await played

    assert result == invoices()
    assert repr(played) == repr(invoices()).replace("AgentResult", "Play", 1)


async def test_a_window_on_it_sees_it_happen(kept: Path) -> None:
    played = hn.views.play(kept, speed=math.inf)
    window = Window(played)
    await played

    assert window.head["state"] == ["✓", "finished"]
    assert window.rows == Window(invoices()).rows


async def test_stopping_it_comes_to_the_end_at_once(tmp_path: Path) -> None:
    script = invoices_script()
    script.events = [type(one)(**{**fields_of(one), "at": index * 3600.0}) for index, one in enumerate(script.events)]
    played = hn.views.play(written(script, tmp_path / "slow.jsonl"))
    window = Window(played)
    window.ask("stop")

    assert (await played).stop_reason == "finished"


async def test_a_run_without_an_end_is_played_as_crashed(tmp_path: Path) -> None:
    script = Script().ask("", ("hang", {}))
    result = await hn.views.play(written(script, tmp_path / "crashed.jsonl"), speed=math.inf)

    assert result.stop_reason == "crashed"


def test_a_speed_is_above_nothing_and_a_run_is_there(kept: Path) -> None:
    for speed in (0, -1, math.nan):
        with pytest.raises(ValueError, match="above 0"):
            hn.views.play(kept, speed=speed)
    with pytest.raises(JournalError):
        hn.views.play(kept, run="another")


def fields_of(event: object) -> dict[str, object]:
    return {name: getattr(event, name) for name in type(event).__dataclass_fields__}  # type: ignore[attr-defined]
