"""Servers: anything with `async chat_completion(**request)`, and the ones that come with the house.

The names load when they are used: `OpenAIServer` brings the openai package in, `ScriptedServer` brings nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hermes_nb.servers.base import Completion, Server
    from hermes_nb.servers.cassette import Cassette
    from hermes_nb.servers.human import HumanServer
    from hermes_nb.servers.managed import ManagedServer
    from hermes_nb.servers.openai import OpenAIServer, default_server
    from hermes_nb.servers.scripted import Faults, Scripted, ScriptedServer, call

__all__ = [
    "Cassette", "Completion", "Faults", "HumanServer", "ManagedServer", "OpenAIServer", "Scripted", "ScriptedServer",
    "Server", "call", "default_server",
]  # fmt: skip

HOMES = {
    "Cassette": "hermes_nb.servers.cassette",
    "Completion": "hermes_nb.servers.base",
    "Faults": "hermes_nb.servers.scripted",
    "HumanServer": "hermes_nb.servers.human",
    "ManagedServer": "hermes_nb.servers.managed",
    "OpenAIServer": "hermes_nb.servers.openai",
    "Scripted": "hermes_nb.servers.scripted",
    "ScriptedServer": "hermes_nb.servers.scripted",
    "Server": "hermes_nb.servers.base",
    "call": "hermes_nb.servers.scripted",
    "default_server": "hermes_nb.servers.openai",
}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name not in HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
