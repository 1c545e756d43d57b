"""The tokens of a turn are shown: what the model wrote, how likely it was, and what only led up to it."""

from __future__ import annotations

from typing import Any

import pytest

import hermes_nb as hn
from hermes_nb import views
from hermes_nb.records import AgentResult, Reply, Turn
from tests.servers.byte_pairs import Sampling, add, byte_pairs, call_text, sampled
from tests.views.attacks import ALL, HIDDEN
from tests.views.test_html import checked
from tests.views.test_markdown import rendered

KEY = "sk-or-v1-" + "0123456789abcdef" * 4


def turn(
    texts: list[str],
    logprobs: list[float] | None = None,
    *,
    number: int = 1,
    prompt: tuple[list[str], str] | None = None,
) -> Turn:
    """A turn whose reply is these tokens, behind a prompt of these, all of one kind."""
    told = [{"token": one, "logprob": p} for one, p in zip(texts, logprobs or [-0.01] * len(texts), strict=True)]
    message = {"role": "assistant", "content": "".join(texts)}
    choice = {"message": message, "token_ids": list(range(len(texts))), "logprobs": {"content": told}}
    before, kind = prompt or ([], "template")
    tail = {"start": 0, "texts": before, "spans": [[0, len(before), "user", kind]]}
    raw: dict[str, Any] = {"prompt_token_ids": [number] * len(before), "prompt_tail": tail, "choices": [choice]}
    return Turn(number=number, reply=Reply(message=message, text=message["content"], raw=raw))


def run(*turns: Turn) -> AgentResult:
    return AgentResult(messages=[], turns=turns, run_id="r")


def test_as_text_the_prompt_the_template_and_unlikely_tokens_are_told_apart_by_signs() -> None:
    one = turn(["It", " is", "\n", "5"], [-0.01, -0.5, -0.01, -2.0], prompt=(["<s>", "a b\n"], "template"))
    drawn = views.text(one)

    assert drawn[drawn.index("     tokens") :].split("\n") == [
        "     tokens: 2 prompt, not trained on, 4 sampled",
        "     prompt",
        "     │ ~<s> ~a·b⏎",
        "     sampled",
        "     │ It ·is ⏎",
        "     │ 5(14%)",
        "     ~ template, (…) how likely, where p < 0.37",
    ]


def test_html_tells_them_apart_without_colour_and_colours_them_by_how_likely_they_were() -> None:
    one = turn(["It", " is", "5"], [-0.01, -0.5, -2.0], prompt=(["<s>"], "template"))
    page = views.html(one)

    checked(page)
    assert '<span style="opacity:.8"><i>&lt;s&gt;</i> </span><ins>It</ins> ' in page
    assert '<span style="color:#1976d2"><ins>·is</ins> </span>' in page
    assert '<span style="color:#d32f2f"><ins><b>5</b></ins> </span>' in page
    assert "underlined: sampled" in page


def test_markdown_tells_them_apart_too() -> None:
    drawn = views.markdown(turn(["It", "*5*"], [-0.01, -2.0], prompt=(["<s>", "hi"], "template")))

    rendered(drawn)
    assert "<code><i>&#60;s&#62;</i> <i>hi</i> <ins>It</ins> <ins><b>&#42;5&#42;</b></ins></code>" in drawn


async def test_a_managed_run_shows_the_tokens_of_every_turn() -> None:
    texts = (call_text(a=2, b=3), "It is 5.")
    server = hn.ManagedServer(Sampling(*(sampled(text, range(300)) for text in texts)), byte_pairs())
    result = await hn.HermesAgentLoop(server, tools=[add]).run("What is 2 + 3?")

    page = views.html(result)
    checked(page)
    assert page.count("underlined: sampled") == 2
    assert "tokens: 25 prompt, not trained on, 8 sampled" in page
    assert "340 prompt tokens folded" in page
    assert "│ I t · i s · 5 ." in views.text(result, turn=2)
    assert "sampled" not in views.text(result)
    assert views.text(result, turn=2, ascii=True).isascii()


def test_a_prompt_that_stops_extending_the_turn_before_says_so() -> None:
    result = run(turn(["a"], prompt=(["x"], "content")), turn(["b"], number=2, prompt=(["y", "z"], "content")))

    assert "turn 2's prompt stops extending turn 1's tokens at position 0" in " ".join(
        views.text(result, turn=2).split()
    )


def test_log_probabilities_that_came_without_ids_are_shown() -> None:
    one = turn(["It", " is"], [-0.01, -3.0])
    raw: Any = one.reply.raw if one.reply else None
    del raw["choices"][0]["token_ids"]

    assert "tokens: 2 sampled" in views.text(one)
    assert "│ It ·is(5%)" in views.text(one)


def test_tokens_without_text_are_shown_by_their_ids_and_their_prompt_is_folded() -> None:
    choice = {"message": {"role": "assistant", "content": "x"}, "token_ids": [7, 8]}
    reply = Reply(message=choice["message"], text="x", raw={"prompt_token_ids": [1, 2, 3], "choices": [choice]})
    drawn = views.text(Turn(number=1, reply=reply))

    assert "3 prompt tokens folded" in drawn
    assert "│ #7 #8" in drawn


def test_no_key_is_shown_that_stands_in_several_tokens() -> None:
    pieces = [KEY[at : at + 3] for at in range(0, len(KEY), 3)]
    one = turn(["the", " key", " ", *pieces, " ends"], prompt=(["say ", *pieces, "."], "content"))
    drawn = [views.text(one), views.html(one), views.markdown(one)]

    for text in drawn:
        strip = text[text.index("tokens:") :]
        assert "redacted" in strip
        assert not any(piece in strip for piece in ("sk-", *pieces[3:8]))
        assert "·ends" in strip


@pytest.mark.parametrize("attack", ALL.values(), ids=ALL)
def test_an_attack_is_shown_as_text(attack: str) -> None:
    for texts in ([attack], list(attack), [attack[:3], "", attack[3:]]):
        one = turn(texts, [-2.0] * len(texts), prompt=(texts, "template"))
        page = checked(views.html(one))

        assert not HIDDEN & set(page.text + views.text(one) + rendered(views.markdown(one)).text)
        assert all(line.startswith(" " * 5) for line in views.text(one).split("\n")[1:])


def test_a_strip_is_cut_and_says_so() -> None:
    one = turn(["word"] * 3000, prompt=([" hello"] * 500, "content"))
    page = views.html(one)

    assert "460 prompt tokens folded" in page
    assert "cut here: 2750 tokens more" in page
    assert len(page) < 12_000
    assert "cut here: 2750 tokens more" in views.markdown(one)
    assert "cut here: 2750 tokens more" in views.text(one)


def test_many_turns_of_many_tokens_keep_to_the_room_of_a_run() -> None:
    result = run(*(turn(["x"] * 2000, number=number, prompt=(["y"] * number, "content")) for number in range(1, 101)))

    assert len(views.html(result).encode()) <= 200_000
    assert len(views.markdown(result)) <= 65_536


@pytest.mark.parametrize(
    "raw",
    [
        {"prompt_token_ids": "x", "choices": []}, {"choices": [{"logprobs": {"content": [{"token": 1}, None]}}]},
        {"prompt_token_ids": [], "choices": [{"token_ids": []}]}, {"choices": [{"logprobs": {"content": "no"}}]},
        {"choices": [{"logprobs": {"content": [{"token": "a", "logprob": float("nan")}]}}]},
        {"choices": [{"logprobs": {"content": [{"token": "a", "logprob": 1e9}]}}]},
        {"choices": [{"logprobs": {"content": [{"token": "a", "logprob": -1e9}]}}]},
    ],
)  # fmt: skip
def test_a_record_that_makes_no_sense_spoils_no_view(raw: dict[str, Any]) -> None:
    checked(views.html(Turn(number=1, reply=Reply(message={"role": "assistant", "content": "x"}, text="x", raw=raw))))
