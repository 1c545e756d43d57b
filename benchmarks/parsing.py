"""What it costs to take tool calls out of text, and prints it as one line of JSON.

python -m benchmarks.parsing

Every format reads what its own `render` writes, after words. A reply has 2 kB: words, and two calls. The long text has
100 kB: words for a third of it, and calls with strings, numbers and lists. What is told is of the format that is worst
at it. Beside it stands what a character costs in a text of nothing but words, or of one long string: the whole of such
a text is a single search, and no letter by letter can be near it.
"""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from hermes_nb import parsers
from hermes_nb.parsers import Parser

WORDS = "Some words of a model that says what it is about to do. "
LONG = 100_000
AGAIN = 5


def calls(count: int) -> list[tuple[str, dict[str, Any]]]:
    """Calls as models make them: about 400 characters each."""
    text = "word and word " * 20
    return [
        ("search", {"text": f"{text}{at}", "count": at, "flag": True, "items": [1, 2, "three"]}) for at in range(count)
    ]


def spent(act: Callable[[], Any], again: int) -> float:
    """CPU seconds of the best of a few repetitions."""
    best = float("inf")
    for _ in range(again):
        began = time.process_time()
        act()
        best = min(best, time.process_time() - began)
    return best


def letter_by_letter(parser: Parser, text: str) -> None:
    """Read the text as a stream of single characters."""
    feed = (stream := parser.stream()).feed
    for letter in text:
        feed(letter)
    stream.finish()


def text_of(parser: Parser, size: int, share: int) -> str:
    """Words, and then calls; the words are one of so many parts of it."""
    words = (WORDS * (size // len(WORDS) + 1))[: size // share]
    return words + parser.render(calls((size - len(words)) // 450))


def measured(name: str) -> dict[str, float]:
    """Of one format: microseconds for a reply, and for a character of an extreme text; what letter by letter costs over
    the whole, and how much more a character of 100 kB costs than one of 10 kB."""
    parser = parsers.get_parser(name)
    reply, long, short = (text_of(parser, size, share) for size, share in ((2000, 2), (LONG, 3), (LONG // 10, 3)))
    extremes = (WORDS * (LONG // len(WORDS)), parser.render([("search", {"text": "word " * (LONG // 5)})]))
    cost = {text: spent(partial(letter_by_letter, parser, text), AGAIN) for text in (long, short, *extremes)}
    each = {text: cost[text] / len(text) * 1e6 for text in cost}
    return {
        "reply": spent(partial(parser.parse, reply), 100) * 1e6,
        "over": cost[long] / spent(partial(parser.parse, long), AGAIN),
        "growth": each[long] / each[short],
        "letter": max(each[text] for text in extremes),
    }


def main() -> dict[str, dict[str, Any]]:
    """Of each figure the worst of all formats, and its name in `worst`; `all` of them; and `hermes` alone."""
    gc.disable()
    found = {name: measured(name) for name in parsers.names() if name != "auto"}
    worst = {figure: max(found, key=lambda name: found[name][figure]) for figure in found["hermes"]}
    figures = {figure: found[name][figure] for figure, name in worst.items()}
    return {"ours": {**figures, "hermes": found["hermes"]["reply"], "worst": worst, "all": found}}


if __name__ == "__main__":
    print(json.dumps(main()))
