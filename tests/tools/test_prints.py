"""What tools print is the call's: kept with its result, within bounds, and seen nowhere else."""

# ruff: noqa: T201 - what is printed is what is looked at

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes_nb import HermesAgentLoop, ScriptedServer, Toolbox, journal, views
from hermes_nb.clocks import StillClock
from hermes_nb.records import ToolCall, ToolResult
from hermes_nb.servers import call
from hermes_nb.tools import Tool
from hermes_nb.tools.contents import shorten
from hermes_nb.tools.dispatch import Setting, answer
from hermes_nb.tools.prints import Hold, Sheet, StandIn
from tests.leaks import no_leaks

Capture: TypeAlias = pytest.CaptureFixture[str]

SOON = 20.0
"""Seconds after which a test that hangs fails instead."""


def setting(*tools: Any, max_output: int = 16_384, **more: Any) -> Setting:
    return Setting(toolbox=Toolbox(tools, max_output=max_output), now=StillClock().seconds, **more)


async def answered(name: str, how: Setting, **more: Any) -> ToolResult:
    return await asyncio.wait_for(answer(ToolCall(name=name), how, **more), SOON)


async def ran(function: Any, **more: Any) -> ToolResult:
    """The result of a call of `function` as a tool."""
    one = function if isinstance(function, Tool) else Tool(function)
    return await answered(one.name, setting(one, **more))


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(SOON):
        while not true():  # noqa: ASYNC110 - a thread's end tells no event loop
            await asyncio.sleep(0.005)


def awaited(act: Callable[[], Any]) -> Any:
    """The function as an async one."""

    async def act_async() -> Any:
        return act()

    return act_async


WAYS = pytest.mark.parametrize("way", [lambda act: act, awaited], ids=["sync", "async"])
"""A sync tool, in a thread, and an async one, on the event loop."""


def seen(capsys: Capture) -> str:
    """What both streams show."""
    return "".join(capsys.readouterr())


# --- whose


@WAYS
async def test_F33_what_a_tool_prints_is_kept_with_its_result_and_not_seen(way: Any, capsys: Capture) -> None:
    def speak() -> str:
        print("to stdout", 1)
        print("to stderr", file=sys.stderr)
        sys.stdout.write("no newline")
        sys.stdout.writelines([", several", " pieces"])
        sys.stdout.flush()
        return "done"

    async with no_leaks():
        result = await ran(Tool(way(speak), name="speak"))

    assert result.printed == "to stdout 1\nto stderr\nno newline, several pieces"
    assert (result.content, seen(capsys)) == ("done", "")


async def test_a_tool_that_prints_nothing_has_printed_nothing() -> None:
    def keep_quiet() -> None:
        """Say nothing."""

    assert (await ran(keep_quiet)).printed == ""


@WAYS
async def test_F33_calls_that_run_together_keep_their_prints_apart(way: Any, capsys: Capture) -> None:
    turns, many = threading.Barrier(20), 20

    def speak(word: str) -> None:
        for number in range(50):
            if way is not awaited and number % 10 == 0:
                turns.wait(SOON)
            print(word, number)

    async def speak_async(word: str) -> None:
        for number in range(50):
            print(word, number)
            await asyncio.sleep(0)

    one = Tool(speak_async if way is awaited else speak, name="speak")
    calls = [call("speak", word=f"w{number}") for number in range(many)]
    async with no_leaks():
        loop = HermesAgentLoop(ScriptedServer([calls, "done"]), [one], max_parallel_calls=many)
        result = await asyncio.wait_for(loop.run("?"), SOON)

    told = [["".join(f"w{n} {line}\n" for line in range(50))] for n in range(many)]
    assert [[one.printed] for one in result.results] == told
    assert seen(capsys) == ""


async def test_what_a_tools_own_tasks_and_threads_print_is_the_tools_where_they_inherit_its_context() -> None:
    async def speak() -> None:
        await asyncio.gather(asyncio.to_thread(print, "thread"), asyncio.create_task(later()))

    async def later() -> None:
        print("task")

    assert sorted((await ran(speak)).printed.split()) == ["task", "thread"]


def inner_loop() -> HermesAgentLoop:
    def whisper() -> str:
        print("from the inner tool")
        return "ok"

    return HermesAgentLoop(ScriptedServer([call("whisper"), "done"]), [whisper])


@pytest.mark.parametrize(
    "run", [lambda loop: loop.run_sync("?"), lambda loop: asyncio.run(loop.run("?"))], ids=["run_sync", "asyncio.run"]
)
async def test_F33_prints_of_a_loop_inside_a_tool_belong_to_the_inner_calls(run: Any, capsys: Capture) -> None:
    inner = inner_loop()

    def outer() -> str:
        print("before")
        result = run(inner)
        print("after")
        return str(result.final_text)

    async with no_leaks():
        result = await HermesAgentLoop(ScriptedServer([call("outer"), "done"]), [outer]).run("?")

    assert [one.printed for one in result.results] == ["before\nafter\n"]
    assert inner.last_result is not None
    assert [one.printed for one in inner.last_result.results] == ["from the inner tool\n"]
    assert seen(capsys) == ""


async def test_observers_gates_and_whoever_else_prints_meanwhile_print_in_the_open(capsys: Capture) -> None:
    def speak() -> None:
        print("the tool")

    def gate(call: ToolCall, context: Any) -> None:
        print("the gate")

    kinds: set[str] = set()

    def observe(event: Any) -> None:
        if type(event).__name__ not in kinds:
            kinds.add(type(event).__name__)
            print("told of", type(event).__name__)

    loop = HermesAgentLoop(ScriptedServer([call("speak"), "done"]), [speak], before_call=gate)
    result = await loop.run("?", on_event=observe)

    assert [one.printed for one in result.results] == ["the tool\n"]
    assert seen(capsys).splitlines() == [
        "told of RunStarted", "told of TurnStarted", "told of Replied", "told of CallStarted", "the gate",
        "told of CallFinished", "told of TurnFinished", "told of RunFinished",
    ]  # fmt: skip


async def test_a_tool_called_by_hand_prints_in_the_open(capsys: Capture) -> None:
    def speak() -> None:
        print("here")

    result = await Toolbox([speak]).invoke("speak")
    assert (result.printed, seen(capsys)) == ("", "here\n")


# --- how much


LINE = "a line that is printed a million times\n"


async def test_F33_a_million_lines_are_bounded_and_their_size_is_told(capsys: Capture) -> None:
    def flood() -> None:
        for _ in range(1_000_000):
            sys.stdout.write(LINE)

    result = await ran(flood)

    assert result.printed == shorten(LINE * 1_000_000, 16_384)[0]
    assert f"of {len(LINE) * 1_000_000:,} bytes left out" in result.printed
    assert len(result.printed.encode()) <= 16_384
    assert seen(capsys) == ""


def test_F33_a_flood_takes_no_more_memory_the_longer_it_is() -> None:
    sheet = Sheet(16_384, Hold())
    tracemalloc.start()
    try:
        for number in range(50_000):
            sheet.write(f"{number} {LINE}")
        sheet.text()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 500_000


PIECES = st.lists(st.text(st.characters(codec=None), max_size=30) | st.text("aé𝄞\ud800", max_size=5000))


@given(PIECES, st.integers(1, 9000))
def test_F32_F33_any_text_in_any_pieces_is_cut_as_a_text_in_one_is(pieces: list[str], limit: int) -> None:
    sheet = Sheet(limit, Hold())
    for piece in pieces:
        assert sheet.write(piece) == len(piece)
    assert sheet.text() == shorten("".join(pieces), limit)[0]


async def test_F33_many_threads_of_one_tool_print_and_nothing_is_lost() -> None:
    piece = "0123456789" * 100

    async def speak() -> None:
        def much() -> None:
            for _ in range(5000):
                sys.stdout.write(piece)

        await asyncio.gather(*(asyncio.to_thread(much) for _ in range(4)))

    often = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        assert (await ran(speak, max_output=100)).printed == shorten(piece * 20_000, 100)[0]
    finally:
        sys.setswitchinterval(often)


async def test_F32_lone_surrogates_are_kept_and_bytes_are_refused_as_ever(tmp_path: Path) -> None:
    def speak() -> None:
        print("half of one: \ud83d \x00")
        with pytest.raises(TypeError, match="must be str, not bytes"):
            sys.stdout.write(b"bytes")

    loop = HermesAgentLoop(ScriptedServer([call("speak"), "done"]), [speak], journal=tmp_path / "run.jsonl")
    result = await loop.run("?")

    assert result.results[0].printed == "half of one: \ud83d \x00\n"
    assert journal.load(tmp_path / "run.jsonl").results[0].printed == result.results[0].printed
    assert "half of one" in views.text(result) + views.html(result)


async def test_what_was_printed_is_shown_in_the_calls_row_as_text_that_does_nothing() -> None:
    def speak() -> None:
        print("<script>alert(1)</script>")

    result = await HermesAgentLoop(ScriptedServer([call("speak"), "done"]), [speak]).run("?")

    assert "printed while it ran" in views.html(result)
    assert "&lt;script&gt;alert(1)" in views.html(result)
    assert "<script>alert(1)" not in views.html(result)
    assert "<script>alert(1)</script>" in views.text(result, turn=1)


# --- however it ends


@WAYS
async def test_F33_a_tool_that_raised_has_printed_what_it_had(way: Any, capsys: Capture) -> None:
    def fail() -> None:
        print("so far")
        raise ValueError("no")

    async with no_leaks():
        result = await ran(Tool(way(fail), name="fail"))
    assert (result.status, result.printed, seen(capsys)) == ("exception", "so far\n", "")


async def test_F27_F33_an_async_tool_that_timed_out_has_printed_what_it_had_its_cleaning_up_too() -> None:
    async def hang() -> None:
        print("so far")
        try:
            await asyncio.Event().wait()
        finally:
            print("and no further")

    async with no_leaks():
        result = await ran(hang, timeout=0.02)
    assert (result.status, result.printed) == ("timeout", "so far\nand no further\n")


async def test_F33_a_run_that_was_interrupted_has_what_its_open_calls_had_printed(capsys: Capture) -> None:
    begun, end = threading.Barrier(3), threading.Event()

    def hang() -> None:
        print("in a thread")
        begun.wait(SOON)
        end.wait(SOON)

    async def wait() -> None:
        print("on the loop")
        await asyncio.to_thread(begun.wait, SOON)
        await asyncio.Event().wait()

    async with no_leaks():
        loop = HermesAgentLoop(ScriptedServer([[call("hang"), call("wait")]]), [hang, wait])
        run = asyncio.create_task(loop.run("?"))
        await asyncio.to_thread(begun.wait, SOON)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        end.set()

    assert loop.last_result is not None
    printed = [(one.status, one.printed) for one in loop.last_result.results]
    assert printed == [("cancelled", "in a thread\n"), ("cancelled", "on the loop\n")]
    assert seen(capsys) == ""


async def test_F28_F33_what_an_abandoned_thread_prints_later_is_seen_nowhere(capsys: Capture) -> None:
    go_on, end, ended = threading.Event(), threading.Event(), []

    def hang() -> None:
        print("in time")
        go_on.wait(SOON)
        print("late")
        print("late", file=sys.stderr)
        ended.append(True)
        end.wait(SOON)

    async with no_leaks():
        server = ScriptedServer([call("hang"), "done"])
        async with no_leaks(abandoned=1):
            result = await HermesAgentLoop(server, [hang], tool_timeout=0.2).run("?")
            print("the next cell")
            go_on.set()
            await until(lambda: bool(ended))
            print("one more")
            assert isinstance(sys.stdout, StandIn)
        end.set()

    assert (result.abandoned, result.results[0].printed) == (("hang",), "in time\n")
    assert seen(capsys) == "the next cell\none more\n"


async def test_F33_F36_what_a_task_prints_that_swallowed_its_cancel_is_seen_nowhere(capsys: Capture) -> None:
    end = asyncio.Event()

    async def stubborn() -> None:
        print("in time")
        while not end.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await end.wait()
            print("going on")
        print("late")

    async with no_leaks():
        result = await ran(stubborn, timeout=0.05, grace=0.02)
        assert isinstance(sys.stdout, StandIn)
        end.set()
        print("the next cell")

    assert (result.status, result.printed) == ("timeout", "in time\ngoing on\n")
    assert seen(capsys) == "the next cell\n"


async def test_F27_F33_what_a_tool_left_running_when_it_was_given_up_prints_nowhere_as_long_as_the_run_goes_on(
    capsys: Capture,
) -> None:
    go_on, printed = threading.Event(), threading.Event()

    def slow() -> None:
        go_on.wait(SOON)
        print("late")
        printed.set()

    async def wait() -> None:
        await asyncio.to_thread(slow)

    how = setting(wait, timeout=0.05)
    async with no_leaks():
        with how.apart:
            assert (await answered("wait", how)).status == "timeout"
            go_on.set()
            await asyncio.to_thread(printed.wait, SOON)
    assert seen(capsys) == ""


async def test_a_task_that_a_tool_left_running_when_it_ended_prints_in_the_open(capsys: Capture) -> None:
    left: list[asyncio.Task[None]] = []

    async def later() -> None:
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        print("in the background")

    async def begin() -> None:
        left.append(asyncio.create_task(later()))

    how = setting(begin)
    with how.apart:
        assert (await answered("begin", how)).printed == ""
        await left[0]
    assert seen(capsys) == "in the background\n"


# --- the streams


async def test_the_streams_are_themselves_again_although_calls_overlap() -> None:
    first, second = asyncio.Event(), asyncio.Event()

    async def one() -> None:
        first.set()
        await second.wait()

    async def other() -> None:
        await first.wait()
        second.set()

    streams = sys.stdout, sys.stderr
    await asyncio.gather(ran(one), ran(other))
    assert (sys.stdout, sys.stderr) == streams


async def test_what_somebody_else_put_in_the_streams_place_stays_there() -> None:
    def change() -> None:
        sys.stdout = another

    before, another = sys.stdout, io.StringIO()
    try:
        await ran(change)
        assert sys.stdout is another
    finally:
        sys.stdout = before


async def test_where_there_is_no_stdout_nothing_is_printed_as_ever() -> None:
    def speak() -> str:
        print("nowhere")
        return "done"

    def speak_too(call: ToolCall, context: Any) -> None:
        print("nowhere")

    before, sys.stdout = sys.stdout, None
    how = setting(speak, before_call=speak_too)
    try:
        with how.apart:
            assert (await answered("speak", how)).content == "done"
        assert sys.stdout is None
    finally:
        sys.stdout = before


async def test_a_tool_that_redirects_its_stdout_catches_its_own_prints_while_others_begin(capsys: Capture) -> None:
    inside, go_on = threading.Event(), threading.Event()

    def catch() -> str:
        print("before")
        with contextlib.redirect_stdout(io.StringIO()) as caught:
            inside.set()
            go_on.wait(SOON)
            print("caught")
        print("after")
        return caught.getvalue()

    async def other() -> None:
        await asyncio.to_thread(inside.wait, SOON)
        late = await ran(speak)
        assert late.printed == "one that began inside\n"
        go_on.set()

    def speak() -> None:
        print("one that began inside")

    async with no_leaks():
        calls = [call("catch"), call("other")]
        result = await HermesAgentLoop(ScriptedServer([calls, "done"]), [catch, other]).run("?")

    assert [one.content for one in result.results] == ["caught\n", "null"]
    assert result.results[0].printed == "before\nafter\n"
    assert seen(capsys) == ""


async def test_a_logging_handler_made_in_a_tool_logs_for_the_tool_then_and_in_the_open_afterwards(
    capsys: Capture,
) -> None:
    logger = logging.getLogger("tests.prints")
    handlers: list[logging.Handler] = []

    def log() -> None:
        handlers.append(logging.StreamHandler())
        logger.addHandler(handlers[0])
        logger.error("inside")

    try:
        result = await ran(log)
        logger.error("outside")
    finally:
        logger.removeHandler(handlers[0])
    assert (result.printed, seen(capsys)) == ("inside\n", "outside\n")


async def test_a_tool_finds_the_streams_own_attributes_and_no_terminal() -> None:
    class Screen(io.StringIO):
        encoding = "latin-1"
        parent_header = "a cell"

        def isatty(self) -> bool:
            return True

        def fileno(self) -> int:
            return 1

    def look() -> list[Any]:
        sys.stdout.parent_header = "another cell"  # type: ignore[attr-defined]
        out: Any = sys.stdout
        return [out.encoding, out.fileno(), out.isatty(), hasattr(out, "no_such_thing"), repr(out)]

    screen = Screen()
    with contextlib.redirect_stdout(screen):
        result = await ran(look)
        assert sys.stdout.isatty()
    assert result.value == ["latin-1", 1, False, False, "StandIn('Screen')"]
    assert screen.parent_header == "another cell"


async def test_whoever_exchanges_write_on_the_stream_meanwhile_may_put_it_back(capsys: Capture) -> None:
    told: list[str] = []
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        begun.set()
        await go_on.wait()
        print("the tool")

    running = asyncio.create_task(ran(wait))
    await begun.wait()
    stream: Any = sys.stdout
    original = stream.write
    stream.write = lambda text: (told.append(text), original(text))[1]  # What IPython does in every cell.
    print("the cell")
    go_on.set()
    result = await running
    print("and on")
    stream.write = original
    print("over")

    assert result.printed == "the tool\n"
    assert "".join(told) == "the cell\nand on\n"
    assert seen(capsys) == "the cell\nand on\nover\n"


def test_a_forked_child_of_a_tool_prints_in_the_open_and_runs_tools_of_its_own() -> None:
    script = """
import asyncio, os, sys
import hermes_nb as hn
from hermes_nb.servers.scripted import call

def speak():
    print("the child's tool")

def fork():
    print("the tool")
    child = os.fork()
    if child == 0:
        print("the child")
        loop = hn.HermesAgentLoop(hn.ScriptedServer([call("speak"), "done"]), [speak])
        print(asyncio.run(loop.run("?")).results[0].printed.upper(), end="", flush=True)
        os._exit(0)
    return os.waitpid(child, 0)[1]

result = asyncio.run(hn.HermesAgentLoop(hn.ScriptedServer([call("fork"), "done"]), [fork]).run("?"))
print(result.results[0].content, repr(result.results[0].printed))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stderr, done.returncode) == ("", 0)
    assert done.stdout == "the child\nTHE CHILD'S TOOL\n0 'the tool\\n'\n"


def test_what_is_held_says_what_it_is_in_a_line() -> None:
    sheet, hold = Sheet(10, Hold()), Hold()
    with hold:
        assert repr(hold) == "Hold(on)"
    with sheet:
        assert repr(sheet) == "Sheet(at work)"
    assert (repr(hold), repr(sheet)) == ("Hold(off)", "Sheet(at rest)")
    sheet.given_up = True
    assert repr(sheet) == "Sheet(given up)"
