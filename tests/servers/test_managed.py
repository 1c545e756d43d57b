"""A chat server made of one that is asked for tokens: what it keeps, and what its model is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

import hermes_nb as hn
from hermes_nb.exceptions import ConfigurationError, ServerError
from hermes_nb.servers.managed import Generated, ManagedServer, SGLang
from hermes_nb.servers.scripted.listener import Received, listen
from hermes_nb.servers.scripted.wire import Answer

CALL = '<tool_call>\n{"name": "add",   "arguments": {"a": 2, "b": 3}}\n</tool_call>'
BROKEN = '<tool_call>\n{"name": "add", "arguments": {"a": 2, "b": }}\n</tool_call>'


class Letters:
    """A tokenizer with a token for every character."""

    def encode(self, text: str) -> list[int]:
        return [ord(letter) for letter in text]

    def decode(self, ids: Sequence[int]) -> str:
        return "".join(chr(one) for one in ids)


class Engine:
    """Writes what it is told to, one text a request."""

    def __init__(self, *texts: str, finish_reason: str = "stop") -> None:
        self.texts, self.finish_reason, self.prompts = list(texts), finish_reason, list[list[int]]()

    async def generate(self, prompt: Sequence[int], *, text: str, **sampling: Any) -> Generated:
        self.prompts.append(list(prompt))
        await asyncio.sleep(0)
        ids = Letters().encode(self.texts.pop(0))
        return Generated(tokens=tuple(ids), logprobs=(-0.5,) * len(ids), finish_reason=self.finish_reason)


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def written(node: Any) -> str:
    return Letters().decode([token for token in node.masked_tokens if token != -100])


async def test_a_run_with_tools_is_one_sequence_whose_unmasked_tokens_are_the_models_own() -> None:
    server = ManagedServer(Engine(CALL, "It is 5."), Letters())
    result = await hn.HermesAgentLoop(server, tools=[add]).run("What is 2 + 3?")

    [node] = result.managed_state["nodes"]
    assert written(node) == CALL + "It is 5."
    assert len(node.tokens) == len(node.masked_tokens) == len(node.logprobs)
    assert {logprob for token, logprob in zip(node.masked_tokens, node.logprobs, strict=True) if token == -100} == {1.0}
    assert result.messages[-1]["content"] == "It is 5."


async def test_a_broken_call_is_answered_and_loses_none_of_the_others() -> None:
    server = ManagedServer(Engine(CALL + "\n" + BROKEN, "Done."), Letters())
    result = await hn.HermesAgentLoop(server, tools=[add]).run("What is 2 + 3?")

    assert [error.kind for error in result.tool_errors] == ["bad_json"]
    assert next(message["content"] for message in result.messages if message["role"] == "tool") == "5"
    assert len(result.managed_state["nodes"]) == 1


async def test_the_engines_word_for_a_reply_that_was_cut_off_is_kept() -> None:
    reply = await ManagedServer(Engine(CALL, finish_reason="length"), Letters()).ask("Hello")

    assert reply.finish_reason == "length"
    assert reply.source_text == CALL


async def test_a_template_that_opens_a_thought_has_it_read_as_reasoning_and_gone_on_from() -> None:
    template = (
        "{% for m in messages %}[{{ m.role }}]{{ m.content }};{% endfor %}"
        "{{ '[assistant]<think>' if add_generation_prompt }}"
    )
    server = ManagedServer(Engine("hm</think>yes", "so</think>no"), Letters(), template=template)
    asked = [{"role": "user", "content": "a"}]
    first = await server.ask(asked)
    await server.ask([*asked, first.message, {"role": "user", "content": "b"}])

    [node] = server.get_state()["nodes"]
    assert (first.reasoning, first.text) == ("hm", "yes")
    assert written(node) == "hm</think>yesso</think>no"


async def test_runs_at_once_that_were_told_the_same_are_a_sequence_each() -> None:
    server = ManagedServer(Engine(CALL, CALL, "Five.", "Five."), Letters())
    loop = hn.HermesAgentLoop(server, tools=[add])
    await asyncio.gather(loop.run("What is 2 + 3?"), loop.run("What is 2 + 3?"))

    assert [written(node) for node in server.get_state()["nodes"]] == [CALL + "Five."] * 2


async def test_a_request_that_failed_can_be_asked_again_and_goes_on() -> None:
    engine = Engine("one")
    server = ManagedServer(engine, Letters())
    asked = [{"role": "user", "content": "a"}]
    reply = await server.ask(asked)
    following = [*asked, reply.message, {"role": "user", "content": "b"}]
    with pytest.raises(ServerError):
        await server.ask(following)
    assert [written(node) for node in server.get_state()["nodes"]] == ["one"]

    engine.texts.append("two")
    await server.ask(following)
    assert [written(node) for node in server.get_state()["nodes"]] == ["onetwo"]


async def test_a_changed_history_warns_and_begins_a_second_sequence() -> None:
    server = ManagedServer(Engine("one", "two"), Letters(), template=(
        "{% for m in messages %}{{ m.content if loop.last else '-' }};{% endfor %}"
    ))  # fmt: skip
    first = [{"role": "user", "content": "a"}]
    reply = await server.ask(first)
    with pytest.warns(UserWarning, match="rewrites what came before, from character 0"):
        await server.ask([*first, reply.message, {"role": "user", "content": "b"}])

    assert [written(node) for node in server.get_state()["nodes"]] == ["one", "two"]


async def test_several_answers_are_sequences_of_their_own() -> None:
    server = ManagedServer(Engine("one", "two"), Letters())
    body = await server.chat_completion(messages=[{"role": "user", "content": "a"}], n=2)

    assert [choice["message"]["content"] for choice in body["choices"]] == ["one", "two"]
    assert [written(node) for node in server.get_state()["nodes"]] == ["one", "two"]
    server.reset()
    assert server.get_state() == {"nodes": []}


async def test_a_completion_goes_on_with_the_tokens_of_the_text_before() -> None:
    server = ManagedServer(Engine("b", "d"), Letters())
    await server.completion(prompt="a")
    await server.completion(prompt="abc")

    [node] = server.get_state()["nodes"]
    assert node.masked_tokens == [-100, ord("b"), -100, ord("d")]


async def test_without_a_parser_all_is_text() -> None:
    reply = await ManagedServer(Engine(CALL), Letters(), parser=None).ask("Hello", [add])

    assert (reply.text, reply.calls) == (CALL, ())


@pytest.mark.parametrize("hostile", ["{{ ''.__class__.__mro__ }}", "{{ messages.append(1) }}"])
async def test_a_hostile_template_reaches_nothing(hostile: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot render"):
        await ManagedServer(Engine("x"), Letters(), template=hostile).ask("Hello")


@asynccontextmanager
async def served(body: dict[str, Any], seen: list[Received]) -> AsyncIterator[str]:
    async def respond(received: Received) -> Answer:
        seen.append(received)
        content = json.dumps(body).encode()
        return Answer(pieces=(content,), length=len(content), headers={"content-type": "application/json"})

    async with listen(respond) as url:
        yield url


@pytest.mark.parametrize("told", [{"token_ids": [72, 105]}, {}])
async def test_vllm_is_asked_for_ids_and_tells_them_either_way(told: dict[str, Any]) -> None:
    logprobs = {"tokens": ["token_id:72", "token_id:105"], "token_logprobs": [-0.1, -0.2]}
    seen: list[Received] = []
    async with served(
        {"choices": [{"text": "Hi", "finish_reason": "stop", "logprobs": logprobs, **told}]}, seen
    ) as url:
        server = hn.OpenAIServer(model="m", base_url=f"{url}/v1", api_key="x")
        reply = await ManagedServer(server, Letters()).ask("Hello")
        await server.close()

    assert (reply.text, seen[0].path) == ("Hi", "/v1/completions")
    assert reply.usage.completion == 2


async def test_sglang_is_asked_at_generate() -> None:
    meta = {"output_token_logprobs": [[-0.1, 72, None], [-0.2, 105, None]], "finish_reason": {"type": "length"}}
    seen: list[Received] = []
    async with served({"text": "Hi", "meta_info": meta}, seen) as url:
        server = hn.OpenAIServer(model="m", base_url=url, api_key="x")
        reply = await ManagedServer(SGLang(server), Letters()).ask("Hello", max_tokens=7)
        await server.close()

    assert (reply.text, reply.finish_reason) == ("Hi", "length")
    assert json.loads(seen[0].body)["sampling_params"]["max_new_tokens"] == 7


async def test_an_engine_that_tells_no_tokens_is_named() -> None:
    async with served({"choices": [{"text": "Hi", "finish_reason": "stop"}]}, []) as url:
        server = hn.OpenAIServer(model="m", base_url=f"{url}/v1", api_key="x")
        with pytest.raises(ServerError, match="without token ids"):
            await ManagedServer(server, Letters()).ask("Hello")
        await server.close()
