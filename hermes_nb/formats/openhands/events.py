"""OpenHands' events as chat messages.

| an event | comes to |
|---|---|
| action `system` | the system prompt, and the tools |
| action `message` of the user, of the agent | a message of the user, of the assistant |
| action of the agent with `tool_call_metadata` | the reply in it, once, with all its calls |
| action of the agent without, which older versions wrote | a call of the action's name, after its thought |
| observation of such an action | the answer to the call; `error` and `user_reject` are errors |
| observation `error` of anything else | a message of the user, as the agent saw it |
| `agent_state_changed` | the state of the agent |
| everything else (`recall`, `null`, `condensation`, ...) | counted in `meta["other_events"]` |

A command's exit code is kept, and is no error: the agent sees its output as any other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from hermes_nb import codec
from hermes_nb.formats.base import Failure, Note, between, mapping, moment, sequence, text
from hermes_nb.messages import Message
from hermes_nb.replies import usage_from

NO_CALLS = ("recall", "change_agent_state", "condensation", "condensation_request", "null", "pause", "resume", "stop",
            "start", "loop_recovery")  # fmt: skip
"""Actions that no model asked for."""

BESIDE_ARGUMENTS = ("thought", "blocking", "is_static", "hidden", "confirmation_state", "keep_prompt", "is_confirmed",
                    "security_risk", "impl_source", "translated_ipython_code", "kernel_init_code",
                    "include_extra")  # fmt: skip
"""What the arguments of an action have beside those of the call."""

FAILURES = {"error": "reported", "user_reject": "rejected", "user_rejected": "rejected"}


class Telling:
    """Takes in events in their order. `messages` and `notes` are those of the conversation; the rest is about it."""

    def __init__(self, latencies: Mapping[str, float], usages: Mapping[str, Any]) -> None:
        self.messages: list[Message] = []
        self.notes: dict[int, Note] = {}
        self.tools: list[Any] = []
        self.accumulated: Mapping[str, Any] = {}
        self.started_at = ""
        self.seconds: float | None = None
        self.state: str | None = None
        self.reason = "the file does not say why"
        self.did_finish = False
        self.passed_over: Counter[str] = Counter()
        self._latencies = latencies
        self._usages = usages
        self._told: set[str] = set()
        self._asked: set[str] = set()
        self._begun: dict[str, Any] = {}

    def add(self, event: Mapping[str, Any]) -> None:
        """Take in the next event."""
        when = event.get("timestamp")
        if moment(when) is not None:
            self.started_at = self.started_at or str(when)
            self.seconds = max(self.seconds or 0.0, between(self.started_at, when) or 0.0)
        self._take(event)

    def _take(self, event: Mapping[str, Any]) -> None:
        if event.get("action") is not None:
            self._act(event, str(event["action"]), mapping(event.get("args")))
        elif event.get("observation") is not None:
            self._observe(event, str(event["observation"]), mapping(event.get("extras")))
        else:
            self.passed_over["unknown"] += 1

    def _act(self, event: Mapping[str, Any], action: str, args: Mapping[str, Any]) -> None:
        is_agent = event.get("source") == "agent"
        self._begun[str(event.get("id"))] = event.get("timestamp")
        if is_agent and action in ("finish", "reject"):
            self.did_finish = action == "finish"
        elif action == "message":
            self.did_finish = False
        if mapping(event.get("tool_call_metadata")):
            self._reply(event)
        elif action == "system":
            self.tools = list(sequence(args.get("tools"))) or self.tools
            self._say({"role": "system", "content": args.get("content") or event.get("message") or ""})
        elif action == "message":
            self._say(_message(args, "assistant" if is_agent else "user"), self._note(event, {}))
        elif is_agent and action not in NO_CALLS:
            self._call(event, action, args)
        else:
            self.passed_over[action] += 1

    def _observe(self, event: Mapping[str, Any], observation: str, extras: Mapping[str, Any]) -> None:
        metadata = mapping(event.get("tool_call_metadata"))
        content = event.get("content")
        asked = text(metadata.get("tool_call_id")) or f"event_{event.get('cause')}"
        if metadata:
            self._reply(event)
        if metadata or asked in self._asked:
            told = content if isinstance(content, str) else codec.dumps(content, default=str).decode()
            self._say({"role": "tool", "tool_call_id": asked, "content": told}, self._answer(event, observation, told))
        elif observation == "agent_state_changed":
            self.state = text(extras.get("agent_state")) or self.state
            self.reason = text(extras.get("reason")) or self.reason
        elif observation == "error" and isinstance(content, str):
            self._say({"role": "user", "content": content})
        else:
            self.passed_over[observation] += 1

    def _say(self, message: Message, note: Note | None = None) -> None:
        if note is not None:
            self.notes[len(self.messages)] = note
        self.messages.append(message)

    def _reply(self, event: Mapping[str, Any]) -> None:
        """The reply that an event came of, unless it is told already: all of its calls' events have it."""
        metadata = mapping(event.get("tool_call_metadata"))
        body = mapping(metadata.get("model_response"))
        call_id = text(metadata.get("tool_call_id")) or ""
        if call_id in self._asked:
            return
        choices = sequence(body.get("choices"))
        given = mapping(mapping(choices[0]).get("message")) if choices else {}
        calls = [mapping(call) for call in sequence(given.get("tool_calls"))]
        named = {text(call.get("id")) or "" for call in calls}
        if call_id not in named:  # A reply that the file does not hold; the call is all that is known of it.
            function = {"name": metadata.get("function_name"), "arguments": _arguments(mapping(event.get("args")))}
            given, body = {"role": "assistant", "content": mapping(event.get("args")).get("thought") or ""}, {}
            calls, named = [{"id": call_id, "type": "function", "function": function}], {call_id}
        self._asked |= named
        message = {key: value for key, value in given.items() if value is not None and key not in UNUSED}
        plain = [{key: value for key, value in call.items() if key != "index"} for call in calls]
        self._say({"content": "", **message, "role": "assistant", "tool_calls": plain}, self._note(event, body))

    def _note(self, event: Mapping[str, Any], body: Mapping[str, Any]) -> Note:
        """What is known of a reply: its event was written down when it was there."""
        usage = body.get("usage") or self._usages.get(str(body.get("id")))
        seconds = max(0.0, self._latencies.get(str(body.get("id")), 0.0))
        ended = between(self.started_at, event.get("timestamp"))
        choices = sequence(body.get("choices"))
        counted = mapping(mapping(event.get("llm_metrics")).get("accumulated_token_usage"))
        self.accumulated = counted or self.accumulated
        return Note(
            at=None if ended is None else max(0.0, ended - seconds),
            seconds=seconds,
            usage=usage_from(usage) if usage else None,
            model=text(body.get("model")),
            id=text(body.get("id")),
            finish_reason=text(mapping(choices[0]).get("finish_reason")) if choices else None,
            raw=dict(body) if choices else None,
        )

    def _call(self, event: Mapping[str, Any], action: str, args: Mapping[str, Any]) -> None:
        call_id = f"event_{event.get('id')}"
        self._asked.add(call_id)
        function = {"name": action, "arguments": _arguments(args)}
        call = {"id": call_id, "type": "function", "function": function}
        self._say(
            {"role": "assistant", "content": args.get("thought") or "", "tool_calls": [call]}, self._note(event, {})
        )

    def _answer(self, event: Mapping[str, Any], observation: str, told: str) -> Note:
        extras = mapping(event.get("extras"))
        code = mapping(extras.get("metadata")).get("exit_code", extras.get("exit_code"))
        begun = self._begun.get(str(event.get("cause")))
        kind: Any = FAILURES.get(observation)
        return Note(
            at=between(self.started_at, begun),
            seconds=between(begun, event.get("timestamp")) or 0.0,
            exit_code=code if type(code) is int else None,
            failure=Failure(error=told, kind=kind) if kind else None,
        )


UNUSED = ("tool_calls", "function_call", "provider_specific_fields", "refusal", "audio", "annotations")


def _message(args: Mapping[str, Any], role: str) -> Message:
    said = args.get("content") or ""
    images = [one for one in sequence(args.get("image_urls")) if isinstance(one, str)]
    if not images:
        return {"role": role, "content": said}
    parts = [{"type": "image_url", "image_url": {"url": one}} for one in images]
    return {"role": role, "content": [{"type": "text", "text": said}, *parts]}


def _arguments(args: Mapping[str, Any]) -> str:
    return codec.dumps({key: value for key, value in args.items() if key not in BESIDE_ARGUMENTS}).decode()
