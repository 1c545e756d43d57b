"""A turn's tokens in the live view, in a real JupyterLab: told apart without colour, bounded, and reached by keys."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Locator

import hermes_nb as hn
from hermes_nb.servers.managed import Generated
from tests.browser.stage import CONTRAST, Stage, staged
from tests.browser.test_live_view import AXE, CHECK
from tests.servers.byte_pairs import END, Sampling, add, byte_pairs, call_text, ids_of, sampled

if TYPE_CHECKING:
    from tests.browser.conftest import Lab

CALL = call_text(a=2, b=3) + END
ANSWER = f"It is 5.\nThe weather in Oslo is cold 😀, <b>in Turin</b> it is warm.{END}"
LONG = " ".join(f"word {number}" for number in range(1500)) + END
KEPT, PLAYED, WIDE = 1, 2, 3
CELLS = [
    "hn.views.live(hn.journal.load('tokens.jsonl'))",
    "played = hn.views.play('tokens.jsonl', speed=math.inf)\nplayed",
    "hn.views.live(hn.journal.load('tokens-long.jsonl'))",
]
STYLE = """piece => {
  const { fontStyle, fontWeight, borderBottomWidth, borderBottomColor, color } = getComputedStyle(piece);
  return { style: fontStyle, weight: fontWeight, line: parseFloat(borderBottomWidth), drawn: borderBottomColor, color };
}"""
SPOKEN = "() => document.activeElement.textContent"


class Wavering(Sampling):
    """A model that is sure of most tokens, less so of some, and of few not at all."""

    def next(self, prompt: Sequence[int], sampling: dict[str, Any]) -> Generated:
        """The next reply."""
        made = super().next(prompt, sampling)
        chances = [(0.2 if at % 11 == 6 else 0.6 if at % 7 == 3 else 0.99) for at in range(len(made.tokens))]
        return Generated(tokens=made.tokens, logprobs=tuple(map(math.log, chances)), finish_reason="stop")


async def kept(path: Path, *replies: list[int]) -> None:
    """The journal of a run of a managed server whose engine, in this process, writes these replies."""
    server = hn.ManagedServer(Wavering(*replies), byte_pairs())
    await hn.HermesAgentLoop(server, tools=[add], journal=path).run("What is 2 + 3?")


@pytest.fixture(scope="module")
def stage(
    new_window: Callable[[], AbstractContextManager[Lab]], lab_server: object, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    """A run that called a tool, loaded and played, and one with a long answer."""
    folder: Path = lab_server.folder  # type: ignore[attr-defined]
    asyncio.run(kept(folder / "tokens.jsonl", sampled(CALL, (15, 24)), sampled(ANSWER, (12, 41))))
    asyncio.run(kept(folder / "tokens-long.jsonl", ids_of(LONG)))
    with staged(new_window, tmp_path_factory.mktemp("tokens"), "tokens", *CELLS, ready=WIDE) as opened:
        opened.lab.page.evaluate(AXE.read_text(encoding="utf-8"))
        yield opened


def model(stage: Stage, index: int, turn: int) -> Locator:
    """The row of that turn's reply."""
    return stage.view(index).locator(f'li[data-key="{turn}.model"]')


def strip(stage: Stage, index: int, turn: int) -> Locator:
    """The tokens of that turn, its row opened."""
    row = model(stage, index, turn)
    if row.locator(".body").count() == 0:
        row.locator(".row").click()
    found = row.locator("pre.tokens")
    found.wait_for()
    return found


@pytest.mark.parametrize("index", [KEPT, PLAYED])
def test_a_replys_row_shows_its_tokens_and_what_each_is_without_colour(stage: Stage, index: int) -> None:
    shown = strip(stage, index, 2)
    look = {
        name: shown.locator(f".tok.{name}").first.evaluate(STYLE)
        for name in ("prompt", "template", "sure", "likely", "unlikely")
    }

    assert model(stage, index, 2).locator(".src .label", has_text="sampled").inner_text().startswith("24 prompt, not")
    assert shown.inner_text().startswith("⏎\n<|im_start|>tool⏎\n<tool_response>⏎\n5⏎\n")
    assert "The·weather·in·Oslo·is·cold·😀,·<b>in·Turin</b>" in shown.inner_text()
    assert shown.locator(".tok", has_text="😀").count() == 1
    assert shown.locator(":not(span, code)").count() == 0
    assert (look["prompt"]["line"], look["template"]["style"], look["sure"]["style"]) == (0, "italic", "normal")
    assert 0 < look["sure"]["line"] < look["likely"]["line"] == look["unlikely"]["line"]
    assert look["unlikely"]["weight"] == "600" != look["likely"]["weight"]
    assert look["prompt"]["color"] != look["sure"]["color"]
    assert len({look[name]["drawn"] for name in ("sure", "likely", "unlikely")}) == 3


def test_the_prompt_is_folded_and_keys_unfold_it(stage: Stage) -> None:
    page, shown = stage.lab.page, strip(stage, KEPT, 1)
    assert shown.inner_text().count("<|im_start|>") == 2
    model(stage, KEPT, 1).locator(".row").focus()
    for _ in range(10):
        page.keyboard.press("Tab")
        if page.evaluate(SPOKEN) == "Show 340 folded tokens":
            break
    page.keyboard.press("Enter")
    stage.view(KEPT).get_by_role("button", name="Fold the prompt").wait_for()

    assert page.evaluate(SPOKEN) == "Fold the prompt"
    assert shown.inner_text().startswith("<|im_start|>system⏎\nYou")
    page.keyboard.press("Enter")
    stage.view(KEPT).get_by_role("button", name="Show 340 folded tokens").wait_for()
    assert shown.inner_text().count("<|im_start|>") == 2


def test_many_tokens_are_cut_and_read_on_in_their_colours(stage: Stage) -> None:
    shown = strip(stage, WIDE, 1)
    assert shown.locator(".tok").count() < 500
    assert shown.locator(".cut").inner_text().startswith("cut here: ")
    while shown.locator(".cut").count():
        before = shown.locator(".tok").count()
        shown.locator(".cut button").click()
        shown.locator(".tok").nth(before).wait_for()

    assert shown.inner_text().replace("·", " ").endswith(LONG)
    assert {*shown.locator(".tok").evaluate_all("all => all.slice(40).map(one => one.classList[1])")} == {"sampled"}


def test_what_is_copied_of_them_is_their_text(stage: Stage) -> None:
    strip(stage, KEPT, 2)
    model(stage, KEPT, 2).get_by_role("button", name="Copy").last.click()
    stage.view(KEPT).get_by_role("button", name="Copied").wait_for()

    assert stage.lab.page.evaluate("navigator.clipboard.readText()").endswith(ANSWER)


def test_V09_axe_finds_nothing_and_every_token_can_be_read_in_light_and_dark(stage: Stage, tmp_path: Path) -> None:
    for turn in (1, 2):
        strip(stage, KEPT, turn)
    for theme in ("JupyterLab Dark", "JupyterLab Light"):
        stage.lab.theme(theme)
        view = stage.view(KEPT)
        assert view.evaluate(CHECK) == [], theme
        lowest = view.evaluate(CONTRAST)
        assert lowest["ratio"] >= 4.5, f"{theme}: {lowest}"
        stage.lab.screenshot(tmp_path / f"{theme.split()[1]}.png", KEPT)


def test_V19_at_320_pixels_no_token_is_clipped(stage: Stage) -> None:
    page, shown = stage.lab.page, strip(stage, KEPT, 2)
    stage.view(KEPT).evaluate("view => { view.style.width = '320px'; }")
    page.wait_for_function("() => document.querySelector('.hnb').offsetWidth === 320")

    assert shown.evaluate("box => box.scrollWidth <= box.clientWidth")
    stage.view(KEPT).evaluate("view => { view.style.width = ''; }")
