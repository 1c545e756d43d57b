"""The one way into HTML: pieces made of elements from a short list, of attributes with known values, and of text, which
is escaped. A plain string cannot be added to a piece, nor made one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Literal, TypeAlias

from hermes_nb.views.rows import Shown
from hermes_nb.views.rows.colours import CLASSES
from hermes_nb.views.rows.pictures import DATA

NBSP = "\u00a0"

Tag: TypeAlias = Literal[
    "a", "b", "bdi", "blockquote", "br", "code", "del", "details", "div", "i", "img", "ins", "p", "pre", "span",
    "summary", "table", "tbody", "td", "th", "thead", "tr",
]  # fmt: skip
TAGS = frozenset(Tag.__args__)  # type: ignore[attr-defined]  # A Literal keeps its words there.
VOID = frozenset({"br", "img"})

LEFT = "text-align:left;"
ROW = "display:flex;flex-wrap:wrap;"
STYLES = {
    "rows": "display:block;margin:0 0 1em",
    "body": "display:block",
    # A row is one line where there is room, and an entry of three where there is not. The lab gives rows a padding,
    # which shows only now that they are no longer rows of a table.
    "row": f"{ROW}padding:0 0 0 3px",
    "wrong": f"{ROW}padding:0;border-left:3px solid #d32f2f",
    "sign": f"{LEFT}flex:0 0 1em",
    # A number keeps its distance from the words beside it, also where cells have no padding.
    "turn": "flex:0 0 2.4em;padding-right:.5em",
    "number": "flex:0 0 3.4em",
    "edge": "flex:0 0 4.4em;min-width:0;overflow-wrap:anywhere;padding-right:.5em",
    "who": f"{LEFT}flex:0 0 5.2em",
    "what": f"{LEFT}flex:1 1 16em;min-width:0;overflow-wrap:anywhere",
    "half": f"{LEFT}flex:1 1 12em;min-width:0;overflow-wrap:anywhere",
    "first": f"{LEFT}flex:3 1 10em;min-width:0;overflow-wrap:anywhere",
    "name": f"{LEFT}flex:1 1 6em;min-width:0;overflow-wrap:anywhere",
    "said": f"{LEFT}flex:2 1 14em;min-width:0;overflow-wrap:anywhere",
    "tool": f"{LEFT}flex:1 1 13em;min-width:0;overflow-wrap:anywhere",
    "ended": f"{LEFT}flex:0 0 6.6em",
    "ending": f"{LEFT}flex:0 0 11em",
    "status": f"{LEFT}flex:0 0 8em",
    # Wider than its column, it runs into the room beside it, rather than begin further left than the others.
    "long": f"{LEFT}flex:0 0 8em;min-width:0",
    "time": "flex:0 0 4em",
    "tokens": "flex:0 0 4em",
    "label": "margin:.4em 0 0",
    "box": "margin:0 0 .6em;white-space:pre-wrap;word-break:normal;overflow-wrap:anywhere",
    "answer": "max-width:44em;overflow-wrap:anywhere",
    "prose": "margin:.2em 0 .6em 1em;overflow-wrap:anywhere",
    "head": "margin:0 0 .6em;overflow-wrap:anywhere",
    "picture": "max-width:100%;height:auto",
    "prompt": "opacity:.8",
    "likely": "color:#1976d2",
    "unlikely": "color:#d32f2f",
    "gone": "background:rgba(211,47,47,.14);text-decoration:none",
    "come": "background:rgba(46,125,50,.16);text-decoration:none",
}
"""Every style there can be. None is needed: without them the words, their order and the table remain."""

UNTOUCHED = "tex2jax_ignore mathjax_ignore"
"""Keeps MathJax from typesetting what a model wrote."""

ANCHOR = re.compile(r"#?hnb-[\w.-]{1,80}", re.ASCII)
SIZE = re.compile(r"\d{1,4}", re.ASCII)


def known(name: str, value: str) -> bool:
    """Whether this library writes that attribute with that value."""
    match name:
        case "style":
            return value in STYLES.values()
        case "class":
            return value == UNTOUCHED or set(value.split()) <= CLASSES
        case "href":
            return value.startswith("#") and ANCHOR.fullmatch(value) is not None
        case "id":
            return not value.startswith("#") and ANCHOR.fullmatch(value) is not None
        case "src":
            return DATA.fullmatch(value) is not None
        case "align":
            return value in ("left", "right")
        case "colspan" | "width" | "height":
            return SIZE.fullmatch(value) is not None
        case _:
            return name == "alt" or (name == "open" and not value)


def opening(tag: Tag, **attributes: str) -> str:
    """The beginning of an element.

    Raises:
        ValueError: the element, or an attribute or its value, is not one that this library writes.
    """
    named = {name.rstrip("_"): value for name, value in attributes.items()}
    if tag not in TAGS or not all(known(name, value) for name, value in named.items()):
        raise ValueError(f"neither {tag!r} nor its attributes {sorted(named)} belong here")
    told = "".join(f' {name}="{escaped(value)}"' for name, value in named.items())
    return f"<{tag}{told}>"


remembered = lru_cache(maxsize=256)(opening)
"""The same, for elements that are made again and again."""


def escaped(text: str) -> str:
    """The text as it stands in a document.

    Raises:
        TypeError: it is no text.
    """
    told = str.replace(text, "&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return told.replace('"', "&quot;").replace("'", "&#x27;")


GAP = "\x00"
"""Stands for a gap in what a form is made of."""

Form: TypeAlias = "Callable[..., Markup]"
"""Takes what stands in its gaps."""


def written(parts: Sequence[Markup | str]) -> list[str]:
    """What becomes of the parts of a piece: pieces are as they are, all else is text, and escaped."""
    texts = [one for one in parts if isinstance(one, str)]
    if len(texts) == len(parts):
        # Nothing but texts is escaped at once, unless the sign that parts them is in one of them.
        told = escaped(GAP.join(texts)).split(GAP)
        if len(told) == len(parts):
            return told
    return [one._html if isinstance(one, Markup) else escaped(one) for one in parts]  # noqa: SLF001 - of this module


class Markup:
    """A piece of HTML, made of text, which is escaped, and of other pieces. Nothing else gets in."""

    __slots__ = ("_html",)

    def __init__(self, *parts: Markup | str) -> None:
        self._html = "".join(written(parts))

    @classmethod
    def element(cls, tag: Tag, *parts: Markup | str, **attributes: str) -> Markup:
        """An element of these parts. A name ending in `_` stands for the one without it (`class_`).

        Raises:
            ValueError: the element, or an attribute or its value, is not one that this library writes.
        """
        begun = opening(tag, **attributes) if "src" in attributes else remembered(tag, **attributes)
        made = cls()
        made._html = begun if tag in VOID else "".join([begun, *written(parts), f"</{tag}>"])
        return made

    @classmethod
    def form(cls, *parts: Markup | str) -> Form:
        """Pieces with gaps, made once and filled often. A gap takes what a piece takes: text, which is escaped, and
        other pieces. To fill fewer gaps than there are, or more, is a TypeError."""
        between = cls(*parts).html.split(GAP)
        gaps, empty = len(between) - 1, [""] * (2 * len(between) - 1)
        empty[::2] = between

        def fill(*given: Markup | str) -> Markup:
            if len(given) != gaps:
                raise TypeError(f"this form has {gaps} gaps, and is given {len(given)} parts")
            whole = empty[:]
            whole[1::2] = written(given)
            made = cls.__new__(cls)
            made._html = "".join(whole)  # noqa: SLF001 - of this class
            return made

        return fill

    @property
    def html(self) -> str:
        """The piece as it is written into a document."""
        return self._html

    def __len__(self) -> int:
        return len(self._html if self._html.isascii() else self._html.encode("utf-8"))

    def __repr__(self) -> str:
        return f"Markup({len(self)} bytes)"


element, form = Markup.element, Markup.form

NONE = Markup()

BOLD, CODE, VALUE = (form(element(tag, GAP)) for tag in ("b", "code", "bdi"))
LABELLED = element("p", GAP, style=STYLES["label"])
LABEL = form(LABELLED)
BOXED = element("pre", element("code", GAP), style=STYLES["box"])
BOX, TEXT = form(BOXED), form(LABELLED, BOXED)
FOLDED = {
    False: form(element("details", element("summary", GAP), GAP)),
    True: form(element("details", element("summary", GAP), GAP, open="")),
}


def cell(column: str, *parts: Markup | str, head: bool = False, colspan: int = 0) -> Markup:
    """A cell of a column. `align` is for GitHub, which keeps no style; the lab sets cells to the right, and yields to
    style only."""
    style = STYLES[column]
    side = "left" if LEFT in style else "right"
    more = {"colspan": str(colspan)} if colspan else {}
    return element("th" if head else "td", *parts, align=side, style=style, **more)


def line(*cells: Markup, wrong: bool = False) -> Markup:
    """A row of a table."""
    return element("tr", *cells, style=STYLES["wrong" if wrong else "row"])


def grid(heads: list[tuple[str, str]], lines: list[Markup]) -> Markup:
    """A table of these columns, each by the name of its style and its title."""
    titles = line(*(cell(column, title, head=True) for column, title in heads))
    head, body = element("thead", titles, style=STYLES["body"]), element("tbody", *lines, style=STYLES["body"])
    return element("table", head, body, style=STYLES["rows"])


def paragraph(*parts: Markup | str, style: str = "head") -> Markup:
    """A line of ours."""
    return element("p", *parts, style=STYLES[style])


def folded(summary: Markup, parts: list[Markup], *, opened: bool, details: bool) -> Markup:
    """Parts under a summary, that can be closed; or, where `details` are shown as text, just under it."""
    if not details:
        return Markup(element("p", summary), *parts)
    return FOLDED[opened](summary, Markup(*parts))


def lined(text: str) -> Iterator[Markup]:
    """Text whose line breaks hold."""
    for number, one in enumerate(text.split("\n")):
        if number:
            yield element("br")
        yield value(one)


def value(text: str) -> Markup:
    """Text that is not ours, kept apart, so that its direction does not turn its neighbours."""
    return VALUE(text)


def painted(shown: Shown) -> Iterator[Markup]:
    """A text in its colours."""
    at = 0
    for start, end, classes in shown.colours:
        yield Markup(shown.text[at:start])
        yield element("span", shown.text[start:end], class_=classes)
        at = end
    yield Markup(shown.text[at:])


def boxed(shown: Shown) -> Markup:
    """A text that a machine wrote, in a box of its own; the lab sets a bare `pre` in the interface's font."""
    return BOX(Markup(*painted(shown)) if shown.colours else shown.text)


def mark(shown: Shown) -> Markup:
    """What says that a text was cut, if it was; outside its box, so that no tool can forge it."""
    return LABEL(shown.mark) if shown.mark else NONE


def hard(text: str) -> str:
    """A number and its unit, not to be broken between lines."""
    return text.replace(" ", NBSP)


def facts(parts: list[Markup]) -> Iterator[Markup]:
    """The parts of a header, with dots between them."""
    for number, part in enumerate(parts):
        yield Markup(" · ", part) if number else part


def fact(text: str) -> Markup:
    """A count of a header; errors stand out."""
    return element("b", hard(text)) if text.startswith("✗") else Markup(hard(text))
