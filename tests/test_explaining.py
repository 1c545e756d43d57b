"""One tool call, explained: six steps, each a sentence and the text itself, whatever became of the call."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import hermes_nb as hn
from hermes_nb import views
from hermes_nb.exceptions import ConfigurationError
from hermes_nb.records import AgentResult, ToolCall, ToolResult
from hermes_nb.servers.scripted import call
from hermes_nb.tools.gates import Answer, Reject, Replace
from tests.servers.test_managed import Engine, Letters
from tests.views.attacks import ATTACKS, HIDDEN
from tests.views.test_html import checked

STEPS = ["schema", "text", "parsed arguments", "validated arguments", "result", "model saw"]


def add(a: int, b: int, carry: int = 0) -> int:
    """Add two whole numbers."""
    return a + b + carry


def divide(a: float, b: float) -> float:
    """Divide."""
    return a / b


async def wait() -> str:
    """Never answer."""
    await asyncio.Event().wait()
    return "never"


async def run(*replies: Any, **how: Any) -> AgentResult:
    return await hn.HermesAgentLoop(hn.ScriptedServer(replies), tools=[add, divide, wait], **how).run("Go on.")


def written(name: str, text: str) -> dict[str, Any]:
    """A call with these arguments, letter by letter."""
    return {"type": "function", "function": {"name": name, "arguments": text}}


def told(view: Any) -> dict[str, str]:
    """Each step's sentence, by its name."""
    return {step.name: step.told for step in view.record.steps}


def wrong(view: Any) -> list[str]:
    """The names of the steps at which the call went wrong."""
    return [step.name for step in view.record.steps if step.glyph == "✗"]


async def test_a_call_that_went_well_is_told_in_six_steps() -> None:
    result = await run(call("add", a=2, b="3"), "It is 5.")

    view = hn.explain(result)

    assert list(told(view)) == STEPS
    assert wrong(view) == []
    assert view.record.title == "✓ ok · add a: 2, b: 3 · turn 1, call 1"
    assert told(view)["schema"] == "The model was told of a tool add. It takes 3 parameters, and needs a, b."
    assert told(view)["text"] == "The model called add and wrote 15 characters as its arguments."
    assert told(view)["parsed arguments"] == "The text is JSON and an object with 2 entries: a, b."
    assert told(view)["validated arguments"] == "They fit the schema. The function's own defaults fill in carry."
    assert told(view)["result"].startswith("add gave a result")
    assert told(view)["model saw"].startswith(
        "The model got 1 character as the message of role tool that answers call_"
    )
    assert "turn 2 says: It is 5." in str(view)
    assert repr(view) == "View(Explained(✓ ok · add a: 2, b: 3 · turn 1, call 1))"


async def test_with_the_tool_at_hand_the_arguments_are_shown_as_the_function_gets_them() -> None:
    result = await run(call("add", a=2, b="3"), "It is 5.")

    assert "b = 3 (int)" in str(hn.explain(result.calls[0], result, tool=hn.tool(add)))


async def test_the_tool_alone_is_enough_for_a_call_that_nobody_ran() -> None:
    tool = hn.tool(add)

    good = hn.explain(ToolCall(name="add", arguments='{"a": 1, "b": 2}'), tool=tool)
    bad = hn.explain(ToolCall(name="add", arguments='{"a": "one"}'), tool=tool)

    assert told(good)["validated arguments"] == "They fit the schema. The function's own defaults fill in carry."
    assert told(good)["result"] == "There is no result of this call."
    assert wrong(bad) == ["validated arguments"]
    assert "a: Input should be a valid integer" in str(bad)
    assert "b: is required" in str(bad)


@pytest.mark.parametrize(
    ("reply", "steps", "sentence"),
    [
        (call("ad", a=1), ["schema"], "The model was told of no tool ad; there were add, divide, wait."),
        (written("add", '{"a": 2, "b"'), ["parsed arguments"], "There are no arguments to go on with."),
        (call("add", a="two"), ["validated arguments"], "The arguments do not fit the schema"),
        (written("add", "[1, 2]"), ["validated arguments"], "The text is JSON, but no object"),
        (call("divide", a=1, b=0), ["result"], "ZeroDivisionError"),
        (call("wait"), ["result"], "wait was given up after"),
    ],
    ids=["unknown_tool", "bad_json", "bad_arguments", "no object", "exception", "timeout"],
)
async def test_a_call_that_went_wrong_says_at_which_step(reply: Any, steps: list[str], sentence: str) -> None:
    view = hn.explain(await run(reply, "Sorry.", tool_timeout=0.05))

    assert list(told(view)) == STEPS
    assert wrong(view) == steps
    assert sentence in " ".join(str(view).split())


async def test_text_that_is_not_json_is_shown_on_both_sides_of_the_fault() -> None:
    view = hn.explain(await run(written("add", '{"a": 2, b: 3}'), "Sorry."))

    assert 'read up to character 9\n     │ {"a": 2,' in str(view)
    assert "and no further than here\n     │ b: 3}" in str(view)


async def test_text_that_ends_too_soon_says_where() -> None:
    assert "the text ends at character 12" in str(hn.explain(await run(written("add", '{"a": 2, "b"'), "Sorry.")))


@pytest.mark.parametrize(
    ("verdict", "sentence"),
    [
        (Reject("not now"), "add was not run: before_call rejected the call."),
        (Answer("7"), "add was not run: before_call answered in its place."),
        (Replace({"a": 20, "b": 3}), "add gave a result"),
    ],
    ids=["rejected", "answered", "replaced"],
)
async def test_what_a_gate_did_is_told(verdict: Any, sentence: str) -> None:
    async def gate(made: ToolCall, context: hn.ToolContext) -> Any:
        return verdict

    result = await run(call("add", a=2, b=3), "Well.", before_call=gate)
    view = hn.explain(result.calls[0], result)

    assert told(view)["result"].startswith(sentence)
    assert '{"a":2,"b":3}' in str(view)
    assert ('{"a":20,"b":3}' in str(view)) == isinstance(verdict, Replace)


async def test_a_call_that_was_interrupted_is_told_as_one() -> None:
    began = asyncio.Event()

    async def hang() -> str:
        began.set()
        return await wait()

    live = hn.HermesAgentLoop(hn.ScriptedServer([call("hang"), "No."]), tools=[hang]).start("Go on.")
    await began.wait()
    going = hn.explain(live)
    live.stop()
    await live

    view = hn.explain(live)

    assert going.record.title == "… running · hang · turn 1, call 1"
    assert told(going)["result"] == "The call has no result yet: the run goes on."

    assert wrong(view) == ["result"]
    assert "the run was stopped or interrupted" in told(view)["result"]


async def test_of_several_calls_the_first_that_went_wrong_is_explained_and_says_so() -> None:
    result = await run([call("add", a=1, b=1), call("divide", a=1, b=0), call("nope")], "Well.")

    view = hn.explain(result)

    assert view.record.title.startswith("✗ error · divide")
    assert view.record.note == (
        "Of 3 calls this is the first that went wrong; hn.explain(result.calls[0], result) explains another."
    )


async def test_where_none_went_wrong_it_is_the_first() -> None:
    view = hn.explain(await run([call("add", a=1, b=1), call("add", a=2, b=2)], "Well."))

    assert view.record.title.startswith("✓ ok · add a: 1, b: 1")
    assert view.record.note.startswith("Of 2 calls this is the first, as none went wrong")


async def test_a_result_and_an_error_are_explained_as_their_call() -> None:
    result = await run([call("add", a=1, b=1), call("divide", a=1, b=0)], "Well.")

    assert str(hn.explain(result.results[1], result)) == str(hn.explain(result.calls[1], result))
    assert str(hn.explain(result.tool_errors[0], result)) == str(hn.explain(result.calls[1], result))


async def test_without_its_run_a_result_says_what_nobody_knows() -> None:
    result = await run(call("add", a=1, b=1), "2")

    view = hn.explain(result.results[0])

    assert told(view)["schema"].startswith("Nobody recorded the tools. Give the tool to see its schema")
    assert told(view)["validated arguments"] == "They fit the schema."


async def test_a_run_read_from_a_file_is_explained_the_same(tmp_path: Path) -> None:
    result = await run(call("divide", a=1, b=0), "Well.", journal=tmp_path / "run.jsonl")
    [loaded] = hn.read(tmp_path / "run.jsonl")

    assert str(hn.explain(loaded)) == str(hn.explain(result))


async def test_a_parser_that_took_the_call_out_of_text_is_named() -> None:
    text = '<tool_call>\n{"name": "add", "arguments": {"a": 2, "b": 3}}\n</tool_call>'
    server = hn.ManagedServer(Engine(text, "It is 5."), Letters())
    view = hn.explain(await hn.HermesAgentLoop(server, tools=[add]).run("Go on."))

    assert "A parser took them out of the text of its reply." in told(view)["text"]
    assert "<tool_call>" in str(view)


@pytest.mark.parametrize("form", [views.text, views.html, views.markdown])
async def test_every_form_says_the_same(form: Any) -> None:
    view = hn.explain(await run(call("divide", a=1, b=0), "Well."))
    shown = form(view).replace("&#39;", "'").replace("&#91;", "[")

    assert all(
        step.told.split(":")[0] in " ".join(shown.split()).replace("<bdi>", "") for step in view.record.steps[:5]
    )


async def test_it_shows_itself_and_is_saved_as_a_page(tmp_path: Path) -> None:
    view = hn.explain(await run(call("add", a=1, b=1), "2"))

    assert view._repr_mimebundle_() == {"text/plain": views.text(view), "text/html": views.html(view)}
    assert max(map(len, views.text(view).splitlines())) <= 80
    assert views.text(view, ascii=True).isascii()
    assert "The model called add" in views.save_html(view, tmp_path / "call.html").read_text()


@pytest.mark.parametrize("attack", ATTACKS)
async def test_hostile_words_are_text_in_every_form(attack: str) -> None:
    text = ATTACKS[attack]
    view = hn.explain(await run([call(text, **{text: text}), written("add", text)], text))

    page = checked(views.html(view))

    assert not HIDDEN & set(page.text + views.text(view) + views.markdown(view))


async def test_what_is_long_is_cut_and_secrets_stay_out() -> None:
    secret = "sk-or-v1-" + "0123456789abcdef" * 4
    view = hn.explain(await run(call("add", a=secret, b="x" * 1_000_000), secret))

    for shown in (views.text(view), views.html(view), views.markdown(view)):
        assert secret not in shown
        assert "cut here: " in shown
        assert len(shown) < 60_000


async def test_wrong_input_is_named() -> None:
    result = await run(call("add", a=1, b=1), "2")
    other = await run(call("divide", a=1, b=1), "1")

    with pytest.raises(TypeError, match="this is a list: give one of its calls"):
        hn.explain(result.calls)
    with pytest.raises(TypeError, match="this is str"):
        hn.explain("add")
    with pytest.raises(TypeError, match="a call's run is an AgentResult or a LiveRun, not int"):
        hn.explain(result.calls[0], 1)
    with pytest.raises(TypeError, match="a run was given twice"):
        hn.explain(result, result)
    with pytest.raises(TypeError, match="tool= is a Tool, as hn"):
        hn.explain(result, tool=add)
    with pytest.raises(ConfigurationError, match="the call is of 'add', and this tool is 'divide'"):
        hn.explain(result, tool=hn.tool(divide))
    with pytest.raises(ConfigurationError, match="give the run that the call is of"):
        hn.explain(result.calls[0], other)
    with pytest.raises(ConfigurationError, match="no tool was called in this run"):
        hn.explain(await run("Hello."))
    with pytest.raises(TypeError, match="an error is explained with its run"):
        hn.explain((await run(call("divide", a=1, b=0), "x")).tool_errors[0])


async def test_a_recorded_schema_that_is_none_is_no_reason_to_fail() -> None:
    result = AgentResult(messages=[])
    made = ToolResult(call=ToolCall(name="add", arguments="{}"), content="1")

    with pytest.raises(ConfigurationError, match="no tool was called"):
        hn.explain(result)
    assert "Nobody recorded the tools" in " ".join(str(hn.explain(made)).split())
