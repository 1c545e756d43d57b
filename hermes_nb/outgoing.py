"""What of a history is sent: reasoning by the server's policy, and calls that every server can read.

The history keeps what the model and the server wrote; here it is put into the form the server asked takes. What needs
no change goes out as the very same object.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from ipaddress import ip_address
from operator import is_, itemgetter
from typing import Any, Literal, Protocol, TypeAlias, get_args
from urllib.parse import urlsplit

from hermes_nb import codec
from hermes_nb.exceptions import ConfigurationError
from hermes_nb.messages import (
    REASONING_FIELDS,
    Message,
    as_text,
    is_thinking,
    reasoning_of,
    says_nothing,
    without_images,
)

EchoReasoning: TypeAlias = Literal["auto", "none", "reasoning", "reasoning_content", "both", "details", "verbatim"]
"""How reasoning goes back to the server; `auto` is the table of `automatic`."""

Echo: TypeAlias = Callable[[Message], Message]
"""An assistant message with reasoning, as it is sent."""

REASONING = frozenset(REASONING_FIELDS)
PLAIN = ("reasoning_content", "reasoning", "thinking")
PAIR = ("reasoning_content", "reasoning")
SIGNED = frozenset(("thinking_signature", "thinking_blocks"))

OPENAI_HOSTS = ("api.openai.com", ".api.openai.com", ".openai.azure.com")
OWN_HOSTS = (".localhost", ".local", ".internal", ".lan", ".home.arpa")
ONE_NAME = ("deepseek", "kimi", "glm", "mimo")
"""Models, by a word of their name, whose own APIs document `reasoning_content` and check what is sent."""

MALFORMED = "_malformed"
"""The key under which arguments that are no JSON object are sent, as the text that the model wrote."""

NAMELESS = "unnamed_tool"
"""The name under which a call without one is sent: no server takes an empty name."""

CONTENT = itemgetter("content")

LONG = 4096
"""Characters of arguments beyond which it is not remembered whether they are sound."""


class Asked(Protocol):
    """What a server says of what it takes."""

    model: str
    echo_reasoning: EchoReasoning
    images: bool

    @property
    def base_url(self) -> str:
        """Where requests go."""


def for_server(server: Asked, messages: Sequence[Message]) -> Sequence[Message]:
    """The messages in the form in which this server is sent them."""
    return to_send(messages, echo_for(server.echo_reasoning, server.base_url, server.model), server.images)


def as_recorded(server: Mapping[str, Any], messages: Sequence[Message]) -> Sequence[Message]:
    """The messages in the form in which the server that a run's record describes was sent them."""
    if not server.get("echo_reasoning"):
        return as_text(messages)
    return to_send(messages, echo_for(server["echo_reasoning"], server["base_url"], server["model"]), server["images"])


def to_send(messages: Sequence[Message], echo: Echo | None, images: bool = False) -> Sequence[Message]:
    """The messages in the form in which they are sent; the very same list where no message changes.

    A tool's answer goes out with its images where the server takes `images` there, as its text where it does not.

    Of an assistant message, reasoning is put through `echo` (None: it goes out as it came), and the tool calls are made
    safe for servers that refuse a whole conversation over one bad call:

    | in the history | sent |
    |---|---|
    | arguments that are the text of a JSON object | the same |
    | an object that was encoded twice | the object, encoded once |
    | nothing: absent, None, blank, `null` | `{}` |
    | an object in place of text | its text |
    | anything else: cut off, not JSON, a list, a number | `{"_malformed": "<the text>"}` |
    | a name that is empty or no text | `unnamed_tool` |

    What a server put on a call beside these (a thought signature, say) is sent back unchanged. An assistant message
    that says nothing, with neither content nor calls, is left out.
    """
    if _all_go_as_they_are(messages, echo):
        return messages
    said = [message for message in messages if not (isinstance(message, dict) and says_nothing(message))]
    sent = [_sent(message, echo, images) for message in said]
    return messages if len(sent) == len(messages) and all(map(is_, sent, messages)) else sent


def _all_go_as_they_are(messages: Sequence[Message], echo: Echo | None) -> bool:
    """Whether no message can need a change: asked of the whole history in every request, so in few, quick steps."""
    try:
        said = [message for message in messages if message["role"] == "assistant"]
        calls = [call["function"] for message in said if "tool_calls" in message for call in message["tool_calls"]]
        if not all(call["name"] and _is_sound(call["arguments"]) for call in calls):
            return False
        if not all(message["content"] or message.get("tool_calls") for message in said):
            return False
        return (echo is None or all(map(REASONING.isdisjoint, said))) and list not in map(type, map(CONTENT, messages))
    except (LookupError, TypeError):
        return False


def _sent(message: Any, echo: Echo | None, images: bool) -> Any:
    if not isinstance(message, dict) or message.get("role") != "assistant":
        return message if images or not isinstance(message, dict) else without_images(message)
    sent = message
    if echo is not None and (not REASONING.isdisjoint(message) or isinstance(message.get("content"), list)):
        sent = echo(message)
    calls = message.get("tool_calls")
    if isinstance(calls, list) and (safe := [_safe(call) for call in calls]) != calls:
        sent = {**sent, "tool_calls": safe}
    return sent


def known(policy: EchoReasoning) -> EchoReasoning:
    """The policy itself, if it is one.

    Raises:
        ConfigurationError: there is no such policy.
    """
    if policy not in get_args(EchoReasoning):
        names = ", ".join(repr(name) for name in get_args(EchoReasoning))
        raise ConfigurationError(f"echo_reasoning is one of {names}; got {policy!r}")
    return policy


def echo_for(policy: EchoReasoning, base_url: str, model: str) -> Echo | None:
    """What a policy does to a message with reasoning, at this server; None where it leaves every message alone.

    `none`: no reasoning is sent. `reasoning`, `reasoning_content`, `both`: the text, under that name or those two.
    `details`: `reasoning_details` alone, unmodified and in order. In these five, thinking parts of a content list are
    not sent as parts. `verbatim`: every field as it came. `auto`: by the table of `automatic`.
    """
    if policy == "verbatim":
        return None
    return automatic(base_url, model) if policy == "auto" else FIXED[policy]


@lru_cache(maxsize=256)
def automatic(base_url: str, model: str) -> Echo:
    """What `auto` does, by what the server sent and, where that does not tell, by who it is.

    | the server sent | it is | goes back |
    |---|---|---|
    | anything | OpenAI's own, or Azure's of it | nothing: it sends none, and refuses fields it does not know |
    | `reasoning_details` (OpenRouter, MiniMax, Snowflake) | any other | these alone, unmodified and in order |
    | `thinking_signature`, `thinking_blocks` (gateways) | any other | every field as it came |
    | content with thinking parts (Mistral) | any other | the list as it came |
    | `reasoning_content` | DeepSeek, Kimi, GLM, MiMo, by the model's name | the same, empty text too: they ask for it |
    | `reasoning` or `reasoning_content` | at an address of one's own | both names: vLLM dropped the one for the other |
    | either, or both (Groq, Cerebras, xAI, any other) | on the public net | as it came: some refuse the other name |

    Empty text is sent under the name it came by, and given no second one. Sources: the providers' documentation of
    reasoning in multi-turn tool use, and, for the two names, what recorded clients send to vLLM and Ollama.
    """
    host = (urlsplit(base_url).hostname or "").lower()
    if host == OPENAI_HOSTS[0] or host.endswith(OPENAI_HOSTS[1:]):
        return without
    own = is_own(host)
    one_name = any(word in model.lower() for word in ONE_NAME)

    def as_it_came(message: Message) -> Message:
        if message.get("reasoning_details"):
            return _without_fields(message, PLAIN)
        if not own or not SIGNED.isdisjoint(message):
            return message
        return _doubled(message, one_name)

    return as_it_came


def is_own(host: str) -> bool:
    """Whether a host is one's own, by its name alone: this machine, a private address, a name without a dot."""
    if not any(mark in host.strip(".") for mark in ".:") or host.endswith(OWN_HOSTS):
        return True
    try:
        return not ip_address(host).is_global
    except ValueError:
        return False


def _doubled(message: Message, one_name: bool) -> Message:
    there = [name for name in PAIR if name in message]
    if len(there) != 1 or (one_name and there == ["reasoning_content"]):
        return message
    text = message[there[0]]
    other = PAIR[there[0] == PAIR[0]]
    return {**message, other: text} if isinstance(text, str) and text else message


def without(message: Message) -> Message:
    """The message without reasoning of any form."""
    sent = _without_fields(message, REASONING_FIELDS)
    content = sent.get("content")
    if not isinstance(content, list) or not any(is_thinking(part) for part in content):
        return sent
    return {**sent, "content": [part for part in content if not is_thinking(part)] or ""}


def details_alone(message: Message) -> Message:
    """The message with `reasoning_details` as they came, where they did, and no other reasoning."""
    there = {name: value for name, value in message.items() if name == "reasoning_details"}
    return {**without(message), **there}


def _under(*names: str) -> Echo:
    def text_under(message: Message) -> Message:
        text = reasoning_of(message)
        if text is None and any(message.get(name) == "" for name in PLAIN):
            text = ""
        sent = without(message)
        return sent if text is None else {**sent, **dict.fromkeys(names, text)}

    return text_under


def _without_fields(message: Message, names: Sequence[str]) -> Message:
    if not any(name in message for name in names):
        return message
    return {name: value for name, value in message.items() if name not in names}


FIXED: Mapping[str, Echo] = {
    "none": without,
    "reasoning": _under("reasoning"),
    "reasoning_content": _under("reasoning_content"),
    "both": _under("reasoning", "reasoning_content"),
    "details": details_alone,
}


def _is_sound(arguments: Any) -> bool:
    """Whether arguments are the text of a JSON object as they stand."""
    if not isinstance(arguments, str):
        return False
    return _known_sound(arguments) if len(arguments) <= LONG else _reads_sound(arguments)


def _reads_sound(arguments: str) -> bool:
    return arguments.lstrip().startswith("{") and codec.parse_arguments(arguments)[1] is None


# A history is sent again and again: its arguments are read once.
_known_sound = lru_cache(maxsize=16_384)(_reads_sound)


def _safe(call: Any) -> Any:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict):
        return call
    name, arguments = function.get("name"), function.get("arguments")
    named = isinstance(name, str) and name
    if named and _is_sound(arguments):
        return call
    safe = {"name": name if named else NAMELESS, "arguments": safe_arguments(arguments)}
    return {**call, "function": {**function, **safe}}


def safe_arguments(arguments: Any) -> str:
    """Arguments as the text of a JSON object, by the table of `to_send`."""
    if arguments is None:
        return "{}"
    if not isinstance(arguments, str):
        text = codec.dumps(arguments, default=str).decode()
        return text if isinstance(arguments, dict) else _as_malformed(text)
    if _is_sound(arguments):
        return arguments
    value, _ = codec.parse_arguments(arguments)
    return codec.dumps(value).decode() if isinstance(value, dict) else _as_malformed(arguments)


def _as_malformed(text: str) -> str:
    return codec.dumps({MALFORMED: text}).decode()
