"""Watches a tool on the event loop: whether it holds the loop up, and for how long."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from inspect import isawaitable
from time import perf_counter
from types import CoroutineType, coroutine
from typing import Any

PLAIN = frozenset({str, dict, list, int, float, bool, tuple, bytes, type(None)})
"""What tools mostly return; to ask of these whether they can be awaited takes longer than all the rest."""


def can_be_awaited(value: Any) -> bool:
    """Whether it has yet to be awaited."""
    return type(value) is CoroutineType or (type(value) not in PLAIN and isawaitable(value))


@coroutine
def watched(one: Awaitable[Any], most: float, held_up: Callable[[float], None]) -> Generator[Any, Any, Any]:
    """Await `one`, step by step. `held_up` is told the seconds of every step that took more than `most` of them: for so
    long nothing else could go on, and it was nobody else's doing."""
    steps = one if isinstance(one, CoroutineType) else _steps(one)
    step, given = steps.send, None
    while True:
        began = perf_counter()
        try:
            wanted = step(given)
        except StopIteration as end:
            return end.value
        finally:
            if (seconds := perf_counter() - began) > most:
                held_up(seconds)
        try:
            given, step = (yield wanted), steps.send
        except GeneratorExit:
            steps.close()
            raise
        except BaseException as error:  # A cancel, most of all: it is the tool's.
            given, step = error, steps.throw


async def _steps(one: Awaitable[Any]) -> Any:
    return await one
