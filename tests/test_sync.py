"""The two doors for code that cannot await."""

from __future__ import annotations

import asyncio
import contextvars
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

import hermes_nb as hn
from hermes_nb import sync
from hermes_nb.exceptions import ConfigurationError
from hermes_nb.servers.scripted import call

pytestmark = pytest.mark.usefixtures("nothing_is_left")

WAITING = """
import asyncio, sys
import hermes_nb as hn

class Silent:
    async def chat_completion(self, **request):
        print("ready", flush=True)
        await asyncio.Event().wait()

loop = hn.HermesAgentLoop(Silent())
try:
    {start}
except KeyboardInterrupt:
    print("interrupted:", loop.last_result.stop_reason)
"""


def script(code: str, tmp_path: Path) -> list[str]:
    path = tmp_path / "script.py"
    path.write_text(textwrap.dedent(code))
    return [sys.executable, "-W", "error", str(path)]


def test_what_a_coroutine_gives_or_raises_comes_out() -> None:
    async def five() -> int:
        return 5

    async def late() -> None:
        raise TimeoutError("its own")

    assert sync.wait_for(five()) == 5
    with pytest.raises(TimeoutError, match="its own"):
        sync.wait_for(late())


def test_context_variables_travel() -> None:
    session = contextvars.ContextVar("session", default="unset")
    session.set("mine")

    async def who() -> str:
        return session.get()

    assert sync.wait_for(who()) == "mine"


async def test_it_works_while_an_event_loop_is_running_here() -> None:
    async def where() -> bool:
        return threading.current_thread() is threading.main_thread()

    assert sync.wait_for(where()) is False


def test_waiting_on_the_private_loop_itself_is_refused_rather_than_for_ever() -> None:
    async def inner() -> None: ...

    async def outer() -> None:
        sync.wait_for(inner())

    with pytest.raises(ConfigurationError, match="await"):
        sync.wait_for(outer())


@pytest.mark.parametrize("start", ["loop.run_sync('?')", "asyncio.run(loop.run('?'))"])
def test_ctrl_c_ends_a_script_and_the_run_is_recorded(start: str, tmp_path: Path) -> None:
    with subprocess.Popen(script(WAITING.format(start=start), tmp_path), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=60)
    assert said == "interrupted: interrupted\n"
    assert process.returncode == 0


def test_a_script_that_used_run_sync_ends_and_leaves_no_socket_open(tmp_path: Path) -> None:
    code = """
    import asyncio
    import hermes_nb as hn

    async def played():
        async with hn.ScriptedServer(["hello"] * 3).serve() as base_url:
            loop = hn.HermesAgentLoop(hn.OpenAIServer("m", base_url=base_url))
            return [(await asyncio.to_thread(loop.run_sync, "?")).final_text for _ in range(3)]

    print(asyncio.run(played()))
    """
    ended = subprocess.run(script(code, tmp_path), capture_output=True, text=True, timeout=60, check=False)
    assert (ended.stdout, ended.stderr, ended.returncode) == ("['hello', 'hello', 'hello']\n", "", 0)


def test_nested_loops_are_allowed_only_on_request(tmp_path: Path) -> None:
    code = """
    import asyncio
    import hermes_nb as hn

    async def five():
        return 5

    async def outer():
        nested = five()
        try:
            asyncio.get_running_loop().run_until_complete(nested)
        except RuntimeError:
            nested.close()
            print("refused")
        hn.allow_nested_loops()
        print(asyncio.get_running_loop().run_until_complete(five()))

    asyncio.run(outer())
    """
    ended = subprocess.run(script(code, tmp_path), capture_output=True, text=True, timeout=60, check=False)
    assert ended.stdout == "refused\n5\n"


def test_the_private_loop_cancels_what_nobody_waits_for_any_more() -> None:
    cancelled = threading.Event()
    begun = threading.Event()

    async def wait() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    private = sync.PrivateLoop()

    def expect_the_cancel() -> None:
        with pytest.raises(asyncio.CancelledError):
            private.wait_for(wait())

    waiting = threading.Thread(target=expect_the_cancel)
    waiting.start()
    assert begun.wait(30)
    for task in asyncio.all_tasks(private.loop):
        private.loop.call_soon_threadsafe(task.cancel)
    waiting.join(30)
    assert cancelled.is_set()
    private.close()
    assert private.loop.is_closed()


def leave(*_: object) -> None:
    raise SystemExit(3)


def one_call() -> hn.HermesAgentLoop:
    def tool() -> str:
        return "done"

    return hn.HermesAgentLoop(hn.ScriptedServer([[call("tool")], "Well."], strict=True), tools=[tool])


@pytest.mark.parametrize("gate", ["before_call", "stop_when", "tool_choice"])
def test_a_gate_that_raises_SystemExit_ends_its_run_and_not_the_private_loop(gate: str) -> None:
    loop = one_call()
    setattr(loop, gate, leave)
    with pytest.raises(SystemExit) as left:
        loop.run_sync("?")
    assert (left.value.code, loop.last_result and loop.last_result.stop_reason) == (3, "crashed")
    assert one_call().run_sync("?").final_text == "Well."


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_a_task_of_the_users_own_that_breaks_the_private_loop_off_hangs_nobody(
    error: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    raised = threading.Event()

    async def breaks() -> None:
        raised.set()
        raise error

    async def leaves_a_task() -> str:
        asyncio.get_running_loop().create_task(breaks()).add_done_callback(lambda task: task.exception())
        await asyncio.sleep(0)
        return "done"

    server = hn.ScriptedServer([[call("leaves_a_task")], "Well."], strict=True)
    loop = hn.HermesAgentLoop(server, tools=[leaves_a_task])
    assert loop.run_sync("?").final_text == "Well."
    assert raised.is_set()
    assert "which goes on" in caplog.text
