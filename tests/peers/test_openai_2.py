"""The same tests on version 2 of the openai package, which rides on httpx."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TESTS = ("tests/servers", "tests/test_any_server.py", "tests/test_curl.py")


def test_what_is_tested_with_version_3_holds_with_version_2(environment) -> None:
    commands = environment(
        "openai-2", "--editable", ".[tables,tokens]", "openai[aiohttp]>=2,<3", "pytest>=8.3", "hypothesis>=6.100"
    )
    version = "import openai, httpx; print(openai.__version__)"
    told = subprocess.run([commands / "python", "-c", version], capture_output=True, text=True, check=True).stdout
    ran = subprocess.run(
        [commands / "python", "-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS],
        capture_output=True, text=True, cwd=ROOT, check=False,
    )  # fmt: skip

    assert told.startswith("2.")
    assert ran.returncode == 0, ran.stdout[-8000:] + ran.stderr[-2000:]
