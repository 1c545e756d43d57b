"""What a model sends becomes the function's arguments, or a sentence of bounded length that says what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
import typing_extensions
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema

from hermes_nb.tools.schema import BadArguments, describe, foreign


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Point:
    x: float
    y: float = 0


class Even(BaseModel):
    number: int

    def model_post_init(self, _: Any) -> None:
        if self.number % 2:
            raise ValueError("an odd number")


class Node(BaseModel):
    title: str
    children: list[Node] = []


class Options(typing_extensions.TypedDict):
    deep: bool
    depth: typing_extensions.NotRequired[int]


def add(a: int, b: int = 3) -> int:
    return a + b


def rich(
    text: str,
    node: Node,
    point: Point,
    many: list[int],
    pair: tuple[int, str],
    options: Options,
    named: dict[str, float],
    either: int | str | None,
    anything: Any,
    unique: set[str],
    *,
    colour: Colour = Colour.RED,
    word: Literal["a", "b", 3] = "a",
    count: Annotated[int, Field(ge=1, le=9)] = 1,
    yes: bool = False,
) -> dict[str, Any]: ...


def fault(bind: Callable[[Any], Any], arguments: Any) -> str:
    with pytest.raises(BadArguments) as refused:
        bind(arguments)
    return str(refused.value)


# --- by types -------------------------------------------------------------------------------------------------------


def test_arguments_become_what_the_annotations_say() -> None:
    bound = describe(rich).bind({
        "text": "x", "node": {"title": "t", "children": [{"title": "u"}]}, "point": {"x": 1}, "many": [1],
        "pair": [1, "b"], "options": {"deep": True}, "named": {"a": 1}, "either": "e", "anything": [{}],
        "unique": ["a"], "colour": "blue",
    })  # fmt: skip

    assert bound == {
        "text": "x", "node": Node(title="t", children=[Node(title="u")]), "point": Point(1.0), "many": [1],
        "pair": (1, "b"), "options": {"deep": True}, "named": {"a": 1.0}, "either": "e", "anything": [{}],
        "unique": {"a"}, "colour": Colour.BLUE,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("hint", "sent", "got"),
    [
        (int, "42", 42),
        (int, 4.0, 4),
        (float, "1.5", 1.5),
        (bool, "yes", True),
        (bool, 0, False),
        (dict[int, str], {"1": "a"}, {1: "a"}),
    ],
)
def test_what_is_meant_is_taken(hint: Any, sent: Any, got: Any) -> None:
    def tool(a): ...  # type: ignore[no-untyped-def]

    tool.__annotations__ = {"a": hint}

    assert describe(tool).bind({"a": sent}) == {"a": got}


def test_what_is_left_out_is_left_to_the_function() -> None:
    assert describe(add).bind({"a": 1}) == {"a": 1}


def test_a_refusal_is_a_sentence_with_places_and_what_is_expected() -> None:
    assert fault(describe(add).bind, {"a": "x", "c": 1}) == (
        "Bad arguments for add: a: Input should be a valid integer, unable to parse string as an integer, got 'x'; "
        "c: is not expected. Expected: a (integer, required), b (integer, default 3)."
    )


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (
            {"node": {"title": "t", "children": [{"title": 5}]}},
            "node.children[0].title: Input should be a valid string",
        ),
        ({"point": {"x": 1, "z": 2}}, "point.z: is not expected"),
        ({"point": {}}, "point.x: is required"),
        ({"colour": "green"}, "colour: Input should be 'red' or 'blue', got 'green'"),
        ({"count": 10}, "count: Input should be less than or equal to 9, got 10"),
        ({"yes": None}, "yes: Input should be a valid boolean, got null"),
        ({"text": None}, "text (string, required)"),
        ({"text": None}, 'word (one of "a", "b", 3, default "a")'),
        ({"text": None}, "either (integer or string or null, required)"),
        ({"text": None}, "options (object, required)"),
    ],
)
def test_each_fault_has_its_place(wrong: dict[str, Any], told: str) -> None:
    fine = {
        "text": "", "node": {"title": ""}, "point": {"x": 1}, "many": [], "pair": [1, ""], "options": {"deep": True},
        "named": {}, "either": None, "anything": None, "unique": [],
    }  # fmt: skip
    signature = describe(rich)

    assert signature.bind(fine)["pair"] == (1, "")
    assert told in fault(signature.bind, fine | wrong)


def test_what_a_validator_says_is_told() -> None:
    def halve(of: Even) -> None: ...

    assert "of: an odd number, got {'number': 3}" in fault(describe(halve).bind, {"of": {"number": 3}})


def test_a_tool_without_parameters_says_so() -> None:
    def ping() -> None: ...

    assert fault(describe(ping).bind, {"a": 1}) == "Bad arguments for ping: a: is not expected. It takes no arguments."


@pytest.mark.parametrize(
    ("sent", "told"),
    [([1], "an array: [1]"), (None, "null"), (5, "a number: 5"), ("{}", "a string: '{}'"), (True, "a boolean: true")],
)
@pytest.mark.parametrize("bind", [describe(add).bind, foreign({"name": "f"}).bind], ids=["typed", "foreign"])
def test_L2_arguments_that_are_no_object_are_refused_naming_what_they_are(
    bind: Callable[[Any], Any], sent: Any, told: str
) -> None:
    assert f"they must be one JSON object, got {told}" in fault(bind, sent)


# --- by someone else's schema ---------------------------------------------------------------------------------------

SEARCH = {
    "name": "search",
    "parameters": {
        "type": "object",
        "properties": {
            "query": {"type": "string", "pattern": "^(a+)+$"},
            "limit": {"type": ["integer", "null"], "default": 5},
            "tags": {"type": "array", "items": {"enum": ["x", "y"]}, "uniqueItems": True},
            "tree": {"$ref": "#/$defs/tree"},
        },
        "required": ["query"],
        "additionalProperties": False,
        "$defs": {"tree": {"type": "object", "properties": {"inner": {"$ref": "#/$defs/tree"}}}},
    },
}


def test_foreign_arguments_pass_through_unchanged() -> None:
    sent = {"query": "aa", "limit": None, "tags": ["x", "y"], "tree": {"inner": {"inner": {}}}}

    assert foreign(SEARCH).bind(sent) is sent


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ({}, "'query' is a required property"),
        ({"query": 5}, "query: 5 is not of type 'string'"),
        ({"query": "", "limit": "5"}, "limit: '5' is not of type 'integer', 'null'"),
        ({"query": "", "tags": ["x", "z"]}, "tags[1]: 'z' is not one of ['x', 'y']"),
        ({"query": "", "tags": ["x", "x"]}, "tags: has items that are equal"),
        ({"query": "", "more": 1}, "Additional properties are not allowed ('more' was unexpected)"),
        ({"query": "", "tree": {"inner": {"inner": 5}}}, "tree.inner.inner: 5 is not of type 'object'"),
        ({"query": 5}, "query (string, required), limit (integer or null, default 5), tags (array, optional)"),
    ],
)
def test_foreign_arguments_are_checked(sent: dict[str, Any], told: str) -> None:
    assert told in fault(foreign(SEARCH).bind, sent)


BACKTRACKS = "a" * 60 + "!"
OLD = "http://json-schema.org/draft-04/schema#"


@pytest.mark.parametrize(
    "shape",
    [
        {"properties": {"x": {"pattern": "^(a+)+$"}}},
        {"patternProperties": {"^(a+)+$": {"type": "integer"}}},
        {"patternProperties": {"^(a+)+$": {}}, "additionalProperties": False},
        {"patternProperties": {"^(a+)+$": {}}, "unevaluatedProperties": False},
        {"propertyNames": {"pattern": "^(a+)+$"}},
        {"properties": {"x": {"format": "regex"}}},
        {"$schema": OLD, "properties": {"x": {"pattern": "^(a+)+$"}}},
        {"properties": {"x": {"$schema": OLD, "pattern": "^(a+)+$"}}},
        {"properties": {"x": {"anyOf": [{"not": {"$schema": OLD, "type": "null"}}, {"pattern": "^(a+)+$"}]}}},
    ],
)
def test_A40_no_foreign_regular_expression_is_run(shape: dict[str, Any]) -> None:
    sent = {"x": BACKTRACKS, BACKTRACKS: BACKTRACKS}

    assert foreign({"name": "f", "parameters": shape}).bind(sent) is sent


def test_a_schema_that_asks_for_endless_work_is_given_up() -> None:
    doubling = {f"d{step}": {"allOf": [{"$ref": f"#/$defs/d{step + 1}"}] * 2} for step in range(60)}
    shape = {"properties": {"x": {"$ref": "#/$defs/d0"}}, "$defs": {**doubling, "d60": {"type": "string"}}}

    assert "too much to check" in fault(foreign({"name": "f", "parameters": shape}).bind, {"x": "y"})


def test_a_schema_that_is_itself_is_given_up() -> None:
    assert "too deeply" in fault(foreign({"name": "f", "parameters": {"$ref": "#"}}).bind, {})


def test_many_equal_items_are_found_without_comparing_each_to_each() -> None:
    signature = foreign(SEARCH | {"parameters": {"properties": {"a": {"uniqueItems": True}}}})
    items = [{"n": number} for number in range(20_000)]

    assert signature.bind({"a": items})
    assert "items that are equal" in fault(signature.bind, {"a": [*items, {"n": 5}]})


def test_a_number_too_large_for_a_check_is_a_fault() -> None:
    signature = foreign({"name": "f", "parameters": {"properties": {"a": {"multipleOf": 0.1}}}})

    assert "too large" in fault(signature.bind, {"a": 10**400})


# --- bounds ---------------------------------------------------------------------------------------------------------


def nested(levels: int, key: str) -> Any:
    inner: Any = {"title": "x"}
    for _ in range(levels):
        inner = {"title": "x", key: [inner] if key == "children" else inner}
    return inner


RICH, FOREIGN = describe(rich), foreign(SEARCH)
LARGE: list[dict[str, Any]] = [
    {"text": ["x" * 1_000_000], "query": ["x" * 1_000_000]},
    {"x" * 1_000_000: 1},
    {str(number): number for number in range(20_000)},
    {"many": ["x"] * 50_000, "tags": ["z"] * 50_000, "query": 5},
    {"text": "\ud800" * 5000, "query": {"\ud800": 1}, "\ud800" * 900: 1},
    {"named": {"é" * 5000: "x"}, "tree": "é" * 100_000},
    {"many": [10**5000], "limit": 0.5, "query": 10**5000},
]


@pytest.mark.parametrize("sent", LARGE, ids=range(len(LARGE)))
@pytest.mark.parametrize("signature", [RICH, FOREIGN], ids=["typed", "foreign"])
def test_F24_a_refusal_is_small_however_much_was_sent(signature: Any, sent: dict[str, Any]) -> None:
    assert len(fault(signature.bind, sent).encode()) <= 2048


@pytest.mark.parametrize("place", ["node", "text", "anything", "point", "named", "either", "many"])
def test_L19_deeply_nested_arguments_are_refused_without_a_recursion_error(place: str) -> None:
    assert len(fault(RICH.bind, {place: nested(50_000, "children")}).encode()) <= 2048


@pytest.mark.parametrize("place", ["tree", "query", "tags", "limit"])
def test_L19_deeply_nested_arguments_of_a_foreign_tool_are_refused_without_a_recursion_error(place: str) -> None:
    assert len(fault(FOREIGN.bind, {place: nested(50_000, "inner")}).encode()) <= 2048


def test_the_sentence_of_a_tool_with_many_parameters_still_says_what_is_wrong() -> None:
    shape = {
        "properties": {f"parameter_{number}": {"enum": ["é" * 90] * 9} for number in range(500)},
        "required": ["need"],
    }
    told = fault(foreign({"name": "f", "parameters": shape}).bind, {})

    assert "'need' is a required property" in told
    assert len(told.encode()) <= 2048


class Counted:
    built = 0

    @classmethod
    def __get_pydantic_core_schema__(cls, _: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        cls.built += 1
        return handler(int)


def test_a_validator_is_built_once_not_for_each_call() -> None:
    def tool(a: Counted) -> None: ...

    bind, built = describe(tool).bind, Counted.built
    for number in range(3):
        assert bind({"a": number}) == {"a": number}

    assert Counted.built == built


# --- anything at all ------------------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**30, -(10**400), 1e308])
    | st.floats()
    | st.text(st.characters(codec=None), max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)


def fitting(shape: dict[str, Any], definitions: dict[str, Any]) -> st.SearchStrategy[Any]:
    """JSON that fits a schema of the kind we make."""
    if "$ref" in shape:
        target = definitions[shape["$ref"].rpartition("/")[2]]
        return st.deferred(lambda: fitting(target, definitions))
    if "enum" in shape:
        return st.sampled_from(shape["enum"])
    if "anyOf" in shape:
        return st.one_of([fitting(choice, definitions) for choice in shape["anyOf"]])
    if shape.get("type") == "array":
        return fitting_array(shape, definitions)
    if shape.get("type") == "object":
        return fitting_object(shape, definitions)
    plain: dict[str | None, st.SearchStrategy[Any]] = {
        "string": st.text(),
        "integer": st.integers(shape.get("minimum"), shape.get("maximum")),
        "number": st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**6), 10**6),
        "boolean": st.booleans(),
        "null": st.none(),
        None: JSON,
    }
    return plain[shape.get("type")]


def fitting_array(shape: dict[str, Any], definitions: dict[str, Any]) -> st.SearchStrategy[Any]:
    if "prefixItems" in shape:
        return st.tuples(*(fitting(item, definitions) for item in shape["prefixItems"])).map(list)
    items = fitting(shape["items"], definitions)
    return st.lists(items, max_size=3, unique_by=repr if shape.get("uniqueItems") else None)


def fitting_object(shape: dict[str, Any], definitions: dict[str, Any]) -> st.SearchStrategy[Any]:
    if "properties" not in shape:
        return st.dictionaries(st.text(), fitting(shape["additionalProperties"], definitions), max_size=3)
    parts = {name: fitting(part, definitions) for name, part in shape["properties"].items()}
    needed = shape.get("required", [])
    return st.fixed_dictionaries(
        {name: part for name, part in parts.items() if name in needed},
        optional={name: part for name, part in parts.items() if name not in needed},
    )


@given(fitting(RICH.parameters, RICH.parameters["$defs"]))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_fits_the_schema_binds(arguments: dict[str, Any]) -> None:
    bound = RICH.bind(arguments)

    assert set(bound) == set(arguments)
    assert isinstance(bound["point"], Point)
    assert isinstance(bound["pair"], tuple)


@given(st.dictionaries(st.sampled_from(list(RICH.parameters["properties"])) | st.text(max_size=5), JSON) | JSON)
@settings(deadline=None)
def test_whatever_is_sent_binds_or_is_refused_in_a_sentence(arguments: Any) -> None:
    try:
        bound = RICH.bind(arguments)
    except BadArguments as refused:
        assert len(str(refused).encode()) <= 2048
    else:
        assert set(bound) == set(arguments)


@given(st.dictionaries(st.sampled_from(["query", "limit", "tags", "tree"]) | st.text(max_size=5), JSON) | JSON)
@settings(deadline=None)
def test_whatever_is_sent_to_a_foreign_tool_passes_or_is_refused_in_a_sentence(arguments: Any) -> None:
    try:
        assert FOREIGN.bind(arguments) is arguments
    except BadArguments as refused:
        assert len(str(refused).encode()) <= 2048
