"""Which tool fails in which way: counts and shares, tool by kind."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap

from hermes_nb.plots import words
from hermes_nb.plots.paper import DIM, FAINT, INK, Plot, fixed_style, nothing
from hermes_nb.stats import seen
from hermes_nb.stats.seen import Results

DTYPES = {"tool": "str", "kind": "str", "count": "Int64", "calls": "Int64", "rate": "Float64"}
MOST_TOOLS = 20
PALEST = 0.2
"""The darkest ground is for the largest share, but for no share under this one."""

SHADES = LinearSegmentedColormap.from_list("errors", ["#ffffff", "#fbd5bd", "#e98b50", "#b34700", "#5c2400"])
TITLE = "Tool errors by tool and kind"


def errors(results: Results) -> Plot:
    """A row for each tool, a column for each kind of error that occurred; a cell's ground is the share of its calls.

    `.data` has a row for every pair of tool and kind that occurred in these runs: tool, kind, count (0 where that tool
    had none), calls (of the tool) and rate. Tools with the most errors come first; beyond 20, the rest share a row.
    """
    calls = seen.calls(results)
    data = _pairs(calls)
    if data.empty:
        why = f"{words.counted(len(calls), 'tool call')}, and none failed." if len(calls) else "No tool was called."
        return nothing(TITLE, why, data)
    with fixed_style():
        return _drawn(data, len(calls))


def _pairs(calls: pd.DataFrame) -> pd.DataFrame:
    failed = calls[calls["kind"].notna()]
    counts = failed.groupby(["name", "kind"]).size().to_dict()
    made, wrong = calls["name"].value_counts(), failed["name"].value_counts()
    tools = sorted(made.index, key=lambda tool: (-wrong.get(tool, 0), -made[tool], tool))
    kinds = [kind for kind in words.KINDS if kind in set(failed["kind"])]
    rows = [(tool, kind, counts.get((tool, kind), 0), int(made[tool])) for tool in tools for kind in kinds]
    table = pd.DataFrame(rows, columns=["tool", "kind", "count", "calls"])
    return table.assign(rate=table["count"] / table["calls"]).astype(DTYPES)


def _drawn(data: pd.DataFrame, calls: int) -> Plot:
    kinds, tools = list(data["kind"].drop_duplicates()), list(data["tool"].drop_duplicates())
    counts, labels = _rows(data, tools, kinds)
    plot = Plot(height=1.5 + 0.4 * len(counts), width=max(4.8, min(8.0, 3.2 + 1.0 * len(kinds))))
    axes = plot.subplots()
    shares = counts[kinds].div(counts["calls"], axis=0).to_numpy(dtype=float)
    darkest = max(PALEST, float(shares.max()))
    axes.pcolormesh(shares, cmap=SHADES, vmin=0, vmax=darkest, edgecolors=FAINT, linewidth=0.8)
    for row, (_, numbers) in enumerate(counts.iterrows()):
        for column, kind in enumerate(kinds):
            _write(axes, (column + 0.5, row + 0.5), int(numbers[kind]), shares[row, column], darkest)
    axes.set_ylim(len(counts), 0)
    axes.set_yticks([row + 0.5 for row in range(len(counts))], labels=labels)
    axes.set_xticks([column + 0.5 for column in range(len(kinds))], labels=[words.KINDS[kind] for kind in kinds])
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_title(TITLE, pad=12)
    axes.set_xlabel(
        "errors · their share of\nthe tool's calls (in brackets)",
        color=DIM,
        fontsize=8.5,
        loc="left",
    )
    return plot.told(TITLE, _alt(data, calls), data)


def _rows(data: pd.DataFrame, tools: list[str], kinds: list[str]) -> tuple[pd.DataFrame, list[str]]:
    """Counts by tool and kind with the tool's calls; tools beyond what there is room for are summed up."""
    table = data.pivot_table(index="tool", columns="kind", values="count", sort=False)[kinds].loc[tools].astype(int)
    table["calls"] = data.drop_duplicates("tool").set_index("tool")["calls"].loc[tools].astype(int)
    own = tools if len(tools) <= MOST_TOOLS else tools[: MOST_TOOLS - 1]
    shown, rest = table.loc[own], table.loc[tools[len(own) :]]
    labels = [f"{name} ({calls:,})" for name, calls in zip(words.names(own), shown["calls"], strict=True)]
    if len(rest):
        shown = pd.concat([shown, rest.sum().to_frame("").T])
        labels.append(f"{len(rest):,} other tools ({rest['calls'].sum():,})")
    return shown, labels


def _write(axes: Axes, place: tuple[float, float], count: int, share: float, darkest: float) -> None:
    colour = (INK if _light(SHADES(share / darkest)) else "white") if count else DIM
    told = f"{count:,} · {words.percent(share)}" if count else "0"
    axes.text(*place, told, color=colour, fontsize=9, ha="center", va="center")


def _light(ground: tuple[float, float, float, float]) -> bool:
    """Whether dark text is easier to read on it than white: by relative luminance, as WCAG defines it."""
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in ground[:3]]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] > 0.2


def _alt(data: pd.DataFrame, calls: int) -> str:
    wrong = int(data["count"].sum())
    by_kind = data.groupby("kind")["count"].sum().sort_values(ascending=False, kind="stable")
    kinds = [f"{count:,} {words.KINDS[str(kind)]}" for kind, count in by_kind.items()]
    worst: Any = data.iloc[data["count"].to_numpy(dtype=int).argmax()]
    return (
        f"{words.counted(wrong, 'error')} in {words.counted(calls, 'tool call')} ({words.percent(wrong / calls)}): "
        f"{words.listed(kinds)}. Most often {words.name(worst['tool'])} with {words.KINDS[worst['kind']]}, "
        f"{words.counted(int(worst['count']), 'time')} in {words.counted(int(worst['calls']), 'call')}."
    )
