"""What a field holds after one more piece of it came."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

GROWING = frozenset(("content", "reasoning", "reasoning_content", "thinking", "refusal", "text", "summary",
                     "transcript", "data", "input"))  # fmt: skip
"""Fields that come in pieces. A text that is not known is in pieces too, unless it says the same again."""

LABELS = frozenset(("role", "id", "type", "format", "signature", "thinking_signature", "thought_signature", "channel"))
"""Fields of which the last word counts."""

TEXTUAL = ("text", "output_text", "thinking", "reasoning", "reasoning.text", "reasoning.summary", "refusal")
"""Types of a list's items that come in pieces, even without an `index`."""


class Pieces(list[str]):
    """A text while it grows: joining it at every piece would make a long one slow."""


def latest(held: Any, value: Any, *, gather: bool = False) -> Any:
    """What a field says of which the last word counts; nothing and "" say nothing. With `gather`, lists grow."""
    if value is None or (value == "" and held is not None):
        return held
    if isinstance(held, dict) and isinstance(value, dict):
        return {**held, **{name: latest(held.get(name), item, gather=gather) for name, item in value.items()}}
    return [*held, *value] if gather and isinstance(held, list) and isinstance(value, list) else value


def grown(name: str, held: Any, value: Any) -> Any:
    """What a message's field holds after `value`; a text that grows is held as `Pieces` until it is `joined`."""
    if isinstance(held, Pieces):
        if value is None or value == "":
            return held
        if isinstance(value, str):
            held.append(value)
            return held
    elif held is None and isinstance(value, str) and name in GROWING:
        return Pieces([value])
    return merged(name, joined(held), value)


def joined(held: Any) -> Any:
    """The field as a message has it."""
    return "".join(held) if isinstance(held, Pieces) else held


def merged(name: str, held: Any, value: Any) -> Any:
    """What a field holds after another piece of it; nothing takes away what was there."""
    if value is None or held is None:
        return held if value is None else value
    if isinstance(held, str) and isinstance(value, str):
        return _merged_texts(name, held, value)
    if name == "content" and isinstance(held, str) and isinstance(value, list):
        return [*_as_part(held), *value]
    if isinstance(held, list):
        added = value if isinstance(value, list) else _as_part(value) if isinstance(value, str) else [value]
        return _merged_lists(held, added)
    if isinstance(held, dict) and isinstance(value, dict):
        return {**held, **{key: merged(key, held.get(key), item) for key, item in value.items()}}
    return value


def _merged_texts(name: str, held: str, value: str) -> str:
    if name in LABELS:
        return value or held
    return held if name not in GROWING and held == value else held + value


def _as_part(text: str) -> list[dict[str, str]]:
    return [{"type": "text", "text": text}] if text else []


def _merged_lists(held: list[Any], added: list[Any]) -> list[Any]:
    together = list(held)
    for number, item in enumerate(added):
        place = _place(together, item, first=number == 0)
        if place is None:
            together.append(item)
        else:
            together[place] = merged("", together[place], item)
    return together


def _place(held: list[Any], item: Any, *, first: bool) -> int | None:
    """Where the item that this one is the rest of stands: at its index; or at the end, where it is text and leads."""
    if not isinstance(item, dict):
        return None
    if (index := item.get("index")) is not None:
        places = (number for number in range(len(held) - 1, -1, -1) if _goes_on(held[number], item, index))
        return next(places, None)
    textual = first and item.get("type") in TEXTUAL
    return len(held) - 1 if textual and held and _goes_on(held[-1], item, None) else None


def _goes_on(held: Any, item: Mapping[str, Any], index: Any) -> bool:
    """Whether `item` may be the rest of `held`: of its kind, at its index, with no other id. What was signed is whole,
    and what is encrypted comes whole."""
    if not isinstance(held, dict) or (held.get("type"), held.get("index")) != (item.get("type"), index):
        return False
    if item.get("id") not in (None, held.get("id")) or "encrypted" in str(item.get("type")):
        return False
    return not (held.get("signature") and any(item.get(name) for name in ("text", "summary", "thinking")))
