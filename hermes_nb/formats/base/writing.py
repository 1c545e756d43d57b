"""Files written whole or not at all, and what of a result they could not keep."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hermes_nb import codec
from hermes_nb.formats.base.comparing import differences
from hermes_nb.records import AgentResult
from hermes_nb.redact import Redactor


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """Something of a result that a file does not hold: what, of which run and turn (None: of no single one), and why
    not."""

    what: str
    run_id: str | None = None
    turn: int | None = None
    why: str = ""

    def __repr__(self) -> str:
        where = f" · turn {self.turn}" if self.turn is not None else ""
        return f"Loss({self.what} · {self.run_id}{where})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was written, and what could not be kept: no losses, and reading the file gives the same again."""

    path: Path
    written: int
    losses: tuple[Loss, ...] = ()

    @property
    def lossless(self) -> bool:
        """Whether everything was kept."""
        return not self.losses

    def counts(self) -> dict[str, int]:
        """How often each thing was lost."""
        return dict(Counter(loss.what for loss in self.losses))

    def __repr__(self) -> str:
        lost = ", ".join(f"{what} ({number})" for what, number in self.counts().items()) or "nothing lost"
        return f"Report({self.path.name} · {self.written} results · {lost})"


Results = AgentResult | Iterable[AgentResult]
"""One result, or any number of them."""


def each(results: Results) -> Iterator[AgentResult]:
    """The results one by one; a single one is itself."""
    yield from [results] if isinstance(results, AgentResult) else results


def write_lines(
    results: Results,
    path: str | os.PathLike[str],
    row_of: Callable[[AgentResult], Any],
    result_of: Callable[[Any], AgentResult],
    why: str,
) -> Report:
    """Write one JSON line for each result, and report what reading the line would not give back.

    Raises:
        OSError: the file cannot be written; one of that name is as it was.
    """
    losses: list[Loss] = []
    redactor = Redactor()

    def lines() -> Iterator[bytes]:
        for result in each(results):
            line = encoded(row_of(result), redactor)
            losses.extend(losses_between(result, result_of(codec.loads(line)), why))
            yield line + b"\n"

    written = write_atomically(Path(path), lines())
    return Report(path=Path(path), written=written, losses=tuple(losses))


def losses_between(before: AgentResult, after: AgentResult, why: str) -> list[Loss]:
    """What a result has that the one read back has not."""
    return [Loss(what=what, run_id=before.run_id, turn=turn, why=why) for what, turn in differences(before, after)]


def encoded(value: Any, redactor: Redactor) -> bytes:
    """The value as JSON, with a marker for everything shaped like a secret."""
    line = codec.dumps(value, default=repr)
    if not redactor.suspects(line.decode()):
        return line
    return codec.dumps(redactor.value(codec.loads(line)))


def write_atomically(path: Path, pieces: Iterable[bytes]) -> int:
    """Write the pieces to a new file and put it in the place of the old one; how many pieces there were.

    Raises:
        OSError: it cannot be written; the old file is as it was then, and when a piece cannot be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    number = 0
    fd, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:100]}.", suffix=".new")
    try:
        with os.fdopen(fd, "wb") as file:
            for piece in pieces:
                file.write(piece)
                number += 1
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o666 & ~_umask())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return number


def _umask() -> int:
    """What the process takes from the permissions of new files; there is no way to ask but to set it."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
