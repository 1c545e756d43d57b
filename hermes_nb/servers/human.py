"""HumanServer: a person answers as the model.

    human = hn.HumanServer()
    human                                    # alone in a cell: the form
    run = hn.HermesAgentLoop(human, tools=[add]).start("What is 2 + 3?")

The form shows what a model is sent, the messages and the tools' schemas, and takes what a model may write: text, and
calls, which need be neither valid nor of any tool there is. What it shows is drawn in `views.human`.
"""

from __future__ import annotations

import asyncio
import copy
import itertools
import threading
import uuid
import warnings
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from weakref import WeakSet

from hermes_nb import codec
from hermes_nb.exceptions import ConfigurationError
from hermes_nb.messages import Message
from hermes_nb.records import Reply
from hermes_nb.servers import base
from hermes_nb.servers.base import Completion

__all__ = ["HumanServer", "Question"]

UNSEEN_SECONDS = 10.0
"""How long a request waits that nobody sees, before that is said."""

EXAMPLE = 'human.call("add", {"a": 2, "b": 3})'


class Window(Protocol):
    """Who is told of the requests that wait."""

    def changed(self) -> bool:
        """There are others than before; whether somebody looks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A reply: text, and calls, each a name and the text of its arguments."""

    text: str = ""
    calls: tuple[tuple[str, str], ...] = ()


@dataclass(eq=False, slots=True, kw_only=True)
class Question:
    """A request that waits for a person: what a model would be sent. It takes one answer."""

    number: int
    messages: tuple[Message, ...]
    tools: tuple[dict[str, Any], ...]
    id: str = field(default_factory=lambda: uuid.uuid4().hex[:16])
    given: asyncio.Future[Said] = field(repr=False)

    def __repr__(self) -> str:
        return f"Question({self.number} · {len(self.messages)} messages, {len(self.tools)} tools)"


class _Looking:
    """Who awaits a request."""

    def __init__(self) -> None:
        self.news = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def changed(self) -> bool:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.news.set)
        return True


class HumanServer:
    """A server that a person answers for. Its name alone in a cell shows a form, and so it does on every screen where
    that cell is open; whoever is first gives the reply.

        human = hn.HumanServer()
        run = hn.HermesAgentLoop(human, tools=[add]).start("What is 2 + 3?")

    Without the form, `answer`, `call` and `reply` give the reply to the request that waits longest. Where none waits
    they are kept for the requests to come, in order, so that a notebook runs from start to end with nobody there:

        human.call("add", {"a": 2, "b": 3})
        human.answer("It is 5.")

    `await human.asked()` gives the request that waits, as data.

    A request waits for as long as it takes; one whose run is stopped waits no more. The person's time is the reply's
    `seconds`; nobody counts its tokens.

    Args:
        model: whom the person is: the model's name in the run, and the form's title.

    >>> import hermes_nb as hn
    >>> human = HumanServer()
    >>> human.answer("It is 5.")
    >>> hn.HermesAgentLoop(human).run_sync("What is 2 + 3?").final_text
    'It is 5.'

    Raises:
        ConfigurationError: the name is no text.
    """

    def __init__(self, *, model: str = "human") -> None:
        if not isinstance(model, str) or not model.strip():
            raise ConfigurationError(f"model= is a name for whom the person is, such as 'human'; got {model!r:.80}")
        self.model = model
        self._lock = threading.Lock()
        self._ready: deque[Said] = deque()
        self._waiting: dict[str, Question] = {}
        self._windows: WeakSet[Any] = WeakSet()
        self._numbers = itertools.count(1)
        self._answered = 0

    @property
    def waiting(self) -> tuple[Question, ...]:
        """The requests that wait for a reply, the first one first, with their messages and tools."""
        with self._lock:
            return tuple(self._waiting.values())

    @property
    def answered(self) -> int:
        """How many requests got their reply."""
        return self._answered

    async def asked(self) -> Question:
        """The request that waits longest; where none does, the next one, once it waits."""
        looking = _Looking()
        self.watch(looking)
        try:
            while True:
                looking.news.clear()
                if waiting := self.waiting:
                    return waiting[0]
                await looking.news.wait()
        finally:
            self.leave(looking)

    # What a person says.

    def answer(self, text: str) -> None:
        """Reply with text.

        Raises:
            ConfigurationError: it is no text.
        """
        self.reply(text)

    def call(self, name: str, arguments: Mapping[str, Any] | str | None = None) -> None:
        """Reply with one tool call. Arguments given as text are sent letter by letter, valid or not.

        Raises:
            ConfigurationError: the name is no text, or the arguments are neither a dict nor text.
        """
        self.reply("", [(name, arguments)])

    def reply(self, text: str = "", calls: Iterable[tuple[str, Mapping[str, Any] | str | None]] = ()) -> None:
        """Reply with text, with calls, with both, or with nothing at all, as models do.

        Args:
            calls: pairs of a name and arguments, as `call` takes them.

        Raises:
            ConfigurationError: it is not that.
        """
        said = _said(text, calls)
        with self._lock:
            question = next(iter(self._waiting.values()), None)
            if question is None:
                self._ready.append(said)
            else:
                del self._waiting[question.id]
        if question is not None:
            self._give(question, said)

    def settle(self, question: str, text: str, calls: Sequence[tuple[str, str]]) -> bool:
        """Give the request of this id its reply, from any thread; whether it was waiting for one."""
        with self._lock:
            found = self._waiting.pop(question, None)
        if found is not None:
            self._give(found, Said(text=text, calls=tuple(calls)))
        return found is not None

    def _give(self, question: Question, said: Said) -> None:
        given = question.given

        def answer() -> None:
            if not given.done():
                given.set_result(said)

        loop = given.get_loop()
        if not loop.is_closed():
            loop.call_soon_threadsafe(answer)
        self._tell()

    # What a loop asks.

    async def chat_completion(self, **request: Any) -> Completion:
        """Give a reply that was kept, else wait for one."""
        number = next(self._numbers)
        messages, tools = copy.deepcopy((list(request.get("messages") or ()), list(request.get("tools") or ())))
        given = asyncio.get_running_loop().create_future()
        question = Question(number=number, messages=tuple(messages), tools=tuple(tools), given=given)
        with self._lock:  # Both at once, or a reply that is given in between would be kept, and the request would wait.
            said = self._ready.popleft() if self._ready else None
            if said is None:
                self._waiting[question.id] = question
        if said is None:
            said = await self._reply_to(question)
        self._answered += 1
        self._tell()
        return Completion(_body(said, messages, number=number, model=self.model))

    async def _reply_to(self, question: Question) -> Said:
        seen = self._tell()
        reminder = None if seen else question.given.get_loop().call_later(UNSEEN_SECONDS, self._remind, question)
        try:
            return await question.given
        finally:
            if reminder is not None:
                reminder.cancel()
            with self._lock:
                left = self._waiting.pop(question.id, None)
            if left is not None:  # The run was stopped.
                self._tell()

    def _remind(self, question: Question) -> None:
        if question.id in self._waiting and not self._tell():
            warnings.warn(
                "a run waits for a person's reply, and nobody sees it: put the name of the HumanServer alone in a cell "
                f"and start the run with loop.start(...), or reply with .answer(text) or {EXAMPLE}",
                stacklevel=2,
            )

    async def ask(self, messages: str | Sequence[Message], tools: Any = None, **request: Any) -> Reply:
        """Ask once, outside any run: text or messages in, a Reply out."""
        return await base.ask_by_hand(self, messages, tools, request)

    # Who looks.

    def watch(self, window: Window) -> None:
        """Have the window told when the requests that wait are others."""
        with self._lock:
            self._windows.add(window)

    def leave(self, window: Window) -> None:
        """Have it told no more."""
        with self._lock:
            self._windows.discard(window)

    def _tell(self) -> bool:
        with self._lock:
            windows = list(self._windows)
        # Every window is told, though one would do.
        seen = [window.changed() for window in windows]
        return any(seen)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        from hermes_nb.views import human

        return human.shown(self)

    def __repr__(self) -> str:
        kept = f" · {len(self._ready)} kept" if self._ready else ""
        return f"HumanServer({self.model} · {self._answered} answered · {len(self._waiting)} waiting{kept})"


def _said(text: Any, calls: Any) -> Said:
    if not isinstance(text, str):
        raise ConfigurationError(f"a reply is text, as answer('It is 5.') has it, not {type(text).__name__}")
    if isinstance(calls, str | bytes | Mapping) or not isinstance(calls, Iterable):
        raise ConfigurationError(f"calls are a list of pairs, as [('add', {{'a': 2, 'b': 3}})]; got {calls!r:.80}")
    return Said(text=text, calls=tuple(_call(one) for one in calls))


def _call(one: Any) -> tuple[str, str]:
    if not isinstance(one, tuple | list) or len(one) != 2 or not isinstance(one[0], str):
        raise ConfigurationError(f"a call is a name and arguments, as {EXAMPLE} has them; got {one!r:.80}")
    name, arguments = one
    if arguments is None or isinstance(arguments, str):
        return name, "{}" if arguments is None else arguments
    if not isinstance(arguments, Mapping):
        raise ConfigurationError(f"arguments are a dict, or text sent as it is: {EXAMPLE}; got {arguments!r:.80}")
    try:
        return name, codec.dumps(dict(arguments)).decode()
    except TypeError as error:
        raise ConfigurationError(f"the arguments of {name!r} are no JSON: {error}") from error


def _body(said: Said, messages: Sequence[Any], *, number: int, model: str) -> dict[str, Any]:
    """The reply as a chat completion; nobody counted its tokens."""
    message: dict[str, Any] = {"role": "assistant", "content": said.text}
    if said.calls:
        before = sum(len(one.get("tool_calls") or ()) for one in messages if isinstance(one, dict))
        message["tool_calls"] = [
            {"id": f"call_{place}", "type": "function", "function": {"name": name, "arguments": arguments}}
            for place, (name, arguments) in enumerate(said.calls, before + 1)
        ]
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if said.calls else "stop"}
    return {"id": f"human-{number}", "object": "chat.completion", "model": model, "choices": [choice]}
