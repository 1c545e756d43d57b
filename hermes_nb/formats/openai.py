"""OpenAI's chat messages, as JSON lines or one JSON document; written as JSON lines.

Sources of the wire format: the OpenAI API's description (openai/openai-openapi, `openapi.yaml`: the schemas
`ChatCompletionRequestMessage`, `FineTuneChatRequestInput`, `CreateChatCompletionResponse`, `BatchRequestInput` and
`BatchRequestOutput`), openai/openai-cookbook (`examples/Fine_tuning_for_function_calling.ipynb`: `tools`,
`parallel_tool_calls`, `weight`), and NousResearch/hermes-agent (`run_agent.py`, `_save_session_log`).

| a row | comes to |
|---|---|
| `{"messages": [...], "tools": [...], ...}` | a conversation; what else the row has is its `meta` |
| `[{"role": ..., "content": ...}, ...]` | a conversation |
| `{"prompt": [...], "completion": [...]}`, both of messages | a conversation of both |
| `{"request": {"messages": ...}, "response": {"choices": ...}}` | a conversation for each choice |
| `{"object": "chat.completion", "choices": [...]}` | the same, without what was asked |
| `{"custom_id": ..., "response": {"body": ...}}` of the batch API | the same; an error in it is a `server_error` |
| `{"custom_id": ..., "body": {"messages": ...}}` of the batch API | a conversation that nobody answered |

Lists that are JSON text, as tables have them, are read as lists. An answer that is a JSON object with a true `error` is
an error that its tool reported. A system prompt beside the messages (`system_prompt`, a hermes-agent session) is the
first of them where they have none.

Written are `messages`, `tools` and `parallel_tool_calls`. Read again, the messages, calls, answers, reasoning and tool
schemas are the same; `write` reports all else.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from hermes_nb.formats.base import (
    About,
    Head,
    Note,
    Report,
    Results,
    Source,
    conversation,
    decoded,
    mapping,
    reported,
    sequence,
    text,
    write_lines,
)
from hermes_nb.messages import text_of
from hermes_nb.records import AgentResult, RunError
from hermes_nb.replies import usage_from

NAME = "OpenAI chat"

WHY = "OpenAI's chat format has no place for it"

SAMPLING = (
    "temperature", "top_p", "max_tokens", "max_completion_tokens", "tool_choice", "parallel_tool_calls", "seed", "stop",
    "reasoning_effort", "n",
)  # fmt: skip
TASKS = ("task", "task_id", "custom_id", "id", "prompt_id", "question_id", "instance_id")
"""The keys under which a row names the item it is of, the first that is there counts."""


def recognises(head: Head) -> bool:
    """The first row is of one of the shapes above."""
    if head.kind == "document" and _are_messages(head.first):
        return True
    return _are_messages(head.row) or (isinstance(head.row, Mapping) and any(_shapes(head.row)))


def read(source: Source) -> Iterator[AgentResult]:
    """One result for each row, or for each choice of an answer.

    Raises:
        FormatError: a row is of another shape, or over the bounds.
    """
    if source.head.kind == "document" and _are_messages(source.head.first):
        yield _result({"messages": source.head.first}, source, None)
        return
    for row in source.rows():
        value = {"messages": row.value} if isinstance(row.value, list) else row.value
        if not isinstance(value, Mapping) or not any(_shapes(value)):
            raise source.error("neither messages nor an answer with choices", row.place)
        yield from _results(value, source, row.place)


def write(results: Results, path: str | os.PathLike[str]) -> Report:
    """Write one line for each result, and report what could not be kept. Everything shaped like a secret is redacted.

    Messages keep fields that OpenAI's API does not know, such as `reasoning_content`.

    Raises:
        OSError: the file cannot be written; one of that name is as it was.
    """
    back = Source(None, rows=())
    return write_lines(results, path, row_of, lambda row: _result(row, back, None), WHY)


def row_of(result: AgentResult) -> dict[str, Any]:
    """The result as a row."""
    row: dict[str, Any] = {"messages": result.messages}
    if result.provenance is None:
        return row
    if result.provenance.tools:
        row["tools"] = list(result.provenance.tools)
    if (parallel := result.provenance.sampling.get("parallel_tool_calls")) is not None:
        row["parallel_tool_calls"] = parallel
    return row


def _are_messages(value: Any) -> bool:
    messages = decoded(value)
    first = messages[0] if isinstance(messages, list) and messages else None
    return isinstance(first, Mapping) and isinstance(first.get("role"), str)


def _shapes(row: Mapping[str, Any]) -> Iterator[bool]:
    """Whether the row is of each shape."""
    response = mapping(row.get("response"))
    yield _are_messages(row.get("messages"))
    yield _are_messages(row.get("prompt")) and _are_messages(row.get("completion"))
    yield bool(_choices(row))
    yield bool(_choices(response)) or ("custom_id" in row and ("response" in row or bool(row.get("error"))))
    yield "custom_id" in row and _are_messages(mapping(row.get("body")).get("messages"))


def _choices(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    choices = sequence(body.get("choices"))
    return [one for one in choices if isinstance(one, Mapping) and isinstance(one.get("message"), Mapping)]


def _results(row: Mapping[str, Any], source: Source, place: str) -> Iterator[AgentResult]:
    request = mapping(row.get("request")) or mapping(row.get("body"))
    response = mapping(row.get("response"))
    body = mapping(response.get("body")) or response or row
    if _are_messages(row.get("messages")):
        yield _result(row, source, place)
    elif _are_messages(row.get("prompt")):
        yield _result({**row, "messages": [*decoded(row["prompt"]), *decoded(row["completion"])]}, source, place)
    elif choices := _choices(body):
        for attempt, choice in enumerate(choices):
            yield _answered(row, request, body, attempt, choice, source, place)
    elif _are_messages(request.get("messages")):
        yield _result({**request, "custom_id": row.get("custom_id")}, source, place)
    else:
        about = About(task=_task(row), stop_reason="server_error", error=_failure(row, response, body))
        yield conversation([], source, NAME, place, about)


def _result(row: Mapping[str, Any], source: Source, place: str | None) -> AgentResult:
    """A row that has messages."""
    messages = [_plain(message) for message in decoded(row["messages"])]
    system = text(row.get("system_prompt"))
    if system and not any(message.get("role") in ("system", "developer") for message in messages[:1]):
        messages.insert(0, {"role": "system", "content": system})
    usage = usage_from(row.get("usage")) if isinstance(row.get("usage"), Mapping) else None
    return conversation(messages, source, NAME, place, _about(row, usage=usage), notes=_notes(messages))


def _about(row: Mapping[str, Any], **known: Any) -> About:
    used = {"messages", "prompt", "completion", "tools", "functions", "model", "usage", "system_prompt", "base_url",
            *SAMPLING}  # fmt: skip
    tools = sequence(decoded(row.get("tools")))
    older = [{"type": "function", "function": one} for one in sequence(decoded(row.get("functions")))]
    base_url = text(row.get("base_url"))
    return About(
        model=text(row.get("model")),
        tools=tools or older,
        server={"base_url": base_url} if base_url else {},
        sampling={name: row[name] for name in SAMPLING if row.get(name) is not None},
        started_at=text(row.get("session_start")) or "",
        task=_task(row),
        meta={key: value for key, value in row.items() if key not in used and value is not None},
        **known,
    )


def _task(row: Mapping[str, Any]) -> str | None:
    named = (row[key] for key in TASKS if isinstance(row.get(key), str | int))
    return next((str(name) for name in named), None)


def _answered(
    row: Mapping[str, Any], request: Mapping[str, Any], body: Mapping[str, Any], attempt: int,
    choice: Mapping[str, Any], source: Source, place: str,
) -> AgentResult:  # fmt: skip
    """What was asked, as far as it is there, and one answer to it."""
    asked = [_plain(message) for message in sequence(decoded(request.get("messages")))]
    notes = {
        **_notes(asked),
        len(asked): Note(
            usage=usage_from(body.get("usage")), model=text(body.get("model")), id=text(body.get("id")),
            finish_reason=text(choice.get("finish_reason")), raw=dict(body),
            request_id=text(mapping(row.get("response")).get("request_id")),
        ),
    }  # fmt: skip
    about = _about({**request, "custom_id": row.get("custom_id")}, attempt=attempt)
    return conversation([*asked, _plain(choice["message"])], source, NAME, place, about, notes=notes)


def _failure(row: Mapping[str, Any], response: Mapping[str, Any], body: Mapping[str, Any]) -> RunError:
    error = mapping(row.get("error")) or mapping(body.get("error"))
    status = response.get("status_code")
    return RunError(
        type=text(error.get("type")) or "BatchError",
        message=text(error.get("message")) or "the batch holds no answer, and does not say why",
        code=text(error.get("code")),
        status=status if type(status) is int else None,
        request_id=text(response.get("request_id")),
    )


def _plain(message: Any) -> Any:
    """A message whose calls are a list, whatever the table made of them."""
    if not isinstance(message, Mapping) or not isinstance(message.get("tool_calls"), str):
        return message
    return {**message, "tool_calls": decoded(message["tool_calls"])}


def _notes(messages: list[Any]) -> dict[int, Note]:
    """The errors that tools reported."""
    answers = (
        (index, reported(text_of(message.get("content"))))
        for index, message in enumerate(messages)
        if isinstance(message, Mapping) and message.get("role") in ("tool", "function")
    )
    return {index: Note(failure=failure) for index, failure in answers if failure is not None}
