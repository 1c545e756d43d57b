"""ManagedServer: a chat server made of one that is asked for tokens.

The conversation becomes text by a chat template, the text token ids, and what the model writes is read by a tool-call
parser: all of it here, in sight, and kept. Every token of a conversation is there in the end, with a mask that says
which ones the model wrote and the log-probability of each: what training needs.

Tokens that a model wrote are never made anew from text. A request that goes on from an earlier one begins with the very
tokens of that, so all of a conversation is one sequence; where a template makes that impossible, a warning says why.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from hermes_nb.exceptions import ConfigurationError
from hermes_nb.messages import Message, text_of
from hermes_nb.parsers import get_parser
from hermes_nb.records import Reply
from hermes_nb.servers import base
from hermes_nb.servers.managed import answers
from hermes_nb.servers.managed.answers import Asked
from hermes_nb.servers.managed.engines import Atropos, Completions, Engine, SGLang, engine_of
from hermes_nb.servers.managed.marking import Prompt
from hermes_nb.servers.managed.sequences import EMPTY, Generated, Held, SequenceNode, why_not
from hermes_nb.servers.managed.template import Template
from hermes_nb.servers.managed.vocabulary import Vocabulary
from hermes_nb.servers.streams import Stream

__all__ = ["Atropos", "Completions", "Engine", "Generated", "ManagedServer", "SGLang", "SequenceNode"]

EXCERPT = 40
"""Characters that are shown of two texts which differ."""

LEFT_OUT = ("model", "tool_choice", "stream", "stream_options", "parallel_tool_calls", "extra_body", "n", "logprobs",
            "top_logprobs")  # fmt: skip
"""The fields of a chat request that mean nothing to an engine; those in `extra_body` do."""


class ManagedServer:
    """A chat server over an engine that gives tokens.

    Args:
        engine: an `OpenAIServer` (its /v1/completions is asked, as vLLM has it), `SGLang(server)`, an object with
            Atropos's `tokens_and_logprobs_completion`, or anything with `async generate(ids, text=..., **sampling)`.
        tokenizer: as `Vocabulary`'s: a path, or an object of `tokenizers` or `transformers`.
        parser: what reads tool calls out of text: a name (`hermes_nb.parsers.names()`), a parser,
            or None: all that the model writes is text.
        template: the chat template, as Jinja; by default the tokenizer's own, or else the one of the Hermes models.
        track_tree: keep every sequence by its text, prefixes too, as Atropos's tree mode does.

    `get_state()` gives the sequences, and a run's result has them as `managed_state`.

    Raises:
        ConfigurationError: the engine, the tokenizer, the parser or the template is none.
        MissingDependency: a template or a tokenizer's file needs the shelf `tokens`.
    """

    def __init__(
        self,
        engine: Any,
        tokenizer: Any,
        parser: Any = "hermes",
        template: str | None = None,
        track_tree: bool = False,
    ) -> None:
        found = engine_of(engine)
        if found is None:
            raise ConfigurationError(
                "a ManagedServer needs an engine that tells its tokens: an OpenAIServer, SGLang(server), an object "
                f"with tokens_and_logprobs_completion(), or one with generate(); got {engine!r}"
            )
        self.server = engine
        self.engine = found
        self.vocabulary = Vocabulary(tokenizer)
        self.parser = parser
        self.template = Template(template or self.vocabulary.template, self.vocabulary.names)
        self.track_tree = track_tree
        self.model = base.describe(engine)["model"]
        if isinstance(parser, str):
            get_parser(parser)
        self._held: list[Held] = []
        self._spent: set[int] = set()
        self._tree: dict[str, SequenceNode] = {}

    async def chat_completion(
        self,
        *,
        messages: Sequence[Message],
        tools: Sequence[Mapping[str, Any]] | None = None,
        n: int = 1,
        temperature: float | None = None,
        max_tokens: int | None = None,
        extra_body: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> dict[str, Any]:
        """Answer a chat request; `n` answers are asked for one after the other, each a sequence of its own.

        The body is a chat completion's. Beside it, each choice has `source_text`, what the model wrote, and `token_ids`
        and `logprobs` of it; the body has `prompt_token_ids`. `token_spans` and `prompt_tail` say what the tokens are
        (`hermes_nb.sequences`). `finish_reason` is the engine's, but "tool_calls" where it stopped after calls.

        Raises:
            ServerError: the engine did not answer, or without tokens.
            ConfigurationError: the template refuses the conversation.
        """
        asked = self._asked(messages, tools, {"temperature": temperature, "max_tokens": max_tokens, **more}, extra_body)
        choices, grown = [], []
        try:
            for index in range(n):
                written = await self.engine.generate(asked.ids, text=asked.prompt.text, **asked.sampling)
                choice, held = answers.answered(asked, written, index, self.vocabulary)
                choices.append(choice)
                grown.append(held)
        except BaseException:
            self._spent.discard(id(asked.before))
            raise
        return self._finished(asked, choices, grown)

    def stream(self, **request: Any) -> Stream:
        """Answer a chat request as a stream: text and reasoning as they are written, where the engine has a `stream`;
        calls, and what is told beside them, come with the last chunk. From other engines all comes in one piece.

        Raises (while it is iterated): as `chat_completion`.
        """
        return Stream(lambda stream: self._streamed(request, stream))

    async def _streamed(self, request: dict[str, Any], stream: Stream) -> AsyncGenerator[dict[str, Any], None]:
        heard = getattr(self.engine, "stream", None)
        if heard is None or request.get("n", 1) != 1:
            yield await self.chat_completion(**request)
            stream.done = True
            return
        rest = {name: value for name, value in request.items() if name not in ("messages", "tools", "extra_body")}
        asked = self._asked(request["messages"], request.get("tools"), rest, request.get("extra_body"))
        hearing = answers.Hearing(asked, self.vocabulary)
        try:
            async with aclosing(heard(asked.ids, text=asked.prompt.text, **asked.sampling)) as coming:
                async for part in coming:
                    for chunk in hearing.take(part):
                        yield chunk
            for chunk in hearing.end():
                yield chunk
            choice, held = answers.answered(asked, hearing.written, 0, self.vocabulary)
        except BaseException:
            self._spent.discard(id(asked.before))
            raise
        stream.done = True
        yield answers.last_chunk(self._finished(asked, [choice], [held]), told=hearing.reads_on)

    async def completion(self, *, prompt: str, n: int = 1, **sampling: Any) -> dict[str, Any]:
        """Go on with a text; one that begins with a sequence's text goes on with that sequence's tokens.

        Raises:
            ServerError: the engine did not answer, or without tokens.
        """
        begun = [held for held in self._held if prompt.startswith(held.node.full_text)]
        before = max(begun, key=lambda held: len(held.node.full_text), default=None)
        node = EMPTY if before is None else before.node
        ids = [*node.tokens, *self.vocabulary.encode(prompt[len(node.full_text) :])]
        choices, grown = [], []
        for index in range(n):
            written = await self.engine.generate(ids, text=prompt, **_sampling(sampling))
            new = node.grown(ids, written, prompt + self.vocabulary.decode(written.tokens))
            grown.append(Held(node=new, tools=()))
            told = {"text": self.vocabulary.said(written.tokens), "token_ids": list(written.tokens)}
            choices.append({"index": index, "finish_reason": written.finish_reason, "logprobs": None, **told})
        self._keep(before, grown)
        return answers.body_of(self.model, choices, ids, "text_completion")

    def get_state(self) -> dict[str, Any]:
        """The sequences so far: `{"nodes": [SequenceNode]}`; of a tree, `{"sequences": {text: SequenceNode}, "tree":
        the same}`. What is returned is a copy, and stays as it is."""
        if self.track_tree:
            tree = copy.deepcopy(self._tree)
            return {"sequences": tree, "tree": tree}
        return {"nodes": [copy.deepcopy(held.node) for held in self._held if id(held) not in self._spent]}

    def reset(self) -> None:
        """Forget every sequence."""
        self._held = []
        self._spent = set()
        self._tree = {}

    async def ask(self, messages: str | Sequence[Message], tools: Any = None, **request: Any) -> Reply:
        """Ask once, outside any run: text or messages in, a Reply out; as `OpenAIServer.ask`.

        Raises:
            ServerError: the engine did not answer, or without tokens.
            ConfigurationError: the request cannot be made.
        """
        return await base.ask_by_hand(self, messages, tools, request)

    def __repr__(self) -> str:
        return f"ManagedServer({self.engine!r} · {self.parser if isinstance(self.parser, str) else 'parser'})"

    def _asked(
        self, messages: Sequence[Message], tools: Sequence[Any] | None, given: Mapping[str, Any], extra: Any
    ) -> Asked:
        """A request, with what it goes on from. That is spent at once: another request may be on its way."""
        flat = tuple({**message, "content": text_of(message.get("content"))} for message in messages)
        before, prompt = self._begin(flat, tuple(tools or ()))
        node = EMPTY if before is None else before.node
        ids = (*node.tokens, *self.vocabulary.encode(prompt.text[prompt.known :]))
        if before is not None:
            self._spent.add(id(before))
        sampling = _sampling({**given, **(extra or {})})
        return Asked(before=before, messages=flat, prompt=prompt, ids=ids, sampling=sampling, parser=self.parser)

    def _begin(self, flat: tuple[Message, ...], tools: tuple[Any, ...]) -> tuple[Held | None, Prompt]:
        """What the request goes on from, and its prompt, with the model's own words in it."""
        for held in sorted(self._held, key=lambda one: (-len(one.messages), id(one) in self._spent)):
            if held.messages and held.begins(flat, tools):
                verbatim = (*held.verbatim, *flat[len(held.messages) :])
                text = self.template.render(verbatim, tools, ask=True)
                known = len(held.node.full_text)
                if text.startswith(held.node.full_text):
                    return held, Prompt(messages=verbatim, tools=tools, text=text, known=known)
                self._warn_of(_rewritten(held.node.full_text, text))
                break
        else:
            self._warn_of(why_not(self._held, flat, tools))
        text = self.template.render(flat, tools, ask=True)
        return None, Prompt(messages=flat, tools=tools, text=text, known=0)

    def _warn_of(self, cause: str | None) -> None:
        if cause:
            warnings.warn(
                f"a request could not go on from the tokens of the one before: {cause}. It begins a sequence of its "
                "own, in which what the model wrote earlier is masked",
                stacklevel=2,
            )

    def _finished(self, asked: Asked, choices: Sequence[dict[str, Any]], grown: Sequence[Held]) -> dict[str, Any]:
        self._keep(asked.before, grown)
        body = answers.body_of(self.model, choices, asked.ids)
        return {**body, "prompt_tail": answers.tail_of(asked, self.template, self.vocabulary)}

    def _keep(self, before: Held | None, grown: Sequence[Held]) -> None:
        """Hold what has grown; what it grew from is no sequence any more, but may be gone on from once more."""
        if self.track_tree:
            self._tree |= {held.node.full_text: held.node for held in grown}
        if before is not None:
            self._spent.add(id(before))
        self._held += grown


def _sampling(given: Mapping[str, Any]) -> dict[str, Any]:
    """What an engine is asked with; the most tokens of a reply are `max_tokens`, whichever name they came by."""
    asked = {name: value for name, value in given.items() if value is not None and name not in LEFT_OUT}
    most = asked.pop("max_completion_tokens", None)
    return asked if most is None else {"max_tokens": most, **asked}


def _rewritten(own: str, text: str) -> str:
    """How a template told differently what was there."""
    place = next((at for at, (one, other) in enumerate(zip(own, text, strict=False)) if one != other), len(text))
    return (
        f"the chat template rewrites what came before, from character {place} on: {own[place : place + EXCERPT]!r} "
        f"became {text[place : place + EXCERPT]!r}"
    )
