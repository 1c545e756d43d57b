"""What comes into a cassette: whole runs and no secrets, whoever else records, and whatever happens meanwhile."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from hermes_nb import HermesAgentLoop, OpenAIServer, ScriptedServer, journal
from hermes_nb.events import Delta, RunFinished, RunStarted
from hermes_nb.exceptions import ConfigurationError
from hermes_nb.journal import Journal
from hermes_nb.records import AgentResult
from hermes_nb.servers.cassette import Cassette, Tape
from hermes_nb.servers.cassette.locking import one_at_a_time
from hermes_nb.servers.scripted import Scripted, call
from tests.servers.cassettes import (
    QUESTION,
    add,
    beside,
    content_of,
    echo,
    play,
    player,
    put,
    record,
    sums,
    without_marks,
)

KEY = "sk-test-1f2e3d4c5b6a79880716"
ROOT = Path(__file__).parents[2]
SOON = 60
ASKED = [{"role": "user", "content": QUESTION}]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x.jsonl"


def starts(path: Path) -> list[tuple[str | None, str]]:
    """The task and the question of every run in a cassette."""
    began = [event for event in journal.read_events(path) if isinstance(event, RunStarted)]
    return [(event.task, event.messages[-1]["content"]) for event in began]


def ended(path: Path) -> int:
    return sum(isinstance(event, RunFinished) for event in journal.read_events(path))


async def test_auto_records_what_is_not_there_and_plays_what_is(path: Path) -> None:
    server = sums()
    loop = HermesAgentLoop(server, [add], cassette=Cassette(path))
    first = await loop.run(QUESTION)
    again = await loop.run(QUESTION)

    assert without_marks(again) == without_marks(first)
    assert len(server.requests) == 2
    assert beside(path) == ["x.jsonl"]


async def test_a_cassette_is_an_ordinary_journal_with_the_pieces(path: Path) -> None:
    first = await record(path, sums(), stream=True)

    assert journal.load(path, run=0).messages == first.messages
    assert any(isinstance(event, Delta) for event in journal.read_events(path))


async def test_the_cassettes_own_server_is_asked_before_the_loops(path: Path) -> None:
    own, other = sums(), ScriptedServer([])
    await HermesAgentLoop(other, [add], cassette=Cassette(path, own)).run(QUESTION)

    assert (len(own.requests), len(other.requests)) == (2, 0)


async def test_a_run_can_be_given_a_cassette_of_its_own_or_none(path: Path) -> None:
    server = ScriptedServer(["live", "recorded"])
    loop = HermesAgentLoop(server, cassette=Cassette(path))
    assert (await loop.run("?", cassette=None)).final_text == "live"
    assert beside(path) == []
    await HermesAgentLoop(server).run("?", cassette=Cassette(path))

    assert (await HermesAgentLoop(None).run("?", cassette=Cassette(path))).final_text == "recorded"


async def test_record_takes_the_place_of_the_same_run_and_keeps_the_others(path: Path) -> None:
    for task in ("a", "b", "c"):
        await record(path, ScriptedServer([f"first {task}"]), "?", task=task)
    before = journal.load(path, run=0)
    await record(path, ScriptedServer(["second b"]), "?", task="b")

    said = [(await play(path, "?", task=task)).final_text for task in ("a", "b", "c")]
    assert said == ["first a", "second b", "first c"]
    assert starts(path) == [("a", "?"), ("c", "?"), ("b", "?")]
    assert journal.load(path, run=0) == before


async def test_record_takes_the_place_of_a_task_whose_question_was_changed(path: Path) -> None:
    await record(path, ScriptedServer(["ok"]), "old", task="t")
    await record(path, ScriptedServer(["ok"]), "new", task="t")

    assert starts(path) == [("t", "new")]


async def test_record_keeps_runs_of_no_task_that_ask_something_else(path: Path) -> None:
    await record(path, ScriptedServer(["ok"]), "one")
    await record(path, ScriptedServer(["ok"]), "two")
    await record(path, ScriptedServer(["ok"]), "one")

    assert starts(path) == [(None, "two"), (None, "one")]


async def test_record_keeps_the_run_that_a_follow_up_goes_on_from(path: Path) -> None:
    first = await record(path, ScriptedServer(["ok"]), "one", task="t")
    await record(path, ScriptedServer(["ok"]), "two", task="t", after=first)
    assert starts(path) == [("t", "one"), ("t", "two")]
    await record(path, ScriptedServer(["ok"]), "one", task="t")

    assert starts(path) == [("t", "two"), ("t", "one")]


async def test_what_one_cassette_object_records_does_not_give_way_to_what_it_records_next(path: Path) -> None:
    cassette = Cassette(path, ScriptedServer(["ok", "ok"]), mode="record")
    for asked in ("one", "two"):
        await HermesAgentLoop(None, cassette=cassette).run(asked, task="t")

    assert starts(path) == [("t", "one"), ("t", "two")]


async def test_a_run_that_gives_way_is_found_among_lines_that_lie_between_each_others(path: Path) -> None:
    loop = HermesAgentLoop(echo(), [add], journal=path)
    await asyncio.gather(loop.run("1 2", task="a"), loop.run("3 4", task="b"), loop.run("5 6", task="c"))
    await record(path, echo(), "30 40", task="b")

    assert sorted(starts(path)) == [("a", "1 2"), ("b", "30 40"), ("c", "5 6")]
    said = [(await play(path, asked, task=task)).final_text for task, asked in sorted(starts(path))]
    assert said == ["It is 3.", "It is 70.", "It is 11."]


async def test_replay_asks_nobody_and_records_nothing(path: Path) -> None:
    await record(path, sums())
    before, idle = content_of(path), ScriptedServer([])
    loop = HermesAgentLoop(idle, [add], cassette=Cassette(path, mode="replay"))

    assert (await loop.run(QUESTION)).ok
    assert not (await loop.run("other")).ok
    assert idle.requests == []
    assert content_of(path) == before


async def test_live_asks_and_neither_plays_nor_records(path: Path) -> None:
    await record(path, ScriptedServer(["recorded"]), "?")
    before = content_of(path)
    loop = HermesAgentLoop(ScriptedServer(["live"]), cassette=Cassette(path, mode="live"))

    result = await loop.run("?")
    assert result.final_text == "live"
    assert result.provenance is not None
    assert "cassette" not in result.provenance.server
    assert (content_of(path), beside(path)) == (before, ["x.jsonl"])


@pytest.mark.parametrize("mode", ["record", "live"])
async def test_what_asks_a_server_needs_one(path: Path, mode: Any) -> None:
    with pytest.raises(ConfigurationError, match="give it one, or the loop"):
        await HermesAgentLoop(None, cassette=Cassette(path, mode=mode)).run("?")


def tape(path: Path, environ: Mapping[str, str], **how: Any) -> Tape:
    return Cassette(path, **how).tape(messages=ASKED, server=ScriptedServer([]), environ=environ)


async def test_the_environment_has_the_last_word(path: Path) -> None:
    await record(path, sums(), tools=[])
    kinds = {
        mode: type(tape(path, {"HERMES_NB_CASSETTE": mode}, mode="live")).__name__
        for mode in ("auto", "record", "replay", "live", "", " replay ")
    }

    assert kinds == {
        "auto": "PlayedTape", "record": "RecordedTape", "replay": "PlayedTape", "live": "Tape", "": "Tape",
        " replay ": "PlayedTape",
    }  # fmt: skip


async def test_a_mode_in_the_environment_that_is_none_is_said_with_the_four(path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        tape(path, {"HERMES_NB_CASSETTE": "once"})

    for said in ("HERMES_NB_CASSETTE", "'auto', 'record', 'replay', 'live'", "'once'"):
        assert said in str(caught.value)


def child(code: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Another process, without a key and with this environment."""
    bare = {name: value for name, value in os.environ.items() if "KEY" not in name}
    return subprocess.run(
        [sys.executable, "-c", HEAD + textwrap.dedent(code)], env={**bare, "PYTHONPATH": str(ROOT), **environ},
        capture_output=True, text=True, timeout=SOON, check=False,
    )  # fmt: skip


HEAD = textwrap.dedent("""
    import asyncio, os, pathlib, sys
    from hermes_nb import HermesAgentLoop, ScriptedServer
    from hermes_nb.servers.cassette import Cassette
    from tests.servers.cassettes import QUESTION, add, echo, play, record, sums
    path = pathlib.Path(os.environ["CASSETTE"])
""")


async def test_what_one_process_records_another_plays_without_any_server_or_key(path: Path) -> None:
    async with sums().serve() as base_url:
        server = OpenAIServer("m", base_url=base_url, api_key=KEY)
        first = await record(path, server)
        await server.close()
    played = child(
        "result = asyncio.run(play(path)); print(result.run_id, result.seconds, result.final_text)",
        CASSETTE=str(path), HERMES_NB_CASSETTE="replay",
    )  # fmt: skip

    assert played.stdout == f"{first.run_id} {first.seconds} {first.final_text}\n", played.stderr


async def test_the_variable_is_read_where_the_run_starts(path: Path) -> None:
    code = "result = asyncio.run(HermesAgentLoop(ScriptedServer([name]), cassette=Cassette(path)).run('?'))"
    for name, mode in (("one", "auto"), ("two", "auto"), ("three", "record")):
        made = child(f"name = {name!r}\n{code}\nprint(result.final_text)", CASSETTE=str(path), HERMES_NB_CASSETTE=mode)
        assert made.stdout == ("three\n" if name == "three" else "one\n"), made.stderr
    bad = child(code.replace("name", "'x'"), CASSETTE=str(path), HERMES_NB_CASSETTE="never")

    assert "ConfigurationError" in bad.stderr
    assert "'auto', 'record', 'replay', 'live'" in bad.stderr


async def test_runs_that_end_at_once_are_all_recorded(path: Path) -> None:
    loop = HermesAgentLoop(echo(), [add], cassette=Cassette(path))
    await asyncio.gather(*(loop.run(f"{number} 0", task=str(number)) for number in range(50)))

    assert sorted(int(task or "") for task, _ in starts(path)) == list(range(50))
    assert beside(path) == ["x.jsonl"]


async def test_two_cassette_objects_for_one_file_lose_nothing_of_each_other(path: Path) -> None:
    loops = [HermesAgentLoop(echo(), [add], cassette=Cassette(path)) for _ in range(2)]
    runs = [
        loop.run(f"{number} 0", task=f"{place} {number}") for place, loop in enumerate(loops) for number in range(20)
    ]
    await asyncio.gather(*runs)

    assert len(set(starts(path))) == 40


async def test_a_recording_waits_until_nobody_else_adds_to_the_cassette(path: Path) -> None:
    over = asyncio.Event()
    with one_at_a_time(path):
        running = asyncio.ensure_future(
            record(path, sums(), on_event=lambda event: over.set() if isinstance(event, RunFinished) else None)
        )
        await over.wait()
        done, _ = await asyncio.wait([running], timeout=0.5)
        assert (done, "x.jsonl" in beside(path)) == (set(), False)
    await running

    assert starts(path) == [(None, QUESTION)]
    assert beside(path) == ["x.jsonl"]


def test_only_one_at_a_time_is_let_in(path: Path) -> None:
    inside: list[int] = []
    crowds: list[int] = []

    def go_in_and_out() -> None:
        for _ in range(50):
            with one_at_a_time(path):
                inside.append(1)
                crowds.append(len(inside))
                time.sleep(0)
                inside.pop()

    threads = [threading.Thread(target=go_in_and_out) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SOON)

    assert crowds == [1] * 200
    assert beside(path) == []


def test_two_processes_lose_nothing_of_each_other(path: Path) -> None:
    code = """
        async def main():
            loop = HermesAgentLoop(echo(), [add], cassette=Cassette(path))
            sys.stdin.readline()
            for number in range(20):
                await loop.run(f"{number} 0", task=f"{os.environ['NAME']} {number}")
        print("ready", flush=True)
        asyncio.run(main())
    """
    code = HEAD + textwrap.dedent(code)
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "CASSETTE": str(path)}
    children = [
        subprocess.Popen(
            [sys.executable, "-c", code], env={**environ, "NAME": name}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("a", "b")
    ]  # fmt: skip
    for one in children:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
    for one in children:
        one.communicate("go\n", timeout=SOON)

    assert [one.returncode for one in children] == [0, 0]
    assert {task for task, _ in starts(path)} == {f"{name} {number}" for name in "ab" for number in range(20)}
    assert beside(path) == ["x.jsonl"]


@pytest.mark.parametrize("requests", [1, 2])
async def test_a_process_that_is_killed_while_it_records_leaves_the_cassette_as_it_was(
    path: Path, requests: int
) -> None:
    await record(path, sums(), task="kept")
    before = content_of(path)
    killed = child(
        """
        import signal
        left = [int(os.environ["REQUESTS"])]
        def said(messages):
            left[0] -= 1
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)
            return {"content": "", "tool_calls": [{"function": {"name": "add", "arguments": '{"a": 1, "b": 1}'}}]}
        asyncio.run(record(path, ScriptedServer(said), task="lost"))
        """,
        CASSETTE=str(path), REQUESTS=str(requests),
    )  # fmt: skip

    assert killed.returncode == -signal.SIGKILL
    assert content_of(path) == before
    await record(path, sums(), task="next")
    assert starts(path) == [("kept", QUESTION), ("next", QUESTION)]


@pytest.mark.parametrize("runs", [1, 2, 5])
def test_a_process_that_is_killed_while_it_adds_to_a_cassette_leaves_whole_runs_in_it(path: Path, runs: int) -> None:
    code = """
        async def main():
            loop = HermesAgentLoop(echo(), [add], cassette=Cassette(path))
            for number in range(10_000):
                await loop.run(f"{number} 0", task=str(number))
                print(number, flush=True)
        asyncio.run(main())
    """
    killed = subprocess.Popen(
        [sys.executable, "-c", HEAD + textwrap.dedent(code)], stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT), "CASSETTE": str(path)},
    )  # fmt: skip
    with killed:
        assert killed.stdout is not None
        for _ in range(runs):
            killed.stdout.readline()
        killed.kill()

    tasks = [task for task, _ in starts(path)]
    assert tasks == [str(number) for number in range(len(tasks))]
    assert len(tasks) >= runs
    assert ended(path) == len(tasks)


async def test_whoever_reads_a_cassette_meanwhile_reads_the_whole_of_one(path: Path) -> None:
    await record(path, sums(), task="one")
    before = content_of(path)
    with path.open("rb") as opened:
        await record(path, sums(), task="two")
        assert opened.read() == before

    assert len(content_of(path)) > len(before)


async def test_a_disk_that_is_full_leaves_the_cassette_as_it_was(path: Path) -> None:
    for number in range(5):
        await record(path, sums(), task=str(number))
    before = content_of(path)
    made = child(
        """
        import resource, signal
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size, resource.RLIM_INFINITY))
        print(asyncio.run(record(path, sums(), task="more")).final_text)
        """,
        CASSETTE=str(path),
    )  # fmt: skip

    assert made.stdout == "It is 5, and 2.\n"
    assert "the recording of this run could not be kept" in made.stderr
    assert (content_of(path), beside(path)) == (before, ["x.jsonl"])


async def test_a_run_that_was_interrupted_is_not_recorded_and_leaves_nothing(path: Path) -> None:
    asked = asyncio.Event()

    async def hang(messages: list[Any]) -> str:
        if messages[-1]["role"] == "tool":
            asked.set()
            await asyncio.sleep(3600)
        return call("add", a=1, b=1)  # type: ignore[return-value]

    await record(path, sums(), task="kept")
    before = content_of(path)
    running = asyncio.ensure_future(record(path, ScriptedServer(hang)))
    await asked.wait()
    assert len(beside(path)) == 2
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert (content_of(path), beside(path)) == (before, ["x.jsonl"])


async def test_a_run_that_a_gate_broke_is_not_recorded(path: Path) -> None:
    def broken(call: Any, context: Any) -> None:
        raise LookupError("mine")

    loop = HermesAgentLoop(sums(), [add], before_call=broken, cassette=Cassette(path))
    with pytest.raises(LookupError, match="mine"):
        await loop.run(QUESTION)

    assert beside(path) == []


async def test_a_run_that_its_server_failed_is_recorded_by_record_alone(path: Path) -> None:
    wrong = Scripted(status=401, text="no such key")
    loop = HermesAgentLoop(ScriptedServer([wrong, "In."]), cassette=Cassette(path))
    assert not (await loop.run("?")).ok
    assert beside(path) == []
    assert (await loop.run("?")).final_text == "In."

    failed = await record(path, ScriptedServer([wrong]), "?", tools=[])
    assert (await play(path, "?", tools=[])).error == failed.error


async def test_secrets_are_in_no_line_of_it(path: Path) -> None:
    async with ScriptedServer([[call("say", what=KEY)], f"It was {KEY}."]).serve() as base_url:
        server = OpenAIServer("m", base_url=base_url, api_key=KEY, headers={"x-auth-gate": "letmein-4711"})

        def say(what: str) -> str:
            """Say."""
            return f"{what} letmein-4711"

        first = await record(path, server, f"Say {KEY}", tools=[say])
        await server.close()
    again = await play(path, f"Say {KEY}", tools=[say])

    assert KEY in first.final_text
    for secret in (KEY, "letmein-4711"):
        assert secret.encode() not in content_of(path)
    assert again.final_text == "It was [redacted:key#1]."
    assert again.ok


async def test_where_nothing_can_be_written_the_run_goes_on_and_one_warning_says_so(tmp_path: Path) -> None:
    path = put(tmp_path / "file", b"") / "x.jsonl"
    loop = HermesAgentLoop(sums(), [add], cassette=Cassette(path, mode="record"))
    with pytest.warns(UserWarning, match=r"could not be kept: .*x\.jsonl") as warned:
        result = await loop.run(QUESTION)

    assert result.ok
    assert len(warned) == 1


async def test_a_file_that_is_being_written_as_a_journal_is_not_replaced(path: Path) -> None:
    server = ScriptedServer(["ok"])
    with Journal(path) as kept:
        with pytest.warns(UserWarning, match="is being written as a journal"):
            await HermesAgentLoop(server, cassette=Cassette(path)).run("?")
        kept.write(RunStarted(run_id="r", seq=0))

    assert [event.run_id for event in journal.read_events(path)] == ["r"]
    assert beside(path) == ["x.jsonl"]


async def test_a_cassette_whose_last_line_is_cut_short_is_played_and_added_to(path: Path) -> None:
    await record(path, sums(), task="whole")
    put(path, content_of(path) + b'{"t": "RunStarted", "run_')
    with pytest.warns(UserWarning, match="cut short"):
        assert (await play(path, task="whole")).ok
    with pytest.warns(UserWarning, match="cut short"):
        await record(path, sums(), task="next")

    assert starts(path) == [("whole", QUESTION), ("next", QUESTION)]
    assert ended(path) == 2


async def test_lines_that_only_a_newer_version_knows_are_kept(path: Path) -> None:
    await record(path, sums(), task="old")
    newer = content_of(path).replace(b'"1.0"', b'"1.7"').replace(b'"task":"old"', b'"task":"old","mood":"good"')
    put(path, newer)
    await record(path, sums(), task="next")
    await record(path, sums(), task="next")

    lines = content_of(path).splitlines()
    assert lines[0] == b'{"hermes_nb_journal":"1.7"}'
    assert lines[1 : len(newer.splitlines())] == newer.splitlines()[1:]
    assert (await play(path, task="old")).ok


async def test_what_is_recorded_keeps_the_files_permissions_and_the_link_to_it(path: Path, tmp_path: Path) -> None:
    await record(path, sums(), task="one")
    link = linked(path, tmp_path / "link.jsonl")
    await record(link, sums(), task="two")

    assert link.is_symlink()
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o640  # noqa: PTH116
    assert starts(path) == [("one", QUESTION), ("two", QUESTION)]


def linked(path: Path, link: Path) -> Path:
    path.chmod(0o640)
    link.symlink_to(path)
    return link


async def test_what_another_process_recorded_is_seen_by_a_cassette_that_was_read(path: Path) -> None:
    cassette = Cassette(path)
    await record(path, ScriptedServer(["one"]), "?", tools=[], task="one")
    loop = HermesAgentLoop(None, cassette=cassette)
    assert (await loop.run("?", task="one")).final_text == "one"
    await record(path, ScriptedServer(["two"]), "?", tools=[], task="two")

    assert (await loop.run("?", task="two")).final_text == "two"


async def test_a_run_on_a_loop_of_its_own_is_recorded_too(path: Path) -> None:
    def run() -> AgentResult:
        return HermesAgentLoop(sums(), [add], cassette=Cassette(path)).run_sync(QUESTION)

    first = await asyncio.to_thread(run)
    assert without_marks(await player(path).run(QUESTION)) == without_marks(first)


async def test_runs_that_start_alike_but_for_their_settings_stand_side_by_side(path: Path) -> None:
    for temperature in (0.0, 1.0, 0.0):
        cassette = Cassette(path, ScriptedServer(["ok"]), mode="record")
        await HermesAgentLoop(None, temperature=temperature, cassette=cassette).run("?")
    began = [event for event in journal.read_events(path) if isinstance(event, RunStarted)]

    assert [event.sampling["temperature"] for event in began] == [1.0, 0.0]
