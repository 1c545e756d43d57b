"""The one encode/decode pair never changes a value silently."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes_nb import codec
from hermes_nb.records import Reply

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_any_json_value_comes_back_as_it_was(value: object) -> None:
    assert codec.loads(codec.dumps(value)) == value


@given(st.text(st.characters(codec=None), min_size=1))
def test_any_text_comes_back_lone_surrogates_and_nul_too(text: str) -> None:
    assert codec.loads(codec.dumps({"t": text})) == {"t": text}


def test_nan_is_not_turned_into_null() -> None:
    written = codec.dumps({"a": [None, math.nan], "b": math.inf})
    back = codec.loads(written)
    assert back["a"][0] is None
    assert math.isnan(back["a"][1])
    assert back["b"] == math.inf


@pytest.mark.parametrize("number", [2**63 - 1, 2**64, -(2**70), 10**40])
def test_integers_beyond_64_bits_stay_integers(number: int) -> None:
    assert codec.loads(codec.dumps([number])) == [number]
    assert codec.loads(json.dumps([number])) == [number]


def test_what_is_not_json_is_a_value_error() -> None:
    for broken in (b"<html>", b"", b'{"a": 1', b"\xff\xfe"):
        with pytest.raises(ValueError):
            codec.loads(broken)


def test_json_nested_too_deeply_is_a_value_error() -> None:
    with pytest.raises(ValueError):
        codec.loads("[" * 200_000)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1}', {"a": 1}),
        ("", {}),
        ("  \n", {}),
        ("null", {}),
        ('"{\\"a\\": 1}"', {"a": 1}),
        ("[1]", [1]),
        ("5", 5),
        ('"words"', "words"),
        ('{"n": 123456789012345678901234567890}', {"n": 123456789012345678901234567890}),
    ],
)
def test_argument_text_is_read(text: str, value: object) -> None:
    assert codec.parse_arguments(text) == (value, None)


@pytest.mark.parametrize(
    "text", ['{"a": 1', '{"a":1}{"a":2}', "{'a': 1}", '{"a": 1,}', '{"a": NaN}', "```json\n{}\n```"]
)
def test_argument_text_that_is_not_json_has_a_problem_and_no_value(text: str) -> None:
    value, problem = codec.parse_arguments(text)
    assert value is None
    assert problem


def test_L19_arguments_nested_ten_thousand_deep_are_a_problem_not_a_crash() -> None:
    value, problem = codec.parse_arguments('{"a":' * 100_000)
    assert (value, problem is not None) == (None, True)


@dataclass(frozen=True)
class Inner:
    name: str
    size: int | None = None


@dataclass(frozen=True)
class Outer:
    one: Inner
    many: tuple[Inner, ...] = ()
    maybe: Inner | None = None
    live: object = field(default=None, metadata={"memory_only": True})
    tags: dict[str, int] = field(default_factory=dict)


def test_records_come_back_and_memory_only_fields_stay_behind() -> None:
    outer = Outer(Inner("a", 1), (Inner("b"), Inner("c", 2)), Inner("d"), live=object(), tags={"x": 1})
    plain = codec.plain(outer)
    assert "live" not in plain
    assert "maybe" in plain
    back = codec.build(Outer, codec.loads(codec.dumps(plain)))
    assert (back.one, back.many, back.maybe, back.live, back.tags) == (
        outer.one,
        outer.many,
        outer.maybe,
        None,
        {"x": 1},
    )


def test_fields_at_their_default_take_no_room() -> None:
    assert codec.plain(Outer(Inner("a"))) == {"one": {"name": "a"}, "tags": {}}


def test_keys_nobody_knows_are_left_aside() -> None:
    assert codec.build(Inner, {"name": "a", "colour": "red"}) == Inner("a")


def test_what_is_left_aside_can_be_put_back() -> None:
    data = {
        "one": {"name": "a", "x": {}},
        "many": [{"name": "b"}, {"name": "c", "y": [1]}],
        "tags": {},
        "z": None,
        "live": 3,
    }
    unread: dict[str, object] = {}
    outer = codec.build(Outer, data, unread)
    assert unread == {"one": {"x": {}}, "many": {1: {"y": [1]}}, "z": None, "live": 3}
    plain = codec.plain(outer)
    codec.merge(plain, unread)
    assert plain == data


def test_what_is_left_aside_of_a_record_that_is_at_its_default_is_put_back_too() -> None:
    unread: dict[str, object] = {}
    reply = codec.build(Reply, {"message": {}, "usage": {"audio": 7}}, unread)
    plain = codec.plain(reply)
    codec.merge(plain, unread)
    assert plain == {"message": {}, "usage": {"audio": 7}}


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ([], "must be an object, not a list"),
        ({"one": None}, "one: must be an object, not null"),
        ({"one": {"name": 5}}, "one: name: must be text, not a number"),
        ({"one": {"name": "a", "size": "big"}}, "one: size: must be a whole number, not text"),
        ({"one": {"name": "a", "size": True}}, "one: size: must be a whole number, not true or false"),
        ({"one": {"name": "a", "size": 2**63}}, "one: size: .* more than 64 bits"),
        ({"one": {"name": "a"}, "many": {}}, "many: must be a list, not an object"),
        ({"one": {"name": "a"}, "many": [1]}, "many: must be an object, not a number"),
        ({"one": {"name": "a"}, "tags": "x"}, "tags: must be an object, not text"),
    ],
)
def test_a_value_that_is_not_of_its_fields_type_is_refused_by_name(data: object, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        codec.build(Outer, data)


def test_the_outline_of_a_record_shares_what_its_fields_hold() -> None:
    outer = Outer(Inner("a"), (Inner("b"),), tags={"x": 1})
    outline = codec.outline(outer)
    assert outline == codec.plain(outer)
    assert outline["tags"] is outer.tags


def test_a_fraction_of_many_digits_is_a_number_as_python_reads_it() -> None:
    for text in ("0.0004385620013636071", "[1.00000000000000000000001]", "12345678901234567890.5"):
        assert codec.loads(text) == json.loads(text)
