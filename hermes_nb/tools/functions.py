"""The functions that a model may call: each is a Tool."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from importlib.util import find_spec
from typing import Any, Literal, TypeAlias, overload

from hermes_nb.exceptions import MissingDependency, ToolDefinitionError
from hermes_nb.tools.context import ToolContext
from hermes_nb.tools.schema import Signature, describe, foreign

Schema: TypeAlias = dict[str, Any]
"""A tool as the wire offers it: `{"type": "function", "function": {"name", "description", "parameters"}}`."""


@dataclass(frozen=True, eq=False, repr=False)
class Tool:
    """A function offered to a model. Called, it is that function.

    Args:
        function: sync or async; its hints and docstring make the schema.
        name: what the model calls it; the function's own by default.
        description: what the model reads about it; from the docstring by default.
        timeout: seconds a call may take; the run's by default.
        serial: a call waits for the calls before it in its turn, and holds up those after it.
        isolation: "process": each call runs in a process of its own, which is ended with all it started when the call
            is over, by a timeout, an interrupt or `stop()` too. It costs some 0.1 s a call. The function and what it
            uses are copied there, so it works on copies of the notebook's variables, and what it returns comes back,
            up to 8 MiB pickled (of a larger value the content alone). It protects the kernel from a crash or a hang;
            it is no sandbox.

    Raises:
        ToolDefinitionError: it is no function, the timeout is none, or it cannot have a process of its own.
        MissingDependency: the package that takes functions into processes is not installed.
    """

    function: Callable[..., Any]
    name: str = ""
    description: str | None = None
    timeout: float | None = None
    serial: bool = False
    isolation: Literal["process"] | None = None

    def __post_init__(self) -> None:
        if not callable(self.function) or isinstance(self.function, Tool):
            raise ToolDefinitionError(_no_function(self.function))
        if self.timeout is not None and not self.timeout > 0:
            raise ToolDefinitionError(f"a timeout is a number of seconds above 0, not {self.timeout!r}")
        if self.isolation is not None and (problem := _not_isolated(self.isolation, self.function)):
            raise ToolDefinitionError(problem)
        if self.isolation is not None and not _is_installed("cloudpickle"):
            raise MissingDependency("isolation='process'", "lab")
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

    def __getstate__(self) -> dict[str, Any]:
        """What is pickled: what it was made of. The signature, which cannot be, is made again."""
        return {name: value for name, value in vars(self).items() if name != "signature"}

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
    *,
    name: str | None = None,
    description: str | None = None,
    timeout: float | None = None,
    serial: bool = False,
    isolation: Literal["process"] | None = None,
) -> Callable[[Callable[..., Any]], Tool]: ...
def tool(function: Callable[..., Any] | None = None, /, **said: Any) -> Tool | Callable[[Callable[..., Any]], Tool]:
    """Say of a function what its hints and docstring cannot: `@tool(name=, description=, timeout=, serial=,
    isolation=)`.

    A function needs no decorator to be a tool, and stays a function with one: it is called as before. The options are
    those of `Tool`.

    >>> @tool(timeout=5)
    ... def add(a: int, b: int) -> int:
    ...     "Add two whole numbers."
    ...     return a + b
    >>> add(2, 3)
    5

    Raises:
        ToolDefinitionError: it is not a function, the timeout is none, or it cannot have a process of its own.
        MissingDependency: the package that takes functions into processes is not installed.
    """
    return partial(Tool, **said) if function is None else Tool(function, **said)


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


def _not_isolated(isolation: Any, function: Any) -> str | None:
    """Why a function cannot have a process of its own, and what to do; None: it can."""
    while isinstance(function, partial):
        function = function.func
    if isolation != "process":
        return f"isolation is 'process' or None, not {isolation!r}"
    if os.name != "posix":
        return "isolation='process' needs a system with process groups, such as Linux or macOS"
    if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__):
        return (
            "an async tool runs on the event loop, and cannot have a process of its own: make it `def` in place of "
            "`async def`, or leave isolation='process' out"
        )
    return None


def _is_installed(package: str) -> bool:
    return sys.modules.get(package) is not None or (package not in sys.modules and find_spec(package) is not None)
