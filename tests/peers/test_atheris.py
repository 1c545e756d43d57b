"""The parsers under a search for texts that reach new branches of theirs (libFuzzer's, by atheris), for a minute."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.peers.conftest import python_of

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 60


def test_no_text_that_is_found_makes_a_parser_raise_hang_or_read_chunks_otherwise(
    environment: Callable[..., Path],
) -> None:
    python = python_of(environment("atheris", "atheris", "--editable", "."))
    ran = subprocess.run(
        [python, "-m", "tests.peers.fuzz_parsers", str(SECONDS)], capture_output=True, text=True, cwd=ROOT, check=False
    )
    runs = re.search(r"Done (\d+) runs", ran.stderr)

    assert ran.returncode == 0, ran.stdout[-4000:] + ran.stderr[-4000:]
    assert runs is not None
    assert int(runs[1]) > 10_000
