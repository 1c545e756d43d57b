"""`stats.metrics` logged with the real wandb, offline: what it wrote is read back from its own file."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from hermes_nb import stats
from tests.peers.conftest import python_of
from tests.stats.made import run

HERE = Path(__file__).resolve().parent

RUNS = [
    run("one", [("add", None), ("divide", "exception")], [("divide", None)], [], scores={"exact": 1.0}),
    run(
        "two",
        [("add", "bad_json")],
        [("naïve tool/$x$", "timeout")],
        [],
        stop_reason="max_turns",
        scores={"exact": 0.0},
    ),
]


@pytest.fixture(scope="module")
def logged(environment: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What wandb has of two steps."""
    commands = environment("wandb", "wandb")
    folder = tmp_path_factory.mktemp("wandb")
    steps = json.dumps([stats.metrics(RUNS), stats.metrics(RUNS[:1])]).encode()
    command = [python_of(commands), HERE / "wandb_offline.py", folder]
    done = subprocess.run(command, input=steps, capture_output=True, check=True, cwd=folder)
    return json.loads(done.stdout.splitlines()[-1])


def test_every_metric_arrives_under_its_name_with_its_value(logged: dict[str, Any]) -> None:
    first, second = logged["history"]
    own = [{name: value for name, value in step.items() if not name.startswith("_")} for step in (first, second)]

    assert own == [json.loads(json.dumps(stats.metrics(given))) for given in (RUNS, RUNS[:1])]


def test_the_originals_two_names_are_a_number_and_a_text(logged: dict[str, Any]) -> None:
    first = logged["history"][0]

    assert first["train/tool_errors_count"] == 3
    assert first["train/tool_error_details"].splitlines()[0] == '[turn 1] divide({"place": 1}) -> exception in divide'
    assert first["train/tool_error_rate"] == 0.6


def test_the_run_ended_without_a_warning_about_a_name(logged: dict[str, Any]) -> None:
    assert logged["warnings"] == []
