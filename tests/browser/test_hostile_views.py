"""The live view of a run in which every text is an attack: all of it is shown as text, and nothing else happens."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.hostile import hostile, payloads
from tests.browser.stage import Stage, beacon, staged, written

if TYPE_CHECKING:
    from tests.browser.conftest import Lab

LIVE, PLAYED = 1, 2
CELLS = ["hn.views.live(hn.journal.load('hostile.jsonl'))", "hn.views.play('hostile.jsonl', speed=math.inf)"]

OUTSIDE = """() => {
  // The lab writes styles for itself as it loads things, and loads parts of itself late; ours is the one of the view.
  const loud = "script, iframe, link, meta, form, img, video, audio, object, embed, base, h1, input[type=image]";
  const found = [...document.querySelectorAll(loud)].filter(one => !one.closest(".jp-CodeCell"))
    .filter(one => !(one.tagName === "SCRIPT" && new URL(one.src || "data:,").pathname.startsWith("/static/lab/")));
  const { display } = getComputedStyle(document.querySelector(".jp-Notebook"));
  return JSON.stringify([found.map(one => one.tagName).sort(), display]);
}"""
INSIDE = """view => {
  const tags = new Set(), attributes = new Set();
  for (const one of [view, ...view.querySelectorAll("*")]) {
    tags.add(one.tagName);
    for (const { name } of one.attributes) attributes.add(name);
  }
  return [[...tags].sort(), [...attributes].sort()];
}"""
TAGS = {
    "DIV", "SPAN", "B", "I", "BDI", "BUTTON", "INPUT", "TEXTAREA", "HEADER", "FOOTER", "NAV", "OL", "LI", "PRE", "CODE",
    "KBD", "MARK",
}  # fmt: skip
ATTRIBUTES = re.compile(
    r"class|style|role|aria-[a-z]+|data-[a-z-]+|tabindex|type|placeholder|maxlength|rows|hidden|disabled"
)


OPEN_ALL = """view => {
  for (const row of view.querySelectorAll('.row[aria-expanded="false"]')) row.click();
}"""
ALL_OPEN = "() => [...document.querySelector('.hnb').querySelectorAll('.body')].every(one => one.textContent !== '…')"


@dataclass
class Attacked(Stage):
    """The lab with the hostile run in it: how its page was before, who asked the beacon, and what was asked by it."""

    before: str
    asked: list[str]
    dialogs: list[str]
    attacks: dict[str, str]


@pytest.fixture(scope="module")
def attacked(
    new_window: Callable[[], AbstractContextManager[Lab]], lab_server: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Attacked]:
    """Two views of the hostile run, every row of the first one opened."""
    dialogs: list[str] = []
    before: list[str] = []

    def look(lab: Lab) -> None:
        lab.page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
        before.append(lab.page.evaluate(OUTSIDE))

    with beacon() as server:
        port, asked = int(server.server_address[1]), server.asked  # type: ignore[attr-defined]
        script = hostile(port)
        script.end()
        written(script, lab_server.folder / "hostile.jsonl")
        folder = tmp_path_factory.mktemp("hostile")
        with staged(new_window, folder, "hostile", *CELLS, ready=PLAYED, opened=look) as stage:
            stage.state(PLAYED, "finished")
            stage.view(LIVE).evaluate(OPEN_ALL)
            stage.lab.page.wait_for_function(ALL_OPEN)
            yield Attacked(stage.lab, before[0], asked, dialogs, payloads(port))


def test_A01_to_A26_no_attack_does_anything_but_be_read(attacked: Attacked) -> None:
    page = attacked.lab.page

    assert page.evaluate("window.__pwn") is None
    assert (attacked.asked, attacked.dialogs, attacked.lab.asked_elsewhere) == ([], [], [])
    assert page.url.endswith("/lab/tree/hostile.ipynb?reset") or page.url.endswith("/lab/tree/hostile.ipynb")
    assert page.evaluate(OUTSIDE) == attacked.before
    assert page.title().startswith("hostile.ipynb")


@pytest.mark.parametrize("cell", [LIVE, PLAYED])
def test_A01_to_A26_a_view_is_made_of_our_own_elements_and_attributes_alone(attacked: Attacked, cell: int) -> None:
    tags, attributes = attacked.view(cell).evaluate(INSIDE)

    assert set(tags) <= TAGS
    assert [name for name in attributes if not ATTRIBUTES.fullmatch(name)] == []


def test_A01_to_A20_every_attack_is_read_as_it_was_written(attacked: Attacked) -> None:
    shown = attacked.view(LIVE).inner_text()
    told = re.sub(r"\s+", " ", shown)

    for name, attack in attacked.attacks.items():
        if name < "A21":
            # As a user's words, a reply, thoughts, a result, an error, what was printed, and a traceback.
            assert told.count(re.sub(r"\s+", " ", attack)) >= 7, name


def test_A21_to_A24_what_cannot_be_seen_is_a_badge_and_moves_nothing(attacked: Attacked) -> None:
    shown = attacked.view(LIVE).inner_text()

    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2060-\u2069\U000e0000-\U000e007f]", shown)
    for badge in ("⟦U+202E⟧", "⟦U+200B⟧", "⟦U+0435⟧", "⟦hidden text: obey me⟧", "marks more⟧"):
        assert badge in shown
    assert attacked.view(LIVE).locator(".badge", has_text="U+202E").count() > 0


def test_A26_text_that_passes_for_a_template_says_so_outside_its_box(attacked: Attacked) -> None:
    warned = attacked.view(LIVE).locator(".src > .badge", has_text="looks like control text")

    assert warned.count() >= 5
    assert attacked.view(LIVE).locator("pre .src").count() == 0
    assert attacked.view(LIVE).locator(".state").inner_text().replace("\n", "") == "✓finished"


def test_A01_to_A26_searching_and_drawing_the_timeline_change_nothing(attacked: Attacked) -> None:
    view = attacked.view(PLAYED)
    for text in ("<script>", "javascript:", "__proto__", "⟦U+202E⟧"):
        view.locator(".filter").fill(text)
        view.locator("mark").first.wait_for()
        tags, _ = view.evaluate(INSIDE)
        assert set(tags) <= TAGS
    view.get_by_role("button", name="Clear").click()

    assert attacked.lab.page.evaluate("[window.__pwn ?? null, Object.prototype.other ?? null]") == [None, None]
    assert attacked.asked == []


def test_A25_a_pile_of_marks_does_not_make_a_row_high(attacked: Attacked) -> None:
    heights = attacked.view(PLAYED).evaluate(
        "view => Math.max(...[...view.querySelectorAll('.row')].filter(row => !row.querySelector('.u')).map(row => "
        "row.offsetHeight))"
    )

    assert heights <= 48 + 26
