"""ToolBench's answers: a search for a chain of calls that answers a query, and the chain it settled on.

Source of the form: OpenBMB/ToolBench (`toolbench/inference/Algorithms/DFS.py` and `single_chain.py`: `to_json`;
`toolbench/inference/qa_pipeline.py`; `toolbench/inference/Tree/Tree.py`; `toolbench/inference/Downstream_tasks/
rapidapi.py`: what an answer's `error` says; `data_example/answer`).

| an answer's | comes to |
|---|---|
| the last of `answer_generation.train_messages` | the messages: each before it is a beginning of it |
| the path to the last leaf of `tree`, or the last of `trys`, where there are none | the messages, after the query |
| `answer_generation.function` | the tools, whose schemas are of the older form |
| an `error` that is not empty in an answer to a call | an error of the call |
| a call of a function that there is not | a call of the name in the tree: the messages have `MADE_UP` in its place |
| `win`, `answer_generation.finish_type` | the score `win`, the stop reason; without `valid_data` no steps were left |
| `answer_generation.total_tokens` | tokens of the run, of all the search |
| calls of every other path of the tree | `meta["other_paths"]` |
| `final_answer`, `query`, `query_count`, `forward_args` | `meta` |

What the search asked on other paths is no part of the conversation, and is not counted as its calls.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from hermes_nb.formats.base import (
    About,
    Failure,
    Head,
    Note,
    Source,
    as_float,
    conversation,
    decoded,
    mapping,
    reported,
    sequence,
    text,
    whole,
)
from hermes_nb.messages import Message, text_of
from hermes_nb.records import AgentResult, StopReason, Usage

NAME = "ToolBench"

ENDINGS: dict[str, StopReason] = {"give_answer": "finished", "give_up": "stopped"}

MADE_UP = "invalid_hallucination_function_name"

CUT = re.compile(r'\s*\{"error": ?"((?:[^"\\]|\\.)+)')
"""An error at the beginning of an answer that was cut off, and so is no JSON."""

KEPT = ("query", "query_count", "valid_data", "finish_type", "final_answer")

Node = Mapping[str, Any]


def recognises(head: Head) -> bool:
    """The first row has an `answer_generation`, beside a `tree`, `trys` or `win`."""
    return isinstance(head.row, Mapping) and _is_answer(head.row)


def read(source: Source) -> Iterator[AgentResult]:
    """One result for each answer.

    Raises:
        FormatError: a row is no answer, or over the bounds.
    """
    for row in source.rows():
        if not isinstance(row.value, Mapping) or not _is_answer(row.value):
            raise source.error("no answer: it has no answer_generation beside a tree or trys", row.place)
        yield _result(row.value, source, row.place)


def _is_answer(row: Mapping[str, Any]) -> bool:
    return isinstance(row.get("answer_generation"), Mapping) and bool({"tree", "trys", "win"} & set(row))


def _result(row: Mapping[str, Any], source: Source, place: str) -> AgentResult:
    generated = mapping(row["answer_generation"])
    paths = list(_paths(mapping(mapping(row.get("tree")).get("tree"))))
    paths += [sequence(mapping(one).get("chain")) for one in sequence(row.get("trys"))]
    trained = [one for one in sequence(generated.get("train_messages")) if isinstance(one, list) and one]
    listed = [_calls(path) for path in paths]
    if trained:
        messages, settled = _named(list(trained[-1]), listed)
    else:
        messages, settled = _told(generated.get("query"), paths[-1] if paths else ()), len(paths) - 1
    others = [calls for index, calls in enumerate(listed) if index != settled and calls]
    tokens, win = whole(generated.get("total_tokens")), as_float(row.get("win"))
    meta = {**{key: generated.get(key) for key in KEPT}, "forward_args": row.get("forward_args")}
    meta["final_answer"] = decoded(meta["final_answer"])
    finish_type = str(generated.get("finish_type"))
    about = About(
        tools=[{"type": "function", "function": one} for one in sequence(generated.get("function"))],
        scores={} if win is None else {"win": win},
        stop_reason="max_turns" if generated.get("valid_data") is False else ENDINGS.get(finish_type),
        usage=None if tokens is None else Usage(total=tokens),
        meta={key: value for key, value in {**meta, "other_paths": others}.items() if value not in (None, "", [], {})},
    )
    return conversation(messages, source, NAME, place, about, notes=_notes(messages))


def _paths(root: Node) -> Iterator[Sequence[Node]]:
    """Every path from the root to a leaf of a tree, from left to right, without the root."""
    todo: list[tuple[Node, tuple[Node, ...]]] = [(root, ())] if root else []
    while todo:
        node, path = todo.pop()
        children = [child for child in sequence(node.get("children")) if isinstance(child, Mapping)]
        if not children and path:
            yield path
        todo += [(child, (*path, child)) for child in reversed(children)]


def _calls(path: Sequence[Node]) -> list[dict[str, Any]]:
    """The calls on a path: an action, its input, and what came of it."""
    calls: list[dict[str, Any]] = []
    for node in (mapping(node) for node in path):
        if node.get("node_type") == "Action":
            calls.append({"name": node.get("description"), "arguments": "", "answer": node.get("observation")})
        elif node.get("node_type") == "Action Input" and calls:
            calls[-1].update(arguments=node.get("description"), answer=node.get("observation"))
    return calls


def _named(messages: list[Any], paths: Sequence[Sequence[Mapping[str, Any]]]) -> tuple[list[Any], int | None]:
    """The messages with the names that the model called, and the number of the path that they are of."""
    asked = [index for index, one in enumerate(messages) if mapping(mapping(one).get("function_call"))]
    functions = [messages[index]["function_call"] for index in asked]
    same = (len(calls) == len(functions) and all(map(_is_same, calls, functions)) for calls in paths)
    settled = next((index for index, is_it in enumerate(same) if is_it), None)
    for index, call in zip(asked, paths[settled] if settled is not None else (), strict=False):
        if messages[index]["function_call"].get("name") == MADE_UP:
            named = {**messages[index]["function_call"], "name": call["name"]}
            messages[index] = {**messages[index], "function_call": named}
    return messages, settled


def _is_same(call: Mapping[str, Any], function: Mapping[str, Any]) -> bool:
    return call["arguments"] == function.get("arguments") and function.get("name") in (call["name"], MADE_UP)


def _told(query: Any, path: Sequence[Node]) -> list[Message]:
    """The query and a path as messages."""
    messages: list[Message] = [{"role": "user", "content": query}] if text(query) else []
    thought = ""
    for node in (mapping(node) for node in path):
        described, observed = node.get("description") or "", node.get("observation")
        if node.get("node_type") == "Thought":
            thought = f"{thought}\n{described}" if thought else described
        elif node.get("node_type") == "Action":
            function = {"name": described, "arguments": ""}
            messages.append({"role": "assistant", "content": thought, "function_call": function})
            thought = ""
        elif messages and "function_call" in messages[-1]:
            messages[-1]["function_call"]["arguments"] = described
        if observed and messages and "function_call" in messages[-1]:
            name = messages[-1]["function_call"]["name"]
            messages.append({"role": "function", "name": name, "content": observed})
    return [*messages, {"role": "assistant", "content": thought}] if thought else messages


def _notes(messages: Sequence[Any]) -> dict[int, Note]:
    answers = ((index, one) for index, one in enumerate(messages) if mapping(one).get("role") in ("function", "tool"))
    failures = ((index, _failure(text_of(one.get("content")))) for index, one in answers)
    return {index: Note(failure=failure) for index, failure in failures if failure is not None}


def _failure(told: str) -> Failure | None:
    failure = reported(told)
    if failure is None and (cut := CUT.match(told)):
        failure = Failure(error=cut.group(1))
    if failure is None:
        return None
    if failure.error.startswith("No such function name"):
        return replace(failure, kind="unknown_tool")
    return replace(failure, kind="timeout") if failure.error.startswith("Timeout") else failure
