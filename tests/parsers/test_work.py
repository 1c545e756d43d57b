"""The work grows with the text, whatever stands in it: counted in characters looked at, not in seconds."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hermes_nb import parsers
from hermes_nb.parsers import Stream
from tests.parsers.samples import NAMES, TOOLS

OPENERS = [
    "",
    "{",
    '{"',
    '{"a": "',
    '{"name": "f", "arguments": {',
    '{"name": "f", "arguments": {"a": "',
    "[",
    "[[",
    '["',
    "f",
    "f\n",
    "f(",
    "[f(",
    "[f(a='",
    '[f(a="\\',
    "<function=f>",
    "<function=f><parameter=a>",
    "<parameter=a>x</parameter> y",
    "<arg_key>a</arg_key><arg_value>",
    "call:f{",
    'call:f{a:<|"|>',
    "call:f{a:<escape>",
    "<|message|>",
    " ",
    "```json [{",
    '"',
    "\\",
    '{"":"',
    '{"a","\\"',
]


def work(name: str, text: str, step: int) -> int:
    """How many characters are looked at, where the text comes in pieces of this length."""
    stream: Stream = parsers.get_parser(name, TOOLS).stream()
    for start in range(0, len(text), step):
        stream.feed(text[start : start + step])
    stream.finish()
    return stream.scanned


@pytest.mark.parametrize("name", NAMES)
def test_the_work_on_marks_and_open_calls_by_the_thousand_grows_with_their_number(name: str) -> None:
    marks = parsers.FORMATS[name].marks.marks
    units = [mark + opener for mark in ("", *marks) for opener in OPENERS if mark + opener]

    for unit in units:
        small, large = unit * 40, unit * 400
        few, many = work(name, small, len(small)), work(name, large, len(large))
        assert many <= 12 * few + 20_000, (unit, few, many)


@pytest.mark.parametrize("name", NAMES)
def test_a_hundred_thousand_open_marks_are_looked_at_a_few_times_each(name: str) -> None:
    mark = parsers.FORMATS[name].starts[0]
    text = (mark + '{"') * (100_000 // (len(mark) + 2))

    assert work(name, text, len(text)) <= 12 * len(text) + 100_000


@pytest.mark.parametrize("name", NAMES)
def test_one_character_at_a_time_costs_a_few_looks_more(name: str) -> None:
    parser = parsers.get_parser(name)
    text = "Some words first. " * 20 + parser.render([("search", {"text": "word " * 400, "items": [1, 2, 3] * 50})])

    assert work(name, text, 1) <= 40 * work(name, text, len(text))


FRAGMENTS = [
    '{"name": "search", "arguments": {"text": "a b", "count": 3}}', '{"a": [1, 2, {"b": "c \\" d"}]}', "[[", "]]", "{",
    "}", '"', " ", "\n", "words  and ", "é日", "\u2003", "NaN", "\\", "[" * 210 + "]" * 210, "true,",
    '{"name": "search", "arguments": {"text": "' + "y" * 40 + '"}}',
]  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(NAMES), st.lists(st.integers(0, 99), max_size=20), st.integers(2, 60))
def test_json_that_is_there_as_a_whole_is_read_as_it_is_letter_by_letter(
    name: str, picks: list[int], step: int
) -> None:
    form = parsers.FORMATS[name]
    known = [*FRAGMENTS, *form.marks.marks, *getattr(form, "end", ())]
    text = "".join(known[pick % len(known)] for pick in picks)
    whole = parsers.get_parser(name).parse(text)
    for size in (1, step):
        stream = parsers.get_parser(name).stream()
        told = [piece for at in range(0, len(text), size) for piece in stream.feed(text[at : at + size])]
        told += stream.end()

        assert stream.finish() == whole
        assert "".join(piece.text for piece in told if piece.part == "content") == whole.content
