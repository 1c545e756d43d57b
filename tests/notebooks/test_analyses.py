"""The analysis of tool errors says what is in another tool's file, once its one line names it."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

HERE = Path(__file__).resolve()
ANALYSIS = HERE.parents[2] / "notebooks" / "analyses" / "where_tool_errors_come_from.ipynb"
REAL = Path(os.environ.get("HERMES_NB_REAL") or HERE.parents[3] / "shared" / "real")
AIRLINE = REAL / "transcripts" / "tau_bench_airline_gpt-4o.json"
LINE = re.compile(r"^SOURCE = .*$", re.MULTILINE)

TOLD = """
import json

failed = calls[calls["kind"].notna()]
tools = {tool: [int(count), int(of)] for tool, count, of, *_ in stats.errors(results).itertuples(index=False)}
told = {"runs": len(runs), "calls": len(calls), "failed_runs": failed["run_id"].nunique(), "tools": tools}
print(json.dumps(told | {"original": {name: int(count) for name, count in counts.items()}}))
"""
"""What the notebook has found, as JSON."""


def counted(trials: list[dict[str, Any]]) -> dict[str, Any]:
    """The same numbers, counted in the raw file: an answer that begins with `Error` or `Unknown action` is an error."""
    calls: Counter[str] = Counter()
    errors: Counter[str] = Counter()
    original: Counter[str] = Counter()
    failed_runs = set()
    for place, trial in enumerate(trials):
        names: dict[str, str] = {}
        for message in trial["traj"]:
            for one in message.get("tool_calls") or ():
                names[one["id"]] = one["function"]["name"]
                calls[one["function"]["name"]] += 1
            told = message.get("content") or ""
            if message["role"] == "tool" and told.startswith(("Error", "Unknown action")):
                errors[names[message["tool_call_id"]]] += 1
                original["never" if told.startswith("Error") else "counted"] += 1
                failed_runs.add(place)
    return {
        "runs": len(trials), "calls": calls.total(), "failed_runs": len(failed_runs),
        "tools": {name: [errors[name], count] for name, count in calls.items()}, "original": dict(original),
    }  # fmt: skip


async def test_the_analysis_of_a_real_file_gives_the_numbers_that_are_counted_in_it() -> None:
    if not AIRLINE.is_file():
        pytest.skip(f"there is no real input at {REAL}; HERMES_NB_REAL can say where it is")
    notebook = nbformat.read(ANALYSIS, as_version=4)
    [holder] = [cell for cell in notebook.cells if cell.cell_type == "code" and LINE.search(cell.source)]
    holder.source = LINE.sub(lambda _: f"SOURCE = {str(AIRLINE)!r}", holder.source)
    notebook.cells.append(nbformat.v4.new_code_cell(TOLD))

    await NotebookClient(notebook, kernel_name="python3").async_execute()

    assert json.loads(notebook.cells[-1].outputs[0].text) == counted(json.loads(AIRLINE.read_text(encoding="utf-8")))
