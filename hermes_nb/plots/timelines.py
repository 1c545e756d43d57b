"""Model and tools over the seconds of a run, or of many, one lane each."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from hermes_nb.plots import words
from hermes_nb.plots.marks import MODEL, TOOL, WRONG
from hermes_nb.plots.paper import DIM, FAINT, Plot, fixed_style, grid, nothing
from hermes_nb.stats import seen
from hermes_nb.stats.seen import Results

DTYPES = {
    "run_id": "str", "lane": "str", "what": "str", "turn": "Int64", "start": "Float64", "seconds": "Float64",
    "queued": "Float64", "error": "str",
}  # fmt: skip
MOST_LANES = 24
MOST_RUNS = 24
MOST_LINES = 80
"""Of more turns than these only the numbered ones have a hairline."""

MOST_LARGE = 40
"""Of more errors than these in a lane the marks are small, or they would hide each other."""

OTHERS = "other tools"
TITLE = "Where the time went"


def timeline(results: Results) -> Plot:
    """Bars of the model and of each tool over the seconds of the run, errors marked. Many runs have a lane each.

    `.data` has a row for every bar: run_id, lane (`model` or the tool's name), what (`model` or `tool`), turn, start,
    seconds, queued (the wait before it, drawn as a thin line) and error (its kind). The tools that took longest
    have lanes of their own, 24 at most; of many runs the first 24 are drawn.
    """
    runs, turns, calls = seen.tables(results)
    bars = _bars(turns, calls)
    if bars.empty:
        return nothing(TITLE, "No times are known: there is nothing to draw.", bars)
    with fixed_style():
        return _drawn(runs, bars)


def _bars(turns: pd.DataFrame, calls: pd.DataFrame) -> pd.DataFrame:
    asked = turns[turns["model_seconds"].notna()]
    of_model = pd.DataFrame({
        "run_id": asked["run_id"], "lane": "model", "what": "model", "turn": asked["turn"], "start": asked["at"],
        "seconds": asked["model_seconds"], "queued": pd.NA, "error": pd.NA,
    })  # fmt: skip
    ran = calls[calls["seconds"].notna() & calls["started"].notna()]
    of_tools = pd.DataFrame({
        "run_id": ran["run_id"], "lane": ran["name"], "what": "tool", "turn": ran["turn"], "start": ran["started"],
        "seconds": ran["seconds"], "queued": ran["queued"], "error": ran["kind"],
    })  # fmt: skip
    both = pd.concat([one.astype(DTYPES) for one in (of_model, of_tools)], ignore_index=True)
    order = {run: place for place, run in enumerate(both["run_id"].drop_duplicates())}
    return both.sort_values(
        ["run_id", "start", "what"], key=lambda one: one.map(order) if one.name == "run_id" else one, kind="stable"
    ).reset_index(drop=True)


def _drawn(runs: pd.DataFrame, bars: pd.DataFrame) -> Plot:
    many = bars["run_id"].nunique() > 1
    lanes, labels = _lanes_of_runs(runs, bars) if many else _lanes_of_tools(bars)
    plot = Plot(height=1.35 + 0.29 * max(len(labels), 2))
    axes = plot.subplots()
    shown = bars.assign(at=lanes).dropna(subset=["at"])
    for lane in range(len(labels)):
        _draw_lane(axes, lane, shown[shown["at"] == lane])
    end = float((shown["start"] + shown["seconds"]).max()) or 1.0
    axes.set_xlim(0, end * 1.01)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.set_yticks(range(len(labels)), labels=labels)
    axes.set_xlabel("seconds since the run began")
    axes.set_title(TITLE)
    grid(axes, "x")
    if not many:
        _number_turns(axes, bars, end)
    keys: list[Artist] = [MODEL.key(), TOOL.key()]
    if bars["error"].notna().any():
        keys.append(Line2D([], [], linestyle="", marker="X", markersize=7.5, color=WRONG.colour, label=WRONG.name))
    axes.legend(
        handles=keys, loc="lower right", bbox_to_anchor=(1.0, 1.0 if many else 1.06), ncols=3, borderaxespad=0.2
    )
    return plot.told(TITLE, _alt(bars), bars)


def _lanes_of_runs(runs: pd.DataFrame, bars: pd.DataFrame) -> tuple[pd.Series, list[str]]:
    drawn = list(bars["run_id"].drop_duplicates())
    tasks = dict(zip(runs["run_id"], runs["task"], strict=False))
    labels = words.names([str(run if pd.isna(tasks.get(run)) else tasks[run]) for run in drawn[:MOST_RUNS]])
    if len(drawn) > MOST_RUNS:
        labels.append(f"… and {words.counted(len(drawn) - MOST_RUNS, 'run')} more")
    return bars["run_id"].map({run: place for place, run in enumerate(drawn[:MOST_RUNS])}), labels


def _lanes_of_tools(bars: pd.DataFrame) -> tuple[pd.Series, list[str]]:
    tools = bars[bars["what"] == "tool"]
    longest = tools.groupby("lane")["seconds"].sum().sort_values(ascending=False, kind="stable").index
    own = set(longest if len(longest) <= MOST_LANES else longest[: MOST_LANES - 1])
    first = [lane for lane in tools["lane"].drop_duplicates() if lane in own]
    place = {("tool", lane): number for number, lane in enumerate(first, 1)}
    keys = zip(bars["what"], bars["lane"], strict=True)
    at = pd.Series([0 if what == "model" else place.get((what, lane), len(first) + 1) for what, lane in keys])
    others = [OTHERS] if len(longest) > len(own) else []
    return at, ["model", *words.names([str(lane) for lane in first]), *others]


def _draw_lane(axes: Axes, lane: int, bars: pd.DataFrame) -> None:
    """Bars that overlap share the lane's height; however short one was, it can be seen."""
    start, seconds, queued = (bars[name].to_numpy(float, na_value=0) for name in ("start", "seconds", "queued"))
    levels = np.array(list(_levels(zip(start, seconds, strict=True))), dtype=int)
    height = 0.72 / (levels.max(initial=0) + 1)
    bottom = lane - 0.36 + levels * height
    waited = queued > 0
    axes.hlines(
        bottom[waited] + height / 2, start[waited] - queued[waited], start[waited], color=DIM, linewidth=0.8
    )  # fmt: skip
    of_tool, failed = (bars["what"] == "tool").to_numpy(bool), bars["error"].notna().to_numpy(bool)
    for mark, these in ((MODEL, ~of_tool), (TOOL, of_tool & ~failed), (WRONG, failed)):
        for level in np.unique(levels[these]):
            here = these & (levels == level)
            spans = list(zip(start[here], seconds[here], strict=True))
            axes.broken_barh(spans, (lane - 0.36 + level * height, height * 0.94), linewidth=0, **mark.filled)
        axes.vlines(start[these], bottom[these], bottom[these] + height * 0.94, color=mark.colour, linewidth=0.9)
    size, edge = (8, 1.1) if failed.sum() <= MOST_LARGE else (4, 0)
    axes.plot(
        (start + seconds / 2)[failed], bottom[failed] + height / 2, linestyle="", marker="X", color=WRONG.colour,
        markersize=size, markeredgecolor="white", markeredgewidth=edge, clip_on=False, zorder=4,
    )  # fmt: skip


def _levels(spans: Iterable[tuple[float, float]], most: int = 6) -> Iterable[int]:
    """For each span, in order of their starts, the first level that is free."""
    free = [float("-inf")] * most
    for start, seconds in spans:
        level = next((level for level, end in enumerate(free) if end <= start + 1e-9), most - 1)
        free[level] = start + seconds
        yield level


def _number_turns(axes: Axes, bars: pd.DataFrame, end: float) -> None:
    """A hairline where each turn begins, and as many of their numbers as there is room for."""
    starts = bars.groupby("turn")["start"].min()
    above = axes.secondary_xaxis("top")
    apart, last, places = end * (1 + len(str(starts.index.max()))) / 75, -end, []
    for turn, at in starts.items():
        if at - last >= apart:
            places.append((at, str(turn)))
            last = at
    lines = list(starts) if len(starts) <= MOST_LINES else [at for at, _ in places]
    axes.vlines(lines, 0, 1, transform=axes.get_xaxis_transform(), color=FAINT, linewidth=0.7, zorder=0)
    above.set_xticks([at for at, _ in places], labels=[number for _, number in places])
    above.tick_params(length=0, pad=1, labelsize=8, labelcolor=DIM)
    above.spines["top"].set_visible(False)
    axes.annotate(
        "turn", (0, 1), xytext=(-6, 3), xycoords="axes fraction", textcoords="offset points", ha="right", fontsize=8,
        color=DIM,
    )  # fmt: skip


def _alt(bars: pd.DataFrame) -> str:
    runs = bars["run_id"].nunique()
    ends = (bars["start"] + bars["seconds"]).groupby(bars["run_id"]).max()
    took = f"{words.seconds(ends.iloc[0])}" if runs == 1 else f"up to {words.seconds(ends.max())}"
    spent = [
        f"{words.seconds(bars.loc[bars['what'] == what, 'seconds'].sum())} in {where}"
        for what, where in (("model", "the model"), ("tool", "tools"))
    ]
    turns, calls = len(bars[bars["what"] == "model"]), len(bars[bars["what"] == "tool"])
    wrong = bars[bars["error"].notna()]
    named = [words.name(one) for one in wrong["lane"].value_counts().head(3).index]
    return (
        f"Timeline of {words.counted(runs, 'run')} ({took}): {words.counted(turns, 'reply', 'replies')} and "
        f"{words.counted(calls, 'tool call')}, {' and '.join(spent)}; "
        f"{words.counted(len(wrong), 'tool error')}{f', most in {words.listed(named)}' if named else ''}."
    )
