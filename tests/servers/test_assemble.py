"""Assembly: one completion of the chunks of a stream, whatever shape they come in."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes_nb import codec
from hermes_nb.servers.assemble import Assembly, Piece
from hermes_nb.servers.sse import Frames

ADD = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a": 2, "b": 3}'}}
MUL = {"id": "c2", "type": "function", "function": {"name": "mul", "arguments": '{"a": 4}'}}


def chunk(delta: Any, **choice: Any) -> dict[str, Any]:
    return {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, **choice}]}


def assembled(*chunks: dict[str, Any]) -> dict[str, Any]:
    assembly = Assembly()
    kept = copy.deepcopy(chunks)
    for one in chunks:
        assembly.add(one)
    assert chunks == kept, "a chunk is the caller's"
    return assembly.body()


def message(*deltas: Any) -> dict[str, Any]:
    found = assembled(*map(chunk, deltas))["choices"][0]["message"]
    assert isinstance(found, dict)
    return found


def calls(*entries: Any) -> list[dict[str, Any]]:
    """The calls that come of entries which arrive one chunk each; a list is the entries of one chunk."""
    deltas = [{"tool_calls": one if isinstance(one, list) else [one]} for one in entries]
    return [dict(one) for one in message({"role": "assistant"}, *deltas)["tool_calls"]]


def part(index: int | None = None, *, id: Any = None, name: Any = None, arguments: Any = None) -> dict[str, Any]:
    """A piece of a call, with what is said of it."""
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    entry = {"index": index, "id": id} if id is not None else {"index": index}
    return {**{key: value for key, value in entry.items() if value is not None}, "function": function}


def called(*entries: Any) -> list[tuple[Any, Any, Any]]:
    return [(one.get("id"), one["function"].get("name"), one["function"].get("arguments")) for one in calls(*entries)]


WHOLE = [("c1", "add", '{"a": 2}'), ("c2", "mul", '{"a": 4}')]
NO_IDS = [(None, name, arguments) for _, name, arguments in WHOLE]


@pytest.mark.parametrize(
    ("told", "entries", "found"),
    [
        (
            "as OpenAI sends them",
            [part(0, id="c1", name="add", arguments=""), part(0, arguments='{"a"'), part(0, arguments=": 2}"),
             part(1, id="c2", name="mul", arguments=""), part(1, arguments='{"a": 4}')],
            WHOLE,
        ),
        ("the first index is 1", [part(1, id="c1", name="add", arguments='{"a": 2}'),
                                  part(2, id="c2", name="mul", arguments='{"a": 4}')], WHOLE),
        (
            "several whole calls in one chunk",
            [[part(0, id="c1", name="add", arguments='{"a": 2}'), part(1, id="c2", name="mul", arguments='{"a": 4}')]],
            WHOLE,
        ),
        ("without index, by id", [part(id="c1", name="add", arguments='{"a"'),
                                  part(id="c2", name="mul", arguments='{"a"'),
                                  part(id="c1", arguments=": 2}"), part(id="c2", arguments=": 4}")], WHOLE),
        ("without index, the id first only", [part(id="c1", name="add"), part(arguments='{"a"'), part(arguments=": 2}"),
                                              part(id="c2", name="mul"), part(arguments='{"a": 4}')], WHOLE),
        ("without index and ids, each whole",
         [part(name="add", arguments='{"a": 2}'), part(name="mul", arguments='{"a": 4}')], NO_IDS),
        ("without index and ids, all in one chunk",
         [[part(name="add", arguments='{"a": 2}'), part(name="mul", arguments='{"a": 4}')]], NO_IDS),
        ("without index, ids or arguments", [part(name="now"), part(name="today")],
         [(None, "now", None), (None, "today", None)]),
        ("all of them index 0 and no ids, as Ollama's",
         [[part(0, name="add", arguments='{"a": 2}')], [part(0, name="mul", arguments='{"a": 4}')]], NO_IDS),
        ("the same call twice, index 0 and no ids, in one chunk",
         [[part(0, name="add", arguments='{"a": 2}'), part(0, name="add", arguments='{"a": 2}')]], [NO_IDS[0]] * 2),
        ("the same call twice, index 0 and no ids, in two chunks",
         [part(0, name="add", arguments='{"a": 2}'), part(0, name="add", arguments='{"a": 2}')], [NO_IDS[0]] * 2),
        ("the same call twice, index 0, no ids and no arguments, in one chunk",
         [[part(0, name="now"), part(0, name="now")]], [(None, "now", None)] * 2),
        ("the same index with a new id", [part(0, id="c1", name="add", arguments='{"a": 2}'),
                                          part(0, id="c2", name="mul", arguments='{"a"'),
                                          part(0, arguments=": 4}")], WHOLE),
        ("ids on every piece", [part(0, id="c1", name="add"), part(0, id="c1", arguments='{"a"'),
                                part(0, id="c1", arguments=": 2}")], WHOLE[:1]),
        ("another id on every piece, and no name after the first", [part(0, id="c1", name="add"),
                                                                   part(0, id="x", arguments='{"a"'),
                                                                   part(0, id="y", arguments=": 2}")], WHOLE[:1]),
        ("empty ids after the first", [part(0, id="c1", name="add"), part(0, id="", arguments='{"a": 2}')], WHOLE[:1]),
        ("an id that comes late", [part(0, name="add", arguments='{"a"'),
                                   part(0, id="c1", arguments=": 2}")], WHOLE[:1]),
        ("no ids at all", [part(0, name="add", arguments='{"a"'), part(0, arguments=": 2}")], NO_IDS[:1]),
        ("empty names after the first", [part(0, id="c1", name="add"),
                                         part(0, name="", arguments='{"a": 2}')], WHOLE[:1]),
        ("names on every piece", [part(0, id="c1", name="add", arguments=""), part(0, name="add", arguments='{"a"'),
                                  part(0, name="add", arguments=": 2}")], WHOLE[:1]),
        ("name and id on every piece", [part(0, id="c1", name="add", arguments=""),
                                        part(0, id="c1", name="add", arguments='{"a": 2}')], WHOLE[:1]),
        ("a name in pieces", [part(0, id="c1", name="a"), part(0, name="dd"),
                              part(0, arguments='{"a": 2}')], WHOLE[:1]),
        ("a name that grows", [part(0, id="c1", name="a"), part(0, name="add"),
                               part(0, arguments='{"a": 2}')], WHOLE[:1]),
        ("a name that never comes", [part(0, id="c1", arguments='{"a": 2}')], [("c1", None, '{"a": 2}')]),
        ("the whole call once more at the end", [part(0, id="c1", name="add", arguments='{"a": 2}'),
                                                part(0, id="c1", name="add", arguments='{"a": 2}')], WHOLE[:1]),
        ("pieces of two calls by turns", [part(0, id="c1", name="add"), part(1, id="c2", name="mul"),
                                          part(0, arguments='{"a"'), part(1, arguments='{"a"'),
                                          part(1, arguments=": 4}"), part(0, arguments=": 2}")], WHOLE),
        ("the second call begins first", [part(1, id="c2", name="mul"), part(0, id="c1", name="add"),
                                          part(0, arguments='{"a": 2}'), part(1, arguments='{"a": 4}')], WHOLE),
        ("arguments as an object", [part(0, id="c1", name="add", arguments={"a": 2})], [("c1", "add", {"a": 2})]),
        ("arguments null", [{"index": 0, "id": "c1", "function": {"name": "add", "arguments": None}}],
         [("c1", "add", None)]),
        ("entries that are none", [None, [None], [part(0, id="c1", name="add", arguments='{"a": 2}')]], WHOLE[:1]),
    ],
)  # fmt: skip
def test_calls_are_told_apart_and_put_together(told: str, entries: list[Any], found: list[Any]) -> None:
    assert called(*entries) == found


def test_what_else_a_call_carries_is_kept() -> None:
    signed = {"google": {"thought_signature": "s1g"}}
    [one] = calls({**part(0, id="c1", name="f"), "type": "function", "extra_content": signed}, part(0, arguments="{}"))

    assert one == {
        "id": "c1",
        "type": "function",
        "extra_content": signed,
        "function": {"name": "f", "arguments": "{}"},
    }


def test_a_custom_call_keeps_its_form() -> None:
    entries = [{"index": 0, "id": "c1", "type": "custom", "custom": {"name": "run", "input": "ls"}},
               {"index": 0, "custom": {"input": " -l"}}]  # fmt: skip

    assert calls(*entries) == [{"id": "c1", "type": "custom", "custom": {"name": "run", "input": "ls -l"}}]


def test_a_legacy_function_call_is_put_together() -> None:
    found = message({"function_call": {"name": "add", "arguments": '{"a"'}}, {"function_call": {"arguments": ": 2}"}})

    assert found["function_call"] == {"name": "add", "arguments": '{"a": 2}'}


def test_text_and_parts_after_calls_are_kept() -> None:
    found = message({"content": "I'll "}, {"tool_calls": [{"index": 0, **ADD}]}, {"content": "add."},
                    {"content": [{"type": "image_url", "image_url": {"url": "data:x"}}]})  # fmt: skip

    assert found["content"] == [
        {"type": "text", "text": "I'll add."},
        {"type": "image_url", "image_url": {"url": "data:x"}},
    ]
    assert found["tool_calls"] == [ADD]


def test_parts_of_content_go_on_where_they_are_text() -> None:
    thinking = [{"type": "thinking", "thinking": [{"type": "text", "text": "h"}]}]
    more = [{"type": "thinking", "thinking": [{"type": "text", "text": "m"}]}]
    found = message(
        {"content": thinking}, {"content": more}, {"content": [{"type": "text", "text": "a"}]}, {"content": "b"}
    )

    assert found["content"] == [
        {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
        {"type": "text", "text": "ab"},
    ]


def test_reasoning_details_go_on_by_index_until_they_are_signed() -> None:
    def detail(**fields: Any) -> dict[str, Any]:
        return {"reasoning_details": [{"type": "reasoning.text", "format": "f", "index": 0, **fields}]}

    locked = {"type": "reasoning.encrypted", "data": "x", "index": 0}
    found = message(detail(text="a"), detail(text="b"), detail(signature="s"), detail(text="c"),
                    {"reasoning_details": [locked]}, {"reasoning_details": [locked]})  # fmt: skip

    assert found["reasoning_details"] == [
        {"type": "reasoning.text", "format": "f", "index": 0, "text": "ab", "signature": "s"},
        {"type": "reasoning.text", "format": "f", "index": 0, "text": "c"},
        locked,
        locked,
    ]


def test_a_field_that_says_the_same_again_says_it_once_and_unknown_text_grows() -> None:
    found = message({"role": "assistant", "channel": "analysis", "lyrics": "la "}, {"role": "", "channel": "analysis"},
                    {"lyrics": "li", "role": None})  # fmt: skip

    assert (found["role"], found["channel"], found["lyrics"]) == ("assistant", "analysis", "la li")


def test_an_item_that_is_sent_again_with_more_is_one_item() -> None:
    first = {"index": 0, "type": "search", "arguments": "{}", "results": []}
    found = message({"executed_tools": [first]}, {"executed_tools": [{**first, "output": "found", "results": [1]}]})

    assert found["executed_tools"] == [{**first, "output": "found", "results": [1]}]


def test_an_empty_role_is_the_assistants() -> None:
    assert message({"role": "", "content": "Hi"})["role"] == "assistant"


@pytest.mark.parametrize(
    "odd", [{}, {"choices": []}, {"choices": None}, chunk(None), {"choices": [None]}, chunk("text")]
)
def test_a_chunk_that_says_nothing_changes_nothing(odd: dict[str, Any]) -> None:
    whole = chunk({"content": "Hi"}, finish_reason="stop")

    assert assembled(odd, whole, odd)["choices"][0]["message"] == {"role": "assistant", "content": "Hi"}


def test_another_choice_is_left_out() -> None:
    second = {"index": 1, "delta": {"content": "no"}, "finish_reason": "length"}
    body = assembled({"choices": [{"index": 0, "delta": {"content": "yes"}}, second]}, {"choices": [second]})

    assert body["choices"] == [{"index": 0, "message": {"role": "assistant", "content": "yes"}, "finish_reason": None}]


def test_usage_on_any_chunk_counts_by_what_was_said_last() -> None:
    body = assembled(
        {**chunk({"content": "a"}), "usage": {"prompt_tokens": 5, "completion_tokens": None}},
        {**chunk({"content": "b"}), "usage": {"prompt_tokens": 5, "completion_tokens": 1}},
        {"choices": [], "usage": {"completion_tokens": 2, "total_tokens": 7}},
        {**chunk({}, finish_reason="stop"), "usage": None},
    )

    assert body["usage"] == {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}


def test_fields_of_the_body_and_of_the_choice_are_kept_whoever_knows_them() -> None:
    body = assembled(
        {"id": "", "object": "", "choices": [], "prompt_filter_results": [1]},
        {
            **chunk({"content": "a"}, logprobs={"content": [1]}, token_ids=[7]),
            "id": "x",
            "x_groq": {"id": "r", "seed": 1},
        },
        {**chunk({}, finish_reason="stop", logprobs={"content": [2]}, token_ids=[8]), "x_groq": {"usage": {"n": 1}}},
    )

    assert {name: body[name] for name in ("id", "object", "prompt_filter_results", "x_groq")} == {
        "id": "x", "object": "chat.completion", "prompt_filter_results": [1],
        "x_groq": {"id": "r", "seed": 1, "usage": {"n": 1}},
    }  # fmt: skip
    choice = body["choices"][0]
    assert (choice["logprobs"], choice["token_ids"], choice["finish_reason"]) == ({"content": [1, 2]}, [7, 8], "stop")


def test_a_whole_message_stands_for_all_that_came_before_it() -> None:
    whole = {"role": "assistant", "content": "Hello", "annotations": []}
    body = assembled(chunk({"content": "Hel"}), {"choices": [{"index": 0, "message": whole, "finish_reason": "stop"}]})

    assert body["choices"][0]["message"] == whole


def test_a_completion_in_one_piece_is_what_it_was() -> None:
    body = {"id": "x", "object": "chat.completion", "usage": None, "odd": [1],
            "choices": [{"index": 0, "message": {"role": "assistant", "content": None, "tool_calls": [ADD, ADD]},
                         "finish_reason": "tool_calls", "logprobs": None}]}  # fmt: skip

    assert assembled(body) == body


def test_the_pieces_say_what_is_new_as_it_comes() -> None:
    assembly = Assembly()
    deltas: list[Any] = [
        {"role": "assistant", "content": ""}, {"reasoning": "h", "reasoning_details": [{"text": "h"}]},
        {"content": "a", "tool_calls": [part(0, id="c1", name="add")]}, {"tool_calls": [part(0, arguments="{}")]},
    ]  # fmt: skip

    assert [piece for delta in deltas for piece in assembly.add(chunk(delta))] == [
        Piece("reasoning", "h"),
        Piece("text", "a"),
        Piece("call", "", 0, "c1", "add"),
        Piece("call", "{}", 0, "c1", "add"),
    ]


# Any reply, in any chunks

TEXTS = st.text(alphabet=st.sampled_from('aé😀 \n{}":,1'), max_size=12)
NAMES = st.sampled_from(["add", "mul", "get_weather", "add2"])
OBJECTS = st.dictionaries(st.sampled_from("abc"), st.one_of(st.integers(0, 99), TEXTS, st.none()), max_size=3)


@st.composite
def replies(draw: st.DrawFn) -> dict[str, Any]:
    """A message as a server sends it in one piece."""
    found: dict[str, Any] = {"role": "assistant", "content": draw(TEXTS)}
    for name in draw(st.sets(st.sampled_from(["reasoning_content", "reasoning", "refusal"]))):
        found[name] = draw(TEXTS.filter(bool))
    if draw(st.booleans()):
        found["channel"] = "final"
    arguments = OBJECTS.map(lambda value: codec.dumps(value).decode())
    made = [
        {"id": f"c{number}", "type": "function", "function": {"name": draw(NAMES), "arguments": draw(arguments)}}
        for number in range(draw(st.integers(0, 3)))
    ]
    return {**found, "tool_calls": made} if made else found


def cut(draw: st.DrawFn, text: str) -> list[str]:
    """The text in pieces, some of which are empty."""
    places = sorted(draw(st.lists(st.integers(0, len(text)), max_size=4)))
    return [text[start:end] for start, end in zip([0, *places], [*places, len(text)], strict=True)]


@st.composite
def call_parts(draw: st.DrawFn, number: int, one: dict[str, Any], style: str) -> list[dict[str, Any]]:
    """A call in the pieces that servers of this style send."""
    name, arguments = one["function"]["name"], one["function"]["arguments"]
    texts = cut(draw, arguments)
    always: dict[str, Any] = {} if style in ("no index", "whole, no index") else {"index": number}
    if style == "first index 1":
        always = {"index": number + 1}
    if style in ("whole", "whole, no index"):
        return [{**always, **one}]
    if style == "whole, index 0":
        return [{"index": 0, **one}]
    if style == "an object":
        return [{**always, **one, "function": {"name": name, "arguments": codec.loads(arguments)}}]
    again = {
        "ids repeated": {"id": one["id"]}, "ids empty": {"id": ""}, "ids change": {"id": f"other{number}"},
        "no index": {"id": one["id"]} if draw(st.booleans()) else {},
    }.get(style, {})  # fmt: skip
    named = {"names repeated": name, "names empty": ""}.get(style)
    function = {} if named is None else {"name": named}
    first = [{**always, **one, "function": {"name": name, "arguments": texts[0]}}]
    if style == "names in pieces":
        first = [
            {**always, **one, "function": {"name": name[:1]}},
            {**always, "function": {"name": name[1:], "arguments": texts[0]}},
        ]
    return [*first, *({**always, **again, "function": {**function, "arguments": text}} for text in texts[1:])]


STYLES = ("plain", "first index 1", "no index", "whole", "whole, no index", "whole, index 0", "an object",
          "ids repeated", "ids empty", "ids change", "names repeated", "names empty", "names in pieces")  # fmt: skip


@st.composite
def streams(draw: st.DrawFn) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A message, and the chunks some server may send it in."""
    whole = draw(replies())
    style = draw(st.sampled_from(STYLES))
    told = [("role", ["assistant"]), *((name, cut(draw, text)) for name, text in whole.items() if name in GROW)]
    deltas = [{name: piece} for name, pieces in told for piece in pieces]
    parts = [draw(call_parts(number, one, style)) for number, one in enumerate(whole.get("tool_calls", ()))]
    entries = [part for call in parts for part in call]
    if style in ("plain", "ids repeated", "names repeated", "names empty", "first index 1") and draw(st.booleans()):
        entries = by_turns(draw, parts)
    if entries and style.startswith("whole") and draw(st.booleans()):
        called: list[dict[str, Any]] = [{"tool_calls": entries}]
    else:
        called = [{"tool_calls": [entry]} for entry in entries]
    together = by_turns(draw, [deltas, called])
    label = {"channel": "final"} if "channel" in whole else {}
    noise = [{"choices": []}, chunk(None), {"choices": [{"index": 1, "delta": {"content": "no"}}]}]
    chunks = [one for delta in together for one in [*draw(st.lists(st.sampled_from(noise), max_size=1)),
                                                    chunk({**delta, **label})]]  # fmt: skip
    if style == "an object":
        for one in whole["tool_calls"] if parts else ():
            one["function"]["arguments"] = codec.loads(one["function"]["arguments"])
    return whole, [*chunks, chunk({}, finish_reason="stop")]


GROW = ("content", "reasoning_content", "reasoning", "refusal")


def by_turns(draw: st.DrawFn, rows: list[list[Any]]) -> list[Any]:
    """What is in the rows, mixed, each row in its order."""
    order = draw(st.permutations([number for number, row in enumerate(rows) for _ in row]))
    left = [iter(row) for row in rows]
    return [next(left[number]) for number in order]


@given(streams(), st.sampled_from(["\n", "\r\n", "\r"]), st.booleans(), st.integers(1, 400))
def test_any_reply_in_any_legal_or_observed_chunks_and_bytes_assembles_to_the_same_message(
    stream: tuple[dict[str, Any], list[dict[str, Any]]], line_end: str, commented: bool, size: int
) -> None:
    whole, chunks = stream
    comment = f": keep alive{line_end * 2}" if commented else ""
    sent = b"".join(f"{comment}data:{codec.dumps(one).decode()}{line_end * 2}".encode() for one in chunks)
    reading = Frames()
    frames = [frame for at in range(0, len(sent), size) for frame in reading.feed(sent[at : at + size])]

    found = assembled(*(codec.loads(frame.data) for frame in [*frames, *reading.end()]))

    assert found["choices"] == [{"index": 0, "message": whole, "finish_reason": "stop"}]
