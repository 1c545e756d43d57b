"""Run, watch, take apart and teach the LLM tool-calling loop, from a Jupyter notebook.

    import hermes_nb as hn

    loop = hn.HermesAgentLoop(hn.OpenAIServer(model="hermes-4"), tools=[add])
    result = await loop.run("What is 2 + 3?")

Importing this does nothing you can notice: a name is looked up in its room when it is first used. Whatever is not
listed here is reached through its module.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"

__all__ = [
    "AgentResult",
    "Cassette",
    "HermesAgentLoop",
    "HermesError",
    "HumanServer",
    "Limits",
    "LiveRun",
    "ManagedServer",
    "OpenAIServer",
    "ScriptedServer",
    "Tool",
    "ToolContext",
    "ToolError",
    "Toolbox",
    "allow_nested_loops",
    "check",
    "default_server",
    "events",
    "explain",
    "formats",
    "frames",
    "journal",
    "parsers",
    "play",
    "plots",
    "read",
    "repair",
    "schema",
    "scored",
    "stats",
    "tool",
    "views",
]

if TYPE_CHECKING:
    from hermes_nb import events, formats, frames, journal, parsers, plots, stats, views
    from hermes_nb.checks import check
    from hermes_nb.exceptions import HermesError
    from hermes_nb.explaining import explain
    from hermes_nb.formats import read
    from hermes_nb.limits import Limits
    from hermes_nb.live import LiveRun
    from hermes_nb.loop import HermesAgentLoop
    from hermes_nb.records import AgentResult, ToolError
    from hermes_nb.repairs import repair
    from hermes_nb.scores import scored
    from hermes_nb.servers.cassette import Cassette
    from hermes_nb.servers.human import HumanServer
    from hermes_nb.servers.managed import ManagedServer
    from hermes_nb.servers.openai import OpenAIServer, default_server
    from hermes_nb.servers.scripted import ScriptedServer
    from hermes_nb.sync import allow_nested_loops
    from hermes_nb.tools.context import ToolContext
    from hermes_nb.tools.functions import Tool, tool
    from hermes_nb.tools.schema import schema
    from hermes_nb.tools.toolbox import Toolbox
    from hermes_nb.views.run.playing import play
else:
    # Out of the type checker's sight, or it would believe in every name.
    _ROOMS = {
        "AgentResult": "records",
        "Cassette": "servers.cassette",
        "HermesAgentLoop": "loop",
        "HermesError": "exceptions",
        "HumanServer": "servers.human",
        "Limits": "limits",
        "LiveRun": "live",
        "ManagedServer": "servers.managed",
        "OpenAIServer": "servers.openai",
        "ScriptedServer": "servers.scripted",
        "Tool": "tools.functions",
        "ToolContext": "tools.context",
        "ToolError": "records",
        "Toolbox": "tools.toolbox",
        "allow_nested_loops": "sync",
        "check": "checks",
        "default_server": "servers.openai",
        "explain": "explaining",
        "play": "views.run.playing",
        "read": "formats",
        "repair": "repairs",
        "schema": "tools.schema",
        "scored": "scores",
        "tool": "tools.functions",
    }
    _SHELVES = {
        **dict.fromkeys(("aiohttp", "httpx_aiohttp"), "fast"),
        **dict.fromkeys(("jinja2", "tokenizers"), "tokens"),
        **dict.fromkeys(("matplotlib", "msgspec", "numpy", "pandas", "pyarrow", "scipy"), "tables"),
    }

    def __getattr__(name):
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        try:
            room = import_module(f"{__name__}.{_ROOMS.get(name, name)}")
        except ModuleNotFoundError as error:
            package = (error.name or "").partition(".")[0]
            if package == __name__:
                raise
            from hermes_nb.exceptions import MissingDependency

            raise MissingDependency(f"{__name__}.{name}", _SHELVES.get(package, "lab")) from error
        value = globals()[name] = getattr(room, name) if name in _ROOMS else room
        return value

    def __dir__():
        return sorted([*__all__, "__doc__", "__version__"])
