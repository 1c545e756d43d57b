"""Keeping a run's journal: brought to the disk off the event loop, and given up rather than the run."""

from __future__ import annotations

import asyncio
import errno
import shutil
import threading
import warnings
from pathlib import Path
from typing import Any

import pytest

import hermes_nb as hn
from hermes_nb.keeping import Keeper

pytestmark = pytest.mark.usefixtures("nothing_is_left")


class SlowFile:
    """A journal that is asked to sync before it is closed, and comes to it when it is; its close waits for `after`."""

    def __init__(self, after: threading.Event | None = None) -> None:
        self.path = Path("slow.jsonl")
        self.syncing, self.closed = threading.Event(), threading.Event()
        self.after = after

    def write(self, event: Any) -> None:
        pass

    def sync(self) -> None:
        self.syncing.set()
        self.closed.wait()
        raise OSError(errno.EBADF, "the journal is closed")

    def close(self) -> None:
        self.closed.set()
        if self.after is not None:
            self.after.wait(5)


async def test_a_sync_that_comes_to_a_file_that_was_closed_is_no_loss() -> None:
    other = SlowFile()
    one = SlowFile(after=other.syncing)  # Which is asked to sync only when the event loop has learned of this one's.
    keeper, another = Keeper(one), Keeper(other)  # type: ignore[arg-type]
    keeper.write(None)  # type: ignore[arg-type]
    await asyncio.to_thread(one.syncing.wait)
    another.write(None)  # type: ignore[arg-type]

    await keeper.close()
    await another.close()

    assert keeper.error is None


class CountedFile:
    """A journal that says when it is brought to the disk."""

    path = Path("counted.jsonl")

    def __init__(self) -> None:
        self.synced: asyncio.Queue[None] = asyncio.Queue()
        self.loop = asyncio.get_running_loop()

    def write(self, event: Any) -> None:
        pass

    def sync(self) -> None:
        self.loop.call_soon_threadsafe(self.synced.put_nowait, None)

    def close(self) -> None:
        pass


async def test_what_is_written_is_soon_on_the_disk_and_so_is_what_is_written_later() -> None:
    file = CountedFile()
    keeper = Keeper(file)  # type: ignore[arg-type]
    for _ in range(3):
        keeper.write(None)  # type: ignore[arg-type]
        keeper.write(None)  # type: ignore[arg-type]
        await asyncio.wait_for(file.synced.get(), 20)

    await keeper.close()
    assert file.synced.empty()


async def test_F48_a_journal_that_cannot_be_opened_is_said_to_and_the_run_goes_on(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    loop = hn.HermesAgentLoop(hn.ScriptedServer(["Yes."]), journal=tmp_path / "file" / "run.jsonl")
    with pytest.warns(UserWarning, match=r"run\.jsonl cannot be written") as told:
        result = await loop.run("?")
    assert (result.final_text, len(told)) == ("Yes.", 1)
    assert "cannot be written" in (result.journal_error or "")


async def test_the_key_of_a_cassettes_own_server_is_not_in_the_journal_beside_it(tmp_path: Path) -> None:
    key, path = "letmein-4711-and-not-you", tmp_path / "run.jsonl"
    async with hn.ScriptedServer([f"Your key is {key}."]).serve() as base_url:
        cassette = hn.Cassette(tmp_path / "c.jsonl", hn.OpenAIServer("m", base_url=base_url, api_key=key))
        await hn.HermesAgentLoop(None, cassette=cassette, journal=path).run("?")
    assert b"Your key is" in path.read_bytes()
    assert key.encode() not in path.read_bytes()


async def test_where_warnings_are_errors_what_is_wrong_at_the_close_is_raised(
    tmp_path: Path,
) -> None:
    class Deletes:
        async def chat_completion(self, **request: Any) -> dict[str, Any]:
            shutil.rmtree(tmp_path / "runs")
            return {"choices": [{"message": {"role": "assistant", "content": "Yes."}, "finish_reason": "stop"}]}

    loop = hn.HermesAgentLoop(Deletes(), journal=tmp_path / "runs/")
    (tmp_path / "runs").mkdir()
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        with pytest.raises(UserWarning, match="is no longer written"):
            await loop.run("?")
    assert loop.last_result is not None
    assert (loop.last_result.final_text, loop.last_result.stop_reason) == (
        "Yes.",
        "finished",
    )
