"""Each format on texts as its models write them: what is a call, what stays text, and what is reasoning."""

from __future__ import annotations

from typing import Any

import pytest

from hermes_nb import parsers
from tests.parsers.samples import fed, found

V3 = "<｜tool▁calls▁begin｜>{}<｜tool▁calls▁end｜>"
KIMI = "<|tool_calls_section_begin|>{}<|tool_calls_section_end|>"
DSML = "｜DSML｜"

CASES: list[tuple[str, str, str, str | None, list[tuple[str, Any]]]] = [
    # name, text, content, reasoning, calls
    ("hermes", '<tool_call>{"name": "f", "arguments": {"a": 1}}</tool_call>', "", None, [("f", {"a": 1})]),
    (
        "hermes",
        'On it.\n<tool_call>\n{"arguments": {"name": "x"}, "name": "f"}\n</tool_call>',
        "On it.\n",
        None,
        [("f", {"name": "x"})],
    ),
    (
        "hermes",
        '<think>\nI call <tool_call>{"name": "no", "arguments": {}}</tool_call>\n</think>\n\nDone.',
        "Done.",
        'I call <tool_call>{"name": "no", "arguments": {}}</tool_call>',
        [],
    ),
    (
        "hermes",
        '<tool_call>{"name": "f", "arguments": {}}</tool_call> and <tool_call>{"name": "g"}</tool_call> so',
        " and  so",
        None,
        [("f", {}), ("g", {})],
    ),
    (
        "hermes",
        '<tool_call>\n{"name": "f", "arguments": {}}\n{"name": "g", "arguments": {}}\n</tool_call>',
        "",
        None,
        [("f", {}), ("g", {})],
    ),
    (
        "hermes",
        '<tool_call>{"name": "f", "arguments": {"a": {"b": 1}}}}</tool_call>',
        "",
        None,
        [("f", {"a": {"b": 1}})],
    ),
    (
        "hermes",
        'Say <think> aloud.<tool_call>{"name": "f"}</tool_call><|im_end|>',
        "Say <think> aloud.",
        None,
        [("f", {})],
    ),
    ("hermes", "Put <tool_call> before it.", "Put <tool_call> before it.", None, []),
    ("qwen", '<think>\n\n</think>\n\n<tool_call>\n{"name": "f", "arguments": {}}\n</tool_call>', "", None, [("f", {})]),
    (
        "longcat",
        ('<longcat_think>hm</longcat_think><longcat_tool_call>{"name": "f", "arguments": {}}</longcat_tool_call>'),
        "",
        "hm",
        [("f", {})],
    ),
    (
        "mistral",
        'Hi[TOOL_CALLS] [{"name": "f", "arguments": {"a": 1}}, {"name": "g", "arguments": {}}]',
        "Hi",
        None,
        [("f", {"a": 1}), ("g", {})],
    ),
    (
        "mistral",
        '[TOOL_CALLS]f{"a": 1}[TOOL_CALLS]g{"b": "[TOOL_CALLS]"}',
        "",
        None,
        [("f", {"a": 1}), ("g", {"b": "[TOOL_CALLS]"})],
    ),
    ("mistral", '[THINK]hm[/THINK]Now.[TOOL_CALLS]f[CALL_ID]abc123def[ARGS]{"a": 1}', "Now.", "hm", [("f", {"a": 1})]),
    (
        "llama3_json",
        '<|python_tag|>{"name": "f", "parameters": {"a": 1}}; {"name": "g", "arguments": {}}',
        "",
        None,
        [("f", {"a": 1}), ("g", {})],
    ),
    (
        "llama3_json",
        '{"type": "function", "name": "f", "parameters": {}}\n{"name": "g", "parameters": {}}',
        "",
        None,
        [("f", {}), ("g", {})],
    ),
    (
        "llama3_json",
        'A person: {"name": "Ann", "age": 3} and {x}.',
        'A person: {"name": "Ann", "age": 3} and {x}.',
        None,
        [],
    ),
    ("llama4_json", '<|python_start|>{"name": "f", "parameters": {}}<|python_end|>', "", None, [("f", {})]),
    (
        "qwen3_coder",
        "Sure.<tool_call>\n<function=f>\n<parameter=a>\n1\n</parameter>\n</function>\n</tool_call>",
        "Sure.",
        None,
        [("f", {"a": 1})],
    ),
    (
        "qwen3_coder",
        "<function=f>\n<parameter=a>\nline 1\n\n line 2\n</parameter>\n</function>",
        "",
        None,
        [("f", {"a": "line 1\n\n line 2"})],
    ),
    (
        "qwen3_coder",
        "<tool_call>\n<function=f>\n<parameter=a>\nx\n<parameter=b>\ny\n</function>\n</tool_call>",
        "",
        None,
        [("f", {"a": "x", "b": "y"})],
    ),
    (
        "glm45",
        "<tool_call>f\n<arg_key>a</arg_key>\n<arg_value>1</arg_value>\n</tool_call>",
        "",
        None,
        [("f", {"a": 1})],
    ),
    ("glm45", "<think>a</think>\nOk.\n<tool_call>f\n</tool_call>", "Ok.\n", "a", [("f", {})]),
    (
        "glm47",
        "<tool_call>f</tool_call><tool_call>g<arg_key>a</arg_key><arg_value>b c</arg_value></tool_call>",
        "",
        None,
        [("f", {}), ("g", {"a": "b c"})],
    ),
    (
        "deepseek_v3",
        V3.format(
            '<｜tool▁call▁begin｜>function<｜tool▁sep｜>f\n```json\n{"a": "```"}\n```'
            "<｜tool▁call▁end｜>\n<｜tool▁call▁begin｜>function<｜tool▁sep｜>g\n```json\n{}\n```<｜tool▁call▁end｜>"
        ),
        "",
        None,
        [("f", {"a": "```"}), ("g", {})],
    ),
    (
        "deepseek_v3_1",
        "Look:" + V3.format('<｜tool▁call▁begin｜>f<｜tool▁sep｜>{"a": 1}<｜tool▁call▁end｜>'),
        "Look:",
        None,
        [("f", {"a": 1})],
    ),
    (
        "deepseek_v3_1",
        V3.format('<｜tool▁call▁begin｜>function<｜tool▁sep｜>f\n```json\n{"a": 1}\n```<｜tool▁call▁end｜>'),
        "",
        None,
        [("f", {"a": 1})],
    ),
    (
        "kimi_k2",
        "See. " + KIMI.format('<|tool_call_begin|>functions.f:0<|tool_call_argument_begin|>{"a": 1}<|tool_call_end|>'),
        "See. ",
        None,
        [("f", {"a": 1})],
    ),
    (
        "kimi_k2",
        (
            "<think>hm<|tool_call_section_begin|><|tool_call_begin|>f:1 <|tool_call_argument_begin|> {} "
            "<|tool_call_end|><|tool_call_section_end|>"
        ),
        "",
        "hm",
        [("f", {})],
    ),
    (
        "deepseek_v3_2",
        (
            f'<{DSML}function_calls>\n<{DSML}invoke name="f">\n<{DSML}parameter name="a" string="true">1'
            f'</{DSML}parameter>\n<{DSML}parameter name="b" string="false">[1]</{DSML}parameter>\n</{DSML}invoke>\n'
            f"</{DSML}function_calls>"
        ),
        "",
        None,
        [("f", {"a": "1", "b": [1]})],
    ),
    ("granite", '<|tool_call|>[{"name": "f", "arguments": {"a": 1}}]', "", None, [("f", {"a": 1})]),
    (
        "granite",
        '<tool_call> [\n{"name": "f", "arguments": {}},\n{"name": "g", "arguments": {}}]\nSo.',
        "\nSo.",
        None,
        [("f", {}), ("g", {})],
    ),
    (
        "granite4",
        'One: \n<tool_call> {"name": "f", "arguments": "{\\"a\\": 1}"} </tool_call> Two.',
        "One: \n Two.",
        None,
        [("f", {"a": 1})],
    ),
    (
        "phi4mini",
        'functools[{"name": "f", "arguments": {"a": [1]}}, {"name": "g", "arguments": {}}]',
        "",
        None,
        [("f", {"a": [1]}), ("g", {})],
    ),
    ("phi4mini", "Python has functools, and functools[0].", "Python has functools, and functools[0].", None, []),
    ("xlam", '<think>a</think>[{"name": "f", "arguments": {"a": 1}}]', "", "a", [("f", {"a": 1})]),
    ("xlam", 'Here:\n```json\n[{"name": "f", "arguments": {}}]\n```', "Here:", None, [("f", {})]),
    ("xlam", 'Ok.<tool_call>[{"name": "f", "arguments": {}}]</tool_call>', "Ok.", None, [("f", {})]),
    (
        "internlm2",
        'Now <|action_start|><|plugin|>\n{"name": "f", "parameters": {"a": 1}}<|action_end|>',
        "Now ",
        None,
        [("f", {"a": 1})],
    ),
    ("jamba", ' <tool_calls>[\n  {"name": "f", "arguments": {}}\n]</tool_calls>', "", None, [("f", {})]),
    (
        "hunyuan_a13b",
        '<think>a</think>\n<answer>Go <tool_calls>[{"name": "f", "arguments": {}}]</tool_calls>\n</answer>',
        "Go ",
        "a",
        [("f", {})],
    ),
    (
        "step3",
        (
            '<｜tool_calls_begin｜><｜tool_call_begin｜>function<｜tool_sep｜><steptml:invoke name="f">'
            '<steptml:parameter name="a"> x </steptml:parameter></steptml:invoke><｜tool_call_end｜><｜tool_sep｜>'
            '<｜tool_call_begin｜>function<｜tool_sep｜><steptml:invoke name="g"></steptml:invoke><｜tool_call_end｜>'
            "<｜tool_calls_end｜>"
        ),
        "",
        None,
        [("f", {"a": " x "}), ("g", {})],
    ),
    (
        "seed_oss",
        (
            "<seed:think>use <seed:tool_call></seed:think>\n<seed:tool_call>\n<function=f>\n<parameter=a>Rome"
            "</parameter>\n</function>\n</seed:tool_call>"
        ),
        "",
        "use <seed:tool_call>",
        [("f", {"a": "Rome"})],
    ),
    (
        "minimax_m2",
        (
            '<think>a</think>\n\n<minimax:tool_call>\n<invoke name="f">\n<parameter name="a">5</parameter>\n'
            '</invoke>\n<invoke name="g">\n</invoke>\n</minimax:tool_call>'
        ),
        "",
        "a",
        [("f", {"a": "5"}), ("g", {})],
    ),
    (
        "ernie45",
        (
            '<think>a</think>\n\n<response>\nHi.\n</response>\n\n<tool_call>\n{"name": "f", "arguments": {}}\n'
            "</tool_call>\n"
        ),
        "Hi.",
        "a",
        [("f", {})],
    ),
    (
        "apertus",
        'Let me. <|tools_prefix|>[{"f": {"a": 1}}, {"g": {}}]<|tools_suffix|>',
        "Let me.",
        None,
        [("f", {"a": 1}), ("g", {})],
    ),
    (
        "command_r7b",
        (
            '<|START_THINKING|>a<|END_THINKING|><|START_ACTION|>[\n  {"tool_call_id": "0", "tool_name": "f", '
            '"parameters": {"q": 1}}\n]<|END_ACTION|>'
        ),
        "",
        "a",
        [("f", {"q": 1})],
    ),
    ("command_r7b", "<|START_THINKING|>a<|END_THINKING|><|START_RESPONSE|>Hi.<|END_RESPONSE|>", "Hi.", "a", []),
    (
        "nemotron_v2",
        '<think>\na\n</think>\n<TOOLCALL>[{"name": "f", "arguments": {}}]</TOOLCALL>',
        "",
        "a",
        [("f", {})],
    ),
    (
        "pythonic",
        "[f(a='x', b=[1, {'c': None}]), g.h(ok=True)]",
        "",
        None,
        [("f", {"a": "x", "b": [1, {"c": None}]}), ("g.h", {"ok": True})],
    ),
    ("pythonic", "See [this](f) and [1, 2].", "See [this](f) and [1, 2].", None, []),
    ("llama4_pythonic", "<|python_start|>[f(a=-1.5e3)]<|python_end|>", "", None, [("f", {"a": -1500.0})]),
    (
        "lfm2",
        "<|tool_call_start|>[f(a='say \\'hi\\' ]')]<|tool_call_end|>Checking.",
        "Checking.",
        None,
        [("f", {"a": "say 'hi' ]"})],
    ),
    (
        "lfm2",
        "<|tool_call_start|>[f(command='sed -n '3,4p' x.py')]<|tool_call_end|>",
        "",
        None,
        [("f", {"command": "sed -n '3,4p' x.py"})],
    ),
    (
        "olmo3",
        "<function_calls>f(a=null, b=true)\ng()</function_calls>",
        "",
        None,
        [("f", {"a": None, "b": True}), ("g", {})],
    ),
    (
        "gemma4",
        '<|channel>thought\nhm\n<channel|><|tool_call>call:f{a:<|"|>}{<|"|>,n:42,o:{p:[true,null]}}<tool_call|>',
        "",
        "hm",
        [("f", {"a": "}{", "n": 42, "o": {"p": [True, None]}})],
    ),
    ("gemma4", "Let me. <|tool_call>call:a-b.c{}<tool_call|>", "Let me.", None, [("a-b.c", {})]),
    (
        "functiongemma",
        "<start_function_call>call:f{a:<escape>x, y<escape>,n:3}<end_function_call>",
        "",
        None,
        [("f", {"a": "x, y", "n": 3})],
    ),
    (
        "gpt_oss",
        (
            "<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>commentary to=functions.f "
            '<|constrain|>json<|message|>{"a": 1}<|call|>'
        ),
        "",
        "hm",
        [("f", {"a": 1})],
    ),
    (
        "gpt_oss",
        (
            "<|channel|>commentary<|message|>First.<|end|><|start|>assistant to=functions.f<|channel|>commentary "
            "json<|message|>{}<|call|>"
        ),
        "First.",
        None,
        [("f", {})],
    ),
    (
        "gpt_oss",
        "<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>final<|message|>Yes.<|return|>",
        "Yes.",
        "a",
        [],
    ),
]


@pytest.mark.parametrize(("name", "text", "content", "reasoning", "calls"), CASES)
def test_a_text_comes_to_what_its_model_meant(
    name: str, text: str, content: str, reasoning: str | None, calls: list[tuple[str, Any]]
) -> None:
    parsed = parsers.get_parser(name).parse(text)

    assert (parsed.content, parsed.reasoning, found(parsed), parsed.problems) == (content, reasoning, calls, ())
    assert fed(name, list(text)) == parsed


def test_every_format_has_a_text_here() -> None:
    assert {name for name, *_ in CASES} == set(parsers.FORMATS)


def test_the_model_s_own_argument_text_and_ids_are_kept() -> None:
    text = '<|START_ACTION|>[{"tool_call_id": "7", "tool_name": "f", "parameters": {"n":  1.50}}]<|END_ACTION|>'

    [call] = parsers.get_parser("command_r7b").parse(text).calls

    assert (call.id, call.arguments) == ("7", '{"n":  1.50}')


def test_kimi_s_ids_are_kept_as_they_are() -> None:
    text = "<|tool_call_begin|>functions.f:3<|tool_call_argument_begin|>{}<|tool_call_end|>"

    assert [call.id for call in parsers.get_parser("kimi_k2").parse(text).calls] == ["functions.f:3"]


def test_a_call_s_place_is_the_text_s() -> None:
    text = 'Hi <tool_call>{"name": "f", "arguments": {}}</tool_call>'
    [call] = parsers.get_parser("hermes").parse(text).calls

    assert text[call.start : call.end] == '<tool_call>{"name": "f", "arguments": {}}'


def test_places_count_on_behind_a_long_text_that_came_in_chunks() -> None:
    call = '<tool_call>{"name": "f", "arguments": {"a": 1}}</tool_call>'
    text = "<think>" + "thought " * 2000 + "</think>" + "word < word " * 2000 + call + "more " * 2000 + call + call[:20]

    parsed = fed("hermes", list(text))

    assert parsed == parsers.get_parser("hermes").parse(text)
    assert [text[one.start : one.end] for one in parsed.calls] == [call[: -len("</tool_call>")]] * 2
    assert [text[one.start : one.end] for one in parsed.problems] == [call[:20]]


def test_a_reply_that_begins_inside_a_thought_is_told_to_the_parser() -> None:
    text = 'Hm.\n</think>\n\n<tool_call>{"name": "f"}</tool_call>'

    opened = parsers.get_parser("hermes", opened=True).parse(text)

    assert (opened.reasoning, opened.content, found(opened)) == ("Hm.", "", [("f", {})])
    assert parsers.get_parser("hermes").parse(text).reasoning is None


def test_thoughts_between_calls_are_joined() -> None:
    text = '<think>a</think><tool_call>{"name": "f"}</tool_call>\n<think>b</think>\nEnd.'

    parsed = parsers.get_parser("qwen").parse(text)

    assert (parsed.reasoning, parsed.content) == ("a\n\nb", "End.")


def test_content_is_told_at_once_and_a_call_when_it_is_closed() -> None:
    parser = parsers.get_parser("hermes")

    told = [[piece.part for piece in parser.feed(chunk)] for chunk in (
        "Some ", "words<tool", '_call>{"name": "f", "arg', 'uments": {}', "}", "</tool_call>",
    )]  # fmt: skip

    assert told == [["content"], ["content"], [], [], ["call"], []]


def test_a_bare_call_amid_words_needs_the_name_of_a_tool_where_tools_are_given() -> None:
    text = 'The log says {"name": "f", "parameters": {}} there.'
    tools = [{"name": "g"}]

    assert parsers.get_parser("llama3_json", tools).parse(text).content == text
    assert found(parsers.get_parser("llama3_json", [{"name": "f"}]).parse(text)) == [("f", {})]
    assert found(parsers.get_parser("llama3_json", tools).parse(text[13:44])) == [("f", {})]


def test_a_bare_call_that_is_not_closed_ends_where_one_of_a_known_tool_begins() -> None:
    text = '{"name": "f", "parameters": {"a": {"name": "g", "parameters": {}}'

    parsed = parsers.get_parser("llama3_json", [{"name": "g"}]).parse(text)

    assert (found(parsed), [problem.name for problem in parsed.problems]) == ([("g", {})], ["f"])
    assert parsers.get_parser("llama3_json").parse(text).calls == ()


def test_a_number_in_place_of_a_name_is_the_only_tool_that_takes_the_arguments() -> None:
    text = '<|tool_call_begin|>0<|tool_call_argument_begin|>{"city": "Rome"}<|tool_call_end|>'
    weather = {"name": "weather", "parameters": {"properties": {"city": {}, "unit": {}}}}
    files = {"name": "files", "parameters": {"properties": {"path": {}}}}

    assert found(parsers.get_parser("kimi_k2", [weather, files]).parse(text)) == [("weather", {"city": "Rome"})]
    assert found(parsers.get_parser("kimi_k2", [weather, {**weather, "name": "w"}]).parse(text))[0][0] == "0"
    assert found(parsers.get_parser("kimi_k2").parse(text))[0][0] == "0"


def test_lfm2_writes_json_where_it_is_asked_to() -> None:
    text = '<|tool_call_start|>[{"name": "f", "arguments": {"a": 1}}, {"name": "g"}]<|tool_call_end|>Done.'

    parsed = parsers.get_parser("lfm2").parse(text)

    assert (found(parsed), parsed.content) == ([("f", {"a": 1}), ("g", {})], "Done.")


def test_python_marks_around_a_list_are_no_content() -> None:
    text = "Here: <|python_start|>[f(a=1)]<|python_end|> So."

    parsed = parsers.get_parser("pythonic").parse(text)

    assert (found(parsed), parsed.content) == ([("f", {"a": 1})], "Here:  So.")
