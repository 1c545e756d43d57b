"""Other people's servers, and other versions of what we build on, each in an environment of its own under `.bench/`.

They take minutes and gigabytes, so they run only where they are named: `make peers`, or `pytest tests/peers`.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
import venv
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 300


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave these tests out unless this folder is asked for."""
    asked = (Path(str(arg).partition("::")[0]).resolve() for arg in config.invocation_params.args)
    return None if any(Path(__file__).parent in (path, *path.parents) for path in asked) else True


@pytest.fixture(scope="session")
def environment() -> Callable[..., Path]:
    """`environment(name, *packages)`: the folder of an environment's commands; it is made if it is not there yet."""

    def made(name: str, *packages: str) -> Path:
        folder = ROOT / ".bench" / name
        commands = folder / ("Scripts" if os.name == "nt" else "bin")
        if not (folder / ".installed").exists():
            venv.create(folder, with_pip=True)
            subprocess.run([commands / "python", "-m", "pip", "install", "--quiet", *packages], check=True, cwd=ROOT)
            (folder / ".installed").touch()
        return commands

    return made


@pytest.fixture(scope="session")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., AbstractContextManager[str]]:
    """`with serving(command, healthy="/v1/models") as address`: a server while it runs; it gets its port appended."""

    @contextmanager
    def running(command: Sequence[Any], *, healthy: str, **settings: str) -> Iterator[str]:
        with socket.socket() as free:  # These servers cannot say which port they took, so one is found for them.
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        log = tmp_path_factory.mktemp("server") / "log.txt"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [*map(str, command), "--host", "127.0.0.1", "--port", str(port)],
                stdout=out, stderr=subprocess.STDOUT, env={**os.environ, **settings}, cwd=log.parent,
            )  # fmt: skip
        try:
            wait_for(f"http://127.0.0.1:{port}{healthy}", process, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(30)

    return running


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until something answers there."""
    for _ in range(PATIENCE_SECONDS):
        try:
            process.wait(1)
        except subprocess.TimeoutExpired:
            try:
                urllib.request.urlopen(url, timeout=5).close()
            except urllib.error.HTTPError:
                return  # It answers, if only to ask for a key.
            except OSError:
                continue
            return
        break
    raise RuntimeError(f"the server did not come up:\n{log.read_text(errors='replace')[-4000:]}")


def python_of(commands: Path) -> str:
    """The interpreter of an environment."""
    return str(commands / Path(sys.executable).name)
