"""That a difference is excused for its own reason only, and that what has none is found."""

from __future__ import annotations

from typing import Any

import pytest

from tests.real.differences import Pair, compare
from tests.real.made_up import answered, called, exchange, said, user
from tests.real.recordings import Exchange, Message

QUESTION = [user("2 + 3?")]


def asked(reply: Message, history: list[Message] = QUESTION, tools: list[dict[str, Any]] | None = None) -> Exchange:
    one = exchange(1, history, reply)
    one.request["tools"] = tools or []
    return one


def found(asked: Exchange, ours: list[Message], recorded: list[Message]) -> dict[str, str | None]:
    """The fields in which our second request differs from the recorded one, and the reasons."""
    chain = [asked, exchange(2, [*asked.messages, *recorded], said("5"))]
    requests = [asked.messages, [*asked.messages, *ours]]
    return {one.field: one.reason for pair in compare(chain, requests)[-1] for one in pair.differences}


def test_equal_messages_do_not_differ() -> None:
    turn = [called("a", x=1), answered("a")]
    assert found(asked(called("a", x=1)), turn, turn) == {}


@pytest.mark.parametrize(
    ("reply", "ours", "recorded"),
    [
        pytest.param({}, {}, {"name": "add"}, id="a field that only the recorded client has"),
        pytest.param({"reasoning": "Hm."}, {}, {"reasoning": "Hm."}, id="reasoning that we dropped"),
        pytest.param({"reasoning": "Hm."}, {}, {"reasoning_content": "Hm."}, id="dropped, and there by another name"),
        pytest.param({"reasoning": "Hm."}, {"reasoning": "Ha."}, {}, id="reasoning that we changed"),
        pytest.param({"x_signature": "s1"}, {}, {"x_signature": "s1"}, id="a field that says something"),
        pytest.param({}, {"content": "Well."}, {}, id="text that the model did not say"),
        pytest.param({}, {}, {"prefix": True}, id="a default that is none"),
        pytest.param({"content": "Well."}, {}, {"content": []}, id="an empty list for text"),
    ],
)
def test_what_the_library_does_to_a_reply_has_no_reason(reply: Message, ours: Message, recorded: Message) -> None:
    call, answer = called("a"), answered("a")
    differences = found(asked({**call, **reply}), [{**call, **ours}, answer], [{**call, **recorded}, answer])
    assert set(differences.values()) == {None}


def test_another_answer_than_the_recorded_one_has_no_reason() -> None:
    call = called("a", x=1)
    assert found(asked(call), [call, answered("a", "6")], [call, answered("a", "5")]) == {"content": None}
    assert found(asked(call), [call], [call, answered("a", "5")]) == {"message": None}
    assert found(asked(call), [call, answered("a"), user("Go on.")], [call, answered("a")]) == {"message": None}


def test_other_arguments_or_another_id_than_the_recorded_have_no_reason() -> None:
    turn = [called("a", x=1), answered("a")]
    assert found(asked(called("a", x=1)), [called("a", x=2), answered("a")], turn) == {"call.function": None}
    assert found(asked(called("a", x=1)), [called("b", x=1), answered("a")], turn) == {"call.id": None}


def test_a_tool_is_named_in_its_answer_only_by_its_own_name() -> None:
    turn = [called("a"), answered("a")]
    assert "names the tool" in str(found(asked(called("a")), turn, [called("a"), {**answered("a"), "name": "add"}]))
    assert found(asked(called("a")), turn, [called("a"), {**answered("a"), "name": "sub"}]) == {"name": None}


def test_reasoning_may_stand_under_a_second_name_where_ours_has_the_first() -> None:
    reply = {**called("a"), "reasoning": "Hm.\n"}
    recorded = {**reply, "reasoning_content": "Hm."}
    assert "second name" in str(found(asked(reply), [reply, answered("a")], [recorded, answered("a")]))


def test_reasoning_may_stand_under_both_names_in_ours_where_it_is_the_replys_own() -> None:
    reply = {**called("a"), "reasoning": "Hm."}
    ours = {**reply, "reasoning_content": "Hm."}
    assert "both names" in str(found(asked(reply), [ours, answered("a")], [reply, answered("a")]))
    other = {**reply, "reasoning_content": "Ha."}
    assert set(found(asked(reply), [other, answered("a")], [reply, answered("a")]).values()) == {None}


def test_details_may_stand_alone_in_ours_where_they_are_the_replys_own() -> None:
    details = [{"type": "reasoning.text", "text": "Hm."}]
    reply = {**called("a"), "reasoning": "Hm.", "reasoning_details": details}
    ours = {**called("a"), "reasoning_details": details}
    assert "alone" in str(found(asked(reply), [ours, answered("a")], [reply, answered("a")]))
    assert None in found(asked(reply), [called("a"), answered("a")], [reply, answered("a")]).values()


def test_reasoning_may_be_left_out_by_the_recorded_client_alone() -> None:
    reply = {**called("a"), "reasoning": "Hm."}
    assert "leaves out reasoning" in str(found(asked(reply), [reply, answered("a")], [called("a"), answered("a")]))


def test_calls_that_the_recorded_client_left_out_are_excused_with_their_answers_and_no_others() -> None:
    both = called("a")
    both["tool_calls"] = [*both["tool_calls"], *called("b")["tool_calls"]]
    ours = [both, answered("a"), answered("b")]
    excused = found(asked(both), ours, [called("a"), answered("a")])
    assert set(excused) == {"tool_calls", "message"}
    assert None not in excused.values()
    assert found(asked(both), ours, [both, answered("a")]) == {"message": None}
    assert None in found(asked(both), ours, [called("b"), answered("b")]).values()


def test_answers_in_another_order_are_excused_where_ours_is_the_order_of_the_calls() -> None:
    both = called("a")
    both["tool_calls"] = [*both["tool_calls"], *called("b")["tool_calls"]]
    forwards, backwards = [both, answered("a"), answered("b")], [both, answered("b"), answered("a")]
    assert "in another order" in str(found(asked(both), forwards, backwards))
    assert found(asked(both), backwards, forwards) == {"order": None}
    late = [both, answered("a"), user("Go on."), answered("b")]
    assert found(asked(both), [*forwards, user("Go on.")], late) == {"order": None}


def test_a_refused_call_is_excused_where_the_schema_refuses_it() -> None:
    parameters = {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}
    tools = [{"type": "function", "function": {"name": "add", "parameters": parameters}}]
    told = '{"error": "x is an integer"}'

    def outcome(**arguments: Any) -> dict[str, str | None]:
        call = called("a", **arguments)
        return found(asked(call, tools=tools), [call, answered("a", told)], [call, answered("a", "5")])

    assert "its own schema refuses" in str(outcome(x="two"))
    assert outcome(x=2) == {"content": None}


def test_an_id_is_given_anew_only_where_the_servers_is_none_or_not_its_own() -> None:
    history = [*QUESTION, called("a"), answered("a")]
    ours, recorded = [called("new", x=1), answered("new")], [called("a", x=1), answered("a")]
    excused = found(asked(called("a", x=1), history), ours, recorded)
    assert set(excused) == {"call.id", "tool_call_id"}
    assert None not in excused.values()
    assert set(found(asked(called("a", x=1)), ours, recorded).values()) == {None}
    without = found(asked(called(None, x=1)), ours, [called("theirs", x=1), answered("theirs")])
    assert set(without) == {"call.id", "tool_call_id"}
    assert None not in without.values()


def test_a_history_that_the_recorded_client_rewrote_is_excused_where_it_did_so() -> None:
    chain = [
        exchange(1, [user("Long story."), user("2 + 3?")], called("a")),
        exchange(2, [user("(cut)"), user("2 + 3?"), called("a"), answered("a")], called("b")),
        exchange(3, [user("2 + 3?"), called("a"), answered("a"), called("b"), answered("b")], said("5")),
    ]
    whole = [*chain[0].messages, called("a"), answered("a"), called("b"), answered("b")]
    requests = compare(chain, [whole[:2], whole[:4], whole])
    reasons = [[(pair.role, one.field, one.reason) for pair in pairs for one in pair.differences] for pairs in requests]
    rewrote = "the recorded client rewrote its own history"
    assert reasons == [[], [("user", "content", rewrote)], [("user", "message", rewrote)]]


def test_a_message_is_carried_with_its_differences_into_later_requests() -> None:
    chain = [
        exchange(1, QUESTION, called("a")),
        exchange(2, [*QUESTION, called("a"), {**answered("a"), "name": "add"}], called("b")),
        exchange(3, [*QUESTION, called("a"), {**answered("a"), "name": "add"}, called("b"), answered("b")], said("5")),
    ]
    whole = [*QUESTION, called("a"), answered("a"), called("b"), answered("b")]
    requests = compare(chain, [whole[:1], whole[:3], whole])
    assert [_shape(pair) for pair in requests[2]] == ["carried"] * 2 + ["carried, differs", "new", "new"]


def _shape(pair: Pair) -> str:
    return ("carried" if pair.carried else "new") + (", differs" if pair.differences else "")
