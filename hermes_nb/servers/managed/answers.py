"""A request and its answer between chat and tokens: the choice, the chunks and the body of a completion."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from hermes_nb.clocks import random_ids
from hermes_nb.messages import Message
from hermes_nb.parsers import get_parser
from hermes_nb.parsers.base import THINK, Parsed, Parser, Piece
from hermes_nb.servers.managed import marking
from hermes_nb.servers.managed.marking import Prompt
from hermes_nb.servers.managed.sequences import EMPTY, Generated, Held, SequenceNode
from hermes_nb.servers.managed.vocabulary import Growing, Vocabulary

FIELDS = {"reasoning": "reasoning_content", "content": "content"}
"""What the parts of a text are called in a message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request on its way: what it goes on from (`before`), its messages, its prompt, and the prompt's `ids`."""

    before: Held | None
    messages: tuple[Message, ...]
    prompt: Prompt
    ids: tuple[int, ...]
    sampling: dict[str, Any]
    parser: Any

    @property
    def node(self) -> SequenceNode:
        """The tokens that it goes on from."""
        return EMPTY if self.before is None else self.before.node

    def reader(self) -> Any:
        """A parser for one reply; None: all of it is text."""
        opened = bool(thought_opened_by(self.prompt.text))
        if isinstance(self.parser, str):
            return get_parser(self.parser, self.prompt.tools, opened=opened)
        if type(self.parser) is Parser:
            return Parser(self.parser.format, self.prompt.tools, opened=opened)
        return self.parser


def thought_opened_by(prompt: str) -> str:
    """The end of a prompt that ends inside a thought, from the mark on; "" where it does not."""
    mark = THINK[0]
    return prompt[prompt.rindex(mark) :] if prompt.rstrip().endswith(mark) else ""


def answered(asked: Asked, written: Generated, index: int, vocabulary: Vocabulary) -> tuple[dict[str, Any], Held]:
    """The choice that a reply is, and the conversation with it."""
    said = vocabulary.said(written.tokens)
    reader = asked.reader()
    parsed = None if reader is None else reader.parse(said, list(asked.prompt.tools) or None)
    message = _message(said, parsed)
    texts = vocabulary.pieces(written.tokens)
    text = asked.prompt.text + "".join(texts)
    own = {"role": "assistant", "content": thought_opened_by(asked.prompt.text) + said}
    held = Held(
        node=asked.node.grown(asked.ids, written, text), tools=asked.prompt.tools,
        messages=(*asked.messages, message), verbatim=(*asked.prompt.messages, own),
    )  # fmt: skip
    spans = marking.written(said, parsed)
    spans.append(marking.Span(len(said), len("".join(texts)), "assistant", "template"))
    choice = {
        "index": index,
        "message": message,
        "finish_reason": _ending(message, written.finish_reason),
        "logprobs": _logprobs(texts, written.logprobs),
        "source_text": said,
        "token_ids": list(written.tokens),
        "token_spans": marking.in_tokens(spans, texts),
        "problems": [f"{one.message} (at character {one.position})" for one in (parsed.problems if parsed else ())],
    }
    return choice, held


def _message(said: str, parsed: Parsed | None) -> Message:
    """The message in what the model wrote. What was meant as a call and is none is one whose arguments are its text, so
    that the model is told."""
    if parsed is None:
        return {"role": "assistant", "content": said}
    message: Message = {"role": "assistant", "content": parsed.content or ""}
    if parsed.reasoning:
        message["reasoning_content"] = parsed.reasoning
    if calls := parsed.tool_calls():
        message["tool_calls"] = [
            {"id": random_ids("call"), "type": "function", "function": {"name": one.name, "arguments": one.arguments}}
            for one in calls
        ]
    return message


def _ending(message: Message, word: str | None) -> str | None:
    """The engine's word for why it stopped, which calls change only where it stopped by itself."""
    return "tool_calls" if message.get("tool_calls") and word == "stop" else word


def _logprobs(texts: Sequence[str], logprobs: Sequence[float]) -> dict[str, Any]:
    return {"content": [{"token": text, "logprob": one} for text, one in zip(texts, logprobs, strict=True)]}


class Hearing:
    """A reply while it is written: its tokens so far, and the chunks that they make certain."""

    def __init__(self, asked: Asked, vocabulary: Vocabulary) -> None:
        self.tokens, self.logprobs = list[int](), list[float]()
        self.finish_reason: str | None = None
        self._reader, self._special = asked.reader(), vocabulary.special
        self._stream = self._reader.stream() if type(self._reader) is Parser else None
        self._growing = Growing(vocabulary)
        self._held: int | None = None

    def take(self, part: Generated) -> Iterator[dict[str, Any]]:
        """The chunks that some more tokens make certain."""
        self.tokens += part.tokens
        self.logprobs += part.logprobs
        self.finish_reason = part.finish_reason or self.finish_reason
        text = ""
        for token in part.tokens:  # A special token may be the one that ends the reply, and is no text then.
            text += "" if self._held is None else self._growing.take(self._held)
            self._held = token if token in self._special else None
            text += "" if self._held is not None else self._growing.take(token)
        yield from (_chunk({FIELDS[one.part]: one.text}) for one in self._pieces(text) if one.part in FIELDS)

    def end(self) -> Iterator[dict[str, Any]]:
        """The chunks that the end makes certain."""
        pieces = list(self._pieces(self._growing.end()))
        if self._stream is not None:
            pieces += self._stream.end()
        yield from (_chunk({FIELDS[one.part]: one.text}) for one in pieces if one.part in FIELDS)

    @property
    def reads_on(self) -> bool:
        """Whether the text is told as it comes: the parser can read in chunks, or there is none."""
        return self._reader is None or self._stream is not None

    @property
    def written(self) -> Generated:
        """All that was written."""
        return Generated(
            tokens=tuple(self.tokens), logprobs=tuple(self.logprobs), finish_reason=self.finish_reason
        )  # fmt: skip

    def _pieces(self, text: str) -> Sequence[Piece]:
        if not text:
            return ()
        if self._reader is None:
            return (Piece("content", text),)
        return self._stream.feed(text) if self._stream is not None else ()


def _chunk(delta: dict[str, Any]) -> dict[str, Any]:
    return {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}


def last_chunk(body: dict[str, Any], told: bool) -> dict[str, Any]:
    """The last chunk of a stream: the calls, and all of the body but what was told; of a parser that does not read in
    chunks nothing was."""
    [choice] = body["choices"]
    message = choice["message"]
    delta = {} if told else {name: value for name, value in message.items() if name != "tool_calls"}
    calls = message.get("tool_calls") or ()
    if calls:
        delta["tool_calls"] = [{"index": number, **call} for number, call in enumerate(calls)]
    rest = {name: value for name, value in choice.items() if name != "message"}
    return {**body, "object": "chat.completion.chunk", "choices": [{**rest, "delta": {"role": "assistant", **delta}}]}


def body_of(
    model: str | None, choices: Sequence[dict[str, Any]], asked_ids: Sequence[int], kind: str = "chat.completion"
) -> dict[str, Any]:
    """A completion's body, with its usage and its prompt's ids."""
    written = sum(len(choice["token_ids"]) for choice in choices)
    usage = {
        "prompt_tokens": len(asked_ids), "completion_tokens": written, "total_tokens": len(asked_ids) + written,
    }  # fmt: skip
    return {
        "id": random_ids("chatcmpl"),
        "object": kind,
        "model": model,
        "choices": list(choices),
        "usage": usage,
        "prompt_token_ids": list(asked_ids),
    }


def tail_of(asked: Asked, template: Any, vocabulary: Vocabulary) -> dict[str, Any]:
    """What the tokens are that a prompt added: their texts from the token `start` on, and `spans` of them."""
    start = len(asked.node.tokens)
    texts = vocabulary.pieces(asked.ids[start:])
    whole = "".join(texts) == asked.prompt.text[asked.prompt.known :]
    spans = asked.prompt.spans(template) if whole else []
    return {
        "start": start,
        "texts": texts,
        "spans": marking.in_tokens(spans, texts, at=asked.prompt.known, first=start),
    }
