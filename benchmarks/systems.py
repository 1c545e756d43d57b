"""The loops that are compared. Each maker takes the server's address and gives `run(prompt)`, one whole loop.

`bare` is what a careful person writes by hand: `create()` in a loop, tools that block on a pool that is large enough,
the calls of a turn together. `floor` is the same with the client's low-level `post`, which is spared the walk through
every message. Neither records anything, checks an argument or survives a tool that raises.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import uuid
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.task import PACE, SCHEMAS, STREAMED, SYSTEM, TOOLS, add, echo

Run = Callable[[str], Awaitable[Any]]
Message = dict[str, Any]


def bare(url: str) -> Run:
    """`AsyncOpenAI().chat.completions.create` in a loop."""
    client = _client(url)

    async def ask(messages: list[Message]) -> Any:
        answer = await client.chat.completions.create(model="stub", messages=messages, tools=SCHEMAS)
        return answer.choices[0].message

    async def listen(prompt: str) -> str:
        messages: Any = [{"role": "user", "content": prompt}]
        coming = await client.chat.completions.create(model="stub", messages=messages, stream=True)
        return "".join([chunk.choices[0].delta.content or "" async for chunk in coming])

    return _either(listen, partial(_by_hand, ask, ThreadPoolExecutor(256)))


def floor(url: str, aiohttp: bool = False) -> Run:
    """The same loop through `post`, with the typed answer."""
    from openai.types.chat import ChatCompletion

    client = _client(url, aiohttp)

    async def ask(messages: list[Message]) -> Any:
        body = {"model": "stub", "messages": messages, "tools": SCHEMAS}
        answer = await client.post("/chat/completions", cast_to=ChatCompletion, body=body)
        return answer.choices[0].message

    async def listen(prompt: str) -> str:
        from openai import AsyncStream

        body = {"model": "stub", "messages": [{"role": "user", "content": prompt}], "stream": True}
        kinds: Any = {"cast_to": object, "stream_cls": AsyncStream[object]}
        coming = await client.post("/chat/completions", body=body, stream=True, **kinds)
        return "".join([chunk["choices"][0]["delta"].get("content", "") async for chunk in coming])

    return _either(listen, partial(_by_hand, ask, ThreadPoolExecutor(256)))


def ours(url: str, aiohttp: bool = False, journals: str | None = None) -> Run:
    """HermesAgentLoop as a reader writes it, everything on; with `journals`, a folder, every run is journaled there."""
    import hermes_nb

    server = hermes_nb.OpenAIServer(model="stub", base_url=url, api_key="none", aiohttp=aiohttp)
    loop = hermes_nb.HermesAgentLoop(server, tools=[add, echo], system=SYSTEM, max_turns=1000)

    async def run(prompt: str) -> Any:
        pieces: list[Any] = []
        streamed = STREAMED in prompt
        path = None if journals is None else Path(journals, f"bench-{uuid.uuid4().hex}.jsonl")
        result = await loop.run(prompt, stream=streamed, on_event=pieces.append if streamed else None, journal=path)
        if path is not None:
            path.unlink()
        assert result.ok, result.error
        assert not result.tool_errors, result.tool_errors
        return result

    return run


SYSTEMS: dict[str, Callable[[str], Run]] = {
    "bare": bare,
    "floor": floor,
    "floor, aiohttp": partial(floor, aiohttp=True),
    "ours": ours,
    "ours, aiohttp": partial(ours, aiohttp=True),
    "ours, journal": partial(ours, journals=tempfile.gettempdir()),
    "ours, journal in memory": partial(ours, journals="/dev/shm"),
}


def _either(listen: Run, by_hand: Run) -> Run:
    return lambda prompt: listen(prompt) if STREAMED in prompt else by_hand(prompt)


def _client(url: str, aiohttp: bool = False) -> Any:
    import openai

    return openai.AsyncOpenAI(
        base_url=url, api_key="none", http_client=openai.DefaultAioHttpClient() if aiohttp else None
    )


async def _by_hand(ask: Callable[[list[Message]], Awaitable[Any]], pool: ThreadPoolExecutor, prompt: str) -> Any:
    messages: list[Message] = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": prompt}]
    while (message := await ask(messages)).tool_calls:
        calls = [(call.id, call.function.name, call.function.arguments) for call in message.tool_calls]
        entries = [
            {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}
            for call_id, name, arguments in calls
        ]
        messages.append({"role": "assistant", "content": message.content, "tool_calls": entries})
        answers = await _answers(calls, pool)
        messages.extend(
            {"role": "tool", "tool_call_id": call_id, "content": answer}
            for (call_id, _, _), answer in zip(calls, answers, strict=True)
        )
    messages.append({"role": "assistant", "content": message.content})
    return messages


async def _answers(calls: list[tuple[str, str, str]], pool: ThreadPoolExecutor) -> list[str]:
    if not PACE.pause:
        return [_answer(name, arguments) for _, name, arguments in calls]
    loop = asyncio.get_running_loop()
    return await asyncio.gather(*(loop.run_in_executor(pool, _answer, name, arguments) for _, name, arguments in calls))


def _answer(name: str, arguments: str) -> str:
    return json.dumps(TOOLS[name](**json.loads(arguments)))
