"""A real IPython kernel, driven the way JupyterLab drives it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager, start_new_kernel

PATIENCE = 60.0


@dataclass
class Cell:
    """What came of a cell."""

    printed: str = ""
    shown: list[dict[str, Any]] = field(default_factory=list)
    error: str | None = None

    @property
    def ok(self) -> bool:
        return self.error is None


class Kernel:
    """A kernel to run cells in, and to interrupt."""

    def __init__(self, manager: KernelManager, client: BlockingKernelClient) -> None:
        self.manager = manager
        self.client = client

    def run(self, code: str, *, on_print: Callable[[str], None] = lambda text: None) -> Cell:
        """Run a cell to its end; `on_print` is told what it prints, as it prints."""
        sent = self.client.execute(code)
        cell = Cell()
        while True:
            message = self.client.get_iopub_msg(timeout=PATIENCE)
            if message["parent_header"].get("msg_id") != sent:
                continue
            content = message["content"]
            match message["msg_type"]:
                case "stream":
                    cell.printed += content["text"]
                    on_print(content["text"])
                case "display_data" | "execute_result":
                    cell.shown.append(content["data"])
                case "error":
                    cell.error = f"{content['ename']}: {content['evalue']}"
                case "status" if content["execution_state"] == "idle":
                    self.client.get_shell_msg(timeout=PATIENCE)
                    return cell

    def interrupt_when_ready(self, code: str) -> Cell:
        """Run a cell and interrupt it when it prints `ready`."""

        def told(text: str) -> None:
            if "ready" in text:
                self.manager.interrupt_kernel()

        return self.run(code, on_print=told)


@pytest.fixture(scope="session")
def kernel() -> Iterator[Kernel]:
    """One kernel for all tests; each uses names of its own."""
    manager, client = start_new_kernel(startup_timeout=PATIENCE)
    try:
        yield Kernel(manager, client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
