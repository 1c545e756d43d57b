"""Colours and hatches: one meaning each, of Okabe and Ito's palette, which colour-blind eyes can tell apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from matplotlib.patches import Patch


@dataclass(frozen=True, slots=True)
class Mark:
    """How one kind of thing is drawn: a colour, and a hatch that says the same without it."""

    name: str
    colour: str
    hatch: str = ""

    @property
    def filled(self) -> dict[str, Any]:
        """What bars and areas of this kind are drawn with."""
        edge = "white" if self.hatch else self.colour
        return {"facecolor": self.colour, "hatch": self.hatch, "edgecolor": edge}

    def key(self) -> Patch:
        """Its entry in a legend."""
        return Patch(label=self.name, linewidth=0, **self.filled)


MODEL = Mark("model", "#8c8c8c")
TOOL = Mark("tool", "#0072b2")
WRONG = Mark("tool error", "#d55e00", "////")
PROMPT = Mark("prompt", "#56b4e9")
CACHED = Mark("prompt, cached", "#56b4e9", "....")
REPLY = Mark("reply", "#0072b2", "////")
RECOVERED = Mark("recovered", "#009e73")
LOST = Mark("not recovered", "#d55e00", "////")
LINE = "#0072b2"
LIMIT = "#d55e00"
