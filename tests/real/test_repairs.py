"""Every chat history in the real input is made sendable to a strict server, and what was sound is left alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hermes_nb.repairs import repair
from hermes_nb.servers.scripted.strict import ROLES, complaint
from tests.real import readers, recordings

Message = dict[str, Any]


def histories(document: Any) -> Iterator[list[Message]]:
    """Every list of chat messages in a document, however deep."""
    left = [document]
    while left:
        part = left.pop()
        if isinstance(part, list) and part and all(map(_is_message, part)):
            yield part
        left.extend(part.values() if isinstance(part, dict) else part if isinstance(part, list) else ())


def _is_message(part: Any) -> bool:
    return isinstance(part, dict) and isinstance(part.get("role"), str)


def check(history: list[Message]) -> None:
    """What holds for the repair of any history, and that no call and no word but a tool's is lost."""
    before, sound = json.dumps(history), complaint({"messages": history}) is None
    made = repair(history)

    assert json.dumps(history) == before, "the input was changed"
    known = [one for one in made.messages if one["role"] in ROLES]
    assert not known or complaint({"messages": known}) is None
    assert repair(made.messages).messages == made.messages
    assert repair(made.messages).report == ()
    if sound:
        assert (made.messages, made.report) == (history, ())
    assert number_of_calls(made.messages) == number_of_calls(history)
    assert texts(made.messages) == texts(history)


def number_of_calls(history: list[Message]) -> int:
    return sum(len(message.get("tool_calls") or ()) for message in history if message["role"] == "assistant")


def texts(history: list[Message]) -> list[str]:
    """What was said by anybody but a tool, in order."""
    said = (message.get("content") for message in history if message["role"] != "tool")
    return [text for text in said if isinstance(text, str) and text]


def test_every_history_in_a_transcript_is_made_sendable(transcript: Path) -> None:
    found = [history for document in readers.documents(transcript) for history in histories(document)]
    if not found:
        pytest.skip("this format holds no chat messages")
    for history in found:
        check(history)


def test_every_history_that_a_server_took_is_made_sendable_to_a_strict_one(real: Path) -> None:
    for path in sorted((real / "wire").glob("*.json")):
        for exchange in recordings.read(path):
            if exchange.status == 200 and exchange.messages:
                check(exchange.messages)
