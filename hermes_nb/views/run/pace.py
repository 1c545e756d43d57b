"""Puts off what need not be told at once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable


def later(seconds: float, act: Callable[[], object]) -> None:
    """Do it after so many seconds: on the event loop that runs on this thread, else on a thread of its own."""
    try:
        asyncio.get_running_loop().call_later(seconds, act)
    except RuntimeError:
        timer = threading.Timer(seconds, act)
        timer.daemon = True
        timer.start()
