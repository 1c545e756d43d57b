"""What several parsers make of the same texts, side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, SupportsIndex, overload

from hermes_nb.display import Printed
from hermes_nb.messages import text_of
from hermes_nb.parsers.base.formats import Format, Parser
from hermes_nb.parsers.base.records import Parsed
from hermes_nb.records import AgentResult

MakeParser = Callable[[str, Iterable[Mapping[str, Any]] | None], Parser]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What one parser made of one text. `position` is the character at which its first problem failed, else None.

    `run` counts the results from 0; `turn` is the reply's. `names` are the tools called. `format` differs from `parser`
    for `auto` alone. `reason` says why there is neither a call nor a problem, and for `auto` in any case what it found;
    `place` is the character that it is about, None where it is about no one character.
    """

    run: int
    run_id: str | None
    turn: int
    parser: str
    format: str | None
    calls: int
    problems: int
    names: tuple[str, ...]
    message: str | None
    position: int | None
    content: str
    reasoning: str | None
    text: str
    parsed: Parsed
    reason: str = ""
    place: int | None = None

    def __repr__(self) -> str:
        return f"Verdict({self.parser} · {self.calls} calls · {self.problems} problems)"


class Verdicts(list[Verdict], Printed):
    """Verdicts, text by text: a list that shows itself, those on one text beside each other. A part of it, by a slice
    or made of some of its verdicts (`Verdicts(one for one in rows if one.problems)`), does too."""

    __slots__ = ()

    @overload
    def __getitem__(self, at: SupportsIndex) -> Verdict: ...
    @overload
    def __getitem__(self, at: slice) -> Verdicts: ...
    def __getitem__(self, at: SupportsIndex | slice) -> Verdict | Verdicts:
        return Verdicts(super().__getitem__(at)) if isinstance(at, slice) else super().__getitem__(at)

    def __repr__(self) -> str:
        texts, parsers = len({(one.run, one.turn) for one in self}), len({one.parser for one in self})
        return f"Verdicts({texts} texts · {parsers} parsers)"


def verdict(
    parsed: Parsed, format: Format, text: str, *, run: int = 0, run_id: str | None = None, turn: int = 0
) -> Verdict:
    """The row for what a format's parser made of a text."""
    first = parsed.problems[0] if parsed.problems else None
    reason, place = parsed.reason, None
    if not parsed.calls and first is None:
        if not reason:
            reason, place = _silence(text, format)
        elif parsed.evidence:
            place = parsed.evidence[0].position
    return Verdict(
        run=run,
        run_id=run_id,
        turn=turn,
        parser=format.name,
        format=parsed.format,
        calls=len(parsed.calls),
        problems=len(parsed.problems),
        names=tuple(call.name for call in parsed.calls),
        message=first.message if first else None,
        position=first.position if first else None,
        content=parsed.content,
        reasoning=parsed.reasoning,
        text=text,
        parsed=parsed,
        reason=reason,
        place=place,
    )


def _silence(text: str, format: Format) -> tuple[str, int | None]:
    """Why a format finds nothing in a text, and where the mark stands that the reason is about."""
    own = format.starts
    found = sorted((at, mark) for mark in own if (at := text.find(mark)) >= 0)
    if found:
        at, mark = found[0]
        return f"no call behind {mark}", at
    end = getattr(format, "end", None) or ()
    closing = sorted((at, mark) for mark in ((end,) if isinstance(end, str) else end) if (at := text.find(mark)) >= 0)
    if closing:
        at, mark = closing[0]
        return f"no {own[0]} before {mark}", at
    return f"no {' or '.join(own[:2])}", None


def rows(results: Iterable[AgentResult | Mapping[str, Any] | str], names: Iterable[str], make: MakeParser,
         tools: Iterable[Mapping[str, Any]] | None) -> Verdicts:  # fmt: skip
    """A verdict for every reply of every result by every parser, in that order."""
    chosen, found = tuple(names), Verdicts()
    given = None if tools is None else list(tools)
    for run, result in enumerate(results):
        parsers = [make(name, given if given is not None else _tools(result)) for name in chosen]
        run_id = result.run_id if isinstance(result, AgentResult) else None
        for turn, text in _texts(result):
            about: dict[str, Any] = {"run": run, "run_id": run_id, "turn": turn}
            found += [verdict(parser.parse(text), parser.format, text, **about) for parser in parsers]
    return found


def _tools(result: AgentResult | Mapping[str, Any] | str) -> Iterable[Mapping[str, Any]] | None:
    if isinstance(result, AgentResult):
        return result.provenance.tools if result.provenance else None
    return result.get("tools") if isinstance(result, Mapping) else None


def _texts(result: AgentResult | Mapping[str, Any] | str) -> Iterator[tuple[int, str]]:
    """The texts the model wrote, with the turns they belong to: before any parser took something out, where kept."""
    if isinstance(result, str):
        yield 1, result
        return
    if isinstance(result, AgentResult) and result.turns:
        for turn in result.turns:
            if turn.reply is not None:
                yield turn.number, turn.reply.text if turn.reply.source_text is None else turn.reply.source_text
        return
    messages = result.messages if isinstance(result, AgentResult) else result.get("messages") or ()
    said = [message for message in messages if isinstance(message, Mapping) and message.get("role") == "assistant"]
    for number, message in enumerate(said, start=1):
        yield number, text_of(message.get("content"))
