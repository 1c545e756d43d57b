"""Messages and exchanges that nobody recorded, to test how recordings are read."""

from __future__ import annotations

import json
from typing import Any

from tests.real.recordings import Exchange, Message


def user(text: str) -> Message:
    return {"role": "user", "content": text}


def said(text: str) -> Message:
    return {"role": "assistant", "content": text}


def called(call_id: str | None, name: str = "add", **arguments: Any) -> Message:
    function = {"name": name, "arguments": json.dumps(arguments)}
    call = {"id": call_id, "type": "function", "function": function}
    return {"role": "assistant", "content": None, "tool_calls": [call]}


def answered(call_id: str, content: str = "5") -> Message:
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def exchange(number: int, messages: list[Message], reply: Message) -> Exchange:
    body = json.dumps({"choices": [{"message": reply}]}).encode()
    return Exchange(number, {"messages": messages}, 200, {}, body)
