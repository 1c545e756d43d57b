"""`scored` gives new results with scores, whoever scores them and wherever they come from."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hermes_nb import frames
from hermes_nb.exceptions import ConfigurationError
from hermes_nb.records import AgentResult
from hermes_nb.scores import scored
from tests.journal.written import run_of, written


def said(text: str, **more: Any) -> AgentResult:
    return AgentResult(messages=[{"role": "assistant", "content": text}], **more)


def right(result: AgentResult) -> bool:
    return result.final_text == "4"


def test_a_score_is_in_new_results_and_the_old_ones_stay_as_they_are() -> None:
    given = [said("4", run_id="a"), said("5", run_id="b", scores={"style": 1})]
    made = scored(given, right)

    assert [one.scores for one in made] == [{"exact": True}, {"style": 1, "exact": False}]
    assert [one.scores for one in given] == [{}, {"style": 1}]
    assert made[0].messages == given[0].messages


async def test_an_async_scorer_is_awaited() -> None:
    async def judge(result: AgentResult) -> float:
        return 0.5 if right(result) else 0.0

    assert [one.scores for one in await scored([said("4"), said("5")], judge, "judge")] == [
        {"judge": 0.5},
        {"judge": 0.0},
    ]


async def test_a_plain_function_that_gives_an_awaitable_is_async_too_and_called_once_a_run() -> None:
    called: list[str] = []

    async def later(result: AgentResult) -> bool:
        return right(result)

    def judge(result: AgentResult) -> Any:
        called.append(result.final_text)
        return later(result)

    made = await scored([said("4"), said("5")], judge)
    assert [one.scores["exact"] for one in made] == [True, False]
    assert called == ["4", "5"]


def test_runs_are_scored_again_from_the_disk(tmp_path: Path) -> None:
    for name in "ab":
        written(tmp_path / f"{name}.jsonl", run_of(name))
    made = scored(tmp_path / "*.jsonl", lambda result: result.run_id == "a")

    assert [(one.run_id, one.scores) for one in made] == [("a", {"exact": True}), ("b", {"exact": False})]


def test_a_scorer_that_fails_scores_NA_with_its_reason() -> None:
    def fails(result: AgentResult) -> bool:
        return bool(1 / (len(result.final_text) - 1))

    made = scored([said("4", run_id="a"), said("no", run_id="b")], fails)
    table = frames.runs(made).set_index("run_id")

    assert made[0].scores == {"exact": None, "exact.error": "ZeroDivisionError: division by zero"}
    assert pd.isna(table.loc["a", "score.exact"])
    assert table.loc["b", "score.exact"]
    assert table.loc["a", "score.exact.error"] == "ZeroDivisionError: division by zero"
    assert pd.isna(table.loc["b", "score.exact.error"])
    assert table["score.exact"].dtype == "boolean"


async def test_an_async_scorer_that_fails_scores_NA_and_the_next_run_is_scored() -> None:
    async def fails(result: AgentResult) -> bool:
        if result.final_text == "4":
            raise ValueError("no")
        return True

    made = await scored([said("4"), said("5")], fails)
    assert [one.scores for one in made] == [{"exact": None, "exact.error": "ValueError: no"}, {"exact": True}]


def test_a_good_score_takes_the_place_of_an_earlier_failure() -> None:
    failed = scored(said("4"), lambda result: [][0])  # type: ignore[arg-type,return-value]
    assert "exact.error" in failed[0].scores
    assert scored(failed, right)[0].scores == {"exact": True}


def test_a_dict_is_several_scores() -> None:
    made = scored(said("4"), lambda result: {"right": True, "words": 1, "style": None}, "quiz")

    assert made[0].scores == {"quiz.right": True, "quiz.words": 1, "quiz.style": None}


def test_a_number_of_numpys_is_a_number() -> None:
    made = scored(said("4"), lambda result: np.float64(0.25))
    assert (made[0].scores["exact"], type(scored(said("4"), lambda _: np.bool_(True))[0].scores["exact"])) == (
        0.25,
        bool,
    )


@pytest.mark.parametrize("name", ["", "a b", "exact.error", "error", "=1", None])
def test_a_bad_name_is_refused(name: Any) -> None:
    with pytest.raises(ConfigurationError, match="no name for a score"):
        scored(said("4"), right, name)


@pytest.mark.parametrize("score", ["yes", [1], object(), {"part": "yes"}])
def test_what_is_no_score_is_refused(score: Any) -> None:
    with pytest.raises(ConfigurationError, match="a scorer gives True or False"):
        scored(said("4"), lambda result: score)


def test_an_interrupt_in_a_scorer_is_no_failure_of_it() -> None:
    def interrupted(result: AgentResult) -> bool:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scored(said("4"), interrupted)


CORE = """
import sys
sys.modules |= dict.fromkeys(("pandas", "numpy", "pyarrow", "msgspec", "scipy"))
import hermes_nb as hn

[scored] = hn.scored({path!r}, lambda run: run.run_id == "a", name="is_a")
print(scored.scores)
"""


def test_scoring_needs_nothing_but_the_core(tmp_path: Path) -> None:
    path = written(tmp_path / "x.jsonl", run_of("a"))
    command = [sys.executable, "-c", CORE.format(path=str(path))]

    ended = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (ended.stdout, ended.stderr) == ("{'is_a': True}\n", "")
