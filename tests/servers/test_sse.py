"""Frames: server-sent events, however the bytes of them were cut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes_nb.servers.sse import Frame, Frames

PLAIN = 'data: {"é": "😀"}\n\ndata: two\n\n'.encode()
BOTH = [Frame('{"é": "😀"}'.encode()), Frame(b"two")]


def frames(*pieces: bytes) -> list[Frame]:
    """What comes of bytes that arrive in these pieces."""
    reading = Frames()
    return [frame for piece in pieces for frame in reading.feed(piece)] + reading.end()


@pytest.mark.parametrize(
    ("told", "received", "found"),
    [
        ("two events", PLAIN, BOTH),
        ("lines that end in CRLF", PLAIN.replace(b"\n", b"\r\n"), BOTH),
        ("lines that end in CR", PLAIN.replace(b"\n", b"\r"), BOTH),
        ("data without a space", b"data:x\n\n", [Frame(b"x")]),
        ("data with two spaces", b"data:  x\n\n", [Frame(b" x")]),
        ("data over several lines", b"data: {\ndata: }\n\n", [Frame(b"{\n}")]),
        ("comments", b": hello\n\ndata: x\n: in between\n\n:\n\n", [Frame(b"x")]),
        ("an event with a name", b"event: error\ndata: x\n\ndata: y\n\n", [Frame(b"x", b"error"), Frame(b"y")]),
        ("fields that mean nothing here", b"id: 7\nretry: 9\nfoo: bar\ndata: x\n\n", [Frame(b"x")]),
        ("events without data", b"event: ping\n\ndata: x\n\n", [Frame(b"x")]),
        ("empty data", b"data:\n\ndata\n\n", [Frame(b""), Frame(b"")]),
        ("a byte order mark", b"\xef\xbb\xbfdata: x\n\n", [Frame(b"x")]),
        ("no blank line at the end", b"data: x\n\ndata: y", [Frame(b"x"), Frame(b"y")]),
        ("more blank lines than needed", b"\n\n\ndata: x\n\n\n\n", [Frame(b"x")]),
        ("nothing", b"", []),
    ],
)
def test_F12_frames_are_read_as_the_standard_says(told: str, received: bytes, found: list[Frame]) -> None:
    assert frames(received) == found
    assert frames(*(received[at : at + 1] for at in range(len(received)))) == found


@given(
    st.lists(st.text(alphabet="ab é😀\u2028:", max_size=6), min_size=1, max_size=5),
    st.sampled_from([b"\n", b"\r\n", b"\r"]),
    st.booleans(),
    st.lists(st.integers(0, 200), max_size=8),
    st.booleans(),
)
def test_F12_bytes_cut_anywhere_give_the_same_frames(
    texts: list[str], line_end: bytes, spaced: bool, cuts: list[int], commented: bool
) -> None:
    data = [text.encode() for text in texts]
    fields = [b"data: " + one if spaced or one.startswith(b" ") else b"data:" + one for one in data]
    lines = [line for field in fields for line in [*[b": a comment"] * commented, field, b""]]
    received = b"".join(line + line_end for line in lines)
    places = sorted({0, len(received), *(cut for cut in cuts if cut < len(received))})

    assert frames(*(received[start:end] for start, end in pairwise(places))) == [Frame(one) for one in data]


def test_a_frame_is_given_as_soon_as_it_is_whole() -> None:
    reading = Frames()

    assert reading.feed(b"data: x\r") == []
    assert reading.feed(b"\n\r") == [Frame(b"x")]
    assert reading.feed(b"\ndata: y\n") == []
    assert reading.feed(b"\n") == [Frame(b"y")]


def test_a_long_line_in_many_pieces_is_put_together_once() -> None:
    piece = b"x" * 1000

    assert frames(b"data: ", *[piece] * 2000, b"\n\n") == [Frame(piece * 2000)]
