"""What somebody gets who installs the built wheel, away from the checkout."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
import textwrap
import venv
import zipfile
from pathlib import Path

import pytest

RUN = """
    import asyncio
    import hermes_nb as hn
    from hermes_nb.servers import call

    def add(a: int, b: int) -> int:
        "Add two whole numbers."
        return a + b

    server = hn.ScriptedServer([call("add", a=2, b=3), "It is 5."])
    result = asyncio.run(hn.HermesAgentLoop(server, tools=[add]).run("What is 2 + 3?"))
    print(result.final_text, result.stop_reason, len(result.calls))
"""


@pytest.fixture(scope="module")
def wheel(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built with what is installed here: nothing is fetched."""
    folder = tmp_path_factory.mktemp("wheel")
    said(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder), cwd=root)
    [built] = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def empty(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that holds the wheel and nothing else."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    said(python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", wheel, cwd=folder)
    return python


def said(*command: str | Path, cwd: Path) -> str:
    """What the command printed."""
    ran = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


def say(python: Path, code: str, *paths: str) -> str:
    """What that Python prints for `code`, with `paths` behind its own."""
    lead = f"import sys; sys.path += {list(paths)!r}\n"
    return said(python, "-I", "-c", lead + textwrap.dedent(code), cwd=python.parent)


def test_every_file_of_the_package_is_in_the_wheel(wheel: Path, house: Path) -> None:
    files = {path for path in house.rglob("*") if path.is_file() and path.suffix not in (".pyc", ".pyo")}
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}

    assert packed == {str(path.relative_to(house.parent)) for path in files}
    assert "hermes_nb/py.typed" in packed


def test_the_licence_travels_with_the_wheel(wheel: Path) -> None:
    assert any(name.endswith("licenses/LICENSE") for name in zipfile.ZipFile(wheel).namelist())


def test_the_wheel_is_imported_from_its_own_environment(empty: Path) -> None:
    place = say(empty, "import hermes_nb; print(hermes_nb.__file__)")

    assert place.startswith(str(empty.parent.parent))


def test_a_run_works_from_the_wheel(empty: Path) -> None:
    # The dependencies are lent by this environment; its own editable hermes_nb is found through a .pth file, which
    # a path added by hand does not read.
    told = say(empty, RUN + "    print(hn.__file__)", sysconfig.get_path("purelib"), sysconfig.get_path("platlib"))

    assert told.splitlines()[0] == "It is 5. finished 1"
    assert told.splitlines()[1].startswith(str(empty.parent.parent))


def test_the_command_checks_and_cleans_notebooks_with_nothing_else_installed(empty: Path, tmp_path: Path) -> None:
    cell = {"cell_type": "code", "source": "1", "execution_count": 4, "outputs": [], "metadata": {}}
    made = {"nbformat": 4, "nbformat_minor": 4, "metadata": {"widgets": {}}, "cells": [cell]}
    (tmp_path / "made.ipynb").write_text(json.dumps(made), encoding="utf-8")
    command = empty.parent / "hermes-nb"

    assert "saved widget state taken out" in said(command, "clean", "made.ipynb", cwd=tmp_path)
    assert said(command, "check", "made.ipynb", cwd=tmp_path) == ""


def test_importing_needs_no_dependency(empty: Path) -> None:
    assert say(empty, "import hermes_nb; print('OpenAIServer' in dir(hermes_nb))") == "True"


def test_a_name_whose_packages_are_missing_says_what_to_install(empty: Path) -> None:
    told = say(empty, """
        import hermes_nb
        try:
            hermes_nb.OpenAIServer
        except hermes_nb.HermesError as error:
            print(type(error).__name__, isinstance(error, ImportError), error)
    """)  # fmt: skip

    assert told == (
        "MissingDependency True hermes_nb.OpenAIServer needs more packages. "
        "Install them with: pip install 'hermes_nb[lab]'"
    )
