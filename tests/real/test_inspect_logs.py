"""Logs of Inspect that others wrote."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest

from hermes_nb import formats

FILES = ["inspect_ai__log_tool_call_error.json", "inspect_ai__log_message_deduplication.eval", "docent__ctf.json"]


def indexed(real: Path, name: str) -> dict[str, Any]:
    lines = (real / "transcripts" / "INDEX.jsonl").read_text(encoding="utf-8").splitlines()
    return next(one for one in map(json.loads, lines) if one["file"] == f"transcripts/{name}")


def samples_in(path: Path) -> list[Any]:
    if not zipfile.is_zipfile(path):
        samples: list[Any] = json.loads(path.read_text(encoding="utf-8"))["samples"]
        return samples
    with zipfile.ZipFile(path) as archive:
        return [json.loads(archive.read(name)) for name in archive.namelist() if name.startswith("samples/")]


@pytest.mark.parametrize("name", FILES)
def test_a_log_has_the_counts_of_the_index_whatever_it_is_called(real: Path, tmp_path: Path, name: str) -> None:
    index = indexed(real, name)
    for path in (real / "transcripts" / name, Path(shutil.copy(real / "transcripts" / name, tmp_path / "renamed.txt"))):
        results = formats.read(path)
        assert len(results) == index["conversations"]
        assert sum(len(result.messages) for result in results) == index["messages"]
        assert sum(len(result.calls) for result in results) == index["tool_calls"]
        assert sum(len(result.results) for result in results) == index["tool_results"]
        assert sum(len(result.tool_errors) for result in results) == index.get("tool_errors", 0)


@pytest.mark.parametrize("name", FILES)
def test_scores_tasks_and_usage_are_those_of_the_samples(real: Path, name: str) -> None:
    results, samples = formats.read(real / "transcripts" / name), samples_in(real / "transcripts" / name)

    assert [result.scores for result in results] == [
        {score: told["value"] for score, told in (sample.get("scores") or {}).items()} for sample in samples
    ]
    assert [result.task for result in results] == [str(sample["id"]) for sample in samples]
    for result, sample in zip(results, samples, strict=True):
        counted = [one["total_tokens"] for one in (sample.get("model_usage") or {}).values()]
        assert result.usage.total == (sum(counted) if counted else None)
