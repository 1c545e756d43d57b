"""Checks of a run: what holds is a line with a tick, what does not is a sentence of what happened instead."""

from __future__ import annotations

from typing import Any

import pytest

import hermes_nb as hn
from hermes_nb.checks import Check
from hermes_nb.exceptions import ConfigurationError
from hermes_nb.records import AgentResult
from hermes_nb.servers.scripted import Scripted, call
from tests.views.attacks import ATTACKS, HIDDEN
from tests.views.test_html import ATTRIBUTES, ELEMENTS, Page


def add(a: int, b: int) -> int:
    """Add two whole numbers."""
    return a + b


def divide(a: float, b: float) -> float:
    """Divide."""
    return a / b


async def run(*replies: Any, **how: Any) -> AgentResult:
    return await hn.HermesAgentLoop(hn.ScriptedServer(replies), tools=[add, divide], **how).run("Go on.")


async def sums() -> AgentResult:
    return await run(call("add", a=2, b=3), "It is 5.")


async def mended() -> AgentResult:
    return await run([call("divide", a=1, b=0), call("add", a=1, b=1)], call("divide", a=1, b=2), "Half.")


async def test_what_holds_is_a_line_with_a_tick() -> None:
    checked = hn.check(await sums()).called("add", a=2, b=3).answered("5").within(turns=3, calls=1, errors=0)

    assert checked
    assert checked.failures == ()
    assert str(checked).splitlines() == [
        "✓ add(a=2, b=3) was called.",
        "✓ The answer says “5”.",
        "✓ The run took 2 turns, of 3 at most.",
        "✓ The run took 1 call, of 1 at most.",
        "✓ The run took 0 errors, of 0 at most.",
    ]
    assert repr(checked) == "Check(5 of 5 held)"


async def test_what_does_not_hold_says_what_happened_instead_and_raises_nothing() -> None:
    checked = hn.check(await sums()).called("add", a=2, b=4).called("sum", a=2).answered("6").within(turns=1)

    assert not checked.passed
    assert checked.failures == (
        "Expected a call of add(a=2, b=4), but the nearest call was add(a=2, b=3) in turn 1.",
        "Expected a call of sum(a=2), but sum was never called; the nearest call was add(a=2, b=3) in turn 1.",
        "Expected “6” in the answer, but it says “It is 5.”.",
        "Expected at most 1 turn, but it took 2 turns.",
    )


async def test_the_nearest_call_is_the_one_with_most_of_the_arguments() -> None:
    result = await run([call("add", a=9, b=9), call("add", a=2, b=9), call("divide", a=2, b=3)], "Done.")

    assert hn.check(result).called("add", a=2, b=3).failures == (
        "Expected a call of add(a=2, b=3), but the nearest call was add(a=2, b=9) in turn 1.",
    )


async def test_arguments_that_are_not_json_are_shown_as_they_came() -> None:
    result = await run(
        {"tool_calls": [{"id": "c", "type": "function", "function": {"name": "add", "arguments": '{"a": 2, '}}]},
        "I give up.",
    )

    [told] = hn.check(result).called("add", a=2).failures
    assert told.startswith('Expected a call of add(a=2), but the nearest call was add({"a": 2,) in turn 1')
    assert "arguments are not JSON" in told


async def test_without_any_call_it_says_how_the_run_ended() -> None:
    [told] = hn.check(await run("Five.")).called("add").failures

    assert told == "Expected a call of add, but no tool was called; the run ended with finished."


@pytest.mark.parametrize(("given", "wanted", "held"), [
    (2, 2, True), (2, 2.0, True), ("2", 2, False), (True, 1, False), ([1, 2], (1, 2), True),
    ({"x": 1, "y": 2}, {"y": 2, "x": 1}, True), (None, None, True),
])  # fmt: skip
async def test_values_are_the_same_as_json_has_them(given: Any, wanted: Any, held: bool) -> None:
    result = await run(call("add", a=given), "Done.")

    assert hn.check(result).called("add", a=wanted).passed is held


@pytest.mark.parametrize(("text", "answer", "held"), [
    ("5", "It is 5.", True), ("5", "It is 15.", False), ("5", "5.2", False), ("5", "0.5", False), ("5", "-5", False),
    ("5", "it is −5", False), ("5", "2-5", True), ("-5", "It is -5", True), ("half", "Half of it.", True),
    ("half", "behalf", False), ("two words", "two\n words", True), ("5", "5, or so", True), ("5 %", "15 %", False),
    ("(x)", "f(x)", True),
])  # fmt: skip
async def test_an_answer_is_looked_through_for_whole_words_and_numbers(text: str, answer: str, held: bool) -> None:
    assert hn.check(await run(answer)).answered(text).passed is held


async def test_calls_are_counted_ordered_and_looked_at_together() -> None:
    result = await mended()
    held = (
        hn.check(result).called_times("divide", 2).called_in_order("add", "divide").called_together("divide", "add")
        .not_called("subtract").not_called("add", a=7).ended()
    )  # fmt: skip
    failed = (
        hn.check(result).called_times("add", 2).called_in_order("divide", "add", "add")
        .called_together("add", "add").not_called("add", a=1).ended("max_turns")
    )  # fmt: skip

    order = "divide, then add, then add"
    assert held.passed, held
    assert failed.failures == (
        "Expected 2 calls of add, but there was 1 call.",
        f"Expected calls of {order}, but no call of add came where it was due; called were: divide, add, divide.",
        "Expected add and add in one turn, but no turn called them all (turn 1: divide, add; turn 2: divide).",
        "Expected no call of add(a=1), but add(a=1, b=1) was called in turn 1.",
        "Expected the run to end with max turns, but the run ended with finished.",
    )


async def test_errors_are_looked_at_by_kind_and_tool_and_whether_they_were_made_good() -> None:
    result = await mended()
    held = hn.check(result).had_error("exception", tool="divide").no_errors(tool="add").recovered().recovered("divide")
    failed = hn.check(result).had_error("timeout").no_errors().recovered("add")

    assert held.passed, held
    assert len(failed.failures) == 3
    assert failed.failures[0].startswith("Expected a tool error of kind timeout, but divide(a=1, b=0) went wrong oth")
    assert "ZeroDivisionError" in failed.failures[1]
    assert failed.failures[2] == "Expected a call of add that goes wrong and is made good, but none went wrong."


async def test_an_error_that_nothing_came_after_was_not_made_good() -> None:
    [told] = hn.check(await run(call("divide", a=1, b=0), "No.")).recovered().failures

    assert told.startswith("Expected divide(a=1, b=0) in turn 1 to be made good later, but no later call went well")


async def test_an_invented_tool_is_made_good_by_a_call_of_another() -> None:
    assert hn.check(await run(call("sum", a=1), call("add", a=1, b=2), "3")).recovered()


async def test_a_run_that_failed_says_why_there_is_no_answer() -> None:
    result = await run(Scripted(status=500, text="out of order"))

    assert "the run ended with server error" in hn.check(result).answered("5").failures[0]


async def test_nothing_checked_is_no_pass_and_chained_calls_give_new_checks() -> None:
    first = hn.check(await sums())
    second = first.called("add")

    assert not first.passed
    assert str(first).startswith("Nothing was checked yet")
    assert first.findings == ()
    assert len(second.findings) == 1


async def test_what_makes_no_sense_is_our_own_mistake_and_raises() -> None:
    checked = hn.check(await sums())
    with pytest.raises(ConfigurationError, match="no error of kind 'oops'"):
        checked.had_error("oops")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="no run ends with"):
        checked.ended("oops")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="say within what"):
        checked.within()
    with pytest.raises(ConfigurationError, match="two tools at least"):
        checked.called_in_order("add")
    with pytest.raises(ConfigurationError, match="two tools at least"):
        checked.called_together("add")
    with pytest.raises(ConfigurationError, match="checked for words"):
        checked.answered(" ")
    with pytest.raises(TypeError, match="this is str"):
        hn.check("It is 5.")


@pytest.mark.parametrize("attack", ATTACKS)
async def test_hostile_words_are_text_in_both_forms(attack: str) -> None:
    text = ATTACKS[attack]
    result = await run(call(text, **{text: text}), text)
    checked: Check = hn.check(result).called("add", a=1).not_called(text).answered("five").called(text).had_error()
    shown = checked._repr_mimebundle_()
    page = Page(shown["text/html"])

    assert {tag for tag, _ in page.elements} <= ELEMENTS
    assert {name for _, attributes in page.elements for name, _ in attributes} <= set(ATTRIBUTES)
    assert not HIDDEN & set(page.text + shown["text/plain"])
    assert all(finding.sentence.strip() in page.text for finding in checked.findings)


async def test_a_secret_is_in_no_sentence() -> None:
    secret = "sk-or-v1-" + "0123456789abcdef" * 4
    checked = hn.check(await run(call("add", a=secret), secret)).called("add", a=1).answered("five")

    assert secret not in str(checked) + checked._repr_mimebundle_()["text/html"]


async def test_a_secret_that_the_sentence_would_have_quoted_stays_out_when_it_is_wanted_too() -> None:
    secret = "sk-or-v1-" + "0123456789abcdef" * 4

    assert secret not in str(hn.check(await sums()).called("add", a=secret).answered(secret))


async def test_a_call_made_at_the_same_time_makes_nothing_good() -> None:
    result = await run([call("divide", a=1, b=0), call("divide", a=1, b=2)], "Half.")

    [told] = hn.check(result).recovered().failures
    assert told.startswith("Expected divide(a=1, b=0) in turn 1 to be made good later, but no later call went well")
    assert not hn.frames.calls(result)["recovered"].dropna().any()


async def test_tokens_that_nobody_counted_are_said_in_the_right_number() -> None:
    result = await run(Scripted(text="5", usage=None))

    assert hn.check(result).within(tokens=1).failures == ("Expected at most 1 token, but nobody counted them.",)
