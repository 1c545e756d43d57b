"""Engines: servers that are asked for tokens. Each gives, for the ids of a prompt, what its model wrote after it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Protocol

from hermes_nb import failures
from hermes_nb.exceptions import ServerError
from hermes_nb.records import RunError
from hermes_nb.servers import base
from hermes_nb.servers.managed.sequences import Generated

LONGEST_REPLY = 4096
"""Tokens of a reply where nobody says how many: engines stop after 16 or 128 by themselves."""


class Engine(Protocol):
    """What a ManagedServer needs. One that also has `stream`, which takes the same and gives a Generated for some more
    tokens at a time, is heard while its model writes."""

    async def generate(self, prompt: Sequence[int], *, text: str, **sampling: Any) -> Generated:
        """What the model writes after a prompt.

        Args:
            prompt: the ids of the prompt; `text` is the same as text.
            sampling: `max_tokens`, `temperature`, `stop`, and whatever else the request has.
        """


class Completions:
    """POST /v1/completions with ids for a prompt, as vLLM has it (`return_token_ids`, `return_tokens_as_token_ids`).

    Args:
        server: an `OpenAIServer`: where it is, how it is asked, and what its model is called.
    """

    def __init__(self, server: Any) -> None:
        self.server = server

    async def generate(self, prompt: Sequence[int], *, text: str, **sampling: Any) -> Generated:
        """What the model writes.

        Raises:
            ServerError: the server did not answer, or without token ids or log-probabilities.
        """
        return self._read(await self.server.post("/completions", self._body(prompt, sampling)))

    async def stream(self, prompt: Sequence[int], *, text: str, **sampling: Any) -> AsyncIterator[Generated]:
        """What the model writes, as it comes.

        Raises:
            ServerError: the server did not answer, broke off, or answered without token ids or log-probabilities.
        """
        ended = False
        async with aclosing(self.server.post_stream("/completions", self._body(prompt, sampling))) as coming:
            async for chunk in coming:
                if chunk.get("choices"):
                    part = self._read(chunk)
                    ended = ended or part.finish_reason is not None
                    yield part
            if not ended and not coming.done:
                raise ServerError(failures.cut(base.place_of(self), **coming.travel))

    def _body(self, prompt: Sequence[int], sampling: Mapping[str, Any]) -> dict[str, Any]:
        asked = {"max_tokens": LONGEST_REPLY, "logprobs": 1, "return_token_ids": True}
        asked |= {"return_tokens_as_token_ids": True, "skip_special_tokens": False, "add_special_tokens": False}
        return {"prompt": list(prompt), **asked, **sampling}

    def _read(self, body: Mapping[str, Any]) -> Generated:
        choices = body.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
        told = choice.get("logprobs") or {}
        ids = choice.get("token_ids") or _named_ids(told.get("tokens"))
        if ids is None and not choice.get("text") and choice.get("finish_reason"):
            ids, told = [], {"token_logprobs": []}  # The last chunk of a stream, which only says how it ended.
        return _generated(self, ids, told.get("token_logprobs"), choice.get("finish_reason"))

    def __repr__(self) -> str:
        return f"Completions({self.server.model} at {self.server.base_url})"


class SGLang:
    """SGLang's own POST /generate (`input_ids`, `return_logprob`).

    Args:
        server: an `OpenAIServer` whose `base_url` is the server's root: `http://localhost:30000`, without /v1.
    """

    NAMES = {"max_tokens": "max_new_tokens", "seed": "sampling_seed"}  # noqa: RUF012 - it is a constant
    """What OpenAI's fields are called there."""

    def __init__(self, server: Any) -> None:
        self.server = server

    async def generate(self, prompt: Sequence[int], *, text: str, **sampling: Any) -> Generated:
        """What the model writes.

        Raises:
            ServerError: the server did not answer, or without token ids or log-probabilities.
        """
        wanted = {"max_tokens": LONGEST_REPLY, "skip_special_tokens": False, **sampling}
        params = {self.NAMES.get(name, name): value for name, value in wanted.items()}
        asked = {"input_ids": list(prompt), "sampling_params": params, "return_logprob": True}
        body = await self.server.post("/generate", asked)
        meta = body.get("meta_info") or {}
        pairs = meta.get("output_token_logprobs")
        rows = pairs if isinstance(pairs, list) else []
        reason = meta.get("finish_reason")
        word = reason.get("type") if isinstance(reason, Mapping) else reason
        return _generated(self, [row[1] for row in rows], [row[0] for row in rows] if pairs is not None else None, word)

    def __repr__(self) -> str:
        return f"SGLang({self.server.base_url})"


class Atropos:
    """Any object with Atropos's `tokens_and_logprobs_completion`, such as its VLLMServer, SGLangServer and
    ServerManager (atroposlib, server_handling)."""

    def __init__(self, server: Any) -> None:
        self.server = server

    async def generate(self, prompt: Sequence[int], *, text: str, **sampling: Any) -> Generated:
        """What the model writes.

        Raises:
            ServerError: its answer is not what that method's is.
        """
        name = base.describe(self.server)["model"]
        asked: dict[str, Any] = {"max_tokens": LONGEST_REPLY, **sampling, "n": 1}
        asked |= {"prompt": text, "input_ids": list(prompt), **({} if name is None else {"model": name})}
        answer = await self.server.tokens_and_logprobs_completion(**asked)
        try:
            _, [ids], [logprobs], [reason] = answer
        except (TypeError, ValueError) as error:
            told = "it gives (prompt_tokens, [tokens], [logprobs], [finish_reason]), each list of one"
            raise ServerError(_no_tokens(self, told)) from error
        word = reason.get("type") if isinstance(reason, Mapping) else reason
        return _generated(self, ids, logprobs, word)

    def __repr__(self) -> str:
        return f"Atropos({type(self.server).__name__})"


def engine_of(server: Any) -> Engine | None:
    """The engine that a server is, or is asked through; None where it can tell no tokens."""
    if hasattr(server, "generate"):
        engine: Engine = server
        return engine
    if hasattr(server, "tokens_and_logprobs_completion"):
        return Atropos(server)
    return Completions(server) if hasattr(server, "post") else None


def _named_ids(tokens: Any) -> list[int] | None:
    """The ids in vLLM's `token_id:17`, which is what tokens are called there on request."""
    if not isinstance(tokens, list) or not all(isinstance(one, str) and one.startswith("token_id:") for one in tokens):
        return None
    return [int(one.removeprefix("token_id:")) for one in tokens]


def _generated(engine: Any, ids: Any, logprobs: Any, finish_reason: Any) -> Generated:
    if not isinstance(ids, list | tuple) or not isinstance(logprobs, list | tuple):
        missing = "token ids" if not isinstance(ids, list | tuple) else "log-probabilities"
        raise ServerError(_no_tokens(engine, f"it answered without {missing}"))
    if len(ids) != len(logprobs) or None in logprobs:
        raise ServerError(_no_tokens(engine, f"{len(ids)} tokens came with {len(logprobs)} log-probabilities"))
    return Generated(tokens=tuple(ids), logprobs=tuple(logprobs), finish_reason=finish_reason)


def _no_tokens(engine: Any, told: str) -> RunError:
    hint = "this server does not tell its tokens: vLLM's /v1/completions and SGLang's /generate do"
    return failures.clean(RunError(type="NoTokens", message=f"{engine!r}: {told}", hint=hint), base.place_of(engine))
