"""Text as token ids and ids as text, by whatever tokenizer there is."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hermes_nb import codec
from hermes_nb.exceptions import ConfigurationError, MissingDependency

NAMED = ("bos_token", "eos_token", "pad_token", "unk_token")
"""The special tokens that chat templates may name."""

UNFINISHED = "\ufffd"
"""Stands for bytes that are no whole character."""

MOST_WAITING = 256
"""How many tokens wait for the end of a character. A text may hold the sign of a broken one itself: that is told with
what comes after it."""


class Vocabulary:
    """A tokenizer, asked in one way.

    Args:
        tokenizer: a folder with `tokenizer.json` in it (and, where they are there, `tokenizer_config.json` and
            `chat_template.jinja`), such a file, a `tokenizers.Tokenizer`, a tokenizer of `transformers`, or any object
            with `encode(text) -> ids` and `decode(ids) -> text`.

    `template` is the chat template that came with it, or None; `names` are the texts of its special tokens by the names
    that templates call them (`bos_token`, `eos_token`, ...).

    Raises:
        ConfigurationError: it is none of these.
        MissingDependency: a file was named, and the package `tokenizers` is not installed.
    """

    def __init__(self, tokenizer: Any) -> None:
        self.template: str | None = None
        self.names: dict[str, str] = {}
        if isinstance(tokenizer, str | os.PathLike):
            tokenizer = self._opened(Path(tokenizer))
        if not callable(getattr(tokenizer, "encode", None)) or not callable(getattr(tokenizer, "decode", None)):
            raise ConfigurationError(
                f"a tokenizer has encode() and decode(), or is the path of a tokenizer.json; got {tokenizer!r}"
            )
        self._tokenizer = tokenizer
        self._plain = _takes_text_alone(tokenizer)
        self.special = _special_ids(tokenizer)
        self._take_names(tokenizer)

    def encode(self, text: str) -> list[int]:
        """The ids of a text, in which special tokens are read as such and none is added."""
        if not text:
            return []
        found = self._tokenizer.encode(text) if self._plain else self._tokenizer.encode(text, add_special_tokens=False)
        return list(getattr(found, "ids", found))

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids, special tokens too."""
        if not ids:
            return ""
        if self._plain:
            return str(self._tokenizer.decode(list(ids)))
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=False))

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """The text of each of these ids; together they are `decode`'s.

        A character that takes several tokens is the last one's, and the others are empty.
        """
        growing = Growing(self)
        told = [growing.take(token) for token in ids]
        if told:
            told[-1] += growing.end()
        return told

    def said(self, ids: Sequence[int]) -> str:
        """The text of what a model wrote, without the special token that it ended with."""
        return self.decode(ids[:-1] if ids and ids[-1] in self.special else ids)

    def __repr__(self) -> str:
        return f"Vocabulary({type(self._tokenizer).__name__})"

    def _opened(self, path: Path) -> Any:
        try:
            from tokenizers import Tokenizer
        except ModuleNotFoundError as error:
            raise MissingDependency("a tokenizer from a file", "tokens") from error
        file = path / "tokenizer.json" if path.is_dir() else path
        if not file.is_file():
            raise ConfigurationError(f"there is no {file}: name a folder with a tokenizer.json in it, or that file")
        self._read_config(file.parent)
        return Tokenizer.from_file(str(file))

    def _read_config(self, folder: Path) -> None:
        """What stands beside the tokenizer: its template, and what its special tokens are called."""
        if (file := folder / "tokenizer_config.json").is_file():
            config = codec.loads(file.read_bytes())
            self.names = {name: text for name in NAMED if (text := _text_of(config.get(name))) is not None}
            self.template = _one_template(config.get("chat_template"))
        if (file := folder / "chat_template.jinja").is_file():
            self.template = file.read_text(encoding="utf-8")

    def _take_names(self, tokenizer: Any) -> None:
        """What a tokenizer of `transformers` tells of itself."""
        self.template = self.template or _one_template(getattr(tokenizer, "chat_template", None))
        told = {name: _text_of(getattr(tokenizer, name, None)) for name in NAMED}
        self.names |= {name: text for name, text in told.items() if text is not None}


class Growing:
    """A text that is told token by token."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary, self._read, self._waiting = vocabulary, list[int](), list[int]()

    def take(self, token: int) -> str:
        """What one more token adds; nothing while it ends within a character."""
        self._waiting.append(token)
        text = self._text()
        if text.endswith(UNFINISHED) and len(self._waiting) < MOST_WAITING:
            return ""
        self._read, self._waiting = self._waiting, []
        return text

    def end(self) -> str:
        """What is left, whole or not."""
        return self._text() if self._waiting else ""

    def _text(self) -> str:
        # Beside what came before it, for some tokenizers leave a space out where a text begins.
        before = self._vocabulary.decode(self._read)
        return self._vocabulary.decode([*self._read, *self._waiting])[len(before) :]


def _takes_text_alone(tokenizer: Any) -> bool:
    """Whether it is of no library: its `encode` knows nothing of special tokens."""
    return not hasattr(tokenizer, "added_tokens_decoder") and not hasattr(tokenizer, "get_added_tokens_decoder")


def _special_ids(tokenizer: Any) -> frozenset[int]:
    """The ids that stand for no text."""
    known = getattr(tokenizer, "added_tokens_decoder", None)
    if known is None and hasattr(tokenizer, "get_added_tokens_decoder"):
        known = tokenizer.get_added_tokens_decoder()
    marked = {number for number, token in (known or {}).items() if getattr(token, "special", False)}
    return frozenset({*marked, *(getattr(tokenizer, "all_special_ids", None) or ())})


def _text_of(token: Any) -> str | None:
    """The text of a special token, which some files keep in an object."""
    if isinstance(token, dict):
        token = token.get("content")
    return token if isinstance(token, str) else getattr(token, "content", None)


def _one_template(told: Any) -> str | None:
    """The template: where there are several by name, the one for tools, or the default."""
    if isinstance(told, list):
        told = {one["name"]: one["template"] for one in told}
    if isinstance(told, dict):
        told = told.get("tool_use") or told.get("default")
    return told if isinstance(told, str) else None
