"""What a form is told of the requests that wait, and what becomes of the reply that it gives."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, TypeAlias

from hermes_nb import codec
from hermes_nb.messages import Message
from hermes_nb.redact import Redactor
from hermes_nb.views.human.requests import Given, Ready, heard
from hermes_nb.views.rows import Lens, Section, counted, ready
from hermes_nb.views.rows.drawing import message_text
from hermes_nb.views.rows.opened import json_laid_out

LINES, CHARACTERS = 400, 16_000
"""The most that is shown of one text."""

MOST_MESSAGES, MOST_TOOLS = 200, 100
"""The last of a longer conversation are shown, and the first of more tools."""

EXAMPLES = {"string": "", "integer": 0, "number": 0, "boolean": False, "array": [], "object": {}, "null": None}

Send: TypeAlias = Callable[[dict[str, Any]], object]


class Question(Protocol):
    """A request that waits: what a model would be sent."""

    @property
    def id(self) -> str:
        """What tells it from others."""

    @property
    def number(self) -> int:
        """Its number among the requests of its server, from 1."""

    @property
    def messages(self) -> tuple[Message, ...]:
        """The conversation."""

    @property
    def tools(self) -> tuple[dict[str, Any], ...]:
        """The tools' schemas."""


class Asked(Protocol):
    """A server that a person answers for."""

    model: str

    @property
    def waiting(self) -> Sequence[Question]:
        """The requests that wait, the first one first."""

    @property
    def answered(self) -> int:
        """How many got their reply."""

    def settle(self, question: str, text: str, calls: Sequence[tuple[str, str]]) -> bool:
        """Give the request of this id its reply; whether it was waiting for one."""

    def watch(self, window: Any) -> None:
        """Have the window told, by `changed()`, when the requests that wait are others."""

    def leave(self, window: Any) -> None:
        """Have it told no more."""


class Desk:
    """Where one form gets its requests and puts its replies. From any thread."""

    def __init__(self, server: Asked, *, redactor: Redactor | None = None) -> None:
        self._server = server
        self._lens = Lens(redactor or Redactor(), lines=LINES, characters=CHARACTERS)
        self._lock = threading.Lock()
        self._send: Send | None = None
        self._seen = False
        server.watch(self)

    @property
    def server(self) -> Asked:
        """Who is answered for."""
        return self._server

    def connect(self, send: Send) -> None:
        """Have the messages sent by this."""
        self._send = send

    def close(self) -> None:
        """Look no more."""
        self._server.leave(self)
        self._send, self._seen = None, False

    def changed(self) -> bool:
        """Tell the form what waits now; whether there is one that is drawn."""
        with self._lock:
            send = self._send if self._seen else None
            if send is not None:
                send(self._news())
        return send is not None

    def hear(self, content: object) -> None:
        """Do what the form says; pass over what is nothing that it may say."""
        match heard(content):
            case Ready():
                self._seen = True
                self.changed()
            case Given(question, text, calls):
                self._server.settle(question, text, calls)

    def _news(self) -> dict[str, Any]:
        waiting = self._server.waiting
        told = {"do": "asked", "name": self._lens.name(self._server.model), "answered": self._server.answered}
        return told | ({"question": self._question(waiting[0]), "more": len(waiting) - 1} if waiting else {})

    def _question(self, question: Question) -> dict[str, Any]:
        left, tools = len(question.messages) - MOST_MESSAGES, question.tools[:MOST_TOOLS]
        return {
            "id": question.id,
            "number": question.number,
            "cut": f"cut here: {counted(left, 'earlier message')}" if left > 0 else "",
            "messages": [self._message(one) for one in question.messages[-MOST_MESSAGES:]],
            "tools": [self._tool(one) for one in tools],
            "facts": [counted(len(question.messages), "message"), counted(len(question.tools), "tool")],
        }

    def _message(self, message: Message) -> dict[str, Any]:
        return {"role": self._lens.gist(str(message.get("role"))), "parts": ready(list(self._parts(message)))}

    def _parts(self, message: Message) -> Iterator[Section]:
        """What is in a message: its text, and the calls in it."""
        text, role = message_text(message), message.get("role")
        if role == "tool":
            told = f"answers {self._lens.gist(str(message.get('tool_call_id')))}"
            yield Section(label=told, shown=self._lens.block(text))
        elif text or not message.get("tool_calls"):
            yield Section(shown=self._lens.block(text or "(no text)"), prose=True)
        entries = message.get("tool_calls")
        for entry in entries if isinstance(entries, list) else ():
            function = entry.get("function") if isinstance(entry, dict) else None
            if isinstance(function, dict):
                label = f"calls {self._lens.name(str(function.get('name')))}, {self._lens.gist(str(entry.get('id')))}"
                yield Section(label=label, shown=self._lens.block(str(function.get("arguments"))))

    def _tool(self, tool: dict[str, Any]) -> dict[str, Any]:
        """A tool: its name and parameters on a line, its schema, and arguments to begin with."""
        function = tool.get("function")
        told: dict[str, Any] = function if isinstance(function, dict) else {}
        parameters = told.get("parameters")
        shape: dict[str, Any] = parameters if isinstance(parameters, dict) else {}
        properties, required = shape.get("properties"), shape.get("required")
        named = properties if isinstance(properties, dict) else {}
        needed = required if isinstance(required, list) else []
        first = {name: example(named.get(name)) for name in needed if isinstance(name, str)}
        flat = codec.dumps(told, default=str).decode("utf-8", "replace")
        return {
            "name": self._lens.name(str(told.get("name"))),
            "told": self._lens.gist(f"({', '.join(named)}) {told.get('description') or ''}"),
            "schema": ready(Section(shown=self._lens.block(json_laid_out(flat) or flat))),
            "first": self._lens.block(codec.dumps(first).decode()).text,
        }

    def __repr__(self) -> str:
        return f"Desk({self._server!r})"


def example(schema: Any) -> Any:
    """A value to begin with, of the type that the schema asks for, if it says one."""
    told = schema if isinstance(schema, dict) else {}
    values = told.get("enum")
    if isinstance(values, list) and values:
        return values[0]
    kind = told.get("type")
    return EXAMPLES.get(kind, "") if isinstance(kind, str) else ""
