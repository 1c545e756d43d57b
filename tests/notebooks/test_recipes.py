"""What the how-tos add is one file, a parser ten lines: made of their cells, it stands by the rules of the house."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[2]

RECIPES = {
    "add_a_tool": ("tools/harbour.py", {"heights", "Half", "tide"}),
    "add_a_server": ("servers/line.py", {"writes", "Line"}),
    "add_a_view": ("views/markup/slowest.py", {"timed", "slowest_text", "slowest_html", "Slowest"}),
    "add_a_file_format": ("formats/museum.py", {"NAME", "message", "recognises", "failures", "read"}),
}
"""The file that each is to be, and the names that make it."""

USES = """
    import json, pathlib
    import hermes_nb as hn
    from hermes_nb.formats import museum
    from hermes_nb.servers.line import Line
    from hermes_nb.tools.harbour import tide
    from hermes_nb.views.markup.slowest import Slowest

    session = {"session": "s1", "turns": [{"who": "visitor", "says": "Hi"}, {"who": "guide", "says": "Hello."}]}
    pathlib.Path("x.bin").write_text(json.dumps(session))
    [run] = hn.read("x.bin")
    print(run.meta["format"], run.final_text, hn.formats.recognise("x.bin"))

    server = hn.ScriptedServer([hn.servers.call("tide", harbour="Cork"), "3.9"])
    result = hn.HermesAgentLoop(server, tools=[tide]).run_sync("How high?")
    print([one.content for one in result.results], repr(Slowest(hn.AgentResult(messages=[]))))
    print(hn.HermesAgentLoop(Line()).run_sync("Hi").final_text)

    print(hn.parsers.get_parser("auto").parse('[CALL] {"tool": "add", "args": {"a": 2}} [/CALL]').format)
"""


SAID = """
    museum Hello. museum
    ['3.9'] Slowest(0 rows)
    I have no tools.
    mine
"""


def statements(notebook: str) -> list[ast.stmt]:
    """All that the notebook's cells say."""
    cells = nbformat.read(ROOT / "notebooks" / "howto" / f"{notebook}.ipynb", as_version=4).cells
    flags = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    return [part for cell in cells if cell.cell_type == "code" for part in compile(cell.source, "", "exec", flags).body]


def written(notebook: str, names: set[str]) -> str:
    """A module of what the notebook says of these names, with the imports that it needs."""
    said = statements(notebook)
    body = [part for part in said if defined(part) & names]
    assert set().union(*map(defined, body)) == names
    used = {node.id for part in body for node in ast.walk(part) if isinstance(node, ast.Name)}
    lines = [line for part in said for line in imported(part, used)]
    return "\n\n".join(['"""Added by one file."""', *map(ast.unparse, [*lines, *body])]) + "\n"


def declared(notebook: str, name: str) -> str:
    """What the notebook gives this name, to be put into a list."""
    [value] = [part.value for part in statements(notebook) if name in defined(part) and isinstance(part, ast.Assign)]
    return f"    {ast.unparse(value)},\n"


def put_after(line: str, more: str, file: Path) -> None:
    """Write `more` after the one line in a file that begins so."""
    before = file.read_text("utf-8")
    assert before.count(line) == 1
    file.write_text(before.replace(line, line + more), "utf-8")


def defined(part: ast.stmt) -> set[str]:
    """The names that a statement gives a meaning."""
    if isinstance(part, ast.Assign):
        return {target.id for target in part.targets if isinstance(target, ast.Name)}
    return {part.name} if isinstance(part, ast.FunctionDef | ast.ClassDef) else set()


def imported(part: ast.stmt, used: set[str]) -> Iterator[ast.stmt]:
    """An import, as far as it is used."""
    if isinstance(part, ast.Import | ast.ImportFrom):
        kept = [alias for alias in part.names if (alias.asname or alias.name) in used]
        if kept:
            yield ast.Import(kept) if isinstance(part, ast.Import) else ast.ImportFrom(part.module, kept, 0)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the house with a file more on four shelves, one name more in `READERS`, and one parser more."""
    root = tmp_path_factory.mktemp("house")
    for part in ("hermes_nb", "tests/estate"):
        shutil.copytree(ROOT / part, root / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", root)
    for notebook, (file, names) in RECIPES.items():
        assert not (root / "hermes_nb" / file).exists()
        (root / "hermes_nb" / file).write_text(written(notebook, names), "utf-8")
    put_after('    "journals",\n', '    "museum",\n', root / "hermes_nb" / "formats" / "__init__.py")
    family = root / "hermes_nb" / "parsers" / "json_calls" / "__init__.py"
    put_after("FORMATS: tuple[Format, ...] = (\n", declared("add_a_parser", "MINE"), family)
    return root


def python(root: Path, *words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """What a fresh Python does in the copy."""
    environ = {**os.environ, "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, *words], cwd=cwd or root, env=environ, capture_output=True, text=True, check=False
    )


def test_what_was_added_is_there_under_its_name(house: Path, tmp_path: Path) -> None:
    ran = python(house, "-W", "error", "-c", textwrap.dedent(USES), cwd=tmp_path)

    assert (ran.stderr, ran.stdout) == ("", textwrap.dedent(SAID).lstrip())


def test_the_house_still_stands(house: Path) -> None:
    rules = [f"tests/estate/{name}.py" for name in ("test_import_fence", "test_house_rules")]
    ran = python(house, "-m", "pytest", "-q", "-p", "no:cacheprovider", *rules)

    assert ran.returncode == 0, ran.stdout[-3000:]
