"""Describes a function to a model: its signature and docstring as a JSON schema, and the check of what comes back."""

from __future__ import annotations

import copy
import inspect
import re
import types
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, get_type_hints

from hermes_nb import codec
from hermes_nb.exceptions import ToolDefinitionError
from hermes_nb.tools import docstrings
from hermes_nb.tools.arguments import BadArguments, Check, by_schema, by_types
from hermes_nb.tools.parameters import holds, parameter_of, refused, told_of, typed

__all__ = ["BadArguments", "Signature", "describe", "foreign", "schema"]

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""What the OpenAI API takes as a function's name."""

DECORATED = "; if a decorator hides the function's own parameters, give it functools.wraps"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Signature:
    """What a model is told of a tool, and how what it sends is checked.

    `parameters` is a JSON schema of an object. `context_parameter` is the parameter we fill in, which the model does
    not see. `given` is a foreign tool's own schema, fields unknown to us and all.
    """

    name: str
    description: str
    parameters: dict[str, Any]
    context_parameter: str | None = None
    is_async: bool = False
    check: Check = field(repr=False)
    given: dict[str, Any] | None = field(default=None, repr=False)

    @property
    def schema(self) -> dict[str, Any]:
        """The tool as the chat completions API takes it: a new dict each time."""
        told = self.given or {"name": self.name, "description": self.description, "parameters": self.parameters}
        return {"type": "function", "function": copy.deepcopy(told)}

    def bind(self, arguments: Any) -> dict[str, Any]:
        """The keyword arguments in `arguments`, a call's parsed JSON; those left out are left to the function.

        Raises:
            BadArguments: they do not fit; whatever they are, nothing else is raised by the check itself.
        """
        return self.check(arguments)

    def __repr__(self) -> str:
        return f"Signature({self.name}({', '.join(self.parameters.get('properties', ()))}))"


def schema(tool: Any) -> dict[str, Any]:
    """What a model is told of a tool: `{"type": "function", "function": {"name", "description", "parameters"}}`.

    >>> def add(a: int, b: int = 1) -> int:
    ...     "Add two whole numbers."
    ...     return a + b
    >>> schema(add)["function"]["parameters"]["required"]
    ['a']

    Raises:
        ToolDefinitionError: the function cannot be offered to a model; the text says how to mend it.
    """
    signature = getattr(tool, "signature", None)
    if isinstance(signature, Signature):
        return signature.schema
    from hermes_nb.tools.context import ToolContext

    return describe(tool, context_type=ToolContext).schema


def describe(
    function: Callable[..., Any],
    *,
    name: str | None = None,
    description: str | None = None,
    context_type: type | None = None,
) -> Signature:
    """The signature of a function, bound method, partial or callable object, sync or async.

    A parameter's description comes from its annotation (`Annotated[int, "how many"]`, or a pydantic Field), else from
    the docstring. What a partial has filled in by name, and the one parameter annotated `context_type`, is not shown.

    Raises:
        ToolDefinitionError: the function cannot be offered to a model; the text says how to mend it.
    """
    inner = _checked_function(function)
    name = _checked_name(_name_of(inner) if name is None else name)
    parameters, hints = _annotated(name, function, inner)
    contexts = [one for one, hint in hints.items() if holds(hint, context_type)]
    if len(contexts) > 1:
        raise refused(name, f"only one parameter can be the context; remove one of {', '.join(contexts)}")
    docstring = inner.__doc__ if inspect.isroutine(inner) else type(inner).__call__.__doc__ or inner.__doc__
    told, tells = docstrings.read(docstring, parameters)
    shown = [
        parameter_of(name, parameter, hints[parameter.name], tells)
        for parameter in parameters.values()
        if parameter.name not in contexts
    ]
    adapter, shape = typed(name, shown)
    return Signature(
        name=name,
        description=told if description is None else description,
        parameters=shape,
        context_parameter=contexts[0] if contexts else None,
        is_async=inspect.iscoroutinefunction(inner) or inspect.iscoroutinefunction(type(inner).__call__),
        check=by_types(name, adapter, shape),
    )


def foreign(schema: dict[str, Any]) -> Signature:
    """The signature in someone else's tool schema: `{"type": "function", "function": {...}}`, or the inner dict.

    Arguments are checked against it and passed through unchanged; what is not checked, `arguments.by_schema` says.

    Raises:
        ToolDefinitionError: it is no such schema, or refers to something outside itself.
    """
    try:
        given = codec.loads(codec.dumps(schema))
    except (TypeError, ValueError, RecursionError) as error:
        raise ToolDefinitionError(f"a tool's schema is JSON, and {told_of(schema)} is not: {error}") from error
    given = given.get("function", given) if isinstance(given, dict) else None
    if not isinstance(given, dict):
        raise ToolDefinitionError(
            "a tool's schema is a dict such as {'type': 'function', 'function': {'name': ..., 'parameters': {...}}}; "
            f"got {told_of(schema)}"
        )
    name, description = _checked_name(given.get("name")), given.get("description")
    if not isinstance(description, str | None):
        raise refused(name, f"'description' is text, not {told_of(description)}")
    parameters = given.get("parameters")
    parameters = {"type": "object", "properties": {}} if parameters is None else parameters
    if not isinstance(parameters, dict) or parameters.get("type", "object") != "object":
        raise refused(name, f"'parameters' is a JSON schema with 'type': 'object', not {told_of(parameters)}")
    check = by_schema(name, parameters)
    return Signature(name=name, description=description or "", parameters=parameters, check=check, given=given)


def _checked_name(name: Any) -> str:
    if isinstance(name, str) and NAME.fullmatch(name):
        return name
    if name == "<lambda>":
        raise ToolDefinitionError("a lambda has no name or hints to tell a model: write it as a def")
    near = re.sub(r"[^A-Za-z0-9_-]+", "_", name)[:64].strip("_") if isinstance(name, str) else ""
    mend = f"; name={near!r} would do" if near else ""
    raise ToolDefinitionError(
        f"a tool's name is 1 to 64 of the characters A-Z a-z 0-9 _ and -; {told_of(name)} is not{mend}"
    )


def _checked_function(function: Any) -> Any:
    """The function behind the partials around it.

    Raises:
        ToolDefinitionError: it is not something that is called and returns.
    """
    while isinstance(function, partial):
        function = function.func
    if not callable(function):
        raise ToolDefinitionError(f"a tool is a function, and {told_of(function)} cannot be called")
    if inspect.isclass(function):
        raise ToolDefinitionError(f"{function.__name__} is a class: give a function that makes one, or a bound method")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise refused(_name_of(function), "it yields, and a tool answers once: return a list or a text instead")
    return function


def _name_of(function: Any) -> Any:
    return getattr(function, "__name__", None) or type(function).__name__


def _annotated(name: str, function: Any, inner: Any) -> tuple[dict[str, inspect.Parameter], dict[str, Any]]:
    """The parameters that are still open, and their annotations as types.

    Raises:
        ToolDefinitionError: a parameter cannot be filled in by name, or does not say what it takes.
    """
    try:
        found = inspect.signature(function).parameters
    except (TypeError, ValueError) as error:
        raise refused(name, f"Python cannot tell its parameters ({error}): wrap it in a def with hints") from error
    filled = function.keywords if isinstance(function, partial) else {}
    parameters = {one: parameter for one, parameter in found.items() if one not in filled}
    for parameter in parameters.values():
        if problem := _problem(parameter, first=parameter is next(iter(parameters.values()))):
            raise refused(name, problem)
    behind = inspect.unwrap(inner)
    names = getattr(behind, "__globals__", None) or getattr(type(behind).__call__, "__globals__", {})
    holder = types.SimpleNamespace(__annotations__={one: part.annotation for one, part in parameters.items()})
    try:
        return parameters, get_type_hints(holder, names, include_extras=True)
    except (NameError, AttributeError, SyntaxError, TypeError) as error:
        raise refused(
            name, f"an annotation cannot be understood ({error}): use names that exist where the function is defined"
        ) from error


def _problem(parameter: inspect.Parameter, *, first: bool) -> str | None:
    """What keeps a parameter from being filled in by name, and how to mend it."""
    name, kind = parameter.name, parameter.kind
    if kind is parameter.VAR_POSITIONAL:
        return f"a model cannot fill in *{name}: write '{name}: list[str]' or the like{DECORATED}"
    if kind is parameter.VAR_KEYWORD:
        return f"a model cannot fill in **{name}: name its parameters, or write '{name}: dict[str, str]'{DECORATED}"
    if kind is parameter.POSITIONAL_ONLY:
        return f"parameter {name!r} is positional-only, and arguments come by name: remove the '/' from its signature"
    if parameter.annotation is not parameter.empty:
        return None
    if first and name in ("self", "cls"):
        return f"parameter {name!r} is not filled in: give a method of an instance, such as 'thing.method'"
    return f"parameter {name!r} has no annotation: say what it takes, such as '{name}: str'"
