"""Where the real input is, and the table of what was found in it, at the end of the test output."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.real import recordings
from tests.real.report import Findings

REAL = Path(os.environ.get("HERMES_NB_REAL") or Path(__file__).parents[2].parent / "shared" / "real")

ABSENT = f"there is no real input at {REAL}; HERMES_NB_REAL can say where it is"

findings_key = pytest.StashKey[Findings]()
handed_over_key = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[findings_key] = Findings()
    config.stash[handed_over_key] = []


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test with `wire` runs for every recording, one with `recording` for every recorded tool loop, one with
    `exchanges_of` for every recording with an answer in one piece, one with `transcript` for every transcript."""
    if "recording" in metafunc.fixturenames:
        _parametrize(metafunc, "recording", _tool_loops())
    if "exchanges_of" in metafunc.fixturenames:
        _parametrize(metafunc, "exchanges_of", _in_one_piece())
    if "wire" in metafunc.fixturenames:
        _parametrize(metafunc, "wire", _files("wire"))
    if "stream" in metafunc.fixturenames:
        _parametrize(metafunc, "stream", [path for path in _files("wire") if b'"sse":' in path.read_bytes()])
    if "transcript" in metafunc.fixturenames:
        _parametrize(metafunc, "transcript", [path for path in _files("transcripts") if path.name != "INDEX.jsonl"])


def _files(folder: str) -> list[Path]:
    return sorted(path for path in (REAL / folder).glob("*") if path.is_file())


@cache
def _tool_loops() -> list[Path]:
    """The recordings that are not streamed and in which a tool's answer went back to the model."""
    read = {path: recordings.read(path) for path in _files("wire")}
    return [path for path, one in read.items() if not recordings.is_streamed(one) and recordings.tool_loops(one)]


@cache
def _in_one_piece() -> list[Path]:
    """The recordings in which an answer came in one piece."""
    return [
        path
        for path in _files("wire")
        if any(one.request and not one.request.get("stream") for one in recordings.read(path))
    ]


def _parametrize(metafunc: pytest.Metafunc, name: str, paths: Sequence[Path]) -> None:
    absent = pytest.param(None, marks=pytest.mark.skip(reason=ABSENT), id="absent")
    metafunc.parametrize(name, [pytest.param(path, id=path.stem) for path in paths] or [absent])


@pytest.fixture
def real() -> Path:
    """The folder with the real input."""
    if not REAL.is_dir():
        pytest.skip(ABSENT)
    return REAL


@pytest.fixture
def findings(request: pytest.FixtureRequest) -> Findings:
    """What this run of the tests has found so far."""
    return request.config.stash[findings_key]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker of several hands its lines over; all tests of a file, and so of a table, ran in one."""
    workeroutput = getattr(session.config, "workeroutput", None)
    if workeroutput is not None:
        workeroutput["found"] = list(session.config.stash[findings_key].lines())


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """A worker has ended."""
    node.config.stash[handed_over_key].extend(getattr(node, "workeroutput", {}).get("found", ()))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    lines = [*config.stash[findings_key].lines(), *config.stash[handed_over_key]]
    if lines:
        terminalreporter.section("real input")
        for line in lines:
            terminalreporter.write_line(line)
