"""Makes the tables of messages and calls once in this process, and prints what that cost as one line of JSON.

python -m benchmarks.frames.worker SYSTEM FOLDER      SYSTEM: bare (by hand), ours or 'ours, apart'
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.compute  # noqa: F401 - beforehand, as all imports are

from benchmarks.frames import by_hand
from benchmarks.worker import PROC, _forget_peak, _peak_kib
from hermes_nb import frames


def ours(paths: Sequence[Path]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The two tables, from one reading of the files, as by hand."""
    made = frames.tables(paths, "messages", "calls")
    return made["messages"], made["calls"]


def apart(paths: Sequence[Path]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The two tables, each from a reading of its own."""
    return frames.messages(paths), frames.calls(paths)


SYSTEMS: dict[str, Callable[[Sequence[Path]], tuple[pd.DataFrame, pd.DataFrame]]] = {
    "bare": by_hand.tables,
    "ours": ours,
    "ours, apart": apart,
}


def measure(system: str, folder: Path) -> dict[str, Any]:
    """Wall and CPU seconds, rows, and the peak of memory over what the tables take (deep)."""
    paths = sorted(folder.glob("*.jsonl"))
    SYSTEMS[system](paths[:1])
    _forget_peak()
    before, wall, cpu = _held_kib(), time.perf_counter(), time.process_time()
    tables = SYSTEMS[system](paths)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = (_peak_kib() - before) * 1024
    deep = sum(int(table.memory_usage(deep=True).sum()) for table in tables)
    return {"wall": wall, "cpu": cpu, "rows": sum(map(len, tables)), "over_deep": peak / deep}


def _held_kib() -> int:
    """The memory this process holds, in KiB; where there is no /proc, the most it has held."""
    if not PROC.exists():
        return _peak_kib()
    return int((PROC / "status").read_text().partition("VmRSS:")[2].split()[0])


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], Path(sys.argv[2]))))
