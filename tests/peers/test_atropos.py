"""Our loop over Atropos's servers, and our ManagedServer over its engines: the same tokens and masks."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.peers.conftest import python_of

ROOT = Path(__file__).resolve().parents[2]
THEIRS = "their managed server"
OURS = ("ours over their server manager", "ours over their managed server's engine")


@pytest.fixture(scope="module")
def found(environment: Callable[..., Path]) -> dict[str, Any]:
    """What each server kept of the same run."""
    python = python_of(environment("atropos", "atroposlib==0.4.0", "--editable", ".[tokens]"))
    ran = subprocess.run(
        [python, "-m", "tests.peers.atropos_runs"], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert ran.returncode == 0, ran.stderr[-4000:]
    return json.loads(ran.stdout.splitlines()[-1])


def test_our_loop_runs_over_atroposs_managed_server(found: dict[str, Any]) -> None:
    assert (found[THEIRS]["answer"], found[THEIRS]["results"]) == ("It is 5.", ["5"])


@pytest.mark.parametrize("kind", OURS)
def test_our_managed_server_keeps_the_same_tokens_and_masks(found: dict[str, Any], kind: str) -> None:
    assert {name: found[kind][name] for name in found[kind]} == found[THEIRS]


@pytest.mark.parametrize("kind", [THEIRS, *OURS])
def test_either_state_can_be_learnt_from_and_is_read_by_atroposs_class(found: dict[str, Any], kind: str) -> None:
    node = found[kind]["node"]
    written = [token for token in node["masked_tokens"] if token != -100]

    assert found[kind]["readable"] is True
    assert found[kind]["training"] == [[node["tokens"], node["masked_tokens"], node["logprobs"]]]
    assert node["tokens"][: len(found[kind]["prompts"][1])] == found[kind]["prompts"][1]
    assert len(written) > 40
