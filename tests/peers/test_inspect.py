"""Inspect reads the logs that we write as its own."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

from hermes_nb import formats
from tests.formats.test_inspect_writing import made
from tests.peers.conftest import python_of

NAME = "2026-01-02T03-04-05+00-00_files_abc.json"
"""Its data frames take only files with names such as it gives."""

READ = """
import json, sys
from inspect_ai.analysis import messages_df, samples_df
from inspect_ai.log import read_eval_log
log = read_eval_log(sys.argv[1])
told = {
    "status": log.status,
    "samples": [[one.id, one.epoch, one.scores["exact"].value, one.limit and one.limit.type] for one in log.samples],
    "roles": [message.role for message in log.samples[0].messages],
    "call": [log.samples[0].messages[2].tool_calls[0].function, log.samples[0].messages[2].tool_calls[0].arguments],
    "error": [log.samples[0].messages[3].error.type, log.samples[0].messages[3].error.message],
    "events": [event.event for event in log.samples[0].events],
    "usage": log.stats.model_usage["m"].total_tokens,
    "messages": len(messages_df(sys.argv[1])),
    "rows": len(samples_df(sys.argv[1])),
}
print(json.dumps(told))
"""


def test_inspect_reads_what_is_written(environment: Callable[..., Path], tmp_path: Path) -> None:
    results = [made(), made(attempt=1, stop_reason="max_seconds")]
    formats.write(results, tmp_path / NAME, "inspect")
    python = python_of(environment("inspect", "inspect_ai", "pandas", "pyarrow"))

    out = subprocess.run(
        [python, "-c", READ, str(tmp_path / NAME)], check=True, capture_output=True, text=True, cwd=tmp_path
    )

    assert json.loads(out.stdout.splitlines()[-1]) == {
        "status": "success",
        "samples": [["files", 1, 0.5, None], ["files", 2, 0.5, "time"]],
        "roles": ["system", "user", "assistant", "tool", "assistant"],
        "call": ["read_file", {"path": "/x"}],
        "error": ["file_not_found", "no such file"],
        "events": ["model", "tool", "model"],
        "usage": 74,
        "messages": 10,
        "rows": 2,
    }
