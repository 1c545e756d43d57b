"""One hall, two wings: who may import whom, read from the source."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

WING = {
    **dict.fromkeys(
        (
            "messages",
            "records",
            "replies",
            "events",
            "codec",
            "journal",
            "redact",
            "keys",
            "parsers",
            "exceptions",
            "clocks",
            "failures",
            "curl",
            "dialects",
            "outgoing",
            "recordings",
            "repairs",
            "verdicts",
            "display",
            "outcomes",
            "sequences",
        ),
        "hall",
    ),
    **dict.fromkeys(
        (
            "tools",
            "servers",
            "loop",
            "asking",
            "turns",
            "together",
            "limits",
            "endings",
            "supervisor",
            "heartbeat",
            "keeping",
            "live",
            "sync",
            "versions",
            "batch",
            "fork",
            "tiny",
        ),
        "acting",
    ),
    **dict.fromkeys(
        (
            "checks",
            "cli",
            "compare",
            "explaining",
            "formats",
            "frames",
            "plots",
            "scores",
            "sharing",
            "sources",
            "stats",
            "training",
            "views",
        ),
        "reading",
    ),
}
SHARED_ROOMS = {
    "servers": ("base", "sse", "assemble", "streams"), "parsers": ("base",), "formats": ("base",), "views": ("rows",),
}  # fmt: skip
LAZY_DOORS = {("display", "views"), ("records", "views"), ("live", "views"), ("loop", "views"), ("servers", "views")}
"""A result shows itself, and so do `loop.run(view=True)` and a HumanServer; `views` is asked then, never when a room is
imported."""

ROOM_NAME = re.compile(r"hermes_nb(\.\w+)+")


@dataclass(frozen=True)
class Import:
    """`importer` and `target` are rooms by their path in the house: `tools.dispatch`; `tools` is its `__init__`."""

    importer: str
    target: str
    lazy: bool
    typing_only: bool

    def __str__(self) -> str:
        return f"{self.importer} -> {self.target}"


class Reader(ast.NodeVisitor):
    """Collects what a module imports, and how: at the top, for the type checker only, or inside a function."""

    def __init__(self, importer: str, rooms: set[str]) -> None:
        self.importer, self.rooms, self.found = importer, rooms, list[Import]()
        self._lazy = self._typing_only = False

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        before, self._lazy = self._lazy, True
        self.generic_visit(node)
        self._lazy = before

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815 - ast's own spelling

    def visit_If(self, node: ast.If) -> None:
        before = self._typing_only
        self._typing_only = before or "TYPE_CHECKING" in ast.unparse(node.test)
        for child in node.body:
            self.visit(child)
        self._typing_only = before
        for child in node.orelse:
            self.visit(child)

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._add(alias.name)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for alias in node.names:
            self._add(node.module or "", alias.name)

    def visit_Constant(self, node: ast.Constant) -> None:
        """A room named by a string can be imported by it."""
        if isinstance(node.value, str) and ROOM_NAME.fullmatch(node.value):
            before, self._lazy = self._lazy, True
            self._add(node.value)
            self._lazy = before

    def _add(self, module: str, name: str = "") -> None:
        if module.partition(".")[0] != "hermes_nb" or (module, name) == ("hermes_nb", "__version__"):
            return
        within = module.partition(".")[2]
        deeper = f"{within}.{name}".strip(".")
        target = deeper if deeper in self.rooms else within
        if target != self.importer and (target in self.rooms or target == ""):
            self.found.append(Import(self.importer, target, self._lazy, self._typing_only))


def imports(house: Path) -> list[Import]:
    """Every import of one room by another; the porch, `hermes_nb/__init__.py`, may name them all."""
    paths = {room_name(path, house): path for path in house.rglob("*.py") if path != house / "__init__.py"}
    found = []
    for name, path in sorted(paths.items()):
        reader = Reader(name, set(paths))
        reader.visit(ast.parse(path.read_text(encoding="utf-8")))
        found += reader.found
    return found


def room_name(path: Path, house: Path) -> str:
    parts = path.relative_to(house).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def crossings(house: Path) -> list[str]:
    """The imports that no rule allows, each with its reason."""
    return [f"{found}: {reason}" for found in imports(house) if (reason := reason_against(found))]


def reason_against(found: Import) -> str | None:
    importer, target = found.importer.partition(".")[0], found.target.partition(".")[0]
    if not target:
        return "a room imports rooms, not the porch"
    here, there = WING.get(importer), WING.get(target)
    if here != there and there != "hall" and not (found.lazy and (importer, target) in LAZY_DOORS):
        return f"the {here} may not import the {there}"
    one, other = (".".join(room.split(".")[:2]) for room in (found.importer, found.target))
    shared = SHARED_ROOMS.get(importer, ())
    doors = (target, *(f"{target}.{room}" for room in shared))
    siblings = importer == target and one not in (importer, other) and other not in doors
    return f"siblings share only {', '.join(shared)}" if shared and siblings else None


def circles(house: Path) -> list[str]:
    """The rings of rooms that need each other to be imported."""
    edges: dict[str, set[str]] = {}
    for found in imports(house):
        if not found.lazy and not found.typing_only:
            edges.setdefault(found.importer, set()).update(needed_first(found))
    rings = (ring for room in sorted(edges) for ring in rings_through(room, edges, (room,)))
    return sorted({" -> ".join(ring) for ring in rings if ring[0] == min(ring)})


def needed_first(found: Import) -> set[str]:
    """The room, and the shelf's own module, which Python imports before any of its rooms."""
    shelf = found.target.partition(".")[0]
    return {found.target} if found.importer.partition(".")[0] == shelf else {found.target, shelf}


def rings_through(room: str, edges: dict[str, set[str]], path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for following in sorted(edges.get(path[-1], ())):
        if following == room:
            yield (*path, room)
        elif following not in path:
            yield from rings_through(room, edges, (*path, following))


def test_every_room_is_on_the_map(house: Path, rooms: list[Path]) -> None:
    names = {room_name(path, house).partition(".")[0] for path in rooms} - {""}

    assert not names - set(WING), "no wing is named for them"


def test_no_import_crosses_the_fence(house: Path) -> None:
    assert crossings(house) == []


def test_no_rooms_need_each_other_to_be_imported(house: Path) -> None:
    assert circles(house) == []


def built(folder: Path, sources: dict[str, str]) -> Path:
    """A small house of these files."""
    (folder / "__init__.py").write_text("from hermes_nb import loop, views\n")
    for name, source in sources.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(source)
    return folder


VIEWS, LOOP = {"views/text.py": ""}, {"loop.py": ""}


@pytest.mark.parametrize(
    ("sources", "told"),
    [
        ({"loop.py": "from hermes_nb.views import text"} | VIEWS, "the acting may not import the reading"),
        ({"records.py": "from hermes_nb.views import text"} | VIEWS, "the hall may not import the reading"),
        ({"views/text.py": "def f():\n    from hermes_nb import loop"} | LOOP, "the reading may not import the acting"),
        ({"codec.py": "import hermes_nb.loop"} | LOOP, "the hall may not import the acting"),
        ({"codec.py": "import_module('hermes_nb.loop')"} | LOOP, "the hall may not import the acting"),
        ({"loop.py": "from hermes_nb import Toolbox"}, "a room imports rooms, not the porch"),
        (
            {"servers/openai.py": "from hermes_nb.servers import scripted", "servers/scripted.py": ""},
            "siblings share only base, sse, assemble, streams",
        ),
    ],
)
def test_a_crossing_is_seen(tmp_path: Path, sources: dict[str, str], told: str) -> None:
    assert [line.partition(": ")[2] for line in crossings(built(tmp_path, sources))] == [told]


@pytest.mark.parametrize(
    "sources",
    [
        {"records.py": "def f():\n    from hermes_nb.views import text"} | VIEWS,
        {"loop.py": "from hermes_nb import codec, __version__", "codec.py": ""},
        {"loop.py": "from hermes_nb.tools.dispatch import answer", "tools/dispatch.py": ""},
        {"servers/openai.py": "from hermes_nb.servers.base import Server", "servers/base.py": ""},
        {"servers/__init__.py": "from hermes_nb.servers.openai import OpenAIServer", "servers/openai.py": ""},
        {"servers/scripted/wire.py": "import hermes_nb.servers.scripted.plan", "servers/scripted/plan.py": ""},
    ],
)
def test_a_door_is_no_crossing(tmp_path: Path, sources: dict[str, str]) -> None:
    assert crossings(built(tmp_path, sources)) == []


def test_a_circle_is_seen(tmp_path: Path) -> None:
    house = built(
        tmp_path,
        {
            "loop.py": "import hermes_nb.supervisor",
            "supervisor.py": "from hermes_nb.tools import dispatch",
            "tools/dispatch.py": "from hermes_nb import loop",
        },
    )

    assert circles(house) == ["loop -> supervisor -> tools.dispatch -> loop"]


def test_an_import_for_the_type_checker_closes_no_circle(tmp_path: Path) -> None:
    house = built(
        tmp_path,
        {"records.py": "import hermes_nb.codec", "codec.py": "if TYPE_CHECKING:\n    from hermes_nb import records"},
    )

    assert circles(house) == []
