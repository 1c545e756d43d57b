"""Numbers of a set of runs as a flat dict, for wandb, MLflow and TensorBoard."""

from __future__ import annotations

import hashlib
import math
import re
from typing import Any, get_args

import pandas as pd

from hermes_nb.exceptions import ConfigurationError
from hermes_nb.records import ErrorKind
from hermes_nb.redact import Redactor
from hermes_nb.stats import seen
from hermes_nb.stats.seen import Results

MOST_TOOLS = 50
MOST_DETAILS = 1000
LONGEST_NAME = 100
ARGUMENTS, ERROR = 80, 150
"""So many characters of arguments and error stand in a line of `tool_error_details`."""

ILLEGAL = re.compile(r"[^A-Za-z0-9_-]")
LEGAL_PREFIX = re.compile(r"([A-Za-z0-9_-]+[./]?)*")

Metrics = dict[str, float | int | str]


def metrics(results: Results, prefix: str = "train/") -> Metrics:
    """Counts and rates of these runs by name, each name beginning with `prefix`; every value is finite and known.

    `tool_errors_count` and, where there are errors, `tool_error_details` (a line `[turn 2] divide({"a": 1}) -> error`
    for each; the first 80 characters of the arguments and 150 of the error, without secrets; of the first 1000 errors)
    are those of the original's trainer. Beside them:

    - `runs`, `turns`, `calls`, `turns_per_run`, `calls_per_run`
    - `tool_error_rate` (errors / calls), `runs_with_errors_rate`, `recovered_rate` (of the errors)
    - `finished_rate` (of the runs that ended), `ok_rate`, and `stop_reason/<reason>`: a count of each that occurred
    - `error_kind/<kind>`, `error_fault/<fault>`: counts, each kind there, also at 0
    - `tool/<name>/calls`, `/errors` and `/error_rate`, of the 50 tools called most; names that no tool has (they are
      the model's invention, and without end) count under `error_kind/unknown_tool` alone
    - `tokens/<part>` (a sum, where every run says it), `seconds/run_mean`, `seconds/run_max`, `score/<name>` (a mean)

    Names hold letters, digits, `_`, `-`, `.` and `/`; anything else in a tool's or score's name becomes `_`, with a
    short hash that keeps it apart. What is unknown has no entry: a rate of no calls is not 0. All values are numbers
    but `tool_error_details`, which `mlflow.log_metrics` does not take (`mlflow.set_tag` does).

    Raises:
        ConfigurationError: `prefix` holds something else, or begins with `/`.
    """
    if not LEGAL_PREFIX.fullmatch(prefix):
        raise ConfigurationError(f"a prefix holds letters, digits, _, -, and single . and / between them: {prefix!r}")
    runs, turns, calls = seen.tables(results)
    failed = calls[calls["kind"].notna()]
    found: dict[str, Any] = {
        **_errors(calls, failed),
        **_counts(runs, turns, calls),
        **_endings(runs),
        **_tools(calls),
        **_amounts(runs),
    }
    return {f"{prefix}{name}": value for name, value in found.items() if _is_known(value)}


def _errors(calls: pd.DataFrame, failed: pd.DataFrame) -> dict[str, Any]:
    found: dict[str, Any] = {"tool_errors_count": len(failed)}
    if len(failed):
        found["tool_error_details"] = "\n".join(_details(failed.head(MOST_DETAILS)))
        found["recovered_rate"] = float(failed["recovered"].fillna(False).astype(bool).mean())
    if len(calls):
        found["tool_error_rate"] = len(failed) / len(calls)
    kinds, faults = (failed[column].value_counts() for column in ("kind", "fault"))
    found |= {f"error_kind/{kind}": int(kinds.get(kind, 0)) for kind in get_args(ErrorKind)}
    return found | {
        f"error_fault/{fault}": int(faults.get(fault, 0)) for fault in ("model", "tool", "environment", "run")
    }


def _details(failed: pd.DataFrame) -> list[str]:
    redactor = Redactor()
    return [
        f"[turn {turn}] {redactor.text(_text(name))}({redactor.text(_text(arguments))[:ARGUMENTS]})"
        f" -> {redactor.text(_text(error))[:ERROR]}"
        for turn, name, arguments, error in failed[["turn", "name", "arguments", "error"]].itertuples(index=False)
    ]


def _counts(runs: pd.DataFrame, turns: pd.DataFrame, calls: pd.DataFrame) -> dict[str, Any]:
    found: dict[str, Any] = {"runs": len(runs), "turns": len(turns), "calls": len(calls)}
    if len(runs):
        found |= {"turns_per_run": len(turns) / len(runs), "calls_per_run": len(calls) / len(runs)}
        with_errors = calls.loc[calls["kind"].notna(), "run_id"].nunique()
        found["runs_with_errors_rate"] = with_errors / len(runs)
    return found


def _endings(runs: pd.DataFrame) -> dict[str, Any]:
    ended = runs.loc[runs["stop_reason"] != "running", "stop_reason"].dropna()
    found: dict[str, Any] = {f"stop_reason/{reason}": int(number) for reason, number in ended.value_counts().items()}
    if len(ended):
        found["finished_rate"] = float((ended == "finished").mean())
        found["ok_rate"] = float(ended.isin(["finished", "stopped"]).mean())
    return found


def _tools(calls: pd.DataFrame) -> dict[str, Any]:
    of_tools = calls[(calls["kind"] != "unknown_tool").fillna(True)]
    found: dict[str, Any] = {}
    for name, count in of_tools["name"].value_counts(sort=True).head(MOST_TOOLS).items():
        wrong = int(of_tools.loc[of_tools["name"] == name, "kind"].notna().sum())
        start = f"tool/{legal(str(name))}"
        found |= {f"{start}/calls": int(count), f"{start}/errors": wrong, f"{start}/error_rate": wrong / int(count)}
    return found


def _amounts(runs: pd.DataFrame) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part in seen.TOKENS:
        known = runs[f"{part}_tokens"]
        if len(runs) and known.notna().all() and not runs["usage_partial"].fillna(True).any():
            found[f"tokens/{part}"] = int(known.sum())
    seconds = runs["seconds"].dropna().astype(float)
    found |= {"seconds/run_mean": seconds.mean(), "seconds/run_max": seconds.max()} if len(seconds) else {}
    for column in runs.columns:
        if column.startswith("score."):
            scores = pd.to_numeric(runs[column], errors="coerce").dropna().astype(float)
            found[f"score/{legal(column.removeprefix('score.'))}"] = scores.mean()
    return {name: value if isinstance(value, int) else float(value) for name, value in found.items()}


def legal(name: str) -> str:
    """A name of letters, digits, `_` and `-` that differs for different names."""
    kept = ILLEGAL.sub("_", name)
    if kept == name and 0 < len(name) <= LONGEST_NAME:
        return name
    return f"{kept[:LONGEST_NAME]}_{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _is_known(value: Any) -> bool:
    return not isinstance(value, float) or math.isfinite(value)
