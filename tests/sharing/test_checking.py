"""What should not be shared is found, with the cell it is in; what is harmless is not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes_nb import sharing
from hermes_nb.sharing.notebooks import NotebookError
from tests.sharing.made import BAD, HOME, KEY, bad, code, honest, notebook, printed, saved, text, with_html


def findings(made: Any, folder: Path, **options: Any) -> list[sharing.Finding]:
    return list(sharing.check(saved(made, folder / "made.ipynb"), **options))


def test_an_honest_notebook_has_no_findings(tmp_path: Path) -> None:
    assert findings(honest(), tmp_path) == []


@pytest.mark.parametrize("name", BAD)
def test_one_bad_notebook_breaks_one_rule_in_a_cell_that_is_named(name: str, tmp_path: Path) -> None:
    _, rule, place = BAD[name]

    [found] = findings(bad(name), tmp_path)

    assert found.rule == rule
    assert str(found).startswith(place)
    assert found.todo


def test_every_rule_has_a_bad_notebook() -> None:
    assert {rule for _, rule, _ in BAD.values()} == set(sharing.RULES)


def test_A38_a_widget_that_runs_when_it_is_opened_is_called_that(tmp_path: Path) -> None:
    [found] = findings(bad("A38, a hostile widget"), tmp_path)

    assert "with a script, which runs when the file is opened" in found.what
    assert "hermes-nb clean" in found.todo


def test_a_finding_never_shows_the_secret(tmp_path: Path) -> None:
    url = f"http://far.example/?k={KEY}"
    made = notebook(code(f"key = '{KEY}'", 1, printed(KEY)), code(f"2  # {KEY}", 2))
    made.cells[0].outputs.append(nbformat.v4.new_output("display_data", {"text/html": f"<img src='{url}'>"}))

    told = findings(made, tmp_path)

    assert {finding.rule for finding in told} == {"secret", "remote"}
    assert KEY not in repr(told) + "".join(map(str, told))


def test_the_secrets_that_are_given_are_found_too(tmp_path: Path) -> None:
    made = notebook(code("1", 1, printed("the word is Xq7-plain-enough-9")))

    assert findings(made, tmp_path) == []
    assert [found.rule for found in findings(made, tmp_path, secrets=["Xq7-plain-enough-9"])] == ["secret"]


@pytest.mark.parametrize(
    "html",
    [
        '<a href="https://far.example/">a link waits for a click</a>',
        '<img src="data:image/png;base64,AAAA">',
        '<svg xmlns="http://www.w3.org/2000/svg"><use href="#a"/></svg>',
        '<p style="color:var(--jp-ui-font-color1)">http://far.example/ is text</p>',
        "<pre>&lt;img src=http://far.example/a.png&gt;</pre>",
    ],
)
def test_what_asks_nothing_is_not_found(html: str, tmp_path: Path) -> None:
    made = honest()
    with_html(html)(made)

    assert findings(made, tmp_path) == []


@pytest.mark.parametrize(
    "said", ["https://host.example/home/ada/x", "a/tmp/b", "#!/usr/bin/env python", "3/4/5", "~/data.csv", "../root/x"]
)
def test_what_is_the_same_on_every_machine_is_no_path_of_one(said: str, tmp_path: Path) -> None:
    assert findings(notebook(code("1", 1, printed(said))), tmp_path) == []


@pytest.mark.parametrize(
    "cells",
    [
        [code("# NBVAL_IGNORE_OUTPUT\n# the weather is never the same\n1", 1)],
        [text("The next number differs in every run."), code("1", 1, tags=("nbval-ignore-output",))],
        [text("Expect an error."), code("1 / 0", 1, tags=("raises-exception",))],
        [code("1 / 0  # nobody divides by zero", 1, tags=("raises-exception",))],
    ],
)
def test_an_ignored_output_with_a_reason_is_no_finding(cells: list[Any], tmp_path: Path) -> None:
    assert findings(notebook(*cells), tmp_path) == []


def test_cells_without_code_are_not_counted(tmp_path: Path) -> None:
    assert findings(notebook(code("1", 1), code("  ", None), code("2", 2)), tmp_path) == []


def test_a_large_file_is_a_finding_and_how_large_may_be_said(tmp_path: Path) -> None:
    [found] = findings(honest(), tmp_path, largest=100)

    assert (found.rule, found.cell) == ("size", None)


def test_a_cell_is_named_by_its_first_line_short_and_printable(tmp_path: Path) -> None:
    made = notebook(code("\n\n  \x1b[31mx = '" + "y" * 100 + f"'\nopen('{HOME}/a')", 1), code("", None))

    [found] = findings(made, tmp_path)

    assert found.name.startswith('cell 1 "\N{REPLACEMENT CHARACTER}[31mx = ')
    assert found.name.endswith('…"')


def test_sources_and_outputs_may_stand_as_one_string(tmp_path: Path) -> None:
    made = json.loads(nbformat.writes(bad("a secret in an output")))
    for cell in made["cells"]:
        cell["source"] = "".join(cell["source"])
    (tmp_path / "made.ipynb").write_text(json.dumps(made))

    assert [found.rule for found in sharing.check(tmp_path / "made.ipynb")] == ["secret"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"# no JSON", "a notebook is JSON in UTF-8"),
        (b"\xff\xfe\x00", "a notebook is JSON in UTF-8"),
        (b"[" * 100_000, "a notebook is JSON in UTF-8"),
        (b"{}", "which format it has"),
        (b'{"nbformat": 3, "worksheets": []}', "open it in Jupyter and save it"),
        (b'{"nbformat": 5, "cells": []}', "update this package"),
        (b'{"nbformat": 4}', "no list of cells"),
        (b'{"nbformat": 4, "cells": [1]}', "cell 1 does not say which type"),
        (b'{"nbformat": 4, "cells": [{"cell_type": "code", "source": 3}]}', "cell 1 has a source that is no text"),
        (b'{"nbformat": 4, "cells": [{"cell_type": "code", "outputs": {}}]}', "cell 1 has outputs"),
    ],
)
def test_what_is_no_notebook_is_told_in_a_sentence(content: bytes, told: str, tmp_path: Path) -> None:
    (tmp_path / "made.ipynb").write_bytes(content)

    with pytest.raises(NotebookError, match=told):
        sharing.check(tmp_path / "made.ipynb")


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.sampled_from(["code", "text/html", "<img src=//a>", f"{HOME}/a", KEY]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)
OUTPUT = st.fixed_dictionaries({}, optional=dict.fromkeys(("output_type", "data", "text", "traceback", "name"), JSON))
CELL = st.fixed_dictionaries(
    {"cell_type": st.sampled_from(["code", "markdown", "raw"])},
    optional=dict.fromkeys(("source", "metadata", "execution_count", "attachments", "id"), JSON)
    | {"outputs": st.lists(OUTPUT, max_size=2) | JSON},
)


@given(
    st.fixed_dictionaries({"nbformat": st.just(4)}, optional={"cells": st.lists(CELL, max_size=3), "metadata": JSON})
)
def test_any_json_is_checked_cleaned_and_drawn_or_refused_in_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, made: Any
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.ipynb"
    path.write_bytes(json.dumps(made).encode())
    try:
        sharing.check(path)
    except NotebookError as error:
        assert str(error)
    else:
        sharing.clean(path)
        assert sharing.clean(path) == ()
        sharing.html(path)
