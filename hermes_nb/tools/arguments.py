"""What a model sent, checked: by a function's types or by someone else's JSON schema.

Whatever a model sends, a check ends soon, with arguments or with a sentence of bounded length.
"""

from __future__ import annotations

import json
import reprlib
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from itertools import islice
from typing import Any, cast

from pydantic import TypeAdapter, ValidationError

from hermes_nb import codec
from hermes_nb.exceptions import ToolDefinitionError

Check = Callable[[Any], dict[str, Any]]
"""Arguments as parsed, in; arguments as the function gets them, out. Raises BadArguments."""

TOLD = 2000
"""Bytes of a refusal."""

FAULTS = 8
"""How many faults a refusal names; the rest are counted, or not looked for."""

STEPS = 30_000
"""Schema keywords evaluated for one call's arguments: some tenths of a second."""

JSON_NAMES = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", int: "a number",
              float: "a number", type(None): "null"}  # fmt: skip


class BadArguments(ValueError):
    """What a model sent does not fit the tool. The text tells the model what is wrong and what is expected."""


def by_types(name: str, adapter: TypeAdapter[Any], parameters: dict[str, Any]) -> Check:
    """A check by pydantic in its lax mode; what passes comes out as the annotated Python types."""
    validate = adapter.validator.validate_python

    def check(arguments: Any) -> dict[str, Any]:
        if not isinstance(arguments, dict):
            raise no_object(name, arguments, parameters)
        try:
            return cast(dict[str, Any], validate(arguments))
        except ValidationError as error:
            faults = [_type_fault(fault) for fault in islice(error.errors(include_url=False), FAULTS)]
            raise refusal(name, faults, parameters, more=error.error_count() - len(faults)) from error
        except RecursionError as error:
            raise too_deep(name, parameters) from error

    return check


def by_schema(name: str, parameters: dict[str, Any]) -> Check:
    """A check by a JSON schema that is not ours; arguments pass through unchanged.

    No address is followed and no regular expression is run: `pattern`, `patternProperties` and `format` hold for any
    value, as do `unevaluatedProperties` and `unevaluatedItems`.

    Raises:
        ToolDefinitionError: it is no JSON schema of an object, or refers to something outside itself.
    """
    validator = _validator(name, parameters)

    def check(arguments: Any) -> dict[str, Any]:
        if not isinstance(arguments, dict):
            raise no_object(name, arguments, parameters)
        try:
            errors = validator.evolve(format_checker=_Budget(STEPS)).iter_errors(arguments)
            faults = [_schema_fault(error) for error in islice(errors, FAULTS)]
        except RecursionError as error:
            raise too_deep(name, parameters) from error
        except _Spent as error:
            raise refusal(name, ["they are too much to check"], parameters) from error
        except (OverflowError, ValueError) as error:  # In arithmetic, or in writing the number out for a message.
            raise refusal(name, ["a number in them is too large"], parameters) from error
        if faults:
            raise refusal(name, faults, parameters)
        return arguments

    return check


def refusal(name: str, faults: list[str], parameters: dict[str, Any], *, more: int = 0) -> BadArguments:
    """The faults, each with its place, then what the tool expects, in at most `TOLD` bytes."""
    listed = "; ".join(faults) + (f"; and {more} more" if more > 0 else "")
    expected = _cut(_expected(parameters), TOLD // 2)
    told = _cut(f"Bad arguments for {name}: {listed}", TOLD - len(expected.encode()) - 2)
    return BadArguments(f"{told}. {expected}")


def no_object(name: str, arguments: Any, parameters: dict[str, Any]) -> BadArguments:
    """For arguments that are JSON, but no object."""
    quoted = "" if arguments is None else f": {shown(arguments)}"
    got = JSON_NAMES.get(type(arguments), type(arguments).__name__)
    return refusal(name, [f"they must be one JSON object, got {got}{quoted}"], parameters)


def too_deep(name: str, parameters: dict[str, Any]) -> BadArguments:
    """For arguments whose nesting no check can follow."""
    return refusal(name, ["they are nested too deeply"], parameters)


def _expected(parameters: dict[str, Any]) -> str:
    properties, required = parameters.get("properties") or {}, parameters.get("required") or ()
    if not properties:
        return "It takes no arguments."
    each = [f"{name} ({_cut(_kind(part), 200)}, {_need(name, part, required)})" for name, part in properties.items()]
    return f"Expected: {', '.join(each)}."


def _need(name: str, schema: Any, required: Iterable[str]) -> str:
    if name in required:
        return "required"
    return f"default {_json(schema['default'])}" if isinstance(schema, dict) and "default" in schema else "optional"


def _kind(schema: Any) -> str:
    """What a schema asks for, in words: its values, its type, or its alternatives."""
    if not isinstance(schema, dict):
        return "anything"
    if isinstance(values := schema.get("enum"), list):
        return "one of " + ", ".join(_json(value) for value in values)
    if isinstance(kinds := schema.get("type"), str | list):
        return kinds if isinstance(kinds, str) else " or ".join(map(str, kinds))
    choices = schema.get("anyOf") or schema.get("oneOf") or ()
    return " or ".join(dict.fromkeys(map(_kind, choices))) or "anything"


def _type_fault(fault: Any) -> str:
    place = _place(fault["loc"])
    if fault["type"] == "missing":
        return f"{place}: is required"
    if fault["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        return f"{place}: is not expected"
    return f"{place}: {_cut(fault['msg'].removeprefix('Value error, '), 200)}, got {shown(fault['input'])}"


def _schema_fault(error: Any) -> str:
    told = error.message
    if len(told) > 200:  # It quotes the value, whole.
        told = f"{error.validator} should be {shown(error.validator_value)}, got {shown(error.instance)}"
    place = _place(error.absolute_path)
    return f"{place}: {told}" if place else told


def _place(path: Iterable[str | int]) -> str:
    """Where in the arguments: `items[0].price`."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in islice(path, 12))
    return _cut("".join(steps).removeprefix("."), 80)


SHORT = reprlib.Repr()
SHORT.maxstring = SHORT.maxother = 60
SHORT.maxlevel = 2


def shown(value: Any) -> str:
    """A value in at most about 60 characters to a text, four items to a list, and two levels."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    try:
        return SHORT.repr(value)
    except ValueError:  # A number of more digits than Python writes out.
        return f"a {type(value).__name__}"


def _json(value: Any) -> str:
    return _cut(json.dumps(value, ensure_ascii=False, default=repr), 60)


def _cut(text: str, room: int) -> str:
    """At most `room` bytes of the text, with nothing in it that UTF-8 cannot hold."""
    encoded = text.encode("utf-8", "backslashreplace")
    return encoded.decode() if len(encoded) <= room else encoded[: room - 3].decode("utf-8", "ignore") + "…"


class _Spent(Exception):
    """The steps of one check are used up."""


class _Budget:
    """Steps left; one for every keyword, and more for a large value, which a message might quote."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def spend(self, value: Any) -> None:
        self.left -= 1 + (len(value) >> 10 if isinstance(value, str | list | dict) else 0)
        if self.left < 0:
            raise _Spent


def _validator(name: str, parameters: dict[str, Any]) -> Any:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match
    from jsonschema.validators import validator_for
    from referencing import Registry

    kind = validator_for(parameters, default=Draft202012Validator)
    try:
        wrong = best_match(kind(kind.META_SCHEMA).iter_errors(parameters))
    except RecursionError as error:
        raise ToolDefinitionError(f"the parameters of {name!r} are nested too deeply to be a tool's schema") from error
    if wrong is not None:
        fault = _schema_fault(wrong)
        raise ToolDefinitionError(f"the parameters of {name!r} are no JSON schema; mend it at {fault}") from wrong
    _check_references(name, parameters)
    checked = codec.loads(codec.dumps(parameters))
    for part in _objects(checked):
        if isinstance(part.get("$schema"), str):
            del part["$schema"]  # Where one stands, jsonschema goes on with a class of its own, which has no bounds.
    return _bounded(kind)(checked, registry=Registry())  # Without one, jsonschema fetches what an address names.


@cache
def _bounded(kind: Any) -> Any:
    """A validator class whose every keyword spends from the budget, and which runs nothing that has no bound."""
    from jsonschema.validators import extend

    unchecked = ("pattern", "patternProperties", "format", "unevaluatedProperties", "unevaluatedItems")
    keywords = {keyword: _spending(evaluate) for keyword, evaluate in kind.VALIDATORS.items()}
    additional = keywords.get("additionalProperties", _nothing)
    return extend(kind, keywords | dict.fromkeys(unchecked, _nothing) | {
        "additionalProperties": lambda validator, value, instance, schema: (
            () if "patternProperties" in schema else additional(validator, value, instance, schema)
        ),
        "uniqueItems": _spending(_unique),
    })  # fmt: skip


def _nothing(*_: Any) -> Iterable[Any]:
    return ()


def _spending(evaluate: Callable[..., Iterable[Any] | None]) -> Callable[..., Iterator[Any]]:
    def spend(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[Any]:
        # The budget travels as the format checker: that is what jsonschema hands to every validator it makes below.
        validator.format_checker.spend(instance)
        yield from evaluate(validator, value, instance, schema) or ()

    return spend


def _unique(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[Any]:
    """In linear time; 1 and 1.0 count as two."""
    from jsonschema import ValidationError as Fault

    if value and validator.is_type(instance, "array"):
        texts = {json.dumps(item, sort_keys=True) for item in instance}
        if len(texts) < len(instance):
            yield Fault("has items that are equal")


def _check_references(name: str, parameters: dict[str, Any]) -> None:
    from referencing import Registry
    from referencing.exceptions import Unresolvable
    from referencing.jsonschema import DRAFT202012

    resolver = Registry().resolver_with_root(DRAFT202012.create_resource(parameters))
    for reference in references(parameters):
        try:
            if reference.startswith("#"):
                resolver.lookup(reference)
                continue
        except Unresolvable as error:
            raise ToolDefinitionError(f"the schema of {name!r} has nothing at its '$ref' {reference:.200}") from error
        raise ToolDefinitionError(
            f"the schema of {name!r} refers to {reference:.200}, which is outside it and is not fetched: put that "
            "schema under '$defs' and refer to '#/$defs/...'"
        )


def references(schema: Any) -> Iterator[str]:
    """Every `$ref` and its like, at any depth."""
    for part in _objects(schema):
        yield from (part[key] for key in ("$ref", "$dynamicRef", "$recursiveRef") if isinstance(part.get(key), str))


def _objects(schema: Any) -> Iterator[dict[str, Any]]:
    left = [schema]
    while left:
        part = left.pop()
        if isinstance(part, dict):
            yield part
            left.extend(part.values())
        elif isinstance(part, list):
            left.extend(part)
