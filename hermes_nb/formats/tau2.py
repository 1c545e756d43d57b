"""tau2-bench's results: simulations of an agent, a user who has tools, too, and an environment.

Source of the form: sierra-research/tau2-bench (`src/tau2/data_model/simulation.py`: `Results`, `SimulationRun`,
`RewardInfo`, `TerminationReason`; `src/tau2/data_model/message.py`: the messages, and `Tick.get_all_messages`;
`src/tau2/orchestrator/orchestrator.py`: the greeting; `src/tau2/environment/environment.py`: what errors say).

| a file | comes to |
|---|---|
| `{"info": ..., "tasks": [...], "simulations": [...]}` | a result for each simulation |
| `{"task_id": ..., "termination_reason": ..., "messages": [...]}`, a file of the folder form | a result |

| a simulation's | comes to |
|---|---|
| `messages`, or its `ticks` where it has none | the messages; calls in OpenAI's form |
| calls of the user | calls, of turns whose message is the user's |
| an agent's first message that no model was asked for (the greeting) | a message, and no turn |
| `error` of an answer | an error of the call |
| `usage`, `cost`, `raw_data`, `generation_time_seconds`, `timestamp` | usage, model, seconds and times of the turn |
| usage and cost of the user's messages | `meta["user_usage"]`; the run's own usage is the agent's |
| `task_id`, `trial` | `task` and `attempt` |
| `reward_info.reward`, and each of `reward_breakdown` | `scores` |
| `termination_reason` | the stop reason |
| its task of `tasks`, `info`, everything else | `meta` |
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hermes_nb import codec
from hermes_nb.formats.base import (
    About,
    Head,
    Note,
    Source,
    between,
    conversation,
    mapping,
    number,
    raised,
    sequence,
    text,
)
from hermes_nb.messages import Message, reasoning_of
from hermes_nb.records import AgentResult, RunError, StopReason, Usage
from hermes_nb.replies import usage_from

NAME = "tau2-bench"

ENDINGS: dict[str, StopReason] = {
    "user_stop": "stopped", "agent_stop": "finished", "max_steps": "max_turns", "timeout": "max_seconds",
    "too_many_errors": "too_many_errors", "agent_error": "crashed", "user_error": "crashed",
    "unexpected_error": "crashed", "infrastructure_error": "server_error",
    "context_window_exceeded": "context_overflow",
}  # fmt: skip

FAILED = ("crashed", "server_error", "context_overflow")


def recognises(head: Head) -> bool:
    """The first row has `simulations` and `info`, or is a simulation."""
    row = head.row
    return isinstance(row, Mapping) and (_are_results(row) or _is_simulation(row))


def read(source: Source) -> Iterator[AgentResult]:
    """One result for each simulation.

    Raises:
        FormatError: a row is of another shape, or over the bounds.
    """
    for row in source.rows():
        given = mapping(row.value)
        if _are_results(given):
            tasks = {str(task["id"]): task for task in sequence(given.get("tasks")) if "id" in mapping(task)}
            for index, simulation in enumerate(given["simulations"], 1):
                place = f"simulation {index}"
                if not _is_simulation(mapping(simulation)):
                    raise source.error("no simulation: it has no task_id and messages", place)
                yield _result(simulation, mapping(given["info"]), tasks, source, place)
        elif _is_simulation(given):
            yield _result(given, {}, {}, source, row.place)
        else:
            raise source.error("neither results with simulations nor a simulation", row.place)


def _are_results(row: Mapping[str, Any]) -> bool:
    return isinstance(row.get("simulations"), list) and isinstance(row.get("info"), Mapping)


def _is_simulation(row: Mapping[str, Any]) -> bool:
    said = isinstance(row.get("messages"), list) or isinstance(row.get("ticks"), list)
    return said and {"task_id", "termination_reason"} <= set(row)


def _result(
    simulation: Mapping[str, Any], info: Mapping[str, Any], tasks: Mapping[str, Any], source: Source, place: str
) -> AgentResult:
    given = _given(simulation)
    for index, message in enumerate(given):
        if not isinstance(message, Mapping) or not isinstance(message.get("role"), str):
            raise source.error(f"message {index} is no object with a role", place)
    notes = {index: _note(given, index, simulation.get("start_time")) for index in range(len(given))}
    about = _about(simulation, given, info, tasks)
    return conversation([_message(one) for one in given], source, NAME, place, about, notes=notes)


def _given(simulation: Mapping[str, Any]) -> list[Any]:
    """The messages as the file has them; several answers in one are one each."""
    messages = simulation.get("messages")
    if not isinstance(messages, list):
        ticks = sequence(simulation.get("ticks"))
        messages = sorted((said for tick in ticks for said in _said_in(mapping(tick))), key=_told_at)
    several = (sequence(one.get("tool_messages")) or [one] if isinstance(one, Mapping) else [one] for one in messages)
    return [one for ones in several for one in ones]


def _told_at(message: Mapping[str, Any]) -> str:
    return text(message.get("timestamp")) or ""


def _said_in(tick: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """What the agent and the user said and called in a tick of a spoken conversation, and what came of it."""
    for who, role in (("agent", "assistant"), ("user", "user")):
        chunk, calls = mapping(tick.get(f"{who}_chunk")), sequence(tick.get(f"{who}_tool_calls"))
        if chunk or calls:
            yield {"timestamp": tick.get("timestamp"), **chunk, "role": role, "tool_calls": calls}
        yield from (one for one in sequence(tick.get(f"{who}_tool_results")) if isinstance(one, Mapping))


def _message(given: Mapping[str, Any]) -> Message:
    """A message in OpenAI's form."""
    message: Message = {"role": given["role"], "content": given.get("content") or ""}
    if given["role"] == "tool":
        return {**message, "tool_call_id": given.get("id")}
    if calls := sequence(given.get("tool_calls")):
        message["tool_calls"] = [_call(mapping(call)) for call in calls]
    if thought := reasoning_of(mapping(_choice(given).get("message"))):
        message["reasoning_content"] = thought
    return message


def _call(given: Mapping[str, Any]) -> dict[str, Any]:
    arguments = given.get("arguments")
    written = arguments if isinstance(arguments, str) else codec.dumps(arguments or {}).decode()
    return {"id": given.get("id"), "type": "function", "function": {"name": given.get("name"), "arguments": written}}


def _choice(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """The choice in the provider's body that the message was made of."""
    choices = sequence(mapping(given.get("raw_data")).get("choices"))
    return mapping(choices[0]) if choices else {}


def _note(given: list[Any], index: int, start: Any) -> Note:
    """What is known of a message: it was written down when it was there, an answer right after what was before."""
    message = given[index]
    ended = between(start, message.get("timestamp"))
    if message["role"] == "tool":
        before = between(start, given[index - 1].get("timestamp")) if index else 0.0
        failure = _failure(message)
        if ended is None or before is None:
            return Note(failure=failure)
        return Note(failure=failure, at=min(before, ended), seconds=max(0.0, ended - before))
    body = mapping(message.get("raw_data"))
    seconds = max(0.0, number(message.get("generation_time_seconds")) or 0.0)
    is_agent = message["role"] == "assistant"
    return Note(
        at=None if ended is None else max(0.0, ended - seconds),
        seconds=seconds,
        given=is_agent and index == 0 and not (message.get("usage") or body or message.get("tool_calls")),
        usage=_usage(message) if is_agent else None,
        model=text(body.get("model")) if is_agent else None,
        finish_reason=text(_choice(message).get("finish_reason")),
        id=text(body.get("id")),
        raw=dict(body) or None,
    )


def _failure(message: Mapping[str, Any]) -> Any:
    if message.get("error") is not True:
        return None
    told = text(message.get("content")) or "the tool failed, and does not say why"
    is_unknown = told.startswith("Error: Tool ") and told.rstrip(". ").endswith("not found")
    return raised(told, "unknown_tool" if is_unknown else "exception")


def _usage(message: Mapping[str, Any]) -> Usage:
    counted = {**mapping(mapping(message.get("raw_data")).get("usage")), **mapping(message.get("usage"))}
    cost = number(message.get("cost"))
    return usage_from({**counted, **({} if cost is None else {"cost": cost})})


def _total(given: list[Any], role: str) -> Usage:
    """The usage of all messages of one party that a model was asked for."""
    counted = [_usage(one) for one in given if one["role"] == role and (one.get("usage") or one.get("cost"))]
    return sum(counted[1:], counted[0]) if counted else Usage()


def _about(simulation: Mapping[str, Any], given: list[Any], info: Mapping[str, Any], tasks: Mapping[str, Any]) -> About:
    agent, world = mapping(info.get("agent_info")), mapping(info.get("environment_info"))
    verdict, trial = mapping(simulation.get("reward_info")), simulation.get("trial")
    scores = {"reward": verdict.get("reward"), **mapping(verdict.get("reward_breakdown"))}
    commit, task = text(info.get("git_commit")), str(simulation["task_id"])
    ending = ENDINGS.get(str(simulation["termination_reason"]))
    return About(
        model=text(agent.get("llm")),
        tools=_tools(world.get("tool_defs")),
        started_at=text(simulation.get("start_time")) or "",
        sampling=mapping(agent.get("llm_args")),
        versions={"tau2": commit} if commit else {},
        task=task,
        attempt=trial if type(trial) is int else 0,
        scores={name: value for name, value in scores.items() if number(value) is not None},
        stop_reason=ending,
        error=_error(simulation) if ending in FAILED else None,
        usage=_total(given, "assistant"),
        seconds=number(simulation.get("duration")),
        meta=_meta(simulation, given, info, tasks.get(task)),
    )


def _tools(definitions: Any) -> list[Any]:
    """The agent's tools in OpenAI's form, of tau2's own: `name`, `doc` and `params`."""
    listed = definitions.values() if isinstance(definitions, Mapping) else sequence(definitions)
    return [
        {"type": "function", "function": {
            "name": tool["name"], "description": tool.get("doc") or "", "parameters": tool.get("params") or {}}}
        if "function" not in tool and "name" in tool else tool
        for tool in listed if isinstance(tool, Mapping)
    ]  # fmt: skip


def _error(simulation: Mapping[str, Any]) -> RunError:
    told = mapping(simulation.get("info"))
    message = text(told.get("error")) or text(told.get("error_message"))
    reason = str(simulation["termination_reason"])
    return RunError(type=text(told.get("error_type")) or reason, message=message or "the file does not say why")


USED = ("messages", "ticks", "task_id", "trial", "start_time", "duration", "effect_timeline")
SETTING = ("num_trials", "max_steps", "max_errors", "seed")


def _meta(simulation: Mapping[str, Any], given: list[Any], info: Mapping[str, Any], task: Any) -> dict[str, Any]:
    meta = {key: value for key, value in simulation.items() if key not in USED and value is not None}
    of_user = _total(given, "user")
    if of_user != Usage():
        meta["user_usage"] = {"prompt": of_user.prompt, "completion": of_user.completion, "cost": of_user.cost}
    known = {
        "task": task,
        "domain": mapping(info.get("environment_info")).get("domain_name"),
        "user_model": mapping(info.get("user_info")).get("llm"),
        "policy": mapping(info.get("environment_info")).get("policy"),
        "setting": {name: info[name] for name in SETTING if info.get(name) is not None},
    }
    return {**{key: value for key, value in known.items() if value}, **meta}
