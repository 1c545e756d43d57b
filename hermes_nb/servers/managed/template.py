"""A conversation as the text that a model reads, by a chat template.

Templates are Jinja, as Hugging Face's tokenizers carry them (`transformers`, chat_template_utils.py): the variables are
`messages`, `tools`, `add_generation_prompt` and the special tokens by name; `raise_exception`, `strftime_now`, `tojson`
and loop controls are there. They are run in Jinja's sandbox, for a template is a program that came with a download.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from hermes_nb import codec
from hermes_nb.exceptions import ConfigurationError, MissingDependency
from hermes_nb.messages import Message

HERMES = """\
{%- if tools %}
    {{- '<|im_start|>system\\n' }}
    {%- if messages[0].role == 'system' %}
        {{- messages[0].content + '\\n\\n' }}
    {%- endif %}
    {{- 'You are a function calling AI model. You are provided with function signatures within ' }}
    {{- '<tools></tools> XML tags. ' }}
    {{- 'You may call one or more functions to assist with the user query. ' }}
    {{- 'Here are the available tools:\\n<tools>\\n' }}
    {%- for tool in tools %}
        {{- tool | tojson + '\\n' }}
    {%- endfor %}
    {{- '</tools>\\nFor each function call return a json object with function name and arguments within ' }}
    {{- '<tool_call></tool_call> XML tags as follows:\\n' }}
    {{- '<tool_call>\\n{\\"name\\": <function-name>, \\"arguments\\": <args-dict>}\\n</tool_call><|im_end|>\\n' }}
{%- elif messages[0].role == 'system' %}
    {{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
    {%- if message.role == 'tool' %}
        {{- '<|im_start|>tool\\n' if loop.first or loop.previtem.role != 'tool' }}
        {{- '<tool_response>\\n' + message.content + '\\n</tool_response>' }}
        {{- '\\n' if not loop.last and loop.nextitem.role == 'tool' else '<|im_end|>\\n' }}
    {%- elif message.role == 'assistant' %}
        {{- '<|im_start|>assistant\\n' + message.content }}
        {%- for call in message.tool_calls or [] %}
            {{- '\\n' if message.content or not loop.first }}
            {{- '<tool_call>\\n' + {'name': call.function.name, 'arguments': call.function.arguments} | tojson }}
            {{- '\\n</tool_call>' }}
        {%- endfor %}
        {{- '<|im_end|>\\n' }}
    {%- elif message.role != 'system' or not loop.first %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{{- '<|im_start|>assistant\\n' if add_generation_prompt }}
"""
"""ChatML with the tags that Hermes models were trained on (NousResearch/Hermes-Function-Calling)."""


class Template:
    """A chat template.

    Args:
        source: the template's text; None: the built-in one of the Hermes models.
        names: the special tokens that it may name.

    Raises:
        ConfigurationError: it is no template.
        MissingDependency: Jinja is not installed.
    """

    def __init__(self, source: str | None, names: Mapping[str, str]) -> None:
        self._names = dict(names)
        try:
            import jinja2
        except ModuleNotFoundError as error:
            raise MissingDependency("a chat template", "tokens") from error
        try:
            self._template = _environment().from_string(HERMES if source is None else source)
        except jinja2.TemplateSyntaxError as error:
            raise ConfigurationError(f"this is no chat template: line {error.lineno}: {error.message}") from error

    def render(self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]], *, ask: bool) -> str:
        """The conversation as text; with `ask`, up to where the model's next words begin.

        Raises:
            ConfigurationError: the template refuses the conversation, or fails at it.
        """
        import jinja2

        try:
            text: str = self._template.render(
                messages=[_readable(message) for message in messages],
                tools=list(tools) or None,
                add_generation_prompt=ask,
                **self._names,
            )
        except (jinja2.TemplateError, TypeError, ValueError, KeyError, AttributeError) as error:
            raise ConfigurationError(
                f"the chat template cannot render this conversation: {type(error).__name__}: {error}"
            ) from error
        return text

    def __repr__(self) -> str:
        return "Template()"


@cache
def _environment() -> Any:
    from jinja2.ext import Extension
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(Extension):
        """`{% generation %}` marks what a model wrote; the text is the same without."""

        tags = {"generation"}  # noqa: RUF012 - as the base class has it

        def parse(self, parser: Any) -> Any:
            """What stands between the tags."""
            next(parser.stream)
            return parser.parse_statements(("name:endgeneration",), drop_needle=True)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, "jinja2.ext.loopcontrols"]
    )
    environment.filters["tojson"] = _json
    environment.globals["raise_exception"] = _refuse
    environment.globals["strftime_now"] = _now
    return environment


def _json(
    value: Any, ensure_ascii: bool = False, indent: int | None = None, separators: Any = None, sort_keys: bool = False
) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _refuse(told: str) -> None:
    import jinja2

    raise jinja2.TemplateError(told)


def _now(form: str) -> str:
    return dt.datetime.now().astimezone().strftime(form)


def _readable(message: Message) -> Message:
    """A message as templates expect it: text for content, objects for arguments."""
    content = message.get("content")
    told = {**message, "content": "" if content is None else content}
    if calls := message.get("tool_calls"):
        told["tool_calls"] = [_call(call) for call in calls]
    return told


def _call(call: Mapping[str, Any]) -> dict[str, Any]:
    function = call["function"]
    parsed, _ = codec.parse_arguments(function["arguments"])
    arguments = parsed if isinstance(parsed, dict) else function["arguments"]
    return {**call, "function": {**function, "arguments": arguments}}
