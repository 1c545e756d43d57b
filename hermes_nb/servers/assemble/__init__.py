"""Makes one chat completion of the chunks of a stream, in whatever order and shape a server sends them.

`Assembly.add` takes a chunk and gives the pieces of it that can be shown; `Assembly.body()` is the completion the same
server would have sent in one piece, the fields nobody knows included. Wire format: the chat completion chunks of the
OpenAI API, and what other servers make of them:

- text grows; a field that says the same again (a role, a channel) says it once; lists get longer, and an item of a list
  goes on where its `index` says, or, if it is text, where the last one ended; nothing takes away what was there;
- which call a piece belongs to, and how calls are told apart, is said at `Calls`;
- `finish_reason`, usage and all other fields of the body may come on any chunk: the last that says something counts;
- a choice with a whole `message` in place of a delta stands for all that came before it;
- other choices than the first are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hermes_nb.messages import REASONING_FIELDS, reasoning_of, text_of
from hermes_nb.servers.assemble.calls import NOTHING, Call, Calls, Piece
from hermes_nb.servers.assemble.fields import grown, joined, latest

__all__ = ["Assembly", "Piece"]


class Assembly:
    """A completion while its chunks arrive."""

    def __init__(self) -> None:
        self._body: dict[str, Any] = {}
        self._choice: dict[str, Any] = {}
        self._message: dict[str, Any] = {}
        self._calls = Calls()
        self._legacy: Call | None = None
        self._whole: Mapping[str, Any] | None = None

    @property
    def finished(self) -> bool:
        """Whether the reply is whole: the server said why it ended, or sent it in one piece."""
        return bool(self._choice.get("finish_reason")) or self._whole is not None

    def add(self, chunk: Mapping[str, Any]) -> list[Piece]:
        """Take in a chunk, and give what of it can be shown."""
        held = self._body
        for name, value in chunk.items():
            if name == "choices":
                held.setdefault(name, value)
            elif name not in held or held[name] != value:
                held[name] = latest(held.get(name), value)
        choices = chunk.get("choices")
        if not isinstance(choices, list):
            return []
        return [piece for choice in choices if _is_first(choice) for piece in self._take(choice)]

    def _take(self, choice: Mapping[str, Any]) -> list[Piece]:
        held = self._choice
        for name, value in choice.items():
            if name == "delta":
                held.setdefault("message", NOTHING)
            elif name == "error" and value:
                pass  # The server's failure, which is told as such; what came before it is a reply all the same.
            elif name != "message" and (value is not None or name not in held):
                held[name] = latest(held.get(name), value, gather=True)
        if isinstance(delta := choice.get("delta"), dict):
            return self._take_delta(delta)
        message = choice.get("message")
        if "delta" in choice or not isinstance(message, dict):
            return []
        first, self._whole = self._whole is None and not self._message, message
        return Assembly().add({"choices": [{"delta": message}]}) if first else []

    def _take_delta(self, delta: Mapping[str, Any]) -> list[Piece]:
        shown: list[Piece] = []
        for name, value in delta.items():
            if name == "tool_calls" and value:
                shown += self._calls.take(value if isinstance(value, list) else [value])
            elif name == "function_call" and isinstance(value, dict):
                self._legacy = self._legacy or Call(None)
                shown.append(self._legacy.take({"function": value}, 0))
            else:
                self._message[name] = grown(name, self._message.get(name), value)
        return _shown(delta) + shown

    def body(self) -> dict[str, Any]:
        """The completion so far, as a server sends one in one piece."""
        body = dict(self._body)
        if body.get("object") == "chat.completion.chunk":
            body["object"] = "chat.completion"
        if self._choice or self._whole is not None:
            body["choices"] = [self._one_choice()]
        return body

    def _one_choice(self) -> dict[str, Any]:
        if self._whole is not None:
            return {**self._choice, "message": self._whole}
        if "message" not in self._choice:
            return {**self._choice, "message": None}
        message: dict[str, Any] = {"role": "assistant", "content": None}
        message |= {name: joined(value) for name, value in self._message.items()}
        message["role"] = message["role"] or "assistant"
        if self._calls:
            message["tool_calls"] = self._calls.entries()
        if self._legacy is not None:
            message["function_call"] = self._legacy.entry()["function"]
        return {"index": 0, **self._choice, "message": message, "finish_reason": self._choice.get("finish_reason")}


def _is_first(choice: Any) -> bool:
    return isinstance(choice, dict) and not choice.get("index")


def _shown(delta: Mapping[str, Any]) -> list[Piece]:
    """The reasoning and the text in a delta."""
    content = delta.get("content")
    plain = not isinstance(content, list) and delta.keys().isdisjoint(REASONING_FIELDS)
    thought = None if plain else reasoning_of(delta)
    told = [Piece("reasoning", thought)] if thought else []
    if text := content if isinstance(content, str) else text_of(content):
        told.append(Piece("text", text))
    return told
