"""Chat messages as the wire has them: made, read, and continued, whoever wrote them."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from hermes_nb.exceptions import ConfigurationError

Message = dict[str, Any]
"""One chat message as the wire has it: `{"role": ..., "content": ..., ...}`."""

REASONING_FIELDS = (
    "reasoning_content", "reasoning", "thinking", "reasoning_details", "thinking_signature", "thinking_blocks",
)  # fmt: skip
"""The fields of an assistant message in which servers put reasoning; all are kept as received."""


def conversation(given: str | Sequence[Message], *, system: str | None = None) -> list[Message]:
    """The messages a run starts from: a new list of copies, led by `system` unless the list has its own.

    Raises:
        ConfigurationError: `given` is neither text nor a list of messages that name their role.
    """
    if not isinstance(given, str | list | tuple) or not given:
        raise ConfigurationError("a run needs something to answer: give it text, or a list of at least one message")
    started = [user(given)] if isinstance(given, str) else [copy.deepcopy(checked(message)) for message in given]
    lead_in(started, system)
    return started


def lead_in(messages: list[Message], system: str | None) -> None:
    """Put `system` first, in place, unless the conversation already has a system or developer message."""
    if system and not any(message.get("role") in ("system", "developer") for message in messages[:1]):
        messages.insert(0, {"role": "system", "content": system})


def user(text: str) -> Message:
    """A user's message."""
    return {"role": "user", "content": text}


def tool(call_id: str, content: str, parts: Sequence[Mapping[str, Any]] | None = None) -> Message:
    """The answer to one tool call; with further content parts, its text is the first of them."""
    whole = [{"type": "text", "text": content}, *parts] if parts else content
    return {"role": "tool", "tool_call_id": call_id, "content": whole}


def without_images(message: Message) -> Message:
    """A tool's answer as text alone, for servers that take no images or files there; any other message is itself."""
    content = message.get("content")
    if message.get("role") != "tool" or not isinstance(content, list):
        return message
    attached = any(isinstance(part, Mapping) and part.get("type") in ATTACHED for part in content)
    return {**message, "content": text_of(content)} if attached else message


def says_nothing(message: Message) -> bool:
    """Whether an assistant's message has neither content nor calls: few servers would take it back."""
    spoken = message.get("content") or message.get("tool_calls") or any(message.get(name) for name in SPOKEN)
    return message.get("role") == "assistant" and not spoken


def as_text(messages: Sequence[Message]) -> list[Message]:
    """The messages for a server that is told nothing but text: `without_images`, and none that says nothing."""
    return [without_images(message) for message in messages if not says_nothing(message)]


SPOKEN = ("refusal", "function_call", "audio")
"""The fields in which an assistant's message says something without content or calls."""

ATTACHED = ("image_url", "input_audio", "file")
"""The content parts that hold an image, a sound or a file."""


def checked(message: Any) -> Message:
    """The message itself, if it is one.

    Raises:
        ConfigurationError: it is not a dict with a role.
    """
    if not isinstance(message, dict) or not isinstance(message.get("role"), str):
        raise ConfigurationError(
            f"a chat message is a dict with a 'role', such as {user('Hello')}; got {message!r:.80}"
        )
    return message


def text_of(content: Any) -> str:
    """The text of a message's content: a string itself, a list of parts the text parts joined, nothing for None."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    return "".join(_part_text(part) for part in content)


def _part_text(part: Any) -> str:
    if isinstance(part, str):
        return part
    if not isinstance(part, Mapping) or part.get("type") not in ("text", "output_text", None):
        return ""
    text = part.get("text")
    return text if isinstance(text, str) else ""


def reasoning_of(message: Mapping[str, Any]) -> str | None:
    """The reasoning text in a message, from whichever field the server used; None where there is none.

    The first plain field that holds text (`reasoning_content`, `reasoning`, `thinking`); else every text and summary
    of `reasoning_details`, or of `thinking_blocks`, in order; else the thinking parts of a content list.
    """
    for name in ("reasoning_content", "reasoning", "thinking"):
        if text := _thought(message.get(name)):
            return text
    for name in ("reasoning_details", "thinking_blocks"):
        if text := _thought(message.get(name)):
            return text
    content = message.get("content")
    thoughts = [part for part in content if is_thinking(part)] if isinstance(content, list) else []
    return _thought(thoughts) or None


def is_thinking(part: Any) -> bool:
    """Whether a part of a content list holds reasoning, which is no part of the text."""
    return isinstance(part, Mapping) and part.get("type") in THINKING_PARTS


THINKING_PARTS = ("thinking", "reasoning", "reasoning_content", "redacted_thinking")


def split_thought(text: str) -> tuple[str, str]:
    """The reasoning in `<think>...</think>` at the start of a text, and what follows it.

    Without an end all of it is reasoning; where templates write the beginning themselves, the end alone will do.
    Without either there is no reasoning, and the text is what it was.
    """
    opened, mark, rest = text.partition(THINK)
    inside = rest if mark and not opened.strip() else text
    thought, end, said = inside.partition(END_OF_THINK)
    if inside is text and (not end or THINK in thought):
        return "", text
    return thought.strip(), said.lstrip()


UNANSWERED = "the run was interrupted before this call was answered"
"""What is told of a tool call that nobody answered."""

THINK, END_OF_THINK = "<think>", "</think>"


def refusal_of(message: Mapping[str, Any]) -> str | None:
    """The words of a refusal, from the field of that name or the parts of a content list; None where there are none."""
    told = message.get("refusal")
    if isinstance(told, str) and told:
        return told
    content = message.get("content")
    parts = content if isinstance(content, list) else []
    said = (part.get("refusal") for part in parts if isinstance(part, Mapping) and part.get("type") == "refusal")
    return "".join(text for text in said if isinstance(text, str)) or None


def _thought(value: Any) -> str:
    """The text in a reasoning payload: a string, a detail, or a list of them. Encrypted data has none."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return next(
            (text for name in ("text", "summary", "thinking", "content") if (text := _thought(value.get(name)))), ""
        )
    return "".join(_thought(item) for item in value) if isinstance(value, list) else ""
