"""How long each tool takes: every call, the middle half and the median."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter

from hermes_nb.plots import words
from hermes_nb.plots.marks import TOOL, WRONG
from hermes_nb.plots.paper import INK, Plot, fixed_style, grid, nothing
from hermes_nb.stats import seen
from hermes_nb.stats.seen import Results

DTYPES = {
    "tool": "str",
    "run_id": "str",
    "turn": "Int64",
    "call_index": "Int64",
    "seconds": "Float64",
    "error": "str",
}
MOST_TOOLS = 20
MOST_POINTS = 400
WIDE = 50
"""Where the longest call takes so many times the shortest median, a straight axis would hide the short ones."""

BOX = "#cfe3f1"
TITLE = "Seconds by tool"


def latency(results: Results, *, log: bool | None = None) -> Plot:
    """The seconds of every tool call, by tool, slowest first, with a box of the middle half and the median in it.

    The axis begins at 0, or is logarithmic (and says so) with `log=True`; None decides by how far the tools are apart.
    On a logarithmic axis calls that took no measurable time stand at its start. `.data` has a row for each call with a
    known time: tool, run_id, turn, call_index, seconds and error (its kind). Of a tool with more than 400 calls that
    many are drawn, evenly chosen from the fastest to the slowest; box and median are of all. 20 tools at most.
    """
    calls = seen.calls(results)
    data = calls.drop(columns="error").rename(columns={"name": "tool", "kind": "error"})
    data = data.loc[data["seconds"].notna(), list(DTYPES)].astype(DTYPES).reset_index(drop=True)
    if data.empty:
        why = "Of no tool call the time is known." if len(calls) else "No tool was called."
        return nothing(TITLE, why, data)
    with fixed_style():
        return _drawn(data, log)


def _drawn(data: pd.DataFrame, log: bool | None) -> Plot:
    middle = data.groupby("tool")["seconds"].median()
    tools = sorted(middle.index, key=lambda tool: (-middle[tool], tool))
    shown = tools[:MOST_TOOLS]
    measured = data.loc[data["tool"].isin(shown) & (data["seconds"] > 0), "seconds"].astype(float)
    if log is None:
        least = min((float(value) for value in middle if value > 0), default=0.0)
        log = least > 0 and measured.max() / least > WIDE
    log = log and len(measured) > 0
    floor = float(measured.min()) / 1.4 if log else 0.0
    plot = Plot(height=1.35 + 0.42 * max(len(shown), 2))
    axes = plot.subplots()
    if log:
        axes.set_xscale("log")
    # First the axis, which could not be found from marks that all stand in one place.
    axes.set_xlim(floor, (float(data["seconds"].max()) or 1.0) * (1.4 if log else 1.03))
    for place, tool in enumerate(shown):
        _draw_tool(axes, place, data[data["tool"] == tool], floor)
    _label(axes, data, tools, shown, log)
    return plot.told(TITLE, _alt(data, middle, tools), data)


def _label(axes: Axes, data: pd.DataFrame, tools: list[str], shown: list[str], log: bool) -> None:
    counts = data["tool"].value_counts()
    labels = [f"{name} ({counts[tool]:,})" for name, tool in zip(words.names(shown), shown, strict=True)]
    axes.set_yticks(range(len(shown)), labels=labels)
    axes.set_ylim(len(shown) - 0.5, -0.5)
    axes.set_title(TITLE)
    rest = f"; {words.counted(len(tools) - len(shown), 'faster tool')} not drawn" if len(tools) > len(shown) else ""
    axes.set_xlabel(f"seconds{', logarithmic' if log else ''}{rest}")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    grid(axes, "x")
    keys: list[Line2D | Patch] = [
        Line2D([], [], linestyle="", marker="o", markersize=4.5, color=TOOL.colour, label="a call"),
        Patch(facecolor=BOX, edgecolor=INK, linewidth=0.8, label="middle half, median"),
    ]
    if data["error"].notna().any():
        keys.insert(1, Line2D([], [], linestyle="", marker="X", markersize=6.5, color=WRONG.colour, label=WRONG.name))
    axes.legend(handles=keys, loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=3, borderaxespad=0.2)


def _draw_tool(axes: Axes, place: int, calls: pd.DataFrame, floor: float) -> None:
    seconds = calls["seconds"].to_numpy(dtype=float).clip(min=floor)
    low, middle, high = np.quantile(seconds, [0.25, 0.5, 0.75])
    axes.barh(place - 0.27, high - low, left=low, height=0.18, facecolor=BOX, edgecolor=INK, linewidth=0.8, zorder=2)
    axes.vlines(middle, place - 0.4, place - 0.14, color=INK, linewidth=2.2, zorder=4)
    drawn = calls.assign(seconds=seconds).sort_values("seconds", kind="stable")
    if len(drawn) > MOST_POINTS:
        drawn = drawn.iloc[np.linspace(0, len(drawn) - 1, MOST_POINTS).round().astype(int)]
    # The golden ratio spreads neighbours apart, and the same way every time.
    heights = place + 0.13 + 0.36 * ((np.arange(len(drawn)) * 0.6180339887 + 0.5) % 1 - 0.5)
    wrong = drawn["error"].notna().to_numpy(dtype=bool)
    at = drawn["seconds"].to_numpy(dtype=float)
    few: dict[str, Any] = {"clip_on": False, "linewidths": 0.5, "edgecolors": "white"}
    axes.scatter(at[~wrong], heights[~wrong], s=17, color=TOOL.colour, alpha=0.75, zorder=3, **few)
    axes.scatter(at[wrong], heights[wrong], s=34, marker="X", color=WRONG.colour, zorder=5, **few)


def _alt(data: pd.DataFrame, middle: pd.Series, tools: list[str]) -> str:
    ends = [f"{words.name(tools[0])} is slowest with a median of {words.seconds(float(middle[tools[0]]))}"]
    if len(tools) > 1:
        ends.append(f"{words.name(tools[-1])} fastest with {words.seconds(float(middle[tools[-1]]))}")
    longest: Any = data.iloc[data["seconds"].to_numpy(dtype=float).argmax()]
    return (
        f"Seconds of {words.counted(len(data), 'call')} of {words.counted(len(tools), 'tool')}: {', '.join(ends)}; "
        f"the longest call took {words.seconds(float(longest['seconds']))} ({words.name(longest['tool'])})."
    )
