"""A function's signature and docstring become what a model is told, or are refused with a way to mend them."""

from __future__ import annotations

import functools
import json
import math
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import date
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, NotRequired, Optional, Required, TypedDict, TypeVar, Union

import jsonschema
import pytest
import typing_extensions
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field
from pydantic.fields import FieldInfo

from hermes_nb.exceptions import ToolDefinitionError
from hermes_nb.tools.context import ToolContext
from hermes_nb.tools.functions import Tool
from hermes_nb.tools.schema import BadArguments, Signature, describe, foreign, schema

# --- what a model may be asked for ------------------------------------------------------------------------------------


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Level(Enum):
    LOW = 1
    HIGH = "high"


class Options(typing_extensions.TypedDict):
    deep: bool
    depth: typing_extensions.NotRequired[int]


@dataclass
class Point:
    x: float
    y: float = 0


class Person(BaseModel):
    """Someone."""

    title: str
    address: Point | None = None


class Node(BaseModel):
    value: int
    children: list[Node] = []


class Cat(BaseModel):
    kind: Literal["cat"]


class Dog(BaseModel):
    kind: Literal["dog"]


Pet = Annotated[Cat | Dog, Field(discriminator="kind")]
City = Annotated[str, "a city"]

POINT = {
    "type": "object",
    "properties": {"x": {"type": "number"}, "y": {"type": "number", "default": 0}},
    "required": ["x"],
    "additionalProperties": False,
}
OPEN_POINT = {keyword: part for keyword, part in POINT.items() if keyword != "additionalProperties"}
CAT = {"type": "object", "properties": {"kind": {"type": "string", "enum": ["cat"]}}, "required": ["kind"]}
DOG = {"type": "object", "properties": {"kind": {"type": "string", "enum": ["dog"]}}, "required": ["kind"]}

SHAPES: list[tuple[Any, dict[str, Any]]] = [
    (str, {"type": "string"}),
    (int, {"type": "integer"}),
    (float, {"type": "number"}),
    (bool, {"type": "boolean"}),
    (None, {"type": "null"}),
    (Any, {}),
    (Literal["a", "b"], {"type": "string", "enum": ["a", "b"]}),
    (Literal["a"], {"type": "string", "enum": ["a"]}),
    (Literal["a", 1, None], {"enum": ["a", 1, None]}),
    (Colour, {"type": "string", "enum": ["red", "blue"]}),
    (Level, {"enum": [1, "high"]}),
    (Optional[int], {"anyOf": [{"type": "integer"}, {"type": "null"}]}),  # noqa: UP045
    (Union[int, str], {"anyOf": [{"type": "integer"}, {"type": "string"}]}),  # noqa: UP007
    (int | str | None, {"anyOf": [{"type": "integer"}, {"type": "string"}, {"type": "null"}]}),
    (list, {"type": "array", "items": {}}),
    (list[int], {"type": "array", "items": {"type": "integer"}}),
    (set[str], {"type": "array", "uniqueItems": True, "items": {"type": "string"}}),
    (dict, {"type": "object", "additionalProperties": True}),
    (dict[str, int], {"type": "object", "additionalProperties": {"type": "integer"}}),
    (tuple[int, ...], {"type": "array", "items": {"type": "integer"}}),
    (tuple[float, float], {"type": "array", "minItems": 2, "maxItems": 2, "items": {"type": "number"}}),
    (
        tuple[int, str, int],
        {
            "type": "array",
            "minItems": 3,
            "maxItems": 3,
            "prefixItems": [{"type": "integer"}, {"type": "string"}, {"type": "integer"}],
            "items": {"anyOf": [{"type": "integer"}, {"type": "string"}]},
        },
    ),
    (tuple[()], {"type": "array", "minItems": 0, "maxItems": 0, "items": {}}),
    (date, {"type": "string", "format": "date"}),
    (Path, {"type": "string", "format": "path"}),
    (
        Options,
        {
            "type": "object",
            "properties": {"deep": {"type": "boolean"}, "depth": {"type": "integer"}},
            "required": ["deep"],
            "additionalProperties": False,
        },
    ),
    (Point, POINT),
    (list[Point], {"type": "array", "items": POINT}),
    (
        Person,
        {
            "type": "object",
            "description": "Someone.",
            "properties": {
                "title": {"type": "string"},
                "address": {"anyOf": [OPEN_POINT, {"type": "null"}], "default": None},
            },
            "required": ["title"],
        },
    ),
    (Pet, {"oneOf": [CAT, DOG]}),
    (Annotated[int, "how many"], {"type": "integer", "description": "how many"}),
    (Annotated[int, Field(description="how many", ge=1)], {"type": "integer", "description": "how many", "minimum": 1}),
    (Annotated[City, "where to go"], {"type": "string", "description": "where to go"}),
    (list[City], {"type": "array", "items": {"type": "string"}}),
    (TypeVar("T"), {}),
]


def taking(hint: Any, default: Any = ...) -> Callable[..., Any]:
    """A function of one parameter `a`."""
    if default is ...:

        def tool(a):  # type: ignore[no-untyped-def]
            return a
    else:

        def tool(a=default):  # type: ignore[no-untyped-def]
            return a

    tool.__annotations__ = {"a": hint}
    return tool


@pytest.mark.parametrize(("hint", "shape"), SHAPES, ids=[str(hint) for hint, _ in SHAPES])
def test_each_type_has_its_schema(hint: Any, shape: dict[str, Any]) -> None:
    assert describe(taking(hint)).parameters["properties"]["a"] == shape


@pytest.mark.parametrize("hint", [hint for hint, _ in SHAPES], ids=[str(hint) for hint, _ in SHAPES])
def test_every_schema_is_a_json_schema(hint: Any) -> None:
    made = describe(taking(hint)).parameters

    jsonschema.Draft202012Validator.check_schema(made)
    assert json.loads(json.dumps(made)) == made


HINTS = st.recursive(
    st.sampled_from([str, int, float, bool, None, Colour, Point, Person, Node, Options, Pet, City, Literal["a", 2]]),
    lambda inner: (
        inner.map(lambda one: list[one])
        | inner.map(lambda one: dict[str, one])
        | inner.map(lambda one: Optional[one])  # noqa: UP045
        | st.tuples(inner, inner).map(lambda two: tuple[two])
        | st.tuples(inner, inner).map(lambda two: Union[two])  # noqa: UP007
        | inner.map(lambda one: Annotated[one, "said"])
    ),
    max_leaves=4,
)


@given(HINTS)
@settings(max_examples=50, deadline=None)
def test_any_hint_of_these_types_makes_a_json_schema_without_titles(hint: Any) -> None:
    made = describe(taking(hint)).parameters

    jsonschema.Draft202012Validator.check_schema(made)
    assert '"title": "' not in json.dumps(made)


def test_a_property_that_is_called_title_stays() -> None:
    assert "title" in describe(taking(Person)).parameters["properties"]["a"]["properties"]


def test_only_a_type_that_holds_itself_is_referred_to() -> None:
    made = describe(taking(tuple[Node, Person])).parameters

    assert list(made["$defs"]) == ["Node"]
    assert made["$defs"]["Node"]["properties"]["children"]["items"] == {"$ref": "#/$defs/Node"}
    assert made["properties"]["a"]["prefixItems"][0] == {"$ref": "#/$defs/Node"}


# --- functions ------------------------------------------------------------------------------------------------------


def add(a: int, b: int = 3) -> int:
    """Add two whole numbers.

    Args:
        a: the first
        b: the second
    """
    return a + b


ADD = {
    "type": "function",
    "function": {
        "name": "add",
        "description": "Add two whole numbers.",
        "parameters": {
            "type": "object",
            "properties": {
                "a": {"type": "integer", "description": "the first"},
                "b": {"type": "integer", "description": "the second", "default": 3},
            },
            "required": ["a"],
            "additionalProperties": False,
        },
    },
}


def test_a_function_is_told_as_the_api_takes_it() -> None:
    assert schema(add) == ADD


def test_a_tool_is_told_as_its_function() -> None:
    assert schema(Tool(add)) == ADD


def test_changing_a_schema_changes_no_tool() -> None:
    signature = describe(add)
    signature.schema["function"]["parameters"]["properties"].clear()

    assert signature.schema == ADD


def test_name_and_description_may_be_said() -> None:
    said = describe(add, name="plus", description="Sum up.").schema["function"]

    assert (said["name"], said["description"]) == ("plus", "Sum up.")


def test_a_function_without_docstring_or_parameters_will_do() -> None:
    def ping() -> str:
        return "pong"

    assert describe(ping).schema["function"] == {
        "name": "ping",
        "description": "",
        "parameters": {"type": "object", "properties": {}, "additionalProperties": False},
    }


def test_an_annotation_says_more_than_the_docstring() -> None:
    def go(
        far: Annotated[int, "in km"], fast: Annotated[int, Field(description="in km/h")], where: City, who: Person
    ) -> None:
        """Go.

        Args:
            far: docstring
            fast: docstring
            where: docstring
            who: the traveller
        """

    told = {name: part["description"] for name, part in describe(go).parameters["properties"].items()}

    assert told == {"far": "in km", "fast": "in km/h", "where": "a city", "who": "the traveller"}


class Counter:
    """Counts."""

    def __init__(self) -> None:
        self.total = 0

    def count(self, by: int) -> int:
        """Count on."""
        self.total += by
        return self.total

    @classmethod
    def made(cls, start: int) -> None:
        """Make one."""

    @staticmethod
    def help(topic: str) -> None:
        """Help."""

    def __call__(self, by: int) -> int:
        """Count too."""
        return self.count(by)


class Waiter:
    """Wait a while."""

    async def __call__(self, seconds: float) -> None: ...


def shout(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def louder(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return louder


async def later(a: int) -> int:
    """Add later."""
    return a


KINDS: list[tuple[Callable[..., Any], str, str, list[str]]] = [
    (Counter().count, "count", "Count on.", ["by"]),
    (Counter.made, "made", "Make one.", ["start"]),
    (Counter.help, "help", "Help.", ["topic"]),
    (Counter(), "Counter", "Count too.", ["by"]),
    (Waiter(), "Waiter", "Wait a while.", ["seconds"]),
    (shout(add), "add", "Add two whole numbers.", ["a", "b"]),
    (functools.lru_cache(add), "add", "Add two whole numbers.", ["a", "b"]),
    (functools.partial(add, 1), "add", "Add two whole numbers.", ["b"]),
    (functools.partial(functools.partial(add, 1), b=2), "add", "Add two whole numbers.", []),
    (functools.partial(add, b=2), "add", "Add two whole numbers.", ["a"]),
    (later, "later", "Add later.", ["a"]),
]


@pytest.mark.parametrize(("tool", "name", "description", "names"), KINDS)
def test_anything_that_is_called_is_described(
    tool: Callable[..., Any], name: str, description: str, names: list[str]
) -> None:
    signature = describe(tool)

    assert (signature.name, signature.description) == (name, description)
    assert list(signature.parameters["properties"]) == names


@pytest.mark.parametrize("tool", [later, Waiter(), functools.partial(later, 1)])
def test_async_tools_are_known(tool: Callable[..., Any]) -> None:
    assert describe(tool).is_async
    assert not describe(add).is_async


def test_keyword_only_parameters_are_parameters() -> None:
    def go(*, far: int, fast: bool = False) -> None: ...

    assert describe(go).parameters["required"] == ["far"]


def test_what_a_partial_has_filled_in_cannot_be_sent() -> None:
    class Connection: ...

    def query(text: str, connection: Connection) -> None: ...

    query.__annotations__["connection"] = Connection
    signature = describe(functools.partial(query, connection=Connection()))

    assert list(signature.parameters["properties"]) == ["text"]
    with pytest.raises(ValueError, match="connection: is not expected"):
        signature.bind({"text": "", "connection": 1})


def test_annotations_that_are_strings_are_understood() -> None:
    assert describe(taking("list[Point]")).parameters["properties"]["a"]["items"] == POINT


def test_the_context_is_hidden_from_the_model() -> None:
    def look(where: str, context: ToolContext) -> None:
        """Look.

        Args:
            where: the place
            context: the run
        """

    signature = describe(look, context_type=ToolContext)

    assert signature.context_parameter == "context"
    assert list(signature.parameters["properties"]) == ["where"]
    assert "run" not in json.dumps(signature.schema)
    assert schema(look) == signature.schema


@pytest.mark.parametrize("hint", [ToolContext, ToolContext | None, Annotated[ToolContext, "the run"]])
def test_the_context_may_be_optional_or_annotated(hint: Any) -> None:
    assert describe(taking(hint, None), context_type=ToolContext).context_parameter == "a"


def test_a_signature_shows_itself_in_a_line() -> None:
    assert repr(describe(add)) == "Signature(add(a, b))"


# --- defaults -------------------------------------------------------------------------------------------------------

DEFAULTS: list[tuple[Any, Any, Any]] = [
    (int, 3, 3),
    (str | None, None, None),
    (Colour, Colour.BLUE, "blue"),
    (Point, Point(1, 2), {"x": 1, "y": 2}),
    (Person, Person(title="Dr"), {"title": "Dr", "address": None}),
    (tuple[int, str], (1, "a"), [1, "a"]),
    (list[str], (), []),
    (Path, Path("notes"), "notes"),
    (date, date(2024, 5, 6), "2024-05-06"),
    (dict[str, Any], {"a": [1]}, {"a": [1]}),
    (Annotated[str, Field(alias="from")], "here", "here"),
]


@pytest.mark.parametrize(("hint", "default", "shown"), DEFAULTS, ids=[str(hint) for hint, _, _ in DEFAULTS])
def test_a_default_is_shown_as_json_and_may_be_sent(hint: Any, default: Any, shown: Any) -> None:
    signature = describe(taking(hint, default))
    [(name, part)] = signature.parameters["properties"].items()

    assert part["default"] == shown
    assert "required" not in signature.parameters
    assert signature.bind({name: shown}) == {"a": list(default) if hint == list[str] else default}


@pytest.mark.parametrize("hint", [str, Annotated[str, "a name"], Annotated[str, Field(alias="b", max_length=3)]])
def test_a_default_of_none_makes_a_parameter_optional(hint: Any) -> None:
    signature = describe(taking(hint, None))
    [(name, part)] = signature.parameters["properties"].items()

    assert part["default"] is None
    assert signature.bind({name: None}) == {"a": None}


def test_an_alias_is_the_name_the_model_sees() -> None:
    signature = describe(taking(Annotated[str, Field(alias="from", description="sender")]))

    assert signature.parameters["properties"] == {"from": {"type": "string", "description": "sender"}}
    assert signature.bind({"from": "x"}) == {"a": "x"}


# --- what cannot be offered -----------------------------------------------------------------------------------------


def starred(*texts: str) -> None: ...
def doubly_starred(**texts: str) -> None: ...
def bare(a) -> None: ...  # type: ignore[no-untyped-def]
def by_position(a: int, /) -> None: ...
def unknown(a: Missing) -> None: ...  # type: ignore[name-defined]  # noqa: F821
def of_a_function(a: Callable[[], int]) -> None: ...
def of_a_number(a: 5) -> None: ...  # type: ignore[valid-type]
def of_a_thing(a: int, b: Counter) -> None: ...
def endless(a: float = math.inf) -> None: ...
def sentinel(a: Any = object()) -> None: ...  # noqa: B008
def unfit(a: int = "many") -> None: ...  # type: ignore[assignment]
def of_a_field(a: int = Field(3)) -> None: ...
def twice(a: int, b: Annotated[int, Field(alias="a")]) -> None: ...
def two_contexts(a: ToolContext, b: ToolContext) -> None: ...
def yielding() -> Iterator[int]:
    yield 1


async def async_yielding() -> AsyncIterator[int]:
    yield 1


REFUSED: list[tuple[Any, str, str]] = [
    (starred, "*texts", "texts: list[str]"),
    (doubly_starred, "**texts", "texts: dict[str, str]"),
    (bare, "'a' has no annotation", "a: str"),
    (by_position, "positional-only", "remove the '/'"),
    (len, "positional-only", "remove the '/'"),
    (print, "*args", "functools.wraps"),
    (unknown, "'Missing' is not defined", "names that exist where the function is defined"),
    (of_a_function, "'a' is annotated collections.abc.Callable[[], int]", "use types that JSON can hold"),
    (of_a_number, "'a' is annotated 5", "use types that JSON can hold"),
    (of_a_thing, "'b' is annotated", "ToolContext.state"),
    (endless, "inf, has no JSON form", "use None there"),
    (sentinel, "<object object>, has no JSON form", "use None there"),
    (unfit, "'many', has no JSON form that fits", "widen the annotation"),
    (of_a_field, "is a Field", "a: Annotated[..., Field(...)]"),
    (twice, "two parameters have one name", "change an alias"),
    (two_contexts, "only one parameter can be the context", "remove one of a, b"),
    (yielding, "it yields", "return a list"),
    (async_yielding, "it yields", "return a list"),
    (Counter.count, "'self' is not filled in", "thing.method"),
    (Counter, "is a class", "a bound method"),
    (lambda: 1, "a lambda", "write it as a def"),
    (5, "5 cannot be called", "a tool is a function"),
    ({"name": "x"}, "cannot be called", "a tool is a function"),
]


@pytest.mark.parametrize(("tool", "problem", "mend"), REFUSED, ids=[problem for _, problem, _ in REFUSED])
def test_what_cannot_be_offered_is_refused_with_a_way_to_mend_it(tool: Any, problem: str, mend: str) -> None:
    with pytest.raises(ToolDefinitionError) as refused:
        describe(tool, context_type=ToolContext)

    assert problem in str(refused.value)
    assert mend in str(refused.value)
    assert " 0x" not in str(refused.value)


class Old(TypedDict, total=False):
    """A place."""

    x: Required[int]
    near: Annotated[list[int], "what is near"]


class Older(TypedDict):
    place: Old
    places: NotRequired[dict[str, Old] | None]


class Chain(TypedDict):
    then: Chain | None


def test_a_typed_dict_of_the_standard_library_is_one_on_every_python() -> None:
    def go(to: Older) -> str:
        return ""

    where = describe(go).parameters["properties"]["to"]
    assert where["required"] == ["place"]
    assert where["properties"]["place"]["required"] == ["x"]
    assert where["properties"]["place"]["description"] == "A place."
    assert set(where["properties"]["place"]["properties"]) == {"x", "near"}
    assert describe(go).bind({"to": {"place": {"x": "1"}}}) == {"to": {"place": {"x": 1}}}
    with pytest.raises(BadArguments, match="places"):
        describe(go).bind({"to": {"place": {"x": 1}, "places": {"a": {}}}})


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="pydantic takes typing.TypedDict from Python 3.12 on")
def test_one_that_holds_itself_is_refused_with_its_mend() -> None:
    def go(to: Chain) -> str:
        return ""

    with pytest.raises(ToolDefinitionError, match="import TypedDict from typing_extensions"):
        describe(go)


@pytest.mark.parametrize(
    ("name", "near"),
    [("look up", "look_up"), ("grün", "gr_n"), ("a.b", "a_b"), ("", None), ("!", None), ("x" * 65, "x" * 64)],
)
def test_a_name_the_api_would_refuse_is_refused_with_one_that_would_do(name: str, near: str | None) -> None:
    with pytest.raises(ToolDefinitionError, match="1 to 64 of the characters") as refused:
        describe(add, name=name)

    assert (f"name={near!r} would do" in str(refused.value)) is (near is not None)


@pytest.mark.parametrize("name", [5, None, ["add"], {}])
def test_L20_a_name_that_is_no_text_is_refused_when_the_tool_is_made(name: Any) -> None:
    with pytest.raises(ToolDefinitionError, match="a tool's name is"):
        foreign({"name": name})
    if name is not None:
        with pytest.raises(ToolDefinitionError, match="a tool's name is"):
            describe(add, name=name)


# --- someone else's schema --------------------------------------------------------------------------------------------

FOREIGN = {
    "type": "function",
    "function": {
        "name": "look",
        "description": "<b>Look</b>",
        "strict": True,
        "parameters": {"type": "object", "properties": {"at": {"type": "string", "title": "At"}}, "required": ["at"]},
    },
}


def test_a_foreign_schema_is_told_as_it_was_given() -> None:
    assert foreign(FOREIGN).schema == FOREIGN
    assert foreign(FOREIGN["function"]).schema == FOREIGN  # type: ignore[arg-type]


def test_a_foreign_tool_may_have_no_parameters_and_no_description() -> None:
    signature = foreign({"name": "ping"})

    assert signature.schema == {"type": "function", "function": {"name": "ping"}}
    assert signature.bind({}) == {}


def deep(levels: int, inner: Any = None) -> Any:
    for _ in range(levels):
        inner = {"properties": {"a": inner}}
    return inner or {}


FOREIGN_REFUSED: list[tuple[Any, str]] = [
    (5, "a tool's schema is a dict such as"),
    ({"function": 5}, "a tool's schema is a dict such as"),
    ({"name": "x", "parameters": {"a": {1, 2}}}, "a tool's schema is JSON"),
    ({"name": "x", "description": 5}, "'description' is text"),
    ({"name": "x", "parameters": []}, "with 'type': 'object'"),
    ({"name": "x", "parameters": {"type": "dict"}}, "with 'type': 'object'"),
    ({"name": "x", "parameters": {"properties": {"a": {"type": "float"}}}}, "mend it at properties.a"),
    ({"name": "x", "parameters": {"properties": 5}}, "no JSON schema"),
    ({"name": "x", "parameters": {"properties": {"a": {"$ref": "#/$defs/b"}}}}, "nothing at its '.ref' #/.defs/b"),
    ({"name": "x", "parameters": deep(5000)}, "nested too deeply|is not"),
    ({"name": "x", "parameters": deep(200)}, "nested too deeply"),
]


@pytest.mark.parametrize(("given", "problem"), FOREIGN_REFUSED, ids=range(len(FOREIGN_REFUSED)))
def test_a_foreign_schema_that_is_none_is_refused(given: Any, problem: str) -> None:
    with pytest.raises(ToolDefinitionError, match=problem):
        foreign(given)


@pytest.mark.parametrize("address", ["http://127.0.0.1:9/a.json", "file:///etc/hostname", "other.json#/a", "//x"])
def test_a_reference_to_somewhere_else_is_refused_not_fetched(address: str) -> None:
    with pytest.raises(ToolDefinitionError, match="is not fetched"):
        foreign({"name": "x", "parameters": {"properties": {"a": {"$ref": address}}}})


def test_an_older_dialect_is_read_as_what_it_says_it_is() -> None:
    pair = {"type": "array", "items": [{"type": "integer"}, {"type": "string"}]}
    shape = {"$schema": "http://json-schema.org/draft-07/schema#", "type": "object", "properties": {"a": pair}}
    signature = foreign({"name": "x", "parameters": shape})

    assert signature.bind({"a": [1, "b"]}) == {"a": [1, "b"]}
    with pytest.raises(ValueError, match=r"a\[1\]: 2 is not of type 'string'"):
        signature.bind({"a": [1, 2]})


# --- the room -------------------------------------------------------------------------------------------------------


def test_importing_the_package_loads_none_of_this() -> None:
    code = "import sys, hermes_nb; print({'pydantic', 'jsonschema', 'docstring_parser'} & set(sys.modules))"

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


def test_a_signature_is_a_fact() -> None:
    signature = describe(add)

    assert isinstance(signature, Signature)
    with pytest.raises(AttributeError):
        signature.name = "other"  # type: ignore[misc]


def test_the_default_of_a_field_is_the_default() -> None:
    assert isinstance(Field(3), FieldInfo)
    assert describe(taking(Annotated[int, Field(default=3)])).bind({}) == {"a": 3}
