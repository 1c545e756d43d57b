"""What a call looks like on one line: the arguments in short, and what differs between calls that are alike."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from hermes_nb.records import ToolCall, ToolResult, Turn
from hermes_nb.views.rows.legible import Lens

FOLDED = 3
"""So many like calls in a row are shown as one."""

SHORT = 24
"""The most characters of a result that is shown on its call's row."""

LONG = 20_000
"""Longer values are not looked into for a gist or laid out."""


def gist(call: ToolCall, lens: Lens) -> str:
    """`key: value` for one or two arguments, values alone for more; what is not JSON as it came."""
    given = call.parsed
    if len(call.arguments) > LONG or not isinstance(given, dict):
        return lens.gist(call.arguments[:LONG])
    if len(given) <= 2:
        return lens.gist(", ".join([f"{name}: {short(value)}" for name, value in given.items()]))
    return lens.gist(", ".join([short(value) for value in given.values()]))


def values(call: ToolCall, lens: Lens) -> str:
    """The arguments' values alone, where there is little room, or a sentence around them; what is not JSON as it
    came."""
    given = call.parsed
    if len(call.arguments) > LONG or not isinstance(given, dict):
        return gist(call, lens)
    return lens.gist(", ".join(map(short, given.values())))


def short(value: Any) -> str:
    """A value in few words: text as it is, a list of objects by the first value of each, all else as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value and all(isinstance(item, dict) and item for item in value):
        firsts = [next(iter(item.values())) for item in value]
        if not any(isinstance(first, dict | list) for first in firsts):
            return " ".join(short(first) for first in firsts)
    try:
        return json.dumps(value, ensure_ascii=False)
    except RecursionError:
        return "…"


def brief_result(result: ToolResult, lens: Lens) -> str:
    """The content, where it is short enough to stand on its call's row; else nothing."""
    content = result.content.strip()
    if result.error is not None or not content or len(content) > SHORT or "\n" in content:
        return ""
    return lens.gist(content)


def names(calls: Iterable[ToolCall], lens: Lens) -> str:
    """`percent ×2, add`: the tools in the order in which they are first called."""
    told: dict[str, int] = {}
    for call in calls:
        told[call.name] = told.get(call.name, 0) + 1
    return ", ".join([f"{lens.name(name)}{times(number)}" for name, number in told.items()])


def times(number: int) -> str:
    """` ×3`; nothing for one."""
    return f" ×{number}" if number > 1 else ""


def what_differs(calls: Sequence[ToolCall], lens: Lens) -> str:
    """The values that are not the same in all these calls; the gist of the first where all are."""
    given = [call.parsed if isinstance(call.parsed, dict) else {"": call.arguments} for call in calls]
    keys = dict.fromkeys(name for one in given for name in one)
    told = [name for name in keys if len({short(one.get(name)) for one in given}) > 1]
    if not told:
        return gist(calls[0], lens)
    return lens.gist(", ".join(" ".join(short(one[name]) for name in told if name in one) for one in given))


def like_results(
    answers: Sequence[tuple[ToolCall, ToolResult | None]],
) -> list[list[tuple[ToolCall, ToolResult | None]]]:
    """The calls of a turn with their results, in runs: three or more like ones together, all others alone."""
    if len(answers) < FOLDED:
        return [[pair] for pair in answers]
    told = []
    for like, group in groupby(answers, lambda pair: (pair[0].name, _plainly_ok(pair[1]))):
        alike = list(group)
        told += [alike] if like[1] and len(alike) >= FOLDED else [[pair] for pair in alike]
    return told


def _plainly_ok(result: ToolResult | None) -> bool:
    return result is not None and result.error is None and not result.replayed


def only_call(turn: Turn) -> str | None:
    """The tool's name, of a turn that is one call that went well and not a word beside it."""
    reply, results = turn.reply, turn.results
    if reply is None or len(results) != 1 or len(reply.calls) != 1 or turn.added_messages:
        return None
    result = results[0]
    if result.error is not None or result.replayed or reply.partial or reply.reasoning or reply.text.strip():
        return None
    return reply.calls[0].name
