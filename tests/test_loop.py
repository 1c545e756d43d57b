"""The loop: ask, answer, ask again; every ending is a value; nothing is lost."""

from __future__ import annotations

import asyncio
import contextvars
import math
import threading
from contextlib import aclosing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hermes_nb import HermesAgentLoop, ScriptedServer, Toolbox, ToolContext, journal, tool
from hermes_nb import events as ev
from hermes_nb.clocks import CountedIds, StillClock
from hermes_nb.exceptions import ConfigurationError, JournalError, RunFailed
from hermes_nb.records import AgentResult, Turn
from hermes_nb.servers.scripted import Scripted, call
from hermes_nb.tools.gates import Allow, Answer, Reject, Replace

pytestmark = pytest.mark.usefixtures("nothing_is_left")


def add(a: int, b: int) -> int:
    """Add two whole numbers."""
    return a + b


def boom() -> str:
    """Fail."""
    raise RuntimeError("it broke")


def five() -> ScriptedServer:
    return ScriptedServer([[call("add", a=2, b=3)], "5"])


def repeatable(server: Any, tools: Any = (add,), **how: Any) -> HermesAgentLoop:
    return HermesAgentLoop(server, tools, clock=StillClock(), ids=CountedIds(), **how)


def roles(result: AgentResult) -> list[str]:
    return [message["role"] for message in result.messages]


# --- the original's behaviour, B1-B18 -------------------------------------------------------------------------------


async def test_B2_the_request_holds_messages_n_temperature_and_tools() -> None:
    server = five()
    await HermesAgentLoop(server, [add], temperature=0.5, max_tokens=100).run("?")
    request = server.requests[0]
    assert request["messages"] == [{"role": "user", "content": "?"}]
    assert (request["temperature"], request["max_tokens"]) == (0.5, 100)
    assert request["tools"][0]["function"]["name"] == "add"
    assert "tool_choice" not in request


async def test_B2_what_is_not_set_is_not_sent() -> None:
    server = ScriptedServer(["hi"])
    await HermesAgentLoop(server, temperature=None).run("?")
    assert not {"tools", "max_tokens", "temperature", "tool_choice", "extra_body"} & set(server.requests[0])


async def test_B3_L28_a_failing_server_is_a_result_with_its_cause_and_the_turn_counts() -> None:
    result = await HermesAgentLoop(ScriptedServer([ConnectionError("nobody there")])).run("?")
    assert (result.stop_reason, result.turns_used, result.finished_naturally) == ("server_error", 1, False)
    assert roles(result) == ["user"]
    assert result.reasoning_per_turn == []
    assert result.error is not None
    assert "nobody there" in result.error.message
    with pytest.raises(RunFailed) as caught:
        result.raise_for_error()
    assert isinstance(caught.value.__cause__, ConnectionError)


@pytest.mark.parametrize("answer", [None, {}, {"choices": []}, {"choices": None}, SimpleNamespace(choices=[])])
async def test_B4_an_answer_without_a_message_ends_the_run_as_a_server_error(answer: Any) -> None:
    class Empty:
        async def chat_completion(self, **request: Any) -> Any:
            return answer

    result = await HermesAgentLoop(Empty()).run("?")
    assert (result.stop_reason, result.turns_used) == ("server_error", 1)
    assert result.error is not None
    assert result.error.type == "NoReply"


async def test_B6_reasoning_is_kept_for_every_turn_that_got_a_reply() -> None:
    server = ScriptedServer([Scripted(calls=[call("add", a=1, b=1)], reasoning="let me add"), "2"])
    result = await HermesAgentLoop(server, [add]).run("?")
    assert result.reasoning_per_turn == ["let me add", None]


async def test_B7_B16_a_call_and_its_answer_enter_the_history() -> None:
    result = await repeatable(five()).run("?")
    assert roles(result) == ["user", "assistant", "tool", "assistant"]
    asked, answered = result.messages[1], result.messages[2]
    assert asked["tool_calls"][0]["function"] == {"name": "add", "arguments": '{"a":2,"b":3}'}
    assert answered == {"role": "tool", "tool_call_id": asked["tool_calls"][0]["id"], "content": "5"}


async def test_B8_a_reply_without_calls_finishes() -> None:
    result = await HermesAgentLoop(ScriptedServer(["hello"])).run("?")
    assert (result.finished_naturally, result.turns_used, result.final_text) == (True, 1, "hello")


async def test_B9_one_call_at_a_time_is_the_originals_way() -> None:
    log: list[str] = []

    async def step(name: str) -> str:
        log.append(f"+{name}")
        await asyncio.sleep(0)
        log.append(f"-{name}")
        return name

    server = ScriptedServer([[call("step", name="a"), call("step", name="b")], "done"])
    await HermesAgentLoop(server, [step], max_parallel_calls=1).run("?")
    assert log == ["+a", "-a", "+b", "-b"]


async def test_B5_only_the_first_choice_is_looked_at() -> None:
    choices = [{"index": n, "message": {"role": "assistant", "content": word}} for n, word in enumerate(("one", "two"))]
    result = await HermesAgentLoop(ScriptedServer([{"choices": choices}])).run("?")
    assert (result.final_text, len(result.messages)) == ("one", 2)


async def test_B10_an_unknown_tool_is_answered_and_counted_and_the_loop_goes_on() -> None:
    server = ScriptedServer([[call("ad", a=1)], "sorry"])
    result = await HermesAgentLoop(server, [add]).run("?")
    [error] = result.tool_errors
    assert (error.kind, error.fault, error.tool_name) == ("unknown_tool", "model", "ad")
    assert "add" in result.messages[2]["content"]
    assert result.finished_naturally


async def test_B12_L21_L22_no_tool_is_known_by_name_and_nothing_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    def terminal(command: int | None) -> str:
        return "done"

    result = await HermesAgentLoop(ScriptedServer([[call("terminal", command=None)], "ok"]), [terminal]).run("?")
    assert result.results[0].content == "done"
    assert capsys.readouterr() == ("", "")


async def test_B13_a_sync_tool_runs_in_a_thread_and_an_async_one_on_the_loop() -> None:
    def sync_one() -> str:
        return threading.current_thread().name

    async def async_one() -> str:
        return threading.current_thread().name

    server = ScriptedServer([[call("sync_one"), call("async_one")], "ok"])
    first, second = (await HermesAgentLoop(server, [sync_one, async_one]).run("?")).results
    assert (first.content, second.content) == ("hermes_nb tool", threading.current_thread().name)


async def test_B14_a_tool_that_fails_is_answered_and_counted() -> None:
    result = await HermesAgentLoop(ScriptedServer([[call("boom")], "ok"]), [boom]).run("?")
    [error] = result.tool_errors
    assert (error.kind, error.exception_type, error.turn, error.call_index) == ("exception", "RuntimeError", 1, 0)
    assert "it broke" in result.messages[2]["content"]
    assert "Traceback" not in result.messages[2]["content"]
    assert "it broke" in (error.traceback or "")


@pytest.mark.parametrize(
    ("returned", "kinds"),
    [
        ({"error": "no", "exit_code": -1}, ["reported"]),
        ({"error": "no", "exit_code": 124}, ["reported"]),
        ({"error": "no"}, ["reported"]),
        ('{"error": "no", "output": ""}', ["reported"]),
        ({"error": None, "exit_code": 1}, []),
        ({"error": "", "exit_code": 0}, []),
        ("error: no", []),
    ],
)
async def test_B15_L11_what_a_tool_reports_as_an_error_is_one_and_an_exit_code_alone_is_none(
    returned: Any, kinds: list[str]
) -> None:
    def act() -> Any:
        return returned

    result = await HermesAgentLoop(ScriptedServer([[call("act")], "ok"]), [act]).run("?")
    assert [error.kind for error in result.tool_errors] == kinds


async def test_B17_turns_run_out_after_the_last_answer() -> None:
    server = ScriptedServer(lambda messages: [call("add", a=1, b=1)])
    result = await HermesAgentLoop(server, [add], max_turns=3).run("?")
    assert (result.stop_reason, result.turns_used, result.finished_naturally) == ("max_turns", 3, False)
    assert roles(result)[-1] == "tool"


async def test_B17_no_turns_at_all_is_a_run_too() -> None:
    result = await HermesAgentLoop(ScriptedServer([]), max_turns=0).run("?")
    assert (result.stop_reason, result.turns_used) == ("max_turns", 0)


class Managed:
    """A server with a state, as trainers have them."""

    def __init__(self, answer: Any, state: Any) -> None:
        self.answer, self.get_state = answer, state

    async def chat_completion(self, **request: Any) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return {"choices": [{"message": {"role": "assistant", "content": self.answer}}]}


@pytest.mark.parametrize("answer", ["hi", ValueError("down")])
async def test_B18_the_servers_state_is_taken_however_the_run_ends(answer: Any) -> None:
    result = await HermesAgentLoop(Managed(answer, lambda: {"nodes": [1]})).run("?")
    assert result.managed_state == {"nodes": [1]}
    assert (await HermesAgentLoop(ScriptedServer(["hi"])).run("?")).managed_state is None


# --- latent bugs of the original ------------------------------------------------------------------------------------


async def test_L1_calls_that_run_together_each_get_their_own_arguments() -> None:
    def echo(text: str) -> str:
        return text

    words = [f"w{number}" for number in range(20)]
    server = ScriptedServer([[call("echo", text=word) for word in words], "done"])
    result = await HermesAgentLoop(server, [echo]).run("?")
    assert [r.content for r in result.results] == words


async def test_B11_L3_malformed_arguments_run_nothing_and_are_counted() -> None:
    ran: list[int] = []

    def act(n: int = 0) -> str:
        ran.append(n)
        return "ran"

    broken = {"role": "assistant", "content": "", "tool_calls": [
        {"id": "x", "type": "function", "function": {"name": "act", "arguments": '{"n": 1'}}]}  # fmt: skip
    result = await HermesAgentLoop(ScriptedServer([broken, "ok"]), [act]).run("?")
    assert ran == []
    assert [error.kind for error in result.tool_errors] == ["bad_json"]
    assert result.messages[1]["tool_calls"][0]["function"]["arguments"] == '{"n": 1'


async def test_L11_a_tool_that_reports_an_error_is_counted_once() -> None:
    def report() -> dict[str, Any]:
        return {"error": "no such table", "exit_code": -1}

    result = await HermesAgentLoop(ScriptedServer([[call("report")], "ok"]), [report]).run("?")
    assert [(error.kind, error.error) for error in result.tool_errors] == [("reported", "no such table")]


async def test_L13_a_tool_that_runs_a_loop_of_its_own_does_not_deadlock() -> None:
    def delegate(depth: int) -> str:
        """Hand the question to another loop."""
        if depth == 0:
            return "bottom"
        inner = ScriptedServer([[call("delegate", depth=depth - 1)], f"from {depth}"])
        return HermesAgentLoop(inner, [delegate]).run_sync("?").final_text

    server = ScriptedServer([[call("delegate", depth=2) for _ in range(12)], "done"])
    result = await HermesAgentLoop(server, [delegate], max_parallel_calls=12).run("?")
    assert [r.content for r in result.results] == ["from 2"] * 12


async def test_L14_a_tool_that_hangs_is_answered_at_its_timeout_and_named() -> None:
    let_go = threading.Event()

    def hang() -> str:
        let_go.wait()
        return "late"

    result = await HermesAgentLoop(ScriptedServer([[call("hang")], "ok"]), [hang], tool_timeout=0.05).run("?")
    let_go.set()
    assert (result.tool_errors[0].kind, result.tool_errors[0].fault) == ("timeout", "environment")
    assert len(result.abandoned) == 1
    assert "hang" in result.abandoned[0]
    assert result.finished_naturally


async def test_L15_an_interrupted_run_is_whole_and_can_be_sent_again() -> None:
    entered = asyncio.Event()

    async def wait() -> str:
        entered.set()
        await asyncio.Event().wait()
        return "never"

    loop = HermesAgentLoop(ScriptedServer([[call("wait"), call("add", a=1, b=2)], "never"]), [wait, add])
    task = asyncio.ensure_future(loop.run("?"))
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    result = loop.last_result
    assert result is not None
    assert result.stop_reason == "interrupted"
    asked = {entry["id"] for entry in result.messages[1]["tool_calls"]}
    assert {m["tool_call_id"] for m in result.messages if m["role"] == "tool"} == asked
    assert result.results[0].status == "cancelled"


async def test_F25_an_interrupt_inside_a_tool_interrupts_the_run_and_spares_the_event_loop() -> None:
    def interrupted() -> str:
        raise KeyboardInterrupt

    loop = HermesAgentLoop(ScriptedServer([[call("interrupted"), call("add", a=1, b=1)], "never"]), [interrupted, add])
    with pytest.raises(asyncio.CancelledError):
        await loop.run("?")
    assert loop.last_result is not None
    assert loop.last_result.stop_reason == "interrupted"
    assert len(loop.last_result.results) == 2


async def test_L17_a_tool_that_raises_stop_iteration_is_answered() -> None:
    def stop() -> str:
        raise StopIteration("x")

    result = await HermesAgentLoop(ScriptedServer([[call("stop")], "ok"]), [stop]).run("?")
    assert result.tool_errors[0].exception_type == "StopIteration"


async def test_L18_an_exception_whose_text_raises_is_answered() -> None:
    class Rude(Exception):
        def __str__(self) -> str:
            raise ValueError("no")

    def rude() -> str:
        raise Rude

    result = await HermesAgentLoop(ScriptedServer([[call("rude")], "ok"]), [rude]).run("?")
    assert result.tool_errors[0].exception_type == "Rude"
    assert result.finished_naturally


async def test_L23_context_variables_travel_to_tools() -> None:
    session = contextvars.ContextVar("session", default="unset")

    def who() -> str:
        return session.get()

    session.set("mine")
    result = await HermesAgentLoop(ScriptedServer([[call("who")], "ok"]), [who]).run("?")
    assert result.results[0].content == "mine"


async def test_L24_a_state_that_cannot_be_had_loses_no_run() -> None:
    def broken() -> Any:
        raise RuntimeError("no state")

    assert (await HermesAgentLoop(Managed("hi", broken)).run("?")).final_text == "hi"

    async def slow() -> dict[str, int]:
        return {"nodes": 1}

    assert (await HermesAgentLoop(Managed("hi", slow)).run("?")).managed_state == {"nodes": 1}


async def test_L25_the_callers_messages_are_never_touched() -> None:
    asked = [{"role": "user", "content": "?"}]
    for _ in range(2):
        result = await HermesAgentLoop(five(), [add]).run(asked)
        assert asked == [{"role": "user", "content": "?"}]
        assert len(result.messages) == 4


async def test_B1_in_place_appends_to_the_callers_list_as_the_original_did() -> None:
    asked = [{"role": "user", "content": "?"}]
    result = await HermesAgentLoop(five(), [add]).run(asked, in_place=True)
    assert result.messages is asked
    assert len(asked) == 4


async def test_L26_a_tuple_of_messages_is_taken() -> None:
    result = await HermesAgentLoop(ScriptedServer(["hi"])).run(({"role": "user", "content": "?"},))
    assert result.ok


async def test_B1_an_interrupted_run_leaves_the_callers_list_whole_too() -> None:
    entered = asyncio.Event()

    async def wait() -> str:
        entered.set()
        await asyncio.Event().wait()
        return "never"

    asked = [{"role": "user", "content": "?"}]
    task = asyncio.ensure_future(HermesAgentLoop(ScriptedServer([[call("wait")]]), [wait]).run(asked, in_place=True))
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [message["role"] for message in asked] == ["user", "assistant", "tool"]


@pytest.mark.parametrize(
    ("reply", "stop_reason"),
    [
        (Scripted(text="so far", finish_reason="length"), "length"),
        (Scripted(text="so far", finish_reason="content_filter"), "content_filter"),
        ({"role": "assistant", "content": None, "refusal": "I will not."}, "refusal"),
        (Scripted(text=""), "empty"),
        (Scripted(text="yes"), "finished"),
    ],
)
async def test_L27_a_reply_that_is_no_answer_is_not_a_natural_end(reply: Any, stop_reason: str) -> None:
    result = await HermesAgentLoop(ScriptedServer([reply])).run("?")
    assert result.stop_reason == stop_reason
    assert result.finished_naturally is (stop_reason == "finished")


async def test_L27_a_call_cut_off_by_the_token_limit_is_not_run_and_the_model_is_told() -> None:
    ran: list[int] = []

    def act(n: int = 0) -> str:
        ran.append(n)
        return "ran"

    def entry(number: int, arguments: str) -> dict[str, Any]:
        return {"id": f"c{number}", "type": "function", "function": {"name": "act", "arguments": arguments}}

    message = {"role": "assistant", "content": "", "tool_calls": [entry(1, '{"n": 1}'), entry(2, "")]}
    server = ScriptedServer([{"choices": [{"index": 0, "message": message, "finish_reason": "length"}]}, "ok"])
    result = await HermesAgentLoop(server, [act]).run("?")
    assert ran == [1]
    assert [r.status for r in result.results] == ["ok", "bad_json"]
    assert "cut off" in result.results[1].content


async def test_calls_are_trusted_over_a_finish_reason_that_denies_them() -> None:
    server = ScriptedServer([Scripted(calls=[call("add", a=1, b=1)], finish_reason="stop"), "2"])
    assert len((await HermesAgentLoop(server, [add]).run("?")).calls) == 1


@pytest.mark.parametrize(
    ("sent", "thought"), [("", None), (["a", {"text": "b"}], "ab"), ("\n", "\n"), (None, None), (5, None)]
)
async def test_L30_reasoning_is_text_or_nothing_whatever_was_sent(sent: Any, thought: str | None) -> None:
    message = {"role": "assistant", "content": "hi", "reasoning_content": sent}
    result = await HermesAgentLoop(ScriptedServer([message])).run("?")
    reply = result.turns[0].reply
    assert reply is not None
    assert reply.reasoning == thought
    assert reply.raw is not None
    assert reply.raw["choices"][0]["message"]["reasoning_content"] == sent


async def test_L31_think_tags_stay_in_the_text_unless_asked() -> None:
    result = await HermesAgentLoop(ScriptedServer(["<think>hm</think>five"])).run("?")
    assert result.final_text == "<think>hm</think>five"
    assert result.messages[-1]["content"] == "<think>hm</think>five"


async def test_L35_a_tools_answer_has_the_three_fields_of_openais_format() -> None:
    result = await HermesAgentLoop(five(), [add]).run("?")
    assert set(result.messages[2]) == {"role", "tool_call_id", "content"}


# --- what a user writes ---------------------------------------------------------------------------------------------


async def test_a_conversation_goes_on_after_a_result_as_a_new_run() -> None:
    server = ScriptedServer([[call("add", a=2, b=3)], "5", "10"])
    loop = HermesAgentLoop(server, [add], system="Be brief.")
    first = await loop.run("2 + 3?")
    more = await loop.run("And doubled?", after=first)
    assert roles(more) == ["system", "user", "assistant", "tool", "assistant", "user", "assistant"]
    assert server.requests[-1]["messages"] == more.messages[:-1]
    assert (more.turns_used, more.run_id != first.run_id) == (1, True)
    assert more.origin is not None
    assert (more.origin.kind, more.origin.run_id, more.origin.turn) == ("follow_up", first.run_id, 2)
    assert first.turns_used == 2


async def test_L8_ids_used_before_a_follow_up_are_not_used_again() -> None:
    message = {"role": "assistant", "content": "", "tool_calls": [
        {"id": "same", "type": "function", "function": {"name": "add", "arguments": '{"a":1,"b":1}'}}]}  # fmt: skip
    loop = repeatable(ScriptedServer([message, "2", message, "2"]))
    first = await loop.run("?")
    more = await loop.run("again", after=first)
    assert [c.id for c in first.calls] == ["same"]
    assert [(c.id, c.sent_id) for c in more.calls] == [("call_1", "same")]
    assert more.messages[-2]["tool_call_id"] == "call_1"


async def test_a_run_is_repeatable_to_the_byte(tmp_path: Path) -> None:
    for name in ("one", "two"):
        loop = repeatable(five(), system="Be brief.", journal=tmp_path / f"{name}.jsonl")
        await loop.run("2 + 3?", task="sum", meta={"k": 1})
    assert (tmp_path / "one.jsonl").read_bytes() == (tmp_path / "two.jsonl").read_bytes()


async def test_what_the_journal_holds_is_the_result(tmp_path: Path) -> None:
    loop = HermesAgentLoop(five(), [add], journal=tmp_path)
    result = await loop.run("?", task="sum", attempt=3, meta={"k": 1})
    [path] = tmp_path.iterdir()  # noqa: ASYNC240
    loaded = journal.load(path)
    assert loaded == result
    assert (loaded.task, loaded.attempt, loaded.meta) == ("sum", 3, {"k": 1})


async def test_calls_that_begin_together_are_on_record_before_a_tool_runs(tmp_path: Path) -> None:
    def begun() -> int:
        """Count the calls that the journal says have begun."""
        return (tmp_path / "run.jsonl").read_text("utf-8").count('"t":"CallStarted"')

    server = ScriptedServer([[call("begun"), call("begun"), call("begun")], "ok"])
    result = await HermesAgentLoop(server, [begun], max_parallel_calls=2, journal=tmp_path / "run.jsonl").run("?")
    assert min(one.value for one in result.turns[0].results) >= 2
    assert result.turns[0].results[2].value == 3


async def test_a_journal_that_is_there_already_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    (tmp_path / "run.jsonl").write_text("mine\n")
    server = five()
    with pytest.raises(JournalError):
        await HermesAgentLoop(server, [add], journal=tmp_path / "run.jsonl").run("?")
    assert server.requests == []


async def test_what_is_sent_is_what_the_result_holds() -> None:
    server = ScriptedServer([Scripted(calls=[call("add", a=1, b=2)], reasoning="hm"), [call("boom")], "3"])
    result = await HermesAgentLoop(server, [add, boom], system="s").run("?")
    for request in server.requests:
        assert request["messages"] == result.messages[: len(request["messages"])]


async def test_events_are_the_run_and_fold_to_its_result() -> None:
    loop = HermesAgentLoop(five(), [add])
    seen = [event async for event in loop.events("?")]
    assert [type(event).__name__ for event in seen] == [
        "RunStarted", "TurnStarted", "Replied", "CallStarted", "CallFinished", "TurnFinished",
        "TurnStarted", "Replied", "TurnFinished", "RunFinished",
    ]  # fmt: skip
    assert ev.fold(seen) == loop.last_result


async def test_leaving_the_events_early_stops_the_run() -> None:
    server = ScriptedServer(lambda messages: [call("add", a=1, b=1)])
    loop = HermesAgentLoop(server, [add])
    async with aclosing(loop.events("?")) as stream:
        async for event in stream:
            if isinstance(event, ev.CallFinished):
                break
    assert loop.last_result is not None
    assert loop.last_result.stop_reason == "interrupted"
    assert len(server.requests) < loop.max_turns


async def test_on_event_is_told_everything_in_order() -> None:
    seen: list[ev.Event] = []
    result = await HermesAgentLoop(five(), [add]).run("?", on_event=seen.append)
    assert ev.fold(seen) == result


async def test_a_tool_finds_its_context_and_shares_the_runs_state() -> None:
    def remember(word: str, context: ToolContext) -> str:
        context.state.setdefault("words", []).append(word)
        return f"{context.task_id} {context.turn} {context.call.name}"

    server = ScriptedServer([[call("remember", word="a")], [call("remember", word="b")], "done"])
    mine: dict[str, Any] = {}
    result = await HermesAgentLoop(server, [remember], task_id="sandbox").run("?", state=mine)
    assert [r.content for r in result.results] == ["sandbox 1 remember", "sandbox 2 remember"]
    assert mine == {"words": ["a", "b"]}
    assert "context" not in str(server.requests[0]["tools"])


async def test_each_run_has_its_own_state_and_task_id() -> None:
    def put(context: ToolContext) -> str:
        return str(len(context.state))

    loop = HermesAgentLoop(ScriptedServer([[call("put")], "a", [call("put")], "b"]), [put])
    one, two = await loop.run("?"), await loop.run("?")
    assert one.task_id != two.task_id


@pytest.mark.parametrize(
    ("verdict", "content", "status"),
    [
        (None, "3", "ok"),
        (Allow(), "3", "ok"),
        (Replace({"a": 10, "b": 20}), "30", "ok"),
        (Answer("forty-two"), "forty-two", "ok"),
        (Reject("not today"), "not today", "rejected"),
    ],
    ids=["none", "allow", "replace", "answer", "reject"],
)
async def test_a_gate_decides_before_every_call(verdict: Any, content: str, status: str) -> None:
    asked: list[tuple[str, int]] = []

    async def gate(the_call: Any, context: ToolContext) -> Any:
        asked.append((the_call.name, context.turn))
        return verdict

    server = ScriptedServer([[call("add", a=1, b=2)], "ok"])
    result = await HermesAgentLoop(server, [add], before_call=gate).run("?")
    assert asked == [("add", 1)]
    assert content in result.results[0].content
    assert result.results[0].status == status


async def test_what_a_gate_itself_raises_is_raised_and_the_run_is_kept() -> None:
    def gate(the_call: Any, context: ToolContext) -> Any:
        raise LookupError("the gate's own bug")

    loop = HermesAgentLoop(five(), [add], before_call=gate)
    with pytest.raises(LookupError):
        await loop.run("?")
    assert loop.last_result is not None
    assert loop.last_result.stop_reason == "crashed"
    assert len(loop.last_result.results) == 1


async def test_stop_when_ends_a_run_after_a_turn() -> None:
    seen: list[Turn] = []

    async def enough(turn: Turn) -> bool:
        seen.append(turn)
        return turn.number == 2

    server = ScriptedServer(lambda messages: [call("add", a=1, b=1)])
    result = await HermesAgentLoop(server, [add], stop_when=enough).run("?")
    assert (result.stop_reason, result.turns_used, result.ok) == ("stopped", 2, True)
    assert [len(turn.results) for turn in seen] == [1, 1]


async def test_the_finishing_tool_ends_a_run_when_it_succeeds() -> None:
    def submit(answer: int) -> str:
        return "thanks"

    server = ScriptedServer([[call("submit", answer="no number")], [call("submit", answer=5)], "never"])
    result = await HermesAgentLoop(server, Toolbox([submit], finish="submit")).run("?")
    assert (result.stop_reason, result.turns_used) == ("stopped", 2)


async def test_on_tool_error_raise_ends_the_run_with_the_exception_behind_it() -> None:
    server = ScriptedServer([[call("boom")], "never"])
    result = await HermesAgentLoop(server, [boom], on_tool_error="raise").run("?")
    assert (result.stop_reason, result.turns_used) == ("tool_error", 1)
    with pytest.raises(RunFailed) as caught:
        result.raise_for_error()
    assert isinstance(caught.value.__cause__, RuntimeError)
    assert "it broke" in str(caught.value.__cause__)


async def test_tool_choice_required_holds_for_the_first_turn_only() -> None:
    server = five()
    seen = [event async for event in HermesAgentLoop(server, [add], tool_choice="required").events("?")]
    assert [request.get("tool_choice") for request in server.requests] == ["required", None]
    assert [event.request for event in seen if isinstance(event, ev.TurnStarted)] == [{}, {"tool_choice": None}]


async def test_tool_choice_may_be_a_function_of_the_turn() -> None:
    server = five()
    await HermesAgentLoop(server, [add], tool_choice=lambda turn: ["required", "none"][turn - 1]).run("?")
    assert [request.get("tool_choice") for request in server.requests] == ["required", "none"]


async def test_a_serial_tool_is_a_barrier_and_results_keep_call_order() -> None:
    log: list[str] = []

    async def fast(n: int) -> str:
        log.append(f"+{n}")
        await asyncio.sleep(0)
        log.append(f"-{n}")
        return str(n)

    slow = tool(serial=True, name="slow")(fast)
    server = ScriptedServer([[call("fast", n=1), call("slow", n=2), call("fast", n=3)], "done"])
    result = await HermesAgentLoop(server, [fast, slow]).run("?")
    assert log == ["+1", "-1", "+2", "-2", "+3", "-3"]
    assert [r.content for r in result.results] == ["1", "2", "3"]


async def test_one_loop_may_have_many_runs_at_once() -> None:
    def answer(messages: list[dict[str, Any]]) -> Any:
        return (
            messages[-1]["content"]
            if messages[-1]["role"] == "tool"
            else [call("add", a=int(messages[0]["content"]), b=1)]
        )

    loop = HermesAgentLoop(ScriptedServer(answer), [add])
    results = await asyncio.gather(*(loop.run(str(number)) for number in range(50)))
    assert [result.final_text for result in results] == [str(number + 1) for number in range(50)]
    assert len({result.run_id for result in results}) == 50
    assert len({c.id for result in results for c in result.calls}) >= 1


async def test_a_foreign_registry_works_unchanged() -> None:
    def handle_function_call(name: str, args: dict[str, Any], task_id: str | None = None) -> str:
        return f'{{"output": "{name} {args["command"]} {task_id}", "exit_code": 0, "error": null}}'

    schemas = [{"type": "function", "function": {"name": "terminal", "description": "Run.", "parameters": {
        "type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]}}}]  # fmt: skip
    server = ScriptedServer([[call("terminal", command="ls")], [call("terminal")], "done"])
    loop = HermesAgentLoop(
        server, tool_schemas=schemas, valid_tool_names={"terminal"}, handler=handle_function_call, task_id="t1"
    )
    result = await loop.run("?")
    assert "terminal ls t1" in result.results[0].content
    assert [r.status for r in result.results] == ["ok", "bad_arguments"]


def test_the_originals_positional_form_shows_the_new_call() -> None:
    schemas = [{"type": "function", "function": {"name": "f"}}]
    for old in ((schemas, {"f"}), (schemas,), ([add], {"add"}, 5)):
        with pytest.raises(TypeError, match="HermesAgentLoop\\(server, tools="):
            HermesAgentLoop(ScriptedServer([]), *old)


@pytest.mark.parametrize(
    "wrong",
    [{"max_turns": -1}, {"max_turns": "3"}, {"max_parallel_calls": 0}, {"tool_schemas": []}, {"handler": print}],
)
def test_a_loop_that_cannot_work_is_refused_when_it_is_made(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        HermesAgentLoop(ScriptedServer([]), **wrong)


async def test_input_that_is_no_conversation_is_refused() -> None:
    loop = HermesAgentLoop(ScriptedServer([]))
    for wrong in ([], "", 5):
        with pytest.raises(ConfigurationError):
            await loop.run(wrong)
    with pytest.raises(ConfigurationError):
        await loop.run("?", in_place=True)


async def test_a_tools_value_stays_in_memory_and_its_text_goes_to_the_model() -> None:
    def table() -> dict[str, float]:
        return {"x": math.pi}

    result = await HermesAgentLoop(ScriptedServer([[call("table")], "ok"]), [table]).run("?")
    assert result.results[0].value == {"x": math.pi}
    assert result.messages[2]["content"] == f'{{"x":{math.pi}}}'


async def test_provenance_says_under_what_conditions_the_run_was_made() -> None:
    result = await HermesAgentLoop(five(), [add], temperature=0.3, max_turns=7).run("?")
    made = result.provenance
    assert made is not None
    assert made.sampling["temperature"] == 0.3
    assert made.limits["max_turns"] == 7
    assert made.tools[0]["function"]["name"] == "add"
    assert made.toolbox_hash == Toolbox([add]).hash
    assert set(made.versions) == {"hermes_nb", "python", "openai", "git"}


def test_run_sync_works_without_an_event_loop() -> None:
    assert HermesAgentLoop(five(), [add]).run_sync("?").final_text == "5"


async def test_run_sync_works_inside_a_running_event_loop() -> None:
    assert HermesAgentLoop(five(), [add]).run_sync("?").final_text == "5"


async def test_no_task_is_left_behind() -> None:
    before = asyncio.all_tasks()
    await HermesAgentLoop(five(), [add]).run("?")
    assert asyncio.all_tasks() == before
