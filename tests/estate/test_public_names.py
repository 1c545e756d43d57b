"""What `import hermes_nb` gives, and what it does not do."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path
from types import ModuleType

import pytest

import hermes_nb as hn

MOST_NAMES = 32
"""About thirty, says the design; the issue that built the course names `check`, `explain` and `HumanServer` besides."""

HEAVY = ("openai", "pydantic", "orjson", "jsonschema", "docstring_parser", "httpx", "httpx2", "pandas", "pyarrow",
         "matplotlib", "IPython", "ipywidgets", "anywidget", "asyncio")  # fmt: skip


def python(code: str, *options: str) -> str:
    """What a fresh Python prints for `code`."""
    ran = subprocess.run(
        [sys.executable, *options, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


@pytest.mark.parametrize("name", hn.__all__)
def test_every_public_name_is_there_and_stays_the_same(name: str) -> None:
    assert getattr(hn, name) is getattr(hn, name)


@pytest.mark.parametrize("name", hn.__all__)
def test_every_public_name_says_what_it_is(name: str) -> None:
    assert getattr(hn, name).__doc__


def test_nothing_is_reachable_that_is_not_public() -> None:
    for name in hn.__all__:
        getattr(hn, name)
    reachable = {
        name
        for name, value in vars(hn).items()
        if not name.startswith("_") and not (isinstance(value, ModuleType) and value.__name__ == f"hermes_nb.{name}")
    }

    assert reachable - {"annotations", "TYPE_CHECKING"} <= set(hn.__all__)


def test_the_public_names_are_few_sorted_and_listed_once() -> None:
    assert hn.__all__ == sorted(set(hn.__all__))
    assert len(hn.__all__) <= MOST_NAMES


def test_dir_shows_the_public_names() -> None:
    assert [name for name in dir(hn) if not name.startswith("__")] == hn.__all__


def test_a_lazy_name_is_never_also_a_room(house: Path) -> None:
    rooms = {path.stem for path in house.iterdir() if path.suffix == ".py" or path.is_dir()}
    modules = {name for name in hn.__all__ if isinstance(getattr(hn, name), ModuleType)}

    assert modules <= rooms
    assert (set(hn.__all__) - modules) & rooms == set()


def test_a_star_import_brings_the_public_names() -> None:
    names = python("before = set(globals()); from hermes_nb import *; print(*sorted(set(globals()) - before))").split()

    assert [name for name in names if name != "before"] == hn.__all__


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'hermes_nb' has no attribute 'nope'"):
        _ = hn.nope  # type: ignore[attr-defined]


def test_importing_loads_nothing_heavy_and_starts_no_thread() -> None:
    loaded = python("""
        import sys, threading
        before = set(sys.modules)
        import hermes_nb
        print(*sorted({name.partition(".")[0] for name in set(sys.modules) - before}), threading.active_count())
    """).split()

    assert set(loaded) & set(HEAVY) == set()
    assert loaded[-1] == "1"


def test_importing_touches_no_room() -> None:
    assert python("import sys, hermes_nb; print(*[m for m in sys.modules if m.startswith('hermes_nb.')])") == ""


def test_the_type_checker_knows_the_public_names_and_no_others(root: Path, tmp_path: Path) -> None:
    lines = ["import hermes_nb as hn", "hn.nope", *(f"hn.{name}" for name in hn.__all__), "hn.views.text(1)"]
    (tmp_path / "reader.py").write_text("\n".join(lines))
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", str(root / "pyproject.toml"), str(tmp_path / "reader.py")],
        cwd=root, capture_output=True, text=True, check=False,
    ).stdout  # fmt: skip
    wrong = {lines[int(line.split(":")[1]) - 1] for line in checked.splitlines() if "reader.py:" in line}

    assert wrong == {"hn.nope", "hn.views.text(1)"}, checked
