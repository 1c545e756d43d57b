"""The cassettes in `data/`: they play without a server, and are what this library writes today."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import hermes_nb as hn
from hermes_nb import codec
from hermes_nb.redact import Redactor, known_secrets
from tests.notebooks.cassettes import READINGS, WEATHER, recorded

DATA = WEATHER.parents[1]
ALL = sorted(WEATHER.parent.glob("*.jsonl"))

PASSING = {"at", "run_id", "task_id", "started_at", "seconds", "model_seconds", "tool_seconds", "queued", "started"}
"""The fields of events in which two recordings of one thing differ: the times, and the names of runs."""
PASSING |= {"first_token_at", "waited", "versions", "base_url", "id", "sent_id", "request_id"}


def temperature(city: str) -> int:
    """Read the thermometer in a city. Gives degrees Celsius."""
    raise AssertionError("a recorded result is played, and no tool is run")


def lasting(value: Any) -> Any:
    """What is the same in every recording."""
    if isinstance(value, dict):
        return {name: lasting(inner) for name, inner in value.items() if name not in PASSING}
    return [lasting(inner) for inner in value] if isinstance(value, list) else value


def by_task(path: Path) -> dict[str, list[Any]]:
    """The events of every run in the file, as they stand there, without what passes."""
    header, *lines = [codec.loads(line) for line in path.read_bytes().splitlines()]
    tasks = {line["run_id"]: line["task"] for line in lines if line["t"] == "RunStarted"}
    runs: dict[str, list[Any]] = {task: [header] for task in tasks.values()}
    for line in lines:
        runs[tasks[line["run_id"]]].append(lasting(line))
    return runs


async def test_the_weather_plays_without_a_server_in_any_order() -> None:
    kept = WEATHER.read_bytes()
    loop = hn.HermesAgentLoop(None, tools=[temperature], cassette=hn.Cassette(WEATHER))

    cities = sorted(READINGS)
    runs = await asyncio.gather(*(loop.run(f"How warm is it in {city}?", task=city) for city in cities))

    assert [run.final_text for run in runs] == [f"It is {READINGS[city]} °C in {city}." for city in cities]
    assert {result.replayed for run in runs for result in run.results} == {True}
    assert [run.seconds for run in runs] == [seconds for _, seconds in sorted(recorded_seconds())]
    assert WEATHER.read_bytes() == kept


def recorded_seconds() -> Iterator[tuple[str, float]]:
    for run in hn.journal.runs(WEATHER):
        assert run.task is not None
        yield run.task, run.seconds


async def test_the_weather_is_what_this_library_records_today(tmp_path: Path) -> None:
    await recorded(tmp_path / "weather.jsonl")

    assert by_task(tmp_path / "weather.jsonl") == by_task(WEATHER)


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_a_cassette_holds_no_secret_and_no_path_of_a_machine(path: Path) -> None:
    text = path.read_text(encoding="utf-8")

    assert Redactor(known_secrets(os.environ)).text(text) == text
    assert re.findall(r"(?<![\w.:/])/(?:home|root|work|opt|tmp|usr|var|mnt|Users)/\w+", text) == []


def test_every_file_in_data_says_where_it_comes_from() -> None:
    rows = re.findall(r"^\| `([^`]+)` \|", (DATA / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    files = {str(path.relative_to(DATA)) for path in DATA.rglob("*") if path.is_file()} - {"README.md"}

    assert set(rows) == files
