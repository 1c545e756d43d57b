"""What parsers make of a text shows itself: every verdict side by side, with the character where each failed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes_nb import parsers, views
from hermes_nb.records import AgentResult, Reply, Turn
from hermes_nb.redact import Redactor
from hermes_nb.views.rows.legible import Lens
from hermes_nb.views.rows.placed import Placed
from tests.views.attacks import ALL, ATTACKS, HIDDEN
from tests.views.test_html import checked
from tests.views.test_markdown import rendered

BROKEN = '{"name": "arguments": "arguments": "Paris"}}\n</tool_call>'
CALL = '<tool_call>{"name": "f", "arguments": {}}</tool_call>'
NAMES = ["mistral", "hermes", "llama3_json", "auto"]
KEY = "sk-or-v1-" + "0123456789abcdef" * 4


def shown(text: str, names: list[str] | None = None) -> str:
    return views.text(parsers.verdicts(text, names or NAMES))


def test_every_verdict_stands_beside_the_others_with_the_character_it_is_about() -> None:
    assert (
        shown(BROKEN)
        == f"""\
✗ 0 of 4 parsers found a call · 57 characters
{"─" * 80}
     │ {{"name": "arguments": "arguments": "Paris"}}}}
     │ </tool_call>
llama3_json      ✗ 1 problem  ',' is missing, character 20
                 │ {{"name": "arguments": "arguments": "Paris"}}}}⏎</…
                 │                     ^
auto             ✗ 1 problem  '{{"name":' at character 0 is llama3_json's; 0
                              calls, 1 problem; ',' is missing, character 20
                 │ {{"name": "arguments": "arguments": "Paris"}}}}⏎</…
                 │                     ^
hermes           – no call    no <tool_call> before </tool_call>, character 45
                 │ …": "arguments": "Paris"}}}}⏎</tool_call>
                 │                            ^
mistral          – no call    no [TOOL_CALLS]"""
    )


def test_a_notebook_and_print_show_them() -> None:
    found = parsers.verdicts(CALL, NAMES)

    assert set(found._repr_mimebundle_()) == {"text/plain", "text/html"}
    assert str(found) == found._repr_mimebundle_()["text/plain"] == views.text(found)
    assert repr(found) == "Verdicts(1 texts · 4 parsers)"
    assert repr(found[1]) == "Verdict(hermes · 1 calls · 0 problems)"
    assert "3 of 4 parsers found calls" in str(found)


def test_a_part_of_them_shows_itself_too() -> None:
    found = parsers.verdicts(CALL, NAMES)

    assert "1 of 2 parsers found calls" in str(found[:2])
    assert "3 of 3 parsers found calls" in str(parsers.Verdicts(one for one in found if one.calls))


def test_html_marks_the_character_without_any_style() -> None:
    page = views.html(parsers.verdicts(BROKEN, ["llama3_json"]))

    checked(page)
    assert "<ins><b><bdi>:</bdi></b></ins>" in page


def test_markdown_marks_the_character_and_keeps_to_its_table() -> None:
    drawn = views.markdown(parsers.verdicts(BROKEN + "\n| a | b |\n", ["llama3_json", "hermes"]))

    assert "<ins><b>:</b></ins>" in drawn
    assert [line.count("|") for line in drawn.split("\n") if line.startswith("| <b>")] == [5, 5]


def test_a_corpus_has_totals_and_each_text_its_own_verdicts(tmp_path: Path) -> None:
    turns = tuple(
        Turn(number=at, reply=Reply(message={"role": "assistant", "content": text}, text=text))
        for at, text in enumerate(["hello", CALL, CALL[:30]], 1)
    )
    found = parsers.reparse([AgentResult(messages=[], turns=turns)], ["hermes", "mistral"])
    drawn = views.text(found)

    assert "3 texts, 2 parsers · calls in 1 text" in drawn
    assert "hermes                1      1        1" in drawn
    assert "✓ 1 of 2 parsers found calls · run 0, turn 2" in drawn
    assert "the call is not closed, character 30" in drawn
    assert "⟦end⟧" in drawn
    checked(views.html(found))
    assert views.save_html(found, tmp_path).name == "verdicts.html"


def test_of_many_texts_the_first_are_shown_and_the_others_counted() -> None:
    found = parsers.reparse([CALL] * 200, ["hermes"])

    assert "cut here: 195 texts more" in views.text(found)
    assert "cut here: 180 texts more" in views.html(found)
    assert len(views.html(parsers.reparse(["<tool_call>{" * 500] * 40)).encode()) <= 200_000
    assert len(views.markdown(parsers.reparse(["<tool_call>{" * 500] * 40))) <= 65_536


def test_nothing_at_all_is_shown_as_that() -> None:
    assert views.text(parsers.reparse([])) == "0 texts, 0 parsers · calls in 0 texts"
    assert "0 characters" in shown("")


@pytest.mark.parametrize("attack", ALL.values(), ids=ALL)
def test_an_attack_is_shown_as_text(attack: str) -> None:
    for text in (
        attack,
        f'<tool_call>{attack}{{"name": "{attack}", "arguments": {{{attack}',
        CALL.replace("f", attack),
    ):
        found = parsers.verdicts(text)
        page = checked(views.html(found))
        drawn = views.text(found)

        assert not HIDDEN & set(page.text + drawn + rendered(views.markdown(found)).text)


def test_an_attack_draws_no_line_of_ours() -> None:
    for attack in ATTACKS.values():
        for line in shown(f"{attack}\n<tool_call>{attack}").split("\n"):
            assert attack not in line or line[:2].strip() == "" or line.startswith(tuple(NAMES))


@given(st.text(max_size=80), st.sampled_from([60, 80]))
def test_no_line_is_wider_than_there_is_room(text: str, width: int) -> None:
    from hermes_nb.views.plain.lines import columns

    found = parsers.verdicts(f"<tool_call>{text}", NAMES)

    assert all(columns(line) <= width for line in views.text(found, width).split("\n"))
    assert views.text(found, width, ascii=True).isascii()
    checked(views.html(found))


def test_no_key_is_shown_and_the_place_behind_it_is_right() -> None:
    text = f'<tool_call>{{"name": "f", "arguments": {{"k": "{KEY}", "a": oops}}}}</tool_call>'
    found = parsers.verdicts(text, ["hermes"])
    everything = views.text(found) + views.html(found) + views.markdown(found)

    assert "sk-or" not in everything
    assert "0123456789" not in everything
    assert '"a": <ins><b>o</b></ins>ops' in views.markdown(found).replace("&nbsp;", " ")


@pytest.mark.parametrize(
    "text",
    ["plain", f"a {KEY} b", f"\u200b{KEY}\x1b[31m{KEY[:20]}\x1b[0m{KEY[20:]} c", "⟦x⟧\u202e⟦y⟧ d", "a\x01\x02b\tc\n"],
)  # fmt: skip
def test_a_place_in_what_is_shown_has_the_same_letter(text: str) -> None:
    placed = Placed(text, Lens(Redactor()))
    places: list[Any] = [placed.place(at) for at in range(len(text) + 1)]

    assert places == sorted(places)
    assert (places[-1], placed.shown.count(KEY[:12])) == (len(placed.shown), 0)
    last = len(text) - 1
    assert placed.shown[places[last]] == text[last]
