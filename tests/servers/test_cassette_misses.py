"""A run that is not as recorded: what differs is said, and what happens then is what was asked for."""

from __future__ import annotations

import base64
import copy
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes_nb import AgentResult, HermesAgentLoop, ScriptedServer, journal
from hermes_nb.events import RunFinished
from hermes_nb.journal import Journal
from hermes_nb.servers.cassette import Cassette
from hermes_nb.servers.cassette.differences import Eye, Reading, first_difference
from hermes_nb.servers.scripted import call
from tests.servers.cassettes import QUESTION, SUMS, Listening, add, content_of, echo, play, player, record, sums

PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
"""One pixel, as PNG."""

KEY = "sk-test-1f2e3d4c5b6a79880716"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x.jsonl"


def told(result: AgentResult) -> str:
    """What the run says that could not be played."""
    assert result.stop_reason == "server_error"
    assert result.error is not None
    assert result.error.type == "CassetteMiss"
    return result.error.message


async def test_a_word_that_differs_is_shown_as_expected_and_as_sent(path: Path) -> None:
    asked = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": f"{'Please, ' * 20}add 2 and 3"}]
    other = [asked[0], {"role": "user", "content": f"{'Please, ' * 20}add 2 and 4"}]
    await record(path, sums(), asked, task="sum", attempt=2)
    result = await play(path, other, task="sum", attempt=2)

    first, expected, sent, how = told(result).split("\n")
    assert first == "turn 1 of task 'sum', attempt 2 is not as in x.jsonl: message 2 (user) differs"
    assert expected == '  expected: "…Please, add 2 and 3"'
    assert sent == '  sent:     "…Please, add 2 and 4"'
    assert how == 'Record this run anew with mode="record", or with HERMES_NB_CASSETTE=record.'
    assert result.error is not None
    assert "need a task, or an attempt, of their own" in str(result.error.hint)
    assert result.turns_used == 1
    assert result.messages == other


SYSTEM, USER = {"role": "system", "content": "Brief!"}, {"role": "user", "content": "?"}


@pytest.mark.parametrize(
    ("asked", "what", "expected", "sent"),
    [
        ([USER], "message 1 is another", 'system: "Brief!"', 'user: "?"'),
        ([SYSTEM], "message 2 is not there", 'user: "?"', "nothing"),
        ([SYSTEM, USER, USER], "message 3 is too many", "nothing", 'user: "?"'),
        ([SYSTEM, {**USER, "name": "Ann"}], "message 2 (user) differs in name", "nothing", '"Ann"'),
        ([SYSTEM, {**USER, "content": ["!"]}], "message 2 (user) differs", '"?"', '["!"]'),
    ],
)
async def test_the_first_message_that_differs_is_named(
    path: Path, asked: Any, what: str, expected: str, sent: str
) -> None:
    await record(path, sums(), [SYSTEM, USER])
    first, *rest = told(await play(path, asked)).split("\n")[:-1]

    assert first == f"turn 1 of a run without a task is not as in x.jsonl: {what}"
    assert rest[:2] == [f"  expected: {expected}", f"  sent:     {sent}"]
    counts = f"  (2 messages expected, {len(asked)} message{'s' if len(asked) > 1 else ''} sent)"
    assert rest[2:] == ([counts] if len(asked) != 2 else [])


async def test_of_several_recordings_the_nearest_is_compared_with(path: Path) -> None:
    for system, asked in (("Brief!", "one"), ("Kind!", "two"), ("Brief!", "three")):
        await record(path, ScriptedServer(["ok"]), [*said("system", system), *said("user", asked)])
    miss = told(await play(path, [*said("system", "Kind!"), *said("user", "four")]))

    assert 'message 2 (user) differs\n  expected: "two"\n  sent:     "four"' in miss
    assert "the nearest of its 3 recordings" in miss


def said(role: str, content: str) -> list[dict[str, Any]]:
    return [{"role": role, "content": content}]


async def test_a_task_that_is_not_recorded_is_told_which_are(path: Path) -> None:
    for number in range(7):
        await record(path, ScriptedServer(["ok"]), "?", task=f"q{number}")
    miss = told(await play(path, "?", task="other"))

    assert "x.jsonl has no recording of task 'other', attempt 0; it has those of task 'q0', attempt 0; " in miss
    assert "and 2 more" in miss


async def test_a_run_without_a_task_is_called_so(path: Path) -> None:
    await record(path, ScriptedServer(["ok"]), "?", task="q")

    assert "x.jsonl has no recording of a run without a task; it has" in told(await play(path, "?"))
    assert "attempt 3 of a run without a task" in told(await play(path, "?", attempt=3))


@pytest.mark.parametrize(
    ("tools", "difference"),
    [
        ([], "the tools differ: recorded, and not offered now: add"),
        ([add, sums], "the tools differ: not recorded, and offered now: sums"),
        ([sums], "the tools differ: recorded, and not offered now: add; not recorded, and offered now: sums"),
    ],
)
async def test_tools_that_came_or_went_are_named(path: Path, tools: list[Any], difference: str) -> None:
    await record(path, sums())
    assert difference in told(await play(path, tools=tools))


async def test_what_changed_in_a_tools_schema_is_named(path: Path) -> None:
    def add(a: int, b: float) -> float:
        """Add two whole numbers."""
        return a + b

    await record(path, sums())
    miss = told(await play(path, tools=[add]))

    assert "the schema of the tool add differs in function.parameters.properties.b.type" in miss
    assert '  expected: "integer"\n  sent:     "number"' in miss


@pytest.mark.parametrize(
    ("how", "difference"),
    [
        ({"temperature": 0.2}, "the setting temperature differs\n  expected: 1.0\n  sent:     0.2"),
        ({"max_tokens": 9}, "the setting max_tokens differs\n  expected: nothing\n  sent:     9"),
        ({"extra_body": {"seed": 1}}, 'the setting extra_body differs\n  expected: nothing\n  sent:     {"seed":1}'),
    ],
)  # fmt: skip
async def test_a_setting_that_differs_is_named(path: Path, how: Any, difference: str) -> None:
    await record(path, sums())
    assert difference in told(await player(path, **how).run(QUESTION))


async def test_a_tool_choice_that_differs_at_a_later_turn_is_named(path: Path) -> None:
    script = ScriptedServer([SUMS, SUMS, "ok"])
    loop = HermesAgentLoop(script, [add], tool_choice=lambda turn: "auto", cassette=Cassette(path))
    await loop.run(QUESTION)
    other = player(path, tool_choice=lambda turn: "auto" if turn == 1 else "none")
    assert (await loop.run(QUESTION)).ok

    assert "turn 2 of a run without a task is not as in x.jsonl" in told(await other.run(QUESTION))


async def test_a_tool_that_now_answers_otherwise_is_seen_at_the_next_turn(path: Path) -> None:
    def wrong(a: int, b: int) -> int:
        """Add two whole numbers."""
        return a + b + 1

    wrong.__name__ = "add"
    await record(path, sums())
    loop = HermesAgentLoop(None, [wrong], cassette=Cassette(path, tools="live"))
    miss = told(await loop.run(QUESTION))

    assert "turn 2 of a run without a task is not as in x.jsonl: message 3 (tool) differs" in miss
    assert '  expected: "5"\n  sent:     "6"' in miss


async def test_a_run_that_goes_on_longer_than_the_recording_is_told_where_that_ends(path: Path) -> None:
    recorded = HermesAgentLoop(ScriptedServer([SUMS, "no"]), [add], max_turns=1, cassette=Cassette(path))
    await recorded.run(QUESTION)

    assert "the recording has no turn 2 (max_turns after 1)" in told(await play(path))


def broken_off(path: Path, events: int, whole: Path) -> Path:
    """A journal of the first events of another."""
    with Journal(path) as kept:
        for event in list(journal.read_events(whole))[:events]:
            kept.write(event)
    return path


@pytest.mark.parametrize(
    ("events", "told_at"),
    [
        (1, "the recording has no turn 1 (it breaks off there after 0)"),
        (2, "not as in y.jsonl: the recording breaks off before the model had answered"),
        (3, "the recording breaks off before add, add had answered"),
        (6, "the recording breaks off before add had answered"),
        (8, "the recording has no turn 2 (it breaks off there after 1)"),
    ],
)  # fmt: skip
async def test_a_recording_that_breaks_off_is_played_as_far_as_it_goes_and_no_tool_is_run(
    path: Path, events: int, told_at: str
) -> None:
    ran = []

    def noted(a: int, b: int) -> int:
        """Add two whole numbers."""
        ran.append(a)
        return a + b

    noted.__name__ = "add"
    await HermesAgentLoop(sums(), [add], journal=path, max_parallel_calls=1).run(QUESTION)
    short = broken_off(path.with_name("y.jsonl"), events, path)
    result = await play(short, tools=[noted])

    assert told_at in told(result)
    assert ran == []
    assert [one.content for one in result.results] == (["5", "2"] if events == 8 else [])


async def test_with_live_tools_calls_that_have_no_recorded_answer_are_run(path: Path) -> None:
    await HermesAgentLoop(sums(), [add], journal=path).run(QUESTION)
    short = broken_off(path.with_name("y.jsonl"), 3, path)
    result = await HermesAgentLoop(None, [add], cassette=Cassette(short, tools="live")).run(QUESTION)

    assert [one.content for one in result.results] == ["5", "2"]
    assert "the recording has no turn 2" in told(result)


async def test_a_miss_is_short_whatever_was_sent(path: Path) -> None:
    long = "x" * 100_000
    await record(path, ScriptedServer(["ok"]), [*said("user", long), *said("user", "a" + long)])

    for other in (said("user", long + "y"), [*said("user", long), *said("user", "b" + long)], said("tool", long)):
        assert len(told(await play(path, other))) < 900


async def test_a_miss_tells_no_secret(path: Path) -> None:
    await record(path, ScriptedServer(["ok"]), f"Use {KEY} for a")
    miss = told(await play(path, f"Use {KEY} for b"))

    assert '  expected: "Use [redacted] for a"\n  sent:     "Use [redacted] for b"' in miss
    assert KEY not in told(await play(path, said("system", KEY)))


async def test_a_key_in_the_prompt_is_the_marker_in_the_recording(path: Path) -> None:
    await record(path, ScriptedServer(["ok"]), f"First {KEY}, then sk-test-00112233445566778899")
    assert KEY.encode() not in content_of(path)

    assert (await play(path, "First sk-test-99887766554433221100, then " + KEY)).final_text == "ok"


async def test_a_secret_that_only_the_server_knows_is_its_marker_too(path: Path) -> None:
    class Guarded(ScriptedServer):
        api_key = "open-sesame-42"

    await record(path, Guarded(["ok"]), "The password is open-sesame-42.")
    assert b"open-sesame" not in content_of(path)
    result = await HermesAgentLoop(Guarded([]), [add], cassette=Cassette(path)).run("The password is open-sesame-42.")

    assert result.final_text == "ok"


HISTORY = [
    {"role": "user", "content": "2 + 3?"},
    {"role": "assistant", "content": None,
     "tool_calls": [{"id": "c", "type": "function", "function": {"name": "add", "arguments": '{"a": 2, "b": 3}'}}]},
    {"role": "tool", "tool_call_id": "c", "content": "5"},
]  # fmt: skip


@pytest.mark.parametrize("content", [None, "", "absent"])
async def test_what_says_nothing_is_no_difference(path: Path, content: str | None) -> None:
    await record(path, ScriptedServer(["ok"]), HISTORY)
    other = copy.deepcopy(HISTORY)
    said = other[1]
    said.pop("content")
    if content != "absent":
        said["content"] = content
    said["refusal"] = None
    said["tool_calls"][0]["function"] = {"arguments": '{"a":2,"b":3}', "name": "add"}

    assert (await play(path, other)).final_text == "ok"


async def test_an_argument_that_differs_is_a_difference(path: Path) -> None:
    await record(path, ScriptedServer(["ok"]), HISTORY)
    other = copy.deepcopy(HISTORY)
    other[1]["tool_calls"][0]["function"]["arguments"] = '{"a": 2, "b": 4}'

    miss = told(await play(path, other))
    assert "message 2 (assistant) differs in tool_calls.0.function.arguments.b" in miss
    assert "  expected: 3\n  sent:     4" in miss


async def test_on_a_miss_the_runs_own_server_goes_on_from_there(path: Path) -> None:
    recorded = HermesAgentLoop(ScriptedServer([SUMS, "no"]), [add], max_turns=1, cassette=Cassette(path))
    await recorded.run(QUESTION)
    before = content_of(path)
    server = ScriptedServer([[call("add", a=7, b=7)], "It is 14."])
    result = await HermesAgentLoop(server, [add], cassette=Cassette(path, on_miss="live")).run(QUESTION)

    assert [one.replayed for one in result.results] == [True, True, False]
    assert [request["messages"][-1]["content"] for request in server.requests] == ["2", "14"]
    assert (result.final_text, len({made.id for made in result.calls})) == ("It is 14.", 3)
    assert content_of(path) == before


@pytest.mark.parametrize("streams", [True, False])
async def test_the_server_that_goes_on_is_heard_while_it_streams(path: Path, streams: bool) -> None:
    recorded = HermesAgentLoop(ScriptedServer([SUMS, "no"]), [add], max_turns=1, cassette=Cassette(path))
    await recorded.run(QUESTION)
    scripted, heard = ScriptedServer(["It is 5, and 2."]), Listening()

    class Plain:
        async def chat_completion(self, **request: Any) -> Any:
            return await scripted.chat_completion(**request)

    cassette = Cassette(path, on_miss=scripted if streams else Plain())
    result = await HermesAgentLoop(None, [add], cassette=cassette).run(QUESTION, stream=True, on_event=heard)

    said = [event.text for event in heard.events if event.turn == 2 and type(event).__name__ == "Delta"]
    assert (result.final_text, "".join(said)) == ("It is 5, and 2.", "It is 5, and 2.")
    assert (len(said) > 1) == streams
    reply = result.turns[1].reply
    assert reply is not None
    assert reply.request_id == "req_1"


async def test_a_run_that_differs_from_the_start_is_wholly_the_other_servers(path: Path) -> None:
    first = await record(path, sums())
    loop = HermesAgentLoop(None, [add], cassette=Cassette(path, on_miss=echo()))
    result = await loop.run("3 4")

    assert result.final_text == "It is 7."
    assert result.run_id != first.run_id
    assert result.provenance is not None
    assert "cassette" not in result.provenance.server


async def test_the_errors_of_the_server_that_goes_on_are_its_own(path: Path) -> None:
    recorded = HermesAgentLoop(ScriptedServer([SUMS, "no"]), [add], max_turns=1, cassette=Cassette(path))
    await recorded.run(QUESTION)

    class Leaky:
        api_key = "open-sesame-42"
        base_url = "http://there/v1"

        async def chat_completion(self, **request: Any) -> Any:
            raise ConnectionRefusedError("open-sesame-42 does not get in")

    result = await HermesAgentLoop(None, [add], cassette=Cassette(path, on_miss=Leaky())).run(QUESTION)
    assert result.error is not None
    assert result.error.message.startswith("no connection to http://there/v1: ")
    assert "sesame" not in result.error.message


async def test_the_server_that_goes_on_gets_images_only_where_it_takes_them(path: Path) -> None:
    def look() -> bytes:
        """Look."""
        return PICTURE

    await HermesAgentLoop(ScriptedServer([[call("look")]]), [look], max_turns=1, cassette=Cassette(path)).run("?")
    server = ScriptedServer(["ok"])
    result = await HermesAgentLoop(None, [look], cassette=Cassette(path, on_miss=server)).run("?")

    assert isinstance(result.messages[2]["content"], list)
    assert server.requests[0]["messages"][2]["content"].startswith("[image: 1 x 1 png")


async def test_in_replay_a_miss_is_an_error_whoever_could_go_on(path: Path) -> None:
    await record(path, sums())
    idle = ScriptedServer([])
    for on_miss in ("live", idle):
        cassette = Cassette(path, idle, mode="replay", on_miss=on_miss)  # type: ignore[arg-type]
        assert "message 1 (user) differs" in told(await HermesAgentLoop(idle, [add], cassette=cassette).run("other"))
    assert idle.requests == []


async def test_a_run_that_has_a_task_and_starts_otherwise_is_a_miss_with_a_server_at_hand_too(path: Path) -> None:
    await record(path, sums(), task="sum")
    idle = ScriptedServer([])
    result = await HermesAgentLoop(idle, [add], cassette=Cassette(path)).run("other", task="sum")

    assert "message 1 (user) differs" in told(result)
    assert idle.requests == []


async def test_a_missed_run_has_ids_of_its_own(path: Path) -> None:
    first = await record(path, sums())
    missed = await play(path, "other")

    assert missed.run_id != first.run_id
    assert missed.provenance is not None
    assert missed.provenance.server == {"name": "Cassette", "model": None, "base_url": None, "cassette": "x.jsonl"}


async def test_a_run_that_joins_a_message_plays_when_the_same_message_joins(path: Path) -> None:
    def steered(loop: HermesAgentLoop, words: str) -> Any:
        run = loop.start(QUESTION)
        run.steer(words)
        return run

    first = await steered(HermesAgentLoop(sums(), [add], cassette=Cassette(path)), "Quickly.")
    again = await steered(player(path), "Quickly.")
    other = await steered(player(path), "Slowly.")

    assert again.messages == first.messages
    assert "message 2 (user) differs" in told(other)


def test_a_message_that_is_changed_in_place_is_seen() -> None:
    reading, sent = Reading(Eye()), [{"role": "user", "content": "a"}]
    expected = copy.deepcopy(sent)
    assert reading.difference(expected, sent) is None
    sent[0]["content"] = "b"

    assert "message 1 (user) differs" in str(reading.difference(expected, sent))


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(values)
def test_a_value_does_not_differ_from_itself(value: Any) -> None:
    assert first_difference(value, copy.deepcopy(value)) is None


@given(values, values)
def test_two_values_differ_where_json_does(one: Any, other: Any) -> None:
    found = first_difference(one, other)
    assert (found is None) == (normal(one) == normal(other))
    if found is not None:
        assert normal(found.expected) != normal(found.sent)
        assert found.told().count("\n") == 1


def normal(value: Any) -> Any:
    """The value in a form of which Python's own equality says what is the same: 1 is 1.0, True is not 1, nothing is
    null, and NaN is NaN."""
    if isinstance(value, dict):
        return {name: normal(item) for name, item in value.items() if item is not None}
    if isinstance(value, list):
        kept = [normal(item) for item in value]
        while kept and kept[-1] is None:
            kept.pop()
        return kept
    if isinstance(value, bool):
        return str(value)
    return "NaN" if isinstance(value, float) and math.isnan(value) else (value,) if value is not None else None


async def test_a_miss_ends_the_run_with_an_event_like_any_other_ending(path: Path) -> None:
    await record(path, sums())
    heard = Listening()
    result = await play(path, "other", on_event=heard)
    [end] = [event for event in heard.events if isinstance(event, RunFinished)]

    assert end.error == result.error
