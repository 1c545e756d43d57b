"""The reference, which is made of the docstrings: every public name is in it, and what it says holds."""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import re
import runpy
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / ".ci" / "reference.py"
SCRIPTED: tuple[str, ...] = runpy.run_path(str(SCRIPT), run_name="reference")["ROOMS"]
OURS = importlib.import_module("hermes_nb")
NAMED = tuple(f"hermes_nb.{name}" for name in OURS.__all__ if isinstance(getattr(OURS, name), ModuleType))
ROOMS = tuple(dict.fromkeys([*SCRIPTED, *NAMED]))
WITH_EXAMPLES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in (ROOT / "hermes_nb").rglob("*.py")
    if "    >>> " in path.read_text("utf-8")
)


def public(room: str) -> Iterator[tuple[str, Any]]:
    """Public functions, classes and methods of a room, each once, with where it is found."""
    module = importlib.import_module(room)
    for name in getattr(module, "__all__", ()):
        one = getattr(module, name)
        if not getattr(one, "__module__", "").startswith("hermes_nb"):
            continue
        if inspect.isclass(one):
            yield f"{room}.{name}", one
            for method, held in vars(one).items():
                function = held.fget if isinstance(held, property) else getattr(held, "__func__", held)
                if not method.startswith("_") and isinstance(function, FunctionType):
                    yield f"{room}.{name}.{method}", function
        elif isinstance(one, FunctionType):
            yield f"{room}.{name}", one


NAMES = dict(found for room in ROOMS for found in public(room))


@pytest.mark.parametrize("name", NAMES)
def test_a_public_name_says_what_it_is_and_what_it_raises(name: str) -> None:
    told = inspect.getdoc(NAMES[name]) or ""
    assert told
    if raises(NAMES[name]):
        assert "Raises:" in told


def raises(one: Any) -> bool:
    """Whether it raises something itself; of a class, whether making one does."""
    if inspect.isclass(one):
        makers = (vars(one).get(name) for name in ("__init__", "__post_init__"))
        written = (one for one in makers if isinstance(one, FunctionType) and "hermes_nb" in one.__code__.co_filename)
        return any(map(raises, written))
    source = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(one))))
    return any(isinstance(node, ast.Raise) and node.exc is not None for node in ast.walk(source))


FUNCTIONS = sorted(name for name, one in NAMES.items() if name.rpartition(".")[0] in ROOMS and not inspect.isclass(one))
RECORDS = ("AgentResult", "Limits", "ToolContext", "ToolError")
"""The classes of `hermes_nb` that are made of their fields."""


@pytest.mark.parametrize("name", [*FUNCTIONS, *(f"hermes_nb.{name}" for name in RECORDS)])
def test_what_a_public_function_takes_and_a_record_holds_is_named(name: str) -> None:
    room = importlib.import_module(name.rpartition(".")[0])  # Says what all its functions take alike.
    told = f"{inspect.getdoc(NAMES[name])}\n{room.__doc__}"
    taken = [one for one in inspect.signature(NAMES[name]).parameters.values() if one.kind is not one.VAR_KEYWORD]
    assert [one.name for one in taken if not re.search(rf"\b{one.name}\b", told)] == []


@pytest.mark.parametrize("room", WITH_EXAMPLES)
def test_the_examples_of_a_room_say_what_happens(room: str) -> None:
    found = doctest.testmod(importlib.import_module(room))
    assert found.attempted
    assert not found.failed


def test_the_most_used_names_have_examples() -> None:
    used = ("HermesAgentLoop", "ScriptedServer", "check", "explain", "repair", "schema", "scored", "tool")
    assert [name for name in used if ">>>" not in getattr(OURS, name).__doc__] == []


def test_the_pages_are_made_and_hold_every_public_name(tmp_path: Path) -> None:
    made = subprocess.run([sys.executable, SCRIPT, tmp_path], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (made.returncode, made.stderr) == (0, "")
    missing = []
    for room in ROOMS:
        page = (tmp_path / f"{room.replace('.', '/')}.html").read_text("utf-8")
        names = getattr(importlib.import_module(room), "__all__", ())
        shown = [name for name in names if not isinstance(getattr(importlib.import_module(room), name), ModuleType)]
        missing += [f"{room}.{name}" for name in shown if f'id="{name}"' not in page]
    assert missing == []
