"""Scores runs, as often as you like: results with their scores, made of results, or of what is on the disk."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, TypeAlias, overload

from hermes_nb.exceptions import ConfigurationError
from hermes_nb.records import AgentResult
from hermes_nb.sources import Source, results

Score: TypeAlias = bool | int | float | None
Told: TypeAlias = Score | Mapping[str, Score]


@overload
def scored(
    source: Source, fn: Callable[[AgentResult], Awaitable[Told]], name: str = "exact"
) -> Awaitable[list[AgentResult]]: ...
@overload
def scored(source: Source, fn: Callable[[AgentResult], Told], name: str = "exact") -> list[AgentResult]: ...
def scored(source: Source, fn: Callable[[AgentResult], Any], name: str = "exact") -> Any:
    """New results with a score each, `scores[name]`; those that were given stay as they are.

    A list of them; of an async `fn`, what is awaited to have it, and the runs are scored one after the other. Scores of
    other names are kept, those of this one replaced. Where `fn` raises, the score is None, which is NA in
    `frames.runs`, and `scores["<name>.error"]` says why.

    Args:
        source: results, or paths and patterns of files of runs, or any mixture; see `frames`.
        fn: takes a result, and gives True or False, a number, None for unknown, or a dict of several of these: its keys
            `k` become the names `<name>.<k>`.
        name: letters, digits, `_`, `-` and `.`, and not ending in `.error`.

    >>> import hermes_nb as hn
    >>> result = hn.HermesAgentLoop(hn.ScriptedServer(["It is 5."])).run_sync("What is 2 + 3?")
    >>> scored([result], lambda one: "5" in one.final_text, name="five")[0].scores
    {'five': True}

    Raises:
        ConfigurationError: the name is none, or `fn` gave something that is no score.
        HermesError, OSError: a file of the source cannot be read.
    """
    _check_name(name)
    given = list(results(source))
    if inspect.iscoroutinefunction(fn) or inspect.iscoroutinefunction(getattr(fn, "__call__", None)):  # noqa: B004
        return _awaited(given, fn, name)
    made = []
    for result in given:
        told, reason = _tried(fn, result)
        if inspect.isawaitable(told):
            return _awaited(given, fn, name, first=told)
        made.append(_with(result, name, told, reason))
    return made


async def _awaited(
    given: list[AgentResult], fn: Callable[[AgentResult], Any], name: str, first: Awaitable[Any] | None = None
) -> list[AgentResult]:
    made = []
    for result in given:
        told, reason = (first, None) if first is not None else _tried(fn, result)
        first = None
        if inspect.isawaitable(told):
            try:
                told = await told
            except Exception as error:  # The doorway to scorers, async ones.
                told, reason = None, _reason(error)
        made.append(_with(result, name, told, reason))
    return made


def _tried(fn: Callable[[AgentResult], Any], result: AgentResult) -> tuple[Any, str | None]:
    try:
        return fn(result), None
    except Exception as error:  # The doorway to scorers.
        return None, _reason(error)


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _with(result: AgentResult, name: str, told: Any, reason: str | None) -> AgentResult:
    kept = {key: value for key, value in result.scores.items() if key != name and not key.startswith(f"{name}.")}
    if isinstance(told, Mapping):
        for key, score in told.items():
            _check_name(key)
            kept[f"{name}.{key}"] = _checked(f"{name}.{key}", score)
    else:
        kept[name] = _checked(name, told)
    if reason is not None:
        kept[f"{name}.error"] = reason
    return replace(result, scores=kept)


def _checked(name: str, score: Any) -> Score:
    if score is None or isinstance(score, bool | int | float):
        return score
    item = getattr(score, "item", None)  # A number of numpy's.
    plain = item() if callable(item) and getattr(score, "ndim", None) == 0 else score
    if isinstance(plain, bool | int | float):
        return plain
    raise ConfigurationError(
        f"the score {name!r} is {score!r:.80}: a scorer gives True or False, a number, None, or a dict of these"
    )


def _check_name(name: Any) -> None:
    sound = isinstance(name, str) and name and name.replace("_", "").replace("-", "").replace(".", "").isalnum()
    if not sound or name.endswith(".error") or name == "error":
        raise ConfigurationError(
            f"{name!r} is no name for a score: use letters, digits, _, - and ., and do not end it in .error"
        )
