"""Runs in Atropos's environment: our loop over its servers and over ours, on one stub of vLLM; tells what each kept."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import warnings
from dataclasses import asdict
from typing import Any

import atroposlib.envs.server_handling.managed_server as theirs
from atroposlib.envs.server_handling.server_baseline import APIServerConfig
from atroposlib.envs.server_handling.server_manager import ServerManager
from transformers import PreTrainedTokenizerFast

import hermes_nb as hn
from hermes_nb.parsers import get_parser
from hermes_nb.servers.managed.template import HERMES
from hermes_nb.servers.scripted.listener import Received, listen
from hermes_nb.training import to_training
from tests.servers.byte_pairs import add, byte_pairs, call_text, logprobs_of, sampled
from tests.servers.token_servers import said

TEMPLATE = "{% set tools = none %}" + HERMES
"""Without vLLM, Atropos leaves the tools out of the prompt; so does this, for both."""

REPLIES = [sampled(call_text(a=2, b=3), range(0, 300, 2)), sampled("It is 5.", range(99))]
QUESTION = "What is 2 + 3?"


class Stub:
    """vLLM's /generate, as Atropos asks it: a new script for every run."""

    def __init__(self) -> None:
        self.replies = [list(one) for one in REPLIES]
        self.prompts: list[list[int]] = []

    async def respond(self, received: Received) -> Any:
        if received.path != "/generate":
            return said({"data": []})
        self.prompts.append(json.loads(received.body)["prompt"]["prompt_token_ids"])
        ids = self.replies.pop(0)
        rows = [[{str(token): logprob}] for token, logprob in zip(ids, logprobs_of(ids), strict=True)]
        return said({"logprobs": [rows], "finish_reasons": ["stop"]})


class ByHand:
    """Atropos's ManagedServer, which reads no calls without vLLM: they are read here, and sent back as they came."""

    def __init__(self, managed: Any) -> None:
        self.managed, self.texts = managed, dict[str, str]()
        self.get_state = managed.get_state

    async def chat_completion(self, *, messages: Any, tools: Any = None, **more: Any) -> dict[str, Any]:
        """Ask with the model's own words in the history, and read its calls."""
        own = [
            {"role": one["role"], "content": self.texts.get(json.dumps(one.get("tool_calls")), one["content"])}
            for one in messages
        ]
        answer = await self.managed.chat_completion(messages=own, tools=tools, **more)
        text = answer.choices[0].message.content
        parsed = get_parser("hermes", tools).parse(text)
        calls = [
            {"id": f"call_{at}", "type": "function", "function": {"name": one.name, "arguments": one.arguments}}
            for at, one in enumerate(parsed.calls)
        ]
        message = {"role": "assistant", "content": parsed.content, **({"tool_calls": calls} if calls else {})}
        if calls:
            self.texts[json.dumps(calls)] = text
        return {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}


def told(result: Any, stub: Stub) -> dict[str, Any]:
    """What a run came to."""
    [node] = result.managed_state["nodes"]
    names = ("full_text", "tokens", "masked_tokens", "logprobs")
    return {
        "answer": result.final_text,
        "results": [one.content for one in result.results],
        "node": {name: getattr(node, name) for name in names},
        "finish_reason": node.metadata["finish_reason"],
        "training": [[one.tokens, one.masks, one.logprobs] for one in to_training(result, 1.0)],
        "prompts": stub.prompts,
        "readable": theirs.SequenceNode.model_validate(
            node.model_dump() if hasattr(node, "model_dump") else asdict(node)
        ).tokens
        == node.tokens,
    }


async def main(folder: str) -> dict[str, Any]:
    """The same run over three servers."""
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=byte_pairs(), chat_template=TEMPLATE)
    tokenizer.save_pretrained(folder)
    found = {}
    for kind in ("their managed server", "ours over their server manager", "ours over their managed server's engine"):
        stub = Stub()
        async with listen(stub.respond) as url:
            config = APIServerConfig(
                model_name="m", tokenizer_name=folder, base_url=f"{url}/v1", api_key="x", server_type="vllm",
                health_check=False, timeout=30,
            )  # fmt: skip
            manager = ServerManager([config])
            if kind.startswith("their"):
                async with manager.managed_server(tokenizer=tokenizer) as managed:
                    result = await run(ByHand(managed))
            else:
                engine = manager if kind.endswith("manager") else manager.servers[0]
                result = await run(hn.ManagedServer(engine, tokenizer, template=TEMPLATE))
            found[kind] = told(result, stub)
    return found


async def run(server: Any) -> Any:
    """Two turns with a tool."""
    return await hn.HermesAgentLoop(server, tools=[add], max_tokens=64).run(QUESTION)


if __name__ == "__main__":
    warnings.simplefilter("error", UserWarning)
    with tempfile.TemporaryDirectory() as place:
        sys.stdout.write("\n" + json.dumps(asyncio.run(main(place))))
