"""Holds the functions a model may call: a Tool is one, a Toolbox the set of them that a run works with."""

from __future__ import annotations

import hashlib
import inspect
import json
import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any, TypeAlias, overload

from hermes_nb import codec
from hermes_nb.clocks import SystemClock
from hermes_nb.exceptions import ConfigurationError, ToolDefinitionError
from hermes_nb.records import ToolCall, ToolResult
from hermes_nb.tools.contents import answered, content_of
from hermes_nb.tools.schema import BadArguments, Signature, describe, foreign

MAX_OUTPUT = 16_384
"""Bytes of a tool's output that a model gets, unless the Toolbox says otherwise."""

BY_KEYWORD = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)

Schema: TypeAlias = dict[str, Any]
"""A tool as the wire offers it: `{"type": "function", "function": {"name", "description", "parameters"}}`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolContext:
    """What a tool is told of the run it is called in; for a parameter annotated with this class, hidden from the model.

    `task_id` tells one rollout's sandbox from another's; `state` is what the run was given to share among its tools;
    `call` is the call being answered, `turn` the turn it was made in. `given_up` is set once the run no longer waits
    for this call (`context.given_up.wait(5)` is a sleep that ends then).
    """

    task_id: str | None = None
    state: Any = None
    call: ToolCall
    turn: int = 0
    given_up: threading.Event = field(default_factory=threading.Event, compare=False)

    @property
    def cancelled(self) -> bool:
        """Whether the run has given this call up; a long-running sync tool may look, and end early."""
        return self.given_up.is_set()

    def __repr__(self) -> str:
        return f"ToolContext(turn {self.turn} · {self.call!r})"


@dataclass(frozen=True, eq=False, repr=False)
class Tool:
    """A function offered to a model. Called, it is that function.

    Args:
        function: sync or async; its hints and docstring make the schema.
        name: what the model calls it; the function's own by default.
        description: what the model reads about it; from the docstring by default.
        timeout: seconds a call may take; the run's by default.
        serial: a call waits for the calls before it in its turn, and holds up those after it.
    """

    function: Callable[..., Any]
    name: str = ""
    description: str | None = None
    timeout: float | None = None
    serial: bool = False

    def __post_init__(self) -> None:
        if not callable(self.function) or isinstance(self.function, Tool):
            raise ToolDefinitionError(_no_function(self.function))
        if self.timeout is not None and not self.timeout > 0:
            raise ToolDefinitionError(f"a timeout is a number of seconds above 0, not {self.timeout!r}")
        object.__setattr__(self, "name", self.name or _name_of(self.function))
        # What `help`, `inspect.signature` and a notebook's `?` look at.
        vars(self).update(__wrapped__=self.function, __name__=self.name, __doc__=self.function.__doc__)

    @cached_property
    def signature(self) -> Signature:
        """Its schema, and how the arguments of a call are checked.

        Raises:
            ToolDefinitionError: the function cannot be offered to a model; a Toolbox asks when it is made.
        """
        return describe(self.function, name=self.name, description=self.description, context_type=ToolContext)

    @property
    def schema(self) -> Schema:
        """What the model is shown."""
        return self.signature.schema

    @property
    def is_async(self) -> bool:
        """Whether it runs on the event loop; if not, it runs in a thread."""
        return self.signature.is_async

    @property
    def wants_context(self) -> bool:
        """Whether it uses its ToolContext; if not, `ready` needs none."""
        return self.signature.context_parameter is not None

    def ready(self, arguments: dict[str, Any], context: ToolContext | None) -> Callable[[], Any]:
        """The function with its checked arguments, to be called with nothing.

        Raises:
            BadArguments: they are not what the schema says.
        """
        bound = self.signature.bind(arguments)
        if self.signature.context_parameter is not None:
            bound[self.signature.context_parameter] = context
        return partial(self.function, **bound)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """What the function does."""
        return self.function(*args, **kwargs)

    def __get__(self, instance: Any, owner: type | None = None) -> Tool:
        """The tool as a method of `instance`, where it was made in a class."""
        bind = getattr(self.function, "__get__", None)
        return self if instance is None or bind is None else replace(self, function=bind(instance, owner))

    def __repr__(self) -> str:
        return f"Tool({self.name})"


@dataclass(frozen=True, eq=False, repr=False)
class ForeignTool(Tool):
    """A tool of someone else's registry: `function(name, arguments)` answers for all of them, schemas say what each is.

    `takes_task_id`: the function also wants `task_id=`.
    """

    given: Schema = field(default_factory=dict)
    takes_task_id: bool = False

    @cached_property
    def signature(self) -> Signature:
        """Its schema, and how the arguments of a call are checked."""
        return foreign(self.given)

    @property
    def is_async(self) -> bool:
        """Whether the registry's function is async."""
        return inspect.iscoroutinefunction(self.function)

    @property
    def wants_context(self) -> bool:
        """Whether the registry's function takes a task id."""
        return self.takes_task_id

    def ready(self, arguments: dict[str, Any], context: ToolContext | None) -> Callable[[], Any]:
        """The registry's function with the name and the checked arguments.

        Raises:
            BadArguments: they are not what the schema says.
        """
        bound = self.signature.bind(arguments)
        extra = {"task_id": context and context.task_id} if self.takes_task_id else {}
        return partial(self.function, self.name, bound, **extra)

    def __call__(self, **arguments: Any) -> Any:
        """What the registry's function does with this name and these arguments."""
        return self.function(self.name, arguments)


@overload
def tool(function: Callable[..., Any], /) -> Tool: ...
@overload
def tool(
    *, name: str | None = None, description: str | None = None, timeout: float | None = None, serial: bool = False
) -> Callable[[Callable[..., Any]], Tool]: ...
def tool(function: Callable[..., Any] | None = None, /, **said: Any) -> Tool | Callable[[Callable[..., Any]], Tool]:
    """Say of a function what its hints and docstring cannot: `@tool(name=, description=, timeout=, serial=)`.

    A function needs no decorator to be a tool, and stays a function with one: it is called as before. The options are
    those of `Tool`.

    Raises:
        ToolDefinitionError: it is not a function, or the timeout is none.
    """
    return partial(Tool, **said) if function is None else Tool(function)


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
        event loop shares; no timeout and no gate applies. (A tool whose own arguments are named `state` or `task_id`
        is called by a ToolCall.)

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


def _name_of(function: Any) -> str:
    """The name of a function, of what a partial stands for, or of the class of a callable object."""
    while isinstance(function, partial):
        function = function.func
    return getattr(function, "__name__", None) or type(function).__name__


def _no_function(thing: Any) -> str:
    if isinstance(thing, Tool):
        return f"{thing.name} is a tool already; dataclasses.replace(it, name=...) makes another one of it"
    if isinstance(thing, dict):
        return "a schema is no tool: give Toolbox.from_schemas(schemas, handler) the schemas and what answers for them"
    return f"a tool is a function, and {thing!r:.80} is none"


def _takes_task_id(handler: Callable[..., Any]) -> bool:
    try:
        parameters = inspect.signature(handler).parameters
    except (TypeError, ValueError):  # Some functions written in C do not say.
        return False
    kinds = {one.name: one.kind for one in parameters.values()}
    return inspect.Parameter.VAR_KEYWORD in kinds.values() or kinds.get("task_id") in BY_KEYWORD
