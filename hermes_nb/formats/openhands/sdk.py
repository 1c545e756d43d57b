"""Events of OpenHands' newer SDK as chat messages.

Source of the form: OpenHands/software-agent-sdk (`openhands-sdk/openhands/sdk/event/`: every event has its class in
`kind`) and OpenHands/benchmarks, whose outputs hold them in place of the older ones.

| an event | comes to |
|---|---|
| `SystemPromptEvent` | the system prompt, and the tools |
| `MessageEvent` | the message in `llm_message` |
| `ActionEvent` | a call of the reply that `llm_response_id` names, in one message with the other calls of it |
| `ObservationEvent` | the answer to the call; `is_error` is an error |
| `AgentErrorEvent`, `UserRejectObservation` with a `tool_call_id` | an answer that is an error |
| `ConversationStateUpdateEvent`, `ConversationErrorEvent` | the state of the agent |
| everything else | counted in `meta["other_events"]` |
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hermes_nb import codec
from hermes_nb.formats.base import Failure, Note, between, mapping, sequence, text
from hermes_nb.formats.openhands.events import Telling
from hermes_nb.messages import Message, text_of

KINDS = ("SystemPromptEvent", "MessageEvent", "ActionEvent", "ObservationEvent", "AgentErrorEvent",
         "ConversationStateUpdateEvent", "ConversationErrorEvent", "UserRejectObservation")  # fmt: skip


def is_sdk_event(value: Any) -> bool:
    """Whether it is an event of the SDK."""
    return isinstance(value, Mapping) and value.get("kind") in KINDS


class SdkTelling(Telling):
    """Takes in events of the SDK in their order."""

    def __init__(self, latencies: Mapping[str, float], usages: Mapping[str, Any]) -> None:
        super().__init__(latencies, usages)
        self._replies: dict[str, Message] = {}

    def _take(self, event: Mapping[str, Any]) -> None:
        match event.get("kind"):
            case "SystemPromptEvent":
                self.tools = [_tool(tool) for tool in map(mapping, sequence(event.get("tools")))]
                self._say({"role": "system", "content": text_of(mapping(event.get("system_prompt")).get("text"))})
            case "MessageEvent":
                self._tell(event, mapping(event.get("llm_message")))
            case "ActionEvent":
                self._ask(event)
            case "ObservationEvent":
                self._see(event, mapping(event.get("observation")))
            case "AgentErrorEvent":
                self._fail(event, text(event.get("error")) or "the event does not say why", _kind_of(event))
            case "UserRejectObservation":
                self._fail(event, text(event.get("rejection_reason")) or "the user rejected the action", "rejected")
            case "ConversationErrorEvent":
                self.state, self.reason = "error", text(event.get("detail")) or self.reason
            case "ConversationStateUpdateEvent":
                value = event.get("value")
                told = value if event.get("key") == "execution_status" else mapping(value).get("execution_status")
                self.state = text(told) or self.state
            case kind:
                self.passed_over[str(kind)] += 1

    def _tell(self, event: Mapping[str, Any], given: Mapping[str, Any]) -> None:
        role = text(given.get("role")) or ("assistant" if event.get("source") == "agent" else "user")
        content = [*_parts(given.get("content")), *_parts(event.get("extended_content"))]
        message: Message = {"role": role, "content": _plain(content)}
        if thought := text(given.get("reasoning_content")):
            message["reasoning_content"] = thought
        self.did_finish = self.did_finish and role != "user"
        self._say(message, self._note(event, {"id": event.get("llm_response_id")}))

    def _ask(self, event: Mapping[str, Any]) -> None:
        """A call: of a reply that is told already, or of a new one."""
        given = mapping(event.get("tool_call"))
        function = mapping(given.get("function")) or given
        arguments = function.get("arguments")
        if not isinstance(arguments, str):
            action = {key: value for key, value in mapping(event.get("action")).items() if key != "kind"}
            arguments = codec.dumps(arguments or action).decode()
        call_id, name = text(event.get("tool_call_id")) or given.get("id"), text(event.get("tool_name"))
        call = {"id": call_id, "type": "function",
                "function": {"name": name or function.get("name"), "arguments": arguments}}  # fmt: skip
        self._begun[str(call_id)] = event.get("timestamp")
        self.did_finish = name == "finish"
        response = text(event.get("llm_response_id"))
        if response in self._replies:
            self._replies[str(response)]["tool_calls"].append(call)
            return
        message: Message = {"role": "assistant", "content": text_of(_plain(_parts(event.get("thought"))))}
        if thought := text(event.get("reasoning_content")):
            message["reasoning_content"] = thought
        message["tool_calls"] = [call]
        if response:
            self._replies[response] = message
        self._say(message, self._note(event, {"id": response}))

    def _see(self, event: Mapping[str, Any], seen: Mapping[str, Any]) -> None:
        content = _plain(_parts(seen.get("content"))) or text_of(seen.get("output"))
        failure = Failure(error=text_of(content)) if seen.get("is_error") is True else None
        code = seen.get("exit_code", mapping(seen.get("metadata")).get("exit_code"))
        self._hear(event, content, failure, code)

    def _fail(self, event: Mapping[str, Any], told: str, kind: Any) -> None:
        if text(event.get("tool_call_id")):
            self._hear(event, told, Failure(error=told, kind=kind), None)
        else:
            self._say({"role": "user", "content": told})

    def _hear(self, event: Mapping[str, Any], content: Any, failure: Failure | None, code: Any) -> None:
        """An answer to a call."""
        begun = self._begun.get(str(event.get("tool_call_id")))
        note = Note(
            at=between(self.started_at, begun),
            seconds=between(begun, event.get("timestamp")) or 0.0,
            exit_code=code if type(code) is int else None,
            failure=failure,
        )
        self._say({"role": "tool", "tool_call_id": event.get("tool_call_id"), "content": content}, note)


def _kind_of(event: Mapping[str, Any]) -> str:
    """Whose mistake an error of the agent is, by its words."""
    told = str(event.get("error"))
    if told.startswith("Tool '") and "not found" in told:
        return "unknown_tool"
    return "bad_arguments" if "validating args" in told else "reported"


def _tool(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """A tool in OpenAI's form, or of the SDK's own: a name and a description."""
    if "function" in given:
        return given
    name = text(given.get("name")) or text(given.get("title")) or text(given.get("kind")) or ""
    return {"type": "function", "function": {"name": name, "description": given.get("description") or ""}}


def _parts(given: Any) -> list[Any]:
    """Parts of content in OpenAI's form."""
    parts: list[Any] = []
    for part in [given] if isinstance(given, str) else map(mapping, sequence(given)):
        if isinstance(part, str):
            parts.append({"type": "text", "text": part})
        elif isinstance(part.get("text"), str):
            parts.append({"type": "text", "text": part["text"]})
        urls = sequence(part.get("image_urls")) if isinstance(part, Mapping) else ()
        parts += [{"type": "image_url", "image_url": {"url": url}} for url in urls if isinstance(url, str)]
    return parts


def _plain(parts: list[Any]) -> str | list[Any]:
    """The content as text, where it is nothing else."""
    return text_of(parts) if all(part["type"] == "text" for part in parts) else parts
