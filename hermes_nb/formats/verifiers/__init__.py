"""verifiers' traces (`traces.jsonl`), and the results of its older evaluations (`results.jsonl`, rows of data sets).

Source of the forms: PrimeIntellect-ai/verifiers. `hermes_nb/formats/verifiers/traces.py` and
`hermes_nb/formats/verifiers/results.py` say what in a file comes to what.

Neither form numbers the rollouts of a task: the `attempt` counts those that stand before it in the file, from 0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from hermes_nb.formats.base import Head, Source, mapping, sequence
from hermes_nb.formats.verifiers import results, traces
from hermes_nb.formats.verifiers.naming import NAME
from hermes_nb.records import AgentResult

__all__ = ["NAME", "read", "recognises"]


def recognises(head: Head) -> bool:
    """The first row is a trace, an episode of traces, or the result of a rollout."""
    return isinstance(head.row, Mapping) and (bool(_traces(head.row)) or results.is_result(head.row))


def read(source: Source) -> Iterator[AgentResult]:
    """One result for each branch of a trace, or for each rollout.

    Raises:
        FormatError: a row is neither, is damaged, or over the bounds.
    """
    seen: Counter[Any] = Counter()
    for row in source.rows():
        given = mapping(row.value)
        told = _traces(given)
        if not told and not results.is_result(given):
            raise source.error("neither a trace with nodes nor a rollout's result", row.place)
        for trace in told:
            task = (traces.task_of(trace), traces.agent_of(trace))
            yield from traces.branches(trace, seen[task], source, row.place)
            seen[task] += 1
        if not told:
            key = (results.task_of(given), None)
            yield results.result(given, seen[key], source, row.place)
            seen[key] += 1


def _traces(row: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The traces in a row: itself, or those of an episode."""
    if traces.is_trace(row):
        return [row]
    inner = [one for one in sequence(row.get("traces")) if isinstance(one, Mapping)]
    return inner if inner and all(traces.is_trace(one) for one in inner) else []
