"""Runs to draw: none, one and many, with errors, waits and tokens, the same every time."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from hermes_nb.records import AgentResult, Reply, ToolCall, ToolError, ToolResult, Turn, Usage
from tests.stats.made import MADE

TOOLS = ("search_flights", "get_user_details", "update_reservation_flights", "calculate", "transfer_to_human")
WRONG = [("bad_arguments", "model"), ("bad_json", "model"), ("exception", "tool"), ("timeout", "environment")]


def run(seed: int, turns: int, tools: Sequence[str] = TOOLS, task: str | None = None) -> AgentResult:
    """A run of that many turns, the last of them an answer."""
    random, at, prompt, made = Random(seed), 0.0, 1800, []
    for number in range(1, turns + 1):
        names = [] if number == turns else random.choices(tools, k=random.choice([1, 1, 2, 3]))
        calls = tuple(
            ToolCall(name=name, arguments=str(random.randrange(3)), id=f"c{number}_{place}", turn=number, index=place)
            for place, name in enumerate(names)
        )  # fmt: skip
        model, said = random.uniform(0.4, 3), random.randrange(20, 260)
        usage = Usage(prompt=prompt, completion=said, total=prompt + said)
        reply = Reply(message={"role": "assistant"}, calls=calls, seconds=model, first_token_at=at + 0.1, usage=usage)
        results = tuple(answered(call, at + model, random, tools) for call in calls)
        longest = max((one.queued + one.seconds for one in results), default=0.0)
        made.append(
            Turn(
                number=number, reply=reply, results=results, at=at, seconds=model + longest, model_seconds=model,
                tool_seconds=longest,
            )
        )  # fmt: skip
        at, prompt = at + model + longest, prompt + said + random.randrange(50, 900)
    return AgentResult(
        messages=[], run_id=f"run-{seed}", task=task or f"airline {seed}", turns=tuple(made), stop_reason="finished",
        seconds=at, provenance=MADE,
    )  # fmt: skip


def answered(call: ToolCall, at: float, random: Random, tools: Sequence[str]) -> ToolResult:
    seconds = random.uniform(0.02, 0.08) * 4 ** (list(tools).index(call.name) % 5)
    queued = random.choice([0.0, 0.0, 0.2])
    error = None
    if random.random() < 0.25:
        kind, fault = random.choice(WRONG)
        error = ToolError(call.turn, call.name, call.arguments, "boom", "boom", kind=kind, fault=fault)  # type: ignore[arg-type]
    return ToolResult(call=call, content="", error=error, queued=queued, started=at + queued, seconds=seconds)


NONE: list[AgentResult] = []
ONE = run(7, 13)
MANY = [run(seed, 3 + seed * 7 % 18) for seed in range(12)]
HOSTILE = [
    "$\\frac{1}{0}$", "a$b", "rm\x1b[2J\x07", "user\u202etxt.exe", "read\u200b_file", "a\nb", "工具", "x" * 400,
    "y" * 400, "<script>alert(1)</script>", "{\\unclosed $", "\ud800", "e" + "\u0301" * 300, "", "_",
]  # fmt: skip
