"""A run is recorded with the code that made it."""

from __future__ import annotations

import platform
import subprocess
from pathlib import Path

import pytest

import hermes_nb
from hermes_nb.versions import versions


def git(folder: Path, *command: str) -> str:
    said = ["git", "-c", "user.name=n", "-c", "user.email=e", "-C", str(folder), *command]
    return subprocess.run(said, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    git(tmp_path, "init", "--quiet")
    (tmp_path / "a.txt").write_text("a")
    git(tmp_path, "add", "a.txt")
    git(tmp_path, "commit", "--quiet", "-m", "begin")
    monkeypatch.chdir(tmp_path)
    return tmp_path


async def test_the_packages_are_named() -> None:
    made_with = await versions()
    assert made_with["hermes_nb"] == hermes_nb.__version__
    assert made_with["python"] == platform.python_version()
    assert made_with["openai"]


async def test_a_clean_working_tree_is_its_commit(repository: Path) -> None:
    assert (await versions())["git"] == {"commit": git(repository, "rev-parse", "HEAD"), "dirty": False}


async def test_a_changed_file_makes_it_dirty(repository: Path) -> None:
    (repository / "a.txt").write_text("b")
    assert (await versions())["git"] == {"commit": git(repository, "rev-parse", "HEAD"), "dirty": True}


async def test_outside_a_repository_there_is_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert (await versions())["git"] is None


async def test_a_repository_without_commits_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git(tmp_path, "init", "--quiet")
    monkeypatch.chdir(tmp_path)
    assert (await versions())["git"] is None
