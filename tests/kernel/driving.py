"""Drives a kernel the way JupyterLab does, and is told by code elsewhere when it has come to a point."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

ROOT = Path(__file__).resolve().parents[2]

PATIENCE = 60.0

ASLEEP_SECONDS = 0.3
"""What whoever rang gets to fall asleep in, before it is interrupted: that it sleeps, it cannot say."""

WATCH = f"""
import sys
if {str(ROOT)!r} not in sys.path:
    sys.path.insert(0, {str(ROOT)!r})
from tests.leaks import no_leaks as _no_leaks
_before = _no_leaks().__enter__()
"""

LEFT = r"""
import asyncio as _asyncio, re as _re, time as _time
from hermes_nb.sync import private_loop as _private_loop

def _left():
    private = [f"task {task.get_coro()}" for task in _asyncio.all_tasks(_private_loop().loop)]
    own = _re.compile(r"task .*((Kernel|InteractiveShell)\.|_async_in_context)|descriptor .*\[eventfd\]")
    return private + [one for one in _before.found() if not own.match(one)]

async def _let_go():
    until = _time.monotonic() + 10
    while _left() and _time.monotonic() < until:
        await _asyncio.sleep(0.01)

if "loop" in globals() and hasattr(loop.server, "close"):
    await loop.server.close()
    _asyncio.run_coroutine_threadsafe(loop.server.close(), _private_loop().loop).result()
await _let_go()
"""
"""What a run has left behind in the kernel, once its server is closed. The tasks of the cells are the kernel's own, and
so are ZeroMQ's eventfds."""


class Bell:
    """Rung by code that runs elsewhere, in a kernel or in a script; waited for here."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.settimeout(PATIENCE)

    @property
    def code(self) -> str:
        """What makes `bell()` there, which rings it, from any thread."""
        address = self._socket.getsockname()
        return f"def bell():\n    import socket\n    socket.create_connection({address!r}).close()\n"

    def ring(self) -> None:
        socket.create_connection(self._socket.getsockname()).close()

    def wait(self) -> None:
        """Wait until it is rung, once for each time."""
        self._socket.accept()[0].close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._socket.close()


@dataclass
class Cell:
    """What came of a cell. `seconds` is how long it went on after it was interrupted."""

    printed: str = ""
    shown: list[dict[str, Any]] = field(default_factory=list)
    error: str | None = None
    ended: float = 0.0
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        return self.error is None


class Kernel:
    """A kernel to run cells in, and to interrupt. `measured` is how long each interrupted cell went on."""

    def __init__(self, manager: KernelManager, client: BlockingKernelClient) -> None:
        self.manager = manager
        self.client = client
        self.measured: list[tuple[str, float]] = []

    def run(self, code: str, *, on_print: Callable[[str], None] = lambda text: None) -> Cell:
        """Run a cell to its end; `on_print` is told what it prints, as it prints."""
        return self.ended(self.begin(code), on_print=on_print)[0]

    def begin(self, code: str, *, subshell: str | None = None) -> str:
        """Begin a cell, on the main shell or on a subshell, and give its id."""
        if subshell is None:
            return str(self.client.execute(code))
        content = {"code": code, "silent": False, "store_history": False, "user_expressions": {}, "allow_stdin": False}
        message = self.client.session.msg("execute_request", content)
        message["header"]["subshell_id"] = subshell
        self.client.shell_channel.send(message)
        return str(message["header"]["msg_id"])

    def ended(self, *begun: str, on_print: Callable[[str], None] = lambda text: None) -> list[Cell]:
        """Wait until these cells have ended, and give what came of them."""
        cells = {one: Cell() for one in begun}
        while not all(cell.ended for cell in cells.values()):
            message = self.client.get_iopub_msg(timeout=PATIENCE)
            if cell := cells.get(message["parent_header"].get("msg_id")):
                self._take(message["msg_type"], message["content"], cell, on_print)
        for _ in cells:
            self.client.get_shell_msg(timeout=PATIENCE)
        return list(cells.values())

    def _take(self, kind: str, content: dict[str, Any], cell: Cell, on_print: Callable[[str], None]) -> None:
        match kind:
            case "stream":
                cell.printed += content["text"]
                on_print(content["text"])
            case "display_data" | "execute_result":
                cell.shown.append(content["data"])
            case "error":
                cell.error = f"{content['ename']}: {content['evalue']}"
            case "status" if content["execution_state"] == "idle":
                cell.ended = time.monotonic()

    def value(self, expression: str) -> Any:
        """What the expression is worth in the kernel, by way of JSON."""
        cell = self.run(f"import json; print(json.dumps({expression}))")
        assert cell.ok, cell.error
        return json.loads(cell.printed)

    def interrupt_when_ready(self, code: str) -> Cell:
        """Run a cell and interrupt it when it prints `ready`."""

        def told(text: str) -> None:
            if "ready" in text:
                self.manager.interrupt_kernel()

        return self.run(code, on_print=told)

    def interrupt(self) -> float:
        """Interrupt it, as the lab's button does; when that was."""
        time.sleep(ASLEEP_SECONDS)
        self.manager.interrupt_kernel()
        return time.monotonic()

    def interrupted(self, code: str, bell: Bell, *, times: int = 1, what: str) -> Cell:
        """Run a cell and interrupt it when the bell rings, so many times."""
        begun, interrupted = self.begin(code), 0.0
        for _ in range(times):
            bell.wait()
            interrupted = self.interrupt()
        [cell] = self.ended(begun)
        cell.seconds = cell.ended - interrupted
        self.measured.append((what, cell.seconds))
        return cell

    def watch(self) -> None:
        """Note what there is in the kernel, so that `left` finds what there is besides."""
        assert self.run(WATCH).ok

    def left(self) -> list[str]:
        """What has been left behind in the kernel since: tasks, threads, processes, descriptors."""
        cell = self.run(LEFT)
        assert cell.ok, cell.error
        return list(self.value("_left()"))

    @contextmanager
    def subshell(self) -> Iterator[str]:
        """A subshell: a thread of the kernel's in which cells, and widgets' callbacks, run beside the others."""
        made = str(self._control("create_subshell_request")["subshell_id"])
        try:
            yield made
        finally:
            self._control("delete_subshell_request", subshell_id=made)

    def _control(self, kind: str, **content: Any) -> dict[str, Any]:
        self.client.control_channel.send(self.client.session.msg(kind, content))
        reply: dict[str, Any] = self.client.get_control_msg(timeout=PATIENCE)["content"]
        assert reply["status"] == "ok", reply
        return reply
