"""Turns messages, turns and calls into rows."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from hermes_nb.messages import Message, text_of
from hermes_nb.records import Reply, ToolCall, ToolResult, Turn
from hermes_nb.views.rows import calls, words
from hermes_nb.views.rows.entries import Later, Row, Section, Who
from hermes_nb.views.rows.legible import Lens, counted
from hermes_nb.views.rows.opened import call_sections, reply_sections
from hermes_nb.views.rows.strips import Recorded

USER_LINES, USER_CHARACTERS = 12, 800
PROBLEM = 2 * 68
OPENED_CALLS = 10
"""Of calls that are shown as one row, so many are there in full."""
ROLES: dict[str, Who] = {"system": "system", "developer": "system", "assistant": "model", "tool": "tool"}

UNRECORDED = Recorded()
Answered = tuple[ToolCall, ToolResult | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """How rows are drawn: those of the turns in `opened` (None: all) hold sections, with tracebacks or without.

    `unanswered` is the status of a call without a result; `asking` are the ids of those that wait for a person.
    `last` is the run's last turn, whose text stands above the rows as the answer; `recorded` are the run's tokens.
    """

    lens: Lens
    opened: Collection[int] | None = None
    tracebacks: bool = False
    going: bool = False
    unanswered: tuple[str, str] = words.CUT_OFF
    asking: Collection[str] = ()
    last: int = 0
    recorded: Recorded = UNRECORDED

    def is_open(self, number: int) -> bool:
        """Whether the rows of this turn hold sections."""
        return self.opened is None or number in self.opened

    def message(self, message: Message, key: str, number: int = 0) -> Row:
        """A message that no turn of this run made."""
        who, text = role_of(message), message_text(message)
        if who == "user":
            shown = self.lens.block(text, USER_LINES, USER_CHARACTERS)
            shown = shown if shown.text.strip() else shown._replace(text="(no text)", colours=())
            return Row(who=who, key=key, number=number, text=shown)
        told = self.lens.gist(text) or called(message, self.lens)
        cut = told.endswith("…")
        opened = self.prose(text) if cut and self.is_open(number) else ()
        more = counted(len(text), "character") if cut else ""
        return Row(who=who, key=key, number=number, gist=told, more=more, sections=opened)

    def prose(self, text: str) -> Sequence[Section]:
        """A text for a person to read, as what a row holds."""
        return Later(lambda: (Section(shown=self.lens.block(text), prose=True),))

    def turn(self, turn: Turn) -> Iterator[Row]:
        """A turn's rows: what was added before it, its thoughts, its reply, its calls."""
        number = turn.number
        for index, message in enumerate(turn.added_messages):
            yield self.message(message, f"{number}.added{index}", number)
        reply, label = turn.reply, str(number)
        if reply and reply.reasoning:
            yield self.reasoning(reply, turn)
            label = ""
        yield self.reply(turn, label)
        for alike in calls.like_results(answered(turn)):
            yield self.answers(alike, number) if len(alike) > 1 else self.answer(*alike[0], number)

    def reasoning(self, reply: Reply, turn: Turn) -> Row:
        """What the model thought before it replied."""
        text = reply.reasoning or ""
        opened = self.prose(text) if self.is_open(turn.number) else ()
        known = reply.usage.reasoning
        return Row(
            who="reasoning",
            key=f"{turn.number}.reasoning",
            turn=str(turn.number),
            number=turn.number,
            gist=self.lens.gist(f"{counted(len(text.split()), 'word')}: {text}"),
            tokens=words.estimated(len(text)) if known is None else words.tokens(known),
            sections=opened,
        )

    def reply(self, turn: Turn, label: str) -> Row:
        """What the model said, or that it said nothing; `label` stands in the turn's column."""
        reply = turn.reply
        glyph, status = words.reply_status(reply, going=self.going and turn.number == self.last)
        seconds = reply.seconds if reply else turn.model_seconds or turn.seconds
        opened: Sequence[Section] = ()
        if reply is None:
            told, tokens = "" if status else "no reply", words.UNKNOWN
        else:
            told, tokens = said(reply, self.lens), words.reply_tokens(reply)
            above = turn.number == self.last and not reply.calls and not reply.partial
            if self.is_open(turn.number):
                tokens_told = self.recorded.sections(turn, self.lens)
                opened = (*reply_sections(reply, self.lens, shown_above=above), *tokens_told)
        return Row(
            who="model",
            key=f"{turn.number}.model",
            turn=label,
            number=turn.number,
            gist=told,
            glyph=glyph,
            status=status,
            time=words.duration(seconds),
            tokens=tokens,
            at=turn.at,
            seconds=seconds or None,
            sections=opened,
        )

    def answer(self, call: ToolCall, result: ToolResult | None, number: int) -> Row:
        """A call and what came of it."""
        told, name, key = calls.gist(call, self.lens), self.lens.name(call.name), f"{number}.call{call.index}"
        sections = self.sections([(call, result)], number)
        if result is None:
            glyph, status = words.ASKS if call.id in self.asking else self.unanswered
            return Row(
                who="tool", key=key, number=number, name=name, gist=told, glyph=glyph, status=status, sections=sections
            )
        glyph, status = words.status(result)
        brief = calls.brief_result(result, self.lens)
        return Row(
            who="tool",
            key=key,
            number=number,
            name=name,
            gist=f"{told} → {brief}".strip() if brief else told,
            glyph=glyph,
            status=status,
            time=words.duration(result.seconds),
            tokens=words.estimated(len(result.content)),
            problem=self.lens.line(result.error.error, PROBLEM) if result.error else "",
            at=result.started or None,
            seconds=result.seconds or None,
            sections=sections,
        )

    def answers(self, alike: Sequence[Answered], number: int) -> Row:
        """Several like calls that all went well, as one row."""
        made = [call for call, _ in alike]
        results = [result for _, result in alike if result]
        glyph, status = words.STATUSES["ok"]
        seconds = sum(result.seconds for result in results)
        return Row(
            who="tool",
            key=f"{number}.call{made[0].index}",
            number=number,
            name=f"{self.lens.name(made[0].name)}{calls.times(len(made))}",
            gist=calls.what_differs(made, self.lens),
            glyph=glyph,
            status=status,
            time=words.duration(seconds),
            tokens=words.estimated(sum(len(result.content) for result in results)),
            at=results[0].started or None,
            seconds=seconds or None,
            sections=self.sections(alike, number),
        )

    def sections(self, alike: Sequence[Answered], number: int) -> Sequence[Section]:
        """What the row of these calls holds when it is opened."""
        if not self.is_open(number):
            return ()
        return Later(lambda: list(self.opened_calls(alike)))

    def opened_calls(self, alike: Sequence[Answered]) -> Iterator[Section]:
        """The first of these calls, opened, and how many more there are."""
        for call, result in alike[:OPENED_CALLS]:
            yield from self.call_sections(call, result)
        if len(alike) > OPENED_CALLS:
            yield Section(label=f"cut here: {counted(len(alike) - OPENED_CALLS, 'call')} more")

    def call_sections(self, call: ToolCall, result: ToolResult | None) -> tuple[Section, ...]:
        """One call, opened."""
        return call_sections(call, result, self.lens, tracebacks=self.tracebacks)

    def folded(self, turns: Sequence[Turn]) -> Iterator[Row]:
        """Several turns that do nothing but the same call, as two rows."""
        first, replies = turns[0].number, [turn.reply for turn in turns if turn.reply]
        made = [call for reply in replies for call in reply.calls]
        seconds = sum(reply.seconds for reply in replies)
        yield Row(
            who="model",
            key=f"{first}.model",
            turn=f"{first}–{turns[-1].number}",
            number=first,
            last=turns[-1].number,
            gist=f"calls {calls.names(made, self.lens)}",
            time=words.duration(seconds),
            tokens=words.summed(replies),
            at=turns[0].at,
            seconds=seconds or None,
        )
        answers = [(turn.results[0].call, turn.results[0]) for turn in turns]
        yield self.answers(answers, first)._replace(last=turns[-1].number)


def answered(turn: Turn) -> list[Answered]:
    """A turn's calls with their results, None where there is none yet."""
    results = {result.call.index: result for result in turn.results}
    return [(call, results.get(call.index)) for call in (turn.reply.calls if turn.reply else ())]


def rows_of(turn: Turn) -> tuple[int, int]:
    """How many rows a turn has, and how many of them are errors."""
    rows, reply = len(turn.added_messages) + 1, turn.reply
    if reply is not None:
        made = len(reply.calls)
        rows += bool(reply.reasoning)
        rows += made if made < calls.FOLDED else len(calls.like_results(answered(turn)))
    return rows, len([one for one in turn.results if one.error is not None])


def role_of(message: Message) -> Who:
    """Who said it; of a role nobody knows, the user."""
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
