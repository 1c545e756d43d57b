"""Names the file that a view is saved in."""

from __future__ import annotations

import re

from hermes_nb.views.rows import run_of

__all__ = ["file_name", "slug"]


def file_name(shown: object) -> str:
    """After the run's task, else its id; of anything else, after what it is."""
    return f"{slug(_name(shown))}.html"


def slug(name: str) -> str:
    """The name as one that every system takes for a file, in the folder where it is written."""
    kept = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-").lower()[:80].strip("-")
    device = re.fullmatch(r"con|prn|aux|nul|com\d|lpt\d", kept)
    return f"run-{kept}" if device else kept or "run"


def _name(shown: object) -> str:
    result = run_of(shown)
    if result is None:
        return type(shown).__name__
    attempt = f" {result.attempt}" if result.attempt else ""
    return f"{result.task}{attempt}" if result.task is not None else str(result.run_id or "run")
