"""How many runs are still going, turn by turn."""

from __future__ import annotations

import pandas as pd
from matplotlib.ticker import MaxNLocator, PercentFormatter

from hermes_nb import stats
from hermes_nb.plots import words
from hermes_nb.plots.marks import LINE
from hermes_nb.plots.paper import Plot, fixed_style, grid, nothing
from hermes_nb.stats.estimates import LEVEL
from hermes_nb.stats.seen import Results

TITLE = "Runs still going, by turn"


def survival(results: Results, *, level: float = LEVEL) -> Plot:
    """The share of runs that go on after each turn, as steps, in a band that is Wilson's interval at each turn.

    `.data` is the table of `hermes_nb.stats.survival`; runs that have not ended are in neither.

    Raises:
        ConfigurationError: `level` is no share.
    """
    data = stats.survival(results, level=level)
    if data.empty:
        return nothing(TITLE, "No run has ended: there is nothing to draw.", data)
    with fixed_style():
        return _drawn(data, level)


def _drawn(data: pd.DataFrame, level: float) -> Plot:
    plot = Plot(height=3.6)
    axes = plot.subplots()
    # A turn's share holds until the next turn ends.
    numbers = data[["turn", "rate", "low", "high"]].astype(float)
    ends = pd.concat([numbers, numbers.tail(1).assign(turn=numbers["turn"].max() + 0.5)])
    turn, share, low, high = (ends[column].to_numpy() for column in ends)
    runs = words.counted(int(data["denominator"].iloc[0]), "run")
    axes.fill_between(
        turn, low, high, step="post", color=LINE, alpha=0.18, linewidth=0, label=f"{100 * level:.4g} % interval"
    )
    axes.step(turn, share, where="post", color=LINE, linewidth=2, label=f"share of {runs} still going")
    dots = numbers[data["ended"].to_numpy(dtype=int) > 0]
    axes.plot(dots["turn"], dots["rate"], linestyle="", marker="o", markersize=4, color=LINE, clip_on=False)
    axes.set_xlim(0, turn[-1])
    axes.set_ylim(0, 1.02)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=16, min_n_ticks=1))
    axes.set_xlabel("turns done")
    axes.set_ylabel("runs still going")
    axes.set_title(TITLE)
    grid(axes)
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2, borderaxespad=0.2)
    return plot.told(TITLE, _alt(data), data)


def _alt(data: pd.DataFrame) -> str:
    half = data[data["rate"] <= 0.5].iloc[0]
    last = data.iloc[-1]
    return (
        f"Share of {words.counted(int(last['denominator']), 'run')} still going by turn: half or fewer "
        f"({words.percent(float(half['rate']))}) after {words.counted(int(half['turn']), 'turn')}, "
        f"none after {words.counted(int(last['turn']), 'turn')}."
    )
