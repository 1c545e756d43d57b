"""What runs in a tool's own process: a script that is given one call to carry out, and says what came of it.

`processes` starts it, as `python -P child.py INBOX OUTBOX`, with the numbers of two pipes. Out of the one comes the
call, into the other goes the outcome; each is 8 bytes of length, the highest first, and a pickle as `parcels` makes it.
"""

from __future__ import annotations

import linecache
import os
import pickle
import signal
import sys
import threading
from typing import TextIO


def main() -> None:
    """Carry out the call that comes, and say what came of it."""
    inbox, outbox = map(int, sys.argv[1:])
    del sys.argv[1:]
    for pipe in (inbox, outbox):
        os.set_inheritable(pipe, False)  # What the tool starts shall not hold them open.
    for stream in (sys.stdout, sys.stderr):
        _speak_plainly(stream)
    path, sources, call, limit = pickle.loads(_read(inbox))  # noqa: S301 - it is our parent's
    threading.Thread(target=_end_with_parent, args=(inbox,), name="hermes_nb parent", daemon=True).start()
    sys.path[:] = path
    linecache.cache.update(sources)
    from hermes_nb.tools import parcels

    outcome = parcels.outcome_of(call, limit)
    with os.fdopen(outbox, "wb", closefd=False) as out:  # Open until the very end, which its closing tells.
        out.write(len(outcome).to_bytes(8, "big"))
        out.write(outcome)


def _speak_plainly(stream: TextIO) -> None:
    """Whole lines as they are printed, of any characters: the tool may be killed at any moment."""
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)


def _read(pipe: int) -> bytes:
    """What comes through the pipe; where it ends early, nobody waits for an answer, and this process ends."""
    with os.fdopen(pipe, "rb", closefd=False) as coming:
        size = int.from_bytes(coming.read(8), "big")
        whole = coming.read(size)
    if not size or len(whole) < size:
        os._exit(1)
    return whole


def _end_with_parent(inbox: int) -> None:
    """End this process and all it started once the parent is no more: the pipe that it held open is closed then."""
    while os.read(inbox, 1):
        pass  # Nothing more is sent.
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
