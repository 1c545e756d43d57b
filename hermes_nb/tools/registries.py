"""Makes the Toolbox of a loop, of whatever it was given: tools, or a registry of someone else's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hermes_nb.exceptions import ConfigurationError
from hermes_nb.tools.toolbox import Toolbox

NEW_CALL = (
    "HermesAgentLoop takes the tools themselves: HermesAgentLoop(server, tools=[add, search], max_turns=30). "
    "A registry of your own goes in by keywords: HermesAgentLoop(server, tool_schemas=schemas, "
    "valid_tool_names=names, handler=handle_function_call)."
)


def looks_like_schemas(tools: Any) -> bool:
    """Whether schemas were given in the place of tools, as the original loop took them."""
    return isinstance(tools, list | tuple) and bool(tools) and isinstance(tools[0], dict)


def toolbox_of(tools: Any, schemas: Any, names: set[str] | None, handler: Callable[..., Any] | None) -> Toolbox:
    """The toolbox of tools, or of schemas, the names among them that count, and what answers for them.

    Raises:
        ConfigurationError: it is both, or half of the second.
        ToolDefinitionError: something among them cannot be offered to a model.
    """
    if schemas is None and handler is None:
        return tools if isinstance(tools, Toolbox) else Toolbox(tools or ())
    if tools is not None or schemas is None or handler is None:
        raise ConfigurationError(f"give either tools, or tool_schemas and handler together. {NEW_CALL}")
    return Toolbox.from_schemas(schemas, handler, valid_names=names)
