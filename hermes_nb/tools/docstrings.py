"""Docstrings, read for a model: what a function does, and what each of its parameters is."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Collection

from docstring_parser import Docstring, DocstringParam, ParseError, numpydoc, rest
from docstring_parser.google import GoogleParser, Section, SectionType

# docstring-parser rather than griffe: it loads in 5 ms where griffe takes 90, says nothing to any log, knows sections
# that no blank line sets off, and a field list of a single line, both common in tools.

PARAMETERS = ("Args", "Arguments", "Parameters", "Params", "Keyword Args", "Keyword Arguments",
              "Other Args", "Other Parameters")  # fmt: skip
ANSWERS = ("Returns", "Return", "Yields", "Raises", "Except", "Exceptions", "Warns", "Receives")

# Only parameters: the parser gives up on a whole docstring for one exception listed without a colon.
GOOGLE = GoogleParser([Section(title, "param", SectionType.MULTIPLE) for title in PARAMETERS])

TITLE = "|".join(PARAMETERS + ANSWERS)
GOOGLE_SECTION = re.compile(rf"(?:{TITLE}):\s*$")
NUMPY_SECTION = re.compile(rf"(?:{TITLE})\s*$")
UNDERLINE = re.compile(r"-{3,}\s*$")
FIELD = re.compile(
    r":(?:param|parameter|arg|argument|key|keyword|type|returns?|rtype|yields?|ytype|raises?|except|exception)\b[^:]*:"
)


def read(docstring: str | None, names: Collection[str]) -> tuple[str, dict[str, str]]:
    """The description in a docstring, and what it says of the parameters `names`.

    Google, NumPy and Sphinx style are told apart by which of them finds the most of `names`. The description is all
    but the sections on parameters, results and exceptions; notes and examples stay, wherever they stand.
    """
    text = inspect.cleandoc(docstring or "")
    readings = [(_parameters(text, parse, names), cut) for parse, cut in STYLES]
    found, cut = max(readings, key=lambda reading: len(reading[0] or ()))
    if found:
        return _paragraphs(cut(text)), found
    if any(said is None for said, _ in readings):
        return _paragraphs(text), {}  # Something about parameters that cannot be taken apart: better told whole.
    return _paragraphs(_without_fields(_without_numpy(_without_google(text)))), {}


def _parameters(text: str, parse: Callable[[str], Docstring], names: Collection[str]) -> dict[str, str] | None:
    """What is said of the parameters `names`; None where the text is not well-formed in this style."""
    try:
        parameters = [part for part in parse(text).meta if isinstance(part, DocstringParam)]
    except ParseError:
        return None
    said = {
        name.strip().lstrip("*\\"): _paragraphs(parameter.description or "")
        for parameter in parameters
        for name in parameter.arg_name.split(",")
    }
    return {name: told for name, told in said.items() if told and name in names}


def _without_google(text: str) -> str:
    return _without_blocks(text, GOOGLE_SECTION)


def _without_fields(text: str) -> str:
    return _without_blocks(text, FIELD)


def _without_blocks(text: str, opening: re.Pattern[str]) -> str:
    """The text without the lines that match, and what is indented under them."""
    kept, inside = [], False
    for line in text.split("\n"):
        if line[:1].strip():
            inside = opening.match(line) is not None
        if not inside:
            kept.append(line)
    return "\n".join(kept)


def _without_numpy(text: str) -> str:
    """The text without the underlined sections on parameters and results; each ends where the next title begins."""
    lines = text.split("\n")
    kept, inside = [], False
    for line, below in zip(lines, [*lines[1:], ""], strict=True):
        if line[:1].strip() and UNDERLINE.match(below):
            inside = NUMPY_SECTION.match(line) is not None
        if not inside:
            kept.append(line)
    return "\n".join(kept)


def _paragraphs(text: str) -> str:
    return re.sub(r"\n\s*\n\s*\n+", "\n\n", text).strip()


STYLES: tuple[tuple[Callable[[str], Docstring], Callable[[str], str]], ...] = (
    (GOOGLE.parse, _without_google),
    (numpydoc.parse, _without_numpy),
    (rest.parse, _without_fields),
)
