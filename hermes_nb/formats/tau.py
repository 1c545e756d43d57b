"""tau-bench's results: a list of trials, each a conversation with a simulated user, and its reward.

Source of the form: sierra-research/tau-bench (`tau_bench/types.py`: `EnvRunResult`; `tau_bench/run.py`, which writes
it; `tau_bench/envs/base.py`: what a tool's answer says when the call went wrong, and when an episode is done).

| `EnvRunResult` | comes to |
|---|---|
| `traj` | the messages |
| `task_id`, `trial` | `task` and `attempt` |
| `reward`, and the numbers in `info.reward_info.info` (`r_actions`, `r_outputs`) | `scores` |
| `info.error` and `info.traceback` of a trial that broke off | `error`, and a stop reason of `crashed` |
| `info` | `meta["info"]` |

An answer that begins with `Error` is an error that the tool reported, one that begins with `Unknown action` a call of a
tool that there is not: the files have no other mark of them. An episode that has `reward_info` was done, and the run
`stopped`; one without it had no steps left. Models, times and tokens are not in these files. The agents that write
their actions as text have no calls.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from hermes_nb.formats.base import About, Failure, Head, Note, Source, conversation, mapping, raised, text
from hermes_nb.messages import text_of
from hermes_nb.records import AgentResult, RunError, StopReason

NAME = "tau-bench"

LAST_LINE = re.compile(r"^([A-Za-z_][\w.]*)(?::|$)")


def recognises(head: Head) -> bool:
    """The first row has a `traj` beside `reward` and `task_id`."""
    return isinstance(head.row, Mapping) and _is_trial(head.row)


def read(source: Source) -> Iterator[AgentResult]:
    """One result for each trial.

    Raises:
        FormatError: a row is no trial, or over the bounds.
    """
    for row in source.rows():
        if not isinstance(row.value, Mapping) or not _is_trial(row.value):
            raise source.error("no trial: it has no traj, reward and task_id", row.place)
        messages = row.value["traj"]
        notes = {index: Note(failure=failure) for index, failure in _failures(messages)}
        yield conversation(messages, source, NAME, row.place, _about(row.value), notes=notes)


def _is_trial(row: Mapping[str, Any]) -> bool:
    return isinstance(row.get("traj"), list) and {"reward", "task_id"} <= set(row)


def _about(row: Mapping[str, Any]) -> About:
    info = mapping(row.get("info"))
    verdict = mapping(info.get("reward_info"))
    trial = row.get("trial")
    given = {"reward": row["reward"], **mapping(verdict.get("info"))}
    error = _error(info)
    return About(
        task=str(row["task_id"]),
        attempt=trial if type(trial) is int else 0,
        scores={name: float(value) for name, value in given.items() if isinstance(value, bool | int | float)},
        stop_reason=_ending(row["traj"], info, error),
        error=error,
        meta={key: value for key, value in row.items() if key not in ("traj", "task_id", "trial", "reward")},
    )


def _ending(messages: list[Any], info: Mapping[str, Any], error: RunError | None) -> StopReason:
    if error is not None:
        return "crashed"
    if info.get("reward_info"):
        return "stopped"
    last = mapping(messages[-1]) if messages else {}
    if "###STOP###" in text_of(last.get("content")):
        return "stopped"
    return "max_turns" if messages else "running"


def _error(info: Mapping[str, Any]) -> RunError | None:
    """Why a trial broke off; its type is in the last line of the traceback."""
    told = info.get("error")
    if not isinstance(told, str):
        return None
    lines = (text(info.get("traceback")) or "").strip().splitlines()
    named = [found for line in lines if (found := LAST_LINE.match(line)) and not line.startswith("Traceback")]
    return RunError(type=named[-1].group(1).rpartition(".")[2] if named else "Exception", message=told)


def _failures(messages: list[Any]) -> Iterator[tuple[int, Failure]]:
    for index, message in enumerate(messages):
        if not isinstance(message, Mapping) or message.get("role") != "tool":
            continue
        told = text_of(message.get("content"))
        if told.startswith("Unknown action"):
            yield index, Failure(error=told, kind="unknown_tool")
        elif told.startswith("Error"):
            yield index, raised(told, "reported")
