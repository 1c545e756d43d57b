"""Recorded tool loops of other clients, played again by our loop over a real socket."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from tests.real import recordings
from tests.real.differences import compare
from tests.real.judge import verdict
from tests.real.recordings import Chain, Exchange
from tests.real.replay import Played, play
from tests.real.report import Findings, LoopRow

Plays = list[tuple[Chain, Played]]

PLAYED: dict[Path, Plays] = {}


@pytest.fixture
async def plays(recording: Path) -> Plays:
    """The conversations of the recording, and what came of playing them; each is played once for all tests."""
    if recording not in PLAYED:
        PLAYED[recording] = [(chain, await play(chain)) for chain in recordings.tool_loops(recordings.read(recording))]
    return PLAYED[recording]


async def test_our_requests_are_the_recorded_ones_but_for_reasons(
    recording: Path, plays: Plays, findings: Findings
) -> None:
    unexplained = []
    for chain, played in plays:
        assert len(played.requests) == len(chain)
        compared = compare(chain, [request["messages"] for request in played.requests])
        findings.loops.append(LoopRow(recording, chain, compared, _tools_equal(chain, played)))
        unexplained += [one for pairs in compared for pair in pairs for one in pair.differences if one.reason is None]
    assert not unexplained, f"{len(unexplained)} differences have no reason: {unexplained}"


async def test_every_request_begins_with_the_one_before(plays: Plays) -> None:
    for _, played in plays:
        requests = [request["messages"] for request in played.requests]
        for before, after in pairwise(requests):
            assert after[: len(before)] == before


async def test_the_tools_are_offered_as_recorded(plays: Plays) -> None:
    for chain, played in plays:
        for ours, recorded in zip(played.requests, chain, strict=True):
            # Azure's client leaves out the type, of which there is only one.
            assert ours.get("tools", []) == [{"type": "function", **schema} for schema in recorded.tools]


async def test_a_recorded_call_is_refused_only_where_json_and_jsonschema_refuse_it(plays: Plays) -> None:
    for chain, played in plays:
        results = [one for run in played.results for turn in run.turns for one in turn.results]
        kinds = [one.error.kind if one.error and one.error.kind != "reported" else None for one in results]
        assert kinds == [kind for exchange in chain for kind in _verdicts(exchange)]


async def test_each_run_has_the_recorded_replies_and_ends_as_the_last_says(plays: Plays) -> None:
    for chain, played in plays:
        said = iter(chain)
        for run in played.results:
            replies = [turn.reply for turn in run.turns if turn.reply]
            recorded = [next(said) for _ in replies]
            assert [reply.text for reply in replies] == [_text(one) for one in recorded]
            assert run.stop_reason == _ending(recorded[-1])
        assert next(said, None) is None


def _verdicts(exchange: Exchange) -> list[str | None]:
    calls = [call["function"] for call in recordings.calls_of(exchange.reply)]
    return [verdict(call["name"], call.get("arguments"), exchange.tools) for call in calls]


def _tools_equal(chain: Chain, played: Played) -> int:
    return sum(ours.get("tools", []) == one.tools for ours, one in zip(played.requests, chain, strict=True))


def _text(exchange: Exchange) -> str:
    return recordings.text_of((exchange.reply or {}).get("content"))


def _ending(exchange: Exchange) -> str:
    """How a run ends whose last reply this was; one with calls was stopped by the test."""
    if recordings.calls_of(exchange.reply):
        return "stopped"
    if exchange.choice.get("finish_reason") in ("length", "content_filter"):
        return str(exchange.choice["finish_reason"])
    if _text(exchange):
        return "finished"
    return "refusal" if (exchange.reply or {}).get("refusal") else "empty"
