"""Turns a run into rows: the one place where it is decided what a view says of it, and where it is cut.

`ledger(result)` is a header, the answer, and one row per event, as frozen records of plain text. The forms (text,
HTML, later the live view) only draw them, so they all say the same in the same words.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from hermes_nb.messages import Message, text_of
from hermes_nb.records import AgentResult, Reply, RunError, ToolCall, ToolResult, Turn
from hermes_nb.redact import Redactor
from hermes_nb.views.rows import calls, words
from hermes_nb.views.rows.entries import Ledger, Row, Section, Who
from hermes_nb.views.rows.legible import Lens, Shown, counted
from hermes_nb.views.rows.opened import call_sections, reply_sections

__all__ = ["Ledger", "Row", "Section", "Shown", "counted", "ledger"]

MOST_ROWS = 200
USER_LINES, USER_CHARACTERS = 12, 800
ANSWER_LINES, ANSWER_CHARACTERS = 200, 16_000
ROLES: dict[str, Who] = {"system": "system", "developer": "system", "assistant": "model", "tool": "tool"}
GROWN = {"follow_up": "follow-up", "resume": "resumed", "fork": "fork", "import": "imported"}


def ledger(
    result: AgentResult,
    redactor: Redactor | None = None,
    *,
    opened: Collection[int] | None = None,
    tracebacks: bool = False,
) -> Ledger:
    """The run as it is shown: without secrets, with nothing invisible, of bounded size.

    Rows of the turns in `opened` (of all turns, where it is None) hold sections; with `tracebacks`, those too.
    """
    drawing = _Drawing(Lens(redactor or Redactor()), result, opened, tracebacks)
    glyph, ended = words.ending(result)
    answer = result.final_text.strip()
    return Ledger(
        glyph=glyph,
        ended=ended,
        names=drawing.names(),
        facts=drawing.facts(),
        answer=drawing.lens.block(answer, ANSWER_LINES, ANSWER_CHARACTERS) if answer else None,
        note="" if answer else words.no_answer(result),
        error=drawing.error(result.error) if result.error else (),
        rows=bounded(list(drawing.rows())),
    )


def bounded(rows: list[Row]) -> tuple[Row, ...]:
    """The first and the last of the rows, and between them one that says what is not shown."""
    if len(rows) <= MOST_ROWS:
        return tuple(rows)
    half = MOST_ROWS // 2
    return (*rows[:half], cut_row(rows[half:-half]), *rows[-half:])


def cut_row(missing: Sequence[Row]) -> Row:
    """The row that stands for those that are not shown."""
    errors = sum(row.failed for row in missing)
    with_errors = f", {counted(errors, 'error')} among them" if errors else ""
    return Row(who="cut", gist=f"cut here: {counted(len(missing), 'row')} more{with_errors}")


@dataclass(frozen=True, slots=True)
class _Drawing:
    """One run being turned into rows."""

    lens: Lens
    result: AgentResult
    opened: Collection[int] | None
    tracebacks: bool

    @property
    def going(self) -> bool:
        return self.result.stop_reason == "running"

    def names(self) -> tuple[str, ...]:
        """The model, the dataset's item, and what the run grew from."""
        result, told = self.result, []
        server = result.provenance.server if result.provenance else {}
        replied = [turn.reply.model for turn in result.turns if turn.reply and turn.reply.model]
        model = replied[-1] if replied else server.get("model") or server.get("name")
        if model:
            told.append(self.lens.name(str(model)))
        if result.task is not None:
            attempt = f", attempt {result.attempt}" if result.attempt else ""
            told.append(f"{self.lens.gist(result.task)}{attempt}")
        return (*told, GROWN[result.origin.kind]) if result.origin else tuple(told)

    def facts(self) -> tuple[str, ...]:
        facts, left = words.facts(self.result), self.result.abandoned
        return (*facts, f"still running: {', '.join(map(self.lens.name, left))}") if left else facts

    def error(self, error: RunError) -> tuple[str, ...]:
        """What a server failed with: its words, what to try, and what it sent."""
        kind = error.type if error.status is None else f"{error.type} {error.status}"
        told = [self.lens.gist(f"{kind}: {error.message}", 400)]
        told += [self.lens.gist(error.hint, 400)] if error.hint else []
        return (*told, f"The server sent: {self.lens.gist(error.body, 200)}") if error.body else tuple(told)

    def rows(self) -> Iterator[Row]:
        yield from self.opening()
        for alike in calls.like_turns(self.result.turns):
            yield from self.folded(alike) if len(alike) > 1 else self.turn(alike[0])

    def opening(self) -> Iterator[Row]:
        """The conversation the run starts from; what was said in it earlier is counted, not told again."""
        messages = opening_messages(self.result)
        spoken = [index for index, message in enumerate(messages) if message.get("role") in ("assistant", "tool")]
        if not self.result.turns or not spoken:
            yield from (self.message(message) for message in messages)
            return
        first = next((index for index, message in enumerate(messages) if role_of(message) != "system"), 0)
        yield from (self.message(message) for message in messages[:first])
        earlier, shown = messages[first : spoken[-1] + 1], messages[spoken[-1] + 1 :]
        kinds = [role_of(message) for message in earlier]
        told = ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))
        yield Row(who="earlier", gist=f"{counted(len(earlier), 'message')}: {told}")
        yield from (self.message(message) for message in shown)

    def message(self, message: Message, number: int = 0) -> Row:
        """A message that no turn of this run made."""
        who, text = role_of(message), message_text(message)
        if who == "user":
            shown = self.lens.block(text, USER_LINES, USER_CHARACTERS)
            return Row(who=who, number=number, text=replace(shown, text=shown.text.strip() or "(no text)"))
        told = self.lens.gist(text) or called(message, self.lens)
        cut = told.endswith("…")
        opened = (Section(shown=self.lens.block(text), prose=True),) if cut and self.is_open(number) else ()
        more = counted(len(text), "character") if cut else ""
        return Row(who=who, number=number, gist=told, more=more, sections=opened)

    def is_open(self, number: int) -> bool:
        return self.opened is None or number in self.opened

    def turn(self, turn: Turn) -> Iterator[Row]:
        yield from (self.message(message, turn.number) for message in turn.added_messages)
        reply, label = turn.reply, str(turn.number)
        if reply and reply.reasoning:
            yield self.reasoning(reply, turn.number)
            label = ""
        yield self.reply(turn, label)
        answers = {result.call.index: result for result in turn.results}
        asked = [(call, answers.get(call.index)) for call in (reply.calls if reply else ())]
        for alike in calls.like_results(asked):
            yield self.answers(alike, turn.number) if len(alike) > 1 else self.answer(*alike[0], turn.number)

    def reasoning(self, reply: Reply, number: int) -> Row:
        text = reply.reasoning or ""
        opened = (Section(shown=self.lens.block(text), prose=True),) if self.is_open(number) else ()
        return Row(
            who="reasoning",
            turn=str(number),
            number=number,
            gist=self.lens.gist(f"{counted(len(text.split()), 'word')}: {text}"),
            tokens=words.tokens(reply.usage.reasoning),
            sections=opened,
        )

    def reply(self, turn: Turn, label: str) -> Row:
        reply, last = turn.reply, turn is self.result.turns[-1]
        glyph, status = words.reply_status(reply, going=self.going)
        seconds = reply.seconds if reply else turn.model_seconds or turn.seconds
        row = Row(who="model", turn=label, number=turn.number, glyph=glyph, status=status, time=words.duration(seconds))
        if reply is None:
            return replace(row, gist="" if self.going else "no reply", tokens=words.UNKNOWN)
        opened = (
            reply_sections(reply, self.lens, shown_above=last and not reply.calls) if self.is_open(turn.number) else ()
        )
        return replace(row, gist=said(reply, self.lens), tokens=words.tokens(reply.usage.completion), sections=opened)

    def answer(self, call: ToolCall, result: ToolResult | None, number: int) -> Row:
        glyph, status = words.status(result, going=self.going)
        told = calls.gist(call, self.lens)
        brief = calls.brief_result(result, self.lens) if result else ""
        return Row(
            who="tool",
            number=number,
            name=self.lens.name(call.name),
            gist=f"{told} → {brief}".strip() if brief else told,
            glyph=glyph,
            status=status,
            time=words.duration(result.seconds) if result else "",
            problem=self.lens.line(result.error.error, 2 * 68) if result and result.error else "",
            sections=self.sections(call, result, number),
        )

    def answers(self, alike: Sequence[tuple[ToolCall, ToolResult | None]], number: int) -> Row:
        """Several like calls that all went well, as one row."""
        made = [call for call, _ in alike]
        glyph, status = words.STATUSES["ok"]
        return Row(
            who="tool",
            number=number,
            name=f"{self.lens.name(made[0].name)}{calls.times(len(made))}",
            gist=calls.what_differs(made, self.lens),
            glyph=glyph,
            status=status,
            time=words.duration(sum(result.seconds for _, result in alike if result)),
            sections=tuple(section for call, result in alike for section in self.sections(call, result, number)),
        )

    def sections(self, call: ToolCall, result: ToolResult | None, number: int) -> tuple[Section, ...]:
        return call_sections(call, result, self.lens, tracebacks=self.tracebacks) if self.is_open(number) else ()

    def folded(self, turns: Sequence[Turn]) -> Iterator[Row]:
        """Several turns that do nothing but the same call, as two rows; unless one of them is to be opened."""
        if self.opened and any(turn.number in self.opened for turn in turns):
            for turn in turns:
                yield from self.turn(turn)
            return
        first, replies = turns[0].number, [turn.reply for turn in turns if turn.reply]
        made = [call for reply in replies for call in reply.calls]
        counts = [reply.usage.completion for reply in replies]
        known = [count for count in counts if count is not None]
        yield Row(
            who="model",
            turn=f"{first}–{turns[-1].number}",
            number=first,
            gist=f"calls {calls.names(made, self.lens)}",
            time=words.duration(sum(reply.seconds for reply in replies)),
            tokens=words.tokens(sum(known) if len(known) == len(counts) else None),
        )
        answers = [(turn.results[0].call, turn.results[0]) for turn in turns]
        yield replace(self.answers(answers, first), last=turns[-1].number)


def opening_messages(result: AgentResult) -> list[Message]:
    """The messages that were there before the first turn."""
    if not result.turns:
        return result.messages
    made = sum(len(turn.added_messages) + (turn.reply is not None) + len(turn.results) for turn in result.turns)
    return result.messages[: max(len(result.messages) - made, 0)]


def role_of(message: Message) -> Who:
    return ROLES.get(str(message.get("role")), "user")


def message_text(message: Message) -> str:
    """A message's text; of parts that are not text, their kind."""
    content = message.get("content")
    others = [part.get("type") for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    told = [f"[{kind}]" for kind in others if kind not in ("text", "output_text", None)]
    return " ".join(filter(None, [text_of(content), *told]))


def called(message: Message, lens: Lens) -> str:
    """What an assistant's message without text does instead."""
    entries = message.get("tool_calls")
    asked = [entry.get("function") for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    names = [str(one.get("name") or "") for one in asked if isinstance(one, dict)]
    return f"calls {calls.names([ToolCall(name=name) for name in names], lens)}" if names else "(no text)"


def said(reply: Reply, lens: Lens) -> str:
    """A reply in a line: its text, else what it calls, else that it refuses."""
    if reply.text.strip():
        return lens.line(reply.text)
    if reply.calls:
        return f"calls {calls.names(reply.calls, lens)}"
    return lens.line(f"refuses: {reply.refusal}") if reply.refusal else "(no text)"
