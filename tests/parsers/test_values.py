"""Values that stand as bare text follow the tool's schema."""

from __future__ import annotations

from typing import Any

import pytest

from hermes_nb import parsers
from tests.parsers.samples import found

INT_OR_NOTHING = {"anyOf": [{"type": "integer"}, {"type": "null"}]}


def tool(schema: dict[str, Any], **root: Any) -> list[dict[str, Any]]:
    parameters = {"type": "object", "properties": {"a": schema}, **root}
    return [{"type": "function", "function": {"name": "f", "parameters": parameters}}]


WRITTEN = {
    "qwen3_coder": "<tool_call>\n<function=f>\n<parameter=a>\n{}\n</parameter>\n</function>\n</tool_call>",
    "seed_oss": "<seed:tool_call>\n<function=f>\n<parameter=a>{}</parameter>\n</function>\n</seed:tool_call>",
    "glm45": "<tool_call>f\n<arg_key>a</arg_key>\n<arg_value>{}</arg_value>\n</tool_call>",
    "glm47": "<tool_call>f<arg_key>a</arg_key><arg_value>{}</arg_value></tool_call>",
    "minimax_m2": '<minimax:tool_call>\n<invoke name="f">\n<parameter name="a">{}</parameter>\n</invoke>\n'
    "</minimax:tool_call>",
    "step3": '<｜tool_call_begin｜>function<｜tool_sep｜><steptml:invoke name="f"><steptml:parameter name="a">{}'
    "</steptml:parameter></steptml:invoke><｜tool_call_end｜>",
}


def value(name: str, text: str, tools: list[dict[str, Any]] | None) -> Any:
    [(_, arguments)] = found(parsers.get_parser(name).parse(WRITTEN[name].replace("{}", text), tools))
    return arguments["a"]


@pytest.mark.parametrize("name", sorted(WRITTEN))
@pytest.mark.parametrize(
    ("schema", "text", "expected"),
    [
        ({"type": "string"}, "1", "1"),
        ({"type": "string"}, "true", "true"),
        ({"type": "string"}, "null", "null"),
        ({"type": "string"}, '{"b": 1}', '{"b": 1}'),
        ({"type": "string"}, "  two  words ", "  two  words "),
        ({"enum": ["1", "2"]}, "1", "1"),
        ({"type": "integer"}, "42", 42),
        ({"type": "integer"}, " 5.0 ", 5),
        ({"type": "integer"}, "many", "many"),
        ({"type": "number"}, "3.5", 3.5),
        ({"type": "number"}, "7", 7),
        ({"type": "boolean"}, "True", True),
        ({"type": "boolean"}, "yes", "yes"),
        ({"type": "array", "items": {"type": "string"}}, '["a", "b"]', ["a", "b"]),
        ({"type": "array"}, "a, b", "a, b"),
        ({"type": "object"}, '{"b": [1]}', {"b": [1]}),
        ({"type": "object"}, '{"b": NaN}', '{"b": NaN}'),
        (INT_OR_NOTHING, "null", None),
        (INT_OR_NOTHING, "3", 3),
        ({"type": ["string", "null"]}, "null", None),
        ({"type": ["string", "null"]}, "3", "3"),
        ({"type": "string", "nullable": True}, "None", None),
        ({"oneOf": [{"type": "integer"}, {"type": "string"}]}, "3", 3),
        ({"oneOf": [{"type": "integer"}, {"type": "string"}]}, "x", "x"),
        ({"allOf": [{"type": "integer"}]}, "3", 3),
        ({"properties": {"b": {}}}, '{"b": 1}', {"b": 1}),
    ],
)
def test_a_text_is_what_the_schema_says(name: str, schema: dict[str, Any], text: str, expected: Any) -> None:
    got = value(name, text, tool(schema))

    assert (got, type(got)) == (expected, type(expected))


@pytest.mark.parametrize("name", sorted(WRITTEN))
def test_references_are_followed_and_circles_end(name: str) -> None:
    tools = tool(
        {"$ref": "#/$defs/Count"}, **{"$defs": {"Count": {"type": "integer"}, "Loop": {"$ref": "#/$defs/Loop"}}}
    )

    assert value(name, "3", tools) == 3
    assert value(name, "x", tool({"$ref": "#/$defs/Loop"}, **{"$defs": {"Loop": {"$ref": "#/$defs/Loop"}}})) == "x"
    assert value(name, "x", tool({"$ref": "#/nowhere"})) == "x"


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("qwen3_coder", "3", 3),
        ("qwen3_coder", "null", None),
        ("qwen3_coder", "Rome", "Rome"),
        ("glm45", '["a"]', ["a"]),
        ("glm47", "2025-08-01", "2025-08-01"),
        ("glm47", "1e999", "1e999"),
        ("minimax_m2", "3", "3"),
        ("seed_oss", "3", "3"),
        ("step3", "3", "3"),
    ],
)
def test_without_a_schema_the_format_s_own_rule_holds(name: str, text: str, expected: Any) -> None:
    assert value(name, text, None) == expected
    assert value(name, text, [{"name": "g", "parameters": {}}]) == expected


def test_deepseek_s_own_note_says_what_is_a_string_unless_the_schema_does() -> None:
    mark = "｜DSML｜"
    text = (
        f'<{mark}function_calls><{mark}invoke name="f"><{mark}parameter name="a" string="true">4</{mark}parameter>'
        f"</{mark}invoke></{mark}function_calls>"
    )
    parser = parsers.get_parser("deepseek_v3_2")

    assert found(parser.parse(text)) == [("f", {"a": "4"})]
    assert found(parser.parse(text, tool({"type": "integer"}))) == [("f", {"a": 4})]
    assert found(parser.parse(text.replace('"true"', '"false"'))) == [("f", {"a": 4})]


def test_a_number_that_python_wrote_for_a_string_keeps_its_zeros() -> None:
    parser = parsers.get_parser("pythonic")

    assert found(parser.parse("[f(a=02134)]", tool({"type": "string"}))) == [("f", {"a": "02134"})]
    assert found(parser.parse("[f(a=02134)]")) == [("f", {"a": 2134})]


def test_functiongemma_s_strings_are_numbers_where_no_schema_tells() -> None:
    text = "<start_function_call>call:f{a:<escape>42<escape>}<end_function_call>"
    parser = parsers.get_parser("functiongemma")

    assert found(parser.parse(text)) == [("f", {"a": 42})]
    assert found(parser.parse(text, tool({"type": "string"}))) == [("f", {"a": "42"})]


@pytest.mark.parametrize("body", ["a:1,b:null", "a:1 , b:null", "a:1, ,,b:null,", " a: 1,b :null", "a:1,,b:null , "])
def test_commas_and_blanks_between_gemma_s_members_make_no_difference(body: str) -> None:
    [call] = parsers.get_parser("gemma4").parse(f"<|tool_call>call:f{{{body}}}<tool_call|>").calls

    assert call.arguments == '{"a":1,"b":null}'


@pytest.mark.parametrize("items", ["1,'x'", "1 , 'x' ", " 1,\n'x',", '1, "x"'])
def test_blanks_in_a_python_list_make_no_difference(items: str) -> None:
    [call] = parsers.get_parser("pythonic").parse(f"[f(a=[{items}], b = True ,c='it\\'s', d=\"it's\")]").calls

    assert call.arguments == '{"a":[1,"x"],"b":true,"c":"it\'s","d":"it\'s"}'


@pytest.mark.parametrize(
    "body",
    [
        "<parameter=a>\n1\n</parameter>\n<parameter=b>\nx < y\n</parameter>\n",
        "\n <parameter='a'>1</parameter><parameter=b>x < y</parameter>",
        '<parameter="a" >1</parameter> <parameter= b>x < y</parameter>',
        "<parameter=a>1<parameter=b>x < y</parameter>",
    ],
)
def test_blanks_and_quotes_around_a_tag_s_name_make_no_difference(body: str) -> None:
    [call] = parsers.get_parser("qwen3_coder").parse(f"<function=f>{body}</function>").calls

    assert call.arguments == '{"a":1,"b":"x < y"}'


def test_the_parser_s_own_tools_hold_where_none_are_given() -> None:
    parser = parsers.get_parser("glm47", tool({"type": "string"}))

    assert found(parser.parse(WRITTEN["glm47"].replace("{}", "1"))) == [("f", {"a": "1"})]
    assert found(parser.parse(WRITTEN["glm47"].replace("{}", "1"), tool({"type": "integer"}))) == [("f", {"a": 1})]


@pytest.mark.parametrize("odd", [{}, {"function": None}, {"function": {"name": 3}}, {"name": "f", "parameters": []}])
def test_odd_tools_are_as_good_as_none(odd: dict[str, Any]) -> None:
    assert value("qwen3_coder", "3", [odd]) == 3


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("f(a='it\\'s', b=\"\\u00e9\\n\")", {"a": "it's", "b": "é\n"}),
        ("f(a='''x 'y' z''', b=r'\\d')", {"a": "x 'y' z", "b": "\\d"}),
        ("f(a=1_000, b=-0.5, c=0x1F, d=+2)", {"a": 1000, "b": -0.5, "c": 31, "d": 2}),
        ("f(a=(1, 2), b=(3), c={4, 5}, d={1: 'x', True: 'y'})",
         {"a": [1, 2], "b": 3, "c": [4, 5], "d": {"1": "x", "True": "y"}}),
        ("f(a=[], b={}, c=(), )", {"a": [], "b": {}, "c": []}),
        ("f(a='line 1\nline 2')", {"a": "line 1\nline 2"}),
    ],
)  # fmt: skip
def test_python_s_literals_are_read(text: str, arguments: dict[str, Any]) -> None:
    assert found(parsers.get_parser("pythonic").parse(f"[{text}]")) == [("f", arguments)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("f(a=b'x')", "'b' is no value"),
        ("f(a=open('x'))", "'open' is no value"),
        ("f(a=1e999)", "a number too large for JSON"),
        ("f(1)", "an argument has no name"),
        ("f(a=1 + 2)", "')' is missing"),
        ("f(a={1, 'b': 2})", "a set and a dict in one"),
        ("f(a=" + "9" * 5000 + ")", "a number of too many digits"),
        ("f(a=__import__('os').system('x'))", "'__import__' is no value"),
    ],
)
def test_what_is_no_literal_is_a_problem_and_is_never_run(text: str, message: str) -> None:
    parsed = parsers.get_parser("pythonic").parse(f"[{text}, g(a=1)]")

    assert [problem.message for problem in parsed.problems] == [message]
    assert [problem.name for problem in parsed.problems] == ["f"]
    assert found(parsed) == [("g", {"a": 1})]
