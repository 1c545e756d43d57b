"""The runs of files as rows are made of them, and the keys that name them in every table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path

from hermes_nb import codec
from hermes_nb.frames.lines import Odd, runs_of
from hermes_nb.frames.plain import PlainRun, plain_run, said
from hermes_nb.frames.shapes import Shapes
from hermes_nb.journal import Bounds
from hermes_nb.sources import is_journal, loaded


def slowly(path: Path, bounds: Bounds) -> Iterator[tuple[int, PlainRun]]:
    """The runs of a file of any kind, by way of results."""
    for start, result in loaded(path, bounds):
        yield start, plain_run(result)


def quickly(path: Path, bounds: Bounds, shapes: Shapes) -> Iterator[tuple[int, PlainRun]]:
    """The runs of a journal, straight from its lines, with the objects that `shapes` ask for.

    Raises:
        Odd: it has to be read slowly.
    """
    if not is_journal(path):
        raise Odd
    yield from runs_of(path, bounds, shapes)


class Keys:
    """Gives every run a key of its own, the same one for the same place in the same source."""

    def __init__(self) -> None:
        self._given: Counter[str] = Counter()

    def copy(self) -> Keys:
        """The same, as far as it is given."""
        made = Keys()
        made._given = Counter(self._given)
        return made

    def of(self, run: PlainRun) -> str:
        """The run's id, or one made of its conversation; a second run of the same one has `~2` after it."""
        key = run.facts.run_id or _digest(run)
        self._given[key] += 1
        times = self._given[key]
        return key if times == 1 else f"{key}~{times}"


def _digest(run: PlainRun) -> str:
    told = [*run.start, *(one for turn in run.turns[run.first :] for one in (*turn.added_messages, *said(turn)))]
    return "unnamed_" + blake2b(codec.dumps(told, default=repr), digest_size=8).hexdigest()
