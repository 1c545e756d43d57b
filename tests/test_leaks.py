"""The check that ends other tests can fail."""

from __future__ import annotations

import asyncio
import io
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from hermes_nb.tools.threads import Pool
from tests.leaks import no_leaks


@contextmanager
def thread() -> Iterator[None]:
    end = threading.Event()
    one = threading.Thread(target=end.wait, name="of its own", daemon=True)
    one.start()
    yield
    end.set()
    one.join()


@contextmanager
def child() -> Iterator[None]:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE):
        yield


@contextmanager
def descriptor() -> Iterator[None]:
    with socket.socket():
        yield


@contextmanager
def stream() -> Iterator[None]:
    before, sys.stdout = sys.stdout, io.StringIO()
    yield
    sys.stdout = before


@pytest.mark.parametrize(
    ("leak", "told"),
    [(thread, "thread of its own"), (child, "child"), (descriptor, "descriptor"), (stream, "sys.stdout is")],
)
def test_what_is_left_behind_is_named(leak: Callable[[], Iterator[None]], told: str) -> None:
    left = leak()
    check = no_leaks(patience=0.05)
    with check, left:
        pass  # What has ended is no leak.
    check.__enter__()
    with leak(), pytest.raises(AssertionError, match=told):
        check.__exit__(None, None, None)


async def test_a_task_that_goes_on_is_a_leak_and_one_that_has_ended_is_none() -> None:
    async with no_leaks():
        await asyncio.create_task(asyncio.sleep(0))
    check = no_leaks(patience=0.05)
    await check.__aenter__()
    task = asyncio.create_task(asyncio.Event().wait())
    with pytest.raises(AssertionError, match="left behind: task"):
        await check.__aexit__(None, None, None)
    task.cancel()


async def test_an_idle_thread_of_a_pool_is_no_leak_and_one_that_hangs_is_one_unless_it_is_said() -> None:
    pool, end = Pool(), threading.Event()
    async with no_leaks():
        await pool.call(int).outcome()
    check = no_leaks(patience=0.05)
    async with no_leaks(abandoned=1):
        check.__enter__()
        begun = threading.Event()
        hung = pool.call(lambda: begun.set() or end.wait())
        await asyncio.to_thread(begun.wait)
        assert hung.abandon()
    with pytest.raises(AssertionError, match="1 threads at work in tools, where 0"):
        check.__exit__(None, None, None)
    end.set()
    async with no_leaks():
        pass


def test_the_tests_own_failure_is_told_rather_than_what_it_left() -> None:
    with pytest.raises(ZeroDivisionError), no_leaks(patience=0.05), thread():
        raise ZeroDivisionError
