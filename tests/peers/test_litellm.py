"""litellm's proxy: with replies of its own, and in front of a scripted server."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hermes_nb.loop import HermesAgentLoop
from hermes_nb.servers import OpenAIServer, ScriptedServer, call

KEY = "sk-litellm-master-1234"
CALLS = [{"id": "call_a", "type": "function", "function": {"name": "add", "arguments": '{"a": 2, "b": 3}'}}]


def add(a: int, b: int) -> int:
    """Add two whole numbers."""
    return a + b


def behind(request: dict[str, Any]) -> Any:
    """The model behind the proxy: it adds once, and then says what came of it."""
    if request["messages"][-1]["role"] == "tool":
        return f"It is {request['messages'][-1]['content']}."
    return call("add", a=2, b=3) if request.get("tools") else "Hello"


@pytest.fixture(scope="module")
def scripted() -> Iterator[str]:
    """The address of a scripted server with an event loop of its own: the proxy outlives the loops of the tests."""
    started, done = threading.Event(), asyncio.Event()
    known: dict[str, Any] = {}

    async def serve() -> None:
        async with ScriptedServer(behind, model="m").serve() as base_url:
            known.update(url=base_url, loop=asyncio.get_running_loop())
            started.set()
            await done.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    started.wait()
    yield known["url"]
    known["loop"].call_soon_threadsafe(done.set)
    thread.join()


@pytest.fixture(scope="module")
def address(environment, serving, scripted: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The proxy's, with three models: `speaks`, `calls`, and `m`, the scripted server behind it."""
    commands = environment("litellm", "litellm[proxy]")
    own = {"model": "openai/x", "api_key": "none"}
    models = {
        "speaks": {**own, "mock_response": "It is 5."},
        "calls": {**own, "mock_tool_calls": CALLS},
        "m": {"model": "openai/m", "api_base": scripted, "api_key": "none"},
    }
    listed = [{"model_name": name, "litellm_params": settings} for name, settings in models.items()]
    config: Path = tmp_path_factory.mktemp("litellm") / "config.yaml"
    config.write_text(json.dumps({"model_list": listed, "general_settings": {"master_key": KEY}}))
    command = [commands / "litellm", "--config", config]
    with serving(command, healthy="/v1/models", LITELLM_LOCAL_MODEL_COST_MAP="True") as found:
        yield f"{found}/v1"


@pytest.mark.parametrize("stream", [False, True])
async def test_a_mock_reply_ends_a_run(address: str, stream: bool) -> None:
    server = OpenAIServer("speaks", base_url=address, api_key=KEY)
    result = await HermesAgentLoop(server, tools=[add]).run("What is 2 + 3?", stream=stream)
    await server.close()

    assert (result.stop_reason, result.final_text) == ("finished", "It is 5."), result.error


async def test_mock_calls_are_run(address: str) -> None:
    server = OpenAIServer("calls", base_url=address, api_key=KEY)
    result = await HermesAgentLoop(server, tools=[add], max_turns=2).run("What is 2 + 3?")
    await server.close()

    assert (result.stop_reason, [one.content for one in result.results]) == ("max_turns", ["5", "5"]), result.error


@pytest.mark.parametrize("stream", [False, True])
async def test_a_whole_run_goes_through_the_proxy(address: str, stream: bool) -> None:
    server = OpenAIServer("m", base_url=address, api_key=KEY)
    result = await HermesAgentLoop(server, tools=[add]).run("What is 2 + 3?", stream=stream)
    await server.close()

    assert (result.stop_reason, result.turns_used, result.final_text) == ("finished", 2, "It is 5."), result.error


async def test_a_wrong_key_is_told(address: str) -> None:
    server = OpenAIServer("m", base_url=address, api_key="sk-wrong-wrong-wrong")
    result = await HermesAgentLoop(server).run("Hi")
    await server.close()

    assert result.stop_reason == "server_error"
    assert result.error.status in (400, 401, 403)


async def test_the_proxy_is_checked(address: str) -> None:
    server = OpenAIServer("m", base_url=address, api_key=KEY)
    found = await server.check()
    await server.close()

    assert (set(found.models or ()), found.tools, found.streaming) == ({"speaks", "calls", "m"}, "calls", True), found
