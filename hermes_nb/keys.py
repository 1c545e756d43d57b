"""What keys look like in text: model servers' and hosts' API keys, tokens, JWTs, PEM blocks, passwords in addresses.

A shape is told by a cheap sign first, and every stretch of text is read once, so the time is linear in the text and
ordinary text costs next to nothing. Ordinary hyphenated words, hashes and UUIDs have none of these shapes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple


class Span(NamedTuple):
    """A secret in a text: where it stands, what it is, and the label of its kind."""

    start: int
    end: int
    value: str
    label: str


class Shape(NamedTuple):
    """One kind of secret, by the label of its markers.

    `rare` is the rarest letter of its `sign`, which follows; where the two are not found, the secret is not there.
    `pattern` takes in the longest stretch that may be one (or the part named `at`), and `looks` judges the stretch, so
    that no stretch is read twice.
    """

    label: str
    rare: str
    sign: str
    pattern: re.Pattern[str]
    looks: Callable[[str], bool]

    def find(self, piece: str) -> list[Span]:
        """Every secret of this kind."""
        found = ((one, one.lastgroup or 0) for one in self.pattern.finditer(piece))
        return [Span(*one.span(part), one[part], self.label) for one, part in found if self.looks(one[part])]


def find(piece: str) -> list[Span]:
    """Every secret that can be told by its shape or its place, in no order; spans may overlap."""
    spans: list[Span] = []
    for rare, sign, shapes in SIGNS:
        if rare in piece and sign.search(piece):
            spans += [span for shape in shapes for span in shape.find(piece)]
    return spans


def suspect(text: str) -> bool:
    """Whether `find` may find something in a text that this is the JSON of: what JSON escapes is in no sign."""
    for rare, sign, _ in SIGNS:
        if rare in text and rare != "@" and sign.search(text):
            return True
    return "@" in text and "://" in text and ADDRESS.search(text) is not None


def label(value: str) -> str:
    """What kind of secret a whole value is; `secret` where its shape does not tell."""
    return next((span.label for span in find(value) if span.value == value), "secret")


def mixed(value: str) -> bool:
    """Letters in both cases, or letters and digits: written by a machine."""
    return not (value.islower() or value.isupper()) or any(letter.isdigit() for letter in value)


def _random(value: str) -> bool:
    """Holds a stretch that no hyphenated words have: 8 letters and digits with a digit, or 20 of any kind."""
    runs = re.findall("[A-Za-z0-9]{8,}", value)
    return any(len(run) >= 20 or any(letter.isdigit() for letter in run) for run in runs)


def _two_parts(value: str) -> bool:
    return "." in value[:-1]


def _no_placeholder(value: str) -> bool:
    return PLACEHOLDER.fullmatch(value) is None


def _always(value: str) -> bool:
    return True


PLACEHOLDER = re.compile(r"\*+|\.+|x+|(?=[A-Z]*_)[A-Z_]+|\$?\{.*|\$[A-Z_]+|(?i:your[-_].*)|%s")


def _after(start: str) -> str:
    """Just after a start that is not inside a word, `\\n` of JSON text aside: `risk-averse` holds no key."""
    return rf"(?<={start})(?:(?<![A-Za-z0-9]{start})|(?<=\\[nrtbf]{start}))"


def _starting(start: str) -> str:
    return start + _after(start)


SET = r"""["'\\]{0,4}\s{0,4}[:=,]\s{0,4}b?["'\\]{0,4}"""
"""Between a header's name and its value, in a header, in JSON, in JSON inside JSON, in a repr."""

AT = r"(?P<at>[\w.~+/=-]{8,})"

PEM_EDGE = "-----{} [A-Z0-9 ]{{0,40}}PRIVATE KEY(?: BLOCK)?-----"
PEM = (
    PEM_EDGE.format("BEGIN")
    + rf"(?:(?:[^-]|-(?!----))*+{PEM_EDGE.format('END')}"
    # Cut off before its end: as far as whole lines of base64 go.
    + r"|(?:\s|\\[nr])*+(?:[A-Za-z0-9+/=]{40,}+(?:\s|\\[nr])*+)*+)"
)
SK = _starting("sk-") + "[A-Za-z0-9_-]{16,}"
XOX = _starting("xox[a-z]-") + "[A-Za-z0-9-]{10,}"
AWS = _starting("A[KS]IA") + "[A-Z0-9]{16}(?![A-Za-z0-9])"
JWT = _starting("eyJ") + r"[A-Za-z0-9_-]{8,}+(?:\.[A-Za-z0-9_-]{8,}+)*(?:\.[A-Za-z0-9_-]*+)?"
GITHUB = f"{_starting('gh[pousr]_')}[A-Za-z0-9]{{20,}}|{_starting('github_pat_')}[A-Za-z0-9_]{{20,}}"
IN_ADDRESS = r"://[^\s/:@?#\"'<>]*+:(?P<at>[^\s/@\"'<>]++)@"
SCHEME = r"(?i:bearer|basic|token|digest)\s{1,4}"

SHAPES = tuple(
    Shape(label, rare, sign, re.compile(pattern), looks)
    for label, rare, sign, pattern, looks in (
        ("pem", "-", "(?=----BEGIN )", PEM, _always),
        ("key", "-", _after("sk-"), SK, _random),
        ("key", "I", "(?<=A[KS]I)A", AWS, mixed),
        ("key", "z", "(?<=AIz)a", _starting("AIza") + "[A-Za-z0-9_-]{30,}", mixed),
        ("token", "_", "(?<=hf_)", _starting("hf_") + "[A-Za-z0-9]{20,}", mixed),
        ("token", "_", "(?:(?<=gh[pousr]_)|(?<=github_pat_))", GITHUB, mixed),
        ("token", "-", "(?<=xox[a-z]-)", XOX, mixed),
        ("jwt", "J", "(?<=eyJ)", JWT, _two_parts),
        # By their place these are secrets, a password in an address however short and plain.
        ("password", "@", "", IN_ADDRESS, _no_placeholder),
        ("token", "z", "(?i:(?<=uthoriz)ation)", f"z(?i:(?<=uthoriz)ation){SET}{SCHEME}{AT}", _no_placeholder),
        ("token", "Z", "(?<=UTHORIZ)ATION", f"Z(?<=UTHORIZ)ATION{SET}{SCHEME}{AT}", _no_placeholder),
        ("key", "-", "(?i:(?<=api-)key)", f"-(?i:(?<=api-)key){SET}{AT}", _no_placeholder),
        ("key", "_", "(?i:(?<=api_)key)", f"_(?i:(?<=api_)key){SET}{AT}", _random),
    )
)
"""What secrets look like, the most telling first."""

BEFORE = {"_": "(?<=[fpousrtiI]_)"}
"""The letters that stand before a rare one in all of its signs: one look spares most of the others."""

SIGNS = tuple(
    (rare, re.compile(f"{rare}{BEFORE.get(rare, '')}(?:{'|'.join(shape.sign for shape in alike)})"), alike)
    for rare in dict.fromkeys(shape.rare for shape in SHAPES)
    for alike in [tuple(shape for shape in SHAPES if shape.rare == rare)]
)
"""The shapes by their rarest letter: most texts are cleared by looking for that letter alone."""

ADDRESS = re.compile(IN_ADDRESS)
