"""What tools print and what cells print, in a real kernel, whose IPython has a hand on every cell's streams."""

from __future__ import annotations

from typing import Any

Kernel = Any  # tests/kernel/conftest.py makes it

LEFT_BEHIND = """
import sys, threading
import hermes_nb as hn
from hermes_nb.servers.scripted import call

let_go, ended = threading.Event(), threading.Event()

def linger() -> str:
    let_go.wait()
    print("late")
    ended.set()
    return "late"

server = hn.ScriptedServer([call("linger"), "done"])
result = await hn.HermesAgentLoop(server, tools=[linger], tool_timeout=0.05).run("?")
"""


def test_cells_print_while_a_tool_is_left_behind_and_when_it_has_ended(kernel: Kernel) -> None:
    assert kernel.run(LEFT_BEHIND).ok

    cells = [kernel.run(f"print({word!r}); print({word!r}, file=sys.stderr)") for word in ("one", "two")]
    ending = kernel.run("let_go.set(); ended.wait(); print('ended')")
    after = [kernel.run("print(result.abandoned)") for _ in range(2)]

    assert [cell.error for cell in (*cells, ending, *after)] == [None] * 5
    assert [sorted(cell.printed.split()) for cell in cells] == [["one", "one"], ["two", "two"]]
    assert ending.printed == "ended\n"
    assert [cell.printed for cell in after] == ["('linger',)\n"] * 2


TOGETHER = """
import asyncio, sys, threading
import hermes_nb as hn
from hermes_nb.servers.scripted import call

turns = threading.Barrier(4)

def speak(word: str) -> None:
    for number in range(20):
        turns.wait(30)
        print(word, number)
        print(word, file=sys.stderr)

async def speak_async(word: str) -> None:
    for number in range(20):
        await asyncio.sleep(0)
        print(word, number)
        print(word, file=sys.stderr)

words = ["a", "b", "c", "d"]
calls = [call(name, word=word) for name in ("speak", "speak_async") for word in words]
loop = hn.HermesAgentLoop(hn.ScriptedServer([calls, "done"] * 2), tools=[speak, speak_async], max_parallel_calls=8)
"""

APART = """[
    one.printed == "".join(f"{word} {number}\\n{word}\\n" for number in range(20))
    for word, one in zip(words * 2, RAN.results)
]"""


def test_F33_tools_print_at_once_and_each_call_has_its_own_prints_and_the_cell_none(kernel: Kernel) -> None:
    assert kernel.run(TOGETHER).ok
    streams = kernel.value("[type(sys.stdout).__name__, type(sys.stderr).__name__]")

    awaited = kernel.run("awaited = await loop.run('?')")
    waited_for = kernel.run("waited_for = loop.run_sync('?')")

    assert [(cell.error, cell.printed) for cell in (awaited, waited_for)] == [(None, "")] * 2
    assert kernel.value(APART.replace("RAN", "awaited")) == [True] * 8
    assert kernel.value(APART.replace("RAN", "waited_for")) == [True] * 8
    assert kernel.value("[type(sys.stdout).__name__, type(sys.stderr).__name__]") == streams


def test_F33_a_cell_prints_beside_a_run_that_goes_on_in_the_background(kernel: Kernel) -> None:
    assert kernel.run("""
import sys, threading
import hermes_nb as hn
from hermes_nb.servers.scripted import call

begun, go_on = threading.Event(), threading.Event()

def slow() -> str:
    print("the tool")
    begun.set()
    go_on.wait(30)
    print("the tool, later")
    return "ok"

def tell(event):
    if type(event).__name__ == "CallFinished":
        print("told")

run = hn.HermesAgentLoop(hn.ScriptedServer([call("slow"), "done"]), tools=[slow]).start("?", on_event=tell)
""").ok
    beside = kernel.run("import asyncio; await asyncio.to_thread(begun.wait); print('the cell'); go_on.set()")
    over = kernel.run("result = await run")

    assert (beside.error, over.error) == (None, None)
    assert beside.printed.replace("told\n", "") == "the cell\n"
    assert over.printed.replace("told\n", "") == ""
    assert kernel.value("[one.printed for one in result.results]") == ["the tool\nthe tool, later\n"]


def test_F28_F33_what_an_abandoned_tool_prints_later_is_in_no_cell(kernel: Kernel) -> None:
    assert kernel.run("""
import asyncio, sys, threading
import hermes_nb as hn
from hermes_nb.servers.scripted import call

go_on, printed, let_go = threading.Event(), threading.Event(), asyncio.Event()

def hang() -> str:
    print("in time")
    go_on.wait(30)
    print("late")
    print("late", file=sys.stderr)
    printed.set()
    return "late"

async def stubborn() -> str:
    print("in time")
    while not let_go.is_set():
        try:
            await let_go.wait()
        except asyncio.CancelledError:
            pass
    print("late")
    return "late"

server = hn.ScriptedServer([[call("hang"), call("stubborn")], "done"])
loop = hn.HermesAgentLoop(server, tools=[hang, stubborn], tool_timeout=0.2)
""").ok
    ran = kernel.run("result = await loop.run('?')")
    later = kernel.run("print('here'); go_on.set(); printed.wait(); let_go.set(); await asyncio.sleep(0.1)")
    last = kernel.run("print('and here')")

    assert (ran.error, later.error, last.error) == (None, None, None)
    assert (later.printed, last.printed) == ("here\n", "and here\n")
    assert "late" not in ran.printed.replace("left behind", "")
    assert kernel.value("[[one.status, one.printed] for one in result.results]") == [["timeout", "in time\n"]] * 2
    assert kernel.value("type(sys.stdout).__name__") == "OutStream"


def test_F33_what_a_tool_had_printed_when_it_was_interrupted_is_in_its_result(kernel: Kernel, bell: Any) -> None:
    code = (
        bell.code
        + """
import asyncio
import hermes_nb as hn
from hermes_nb.servers.scripted import call

async def hang() -> str:
    print("so far")
    bell()
    await asyncio.Event().wait()
    return "never"

loop = hn.HermesAgentLoop(hn.ScriptedServer([call("hang"), "never"]), tools=[hang])
await loop.run("?")
"""
    )
    cell = kernel.interrupted(code, bell, what="a tool that printed")

    assert "CancelledError" in (cell.error or "")
    assert "so far" not in cell.printed
    answers = "[[one.status, one.printed] for one in loop.last_result.results]"
    assert kernel.value(answers) == [["cancelled", "so far\n"]]
