"""What holds for every parser: rendering and reading, any chunks, any text, and calls that are cut off."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hermes_nb import codec, parsers
from tests.parsers.samples import CALLS, FOUR, NAMES, TOOLS, cut, fed, found

MARKS = sorted({mark for name in NAMES for mark in parsers.FORMATS[name].marks.marks})
BITS = [
    *MARKS,
    "{",
    "}",
    "[",
    "]",
    '"',
    "'",
    "\\",
    ":",
    ",",
    ";",
    "(",
    ")",
    "=",
    "\n",
    " ",
    "```",
    "name",
    "arguments",
    "f(",
    "[f(a='",
    "\\'",
    '\\"',
    '{"name": "f", "arguments": {"a": 1}}',
    '{"name": "f", "parameters": {"x": "',
    "</arg_key>",
    "<arg_value>",
    ">",
    "<parameter=a>",
    "</parameter>",
    "</function>",
    '"f">',
    "<|message|>",
    "to=functions.f",
    "call:f{",
    "é",
    "日本",
]
GARBAGE = st.lists(st.sampled_from(BITS) | st.text(max_size=4), max_size=25).map("".join)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_rendered_is_read_back(name: str) -> None:
    parser = parsers.get_parser(name, TOOLS)

    parsed = parser.parse(parser.render(FOUR))

    assert found(parsed) == [(tool, given) for tool, given in FOUR]
    assert (parsed.content, parsed.reasoning, parsed.problems) == ("", None, ())


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=40, deadline=None)
@given(calls=CALLS, data=st.data())
def test_any_calls_that_can_be_rendered_are_read_back_in_any_chunks(name: str, calls: Any, data: st.DataObject) -> None:
    parser = parsers.get_parser(name, TOOLS)
    try:
        text = parser.render(calls)
    except ValueError:
        return

    parsed = fed(name, data.draw(cut(text)), tools=TOOLS)

    assert [(call.name, codec.dumps(codec.loads(call.arguments))) for call in parsed.calls] == [
        (tool, codec.dumps(given)) for tool, given in calls
    ]
    assert parsed.content == ""


@pytest.mark.parametrize("name", [*NAMES, "auto"])
@settings(max_examples=60, deadline=None)
@given(text=GARBAGE, data=st.data())
def test_any_text_in_any_chunks_comes_to_the_same(name: str, text: str, data: st.DataObject) -> None:
    parsed = parsers.get_parser(name, TOOLS).parse(text)

    assert fed(name, data.draw(cut(text)), tools=TOOLS) == parsed
    assert fed(name, list(text), tools=TOOLS) == parsed


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=60, deadline=None)
@given(text=GARBAGE)
def test_calls_and_problems_stand_in_the_text_one_after_the_other(name: str, text: str) -> None:
    parsed = parsers.get_parser(name, TOOLS).parse(text)
    places = sorted((one.start, one.end) for one in (*parsed.calls, *parsed.problems))

    assert all(0 <= start <= end <= len(text) for start, end in places)
    assert all(end <= start for (_, end), (start, _) in pairwise(places))
    assert all(text[one.start : one.end] == one.raw and one.position <= len(text) for one in parsed.problems)
    assert all(codec.parse_arguments(call.arguments)[1] is None for call in parsed.calls)


@pytest.mark.parametrize("name", NAMES)
def test_pieces_are_the_result_in_order(name: str) -> None:
    text = "First. " + parsers.get_parser(name).render(FOUR) + " Last."
    stream = parsers.get_parser(name, TOOLS).stream()

    pieces = [piece for character in text for piece in stream.feed(character)]
    parsed = stream.finish()

    said = "".join(piece.text for piece in pieces if piece.part == "content")
    assert parsed.content.startswith(said)
    assert tuple(piece.call for piece in pieces if piece.call) == parsed.calls[: len([p for p in pieces if p.call])]


@pytest.mark.parametrize("name", NAMES)
def test_a_text_without_calls_is_its_content(name: str) -> None:
    text = "  2 < 3, a[1] = {x}; see [the list](there) and `f(x)`.\n"

    parsed = parsers.get_parser(name, TOOLS).parse(text)

    assert (parsed.content, parsed.reasoning, parsed.calls, parsed.problems) == (text, None, (), ())


@pytest.mark.parametrize("name", [*NAMES, "auto"])
@pytest.mark.parametrize("text", ["", " ", "\n\n"])
def test_nothing_and_white_space_are_content(name: str, text: str) -> None:
    assert parsers.get_parser(name).parse(text).content == text


@pytest.mark.parametrize("name", NAMES)
def test_words_before_and_after_calls_stay_content(name: str) -> None:
    parser = parsers.get_parser(name, TOOLS)

    parsed = parser.parse("Before it.\n" + parser.render(FOUR) + "\nAfter it.")

    if name == "gpt_oss":  # What follows a message without a header of its own is still content.
        assert parsed.content.split() == ["Before", "it.", "After", "it."]
    assert found(parsed) == [(tool, given) for tool, given in FOUR]
    assert parsed.content.replace("\n", "") == "Before it.After it."


@pytest.mark.parametrize("name", NAMES)
def test_a_call_that_is_cut_off_anywhere_is_never_made_up(name: str) -> None:
    parser = parsers.get_parser(name, TOOLS)
    text = parser.render(FOUR)

    for end in range(len(text)):
        parsed = parser.parse(text[:end])
        assert found(parsed) == [(tool, given) for tool, given in FOUR][: len(parsed.calls)], text[:end]


@pytest.mark.parametrize("name", NAMES)
def test_calls_without_arguments_have_empty_ones(name: str) -> None:
    parser = parsers.get_parser(name, TOOLS)

    assert found(parser.parse(parser.render([("search", {}), ("search", {})]))) == [("search", {}), ("search", {})]


@pytest.mark.parametrize("name", NAMES)
def test_marks_inside_strings_are_text(name: str) -> None:
    parser = parsers.get_parser(name, TOOLS)
    spared = [mark for mark in MARKS if renders(name, mark)]
    calls = [("search", {"text": f"a {mark} b"}) for mark in spared]

    assert len(spared) > len(MARKS) // 2
    for call in calls:
        assert found(parser.parse(parser.render([call, ("get_weather", {})]))) == [call, ("get_weather", {})]


def renders(name: str, mark: str) -> bool:
    if name == "gpt_oss" and mark in ("<|end|>", "<|call|>", "<|return|>", "<|start|>"):
        return False  # Its tokenizer never lets a message hold them.
    try:
        parsers.get_parser(name).render([("search", {"text": f"a {mark} b"})])
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("name", NAMES)
def test_arguments_nested_deep_are_read(name: str) -> None:
    parser = parsers.get_parser(name, TOOLS)
    held: dict[str, Any] = {}
    for _ in range(50):
        held = {"in": [held]}

    assert found(parser.parse(parser.render([("search", {"held": held})]))) == [("search", {"held": held})]


@pytest.mark.parametrize("name", NAMES)
def test_arguments_nested_too_deep_are_no_call_and_no_crash(name: str) -> None:
    parser = parsers.get_parser(name, TOOLS)
    text = parser.render([("search", {"items": ["@@"]})])
    for written in ('<|"|>@@<|"|>', "<escape>@@<escape>", '"@@"', "'@@'"):
        text = text.replace(written, "[" * 9000 + "]" * 9000)

    parsed = parser.parse(text)

    assert all(isinstance(codec.loads(call.arguments)["items"], str) for call in parsed.calls)
    assert parsed.calls or parsed.problems or parsed.content


@pytest.mark.parametrize("name", NAMES)
def test_every_format_says_where_it_is_defined(name: str) -> None:
    assert parsers.FORMATS[name].source


def test_the_names_are_those_of_the_original_and_of_current_open_models() -> None:
    assert set(parsers.names()) >= {
        "hermes",
        "qwen",
        "longcat",
        "mistral",
        "llama3_json",
        "llama4_json",
        "qwen3_coder",
        "glm45",
        "glm47",
        "deepseek_v3",
        "deepseek_v3_1",
        "kimi_k2",
        "pythonic",
        "llama4_pythonic",
        "deepseek_v3_2",
        "granite",
        "granite4",
        "gpt_oss",
        "gemma4",
        "functiongemma",
        "minimax_m2",
        "lfm2",
        "phi4mini",
        "xlam",
        "internlm2",
        "jamba",
        "hunyuan_a13b",
        "step3",
        "seed_oss",
        "ernie45",
        "olmo3",
        "apertus",
        "command_r7b",
        "nemotron_v2",
        "auto",
    }


def test_a_name_nobody_knows_is_told_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"'herms'; there are apertus, auto, .*hermes"):
        parsers.get_parser("herms")


def test_a_parser_can_be_used_for_one_text_after_the_other() -> None:
    parser = parsers.get_parser("hermes")
    parser.feed('<tool_call>{"name": "f"}')

    assert (len(parser.finish().calls), parser.finish().calls, repr(parser)) == (1, (), "Parser(hermes)")
