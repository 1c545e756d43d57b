"""Events as JSON lines on disk: written as they happen, loaded as results; secrets never reach the file.

Format 1.0. Every line is one JSON object, written at once, and no line is ever changed.

| line | says |
|---|---|
| `{"hermes_nb_journal": "1.0"}` | a writer opened the file here; the first line of every journal is one |
| `{"t": "Replied", "run_id": ..., "seq": ..., ...}` | an event; `t` names its type, the other keys are its fields |
| `{"torn": true}` | the line before this one was cut short while it was written, and is no event |

A `path` is a file; where runs are read also a folder or a pattern, as for `load`. `bounds` is what is read at most of
one file: bytes of a line, and lines.

Fields at their default are left out, and fields that live in memory only are not there. A file may hold many runs, one
after the other or interleaved; `seq` counts from 0 in each, and every kind of event but Delta counts. A minor version
adds fields and kinds of events: readers keep what they do not know, and pass it over. A run without an end is over
(`crashed`) when a writer opened the file after it, or when nobody writes the file any more; writers hold a lock on it.
"""

from __future__ import annotations

from hermes_nb.journal.lines import FORMAT
from hermes_nb.journal.loading import every, load, one, runs
from hermes_nb.journal.reading import Bounds, read_events
from hermes_nb.journal.writing import Journal, journal_path

__all__ = ["FORMAT", "Bounds", "Journal", "every", "journal_path", "load", "one", "read_events", "runs"]
