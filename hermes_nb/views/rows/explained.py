"""One tool call as steps: what the model was told, what it wrote, what that was read as and checked to be, what came of
it, and what the model saw. Each is a sentence, and the text itself."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from hermes_nb import codec
from hermes_nb.records import AgentResult, ErrorKind, ToolCall, ToolError, ToolResult
from hermes_nb.views.rows import calls, words
from hermes_nb.views.rows.entries import Section
from hermes_nb.views.rows.errors import steps
from hermes_nb.views.rows.legible import Lens, counted
from hermes_nb.views.rows.opened import json_laid_out
from hermes_nb.views.rows.pictures import pictured

MOST_NAMES, VALUE = 12, 60
AROUND = 60
"""So many characters are shown on either side of the place where reading stopped."""

ADDRESS = re.compile(r" at 0x[0-9A-Fa-f]+")
PLACE = re.compile(r"\(char (\d+)\)")
NEVER_RAN: tuple[ErrorKind, ...] = ("unknown_tool", "bad_json", "bad_arguments")
"""The errors that are of a step before the tool would run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step: its name, a sentence, and the texts it is about. `glyph` is `✗` at the one
    step at which the call went wrong."""

    name: str
    told: str
    glyph: str = ""
    sections: tuple[Section, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """A call from its schema to what the model saw. `note` says why it is this call, and how to see another."""

    title: str
    note: str
    steps: tuple[Step, ...]

    def __repr__(self) -> str:
        return f"Explained({self.title})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A call and what is known of it.

    `written` is the call as the model wrote it, `result` what came of it, with the call as it ran. `schemas` are those
    the run recorded, by name; None: nobody recorded them. `bound` are the arguments as the tool, which is at hand, gets
    them, or, as text, why it refuses them.
    """

    written: ToolCall
    result: ToolResult | None = None
    run: AgentResult | None = None
    schemas: dict[str, dict[str, Any]] | None = None
    bound: dict[str, Any] | str | None = None
    note: str = ""

    @property
    def error(self) -> ToolError | None:
        """What went wrong, if something did."""
        return self.result.error if self.result else None

    @property
    def kind(self) -> ErrorKind | None:
        """The kind of what went wrong."""
        return self.error.kind if self.error else None

    @property
    def schema(self) -> dict[str, Any] | None:
        """What the model was told of the tool: name, description, parameters."""
        return (self.schemas or {}).get(self.written.name)

    @property
    def parameters(self) -> dict[str, Any]:
        """The schemas of its parameters, by name."""
        named = self._told("properties")
        return named if isinstance(named, dict) else {}

    @property
    def required(self) -> list[str]:
        """The parameters that no call may leave out."""
        needed = self._told("required")
        return [one for one in needed if isinstance(one, str)] if isinstance(needed, list) else []

    def _told(self, keyword: str) -> Any:
        told = (self.schema or {}).get("parameters")
        return told.get(keyword) if isinstance(told, dict) else None


def explained(case: Case, lens: Lens) -> Explained:
    """The call's steps, in order."""
    call = case.written
    glyph, status = words.status(case.result) if case.result else unanswered(case)
    place = f"turn {call.turn}, call {call.index + 1}" if call.turn else ""
    title = [f"{glyph} {status}".strip(), f"{lens.name(call.name)} {calls.gist(call, lens)}".strip(), place]
    return Explained(
        title=" · ".join(filter(None, title)),
        note=case.note,
        steps=(schema(case, lens), text(case, lens), parsed(case, lens), checked(case, lens), came(case, lens),
               saw(case, lens)),
    )  # fmt: skip


def unanswered(case: Case) -> tuple[str, str]:
    """Glyph and word of a call without a result; without its run, nobody knows."""
    if case.run is None:
        return words.NOTHING
    return words.RUNNING if case.run.stop_reason == "running" else words.CUT_OFF


def schema(case: Case, lens: Lens) -> Step:
    """What the model was told of the tool."""
    name, offered = lens.name(case.written.name), case.schemas
    if case.schema is not None:
        takes = f"takes {counted(len(case.parameters), 'parameter')}" if case.parameters else "takes nothing"
        more = f", and needs {listed(case.required, lens)}" if case.required else ""
        shown = Section(shown=lens.block(out(case.schema)))
        return Step(name="schema", told=f"The model was told of a tool {name}. It {takes}{more}.", sections=(shown,))
    wrong = "✗" if case.kind == "unknown_tool" else ""
    if not offered:
        known = "The run recorded no tools" if case.run and case.run.provenance else "Nobody recorded the tools"
        told = f"{known}. Give the tool to see its schema: hn.explain(call, run, tool=...)."
        return Step(name="schema", told=told, glyph=wrong)
    there = f"there {'was' if len(offered) == 1 else 'were'} {listed(offered, lens)}"
    return Step(name="schema", told=f"The model was told of no tool {name}; {there}.", glyph=wrong)


def text(case: Case, lens: Lens) -> Step:
    """What the model wrote."""
    call, written = case.written, case.written.arguments
    told = f"The model called {lens.name(call.name)} and wrote {counted(len(written), 'character')} as its arguments."
    sections = [Section(label="arguments, letter by letter", shown=lens.block(written))] if written else []
    turn = next((one for one in case.run.turns if one.number == call.turn), None) if case.run else None
    source = turn.reply.source_text if turn and turn.reply else None
    if source and call.name in source:
        told += " A parser took them out of the text of its reply."
        sections.insert(0, Section(label="the whole text of the reply", shown=lens.block(source)))
    return Step(name="text", told=told, sections=tuple(sections))


def parsed(case: Case, lens: Lens) -> Step:
    """What the text was read as."""
    call = case.written
    if call.problem is not None:
        told = f"The text is not JSON: {lens.gist(call.problem)}. There are no arguments to go on with."
        return Step(name="parsed arguments", told=told, glyph="✗", sections=tuple(stopped(call, lens)))
    value, blank = call.parsed, call.arguments.strip() in ("", "null")
    if blank:
        told = "The model wrote nothing, which is read as an object without entries."
    elif isinstance(value, dict):
        named = f": {listed(value, lens)}" if value else ""
        twice = ", encoded twice and unwrapped once," if call.arguments.lstrip().startswith('"') else ""
        told = f"The text is JSON{twice} and an object with {counted(len(value), 'entry').replace('ys', 'ies')}{named}."
    else:
        told = "The text is JSON, but no object, and arguments come by name."
    shown = Section(label="read as", shown=lens.block(out(value)))
    return Step(name="parsed arguments", told=told, sections=(shown,))


def stopped(call: ToolCall, lens: Lens) -> Iterator[Section]:
    """The text on both sides of the place where it could be read no further."""
    place = PLACE.search(call.problem or "")
    if place:
        at, written = int(place[1]), call.arguments
        if at > 0:
            yield Section(label=f"read up to character {at}", shown=lens.block(written[max(at - AROUND, 0) : at]))
        rest = written[at : at + AROUND]
        ends = f"the text ends at character {at}"
        yield Section(label="and no further than here", shown=lens.block(rest)) if rest else Section(label=ends)


def checked(case: Case, lens: Lens) -> Step:
    """What the tool makes of the arguments, or why it takes them not."""
    name, said = "validated arguments", case.bound
    if case.kind in ("unknown_tool", "bad_json") or case.written.problem is not None:
        why = "no tool of this name" if case.kind == "unknown_tool" else "nothing that could be read"
        return Step(name=name, told=f"Nothing was checked: there was {why}.")
    if isinstance(said, str) or case.kind == "bad_arguments":
        why = said if isinstance(said, str) else case.error.error if case.error else ""
        wrong = Section(label="what does not fit", shown=lens.block(why))
        told = "The arguments do not fit the schema, so the tool was not run."
        return Step(name=name, told=told, glyph="✗", sections=(wrong,))
    sections = list(changed(case, lens))
    if said is not None:
        shown = "\n".join(f"{key} = {shortly(value)}" for key, value in said.items()) or "no arguments"
        sections.append(Section(label="as the function gets them", shown=lens.block(shown)))
    told = f"They fit the schema.{left_out(case, lens)}"
    if said is None and unchecked(case):
        told = "Nobody recorded whether they fit. Give the tool to check them: hn.explain(call, run, tool=...)."
    return Step(name=name, told=told, sections=tuple(sections))


def unchecked(case: Case) -> bool:
    """Whether no tool was asked: there is no result, or it came from elsewhere."""
    result = case.result
    if result is None or case.kind == "rejected" or (case.kind == "cancelled" and result.seconds <= 0):
        return True
    return result.error is None and (result.synthesised or result.replayed)


def changed(case: Case, lens: Lens) -> Iterator[Section]:
    """The arguments that before_call put in the place of the model's."""
    if case.result and case.result.call.arguments != case.written.arguments:
        replaced = case.result.call.parsed
        yield Section(label="before_call had it run with these instead", shown=lens.block(out(replaced)))


def left_out(case: Case, lens: Lens) -> str:
    """Which parameters the function fills in by itself."""
    call = case.result.call if case.result else case.written
    left = [name for name in case.parameters if name not in (call.parsed or {})]
    return f" The function's own defaults fill in {listed(left, lens)}." if left else ""


ENDED = {
    "exception": "{tool} raised an exception{after}",
    "reported": "{tool} ran{after} and answered with an error",
    "timeout": "{tool} was given up{after}: it had run as long as it may",
    "cancelled": "{tool} did not run to its end: the run was stopped or interrupted",
    "rejected": "{tool} was not run: before_call rejected the call",
    "bad_json": "{tool} was not run: what the model wrote could not be read",
    "bad_arguments": "{tool} was not run: what the model wrote does not fit",
    "unknown_tool": "Nothing was run: there is no such tool",
}
FAULTS = {"model": "the model's", "tool": "the tool's", "environment": "the environment's", "run": "of the run itself"}


def came(case: Case, lens: Lens) -> Step:
    """What came of the call."""
    result, error, tool = case.result, case.error, lens.name(case.written.name)
    if result is None:
        going = case.run is not None and case.run.stop_reason == "running"
        told = "The call has no result yet: the run goes on." if going else "There is no result of this call."
        return Step(name="result", told=told)
    after = f" after {words.duration(result.seconds)}" if result.seconds > 0 else ""
    sections = [Section(label="printed while it ran", shown=lens.block(result.printed))] if result.printed else []
    if error is not None:
        fault = f"kind {error.kind.replace('_', ' ')}, the fault is {FAULTS[error.fault]}"
        sections.insert(0, Section(label=fault, shown=lens.block(error.error)))
        told = ENDED[error.kind].format(tool=tool, after=after)
        glyph = "" if error.kind in NEVER_RAN else "✗"
        return Step(name="result", told=f"{told}.", glyph=glyph, sections=tuple(sections))
    if result.replayed:
        told = f"{tool} was not run: its result was taken from a recording."
    elif result.synthesised:
        told = f"{tool} was not run: before_call answered in its place."
    else:
        told = f"{tool} gave a result{after}."
    if result.size is not None:
        told += f" It was {counted(result.size, 'byte')} long, and the toolbox cut it."
    return Step(name="result", told=told, sections=tuple(sections))


def saw(case: Case, lens: Lens) -> Step:
    """The exact text that the model got, and what it did next."""
    result = case.result
    if result is None:
        return Step(name="model saw", told="The model saw no answer to this call.")
    size = counted(len(result.content), "character")
    told = f"The model got {size} as the message of role tool that answers {lens.gist(result.call.id, VALUE)}."
    sections = [Section(label="letter by letter", shown=lens.block(result.content))] if result.content else []
    sections += [Section(label=one.told, picture=one) for one in map(pictured, result.parts or ()) if one]
    if case.run is not None and result.call.turn:
        then = "\n".join(steps(case.run, result.call.turn, lens))
        sections.append(Section(label="then", shown=lens.block(then), prose=True))
    return Step(name="model saw", told=told, sections=tuple(sections))


def out(value: Any) -> str:
    """A JSON value, laid out where it is more than a line."""
    flat = codec.dumps(value, default=str).decode("utf-8", "replace")
    return json_laid_out(flat) or flat


def listed(names: Iterable[str], lens: Lens) -> str:
    """`a, b`; of many, the first, and how many more."""
    told = list(names)
    more = f" and {len(told) - MOST_NAMES} more" if len(told) > MOST_NAMES else ""
    return f"{', '.join(lens.name(name) for name in told[:MOST_NAMES])}{more}"


def shortly(value: Any) -> str:
    """A Python value on a line, without its address, and its type."""
    return f"{ADDRESS.sub('', repr(value))} ({type(value).__name__})"
