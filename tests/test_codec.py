"""The one encode/decode pair never changes a value silently."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes_nb import codec

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
