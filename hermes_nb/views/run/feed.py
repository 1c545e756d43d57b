"""Turns what happens in a run into messages for its windows: at most ten a second, each as long as what is new."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

from hermes_nb.events import Event, RunFinished
from hermes_nb.records import AgentResult, ToolCall
from hermes_nb.redact import Redactor
from hermes_nb.views.rows.bodies import copied, first_page, matching, opened, page, parts
from hermes_nb.views.rows.growing import Fold, Growing, Line
from hermes_nb.views.rows.heads import Counts, head
from hermes_nb.views.run import asking, requests, wire
from hermes_nb.views.run.asking import Question
from hermes_nb.views.run.pace import later

PACE_SECONDS = 0.1
CHUNK = 2000
"""So many rows go in one message."""

Send: TypeAlias = Callable[[dict[str, Any]], object]


class Source(Protocol):
    """A run that can be looked at while it goes on: a LiveRun, or a journal that is played."""

    @property
    def result(self) -> AgentResult:
        """The run as far as it has come."""

    def observe(self, observer: Callable[[Event], object]) -> AgentResult:
        """Have the observer told every event from now on; the result so far is what it missed."""

    def forget(self, observer: Callable[[Event], object]) -> None:
        """Have it told no more."""

    def stop(self) -> None:
        """End the run, soon. From any thread."""


class Feed:
    """What the windows on one run are told. From any thread.

    `send` takes the messages, once `connect` has named it and a window has asked for the rows.
    """

    def __init__(self, run: Source | AgentResult, *, redactor: Redactor | None = None) -> None:
        self._lock = threading.RLock()
        self._source = None if isinstance(run, AgentResult) else run
        self._send: Send | None = None
        self._watched = False
        self._seq = 0
        self._sent_at = -PACE_SECONDS
        self._due = False
        self._shown: dict[str, Any] = {}
        self._rows: dict[str, dict[str, Any]] = {}
        self._folds: tuple[int, list[Fold]] = (0, [])
        self._place = ""
        self._questions: dict[str, Question] = {}
        self._over: list[Callable[[AgentResult], object]] = []
        self._clock = (time.monotonic(), 0.0)
        self.speed = float(getattr(run, "speed", 1.0))
        with self._lock:
            result = run if isinstance(run, AgentResult) else run.observe(self._happened)
            self._growing, self._counts = Growing(result, redactor, over=self._source is None), Counts()
            self._clock = (time.monotonic(), result.seconds)
            self._growing.changes()
        if self._source is not None:
            for question in asking.watch(self):
                self.asked(question)

    @property
    def result(self) -> AgentResult:
        """The run as far as it has come."""
        if self._source is not None:
            return self._source.result
        assert self._growing.final is not None
        return self._growing.final

    @property
    def going(self) -> bool:
        """Whether the run is."""
        return self._growing.going

    @property
    def watched(self) -> bool:
        """Whether a window has asked for the rows."""
        return self._watched

    def connect(self, send: Send) -> None:
        """Have the messages sent by this."""
        self._send = send

    def when_over(self, told: Callable[[AgentResult], object]) -> None:
        """Call this with the result when the run is over; at once, if it is."""
        with self._lock:
            final = self._growing.final
            if final is None:
                self._over.append(told)
        if final is not None:
            told(final)

    def go(self, name: str) -> None:
        """Have the windows open the row of this name, and those that open later."""
        with self._lock:
            self._place = name
            if self._watched:
                self._tell({"do": "go", "id": name})

    def place(self, at: str) -> str:
        """The name of the row at "4", turn 4, or at "4.2", its second call.

        Raises:
            ValueError: the run has none there.
        """
        turn, _, call = at.partition(".")
        with self._lock:
            found = self._growing.turn(int(turn)) if turn.isdecimal() else None
            made = found.reply.calls if found is not None and found.reply is not None else ()
            if found is None or (call and not (call.isdecimal() and 0 < int(call) <= len(made))):
                raise ValueError(f'this run has nothing at {at!r}: say "4" for turn 4, "4.2" for its second call')
        return f"{turn}.call{int(call) - 1}" if call else f"{turn}.model"

    def close(self) -> None:
        """Look at the run no more."""
        if self._source is not None:
            self._source.forget(self._happened)
        asking.leave(self)
        with self._lock:
            self._watched, self._send = False, None

    # What happens in the run.

    def _happened(self, event: Event) -> None:
        over = isinstance(event, RunFinished)
        with self._lock:
            final = self._source.result if over and self._source is not None else None
            self._growing.take(event, final)
            self._clock = (time.monotonic(), event.at)
            ended = list(self._over)
        if final is None:
            self._soon()
            return
        self.flush()
        for told in ended:
            told(final)

    def asked(self, question: Question) -> bool:
        """A call waits for a person: whether it is one of this run's, seen here."""
        with self._lock:
            mine = self._is_mine(question)
            if mine and question.id not in self._questions:
                self._questions[question.id] = question
                self._growing.ask(question.call.id, waits=True)
            seen = self._watched
        self._soon()
        return mine and seen

    def settled(self, question: Question) -> None:
        """It waits no more."""
        with self._lock:
            if self._questions.pop(question.id, None) is None:
                return
            self._growing.ask(question.call.id, waits=False)
        self._soon()

    def _is_mine(self, question: Question) -> bool:
        turn = self._growing.turn(question.call.turn)
        made = turn.reply.calls if turn is not None and turn.reply is not None else ()
        return question.task_id == self._growing.result.task_id and any(
            call.id == question.call.id and call.arguments == question.call.arguments for call in made
        )

    # What the windows are told.

    def _soon(self) -> None:
        """Send what is new: now, or when a tenth of a second has passed since the last time."""
        with self._lock:
            if not self._watched or self._due:
                return
            wait = self._sent_at + PACE_SECONDS - time.monotonic()
            self._due = wait > 0
        if wait > 0:
            later(wait, self.flush)
        else:
            self.flush()

    def flush(self) -> None:
        """Send what is new, if anything is."""
        with self._lock:
            self._due = False
            if not self._watched:
                return
            self._sent_at = time.monotonic()
            told, rows, folds = self._head(), self._new_rows(), self._new_folds()
            if told or rows or folds:
                self._tell({"do": "more", "head": told, "rows": rows, "folds": folds})

    def _head(self) -> dict[str, Any]:
        """What has changed in the header since it was sent, and the clock."""
        now = wire.head(head(self._growing, self._counts)) | {"going": self.going}
        new = {name: value for name, value in now.items() if self._shown.get(name, ...) != value}
        self._shown = now
        if self.going:
            new["clock"] = round(self._at(time.monotonic()), 3)
        return new

    def _at(self, moment: float) -> float:
        """The run's own time at a moment of ours."""
        then, at = self._clock
        return at + (moment - then) * self.speed

    def _new_rows(self) -> list[dict[str, Any]]:
        rows = [self._packed(line) for line in self._growing.changes()]
        new = [row for row in rows if self._rows.get(row["i"]) != row]
        # Only what may change again is remembered: the rows of the turn that goes on.
        self._rows = {row["i"]: row for row in rows}
        return new

    def _new_folds(self) -> list[dict[str, Any]]:
        folds, known = self._growing.folds, self._folds
        self._folds = (len(folds), folds[-1:])
        # The last one may have grown since.
        return [wire.fold(one) for one in self._growing.folded(max(known[0] - 1, 0))] if known != self._folds else []

    def _packed(self, line: Line) -> dict[str, Any]:
        packed = wire.line(line)
        for question in self._questions.values():
            if line.row.key == key_of(question.call):
                packed["q"] = self._question(question)
        return packed

    def _question(self, question: Question) -> dict[str, Any]:
        """What is asked: all of the arguments, as they would be edited, where nothing had to be taken out of them."""
        [part, *_] = parts(self._growing, key_of(question.call))
        lens = self._growing.lens
        shown = page(part, lens, 0)
        whole = shown.next is None and lens.clear(part.text) == part.text.replace("\r\n", "\n")
        return {
            "id": question.id,
            "name": lens.name(question.call.name),
            "text": shown.text,
            "mark": shown.mark,
            "edit": whole,
            "since": round(self._at(question.since), 1),
        }

    def _tell(self, message: dict[str, Any]) -> None:
        if self._send is not None:
            self._seq += 1
            self._send(message | {"seq": self._seq})

    # What the windows ask.

    def hear(self, content: object) -> None:
        """Answer what a window asks; pass over what is no request."""
        request = requests.heard(content)
        match request:
            case None | requests.Close():
                pass
            case requests.Stop():
                if self._source is not None and self.going:
                    self._source.stop()
            case requests.Rows():
                self._tell_all()
            case requests.Open() | requests.More() | requests.Copy() | requests.Find():
                with self._lock:
                    self._tell(self._found(request))
            case _:
                self._settle(request)

    def _tell_all(self) -> None:
        with self._lock:
            growing = self._growing
            self._watched = True
            self._shown = {}
            rows = [self._packed(line) for part in range(len(growing.turns) + 1) for line in growing.lines(part)]
            message = {"do": "all", "head": self._head(), "rows": rows[:CHUNK], "speed": self.speed}
            message["folds"] = [wire.fold(one) for one in growing.folded()]
            if self._place:
                message["go"] = self._place
            if len(rows) > CHUNK:
                message["left"] = len(rows) - CHUNK
            self._new_rows()
            self._new_folds()
            self._tell(message)
            for begin in range(CHUNK, len(rows), CHUNK):
                self._tell({"do": "more", "head": {}, "rows": rows[begin : begin + CHUNK], "folds": []})

    def _found(self, request: requests.Look) -> dict[str, Any]:
        growing, lens = self._growing, self._growing.lens
        match request:
            case requests.Open(name):
                behind = [wire.part(part, first_page(part, lens), lens) for part in opened(growing, name)]
                return {"do": "body", "id": name, "parts": behind}
            case requests.More(name, number, at, raw):
                found = opened(growing, name)[number : number + 1] if number >= 0 else []
                # From its beginning, a part is shown as it was when the row was opened.
                pages = [page(one, lens, at, raw=raw) if at else first_page(one, lens, raw=raw) for one in found]
                told = wire.paged(pages[0]) if pages else {}
                return {"do": "page", "id": name, "part": number, "raw": raw, **told}
            case requests.Copy(name, number):
                text = copied(growing, name, None if number < 0 else number)
                return {"do": "copy", "text": text}
            case requests.Find(text):
                return {"do": "found", "text": text, "ids": matching(growing, text) if text.strip() else []}

    def _settle(self, choice: requests.Choice) -> None:
        with self._lock:
            question = self._questions.get(choice.question)
        verdict = asking.verdict_of(choice)
        if question is not None and verdict is not None:
            question.answer(verdict)

    def __repr__(self) -> str:
        return f"Feed({self.result!r})"


def key_of(call: ToolCall) -> str:
    """The key of a call's row."""
    return f"{call.turn}.call{call.index}"
