"""Parts of a run show themselves; slices, colours, pictures, ASCII, and the page that stands alone."""

from __future__ import annotations

import base64
import json
import pickle
import re
import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes_nb import views
from hermes_nb.messages import user
from hermes_nb.records import AgentResult, StopReason, ToolCall, Usage
from hermes_nb.views.rows import ledger, ready
from tests.views.attacks import ALL, HIDDEN, attacked
from tests.views.runs import Script, invoices
from tests.views.test_html import checked

ADD = ("add", {"a": 2, "b": 3})


# Parts


def test_a_call_shows_its_arguments() -> None:
    call = invoices().calls[0]

    assert views.text(call).split("\n") == [
        "     tool  total amounts: [120, 75.5, 0]",
        "     arguments, as the model wrote them",
        '     │ {"amounts":[120,75.5,0]}',
    ]
    assert "[120, 75.5, 0]" in checked(views.html(call)).text


def test_a_result_shows_what_came_of_its_call() -> None:
    failed = invoices().results[3]

    assert views.text(failed).split("\n")[:2] == [
        "     tool  divide a: 195.5, b: 0                          ✗ error   1.9 ms   ~19",
        "           │ ZeroDivisionError: float division by zero",
    ]
    page = checked(views.html(failed))
    assert ("details", (("open", ""),)) in page.elements
    assert "the model saw the same 77 characters" in page.text


def test_a_turn_shows_its_rows() -> None:
    drawn = views.text(invoices().turns[3])

    first, *others = drawn.split("\n")
    assert first.startswith("   4 reasoning 27 words: b is 0")
    assert [line.split()[0] for line in others if re.match(" {5}(model|tool) ", line)] == ["model", "tool"]
    assert "Dividing by zero cannot work" in drawn


@pytest.mark.parametrize("part", ["calls", "results", "turns"])
def test_parts_show_themselves_in_a_notebook(part: str) -> None:
    one = getattr(invoices(), part)[0]

    assert one._repr_mimebundle_() == {"text/plain": views.text(one), "text/html": views.html(one)}
    assert "\n" not in repr(one)


@pytest.mark.parametrize("attack", ALL.values(), ids=ALL)
def test_an_attack_in_a_part_is_shown_as_text(attack: str) -> None:
    turn = attacked(attack).turns[0]
    for one in (turn, *turn.results, turn.results[0].call):
        assert not HIDDEN & set(checked(views.html(one)).text + views.text(one))


def test_what_is_nothing_of_a_run_cannot_be_shown() -> None:
    with pytest.raises(TypeError, match="of type PosixPath"):
        views.html(Path())  # type: ignore[arg-type]


# Slices


def test_a_slice_shows_these_turns_alone() -> None:
    drawn = views.text(invoices(), turns=[3, 5]).split("\n")

    assert drawn[0] == "✓ finished · scripted · invoices · turns 3, 5"
    assert [line[:11].strip() for line in drawn if re.match(r" [ \d]{3} \w", line)] == [
        "3 model",
        "tool",
        "5 model",
        "tool",
    ]
    assert "Three invoices" not in views.html(invoices(), turns=[3]) + views.markdown(invoices(), turns=[3])


def test_a_slice_of_turns_that_are_not_there_is_refused() -> None:
    for form in (views.text, views.html, views.markdown):
        with pytest.raises(ValueError, match="no turn 9: it has turns 1 to 6"):
            form(invoices(), turns=[2, 9])


# While it goes on


def test_a_call_that_waits_for_a_person_says_so() -> None:
    result = Script().ask("", ADD, ("look", {})).result()
    shown = ledger(result, asking=["call_1_0"])

    assert (shown.glyph, shown.ended) == ("?", "asks you")
    assert [(row.glyph, row.status) for row in shown.rows if row.who == "tool"] == [
        ("?", "asks you"),
        ("…", "running"),
    ]


def test_a_reply_that_is_being_written_says_so() -> None:
    rows = ledger(Script().ask("Half an ans", partial=True).result()).rows

    assert (rows[-1].glyph, rows[-1].status) == ("…", "writing")


def test_rows_keep_their_names_while_a_run_goes_on() -> None:
    script = Script().ask("", ADD, reasoning="Hm.")
    before = [row.key for row in ledger(script.result()).rows]
    script.answer("5").done().ask("Five.").done()

    assert before == ["0.message0", "1.reasoning", "1.model", "1.call0"]
    assert [row.key for row in ledger(script.end()).rows] == [*before, "2.model"]


def test_every_row_of_a_run_has_a_name_of_its_own() -> None:
    keys = [row.key for row in ledger(invoices()).rows]

    assert len(set(keys)) == len(keys)


def test_rows_are_ready_for_json() -> None:
    shown = ready(ledger(invoices()))

    assert json.loads(json.dumps(shown)) == shown
    assert shown["ended"] == "finished"
    assert shown["rows"][1] == {
        "who": "model",
        "key": "1.model",
        "turn": "1",
        "number": 1,
        "gist": "Three amounts: I add them first.",
        "time": "0.6 s",
        "tokens": "~14",
        "seconds": 0.62,
    }


# ASCII


def test_ascii_stands_in_for_glyphs_and_the_words_stay() -> None:
    drawn = views.text(invoices(), 60, ascii=True)
    lines = drawn.split("\n")

    assert drawn.isascii()
    assert max(map(len, lines)) <= 60
    assert lines[:3] == [
        "ok finished - scripted - invoices",
        "6 turns - 6 calls - x 2 errors - ~132 tokens out - 4.5 s",
        "-" * 60,
    ]
    assert "x error" in drawn
    assert "| ZeroDivisionError: float division by zero" in drawn


def test_ascii_keeps_the_columns_of_rows_that_went_well() -> None:
    [row] = [line for line in views.text(invoices(), ascii=True).split("\n") if "total amounts" in line]

    assert row == "     tool  total amounts: [120, 75.5, 0] -> 195.5         ok        0.1 ms    ~1"


@given(st.text(max_size=100))
def test_ascii_holds_any_text_within_its_columns(text: str) -> None:
    drawn = views.text(Script(user(text)).ask(text, (text, {text: text})).answer(text).end(), 60, ascii=True)

    assert drawn.isascii()
    assert max(map(len, drawn.split("\n"))) <= 60


# Colours


def test_a_terminals_colours_are_classes_in_html_and_dropped_in_text() -> None:
    script = (
        Script().ask("", ADD).answer("\x1b[1;31mred\x1b[0m \x1b[38;5;2mgreen\x1b[39m \x1b[7;40mplain\x1b[2K").done()
    )
    result = script.end()

    assert (
        '<span class="ansi-red-fg ansi-bold">red</span> <span class="ansi-green-fg">green</span> plain'
        in views.html(result)
    )
    assert "     │ red green plain" in views.text(result, turn=1)
    checked(views.html(result))


@pytest.mark.parametrize("codes", ["30", "37", "97", "90", "8", "7", "31;41", "38;2;255;255;255", "38;5;231", "48;5;1"])
def test_no_colour_makes_a_text_vanish(codes: str) -> None:
    fragment = views.html(Script().ask("", ADD).answer(f"\x1b[{codes}mhere\x1b[0m").done().end())

    assert set(re.findall(r'class="([^"]*)"', fragment)) <= {"tex2jax_ignore mathjax_ignore", "ansi-red-fg"}
    assert "here" in checked(fragment).text


def test_A21_a_hundred_thousand_codes_are_a_text_without_colours() -> None:
    fragment = views.html(Script().ask("", ADD).answer("\x1b[31mx\x1b[0m" * 100_000).done().end())

    assert "ansi-" not in fragment
    assert "cut here" in fragment


def test_a_secret_in_several_colours_is_not_shown() -> None:
    key = "sk-or-v1-" + "0123456789abcdef" * 4
    told = f"\x1b[31m{key[:20]}\x1b[32m{key[20:]}\x1b[0m"
    result = Script().ask("", ADD).answer(told).done().end()

    for form in (views.html(result), views.text(result, turn=1), views.markdown(result)):
        assert "0123456789" not in form


@given(st.text("\x1b[0123456789;m:ab\n", max_size=80))
def test_colours_change_no_letter(text: str) -> None:
    [answer] = [
        section.shown
        for row in ledger(Script().ask("", ADD).answer(text).done().end()).rows
        for section in row.sections
        if section.label.startswith("result")
    ]

    assert all(0 <= start < end <= len(answer.text) for start, end, _ in answer.colours)
    assert "\x1b" not in answer.text


# Pictures


def png(width: int, height: int) -> str:
    content = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", width, height) + b"\x08\x02\0\0\0" + b"\0" * 40
    return base64.b64encode(content).decode()


def pictured(address: Any) -> str:
    parts = ({"type": "text", "text": "x"}, {"type": "image_url", "image_url": {"url": address}})
    return views.html(Script().ask("", ADD).answer("A picture.", parts=parts).done().end())


def test_a_picture_that_a_tool_returns_is_shown_as_data() -> None:
    fragment = pictured(f"data:image/png;base64,{png(12, 9)}")

    assert (
        f'<img src="data:image/png;base64,{png(12, 9)}" alt="an image, png, 12 × 9" width="12" height="9"' in fragment
    )
    assert ">an image, png, 12 × 9<" in fragment


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("http://beacon/x.png", "nothing is fetched"),
        ("data:image/svg+xml;base64,PHN2Zz4=", "neither png nor jpeg nor gif"),
        ("data:image/png;base64,AAAA", "its bytes are not those of a png"),
        (f'data:image/png;base64,{png(1, 1)}" onerror="x', "neither png nor jpeg nor gif"),
        (f"data:image/png;base64,{png(60_000, 60_000)}", "it measures 60000 × 60000"),
        (f"data:image/png;base64,{png(1, 1)}{'A' * 100_000}", "more than 64 kB"),
        (None, "nothing is fetched"),
    ],
)
def test_any_other_picture_is_told_in_words(address: Any, why: str) -> None:
    page = checked(pictured(address))

    assert "img" not in {name for name, _ in page.elements}
    assert why in page.text


# A page of its own


def saved(shown: Any, path: Path, **more: Any) -> str:
    return views.save_html(shown, path / "run.html", **more).read_text(encoding="utf-8")


def test_a_page_stands_alone(tmp_path: Path) -> None:
    page = saved(invoices(), tmp_path)

    assert page.startswith("<!DOCTYPE html>")
    assert "default-src 'none'" in page
    assert "<title>✓ finished · scripted · invoices</title>" in page
    assert not re.search(r"<script|<link|https?:|@import|url\(", page)


def test_rows_of_a_page_lead_to_what_they_hold(tmp_path: Path) -> None:
    page = saved(invoices(), tmp_path)
    targets, names = set(re.findall(r'href="#([^"]+)"', page)), re.findall(r' id="([^"]+)"', page)

    assert targets == set(names)
    assert len(names) == len(targets) == 7
    assert "hnb-row-3.call0" in targets


def test_a_page_holds_more_than_a_notebook_keeps(tmp_path: Path) -> None:
    script = Script()
    for number in range(300):
        script.ask("", ("look", {"id": number}), reasoning="Hm.").answer("x" * 3000).done()
    result = script.end()

    assert "cut here" in views.html(result)
    page = saved(result, tmp_path)
    assert "cut here" not in page
    assert page.count("x" * 3000) == 300


@pytest.mark.parametrize("attack", ALL.values(), ids=ALL)
def test_an_attack_in_every_field_of_a_page_is_text(attack: str, tmp_path: Path) -> None:
    harmless = saved(attacked("xyz"), tmp_path)
    elements = set(re.findall(r"<([a-z!/]+)", harmless.lower()))

    assert set(re.findall(r"<([a-z!/]+)", saved(attacked(attack), tmp_path).lower())) <= elements


@pytest.mark.parametrize(
    ("task", "name"),
    [
        ("airline 15", "airline-15.html"),
        ("../../etc/passwd", "etc-passwd.html"),
        ("a/b\\c:d\x00", "a-b-c-d.html"),
        ("CON", "run-con.html"),
        ("-rf", "rf.html"),
        ("x" * 400, f"{'x' * 80}.html"),
        ("漢字", "run.html"),
        ("..", "run.html"),
    ],
)
def test_A37_a_page_in_a_folder_is_named_after_its_task_and_stays_in_it(task: str, name: str, tmp_path: Path) -> None:
    result = Script(task=task).ask("Hi.").done().end()

    assert views.save_html(result, tmp_path) == tmp_path / name
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_views_of_several_runs_are_pages_too(tmp_path: Path) -> None:
    for shown in (views.errors(invoices()), [invoices()], views.compare(invoices(), invoices()), invoices().turns[0]):
        assert "</html>" in saved(shown, tmp_path)


# Exports that show `details` as text


def test_without_details_everything_is_there_and_nothing_can_be_closed() -> None:
    page = checked(views.html(invoices(), details=False))

    assert not {"details", "summary"} & {name for name, _ in page.elements}
    assert "turn 3 · divide" in page.text
    assert "the model saw the same 77 characters" in page.text


# What a notebook keeps


def test_V06_a_long_run_takes_little_room_in_a_notebook() -> None:
    script = Script()
    for number in range(200):
        script.ask(f"Turn {number}.", ("read", {"path": f"{number}.txt"})).answer("line of text\n" * 1500).done()
    shown = script.end()._repr_mimebundle_()

    assert set(shown) == {"text/plain", "text/html"}
    assert sum(len(form.encode()) for form in shown.values()) <= 300_000


@pytest.mark.parametrize("reason", get_args(StopReason))
def test_every_ending_has_a_glyph_and_words_in_every_form(reason: StopReason) -> None:
    result = replace(Script().ask("", ADD).answer("5").done().result(), stop_reason=reason)
    shown = ledger(result)

    assert shown.glyph in ("✓", "✗", "⊘", "●")
    assert (shown.glyph == "✓") == result.ok
    assert shown.note.startswith("No answer: ")
    for form in (views.text(result), views.html(result), views.markdown(result)):
        assert f"{shown.glyph} {shown.ended}" in form


def test_records_take_no_more_memory_for_showing_themselves() -> None:
    result = invoices()

    for one in (result, result.turns[0], result.calls[0], result.results[0]):
        assert not hasattr(one, "__dict__")
        assert pickle.loads(pickle.dumps(one)) == one


# Nothing before it is asked for


def test_records_load_no_view_before_they_are_shown() -> None:
    code = """
        import sys
        from hermes_nb.records import AgentResult
        result = AgentResult(messages=[])
        repr(result)
        before = [name for name in sys.modules if name.startswith("hermes_nb.views")]
        result._repr_mimebundle_()
        print(before, "hermes_nb.views" in sys.modules, "pandas" in sys.modules, "IPython" in sys.modules)
    """
    ran = subprocess.run(
        [sys.executable, "-c", re.sub(r"(?m)^ {8}", "", code)], capture_output=True, text=True, check=True
    )

    assert ran.stdout.strip() == "[] True False False"


def test_total_tokens_alone_are_told_as_such() -> None:
    result = Script().ask("Hi.", usage=Usage(total=500)).done().end()

    assert "· 500 tokens ·" in views.text(result)


def test_a_lone_call_has_no_status() -> None:
    assert "cut off" not in views.text(ToolCall(name="add"))


def test_an_empty_conversation_has_every_form(tmp_path: Path) -> None:
    empty = AgentResult(messages=[])

    assert "Nothing yet" in views.markdown(empty)
    assert "Nothing yet" in saved(empty, tmp_path)
