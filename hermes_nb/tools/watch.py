"""Watches a tool on the event loop: whether it holds the loop up, and for how long."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Generator
from inspect import isawaitable
from time import perf_counter
from types import CoroutineType, coroutine
from typing import Any, TypeAlias

from hermes_nb.tools.parts import PLAIN

HeldUp: TypeAlias = Callable[[float], None]


def can_be_awaited(value: Any) -> bool:
    """Whether it has yet to be awaited. (To ask that of the plainest values takes longer than all the rest.)"""
    return type(value) not in PLAIN and isawaitable(value)


def begun(one: Awaitable[Any], most: float, held_up: HeldUp) -> tuple[Any, Awaitable[Any] | None]:
    """Take the first step of awaiting `one`: what it gives, or, where it is not over with that, the rest to be awaited.

    `held_up` is told the seconds of every step that took more than `most` of them: for so long nothing else could go
    on, and it was nobody else's doing.
    """
    steps = one if isinstance(one, CoroutineType) else _steps(one)
    began = perf_counter()
    try:
        wanted = steps.send(None)
    except StopIteration as end:
        return end.value, None
    finally:
        if (seconds := perf_counter() - began) > most:
            held_up(seconds)
    return None, _rest(steps, wanted, most, held_up)


@coroutine
def _rest(steps: Coroutine[Any, Any, Any], wanted: Any, most: float, held_up: HeldUp) -> Generator[Any, Any, Any]:
    while True:
        try:
            given, step = (yield wanted), steps.send
        except GeneratorExit:
            steps.close()
            raise
        except BaseException as error:  # A cancel, most of all: it is the tool's.
            given, step = error, steps.throw
        began = perf_counter()
        try:
            wanted = step(given)
        except StopIteration as end:
            return end.value
        finally:
            if (seconds := perf_counter() - began) > most:
                held_up(seconds)


async def _steps(one: Awaitable[Any]) -> Any:
    return await one
