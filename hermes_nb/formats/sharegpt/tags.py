"""What stands between tags in the Hermes form of ShareGPT: thoughts, calls, answers and tools; as text, and read.

Source: NousResearch/hermes-agent, `agent/agent_runtime_helpers.py` (`convert_to_trajectory_format`) and
`agent/system_prompt.py` (`format_tools_for_system_message`). JSON that a model or a tool wrote is put in as it is, not
parsed and written anew, so that it reads back to the letter.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from hermes_nb import codec
from hermes_nb.formats.base import decoded
from hermes_nb.messages import END_OF_THINK, THINK, Message, reasoning_of, text_of

NO_THOUGHT = f"{THINK}\n{END_OF_THINK}"

SCRATCHPAD = (("<REASONING_SCRATCHPAD>", THINK), ("</REASONING_SCRATCHPAD>", END_OF_THINK))
"""What models without reasoning of their own were told to think in."""

BEFORE_TOOLS = (
    "You are a function calling AI model. You are provided with function signatures within <tools> </tools> XML tags. "
    "You may call one or more functions to assist with the user query. If available tools are not relevant in "
    "assisting with user query, just respond in natural conversational language. Don't make assumptions about what "
    "values to plug into functions. After calling & executing the functions, you will be provided with function "
    "results within <tool_response> </tool_response> XML tags. Here are the available tools:\n<tools>\n"
)
AFTER_TOOLS = (
    "\n</tools>\nFor each function call return a JSON object, with the following pydantic model json schema for each:\n"
    "{'title': 'FunctionCall', 'type': 'object', 'properties': {'name': {'title': 'Name', 'type': 'string'}, "
    "'arguments': {'title': 'Arguments', 'type': 'object'}}, 'required': ['name', 'arguments']}\n"
    "Each function call should be enclosed within <tool_call> </tool_call> XML tags.\n"
    "Example:\n<tool_call>\n{'name': <function-name>,'arguments': <args-dict>}\n</tool_call>"
)
"""The system prompt around the tools, to the letter: models were trained on it."""

CALL = re.compile(r"<tool_call>\s*(.*?)\s*(?:</tool_call>|\Z)", re.DOTALL)
ANSWER = re.compile(r"<tool_response>\s*(.*?)\s*(?:</tool_response>|\Z)", re.DOTALL)
TOOLS = re.compile(r"<tools>\s*(.*?)\s*</tools>", re.DOTALL)

STRING = r'("(?:[^"\\]|\\.)*")'
CALL_HEAD = re.compile(rf'\{{\s*"name"\s*:\s*{STRING}\s*,\s*"arguments"\s*:\s*', re.DOTALL)
ANSWER_HEAD = re.compile(
    rf'\{{\s*"tool_call_id"\s*:\s*{STRING}\s*,\s*"name"\s*:\s*{STRING}\s*,\s*"content"\s*:\s*', re.DOTALL
)
NAME = re.compile(r"""["']name["']\s*:\s*["']([^"']+)["']""")


def said(message: Message) -> str:
    """An assistant's message as text."""
    text, thought = text_of(message.get("content")), reasoning_of(message)
    for old, new in SCRATCHPAD:
        text = text.replace(old, new)
    lead = f"{THINK}\n{thought}\n{END_OF_THINK}\n" if thought and thought.strip() else ""
    calls = [_call_text(call) for call in message.get("tool_calls") or ()]
    value = lead + "\n".join([text, *calls] if text.strip() or not calls else calls)
    if THINK in value:
        return value
    return f"{NO_THOUGHT}\n{value}" if value else NO_THOUGHT


def _call_text(entry: Any) -> str:
    function = entry.get("function") if isinstance(entry, Mapping) else None
    function = function if isinstance(function, Mapping) else {}
    arguments = function.get("arguments")
    raw = arguments if isinstance(arguments, str) else codec.dumps(arguments).decode()
    raw = raw.replace("</tool_call>", "<\\/tool_call>") if _is_json(raw) else _quoted(raw, "</tool_call>")
    name = function.get("name")
    return (
        f'<tool_call>\n{{"name": {_quoted(name if isinstance(name, str) else "")}, "arguments": {raw}}}\n</tool_call>'
    )


def answered(call_id: str, name: str, content: str) -> str:
    """The answer to a call as text."""
    raw = (
        content if content.startswith(("{", "[")) and _is_json(content) and "</tool_response>" not in content else None
    )
    value = _quoted(content, "</tool_response>") if raw is None else raw
    inner = f'{{"tool_call_id": {_quoted(call_id)}, "name": {_quoted(name)}, "content": {value}}}'
    return f"<tool_response>\n{inner}\n</tool_response>"


def prompt(tools: Sequence[Mapping[str, Any]], own: str) -> str:
    """The system prompt that offers the tools, followed by the conversation's own, if it has one."""
    listed = json.dumps([_offered(tool) for tool in tools], ensure_ascii=False)
    return BEFORE_TOOLS + listed + AFTER_TOOLS + (f"\n\n{own}" if own else "")


def _offered(tool: Mapping[str, Any]) -> Mapping[str, Any]:
    """A tool in hermes-agent's shorter form, where that says everything."""
    function = tool.get("function")
    if isinstance(function, Mapping):
        short = {"name": function.get("name"), "description": function.get("description"),
                 "parameters": function.get("parameters"), "required": None}  # fmt: skip
        if tool_of(short) == tool:
            return short
    return tool


def _is_json(text: str) -> bool:
    """Whether this is the JSON of a value other than text, with nothing around it."""
    if text != text.strip() or not text:
        return False
    value, problem = codec.parse_arguments(text)
    return problem is None and not text.startswith('"') and value is not None


def _quoted(text: str, closing: str = "</") -> str:
    return json.dumps(text, ensure_ascii=False).replace(closing, closing.replace("/", "\\/"))


def message_of(value: str) -> Message:
    """An assistant's text as a message: thoughts are its `reasoning_content`, calls its `tool_calls`."""
    for old, new in SCRATCHPAD:
        value = value.replace(old, new)
    thought, rest = _split(value)
    first = CALL.search(rest)
    calls = [call for found in CALL.finditer(rest) for call in calls_in(found[1])]
    text = (
        rest
        if first is None
        else rest[: first.start()].removesuffix("\n") + CALL.sub("", rest[first.start() :]).strip()
    )
    message: Message = {"role": "assistant", "content": text}
    if thought:
        message["reasoning_content"] = thought
    if calls:
        message["tool_calls"] = calls
    return message


def _split(value: str) -> tuple[str, str]:
    """The thoughts at the start, and what follows them."""
    if not value.lstrip().startswith(THINK):
        return "", value
    thought, end, rest = value.lstrip().removeprefix(THINK).partition(END_OF_THINK)
    if not end:
        return "", value
    return thought.removeprefix("\n").removesuffix("\n"), rest.lstrip("\n")


def calls_in(block: str) -> list[dict[str, Any]]:
    """The calls that a block of JSON names: one, or those of a list. What is no JSON is the arguments of one."""
    if (head := CALL_HEAD.match(block)) and _loaded(block) is not None:
        raw = block[head.end() :].rstrip().removesuffix("}").rstrip()
        value = _loaded(f"[{raw}]")
        if isinstance(value, list) and len(value) == 1:
            return [_entry(json.loads(head[1]), value[0] if isinstance(value[0], str) else raw)]
    value = _loaded(block)
    if value is None:
        named = NAME.search(block)
        return [_entry(named[1] if named else "", block)]
    return [_entry_of(one) for one in (value if isinstance(value, list) else [value])]


def _entry_of(value: Any) -> dict[str, Any]:
    holder = value if isinstance(value, Mapping) else {}
    function = holder.get("function") if isinstance(holder.get("function"), Mapping) else holder
    arguments = function.get("arguments", function.get("parameters", {})) if function else value
    name = function.get("name") if function else ""
    raw = arguments if isinstance(arguments, str) else codec.dumps(arguments, default=repr).decode()
    call_id = holder.get("id")
    return _entry(name if isinstance(name, str) else "", raw, call_id if isinstance(call_id, str) else None)


def _entry(name: str, arguments: str, call_id: str | None = None) -> dict[str, Any]:
    entry: dict[str, Any] = {"type": "function", "function": {"name": name, "arguments": arguments}}
    return {"id": call_id, **entry} if call_id else entry


def answers_in(value: str) -> list[Message]:
    """The answers in a tool's turn: one for each block, or all of it as one. Their `name` is that of the tool."""
    blocks = [found[1] for found in ANSWER.finditer(value)]
    return [_answer(block) for block in blocks] if blocks else [{"role": "tool", "content": value}]


def _answer(block: str) -> Message:
    value = _loaded(block)
    if not isinstance(value, Mapping) or "content" not in value:
        return {"role": "tool", "content": block}
    content = value["content"]
    if head := ANSWER_HEAD.match(block):
        raw = block[head.end() :].rstrip().removesuffix("}").rstrip()
        content = content if isinstance(content, str) else raw
    message: Message = {"role": "tool", "content": content}
    if not isinstance(content, str):
        message["content"] = codec.dumps(content, default=repr).decode()
    for key in ("tool_call_id", "name"):
        if isinstance(value.get(key), str) and value[key]:
            message[key] = value[key]
    return message


def tools_in(value: str) -> tuple[list[dict[str, Any]], str]:
    """The tools that a system prompt offers, and what else it says: nothing, where it is hermes-agent's own prompt;
    all of it, where it is another."""
    found = TOOLS.search(value.removeprefix(BEFORE_TOOLS[: -len("<tools>\n")]))
    if found is None:
        return [], value
    listed = decoded(found[1])
    if not isinstance(listed, list):
        lines = [decoded(line) for line in found[1].splitlines() if line.strip()]
        listed = [line for line in lines if isinstance(line, Mapping)] if len(lines) else []
    tools = [tool_of(tool) for tool in listed if isinstance(tool, Mapping)]
    ours, end, own = value.partition(AFTER_TOOLS)
    return tools, own.removeprefix("\n\n") if end and ours.startswith(BEFORE_TOOLS) else value


def tool_of(tool: Mapping[str, Any]) -> dict[str, Any]:
    """A tool in OpenAI's form."""
    if "function" in tool or "name" not in tool:
        return dict(tool)
    function = {key: value for key, value in tool.items() if key != "required" and value is not None}
    return {"type": "function", "function": function}


def _loaded(text: str) -> Any:
    try:
        return codec.loads(text)
    except ValueError:
        return None
