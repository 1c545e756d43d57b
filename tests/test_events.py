"""One stream: folding it gives the result, whole or so far."""

from __future__ import annotations

from typing import Any

import pytest

from hermes_nb import events
from hermes_nb.events import (
    CallFinished,
    CallStarted,
    Delta,
    Event,
    Replied,
    RunFinished,
    RunStarted,
    TurnFinished,
    TurnStarted,
    Unknown,
    fold,
)
from hermes_nb.records import Origin, Reply, RunError, ToolCall, ToolResult, Usage

ADD = ToolCall(name="add", arguments="{}", id="c1", turn=1, index=0)
MUL = ToolCall(name="mul", arguments="{}", id="c2", turn=1, index=1)
ASKED = {"role": "assistant", "content": "", "tool_calls": [{"id": "c1"}, {"id": "c2"}]}
SAID = {"role": "assistant", "content": "done"}


def stream(*parts: tuple[type[Event], dict[str, Any]]) -> list[Event]:
    """Events in a row, numbered as a run numbers them: a Delta does not count."""
    counted = [seq - sum(kind is Delta for kind, _ in parts[:seq]) for seq in range(len(parts))]
    return [kind(run_id="r", seq=counted[at], at=float(at), **fields) for at, (kind, fields) in enumerate(parts)]


RUN = stream(
    (RunStarted, {"messages": ({"role": "user", "content": "?"},), "task": "t", "attempt": 2, "server": {"model": "m"},
                  "origin": Origin(kind="follow_up", run_id="q"), "meta": {"k": 1}}),
    (TurnStarted, {"turn": 1}),
    (Replied, {"turn": 1, "reply": Reply(message=ASKED, calls=(ADD, MUL), usage=Usage(prompt=5))}),
    (CallStarted, {"turn": 1, "call": ADD}),
    (CallStarted, {"turn": 1, "call": MUL}),
    (CallFinished, {"turn": 1, "result": ToolResult(call=MUL, content="6")}),
    (CallFinished, {"turn": 1, "result": ToolResult(call=ADD, content="5")}),
    (TurnFinished, {"turn": 1, "model_seconds": 1.0, "tool_seconds": 2.0}),
    (TurnStarted, {"turn": 2, "added_messages": ({"role": "user", "content": "hurry"},)}),
    (Delta, {"turn": 2, "text": "do"}),
    (Replied, {"turn": 2, "reply": Reply(message=SAID, text="done", usage=Usage(prompt=9))}),
    (TurnFinished, {"turn": 2, "model_seconds": 1.0}),
    (RunFinished, {"stop_reason": "finished", "seconds": 12.0}),
)  # fmt: skip


def test_the_fold_of_a_run_is_its_result_with_answers_in_call_order() -> None:
    result = fold(RUN)
    assert result.messages == [
        {"role": "user", "content": "?"},
        ASKED,
        {"role": "tool", "tool_call_id": "c1", "content": "5"},
        {"role": "tool", "tool_call_id": "c2", "content": "6"},
        {"role": "user", "content": "hurry"},
        SAID,
    ]
    assert (result.stop_reason, result.turns_used, result.seconds, result.usage.prompt) == ("finished", 2, 12.0, 14)
    assert (result.task, result.attempt, result.meta, result.run_id) == ("t", 2, {"k": 1}, "r")
    assert [turn.number for turn in result.turns] == [1, 2]
    assert result.turns[0].tool_seconds == 2.0
    assert result.provenance is not None
    assert result.provenance.server == {"model": "m"}


@pytest.mark.parametrize("length", range(1, len(RUN)))
def test_every_beginning_of_a_stream_folds_to_a_result_so_far(length: int) -> None:
    part = fold(RUN[:length])
    assert part.stop_reason == "running"
    whole = fold(RUN)
    assert part.turns_used <= whole.turns_used
    assert [r.call.id for r in part.results] == [
        r.call.id for r in whole.results if r.call.id in {p.call.id for p in part.results}
    ]


def test_a_gap_in_the_stream_is_damage() -> None:
    with pytest.raises(ValueError, match="event 3 is missing"):
        fold([*RUN[:3], *RUN[4:]])


def test_a_stream_that_does_not_begin_at_the_beginning_is_refused() -> None:
    with pytest.raises(ValueError, match="begins with RunStarted"):
        fold(stream((TurnStarted, {"turn": 1})))
    with pytest.raises(ValueError, match="no events"):
        fold([])


def test_a_failed_turn_counts_and_says_why() -> None:
    error = RunError(type="APIConnectionError", message="refused")
    result = fold(
        stream(
            (RunStarted, {}),
            (TurnStarted, {"turn": 1}),
            (TurnFinished, {"turn": 1}),
            (RunFinished, {"stop_reason": "server_error", "error": error}),
        )
    )
    assert (result.turns_used, result.turns[0].reply, result.error) == (1, None, error)
    assert result.reasoning_per_turn == []


def test_a_rewritten_history_takes_the_place_of_the_old_one() -> None:
    result = fold(stream((RunStarted, {"messages": ({"role": "user", "content": "long"},)}),
                         (TurnStarted, {"turn": 1, "rewritten": ({"role": "user", "content": "short"},)})))  # fmt: skip
    assert result.messages == [{"role": "user", "content": "short"}]


def test_folding_twice_gives_equal_results() -> None:
    assert fold(RUN) == fold(RUN)


def test_an_event_of_a_kind_that_nobody_knows_counts_and_changes_nothing() -> None:
    with_it = stream(
        (RunStarted, {"messages": ({"role": "user", "content": "?"},)}),
        (TurnStarted, {"turn": 1}),
        (Unknown, {"kind": "Pondered", "fields": {"x": 1}}),
        (Replied, {"turn": 1, "reply": Reply(message=SAID, text="done")}),
    )

    assert fold(with_it).messages == [*fold(with_it[:2]).messages, SAID]
    with pytest.raises(ValueError, match="event 2 is missing"):
        fold([*with_it[:2], *with_it[3:]])


def test_every_event_carries_the_fields_of_the_design() -> None:
    wanted = {
        "RunStarted": "started_at task_id task attempt origin server sampling tools toolbox_hash limits messages meta "
        "versions",
        "TurnStarted": "request added_messages rewritten",
        "Delta": "part index id name text",
        "Replied": "reply",
        "CallStarted": "call",
        "CallFinished": "result",
        "TurnFinished": "model_seconds tool_seconds",
        "RunFinished": "stop_reason error seconds abandoned managed_state",
    }
    for name, fields in wanted.items():
        assert set(events.KINDS[name].__dataclass_fields__) == {
            "run_id",
            "seq",
            "at",
            "turn",
            "unread",
            *fields.split(),
        }
