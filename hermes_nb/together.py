"""Answers the calls of one turn together, and every one of them, whatever interrupts that."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeAlias

from hermes_nb.events import CallFinished, CallStarted
from hermes_nb.messages import UNANSWERED
from hermes_nb.records import ToolCall, ToolResult
from hermes_nb.supervisor import Run
from hermes_nb.tools.dispatch import refused

Answerer: TypeAlias = Callable[[ToolCall, float], Awaitable[ToolResult]]
"""Answers a call that has waited for so many seconds."""


async def answer_all(
    run: Run,
    calls: Sequence[ToolCall],
    answer: Answerer,
    *,
    at_once: int,
    serial: Collection[str],
    cut_short: Mapping[int, ToolResult] = MappingProxyType({}),
) -> list[ToolResult]:
    """Answer the calls of one turn, `at_once` of them together, and give the results in call order.

    A call to a tool named in `serial` waits for the calls before it and holds up those after it. Whatever
    interrupts this, every call is answered first: those that did not end, as cancelled. `cut_short` has, by index, the
    results of those that had begun.
    """
    results: dict[int, ToolResult] = {}
    ready = run.now()
    limit = asyncio.Semaphore(at_once)

    async def one(call: ToolCall, begun: bool) -> None:
        async with limit:
            if not begun:
                run.emit(CallStarted, turn=call.turn, call=call)
            try:
                result = await answer(call, run.now() - ready)
            except KeyboardInterrupt as interrupt:
                # Out of a task it would end the event loop, and a kernel with it.
                raise asyncio.CancelledError("interrupted in a tool") from interrupt
            results[call.index] = result
            run.emit(CallFinished, turn=call.turn, result=result)

    try:
        for batch in _batches(calls, serial):
            # Those that begin now are told of before a thread takes one up, and with it the interpreter.
            run.emit_each(CallStarted, [{"turn": call.turn, "call": call} for call in batch[:at_once]])
            await _all_of([one(call, place < at_once) for place, call in enumerate(batch)])
    finally:
        for call in calls:
            if call.index not in results:
                result = cut_short.get(call.index) or refused(call, "cancelled", UNANSWERED, now=run.now())
                results[call.index] = result
                run.emit(CallFinished, turn=call.turn, result=result)
    return [results[call.index] for call in calls]


def _batches(calls: Sequence[ToolCall], serial: Collection[str]) -> list[list[ToolCall]]:
    """The calls in groups that may run together: a serial tool's call is a group of its own."""
    batches: list[list[ToolCall]] = []
    for call in calls:
        alone = call.name in serial
        if alone or not batches or batches[-1][0].name in serial:
            batches.append([])
        batches[-1].append(call)
    return batches


async def _all_of(coroutines: list[Coroutine[Any, Any, None]]) -> None:
    """Run the coroutines together. If one raises, or we are cancelled, the others are cancelled and waited for."""
    if len(coroutines) == 1:
        return await coroutines[0]
    tasks = [asyncio.ensure_future(_carried(coroutine)) for coroutine in coroutines]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()
    except _Exit as carried:
        raise carried.error from None
    finally:
        await settle(tasks)


class _Exit(Exception):
    """Carries a SystemExit out of a task: by itself it would end the event loop."""

    def __init__(self, error: SystemExit) -> None:
        super().__init__(error)
        self.error = error


async def _carried(coroutine: Coroutine[Any, Any, None]) -> None:
    try:
        await coroutine
    except SystemExit as error:
        raise _Exit(error) from error


async def settle(tasks: Sequence[asyncio.Future[Any]]) -> None:
    """Cancel what is not over and wait until all is, however often we are cancelled meanwhile."""
    for task in tasks:
        task.cancel()
    cancelled = False
    while pending := [task for task in tasks if not task.done()]:
        try:
            await asyncio.wait(pending)
        except asyncio.CancelledError:
            cancelled = True
    for task in tasks:
        if not task.cancelled():
            task.exception()  # Looked at, so that asyncio does not report it as never retrieved.
    if cancelled:
        raise asyncio.CancelledError
