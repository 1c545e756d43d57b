"""Logs of Inspect: `.json` documents, and `.eval` archives whose members are deflated or packed with zstd.

Source of the wire format: UKGovernmentBEIS/inspect_ai, `src/inspect_ai/log/_log.py` (EvalLog, EvalSample, EvalSpec),
`src/inspect_ai/log/_recorders/eval.py` (the archive), `src/inspect_ai/log/_condense.py` (attachments and pools),
`src/inspect_ai/model/_chat_message.py`, `src/inspect_ai/tool/_tool_call.py` and `src/inspect_ai/event/`.

A sample is a result: its `id` is the task, its `epoch` the attempt, from 0. Every message of it is there, also those
that samples share. Times, usage, finish reasons and retries come from its events, as far as it has any. The value of a
score is as the log has it: "C" and "I" stay letters. An error of a tool keeps Inspect's type as its `exception_type`:

| Inspect's type | kind | fault |
|---|---|---|
| parsing, of a call with a `parse_error` | bad_json | model |
| parsing, of a tool that was not found | unknown_tool | model |
| parsing | bad_arguments | model |
| timeout | timeout | environment |
| permission, file_not_found, is_a_directory, unicode_decode, sandbox_unavailable | exception | environment |
| limit, output_limit | reported | environment |
| approval | rejected | run |
| cancelled | cancelled | run |
| any other | reported | tool |
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from hermes_nb.formats.base import Head, Source, mapping, sequence
from hermes_nb.formats.inspect_logs.samples import result_of
from hermes_nb.records import AgentResult

NAME = "Inspect log"

HEADER, START = "header.json", "_journal/start.json"
SAMPLE = re.compile(r"samples/[^/]+\.json")


def recognises(head: Head) -> bool:
    """An archive with a log's header or journal, or a document with an evaluation in it."""
    if head.kind == "zip":
        return HEADER in head.names or START in head.names
    return head.kind == "document" and {"version", "eval"} <= head.keys() and isinstance(head.first["eval"], Mapping)


def read(source: Source) -> Iterator[AgentResult]:
    """One result for each sample, in the log's order. An archive whose evaluation was killed has those samples that
    had come to their end.

    Raises:
        FormatError: the log is damaged, or over the bounds.
    """
    for sample, log, place in _samples(source):
        if not isinstance(sample, Mapping):
            raise source.error(f"a sample is an object, not {sample!r:.80}", place)
        yield result_of(sample, log, source, NAME, place)


def _samples(source: Source) -> Iterator[tuple[Any, Mapping[str, Any], str]]:
    if source.head.kind != "zip":
        log = mapping(source.document())
        for number, sample in enumerate(sequence(log.get("samples")), 1):
            yield sample, log, f"sample {number}"
        return
    names = source.members()
    header = mapping(source.member_json(HEADER if HEADER in names else START))
    for name in dict.fromkeys(names):  # A member that was written again stands there twice; the last one counts.
        if SAMPLE.fullmatch(name):
            yield source.member_json(name), header, name
