"""The static HTML form shows untrusted text as text, whoever wrote it and wherever it stands."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes_nb import views
from hermes_nb.messages import user
from hermes_nb.records import AgentResult, Reply, RunError
from hermes_nb.redact import Redactor
from hermes_nb.views.markup import Markup
from hermes_nb.views.markup.pieces import GAP
from hermes_nb.views.rows.legible import Lens
from tests.views.attacks import ATTACKS, HIDDEN, attacked
from tests.views.runs import Script, invoices

ELEMENTS = {
    "div", "p", "b", "bdi", "br", "blockquote", "code", "pre", "span", "del", "ins", "i", "details", "summary",
    "table", "thead", "tbody", "tr", "th", "td",
}  # fmt: skip
ATTRIBUTES = {
    "align": r"left|right",
    "class": r"tex2jax_ignore mathjax_ignore|ansi-(red|green)-fg( ansi-bold)?",
    "colspan": r"4",
    "open": r"",
    "style": r"([a-z-]+:(?!.*url)[a-z0-9 .,#%()-]+;?)+",
}


class Page(HTMLParser):
    """What a browser would make of a fragment: its elements with their attributes, and its text."""

    def __init__(self, fragment: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, tuple[tuple[str, str | None], ...]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(fragment)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, tuple(attrs)))
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    handle_decl = handle_pi = unknown_decl = handle_comment


def checked(fragment: str) -> Page:
    page = Page(fragment)
    assert {name for name, _ in page.elements} <= ELEMENTS
    for name, told in (attribute for _, attributes in page.elements for attribute in attributes):
        assert re.fullmatch(ATTRIBUTES[name], told or "", re.ASCII)
    assert page.open == []
    return page


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_an_attack_in_every_field_is_shown_as_text(attack: str) -> None:
    page = checked(views.html(attacked(attack)))

    assert not HIDDEN & set(page.text)
    if attack.isprintable() and len(attack) < 90:
        assert page.text.count(attack) >= 15


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_an_attack_makes_no_element_that_plain_words_do_not_make(attack: str) -> None:
    harmless = "".join(letter if letter == "[" else "x" for letter in Lens(Redactor()).clear(attack))

    made = [name for name, _ in checked(views.html(attacked(attack))).elements if name != "p"]
    assert made == [name for name, _ in checked(views.html(attacked(harmless))).elements if name != "p"]


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_an_attack_stays_within_the_lines_of_the_text_form(attack: str) -> None:
    result = attacked(attack)
    for drawn in (views.text(result), views.text(result, turn=1), views.text(result, turn=2)):
        assert not HIDDEN & set(drawn)
        assert {line[:5].strip(" 0123456789") for line in drawn.split("\n") if attack[:9] in line} <= {
            "",
            "✗ too",
            "tur",
        }


@given(st.text(st.characters(codec=None), max_size=60), st.text("<>&\"'/=!-[]ab \n", max_size=60))
def test_no_text_at_all_gets_out_of_its_place(one: str, two: str) -> None:
    checked(views.html(attacked(one)))
    checked(views.html(attacked(two + one)))


def test_A27_no_key_is_shown() -> None:
    key = "sk-or-v1-" + "0123456789abcdef" * 4
    page = checked(views.html(attacked(f"the key is {key}")))

    assert "sk-or" not in page.text
    assert "[redacted:key#1]" in page.text
    assert "#2" not in page.text


def test_A28_a_key_that_the_server_echoes_is_not_shown() -> None:
    error = RunError(type="AuthenticationError", message="Incorrect key sk-proj-0123456789abcdefABCD", status=401)
    result = Script().unanswered().end("server_error", error=error)

    assert "sk-proj" not in views.html(result) + views.text(result)


# The one way in


def test_a_plain_string_cannot_become_markup() -> None:
    assert Markup("<b>", Markup("&")).html == "&lt;b&gt;&amp;"
    assert Markup.element("b", "<i>").html == "<b>&lt;i&gt;</b>"
    assert Markup.element("img", alt='"><b x="').html == '<img alt="&quot;&gt;&lt;b x=&quot;">'
    for mixed in (lambda: Markup() + "<b>", lambda: "<b>" + Markup()):  # type: ignore[operator]
        with pytest.raises(TypeError):
            mixed()


def test_what_fills_a_form_is_text_too() -> None:
    fill = Markup.form(Markup.element("b", GAP), "100% ", GAP)

    assert fill("<i>%s", Markup.element("br")).html == "<b>&lt;i&gt;%s</b>100% <br>"
    assert fill(GAP, '"').html == f"<b>{GAP}</b>100% &quot;"
    for parts in (("one",), ("one", "two", "three"), ("one", None)):
        with pytest.raises(TypeError):
            fill(*parts)


def test_texts_are_escaped_each_by_itself_whatever_is_in_them() -> None:
    fill = Markup.form(Markup.element("b", GAP), GAP)

    assert Markup("<", f"&{GAP}", "é").html == f"&lt;&amp;{GAP}é"
    assert fill(f"<{GAP}", "<").html == f"<b>&lt;{GAP}</b>&lt;"
    assert fill(Markup("<"), f"{GAP}{GAP}").html == f"<b>&lt;</b>{GAP}{GAP}"
    assert Markup().html == Markup("").html == ""


@pytest.mark.parametrize(
    ("tag", "attributes"),
    [
        ("script", {}),
        ("iframe", {}),
        ("svg", {}),
        ("b onclick", {}),
        ("b", {"id": "x"}),
        ("b", {"onclick": "x"}),
        ("a", {"href": "javascript:x"}),
        ("a", {"href": "//evil.example"}),
        ("a", {"href": "hnb-row"}),
        ("a", {"href": "#location"}),
        ("div", {"id": "location"}),
        ("td", {"align": '"><b x="'}),
        ("td", {"style": "background:url(x)"}),
        ("td", {"class": "jp-Cell"}),
        ("img", {"src": "http://beacon/"}),
        ("img", {"src": "data:image/svg+xml;base64,AAAA"}),
    ],
)
def test_elements_that_are_not_ours_cannot_be_made(tag: Any, attributes: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="belong"):
        Markup.element(tag, **attributes)


# What it says


def test_it_reads_in_order_with_every_style_removed() -> None:
    text = checked(views.html(invoices())).text.replace("\u00a0", " ")
    order = [
        "✓ finished", "scripted", "invoices", "6 turns", "6 calls", "✗ 2 errors", "~132 tokens out", "4.5 s",
        "answer", "The total is 195.50",
        "turnwhowhatstatustimetokens", "Three invoices", "1model", "total amounts: [120, 75.5, 0] → 195.5", "✓ ok",
        "ZeroDivisionError: float division by zero", "✗ error", "27 words", "✗ bad JSON",
        "in full", "turn 3 · divide ✗ error · ZeroDivisionError", "arguments", "the model saw the same 77 characters",
    ]  # fmt: skip
    at = 0
    for words in order:
        at = text.index(words, at) + len(words)


def test_both_forms_say_the_same_of_every_row() -> None:
    page, drawn = checked(views.html(invoices())).text.replace("\u00a0", " "), views.text(invoices())

    for words in ("6 turns", "✗ 2 errors", "percent ×2", "✓ ok", "✗ bad JSON", "1.9 ms", "→ 97.75", "27 words: b is 0"):
        assert words in page
        assert words in drawn


def opened(fragment: str) -> list[bool]:
    return [bool(given) for name, given in checked(fragment).elements if name == "details"]


def test_the_first_three_errors_are_open_and_all_else_is_closed() -> None:
    script = Script({"role": "system", "content": "policy " * 99})
    for number in range(6):
        script.ask("", ("add", {"a": number}), reasoning="Hm.")
        script.answer("no", error=("exception", "no") if number else None).done()

    # system, then a reasoning and a call in each of six turns
    assert opened(views.html(script.end())) == [False] * 4 + [True] + [False, True] * 2 + [False] * 4


def test_a_running_run_and_an_empty_one_have_a_form() -> None:
    assert "● running" in checked(views.html(Script().ask("", ("add", {})).result())).text
    assert "Nothing yet." in checked(views.html(Script().result())).text
    assert "○ not started" in checked(views.html(AgentResult(messages=[]))).text


def test_tracebacks_stay_out_of_what_a_notebook_keeps() -> None:
    script = Script().ask("", ("add", {})).answer("no", error=("exception", "no"), traceback="File somewhere")

    assert "somewhere" not in views.html(script.end())


def test_of_a_thousand_like_turns_the_first_calls_are_there_in_full() -> None:
    script = Script()
    for number in range(1000):
        script.ask("", ("look", {"what": f"thing {number}"})).answer(f"seen {number}: {'word ' * 80}").done()
    fragment = views.html(script.ask("All seen.").done().end())

    text = checked(fragment).text
    assert "seen 0: word" in text
    assert "seen 9: word" in text
    assert "cut here: 990 calls more" in text
    assert len(fragment) < 30_000


class Looking(Redactor):
    """Counts the texts that it looks at."""

    looked = 0

    def text(self, text: str) -> str:
        self.looked += 1
        return super().text(text)


def test_what_a_page_does_not_show_is_not_looked_at() -> None:
    looked = []
    for turns in (300, 1200):
        script, redactor = Script(), Looking()
        for number in range(turns):
            script.ask(f"Turn {number}.", ("look", {"what": f"thing {number}"})).answer("word " * 80).done()
        views.html(script.ask("All seen.").done().end(), redactor=redactor)
        looked.append(redactor.looked)

    assert looked[0] == looked[1] < 700


@pytest.mark.parametrize("letter", ["x", '"', "\n", "漢", "\x1b", "\u202e", "["])
def test_a_fragment_is_bounded_and_says_what_it_leaves_out(letter: str) -> None:
    script = Script(user(letter * 50_000))
    for _ in range(150):
        script.ask(letter * 3000, ("add", {"x": letter * 3000}), reasoning=letter * 3000, added=(user(letter * 900),))
        script.answer(letter * 16_000, error=("exception", letter * 500)).done()
    fragment = views.html(script.ask(letter * 100_000).done().end())

    assert len(fragment.encode()) <= 200_000
    assert "cut here: " in checked(fragment).text
    assert len(views.text(script.result())) <= 200_000


def test_one_row_holds_no_more_than_two_thousand_characters() -> None:
    script = Script().ask("", ("add", {"x": "<" * 9000})).answer("<" * 16_000).done()

    assert views.html(script.end()).count("&lt;") <= 2000 + 2 * 100


def test_arguments_nested_without_end_are_shown_as_they_came() -> None:
    nested = "[" * 900 + "]" * 900
    script = Script().ask("", ("add", nested), ("add", f'{{"a": {nested}}}')).answer(nested).answer(nested, 1)

    checked(views.html(script.end()))
    assert "[[[[" in views.text(script.result(), turn=1)


def test_a_reply_needs_no_more_than_its_message() -> None:
    bare = Reply(message={"role": "assistant", "content": None})
    script = Script().ask("")

    assert bare.text == ""
    assert "(no text)" in views.html(script.done().end())
