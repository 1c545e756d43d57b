"""Has a tool call wait until a person, looking at the run, has chosen: run it, run it otherwise, answer it, or not."""

from __future__ import annotations

import asyncio
import threading
import time
import uuid
import warnings
from dataclasses import dataclass, field
from typing import Any, Protocol
from weakref import WeakSet

from hermes_nb import codec
from hermes_nb.records import ToolCall
from hermes_nb.verdicts import Allow, Answer, Reject, Replace, Verdict
from hermes_nb.views.run import requests

UNSEEN_SECONDS = 10.0
"""How long a call waits in a run that nobody looks at, before that is said."""


class Context(Protocol):
    """What a gate is told of the run."""

    @property
    def task_id(self) -> str | None:
        """What tells one run's sandbox from another's."""


class Window(Protocol):
    """Who is told of the calls that wait."""

    def asked(self, question: Question) -> bool:
        """A call waits; whether it is one of the run that is shown here."""

    def settled(self, question: Question) -> None:
        """It waits no more."""


@dataclass(eq=False, slots=True)
class Question:
    """A call that waits for a person. It takes one answer."""

    call: ToolCall
    task_id: str | None
    answered: asyncio.Future[Verdict]
    loop: asyncio.AbstractEventLoop
    since: float = field(default_factory=time.monotonic)
    id: str = field(default_factory=lambda: uuid.uuid4().hex[:16])

    def answer(self, verdict: Verdict) -> None:
        """Go on with this; nothing, if somebody was quicker. From any thread."""

        def settle() -> None:
            if not self.answered.done():
                self.answered.set_result(verdict)

        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(settle)


_waiting: dict[str, Question] = {}
_windows: WeakSet[Any] = WeakSet()
_lock = threading.Lock()


async def ask(call: ToolCall, context: Context) -> Verdict:
    """Have the call wait for a person's choice in the live view of its run, for as long as it takes.

    For `before_call=`. In the view the call's arguments are shown with four buttons: approve it, edit its arguments,
    answer in the tool's place, or reject it with a reason. A run that is stopped asks no more.
    """
    loop = asyncio.get_running_loop()
    question = Question(call, context.task_id, loop.create_future(), loop)
    with _lock:
        _waiting[question.id] = question
        windows = list(_windows)
    # Every window is told, though one would do: a run may be shown in many.
    seen = [window.asked(question) for window in windows]
    reminder = None if any(seen) else loop.call_later(UNSEEN_SECONDS, _remind, question)
    try:
        return await question.answered
    finally:
        if reminder is not None:
            reminder.cancel()
        with _lock:
            _waiting.pop(question.id, None)
            windows = list(_windows)
        for window in windows:
            window.settled(question)


def _remind(question: Question) -> None:
    with _lock:
        windows = list(_windows)
    if not any(window.asked(question) for window in windows):
        warnings.warn(
            f"{question.call.name} waits for your choice, and nobody sees it: show the run, with run(..., view=True), "
            "or by its name alone in a cell after start(...)",
            stacklevel=2,
        )


def watch(window: Window) -> list[Question]:
    """Have the window told of the calls that wait from now on; those that wait already are given."""
    with _lock:
        _windows.add(window)
        return list(_waiting.values())


def leave(window: Window) -> None:
    """Have it told no more."""
    with _lock:
        _windows.discard(window)


def verdict_of(choice: requests.Choice) -> Verdict:
    """What was chosen; None for arguments that are no JSON object."""
    match choice:
        case requests.Approve():
            return Allow()
        case requests.AnswerInstead(text=text):
            return Answer(text)
        case requests.Refuse(text=text):
            return Reject(text.strip() or "no reason was given")
        case requests.Edit(text=text):
            try:
                arguments = codec.loads(text)
            except (ValueError, RecursionError):
                return None
            return Replace(arguments) if isinstance(arguments, dict) else None
