"""Holds the functions that a model may call: a Toolbox is the set of them that a run works with."""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import cached_property
from typing import Any

from hermes_nb import codec
from hermes_nb.clocks import SystemClock
from hermes_nb.exceptions import ConfigurationError, ToolDefinitionError
from hermes_nb.records import ToolCall, ToolResult
from hermes_nb.tools.contents import answered, content_of
from hermes_nb.tools.context import ToolContext
from hermes_nb.tools.functions import ForeignTool, Schema, Tool
from hermes_nb.tools.schema import BadArguments, foreign

MAX_OUTPUT = 16_384
"""Bytes of a tool's output that a model gets, unless the Toolbox says otherwise."""

BY_KEYWORD = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class Toolbox:
    """The tools of a run.

    Args:
        tools: functions, bound methods, and Tools.
        finish: the name of a tool whose first successful call ends the run (`stopped`).
        max_output: the bytes of a tool's output that the model gets; more is cut in the middle.

    Raises:
        ToolDefinitionError: something among them cannot be offered to a model, or two have one name.
        ConfigurationError: `finish` names none of them, or `max_output` is not a number above 0.
    """

    def __init__(
        self, tools: Iterable[Callable[..., Any]] = (), *, finish: str | None = None, max_output: int = MAX_OUTPUT
    ) -> None:
        if isinstance(tools, str | bytes | dict) or not isinstance(tools, Iterable):
            raise ToolDefinitionError(f"tools is a list of functions; got {tools!r:.80}")
        self._tools: dict[str, Tool] = {}
        for one in tools:
            self._add(one if isinstance(one, Tool) else Tool(one))
        if finish is not None and finish not in self._tools:
            raise ConfigurationError(f"finish={finish!r} names no tool of this toolbox, which has: {self._listed()}")
        if not max_output > 0:
            raise ConfigurationError(f"max_output is a number of bytes above 0, not {max_output!r}")
        self.finish = finish
        self.max_output = max_output

    def _add(self, one: Tool) -> None:
        name = one.signature.name
        if name in self._tools:
            raise ToolDefinitionError(
                f"two tools are named {name!r}: give one of them another name, with @tool(name=...) above it or "
                f"Tool(function, name=...) in the list"
            )
        self._tools[name] = one

    @classmethod
    def from_schemas(
        cls,
        schemas: Iterable[Schema],
        handler: Callable[..., Any],
        *,
        valid_names: Collection[str] | None = None,
        finish: str | None = None,
        max_output: int = MAX_OUTPUT,
    ) -> Toolbox:
        """The tools of a registry that has its schemas, and one function for all: `handler(name, arguments)`.

        A handler that takes `task_id` is given it, too; it may be sync or async. Arguments are checked against the
        schema and handed over as they came. `valid_names` leaves out the schemas whose name it does not hold.

        Raises:
            ToolDefinitionError: a schema is none, two have one name, or a valid name has no schema.
        """
        if not callable(handler):
            raise ToolDefinitionError(f"the handler of a registry is a function of name and arguments, not {handler!r}")
        takes = _takes_task_id(handler)
        tools = [
            ForeignTool(handler, name=foreign(schema).name, given=schema, takes_task_id=takes) for schema in schemas
        ]
        if valid_names is not None:
            missing = sorted(map(repr, set(valid_names) - {one.name for one in tools}))
            if missing:
                raise ToolDefinitionError(f"valid_names has {', '.join(missing)}, for which there is no schema")
            tools = [one for one in tools if one.name in valid_names]
        return cls(tools, finish=finish, max_output=max_output)

    @property
    def names(self) -> tuple[str, ...]:
        """The tools' names, in their order."""
        return tuple(self._tools)

    @property
    def schemas(self) -> list[Schema]:
        """What the model is shown, in the tools' order; a list of its own, of schemas that are not to be changed."""
        return list(self._schemas)

    @cached_property
    def _schemas(self) -> list[Schema]:
        return [one.schema for one in self]

    @cached_property
    def hash(self) -> str:
        """A name for what the model is shown: the SHA-256 of the schemas as JSON with sorted keys, in hexadecimal.
        The same in every process."""
        canonical = json.dumps(self._schemas, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode("ascii")).hexdigest()

    def get(self, name: str) -> Tool | None:
        """The tool of that name, if there is one."""
        return self._tools.get(name)

    async def invoke(
        self, call: ToolCall | str, /, *, state: Any = None, task_id: str | None = None, **arguments: Any
    ) -> ToolResult:
        """Run one tool by hand and in the open: a ToolCall, or a tool's name and its arguments.

        What the tool raises is raised as it is, so that a debugger finds it. A sync tool runs on this thread, which the
        event loop shares; no timeout, no gate and no isolation applies. (A tool whose own arguments are named `state`
        or `task_id` is called by a ToolCall.)

        Raises:
            ConfigurationError: there is no such tool.
            BadArguments: the arguments are not what its schema says.
            BaseException: whatever the tool raises.
        """
        if isinstance(call, str):
            call = ToolCall(name=call, arguments=codec.dumps(arguments, default=str).decode())
        one = self.get(call.name)
        if one is None:
            raise ConfigurationError(f"there is no tool {call.name!r}; this toolbox has: {self._listed()}")
        if call.problem is not None:
            raise BadArguments(f"the arguments are not JSON: {call.problem}")
        context = ToolContext(task_id=task_id, state=state, call=call, turn=call.turn)
        ready = one.ready(codec.parse_arguments(call.arguments)[0], context)
        clock = SystemClock()
        began = clock.seconds()
        value = ready()
        while inspect.isawaitable(value):
            value = await value
        seconds = clock.seconds() - began
        return answered(call, content_of(value, self.max_output), seconds=seconds)

    def _listed(self) -> str:
        return ", ".join(self._tools) or "none"

    def __len__(self) -> int:
        return len(self._tools)

    def __iter__(self) -> Iterator[Tool]:
        return iter(self._tools.values())

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name in self._tools

    def __repr__(self) -> str:
        return f"Toolbox({self._listed()})"


def _takes_task_id(handler: Callable[..., Any]) -> bool:
    try:
        parameters = inspect.signature(handler).parameters
    except (TypeError, ValueError):  # Some functions written in C do not say.
        return False
    kinds = {one.name: one.kind for one in parameters.values()}
    return inspect.Parameter.VAR_KEYWORD in kinds.values() or kinds.get("task_id") in BY_KEYWORD
