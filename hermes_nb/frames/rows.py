"""The rows of a run in every table, as tuples in the order of the columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hermes_nb.frames.answers import Answered, answered
from hermes_nb.frames.plain import Entry, PlainRun, PlainTurn
from hermes_nb.frames.values import flag, length, listed, number, text, time, whole
from hermes_nb.messages import Message, reasoning_of, text_of

Row = tuple[Any, ...]
Rows = list[Row]


def runs(run: PlainRun) -> Rows:
    """One row."""
    facts, turns = run.facts, run.turns
    origin, error, made = (facts.get(name) or {} for name in ("origin", "error", "provenance"))
    stop = facts.get("stop_reason", "running")
    row = (
        run.key, facts.get("task"), facts.get("task_id"), facts.get("attempt", 0),
        *(origin.get(name) for name in ("kind", "run_id", "turn", "call_index", "edit")),
        stop, stop == "finished", stop in ("finished", "stopped"),
        *_counts(run), *_usage(facts.get("usage")),
        _timed(run, facts.get("seconds", 0.0)),
        _timed(run, _sum(turn.model_seconds for turn in turns)),
        _timed(run, _sum(turn.tool_seconds for turn in turns)),
        error.get("type"), error.get("message"), error.get("status"), error.get("code"),
        listed(facts.get("abandoned")), facts.get("journal_error"), _final_text(run) or None,
        *_made(made),
    )  # fmt: skip
    return [row]


def _counts(run: PlainRun) -> Row:
    said = sum(len(turn.added) + len(turn.said()) for turn in run.turns[run.first :])
    calls = sum(len(turn.reply.get("calls", ())) for turn in run.turns if turn.reply)
    errors = sum(one.get("error") is not None for turn in run.turns for one in turn.results)
    return len(run.start) + said, len(run.turns), calls, errors


def _made(made: Entry) -> Row:
    server, sampling, versions = (made.get(name) or {} for name in ("server", "sampling", "versions"))
    git = versions.get("git")
    git = git if isinstance(git, Mapping) else {}
    return (
        time(made.get("started_at")),
        *(text(server.get(name)) for name in ("name", "model", "base_url")),
        number(sampling.get("temperature")), whole(sampling.get("max_tokens")), text(sampling.get("tool_choice")),
        flag(sampling.get("stream")), made.get("toolbox_hash"),
        *(text(versions.get(name)) for name in ("hermes_nb", "python", "openai")),
        text(git.get("commit")), flag(git.get("dirty")),
    )  # fmt: skip


def _final_text(run: PlainRun) -> str:
    """As `AgentResult.final_text`."""
    last = _last(run)
    if last.get("role") != "assistant" or last.get("tool_calls"):
        return ""
    reply = run.turns[-1].reply if run.turns else None
    if reply is not None and reply.get("source_text") is not None and reply["message"] == last:
        return str(reply.get("text", ""))
    return text_of(last.get("content"))


def _last(run: PlainRun) -> Message:
    for turn in reversed(run.turns[run.first :]):
        if said := turn.said() or turn.added:
            return said[-1]
    return run.start[-1] if run.start else {}


def _usage(usage: Entry | None) -> Row:
    given = usage or {}
    counts = [given.get(name) for name in ("prompt", "completion", "total", "reasoning", "cached", "cost")]
    return (*counts, given.get("partial", False))


def _sum(seconds: Any) -> float:
    return float(sum(seconds))


def _timed(run: PlainRun, seconds: float) -> float | None:
    return seconds if seconds or run.measured else None


def turns(run: PlainRun) -> Rows:
    """One row a model call."""
    return [_turn(run, turn) for turn in run.turns]


def _turn(run: PlainRun, turn: PlainTurn) -> Row:
    reply = turn.reply
    times = [turn.at, turn.seconds, turn.model_seconds, turn.tool_seconds]
    calls = len(reply.get("calls", ())) if reply else 0
    errors = sum(one.get("error") is not None for one in turn.results)
    counted = (calls, errors, len(turn.added))
    told = [_timed(run, one) for one in times]
    if reply is None:
        return (run.key, turn.number, *(None,) * 4, *(None,) * 7, *(None,) * 5, *told, *(None,) * 5, *counted)
    return (
        run.key, turn.number, reply.get("text", ""), reply.get("reasoning"), reply.get("refusal"),
        reply.get("finish_reason"), *_usage(reply.get("usage")), reply.get("model"), reply.get("id"),
        reply.get("request_id"), reply.get("status"), reply.get("retries", 0), *told,
        _timed(run, reply.get("seconds", 0.0)), _timed(run, reply.get("waited", 0.0)), reply.get("first_token_at"),
        reply.get("partial", False), listed(reply.get("problems")), *counted,
    )  # fmt: skip


def own_messages(run: PlainRun) -> Rows:
    """One row a message that was said in this run."""
    return _messages(run, min(inherited(run), len(run.start)))


def all_messages(run: PlainRun) -> Rows:
    """One row a message of the conversation."""
    return _messages(run, 0)


def inherited(run: PlainRun) -> int:
    """How many of the first messages were said in the run that this one goes on from: as its origin says; where that
    does not, as many as there are up to the last that is an assistant's or a tool's."""
    origin = run.facts.get("origin")
    if not origin or origin["kind"] == "import":
        return 0
    kept = origin.get("messages")
    if kept is not None:
        return int(kept)
    return max(
        (place + 1 for place, one in enumerate(run.start) if one.get("role") in ("assistant", "tool")), default=0
    )


def _messages(run: PlainRun, skip: int) -> Rows:
    key = run.key
    rows = _starting(run, skip)
    position = len(run.start)
    for turn in run.turns[run.first :]:
        number = turn.number
        for one in turn.added:
            rows.append(_message(one, key, position, number))
            position += 1
        reply = turn.reply
        if reply is None or (reply.get("partial") and not reply["message"].get("content")):
            continue
        rows.append(_message(reply["message"], key, position, number, reply.get("reasoning")))
        for answer in turn.results:
            position += 1
            call, parts = answer["call"], answer.get("parts")
            rows.append((
                key, position, number, call.get("index", 0), "tool", answer["content"], None, call["name"],
                call.get("id", "call_0"), 0, len(parts) + 1 if parts else None, False,
            ))  # fmt: skip
        position += 1
    return rows


def _starting(run: PlainRun, skip: int) -> Rows:
    turn, kept = (0 if run.placed else None), inherited(run)
    names = _tool_names(run.start) if any(one.get("role") == "tool" for one in run.start) else {}
    return [
        _message(one, run.key, place, turn, None, names, place < kept)
        for place, one in enumerate(run.start)
        if place >= skip
    ]


def _message(
    message: Message, key: str, position: int, turn: int | None, reasoning: str | None = None,
    names: Mapping[str, Any] | None = None, earlier: bool = False,
) -> Row:  # fmt: skip
    content, role, made, name = (message.get(one) for one in ("content", "role", "tool_calls", "name"))
    if role == "assistant" and reasoning is None:
        reasoning = reasoning_of(message)
    told = text(message.get("tool_call_id"))
    if name is None and names and told is not None:
        name = names.get(told)
    parts = len(content) if isinstance(content, list) else None
    words = content if type(content) is str or content is None else text_of(content)
    calls = len(made) if isinstance(made, list) else 0
    return key, position, turn, None, text(role), words, reasoning, text(name), told, calls, parts, earlier


def _tool_names(messages: Sequence[Message]) -> dict[str, Any]:
    """The tools by the ids of the calls, where the messages say so."""
    names: dict[str, Any] = {}
    for message in messages:
        made = message.get("tool_calls")
        for call in made if isinstance(made, list) else ():
            function = call.get("function") if isinstance(call, Mapping) else None
            if isinstance(function, Mapping) and isinstance(call.get("id"), str):
                names[call["id"]] = function.get("name")
    return names


def calls(run: PlainRun) -> Rows:
    """One row a tool call."""
    return [_call(run, one) for one in answered(run)]


UNANSWERED = (None,) * 17


def _call(run: PlainRun, one: Answered) -> Row:
    call, result, error = one.call, one.result, one.error or {}
    asked = (
        run.key, one.turn, one.index, call.get("id", "call_0"), call.get("sent_id"), call["name"],
        call.get("arguments", "{}"), one.parsed,
    )  # fmt: skip
    after = one.next_action, one.recovered, one.turns_to_recover
    if result is None:
        return (*asked, None, *UNANSWERED, *after)
    content, parts = result["content"], result.get("parts")
    size = length(content)
    kind, fault = (error.get("kind", "exception"), error.get("fault", "tool")) if error else (None, None)
    return (
        *asked, kind or "ok", kind, fault, error.get("error"), error.get("exception_type"), error.get("traceback"),
        error.get("position"), content, size, result.get("size") or size, len(parts) if parts else None,
        _timed(run, result.get("queued", 0.0)), _timed(run, result.get("started", 0.0)),
        _timed(run, result.get("seconds", 0.0)), result.get("printed") or None, result.get("exit_code"),
        result.get("synthesised", False), result.get("replayed", False), *after,
    )  # fmt: skip


def errors(run: PlainRun) -> Rows:
    """One row a tool error."""
    return [_error(run, one, one.error) for one in answered(run) if one.error is not None]


def _error(run: PlainRun, one: Answered, error: Entry) -> Row:
    return (
        run.key, one.turn, one.index, one.call.get("id", "call_0"), error["tool_name"], error["arguments"],
        error.get("kind", "exception"), error.get("fault", "tool"), error["error"], error["tool_result"],
        error.get("exception_type"), error.get("position"), error.get("traceback"),
        one.next_action, one.recovered, one.turns_to_recover,
    )  # fmt: skip
