"""Tools: functions a model may call, and what answers its calls.

The names people use are here, looked up in their rooms when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__all__ = [
    "Allow",
    "Answer",
    "BadArguments",
    "Gate",
    "Reject",
    "Replace",
    "Tool",
    "ToolContext",
    "Toolbox",
    "Verdict",
    "tool",
]

if TYPE_CHECKING:
    from hermes_nb.tools.context import ToolContext
    from hermes_nb.tools.functions import Tool, tool
    from hermes_nb.tools.gates import Allow, Answer, Gate, Reject, Replace, Verdict
    from hermes_nb.tools.schema import BadArguments
    from hermes_nb.tools.toolbox import Toolbox
else:
    # Out of the type checker's sight, or it would believe in every name.
    _ROOMS = {
        "Allow": "gates",
        "Answer": "gates",
        "BadArguments": "schema",
        "Gate": "gates",
        "Reject": "gates",
        "Replace": "gates",
        "Tool": "functions",
        "ToolContext": "context",
        "Toolbox": "toolbox",
        "Verdict": "gates",
        "tool": "functions",
    }

    def __getattr__(name):
        if name not in _ROOMS:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        value = globals()[name] = getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)
        return value

    def __dir__():
        return sorted([*__all__, "__doc__"])
