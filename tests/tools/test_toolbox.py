from __future__ import annotations

import functools
import inspect
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from hermes_nb.exceptions import ConfigurationError, ToolDefinitionError
from hermes_nb.records import ToolCall
from hermes_nb.tools import BadArguments, Tool, Toolbox, ToolContext, tool

ECHO = {
    "type": "function",
    "function": {
        "name": "echo",
        "description": "Say it again.",
        "parameters": {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]},
    },
}


def add(a: int, b: int) -> int:
    """Add two whole numbers."""
    return a + b


async def later(text: str) -> str:
    """Say it later."""
    return text


def whoami(context: ToolContext, loud: bool = False) -> dict[str, Any]:
    """Say who asks."""
    return {"task": context.task_id, "state": context.state, "turn": context.turn, "name": context.call.name}


class Counter:
    def __init__(self) -> None:
        self.count = 0

    def more(self, by: int = 1) -> int:
        """Count on."""
        self.count += by
        return self.count

    @tool(name="less", timeout=3)
    def fewer(self, by: int = 1) -> int:
        """Count back."""
        self.count -= by
        return self.count


# --- Tool and @tool


def test_a_decorated_function_is_still_called_as_a_function() -> None:
    assert tool(add)(2, b=3) == 5
    assert tool(name="plus")(add)(2, 3) == 5


async def test_a_decorated_async_function_is_still_awaited() -> None:
    assert await tool(serial=True)(later)("hello") == "hello"


def test_a_decorated_function_keeps_its_signature_and_its_help() -> None:
    decorated = tool(add)
    assert inspect.signature(decorated) == inspect.signature(add)
    assert inspect.getdoc(decorated) == "Add two whole numbers."


def test_a_tool_says_what_the_decorator_said_of_it() -> None:
    decorated = tool(name="plus", description="Sum up.", timeout=2.5, serial=True)(add)
    assert (decorated.name, decorated.timeout, decorated.serial) == ("plus", 2.5, True)
    assert decorated.schema["function"]["name"] == "plus"
    assert decorated.schema["function"]["description"] == "Sum up."


def test_a_tool_has_a_schema_without_its_context() -> None:
    schema = Tool(whoami).schema
    assert schema["function"]["name"] == "whoami"
    assert list(schema["function"]["parameters"]["properties"]) == ["loud"]


@pytest.mark.parametrize("timeout", [0, -1, float("nan")])
def test_a_timeout_that_is_none_is_refused(timeout: float) -> None:
    with pytest.raises(ToolDefinitionError, match="above 0"):
        tool(timeout=timeout)(add)


def test_a_tool_is_not_made_of_a_tool() -> None:
    with pytest.raises(ToolDefinitionError, match=r"add is a tool already; dataclasses\.replace"):
        tool(name="plus")(tool(add))
    assert replace(tool(add), name="plus").schema["function"]["name"] == "plus"


def test_a_partial_is_named_for_its_function() -> None:
    assert Tool(functools.partial(add, b=1)).name == "add"


def test_a_context_says_whether_the_call_was_given_up() -> None:
    context = ToolContext(call=ToolCall(name="add"))
    assert not context.cancelled
    context.given_up.set()
    assert context.cancelled


# --- Toolbox


def test_a_toolbox_holds_functions_methods_and_tools_in_order() -> None:
    box = Toolbox([add, tool(name="say")(later), Counter().more])
    assert box.names == ("add", "say", "more")
    assert [schema["function"]["name"] for schema in box.schemas] == ["add", "say", "more"]
    assert [one.name for one in box] == ["add", "say", "more"]
    assert len(box) == 3
    assert "say" in box
    assert "later" not in box
    assert box.get("later") is None


async def test_a_bound_method_is_called_on_its_object() -> None:
    counter = Counter()
    await Toolbox([counter.more]).invoke("more", by=2)
    assert counter.count == 2


async def test_a_method_decorated_in_its_class_is_called_on_its_object() -> None:
    counter = Counter()
    box = Toolbox([counter.fewer])
    await box.invoke("less", by=2)
    assert counter.count == -2
    less = box.get("less")
    assert less is not None
    assert less.timeout == 3


def test_two_tools_of_one_name_are_refused_with_the_way_to_mend_it() -> None:
    with pytest.raises(ToolDefinitionError, match=r"two tools are named 'add'.*@tool\(name=\.\.\.\)"):
        Toolbox([add, tool(name="add")(later)])


@pytest.mark.parametrize("thing", [None, 3, "add", {"type": "function"}])
def test_what_is_no_function_is_refused(thing: Any) -> None:
    with pytest.raises(ToolDefinitionError):
        Toolbox([thing])


def test_a_schema_among_the_tools_is_refused_with_the_way_to_mend_it() -> None:
    with pytest.raises(ToolDefinitionError, match="from_schemas"):
        Toolbox([ECHO])  # type: ignore[list-item]


@pytest.mark.parametrize("tools", [add, "add", ECHO, None])
def test_tools_that_are_no_list_are_refused(tools: Any) -> None:
    with pytest.raises(ToolDefinitionError, match="list of functions"):
        Toolbox(tools)


def test_a_function_without_hints_is_refused_when_the_toolbox_is_made() -> None:
    def bare(x):  # type: ignore[no-untyped-def]
        return x

    with pytest.raises(ToolDefinitionError):
        Toolbox([bare])


def test_finish_names_a_tool_of_the_box() -> None:
    assert Toolbox([add], finish="add").finish == "add"
    with pytest.raises(ConfigurationError, match=r"finish='submit'.*add"):
        Toolbox([add], finish="submit")


@pytest.mark.parametrize("size", [0, -5])
def test_an_output_that_may_not_be_anything_is_refused(size: int) -> None:
    with pytest.raises(ConfigurationError, match="max_output"):
        Toolbox([add], max_output=size)


def test_schemas_is_a_list_of_its_own() -> None:
    box = Toolbox([add])
    box.schemas.clear()
    assert len(box.schemas) == 1


def test_the_hash_is_the_same_in_every_process_and_another_for_other_tools() -> None:
    code = """
from hermes_nb.tools import Toolbox
def add(a: int, b: int) -> int:
    '''Add two whole numbers.'''
    return a + b
print(Toolbox([add]).hash)
"""
    run = functools.partial(subprocess.run, [sys.executable, "-c", code], capture_output=True, text=True, check=True)
    hashes = {run(env={"PYTHONHASHSEED": seed}).stdout.strip() for seed in ("1", "2")}
    assert hashes == {Toolbox([add]).hash}
    assert Toolbox([tool(name="plus")(add)]).hash not in hashes


def test_what_can_be_held_has_a_one_line_repr_without_an_address() -> None:
    context = ToolContext(call=ToolCall(name="add", arguments='{"a": 1}'), turn=2, state=object())
    assert repr(Toolbox([add, later])) == "Toolbox(add, later)"
    assert repr(Toolbox()) == "Toolbox(none)"
    assert repr(Tool(add)) == "Tool(add)"
    assert repr(context) == 'ToolContext(turn 2 · ToolCall(add {"a": 1}))'


# --- from_schemas


async def test_a_registry_that_takes_a_task_id_is_given_it() -> None:
    def handle_function_call(function_name: str, function_args: dict[str, Any], task_id: str | None = None) -> str:
        return f"{function_name} {function_args} {task_id}"

    result = await Toolbox.from_schemas([ECHO], handle_function_call).invoke("echo", task_id="t-1", text="hi")
    assert result.content == "echo {'text': 'hi'} t-1"


async def test_a_registry_that_takes_no_task_id_is_given_none() -> None:
    result = await Toolbox.from_schemas([ECHO], lambda name, args: f"{name} {args}").invoke("echo", text="hi")
    assert result.content == "echo {'text': 'hi'}"


async def test_a_registry_that_takes_any_keyword_is_given_the_task_id() -> None:
    result = await Toolbox.from_schemas([ECHO], lambda name, args, **more: more).invoke("echo", task_id="t", text="hi")
    assert result.value == {"task_id": "t"}


async def test_an_async_registry_is_awaited() -> None:
    async def handler(name: str, args: dict[str, Any]) -> str:
        return args["text"]

    box = Toolbox.from_schemas([ECHO], handler)
    assert (await box.invoke("echo", text="hi")).content == "hi"
    assert [one.is_async for one in box] == [True]


def test_the_schemas_of_a_registry_are_shown_as_they_are() -> None:
    assert Toolbox.from_schemas([ECHO], print).schemas == [ECHO]


def test_valid_names_leave_out_the_other_schemas() -> None:
    other = {"type": "function", "function": {**ECHO["function"], "name": "other"}}  # type: ignore[dict-item]
    assert Toolbox.from_schemas([ECHO, other], print, valid_names={"other"}).names == ("other",)


def test_L20_valid_names_of_mixed_types_are_refused_in_words() -> None:
    with pytest.raises(ToolDefinitionError, match=r"valid_names has 'nope', 5"):
        Toolbox.from_schemas([ECHO], print, valid_names={"echo", "nope", 5})  # type: ignore[arg-type]


def test_a_registry_without_a_function_is_refused() -> None:
    with pytest.raises(ToolDefinitionError, match="handler"):
        Toolbox.from_schemas([ECHO], None)  # type: ignore[arg-type]


# --- invoke


async def test_a_call_made_by_hand_gives_its_result() -> None:
    result = await Toolbox([add]).invoke("add", a=2, b=3)
    assert (result.content, result.value, result.status) == ("5", 5, "ok")
    assert result.call.name == "add"


async def test_a_call_of_a_model_can_be_made_again_by_hand() -> None:
    call = ToolCall(name="add", arguments='{"a": 2, "b": "3"}', id="call_7", turn=4, index=1)
    result = await Toolbox([add]).invoke(call)
    assert result.content == "5"
    assert result.call is call


async def test_an_async_tool_is_awaited_by_hand() -> None:
    assert (await Toolbox([later]).invoke("later", text="hi")).content == "hi"


async def test_by_hand_a_tool_is_given_a_context() -> None:
    result = await Toolbox([whoami]).invoke("whoami", state="s", task_id="t")
    assert result.value == {"task": "t", "state": "s", "turn": 0, "name": "whoami"}


async def test_by_hand_the_exception_of_a_tool_is_raised_as_it_is() -> None:
    def fail() -> None:
        """Fail."""
        raise LookupError("as it is")

    with pytest.raises(LookupError, match="as it is"):
        await Toolbox([fail]).invoke("fail")


async def test_by_hand_bad_arguments_are_raised() -> None:
    with pytest.raises(BadArguments, match="b"):
        await Toolbox([add]).invoke("add", a=1)
    with pytest.raises(BadArguments, match="char 1"):
        await Toolbox([add]).invoke(ToolCall(name="add", arguments="{"))
    with pytest.raises(BadArguments):
        await Toolbox([add]).invoke(ToolCall(name="add", arguments="[1]"))


async def test_by_hand_an_unknown_tool_is_raised_with_those_there_are() -> None:
    with pytest.raises(ConfigurationError, match="no tool 'ad'; this toolbox has: add"):
        await Toolbox([add]).invoke("ad")


def test_mypy_and_python_know_the_same_names_of_the_package() -> None:
    import hermes_nb.tools

    assert set(hermes_nb.tools.__all__) <= set(dir(hermes_nb.tools))
    assert all(getattr(hermes_nb.tools, name) is not None for name in hermes_nb.tools.__all__)
    with pytest.raises(AttributeError):
        hermes_nb.tools.nope  # type: ignore[attr-defined]  # noqa: B018
