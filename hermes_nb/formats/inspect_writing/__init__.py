"""A log of Inspect, made of our results: its viewer, its data frames and `read_eval_log` take it as one of their own.

Source of the wire format: UKGovernmentBEIS/inspect_ai, `src/inspect_ai/log/_log.py` (EvalLog, EvalSample),
`src/inspect_ai/model/_chat_message.py` and `_model_output.py`, `src/inspect_ai/tool/_tool_call.py` and
`src/inspect_ai/event/` (ModelEvent, ToolEvent); version 2 of the log, as JSON.

A result is a sample: `task` (its run id where it has none) is the sample's id, and `attempt` the epoch, from 1; one
that would be there twice gets the next epoch that is free. Every turn is a model event, with usage and time, and every
answer a tool event. An error of a tool has the nearest of Inspect's types. Kept are messages, thoughts, calls with
arguments that are objects (not the letter of their JSON), answers, errors with their text, scores, usage, times and
`meta`; all else is reported.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hermes_nb.formats.base import Report, Results, each, encoded, mapping, write_atomically
from hermes_nb.formats.inspect_writing import wire
from hermes_nb.formats.inspect_writing.losses import losses
from hermes_nb.messages import text_of
from hermes_nb.records import AgentResult
from hermes_nb.redact import Redactor

NAME = "Inspect log"

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""When a run began that does not say: the same results make the same bytes."""

LIMITS = {"max_turns": "message", "max_seconds": "time", "max_total_tokens": "token", "max_cost": "custom",
          "context_overflow": "context", "max_tool_calls": "custom", "interrupted": "operator"}  # fmt: skip
LIMIT_VALUES = {"max_turns": "max_turns", "max_seconds": "seconds", "max_total_tokens": "total_tokens",
                "max_cost": "cost", "max_tool_calls": "tool_calls"}  # fmt: skip


def write(results: Results, path: str | os.PathLike[str], *, task: str = "hermes_nb") -> Report:
    """Write one log with a sample for each result, and report what could not be kept. Everything shaped like a secret
    is redacted. `task` names the evaluation.

    Raises:
        OSError: the file cannot be written; one of that name is as it was.
    """
    kept = list(each(results))
    log = encoded(_log(kept, task), Redactor())
    write_atomically(Path(path), [log])
    lost = tuple(loss for result in kept for loss in losses(result))
    return Report(path=Path(path), written=len(kept), losses=lost)


def _log(results: list[AgentResult], task: str) -> dict[str, Any]:
    samples = list(_samples(results))
    created = min((sample["started_at"] for sample in samples), default=wire.time_of(EPOCH))
    models = sorted({model for sample in samples for model in sample["model_usage"]})
    names = sorted({name for sample in samples for name in sample["scores"]})
    ids = list(dict.fromkeys(sample["id"] for sample in samples))
    return {
        "version": 2,
        "status": "success",
        "eval": {
            "run_id": task,
            "created": created,
            "task": task,
            "task_id": task,
            "dataset": {"name": task, "samples": len(ids), "sample_ids": ids, "shuffled": False},
            "model": models[0] if len(models) == 1 else "none/none",
            "config": {"epochs": max((sample["epoch"] for sample in samples), default=1)},
            "packages": {},
        },
        "plan": {},
        "results": {
            "total_samples": len(samples),
            "completed_samples": sum("error" not in sample for sample in samples),
            "scores": [_mean(name, samples) for name in names],
        },
        "stats": {
            "started_at": created,
            "completed_at": max((sample["completed_at"] for sample in samples), default=created),
            "model_usage": {model: _sum(model, samples) for model in models},
        },
        "samples": samples,
    }


def _mean(name: str, samples: list[dict[str, Any]]) -> dict[str, Any]:
    values = [sample["scores"][name]["value"] for sample in samples if name in sample["scores"]]
    numbers = [value for value in values if isinstance(value, int | float)]
    metrics = {"mean": {"name": "mean", "value": sum(numbers) / len(numbers), "params": {}}} if numbers else {}
    return {"name": name, "scorer": name, "params": {}, "metrics": metrics}


def _sum(model: str, samples: list[dict[str, Any]]) -> dict[str, Any]:
    used = [sample["model_usage"][model] for sample in samples if model in sample["model_usage"]]
    names = {name for one in used for name in one}
    return {name: sum(one.get(name) or 0 for one in used) for name in sorted(names)}


def _samples(results: list[AgentResult]) -> Iterator[dict[str, Any]]:
    taken: set[tuple[str, int]] = set()
    for result in results:
        name, epoch = str(result.task or result.run_id or "run"), result.attempt + 1
        while (name, epoch) in taken:
            epoch += 1
        taken.add((name, epoch))
        yield _sample(result, name, epoch)


def _sample(result: AgentResult, name: str, epoch: int) -> dict[str, Any]:
    began = _began(result)
    model = _model(result)
    messages = wire.messages(result)
    last = next((turn.reply for turn in reversed(result.turns) if turn.reply), None)
    said = next((one for one in reversed(messages) if one["role"] == "assistant"), None)
    usage = wire.usage_of(result.usage)
    sample = {
        "id": name,
        "epoch": epoch,
        "input": next((text_of(one.get("content")) for one in result.messages if one.get("role") == "user"), ""),
        "target": "",
        "messages": messages,
        "output": wire.output(last, model, said) if last and said else {"model": model, "choices": []},
        "scores": {name: {"value": value} for name, value in result.scores.items() if wire.is_score(value)},
        "metadata": {**result.meta, "stop_reason": result.stop_reason},
        "events": list(wire.events(result, messages, began, model)),
        "model_usage": {model: usage} if usage else {},
        "started_at": wire.time_of(began),
        "completed_at": wire.time_of(began + timedelta(seconds=result.seconds)),
        "total_time": result.seconds,
        "uuid": result.run_id,
    }
    if result.error is not None:
        told = f"{result.error.type}: {result.error.message}"
        sample["error"] = {"message": told, "traceback": told, "traceback_ansi": told}
    if limit := LIMITS.get(result.stop_reason):
        set_to = mapping(result.provenance.limits if result.provenance else None)
        sample["limit"] = {"type": limit, "limit": float(set_to.get(LIMIT_VALUES.get(result.stop_reason, "")) or -1)}
    return sample


def _began(result: AgentResult) -> datetime:
    told = result.provenance.started_at if result.provenance else ""
    try:
        began = datetime.fromisoformat(told)
    except ValueError:
        return EPOCH
    return began if began.tzinfo else began.replace(tzinfo=UTC)


def _model(result: AgentResult) -> str:
    made = result.provenance.server.get("model") if result.provenance else None
    said = (turn.reply.model for turn in result.turns if turn.reply and turn.reply.model)
    return made if isinstance(made, str) and made else next(said, "none")
