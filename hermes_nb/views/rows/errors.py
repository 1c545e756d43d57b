"""Tool errors of one or many runs: those that say the same together, with what the model did next."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hermes_nb.outcomes import Following, following
from hermes_nb.records import AgentResult, ToolError, ToolResult
from hermes_nb.views.rows import calls, words
from hermes_nb.views.rows.drawing import said
from hermes_nb.views.rows.entries import Section
from hermes_nb.views.rows.legible import Lens, counted
from hermes_nb.views.rows.many import together
from hermes_nb.views.rows.opened import section
from hermes_nb.views.rows.runs import item_of

MOST_GROUPS, EXAMPLES, STEPS = 100, 3, 2
SAID = 160

NUMBER = re.compile(r"\d+(?:[.,:-]\d+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One error: where it happened, its parts, and what the model did next, a line each."""

    title: str
    sections: tuple[Section, ...]
    then: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Errors of one tool that say the same but for the numbers in it."""

    count: int
    runs: int
    tool: str
    kind: str
    fault: str
    said: str
    next: str
    examples: tuple[Example, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """The errors of one or many runs, the largest group first, and how many groups more there are."""

    title: str
    where: str
    facts: tuple[str, ...]
    groups: tuple[Group, ...]
    more: int = 0

    @property
    def mark(self) -> str:
        """The words that say how many groups are not shown; empty where all are."""
        return f"cut here: {counted(self.more, 'group')} more" if self.more else ""

    def __repr__(self) -> str:
        return f"Errors({self.title} · {counted(len(self.groups) + self.more, 'group')})"


@dataclass(frozen=True, slots=True)
class _Case:
    """An error, the result that has it, and the run it happened in, by its place among the runs."""

    index: int
    run: AgentResult
    result: ToolResult
    error: ToolError

    @property
    def what_next(self) -> Following:
        return following(self.run.turns, self.result.call)


def errors(results: Sequence[AgentResult], lens: Lens, *, tracebacks: bool = False) -> Errors:
    """The errors of these runs, with tracebacks or without."""
    cases = list(found(results))
    alike: dict[tuple[str, str, str, str], list[_Case]] = {}
    for case in cases:
        error = case.error
        # Redacted first: with its numbers folded, a secret is not known again.
        key = (error.tool_name, error.kind, error.fault, folded(lens.redactor.text(error.error)))
        alike.setdefault(key, []).append(case)
    groups = sorted(alike.items(), key=lambda item: -len(item[1]))
    failed = len({case.index for case in cases})
    among = f"in {failed} of {counted(len(results), 'run')}" if len(results) > 1 else ""
    return Errors(
        title=f"{'✗ ' if cases else ''}{counted(len(cases), 'error')}",
        where=", ".join(filter(None, [among, *together(results, lens)])),
        facts=facts(results, cases, len(groups)),
        groups=tuple(group(key, members, lens, tracebacks) for key, members in groups[:MOST_GROUPS]),
        more=max(len(groups) - MOST_GROUPS, 0),
    )


def found(results: Sequence[AgentResult]) -> Iterator[_Case]:
    """Every error, in the order of the runs and of their calls."""
    for index, run in enumerate(results):
        for result in run.results:
            if result.error is not None:
                yield _Case(index, run, result, result.error)


def facts(results: Sequence[AgentResult], cases: Sequence[_Case], groups: int) -> tuple[str, ...]:
    """The calls, the share that failed, and the errors by kind and by fault."""
    made = sum(len(result.calls) for result in results)
    told = [counted(made, "call")]
    if made and cases:
        told.append(f"{100 * len(cases) / made:.1f} % failed")
    if cases:
        told.append(counted(groups, "group"))
    for name in ("kind", "fault"):
        counts = Counter(str(getattr(case.error, name)) for case in cases)
        told += [f"{name} {word.replace('_', ' ')} {number}" for word, number in counts.most_common()]
    return tuple(told)


def group(key: tuple[str, str, str, str], cases: Sequence[_Case], lens: Lens, tracebacks: bool) -> Group:
    """The errors of one group, the first few of them in full."""
    tool, kind, fault, message = key
    return Group(
        count=len(cases),
        runs=len({case.index for case in cases}),
        tool=lens.name(tool),
        kind=kind.replace("_", " "),
        fault=fault,
        said=lens.line(message, SAID),
        next=summed_next(cases, lens),
        examples=tuple(example(case, lens, tracebacks) for case in cases[:EXAMPLES]),
    )


def folded(message: str) -> str:
    """The message's first line, numbers folded to `…`: what differs between errors that are the same."""
    return NUMBER.sub("…", next(iter(message.strip().splitlines()), "")[:1000])


def summed_next(cases: Sequence[_Case], lens: Lens) -> str:
    """`8 called think, 1 run ended`."""
    told = Counter(told_next(case.what_next, lens) for case in cases)
    return ", ".join(f"{number} {what}" for what, number in told.most_common(4))


def told_next(what: Following, lens: Lens) -> str:
    """What the model did next, in few words."""
    if what.action == "changed_tool" and what.call:
        return f"called {lens.name(what.call.name)}"
    return {
        "retried_same": "made the same call again",
        "changed_arguments": "tried again",
        "answered": "told the user",
        "ended": "run ended",
    }.get(what.action, what.action)


def example(case: _Case, lens: Lens, tracebacks: bool) -> Example:
    """One error in full."""
    call, error, content = case.result.call, case.error, case.result.content
    item = item_of(case.run, lens) or f"run {case.index}"
    parts = [section("arguments", call.arguments, lens, unless_laid_out=", as the model wrote them")]
    parts.append(section("the tool said", error.error, lens))
    same = content.strip() == error.error.strip()
    size = counted(len(content), "character")
    parts.append(Section(label=f"the model saw the same {size}") if same else seen(content, size, lens))
    if tracebacks and error.traceback:
        parts.append(section("traceback", error.traceback, lens))
    kind = f"kind {error.kind.replace('_', ' ')}, fault {error.fault}"
    return Example(
        title=f"{item}, turn {call.turn} · {kind}",
        sections=tuple(parts),
        then=tuple(steps(case.run, call.turn, lens)),
    )


def seen(content: str, size: str, lens: Lens) -> Section:
    """The exact text the model saw, not laid out."""
    return Section(label=f"the model saw these {size}", shown=lens.block(content))


def steps(run: AgentResult, after: int, lens: Lens) -> Iterator[str]:
    """What the model did in its next replies after that turn, a line each."""
    later = [turn for turn in run.turns if turn.number > after and turn.reply]
    if not later:
        yield f"the run ended: {words.ending(run)[1]}"
    for turn in later[:STEPS]:
        reply = turn.reply
        if reply is None or not reply.calls:
            yield f"turn {turn.number} says: {said(reply, lens) if reply else ''}"
            return
        call = reply.calls[0]
        result = next((one for one in turn.results if one.call.index == call.index), None)
        glyph, status = words.status(result) if result else ("", "")
        given = calls.values(call, lens)
        named = f"{lens.name(call.name)}: {given}" if given else lens.name(call.name)
        yield f"turn {turn.number} calls {named} {glyph} {status}".rstrip()
