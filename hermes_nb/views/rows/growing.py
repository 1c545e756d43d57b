"""The ledger while it grows: what each event changes in it, row by row, at a price that does not grow with the run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from hermes_nb import events as happened
from hermes_nb.events import Delta, Event
from hermes_nb.records import AgentResult, Turn
from hermes_nb.redact import Redactor
from hermes_nb.views.rows import calls, words
from hermes_nb.views.rows.drawing import Drawing, answered
from hermes_nb.views.rows.entries import Row
from hermes_nb.views.rows.legible import Lens
from hermes_nb.views.rows.runs import opening, opening_messages
from hermes_nb.views.rows.strips import Recorded

FORMING = 8000
"""So many of the last characters of a reply that is being written are kept to be looked at."""

ENOUGH = 60
"""Of more turns that are alike, a line has no room to say in what the later ones differ."""

UNBROKEN = re.compile(r"[!-~]{1,512}\Z")
"""A last word that is still being written: it may become a secret, so it is not shown before it ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A row, and whether what it tells of goes on (`live`: then nobody knows its seconds yet). `quiet`: its gist is in
    our words, not in the model's."""

    row: Row
    live: bool = False
    quiet: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Folded:
    """Rows that stand for those from `first` to `last`, which are alike."""

    first: str
    last: str
    rows: tuple[Row, ...]


class Fold(NamedTuple):
    """Turns that are alike, by their places; or, of one turn, calls that are, by theirs."""

    first: int
    last: int
    calls: tuple[int, int] | None = None


@dataclass(slots=True)
class Alike:
    """Turns that are alike, counted one by one, so that a long row of them is not counted again for each."""

    turns: int = 0
    model_seconds: float = 0.0
    tool_seconds: float = 0.0
    out: int = 0
    guessed: bool = False
    characters: int = 0
    begun: tuple[Row, ...] = ()

    def add(self, turn: Turn) -> None:
        """Count the next one."""
        self.turns += 1
        if turn.reply is not None:
            known = turn.reply.usage.completion
            self.model_seconds += turn.reply.seconds
            self.out += words.written(turn.reply) if known is None else known
            self.guessed = self.guessed or known is None
        for result in turn.results:
            self.tool_seconds += result.seconds
            self.characters += len(result.content)

    def told(self, last: Turn, name: str) -> tuple[Row, ...]:
        """The two rows of the first of these turns, which are known, made to stand for all."""
        model, tool = self.begun
        counted = f"{name}{calls.times(self.turns)}"
        tokens = f"{'~' if self.guessed else ''}{words.tokens(self.out)}"
        spent, used = words.duration(self.model_seconds), words.duration(self.tool_seconds)
        numbers, end = f"{model.number}–{last.number}", last.number
        calling = model._replace(turn=numbers, last=end, gist=f"calls {counted}", time=spent, tokens=tokens)
        guessed = words.estimated(self.characters)
        return calling, tool._replace(last=end, name=counted, time=used, tokens=guessed)


@dataclass(slots=True)
class Forming:
    """A reply while it is written."""

    text: str = ""
    thoughts: str = ""
    calls: int = 0
    written: int = 0

    def add(self, piece: Delta) -> None:
        """Take in the next piece."""
        self.written += len(piece.text)
        if piece.part == "text":
            self.text = (self.text + piece.text)[-FORMING:]
        elif piece.part == "reasoning":
            self.thoughts = (self.thoughts + piece.text)[-FORMING:]
        elif piece.part == "call":
            self.calls = max(self.calls, piece.index + 1)

    @property
    def said(self) -> str:
        """What can be shown of it: up to the end of its last whole word."""
        return UNBROKEN.sub("", self.text or self.thoughts)


class Growing:
    """The rows of a run that goes on, or of one that is `over`, or of which nothing more will be heard. Not for several
    threads at once."""

    def __init__(self, result: AgentResult, redactor: Redactor | None = None, *, over: bool = False) -> None:
        self.lens = Lens(redactor or Redactor())
        self.result = replace(result, turns=(), messages=opening_messages(result))
        self.final = result if over or result.stop_reason != "running" else None
        self.turns = list(result.turns)
        self.forming: Forming | None = None
        self.began: dict[tuple[int, int], float] = {}
        self.asking: set[str] = set()
        self.folds: list[Fold] = []
        self._ended = len(self.turns) if self.final else max(len(self.turns) - 1, 0)
        self._changed: set[int] = {0}
        self._tail = 0
        self._alike: dict[int, Alike] = {}
        self._recorded = Recorded()
        for index in range(self._ended):
            self._fold(index)

    @property
    def going(self) -> bool:
        """Whether the run is."""
        return self.final is None

    @property
    def now(self) -> AgentResult:
        """The run with its last turn alone: all that says what it is at."""
        return replace(self.result, turns=tuple(self.turns[-1:]))

    @property
    def recorded(self) -> Recorded:
        """The tokens of the replies there are."""
        replied = self.turns if self.turns and self.turns[-1].reply else self.turns[:-1]
        if len(replied) != len(self._recorded.turns):
            self._recorded = Recorded(tuple(replied))
        return self._recorded

    def take(self, event: Event, final: AgentResult | None = None) -> None:
        """Take in the next event; with the run's last one, its result."""
        match event:
            case happened.RunStarted():
                begun = happened.fold([replace(event, seq=0)])
                self.result = begun
                self._changed.add(0)
            case happened.TurnStarted():
                self._close()
                self.turns.append(
                    Turn(number=event.turn, at=event.at, added_messages=event.added_messages, request=event.request)
                )
                self._changed.add(len(self.turns))
            case happened.RunFinished():
                self._close()
                self.final = final
                self._changed.add(len(self.turns))
            case _ if self.turns:
                self._in_turn(event)
                self._changed.add(len(self.turns))
            case _:
                pass

    def _in_turn(self, event: Event) -> None:
        turn = self.turns[-1]
        match event:
            case Delta():
                self.forming = self.forming or Forming()
                self.forming.add(event)
            case happened.Replied():
                self.forming = None
                turn = replace(turn, reply=event.reply, model_seconds=event.at - turn.at)
            case happened.CallStarted():
                self.began[turn.number, event.call.index] = event.at
            case happened.CallFinished():
                others = [one for one in turn.results if one.call.index != event.result.call.index]
                results = sorted([*others, event.result], key=lambda one: one.call.index)
                self.began.pop((turn.number, event.result.call.index), None)
                turn = replace(turn, results=tuple(results))
            case happened.TurnFinished():
                turn = replace(turn, model_seconds=event.model_seconds, seconds=event.at - turn.at)
        self.turns[-1] = turn

    def _close(self) -> None:
        """A turn is over when the next one begins, or the run ends."""
        self.forming = None
        while self._ended < len(self.turns):
            self._fold(self._ended)
            self._ended += 1

    def _fold(self, index: int) -> None:
        """Put the turn together with those before it that are like it, once there are enough."""
        turn = self.turns[index]
        if index == 0 or not alike(self.turns[index - 1], turn):
            self._tail = index
            self._alike[index] = Alike()
        self._alike[self._tail].add(turn)
        if index - self._tail + 1 >= calls.FOLDED and alike(turn, turn):
            if self.folds and self.folds[-1].first == self._tail:
                self.folds.pop()
            self.folds.append(Fold(self._tail, index))
        for group in calls.like_results([(one.call, one) for one in turn.results]):
            if len(group) > 1:
                self.folds.append(Fold(index, index, (group[0][0].index, group[-1][0].index)))

    def ask(self, call_id: str, *, waits: bool) -> None:
        """Have a call of the last turn ask the person, or ask no more."""
        (self.asking.add if waits else self.asking.discard)(call_id)
        self._changed.add(len(self.turns))

    def turn(self, number: int) -> Turn | None:
        """The turn of this number, if there is one. A run's turns are numbered one after the other."""
        index = number - self.turns[0].number if self.turns else 0
        return self.turns[index] if 0 <= index < len(self.turns) else None

    def changes(self) -> list[Line]:
        """The rows of every part that has changed since this was asked last: those of the start, and of turns."""
        changed, self._changed = sorted(self._changed), set()
        return [line for part in changed for line in self.lines(part)]

    def folded(self, begin: int = 0) -> list[Folded]:
        """The folds, from number `begin` on, as rows."""
        return [self._folded(fold) for fold in self.folds[begin:]]

    def lines(self, part: int) -> Iterator[Line]:
        """The rows of turn number `part`, counted from 1 as they come; of the start, where it is 0."""
        if part == 0:
            yield from (Line(row=row) for row in self.opening())
        elif part <= len(self.turns):
            yield from self._turn(self.turns[part - 1])

    def opening(self) -> list[Row]:
        """The conversation the run starts from."""
        result = self.result
        begun = (Turn(number=1),) if result.run_id is not None or self.turns else ()
        return list(opening(replace(result, turns=begun), self._drawing()))

    def _drawing(self) -> Drawing:
        return Drawing(
            lens=self.lens,
            opened=(),
            going=self.going,
            unanswered=words.RUNNING if self.going else words.CUT_OFF,
            asking=self.asking,
            last=self.turns[-1].number if self.turns else 0,
        )

    def _turn(self, turn: Turn) -> Iterator[Line]:
        """The rows of a turn, its calls each by itself."""
        drawing, number, reply, label = self._drawing(), turn.number, turn.reply, str(turn.number)
        for index, message in enumerate(turn.added_messages):
            yield Line(row=drawing.message(message, f"{number}.added{index}", number))
        if reply and reply.reasoning:
            yield Line(row=drawing.reasoning(reply, turn))
            label = ""
        yield self._reply(drawing.reply(turn, label), turn)
        for call, result in answered(turn):
            row = drawing.answer(call, result, number)
            live = result is None and self.going
            yield Line(row=row._replace(at=self.began.get((number, call.index))) if live else row, live=live)

    def _reply(self, row: Row, turn: Turn) -> Line:
        """A reply's row; one that is being written, with what there is of it."""
        if turn.reply is not None or not row.status:
            return Line(row=row, quiet=turn.reply is None or not turn.reply.text.strip())
        row = row._replace(time="", tokens="", seconds=None)
        if self.forming is not None:
            glyph, status = words.WRITING
            gist = self.lens.line(self.forming.said) if self.forming.said.strip() else ""
            tokens = words.estimated(self.forming.written)
            row = row._replace(gist=gist, glyph=glyph, status=status, tokens=tokens)
        return Line(row=row, live=True)

    def _folded(self, fold: Fold) -> Folded:
        drawing, turns = self._drawing(), self.turns[fold.first : fold.last + 1]
        number, end = turns[0].number, turns[-1].number
        if fold.calls is None:
            result = turns[-1].results[0]
            alike = self._alike[fold.first]
            rows = alike.begun or tuple(drawing.folded(turns[:ENOUGH]))
            if len(turns) > ENOUGH:
                alike.begun = rows
                rows = alike.told(turns[-1], self.lens.name(result.call.name))
            return Folded(first=f"{number}.model", last=f"{end}.call{result.call.index}", rows=rows)
        first, last = fold.calls
        pairs = [pair for pair in answered(turns[0]) if first <= pair[0].index <= last]
        return Folded(
            first=f"{number}.call{first}", last=f"{number}.call{last}", rows=(drawing.answers(pairs, number),)
        )


def alike(one: Turn, other: Turn) -> bool:
    """Whether the two would be folded, if there were enough of them."""
    tool = calls.only_call(one)
    return tool is not None and tool == calls.only_call(other)
