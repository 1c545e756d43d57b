"""How conversations are found among the exchanges of a recording."""

from __future__ import annotations

from typing import Any

from tests.real.made_up import answered, called, exchange, said, user
from tests.real.recordings import Exchange, chains, growth, is_one_conversation, normal, tool_loops


def numbers(found: Any) -> list[list[int]]:
    return [[one.number for one in chain] for chain in found]


def test_a_request_that_repeats_another_and_its_reply_goes_on_from_it() -> None:
    first = exchange(1, [user("2 + 3?")], called("a"))
    second = exchange(2, [user("2 + 3?"), called("a"), answered("a")], said("5"))
    third = exchange(3, [*second.messages, said("5"), user("And 1 more?")], said("6"))
    assert numbers(tool_loops([first, second, third])) == [[1, 2, 3]]
    assert is_one_conversation([first, second, third])
    assert growth(second, third).more == [user("And 1 more?")]
    assert growth(first, second).answers == [answered("a")]


def test_two_conversations_that_lie_between_one_another_are_told_apart() -> None:
    outer = exchange(1, [user("Ask a friend.")], called("a", "friend"))
    inner = exchange(2, [user("Hello?")], said("Hi."))
    outer_again = exchange(3, [*outer.messages, called("a", "friend"), answered("a", "Hi.")], said("Hi, he says."))
    assert numbers(chains([outer, inner, outer_again])) == [[2], [1, 3]]
    assert numbers(tool_loops([outer, inner, outer_again])) == [[1, 3]]
    assert not is_one_conversation([outer, inner, outer_again])


def test_conversations_that_begin_alike_are_told_apart_by_the_ids_of_their_calls() -> None:
    one, two = (exchange(n, [user("2 + 3?")], called(call_id)) for n, call_id in ((1, "a"), (2, "b")))
    after_one = exchange(3, [user("2 + 3?"), called("a"), answered("a")], said("5"))
    after_two = exchange(4, [user("2 + 3?"), called("b"), answered("b")], said("5"))
    assert numbers(chains([one, two, after_one, after_two])) == [[1, 3], [2, 4]]


def test_a_conversation_that_forks_is_found_once_for_each_ending() -> None:
    first = exchange(1, [user("2 + 3?")], called("a"))
    ends = [exchange(n, [*first.messages, called("a"), answered("a")], said("5")) for n in (2, 3)]
    assert numbers(chains([first, *ends])) == [[1, 2], [1, 3]]


def test_a_reply_without_ids_is_known_by_what_it_calls() -> None:
    first = exchange(1, [user("2 + 3?")], called(None, a=2))
    second = exchange(2, [user("2 + 3?"), called("made up", a=2), answered("made up")], said("5"))
    assert numbers(tool_loops([first, second])) == [[1, 2]]


def test_a_client_that_rewrites_its_history_is_known_by_the_calls_in_it() -> None:
    first = exchange(1, [user("2 + 3?")], called("a"))
    second = exchange(2, [user("(shortened)"), called("a"), answered("a")], said("5"))
    assert numbers(tool_loops([first, second])) == [[1, 2]]
    assert growth(first, second).old == [user("(shortened)")]


def test_a_request_that_repeats_another_but_not_its_reply_is_a_conversation_of_its_own() -> None:
    first = exchange(1, [user("2 + 3?")], called("a"))
    second = exchange(2, [user("2 + 3?"), called("b"), answered("b")], said("5"))
    assert numbers(chains([first, second])) == [[1], [2]]
    assert tool_loops([first, second]) == []


def test_an_answer_that_is_an_error_or_no_json_has_no_reply() -> None:
    refused = Exchange(1, {"messages": [user("Hi")]}, 401, {}, b'{"error": {"message": "no key"}}')
    broken = Exchange(2, {"messages": [user("Hi")]}, 200, {}, b"<html>")
    assert (refused.reply, broken.reply) == (None, None)
    assert numbers(chains([refused, broken])) == [[1], [2]]


def test_only_content_key_order_and_the_spelling_of_arguments_are_normalised() -> None:
    assert normal({"content": None, "role": "user"}) == normal({"role": "user", "content": ""}) == {"role": "user"}
    assert normal(called("a", x=1, y=2)) == normal(called("a", y=2, x=1))
    assert normal(called("a", x=1)) != normal(called("a", x="1"))
    assert normal({"role": "assistant", "refusal": None}) != normal({"role": "assistant"})
    assert normal({"role": "user", "content": []}) != normal({"role": "user"})
