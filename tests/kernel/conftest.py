"""A real IPython kernel, and how soon its cells ended when they were interrupted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from jupyter_client.manager import start_new_kernel

from tests.kernel.driving import PATIENCE, Bell, Kernel

measured_key = pytest.StashKey[list[tuple[str, float]]]()


@pytest.fixture(scope="session")
def kernel(pytestconfig: pytest.Config) -> Iterator[Kernel]:
    """One kernel for all tests; each uses names of its own."""
    manager, client = start_new_kernel(startup_timeout=PATIENCE, extra_arguments=["--HistoryManager.enabled=False"])
    made = Kernel(manager, client)
    pytestconfig.stash[measured_key] = made.measured
    try:
        yield made
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


@pytest.fixture
def bell() -> Iterator[Bell]:
    """Rung by code elsewhere, which has `bell.code` before it."""
    with Bell() as made:
        yield made


@pytest.fixture
def nothing_left(kernel: Kernel) -> Iterator[None]:
    """Looks, after the test, that the kernel is as it was."""
    kernel.watch()
    yield
    assert kernel.left() == []


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say how soon the interrupted cells ended, where much is asked for (-v)."""
    measured = config.stash.get(measured_key, [])
    if measured and terminalreporter.verbosity > 0:
        terminalreporter.section("seconds from an interrupt to the end of the cell")
        for what, seconds in measured:
            terminalreporter.write_line(f"{seconds:6.2f}  {what}")
