"""Which code makes a run: the versions a run is recorded with."""

from __future__ import annotations

import asyncio
import platform
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

FRESH_SECONDS = 5.0
"""How long a look at the working tree is believed: many runs start together, and each look starts git."""

PATIENCE_SECONDS = 2.0
"""How long git may take; in a tree too large for that, `git` is None."""


async def versions() -> dict[str, Any]:
    """The versions of hermes_nb, python and openai, and the git state of the working directory where there is one.

    `git` is `{"commit": <40 hex digits>, "dirty": bool}`, or None outside a repository or without git.
    """
    return {**_packages(), "git": await _git()}


@cache
def _packages() -> dict[str, str | None]:
    return {
        "hermes_nb": _version("hermes_nb"),
        "python": platform.python_version(),
        "openai": _version("openai"),
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


@dataclass(frozen=True, slots=True)
class _Look:
    folder: Path
    at: float
    state: asyncio.Task[dict[str, Any] | None]


_looks: WeakKeyDictionary[asyncio.AbstractEventLoop, _Look] = WeakKeyDictionary()


async def _git() -> dict[str, Any] | None:
    loop, folder = asyncio.get_running_loop(), Path.cwd()
    look = _looks.get(loop)
    if look is None or look.folder != folder or loop.time() - look.at > FRESH_SECONDS:
        look = _looks[loop] = _Look(folder, loop.time(), loop.create_task(_state(folder)))
    return await asyncio.shield(look.state)


async def _state(folder: Path) -> dict[str, Any] | None:
    if not any((parent / ".git").exists() for parent in (folder, *folder.parents)):
        return None
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            commit = await _ask_git(folder, "rev-parse", "HEAD")
            changes = await _ask_git(folder, "status", "--porcelain", "--untracked-files=no")
    except TimeoutError:
        return None
    return None if commit is None or changes is None else {"commit": commit.strip(), "dirty": bool(changes.strip())}


async def _ask_git(folder: Path, *question: str) -> str | None:
    try:
        process = await asyncio.create_subprocess_exec(
            "git", "--no-optional-locks", "-C", str(folder), *question,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
    except OSError:
        return None
    try:
        said, _ = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        raise
    return said.decode("utf-8", "replace") if process.returncode == 0 else None
