"""Whatever goes wrong in a tool call, the run goes on, and its next request is one that a strict server takes.

Every run here is over a socket to a strict ScriptedServer: that it gets to its last reply shows that each history on
the way was sendable, and `went_on` looks that the model was sent what was recorded.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from hermes_nb import AgentResult, HermesAgentLoop, OpenAIServer, ScriptedServer, Toolbox, journal, views
from hermes_nb.clocks import StillClock
from hermes_nb.events import CallFinished, Event
from hermes_nb.exceptions import ToolDefinitionError
from hermes_nb.records import ToolError, ToolResult
from hermes_nb.servers import Scripted, call
from hermes_nb.servers.scripted import Request
from hermes_nb.servers.scripted.strict import complaint
from hermes_nb.tools.toolbox import MAX_OUTPUT
from tests.leaks import no_leaks

Function = Callable[..., Any]


class Faced(NamedTuple):
    """A run that met a fault: its result, and the requests that the server got."""

    result: AgentResult
    requests: Sequence[Request]

    @property
    def error(self) -> ToolError:
        (error,) = self.result.tool_errors
        return error

    @property
    def answer(self) -> ToolResult:
        (answer,) = self.result.results
        return answer


async def went_on(replies: list[Any], tools: Any, **how: Any) -> Faced:
    """The run of these replies, of which it has been seen that it ended well, sent what it holds, and left nothing."""
    scripted = ScriptedServer([*replies, "Done."], strict=True)
    async with no_leaks(), scripted.serve() as base_url:
        server = OpenAIServer("m", base_url=base_url, api_key="none", max_retries=0)
        try:
            result = await HermesAgentLoop(server, tools, **how).run("Go.")
        finally:
            await server.close()
    assert (result.stop_reason, result.final_text) == ("finished", "Done.")
    sent = [one["content"] for one in scripted.requests[-1]["messages"] if one["role"] == "tool"]
    assert sent == [one.content for one in result.results]
    return Faced(result, scripted.requests)


def written(name: str, arguments: str) -> dict[str, Any]:
    """A call whose arguments are this text."""
    return {"type": "function", "function": {"name": name, "arguments": arguments}}


def told(result: ToolResult) -> str:
    """The words of an error as the model gets them."""
    return str(json.loads(result.content)["error"])


def add(a: int, b: int) -> int:
    """Add two whole numbers."""
    return a + b


def returning(made: Callable[[], Any]) -> list[Function]:
    """A tool, once sync and once async, that returns what is made."""

    def give() -> Any:
        """Give it."""
        return made()

    async def give_later() -> Any:
        """Give it."""
        return made()

    give_later.__name__ = "give"
    return [give, give_later]


def raising(made: Callable[[], BaseException]) -> list[Function]:
    """A tool, once sync and once async, that raises what is made."""

    def fail() -> str:
        """Fail."""
        raise made()

    async def fail_later() -> str:
        """Fail."""
        raise made()

    fail_later.__name__ = "fail"
    return [fail, fail_later]


BOTH = pytest.mark.parametrize("kind", [0, 1], ids=["sync", "async"])

# --- what the model gets wrong


async def test_F21_an_unknown_tool_is_answered_with_the_near_name_and_the_loop_goes_on() -> None:
    faced = await went_on([call("ad", a=1, b=2), call("add", a=1, b=2)], [add])

    assert [one.status for one in faced.result.results] == ["unknown_tool", "ok"]
    assert told(faced.result.results[0]) == "Unknown tool 'ad'. Available tools: ['add']. Did you mean 'add'?"


async def test_F21_the_answer_is_bounded_and_names_the_nearest_however_many_and_long_the_names() -> None:
    def numbered(number: int) -> dict[str, Any]:
        return {"name": f"tool_{number:03}_{'x' * 50}", "parameters": {"type": "object", "properties": {}}}

    box = Toolbox.from_schemas([numbered(number) for number in range(500)], lambda name, arguments: "ok")
    near = numbered(499)["name"]
    faced = await went_on([[written(near[:-1], "{}"), written("y" * 1_000_000, "{}")]], box)

    assert [one.status for one in faced.result.results] == ["unknown_tool", "unknown_tool"]
    assert told(faced.result.results[0]).endswith(f"Did you mean {near!r}?")
    assert "and 450 more" in told(faced.result.results[1])
    assert max(len(one.content.encode()) for one in faced.result.results) < 5000


EVALUATED = '__import__("os").environ.update(HERMES_NB_EVALUATED="1")'
MALFORMED = [
    ("truncated", '{"a": 1', 7),
    ("doubled", '{"a":1}{"a":2}', 7),
    ("trailing quotes", '{}""', 2),
    ("fenced", '```json\n{"a": 1}\n```', 0),
    ("single quotes", "{'a': 1}", 1),
    ("NaN", '{"NaN": "NaN", "a": NaN}', 20),
    ("trailing comma", '{"a": 1,}', 8),
    ("Python", EVALUATED, 0),
    ("Infinity", '{"a": -Infinity}', 6),
]


@pytest.mark.parametrize(("arguments", "place"), [one[1:] for one in MALFORMED], ids=[one[0] for one in MALFORMED])
async def test_F22_arguments_that_are_not_json_are_never_run_and_told_with_their_place(
    arguments: str, place: int
) -> None:
    ran: list[Any] = []

    def run(a: Any = None) -> str:
        """Run."""
        ran.append(a)
        return "ran"

    faced = await went_on([written("run", arguments)], [run])

    assert ran == []
    assert "HERMES_NB_EVALUATED" not in os.environ
    assert (faced.error.kind, faced.error.fault, faced.error.position) == ("bad_json", "model", place)
    assert f"(char {place})" in told(faced.answer)
    assert faced.result.calls[0].arguments == arguments
    sent = faced.requests[1]["messages"][1]["tool_calls"][0]["function"]["arguments"]
    assert json.loads(sent) == {"_malformed": arguments}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("[1, 2]", ["must be one JSON object, got an array: [1, 2]"]),
        ('"1, 2"', ["must be one JSON object, got a string: '1, 2'"]),
        ("null", ["a: is required", "b: is required"]),
        ("12", ["must be one JSON object, got a number: 12"]),
        ("true", ["must be one JSON object, got a boolean: true"]),
        ('{"a": 1}', ["b: is required"]),
        ('{"a": 1, "b": 2, "c": 3}', ["c: is not expected"]),
        ('{"a": "one", "b": [2]}', ["a: Input should be a valid integer", "got 'one'", "b: Input should be a valid"]),
    ],
)
async def test_F23_arguments_that_do_not_fit_come_back_with_what_is_wrong_where_and_what_is_expected(
    arguments: str, words: list[str]
) -> None:
    faced = await went_on([written("add", arguments)], [add])

    assert (faced.error.kind, faced.error.fault) == ("bad_arguments", "model")
    assert [word for word in words if word not in told(faced.answer)] == []
    assert told(faced.answer).endswith("Expected: a (integer, required), b (integer, required).")


def anything(value: Any = None) -> str:
    """Take anything."""
    return "taken"


ANY_OBJECT = {"type": "object", "properties": {"value": {"type": "array", "items": {"type": "integer"}}}}
FOREIGN = Toolbox.from_schemas([{"name": "anything", "parameters": ANY_OBJECT}], lambda name, arguments: "taken")


def integers(value: list[int]) -> str:
    """Take whole numbers."""
    return "taken"


TYPED = Toolbox([integers])
MEGABYTE = "x" * 1_000_000
LARGE = [
    ("text", json.dumps({"value": MEGABYTE})),
    ("list of texts", json.dumps({"value": ["x" * 10] * 100_000})),
    ("unknown names", json.dumps({f"name_{number}": number for number in range(60_000)})),
    ("cut off", json.dumps({"value": MEGABYTE})[:-2]),
    ("no json", MEGABYTE),
]


@pytest.mark.parametrize("box", [FOREIGN, TYPED], ids=["foreign", "typed"])
@pytest.mark.parametrize("arguments", [one[1] for one in LARGE], ids=[one[0] for one in LARGE])
async def test_F24_a_megabyte_of_arguments_makes_a_bounded_error_and_a_bounded_view(
    box: Toolbox, arguments: str
) -> None:
    faced = await went_on([written(box.names[0], arguments)], box)

    if box is TYPED or faced.answer.status != "ok":
        assert faced.error.kind in ("bad_json", "bad_arguments")
    assert len(faced.answer.content.encode()) < 4000
    assert faced.result.calls[0].arguments == arguments
    assert len(views.text(faced.result)) < 20_000
    assert len(views.text(faced.result, turn=1)) < 50_000
    assert len(views.html(faced.result)) < 50_000


async def test_F24_a_megabyte_of_arguments_that_fit_reaches_the_tool_whole() -> None:
    def length(value: str) -> int:
        """Measure."""
        return len(value)

    faced = await went_on([call("length", value=MEGABYTE)], [length])

    assert faced.answer.content == "1000000"
    assert len(views.text(faced.result)) < 20_000
    assert len(views.text(faced.result, turn=1)) < 50_000
    assert len(views.html(faced.result)) < 50_000


@pytest.mark.parametrize("depth", [200, 600, 1_000, 10_000, 100_000])
@pytest.mark.parametrize("box", [FOREIGN, TYPED, Toolbox([anything])], ids=["foreign", "typed", "anything"])
async def test_F24_arguments_of_any_depth_are_answered_shown_and_kept(box: Toolbox, depth: int, tmp_path: Path) -> None:
    deep = '{"value": ' + "[" * depth + "]" * depth + "}"
    file = tmp_path / "run.jsonl"
    faced = await went_on([written(box.names[0], deep)], box, journal=file)

    assert faced.answer.status in ("ok", "bad_arguments", "bad_json")
    assert faced.answer.status != "ok" or box.names == ("anything",)
    if depth >= 10_000:
        assert told(faced.answer).startswith("Invalid JSON in the arguments: nested too deeply to read.")
    assert len(faced.answer.content) < 4000
    loaded = journal.load(file)
    assert loaded.messages == faced.result.messages
    for result in (faced.result, loaded):
        assert len(views.text(result)) < 20_000
        assert len(views.text(result, turn=1)) < 50_000
        assert len(views.html(result)) < 50_000


# --- what a tool raises


OVER = ("StopIteration: over", "RuntimeError: coroutine raised StopIteration")  # Python's doing: no coroutine may.
RAISED: list[tuple[Callable[[], BaseException], str | tuple[str, str]]] = [
    (lambda: Exception("no such day"), "Exception: no such day"),
    (lambda: BaseExceptionGroup("two", [ValueError(1), SystemExit(2)]), "BaseExceptionGroup: two (2 sub-exceptions)"),
    (lambda: SystemExit(3), "SystemExit: 3"),
    (lambda: StopIteration("over"), OVER),
    (lambda: GeneratorExit(), "GeneratorExit"),
]


@BOTH
@pytest.mark.parametrize(("made", "words"), RAISED, ids=[type(made()).__name__ for made, _ in RAISED])
async def test_F25_whatever_a_tool_raises_is_an_error_that_the_model_is_told(
    made: Callable[[], BaseException], words: str | tuple[str, str], kind: int
) -> None:
    words = words if isinstance(words, str) else words[kind]
    faced = await went_on([[call("fail"), call("add", a=1, b=2)]], [raising(made)[kind], add])

    assert [one.status for one in faced.result.results] == ["exception", "ok"]
    assert told(faced.result.results[0]) == f"Tool execution failed: {words}"
    assert (faced.error.fault, faced.error.exception_type) == ("tool", words.partition(":")[0])


@BOTH
async def test_F25_an_interrupt_in_a_tool_interrupts_the_run_and_its_history_can_be_sent(kind: int) -> None:
    scripted = ScriptedServer([[call("fail"), call("add", a=1, b=2)], "Again."], strict=True)
    loop = HermesAgentLoop(scripted, [raising(KeyboardInterrupt)[kind], add])
    async with no_leaks():
        with pytest.raises(asyncio.CancelledError):
            await loop.run("Go.")
        interrupted = loop.last_result
        assert interrupted is not None
        again = await loop.run("And now?", after=interrupted)

    assert interrupted.stop_reason == "interrupted"
    assert interrupted.results[0].status == "cancelled"
    assert [message["role"] for message in interrupted.messages] == ["user", "assistant", "tool", "tool"]
    assert again.final_text == "Again."


@BOTH
async def test_F26_an_exception_that_cannot_say_what_it_is_is_told_by_its_type(kind: int) -> None:
    class Unspeakable(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no")

        __repr__ = __str__

    faced = await went_on([call("fail")], [raising(Unspeakable)[kind]])

    assert told(faced.answer) == "Tool execution failed: Unspeakable: (its message cannot be read)"
    assert faced.error.exception_type == "Unspeakable"


# --- what a tool returns


@BOTH
@pytest.mark.parametrize("made", [lambda: "x" * 50_000_000, lambda: b"x" * 50_000_000], ids=["str", "bytes"])
async def test_F31_fifty_megabytes_are_cut_in_the_middle_with_their_count_in_less_than_thrice_their_memory(
    made: Callable[[], Any], kind: int, tmp_path: Path
) -> None:
    tools = [returning(made)[kind]]
    tracemalloc.start()
    try:
        faced = await went_on([call("give")], tools, journal=tmp_path / "run.jsonl")
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert most < 150_000_000
    assert faced.answer.size == 50_000_000
    assert len(faced.answer.content.encode()) <= MAX_OUTPUT
    assert faced.answer.content.startswith("xxx")
    assert "bytes left out ...]" in faced.answer.content
    assert "of 50,000,000 bytes" in faced.answer.content
    assert faced.answer.content.endswith("xxx")
    assert len(faced.answer.value) == 50_000_000
    assert (tmp_path / "run.jsonl").stat().st_size < 100_000


def endless() -> Iterator[int]:
    return itertools.count()


def endlessly_empty() -> Iterator[str]:
    return itertools.repeat("")


@BOTH
@pytest.mark.parametrize(("made", "start"), [(endless, "[0,1,2,3,"), (endlessly_empty, '["","","",')])
async def test_F31_an_iterator_without_an_end_is_read_as_far_as_there_is_room_and_says_so(
    made: Callable[[], Any], start: str, kind: int
) -> None:
    faced = await went_on([call("give")], [returning(made)[kind]])

    text = faced.answer.content
    read = int(text.rpartition("[... ")[2].partition(" items were read, and there are more ...]")[0].replace(",", ""))
    assert text.startswith(start)
    assert len(text.encode()) <= MAX_OUTPUT
    assert faced.answer.size is not None
    assert faced.answer.size > MAX_OUTPUT
    assert faced.answer.error is None
    assert 1000 < read <= 10_000


async def test_F31_an_iterator_inside_another_value_is_read_so_far_too() -> None:
    faced = await went_on([call("give")], [returning(lambda: {"found": itertools.repeat(1)})[0]])

    assert faced.answer.content.startswith('{"found":[1,1,1,')
    assert faced.answer.content.endswith(',1,1,"..."]}')
    assert len(faced.answer.content.encode()) <= MAX_OUTPUT


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (lambda: (number * number for number in range(4)), "[0,1,4,9]"),
        (lambda: map(str, [1, "é", "\ud800"]), '["1","é","\\ud800"]'),
        (lambda: iter([]), "[]"),
        (lambda: iter([{1, 2}, {(1, 2): 3}, b"\xff"]), '[[1,2],"{(1, 2): 3}","\\\\xff"]'),
    ],
)
async def test_F31_an_iterator_with_an_end_is_told_as_a_list(made: Callable[[], Any], text: str) -> None:
    faced = await went_on([call("give")], [returning(made)[0]])

    assert (faced.answer.content, faced.answer.size, faced.answer.error) == (text, None, None)


async def test_F31_an_iterator_that_fails_on_the_way_is_an_error_of_the_tool() -> None:
    def failing() -> Any:
        return (1 // (3 - number) for number in itertools.count())

    faced = await went_on([call("give")], [returning(failing)[0]])

    assert told(faced.answer) == "Tool execution failed: ZeroDivisionError: integer division or modulo by zero"


@BOTH
async def test_F31_an_async_iterator_which_nobody_reads_is_an_error_of_the_tool(kind: int) -> None:
    async def numbers() -> Any:
        yield 1

    faced = await went_on([call("give")], [returning(numbers)[kind]])

    assert "nobody reads the async iterator that it returned: return a list" in told(faced.answer)


@BOTH
async def test_F31_a_table_of_a_million_rows_is_its_ends_and_its_shape(kind: int) -> None:
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"number": range(1_000_000), "half": [0.5] * 1_000_000})
    faced = await went_on([call("give")], [returning(lambda: table)[kind]])

    assert len(faced.answer.content.encode()) <= MAX_OUTPUT
    assert "999999" in faced.answer.content
    assert "[1000000 rows x 2 columns]" in faced.answer.content
    assert faced.answer.value is table


@BOTH
async def test_F31_a_figure_is_a_line_of_text_to_a_server_that_takes_no_images(kind: int, tmp_path: Path) -> None:
    figure = pytest.importorskip("matplotlib.figure").Figure(figsize=(2, 1))
    file = tmp_path / "run.jsonl"
    faced = await went_on([call("give")], [returning(lambda: figure)[kind]], journal=file)

    assert faced.answer.content.startswith("[image: 200 x 100 png, ")
    assert len(views.html(faced.result)) < 100_000
    assert journal.load(file).messages == faced.result.messages


class Mute:
    def __repr__(self) -> str:
        raise ValueError("mute")


@BOTH
@pytest.mark.parametrize(
    ("made", "text"),
    [
        (lambda: float("nan"), "NaN"),
        (lambda: {"mean": float("nan"), "most": float("-inf")}, '{"mean":NaN,"most":-Infinity}'),
        (lambda: {3, 1, 2}, "[1,2,3]"),
        (lambda: {"words": frozenset("ba")}, '{"words":["a","b"]}'),
    ],
    ids=["NaN", "NaN inside", "set", "set inside"],
)
async def test_F31_nan_and_sets_are_told_and_kept(
    made: Callable[[], Any], text: str, kind: int, tmp_path: Path
) -> None:
    file = tmp_path / "run.jsonl"
    faced = await went_on([call("give")], [returning(made)[kind]], journal=file)

    assert (faced.answer.content, faced.answer.error) == (text, None)
    assert journal.load(file).results[0].content == text


@BOTH
@pytest.mark.parametrize(
    "made", [Mute, lambda: [Mute()], lambda: {"at": {Mute()}}], ids=["itself", "in a list", "in a set"]
)
async def test_F31_an_object_whose_repr_raises_is_an_error_of_the_tool(made: Callable[[], Any], kind: int) -> None:
    faced = await went_on([call("give")], [returning(made)[kind]])

    assert told(faced.answer) == "Tool execution failed: ValueError: mute"
    assert "ValueError: mute" in views.text(faced.result)


@BOTH
@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a lone \ud800 surrogate", "a lone \ud800 surrogate"),
        ("nul \x00 and escape \x1b[31m", "nul \x00 and escape \x1b[31m"),
        (b"not \xff\xfe utf-8 \x00", "not \\xff\\xfe utf-8 \x00"),
        ({"in \udfff": ["\x00"]}, '{"in \\udfff":["\\u0000"]}'),
    ],
    ids=["surrogate", "nul", "bytes", "inside"],
)
async def test_F32_odd_characters_are_stored_sent_and_read_again_without_loss(
    value: Any, text: str, kind: int, tmp_path: Path
) -> None:
    file = tmp_path / "run.jsonl"
    faced = await went_on([call("give")], [returning(lambda: value)[kind]], journal=file)

    assert faced.answer.content == text
    assert faced.requests[1]["messages"][-1]["content"] == text
    loaded = journal.load(file)
    assert loaded.messages == faced.result.messages
    for result in (faced.result, loaded):
        views.text(result).encode()
        views.html(result).encode()


# --- many at once, and those that meddle


async def test_F34_one_of_several_calls_fails_and_the_others_finish_in_call_order_with_their_own_times() -> None:
    clock = StillClock()
    finished = {name: asyncio.Event() for name in ("quick", "slow", "slowest")}

    def seen(event: Event) -> None:
        if isinstance(event, CallFinished):
            finished[event.result.call.name].set()

    async def slow() -> str:
        """Take three seconds."""
        await finished["quick"].wait()
        clock.advance(2)
        return "slow"

    async def quick() -> str:
        """Fail after a second."""
        clock.advance(1)
        raise ValueError("quick")

    async def slowest() -> str:
        """Take seven seconds."""
        await finished["slow"].wait()
        clock.advance(4)
        return "slowest"

    scripted = ScriptedServer([[call("slow"), call("slowest"), call("quick")], "Done."], strict=True)
    result = await HermesAgentLoop(scripted, [slow, quick, slowest], clock=clock).run("Go.", on_event=seen)

    assert result.final_text == "Done."
    assert [(one.call.name, one.status, one.started, one.seconds) for one in result.results] == [
        ("slow", "ok", 0.0, 3.0),
        ("slowest", "ok", 0.0, 7.0),
        ("quick", "exception", 0.0, 1.0),
    ]
    assert [one["content"] for one in scripted.requests[1]["messages"][2:]] == [
        "slow", "slowest", '{"error":"Tool execution failed: ValueError: quick"}'
    ]  # fmt: skip
    assert result.turns[0].tool_seconds == 7.0


async def test_F35_a_tool_that_changes_what_it_can_reach_changes_nothing_that_is_stored(tmp_path: Path) -> None:
    given: list[dict[str, Any]] = [{"role": "user", "content": [{"type": "text", "text": "Go."}]}]
    schemas = [{"name": "spoil", "parameters": {"type": "object", "properties": {"items": {"type": "array"}}}}]

    def spoil(name: str, arguments: dict[str, Any]) -> str:
        arguments["items"][0]["is"] = arguments["more"] = "spoilt"
        given[0]["content"][0]["text"] = "spoilt"
        given.append({"role": "tool", "content": "spoilt"})
        schemas[0]["parameters"]["properties"].clear()  # type: ignore[index]
        schemas.clear()
        box.schemas.clear()
        box.get("spoil").schema["function"]["name"] = "spoilt"  # type: ignore[union-attr]
        return "spoilt"

    box = Toolbox.from_schemas(schemas, spoil)
    said = call("spoil", items=[{"is": "whole"}])
    scripted = ScriptedServer([said, said, "Done."], strict=True)
    file = tmp_path / "run.jsonl"
    result = await HermesAgentLoop(scripted, box, journal=file).run(given)

    arguments = said["function"]["arguments"]
    for one in (result, journal.load(file)):
        assert [(made.arguments, made.parsed) for made in one.calls] == [(arguments, {"items": [{"is": "whole"}]})] * 2
        assert [answer.call.parsed for answer in one.results] == [{"items": [{"is": "whole"}]}] * 2
        assert one.messages[0] == {"role": "user", "content": [{"type": "text", "text": "Go."}]}
        assert one.messages[1]["tool_calls"][0]["function"]["arguments"] == arguments
        assert len(one.messages) == 6
    assert [request["tools"] for request in scripted.requests[1:]] == [scripted.requests[0]["tools"]] * 2
    assert complaint({"messages": result.messages}) is None


async def test_F35_a_tool_of_hints_that_changes_its_arguments_changes_no_stored_call() -> None:
    def spoil(items: Any) -> str:
        """Spoil everything."""
        items[0]["is"] = "spoilt"
        items.clear()
        return "spoilt"

    faced = await went_on([call("spoil", items=[{"is": "whole"}])], [spoil])

    assert faced.result.calls[0].parsed == faced.answer.call.parsed == {"items": [{"is": "whole"}]}
    sent = faced.requests[1]["messages"][1]["tool_calls"][0]["function"]["arguments"]
    assert json.loads(sent) == {"items": [{"is": "whole"}]}


# --- stopped while it waits


async def test_F42_an_interrupt_in_the_wait_before_a_retry_ends_the_run_with_a_history_that_can_be_sent() -> None:
    turned_away = asyncio.Event()

    def busy(messages: list[dict[str, Any]]) -> Any:
        if len(messages) == 1:
            return call("add", a=1, b=2)
        if turned_away.is_set():
            return "Again."
        turned_away.set()
        return Scripted(status=429, headers={"retry-after": "100"}, text="too many requests")

    scripted = ScriptedServer(busy, strict=True)
    async with no_leaks(), scripted.serve() as base_url:
        server = OpenAIServer("m", base_url=base_url, api_key="none", max_retries=2)
        loop = HermesAgentLoop(server, [add])
        run = asyncio.ensure_future(loop.run("Go."))
        await turned_away.wait()
        done, _ = await asyncio.wait({run}, timeout=0.2)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(run, 10)
        interrupted = loop.last_result
        assert interrupted is not None
        again = await loop.run("And now?", after=interrupted)
        await server.close()

    assert done == set()
    assert interrupted.stop_reason == "interrupted"
    assert [message["role"] for message in interrupted.messages] == ["user", "assistant", "tool"]
    assert again.final_text == "Again."
    assert len(scripted.requests) == 3


# --- what cannot be offered


def named(name: str) -> Function:
    def tool() -> str:
        """Do nothing."""
        return "nothing"

    tool.__name__ = name
    return tool


def with_sentinel(a: Any = object()) -> None:  # noqa: B008
    """Has a default that JSON cannot hold."""


def with_keywords(**texts: str) -> None:
    """Takes what a model cannot fill in."""


def without_hints(a) -> None:  # type: ignore[no-untyped-def]
    """Does not say what it takes."""


@pytest.mark.parametrize(
    ("tools", "problem", "mend"),
    [
        ([add, named("add")], "two tools are named 'add'", "@tool(name=...)"),
        ([named("read file")], "'read file' is not", "name='read_file' would do"),
        ([named("größe.lesen")], "'größe.lesen' is not", "would do"),
        ([named("x" * 65)], "1 to 64", "would do"),
        ([named("ß")], "1 to 64", "A-Z a-z 0-9"),
        ([with_sentinel], "has no JSON form", "use None there"),
        ([with_keywords], "**texts", "texts: dict[str, str]"),
        ([without_hints], "'a' has no annotation", "'a: str'"),
    ],
    ids=["collision", "illegal", "illegal too", "too long", "no letter", "default", "keywords", "hints"],
)
def test_F40_a_tool_that_cannot_be_offered_is_refused_when_the_loop_is_made(
    tools: list[Function], problem: str, mend: str
) -> None:
    server = ScriptedServer([], strict=True)
    with pytest.raises(ToolDefinitionError) as refused:
        HermesAgentLoop(server, tools)

    assert problem in str(refused.value)
    assert mend in str(refused.value)
    assert server.requests == []


@pytest.mark.parametrize("name", ["x" * 65, "read file", "", None])
def test_F40_a_registry_with_such_a_name_is_refused_when_the_loop_is_made(name: Any) -> None:
    schemas = [{"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {}}}}]
    with pytest.raises(ToolDefinitionError, match="a tool's name is 1 to 64"):
        HermesAgentLoop(ScriptedServer([]), tool_schemas=schemas, handler=lambda name, arguments: "")


@pytest.mark.parametrize("name", ["x" * 64, "read-file_2"])
async def test_F40_a_name_of_up_to_64_legal_characters_is_offered_and_called(name: str) -> None:
    faced = await went_on([call(name)], [named(name)])

    assert faced.answer.content == "nothing"
