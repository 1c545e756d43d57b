"""The words of which a check makes its sentences, and what it takes for the same."""

from __future__ import annotations

import json
import re
from typing import Any

from hermes_nb.records import ToolCall
from hermes_nb.views.rows import counted


def fits(call: ToolCall, arguments: dict[str, Any]) -> int:
    """How many of the arguments the call has with these values."""
    given = call.parsed if isinstance(call.parsed, dict) else {}
    return sum(name in given and json_of(given[name]) == json_of(value) for name, value in arguments.items())


def json_of(value: Any) -> str:
    """The value as JSON with its keys in order, so that 1 is not True and 2 is 2.0; its repr, where it has none."""
    whole_number = isinstance(value, float) and value.is_integer()
    try:
        return json.dumps(int(value) if whole_number else value, sort_keys=True, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        return repr(value)


def whole(text: str) -> re.Pattern[str]:
    """What finds the text where it stands by itself."""
    words = r"\s+".join(map(re.escape, text.split()))
    number = words[:1].isdigit()
    before = r"(?<!\w)(?<!\d[.,])(?<!\s[-−])" if number else (r"(?<!\w)" if words[:1].isalnum() else "")
    after = r"(?!\w)(?![.,]\d)" if words[-1:].isdigit() else (r"(?!\w)" if words[-1:].isalnum() else "")
    return re.compile(f"{before}{words}{after}", re.IGNORECASE)


def spoken(word: str | None) -> str:
    """`bad_arguments` as people say it."""
    return (word or "").replace("_", " ")


def times(number: int) -> str:
    """`, 2 times`; nothing for once."""
    return f", {number} times" if number > 1 else ""


def was(number: int, noun: str) -> str:
    """`was 1 call`, `were 2 calls`, `was none`."""
    return "was none" if not number else f"{'was' if number == 1 else 'were'} {counted(number, noun)}"


def more(number: int) -> str:
    """`, and 2 more did`; nothing for none."""
    return f", and {number} more did" if number else ""
