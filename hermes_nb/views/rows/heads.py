"""What stands over the rows of a run while it goes on: how far it is, its counts, and what it is at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hermes_nb.records import Usage
from hermes_nb.views.rows import words
from hermes_nb.views.rows.entries import Ledger
from hermes_nb.views.rows.growing import Growing
from hermes_nb.views.rows.legible import counted
from hermes_nb.views.rows.runs import GROWN, item_of, ledger, model_of


@dataclass(slots=True)
class Counts:
    """The counts of a run, kept while it grows, so that nobody has to count again. `out` are tokens the model wrote,
    some of them `guessed`, where servers do not say."""

    turns: int = 0
    calls: int = 0
    errors: int = 0
    replies: int = 0
    out: int = 0
    guessed: int = 0
    usage: Usage | None = None

    def count(self, growing: Growing) -> Counts:
        """Those of the turns that are over, and what the open one has so far."""
        over = max(len(growing.turns) - 1, 0)
        while self.turns < over:
            self._add(growing, self.turns)
            self.turns += 1
        now = Counts(self.turns, self.calls, self.errors, self.replies, self.out, self.guessed, self.usage)
        if growing.turns:
            now._add(growing, over)
            now.turns = over + 1
        if growing.forming is not None:
            now.replies, now.guessed = now.replies + 1, now.guessed + 1
            now.out += words.guessed(growing.forming.written)
        return now

    def _add(self, growing: Growing, index: int) -> None:
        turn = growing.turns[index]
        self.errors += sum(result.error is not None for result in turn.results)
        if turn.reply is None:
            return
        usage = turn.reply.usage
        self.replies += 1
        self.calls += len(turn.reply.calls)
        self.usage = usage if self.usage is None else self.usage + usage
        self.guessed += usage.completion is None
        self.out += words.written(turn.reply) if usage.completion is None else usage.completion

    @property
    def tokens(self) -> str:
        """As `words.tokens_out` says them of a whole run."""
        total = self.usage.total if self.usage else None
        if total is not None and self.guessed == self.replies:
            return f"{words.tokens(total)} {'token' if total == 1 else 'tokens'}"
        told = f"{'~' if self.guessed else ''}{words.tokens(self.out)}"
        return f"{told} {'token' if told == '1' else 'tokens'} out"


def head(growing: Growing, counts: Counts) -> Ledger:
    """What stands over the rows now: a ledger without its rows."""
    if growing.final is not None:
        # Two rows are the fewest; they are not looked at.
        return ledger(growing.final, lens=growing.lens, opened=(), most=2)
    glyph, word = words.ending(growing.now, asking=growing.asking)
    return Ledger(
        glyph=glyph,
        ended=word,
        names=names(growing),
        facts=tuple(facts(growing, counts.count(growing))),
        note=f"No answer yet. {now_at(growing)}" if growing.turns else words.no_answer(growing.now),
    )


def names(growing: Growing) -> tuple[str, ...]:
    """The model, the dataset's item, and what the run grew from."""
    now, lens = growing.now, growing.lens
    told = [name for name in (model_of(now, lens), item_of(now, lens)) if name]
    return (*told, GROWN[now.origin.kind]) if now.origin else tuple(told)


def facts(growing: Growing, counts: Counts) -> Iterator[str]:
    """The counts in words, and how many turns there may be."""
    provenance = growing.result.provenance
    limit = provenance.limits.get("max_turns") if provenance else None
    yield counted(counts.turns, "turn") + (f" of {limit}" if limit else "")
    yield counted(counts.calls - len(growing.asking), "call")
    if growing.asking:
        yield f"{len(growing.asking)} waiting"
    yield f"{'✗ ' if counts.errors else ''}{counted(counts.errors, 'error')}"
    if counts.replies:
        yield counts.tokens


def now_at(growing: Growing) -> str:
    """What the run is at, in a sentence."""
    if growing.asking:
        return "One call waits for you." if len(growing.asking) == 1 else f"{len(growing.asking)} calls wait for you."
    turn = growing.turns[-1]
    if turn.reply is None:
        doing = "asked" if growing.forming is None else ("thinking" if not growing.forming.text else "writing")
        doing = "writing calls" if growing.forming is not None and growing.forming.calls else doing
        return f"Turn {turn.number}: the model is {doing}."
    answered = {result.call.index for result in turn.results}
    at_work = [growing.lens.name(call.name) for call in turn.reply.calls if call.index not in answered]
    if not at_work:
        return f"Turn {turn.number} is over."
    return f"Turn {turn.number}: {', '.join(at_work[:3])}{' …' if len(at_work) > 3 else ''} at work."
