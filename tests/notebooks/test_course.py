"""The course is one way through: the README names its lessons in order, and each leads to the next."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[2]
LESSONS = sorted((ROOT / "notebooks" / "course").glob("*.ipynb"))


def texts(path: Path) -> list[str]:
    """The text cells of a lesson."""
    return [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "markdown"]


def title(path: Path) -> str:
    return texts(path)[0].splitlines()[0].removeprefix("# ")


def test_the_readme_names_every_lesson_by_its_title_and_in_order() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")

    named = re.findall(r"^- \[([^\]]+)\]\(notebooks/course/([^)]+)\)", readme, re.MULTILINE)
    assert named == [(title(path), path.name) for path in LESSONS]


@pytest.mark.parametrize(("lesson", "next_one"), [*pairwise(LESSONS)], ids=lambda path: path.stem)
def test_a_lesson_ends_with_the_way_to_the_next(lesson: Path, next_one: Path) -> None:
    end = " ".join(texts(lesson)[-1].split())

    assert "## What you have seen" in end
    assert f"[{title(next_one)}]({next_one.name})" in end.partition("**Next**")[2]
