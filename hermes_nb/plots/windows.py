"""Tokens by turn: how the conversation fills the context window."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from hermes_nb.exceptions import ConfigurationError
from hermes_nb.plots import words
from hermes_nb.plots.marks import LIMIT, LINE, PROMPT, REPLY
from hermes_nb.plots.paper import DIM, Plot, fixed_style, grid, nothing
from hermes_nb.stats import seen
from hermes_nb.stats.seen import Results

DTYPES = {"run_id": "str", "turn": "Int64", "prompt": "Int64", "completion": "Int64", "total": "Int64"}
MOST_LINES = 60
MOST_BARS = 100
"""So many turns have a bar each; more are drawn as one outline."""

TITLE = "Tokens by turn"


def tokens(results: Results, *, context_window: int | None = None) -> Plot:
    """Prompt and reply tokens of every turn, beside the tokens the model's context can hold.

    One run is drawn in bars; many as a line each (60 at most) with the median of the runs that had that turn. `.data`
    has a row for each turn whose prompt is known: run_id, turn, prompt, completion (NA: unknown) and total.

    Raises:
        ConfigurationError: `context_window` is not a number of tokens.
    """
    if context_window is not None and context_window < 1:
        raise ConfigurationError(f"a context window holds at least a token, not {context_window!r}")
    _, turns, _ = seen.tables(results)
    data = turns.rename(columns={"prompt_tokens": "prompt", "completion_tokens": "completion"})
    data["total"] = data["prompt"] + data["completion"].fillna(0)
    data = data.loc[data["prompt"].notna(), list(DTYPES)].astype(DTYPES).reset_index(drop=True)
    if data.empty:
        return nothing(TITLE, "No reply says how many tokens it took: there is nothing to draw.", data)
    with fixed_style():
        return _drawn(data, context_window)


def _drawn(data: pd.DataFrame, window: int | None) -> Plot:
    plot = Plot(height=3.6)
    axes = plot.subplots()
    if data["run_id"].nunique() == 1:
        _bars(axes, data)
    else:
        _lines(axes, data)
    top = max(float(data["total"].max()), window or 0)
    axes.set_ylim(0, top * 1.12 or 1)
    axes.set_xlabel("turn")
    axes.set_ylabel("tokens")
    axes.set_title(TITLE)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=16, min_n_ticks=1))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    grid(axes)
    if window is not None:
        axes.axhline(window, color=LIMIT, linewidth=1.4, linestyle=(0, (6, 3)))
        axes.annotate(
            f"context window, {window:,}", (0, window), xytext=(3, 3), xycoords=("axes fraction", "data"),
            textcoords="offset points", color=LIMIT, fontsize=9,
        )  # fmt: skip
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=3, borderaxespad=0.2)
    return plot.told(TITLE, _alt(data, window), data)


def _bars(axes: Axes, data: pd.DataFrame) -> None:
    turn = data["turn"].to_numpy(dtype=int)
    prompt, reply = (data[part].fillna(0).to_numpy(dtype=float) for part in ("prompt", "completion"))
    for mark, low, high in ((PROMPT, 0 * prompt, prompt), (REPLY, prompt, prompt + reply)):
        if len(turn) <= MOST_BARS:
            axes.bar(turn, high - low, bottom=low, linewidth=0, label=mark.name, **mark.filled)
        else:
            axes.fill_between(turn, low, high, step="mid", linewidth=0, label=mark.name, **mark.filled)
    axes.set_xlim(turn.min() - 0.6, turn.max() + 0.6)


def _lines(axes: Axes, data: pd.DataFrame) -> None:
    drawn = list(data["run_id"].drop_duplicates())
    label = "a run" if len(drawn) <= MOST_LINES else f"a run (the first {MOST_LINES} of {len(drawn):,})"
    for run in drawn[:MOST_LINES]:
        one = data[data["run_id"] == run]
        axes.plot(
            one["turn"].to_numpy(dtype=int), one["total"].to_numpy(dtype=float), color=DIM, alpha=0.35, linewidth=0.9,
            marker="." if len(one) == 1 else "", label=label,
        )  # fmt: skip
        label = "_"
    middle = data.groupby("turn")["total"].median()
    axes.plot(
        middle.index.to_numpy(dtype=int), middle.to_numpy(dtype=float), color=LINE, linewidth=2.2, marker="o",
        markersize=4, label="median of the runs still going",
    )  # fmt: skip
    axes.set_xlim(0.5, int(data["turn"].max()) + 0.5)


def _alt(data: pd.DataFrame, window: int | None) -> str:
    runs, most = data["run_id"].nunique(), data.iloc[data["total"].to_numpy(dtype=int).argmax()]
    told = (
        f"Tokens by turn of {words.counted(runs, 'run')}, {words.counted(len(data), 'turn')}: from "
        f"{data['total'].iloc[0]:,} in the first to at most {most['total']:,} in turn {most['turn']}"
    )
    if window is None:
        return f"{told}."
    over = int((data["total"] > window).sum())
    beyond = f"; {words.counted(over, 'turn')} went beyond it" if over else ""
    return f"{told}, {words.percent(most['total'] / window)} of the context window of {window:,}{beyond}."
