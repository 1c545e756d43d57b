"""Docstrings are read for a model, whatever style they are written in."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hermes_nb.tools.docstrings import read

GOOGLE = """Find a page.

    Searches titles first.

    Args:
        query (str): what to look for:
            words or a phrase
        limit: how many

    Returns:
        list: the pages

    Raises:
        ValueError

    Note:
        Slow on Mondays.
    """

NUMPY = """Find a page.

    Searches titles first.

    Parameters
    ----------
    query : str
        what to look for:
        words or a phrase
    limit : int, optional
        how many

    Returns
    -------
    list
        the pages

    Note
    ----
    Slow on Mondays.
    """

SPHINX = """Find a page.

    Searches titles first.

    :param str query: what to look for:
        words or a phrase
    :param limit: how many
    :type limit: int
    :returns: the pages
    :rtype: list
    :raises ValueError: never
    """


@pytest.mark.parametrize("docstring", [GOOGLE, NUMPY, SPHINX], ids=["google", "numpy", "sphinx"])
def test_each_style_tells_what_the_parameters_are(docstring: str) -> None:
    _, told = read(docstring, ["query", "limit"])

    assert told == {"query": "what to look for:\nwords or a phrase", "limit": "how many"}


@pytest.mark.parametrize("docstring", [GOOGLE, NUMPY, SPHINX], ids=["google", "numpy", "sphinx"])
def test_the_description_leaves_out_parameters_results_and_exceptions(docstring: str) -> None:
    description, _ = read(docstring, ["query", "limit"])

    assert description.startswith("Find a page.\n\nSearches titles first.")
    assert not any(word in description for word in ("query", "limit", "the pages", "ValueError", "Returns", "rtype"))


@pytest.mark.parametrize("docstring", [GOOGLE, NUMPY], ids=["google", "numpy"])
def test_a_note_after_the_sections_stays_in_the_description(docstring: str) -> None:
    assert read(docstring, ["query"])[0].endswith("Slow on Mondays.")


def test_an_example_before_the_parameters_keeps_its_lines() -> None:
    docstring = """Double it.

    Example:
        double(2)

    Args:
        number: any
    """
    assert read(docstring, ["number"]) == ("Double it.\n\nExample:\n    double(2)", {"number": "any"})


def test_sections_need_no_blank_line_before_them() -> None:
    assert read("Add.\n    Args:\n        a: one\n    Returns:\n        a sum\n", ["a"]) == ("Add.", {"a": "one"})


def test_a_field_list_may_be_a_single_last_line() -> None:
    assert read("Add.\n\n    :param a: one", ["a"]) == ("Add.", {"a": "one"})


def test_two_numpy_parameters_may_share_one_entry() -> None:
    assert read("Add.\n\n    Parameters\n    ----------\n    a, b : int\n        a number\n", ["a", "b"])[1] == {
        "a": "a number",
        "b": "a number",
    }


def test_results_are_left_out_where_no_parameter_is_told_of() -> None:
    assert read("Look.\n\n    Returns:\n        what it saw\n", []) == ("Look.", {})


def test_what_cannot_be_taken_apart_is_told_whole() -> None:
    description, told = read("Go.\n\n    Args:\n        fast\n        far: how far\n", ["fast", "far"])

    assert told == {}
    assert "far: how far" in description


def test_names_that_are_no_parameters_are_not_told_of() -> None:
    assert read("Go.\n\n    Args:\n        far: how far\n        gone: renamed\n", ["far"])[1] == {"far": "how far"}


@pytest.mark.parametrize(
    "text", [":warning: hot", "@tool makes it one", "Steps\n-----\n1. do", "Usage: go\nArgs: none"]
)
def test_plain_text_is_left_as_it_is(text: str) -> None:
    assert read(f"Go.\n\n{text}", ["a"]) == (f"Go.\n\n{text}", {})


@pytest.mark.parametrize("docstring", [None, "", "   \n "])
def test_no_docstring_is_no_description(docstring: str | None) -> None:
    assert read(docstring, ["a"]) == ("", {})


PIECES = ["Args:", "Returns:", "Parameters", "-----", ":param a:", ":returns:", "a: x", "a : int", "    ", "\n", ":"]


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=5), max_size=15))
@settings(deadline=None)
def test_any_text_can_be_read(pieces: list[str]) -> None:
    description, told = read("".join(pieces), ["a"])

    assert isinstance(description, str)
    assert set(told) <= {"a"}
