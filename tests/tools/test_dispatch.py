from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
import tracemalloc
from contextvars import ContextVar
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes_nb import ToolError, codec
from hermes_nb.clocks import CountedIds, StillClock
from hermes_nb.exceptions import ConfigurationError
from hermes_nb.records import ToolCall, ToolResult
from hermes_nb.replies import reply_from
from hermes_nb.tools import Allow, Answer, Reject, Replace, Tool, Toolbox, ToolContext, tool
from hermes_nb.tools.contents import content_of, shorten
from hermes_nb.tools.dispatch import Setting, answer, refused
from hermes_nb.tools.threads import Pool

SOON = 20.0
"""Seconds after which a test that hangs fails instead."""


def setting(*tools: Any, max_output: int = 16_384, **more: Any) -> Setting:
    return Setting(toolbox=Toolbox(tools, max_output=max_output), now=StillClock().seconds, **more)


async def answered(call: ToolCall, how: Setting, **more: Any) -> ToolResult:
    return await asyncio.wait_for(answer(call, how, **more), SOON)


async def ran(function: Any, arguments: Any = None, **more: Any) -> ToolResult:
    """The result of a call of `function` as a tool."""
    one = function if isinstance(function, Tool) else Tool(function)
    return await answered(ToolCall(name=one.name, arguments=json.dumps(arguments or {})), setting(one, **more))


def said(result: ToolResult) -> str:
    """What the model reads of an error."""
    told = json.loads(result.content)
    assert list(told) == ["error"]
    return str(told["error"])


def error_of(result: ToolResult) -> ToolError:
    assert result.error is not None
    return result.error


def called_by(body: Any) -> ToolCall:
    """The call in a server's message."""
    message = {"role": "assistant", "content": None, "tool_calls": [body]}
    return reply_from({"choices": [{"message": message}]}, turn=1, new_id=lambda: CountedIds()("call")).calls[0]


def returning(value: Any) -> Any:
    def give() -> Any:
        """Give it."""
        return value

    return give


def raising(error: Any) -> Any:
    def fail() -> None:
        """Fail."""
        raise error

    return fail


def failing_later(error: BaseException) -> Any:
    async def fail() -> None:
        """Fail."""
        raise error

    return fail


def add(a: int, b: int = 1) -> int:
    """Add two whole numbers."""
    return a + b


def arguments_of(anything: Any = None) -> Any:
    """Give back what came."""
    return anything


# --- the model's mistakes


async def test_a_sync_tool_is_answered_from_a_thread() -> None:
    result = await ran(add, {"a": 2, "b": 3})
    assert (result.content, result.value, result.status, result.synthesised) == ("5", 5, "ok", False)


async def test_an_unknown_tool_is_told_what_there_is_and_what_was_meant() -> None:
    result = await answered(ToolCall(name="Ad", arguments="{}"), setting(add, arguments_of))
    assert said(result) == "Unknown tool 'Ad'. Available tools: ['add', 'arguments_of']. Did you mean 'add'?"
    assert (error_of(result).kind, error_of(result).fault) == ("unknown_tool", "model")
    assert error_of(result).error == "Unknown tool 'Ad'"
    assert result.synthesised


async def test_an_unknown_name_of_a_megabyte_and_a_hundred_tools_make_a_bounded_answer() -> None:
    tools = [tool(name=f"tool_{number}")(add) for number in range(100)]
    result = await answered(ToolCall(name="x" * 1_000_000), setting(*tools))
    assert "and 50 more" in said(result)
    assert len(result.content) < 2000


@pytest.mark.parametrize("arguments", ["[1]", "5", '"text"', "true", '"[1]"'])
async def test_L2_arguments_that_are_json_but_no_object_never_reach_the_tool(arguments: str) -> None:
    result = await answered(ToolCall(name="arguments_of", arguments=arguments), setting(arguments_of))
    assert (error_of(result).kind, error_of(result).fault) == ("bad_arguments", "model")
    assert "object" in said(result)
    assert "anything" in said(result)


@pytest.mark.parametrize("arguments", ["", "  ", "null", "{}", '"{}"'])
async def test_L2_nothing_means_no_arguments(arguments: str) -> None:
    result = await answered(ToolCall(name="arguments_of", arguments=arguments), setting(arguments_of))
    assert result.content == "null"


async def test_L2_an_object_that_was_encoded_twice_is_read() -> None:
    call = ToolCall(name="add", arguments=json.dumps('{"a": 2}'))
    assert (await answered(call, setting(add))).content == "3"


@pytest.mark.parametrize("arguments", ['{"a": 1', '{"a":1}{"a":2}', "{'a': 1}", '{"a": 1,}', '```json\n{"a": 1}\n```'])
async def test_L3_malformed_json_is_not_run_and_told_with_its_place(arguments: str) -> None:
    begun = []

    def run(a: int = 0) -> None:
        """Run."""
        begun.append(a)

    result = await answered(ToolCall(name="run", arguments=arguments), setting(run))
    assert begun == []
    error = error_of(result)
    assert (error.kind, error.fault) == ("bad_json", "model")
    assert error.position is not None
    assert f"(char {error.position})" in said(result)
    assert "valid JSON" in said(result)


@pytest.mark.parametrize("sent", [{"a": 2, "b": 3}, '{"a": 2, "b": 3}'])
async def test_L4_arguments_sent_as_an_object_are_read(sent: Any) -> None:
    call = called_by({"id": "1", "type": "function", "function": {"name": "add", "arguments": sent}})
    assert (await answered(call, setting(add))).content == "5"


async def test_L4_arguments_sent_as_null_are_none() -> None:
    call = called_by({"id": "1", "type": "function", "function": {"name": "arguments_of", "arguments": None}})
    assert (await answered(call, setting(arguments_of))).content == "null"


async def test_L5_an_unknown_tool_called_with_null_is_an_unknown_tool() -> None:
    call = called_by({"id": "1", "type": "function", "function": {"name": "nope", "arguments": None}})
    assert (await answered(call, setting(add))).status == "unknown_tool"


@pytest.mark.parametrize(
    "body",
    [
        {"id": "1", "type": "custom", "custom": {"name": "shell", "input": "ls"}},
        {"id": "1", "type": "function", "function": {"name": None, "arguments": "{}"}},
        {"id": "1", "type": "function", "function": {"name": ["add"], "arguments": "{}"}},
        {"id": "1", "type": "function"},
    ],
)
async def test_L7_a_call_of_an_unknown_kind_or_name_is_an_unknown_tool(body: Any) -> None:
    result = await answered(called_by(body), setting(add))
    assert (result.status, result.call.id) == ("unknown_tool", "1")


async def test_arguments_that_do_not_fit_are_told_with_their_place_and_what_is_expected() -> None:
    result = await ran(add, {"a": "two"})
    assert (error_of(result).kind, error_of(result).fault) == ("bad_arguments", "model")
    assert "a:" in said(result)
    assert "two" in said(result)


async def test_L19_arguments_of_any_depth_are_answered() -> None:
    for depth in (500, 1_500, 100_000):
        deep = '{"anything": ' + "[" * depth + "]" * depth + "}"
        result = await answered(ToolCall(name="arguments_of", arguments=deep), setting(arguments_of))
        assert result.status in ("ok", "bad_json", "bad_arguments", "exception")


async def test_arguments_of_a_megabyte_make_a_bounded_answer() -> None:
    result = await ran(add, {"a": "x" * 1_000_000})
    assert result.status == "bad_arguments"
    assert len(result.content) < 16_384


async def test_a_tool_that_changes_its_arguments_changes_nothing_that_is_kept() -> None:
    def spoil(items: list[Any], context: ToolContext) -> None:
        """Spoil everything."""
        items[0]["is"] = "spoilt"
        context.call.parsed["items"][0]["is"] = "spoilt"

    call = ToolCall(name="spoil", arguments='{"items": [{"is": "whole"}]}')
    result = await answered(call, setting(spoil))
    assert result.call.parsed == {"items": [{"is": "whole"}]}


# --- what a tool returns


class Colour(Enum):
    RED = "red"


@dataclass
class Point:
    x: int
    at: set[str]


class Model(pydantic.BaseModel):
    x: int


class Odd(pydantic.BaseModel):
    x: int

    @pydantic.field_validator("x")
    @classmethod
    def look_up(cls, value: int) -> int:
        raise LookupError("the table is gone")


class Shy:
    def __str__(self) -> str:
        return "shy"


@pytest.mark.parametrize(
    ("value", "content"),
    [
        ("text", "text"),
        (None, "null"),
        (True, "true"),
        (2.5, "2.5"),
        ({"a": [1, None]}, '{"a":[1,null]}'),
        ({1: "one"}, '{"1":"one"}'),
        ({(1, 2): "pair"}, "{(1, 2): 'pair'}"),
        ([Shy()], '["shy"]'),
        ({"at": {"b", "a"}}, '{"at":["a","b"]}'),
        (b"caf\xc3\xa9 \xff", "café \\xff"),
        (Point(1, {"b", "a"}), '{"x":1,"at":["a","b"]}'),
        (Model(x=1), '{"x":1}'),
        ([Model(x=1)], '[{"x":1}]'),
        (Colour.RED, "red"),
        (Shy(), "shy"),
        (float("nan"), "NaN"),
    ],
)
async def test_L10_whatever_a_tool_returns_reaches_the_model_as_text(value: Any, content: str) -> None:
    result = await ran(returning(value))
    assert result.content == content
    assert result.value is value
    assert result.error is None


async def test_L10_a_coroutine_that_a_sync_tool_returns_is_awaited_on_the_loop() -> None:
    loop = asyncio.get_running_loop()

    async def later() -> bool:
        return asyncio.get_running_loop() is loop

    def begin() -> Any:
        """Begin."""
        return later()

    assert (await ran(begin)).content == "true"


async def test_L10_numbers_of_numpy_reach_the_model_as_numbers() -> None:
    numpy = pytest.importorskip("numpy")
    result = await ran(returning({"mean": numpy.float64(2.5), "all": numpy.arange(3)}))
    assert json.loads(result.content) == {"mean": 2.5, "all": [0, 1, 2]}


async def test_a_circle_reaches_the_model_as_python_writes_it() -> None:
    circle: list[Any] = []
    circle.append(circle)
    assert (await ran(returning(circle))).content == "[[...]]"


async def test_L19_a_result_nested_too_deeply_to_write_is_an_error_of_the_tool() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    result = await ran(returning(deep))
    assert error_of(result).exception_type == "RecursionError"


async def test_a_value_whose_text_cannot_be_had_is_an_error_of_the_tool() -> None:
    class Mute:
        def __str__(self) -> str:
            raise ValueError("mute")

    result = await ran(returning(Mute()))
    assert said(result) == "Tool execution failed: ValueError: mute"


@pytest.mark.parametrize("text", ["a\ud800b", "nul \x00", "\x1b[31m"])
async def test_odd_characters_reach_the_model_unchanged(text: str) -> None:
    result = await ran(returning(text))
    assert result.content == text
    assert codec.loads(codec.dumps(result.content)) == text


@pytest.mark.parametrize(
    "value",
    [
        {"error": "no such file"},
        '{"error": "no such file"}',
        ' \n{"output": "", "error": "no such file", "exit_code": 124}',
        {"error": "no such file", "exit_code": -1},
    ],
)
async def test_L11_an_error_that_a_tool_reports_is_counted_once(value: Any) -> None:
    result = await ran(returning(value))
    error = error_of(result)
    assert (error.kind, error.fault, error.error) == ("reported", "tool", "no such file")
    assert error.tool_result == result.content
    assert not result.synthesised


@pytest.mark.parametrize(
    "value", [{"error": ""}, {"error": None}, {"errors": 3}, '["error"]', 'error: "error"', '{"error": "cut o', "{}"]
)
async def test_L11_what_reports_no_error_is_none(value: Any) -> None:
    assert (await ran(returning(value))).error is None


@pytest.mark.parametrize("value", [{"output": "", "exit_code": 1}, '{"output": "", "exit_code": 1}'])
async def test_L11_an_exit_code_alone_is_kept_and_is_no_error(value: Any) -> None:
    result = await ran(returning(value))
    assert (result.exit_code, result.error) == (1, None)


@pytest.mark.parametrize("code", [True, "-1", -0.5, [1]])
async def test_L11_what_is_no_exit_code_is_not_kept_as_one(code: Any) -> None:
    assert (await ran(returning({"exit_code": code}))).exit_code is None


async def test_a_report_that_is_no_plain_value_is_an_error() -> None:
    class Ambiguous:
        def __bool__(self) -> bool:
            raise ValueError("ambiguous")

        def __str__(self) -> str:
            return "odd"

    assert error_of(await ran(returning({"error": Ambiguous()}))).error == "odd"


async def test_L12_an_error_can_be_joined_to_its_call() -> None:
    long = json.dumps({"text": "x" * 5000})
    call = ToolCall(name="nope", arguments=long, id="call_9", turn=3, index=2)
    result = await answered(call, setting(add))
    error = error_of(result)
    assert (error.turn, error.call_id, error.call_index, error.tool_name) == (3, "call_9", 2, "nope")
    assert error.arguments == long
    assert error.tool_result == result.content


# --- how much of it


async def test_L34_a_long_output_is_cut_in_the_middle_and_says_how_much_is_missing() -> None:
    result = await ran(returning("begin " + "x" * 50_000 + " end"))
    assert len(result.content.encode()) <= 16_384
    assert result.size == 50_010
    assert result.content.startswith("begin ")
    assert result.content.endswith(" end")
    kept = len(result.content.replace(f"\n[... {50_010 - 16_330:,} of 50,010 bytes left out ...]\n", ""))
    assert "of 50,010 bytes left out" in result.content
    assert kept <= 16_384


async def test_an_output_that_fits_has_no_size() -> None:
    assert (await ran(returning("x" * 16_384))).size is None


async def test_the_room_for_outputs_is_the_toolboxs() -> None:
    assert len((await ran(returning("x" * 5000), max_output=1000)).content) <= 1000


@given(st.text(max_size=300), st.integers(min_value=1, max_value=400))
def test_a_cut_keeps_the_beginning_and_the_end_and_the_exact_count_of_what_is_missing(text: str, limit: int) -> None:
    cut, size = shorten(text, limit)
    raw = text.encode()
    if len(raw) <= limit:
        assert (cut, size) == (text, None)
        return
    before, mark, after = cut.partition("\n[... ")
    missing, _, rest = after.partition(" of ")
    told, _, end = rest.partition(" bytes left out ...]\n")
    assert size == int(told) == len(raw)
    assert len(before.encode()) + int(missing) + len(end.encode()) == size
    assert text.startswith(before)
    assert text.endswith(end)
    assert len(cut.encode()) <= max(limit, len(mark + after) - len(end))


@pytest.mark.parametrize("value", ["x" * 50_000_000, b"\xff" * 50_000_000, "é" * 25_000_000], ids=["str", "bytes", "é"])
def test_fifty_megabytes_are_cut_in_less_than_twice_their_memory(value: Any) -> None:
    tracemalloc.start()
    try:
        content = content_of(value, 16_384)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert content.size == 50_000_000
    assert len(content.text.encode()) <= 16_384
    assert most < 100_000_000


@pytest.mark.parametrize("message", ["x" * 100_000, '"\n' * 50_000, "\x00" * 100_000, "\ud800" * 50_000])
async def test_a_long_exception_is_told_in_bounded_json(message: str) -> None:
    result = await ran(raising(ValueError(message)))
    assert "bytes left out" in said(result)
    assert len(result.content.encode()) <= 16_384
    assert len(error_of(result).error.encode("utf-8", "surrogatepass")) <= 16_384
    assert len((error_of(result).traceback or "").encode("utf-8", "surrogatepass")) <= 16_384


# --- what a tool raises


@pytest.mark.parametrize("made", [raising, failing_later])
async def test_an_exception_is_told_with_its_type(made: Any) -> None:
    error = ValueError("no such day")
    result = await ran(made(error))
    assert said(result) == "Tool execution failed: ValueError: no such day"
    told = error_of(result)
    assert (told.kind, told.fault, told.error) == ("exception", "tool", "ValueError: no such day")
    assert told.exception_type == "ValueError"
    assert result.value is error
    assert not result.synthesised


@pytest.mark.parametrize("made", [raising, failing_later])
@pytest.mark.parametrize("error", [FileNotFoundError("gone"), ConnectionError("refused"), TimeoutError("slow")])
async def test_an_exception_of_the_system_is_the_environments_fault(made: Any, error: Exception) -> None:
    told = error_of(await ran(made(error), timeout=10))
    assert (told.kind, told.fault) == ("exception", "environment")
    assert told.exception_type == type(error).__name__


@pytest.mark.parametrize("made", [raising, failing_later])
async def test_L14_a_tools_own_timeout_error_is_not_taken_for_ours(made: Any) -> None:
    result = await ran(made(TimeoutError("the database is slow")), timeout=10)
    assert said(result) == "Tool execution failed: TimeoutError: the database is slow"


@pytest.mark.parametrize("made", [raising, failing_later])
async def test_L16_a_tool_that_raises_system_exit_is_an_error(made: Any) -> None:
    assert said(await ran(made(SystemExit(2)))) == "Tool execution failed: SystemExit: 2"


def test_L16_a_tool_that_raises_system_exit_cannot_end_the_loop_of_a_background_task() -> None:
    async def main() -> str:
        tasks = [asyncio.create_task(ran(made(SystemExit(2)))) for made in (raising, failing_later)]
        await asyncio.wait(tasks, timeout=SOON)
        return " ".join(task.result().status for task in tasks)

    assert asyncio.run(main()) == "exception exception"


@pytest.mark.parametrize("made", [raising, failing_later])
async def test_L17_a_tool_that_raises_stop_iteration_does_not_hang_the_run(made: Any) -> None:
    assert (await ran(made(StopIteration()))).status == "exception"


@pytest.mark.parametrize("made", [raising, failing_later])
async def test_L18_an_exception_whose_message_cannot_be_read_is_told_by_its_type(made: Any) -> None:
    class Unspeakable(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no")

    result = await ran(made(Unspeakable()))
    assert said(result) == "Tool execution failed: Unspeakable: (its message cannot be read)"
    assert error_of(result).traceback is not None


@pytest.mark.parametrize("made", [raising, failing_later])
@pytest.mark.parametrize("kind", [GeneratorExit, asyncio.CancelledError])
async def test_a_tool_that_raises_what_ends_coroutines_is_an_error(made: Any, kind: type[BaseException]) -> None:
    assert error_of(await ran(made(kind()))).error == kind.__name__


@pytest.mark.parametrize("made", [raising, failing_later])
async def test_a_group_of_exceptions_is_an_error(made: Any) -> None:
    group = BaseExceptionGroup("two", [ValueError(1), SystemExit(2)])
    assert error_of(await ran(made(group))).exception_type == "BaseExceptionGroup"


@pytest.mark.parametrize("made", [raising, failing_later])
async def test_an_interrupt_in_a_tool_is_an_interrupt(made: Any) -> None:
    # Awaited in this task: in one of its own, asyncio would let it end the loop.
    with pytest.raises(KeyboardInterrupt):
        await answer(ToolCall(name="fail"), setting(made(KeyboardInterrupt())))


async def test_a_tool_that_raises_a_tool_error_is_told_that_it_is_a_record() -> None:
    def fail() -> None:
        """Fail."""
        raise ToolError(1, "fail", "{}", "no", "no")  # type: ignore[misc]

    result = await ran(fail)
    assert "ToolError is a record" in said(result)
    assert error_of(result).exception_type == "TypeError"


@pytest.mark.parametrize("made", [raising, failing_later])
async def test_the_traceback_is_the_tools_own_and_not_for_the_model(made: Any) -> None:
    result = await ran(made(ValueError("no")))
    trace = error_of(result).traceback or ""
    assert "test_dispatch.py" in trace
    assert trace.endswith("ValueError: no\n")
    assert "hermes_nb/tools" not in trace
    assert "Traceback" not in result.content
    assert result.value.__traceback__.tb_frame.f_code.co_name == "fail"


async def test_a_validator_that_fails_is_an_error_of_the_tool() -> None:
    def use(odd: Odd) -> None:
        """Use it."""

    result = await ran(use, {"odd": {"x": 1}})
    assert error_of(result).error == "LookupError: the table is gone"
    assert error_of(result).fault == "tool"


# --- threads


async def test_L1_calls_at_once_of_many_tools_each_get_their_own_arguments() -> None:
    all_here = threading.Barrier(20)

    def numbered(number: int) -> Tool:
        def say(value: int) -> list[int]:
            """Say who was called with what."""
            all_here.wait(SOON)
            return [number, value]

        return Tool(say, name=f"tool_{number}")

    how = setting(*(numbered(number) for number in range(20)))
    calls = [ToolCall(name=f"tool_{number}", arguments=f'{{"value": {number}}}') for number in range(20)]
    results = await asyncio.gather(*(answered(call, how) for call in calls))
    assert [result.value for result in results] == [[number, number] for number in range(20)]


async def test_one_call_that_fails_leaves_its_siblings_alone() -> None:
    def maybe(number: int) -> int:
        """Fail at two."""
        if number == 2:
            sys.exit(1)
        return number

    calls = [ToolCall(name="maybe", arguments=f'{{"number": {number}}}') for number in range(4)]
    results = await asyncio.gather(*(answered(call, setting(maybe)) for call in calls))
    assert [result.status for result in results] == ["ok", "ok", "exception", "ok"]


async def test_L13_forty_tools_at_once_that_each_run_a_loop_of_their_own_do_not_lock_each_other_out() -> None:
    pool = Pool(limit=8)
    inner = setting(add, pool=pool)

    def nested() -> str:
        """Run a loop in a loop."""
        return asyncio.run(answered(ToolCall(name="add", arguments='{"a": 1}'), inner)).content

    outer = setting(nested, pool=pool)
    results = await asyncio.gather(*(answered(ToolCall(name="nested"), outer) for _ in range(40)))
    assert [result.content for result in results] == ["2"] * 40


def test_L13_a_process_ends_though_tools_hang() -> None:
    code = """
import asyncio, threading
from hermes_nb.records import ToolCall
from hermes_nb.tools import Toolbox
from hermes_nb.tools.dispatch import Setting, answer
def hang() -> None:
    '''Hang.'''
    threading.Event().wait()
how = Setting(toolbox=Toolbox([hang]), now=lambda: 0.0, timeout=0.05)
print(asyncio.run(answer(ToolCall(name="hang"), how)).status)
"""
    run = subprocess.run([sys.executable, "-c", code], timeout=SOON, check=True, capture_output=True, text=True)
    assert run.stdout == "timeout\n"


where: ContextVar[str] = ContextVar("where", default="nowhere")


async def test_L23_a_tool_sees_the_context_variables_of_its_run() -> None:
    where.set("here")

    def look() -> str:
        """Look."""
        return where.get()

    async def look_later() -> str:
        """Look."""
        return where.get()

    assert [(await ran(one)).content for one in (look, look_later)] == ["here", "here"]


@pytest.mark.parametrize("command", [None, 5, "ls"])
async def test_L21_what_a_command_is_has_no_part_in_whether_it_is_run(command: Any) -> None:
    schema = {"name": "terminal", "parameters": {"type": "object", "properties": {"command": {}}}}
    box = Toolbox.from_schemas([{"type": "function", "function": schema}], lambda name, args: [name, args])
    call = ToolCall(name="terminal", arguments=json.dumps({"command": command}))
    result = await answered(call, Setting(toolbox=box, now=StillClock().seconds))
    assert result.value == ["terminal", {"command": command}]


async def test_L22_answering_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    await ran(add, {"a": 1})
    await ran(raising(ValueError("no")))
    await answered(ToolCall(name="nope"), setting(add))
    assert capfd.readouterr() == ("", "")


async def test_a_tool_is_told_whose_run_it_is_in() -> None:
    def look(context: ToolContext) -> list[Any]:
        """Look."""
        return [context.task_id, context.state, context.turn, context.call.id, context.cancelled]

    how = setting(look, task_id="t-1", state={"k": 1})
    result = await answered(ToolCall(name="look", id="call_3", turn=2), how)
    assert result.value == ["t-1", {"k": 1}, 2, "call_3", False]


async def test_the_state_is_one_object_for_all_tools_of_a_run() -> None:
    def note(context: ToolContext) -> None:
        """Note it."""
        context.state.append(context.call.id)

    state: list[str] = []
    for number in range(2):
        await answered(ToolCall(name="note", id=f"call_{number}"), setting(note, state=state))
    assert state == ["call_0", "call_1"]


async def test_a_foreign_registry_is_given_the_task_id_of_the_run() -> None:
    box = Toolbox.from_schemas(
        [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
        lambda function_name, function_args, task_id=None: task_id,
    )
    how = Setting(toolbox=box, now=StillClock().seconds, task_id="t-1")
    assert (await answered(ToolCall(name="f"), how)).content == "t-1"


# --- time


async def test_times_are_in_seconds_since_the_run_began() -> None:
    clock = StillClock()
    clock.advance(10)

    async def work() -> None:
        """Work for two seconds."""
        clock.advance(2)

    how = Setting(toolbox=Toolbox([work]), now=clock.seconds)
    result = await answered(ToolCall(name="work"), how, queued=1.5)
    assert (result.queued, result.started, result.seconds) == (1.5, 10.0, 2.0)


async def test_the_wait_for_a_thread_counts_as_queued() -> None:
    clock, pool, end = StillClock(), Pool(limit=1), threading.Event()

    def work() -> None:
        """Work for two seconds."""
        clock.advance(2)

    holding = pool.call(lambda: end.wait(SOON))
    how = Setting(toolbox=Toolbox([work]), now=clock.seconds, pool=pool)
    waiting = asyncio.create_task(answered(ToolCall(name="work"), how, queued=1.0))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    clock.advance(3)
    end.set()
    result = await waiting
    await holding.outcome()
    assert (result.queued, result.started, result.seconds) == (4.0, 3.0, 2.0)


async def test_L14_an_async_tool_that_hangs_is_cancelled_at_its_timeout() -> None:
    ended = []

    @tool(timeout=0.02)
    async def hang() -> None:
        """Hang."""
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    left: list[str] = []
    result = await answered(ToolCall(name="hang"), setting(hang), abandoned=left.append)
    assert said(result) == "timed out after 0.02 s"
    assert (error_of(result).kind, error_of(result).fault) == ("timeout", "environment")
    assert result.synthesised
    assert ended == [True]
    assert left == []


async def test_L14_a_sync_tool_that_hangs_is_left_behind_at_its_timeout_and_named() -> None:
    end, looked = threading.Event(), threading.Event()

    def hang(context: ToolContext) -> None:
        """Hang."""
        context.given_up.wait(SOON)
        end.wait(SOON)
        if context.cancelled:
            looked.set()

    pool, left = Pool(limit=2), []
    result = await answered(ToolCall(name="hang"), setting(hang, timeout=0.02, pool=pool), abandoned=left.append)
    assert (result.status, left, pool.abandoned) == ("timeout", ["hang"], 1)
    assert (await ran(add, {"a": 1}, pool=pool)).content == "2"
    end.set()
    assert await asyncio.to_thread(looked.wait, SOON)


async def test_L14_a_tools_own_timeout_goes_before_the_runs() -> None:
    @tool(timeout=0.02)
    async def hang() -> None:
        """Hang."""
        await asyncio.Event().wait()

    assert error_of(await ran(hang, timeout=1000)).error == "timed out after 0.02 s"


async def test_L14_what_a_sync_tool_returns_to_be_awaited_has_the_same_time() -> None:
    async def later() -> None:
        await asyncio.Event().wait()

    def begin() -> Any:
        """Begin."""
        return later()

    left: list[str] = []
    result = await answered(ToolCall(name="begin"), setting(begin, timeout=0.05), abandoned=left.append)
    assert (result.status, left) == ("timeout", [])


async def test_an_async_tool_that_swallows_its_cancel_is_left_behind_after_the_grace_and_named() -> None:
    end = asyncio.Event()

    async def stubborn() -> str:
        """Never stop."""
        while not end.is_set():
            try:
                await end.wait()
            except asyncio.CancelledError:
                continue
        return "too late"

    left: list[str] = []
    how = setting(stubborn, timeout=0.02, grace=0.02)
    result = await answered(ToolCall(name="stubborn"), how, abandoned=left.append)
    end.set()
    assert (result.status, left) == ("timeout", ["stubborn"])


async def test_an_async_tool_that_answers_its_cancel_with_a_value_has_timed_out() -> None:
    async def late() -> str:
        """Come late."""
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "too late"
        return ""

    left: list[str] = []
    result = await answered(ToolCall(name="late"), setting(late, timeout=0.02), abandoned=left.append)
    assert (result.status, left) == ("timeout", [])


async def test_hung_tools_leave_room_for_the_others() -> None:
    pool, end = Pool(limit=8), threading.Event()

    def hang() -> None:
        """Hang."""
        end.wait(SOON)

    hung = [answered(ToolCall(name="hang"), setting(hang, timeout=0.02, pool=pool)) for _ in range(7)]
    assert {result.status for result in await asyncio.gather(*hung)} == {"timeout"}
    assert (await ran(add, {"a": 1}, pool=pool)).content == "2"
    end.set()


async def test_a_call_for_which_there_is_no_thread_is_an_error_of_the_environment() -> None:
    pool, end = Pool(max_abandoned=1), threading.Event()
    pool.call(lambda: end.wait(SOON)).abandon()
    error = error_of(await ran(add, {"a": 1}, pool=pool))
    end.set()
    assert (error.kind, error.fault) == ("exception", "environment")
    assert "1 earlier tool calls were given up" in error.error


# --- cancelling


async def test_cancelling_cancels_an_async_tool_and_is_raised_again() -> None:
    begun, ended = asyncio.Event(), []

    async def hang() -> None:
        """Hang."""
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append(True)

    left: list[str] = []
    task = asyncio.create_task(answer(ToolCall(name="hang"), setting(hang), abandoned=left.append))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (ended, left) == ([True], [])


async def test_cancelling_is_raised_again_though_the_tool_swallows_it() -> None:
    begun, end = asyncio.Event(), asyncio.Event()

    async def stubborn() -> str:
        """Never stop."""
        begun.set()
        while not end.is_set():
            try:
                await end.wait()
            except asyncio.CancelledError:
                continue
        return "too late"

    left: list[str] = []
    task = asyncio.create_task(answer(ToolCall(name="stubborn"), setting(stubborn, grace=0.02), abandoned=left.append))
    await begun.wait()
    task.cancel()
    await asyncio.wait({task}, timeout=SOON)
    over = task.done()
    end.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (over, left) == (True, ["stubborn"])


async def test_a_second_cancel_does_not_wait_for_the_grace_and_names_the_tool_too() -> None:
    begun, end = asyncio.Event(), asyncio.Event()
    swallowed = asyncio.Event()

    async def stubborn() -> None:
        """Never stop."""
        begun.set()
        while not end.is_set():
            try:
                await end.wait()
            except asyncio.CancelledError:
                swallowed.set()

    left: list[str] = []
    task = asyncio.create_task(answer(ToolCall(name="stubborn"), setting(stubborn, grace=1000), abandoned=left.append))
    await begun.wait()
    task.cancel()
    await swallowed.wait()
    task.cancel()
    await asyncio.wait({task}, timeout=SOON)
    over = task.done()
    end.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (over, left) == (True, ["stubborn"])


async def test_cancelling_leaves_a_sync_tool_behind_and_tells_it() -> None:
    begun, told = threading.Event(), threading.Event()

    def hang(context: ToolContext) -> None:
        """Hang until given up."""
        begun.set()
        if context.given_up.wait(SOON) and context.cancelled:
            told.set()

    left: list[str] = []
    task = asyncio.create_task(answer(ToolCall(name="hang"), setting(hang), abandoned=left.append))
    assert await asyncio.to_thread(begun.wait, SOON)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert left == ["hang"]
    assert await asyncio.to_thread(told.wait, SOON)


async def test_no_task_of_ours_is_left_when_an_answer_is_given() -> None:
    async def work() -> int:
        """Work."""
        await asyncio.sleep(0)
        return 1

    before = asyncio.all_tasks()
    await answer(ToolCall(name="work"), setting(work))
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


def test_a_refusal_is_the_answer_to_a_call_that_nobody_answered() -> None:
    call = ToolCall(name="add", id="call_5", turn=2, index=1)
    result = refused(call, "cancelled", "the run was interrupted", now=3.0)
    assert said(result) == "the run was interrupted"
    assert (result.synthesised, result.started, result.status) == (True, 3.0, "cancelled")
    error = error_of(result)
    assert (error.fault, error.call_id, error.error) == ("run", "call_5", "the run was interrupted")


# --- gates


@pytest.mark.parametrize("verdict", [None, Allow()])
async def test_a_gate_that_allows_lets_the_call_through(verdict: Any) -> None:
    assert (await ran(add, {"a": 1}, before_call=lambda call, context: verdict)).content == "2"


async def test_a_gate_is_asked_with_the_call_and_its_context_and_may_be_async() -> None:
    asked = []

    async def gate(call: ToolCall, context: ToolContext) -> None:
        asked.append((call.name, call.parsed, context.task_id))

    await ran(add, {"a": 1}, before_call=gate, task_id="t")
    assert asked == [("add", {"a": 1}, "t")]


async def test_a_gate_may_replace_the_arguments() -> None:
    result = await ran(add, {"a": "?"}, before_call=lambda call, context: Replace({"a": 4}))
    assert (result.content, result.call.parsed) == ("5", {"a": 4})


async def test_a_gate_may_answer_in_the_tools_place() -> None:
    result = await ran(raising(ValueError()), before_call=lambda call, context: Answer("forty-two"))
    assert (result.content, result.error, result.synthesised) == ("forty-two", None, True)


async def test_a_gate_may_reject_a_call_with_a_reason() -> None:
    result = await ran(add, {"a": 1}, before_call=lambda call, context: Reject("not on Sundays"))
    assert said(result) == "Rejected: not on Sundays"
    assert (error_of(result).kind, error_of(result).fault) == ("rejected", "run")


@pytest.mark.parametrize("call", [ToolCall(name="nope"), ToolCall(name="add", arguments="{"),
                                  ToolCall(name="add", arguments="[1]")])  # fmt: skip
async def test_a_gate_is_not_asked_about_a_call_that_cannot_run(call: ToolCall) -> None:
    asked: list[Any] = []
    await answered(call, setting(add, before_call=lambda call, context: asked.append(call)))
    assert asked == []


async def test_what_a_gate_raises_is_the_users_own() -> None:
    def gate(call: ToolCall, context: ToolContext) -> None:
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        await ran(add, {"a": 1}, before_call=gate)


@pytest.mark.parametrize("verdict", [True, "yes", {"a": 1}])
async def test_a_verdict_that_is_none_is_our_users_mistake(verdict: Any) -> None:
    with pytest.raises(ConfigurationError, match="before_call gives"):
        await ran(add, {"a": 1}, before_call=lambda call, context: verdict)


def test_verdicts_are_checked_where_they_are_made() -> None:
    with pytest.raises(ConfigurationError):
        Replace([1])  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError):
        Answer({"a": 1})  # type: ignore[arg-type]


async def test_a_gate_cannot_change_the_call_it_is_shown() -> None:
    def gate(call: ToolCall, context: ToolContext) -> None:
        call.parsed["a"] = 100

    result = await ran(add, {"a": 1}, before_call=gate)
    assert (result.content, result.call) == ("2", replace(result.call))
    assert result.call.parsed == {"a": 1}
