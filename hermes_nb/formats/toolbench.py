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
| `win` | the score `win`; `answer_generation.finish_type` is the stop reason |
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
    conversation,
    decoded,
    mapping,
    number,
    reported,
    sequence,
    text,
)
from hermes_nb.messages import Message, text_of
from hermes_nb.records import AgentResult, StopReason, Usage

NAME = "ToolBench"

ENDINGS: dict[str, StopReason] = {"give_answer": "finished", "give_up": "stopped"}

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
    messages = list(trained[-1]) if trained else _told(generated.get("query"), paths[-1] if paths else ())
    others = _others(paths, messages)
    tokens = number(generated.get("total_tokens"))
    meta = {**{key: generated.get(key) for key in KEPT}, "forward_args": row.get("forward_args")}
    meta["final_answer"] = decoded(meta["final_answer"])
    about = About(
        tools=[{"type": "function", "function": one} for one in sequence(generated.get("function"))],
        scores={"win": float(row["win"])} if isinstance(row.get("win"), bool | int | float) else {},
        stop_reason=ENDINGS.get(str(generated.get("finish_type"))),
        usage=Usage(total=int(tokens)) if tokens is not None else None,
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


def _others(paths: Sequence[Sequence[Node]], messages: Sequence[Any]) -> list[Any]:
    """The calls on every path but the one that was settled on."""
    functions = [mapping(mapping(message).get("function_call")) for message in messages]
    settled = [(function.get("name"), function.get("arguments")) for function in functions if function]
    listed = [_calls(path) for path in paths]
    told = [[(call["name"], call["arguments"]) for call in calls] for calls in listed]
    if settled in told:
        del listed[told.index(settled)]
    return [calls for calls in listed if calls]


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
