"""The figure that every plot is: it holds its data and says itself in words, and is the same bytes for the same input.

Drawn without pyplot, so that nothing is shown, kept or changed beside it. Style and fonts are fixed, whatever the
notebook has set; the ground is opaque, so that it can be read in a dark theme.
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

INK, DIM, FAINT = "#1a1a1a", "#595959", "#d9d9d9"
WIDTH = 8.0
DPI = 100
SHARP = 2
"""A notebook's picture has so many pixels for one of the page's."""

STYLE: dict[str, Any] = {
    "font.family": ["DejaVu Sans"], "font.size": 9.5, "text.parse_math": False, "text.usetex": False,
    "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": DIM, "xtick.color": DIM, "ytick.color": DIM,
    "xtick.labelcolor": INK, "ytick.labelcolor": INK, "axes.linewidth": 0.8,
    "axes.spines.top": False, "axes.spines.right": False, "axes.axisbelow": True, "axes.titlesize": 11,
    "axes.titleweight": "bold", "axes.titlelocation": "left", "axes.titlepad": 10, "legend.frameon": False,
    "legend.fontsize": 9, "grid.color": FAINT, "grid.linewidth": 0.7, "hatch.linewidth": 0.7,
    "figure.facecolor": "white", "axes.facecolor": "white", "savefig.facecolor": "white", "savefig.transparent": False,
    "svg.hashsalt": "hermes_nb", "svg.fonttype": "path", "figure.dpi": DPI,
}  # fmt: skip
DRAWN_BY = (
    "agg", "axes", "contour", "figure", "font", "grid", "hatch", "image", "legend", "lines", "markers", "mathtext",
    "patch", "path", "pcolor", "pdf", "savefig", "scatter", "svg", "text", "xaxis", "xtick", "yaxis", "ytick",
)  # fmt: skip
"""The groups of matplotlib's settings that change how something looks."""

DROPPED: dict[str, dict[str, Any]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
"""What a file would say of when and with what it was made, which differs though the picture does not."""

TELLS = {"png": ("Title", "Description"), "svg": ("Title", "Description"), "pdf": ("Title", "Subject")}


@contextmanager
def fixed_style() -> Iterator[None]:
    """Our style inside, and matplotlib's own where we set nothing; the notebook's again after it."""
    own: Any = {name: value for name, value in mpl.rcParamsDefault.items() if name.partition(".")[0] in DRAWN_BY}
    with mpl.rc_context(own | STYLE):
        yield


class Paper(FigureCanvasAgg):
    """What the figure is printed on; every way to save or show it comes through here."""

    def print_figure(
        self, filename: Any, dpi: Any = None, facecolor: Any = None, edgecolor: Any = None,
        orientation: str = "portrait", format: str | None = None, **more: Any,
    ) -> Any:  # fmt: skip
        """As matplotlib's, in the fixed style, with the words in the file and without dates and versions."""
        kind = str(format or str(filename).rpartition(".")[2]).lower()
        kind = "svg" if kind == "svgz" else kind if kind in DROPPED else "png"
        plot = self.figure
        words = dict(zip(TELLS[kind], (plot.title, plot.alt), strict=True)) if isinstance(plot, Plot) else {}
        more["metadata"] = DROPPED[kind] | words | (more.get("metadata") or {})
        with fixed_style():
            return super().print_figure(filename, dpi, facecolor, edgecolor, orientation, format, **more)


class Plot(Figure):
    """A matplotlib Figure that holds what it draws (`data`), its `title`, and the same in words (`alt`)."""

    data: pd.DataFrame
    alt: str
    title: str

    def __init__(self, height: float, width: float = WIDTH) -> None:
        super().__init__(figsize=(width, height), dpi=DPI, layout=ConstrainedLayoutEngine(w_pad=0.09, h_pad=0.07))
        self.set_canvas(Paper(self))
        self.data, self.alt, self.title = pd.DataFrame(), "", ""

    def told(self, title: str, alt: str, data: pd.DataFrame) -> Plot:
        """The plot, with its words and its data, and with every part in its final place."""
        self.title, self.alt, self.data = title, alt, data
        # The layout moves a little each time it is worked out; once worked out, it stays.
        self.draw_without_rendering()
        self.set_layout_engine("none")
        return self

    def savefig(self, fname: Any, **more: Any) -> None:
        """As matplotlib's, in the fixed style."""
        with fixed_style():
            super().savefig(fname, **more)

    def png(self) -> bytes:
        """The picture as a notebook shows it, with twice the pixels of its size on the page."""
        written = io.BytesIO()
        self.savefig(written, format="png", dpi=SHARP * DPI)
        return written.getvalue()

    def html(self) -> str:
        """The picture in an HTML `figure`, with its words as alternative text and as caption."""
        source = f"data:image/png;base64,{base64.b64encode(self.png()).decode()}"
        words = html.escape(self.alt)
        picture = f'<img src="{source}" width="{self._pixels[0]}" height="{self._pixels[1]}" alt="{words}">'
        return f"<figure>{picture}<figcaption>{words}</figcaption></figure>"

    @property
    def _pixels(self) -> tuple[int, int]:
        width, height = self.get_size_inches()
        return round(width * DPI), round(height * DPI)

    def __repr__(self) -> str:
        rows = f"{len(self.data)} {'row' if len(self.data) == 1 else 'rows'} of data"
        return f"Plot({self.title} · {rows} · {self._pixels[0]}×{self._pixels[1]})"

    __str__ = __repr__

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        words = {"alt": self.alt, "width": self._pixels[0], "height": self._pixels[1]}
        return {"image/png": self.png(), "text/plain": f"{self!r}\n{self.alt}"}, {"image/png": words}


def nothing(title: str, why: str, data: pd.DataFrame) -> Plot:
    """A plot of nothing, which says so."""
    with fixed_style():
        plot = Plot(height=1.2)
        axes = plot.subplots()
        axes.set_axis_off()
        axes.set_title(title)
        axes.text(0, 0.7, why, transform=axes.transAxes, color=DIM, va="center")
    return plot.told(title, why, data)


def grid(axes: Axes, along: str = "y") -> None:
    """Faint lines behind the marks, and no ticks where they would say nothing more."""
    axes.grid(visible=True, axis="x" if along == "x" else "y")
    axes.tick_params(length=0)
