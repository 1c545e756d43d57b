"""The Markdown form: what a renderer makes of it is text, tables and parts that can be closed, and nothing else."""

from __future__ import annotations

import re

import mistune
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes_nb import views
from hermes_nb.messages import user
from hermes_nb.views.marked.escaping import fenced, prose, quote
from tests.views.attacks import ALL, HIDDEN, attacked
from tests.views.runs import Script, invoices
from tests.views.test_html import Page

render = mistune.create_markdown(
    escape=False, plugins=["table", "url", "strikethrough", "footnotes", "task_lists", "math", "def_list"]
)
MADE = {
    "p", "b", "strong", "br", "code", "span", "pre", "blockquote", "details", "summary", "ins", "i",
    "table", "thead", "tbody", "tr", "th", "td",
}  # fmt: skip


def rendered(markdown: str) -> Page:
    made = render(markdown)
    assert isinstance(made, str)
    page = Page(made)
    assert {name for name, _ in page.elements} <= MADE
    assert page.open == []
    return page


@pytest.mark.parametrize("attack", ALL.values(), ids=ALL)
def test_an_attack_in_every_field_is_rendered_as_text(attack: str) -> None:
    result = attacked(attack)
    for form in (result, views.errors(result), views.runs([result]), views.compare(result, invoices())):
        page = rendered(views.markdown(form))
        names = {name for _, given in page.elements for name, _ in given}
        assert names <= {"open", "class", "style"}
        assert not HIDDEN & set(page.text)


SPECIAL = st.text(r"ab1 `*_[]()<>&#!|~:/\$^.@+-=" + "\n\"'", max_size=80)


@given(SPECIAL)
def test_no_text_becomes_anything_else_in_a_line(text: str) -> None:
    told = " ".join(text.split())
    page = Page(str(render(f"x {prose(told)} x")))

    assert {name for name, _ in page.elements} <= {"p", "code", "span"}
    assert " ".join(page.text.split()) == f"x {told} x".replace("  ", " ")


@given(SPECIAL)
def test_no_text_becomes_anything_else_in_a_quotation(text: str) -> None:
    page = Page(str(render(quote(text))))

    assert {name for name, _ in page.elements} <= {"blockquote", "p", "code", "span", "br"}
    assert page.text.split() == text.split()


@given(SPECIAL)
def test_no_text_ends_its_block_of_code(text: str) -> None:
    page = Page(str(render(fenced(text))))

    assert [name for name, _ in page.elements] == ["pre", "code"]
    assert page.text.strip() == text.strip()


def test_addresses_people_and_issues_stay_words() -> None:
    told = views.markdown(Script(user("http://a.example www.b.example @someone #12 me@c.example")).ask("Hi.").end())

    assert not re.search(r"://|www\.|@someone|(?<!&)#12|me@", told)


def test_it_says_what_the_other_forms_say() -> None:
    text = " ".join(rendered(views.markdown(invoices())).text.replace("\u00a0", " ").split())

    for words in (
        "✓ finished · scripted · invoices",
        "6 turns · 6 calls · ✗ 2 errors · ~132 tokens out",
        "percent ×2",
        "ZeroDivisionError: float division by zero",
        "✗ bad JSON",
        "→ 97.75",
        "27 words: b is 0",
    ):
        assert words in text


def test_errors_are_open_and_all_else_is_closed() -> None:
    opened = [bool(given) for name, given in rendered(views.markdown(invoices())).elements if name == "details"]

    assert opened == [False, False, False, True, False, True, False]


def test_without_details_nothing_can_be_closed() -> None:
    assert "<details" not in views.markdown(invoices(), details=False)
    assert "195.5" in views.markdown(invoices(), details=False)


@pytest.mark.parametrize("letter", ["x", "*", "`", "<", "@", "\n", "漢"])
def test_it_fits_in_a_comment_on_github(letter: str) -> None:
    script = Script(user(letter * 50_000))
    for _ in range(150):
        script.ask(letter * 3000, ("add", {"x": letter * 3000}), reasoning=letter * 3000, added=(user(letter * 900),))
        script.answer(letter * 16_000, error=("exception", letter * 500)).done()
    told = views.markdown(script.ask(letter * 100_000).done().end())

    assert len(told) <= 65_536
    assert "cut here: " in told
