"""What a model did after a call."""

from __future__ import annotations

from typing import Any

import pytest

from hermes_nb.outcomes import canonical, following
from hermes_nb.records import AgentResult, ToolCall
from tests.views.runs import Script

ADD = ("add", {"a": 2, "b": 3})


def failed(*then: tuple[str, Any], text: str = "") -> AgentResult:
    """A run whose first call fails, and what comes after."""
    script = Script().ask("", ADD).answer("no", error=("exception", "no")).done()
    script.ask(text, *then)
    for index in range(len(then)):
        script.answer("5", index)
    return script.done().end()


@pytest.mark.parametrize(
    ("then", "text", "action"),
    [
        ([ADD], "", "retried_same"),
        ([("add", '{"b": 3,  "a": 2}')], "", "retried_same"),
        ([("look", {}), ADD], "", "retried_same"),
        ([("look", {}), ("add", {"a": 2, "b": 4})], "", "changed_arguments"),
        ([("add", '{"a": 2')], "", "changed_arguments"),
        ([("look", {})], "One moment.", "changed_tool"),
        ([], "It failed.", "answered"),
        ([], "", "ended"),
    ],
)
def test_what_the_model_did_next_has_a_name(then: list[tuple[str, Any]], text: str, action: str) -> None:
    result = failed(*then, text=text)

    assert following(result.turns, result.calls[0]).action == action


def test_a_run_that_is_over_and_a_turn_without_a_whole_reply_end_it() -> None:
    script = Script().ask("", ADD).answer("no", error=("exception", "no")).done()
    call = script.result().calls[0]

    assert following(script.result().turns, call).action == "ended"
    assert following(script.ask("It", partial=True).result().turns, call).action == "ended"
    failed = Script().ask("", ADD).answer("no", error=("exception", "no")).done().unanswered().end("server_error")
    assert following(failed.turns, failed.calls[0]).action == "ended"


def test_a_call_of_the_same_reply_is_no_answer_to_its_neighbour() -> None:
    script = Script().ask("", ADD, ADD).answer("no", error=("exception", "no")).answer("5", 1).done()
    result = script.ask("Five.").done().end()

    assert [following(result.turns, call).action for call in result.calls] == ["answered", "answered"]


def test_the_turn_and_the_call_are_told_with_the_action() -> None:
    result = failed(("look", {}))
    after = following(result.turns, result.calls[0])

    assert (after.turn, after.call) == (result.turns[1], result.calls[1])


def test_arguments_are_the_same_whatever_their_order_and_spaces() -> None:
    same = [ToolCall(name="f", arguments=given) for given in ('{"a":[1,{"c":2,"b":1}]}', ' {"a": [1, {"b":1, "c":2}]}')]

    assert len({canonical(call) for call in same}) == 1
    assert canonical(ToolCall(name="f", arguments='{"a": 1')) == '{"a": 1'
