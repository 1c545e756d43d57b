"""The parameters of a function as a check by pydantic and as a JSON schema, small and plain.

Every server, grammar and chat template should read it: no titles; no references but those of types that hold
themselves; one way to write each thing.
"""

from __future__ import annotations

import inspect
import json
import re
import types
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any, NotRequired, Union, get_args, get_origin

import typing_extensions
from pydantic import ConfigDict, TypeAdapter
from pydantic.errors import PydanticUserError
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import PydanticSerializationError, SchemaError

from hermes_nb.exceptions import ToolDefinitionError
from hermes_nb.tools.arguments import references, shown
from hermes_nb.tools.typed_dicts import readable

UNTYPABLE = (PydanticUserError, SchemaError, NameError, TypeError)
"""What pydantic raises for a type it cannot check or describe."""

NAMED = ("properties", "patternProperties", "dependentSchemas")
"""Keywords that hold schemas by names which are the user's."""

DATA = ("enum", "const", "default", "examples", "required", "type")
"""Keywords that hold no schema."""

FIRST = ("type", "description", "properties", "required")
"""Keywords as a person would order them."""

PREFIX = "#/$defs/"

# Optional stays `anyOf` with null, as pydantic writes it: nearly all clients send that, so servers take it. A list of
# types is the other way, which Gemini's endpoint refuses and chat templates that print `type` as one word garble.


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter that the model fills in."""

    name: str
    hint: Any
    default: Any
    told: str | None

    @property
    def has_default(self) -> bool:
        """Whether a call may leave it out."""
        return self.default is not inspect.Parameter.empty

    @property
    def key(self) -> str:
        """Its name for the model."""
        found = [part.alias for part in _notes(self.hint) if isinstance(part, FieldInfo) and part.alias]
        return found[-1] if found else self.name


def parameter_of(name: str, parameter: inspect.Parameter, hint: Any, tells: dict[str, str]) -> Parameter:
    """A parameter of the tool `name`, described by its annotation, else by the docstring (`tells`)."""
    default = parameter.default
    if isinstance(default, FieldInfo):
        raise refused(
            name, f"the default of {parameter.name!r} is a Field: write '{parameter.name}: Annotated[..., Field(...)]'"
        )
    said = [part if isinstance(part, str) else getattr(part, "description", None) for part in _notes(hint)]
    told = next((one for one in reversed(said) if isinstance(one, str)), tells.get(parameter.name))
    hint = readable(hint)
    # The model is shown the default, so it may send it.
    return Parameter(parameter.name, _or_none(hint) if default is None else hint, default, told)


def _or_none(hint: Any) -> Any:
    if hint is Any or holds(hint, types.NoneType):
        return hint
    if get_origin(hint) is Annotated:
        return Annotated[_or_none(hint.__origin__), *hint.__metadata__]
    with suppress(TypeError):  # Of what is no type at all; that is refused when it is to check something.
        return hint | None
    return hint


def _notes(hint: Any) -> Iterable[Any]:
    return hint.__metadata__ if get_origin(hint) is Annotated else ()


class _Quiet(GenerateJsonSchema):
    """Says nothing of defaults inside the user's own models; they are left out."""

    ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012


def typed(name: str, parameters: list[Parameter]) -> tuple[TypeAdapter[Any], dict[str, Any]]:
    """What checks the parameters of the tool `name`, and their JSON schema.

    Raises:
        ToolDefinitionError: one is of a type that has none, or its default does not fit it.
    """
    if len({one.key for one in parameters}) < len(parameters):
        raise refused(name, "two parameters have one name for the model: change an alias")
    try:
        adapter = _adapter(parameters)
        made = plain(adapter.json_schema(schema_generator=_Quiet))
    except UNTYPABLE as error:
        raise refused(name, _untypable(parameters, error)) from error
    for one in parameters:
        made["properties"][one.key] |= {"description": one.told} if one.told else {}
        made["properties"][one.key] |= {"default": _default(name, one)} if one.has_default else {}
    return adapter, made


def _adapter(parameters: list[Parameter]) -> TypeAdapter[Any]:
    # Of a TypedDict, since that takes any name for a field and returns just the keys that were sent.
    make: Any = typing_extensions.TypedDict
    shape = make("Arguments", {one.name: NotRequired[one.hint] if one.has_default else one.hint for one in parameters})
    shape.__pydantic_config__ = ConfigDict(extra="forbid")
    return TypeAdapter(shape)


def _untypable(parameters: list[Parameter], error: Exception) -> str:
    """Which parameter it was, and how to mend it."""
    for one in parameters:
        try:
            _adapter([one]).json_schema(schema_generator=_Quiet)
        except UNTYPABLE as problem:
            told = " ".join(str(problem).split())
            mend = "use types that JSON can hold; other things reach a tool as ToolContext.state, or in a partial"
            if getattr(problem, "code", None) == "typed-dict-version":
                mend = "import TypedDict from typing_extensions"
            hint = inspect.formatannotation(one.hint)
            return f"parameter {one.name!r} is annotated {hint}, which has no JSON schema ({told:.200}): {mend}"
    return str(error)


def _default(name: str, parameter: Parameter) -> Any:
    """The default as JSON.

    Raises:
        ToolDefinitionError: it has no JSON form, or one that the parameter itself would not take.
    """
    value, adapter = parameter.default, _adapter([parameter])
    try:
        told = adapter.dump_python({parameter.name: value}, mode="json", warnings=False)[parameter.name]
        # The value itself, where it is a number: pydantic writes infinity as null.
        json.dumps(value if isinstance(value, float) else told, allow_nan=False)
        adapter.validate_python({parameter.key: told})
    except (PydanticSerializationError, ValueError, TypeError, RecursionError) as error:
        raise refused(
            name,
            f"the default of {parameter.name!r}, {told_of(value)}, has no JSON form that fits its annotation: "
            "widen the annotation, or use None there and set it in the function",
        ) from error
    return told


def holds(hint: Any, kind: type | None) -> bool:
    """Whether a hint is `kind`, alone, annotated or in a union."""
    if kind is None or hint is kind:
        return kind is not None
    return get_origin(hint) in (Union, types.UnionType, Annotated) and any(holds(part, kind) for part in get_args(hint))


def told_of(value: Any) -> str:
    """A value as an error shows it: short, and the same each time."""
    return re.sub(r" at 0x[0-9a-fA-F]+", "", shown(value))


def refused(name: str, told: str) -> ToolDefinitionError:
    """The error for a tool that cannot be offered."""
    return ToolDefinitionError(f"tool {name!r}: {told}")


def plain(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of an object that pydantic made, made plain."""
    definitions = schema.get("$defs", {})
    kept = {name: body for name, body in definitions.items() if _holds_itself(name, definitions)}
    others = {name: body for name, body in definitions.items() if name not in kept}
    made = _plain(schema, others)
    whole: dict[str, Any] = {"type": "object", "properties": made.get("properties", {})}
    if made.get("required"):
        whole["required"] = made["required"]
    whole["additionalProperties"] = False
    if kept:
        whole["$defs"] = {name: _plain(body, others) for name, body in kept.items()}
    return whole


def _holds_itself(name: str, definitions: dict[str, Any]) -> bool:
    seen: set[str] = set()
    left = [name]
    while left:
        for reference in references(definitions.get(left.pop())):
            inner = reference.removeprefix(PREFIX)
            if inner == name:
                return True
            if inner not in seen:
                seen.add(inner)
                left.append(inner)
    return False


def _plain(schema: Any, definitions: dict[str, Any]) -> Any:
    if not isinstance(schema, dict):
        return schema
    own = {keyword: value for keyword, value in schema.items() if keyword not in ("title", "discriminator", "$defs")}
    target = definitions.get(own.get("$ref", "").removeprefix(PREFIX))
    if target is not None:
        own.pop("$ref")
        return _plain(target | own, definitions)
    parts = {keyword: _part(keyword, value, definitions) for keyword, value in own.items()}
    return {keyword: parts[keyword] for keyword in FIRST if keyword in parts} | _usual(parts)


def _part(keyword: str, value: Any, definitions: dict[str, Any]) -> Any:
    if keyword in DATA:
        return value
    if keyword in NAMED:
        return {name: _plain(inner, definitions) for name, inner in value.items()}
    return [_plain(inner, definitions) for inner in value] if isinstance(value, list) else _plain(value, definitions)


def _usual(schema: dict[str, Any]) -> dict[str, Any]:
    """The same, in keywords that every server knows: one value is an enum, and every array says what its items are."""
    if "const" in schema:
        schema["enum"] = [schema.pop("const")]
    kinds = schema.get("prefixItems")
    if kinds and all(kind == kinds[0] for kind in kinds) and schema.get("maxItems") == len(kinds):
        schema["items"] = kinds[0]
        del schema["prefixItems"]
    elif schema.get("type") == "array" and "items" not in schema:
        schema["items"] = {"anyOf": [kind for at, kind in enumerate(kinds) if kind not in kinds[:at]]} if kinds else {}
    return schema
