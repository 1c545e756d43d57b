"""Tables in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from hermes_nb.views.rows import counted


def table(heads: Sequence[tuple[str, str]], lines: Sequence[Sequence[str]], noun: str, budget: int) -> str:
    """A table of cells that are Markdown already, as many lines as there is room for."""
    sides = {"left": ":--", "right": "--:"}
    drawn = [
        f"| {' | '.join(head for head, _ in heads)} |",
        f"| {' | '.join(sides[side] for _, side in heads)} |",
    ]
    used = 0
    for number, cells in enumerate(lines):
        drawn.append(f"| {' | '.join(cells)} |")
        used += len(drawn[-1])
        if used > budget:
            drawn[-1] = ""
            drawn.append(f"cut here: {counted(len(lines) - number, noun)} more")
            break
    return "\n".join(drawn)
