"""The kernel's tests on version 6 of ipykernel, as Colab and older editors have it."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TESTS = ("tests/kernel/test_in_a_kernel.py", "tests/kernel/test_interrupts.py", "tests/kernel/test_live_runs.py")
PACKAGES = ("openai[aiohttp]", "ipykernel>=6,<7", "jupyter_client", "pytest>=8.3", "anyio", "hypothesis")


def test_interrupts_and_live_runs_are_as_with_version_7_but_for_subshells(environment) -> None:
    commands = environment("ipykernel-6", "--editable", ".", *PACKAGES)
    version = "import ipykernel; print(ipykernel.__version__)"
    told = subprocess.run([commands / "python", "-c", version], capture_output=True, text=True, check=True).stdout
    ran = subprocess.run(
        [commands / "python", "-m", "pytest", "-v", "-p", "no:cacheprovider", "-k", "not subshell", *TESTS],
        capture_output=True, text=True, cwd=ROOT, check=False,
    )  # fmt: skip

    assert told.startswith("6.")
    assert ran.returncode == 0, ran.stdout[-8000:] + ran.stderr[-2000:]
