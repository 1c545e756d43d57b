"""What can be counted of the house's style."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

LONGEST_ROOM = 350
LONGEST_FUNCTION = 45

DOORWAYS = {
    "journal/lines.py": "what people put into an event, and its repr",
    "scores.py": "a scorer's failures, kept beside the score",
    "servers/base.py": "a server's failures",
    "supervisor.py": "observers",
    "tools/dispatch.py": "a tool's failures",
    "tools/work.py": "a tool's failures, on the event loop",
    "tools/watch.py": "what is thrown into a tool is passed on to it",
    "tools/parcels.py": "what a tool raises in a process of its own, and what cannot be packed for one",
    "tools/threads.py": "what a thread raised is carried to the loop, not handled",
}
"""The rooms that may catch every exception, and whose."""

REGISTRIES = [
    "".join(parts)
    for parts in (
        ("pypi", ".org"),
        ("python", "hosted.org"),
        ("registry.", "npmjs"),
        ("conda.", "anaconda.org"),
        ("deb.", "debian.org"),
        ("proxy.", "golang.org"),
    )
]
MACHINE_PATH = re.compile(r"(?<![\w.])/(work|root|home|opt)/\w")
BINARY = {".png", ".jpg", ".ico", ".gz", ".parquet", ".bin"}


def trees(rooms: list[Path]) -> Iterator[tuple[Path, ast.Module]]:
    for path in rooms:
        yield path, ast.parse(path.read_text(encoding="utf-8"))


def test_rooms_stay_small(rooms: list[Path], house: Path) -> None:
    lengths = {str(path.relative_to(house)): len(path.read_text(encoding="utf-8").splitlines()) for path in rooms}

    assert {name: length for name, length in lengths.items() if length > LONGEST_ROOM} == {}


def test_functions_stay_short(rooms: list[Path], house: Path) -> None:
    lengths = {
        f"{path.relative_to(house)}:{node.lineno} {node.name}": (node.end_lineno or 0) - node.lineno + 1
        for path, tree in trees(rooms)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }

    assert {name: length for name, length in lengths.items() if length > LONGEST_FUNCTION} == {}


def test_only_doorways_catch_everything(rooms: list[Path], house: Path) -> None:
    caught = [
        f"{path.relative_to(house)}:{node.lineno}"
        for path, tree in trees(rooms)
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler) and catches_everything(node) and not passes_on(node)
    ]

    assert [place for place in caught if place.partition(":")[0] not in DOORWAYS] == []


def catches_everything(handler: ast.ExceptHandler) -> bool:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(kind is None or ast.unparse(kind) in ("Exception", "BaseException") for kind in kinds)


def passes_on(handler: ast.ExceptHandler) -> bool:
    """It cleans up and raises what it caught."""
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


@pytest.mark.parametrize(
    ("handler", "everything", "on"),
    [
        ("except Exception: pass", True, False),
        ("except (OSError, BaseException): log()", True, False),
        ("except: pass", True, False),
        ("except BaseException:\n    close()\n    raise", True, True),
        ("except ValueError: pass", False, False),
    ],
)
def test_a_broad_handler_is_seen(handler: str, everything: bool, on: bool) -> None:
    tree = ast.parse(f"try:\n    act()\n{handler}")
    found = next(node for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler))

    assert (catches_everything(found), passes_on(found)) == (everything, on)


def test_the_library_prints_nothing(rooms: list[Path], house: Path) -> None:
    prints = [
        f"{path.relative_to(house)}:{node.lineno}"
        for path, tree in trees([room for room in rooms if room != house / "cli.py"])  # a command speaks
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("print", "sys.stdout.write", "sys.stderr.write")
    ]

    assert prints == []


def test_L33_every_room_asks_for_the_running_loop_and_none_for_whichever_there_is(
    rooms: list[Path], house: Path
) -> None:
    asked = [
        f"{path.relative_to(house)}:{node.lineno}"
        for path, tree in trees(rooms)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute | ast.Name) and "get_event_loop" in ast.unparse(node)
    ]

    assert asked == []


def test_no_test_patches_or_expects_to_fail(root: Path) -> None:
    shortcuts = {"patch", "setattr", "xfail"}
    found = [
        f"{path.relative_to(root)}:{node.lineno} {ast.unparse(node)}"
        for path, tree in trees(sorted((root / "tests").rglob("*.py")))
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr in shortcuts
        and ast.unparse(node.value).rpartition(".")[2] in ("mock", "mocker", "monkeypatch", "mark", "pytest")
    ]

    assert found == []


def test_no_file_names_a_registry_or_a_machine(files: list[Path], root: Path) -> None:
    named = [
        f"{path.relative_to(root)}:{number} {line.strip():.100}"
        for path in files
        if path.suffix not in BINARY
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1)
        if any(host in line for host in REGISTRIES) or MACHINE_PATH.search(line)
    ]

    assert named == []


def test_every_file_has_its_place(files: list[Path], root: Path) -> None:
    folders = {"hermes_nb", "notebooks", "tests", "data", "benchmarks"}
    papers = {
        "pyproject.toml", "environment.yml", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "Makefile",
    }  # fmt: skip
    top = {path.relative_to(root).parts[0] for path in files}

    assert {name for name in top - folders - papers if not name.startswith(".")} == set()
