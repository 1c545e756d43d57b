"""One call that cannot be read loses none of the others, and says where it went wrong."""

from __future__ import annotations

import pytest

from hermes_nb import parsers
from tests.parsers.samples import found

BAD = {
    "hermes": '<tool_call>{"name": "bad", "arguments": {"a": }}</tool_call>',
    "longcat": '<longcat_tool_call>{"name": "bad", "arguments": {"a" 1}}</longcat_tool_call>',
    "mistral": '[TOOL_CALLS]bad{"a": }',
    "deepseek_v3": "<｜tool▁call▁begin｜>function<｜tool▁sep｜>bad\n```json\n{'a': 1}\n```<｜tool▁call▁end｜>",
    "deepseek_v3_1": '<｜tool▁call▁begin｜>bad<｜tool▁sep｜>{"a": 1<｜tool▁call▁end｜>',
    "kimi_k2": '<|tool_call_begin|>functions.bad:0<|tool_call_argument_begin|>{"a": "x}<|tool_call_end|>',
    "internlm2": '<|action_start|><|plugin|>{"name": "bad", "parameters": {a: 1}}<|action_end|>',
    "glm47": "<tool_call>bad<arg_key>a</arg_key>1</arg_value></tool_call>",
    "gemma4": "<|tool_call>call:bad{a:}<tool_call|>",
    "functiongemma": "<start_function_call>call:bad{a}<end_function_call>",
    "gpt_oss": '<|start|>assistant<|channel|>commentary to=functions.bad <|message|>{"a": }<|call|>',
}


@pytest.mark.parametrize("name", sorted(BAD))
def test_a_bad_call_among_good_ones_is_a_problem_with_its_place(name: str) -> None:
    parser = parsers.get_parser(name)
    first, last = (parser.render([(tool, {"a": 1})]) for tool in ("one", "two"))
    if name == "gpt_oss":
        last = "<|start|>assistant" + last
    text = first + BAD[name] + last

    parsed = parser.parse(text)

    assert found(parsed) == [("one", {"a": 1}), ("two", {"a": 1})]
    assert [(problem.name, problem.raw in BAD[name]) for problem in parsed.problems] == [("bad", True)]
    assert all(text[problem.start : problem.end] == problem.raw for problem in parsed.problems)
    assert all(problem.start <= problem.position <= problem.end for problem in parsed.problems)
    assert parsed.content == ""


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("granite", ('<|tool_call|>[{"name": "one", "arguments": {}}, {"name": "bad", "arguments": {x}}, '
         '{"name": "two", "arguments": {}}]')),
        ("jamba", ('<tool_calls>[{"name": "one", "arguments": {}}, {"name": "bad" "arguments": {}}, '
         '{"name": "two", "arguments": {}}]</tool_calls>')),
        ("lfm2", "<|tool_call_start|>[one(), bad(x), two()]<|tool_call_end|>"),
        ("olmo3", "<function_calls>one()\nbad(x=y)\ntwo()</function_calls>"),
    ],
)  # fmt: skip
def test_a_bad_entry_of_a_list_loses_none_of_the_others(name: str, text: str) -> None:
    parsed = parsers.get_parser(name).parse(text)

    assert found(parsed) == [("one", {}), ("two", {})]
    assert [problem.name for problem in parsed.problems] == ["bad"]


def test_the_position_is_the_character_at_which_reading_failed() -> None:
    text = 'Hi. <tool_call>{"name": "f", "arguments": {"a": x}}</tool_call>'

    [problem] = parsers.get_parser("hermes").parse(text).problems

    assert (problem.position, text[problem.position]) == (text.index("x}"), "x")
    assert repr(problem) == "Problem(f · Expecting value @4:51)"


def test_a_problem_makes_a_tool_error() -> None:
    [problem] = parsers.get_parser("kimi_k2").parse(BAD["kimi_k2"]).problems

    error = problem.error(turn=3, call_id=problem.id, call_index=0)

    assert (error.kind, error.fault, error.tool_name, error.turn) == ("bad_json", "model", "bad", 3)
    assert (error.call_id, error.call_index, error.position) == ("functions.bad:0", 0, problem.position)
    assert error.arguments == '{"a": "x}'
    assert error.error == f"the call is not closed (at character {problem.position} of the reply)"


def test_calls_and_problems_become_the_run_s_calls_in_the_text_s_order() -> None:
    text = '<tool_call>{"name": "f", "arguments": {"a": }}</tool_call><tool_call>{"name": "g"}</tool_call>'
    ids = iter(["one", "two"])

    bad, good = parsers.get_parser("hermes").parse(text).tool_calls(turn=2, new_id=lambda: next(ids))

    assert (bad.name, bad.id, bad.index, bad.turn, bad.problem is not None) == ("f", "one", 0, 2, True)
    assert (good.name, good.id, good.index, good.parsed, good.problem) == ("g", "two", 1, {}, None)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [('{"a": 1}', '{"a": 1}'), ('"{\\"a\\": 1}"', '{"a": 1}'), ("null", "{}"), ("[1]", "[1]"), ('"word"', '"word"')],
)
def test_arguments_that_were_encoded_twice_are_unwrapped_and_others_are_kept(arguments: str, text: str) -> None:
    parsed = parsers.get_parser("hermes").parse(f'<tool_call>{{"name": "f", "arguments": {arguments}}}</tool_call>')

    assert [call.arguments for call in parsed.calls] == [text]


@pytest.mark.parametrize("body", ['{"arguments": {}}', '{"name": 3}', '{"name": ""}', "{}"])
def test_a_call_without_a_name_is_a_problem(body: str) -> None:
    parsed = parsers.get_parser("hermes").parse(f"<tool_call>{body}</tool_call>")

    assert [problem.message for problem in parsed.problems] == ["the call has no name"]


def test_marks_without_a_call_between_them_are_a_problem() -> None:
    for name, text in (
        ("hermes", "<tool_call>no JSON</tool_call>"),
        ("qwen3_coder", "<tool_call>no call</tool_call>"),
        ("lfm2", "<|tool_call_start|>no call<|tool_call_end|>"),
    ):
        parsed = parsers.get_parser(name).parse(text)
        assert [problem.raw for problem in parsed.problems] == [text]


def test_an_empty_list_is_no_call_and_no_problem() -> None:
    for name, text in (
        ("lfm2", "<|tool_call_start|>[ ]<|tool_call_end|>"),
        ("jamba", "<tool_calls>[]</tool_calls>"),
        ("mistral", "[TOOL_CALLS] []"),
    ):
        parsed = parsers.get_parser(name).parse(text)
        assert (parsed.content, parsed.calls, parsed.problems) == ("", (), ())
