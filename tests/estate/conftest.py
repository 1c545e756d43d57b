"""What the tests of the estate look at: the checkout itself."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

NOT_OURS = {".git", ".venv", "__pycache__", ".ipynb_checkpoints", "build", "dist"}


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def house(root: Path) -> Path:
    """The package's folder."""
    return root / "hermes_nb"


@pytest.fixture(scope="session")
def rooms(house: Path) -> list[Path]:
    """Every module of the package."""
    return sorted(house.rglob("*.py"))


@pytest.fixture(scope="session")
def files(root: Path) -> list[Path]:
    """Every file that belongs to the project: what git tracks or would; of a copy without git, what is not made."""
    if (root / ".git").exists():
        listed = subprocess.run(
            ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            check=True, capture_output=True, text=True,
        ).stdout.split("\0")  # fmt: skip
        found = [root / name for name in listed if name]
    else:
        found = [path for path in root.rglob("*") if not NOT_OURS & set(path.relative_to(root).parts)]
    return [path for path in found if path.is_file() and "_cache" not in str(path.relative_to(root))]
