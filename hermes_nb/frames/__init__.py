"""Runs as tables: `runs`, `turns`, `messages`, `calls`, `errors` and `tokens`, each a pandas DataFrame.

    from hermes_nb import frames

    frames.calls(result)                     # one run
    frames.runs([one, two])                  # any iterable, nested ones too
    frames.errors("runs/*.jsonl")            # paths, folders and patterns of journals, and of other tools' files
    frames.tables("runs/", "runs", "calls")  # several in one reading of the files

Every table has the columns that `columns(name)` shows: always all of them, in that order, with those dtypes, also where
there is no row. What is not known is NA, never 0 and never empty text. Times are seconds, sizes bytes of UTF-8. A time
of exactly 0 in a run that was imported, where nobody measured it, is NA. Half of a surrogate pair, which no table can
hold, is written as its escape (`\\ud800`).

Keys: `run_id` names a run in every table, `(run_id, turn)` a turn, `(run_id, turn, call_index)` a call or an error.
They join the tables of one source, and are unique over its runs: a result without an id has a key made of its
conversation, and where one id stands for several runs, the second is `...~2`. The rows of a run do not depend on which
other runs are in the table.

A run that goes on from another (follow_up, resume, fork) begins with the messages of that one. They are rows of that
run alone, so that each message is counted once, whichever of the two are in the table; `messages(..., inherited=True)`
has them too, marked in the column `inherited`. Turns, calls, errors and tokens are a run's own in any case.

`source` is any of these, nested too; `bounds` is what is read at most of one journal (`hermes_nb.journal.Bounds`). Of
journals nothing is ever run, and memory is taken by the runs under way and the table alone. A damaged run is passed
over with a JournalWarning, as by `journal.runs`; runs are in order of file and start.

Parquet gives every table back as it was: `frame.to_parquet(path)`, `pandas.read_parquet(path)`. That is why arguments
are JSON text (`arguments` as written, `parsed` in one canonical form) and no objects. For CSV there is `to_csv`, which
guards against formulas.
"""

from __future__ import annotations

import pandas as pd

from hermes_nb.exceptions import ConfigurationError
from hermes_nb.frames.cells import read_csv, to_csv
from hermes_nb.frames.declared import TABLES
from hermes_nb.frames.making import Maker
from hermes_nb.journal import Bounds
from hermes_nb.sources import Source

__all__ = [
    "Source",
    "calls",
    "columns",
    "errors",
    "messages",
    "read_csv",
    "runs",
    "tables",
    "to_csv",
    "tokens",
    "turns",
]


def columns(table: str | None = None) -> pd.DataFrame:
    """The declared columns, one row each: table, name, dtype, unit and meaning; of one table if it is named.

    Raises:
        ConfigurationError: there is no such table.
    """
    if table is not None and table not in TABLES:
        raise ConfigurationError(f"there is no table {table!r}; there are {', '.join(TABLES)}")
    rows = [
        (name, one.name, one.dtype, one.unit, one.meaning)
        for name, declared in TABLES.items()
        for one in declared
        if table in (None, name)
    ]
    return pd.DataFrame(rows, columns=["table", "name", "dtype", "unit", "meaning"])


def tables(source: Source, *names: str, bounds: Bounds | None = None) -> dict[str, pd.DataFrame]:
    """Several tables of one source, by their names, in one reading of its files; all of them where none is named.

    Raises:
        ConfigurationError: there is no such table, or as `runs` does.
        HermesError, OSError: as `runs` does.
    """
    for name in names:
        if name not in TABLES:
            raise ConfigurationError(f"there is no table {name!r}; there are {', '.join(TABLES)}")
    return Maker(tuple(dict.fromkeys(names or TABLES)), bounds or Bounds()).take(source)


def _made(name: str, source: Source, bounds: Bounds | None) -> pd.DataFrame:
    return Maker([name], bounds or Bounds()).take(source)[name]


def runs(source: Source, *, bounds: Bounds | None = None) -> pd.DataFrame:
    """One row a run: what it was about, what it grew from, how it ended, what it took, and how it was made.

    After the declared columns come `score.<name>` and then `meta.<key>`, as they are found, each in sorted order. Their
    dtype is the one that holds all values: boolean, Int64, Float64, or str, with JSON for anything else.

    Raises:
        ConfigurationError: the source holds something that is no run.
        HermesError: a file is of no kind that can be read.
        OSError: a file cannot be read, or none matches a pattern.
    """
    return _made("runs", source, bounds)


def turns(source: Source, *, bounds: Bounds | None = None) -> pd.DataFrame:
    """One row a model call, also one that failed, whose reply's columns are NA.

    Raises:
        ConfigurationError, HermesError, OSError: as `runs` does.
    """
    return _made("turns", source, bounds)


def messages(source: Source, *, inherited: bool = False, bounds: Bounds | None = None) -> pd.DataFrame:
    """One row a message that was said in the run; with `inherited`, also those of the run that it goes on from.

    How many of the first messages are inherited is what the run's origin says; where that says nothing, all up to the
    last that is an assistant's or a tool's. `position` is the place in the whole conversation in any case.

    Raises:
        ConfigurationError, HermesError, OSError: as `runs` does.
    """
    return _made("conversations" if inherited else "messages", source, bounds)


def calls(source: Source, *, bounds: Bounds | None = None) -> pd.DataFrame:
    """One row a tool call, answered or not, in order of turn and place.

    `next_action`, of every call, is what the reply of the turn after it did. With all calls of that reply in view, also
    for calls that were made in parallel:

    - `retried_same`: one of them has the same tool and arguments (compared as JSON, else as text);
    - `changed_arguments`: one has the same tool, and none the same arguments too;
    - `changed_tool`: there are calls, but none of the same tool;
    - `answered`: there are none, but text or a refusal, and the reply is whole;
    - `ended`: there is no such reply, it is empty, or it was cut off before any call.

    `recovered`, of a call with an error, is whether the same tool gave an answer without error in a later turn of the
    run; for an unknown tool, which never will, whether any tool did. `turns_to_recover` is how many turns later the
    first such answer came. A call of the same turn, made at the same time, recovers nothing.

    >>> import hermes_nb as hn
    >>> server = hn.ScriptedServer([hn.servers.call("add", a=2), "I cannot."])
    >>> calls(hn.HermesAgentLoop(server).run_sync("?"))[["name", "arguments", "kind", "next_action"]]
      name arguments          kind next_action
    0  add   {"a":2}  unknown_tool    answered

    Raises:
        ConfigurationError, HermesError, OSError: as `runs` does.
    """
    return _made("calls", source, bounds)


def errors(source: Source, *, bounds: Bounds | None = None) -> pd.DataFrame:
    """One row a tool error, at most one a call, with what came next as in `calls`.

    Raises:
        ConfigurationError, HermesError, OSError: as `runs` does.
    """
    return _made("errors", source, bounds)


def tokens(source: Source, *, bounds: Bounds | None = None) -> pd.DataFrame:
    """One row a token, of every run whose replies came with their tokens: all of what its models read and wrote.

    Such are the replies of a `ManagedServer`, and of an `OpenAIServer(tokens=True)`. `node` is the sequence: there is
    more than one where a turn's prompt does not extend the tokens before it (`hermes_nb.training` says why). `mask`
    says which tokens the model wrote; a token that it was given has no logprob, and comes with the turn whose prompt it
    was first in. `role` is whose words it is in or leads up to, `kind` what it belongs to, where that is known.

    Where no reply has a record, the rows are those of the sequences in `managed_state` (Atropos's servers; in memory
    only), which have no turn; and otherwise of the replies' log-probabilities, which have no `node` and no id.

    Raises:
        ConfigurationError, HermesError, OSError: as `runs` does.
    """
    return _made("tokens", source, bounds)
