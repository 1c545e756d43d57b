"""The command, as a process of its own: what it says, where, and its exit code."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import hermes_nb as hn
from tests.sharing.made import BAD, KEY, bad, code, honest, notebook, saved


def command(folder: Path, *arguments: str) -> tuple[int, str, str]:
    """Its exit code, what it said, and what it complained about."""
    ran = subprocess.run(
        [sys.executable, "-m", "hermes_nb.cli", *arguments], cwd=folder, capture_output=True, text=True, check=False,
        env={"PYTHONPATH": str(Path(hn.__file__).parents[1]), "PATH": "/usr/bin:/bin", "HOME": str(folder)},
    )  # fmt: skip
    return ran.returncode, ran.stdout, ran.stderr


def test_a_clean_notebook_is_passed_in_silence(tmp_path: Path) -> None:
    saved(honest(), tmp_path / "good.ipynb")

    assert command(tmp_path, "check", "good.ipynb") == (0, "", "")


def test_a_finding_is_a_line_that_says_where_what_and_what_to_do(tmp_path: Path) -> None:
    saved(bad("a secret in a source"), tmp_path / "bad.ipynb")

    told = (
        'bad.ipynb: cell 4 "answer = 4", source: a secret (key) [secret]. Take it out, and make the key anew: whoever '
        "had the file may have it. Read it from the environment, or ask with getpass.\n"
    )
    assert command(tmp_path, "check", "bad.ipynb") == (1, told, "")


def test_a_folder_is_looked_through_but_for_checkpoints(tmp_path: Path) -> None:
    for number, name in enumerate(BAD):
        saved(bad(name), tmp_path / f"{number:02}.ipynb")
    (tmp_path / ".ipynb_checkpoints").mkdir()
    saved(bad("stripped"), tmp_path / ".ipynb_checkpoints" / "old.ipynb")

    code_, said, complained = command(tmp_path, "check", ".")

    assert (code_, complained) == (1, "")
    assert [line.partition(":")[0] for line in said.splitlines()] == [
        f"{number:02}.ipynb" for number in range(len(BAD))
    ]


def test_findings_as_json_are_read_by_other_tools(tmp_path: Path) -> None:
    saved(bad("stripped"), tmp_path / "bad.ipynb")

    exit_code, said, _ = command(tmp_path, "check", "--format", "json", "bad.ipynb")

    [found] = json.loads(said)
    assert exit_code == 1
    assert (found["path"], found["rule"], found["cell"], found["cell_id"]) == ("bad.ipynb", "order", 4, "cell-03")


def test_what_is_no_notebook_is_told_and_the_others_are_still_checked(tmp_path: Path) -> None:
    (tmp_path / "notes.ipynb").write_text("words")
    saved(bad("stripped"), tmp_path / "bad.ipynb")

    exit_code, said, complained = command(tmp_path, "check", "missing.ipynb", "notes.ipynb", "bad.ipynb")

    assert exit_code == 2
    assert said.startswith("bad.ipynb: cell 4")
    assert [line.partition(" (")[0] for line in complained.splitlines()] == [
        "missing.ipynb: it cannot be read: No such file or directory",
        "notes.ipynb: it is no notebook: a notebook is JSON in UTF-8, and this is not",
    ]


def test_a_folder_without_notebooks_is_told(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    assert command(tmp_path, "check", "empty") == (
        2, "", "empty: there is no notebook in this folder; name a file or another folder\n",
    )  # fmt: skip


def test_a_word_it_does_not_know_is_told(tmp_path: Path) -> None:
    exit_code, _, complained = command(tmp_path, "publish", "a.ipynb")

    assert exit_code == 2
    assert "invalid choice: 'publish'" in complained


def test_cleaning_says_what_it_changed_and_how_much_is_left(tmp_path: Path) -> None:
    made = bad("A38, a hostile widget")
    made.cells[3].source += f"\nkey = '{KEY}'"
    saved(made, tmp_path / "bad.ipynb")
    left = "bad.ipynb: 1 finding left; `hermes-nb check` names them\n"

    first = command(tmp_path, "clean", "bad.ipynb")
    second = command(tmp_path, "clean", "bad.ipynb")

    assert first == (0, f"bad.ipynb: the notebook: saved widget state taken out\n{left}", "")
    assert second == (0, f"bad.ipynb: nothing to take out\n{left}", "")


def test_running_names_what_is_new_and_a_failing_cell(tmp_path: Path) -> None:
    saved(notebook(code("1 + 1", None)), tmp_path / "a.ipynb")
    saved(notebook(code("1 / 0", None)), tmp_path / "b.ipynb")

    exit_code, said, complained = command(tmp_path, "run", "a.ipynb", "b.ipynb")

    assert (exit_code, said) == (1, 'a.ipynb: 1 of its outputs new\n  cell 1 "1 + 1"\n')
    assert complained.startswith('b.ipynb: cell 1 "1 / 0" ended in ZeroDivisionError; the file is as it was\n')
    assert command(tmp_path, "check", "a.ipynb") == (0, "", "")


@pytest.mark.parametrize("out", ["bad.html", "page.html"])
def test_a_page_is_made_beside_the_notebook_or_where_it_is_asked_for(out: str, tmp_path: Path) -> None:
    saved(bad("a secret in an output"), tmp_path / "bad.ipynb")
    asked = ["-o", out] if out != "bad.html" else []

    assert command(tmp_path, "html", "bad.ipynb", *asked) == (
        0, f"{out}\n", "bad.ipynb: there is a secret in it, and in the page; `hermes-nb check` names the cell\n",
    )  # fmt: skip
    assert "<h1>A question</h1>" in (tmp_path / out).read_text()
