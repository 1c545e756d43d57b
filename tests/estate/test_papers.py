"""The papers of the estate agree with each other and with what is there."""

from __future__ import annotations

import ast
import itertools
import re
import sys
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
import yaml

import hermes_nb as hn

SHELVES = {"tables", "share", "lab", "fast", "tokens", "test"}
BROUGHT_ALONG = {
    *("httpx", "httpx2"),  # by openai: before version 3, and since
    *("pydantic-core", "typing-extensions"),  # by pydantic
    "referencing",  # by jsonschema
    *("ipython", "traitlets"),  # by the lab shelf's ipykernel
}
"""Packages that are part of what a declared one promises, and are used through it."""

NO_PACKAGES = {"hermes_nb", "compression"}
"""What is imported and nobody installs: the house itself, and what the standard library has since 3.14."""

LINK = re.compile(r"\]\(([^)#\s]+)|src=\"([^\"]+)\"")
PYTHON = re.compile(r"```python\n(.*?)```", re.DOTALL)
PAPERS = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "data/README.md"]


@pytest.fixture(scope="module")
def project(root: Path) -> dict[str, Any]:
    with (root / "pyproject.toml").open("rb") as file:
        found: dict[str, Any] = tomllib.load(file)["project"]
    return found


@pytest.fixture(scope="module")
def environment(root: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((root / "environment.yml").read_text(encoding="utf-8"))
    return loaded


def test_the_shelves_are_the_ones_the_library_names(project: dict[str, Any]) -> None:
    assert set(project["optional-dependencies"]) == SHELVES


def test_conda_asks_for_the_same_python(project: dict[str, Any], environment: dict[str, Any]) -> None:
    assert f"python{project['requires-python']}" in environment["dependencies"]


def test_conda_installs_a_shelf_of_this_project_and_names_no_package_twice(
    project: dict[str, Any], environment: dict[str, Any]
) -> None:
    [by_pip] = [entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict)]
    shelf = re.fullmatch(r"-e \.\[(\w+)\]", by_pip[0])

    assert len(by_pip) == 1
    assert shelf is not None
    assert shelf[1] in project["optional-dependencies"]
    assert [entry for entry in environment["dependencies"] if isinstance(entry, str)][1:] == ["pip"]


def test_every_package_that_is_imported_is_declared(project: dict[str, Any], rooms: list[Path]) -> None:
    requirements = [*project["dependencies"], *itertools.chain(*project["optional-dependencies"].values())]
    declared = {normal(re.split(r"[\[<>=]", line)[0]) for line in requirements} | BROUGHT_ALONG
    owners = packages_distributions()
    imported = {module for path in rooms for module in third_party(path)}

    assert {
        module for module in imported if not declared & {normal(name) for name in owners.get(module, [module])}
    } == set()


def test_every_package_that_is_always_installed_is_imported(project: dict[str, Any], rooms: list[Path]) -> None:
    owners = packages_distributions()
    used = {normal(name) for path in rooms for module in third_party(path) for name in owners.get(module, [])}

    assert {normal(re.split(r"[\[<>=]", line)[0]) for line in project["dependencies"]} - used == set()


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def third_party(path: Path) -> set[str]:
    """The packages a room imports, wherever in it, besides the standard library and its own house."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    named = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    named += [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module]
    return {name.partition(".")[0] for name in named} - set(sys.stdlib_module_names) - NO_PACKAGES


def test_everything_a_contributor_needs_is_on_the_test_shelf(project: dict[str, Any]) -> None:
    assert "hermes_nb[fast,lab,tokens]" in project["optional-dependencies"]["test"]


def test_ruff_and_mypy_read_the_oldest_python_that_is_promised(root: Path, project: dict[str, Any]) -> None:
    with (root / "pyproject.toml").open("rb") as file:
        tools = tomllib.load(file)["tool"]
    oldest = project["requires-python"].removeprefix(">=")

    assert tools["mypy"]["python_version"] == oldest
    assert tools["ruff"]["target-version"] == "py" + oldest.replace(".", "")


def test_the_changelog_knows_this_version(root: Path) -> None:
    assert f"## [{hn.__version__}]" in (root / "CHANGELOG.md").read_text(encoding="utf-8")


def test_a_commit_hook_fetches_nothing(root: Path) -> None:
    hooks = yaml.safe_load((root / ".pre-commit-config.yaml").read_text(encoding="utf-8"))

    assert {repo["repo"] for repo in hooks["repos"]} == {"local"}
    assert {hook["language"] for repo in hooks["repos"] for hook in repo["hooks"]} == {"system"}


@pytest.mark.parametrize("paper", PAPERS)
def test_every_link_in_the_papers_leads_somewhere(root: Path, paper: str) -> None:
    text = (root / paper).read_text(encoding="utf-8")
    targets = {one or two for one, two in LINK.findall(text)}
    local = {target for target in targets if "://" not in target}

    assert {target for target in local if not ((root / paper).parent / target).exists()} == set()


def test_every_make_target_the_papers_name_exists(root: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (root / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {
        target
        for paper in PAPERS
        for target in re.findall(r"`make ([a-z-]+)", (root / paper).read_text(encoding="utf-8"))
    }

    assert named <= targets


def test_make_lab_opens_a_notebook_that_is_there(root: Path) -> None:
    found = re.search(r"^FIRST_NOTEBOOK := (\S+)$", (root / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)

    assert found is not None
    assert (root / found[1]).is_file()


async def test_the_readme_examples_run_and_say_what_they_claim(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    claims: list[tuple[str, Any, Any]] = []
    for example in PYTHON.findall((root / "README.md").read_text(encoding="utf-8")):
        code = compile(example, "README.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        running = eval(code, names)  # as a notebook cell runs it
        if running is not None:
            await running
        claims += [(line, eval(line, names), told) for line, told in claimed(example)]

    assert len(claims) >= 5
    assert [claim for claim in claims if claim[1] != claim[2]] == []


def claimed(example: str) -> Iterator[tuple[str, Any]]:
    """What is said of a line in the comment behind it, where that is a value."""
    for line, told in re.findall(r"^(\S.*?)  # (.*)$", example, re.MULTILINE):
        with suppress(ValueError, SyntaxError):
            yield line, ast.literal_eval(told)
