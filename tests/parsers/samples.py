"""Calls, tools and texts that the tests of every parser share."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import strategies as st

from hermes_nb import codec, parsers
from hermes_nb.parsers import Parsed

NAMES = tuple(name for name in parsers.names() if name != "auto")

TOOLS: list[dict[str, Any]] = [
    {
        "type": "function",
        "function": {
            "name": name,
            "parameters": {
                "type": "object",
                "properties": {
                    "text": {"type": "string"},
                    "count": {"type": "integer"},
                    "ratio": {"type": "number"},
                    "flag": {"type": "boolean"},
                    "items": {"type": "array"},
                    "held": {"type": "object"},
                },
            },
        },
    }
    for name in ("get_weather", "search")
]

LETTERS = st.characters(codec="utf-8", exclude_categories=["Cs"])
TEXTS = st.text(LETTERS, max_size=30)
KEYS = st.from_regex(r"[a-z][a-z_]{0,8}", fullmatch=True)
SCALARS = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e6, 1e6, width=32) | TEXTS
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3))
ARGUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "text": TEXTS,
        "count": st.integers(-(2**53), 2**53),
        "ratio": st.floats(-1e6, 1e6, width=32),
        "flag": st.booleans(),
        "items": st.lists(VALUES, max_size=3),
        "held": st.dictionaries(KEYS, VALUES, max_size=3),
    },
)
CALLS = st.lists(st.tuples(st.sampled_from(["get_weather", "search"]), ARGUMENTS), min_size=1, max_size=3)

FOUR = (("get_weather", {"text": "Zürich ☂ 日本"}), ("search", {"count": 3, "flag": True, "items": [1, "a", None]}))


def found(parsed: Parsed) -> list[tuple[str, Any]]:
    """The calls as names and the values of their arguments."""
    return [(call.name, codec.loads(call.arguments)) for call in parsed.calls]


def fed(name: str, chunks: list[str], **how: Any) -> Parsed:
    """The text in these chunks, as a parser of that name reads it."""
    parser = parsers.get_parser(name, **how)
    for chunk in chunks:
        parser.feed(chunk)
    return parser.finish()


@st.composite
def cut(draw: st.DrawFn, text: str) -> list[str]:
    """The text in any chunks."""
    places = sorted(draw(st.lists(st.integers(0, len(text)), max_size=8)))
    edges = [0, *places, len(text)]
    return [text[start:end] for start, end in pairwise(edges)]
