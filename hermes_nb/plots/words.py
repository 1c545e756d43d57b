"""What plots write: names that fit, seconds, counts and shares, in the words of the views."""

from __future__ import annotations

from functools import lru_cache

from matplotlib.font_manager import FontProperties, findfont, get_font

from hermes_nb.redact import Redactor
from hermes_nb.views.rows.legible import Lens, fitted

LONGEST = 28
KINDS = {
    "unknown_tool": "unknown tool", "bad_json": "bad JSON", "bad_arguments": "bad arguments",
    "exception": "exception", "reported": "reported", "timeout": "timeout", "cancelled": "cancelled",
    "rejected": "rejected",
}  # fmt: skip
"""The kinds of errors in the order of whose fault they are: the model's, the tool's, the environment's, the run's."""

ACTIONS = {
    "retried_same": "same call again", "changed_arguments": "other arguments", "changed_tool": "another tool",
    "answered": "answered", "ended": "run ended",
}  # fmt: skip


def name(text: object, most: int = LONGEST) -> str:
    """A tool's, task's or run's name, cut to fit, with whatever cannot be seen or drawn made visible."""
    shown = Lens(Redactor()).name(str(text)).replace("\n", " ")
    return fitted("".join(letter if _has(letter) else f"⟦U+{_code(letter):04X}⟧" for letter in shown), most)


def _code(letter: str) -> int:
    """The letter's code; of a control's picture, the control's."""
    code = ord(letter)
    return 0x7F if code == 0x2421 else code - 0x2400 if 0x2400 <= code < 0x2420 else code


def names(texts: list[str], most: int = LONGEST) -> list[str]:
    """Names that differ where the texts do: those that are cut alike get a number."""
    cut = [name(text, most) for text in texts]
    seen: dict[str, int] = {}
    made = []
    for one in cut:
        seen[one] = seen.get(one, 0) + 1
        made.append(f"{fitted(one, most - 4, more=True)} ({seen[one]})" if cut.count(one) > 1 else one)
    return made


@lru_cache(maxsize=4096)
def _has(letter: str) -> bool:
    """Whether the font has the letter; what it lacks would be drawn as a box, with a warning."""
    return bool(get_font(findfont(FontProperties(family=["DejaVu Sans"]))).get_char_index(ord(letter)))


def seconds(value: float) -> str:
    """`90 ms`, `1.2 s`, `2 min 5 s`."""
    if value < 0.9995:
        return f"{value * 1000:.3g} ms"
    if value < 99.95:
        return f"{value:.1f} s" if value < 9.95 else f"{value:.3g} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest} s" if rest else f"{minutes} min"


def counted(number: int, noun: str, many: str | None = None) -> str:
    """`1 turn`, `2 turns`, `1,200 entries`."""
    return f"{number:,} {noun if number == 1 else many or noun + 's'}"


def percent(share: float) -> str:
    """`12 %`; `<1 %` for what is not nothing, `>99 %` for what is not all."""
    if 0 < share < 0.01:
        return "<1 %"
    if 0.99 < share < 1:
        return ">99 %"
    return f"{100 * share:.0f} %"


def listed(parts: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
