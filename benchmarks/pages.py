"""What the static page of a long run costs, and prints it as one line of JSON.

python -m benchmarks.pages

`ours` is `views.html` of a run of a thousand turns. `bare` is a plain loop that escapes the texts of that very page and
joins them with its tags: it decides, shortens, counts and redacts nothing. `bare, whole` escapes and joins all the
run's texts, of which the page shows a part, with the tags of its rows.
"""

from __future__ import annotations

import asyncio
import gc
import html
import json
import re
import time
from collections.abc import Callable
from typing import Any

import hermes_nb as hn
from hermes_nb import views
from hermes_nb.records import AgentResult
from hermes_nb.servers.scripted import call

TURNS = 1000
AGAIN = 30


def look(what: str) -> str:
    """Look something up."""
    return f"{what}: " + "a <word> & another " * 20


def find(what: str) -> str:
    """Find something; one thing in fifty is not there."""
    if int(what.split()[-1]) % 50 == 1:
        raise KeyError(what)
    return look(what)


async def played() -> AgentResult:
    """A run whose turns are not alike, so that none stands for others."""
    script = [[call("find" if turn % 2 else "look", what=f"thing {turn}")] for turn in range(TURNS - 1)]
    loop = hn.HermesAgentLoop(hn.ScriptedServer([*script, "Done."]), tools=[look, find], max_turns=TURNS)
    return await loop.run("Look.")


def pieces(page: str) -> list[tuple[str, str]]:
    """The texts of a page as they were before they were escaped, each with the tags before it; the last has none."""
    parts = re.split(r"((?:<[^>]*>)+)", page)
    return [(tags, html.unescape(text)) for tags, text in zip(["", *parts[1::2]], parts[::2], strict=True)]


def joined(texts: list[tuple[str, str]]) -> str:
    """The page once more."""
    return "".join([tags + html.escape(text) for tags, text in texts])


def whole(result: AgentResult, tags: list[str]) -> str:
    """All the run's texts, between the tags of rows of the page."""
    row, tool, opened = tags
    written = []
    for turn in result.turns:
        if turn.reply is not None:
            written.append(f"{row}{turn.number}{html.escape(turn.reply.text)}")
        for one in turn.results:
            name, given = html.escape(one.call.name), html.escape(one.call.arguments)
            written.append(f"{tool}{name} {given}")
            written.append(f"{opened}{name}{given}{html.escape(one.content)}")
    return "".join(written)


def tags_of(page: str) -> list[str]:
    """The tags of a reply's row, of a call's, and of what stands behind it."""
    rows = re.findall(r"<tr.*?</tr>", page.split("<tbody", 1)[1], re.DOTALL)
    opened = re.findall(r"<details.*?</details>", page, re.DOTALL)
    return ["".join(re.findall(r"<[^>]*>", one)) for one in (rows[1], rows[2], opened[0])]


def cpu(act: Callable[[], Any]) -> float:
    """CPU seconds of the best of many repetitions."""
    best = float("inf")
    for _ in range(AGAIN):
        began = time.process_time()
        act()
        best = min(best, time.process_time() - began)
    return best


def main() -> None:
    """Measure, and print it."""
    result = asyncio.run(played())
    page = views.html(result)
    texts, tags = pieces(page), tags_of(page)
    assert html.unescape(joined(texts)) == html.unescape(page)
    gc.disable()
    costs = {
        "bare": cpu(lambda: joined(texts)),
        "ours": cpu(lambda: views.html(result)),
        "bare, whole": cpu(lambda: whole(result, tags)),
    }
    print(json.dumps({system: {"cpu": cost} for system, cost in costs.items()}))


if __name__ == "__main__":
    main()
