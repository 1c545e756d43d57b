"""What comes after a failed call, and whether it is made good: a flow from left to right."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path

from hermes_nb.plots import words
from hermes_nb.plots.marks import LOST, RECOVERED, Mark
from hermes_nb.plots.paper import INK, Plot, fixed_style, nothing
from hermes_nb.stats import seen
from hermes_nb.stats.seen import Results

DTYPES = {"next_action": "str", "recovered": "boolean", "count": "Int64", "median_turns": "Float64"}
TITLE = "After a tool error"
LEFT, MIDDLE, RIGHT, THICK = 0.0, 0.46, 1.0, 0.022
GAP = 0.07
"""The share of the height between two stations."""


@dataclass(frozen=True, slots=True)
class Station:
    """A bar that streams come to and leave: where it stands, how high it is."""

    left: float
    bottom: float
    height: float

    @property
    def top(self) -> float:
        """Its upper end."""
        return self.bottom + self.height


def recovery(results: Results) -> Plot:
    """From the errors to what the model did next, and on to whether the failed tool worked later in that run.

    `.data` has a row for every pair that occurred: next_action, recovered, count and median_turns (of the turns that it
    took; NA where it did not recover). Both words are those of `hermes_nb.frames.calls`.
    """
    calls = seen.calls(results)
    data = _pairs(calls[calls["kind"].notna()])
    if data.empty:
        why = f"{words.counted(len(calls), 'tool call')}, and none failed." if len(calls) else "No tool was called."
        return nothing(TITLE, why, data)
    with fixed_style():
        return _drawn(data)


def _pairs(failed: pd.DataFrame) -> pd.DataFrame:
    told = failed.assign(recovered=failed["recovered"].fillna(False))
    groups = told.groupby(["next_action", "recovered"], observed=True)["turns_to_recover"]
    rows = [(action, recovered, len(turns), turns.median()) for (action, recovered), turns in groups]
    order = list(words.ACTIONS)
    rows.sort(key=lambda row: (order.index(str(row[0])), not row[1]))
    return pd.DataFrame(rows, columns=list(DTYPES)).astype(DTYPES)


def _drawn(data: pd.DataFrame) -> Plot:
    plot = Plot(height=3.9)
    axes = plot.subplots()
    axes.set_axis_off()
    axes.set_xlim(-0.19, 1.3)
    total = int(data["count"].sum())
    actions = {
        str(action): int(count) for action, count in data.groupby("next_action", sort=False)["count"].sum().items()
    }
    ends = {bool(end): int(count) for end, count in data.groupby("recovered")["count"].sum().items()}
    scale = (1 - GAP * (max(len(actions), 2) - 1)) / total
    start = Station(LEFT, (1 - total * scale) / 2, total * scale)
    middles = dict(zip(actions, _stations(list(actions.values()), MIDDLE, scale), strict=True))
    order = [end for end in (True, False) if end in ends]
    lasts = dict(zip(order, _stations([ends[end] for end in order], RIGHT, scale), strict=True))
    _streams(axes, data, start, middles, lasts, scale)
    _name(axes, start, words.counted(total, "error"), "right")
    for action, station in middles.items():
        _name(
            axes,
            station,
            f"{words.ACTIONS[action]}, {actions[action]:,} ({words.percent(actions[action] / total)})",
            "left",
        )
    for end, station in lasts.items():
        mark = RECOVERED if end else LOST
        _name(axes, station, f"{mark.name}\n{ends[end]:,} ({words.percent(ends[end] / total)})", "left")
    axes.set_ylim(-0.03, 1.03)
    axes.set_title(TITLE)
    return plot.told(TITLE, _alt(data, total, ends), data)


def _stations(counts: list[int], left: float, scale: float) -> list[Station]:
    """One above the other, the first on top, in the middle of the height."""
    high = sum(counts) * scale + GAP * (len(counts) - 1)
    top, made = (1 + high) / 2, []
    for count in counts:
        top -= count * scale
        made.append(Station(left, top, count * scale))
        top -= GAP
    return made


def _streams(
    axes: Axes, data: pd.DataFrame, start: Station, middles: dict[str, Station], lasts: dict[bool, Station],
    scale: float,
) -> None:  # fmt: skip
    out, into = start.top, {end: station.top for end, station in lasts.items()}
    leave = {action: station.top for action, station in middles.items()}
    for action, recovered, count in data[["next_action", "recovered", "count"]].itertuples(index=False):
        mark, thick, middle = RECOVERED if recovered else LOST, count * scale, middles[action]
        _stream(axes, (start.left + THICK, out), (MIDDLE, leave[action]), thick, mark)
        _stream(axes, (middle.left + THICK, leave[action]), (RIGHT, into[bool(recovered)]), thick, mark)
        out -= thick
        leave[action] -= thick
        into[bool(recovered)] -= thick


def _stream(axes: Axes, here: tuple[float, float], there: tuple[float, float], thick: float, mark: Mark) -> None:
    (x, y), (to_x, to_y) = here, there
    bend = (x + to_x) / 2
    curve = [(x, y), (bend, y), (bend, to_y), (to_x, to_y)]
    back = [(one, other - thick) for one, other in reversed(curve)]
    codes = [Path.MOVETO, *[Path.CURVE4] * 3, Path.LINETO, *[Path.CURVE4] * 3, Path.CLOSEPOLY]
    looks = {"facecolor": mark.colour, "alpha": 0.42, "edgecolor": "white", "hatch": mark.hatch, "linewidth": 0}
    axes.add_patch(PathPatch(Path([*curve, *back, curve[0]], codes), **looks))


def _name(axes: Axes, station: Station, text: str, side: str) -> None:
    axes.add_patch(Rectangle((station.left, station.bottom), THICK, station.height, facecolor=INK, linewidth=0))
    at, align = (station.left - 0.012, "right") if side == "right" else (station.left + THICK + 0.012, "left")
    box = {"facecolor": "white", "alpha": 0.8, "linewidth": 0, "pad": 1.2}
    axes.text(at, station.bottom + station.height / 2, text, ha=align, va="center", color=INK, fontsize=9.5, bbox=box)


def _alt(data: pd.DataFrame, total: int, ends: dict[bool, int]) -> str:
    made_good = ends.get(True, 0)
    parts = []
    for action, inside in data.groupby("next_action", sort=False):
        good = int(inside.loc[inside["recovered"], "count"].sum())
        parts.append(f"{words.ACTIONS[str(action)]} {int(inside['count'].sum()):,} ({good:,} recovered)")
    return (
        f"Of {words.counted(total, 'tool error')}, {made_good:,} ({words.percent(made_good / total)}) recovered. "
        f"What came next: {words.listed(parts)}."
    )
