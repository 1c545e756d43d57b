"""Text of an open model -> content, reasoning, calls: one parser for each way models write calls.

    parser = get_parser("hermes", tools=schemas)
    parsed = parser.parse(text)             # Parsed(content, reasoning, calls, problems)
    for chunk in chunks:
        pieces = parser.feed(chunk)         # what is certain now; nothing is ever taken back
    parsed = parser.finish()                # the same as parse of all chunks, however they were cut

What every parser keeps to:

- No text makes it raise, and the work grows with the text's length, not with its square.
- One call that cannot be read loses none of the others: it is a `Problem` with its place, which `Problem.error` makes
  a ToolError of kind `bad_json` from, and `Parsed.tool_calls` a call that is answered so.
- A call is closed when its arguments are: JSON that is whole is a call even where the end mark is missing. What is cut
  off in the midst of its arguments is a problem, never a call.
- Marks inside JSON strings, and in reasoning, are text.
- Text before, between and after calls is content, as it is. White space alone at the edge of a call is layout, and
  dropped; where a format's template sets calls off from the text (`trim`), white space before a call is, too.
- Reasoning is taken out where a text or what follows a call begins with its mark; `opened=True` says that the prompt
  ended with that mark. Several stretches are joined by an empty line.
- Values that stand as bare text follow the tools' schemas; see `base.values.from_text` for what holds without.
- Nothing is evaluated. Values may be nested 200 deep.

How to add a format: find the file of its family, and declare it there in ten lines:

    JsonCalls(
        name="my_model",                                # what get_parser is asked for
        source="chat template of me/my-model",          # where the format is defined
        begin=("<call>",), end=("</call>",),            # the marks around calls; without an end, JSON ends itself
        keys=Keys(name=("tool",), arguments=("args",)), # the keys, where they are not name and arguments
        listed=True,                                    # calls are written as one list
        thought=("<think>", "</think>"),                # the marks around reasoning
        signs=(r"<call>",),                             # what tells it from the others, for `auto`
    )

`json_calls` holds JSON objects, `named_json` a name and then JSON, `xml_parameters` parameters in tags, `pythonic`
calls as Python writes them, `gemma` and `harmony` the formats of Google's and OpenAI's open models. A new family is a
subclass of `base.Format` with `starts`, `read` and `render`. The tests of tests/parsers run over every name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hermes_nb.exceptions import ConfigurationError
from hermes_nb.parsers import auto, gemma, harmony, json_calls, lens, named_json, pythonic, xml_parameters
from hermes_nb.parsers.base import Call, Evidence, Format, Parsed, Parser, Piece, Problem, Stream
from hermes_nb.parsers.lens import Verdict, Verdicts
from hermes_nb.records import AgentResult

FORMATS: dict[str, Format] = {
    one.name: one
    for family in (json_calls, named_json, xml_parameters, pythonic, gemma, harmony)
    for one in family.FORMATS
}
"""Every format by its name."""

ALIASES = {
    "cohere_command3": "command_r7b",
    "deepseek_v31": "deepseek_v3_1",
    "deepseek_v32": "deepseek_v3_2",
    "internlm": "internlm2",
    "nemotron_nano_v2": "nemotron_v2",
    "openai": "gpt_oss",
    "phi4_mini_json": "phi4mini",
    "qwen3_xml": "qwen3_coder",
}
"""Other names that servers use for the same formats."""


def names() -> tuple[str, ...]:
    """The names of all parsers, in the order of the alphabet; `auto` finds out which one a text needs."""
    return tuple(sorted([*FORMATS, "auto"]))


def get_parser(name: str, tools: Iterable[Mapping[str, Any]] | None = None, *, opened: bool = False) -> Parser:
    """The parser of that name. `tools` are the tools' schemas; `opened`: the prompt ended inside a thought.

    >>> text = 'I look.<tool_call>{"name": "add", "arguments": {"a": 2}}</tool_call>'
    >>> parsed = get_parser("hermes").parse(text)
    >>> parsed.content, [(call.name, call.arguments) for call in parsed.calls]
    ('I look.', [('add', '{"a": 2}')])

    Raises:
        ConfigurationError: there is no parser of that name.
    """
    if name == "auto":
        return auto.AutoParser(FORMATS.values(), tools, opened=opened)
    chosen = FORMATS.get(ALIASES.get(name, name))
    if chosen is None:
        raise ConfigurationError(f"no parser is called {name!r}; there are {', '.join(names())}")
    return Parser(chosen, tools, opened=opened)


def verdicts(
    text: str, names: Iterable[str] | None = None, tools: Iterable[Mapping[str, Any]] | None = None
) -> Verdicts:
    """What each parser (None: every one) makes of the same text. It shows itself in a notebook, and by `print`: the
    verdicts side by side, each with the character where it failed.

    `names` are those of parsers; `tools` are schemas, by which some parsers know the type of an argument."""
    return reparse([text], names, tools)


def reparse(
    results: Iterable[AgentResult | Mapping[str, Any] | str],
    names: Iterable[str] | None = None,
    tools: Iterable[Mapping[str, Any]] | None = None,
) -> Verdicts:
    """The rows of a table: what each parser (None: every one) makes of every reply in a corpus. It shows itself.

    `results` are runs, dicts with chat `messages`, or plain texts; `names` are those of parsers. `tools` are the
    schemas (None: each run's own).
    """
    chosen = sorted([*FORMATS, "auto"]) if names is None else names
    return lens.rows(results, chosen, get_parser, tools)


__all__ = [
    "ALIASES", "FORMATS", "Call", "Evidence", "Format", "Parsed", "Parser", "Piece", "Problem", "Stream", "Verdict",
    "Verdicts", "get_parser", "names", "reparse", "verdicts",
]  # fmt: skip
