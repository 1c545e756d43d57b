"""One sample of an evaluation, as a result."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast, get_args

from hermes_nb.formats.base import About, Note, Source, conversation, mapping, number, sequence, text
from hermes_nb.formats.inspect_logs.events import Events, usage_of
from hermes_nb.formats.inspect_logs.messages import failure_of, message_of, unfolded
from hermes_nb.messages import Message
from hermes_nb.records import AgentResult, RunError, StopReason, Usage

LIMITS: dict[str, StopReason] = {
    "message": "max_turns", "turn": "max_turns", "time": "max_seconds", "working": "max_seconds",
    "token": "max_total_tokens", "cost": "max_cost", "context": "context_overflow", "operator": "interrupted",
    "custom": "stopped",
}  # fmt: skip
"""How a sample ended, by the type of the limit that ended it."""

OF_THE_EVAL = ("task", "task_id", "eval_id", "run_id", "solver", "dataset", "model_roles", "tags")
OF_THE_SAMPLE = ("target", "choices", "limit", "error_retries", "working_time", "uuid")


def result_of(
    sample: Mapping[str, Any], log: Mapping[str, Any], source: Source, format: str, place: str
) -> AgentResult:
    """The result of a sample; `log` is what is known of the whole evaluation.

    Raises:
        FormatError: a message in it is none.
    """
    sample = unfolded(sample)
    events = Events(sample)
    given = _messages(sample, events)
    messages = [message_of(one) for one in given]
    notes = dict(_notes(given, messages, events))
    return conversation(messages, source, format, place, _about(sample, log, events, messages, notes), notes=notes)


def _messages(sample: Mapping[str, Any], events: Events) -> Sequence[Any]:
    """The sample's messages; of one that failed before they were kept, those of its last request and its reply."""
    return sequence(sample.get("messages")) or events.last_exchange()


def _notes(given: Sequence[Any], messages: Sequence[Message], events: Events) -> Iterator[tuple[int, Note]]:
    """What the log says of single messages, by their place."""
    parse_errors: dict[str | None, str] = {}
    for index, (one, message) in enumerate(zip(map(mapping, given), map(mapping, messages), strict=True)):
        if message.get("role") == "assistant":
            broken = {text(call.get("id")): str(call["parse_error"]) for call in _calls(one) if call.get("parse_error")}
            parse_errors |= broken
            yield index, events.of_reply(one, tuple(broken.values()))
        elif message.get("role") == "tool":
            call_id = text(one.get("tool_call_id"))
            event = events.of_answer(call_id, one.get("id"))
            error = mapping(one.get("error")) or mapping(event.get("error")) or one.get("tool_error")
            failure = failure_of(error, broken=call_id in parse_errors) if error else None
            yield index, events.timed(event, failure)


def _calls(message: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [call for call in sequence(message.get("tool_calls")) if isinstance(call, Mapping)]


def _about(
    sample: Mapping[str, Any],
    log: Mapping[str, Any],
    events: Events,
    messages: Sequence[Message],
    notes: Mapping[int, Note],
) -> About:
    made = mapping(log.get("eval"))
    scores = dict(_scores(sample, log))
    stats = mapping(log.get("stats"))
    error = _error(sample)
    epoch = sample.get("epoch")
    began = sample.get("started_at") or events.began or stats.get("started_at") or made.get("created")
    return About(
        model=text(made.get("model")) if made.get("model") != "none/none" else None,
        tools=events.tools(),
        started_at=text(began) or "",
        server={"name": "inspect_ai", **({"base_url": url} if (url := text(made.get("model_base_url"))) else {})},
        sampling=_said(mapping(made.get("model_generate_config"))),
        versions=_versions(made),
        task=None if sample.get("id") is None else str(sample["id"]),
        attempt=max(0, epoch - 1) if isinstance(epoch, int) else 0,
        meta=_meta(sample, log),
        scores=scores,
        stop_reason=_ending(sample, error, messages),
        error=error,
        usage=_usage(sample, notes),
        seconds=number(sample.get("total_time")),
    )


def _usage(sample: Mapping[str, Any], notes: Mapping[int, Note]) -> Usage | None:
    """The sample's own count, where the events do not tell it reply by reply; a grader's tokens are in it too."""
    counted = sequence(list(mapping(sample.get("model_usage")).values()))
    if not counted or any(note.usage is not None for note in notes.values()):
        return None
    total, *more = [usage_of(one) for one in counted]
    for one in more:
        total = total + one
    return total


def _scores(sample: Mapping[str, Any], log: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The scores by name. A log of Inspect's first versions has one, named by the evaluation."""
    for name, score in mapping(sample.get("scores")).items():
        if isinstance(score, Mapping):
            yield str(name), score.get("value")
    if isinstance(alone := sample.get("score"), Mapping) and not sample.get("scores"):
        scorer = mapping(mapping(log.get("results")).get("scorer"))
        yield text(scorer.get("name")) or "score", alone.get("value")


def _meta(sample: Mapping[str, Any], log: Mapping[str, Any]) -> dict[str, Any]:
    made = mapping(log.get("eval"))
    told = {name: sample[name] for name in OF_THE_SAMPLE if sample.get(name) not in (None, "", [], {})}
    explained = {
        str(name): kept
        for name, score in mapping(sample.get("scores")).items()
        if (kept := _said({key: mapping(score).get(key) for key in ("answer", "explanation", "metadata")}))
    }
    evaluation = {**_said({name: made.get(name) for name in OF_THE_EVAL}), **_said({"status": log.get("status")})}
    own = {key: value for key, value in mapping(sample.get("metadata")).items() if key != "stop_reason"}
    word = mapping(sample.get("metadata")).get("stop_reason")
    foreign = {} if word in ENDINGS or word is None else {"stop_reason": word}
    return {**told, **({"scored": explained} if explained else {}), "eval": evaluation, **own, **foreign}


ENDINGS = get_args(StopReason)


def _said(given: Mapping[str, Any]) -> dict[str, Any]:
    """What of it says anything."""
    return {str(key): value for key, value in given.items() if value not in (None, "", [], {})}


def _versions(made: Mapping[str, Any]) -> dict[str, Any]:
    revision = mapping(made.get("revision"))
    git = _said({"commit": revision.get("commit"), "origin": revision.get("origin"), "dirty": revision.get("dirty")})
    return {**_said(mapping(made.get("packages"))), **({"git": git} if git else {})}


def _error(sample: Mapping[str, Any]) -> RunError | None:
    told = mapping(sample.get("error"))
    if not told:
        return None
    message = str(told.get("message") or "")
    trace = text(told.get("traceback"))
    kind = _exception_in(message) or _exception_in((trace or "").strip().rpartition("\n")[2]) or "SampleError"
    return RunError(type=kind, message=message.removeprefix(f"{kind}: "), body=trace)


def _exception_in(line: str) -> str | None:
    name, mark, _ = line.partition("(") if "(" in line.partition(":")[0] else line.partition(":")
    return name.rpartition(".")[2] if mark and name.replace(".", "").isidentifier() else None


def _ending(
    sample: Mapping[str, Any], error: RunError | None, messages: Sequence[Mapping[str, Any]]
) -> StopReason | None:
    """How the sample ended; None where its last message, an answer, says it."""
    word = mapping(sample.get("metadata")).get("stop_reason")
    if word in ENDINGS:  # Our own writer put it there.
        return cast(StopReason, word)
    limit = sample.get("limit")
    kind = mapping(limit).get("type") if isinstance(limit, Mapping) else limit
    if kind:
        return LIMITS.get(str(kind), "stopped")
    if error is not None:
        return "interrupted" if "Cancel" in error.type else "crashed"
    last = mapping(messages[-1]) if messages else {}
    answered = last.get("role") == "assistant" and not last.get("tool_calls")
    return None if answered else "stopped"  # A sample is written down when it is over.
