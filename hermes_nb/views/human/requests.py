"""All that the form may say to Python. Whatever is not exactly one of these is not heard."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

QUESTION = re.compile(r"[a-z0-9]{1,16}", re.ASCII)
LONGEST, MOST_CALLS = 100_000, 16
"""Characters of a whole reply, the calls' names and arguments among them, and calls."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A form is drawn: what waits?"""


@dataclass(frozen=True, slots=True)
class Given:
    """The reply to the request of this id; each call is a name and the text of its arguments."""

    question: str
    text: str
    calls: tuple[tuple[str, str], ...]


def heard(content: object) -> Ready | Given | None:
    """The request in a message; None for one that is none, has too much in it, or too little."""
    if not isinstance(content, dict):
        return None
    if content == {"ask": "ready"}:
        return Ready()
    if content.keys() != {"ask", "question", "text", "calls"} or content["ask"] != "reply":
        return None
    question, text, calls = content["question"], content["text"], content["calls"]
    if type(question) is not str or type(text) is not str or type(calls) is not list or len(calls) > MOST_CALLS:
        return None
    if not QUESTION.fullmatch(question) or not all(map(_is_call, calls)):
        return None
    made = tuple((call["name"], call["arguments"]) for call in calls)
    long = len(text) + sum(len(name) + len(arguments) for name, arguments in made)
    return None if long > LONGEST else Given(question, text, made)


def _is_call(call: Any) -> bool:
    return (
        type(call) is dict and call.keys() == {"name", "arguments"} and all(type(one) is str for one in call.values())
    )
