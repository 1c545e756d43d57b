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
PASSES = 4


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


def costs(name: str) -> dict[str, float]:
    """CPU seconds of one format: for a reply; and for a character of the long text at once, and, letter by letter, of
    that, of a tenth of it, of words alone, and of one long string."""
    parser = parsers.get_parser(name)
    reply, long, short = (text_of(parser, size, share) for size, share in ((2000, 2), (LONG, 3), (LONG // 10, 3)))
    words, string = WORDS * (LONG // len(WORDS)), parser.render([("search", {"text": "word " * (LONG // 5)})])
    letters = {"long": long, "short": short, "words": words, "string": string}
    each = {kind: spent(partial(letter_by_letter, parser, text), 2) / len(text) for kind, text in letters.items()}
    whole = spent(partial(parser.parse, long), 3) / len(long)
    return {**each, "whole": whole, "reply": spent(partial(parser.parse, reply), 50)}


def main() -> dict[str, dict[str, Any]]:
    """Of each figure the worst of all formats, and its name in `worst`; `all` of them; and `hermes` alone.

    Every format is measured in several passes over all of them, and a cost is the least: it was disturbed least.
    """
    gc.disable()
    names = [name for name in parsers.names() if name != "auto"]
    passes = [{name: costs(name) for name in names} for _ in range(PASSES)]
    least = {name: {kind: min(one[name][kind] for one in passes) for kind in passes[0][name]} for name in names}
    found = {name: _figures(cost) for name, cost in least.items()}
    worst = {figure: max(found, key=lambda name: found[name][figure]) for figure in found["hermes"]}
    figures = {figure: found[name][figure] for figure, name in worst.items()}
    return {"ours": {**figures, "hermes": found["hermes"]["reply"], "worst": worst, "all": found}}


def _figures(cost: dict[str, float]) -> dict[str, float]:
    """Microseconds for a reply and for a letter of an extreme text, and two ratios."""
    return {
        "reply": cost["reply"] * 1e6,
        "over": cost["long"] / cost["whole"],
        "growth": cost["long"] / cost["short"],
        "letter": max(cost["words"], cost["string"]) * 1e6,
    }


if __name__ == "__main__":
    print(json.dumps(main()))
