"""Tools in processes of their own: what they bring back, how they end, and that nothing of them is left."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import multiprocessing
import os
import pickle
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
import types
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from pydantic import BaseModel

from hermes_nb import HermesAgentLoop, ScriptedServer, Tool, Toolbox, ToolContext, tool
from hermes_nb.exceptions import ToolDefinitionError
from hermes_nb.records import AgentResult, ToolCall, ToolResult
from hermes_nb.servers.scripted import call
from hermes_nb.tools import processes, threads
from hermes_nb.tools.dispatch import Setting, answer

pytestmark = pytest.mark.usefixtures("nothing_is_left")

LONG = 600.0
PATIENCE = 30.0

isolated = functools.partial(tool, isolation="process")


# ruff: noqa: T201 - tools print, and what becomes of it is tested


def children() -> set[int]:
    return {child.pid for child in psutil.Process().children()}


@pytest.fixture(autouse=True)
def others(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[int]]:
    """The children that others have, a kernel for one. No process is left, zombies too, and no thread was given up."""
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)  # It would do our work.
    before = children()
    yield before
    assert children() <= before
    assert threads.shared_pool().abandoned == 0


def script(*tools: Any, arguments: dict[str, Any] | None = None, **how: Any) -> HermesAgentLoop:
    """A loop whose model calls each of the tools once, all in one turn."""
    calls = [call(one.name, **(arguments or {})) for one in tools]
    return HermesAgentLoop(ScriptedServer([calls, "done"], strict=True), tools, **how)


async def run(*tools: Any, **how: Any) -> AgentResult:
    result = await script(*tools, **how).run("?")
    assert result.final_text == "done"
    assert result.abandoned == ()
    return result


async def result_of(one: Any, **how: Any) -> ToolResult:
    result = await run(one, **how)
    return result.turns[0].results[0]


class Line:
    """A line that a tool's processes hold while they live: `address` is where the tool calls."""

    def __init__(self) -> None:
        self.address: tuple[str, int] = ("", 0)
        self._came: asyncio.Queue[str] = asyncio.Queue()
        self._writers: list[asyncio.StreamWriter] = []

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        with contextlib.suppress(ConnectionError):
            while word := await reader.readline():
                self._came.put_nowait(word.decode().strip())
        self._came.put_nowait("dead")
        writer.close()

    async def until_dead(self) -> list[str]:
        """What was said until nobody held the line any more."""
        said: list[str] = []
        while (word := await self.hear()) != "dead":
            said.append(word)
        return said

    def release(self) -> None:
        """Let all go on that wait for a word."""
        for writer in self._writers:
            writer.write(b"!")

    async def hear(self) -> str:
        """The next word; `dead` when nobody holds the line any more."""
        return await asyncio.wait_for(self._came.get(), PATIENCE)


@asynccontextmanager
async def open_line() -> AsyncIterator[Line]:
    line = Line()
    async with await asyncio.start_server(line.take, "127.0.0.1", 0) as server:
        line.address = server.sockets[0].getsockname()
        yield line


def hanging(address: tuple[str, int], *, deaf: bool = False) -> Tool:
    """A tool that says its process's number on the line, starts one more process, and ends neither."""

    @isolated
    def hang() -> str:
        """Hang."""
        if deaf:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        line = socket.create_connection(address)
        print("at work")
        subprocess.Popen(["sleep", str(LONG)], pass_fds=[line.fileno()])
        line.sendall(f"{os.getpid()}\n".encode())
        time.sleep(LONG)
        return "never"

    return hang


def renamed(one: Tool, name: str) -> Tool:
    return Tool(one.function, name=name, isolation=one.isolation)


# --- what comes back ------------------------------------------------------------------------------------------------


async def test_a_tool_runs_in_a_session_of_its_own_and_gives_its_value() -> None:
    @isolated
    def where() -> dict[str, Any]:
        """Tell where it is."""
        heavy = [name for name in ("pydantic", "openai", "pytest", "asyncio") if name in sys.modules]
        here = threading.current_thread() is threading.main_thread()
        ids = [os.getpid(), os.getsid(0), os.getpgid(0)]
        handed_down = [one for one in range(3, 64) if Path(f"/dev/fd/{one}").exists() and os.get_inheritable(one)]
        told = {"ids": ids, "parent": os.getppid(), "main": here, "argv": len(sys.argv), "heavy": heavy}
        return told | {"handed_down": handed_down}

    result = await result_of(where)
    assert result.status == "ok"
    assert result.exit_code is None
    assert len(set(result.value.pop("ids"))) == 1
    assert result.value == {"parent": os.getpid(), "main": True, "argv": 1, "heavy": [], "handed_down": []}
    assert result.content.startswith('{"ids":[')


async def test_F33_what_its_process_prints_on_any_way_is_the_calls(capfd: pytest.CaptureFixture[str]) -> None:
    @isolated
    def speak() -> str:
        """Print."""
        print("one")
        os.system("echo two")
        print("three", file=sys.stderr)
        os.write(1, b"\xff four\n")
        print("five \ud800", end="", flush=True)
        os.write(1, "ß".encode()[:1])
        return sys.stdin.read()

    result = await result_of(speak)
    assert result.content == ""  # There is nobody to ask.
    assert result.printed == "one\ntwo\nthree\n\\xff four\nfive \\ud800\\xc3"
    assert capfd.readouterr() == ("", "")


async def test_F33_a_flood_of_prints_is_bounded() -> None:
    @isolated
    def flood() -> str:
        """Print a lot."""
        for number in range(100_000):
            sys.stdout.write(f"line {number}\n")
        return "done"

    result = await result_of(flood)
    assert result.content == "done"
    assert len(result.printed.encode()) <= 16_384
    assert result.printed.startswith("line 0\n")
    assert result.printed.endswith("line 99999\n")


async def test_F31_of_a_large_value_the_content_alone_comes_back() -> None:
    @isolated
    def large() -> str:
        """Return a lot."""
        return "x" * 50_000_000

    result = await result_of(large)
    assert result.size == 50_000_000
    assert len(result.content) <= 16_384
    assert result.value is None


async def test_of_a_value_that_cannot_be_pickled_the_content_alone_comes_back() -> None:
    class Door:
        def __init__(self) -> None:
            self.lock = threading.Lock()

        def __str__(self) -> str:
            return "a door"

    @isolated
    def door() -> Door:
        """Make a door."""
        return Door()

    result = await result_of(door)
    assert (result.content, result.value, result.status) == ("a door", None, "ok")


async def test_a_value_of_the_notebooks_own_class_is_of_that_class_which_is_not_touched() -> None:
    class Point:
        def __init__(self, x: int) -> None:
            self.x = x

        def far(self) -> bool:
            return self.x > 2

    @isolated
    def points() -> list[Point]:
        """Make points."""
        return [Point(1), Point(3)]

    method = Point.far
    result = await result_of(points)
    assert [type(point) for point in result.value] == [Point, Point]
    assert [point.far() for point in result.value] == [False, True]
    assert Point.far is method


async def test_arguments_arrive_as_the_hints_say() -> None:
    class Order(BaseModel):
        what: str
        many: int

    def order(order: Order) -> str:
        """Order something."""
        return f"{order.many} {order.what} {type(order).__name__}"

    order.__annotations__["order"] = Order  # As in a notebook's cell, where hints are no texts.
    result = await result_of(isolated(order), arguments={"order": {"what": "eggs", "many": 12}})
    assert result.content == "12 eggs Order"


async def test_it_works_on_copies_of_the_notebooks_variables() -> None:
    kept = ["here"]

    @isolated
    def change() -> int:
        """Change a list."""
        kept.append("there")
        return len(kept)

    result = await result_of(change)
    assert (result.value, kept) == (2, ["here"])


async def test_a_tool_may_call_itself_and_other_tools_as_functions() -> None:
    @isolated
    def down(number: int) -> str:
        """Count down."""
        return f"{number} {down(number - 1)}" if number else f"0 {os.getpid()}"

    result = await result_of(down, arguments={"number": 3})
    assert result.content.startswith("3 2 1 0 ")
    assert str(os.getpid()) not in result.content


async def test_a_method_and_a_partial_take_what_they_hold_along() -> None:
    class Box:
        def __init__(self, held: str) -> None:
            self.held = held

        @isolated
        def look(self) -> str:
            """Look."""
            return f"{self.held} {os.getsid(0) == os.getpid()}"

    def look_at(held: str, *, twice: bool) -> str:
        """Look."""
        return f"{held} {twice} {os.getsid(0) == os.getpid()}"

    method, part = Box("egg").look, Tool(functools.partial(look_at, twice=True), name="part", isolation="process")
    assert (await result_of(method)).content == "egg True"
    assert (await result_of(part, arguments={"held": "ham"})).content == "ham True True"


async def test_a_tool_of_a_module_is_imported_there_with_what_cannot_be_pickled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "module_with_a_tool.py").write_text(
        textwrap.dedent("""
            import threading
            import hermes_nb as hn

            LOCK = threading.Lock()

            @hn.tool(isolation="process")
            def locked() -> str:
                "Lock."
                with LOCK:
                    return __name__
        """)
    )
    module = __import__("module_with_a_tool")
    assert (await result_of(module.locked)).content == "module_with_a_tool"


async def test_the_context_goes_along_and_the_state_as_a_copy() -> None:
    state = {"seen": 1}

    @isolated
    def look(context: ToolContext) -> list[Any]:
        """Look."""
        context.state["seen"] += 1
        told = (context.task_id, context.state, context.turn, context.call.name, context.cancelled)
        return [*told, "pydantic" in sys.modules]

    loop = script(look, task_id="t")
    result = await loop.run("?", state=state)
    assert result.turns[0].results[0].value == ["t", {"seen": 2}, 1, "look", False, False]
    assert state == {"seen": 1}


async def test_a_state_that_cannot_go_along_says_so_when_it_is_used() -> None:
    class Connection:
        def __init__(self) -> None:
            self.lock = threading.Lock()

    @isolated
    def task(context: ToolContext) -> str:
        """Tell the task."""
        return str(context.task_id)

    @isolated
    def use(context: ToolContext) -> str:
        """Use the state."""
        return str(context.state.lock)

    loop = script(task, use, task_id="t")
    result = await loop.run("?", state=Connection())
    first, second = result.turns[0].results
    assert first.content == "t"
    assert second.error is not None
    assert "the run's state could not be taken into the tool's own process" in second.error.error
    assert "lock" in second.error.error


async def test_by_hand_it_runs_here_for_a_debugger_to_find() -> None:
    @isolated
    def where() -> int:
        """Tell where it is."""
        return os.getpid()

    assert (await Toolbox([where]).invoke("where")).value == os.getpid() == where()


def test_a_tool_can_be_pickled_by_itself() -> None:
    made = Tool(os.getcwd, description="Where.", isolation="process")
    assert made.name == "getcwd"
    assert made.schema["function"]["description"] == "Where."
    again, here = pickle.loads(pickle.dumps(made)), str(Path.cwd())
    assert (again.name, again.isolation, again(), again.__wrapped__) == ("getcwd", "process", here, os.getcwd)


# --- what goes wrong ------------------------------------------------------------------------------------------------


async def test_an_exception_comes_back_with_its_traceback() -> None:
    @isolated
    def fail() -> str:
        """Fail."""
        raise KeyError("no such thing")

    result = await result_of(fail)
    assert result.error is not None
    assert result.error.exception_type == "KeyError"
    assert (result.error.kind, result.error.fault) == ("exception", "tool")
    assert "KeyError: 'no such thing'" in result.content
    lines = (result.error.traceback or "").splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert __file__ in lines[1]
    assert lines[2].strip() == 'raise KeyError("no such thing")'
    assert lines[3] == "KeyError: 'no such thing'"
    assert isinstance(result.value, KeyError)
    assert isinstance(result.value.__cause__, processes.RaisedInProcess)
    assert "no such thing" in str(result.value.__cause__)


async def test_an_exception_that_cannot_come_back_is_told_all_the_same() -> None:
    class Picky(Exception):
        def __init__(self, one: str, two: str) -> None:  # Pickled, it is called with one argument.
            super().__init__(f"{one} and {two}")

    class Unsayable(OSError):
        def __str__(self) -> str:
            raise RuntimeError

    @isolated
    def picky() -> str:
        """Fail."""
        raise Picky("this", "that")

    @isolated
    def unsayable() -> str:
        """Fail."""
        error = Unsayable()
        error.held = threading.Lock()  # type: ignore[attr-defined]
        raise error

    first, second = (await run(picky, unsayable)).turns[0].results
    assert first.error is not None
    assert (first.error.exception_type, first.error.error) == ("Picky", "Picky: this and that")
    assert "in picky" in (first.error.traceback or "")
    assert second.error is not None
    assert (second.error.exception_type, second.error.fault) == ("Unsayable", "environment")
    assert "its message cannot be read" in second.error.error


@pytest.mark.parametrize(
    ("end", "told", "exit_code"),
    [
        ("os._exit(3)", "ended with exit code 3 before it had an answer", 3),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "was killed by SIGSEGV", -11),
        ("os.kill(os.getpid(), signal.SIGKILL)", "killed by SIGKILL, as the system does when memory runs out", -9),
        ("sys.exit(4)", "SystemExit: 4", 4),
        ("sys.exit('so long')", "SystemExit: so long", 1),
    ],
)
async def test_F25_a_process_that_ends_is_an_error_that_says_how(end: str, told: str, exit_code: int) -> None:
    @isolated
    def die(how: str) -> str:
        """End the process."""
        print("the last words")
        exec(how, {"os": os, "signal": signal, "sys": sys})
        return "never"

    result = await result_of(die, arguments={"how": end})
    assert result.error is not None
    assert result.error.kind == "exception"
    assert told in result.error.error
    assert told in result.content
    assert result.exit_code == exit_code
    assert result.printed == "the last words\n"


async def test_a_process_that_dies_is_missed_although_a_fork_of_it_lives() -> None:
    async with open_line() as line:
        address = line.address

        @isolated
        def fork() -> str:
            """Leave a fork behind."""
            connection = socket.create_connection(address)
            if os.fork() == 0:
                time.sleep(LONG)
            connection.sendall(b"forked\n")
            os._exit(5)

        result = await result_of(fork)
        assert result.exit_code == 5
        assert [await line.hear(), await line.hear()] == ["forked", "dead"]


async def test_what_cannot_be_taken_there_is_named() -> None:
    lock, number = threading.Lock(), 3

    @isolated
    def locked() -> int:
        """Lock."""
        with lock:
            return number

    result = await result_of(locked)
    assert result.error is not None
    assert result.error.exception_type == "ToolDefinitionError"
    assert "where 'lock' cannot go: TypeError: cannot pickle '_thread.lock' object" in result.content
    assert "inside the function" in result.content


async def test_a_function_that_a_fresh_python_cannot_import_says_what_to_do() -> None:
    module = types.ModuleType("only_here")
    exec("def lost() -> str:\n    'Be lost.'\n    return 'x'", vars(module))
    sys.modules["only_here"] = module
    try:
        result = await result_of(Tool(module.lost, isolation="process"))
    finally:
        del sys.modules["only_here"]
    assert "No module named 'only_here'" in result.content
    assert "define it in the notebook" in result.content


async def test_a_function_that_returns_something_to_await_has_no_loop_there() -> None:
    @isolated
    def later() -> Any:
        """Come later."""
        return asyncio.sleep(0)

    result = await result_of(later)
    assert "no event loop" in result.content
    assert result.printed == ""


def test_an_async_function_cannot_have_a_process_of_its_own() -> None:
    async def wait() -> None:
        """Wait."""

    with pytest.raises(ToolDefinitionError, match=r"an async tool runs on the event loop.* make it `def`"):
        isolated()(wait)
    with pytest.raises(ToolDefinitionError, match="an async tool runs on the event loop"):
        Tool(functools.partial(wait), name="wait", isolation="process")


def test_there_is_no_other_isolation() -> None:
    with pytest.raises(ToolDefinitionError, match="isolation is 'process' or None, not 'thread'"):
        tool(isolation="thread")(os.getcwd)  # type: ignore[call-overload]


def test_without_its_package_the_definition_says_what_to_install() -> None:
    code = """
        import sys
        import hermes_nb as hn
        assert "cloudpickle" not in sys.modules
        sys.modules["cloudpickle"] = None
        def f() -> str: return ""
        hn.Toolbox([f])
        try:
            hn.tool(isolation="process")(f)
        except hn.HermesError as error:
            print(type(error).__name__, error)
    """
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=PATIENCE
    )
    assert ran.stderr == ""
    assert ran.stdout.startswith("MissingDependency isolation='process' needs more packages. Install them with: pip")


# --- how it is ended ------------------------------------------------------------------------------------------------


def tidying(address: tuple[str, int]) -> Tool:
    """A tool that hangs, and tidies up when it is told to end."""

    @isolated
    def tidy() -> str:
        """Tidy up at the end."""
        line = socket.create_connection(address)

        def end(*_: Any) -> None:
            line.sendall(b"tidied up\n")
            sys.exit()

        signal.signal(signal.SIGTERM, end)
        line.sendall(f"{os.getpid()}\n".encode())
        time.sleep(LONG)
        return "never"

    return tidy


def leaving(address: tuple[str, int]) -> Tool:
    """A tool that hangs, and started a process that is not ended with it, and holds its output open."""

    @isolated
    def leave() -> str:
        """Leave a process behind."""
        left = subprocess.Popen(["sleep", str(LONG)], start_new_session=True)
        socket.create_connection(address).sendall(f"{os.getpid()}\n{left.pid}\n".encode())
        time.sleep(LONG)
        return "never"

    return leave


@dataclass
class TimedOut:
    """What came of a tool that hung: the result, what its process said on the line, and whether that is still there."""

    result: ToolResult
    said: list[str]
    there: bool


@pytest.fixture(scope="module")
def timed_out() -> dict[str, TimedOut]:
    """Tools that hang, all at once, each with a time that it takes the slowest machine to start a process."""

    async def hang() -> dict[str, TimedOut]:
        lines = [await stack.enter_async_context(open_line()) for _ in range(4)]
        hears, deaf, tidy, leave = (line.address for line in lines)
        tools = (renamed(hanging(hears), "hears"), renamed(hanging(deaf, deaf=True), "deaf"))
        result = await run(*tools, tidying(tidy), leaving(leave), tool_timeout=6.0)
        said = [await line.until_dead() for line in lines]
        there = [psutil.pid_exists(int(words[0])) for words in said]
        results = result.turns[0].results
        return {one.call.name: TimedOut(one, *rest) for one, *rest in zip(results, said, there, strict=True)}

    async def hang_and_close() -> dict[str, TimedOut]:
        async with stack:
            return await hang()

    stack = contextlib.AsyncExitStack()
    return asyncio.run(hang_and_close())


@pytest.mark.parametrize("name", ["hears", "deaf", "tidy", "leave"])
def test_F28_a_tool_that_hangs_is_ended_at_its_timeout(timed_out: dict[str, TimedOut], name: str) -> None:
    assert timed_out[name].result.status == "timeout"
    assert timed_out[name].result.content == '{"error":"timed out after 6 s"}'
    assert not timed_out[name].there


@pytest.mark.parametrize("name", ["hears", "deaf"])
def test_F28_its_children_are_ended_with_it_and_its_prints_are_kept(timed_out: dict[str, TimedOut], name: str) -> None:
    assert timed_out[name].said[1:] == []
    assert timed_out[name].result.printed == "at work\n"


def test_a_tool_that_is_ended_is_told_first(timed_out: dict[str, TimedOut]) -> None:
    assert timed_out["tidy"].said[1:] == ["tidied up"]


def test_F37_a_grandchild_that_left_the_session_holds_nobody_up_and_is_told_of(timed_out: dict[str, TimedOut]) -> None:
    left = timed_out["leave"]
    os.kill(int(left.said[1]), signal.SIGKILL)
    assert left.result.seconds < LONG / 10
    assert "has left its session, and lives on" in left.result.printed


async def test_what_a_tool_left_in_its_session_ends_with_the_call() -> None:
    async with open_line() as line:
        address = line.address

        @isolated
        def leave() -> str:
            """Leave a process behind."""
            connection = socket.create_connection(address)
            subprocess.Popen(["sleep", str(LONG)], pass_fds=[connection.fileno()])
            connection.sendall(b"left\n")
            return "left"

        result = await result_of(leave)
        assert (result.content, result.printed) == ("left", "")
        assert [await line.hear(), await line.hear()] == ["left", "dead"]


async def test_a_thread_that_a_tool_left_running_does_not_keep_its_answer() -> None:
    @isolated
    def leave() -> str:
        """Leave a thread behind."""
        threading.Thread(target=time.sleep, args=(LONG,)).start()
        print("half a line", end="")
        return "left"

    result = await result_of(leave)
    assert (result.content, result.printed) == ("left", "half a line")


async def test_F42_a_cancelled_run_ends_its_processes_and_answers_the_calls() -> None:
    async with open_line() as line:
        loop = script(*(renamed(hanging(line.address), name) for name in ("one", "two")))
        task = asyncio.create_task(loop.run("?"))
        pids = [int(await line.hear()), int(await line.hear())]
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not any(psutil.pid_exists(pid) for pid in pids)
        assert [await line.hear(), await line.hear()] == ["dead", "dead"]
        result = loop.last_result
        assert result is not None
        assert (result.stop_reason, result.abandoned) == ("interrupted", ())
        assert [one.status for one in result.turns[0].results] == ["cancelled", "cancelled"]


async def none_but(others: set[int]) -> None:
    """Wait for a thread that sees to a child's end, and tells nobody any more."""
    async with asyncio.timeout(PATIENCE):
        while children() - others:  # noqa: ASYNC110 - as said
            await asyncio.sleep(0.01)


async def test_F43_a_second_interrupt_while_it_is_ended_changes_nothing(others: set[int]) -> None:
    async with open_line() as line:
        loop = script(hanging(line.address, deaf=True))
        task = asyncio.create_task(loop.run("?"))
        await line.hear()
        task.cancel()
        while not task.done():
            await asyncio.sleep(0)
            task.cancel()
        assert task.cancelled()
        assert loop.last_result is not None
        assert loop.last_result.abandoned == ()
        assert await line.hear() == "dead"
        await none_but(others)


async def test_F43_a_call_that_is_given_up_twice_is_not_taken_for_abandoned(others: set[int]) -> None:
    async with open_line() as line:
        setting = Setting(toolbox=Toolbox([hanging(line.address, deaf=True)]), now=time.monotonic)
        named: list[str] = []
        task = asyncio.create_task(answer(ToolCall(name="hang"), setting, abandoned=named.append))
        await line.hear()
        task.cancel()
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert named == []
        assert await line.until_dead() == []
        await none_but(others)


@pytest.mark.parametrize("delay", [0.0, 0.002, 0.01, 0.02, 0.04, 0.08, 0.16])
async def test_F42_a_call_is_given_up_at_any_moment_and_no_process_is_left(delay: float) -> None:
    @isolated
    def quick() -> str:
        """Be quick."""
        return "x"

    setting = Setting(toolbox=Toolbox([quick]), now=time.monotonic)
    named: list[str] = []
    task = asyncio.create_task(answer(ToolCall(name="quick"), setting, abandoned=named.append))
    await asyncio.sleep(delay)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert named == []


async def test_a_call_that_waits_for_a_thread_starts_no_process_when_it_is_given_up(others: set[int]) -> None:
    async with open_line() as line:
        pool = threads.Pool(limit=1)
        setting = Setting(toolbox=Toolbox([hanging(line.address)]), now=time.monotonic, pool=pool)
        first, second = (asyncio.create_task(answer(ToolCall(name="hang"), setting)) for _ in range(2))
        await line.hear()
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        assert len(children() - others) == 1
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert await line.hear() == "dead"
        assert pool.abandoned == 0


async def test_a_process_that_is_stopped_before_it_started_is_not_started() -> None:
    process = processes.Process(functools.partial(abs, -1), 100, print)
    process.stop()
    with pytest.raises(processes.ProcessDied, match=r"the tool's process was ended$") as caught:
        await asyncio.to_thread(process.carried_out)
    assert caught.value.exit_code is None


async def test_F28_a_call_that_hangs_on_its_way_to_a_process_is_abandoned() -> None:
    go_on = threading.Event()

    class Slow:
        def __reduce__(self) -> tuple[Any, ...]:
            go_on.wait(LONG)
            return str, ()

    @isolated(timeout=0.1)
    def look(context: ToolContext) -> str:
        """Look."""
        return "never"

    pool = threads.Pool()
    setting = Setting(toolbox=Toolbox([look]), now=time.monotonic, state=Slow(), pool=pool)
    named: list[str] = []
    result = await answer(ToolCall(name="look"), setting, abandoned=named.append)
    assert (result.status, named, pool.abandoned) == ("timeout", ["look"], 1)
    go_on.set()
    async with asyncio.timeout(PATIENCE):
        while pool.abandoned:  # noqa: ASYNC110 - the thread tells nobody any more
            await asyncio.sleep(0.01)


async def test_F50_stop_from_another_thread_ends_the_process() -> None:
    async with open_line() as line:
        live = script(hanging(line.address)).start("?")
        pid = int(await line.hear())
        await asyncio.to_thread(live.stop)
        result = await live
        assert (result.stop_reason, result.abandoned) == ("interrupted", ())
        assert not psutil.pid_exists(pid)
        assert await line.hear() == "dead"


@pytest.mark.parametrize("way", ["run_sync", "asyncio.run"])
async def test_F52_it_works_on_whatever_thread_the_event_loop_is(way: str) -> None:
    @isolated
    def where() -> bool:
        """Tell where it is."""
        return os.getsid(0) == os.getpid()

    @isolated(timeout=0.3)
    def hang() -> str:
        """Hang."""
        time.sleep(LONG)
        return "never"

    loop = script(where, hang)
    act = loop.run_sync if way == "run_sync" else lambda text: asyncio.run(loop.run(text))
    result = await asyncio.to_thread(act, "?")
    assert [one.status for one in result.turns[0].results] == ["ok", "timeout"]
    assert result.abandoned == ()


async def test_no_descriptor_and_no_thread_is_left() -> None:
    async with open_line() as line:

        @isolated
        def act(how: str) -> str:
            """Act."""
            exec(how)
            return "x"

        async def all_of_it() -> None:
            for how in ("pass", "1 / 0", "import os; os._exit(1)", "import threading; x = threading.Lock()"):
                await result_of(act, arguments={"how": how})
            task = asyncio.create_task(result_of(hanging(line.address)))
            await line.hear()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await line.until_dead() == []
            await asyncio.sleep(0)

        await all_of_it()
        before, names = psutil.Process().num_fds(), {thread.name for thread in threading.enumerate()}
        await all_of_it()
        assert psutil.Process().num_fds() <= before
        assert {thread.name for thread in threading.enumerate()} <= names


SCRIPT = """
import os, socket, subprocess, sys, time
import hermes_nb as hn
from hermes_nb.servers.scripted import call

address = ("127.0.0.1", int(sys.argv[1]))

@hn.tool(isolation="process")
def hang() -> str:
    "Hang."
    line = socket.create_connection(address)
    subprocess.Popen(["sleep", "600"], pass_fds=[line.fileno()])
    line.sendall(b"ready\\n")
    time.sleep(600)
    return "never"

loop = hn.HermesAgentLoop(hn.ScriptedServer([call("hang"), "done"]), tools=[hang])
try:
    loop.run_sync("?")
except KeyboardInterrupt:
    result = loop.last_result
    print(result.stop_reason, result.turns[0].results[0].status, result.abandoned)
"""


@pytest.mark.parametrize(("number", "said"), [(signal.SIGKILL, ""), (signal.SIGINT, "interrupted cancelled ()\n")])
async def test_F42_F46_the_process_ends_with_a_script_that_is_killed_or_interrupted(
    tmp_path: Path, number: signal.Signals, said: str
) -> None:
    async with open_line() as line:
        (tmp_path / "script.py").write_text(SCRIPT)
        parent = await asyncio.create_subprocess_exec(
            sys.executable,
            str(tmp_path / "script.py"),
            str(line.address[1]),
            stdout=subprocess.PIPE,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": str(Path(processes.__file__).parents[2])},
        )
        assert await line.hear() == "ready"
        os.killpg(parent.pid, number)  # As Ctrl-C in a terminal: the whole group.
        printed, _ = await asyncio.wait_for(parent.communicate(), PATIENCE)
        assert await line.hear() == "dead"
        assert printed.decode() == said


async def test_a_tool_may_have_processes_of_its_own() -> None:
    @isolated
    def shared() -> list[int]:
        """Share the work."""
        with multiprocessing.get_context("fork").Pool(2) as pool:
            return pool.map(abs, [-1, 2, -3])

    assert (await result_of(shared)).value == [1, 2, 3]


async def test_F34_tools_in_processes_run_side_by_side_and_answer_in_their_order() -> None:
    async with open_line() as line:
        address = line.address

        def meet(name: str) -> Tool:
            def wait() -> str:
                """Wait until the others are here."""
                connection = socket.create_connection(address)
                connection.sendall(b"here\n")
                print(name)
                connection.recv(1)
                return name

            return Tool(wait, name=name, isolation="process")

        names = ["a", "b", "c"]
        running = asyncio.create_task(run(*map(meet, names)))
        assert [await line.hear() for _ in names] == ["here"] * 3
        line.release()
        results = (await running).turns[0].results
        assert [one.content for one in results] == names
        assert [one.printed for one in results] == ["a\n", "b\n", "c\n"]
