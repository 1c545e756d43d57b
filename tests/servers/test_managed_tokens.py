"""What the model sampled is what is kept, with a tokenizer that would make other tokens of the same text."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hermes_nb as hn
from hermes_nb import frames, sequences
from hermes_nb.servers.assemble import Assembly
from hermes_nb.servers.managed import Generated, ManagedServer, SequenceNode
from hermes_nb.servers.managed.vocabulary import Vocabulary
from tests.servers.byte_pairs import (
    END,
    Sampling,
    Streaming,
    add,
    byte_pairs,
    call_text,
    ids_of,
    logprobs_of,
    sampled,
)  # fmt: skip

CALL = call_text(a=2, b=3)
EVERYWHERE = range(10_000)


def managed(engine: Any, **settings: Any) -> ManagedServer:
    return ManagedServer(engine, byte_pairs(), **settings)


def written(node: SequenceNode) -> list[int]:
    return [token for token in node.masked_tokens if token != sequences.MASKED]


def check(node: SequenceNode, replies: Sequence[Sequence[int]]) -> None:
    """The node's lists fit each other, and what is not masked is these replies, each token with its own logprob."""
    assert len(node.tokens) == len(node.masked_tokens) == len(node.logprobs)
    assert written(node) == [token for reply in replies for token in reply]
    for token, mask, logprob in zip(node.tokens, node.masked_tokens, node.logprobs, strict=True):
        assert (mask, logprob) in ((token, logprobs_of([token])[0]), (-100, 1.0))


async def test_tokens_that_were_sampled_are_reused_where_their_text_would_be_other_tokens() -> None:
    first, last = [*sampled(CALL, EVERYWHERE), *ids_of(END)], sampled("It is 5.", [1, 4]) + ids_of(END)
    engine = Sampling(first, last)
    assert ids_of(CALL) != first[:-1]
    result = await hn.HermesAgentLoop(managed(engine), tools=[add]).run("What is 2 + 3?")

    [node] = result.managed_state["nodes"]
    assert result.messages[-1]["content"] == "It is 5."
    assert engine.prompts[1][: len(engine.prompts[0]) + len(first)] == [*engine.prompts[0], *first]
    check(node, [first, last])
    assert node.full_text == byte_pairs().decode(node.tokens, skip_special_tokens=False)
    assert node.tokens != ids_of(node.full_text)


async def test_a_reply_without_the_special_token_at_its_end_is_gone_on_from_all_the_same() -> None:
    first, last = sampled(CALL, [3, 17]), sampled("5")
    result = await hn.HermesAgentLoop(managed(Sampling(first, last)), tools=[add]).run("What is 2 + 3?")

    [node] = result.managed_state["nodes"]
    check(node, [first, last])


TURNS = st.lists(
    st.one_of(
        st.tuples(st.just("call"), st.integers(-9, 10**6), st.integers(0, 9)),
        st.tuples(st.just("both"), st.text("aé日🎉 <", max_size=8), st.integers(0, 9)),
    ),
    min_size=1,
    max_size=2,
)


@settings(max_examples=40, deadline=None)
@given(
    turns=TURNS,
    answer=st.text(st.sampled_from("ab é日🎉\n.<|"), max_size=12),
    cuts=st.lists(st.integers(0, 120), max_size=12),
    ends=st.booleans(),
    streamed=st.booleans(),
)
async def test_any_run_with_tools_is_one_node_whose_unmasked_tokens_are_the_sampled_ones(
    turns: list[tuple[str, Any, int]], answer: str, cuts: list[int], ends: bool, streamed: bool
) -> None:
    texts = [
        call_text(a=one, b=two) if kind == "call" else f"{one}{call_text(a=1, b=two)}\n{call_text(a=two, b=2)}"
        for kind, one, two in turns
    ]
    replies = [sampled(text, cuts) + (ids_of(END) if ends else []) for text in [*texts, answer]]
    server = managed((Streaming if streamed else Sampling)(*replies))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = await hn.HermesAgentLoop(server, tools=[add], max_turns=3).run("What is 2 + 3?", stream=streamed)

    [node] = result.managed_state["nodes"]
    check(node, replies)
    assert result.turns_used == len(replies)
    [told] = sequences.read(result.turns).sequences
    assert [one.id for one in told] == node.tokens
    assert [one.id for one in told if one.written] == written(node)
    assert "".join(one.text or "" for one in told) == node.full_text


@settings(max_examples=40, deadline=None)
@given(st.text(st.sampled_from("ab é日🎉\ufffd\n"), max_size=20), st.lists(st.integers(0, 60)))
def test_the_texts_of_tokens_are_together_the_text_of_all(text: str, cuts: list[int]) -> None:
    vocabulary, ids = Vocabulary(byte_pairs()), sampled(text, cuts)

    assert "".join(vocabulary.pieces(ids)) == vocabulary.decode(ids) == text
    assert "".join(vocabulary.pieces(ids[:-1])) == vocabulary.decode(ids[:-1])


async def test_a_reply_that_is_cut_in_the_midst_of_a_character_is_gone_on_from() -> None:
    cut = sampled("日本", EVERYWHERE)[:4]
    server = managed(Sampling(cut, ids_of("ok"), finish_reason="length"))
    asked = [{"role": "user", "content": "a"}]
    reply = await server.ask(asked)
    await server.ask([*asked, reply.message, {"role": "user", "content": "b"}])

    [node] = server.get_state()["nodes"]
    assert reply.text == "日\ufffd"
    check(node, [cut, ids_of("ok")])


async def test_a_turn_that_cannot_extend_warns_with_cause_and_position() -> None:
    template = (
        "{% for m in messages %}{{ m.role + ': ' + m.content | trim + '\n' }}{% endfor %}"
        "{{ 'assistant: ' if add_generation_prompt }}"
    )
    server = managed(Sampling(sampled(" Five."), sampled("Six.")), template=template)
    asked = [{"role": "user", "content": "a"}]
    reply = await server.ask(asked)
    with pytest.warns(UserWarning, match=r"rewrites what came before, from character 19 on: ' Five\.' became 'Five\."):
        await server.ask([*asked, reply.message, {"role": "user", "content": "b"}])

    first, second = server.get_state()["nodes"]
    check(first, [sampled(" Five.")])
    check(second, [sampled("Six.")])


async def asked_again(change: Any) -> list[list[int]]:
    """What the nodes hold after a conversation of two questions whose beginning was changed before the second."""
    server = managed(Sampling(ids_of("Yes."), ids_of("No.")))
    asked = [{"role": "user", "content": "a"}]
    reply = await server.ask(asked)
    await server.ask(change([*asked, reply.message, {"role": "user", "content": "b"}]))
    return [written(node) for node in server.get_state()["nodes"]]


async def test_another_question_begins_another_node_without_a_warning() -> None:
    changed = await asked_again(lambda asked: [{**asked[0], "content": "A"}, *asked[1:]])

    assert changed == [ids_of("Yes."), ids_of("No.")]


async def test_a_changed_answer_of_the_model_begins_another_node_and_is_named() -> None:
    with pytest.warns(UserWarning, match=r"message 1 \(assistant\) is not what it was"):
        changed = await asked_again(lambda asked: [asked[0], {**asked[1], "content": "No."}, asked[2]])

    assert changed == [ids_of("Yes."), ids_of("No.")]


async def test_messages_put_in_after_the_models_answer_go_on_with_its_tokens() -> None:
    one = await asked_again(lambda asked: [*asked[:2], {"role": "user", "content": "?"}, asked[2]])

    assert one == [ids_of("Yes.") + ids_of("No.")]


async def test_other_tools_begin_another_node_and_are_named_as_the_cause() -> None:
    server = managed(Sampling(ids_of("Yes."), ids_of("No.")))
    asked = [{"role": "user", "content": "a"}]
    reply = await server.ask(asked, [add])
    with pytest.warns(UserWarning, match="the tools are not what they were"):
        await server.ask([*asked, reply.message, {"role": "user", "content": "b"}], [])


# A tree


async def test_a_tree_keeps_every_sequence_by_its_text_and_the_beginnings_of_them_too() -> None:
    first, last = sampled(CALL, EVERYWHERE), sampled("It is 5.")
    server = managed(Sampling(first, last), track_tree=True)
    result = await hn.HermesAgentLoop(server, tools=[add]).run("What is 2 + 3?")

    state = result.managed_state
    assert set(state) == {"sequences", "tree"}
    assert state["sequences"] == state["tree"]
    short, long = sorted(state["tree"].values(), key=lambda node: len(node.tokens))
    assert all(text == node.full_text for text, node in state["tree"].items())
    check(short, [first])
    check(long, [first, last])
    assert long.tokens[: len(short.tokens)] == short.tokens


async def test_a_tree_branches_where_several_go_on_from_the_same() -> None:
    server = managed(Sampling(ids_of("one"), ids_of("two"), ids_of("x"), ids_of("y")), track_tree=True)
    asked = [{"role": "user", "content": "a"}]
    body = await server.chat_completion(messages=asked, n=2)
    for choice in body["choices"]:
        await server.ask([*asked, choice["message"], {"role": "user", "content": "b"}])

    leaves = [node for node in server.get_state()["tree"].values() if len(written(node)) == len(ids_of("one")) + 1]
    assert sorted(map(written, leaves)) == sorted([ids_of("one") + ids_of("x"), ids_of("two") + ids_of("y")])
    assert len(server.get_state()["tree"]) == 4
    server.reset()
    assert server.get_state() == {"sequences": {}, "tree": {}}


# Settings and endings


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
async def test_the_most_tokens_of_a_reply_reach_the_engine_by_one_name(name: str) -> None:
    engine = Sampling(ids_of("a"), ids_of("b"))
    server = managed(engine)
    await server.chat_completion(messages=[{"role": "user", "content": "a"}], temperature=0.5, **{name: 7})
    await server.completion(prompt="a", **{name: 8})

    assert engine.asked == [{"max_tokens": 7, "temperature": 0.5}, {"max_tokens": 8}]


@pytest.mark.parametrize(
    ("text", "word", "told"),
    [(CALL, "stop", "tool_calls"), (CALL, "length", "length"), ("Hi", "length", "length"), ("Hi", "stop", "stop")],
)
@pytest.mark.parametrize("kind", [Sampling, Streaming])
async def test_the_engines_word_for_the_ending_is_kept(kind: Any, text: str, word: str, told: str) -> None:
    server = managed(kind(sampled(text), finish_reason=word))
    result = await hn.HermesAgentLoop(server, tools=[add], max_turns=1).run("?", stream=True)

    assert result.turns[0].reply.finish_reason == told
    assert server.get_state()["nodes"][0].metadata["finish_reason"] == word


async def test_a_completion_goes_on_with_sampled_tokens_and_masks_none_of_them() -> None:
    first, last = sampled("It is 5.", EVERYWHERE), sampled("Yes.", EVERYWHERE)
    server = managed(Sampling(first, last))
    body = await server.completion(prompt="What is 2 + 3?")
    await server.completion(prompt="What is 2 + 3?It is 5. Sure?")

    [node] = server.get_state()["nodes"]
    assert body["choices"][0]["text"] == "It is 5."
    check(node, [first, last])


async def test_a_state_that_was_taken_stays_as_it_is() -> None:
    server = managed(Sampling(ids_of("a"), ids_of("b")))
    await server.ask("?")
    taken = server.get_state()
    await server.ask("!")
    server.reset()

    assert [written(node) for node in taken["nodes"]] == [ids_of("a")]
    assert server.get_state() == {"nodes": []}


# Streams


THOUGHT = f"<think>\nTwo and three, é.\n</think>\n\nLet me see: {CALL}\n{call_text(a=5, b=1)}"


@pytest.mark.parametrize("text", ["It is 5, 日本 🎉.", THOUGHT, CALL, "", f"{CALL[:-20]}", "a <tool_cal"])
@pytest.mark.parametrize("end", [END, ""])
async def test_a_stream_tells_text_as_it_is_written_and_comes_to_the_same(text: str, end: str) -> None:
    ids = sampled(text, EVERYWHERE) + (ids_of(end) if end else [])
    request = {"messages": [{"role": "user", "content": "a"}], "tools": []}
    chunks = [chunk async for chunk in managed(Streaming(ids)).stream(**request)]
    assembly = Assembly()
    for chunk in chunks:
        assembly.add(chunk)
    body, whole = assembly.body(), await managed(Sampling(ids)).chat_completion(**request)

    assert _comparable(body) == _comparable(whole)


async def test_a_streams_text_comes_with_the_token_that_makes_it_certain() -> None:
    server = managed(Streaming(sampled("Yes, 日.", EVERYWHERE)))
    texts = [
        chunk["choices"][0]["delta"].get("content")
        async for chunk in server.stream(messages=[{"role": "user", "content": "a"}])
    ]

    assert texts == ["Y", "e", "s", ",", " ", "日", ".", None]


def _comparable(body: dict[str, Any]) -> dict[str, Any]:
    [choice] = body["choices"]
    message = {**choice["message"], "content": choice["message"]["content"] or ""}
    if calls := message.get("tool_calls"):
        message["tool_calls"] = [one["function"] for one in calls]
    kept = {name: body[name] for name in ("object", "model", "usage", "prompt_token_ids", "prompt_tail")}
    return {**kept, "choice": {**choice, "message": message}}


async def test_a_stream_that_breaks_off_leaves_what_it_went_on_from() -> None:
    class Breaking(Streaming):
        async def stream(self, prompt: Sequence[int], *, text: str, **sampling: Any) -> Any:
            async for part in super().stream(prompt, text=text, **sampling):
                yield part
                if len(self.prompts) == 2:
                    raise ConnectionError("gone")

    engine = Breaking(ids_of("one"), sampled("two", EVERYWHERE), ids_of("three"))
    loop = hn.HermesAgentLoop(managed(engine))
    first = await loop.run("a", stream=True)
    broken = await loop.run("b", after=first, stream=True)
    again = await loop.run("b", after=first, stream=True)

    assert (broken.stop_reason, again.final_text) == ("server_error", "three")
    [node] = again.managed_state["nodes"]
    check(node, [ids_of("one"), ids_of("three")])


@pytest.mark.parametrize("parser", [None, "auto"])
async def test_without_a_parser_that_reads_in_chunks_a_stream_is_the_same_too(parser: str | None) -> None:
    server = managed(Streaming(sampled(CALL, EVERYWHERE)), parser=parser)
    result = await hn.HermesAgentLoop(server, tools=[add], max_turns=1).run("?", stream=True)

    assert [one.name for one in result.calls] == ([] if parser is None else ["add"])
    assert result.turns[0].reply.source_text == CALL


# Seeing tokens


async def test_every_token_of_a_run_is_a_row_that_says_what_it_is() -> None:
    said = [sampled(THOUGHT, [9, 30]) + ids_of(END), sampled("It is 6.")]
    result = await hn.HermesAgentLoop(managed(Sampling(*said)), tools=[add], system="Be brief.").run("What is 2 + 3?")
    table = frames.tokens(result)

    [node] = result.managed_state["nodes"]
    assert table["token_id"].tolist() == node.tokens
    assert table["position"].tolist() == list(range(len(node.tokens)))
    assert "".join(table["text"]) == node.full_text
    assert table["mask"].tolist() == [mask != -100 for mask in node.masked_tokens]
    assert table["logprob"].isna().tolist() == [mask == -100 for mask in node.masked_tokens]
    told = {key: "".join(rows["text"]) for key, rows in table.groupby(["turn", "role", "kind"], sort=False)}
    assert told[1, "system", "content"] == "Be brief."
    assert told[1, "user", "content"] == "What is 2 + 3?"
    assert told[1, "assistant", "reasoning"] == "Two and three, é."
    assert told[1, "assistant", "call"] == f"{CALL}\n{call_text(a=5, b=1)}"
    assert told[1, "assistant", "content"] == "Let me see:"
    assert told[2, "tool", "content"] == "56"
    assert told[2, "assistant", "content"] == "It is 6."
    assert set(table["kind"]) == {"template", "content", "reasoning", "call"}


async def test_a_template_that_does_something_with_the_words_leaves_it_unknown_what_they_are() -> None:
    template = "{% for m in messages %}{{ m.content | upper }};{% endfor %}"
    result = await hn.HermesAgentLoop(managed(Sampling(ids_of("hi")), template=template)).run("abc")
    table = frames.tokens(result)

    assert "".join(table["text"]) == "ABC;hi"
    assert table.loc[~table["mask"], "kind"].isna().all()
    assert set(table.loc[table["mask"], "kind"]) == {"content"}


async def test_runs_that_share_a_server_have_each_their_own_tokens() -> None:
    server = managed(Sampling(ids_of("one"), ids_of("two")))
    first, second = [await hn.HermesAgentLoop(server).run(text) for text in ("a", "b")]
    table = frames.tokens([first, second])

    assert [table[(table["run_id"] == one.run_id) & table["mask"]]["text"].str.cat() for one in (first, second)] == [
        "one",
        "two",
    ]


def test_a_reply_with_other_counts_of_tokens_and_log_probabilities_is_refused() -> None:
    with pytest.raises(ValueError, match="1 tokens, but 2 log-probabilities"):
        Generated(tokens=(1,), logprobs=(-1.0, -2.0))
