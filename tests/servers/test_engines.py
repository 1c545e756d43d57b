"""The three kinds of engines over real sockets: the same run, and the same tokens of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

import hermes_nb as hn
from hermes_nb.exceptions import ConfigurationError, ServerError
from hermes_nb.servers.managed import ManagedServer, SGLang
from hermes_nb.servers.scripted.listener import Received, listen
from hermes_nb.servers.scripted.wire import Answer
from tests.servers.byte_pairs import END, Sampling, add, byte_pairs, call_text, ids_of, logprobs_of, sampled
from tests.servers.token_servers import Atropos, TokenServer, said

REPLIES = (sampled(call_text(a=2, b=3), range(200)) + ids_of(END), sampled("It is 5.", [2]) + ids_of(END))
KINDS = ("completions", "named", "sglang", "atropos")


@asynccontextmanager
async def engine(kind: str, *replies: Sequence[int], **settings: Any) -> AsyncIterator[tuple[Any, Any]]:
    """An engine over what answers it, and that."""
    if kind == "atropos":
        asked = Atropos(*replies, **settings)
        yield asked, asked
        return
    served = TokenServer(*replies, named=kind == "named", **settings)
    async with served.serve() as url:
        path = "" if kind == "sglang" else "/v1"
        server = hn.OpenAIServer("m", base_url=f"{url}{path}", api_key="x")
        yield SGLang(server) if kind == "sglang" else server, served
        await server.close()


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("kind", KINDS)
async def test_every_engine_gives_the_same_node_for_a_run_with_tools(kind: str, stream: bool) -> None:
    async with engine(kind, *REPLIES) as (asked, served):
        loop = hn.HermesAgentLoop(ManagedServer(asked, byte_pairs()), tools=[add])
        result = await loop.run("What is 2 + 3?", stream=stream)
        by_hand = ManagedServer(Sampling(*REPLIES), byte_pairs())
        expected = (await hn.HermesAgentLoop(by_hand, tools=[add]).run("What is 2 + 3?")).managed_state

    assert result.final_text == "It is 5."
    assert result.managed_state == expected
    [node] = result.managed_state["nodes"]
    assert [token for token in node.masked_tokens if token != -100] == [*REPLIES[0], *REPLIES[1]]
    assert [one for one in node.logprobs if one != 1.0] == [*logprobs_of(REPLIES[0]), *logprobs_of(REPLIES[1])]
    name = {"sglang": "input_ids", "atropos": "input_ids"}.get(kind, "prompt")
    assert node.tokens == [*served.bodies[1][name], *REPLIES[1]]


@pytest.mark.parametrize("kind", KINDS)
async def test_every_engine_is_told_the_most_tokens_and_says_when_they_were_reached(kind: str) -> None:
    async with engine(kind, sampled("It is"), finish_reason="length") as (asked, served):
        reply = await ManagedServer(asked, byte_pairs()).ask("?", max_completion_tokens=3, temperature=0.5)

    told = served.bodies[0].get("sampling_params", served.bodies[0])
    assert reply.finish_reason == "length"
    assert told.get("max_new_tokens", told.get("max_tokens")) == 3
    assert told["temperature"] == 0.5


async def test_vllms_text_is_streamed_as_it_is_written() -> None:
    async with engine("completions", sampled("Yes.", range(9))) as (asked, served):
        server = ManagedServer(asked, byte_pairs())
        chunks = [one async for one in server.stream(messages=[{"role": "user", "content": "a"}])]

    assert [one["choices"][0]["delta"].get("content") for one in chunks] == ["Y", "e", "s", ".", None]
    assert served.bodies[0]["stream"] is True


async def test_a_stream_of_tokens_that_is_cut_is_an_error_and_leaves_no_node() -> None:
    async def cut(received: Received) -> Answer:
        chunk = b'data: {"choices":[{"index":0,"text":"Y","token_ids":[60],"logprobs":{"token_logprobs":[-1]}}]}\n\n'
        return Answer(pieces=[chunk], headers={"content-type": "text/event-stream"})

    async with listen(cut) as url:
        server = hn.OpenAIServer("m", base_url=f"{url}/v1", api_key="x")
        managed = ManagedServer(server, byte_pairs())
        result = await hn.HermesAgentLoop(managed).run("?", stream=True)
        await server.close()

    assert (result.stop_reason, result.error.type) == ("server_error", "StreamCut")
    assert managed.get_state() == {"nodes": []}


BROKEN: list[tuple[dict[str, Any], str]] = [
    ({"choices": [{"token_ids": [1, 2], "logprobs": {"token_logprobs": [-1.0]}}]}, "2 tokens came with 1 log"),
    ({"choices": [{"token_ids": [1], "logprobs": {"token_logprobs": [None]}}]}, "1 tokens came with 1 log"),
    ({"choices": [{"token_ids": [1], "text": "a"}]}, "without log-probabilities"),
    ({"choices": [{"text": "a", "logprobs": {"tokens": ["a"], "token_logprobs": [-1.0]}}]}, "without token ids"),
    ({"choices": []}, "without token ids"),
]


@pytest.mark.parametrize(("body", "told"), BROKEN)
async def test_an_answer_whose_tokens_do_not_fit_is_an_error_that_names_it(body: dict[str, Any], told: str) -> None:
    async def broken(received: Received) -> Answer:
        return said(body)

    async with listen(broken) as url:
        server = hn.OpenAIServer("m", base_url=f"{url}/v1", api_key="x")
        with pytest.raises(ServerError, match=told):
            await ManagedServer(server, byte_pairs()).ask("?")
        await server.close()


async def test_what_is_no_answer_of_atroposs_method_is_named() -> None:
    class Odd(Atropos):
        async def tokens_and_logprobs_completion(self, **asked: Any) -> Any:
            return [1], [[2], [3]], [[-1.0]], ["stop"]

    with pytest.raises(ServerError, match="each list of one"):
        await ManagedServer(Odd(), byte_pairs()).ask("?")


def test_a_server_of_chat_alone_is_no_engine() -> None:
    with pytest.raises(ConfigurationError, match="an engine that tells its tokens"):
        ManagedServer(hn.ScriptedServer(["x"]), byte_pairs())
