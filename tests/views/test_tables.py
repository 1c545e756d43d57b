"""Many runs, their errors, and two runs beside each other."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes_nb import views
from hermes_nb.messages import user
from hermes_nb.records import AgentResult, RunError
from hermes_nb.redact import Redactor
from hermes_nb.views.markup.tables import end_column
from hermes_nb.views.rows import Comparison, Errors, Table, compared, errors, ready, table
from hermes_nb.views.rows.compared import word_diff
from hermes_nb.views.rows.legible import Lens
from tests.views.attacks import ALL, HIDDEN, attacked
from tests.views.runs import Script, invoices
from tests.views.test_html import checked

LENS = Lens(Redactor())


def run(*turns: Any, task: str | None = "t", attempt: int = 0, stop: str = "finished") -> AgentResult:
    """A run of turns: text, or (tool, arguments, result) with an error's kind after it."""
    script = Script(user("Go."), task=task, attempt=attempt)
    for turn in turns:
        if isinstance(turn, str):
            script.ask(turn).done()
            continue
        name, given, content, *kind = turn
        script.ask("", (name, given))
        script.answer(content, error=(kind[0], content) if kind else None).done()
    return script.end(stop)


def seats(flight: int) -> tuple[str, dict[str, int], str, str]:
    return ("book", {"flight": flight}, f"Error: no seats on flight HAT{flight}", "reported")


# Errors


def drawn_errors(*results: AgentResult) -> Errors:
    return errors(list(results), LENS)


def test_errors_that_differ_in_numbers_only_are_one_group_the_largest_first() -> None:
    first = run(seats(290), seats(17), ("look", {}, "KeyError: 'x'", "exception"))
    shown = drawn_errors(first, run(seats(3)), run("Fine."))

    assert [(group.count, group.runs, group.tool, group.kind, group.said) for group in shown.groups] == [
        (3, 2, "book", "reported", "Error: no seats on flight HAT…"),
        (1, 1, "look", "exception", "KeyError: 'x'"),
    ]
    assert (shown.title, shown.where.split(",")[0]) == ("✗ 4 errors", "in 2 of 3 runs")
    assert shown.facts == (
        "4 calls",
        "100.0 % failed",
        "2 groups",
        "kind reported 3",
        "kind exception 1",
        "fault tool 4",
    )


def test_what_the_model_did_next_is_counted_in_words() -> None:
    results = [
        run(seats(1), "Sorry."),
        run(seats(2), "No."),
        run(seats(3), seats(3)),
        run(seats(4), ("book", {"flight": 5}, "ok")),
        run(seats(6), ("think", {}, "hm")),
    ]
    [group] = drawn_errors(*results).groups

    assert group.next == "2 told the user, 1 made the same call again, 1 run ended, 1 tried again"


def test_an_error_is_shown_with_all_that_belongs_to_it() -> None:
    script = Script(task="t").ask("", ("divide", {"a": 1, "b": 0}))
    told = '{"error": "ZeroDivisionError"}'
    script.answer(told, error=("exception", told), traceback="Traceback:\n  in divide").done()
    result = script.ask("", ("divide", {"a": 1, "b": 2})).answer("0.5").done().ask("Half.").done().end()
    drawn = views.text(views.errors(result, tracebacks=True)).split("\n")

    start = next(number for number, line in enumerate(drawn) if "turn 1" in line)
    assert drawn[start:] == [
        "     t, turn 1 · kind exception, fault tool",
        "     arguments, as the model wrote them",
        '     │ {"a":1,"b":0}',
        "     the tool said",
        '     │ {"error": "ZeroDivisionError"}',
        "     the model saw the same 30 characters",
        "     traceback",
        "     │ Traceback:",
        "     │   in divide",
        "     then turn 2 calls divide: 1, 2 ✓ ok",
        "          turn 3 says: Half.",
    ]


def test_tracebacks_name_files_and_are_shown_on_request_only() -> None:
    result = Script().ask("", ("add", {})).answer("no", error=("exception", "no"), traceback="File here").done().end()

    assert "File here" not in views.html(views.errors(result)) + views.text(views.errors(result))
    assert "File here" in views.html(views.errors(result, tracebacks=True))


def test_what_the_model_saw_is_told_where_it_is_not_what_the_tool_said() -> None:
    script = Script().ask("", ("add", {})).answer("It failed, try again.", error=("exception", "ValueError: no"))
    drawn = views.text(views.errors(script.done().end()))

    assert "     │ ValueError: no\n     the model saw these 21 characters\n     │ It failed, try again.\n" in drawn


def test_no_errors_are_a_line() -> None:
    assert views.text(views.errors(run("Fine."))).split("\n") == [
        "0 errors · hermes-4, 1 task",
        "0 calls",
    ]
    assert "0 errors" in checked(views.html(views.errors([]))).text


def test_the_first_example_of_the_first_groups_is_open() -> None:
    results = [run(*[(f"tool{number}", {}, f"{number} no", "exception")] * 2) for number in range(5)]
    page = checked(views.html(views.errors(results)))

    opened = [bool(given) for name, given in page.elements if name == "details"]
    assert opened == [True, False] * 3 + [False, False] * 2


@pytest.mark.parametrize(("kind", "told"), [("reported", []), ("timeout", ["reported", "timeout"])])
def test_kind_and_fault_stand_in_a_row_where_not_all_errors_have_the_same(kind: str, told: list[str]) -> None:
    page = checked(views.html(views.errors([run(seats(1), ("look", {}, "No.", kind))])))
    table, _ = page.text.split("the only one", 1)

    assert re.findall(r"kind (\w+), fault", table) == told


# Many runs


def drawn_runs(*results: AgentResult, **more: Any) -> Table:
    return table(list(results), LENS, **more)


def test_runs_stand_in_a_table_with_those_that_failed_most_first() -> None:
    calm, wrong = run("Fine.", task="a"), run(seats(1), seats(2), task="b", attempt=1, stop="max_turns")

    assert [(row.index, row.title, row.ended, row.errors) for row in drawn_runs(calm, wrong).rows] == [
        (1, "b · 1", "max turns", 2),
        (0, "a · 0", "finished", 0),
    ]
    assert [row.index for row in drawn_runs(calm, wrong, by="given").rows] == [0, 1]


def test_a_run_is_told_with_its_scores_and_its_first_error() -> None:
    scored = replace(run(seats(290), task="a"), scores={"exact": 0.5, "note": "none"}, seconds=61.0)
    failed = replace(run(task="b", stop="server_error"), error=RunError(type="E", message="Wrong key."))
    one, other = drawn_runs(scored, failed).rows

    assert (one.time, one.scores, one.problem) == ("1:01", ("0.5", "–"), "Error: no seats on flight HAT290")
    assert (other.glyph, other.scores, other.problem, other.tokens) == ("✗", ("–", "–"), "Wrong key.", "–")


def test_the_head_of_a_table_says_what_the_runs_come_to() -> None:
    results = [
        replace(run(*turns, task=task, attempt=attempt), scores={"ok": float(attempt)})
        for task, turns in (("a", ["Fine."]), ("b", [seats(1)]))
        for attempt in (0, 1)
    ]
    shown = drawn_runs(*results)

    assert (shown.title, shown.names) == ("4 runs", ("hermes-4", "2 tasks × 2"))
    assert shown.facts == ("4 finished", "ok mean 0.5", "2 calls", "✗ 2 errors in 2 runs")


def test_a_list_of_runs_is_shown_as_a_table() -> None:
    results = [run("Fine.", task="a"), run(seats(1), task="b")]

    assert views.text(results) == views.text(views.runs(results))
    assert views.text(results).split("\n") == [
        "2 runs · hermes-4 · 2 tasks",
        "2 finished · 1 call · ✗ 1 error in 1 run",
        "─" * 80,
        "task, attempt ended      turns calls errors tokens    time  first error",
        "b · 0         ✓ finished     1     1    ✗ 1     ~3   4.5 s  Error: no seats on…",
        "a · 0         ✓ finished     1     0      0     ~1   4.5 s",
    ]


def test_no_time_has_a_column_in_the_text_where_none_is_known() -> None:
    results = [replace(run(seats(1), task="b"), seconds=0.0)]

    assert views.text(results).split("\n")[-2:] == [
        "task, attempt ended      turns calls errors tokens  first error",
        "b · 0         ✓ finished     1     1    ✗ 1     ~3  Error: no seats on flight H…",
    ]


@pytest.mark.parametrize(
    ("stop", "column"), [("max_turns", "ended"), ("interrupted", "status"), ("too_many_errors", "ending")]
)
def test_the_column_of_endings_is_as_wide_as_they_are(stop: str, column: str) -> None:
    assert end_column(drawn_runs(run("Fine."), run("Fine.", stop=stop)).rows) == column


def test_each_row_of_a_table_opens_its_run() -> None:
    page = checked(views.html(views.runs([run(seats(1), task="b"), run("Fine.", task="a")])))

    assert [name for name, _ in page.elements].count("details") == 2
    assert page.text.count("no seats on flight HAT1") == 2


@pytest.mark.parametrize("count", [0, 1, 500])
def test_any_number_of_runs_has_a_bounded_form(count: int) -> None:
    results = [run(seats(number), "x" * 500, task=f"task {number}") for number in range(count)]
    fragment = views.html(results)

    assert len(fragment.encode()) <= 200_000
    assert ("cut here: " in checked(fragment).text) == (count == 500)
    assert len(views.markdown(results)) <= 65_536
    assert len(views.text(results).split("\n")) <= 70


def test_the_order_must_be_one_there_is_and_a_run_a_run() -> None:
    with pytest.raises(TypeError, match="a run is wanted"):
        views.runs([1])  # type: ignore[list-item]
    with pytest.raises(TypeError, match="a run is wanted, or several"):
        views.errors(1)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="a run is wanted"):
        views.compare(invoices(), [invoices()])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="sorted by one of errors, turns"):
        views.runs([], by="luck")  # type: ignore[arg-type]


# Two runs


def drawn(a: AgentResult, b: AgentResult) -> Comparison:
    return compared(a, b, LENS)


def signs(shown: Comparison) -> list[tuple[str, int | None, int | None]]:
    return [(pair.sign, pair.a and pair.a.turn, pair.b and pair.b.turn) for pair in shown.pairs]  # type: ignore[misc]


LOOK, READ = ("look", {"id": 1}, "one"), ("read", {"id": 2}, "two")


def test_the_same_run_twice_has_no_difference() -> None:
    shown = drawn(invoices(), invoices())

    assert (shown.title, shown.first) == ("No difference", None)
    assert {pair.sign for pair in shown.pairs} == {"="}


def test_a_call_that_only_one_run_makes_is_the_first_difference() -> None:
    shown = drawn(run("Hello.", LOOK, READ, "Done."), run("Hi.", READ, "Done."))

    assert (shown.title, shown.sentence) == ("First difference: turn 2", "A calls look, B does not")
    assert signs(shown) == [("≠", 1, 1), ("−", 2, None), ("=", 3, 2), ("=", 4, 3)]
    assert shown.facts == ("= 2", "≠ 1", "− only in A 1", "+ only in B 0")


def test_a_difference_is_told_from_the_side_that_has_it() -> None:
    shown = drawn(run(READ), run(LOOK, READ))

    assert (shown.title, shown.sentence) == ("First difference: turn 1 of B", "B calls look, A does not")
    assert drawn(run(READ), run(LOOK)).sentence == "A calls read, B calls look"


def test_the_same_tool_with_other_arguments_is_a_pair() -> None:
    shown = drawn(run(("look", {"id": 1, "deep": True}, "x")), run(("look", {"id": 2, "deep": True}, "x")))

    assert (shown.sentence, signs(shown)) == ("both call look, with other arguments", [("≠", 1, 1)])
    assert [(piece.sign, piece.text) for piece in shown.pairs[0].a_words if piece.sign != "="] == [("−", "1")]


def test_the_same_call_with_another_result_differs() -> None:
    shown = drawn(run(LOOK), run(("look", {"id": 1}, "other")))

    assert (shown.sentence, shown.pairs[0].label) == ("both call look, with other results", "results")


def test_where_the_calls_are_the_same_words_are_the_first_difference() -> None:
    shown = drawn(run(LOOK, "It is one."), run(LOOK, "It is two."))

    assert (shown.title, shown.sentence) == ("First difference: turn 2", "the calls are the same, the words are not")


def test_a_difference_in_words_is_marked_by_signs_in_every_form() -> None:
    view = views.compare(
        run("There are not enough seats on the flight you asked for."),
        run("There aren't enough seats on the flight you asked for."),
    )

    assert "A │ There [− are not] enough seats on the flight you asked for." in views.text(view)
    assert "B │ There [+ aren't] enough seats on the flight you asked for." in views.text(view)
    assert "There − are not enough" in checked(views.html(view)).text
    assert "There <b>&#91;+ aren't&#93;</b> enough" in views.markdown(view)


def test_the_first_texts_that_have_words_in_common_are_open() -> None:
    seated, unseated = "There are seats left on that flight.", "There are no seats left on that flight."
    view = views.compare(run("I see.", LOOK, seated), run("Nothing else.", ("look", {"id": 2}, "one"), unseated))
    page = checked(views.html(view))

    assert [bool(given) for name, given in page.elements if name == "details"] == [False, True, False]


words = st.text("ab \n", max_size=60)


@given(words, words)
def test_word_diffs_hold_both_texts(a: str, b: str) -> None:
    of_a, of_b = word_diff(a, b)

    assert "".join(piece.text for piece in of_a) == a
    assert "".join(piece.text for piece in of_b) == b
    assert {piece.sign for piece in of_a} <= {"=", "−"}
    assert {piece.sign for piece in of_b} <= {"=", "+"}


turns = st.lists(st.sampled_from([LOOK, READ, seats(1), "Hello.", "Bye."]), max_size=8)


@given(turns, turns)
def test_every_call_and_reply_of_both_runs_has_one_place_in_order(a: list[Any], b: list[Any]) -> None:
    shown = drawn(run(*a), run(*b))

    assert [pair.a.turn for pair in shown.pairs if pair.a] == list(range(1, len(a) + 1))
    assert [pair.b.turn for pair in shown.pairs if pair.b] == list(range(1, len(b) + 1))
    assert all(pair.a and pair.b for pair in shown.pairs if pair.sign in "=≠")
    assert (shown.first is None) == (a == b)


def test_two_long_runs_are_compared_within_bounds() -> None:
    one = run(*[("look", {"id": number}, "x" * 3000) for number in range(400)])
    other = run(*[("look", {"id": number}, "y" * 3000) for number in range(400)])
    view = views.compare(one, other)

    assert len(views.html(view).encode()) <= 200_000
    assert "cut here: " in views.html(view)
    assert len(views.markdown(view)) <= 65_536


# All of them


@pytest.mark.parametrize("attack", ALL.values(), ids=ALL)
def test_an_attack_in_every_field_is_shown_as_text(attack: str) -> None:
    result = attacked(attack)
    result = replace(result, scores={attack: 1}, task=attack)
    for view in (views.errors([result]), views.runs([result]), views.compare(result, invoices())):
        assert not HIDDEN & set(checked(views.html(view)).text)
        assert not HIDDEN & set(views.text(view))


def test_no_key_is_shown() -> None:
    key = "sk-or-v1-" + "0123456789abcdef" * 4
    result = replace(attacked(f"the key is {key}"), scores={key: 1})
    for view in (views.errors(result), views.runs([result]), views.compare(result, invoices())):
        assert "sk-or" not in views.html(view) + views.text(view) + views.markdown(view)


def test_views_show_themselves_and_have_a_stable_repr() -> None:
    results = [run(seats(1), task="a"), run("Fine.", task="b")]
    shown = [views.errors(results), views.runs(results), views.compare(*results)]

    assert [repr(view) for view in shown] == [
        "View(Errors(✗ 1 error · 1 group))",
        "View(Table(2 runs))",
        "View(Comparison(First difference: turn 1))",
    ]
    for view in shown:
        assert view._repr_mimebundle_() == {"text/plain": views.text(view), "text/html": views.html(view)}
        assert str(view) == views.text(view)


def test_records_are_ready_for_json() -> None:
    import json

    for record in (drawn_errors(invoices()), drawn_runs(invoices(), opened=1), drawn(invoices(), run(LOOK))):
        assert json.loads(json.dumps(ready(record)))
