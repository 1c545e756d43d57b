"""Log steps with wandb offline, in an environment that has it, and tell what its file holds.

    python wandb_offline.py FOLDER < steps.json

Standard output's last line is JSON: `history`, a dict a step, and `warnings`, what Python's warnings said meanwhile.
"""

from __future__ import annotations

import json
import struct
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import wandb
from wandb.proto import wandb_internal_pb2


def log(folder: str, steps: list[dict[str, Any]]) -> None:
    """A run of so many steps, written below the folder."""
    settings = wandb.Settings(mode="offline", silent=True, console="off", x_disable_stats=True, x_disable_meta=True)
    run = wandb.init(project="made", dir=folder, settings=settings)
    for step in steps:
        run.log(step)
    run.finish()
    wandb.teardown()  # The process that writes the file has ended then.


BLOCK, OPENING, HEAD = 32768, 7, 7
"""A run's file is a log as LevelDB writes them, in blocks, behind an opening of its own; each piece has a head."""


def records(raw: bytes) -> Iterator[bytes]:
    """The records in a run's file, put together from their pieces."""
    place, record = OPENING, b""
    while place + HEAD <= len(raw):
        left = BLOCK - place % BLOCK
        if left < HEAD:
            place += left
            continue
        _, length, kind = struct.unpack_from("<IHB", raw, place)
        record += raw[place + HEAD : place + HEAD + length]
        place += HEAD + length
        if kind in (1, 4):  # A whole record, or its last piece.
            yield record
            record = b""


def history(folder: str) -> list[dict[str, Any]]:
    """The steps in the run's own file."""
    [file] = Path(folder).rglob("*.wandb")
    found = []
    for raw in records(file.read_bytes()):
        record = wandb_internal_pb2.Record()
        record.ParseFromString(raw)
        if record.WhichOneof("record_type") == "history":
            items = record.history.item
            found.append({item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in items})
    return found


if __name__ == "__main__":
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        log(sys.argv[1], json.load(sys.stdin))
    told = [str(one.message) for one in said if "metric" in str(one.message) or "key" in str(one.message)]
    sys.stdout.write(json.dumps({"history": history(sys.argv[1]), "warnings": told}))
