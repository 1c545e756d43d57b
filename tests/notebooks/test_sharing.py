"""Our own notebooks pass the check that we hand to others."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hermes_nb import cli, sharing
from hermes_nb.redact import known_secrets

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
SAVED = sorted(path for path in NOTEBOOKS.rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts)


@pytest.mark.parametrize("path", SAVED, ids=lambda path: path.stem)
def test_a_saved_notebook_can_be_shared(path: Path) -> None:
    assert [str(finding) for finding in sharing.check(path, secrets=known_secrets(os.environ))] == []


def test_the_command_passes_all_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", str(NOTEBOOKS)]) == 0
    assert capsys.readouterr().out == ""
