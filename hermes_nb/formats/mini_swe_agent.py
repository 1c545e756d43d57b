"""mini-swe-agent's trajectories (`.traj.json`), of its first version and its second.

Source of the form: SWE-agent/mini-swe-agent (`src/minisweagent/agents/default.py`: `run`, `serialize`;
`src/minisweagent/run/utils/save.py`: `save_traj` of the first version; `src/minisweagent/models/utils/`: the messages
of models with and without tool calls, and of the Responses API; `docs/usage/output_files.md`).

| a file | comes to |
|---|---|
| `{"info": ..., "messages": [...], "trajectory_format": ...}` | a result |
| a bare list of messages, in which commands were run | a result |

| its | comes to |
|---|---|
| messages, and what the Responses API gave in their place | the messages; `extra` goes where it belongs |
| message of the role `exit` | a message |
| `extra.response` and `extra.cost` of a reply | usage, model, id, finish reason and `raw` |
| `extra.returncode` and `extra.exception_info` of an answer | exit code, and error |
| `extra.timestamp`, when a message was there | times, from the first of them on |
| `info.exit_status` | the stop reason, with the limits of `info.config.agent` |
| `info.config.model`, `info.mini_version`, `instance_id` | model, sampling, version, `task` |
| `info.model_stats.instance_cost` | the cost, where no message has one |
| the rest of `info`, without the configuration | `meta` |

Commands that a model wrote in its text stay text. A return code other than 0 is no error: the file does not call it
one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

from hermes_nb.formats.base import (
    About,
    Failure,
    Head,
    Note,
    Source,
    between,
    conversation,
    mapping,
    number,
    sequence,
    text,
)
from hermes_nb.messages import Message, text_of
from hermes_nb.records import AgentResult, RunError, StopReason, Usage
from hermes_nb.replies import usage_from

NAME = "mini-swe-agent"

ENDINGS: dict[str, StopReason] = {
    "Submitted": "finished", "TimeExceeded": "max_seconds", "UserInterruption": "interrupted",
    "KeyboardInterrupt": "interrupted", "ContextWindowExceededError": "context_overflow",
    "RepeatedFormatError": "too_many_errors",
}  # fmt: skip

SIGNALS = ("COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT", "MINI_SWE_AGENT_FINAL_OUTPUT")
"""What a command prints to hand its work in."""

OWN = ("extra", "provider_specific_fields", "function_call", "object", "type", "call_id", "output")


def recognises(head: Head) -> bool:
    """An object with messages whose `trajectory_format` is mini-swe-agent's, or whose `info` has its version or
    statistics; or a list of messages in which a command's return code follows a command."""
    if head.kind == "document" and isinstance(head.first, list):
        return _are_commands(head.first)
    return isinstance(head.row, Mapping) and _is_trajectory(head.row)


def read(source: Source) -> Iterator[AgentResult]:
    """One result for each trajectory.

    Raises:
        FormatError: a row is no trajectory, or over the bounds.
    """
    if source.head.kind == "document" and isinstance(source.head.first, list):
        yield _result({"messages": source.head.first}, source, None)
        return
    for row in source.rows():
        if not isinstance(row.value, Mapping) or not _is_trajectory(row.value):
            raise source.error("no trajectory: it has no messages, or another format's", row.place)
        yield _result(row.value, source, row.place)


def _is_trajectory(row: Mapping[str, Any]) -> bool:
    if not isinstance(row.get("messages"), list):
        return False
    named = str(row.get("trajectory_format")).startswith("mini-swe-agent")
    return named or bool({"mini_version", "model_stats"} & set(mapping(row.get("info"))))


def _are_commands(messages: list[Any]) -> bool:
    return any(
        mapping(one).get("role") == "assistant"
        and "```" in text_of(one.get("content"))
        and mapping(two).get("role") == "user"
        and text_of(two.get("content")).startswith("<returncode>")
        for one, two in pairwise(messages)
    )


def _result(row: Mapping[str, Any], source: Source, place: str | None) -> AgentResult:
    given = [_plain(message) for message in row["messages"]]
    messages = [_message(one) if isinstance(one, Mapping) else one for one in given]
    notes = _notes(given)
    return conversation(messages, source, NAME, place, _about(row, given, notes), notes=notes)


def _message(given: Mapping[str, Any]) -> Message:
    return {key: value for key, value in given.items() if value is not None and key not in OWN}


def _plain(given: Any) -> Any:
    """A message in the chat form, of one that the Responses API gave or takes."""
    if not isinstance(given, Mapping) or "role" in given:
        return given
    if given.get("type") == "function_call_output":
        return {**given, "role": "tool", "tool_call_id": given.get("call_id"), "content": given.get("output")}
    if given.get("object") != "response":
        return given
    items = [mapping(item) for item in sequence(given.get("output"))]
    said = [text_of(item.get("content")) for item in items if item.get("type") == "message"]
    summaries = [part for item in items if item.get("type") == "reasoning" for part in sequence(item.get("summary"))]
    thought = [told for part in summaries if (told := text(mapping(part).get("text")))]
    calls = [
        {"id": item.get("call_id"), "type": "function",
         "function": {"name": item.get("name"), "arguments": item.get("arguments")}}
        for item in items if item.get("type") == "function_call"
    ]  # fmt: skip
    extra = {"response": {name: given.get(name) for name in ("id", "model", "usage")}, **mapping(given.get("extra"))}
    message = {"role": "assistant", "content": "\n".join(said), "tool_calls": calls or None, "extra": extra}
    return {**message, "reasoning_content": "\n\n".join(thought) or None}


def _notes(given: list[Any]) -> dict[int, Note]:
    """What is known of every message. The work for one began when the one before was there; of several commands in one
    turn it is not known how long each took."""
    notes: dict[int, Note] = {}
    first = before = None
    for index, message in enumerate(given):
        if not isinstance(message, Mapping):
            continue
        stamp = mapping(message.get("extra")).get("timestamp")
        first = stamp if first is None else first
        at = between(first, stamp if before is None else before)
        if message.get("role") == "tool" and _has_siblings(given, index):
            notes[index] = _note(message, between(first, before), 0.0)
        else:
            notes[index] = _note(message, at, between(before, stamp) or 0.0)
        before = before if stamp is None else stamp
    return notes


def _has_siblings(given: list[Any], index: int) -> bool:
    around = given[max(0, index - 1) : index] + given[index + 1 : index + 2]
    return any(mapping(one).get("role") == "tool" for one in around)


def _note(message: Mapping[str, Any], at: float | None, seconds: float) -> Note:
    extra = mapping(message.get("extra"))
    if message.get("role") == "tool":
        code = extra.get("returncode")
        return Note(
            at=at,
            seconds=seconds,
            failure=_failure(extra),
            exit_code=code if type(code) is int else None,
            synthesised=_was_not_run(extra),
        )
    body = mapping(extra.get("response"))
    choices = sequence(body.get("choices"))
    return Note(
        at=at,
        seconds=seconds,
        usage=_usage(body.get("usage"), extra.get("cost")) if message.get("role") == "assistant" else None,
        model=text(body.get("model")),
        id=text(body.get("id")),
        finish_reason=text(mapping(choices[0]).get("finish_reason")) if choices else None,
        raw=dict(body) or None,
    )


def _was_not_run(extra: Mapping[str, Any]) -> bool:
    return extra.get("exception_info") == "action was not executed"


def _failure(extra: Mapping[str, Any]) -> Failure | None:
    told = text(extra.get("exception_info"))
    if told is None:
        return None
    if _was_not_run(extra):
        return Failure(error=told, kind="cancelled")
    type_ = text(extra.get("exception_type"))
    is_timeout = "Timeout" in (type_ or "") or "timed out" in told
    return Failure(error=told, kind="timeout" if is_timeout else "exception", exception_type=type_)


def _usage(usage: Any, cost: Any) -> Usage | None:
    counted = mapping(usage)
    if "input_tokens" in counted:
        names = {"prompt_tokens": "input_tokens", "completion_tokens": "output_tokens", "total_tokens": "total_tokens",
                 "prompt_tokens_details": "input_tokens_details",
                 "completion_tokens_details": "output_tokens_details"}  # fmt: skip
        counted = {ours: counted.get(theirs) for ours, theirs in names.items()}
    if not counted and number(cost) is None:
        return None
    return usage_from({**counted, **({} if number(cost) is None else {"cost": cost})})


def _about(row: Mapping[str, Any], given: list[Any], notes: Mapping[int, Note]) -> About:
    info = mapping(row.get("info"))
    config = mapping(info.get("config"))
    model, stats = mapping(config.get("model")), mapping(info.get("model_stats"))
    ending = _ending(info, given)
    counted = [note.usage for note in notes.values() if note.usage is not None]
    usage = sum(counted[1:], counted[0]) if counted else Usage()
    cost = number(stats.get("instance_cost"))
    version = text(info.get("mini_version"))
    meta = {key: value for key, value in {**row, **info}.items() if key not in ("messages", "info", "config")}
    return About(
        model=text(model.get("model_name")),
        sampling=mapping(model.get("model_kwargs")),
        versions={"mini_version": version} if version else {},
        task=text(row.get("instance_id")) or text(info.get("instance_id")),
        stop_reason=ending,
        error=_error(info) if ending in ("crashed", "context_overflow") else None,
        usage=usage if usage.cost is not None or not (cost or counted) else replace(usage, cost=cost),
        meta={key: value for key, value in meta.items() if value not in (None, "", {})},
    )


def _ending(info: Mapping[str, Any], given: list[Any]) -> StopReason | None:
    status = text(info.get("exit_status"))
    if status == "LimitsExceeded":
        return _limit(info)
    if status is not None:
        return ENDINGS.get(status) or "crashed"
    said = [text_of(one.get("content")) for one in given if mapping(one).get("role") == "assistant"]
    handed_in = bool(said) and any(signal in said[-1] for signal in SIGNALS)
    return "finished" if not info and handed_in and mapping(given[-1]).get("role") == "user" else None


def _limit(info: Mapping[str, Any]) -> StopReason:
    limit = number(mapping(mapping(info.get("config")).get("agent")).get("step_limit")) or 0
    calls = number(mapping(info.get("model_stats")).get("api_calls")) or 0
    return "max_turns" if 0 < limit <= calls else "max_cost"


def _error(info: Mapping[str, Any]) -> RunError:
    lines = (text(info.get("traceback")) or "").strip().splitlines()
    message = text(info.get("exception_str")) or text(info.get("submission")) or (lines[-1] if lines else None)
    return RunError(type=str(info["exit_status"]), message=message or "the file does not say why")
