"""Pictures of runs, each a matplotlib Figure that is returned and never shown.

    plots.timeline(result)          model and tools over seconds, errors marked
    plots.tokens(results)           tokens by turn, against the context window
    plots.errors(results)           tool by kind of error
    plots.latency(results)          how long each tool takes
    plots.survival(results)         the share of runs still going, by turn
    plots.recovery(results)         what comes after an error, and whether it is made good

Each takes `results`, which is what `hermes_nb.frames` takes. What it returns holds the DataFrame it draws (`.data`),
the same in words (`.alt`, which files and notebooks keep with the picture), and is the same bytes for the same input.
Colours are told apart by colour-blind eyes, and none is the only mark. Long names are cut in the picture, never in
`.data`.
"""

from __future__ import annotations

from hermes_nb.plots.flow import recovery
from hermes_nb.plots.heat import errors
from hermes_nb.plots.lasting import latency
from hermes_nb.plots.paper import Plot
from hermes_nb.plots.surviving import survival
from hermes_nb.plots.timelines import timeline
from hermes_nb.plots.windows import tokens

__all__ = ["Plot", "errors", "latency", "recovery", "survival", "timeline", "tokens"]
