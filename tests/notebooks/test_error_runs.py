"""The runs in `data/runs/` are what this library makes today, byte for byte."""

from __future__ import annotations

import hermes_nb as hn
from tests.notebooks.error_runs import ATTEMPTS, ERRORS, TASKS, made


async def test_the_runs_with_errors_are_made_anew_byte_for_byte() -> None:
    assert await made() == ERRORS.read_bytes()


def test_the_runs_with_errors_have_an_error_of_every_kind_a_model_or_tool_makes() -> None:
    calls = hn.frames.calls(ERRORS)

    assert len(hn.frames.runs(ERRORS)) == TASKS * ATTEMPTS
    assert set(calls["kind"].dropna()) == {
        "unknown_tool", "bad_json", "bad_arguments", "exception", "timeout", "reported"
    }  # fmt: skip
    assert set(calls["fault"].dropna()) == {"model", "tool", "environment"}
