"""The rows of a run in every table, as tuples in the order of the columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Any

from hermes_nb.frames.answers import Answered, answered
from hermes_nb.frames.plain import PlainRun, PlainTurn, said
from hermes_nb.frames.shapes import Spoken
from hermes_nb.frames.values import flag, listed, moment, number, text, whole
from hermes_nb.messages import REASONING_FIELDS, Message, reasoning_of, text_of
from hermes_nb.records import COUNTED, Provenance, Reply, ToolError, Turn, Usage

Row = tuple[Any, ...]
Rows = list[Row]


def runs(run: PlainRun) -> Rows:
    """One row."""
    facts, turns = run.facts, run.turns
    origin, error, stop = facts.origin, facts.error, facts.stop_reason
    row = (
        run.key, facts.task, facts.task_id, facts.attempt,
        *((origin.kind, origin.run_id, origin.turn, origin.call_index, origin.edit) if origin else (None,) * 5),
        stop, stop == "finished", stop in ("finished", "stopped"),
        *_counts(run), *_usage(_used(run) if facts.usage is None else facts.usage),
        _timed(run, facts.seconds),
        _timed(run, _sum(turn.model_seconds for turn in turns)),
        _timed(run, _sum(turn.tool_seconds for turn in turns)),
        *((error.type, error.message, error.status, error.code) if error else (None,) * 4),
        listed(facts.abandoned), facts.journal_error, _final_text(run) or None,
        *_made(facts.provenance),
    )  # fmt: skip
    return [row]


def _counts(run: PlainRun) -> Row:
    told = sum(len(turn.added_messages) + len(said(turn)) for turn in run.turns[run.first :])
    calls = sum(len(turn.reply.calls) for turn in run.turns if turn.reply)
    errors = sum(one.error is not None for turn in run.turns for one in turn.results)
    return len(run.start) + told, len(run.turns), calls, errors


def _used(run: PlainRun) -> Usage:
    """The sum over the replies."""
    used = [
        Usage(**{name: getattr(turn.reply.usage, name) for name in (*COUNTED, "partial")})
        for turn in run.turns
        if turn.reply
    ]
    return sum(used[1:], used[0]) if used else Usage()


def _made(made: Provenance | None) -> Row:
    if made is None:
        return (None,) * 14
    server, sampling, versions = made.server or {}, made.sampling or {}, made.versions or {}
    git = versions.get("git")
    git = git if isinstance(git, Mapping) else {}
    return (
        moment(made.started_at),
        *(text(server.get(name)) for name in ("name", "model", "base_url")),
        number(sampling.get("temperature")), whole(sampling.get("max_tokens")), text(sampling.get("tool_choice")),
        flag(sampling.get("stream")), made.toolbox_hash,
        *(text(versions.get(name)) for name in ("hermes_nb", "python", "openai")),
        text(git.get("commit")), flag(git.get("dirty")),
    )  # fmt: skip


def _final_text(run: PlainRun) -> str:
    """As `AgentResult.final_text`."""
    last = _last(run)
    if last.get("role") != "assistant" or last.get("tool_calls"):
        return ""
    reply = run.turns[-1].reply if run.turns else None
    if reply is not None and reply.source_text is not None and reply.message == last:
        return reply.text
    return text_of(last.get("content"))


def _last(run: PlainRun) -> Message:
    for turn in reversed(run.turns[run.first :]):
        if told := said(turn) or turn.added_messages:
            return told[-1]
    return run.start[-1] if run.start else {}


def _usage(usage: Usage) -> Row:
    return (
        usage.prompt, usage.completion, usage.total, usage.reasoning, usage.cached, usage.cost, usage.partial,
    )  # fmt: skip


def _sum(seconds: Any) -> float:
    return float(sum(seconds))


def _timed(run: PlainRun, seconds: float) -> float | None:
    return seconds if seconds or run.measured else None


def turns(run: PlainRun) -> Rows:
    """One row a model call."""
    return [_turn(run, turn) for turn in run.turns]


def _turn(run: PlainRun, turn: Turn | PlainTurn) -> Row:
    reply = turn.reply
    calls = len(reply.calls) if reply else 0
    errors = sum(one.error is not None for one in turn.results)
    counted = (calls, errors, len(turn.added_messages))
    told = [_timed(run, one) for one in (turn.at, turn.seconds, turn.model_seconds, turn.tool_seconds)]
    if reply is None:
        return (run.key, turn.number, *(None,) * 4, *(None,) * 7, *(None,) * 5, *told, *(None,) * 5, *counted)
    return (
        run.key, turn.number, reply.text, reply.reasoning, reply.refusal, reply.finish_reason, *_usage(reply.usage),
        reply.model, reply.id, reply.request_id, reply.status, reply.retries, *told,
        _timed(run, reply.seconds), _timed(run, reply.waited), reply.first_token_at,
        reply.partial, listed(reply.problems), *counted,
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
    origin = run.facts.origin
    if origin is None or origin.kind == "import":
        return 0
    if origin.messages is not None:
        return origin.messages
    return max(
        (place + 1 for place, one in enumerate(run.start) if one.get("role") in ("assistant", "tool")), default=0
    )


def _messages(run: PlainRun, skip: int) -> Rows:
    key = run.key
    rows = _starting(run, skip)
    position = len(run.start)
    for turn in run.turns[run.first :]:
        number = turn.number
        for one in turn.added_messages:
            rows.append(_message(one, key, position, number))
            position += 1
        reply = turn.reply
        if reply is None or (reply.partial and not reply.message.get("content")):
            continue
        rows.append(_said(reply, key, position, number))
        for answer in turn.results:
            position += 1
            call, parts = answer.call, answer.parts
            rows.append((
                key, position, number, call.index, "tool", answer.content, None, call.name, call.id, 0,
                len(parts) + 1 if parts else None, False,
            ))  # fmt: skip
        position += 1
    return rows


THOUGHTS, NO_THOUGHTS = attrgetter(*REASONING_FIELDS), (None,) * len(REASONING_FIELDS)


def _said(reply: Reply, key: str, position: int, turn: int) -> Row:
    message: Any = reply.message
    reasoning = reply.reasoning
    if (
        type(message) is Spoken
        and type(message.content) is str
        and message.role == "assistant"
        and message.name is message.tool_call_id is None
        and (reasoning is not None or THOUGHTS(message) == NO_THOUGHTS)
    ):  # As nearly always.
        calls = len(message.tool_calls or ())
        return key, position, turn, None, "assistant", message.content, reasoning, None, None, calls, None, False
    return _message(message, key, position, turn, reasoning)


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
    content, role, made, name = (
        message.get("content"), message.get("role"), message.get("tool_calls"), message.get("name"),
    )  # fmt: skip
    if (
        role == "assistant"
        and reasoning is None
        and (type(content) is list or not message.keys().isdisjoint(REASONING_FIELDS))
    ):
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
    key, measured = run.key, run.measured
    return [_call(key, measured, one) for one in answered(run)]


UNANSWERED = (None,) * 17
FINE = (None,) * 6


def _call(key: str, measured: bool, one: Answered) -> Row:
    call, result, error = one.call, one.result, one.error
    if result is None:
        return (
            key, one.turn, one.index, call.id, call.sent_id, call.name, call.arguments, one.parsed, None, *UNANSWERED,
            one.next_action, one.recovered, one.turns_to_recover,
        )  # fmt: skip
    parts, queued, started, seconds = result.parts, result.queued, result.started, result.seconds
    kind, fault, said, exception, trace, position = FINE if error is None else (
        error.kind, error.fault, error.error, error.exception_type, error.traceback, error.position,
    )  # fmt: skip
    return (
        key, one.turn, one.index, call.id, call.sent_id, call.name, call.arguments, one.parsed,
        kind or "ok", kind, fault, said, exception, trace, position,
        result.content, None, result.size or None, len(parts) if parts else None,
        queued if queued or measured else None, started if started or measured else None,
        seconds if seconds or measured else None,
        result.printed or None, result.exit_code, result.synthesised, result.replayed,
        one.next_action, one.recovered, one.turns_to_recover,
    )  # fmt: skip


def errors(run: PlainRun) -> Rows:
    """One row a tool error."""
    return [_error(run, one, one.error) for one in answered(run) if one.error is not None]


def _error(run: PlainRun, one: Answered, error: ToolError) -> Row:
    return (
        run.key, one.turn, one.index, one.call.id, error.tool_name, error.arguments, error.kind, error.fault,
        error.error, error.tool_result, error.exception_type, error.position, error.traceback,
        one.next_action, one.recovered, one.turns_to_recover,
    )  # fmt: skip
