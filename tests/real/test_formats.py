"""Other people's transcripts, read by the library and counted by others: INDEX.jsonl, and the files' own JSON."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from hermes_nb import formats
from hermes_nb.exceptions import FormatError
from hermes_nb.records import AgentResult
from tests.real import readers

NAMES = {
    "tau_bench": "tau-bench", "tau2": "tau2-bench", "swe_agent": "SWE-agent", "mini_swe_agent": "mini-swe-agent",
    "openhands": "OpenHands", "atif": "ATIF", "toolbench": "ToolBench",
}  # fmt: skip
"""How the names of the files begin, and what their formats are called."""


def format_of(transcript: Path) -> str:
    """What the format of a file is called, by the file's name."""
    start = next((start for start in sorted(NAMES, key=len, reverse=True) if transcript.name.startswith(start)), None)
    if start is None:
        pytest.skip("another test's format")
    return NAMES[start]


def indexed(transcript: Path) -> Mapping[str, Any]:
    """What INDEX.jsonl counts in a file."""
    lines = map(json.loads, (transcript.parent / "INDEX.jsonl").read_text().splitlines())
    return next(line for line in lines if line["file"] == f"transcripts/{transcript.name}")


def count(results: list[AgentResult]) -> dict[str, int]:
    """What the results hold, by the names of INDEX.jsonl."""
    replies = [turn.reply for result in results for turn in result.turns if turn.reply]
    return {
        "conversations": len(results),
        "messages": sum(len(result.messages) for result in results),
        "tool_calls": sum(len(result.calls) for result in results),
        "tool_results": sum(len(result.results) for result in results),
        "tool_errors": sum(len(result.tool_errors) for result in results),
        "usage_records": sum(reply.usage.prompt is not None for reply in replies),
        "parallel_turns": sum(len(reply.calls) > 1 for reply in replies),
        "nonzero_exit": sum(bool(one.exit_code) for result in results for one in result.results),
    }


COUNTED_OTHERWISE = {
    "ATIF": {"messages"},  # Its steps are counted; an observation of a step is a message of its own.
    "tau2-bench": {"usage_records"},  # Those of the simulated user are in meta["user_usage"].
}
"""What INDEX.jsonl counts that a result counts otherwise."""


def test_a_file_has_the_counts_of_the_index(transcript: Path) -> None:
    name, index = format_of(transcript), indexed(transcript)
    counted = count(formats.read(transcript))
    told = {key: index[key] for key in counted if key in index and key not in COUNTED_OTHERWISE.get(name, ())}

    assert {key: counted[key] for key in told} == told


def test_a_file_is_recognised_and_read_whatever_it_is_called(transcript: Path, tmp_path: Path) -> None:
    name = format_of(transcript)
    renamed = tmp_path / "README.zip"
    shutil.copyfile(transcript, renamed)

    assert formats.recognise(renamed) == name
    results = formats.read(renamed)
    assert [one.run_id for one in results] == [one.run_id for one in formats.read(transcript)]
    assert {one.meta["format"] for one in results} == {name}


def test_the_calls_are_those_that_an_independent_reader_finds(transcript: Path) -> None:
    if format_of(transcript) == "ToolBench":
        pytest.skip("the independent reader takes the whole tree, and not the chain that was settled on")
    found = {(call.name, call.arguments) for one in readers.read(transcript) for call in one.calls}
    read = [call for result in formats.read(transcript) for call in result.calls]

    assert {(call.name, json.dumps(call.parsed, sort_keys=True)) for call in read} == {
        (name, json.dumps(json.loads(arguments), sort_keys=True)) for name, arguments in found
    }


def scores_of(transcript: Path) -> Iterator[dict[str, float]]:
    """The scores in a file, straight from its JSON."""
    for document in readers.documents(transcript):
        match format_of(transcript):
            case "tau-bench":
                for one in document:
                    inner = (one["info"]["reward_info"] or {"info": {}})["info"]
                    numbers = {key: float(inner[key]) for key in ("r_actions", "r_outputs") if key in inner}
                    yield {"reward": one["reward"], **numbers}
            case "tau2-bench":
                for one in document["simulations"]:
                    verdict = one["reward_info"]
                    yield {"reward": verdict["reward"], **(verdict["reward_breakdown"] or {})}
            case "ToolBench":
                yield {"win": float(document["win"])}
            case _:
                yield {}


def test_the_scores_are_those_of_the_file(transcript: Path) -> None:
    format_of(transcript)

    assert [result.scores for result in formats.read(transcript)] == list(scores_of(transcript))


def test_times_are_never_below_zero_and_turns_follow_each_other(transcript: Path) -> None:
    format_of(transcript)
    for result in formats.read(transcript):
        begun = [turn.at for turn in result.turns]
        assert begun == sorted(begun)
        assert all(at >= 0.0 for at in begun)
        assert all(turn.seconds >= 0.0 and turn.model_seconds >= 0.0 for turn in result.turns)
        assert all(one.started >= 0.0 and one.seconds >= 0.0 for one in result.results)


def test_tasks_and_trials_of_tau_bench_are_tasks_and_attempts(real: Path) -> None:
    path = real / "transcripts" / "tau_bench_airline_gpt-4o.json"
    given = json.loads(path.read_text())

    assert [(one.task, one.attempt) for one in formats.read(path)] == [
        (str(one["task_id"]), one["trial"]) for one in given
    ]


def test_the_tokens_of_tau2_are_those_of_both_parties(real: Path) -> None:
    for path in sorted((real / "transcripts").glob("tau2*")):
        simulations = json.loads(path.read_text())["simulations"]
        for result, given in zip(formats.read(path), simulations, strict=True):
            sent = {
                role: sum(
                    one["usage"]["prompt_tokens"] for one in given["messages"] if one["role"] == role and one["usage"]
                )
                for role in ("assistant", "user")
            }
            assert (result.usage.prompt or 0, result.meta.get("user_usage", {}).get("prompt", 0)) == (
                sent["assistant"], sent["user"]
            )  # fmt: skip
            if given["agent_cost"] is not None:
                assert result.usage.cost == pytest.approx(given["agent_cost"])
            assert result.usage.partial == (given["agent_cost"] is None)


@pytest.mark.parametrize("kept", [0.3, 0.9])
def test_a_file_that_was_cut_short_is_an_error_that_names_it(transcript: Path, tmp_path: Path, kept: float) -> None:
    format_of(transcript)
    cut = tmp_path / "cut.json"
    raw = transcript.read_bytes()
    cut.write_bytes(raw[: int(len(raw) * kept)])

    with pytest.raises(FormatError, match=r"cut\.json"):
        formats.read(cut)
