"""The events of a sample: when a model replied and a tool answered, and what it took."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from hermes_nb.formats.base import Failure, Note, mapping, number, sequence, text
from hermes_nb.records import Usage

STOPS = {"max_tokens": "length", "model_length": "length", "unknown": None}
"""Inspect's words for why a reply ended, where they are not OpenAI's."""

Event = Mapping[str, Any]


class Events:
    """What a sample's events say of its messages. A log without events says nothing."""

    def __init__(self, sample: Mapping[str, Any]) -> None:
        kept = sequence(sample.get("events")) or sequence(mapping(sample.get("transcript")).get("events"))
        self._all = [one for one in kept if isinstance(one, Mapping)]
        self._pool = sequence(sample.get("message_pool"))
        self._replies = [one for one in self._all if one.get("event") == "model" and not one.get("pending")]
        self._by_id: dict[Any, deque[Event]] = defaultdict(deque)
        self._unnamed = deque[Event]()
        for one in self._replies:
            known = text(_said(one).get("id"))
            (self._unnamed if known is None else self._by_id[known]).append(one)
        self._answers: dict[Any, deque[Event]] = defaultdict(deque)
        for one in self._all:
            if one.get("event") == "tool":
                self._answers[text(one.get("id"))].append(one)
        self.began = next((told for one in self._all if (told := text(one.get("timestamp")))), None)
        self._start = _moment(sample.get("started_at")) or _moment(self.began)

    def tools(self) -> list[dict[str, Any]]:
        """The schemas of every tool that a model was offered, in OpenAI's form."""
        offered = {
            str(tool.get("name")): tool
            for event in self._replies
            for tool in map(mapping, sequence(event.get("tools")))
            if tool.get("name")
        }
        return [{"type": "function", "function": _schema(tool)} for tool in offered.values()]

    def last_exchange(self) -> list[Any]:
        """The messages of the last request, and the reply to it where there is one."""
        if not self._replies:
            return []
        last = self._replies[-1]
        said = _said(last)
        return [*self._input(last), *([said] if said else [])]

    def _input(self, event: Event) -> Sequence[Any]:
        """What was sent: whole, or as places in the sample's pool of messages, the last of which is not in them."""
        given = sequence(event.get("input"))
        if given or not self._pool:
            return given
        spans = [span for span in sequence(event.get("input_refs")) if _is_span(span)]
        return [message for start, end in spans for message in self._pool[start:end]]

    def of_reply(self, message: Mapping[str, Any], problems: tuple[str, ...]) -> Note:
        """What is known of a reply. One that stood in the sample's input was no reply."""
        event = self._reply(message)
        if not event:
            given = message.get("source") == "input"
            return Note(given=given, model=text(message.get("model")), problems=problems)
        output = mapping(event.get("output"))
        choice = mapping(next(iter(sequence(output.get("choices"))), None))
        stop = text(choice.get("stop_reason"))
        failed = event.get("error") or output.get("error")
        retries = event.get("retries")
        return replace(
            self.timed(event, None),
            usage=usage_of(output["usage"]) if isinstance(output.get("usage"), Mapping) else None,
            model=text(message.get("model")) or text(output.get("model")) or text(event.get("model")),
            finish_reason=STOPS.get(stop, stop) if stop else None,
            retries=retries if isinstance(retries, int) else 0,
            problems=(*problems, *((str(failed),) if failed else ())),
        )

    def _reply(self, message: Mapping[str, Any]) -> Event:
        known = text(message.get("id"))
        if known is not None:
            found = self._by_id.get(known)
            return (found.popleft() if len(found) > 1 else found[0]) if found else {}
        for place, event in enumerate(self._unnamed):  # Logs of early versions have no ids: by what was said, in order.
            said = _said(event)
            if (said.get("content"), said.get("tool_calls")) == (message.get("content"), message.get("tool_calls")):
                del self._unnamed[place]
                return event
        return {}

    def of_answer(self, call_id: str | None, message_id: Any) -> Event:
        """The event of a tool's answer: the next one for that call, of this message if events name messages."""
        waiting = self._answers.get(call_id)
        if not waiting:
            return {}
        for place, event in enumerate(waiting):
            if event.get("message_id") in (None, message_id):
                del waiting[place]
                return event
        return waiting.popleft()

    def timed(self, event: Event, failure: Failure | None) -> Note:
        """When it was, and how long it took: in working time, which leaves out waiting for a rate limit."""
        began, ended = _moment(event.get("timestamp")), _moment(event.get("completed"))
        took = number(event.get("working_time"))
        if took is None:
            took = number(mapping(event.get("output")).get("time"))
        if took is None and began is not None and ended is not None:
            took = (ended - began).total_seconds()
        at = None if began is None or self._start is None else max(0.0, (began - self._start).total_seconds())
        cut = sequence(event.get("truncated"))
        size = cut[0] if cut and isinstance(cut[0], int) else None
        return Note(at=at, seconds=max(0.0, took or 0.0), failure=failure, size=size)


def usage_of(told: Any) -> Usage:
    """Inspect's counts as ours: its `input_tokens` leave out what came from a cache, or went to one."""
    given = mapping(told)
    parts = [given.get(name) for name in ("input_tokens", "input_tokens_cache_read", "input_tokens_cache_write")]
    prompt = None if _count(parts[0]) is None else sum(_count(part) or 0 for part in parts)
    return Usage(
        prompt=prompt,
        completion=_count(given.get("output_tokens")),
        total=_count(given.get("total_tokens")),
        reasoning=_count(given.get("reasoning_tokens")),
        cached=_count(given.get("input_tokens_cache_read")),
        cost=number(given.get("total_cost")),
    )


def _count(told: Any) -> int | None:
    return told if isinstance(told, int) and not isinstance(told, bool) else None


def _said(event: Event) -> Mapping[str, Any]:
    """The message that a model replied."""
    choices = sequence(mapping(event.get("output")).get("choices"))
    return mapping(mapping(choices[0]).get("message")) if choices else {}


def _schema(tool: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tool[name] for name in ("name", "description", "parameters") if tool.get(name) is not None}


def _is_span(span: Any) -> bool:
    return isinstance(span, list) and len(span) == 2 and all(isinstance(end, int) for end in span)


def _moment(told: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(told) if isinstance(told, str) else None
    except ValueError:
        return None
