"""What every test shares."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.leaks import no_leaks

settings.register_profile("house", settings.default, deadline=None)  # No test depends on how fast the machine is.
settings.load_profile("house")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Started in the background of a shell: the processes that tests press Ctrl-C in would inherit that they are deaf.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def anyio_backend() -> str:
    """Async tests run on asyncio, the event loop of a notebook's kernel."""
    return "asyncio"


@pytest.fixture
def nothing_is_left() -> Iterator[None]:
    """Looks, when the test and its event loop are over, that they left no thread, child process or open descriptor."""
    with no_leaks():
        yield
