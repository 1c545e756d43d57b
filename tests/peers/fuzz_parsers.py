"""Runs in an environment with atheris: texts that reach new branches of the parsers, for as many seconds as are asked.

python -m tests.peers.fuzz_parsers 60
"""

from __future__ import annotations

import sys
import tempfile
from itertools import pairwise
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["hermes_nb.parsers"]):
    from hermes_nb import parsers

NAMES = parsers.names()
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "search",
            "parameters": {
                "type": "object",
                "properties": {
                    name: {"type": kind}
                    for name, kind in (
                        ("text", "string"),
                        ("count", "integer"),
                        ("flag", "boolean"),
                        ("held", "object"),
                    )
                },
            },
        },
    }
]
CALLS = [("search", {"text": 'a "b" é\n', "count": 1, "flag": True, "held": {"x": [1, None, {"y": "z"}]}})] * 2
HANGS_SECONDS = 5
LONGEST = 600


def once(data: bytes) -> None:
    """One text, read by one parser at once and in chunks: it raises nothing, and comes to the same."""
    given = atheris.FuzzedDataProvider(data)
    name = NAMES[given.ConsumeIntInRange(0, len(NAMES) - 1)]
    cuts = sorted(given.ConsumeIntListInRange(4, 0, LONGEST))
    text = given.ConsumeBytes(LONGEST).decode("utf-8", "replace")
    parsed = parsers.get_parser(name, TOOLS).parse(text)
    parser = parsers.get_parser(name, TOOLS)
    for start, end in pairwise([0, *(min(cut, len(text)) for cut in cuts), len(text)]):
        parser.feed(text[start:end])
    assert parser.finish() == parsed, (name, cuts, text)
    places = sorted((one.start, one.end) for one in (*parsed.calls, *parsed.problems))
    assert all(end <= start for (_, end), (start, _) in pairwise(places)), (name, text, places)


def begun(folder: Path) -> list[str]:
    """What the search begins with: every format's calls, and its marks as words to build from."""
    corpus, words = folder / "corpus", folder / "words"
    corpus.mkdir()
    marks = {mark for one in parsers.FORMATS.values() for mark in one.marks.marks}
    for number, name in enumerate(NAMES):
        if name != "auto":
            text = parsers.get_parser(name, TOOLS).render(CALLS)
            # What numbers are made of is taken from the end of the data.
            (corpus / name).write_bytes(text.encode()[:LONGEST] + bytes(8) + bytes([number]))
    told = ("".join(f"\\x{byte:02x}" for byte in mark.encode()) for mark in sorted(marks))
    words.write_text("".join(f'"{one}"\n' for one in told))
    return [str(corpus), f"-dict={words}"]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        bounds = [f"-max_total_time={sys.argv[1]}", f"-timeout={HANGS_SECONDS}", f"-max_len={LONGEST + 16}", "-seed=1"]
        atheris.Setup([sys.argv[0], *begun(Path(place)), *bounds, f"-artifact_prefix={place}/"], once)
        atheris.Fuzz()
