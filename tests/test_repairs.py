"""Any history is made sendable to a strict server, and says what that took."""

from __future__ import annotations

import asyncio
import copy
import json
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hermes_nb import HermesAgentLoop, codec
from hermes_nb.exceptions import ConfigurationError
from hermes_nb.repairs import Repaired, repair
from hermes_nb.repairs.report import MOST_TOLD
from hermes_nb.servers import ScriptedServer, call
from hermes_nb.servers.scripted.strict import ROLES, complaint

USER = {"role": "user", "content": "What is 2 + 3?"}
NOT_ANSWERED = '{"error":"the run was interrupted before this call was answered"}'


def entry(call_id: Any = "a", name: Any = "add", arguments: Any = '{"a":2}', **more: Any) -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}, **more}


def calls(*ids: Any, **more: Any) -> dict[str, Any]:
    entries = [one if isinstance(one, dict) else entry(one) for one in ids]
    return {"role": "assistant", "content": "", "tool_calls": entries, **more}


def answer(call_id: Any = "a", content: Any = "5", **more: Any) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": content, **more}


def idless(one: dict[str, Any], name: str = "id") -> dict[str, Any]:
    return {key: value for key, value in one.items() if key != name}


def repaired(messages: list[Any]) -> Repaired:
    """The repaired history, of which all that holds for any has been checked."""
    before = repr(messages)
    made = repair(messages)
    again = repair(made.messages)
    assert repr(messages) == before, "the input was changed"
    assert codec.dumps(again.messages) == codec.dumps(made.messages), "not idempotent"
    assert again.report == ()
    assert codec.dumps(repair(messages).messages) == codec.dumps(made.messages), "not deterministic"
    known = [one for one in made.messages if one["role"] in ROLES]
    assert not known or complaint({"messages": known}) is None
    return made


def ids(messages: list[dict[str, Any]]) -> list[tuple[str, list[str]]]:
    """Each assistant message's and each result's ids."""
    return [
        (one["role"], [call["id"] for call in one.get("tool_calls", ())] or [one.get("tool_call_id", "")])
        for one in messages
        if one["role"] in ("assistant", "tool")
    ]


# --- calls and their results


def test_F57_three_calls_and_one_result_get_two_more_and_a_second_repair_changes_no_byte() -> None:
    made = repaired([USER, calls("a", "b", "c"), answer("b")])

    assert made.messages == [
        USER, calls("a", "b", "c"), answer("b"), answer("a", NOT_ANSWERED), answer("c", NOT_ANSWERED)
    ]  # fmt: skip
    assert made.report == (
        "message 1: call a had no result, and is answered as interrupted",
        "message 1: call c had no result, and is answered as interrupted",
    )


async def test_F57_an_unanswered_call_is_told_the_same_as_by_an_interrupted_run() -> None:
    started = asyncio.Event()

    async def hang() -> str:
        started.set()
        await asyncio.Event().wait()
        return "never"

    loop = HermesAgentLoop(ScriptedServer([call("hang")]), tools=[hang])
    run = asyncio.ensure_future(loop.run("Hang."))
    await started.wait()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run

    assert loop.last_result is not None
    assert loop.last_result.messages[-1]["content"] == repair(loop.last_result.messages[:-1]).messages[-1]["content"]
    assert repair(loop.last_result.messages).report == ()


def test_F58_a_result_for_no_call_is_removed_and_listed() -> None:
    made = repaired([answer("x"), USER, calls("a"), answer("a"), answer("y"), USER])

    assert made.messages == [USER, calls("a"), answer("a"), USER]
    assert made.report == (
        "message 0: this result for call x answers no call, and was removed",
        "message 4: this result for call y answers no call, and was removed",
    )


def test_F58_a_result_before_its_call_is_moved_to_it_and_listed() -> None:
    made = repaired([USER, answer("a", "early"), calls("a"), USER])

    assert made.messages == [USER, calls("a"), answer("a", "early"), USER]
    assert made.report == ("message 1: the result of call a was moved to follow its call",)


def test_F58_a_result_before_its_call_goes_where_there_is_one_after_it() -> None:
    made = repaired([USER, answer("a", "early"), calls("a"), answer("a", "late")])

    assert made.messages == [USER, calls("a"), answer("a", "late")]
    assert made.report == ("message 1: this is a second result for call a, and was removed; the first is kept",)


def test_F58_of_two_results_for_a_call_the_first_is_kept_and_the_other_listed() -> None:
    made = repaired([USER, calls("a"), answer("a", "first"), answer("a", "second")])

    assert made.messages == [USER, calls("a"), answer("a", "first")]
    assert made.report == ("message 3: this is a second result for call a, and was removed; the first is kept",)


def test_a_result_behind_other_messages_is_put_in_place() -> None:
    made = repaired([USER, calls("a", "b"), answer("a"), USER, {"role": "critic", "content": "Hm."}, answer("b", "6")])

    assert made.messages == [
        USER,
        calls("a", "b"),
        answer("a"),
        answer("b", "6"),
        USER,
        {"role": "critic", "content": "Hm."},
    ]
    assert made.report == ("message 5: the result of call b was moved to follow its call",)


def test_results_that_directly_follow_keep_their_order_whatever_it_is() -> None:
    history = [USER, calls("a", "b"), answer("b"), answer("a"), USER]

    assert repaired(history) == Repaired(history, ())


def test_results_of_several_turns_that_came_in_a_heap_are_told_apart() -> None:
    made = repaired([calls("a"), calls("b"), answer("b", "of b"), answer("a", "of a")])

    assert made.messages == [calls("a"), answer("a", "of a"), calls("b"), answer("b", "of b")]


# --- ids


def test_calls_without_ids_get_them_and_their_results_follow() -> None:
    bare = idless(entry())
    made = repaired([USER, calls(bare, bare), idless(answer(content="1"), "tool_call_id"), answer(None, "2"), USER])

    assert ids(made.messages) == [("assistant", ["call_1", "call_2"]), ("tool", ["call_1"]), ("tool", ["call_2"])]
    assert [one["content"] for one in made.messages[2:4]] == ["1", "2"]
    assert made.report == (
        "message 1: call 0 had no id, and is call_1 now",
        "message 1: call 1 had no id, and is call_2 now",
        "message 2: this result is one of call call_1 now",
        "message 3: this result is one of call call_2 now",
    )


def test_a_result_with_an_id_that_nobody_knows_is_the_one_of_a_call_without() -> None:
    made = repaired([USER, calls(None, "b"), answer("made up", "1"), answer("b", "2")])

    assert ids(made.messages) == [("assistant", ["call_1", "b"]), ("tool", ["call_1"]), ("tool", ["b"])]
    assert made.messages[2]["content"] == "1"


def test_a_result_with_an_id_that_nobody_knows_is_not_the_one_of_a_call_with_another() -> None:
    made = repaired([USER, calls("a"), answer("made up", "1")])

    assert made.messages == [USER, calls("a"), answer("a", NOT_ANSWERED)]
    assert "message 2: this result for call 'made up' answers no call, and was removed" in made.report


def test_results_with_unknown_ids_and_with_none_each_find_a_call_of_their_own() -> None:
    made = repaired([USER, calls(None, "b"), answer("made up", "1"), answer(None, "2")])

    assert ids(made.messages) == [("assistant", ["call_1", "b"]), ("tool", ["call_1"]), ("tool", ["b"])]
    assert [one["content"] for one in made.messages[2:]] == ["1", "2"]


def test_a_result_without_an_id_is_the_one_of_the_call_that_is_left() -> None:
    made = repaired([USER, calls("a", "b"), answer(None, "of b"), answer("a", "of a")])

    assert ids(made.messages) == [("assistant", ["a", "b"]), ("tool", ["b"]), ("tool", ["a"])]


def test_an_id_twice_in_a_message_is_told_apart_by_the_order() -> None:
    made = repaired([USER, calls("a", "a"), answer("a", "1"), answer("a", "2")])

    assert ids(made.messages) == [("assistant", ["a", "a_2"]), ("tool", ["a"]), ("tool", ["a_2"])]
    assert [one["content"] for one in made.messages[2:]] == ["1", "2"]
    assert made.report[0] == "message 1: call a had an id that was used before, and is a_2 now"


def test_an_id_used_in_every_turn_is_told_apart_and_each_result_stays_with_its_call() -> None:
    made = repaired([calls("a"), answer("a", "1"), calls("a"), answer("a", "2"), calls("a"), answer("a", "3")])

    assert ids(made.messages) == [(role, [one]) for one in ("a", "a_2", "a_3") for role in ("assistant", "tool")]
    assert [one["content"] for one in made.messages[1::2]] == ["1", "2", "3"]


def test_a_new_id_is_never_one_that_the_history_has() -> None:
    made = repaired([calls("a", "a", None, "a_2", "call_1", "call", "call")])

    assert ids(made.messages)[0] == ("assistant", ["a", "a_3", "call_2", "a_2", "call_1", "call", "call_4"])


def test_an_id_that_is_a_number_becomes_text_on_both_sides() -> None:
    made = repaired([USER, calls(7), answer(7), calls(8), answer("8")])

    assert ids(made.messages) == [(role, [one]) for one in ("7", "8") for role in ("assistant", "tool")]
    assert made.report[0] == "message 1: call 0 had an id that is no text, and is 7 now"


# --- what stands in a call


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        (None, "{}"),
        ("", "{}"),
        ({"a": 2}, '{"a":2}'),
        ('"{\\"a\\": 2}"', '{"a":2}'),
        ('{"a": 1', '{"_malformed":"{\\"a\\": 1"}'),
        ("[1]", '{"_malformed":"[1]"}'),
        ([1], '{"_malformed":"[1]"}'),
        ({"a": float("nan")}, '{"_malformed":"{\\"a\\":NaN}"}'),
        ({(1, 2): 3}, '{"_malformed":"{(1, 2): 3}"}'),
    ],
)
def test_arguments_that_are_no_text_of_an_object_become_one(written: Any, sent: str) -> None:
    made = repaired([calls(entry(arguments=written)), answer()])

    assert made.messages == [calls(entry(arguments=sent)), answer()]
    assert made.report == (
        "message 0: call a had arguments that were no text of a JSON object, and are now",
    )  # fmt: skip


def test_absent_arguments_are_none() -> None:
    made = repaired([calls({"id": "a", "type": "function", "function": {"name": "now"}}), answer()])

    assert made.messages[0] == calls(entry(name="now", arguments="{}"))


def test_a_reply_that_was_cut_in_the_middle_of_a_call_is_a_call_that_nobody_answered() -> None:
    half = {"id": "b", "type": "function", "function": {"name": "", "arguments": '{"a'}}
    made = repaired([USER, calls("a", half, {"index": 2}, {})])

    assert made.messages == [
        USER,
        calls("a", entry("b", "unnamed_tool", '{"_malformed":"{\\"a"}')),
        answer("a", NOT_ANSWERED),
        answer("b", NOT_ANSWERED),
    ]
    assert made.report == (
        "message 1: call b had no name, and is called unnamed_tool now",
        "message 1: call b had arguments that were no text of a JSON object, and are now",
        "message 1: call 2 names no function, and was removed",
        "message 1: call 3 names no function, and was removed",
        "message 1: call a had no result, and is answered as interrupted",
        "message 1: call b had no result, and is answered as interrupted",
    )


@pytest.mark.parametrize(
    "call_",
    [
        {"id": "a", "function": {"name": "add", "arguments": '{"a":2}'}},
        {"id": "a", "name": "add", "arguments": {"a": 2}},
        {"id": "a", "function": "add", "arguments": {"a": 2}, "type": "function"},
        {"id": "a", "type": "tool_call", "function": {"name": "add", "arguments": '{"a":2}'}},
    ],
)
def test_a_call_in_another_spelling_is_written_as_the_wire_has_it(call_: dict[str, Any]) -> None:
    made = repaired([calls(call_), answer()])

    assert made.messages == [calls("a"), answer()]
    assert made.report[0] == "message 0: call a is now written as a function call"


def test_a_custom_tools_call_stays_one() -> None:
    history = [calls({"id": "a", "type": "custom", "custom": {"name": "shell", "input": "ls"}}), answer()]

    assert repaired(history) == Repaired(history, ())


def test_one_call_in_place_of_a_list_becomes_a_list_of_it() -> None:
    made = repaired([{"role": "assistant", "content": "", "tool_calls": entry()}, answer()])

    assert made.messages == [calls("a"), answer()]
    assert made.report == ("message 0: its tool_calls were one object, and are a list of it now",)


@pytest.mark.parametrize("none", [[], None, {}, "add", [None]])
def test_tool_calls_that_hold_none_are_removed(none: Any) -> None:
    made = repaired([USER, {"role": "assistant", "content": "5", "tool_calls": none}])

    assert made.messages == [USER, {"role": "assistant", "content": "5"}]
    assert made.report[-1] == "message 1: its tool_calls hold no call, and were removed"


# --- content


@pytest.mark.parametrize(
    "silent",
    [
        {"role": "assistant"},
        {"role": "assistant", "content": None},
        {"role": "assistant", "content": ""},
        {"role": "assistant", "content": []},
        {"role": "assistant", "content": None, "tool_calls": []},
        {"role": "assistant", "content": "", "reasoning": "hm"},
    ],
)
def test_an_assistant_message_with_neither_content_nor_calls_is_removed(silent: dict[str, Any]) -> None:
    made = repaired([USER, silent, USER])

    assert made.messages == [USER, USER]
    assert made.report[-1] == "message 1: this assistant message has neither content nor calls, and was removed"


def test_what_stood_behind_a_removed_message_directly_follows() -> None:
    made = repaired([calls("a"), {"role": "assistant", "content": ""}, answer("a")])

    assert made.messages == [calls("a"), answer("a")]
    assert len(made.report) == 1


@pytest.mark.parametrize("said", [{"refusal": "No."}, {"function_call": {"name": "add", "arguments": "{}"}}])
def test_what_is_said_in_other_fields_is_said(said: dict[str, Any]) -> None:
    history = [USER, {"role": "assistant", "content": None, **said}]

    assert repaired(history) == Repaired(history, ())


@pytest.mark.parametrize("content", [None, "", "So:", [{"type": "text", "text": "So:"}]])
def test_content_beside_calls_may_be_anything_that_the_wire_has(content: Any) -> None:
    history = [USER, {**calls("a"), "content": content}, answer()]

    assert repaired(history) == Repaired(history, ())


PART = {"type": "text", "text": "Hi"}


@pytest.mark.parametrize(
    ("content", "sent"),
    [
        (None, ""),
        ([], ""),
        ([None], ""),
        (PART, [PART]),
        (["Hi"], [PART]),
        ([{"text": "Hi", "more": 1}], [{"text": "Hi", "more": 1, "type": "text"}]),
        ([{"type": "text"}], [{"type": "text", "text": '{"type":"text"}'}]),
        ({"total": 5}, '{"total":5}'),
        (5, "5"),
    ],
)
@pytest.mark.parametrize("role", ["user", "system", "tool"])
def test_content_that_the_wire_does_not_have_is_made_into_some(role: str, content: Any, sent: Any) -> None:
    before = [calls("a")] if role == "tool" else []
    message = {"role": role, "content": content, **({"tool_call_id": "a"} if role == "tool" else {})}
    made = repaired([*before, message])

    assert made.messages == [*before, {**message, "content": sent}]
    assert len(made.report) == 1
    assert made.report[0].startswith(f"message {len(before)}: its content, ")


def test_absent_content_is_none() -> None:
    assert repaired([{"role": "user"}]).messages == [{"role": "user", "content": ""}]


# --- what is kept


def test_F59_unknown_roles_and_unknown_fields_are_kept() -> None:
    history = [
        {"role": "critic", "content": {"score": 1}, "tool_calls": []},
        {**USER, "name": "Ann", "provider_x": {"deep": [1, None]}},
        calls(entry(extra_content={"signature": "x"}), reasoning_details=[{"data": "zzz"}]),
        answer(name="add", cache_control={"type": "ephemeral"}),
        {"role": "user", "content": [{"type": "hologram", "payload": [1]}]},
    ]

    assert repaired(history) == Repaired(history, ())


def test_F59_what_nobody_knows_is_kept_in_what_is_mended_too() -> None:
    odd = entry(None, arguments={"a": 2}, extra_content={"signature": "x"})
    odd["function"]["strict"] = True
    made = repaired([calls(odd, reasoning="hm"), answer(None, name="add", seen=True)])
    mended = entry("call_1", extra_content={"signature": "x"})
    mended["function"]["strict"] = True

    assert made.messages == [
        calls(mended, reasoning="hm"),
        answer("call_1", name="add", seen=True),
    ]


def test_the_repaired_history_shares_nothing_with_the_one_that_was_given() -> None:
    history = [{"role": "user", "content": [PART]}, calls("a"), answer("a", extra={"deep": [1]})]
    before = copy.deepcopy(history)
    made = repair(history)
    made.messages[0]["content"][0]["text"] = "changed"
    made.messages[1]["tool_calls"][0]["function"]["name"] = "changed"
    made.messages[2]["extra"]["deep"].clear()

    assert history == before


def test_nothing_is_left_of_a_history_that_says_nothing() -> None:
    assert repair([]) == Repaired([], ())
    assert repaired([answer("a"), {"role": "assistant", "content": ""}]).messages == []


# --- what is no history, and how much is told


@pytest.mark.parametrize("given", [None, "Hi", {"role": "user", "content": "Hi"}, 5])
def test_what_is_no_list_is_refused_with_a_sentence(given: Any) -> None:
    with pytest.raises(ConfigurationError, match="a history is a list of chat messages; got "):
        repair(given)


@pytest.mark.parametrize("given", [[5], ["Hi"], [{"content": "Hi"}], [None], [{"role": None}]])
def test_what_is_no_message_is_refused_with_a_sentence(given: Any) -> None:
    with pytest.raises(ConfigurationError, match="a chat message is a dict with a 'role'"):
        repair(given)


def test_a_message_nested_too_deeply_is_refused_with_its_place() -> None:
    deep: Any = "x"
    for _ in range(100_000):
        deep = [deep]

    with pytest.raises(ConfigurationError, match="message 1 is nested too deeply"):
        repair([USER, {**USER, "extra": deep}])


def test_a_report_is_of_bounded_size() -> None:
    made = repair([calls(*(["x" * 100_000 + "\n"] * 2000))])

    assert len(made.report) == MOST_TOLD + 1
    assert made.report[-1] == "and 2999 more changes"
    assert max(map(len, made.report)) < 250
    assert not any("\n" in line for line in made.report)


def test_a_report_is_in_the_order_of_the_messages() -> None:
    made = repaired([calls("a"), {"role": "assistant", "content": None}, answer("b"), {"role": "user"}])

    assert [line.partition(":")[0] for line in made.report] == [f"message {place}" for place in range(4)]


def test_a_repair_shows_itself_in_a_line() -> None:
    assert repr(repair([calls("a")])) == "Repaired(2 messages · 1 changes)"


def test_a_repair_takes_steps_in_proportion_to_the_length_of_the_history() -> None:
    def steps(turns: int) -> int:
        history = [one for _ in range(turns) for one in (calls("a", None, "a"), USER, answer("a"), answer("zzz"))]
        count = 0

        def line(*_: Any) -> Any:
            nonlocal count
            count += 1
            return line

        before = sys.gettrace()
        sys.settrace(line)
        try:
            repair(history)
        finally:
            sys.settrace(before)
        return count

    assert steps(400) < 8.5 * steps(50)


# --- any history at all

IDS = st.sampled_from(["a", "b", "a_2", "call_1", "", None, 7, ["a"]])
WORDS = st.sampled_from(["", "5", "{}", '{"a": 1', "[1]", "\ud800", "null"])
LOOSE = st.recursive(
    st.none() | st.booleans() | st.integers() | WORDS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["type", "text", "id", "x"]), inner),
    max_leaves=4,
)
NAMED = st.fixed_dictionaries({}, optional={"name": WORDS | LOOSE, "arguments": LOOSE, "input": LOOSE})
ENTRIES = st.one_of(
    LOOSE,
    st.fixed_dictionaries(
        {}, optional={"id": IDS, "type": st.sampled_from(["function", "custom", 3]), "name": WORDS, "arguments": LOOSE,
                      "function": LOOSE | NAMED, "custom": LOOSE | NAMED, "extra": LOOSE},
    ),
    st.builds(entry, IDS),
)  # fmt: skip
MESSAGES = st.fixed_dictionaries(
    {"role": st.sampled_from([*ROLES, "assistant", "assistant", "tool", "tool", "critic", ""])},
    optional={"content": WORDS | LOOSE, "tool_calls": st.lists(ENTRIES, max_size=4) | LOOSE, "tool_call_id": IDS,
              "refusal": LOOSE, "extra": LOOSE},
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.lists(MESSAGES, max_size=10))
def test_any_history_is_repaired_into_one_that_a_strict_server_takes(messages: list[Any]) -> None:
    made = repaired(messages)

    said = [codec.dumps(one["content"]) for one in made.messages if one["role"] == "tool"]
    kept = [codec.dumps(repair([calls("a"), answer("a", one.get("content"))]).messages[1]["content"])
            for one in messages if one["role"] == "tool"]  # fmt: skip
    for content in said:
        if content in kept:
            kept.remove(content)
        else:
            assert json.loads(content) == NOT_ANSWERED, "a result came from nowhere"


SOUND_TURNS = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from([None, "", "So:"]), st.booleans(), st.booleans()), max_size=6
)


@settings(max_examples=100, deadline=None)
@given(SOUND_TURNS, st.randoms(use_true_random=False))
def test_a_sound_history_comes_out_as_it_went_in(turns: list[Any], chance: Any) -> None:
    history: list[Any] = [{"role": "system", "content": "Be brief."}, USER]
    for number, (count, content, asked, thought) in enumerate(turns):
        names = [f"call_{number}_{index}" for index in range(count)]
        history.append({**calls(*names), "content": content} if names else {"role": "assistant", "content": "5"})
        history[-1] |= {"reasoning_content": "hm"} if thought else {}
        chance.shuffle(names)
        history.extend(answer(name, "") for name in names)
        history.extend([USER] if asked else [])
    before = copy.deepcopy(history)

    assert complaint({"messages": history}) is None
    assert repaired(history) == Repaired(before, ())
