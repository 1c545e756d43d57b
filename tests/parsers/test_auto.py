"""`auto` names the format a text is in and why, and what several parsers make of a corpus is a table."""

from __future__ import annotations

import pytest

from hermes_nb import parsers
from hermes_nb.records import AgentResult, Provenance, Reply, Turn
from tests.parsers.samples import FOUR, NAMES, TOOLS, fed, found

TWINS = {
    "qwen": "hermes", "granite4": "hermes", "ernie45": "hermes", "llama4_json": "llama3_json", "glm47": "glm45",
    "hunyuan_a13b": "jamba",
}  # fmt: skip
"""Formats that write calls as another one does, and are told as that one."""

CALL = '<tool_call>{"name": "f", "arguments": {}}</tool_call>'


@pytest.mark.parametrize("name", NAMES)
def test_every_format_is_found(name: str) -> None:
    before = "" if name in ("llama3_json", "llama4_json", "xlam", "pythonic", "gpt_oss") else "Words first. "
    text = before + parsers.get_parser(name).render(FOUR)

    parsed = parsers.get_parser("auto", TOOLS).parse(text)

    assert parsed.format == TWINS.get(name, name)
    assert found(parsed) == [(tool, given) for tool, given in FOUR]
    assert parsed.evidence[0].format == parsed.format


def test_the_evidence_is_a_mark_and_its_place() -> None:
    parsed = parsers.get_parser("auto").parse("Hi. " + CALL)

    assert [(one.format, one.mark, one.position) for one in parsed.evidence] == [("hermes", "<tool_call>{", 4)]
    assert parsed.reason == "'<tool_call>{' at character 4 is hermes's; 1 call, 0 problems"


def test_chunks_come_to_the_same() -> None:
    assert fed("auto", list("Hi. " + CALL)) == parsers.get_parser("auto").parse("Hi. " + CALL)


def test_a_text_in_no_format_is_declined_and_kept() -> None:
    parsed = parsers.get_parser("auto").parse("Nothing to call.")

    assert (parsed.format, parsed.content, parsed.reason) == (None, "Nothing to call.", "no mark of a known format")


def test_a_mark_that_comes_to_nothing_is_told() -> None:
    text = "The model wrote functools [x] here."

    parsed = parsers.get_parser("auto").parse(text)

    assert (parsed.format, parsed.content) == (None, text)
    assert parsed.reason == "no calls behind 'functools [' at character 16 (phi4mini)"


def test_blocks_of_code_are_no_calls() -> None:
    text = 'Run this:\n```bash\nrm -rf x\n```\nor\n```json\n[{"name": "Ann", "age": 3}]\n```\n'

    assert parsers.get_parser("auto").parse(text).calls == ()


def test_auto_writes_nothing() -> None:
    with pytest.raises(ValueError, match="ask for a parser by its name"):
        parsers.get_parser("auto").render(FOUR)


def reply(text: str, source: str | None = None) -> Reply:
    return Reply(message={"role": "assistant", "content": text}, text=text, source_text=source)


def test_a_corpus_is_parsed_again_by_each_parser() -> None:
    run = AgentResult(
        messages=[], run_id="r1", turns=(Turn(number=1, reply=reply(CALL)), Turn(number=2, reply=reply("", "a" + CALL)))
    )

    rows = parsers.reparse([run, {"messages": [{"role": "assistant", "content": CALL[:30]}]}], ["hermes", "mistral"])

    assert [(row.run, row.run_id, row.turn, row.parser, row.calls, row.problems) for row in rows] == [
        (0, "r1", 1, "hermes", 1, 0),
        (0, "r1", 1, "mistral", 0, 0),
        (0, "r1", 2, "hermes", 1, 0),
        (0, "r1", 2, "mistral", 0, 0),
        (1, None, 1, "hermes", 0, 1),
        (1, None, 1, "mistral", 0, 0),
    ]
    assert (rows[2].text, rows[2].content, rows[2].names) == ("a" + CALL, "a", ("f",))
    assert (rows[4].message, rows[4].position) == ("the call is not closed", 30)


def test_a_run_s_own_tools_say_what_its_values_are() -> None:
    tool = {"name": "f", "parameters": {"properties": {"a": {"type": "string"}}}}
    made = Provenance(started_at="", server={}, sampling={}, tools=(tool,))
    text = "<tool_call>f<arg_key>a</arg_key><arg_value>1</arg_value></tool_call>"
    run = AgentResult(messages=[], turns=(Turn(number=1, reply=reply(text)),), provenance=made)

    [row] = parsers.reparse([run], ["glm47"])
    [other] = parsers.reparse([run], ["glm47"], tools=[])

    assert (row.parsed.calls[0].arguments, other.parsed.calls[0].arguments) == ('{"a":"1"}', '{"a":1}')


def test_the_lens_shows_every_parser_s_verdict_on_one_text() -> None:
    rows = parsers.verdicts(CALL)

    assert [row.parser for row in rows] == list(parsers.names())
    assert {row.parser for row in rows if row.calls == 1} >= {"hermes", "qwen", "auto"}
    assert next(row.format for row in rows if row.parser == "auto") == "hermes"


def test_a_verdict_without_a_call_says_why_and_which_character_it_is_about() -> None:
    text = '{"name": "f"}\n</tool_call>'
    hermes, mistral, auto = parsers.verdicts(text, ["hermes", "mistral", "auto"])

    assert (hermes.reason, hermes.place) == ("no <tool_call> before </tool_call>", text.index("<"))
    assert (mistral.reason, mistral.place) == ("no [TOOL_CALLS]", None)
    assert (auto.reason, auto.place) == ("no calls behind '{\"name\":' at character 0 (llama3_json)", 0)


def test_a_verdict_with_calls_or_problems_gives_no_reason_of_its_own() -> None:
    found, broken = parsers.reparse([CALL, CALL[:30]], ["hermes"])

    assert (found.calls, found.reason, found.place) == (1, "", None)
    assert (broken.problems, broken.reason, broken.place) == (1, "", None)


def test_a_mark_that_no_call_follows_is_where_the_reason_points() -> None:
    [row] = parsers.verdicts("so { here", ["llama3_json"])

    assert (row.reason, row.place) == ("no call behind {", 3)
