"""`transformers serve` with a tiny model of Qwen2's shape, trained for seconds to call a tool and then to answer."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from hermes_nb.loop import HermesAgentLoop
from hermes_nb.messages import Message
from hermes_nb.servers import OpenAIServer
from hermes_nb.servers.openai.checking import ASKED_TO_LOOK, ASKED_TO_SAY

HERE = Path(__file__).resolve().parent


def called(*calls: str) -> str:
    """Calls as Hermes and Qwen models write them."""
    return "\n".join(f"<tool_call>\n{call}\n</tool_call>" for call in calls)


def question(text: str) -> list[Message]:
    return [{"role": "user", "content": text}]


ADDING = [
    *question("What is 2 + 3?"),
    {"role": "assistant", "content": None, "tool_calls": [{"type": "function", "function": {"name": "add"}}]},
    {"role": "tool", "content": "5"},
]
LOOK = '{"name": "look", "arguments": {"box": "A"}}'
SAMPLES = [
    (ADDING[:1], called('{"name": "add", "arguments": {"a": 2, "b": 3}}')),
    (ADDING, "It is 5."),
    (question(ASKED_TO_SAY), "OK"),
    (question(ASKED_TO_LOOK), called(LOOK, LOOK.replace("A", "B"))),
]


def add(a: int, b: int) -> int:
    """Add two whole numbers."""
    return a + b


@pytest.fixture(scope="module")
def server_at(environment, serving, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The address, and the model's name, which is the folder it is in."""
    commands = environment("transformers", "torch", "transformers[serving]")
    folder = tmp_path_factory.mktemp("tiny")
    samples = json.dumps(SAMPLES).encode()
    subprocess.run([commands / "python", HERE / "tiny_model.py", folder / "model"], input=samples, check=True)
    (folder / "home" / "hub").mkdir(parents=True)
    command = [commands / "transformers", "serve", folder / "model", "--device", "cpu", "--dtype", "float32"]
    with serving(command, healthy="/v1/models", HF_HUB_OFFLINE="1", HF_HOME=str(folder / "home")) as address:
        yield f"{address}/v1", str(folder / "model")


@pytest.mark.parametrize("stream", [False, True])
async def test_a_whole_run_with_a_real_model(server_at: tuple[str, str], stream: bool) -> None:
    address, model = server_at
    server = OpenAIServer(model, base_url=address)
    loop = HermesAgentLoop(server, tools=[add], temperature=0.0, max_tokens=64, max_turns=4)
    result = await loop.run("What is 2 + 3?", stream=stream)
    await server.close()

    assert [(one.name, one.parsed) for one in result.calls] == [("add", {"a": 2, "b": 3})], result.error or result.turns
    assert (result.stop_reason, result.final_text) == ("finished", "It is 5."), result


async def test_the_server_is_checked(server_at: tuple[str, str]) -> None:
    address, model = server_at
    server = OpenAIServer(model, base_url=address)
    found = await server.check()
    await server.close()

    assert (found.tools, found.parallel_calls, found.streaming, found.usage_in_streams) == ("calls", True, True, True)
