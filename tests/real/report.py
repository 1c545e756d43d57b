"""What the tests on real input found, as the lines at the end of the test output."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from pathlib import Path

from tests.real import recordings
from tests.real.differences import Difference, Pair
from tests.real.recordings import Chain

Place = tuple[Path, int, int]
"""A recording, one of its exchanges, and a message in our request of that exchange, both counted from 1."""


@dataclass(frozen=True)
class LoopRow:
    """One conversation that was played again: `requests` are the pairs of messages of each of our requests."""

    recording: Path
    chain: Chain
    requests: list[list[Pair]]
    tools_equal: int

    @cached_property
    def equal(self) -> bool:
        return not any(pair.differences for pairs in self.requests for pair in pairs)

    def new(self) -> Iterator[tuple[Place, Pair]]:
        """The messages, each in the first request that holds it."""
        for exchange, pairs in zip(self.chain, self.requests, strict=True):
            for place, pair in enumerate(pairs, 1):
                if not pair.carried:
                    yield (self.recording, exchange.number, place), pair


@dataclass(frozen=True)
class CallRow:
    """Tool calls of one conversation: how many came to which outcome. `damaged`: they were made from recorded ones."""

    form: str
    outcomes: Counter[str]
    damaged: bool = False


@dataclass
class Findings:
    """Everything found in a run of the tests."""

    loops: list[LoopRow] = field(default_factory=list)
    calls: list[CallRow] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        if self.loops:
            yield "Tool loops that others recorded, played again: our requests beside theirs"
            yield from _counts(self.loops)
            yield from _differences(self.loops)
        if self.calls:
            yield "Tool calls in the transcripts of others, dispatched under the schemas they were made under"
            yield from _outcomes([row for row in self.calls if not row.damaged])
            yield "The same calls, damaged: another name, cut short, arguments left out, changed and added"
            yield from _outcomes([row for row in self.calls if row.damaged])


def _counts(rows: list[LoopRow]) -> Iterator[str]:
    alone = {row.recording: _is_alone(row.recording) for row in rows}
    unequal = {row.recording for row in rows if not row.equal}
    requests = [pairs for row in rows for pairs in row.requests]
    pairs = [pair for request in requests for pair in request]
    new = list(_new(rows).values())
    plain = [recording for recording in alone if alone[recording]]
    offered = range(sum(row.tools_equal for row in rows))
    table = (
        ("recordings that are one tool loop, each request adding to the last", len(plain), set(plain) - unequal),
        ("recordings that hold other conversations, too", len(alone) - len(plain), set(alone) - set(plain) - unequal),
        ("conversations in them", len(rows), [row for row in rows if row.equal]),
        ("requests", len(requests), [one for one in requests if not any(pair.differences for pair in one)]),
        ("messages, in every request that holds them", len(pairs), [one for one in pairs if not one.differences]),
        ("messages, in the first request that holds them", len(new), [one for one in new if not one.differences]),
        ("lists of tools (the different ones: theirs leave out the `type`)", len(requests), offered),
    )
    for name, total, equal in table:
        yield f"  {name:68} {total:5} : {len(equal):5} equal, {total - len(equal):4} different"


def _is_alone(recording: Path) -> bool:
    return recordings.is_one_conversation(recordings.read(recording))


def _differences(rows: list[LoopRow]) -> Iterator[str]:
    different = {place: pair for place, pair in _new(rows).items() if pair.differences}
    reasons = Counter(reason for pair in different.values() for reason in dict.fromkeys(map(_reason, pair.differences)))
    yield "  Why messages differ (one may have several reasons):"
    yield from (f"  {count:6}  {reason}" for reason, count in reasons.most_common())
    yield "  Each message that differs, in the first request that holds it:"
    for recording, places in groupby(different, key=lambda place: place[0]):
        yield f"    {recording.stem}"
        for place in places:
            pair = different[place]
            told = "; ".join(f"{one.field}: {_reason(one)}" for one in pair.differences)
            yield f"      exchange {place[1]}, message {place[2]} ({pair.role}): {told}"


def _new(rows: list[LoopRow]) -> dict[Place, Pair]:
    """The messages of all conversations; two that begin with the same exchanges share those messages."""
    return dict(one for row in rows for one in row.new())


def _reason(difference: Difference) -> str:
    return difference.reason or "NO REASON FOUND"


def _outcomes(rows: list[CallRow]) -> Iterator[str]:
    by_form: dict[str, Counter[str]] = {}
    for row in rows:
        by_form.setdefault(row.form, Counter()).update(row.outcomes)
    everything = sum((row.outcomes for row in rows), Counter[str]())
    for form, counted in [*sorted(by_form.items()), ("all", everything)]:
        if counted or form == "all":
            told = ", ".join(f"{count} {outcome}" for outcome, count in counted.most_common())
            yield f"  {form:10} {counted.total():5} : {told}"
