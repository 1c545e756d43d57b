"""What holds for every plot: the same bytes, its data and its words, nothing shown, nothing changed, text as text."""

from __future__ import annotations

import hashlib
import io
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from IPython.core.formatters import DisplayFormatter
from IPython.core.pylabtools import print_figure
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from hermes_nb import plots
from hermes_nb.plots.marks import LOST, MODEL, PROMPT, RECOVERED, REPLY, TOOL, WRONG, Mark
from hermes_nb.plots.paper import Plot
from hermes_nb.records import AgentResult
from tests.plots.made import HOSTILE, MANY, NONE, ONE, run

ROOT = Path(__file__).resolve().parents[2]
EVERY = [plots.timeline, plots.tokens, plots.errors, plots.latency, plots.survival, plots.recovery]
GIVEN = {
    "none": NONE,
    "one": ONE,
    "many": MANY,
    "hostile": [run(1, 30, HOSTILE, HOSTILE[0]), run(2, 30, HOSTILE, "工具")],
}

Draw = Callable[..., Plot]

every_plot = pytest.mark.parametrize("draw", EVERY, ids=lambda draw: draw.__name__)
everything = pytest.mark.parametrize("given", list(GIVEN))


def saved(plot: Plot, kind: str) -> bytes:
    written = io.BytesIO()
    plot.savefig(written, format=kind)
    return written.getvalue()


@cache
def drawn(draw: Draw, given: str) -> Plot:
    """A plot that a test only looks at."""
    return draw(GIVEN[given])


def texts(plot: Plot) -> list[Text]:
    """Every text that is drawn."""
    plot.canvas.draw()
    unseen = {id(label) for axes in plot.axes for axis in (axes.xaxis, axes.yaxis) for label in beyond(axis)}
    return [text for text in plot.findobj(Text) if text.get_visible() and text.get_text() and id(text) not in unseen]


def beyond(axis: Axis) -> Iterator[Text]:
    """The labels of ticks that lie beyond an axis' ends, which are made and not drawn."""
    low, high = sorted(axis.get_view_interval())
    for tick in axis.get_major_ticks():
        if not low - 1e-9 <= tick.get_loc() <= high + 1e-9:
            yield from (tick.label1, tick.label2)


@every_plot
@everything
def test_F60_each_draws_nothing_one_run_and_many(draw: Draw, given: str) -> None:
    plot = drawn(draw, given)

    assert isinstance(plot, Figure)
    assert isinstance(plot.data, pd.DataFrame)
    assert plot.png().startswith(b"\x89PNG")
    assert plot.alt.endswith(".")
    assert plot.alt.isprintable()


@every_plot
def test_V23_the_same_runs_give_the_same_bytes(draw: Draw) -> None:
    for kind in ("png", "svg", "pdf"):
        assert saved(draw(MANY), kind) == saved(draw(MANY), kind)
    assert draw(ONE).png() == draw(ONE).png()


@every_plot
def test_V23_a_plot_that_was_shown_before_is_still_the_same(draw: Draw) -> None:
    plot = draw(ONE)
    first = plot.png()
    saved(plot, "svg")

    assert plot.png() == first


FRESH = """
import hashlib, io, sys
from hermes_nb import plots
from tests.plots.made import MANY
for draw in (plots.timeline, plots.tokens, plots.errors, plots.latency, plots.survival, plots.recovery):
    written = io.BytesIO()
    draw(MANY).savefig(written, format="svg")
    print(hashlib.sha256(draw(MANY).png() + written.getvalue()).hexdigest())
print("matplotlib.pyplot" in sys.modules)
"""


def test_V23_a_fresh_process_gives_the_same_bytes_and_needs_no_pyplot() -> None:
    done = subprocess.run([sys.executable, "-c", FRESH], cwd=ROOT, capture_output=True, text=True, check=True)
    *fresh, pyplot = done.stdout.split()

    assert fresh == [hashlib.sha256(draw(MANY).png() + saved(draw(MANY), "svg")).hexdigest() for draw in EVERY]
    assert pyplot == "False"


@every_plot
def test_a_notebooks_own_style_changes_no_plot_and_is_left_as_it_is(draw: Draw) -> None:
    plain = draw(ONE).png()
    with mpl.rc_context({"axes.facecolor": "black", "font.size": 30, "text.usetex": True, "savefig.transparent": True}):
        before = dict(mpl.rcParams)
        inside = draw(ONE).png()
        after = dict(mpl.rcParams)

    assert inside == plain
    assert after == before


@every_plot
@everything
def test_V23_the_ground_is_opaque(draw: Draw, given: str) -> None:
    for picture in (drawn(draw, given).png(), print_figure(drawn(draw, given), "png", base64=False)):
        alpha = np.asarray(Image.open(io.BytesIO(picture)).convert("RGBA"))[..., 3]
        assert alpha.min() == 255


@every_plot
def test_V23_the_words_are_in_the_file(draw: Draw) -> None:
    plot = drawn(draw, "one")
    said = Image.open(io.BytesIO(plot.png())).info  # type: ignore[attr-defined]

    assert (said["Title"], said["Description"]) == (plot.title, plot.alt)
    assert "Software" not in said
    assert plot.alt.encode() in re.sub(
        rb"&[lg]t;", lambda found: {b"&lt;": b"<", b"&gt;": b">"}[found[0]], saved(plot, "svg")
    )
    assert b"<dc:date>" not in saved(plot, "svg")
    assert b"CreationDate" not in saved(plot, "pdf")


@every_plot
def test_V23_a_saved_notebook_keeps_picture_and_words(draw: Draw) -> None:
    plot = drawn(draw, "one")
    bundle, about = DisplayFormatter().format(plot)

    assert bundle["image/png"]
    assert bundle["text/plain"] == f"{plot!r}\n{plot.alt}"
    assert about["image/png"] == {
        "alt": plot.alt,
        "width": 100 * plot.get_figwidth(),
        "height": pytest.approx(100 * plot.get_figheight(), abs=1),
    }


def test_V23_as_html_the_words_are_alternative_text_and_caption() -> None:
    plot = plots.errors([run(3, 12, ["<script>alert(1)</script>"])])
    page = plot.html()

    assert "<script>" not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 2
    assert re.fullmatch(
        r'<figure><img src="data:image/png;base64,[\w+/=]+" [^<>]*><figcaption>[^<>]*</figcaption></figure>', page
    )


@every_plot
@everything
def test_a_repr_is_one_line_without_an_address(draw: Draw, given: str) -> None:
    plot = drawn(draw, given)

    assert repr(plot) == str(plot) == repr(draw(GIVEN[given]))
    assert re.fullmatch(r"Plot\([^\n]* · [\d]+ rows? of data · \d+×\d+\)", repr(plot))


@every_plot
@pytest.mark.parametrize("given", ["one", "many"])
def test_a_title_says_what_it_is_and_axes_with_numbers_say_their_unit(draw: Draw, given: str) -> None:
    plot = drawn(draw, given)
    axes = plot.axes[0]

    assert axes.get_title(loc="left") == plot.title
    if axes.axison and draw is not plots.errors:
        assert re.search("seconds|turn", axes.get_xlabel())


@every_plot
@everything
def test_no_text_leaves_the_picture_or_covers_another(draw: Draw, given: str) -> None:
    plot = drawn(draw, given)
    page = plot.bbox
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts(plot) if text.get_bbox_patch() is None]
    inside = [(told, box) for told, box in boxes if box.width and page.fully_overlaps(box)]

    for told, box in inside:
        assert page.x0 - 1 <= box.x0, told
        assert box.x1 <= page.x1 + 1, told
    for place, (told, box) in enumerate(inside):
        covered = [
            other for other, found in inside[place + 1 :] if box.shrunk(0.98, 0.8).overlaps(found.shrunk(0.98, 0.8))
        ]
        assert covered == [], told


def odd(text: str) -> list[str]:
    """The letters that must not be drawn as they are."""
    return [letter for letter in text if letter != "\n" and (not letter.isprintable() or letter in "工具")]


@every_plot
def test_A17_A21_A22_A23_hostile_names_are_shown_as_text(draw: Draw) -> None:
    plot = drawn(draw, "hostile")

    assert [text.get_text() for text in texts(plot) if odd(text.get_text())] == []
    assert not any(text.get_parse_math() for text in texts(plot))
    assert odd(plot.alt) == []


def test_A22_what_cannot_be_seen_is_named() -> None:
    labels = [text.get_text() for text in texts(plots.latency([run(1, 60, HOSTILE)]))]

    for shown in (
        "user⟦U+202E⟧txt.exe (",
        "read⟦U+200B⟧_file (",
        "rm⟦U+001B⟧[2J⟦U+0007⟧ (",
        "⟦U+5DE5⟧⟦U+5177⟧ (",
        "$\\frac{1}{0}$ (",
    ):
        assert any(label.startswith(shown) for label in labels), shown


def test_long_names_are_cut_in_the_picture_alone_and_stay_apart() -> None:
    long = ["x" * 400, "x" * 401]
    plot = plots.latency([run(5, 30, long)])
    labels = [text.get_text() for text in texts(plot) if text.get_text().startswith("x")]

    assert set(plot.data["tool"]) == set(long)
    assert len(set(labels)) == 2
    assert all(len(label) < 40 for label in labels)


MACHADO = {
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}  # fmt: skip
"""How colours look without one kind of cone: Machado, Oliveira and Fernandes (2009), severity 1, in linear RGB."""


def seen(mark: Mark, eyes: str) -> np.ndarray:
    """The mark's colour in CIE L*a*b*, as these eyes see it."""
    srgb = np.array([int(mark.colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    linear = np.clip(np.array(MACHADO.get(eyes, np.eye(3))) @ linear, 0, 1)
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ linear
    ratio = xyz / np.array([0.9505, 1.0, 1.089])
    f = np.where(ratio > 0.008856, np.cbrt(ratio), 7.787 * ratio + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("eyes", ["normal", *MACHADO])
@pytest.mark.parametrize(
    "together", [(MODEL, TOOL, WRONG), (RECOVERED, LOST), (PROMPT, REPLY)], ids=lambda one: one[0].name
)
def test_V23_marks_that_stand_together_differ_for_every_kind_of_eyes(together: tuple[Mark, ...], eyes: str) -> None:
    for place, one in enumerate(together):
        for other in together[place + 1 :]:
            assert np.linalg.norm(seen(one, eyes) - seen(other, eyes)) > 20, (one, other)


@pytest.mark.parametrize("pair", [(TOOL, WRONG), (RECOVERED, LOST), (PROMPT, REPLY)], ids=lambda one: one[0].name)
def test_V23_a_hatch_says_the_same_without_colour(pair: tuple[Mark, Mark]) -> None:
    assert pair[0].hatch != pair[1].hatch


def test_a_journal_is_drawn_as_its_runs_are(tmp_path: Path) -> None:
    from hermes_nb.events import RunFinished, RunStarted
    from hermes_nb.journal import Journal

    path = tmp_path / "run.jsonl"
    journal = Journal(path)
    for event in (RunStarted(run_id="one", seq=0), RunFinished(run_id="one", seq=1, stop_reason="empty")):
        journal.write(event)
    journal.close()

    assert plots.survival(path).data.equals(
        plots.survival(AgentResult(messages=[], run_id="one", stop_reason="empty")).data
    )
