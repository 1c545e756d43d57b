"""How long a browser takes until the live view of a long run is painted, and prints it as one line of JSON.

python -m benchmarks.paint

`bare` builds a `<table>` of the same rows, the same text in each: one element a cell, no style, nothing that can be
opened. `ours` is the live view's own script and style, told of the run as the kernel tells it. Both begin in a page
that was just opened, and end when the frame that shows them has been made. Of more than 500 rows ours paints a page of
200 and its buttons; the table paints them all. Needs Chromium (`CHROMIUM` names it) and playwright.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import statistics
from importlib.resources import files
from typing import Any

import hermes_nb as hn
from benchmarks.pages import find, look
from hermes_nb.records import AgentResult
from hermes_nb.servers.scripted import call
from hermes_nb.views.run.feed import Feed

SIZES = (500, 1000, 5000)
CALLS = 9
AGAIN = 5
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-gpu-vsync", "--disable-frame-rate-limit",
]  # fmt: skip

PAINTED = """() => new Promise(done => requestAnimationFrame(() => {
  const after = new MessageChannel();
  after.port1.onmessage = () => done(performance.now());
  after.port2.postMessage(null);
}))"""
BARE = (
    """async told => {
  const painted = """
    + PAINTED
    + """;
  const began = performance.now(), table = document.createElement("table");
  for (const { rows } of told) for (const row of rows) {
    const line = table.insertRow();
    const what = [row.a, row.g ?? row.x, row.m, row.p].filter(Boolean).join(" ");
    for (const text of [row.t, row.w, what, (row.s ?? []).join(" "), row.d, row.k])
      line.insertCell().textContent = text ?? "";
  }
  document.body.append(table);
  return [await painted() - began, document.querySelectorAll("tr").length];
}"""
)
OURS = (
    """async told => {
  const painted = """
    + PAINTED
    + """;
  const { default: widget } = await import(window.script);
  const one = widget(), el = document.body.appendChild(document.createElement("div"));
  let hear;
  const model = { on: (kind, act) => { if (kind === "msg:custom") hear = act; }, send: () => {} };
  const began = performance.now();
  one.initialize({ model });
  one.render({ model, el });
  for (const message of told) {
    hear(message);
    await new Promise(next => { setTimeout(next); });
  }
  return [await painted() - began, document.querySelectorAll(".hnb li").length];
}"""
)
SCRIPT = "source => { window.script = URL.createObjectURL(new Blob([source], { type: 'text/javascript' })); }"


async def played(rows: int) -> AgentResult:
    """A run of so many rows: the question, then replies, each with its calls, no two alike in a row."""
    calls = [call("find" if number % 2 else "look", what=f"thing {number}") for number in range(rows)]
    script, left = [], rows - 1
    while left > 1:
        now = min(left - 1, CALLS)
        script.append([calls.pop() for _ in range(now)])
        left -= now + 1
    loop = hn.HermesAgentLoop(hn.ScriptedServer(script), tools=[look, find], max_turns=len(script))
    return await loop.run("Look.")


def told(run: AgentResult) -> list[dict[str, Any]]:
    """The messages that a window gets which has asked for the run."""
    messages: list[dict[str, Any]] = []
    feed = Feed(run)
    feed.connect(messages.append)
    feed.hear({"ask": "rows"})
    return messages


def chromium() -> str:
    """The browser's program; LookupError where there is none."""
    names = [os.environ.get("CHROMIUM"), *BROWSERS]
    found = next((path for name in names if name and (path := shutil.which(name))), None)
    if found is None:
        raise LookupError("no Chromium found: install it, or name it in CHROMIUM")
    return found


def measure(program: str) -> dict[str, dict[str, float]]:
    """Milliseconds until painted, by system and number of rows, and how many rows were drawn."""
    from playwright.sync_api import sync_playwright

    static = files("hermes_nb.views") / "static"
    script, style = ((static / f"run.{kind}").read_text(encoding="utf-8") for kind in ("js", "css"))
    systems = {"bare": BARE, "ours": OURS}
    costs: dict[str, dict[str, float]] = {system: {} for system in systems}
    runs = {size: told(asyncio.run(played(size))) for size in SIZES}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        for size, messages in runs.items():
            assert sum(len(message["rows"]) for message in messages) == size
            spent: dict[str, list[float]] = {system: [] for system in systems}
            for _ in range(AGAIN):
                for system, act in systems.items():
                    page = browser.new_page(viewport={"width": 1000, "height": 800})
                    page.evaluate(SCRIPT, script)
                    if system == "ours":
                        page.add_style_tag(content=style)
                    took, drawn = page.evaluate(act, messages)
                    page.close()
                    spent[system].append(took)
                    costs[system][f"{size} drawn"] = drawn
            costs |= {system: costs[system] | {str(size): statistics.median(spent[system])} for system in systems}
        browser.close()
    return costs


def main() -> None:
    """Measure, and print it; the reason, where it cannot be measured here."""
    try:
        print(json.dumps(measure(chromium())))
    except (LookupError, ModuleNotFoundError) as error:
        print(json.dumps({"skipped": str(error)}))


if __name__ == "__main__":
    main()
