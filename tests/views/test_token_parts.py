"""The tokens of a turn in the live view: a part of its reply's opened row, given when it is asked for, page by page."""

from __future__ import annotations

import json
from typing import Any

import pytest

import hermes_nb as hn
from hermes_nb.views.rows.entries import Tile
from hermes_nb.views.rows.strips import inked
from tests.servers.byte_pairs import Sampling, add, byte_pairs, call_text, sampled
from tests.views.attacks import ALL, HIDDEN
from tests.views.runs import Script
from tests.views.test_run_view import Playing, Window
from tests.views.test_token_strips import KEY, run, turn

MODEL = "1.model"


def pieces(part: dict[str, Any]) -> list[tuple[str, str]]:
    """The pieces of a part's text that are of a kind, as a script cuts them, and their kinds."""
    text = part["text"].encode("utf-16-le")
    return [(text[2 * begin : 2 * end].decode("utf-16-le"), kind) for begin, end, kind in part["colours"]]


def tokens(window: Window, key: str = MODEL) -> dict[str, Any]:
    """The part that is the row's tokens, which is its last."""
    found: dict[str, Any] = window.ask("open", id=key)["parts"][-1]
    assert (found["label"], found["kind"]) == ("tokens", "tokens")
    return found


def behind(window: Window, key: str) -> list[dict[str, Any]]:
    """The parts of the row that are tokens."""
    return [part for part in window.ask("open", id=key)["parts"] if part["label"] == "tokens"]


def test_a_replys_row_holds_its_tokens_each_of_its_kind() -> None:
    logprobs = [-0.01, -0.5, -0.01, -2.0, -0.01]
    one = turn(["It", " is", "\n\n", "😀 5", "."], logprobs, prompt=(["<s>", "hi\n"], "template"))
    part = tokens(Window(run(one)))

    assert part["told"] == "2 prompt, not trained on, 5 sampled"
    assert part["text"] == "<s>hi⏎\nIt·is⏎\n⏎\n😀·5."
    assert pieces(part) == [
        ("<s>", "tok prompt template"),
        ("hi⏎", "tok prompt template"),
        ("It", "tok sampled sure"),
        ("·is", "tok sampled likely"),
        ("⏎", "tok sampled sure"),
        ("⏎", "tok sampled sure"),
        ("😀·5", "tok sampled unlikely"),
        (".", "tok sampled sure"),
    ]
    assert "turned" not in part
    assert "next" not in part


async def test_a_managed_run_has_them_as_soon_as_its_replies_are_there() -> None:
    texts = (call_text(a=2, b=3), "It is 5.")
    server = hn.ManagedServer(Sampling(*(sampled(text, range(300)) for text in texts)), byte_pairs())
    window = Window(await hn.HermesAgentLoop(server, tools=[add]).run("What is 2 + 3?"))

    first, second = tokens(window), tokens(window, "2.model")
    assert first["turned"] == ("Show 340 folded tokens", "Fold the prompt")
    assert "".join(text for text, kind in pieces(first) if "sampled" in kind).startswith("<tool_call>⏎{")
    assert second["told"] == "25 prompt, not trained on, 8 sampled"
    assert ("<|im_start|>", "tok prompt template") in pieces(second)
    assert [part["label"] for part in window.ask("open", id="1.call0")["parts"]] == [
        "arguments", "result", "model saw",
    ]  # fmt: skip


def test_a_run_that_goes_on_has_the_tokens_of_the_replies_there_are() -> None:
    script = Script()
    for number in (1, 2):
        told = turn([f"reply {number}"], number=number, prompt=(["p"] * 2 * number, "content")).reply
        assert told is not None
        script.ask(told.text, raw=told.raw).done()
    script.end()
    playing = Playing(script.events, begun=2)
    window = Window(playing)
    found = []
    for _ in script.events[2:]:
        found.append(sum(len(behind(window, key)) for key in (MODEL, "2.model")))
        playing.go()

    # Before the first reply, after it, when its turn is over, when the next begins, and when that has its reply.
    assert found == [0, 1, 1, 1, 2, 2]


def test_a_folded_prompt_is_shown_when_it_is_asked_for() -> None:
    window = Window(run(turn(["a"], prompt=([f" {number}" for number in range(300)], "content"))))
    folded = tokens(window)
    number = len(window.ask("open", id=MODEL)["parts"]) - 1

    whole = window.ask("more", id=MODEL, part=number, at=0, raw=True)

    assert folded["turned"] == ("Show 260 folded tokens", "Fold the prompt")
    assert folded["text"].startswith("·260·261")
    assert whole["text"].startswith("·0·1·2")
    assert whole["text"].endswith("·299a")
    assert window.ask("more", id=MODEL, part=number, at=0, raw=False)["text"] == folded["text"]


def test_many_tokens_are_read_on_page_by_page_and_every_one_is_there() -> None:
    words = [f"w{number} " for number in range(9000)]
    window = Window(run(turn(words, prompt=(["p"] * 90, "content"))))
    page = tokens(window)
    number = len(window.ask("open", id=MODEL)["parts"]) - 1
    found, marks = [page], [page["then"]]
    assert len(page["colours"]) < 300
    assert page["mark"].startswith("cut here: 87")
    while "next" in page:
        page = window.ask("more", id=MODEL, part=number, at=page["next"], raw=False)
        assert len(page["colours"]) <= 16_000 / 5
        found.append(page)
        marks.append(page.get("then"))

    assert "".join(one["text"] for one in found) == "p" * 40 + "".join(words).replace(" ", "·")
    assert (marks[0], marks[-2:]) == ("Show more", ["Show all", None])


def test_a_token_of_any_length_keeps_no_page_from_the_next() -> None:
    window = Window(run(turn(["x" * 100_000] * 100)))
    page = tokens(window)
    shown = len(page["colours"])
    number = len(window.ask("open", id=MODEL)["parts"]) - 1
    while "next" in page:
        page = window.ask("more", id=MODEL, part=number, at=page["next"], raw=False)
        shown += len(page["colours"])

    assert shown == 100


def test_a_prompt_that_stops_extending_the_turn_before_says_so() -> None:
    told = run(turn(["a"], prompt=(["x"], "content")), turn(["b"], number=2, prompt=(["y", "z"], "content")))

    assert "stops extending turn 1's tokens at position 0" in tokens(Window(told), "2.model")["told"]


def test_tokens_are_not_searched_nor_copied_with_the_row_but_copied_alone() -> None:
    window = Window(run(turn(["It", " is"], prompt=(["needle ", KEY], "content"))))
    number = len(window.ask("open", id=MODEL)["parts"]) - 1

    assert window.ask("find", text="needle")["ids"] == []
    assert window.ask("copy", id=MODEL, part=-1)["text"] == "It is"
    assert window.ask("copy", id=MODEL, part=number)["text"].startswith("needle [redacted:")


def test_no_key_is_told_that_stands_in_several_tokens() -> None:
    cut = [KEY[at : at + 3] for at in range(0, len(KEY), 3)]
    window = Window(run(turn(["the ", *cut, " ends"], prompt=(["say ", *cut, "."], "content"))))
    part = tokens(window)

    assert "[redacted:" in part["text"]
    assert KEY[9:15] not in json.dumps(window.told)


@pytest.mark.parametrize("attack", ALL.values(), ids=ALL)
def test_an_attack_is_told_as_text_of_known_kinds(attack: str) -> None:
    for texts in ([attack], list(attack), [attack[:3], "", attack[3:]]):
        window = Window(run(turn(texts, [-2.0] * len(texts), prompt=(texts, "template"))))
        part = tokens(window)

        assert not HIDDEN & set(part["text"])
        assert {kind for _, kind in pieces(part)} <= {"tok prompt template", "tok sampled unlikely"}


def test_no_piece_is_of_several_lines() -> None:
    text, spans = inked([Tile(text="⏎\n⏎\n"), Tile(text="a⏎\nb", sampled=True), Tile(text="")])

    assert text == "⏎\n⏎\na⏎\nb"
    assert [text[begin:end] for begin, end, _ in spans] == ["⏎", "⏎", "a⏎", "b"]


def test_a_reply_without_tokens_has_no_such_part() -> None:
    one = turn(["It"])
    one.reply.raw.clear()  # type: ignore[union-attr]

    assert [part["label"] for part in Window(run(one)).ask("open", id=MODEL)["parts"]] == ["text"]
