"""What a trainer gets of a run, and what it is never given."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hermes_nb as hn
from hermes_nb import sequences
from hermes_nb.exceptions import ConfigurationError
from hermes_nb.records import AgentResult, Reply, Turn
from hermes_nb.training import to_training
from tests.servers.byte_pairs import Sampling, add, byte_pairs, call_text, ids_of, sampled


def turn(number: int, prompt: list[int], written: list[int], logprobs: list[float] | None = None) -> Turn:
    told = [{"token": "x", "logprob": one} for one in (logprobs if logprobs is not None else [-1.0] * len(written))]
    choice = {"message": {"role": "assistant", "content": "x"}, "token_ids": written, "logprobs": {"content": told}}
    raw = {"prompt_token_ids": prompt, "choices": [choice]}
    return Turn(number=number, reply=Reply(message=choice["message"], raw=raw))


def run(*turns: Turn, **about: Any) -> AgentResult:
    return AgentResult(messages=[], turns=turns, run_id="r", **about)


async def managed_run(*texts: str) -> AgentResult:
    server = hn.ManagedServer(Sampling(*(sampled(text, range(300)) for text in texts)), byte_pairs())
    return await hn.HermesAgentLoop(server, tools=[add]).run("What is 2 + 3?", task="sum", attempt=2)


async def test_a_managed_run_is_one_sequence_as_its_state_has_it() -> None:
    result = await managed_run(call_text(a=2, b=3), "It is 5.")
    [one] = to_training(replace(result, scores={"exact": True}))

    [node] = result.managed_state["nodes"]
    assert (one.tokens, one.masks, one.logprobs) == (node.tokens, node.masked_tokens, node.logprobs)
    assert (one.reward, one.task, one.attempt, one.turns) == (1.0, "sum", 2, (1, 2))
    assert one.written == len(sampled(call_text(a=2, b=3), range(300))) + len(sampled("It is 5.", range(300)))


async def test_a_run_that_shares_its_server_gives_its_own_sequence_alone() -> None:
    server = hn.ManagedServer(Sampling(ids_of("one"), ids_of("two")), byte_pairs())
    results = [await hn.HermesAgentLoop(server).run(text) for text in ("a", "b")]

    assert len(results[1].managed_state["nodes"]) == 2
    assert [[mask for mask in to_training(one)[0].masks if mask != -100] for one in results] == [
        ids_of("one"), ids_of("two"),
    ]  # fmt: skip


async def test_of_a_run_that_goes_on_the_earlier_runs_tokens_are_masked() -> None:
    server = hn.ManagedServer(Sampling(ids_of("one"), ids_of("two")), byte_pairs())
    loop = hn.HermesAgentLoop(server)
    first = await loop.run("a")
    [second] = to_training(await loop.run("b", after=first))

    [node] = server.get_state()["nodes"]
    assert second.tokens == node.tokens
    assert [mask for mask in second.masks if mask != -100] == ids_of("two")


@pytest.mark.parametrize(
    ("scores", "reward", "worth"),
    [
        ({}, None, None), ({"exact": 0.5}, None, 0.5), ({"exact": 0.5, "brief": 1}, "brief", 1.0), ({}, 2, 2.0),
        ({"exact": False, "exact.error": "odd"}, None, 0.0),
    ],
)  # fmt: skip
def test_the_reward_is_a_number_or_a_score(scores: dict[str, Any], reward: Any, worth: float | None) -> None:
    assert to_training(run(turn(1, [1], [2]), scores=scores), reward)[0].reward == worth


@pytest.mark.parametrize(
    ("result", "reward", "told"),
    [
        (run(), None, "this run has no tokens"),
        (run(turn(1, [1], [2]), replace(turn(2, [1], [2]), reply=Reply(message={}, raw={}))), None, "reply of turn 2"),
        (run(turn(1, [1], [2, 3], [-1.0])), None, "turn 1's reply has 2 tokens, but 1 log-probabilities"),
        (run(turn(1, [1], [2]), scores={"a": 1, "b": 2}), None, "which score is the reward"),
        (run(turn(1, [1], [2]), scores={"a": "good"}), None, "the score 'a' is no reward; got 'good'"),
        (run(turn(1, [1], [2]), scores={"a": None, "a.error": "KeyError: 1"}), "a", r"no reward \(KeyError: 1\)"),
        (run(turn(1, [1], [2])), float("nan"), "a reward is a finite number; got nan"),
        (run(turn(1, [1], [2]), scores={"a": 1}), "b", "no score 'b'; its scores: 'a'"),
    ],
)
def test_what_cannot_be_learnt_from_is_refused(result: AgentResult, reward: Any, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        to_training(result, reward)


def test_a_token_without_a_log_probability_is_named() -> None:
    odd = turn(1, [1], [2, 3])
    odd.reply.raw["choices"][0]["logprobs"]["content"][1]["logprob"] = None

    with pytest.raises(ConfigurationError, match="no log-probability, at position 2"):
        to_training(run(odd))


def test_more_than_one_sequence_is_a_warning_with_every_cause() -> None:
    result = run(turn(1, [1, 2], [3]), turn(2, [1, 9, 3, 4], [5]), turn(3, [1, 9, 3, 4, 5, 6], [7]), turn(4, [8], [8]))
    with pytest.warns(UserWarning, match="3 sequences") as caught:
        found = to_training(result)

    [warning] = caught
    assert "turn 2's prompt stops extending turn 1's tokens at position 1: token 2 became 9" in str(warning.message)
    assert "turn 4's prompt stops extending turn 3's tokens at position 0: token 1 became 8" in str(warning.message)
    assert warning.filename == __file__
    assert [one.turns for one in found] == [(1,), (2, 3), (4,)]


def test_a_turn_without_a_whole_reply_is_part_of_the_next_prompt() -> None:
    cut = Turn(number=1, reply=Reply(message={}, raw={}, partial=True))
    [one] = to_training(run(Turn(number=0, reply=None), cut, turn(2, [1, 2], [3])))

    assert (one.masks, one.turns) == ([-100, -100, 3], (2,))


NODE = {"tokens": [1, 2, 3], "masked_tokens": [-100, 2, 3], "logprobs": [1.0, -0.5, -0.25]}


def test_a_state_of_somebody_elses_server_is_taken_where_replies_have_no_tokens() -> None:
    [one] = to_training(AgentResult(messages=[], managed_state={"nodes": [NODE]}))
    tree = {"ab": {**NODE, "tokens": [1, 2, 4], "masked_tokens": [-100, 2, 4]}, "a": NODE}
    [leaf] = to_training(AgentResult(messages=[], managed_state={"sequences": tree, "tree": tree}))

    assert (one.tokens, one.masks, one.logprobs) == tuple(NODE.values())
    assert leaf.tokens == [1, 2, 4]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"logprobs": [1.0]}, "not equally long: 3 tokens, 3 masked_tokens, 1 logprobs"),
        ({"masked_tokens": [-100, 9, 3]}, "at position 1 token 2 has the mask 9"),
        ({"logprobs": [1.0, 1.0, -0.25]}, "at position 1 token 2 has the mask 2 and the log-probability 1.0"),
    ],
)
def test_a_state_that_does_not_fit_itself_is_refused(change: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        to_training(AgentResult(messages=[], managed_state={"nodes": [{**NODE, **change}]}))


IDS = st.lists(st.integers(0, 5), max_size=5)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.booleans(), IDS, IDS), min_size=1, max_size=4))
@pytest.mark.filterwarnings("ignore:.* sequences in one run")
def test_every_written_token_is_learnt_from_once_and_prompts_are_kept(steps: list[tuple[bool, Any, Any]]) -> None:
    turns, before = list[Turn](), list[int]()
    for number, (extends, prompt, written) in enumerate(steps, 1):
        asked = [*before, *prompt] if extends else prompt
        turns.append(turn(number, asked, written))
        before = [*asked, *written]
    if not any(prompt or written for _, prompt, written in steps):
        return
    found = to_training(run(*turns))

    assert all(len(one.tokens) == len(one.masks) == len(one.logprobs) for one in found)
    written = sorted(token for _, _, ids in steps for token in ids)
    assert sorted(mask for one in found for mask in one.masks if mask != -100) == written
    if all(extends for extends, _, _ in steps):
        assert [one.tokens for one in found] == [before]


@settings(max_examples=150, deadline=None)
@given(
    st.recursive(
        st.one_of(st.none(), st.integers(-2, 5), st.just("x"), st.floats(allow_nan=False)),
        lambda inner: st.one_of(
            st.lists(inner, max_size=4),
            st.dictionaries(
                st.sampled_from([
                    "choices", "token_ids", "prompt_token_ids", "prompt_tail", "start", "texts", "spans", "logprobs",
                    "content", "message", "token_spans", "token", "logprob",
                ]),
                inner,
            ),
        ),
        max_leaves=20,
    )
)  # fmt: skip
def test_no_body_makes_reading_its_tokens_fail(raw: Any) -> None:
    whole = {"prompt_token_ids": [1, 2], "choices": [{"token_ids": [3], "message": None}]}
    bodies = [raw, {**whole, "prompt_tail": raw}, {**whole, "choices": [{"token_ids": [3], "token_spans": raw}]}]
    bodies.append({**whole, "choices": [{"token_ids": [3], "logprobs": raw, "message": raw}]})
    for body in bodies:
        sequences.read([Turn(number=1, reply=Reply(message={}, raw=body))])
