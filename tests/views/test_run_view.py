"""The live view's Python side: what a window is told of a run, and what it may ask."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hermes_nb as hn
from hermes_nb.events import Delta, Event, Fold
from hermes_nb.messages import user
from hermes_nb.records import AgentResult, RunError
from hermes_nb.servers.scripted import call
from hermes_nb.views.rows import ledger
from hermes_nb.views.run import requests
from hermes_nb.views.run.feed import PACE_SECONDS, Feed
from tests.views.runs import ANSWER, Script, invoices, invoices_script

STATIC = Path(hn.views.__file__).with_name("static")
WAYS = (
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|srcdoc|\bimport\b|https?:|"
    r"fetch\(|XMLHttpRequest|WebSocket|createContextualFragment|DOMParser|setHTML|\.href|\.src\b|localStorage|cookie"
)
"""What a script of a view has no use for."""
SECRET = "sk-or-v1-" + "0123456789abcdef" * 4


class Playing:
    """A run of these events, told one by one."""

    def __init__(self, events: list[Event], begun: int = 1) -> None:
        self.folded, self.left, self.observers = Fold(), list(events), list[Any]()
        self.stopped = 0
        for _ in range(begun):
            self.folded.add(self.left.pop(0))

    @property
    def result(self) -> AgentResult:
        return self.folded.result()

    def observe(self, observer: Any) -> AgentResult:
        self.observers.append(observer)
        return self.result

    def forget(self, observer: Any) -> None:
        self.observers.remove(observer)

    def stop(self) -> None:
        self.stopped += 1

    def go(self, number: int = 1) -> None:
        for _ in range(number):
            event = self.left.pop(0)
            self.folded.add(event)
            for observer in list(self.observers):
                observer(event)


class Window:
    """What a window knows: every message, and the run as they draw it."""

    def __init__(self, run: Any, *, asks: bool = True, **how: Any) -> None:
        self.told: list[dict[str, Any]] = []
        self.feed = Feed(run, **how)
        self.feed.connect(self.told.append)
        if asks:
            self.ask("rows")

    def ask(self, kind: str, **more: Any) -> dict[str, Any]:
        """The answer to a request, which is the last message."""
        self.feed.hear({"ask": kind, **more})
        return self.told[-1] if self.told else {}

    @property
    def rows(self) -> dict[str, dict[str, Any]]:
        rows: dict[str, dict[str, Any]] = {}
        for message in self.told:
            rows |= {row["i"]: row for row in message.get("rows", ())}
        return rows

    @property
    def head(self) -> dict[str, Any]:
        head: dict[str, Any] = {}
        for message in self.told:
            head |= message.get("head", {})
        return head

    @property
    def size(self) -> int:
        return len(json.dumps(self.told))


def test_a_run_that_is_over_is_told_whole_when_a_window_asks() -> None:
    window = Window(invoices(), asks=False)
    assert window.told == []
    window.ask("rows")

    [message] = window.told
    drawn = ledger(invoices(), opened=())
    assert (message["do"], message["head"]["state"]) == ("all", ["✓", "finished"])
    assert message["head"]["answer"] == [ANSWER, ""]
    assert [row.get("g", row.get("x")) for row in message["rows"]] == [
        row.text.text if row.text else row.gist for row in drawn.rows
    ]


def test_a_run_that_was_watched_all_along_and_one_that_is_opened_late_are_the_same() -> None:
    playing = Playing(invoices_script().events)
    early = Window(playing)
    playing.go(len(playing.left))
    late = Window(invoices())

    assert {key: row for key, row in early.rows.items() if "l" not in row} == late.rows
    assert {name: value for name, value in early.head.items() if name != "clock"} == late.head


@given(st.integers(min_value=1, max_value=30))
def test_a_window_that_opens_at_any_moment_comes_to_the_same(begun: int) -> None:
    events = invoices_script().events
    playing = Playing(events, begun=min(begun, len(events) - 1))
    window = Window(playing)
    playing.go(len(playing.left))

    assert window.rows == Window(invoices()).rows
    assert window.head["facts"] == Window(invoices()).head["facts"]


def test_a_result_of_a_run_that_went_on_is_shown_as_it_was_and_does_not_move() -> None:
    script = Script().ask("", ("divide", {"a": 1}))
    window = Window(script.result())

    assert window.head["state"] == ["●", "running"]
    assert window.head["going"] is False
    assert "clock" not in window.head
    assert not any("l" in row for row in window.rows.values())


def test_what_goes_on_says_so_and_when_it_began() -> None:
    script = Script(limits={"max_turns": 30})
    script.ask("", ("divide", {"a": 1}))
    playing = Playing(script.events, begun=2)
    window = Window(playing)
    assert window.rows["1.model"]["s"] == ["…", "running"]
    assert window.head["note"] == "No answer yet. Turn 1: the model is asked."
    playing.go()
    window.feed.flush()

    assert window.rows["1.call0"]["s"] == ["…", "running"]
    assert window.rows["1.call0"]["l"] == 1
    assert window.head["state"] == ["●", "running"]
    assert [fact[1] + fact[2] for fact in window.head["facts"][:2]] == ["1 turn of 30", "1 call"]
    assert window.head["note"] == "No answer yet. Turn 1: divide at work."


def test_news_come_at_most_ten_times_a_second_and_none_is_lost() -> None:
    script = Script()
    for number in range(200):
        script.ask(f"Step {number}.", (f"tool{number}", {})).answer("ok").done()
    script.end()
    playing = Playing(script.events)
    window = Window(playing)
    playing.go(len(playing.left) - 1)
    before = len(window.told)
    playing.go()

    # One at once, and whatever a tenth of a second has room for; the last one at the end.
    assert before <= 3 + 10
    assert len(window.told) == before + 1
    assert len(window.rows) == 401
    assert PACE_SECONDS == 0.1


def test_F53_what_is_sent_of_a_turn_does_not_grow_with_the_run() -> None:
    def sent(turns: int) -> int:
        script = Script()
        for number in range(turns):
            script.ask(f"Step {number}.", (f"tool{number % 7}", {"n": number})).answer("x" * 5000).done()
        playing = Playing(script.events)
        window = Window(playing)
        playing.go(len(playing.left) - 4)
        window.feed.flush()
        before = window.size
        playing.go(4)
        window.feed.flush()
        return window.size - before

    # On a busy machine a turn may go in two messages, where it goes in one: the least of a few is that one.
    short, long = (min(sent(turns) for _ in range(4)) for turns in (10, 500))

    assert long < 1500
    assert long < short * 1.3  # numbers have more digits


def test_turns_that_are_alike_are_folded_while_the_run_goes_on() -> None:
    script = Script()
    for number in range(5):
        script.ask("", ("read", {"path": f"{number}.txt"})).answer("ok").done()
    script.ask("Read.").done().end()
    playing = Playing(script.events)
    window = Window(playing)
    playing.go(len(playing.left))

    last = [fold for message in window.told for fold in message.get("folds", ())][-1]
    assert (last["first"], last["last"]) == ("1.model", "5.call0")
    assert [row["t"] for row in last["rows"] if "t" in row] == ["1–5"]
    assert last["rows"][1]["a"] == "read ×5"


def test_a_long_row_of_turns_that_are_alike_is_told_as_in_the_other_forms_at_the_price_of_one() -> None:
    script = Script()
    for number in range(300):
        script.ask("", ("read", {"path": f"{number}.txt"}), seconds=0.25).answer("four", seconds=0.5).done()
    script.ask("Read.").done().end()
    [fold] = Window(script.result()).told[0]["folds"]
    drawn = ledger(script.result(), opened=()).rows[1:3]

    assert [row["a"] for row in fold["rows"][1:]] == [drawn[1].name] == ["read ×300"]
    assert [(row["d"], row["k"]) for row in fold["rows"]] == [(row.time, row.tokens) for row in drawn]
    assert (fold["rows"][0]["t"], fold["rows"][0]["g"]) == (drawn[0].turn, drawn[0].gist)
    assert fold["rows"][1]["g"] == drawn[1].gist


def test_calls_of_one_turn_that_are_alike_are_folded_when_it_is_over() -> None:
    script = Script().ask("", *(("read", {"path": f"{number}.txt"}) for number in range(4)))
    for number in range(4):
        script.answer("ok", number)
    script.done().ask("Read.").done().end()

    [fold] = Window(script.result()).told[0]["folds"]

    assert (fold["first"], fold["last"], fold["rows"][0]["a"]) == ("1.call0", "1.call3", "read ×4")


def test_A29_a_reply_is_shown_while_it_is_written_without_the_word_that_may_become_a_secret() -> None:
    script = Script().unanswered()
    playing = Playing(script.events, begun=2)
    window = Window(playing)
    for piece in ("The key is ", SECRET[:20], SECRET[20:]):
        playing.left = [Delta(run_id="run", seq=2, turn=1, text=piece)]
        playing.go()
        window.feed.flush()
        assert SECRET[:20] not in json.dumps(window.told)
    playing.left = [Delta(run_id="run", seq=2, turn=1, text=" and so on")]
    playing.go()
    window.feed.flush()

    row = window.rows["1.model"]
    assert row["g"].startswith("The key is [redacted:")
    assert row["s"] == ["…", "writing"]
    assert row["k"].startswith("~")
    body = window.ask("open", id="1.model")
    assert "sk-or" not in json.dumps(body)


def test_what_is_behind_a_row_is_told_when_it_is_asked_for() -> None:
    window = Window(invoices())

    body = window.ask("open", id="3.call0")

    labels = [part["label"] for part in body["parts"]]
    assert labels == ["arguments", "error", "result", "model saw", "kind"]
    assert body["parts"][1]["text"] == "ZeroDivisionError: float division by zero"
    assert body["parts"][4]["told"] == "exception, fault tool, call call_3_0"


def test_a_long_text_is_told_in_pages_that_make_the_whole() -> None:
    text = "\n".join(f"{number}: {'x' * (number % 50)}" for number in range(4000))
    window = Window(Script().ask("", ("read", {})).answer(text).done().end())
    part = window.ask("open", id="1.call0")["parts"][1]
    pages, at = [part["text"]], part["next"]
    assert part["text"].count("\n") < 20
    while at is not None:
        page = window.ask("more", id="1.call0", part=1, at=at, raw=False)
        pages.append(page["text"])
        assert len(page["text"]) <= 16_000
        at = page.get("next")

    assert "".join(pages) == text


def test_arguments_are_laid_out_or_as_they_were_sent() -> None:
    sent = json.dumps({"rows": [{"name": f"name {number}", "value": number} for number in range(8)]})
    window = Window(Script().ask("", ("write", sent)).answer("ok").done().end())

    laid_out = window.ask("open", id="1.call0")["parts"][0]
    raw = window.ask("more", id="1.call0", part=0, at=0, raw=True)

    assert laid_out["laid"] is True
    assert laid_out["text"].startswith("{\n")
    assert raw["text"] == sent


def test_a_terminals_colours_are_kept_beside_the_text() -> None:
    window = Window(Script().ask("", ("run", {})).answer("\x1b[31mred\x1b[0m plain").done().end())

    part = window.ask("open", id="1.call0")["parts"][1]

    assert (part["text"], part["colours"]) == ("red plain", ((0, 3, "ansi-red-fg"),))


def test_a_colour_stands_where_a_script_counts_it_whose_letters_beyond_the_first_plane_are_two() -> None:
    window = Window(Script().ask("", ("run", {})).answer("\U0001f600 \x1b[31mred\x1b[0m plain").done().end())

    part = window.ask("open", id="1.call0")["parts"][1]

    assert part["colours"] == ((3, 6, "ansi-red-fg"),)


def test_V14_what_is_copied_is_the_text_as_it_is_stored_without_its_secrets() -> None:
    window = Window(Script().ask("", ("env", {})).answer(f"odd \u202e {SECRET}").done().end())

    copied = window.ask("copy", id="1.call0", part=1)["text"]

    assert copied.startswith("odd \u202e [redacted:")
    assert window.ask("copy", id="1.call0", part=-1)["text"].startswith("arguments\n{}\n\nresult\nodd")


def test_a_request_that_failed_is_a_failure_among_the_facts() -> None:
    error = RunError(type="AuthenticationError", message="Wrong key.", status=401)
    facts = Window(Script().unanswered().end("server_error", error=error, seconds=0.2)).head["facts"]

    assert facts == [["", "1", " turn"], ["", "0", " calls"], [" ", "401", " after 0 retries"], ["", "0.2 s", ""]]


def test_V16_rows_are_found_by_what_is_behind_them_but_not_by_a_secret() -> None:
    window = Window(Script().ask("", ("env", {})).answer(f"Needle in hay, {SECRET}").done().end())

    assert [row for row, _ in window.ask("find", text="needle")["ids"]] == ["1.call0"]
    assert window.ask("find", text=SECRET[:30])["ids"] == []


def test_a_row_that_is_found_by_what_is_behind_it_tells_the_words_around_it() -> None:
    hay = "hay " * 2000
    window = Window(Script().ask("", ("env", {})).answer(f"{hay}a \u202e needle and {SECRET} {hay}").done().end())

    [(_, around)] = window.ask("find", text="NEEDLE")["ids"]

    assert around.startswith("… hay hay a ⟦U+202E⟧ needle and [redacted:")
    assert len(around) <= 102


def test_A27_no_secret_is_in_anything_a_window_is_told() -> None:
    script = Script(user(SECRET), task=SECRET, server={"model": SECRET})
    script.ask(SECRET, (SECRET, {SECRET: SECRET}), reasoning=SECRET)
    script.answer(SECRET, error=("exception", SECRET), printed=SECRET, traceback=SECRET).done()
    script.ask(SECRET).done().end()
    window = Window(script.result())
    for key in window.rows:
        window.ask("open", id=key)
        window.ask("copy", id=key, part=-1)

    assert SECRET[9:] not in json.dumps(window.told)


NO_REQUESTS: list[Any] = [
    None, 1, "stop", [], {}, {"ask": "run"}, {"ask": ["rows"]}, {"ask": "rows", "more": 1}, {"ask": "open"},
    {"ask": "open", "id": 1}, {"ask": "open", "id": "../x"}, {"ask": "open", "id": "x" * 100}, {"ask": "__class__"},
    {"ask": "find", "text": "x" * 201}, {"ask": "more", "id": "1.model", "part": 0, "at": -1, "raw": False},
    {"ask": "more", "id": "1.model", "part": True, "at": 0, "raw": False}, {"ask": "copy", "id": "1.model", "part": -2},
    {"ask": "edit", "question": "x", "text": "x" * 100_001}, {"ask": "approve", "question": ""},
]  # fmt: skip


@pytest.mark.parametrize("content", NO_REQUESTS, ids=lambda content: repr(content)[:40])
def test_A39_what_is_no_request_is_not_heard(content: Any) -> None:
    window = Window(Playing(invoices_script().events), asks=False)
    window.feed.hear(content)

    assert requests.heard(content) is None
    assert window.told == []


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.text(max_size=5)
        | st.sampled_from(["rows", "stop", "open", "id"]),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["ask", "id", "part", "x"]), inner),
        max_leaves=6,
    )
)
def test_A39_a_window_can_say_anything_without_an_error(content: Any) -> None:
    window = Window(invoices())
    window.feed.hear(content)

    assert len(window.told) <= 2


def test_A39_a_row_that_is_not_there_has_nothing_behind_it() -> None:
    window = Window(invoices())

    for key in ("99.model", "1.call7", "0.message9", "answer.x", "1.tool0", "0.call0"):
        assert window.ask("open", id=key).get("parts", []) == []
    assert window.ask("more", id="99.model", part=0, at=0, raw=False)["part"] == 0


def test_stop_reaches_the_run_once_it_goes_on_and_never_after() -> None:
    playing = Playing(invoices_script().events)
    window = Window(playing)
    window.ask("stop")
    assert playing.stopped == 1
    playing.go(len(playing.left))
    window.ask("stop")

    assert playing.stopped == 1


def test_V15_a_view_opens_at_a_turn_or_a_call_that_is_there() -> None:
    feed = Feed(invoices())

    assert (feed.place("4"), feed.place("2.2")) == ("4.model", "2.call1")
    for nowhere in ("0", "7", "2.3", "2.0", "x", "", "2.x"):
        with pytest.raises(ValueError, match="nothing at"):
            feed.place(nowhere)


def test_a_window_that_is_closed_lets_go_of_the_run() -> None:
    playing = Playing(invoices_script().events)
    window = Window(playing)
    window.feed.close()
    before = len(window.told)
    playing.go(len(playing.left))

    assert playing.observers == []
    assert len(window.told) == before


async def test_a_live_run_is_watched_to_its_end() -> None:
    server = hn.ScriptedServer([[call("add", a=2, b=3)], "It is 5."])
    run = hn.HermesAgentLoop(server, tools=[add]).start("What is 2 + 3?")
    window = Window(run)
    ended: list[AgentResult] = []
    window.feed.when_over(ended.append)
    result = await run

    assert ended == [result]
    assert window.head["state"] == ["✓", "finished"]
    assert window.head["answer"] == ["It is 5.", ""]
    assert window.rows["1.call0"]["g"].endswith("→ 5")


async def test_a_run_that_is_stopped_from_a_window_says_so() -> None:
    started = asyncio.Event()

    async def hang() -> str:
        """Hang."""
        started.set()
        await asyncio.Event().wait()
        return ""

    run = hn.HermesAgentLoop(hn.ScriptedServer([[call("hang")]]), tools=[hang]).start("Hang.")
    window = Window(run)
    await started.wait()
    await asyncio.to_thread(window.ask, "stop")
    result = await run

    assert result.stop_reason == "interrupted"
    assert window.head["state"] == ["⊘", "interrupted"]
    assert window.rows["1.call0"]["s"] == ["✗", "cancelled"]


def test_the_widget_holds_nothing_of_the_run_in_its_state_and_says_what_it_shows() -> None:
    pytest.importorskip("anywidget")
    view = hn.views.live(invoices())
    try:
        state = json.dumps(
            {name: repr(value) for name, value in view.get_state().items() if name not in ("_esm", "_css")}
        )
        shown, _ = view._repr_mimebundle_()
        assert "195" not in state
        assert repr(view) == f"RunView({invoices()!r})"
        assert {"text/plain", "text/html", "application/vnd.jupyter.widget-view+json"} <= shown.keys()
    finally:
        view.close()


def test_F54_views_that_are_closed_leave_no_widgets() -> None:
    pytest.importorskip("anywidget")
    from ipywidgets.widgets import widget

    before = len(widget._instances)
    views = [hn.views.live(invoices()) for _ in range(20)]
    assert len(widget._instances) >= before + 20
    for view in views:
        view.close()

    assert len(widget._instances) == before


def test_S1_the_script_writes_text_only_and_asks_the_network_for_nothing() -> None:
    script = (STATIC / "run.js").read_text(encoding="utf-8")
    style = (STATIC / "run.css").read_text(encoding="utf-8")

    assert re.findall(WAYS, script) == []
    assert re.findall(r"url\(|@import|https?:|#[0-9a-fA-F]{3,8}\b", style) == []
    assert len(script.encode()) < 40 * 1024


def test_showing_nothing_imports_no_widgets() -> None:
    import subprocess

    code = (
        "import sys, hermes_nb as hn; hn.views.text(hn.AgentResult(messages=[])); hn.HermesAgentLoop; "
        "print([name for name in ('anywidget', 'ipywidgets', 'IPython') if name in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert told.stdout.strip() == "[]"


def add(a: int, b: int) -> int:
    """Add two whole numbers."""
    return a + b
