"""What of the runs is counted: three tables with the columns that the estimates need."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias

import pandas as pd

from hermes_nb import journal
from hermes_nb.records import AgentResult, ToolCall, ToolResult, Turn

PathLike: TypeAlias = str | os.PathLike[str]
Results: TypeAlias = AgentResult | PathLike | Iterable[AgentResult | PathLike]
"""One result, any iterable of results, or paths and patterns of journals."""

TOKENS = ("prompt", "completion", "total", "reasoning", "cached")

RUNS = {
    "run_id": "str", "task": "str", "attempt": "Int64", "origin_kind": "str", "origin_run_id": "str",
    "stop_reason": "str", "ok": "boolean", "turns": "Int64", **{f"{part}_tokens": "Int64" for part in TOKENS},
    "usage_partial": "boolean", "seconds": "Float64",
}  # fmt: skip
TURNS = {
    "run_id": "str", "turn": "Int64", "prompt_tokens": "Int64", "completion_tokens": "Int64", "at": "Float64",
    "model_seconds": "Float64", "reply_seconds": "Float64", "waited": "Float64", "first_token_at": "Float64",
}  # fmt: skip
CALLS = {
    "run_id": "str", "turn": "Int64", "call_index": "Int64", "name": "str", "arguments": "str", "kind": "str",
    "fault": "str", "error": "str", "queued": "Float64", "started": "Float64", "seconds": "Float64",
    "next_action": "str", "recovered": "boolean", "turns_to_recover": "Int64",
}  # fmt: skip


def runs(results: Results) -> pd.DataFrame:
    """A row for each run, and `score.<name>` of each score."""
    return tables(results)[0]


def calls(results: Results) -> pd.DataFrame:
    """A row for each call."""
    return tables(results)[2]


def tables(results: Results) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Runs, turns and calls; the results are gone through once."""
    of_runs: list[dict[str, Any]] = []
    of_turns: list[dict[str, Any]] = []
    of_calls: list[dict[str, Any]] = []
    for number, result in enumerate(each(results)):
        run_id = result.run_id or f"run {number}"
        of_runs.append({"run_id": run_id, **_run(result)})
        of_turns += [{"run_id": run_id, **_turn(turn, _measured(result))} for turn in result.turns]
        of_calls += [{"run_id": run_id, **row} for row in _calls(result.turns, _measured(result))]
    scores = list(dict.fromkeys(name for row in of_runs for name in row if name.startswith("score.")))
    return _table(of_runs, RUNS | dict.fromkeys(scores, "object")), _table(of_turns, TURNS), _table(of_calls, CALLS)


def each(results: Results) -> Iterator[AgentResult]:
    """The results one after the other."""
    given = [results] if isinstance(results, AgentResult | str | os.PathLike) else results
    for one in given:
        if isinstance(one, AgentResult):
            yield one
        else:
            yield from journal.runs(one)


def _table(rows: Sequence[dict[str, Any]], dtypes: dict[str, str]) -> pd.DataFrame:
    columns = {name: [row.get(name) for row in rows] for name in dtypes}
    columns = {
        name: [one.encode("utf-8", "replace").decode() if isinstance(one, str) else one for one in column]
        for name, column in columns.items()
    }
    return pd.DataFrame(columns, columns=list(dtypes), dtype=object).astype(dtypes)


def _run(result: AgentResult) -> dict[str, Any]:
    origin, usage = result.origin, result.usage
    return {
        "task": result.task, "attempt": result.attempt, "stop_reason": result.stop_reason, "ok": result.ok,
        "origin_kind": origin.kind if origin else None, "origin_run_id": origin.run_id if origin else None,
        "turns": len(result.turns), "seconds": result.seconds if _measured(result) else None,
        "usage_partial": usage.partial, **{f"{part}_tokens": getattr(usage, part) for part in TOKENS},
        **{f"score.{name}": value for name, value in result.scores.items()},
    }  # fmt: skip


def _measured(result: AgentResult) -> bool:
    return result.provenance is not None and not (result.origin and result.origin.kind == "import")


def _turn(turn: Turn, measured: bool) -> dict[str, Any]:
    reply = turn.reply
    row: dict[str, Any] = {"turn": turn.number}
    if reply:
        row |= {"prompt_tokens": reply.usage.prompt, "completion_tokens": reply.usage.completion}
        if measured:
            row |= {"reply_seconds": reply.seconds, "waited": reply.waited, "first_token_at": reply.first_token_at}
    return row | {"at": turn.at, "model_seconds": turn.model_seconds} if measured else row


def _calls(turns: Sequence[Turn], measured: bool) -> Iterator[dict[str, Any]]:
    for place, turn in enumerate(turns):
        answered = {result.call.index: result for result in turn.results}
        for call in turn.reply.calls if turn.reply else [result.call for result in turn.results]:
            row = {"turn": turn.number, "call_index": call.index, "name": call.name, "arguments": call.arguments}
            result = answered.get(call.index)
            yield row | (_answer(result, turns[place + 1 :], measured) if result else {})


def _answer(result: ToolResult, later: Sequence[Turn], measured: bool) -> dict[str, Any]:
    row: dict[str, Any] = {}
    if measured:
        row = {"started": result.started, "queued": result.queued, "seconds": result.seconds}
    if result.error is None:
        return row
    mended = [turn.number for turn in later if any(_mends(one, result.call) for one in turn.results)]
    return row | {
        "kind": result.error.kind, "fault": result.error.fault, "error": result.error.error,
        "next_action": _next_action(result.call, later), "recovered": bool(mended),
        "turns_to_recover": mended[0] - result.call.turn if mended else None,
    }  # fmt: skip


def _mends(result: ToolResult, call: ToolCall) -> bool:
    return result.error is None and result.call.name == call.name


def _next_action(call: ToolCall, later: Sequence[Turn]) -> str:
    if not later or later[0].reply is None:
        return "ended"
    following = later[0].reply.calls
    same = [one for one in following if one.name == call.name]
    if not following:
        return "answered"
    if not same:
        return "changed_tool"
    return "retried_same" if any(one.arguments == call.arguments for one in same) else "changed_arguments"
