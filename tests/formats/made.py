"""Results to be written and read: made up by hypothesis, and one that has something of everything."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from hermes_nb.formats.base import About, Failure, Note, Source, conversation
from hermes_nb.records import AgentResult, Usage

TOOLS = [
    {
        "type": "function",
        "function": {"name": name, "description": f"Does {name}.", "parameters": {"type": "object", "properties": {}}},
    }
    for name in ("add", "read_file")
]

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
said = words.filter(str.strip)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)
arguments = (
    st.builds(json.dumps, st.dictionaries(words, json_values, max_size=3), indent=st.sampled_from([None, 2]))
    | st.builds(json.dumps, json_values).filter(lambda text: text.strip() not in ("null", ""))
    | words.filter(str.strip).map('{{"broken": {}'.format)
)
contents = words | st.builds(json.dumps, json_values) | st.just('{"error": "no such file", "exit_code": 1}')
names = st.sampled_from(["add", "read_file", "no such tool"])


@st.composite
def messages(draw: st.DrawFn) -> list[dict[str, Any]]:
    """A conversation as runs make them: every id is used once, every answer follows its call; some calls have none."""
    made: list[dict[str, Any]] = [{"role": "system", "content": draw(said)}] if draw(st.booleans()) else []
    made.append({"role": "user", "content": draw(said)})
    for turn in range(draw(st.integers(0, 3))):
        calls = draw(st.lists(st.tuples(names, arguments), min_size=1, max_size=3))
        made.append({"role": "assistant", "content": draw(words), "tool_calls": [
            {"id": f"call_{turn}_{index}", "type": "function", "function": {"name": name, "arguments": given}}
            for index, (name, given) in enumerate(calls)
        ]})  # fmt: skip
        if draw(st.booleans()):
            made[-1]["reasoning_content"] = draw(said)
        made += [
            {"role": "tool", "tool_call_id": f"call_{turn}_{index}", "content": draw(contents)}
            for index in range(len(calls))
            if draw(st.integers(0, 9))
        ]
        if draw(st.booleans()):
            made.append({"role": "user", "content": draw(said)})
    if draw(st.booleans()):
        made.append({"role": "assistant", "content": draw(words)})
    return made


usages = st.builds(
    Usage, prompt=st.integers(0, 10**6), completion=st.integers(0, 10**6), total=st.none() | st.integers(0, 10**7)
)
failures = st.builds(Failure, error=said, kind=st.sampled_from(["exception", "timeout", "bad_json", "rejected"]))


@st.composite
def results(draw: st.DrawFn) -> AgentResult:
    """A result with errors, usage, scores and times."""
    history = draw(messages())
    notes: dict[int, Note] = {}
    for index, message in enumerate(history):
        if message["role"] == "assistant":
            notes[index] = Note(usage=draw(usages), seconds=draw(st.sampled_from([0.0, 0.5])), finish_reason="stop")
        elif message["role"] == "tool" and draw(st.booleans()):
            notes[index] = Note(failure=draw(failures), exit_code=draw(st.none() | st.integers(-1, 255)))
    about = About(
        model=draw(st.none() | said), tools=draw(st.sampled_from([(), TOOLS])), task=draw(st.none() | said),
        attempt=draw(st.integers(0, 3)), scores=draw(st.dictionaries(said, st.floats(0, 1), max_size=2)),
        meta=draw(st.dictionaries(said, json_values, max_size=2)),
    )  # fmt: skip
    return conversation(history, Source(None, rows=()), "made up", None, about, notes=notes)


def calls_of(result: AgentResult) -> list[tuple[str, str, str]]:
    """The calls: id, name and arguments."""
    return [(call.id, call.name, call.arguments) for call in result.calls]


def answers_of(result: AgentResult) -> list[tuple[str, str]]:
    """The answers: the call's id, and the content."""
    return [(one.call.id, one.content) for one in result.results]
