"""Keep of somebody else's HTML what looks, and nothing that runs, fetches, sends or covers the page."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from hermes_nb.exceptions import MissingDependency
from hermes_nb.sharing import remote

try:
    import tinycss2
    from bleach.sanitizer import Cleaner
except ModuleNotFoundError as error:
    raise MissingDependency("making a page of a notebook", "share") from error

TAGS = {
    "a", "abbr", "b", "bdi", "blockquote", "br", "caption", "center", "cite", "code", "col", "colgroup", "dd", "del",
    "details", "dfn", "div", "dl", "dt", "em", "figcaption", "figure", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i",
    "img", "ins", "kbd", "li", "mark", "ol", "p", "pre", "q", "s", "samp", "small", "span", "strong", "sub", "summary",
    "sup", "table", "tbody", "td", "tfoot", "th", "thead", "time", "tr", "u", "ul", "var",
}  # fmt: skip
DROPPED = {"script", "style", "iframe", "object", "noscript", "template", "textarea", "title", "xmp", "svg", "math"}
"""These go with everything in them; of other unknown elements the text stays."""

ATTRIBUTES = {
    "class", "id", "style", "title", "lang", "dir", "align", "valign", "colspan", "rowspan", "scope", "open", "alt",
    "width", "height", "start", "border", "role",
}  # fmt: skip
PICTURE = re.compile(r"data:image/(?:png|jpeg|gif|webp|svg\+xml);base64,[A-Za-z0-9+/=\s]*")
LINK = re.compile(r"(?:https?://|mailto:|#)\S*", re.IGNORECASE)

PROPERTIES = re.compile(
    r"(?:background|border|margin|padding|font|text|list-style|outline|column|grid|flex|white-space|word|overflow)(?:-[a-z]+)*"
    r"|(?:min-|max-)?(?:width|height)|color|display|opacity|gap|row-gap|vertical-align|line-height|letter-spacing"
    r"|align-(?:items|self|content)|justify-(?:items|self|content)|direction|unicode-bidi|table-layout|visibility|cursor"
    r"|box-sizing|float|clear|tab-size|hyphens|order"
)
COMPUTING = {
    "rgb", "rgba", "hsl", "hsla", "hwb", "lab", "lch", "oklab", "oklch", "color", "color-mix", "light-dark", "var",
    "calc", "min", "max", "clamp", "minmax", "repeat", "fit-content", "linear-gradient", "radial-gradient",
    "conic-gradient",
}  # fmt: skip
"""The functions a style may call: they compute, and ask for nothing."""


class _Styles:
    """What bleach asks about every `style`."""

    def sanitize_css(self, style: str) -> str:
        """The declarations that only lay out and colour."""
        found = tinycss2.parse_declaration_list(style, skip_comments=True, skip_whitespace=True)
        kept = [one for one in found if one.type == "declaration" and _only_looks(one)]
        return " ".join(f"{one.name}:{tinycss2.serialize(one.value).strip()};" for one in kept)


def _only_looks(declaration: Any) -> bool:
    return bool(PROPERTIES.fullmatch(declaration.lower_name)) and _only_computes(declaration.value)


def _only_computes(tokens: Iterable[Any]) -> bool:
    """Whether nothing in these tokens is an address, or a function that may take one."""
    for token in tokens:
        if token.type in ("url", "error", "string", "at-keyword", "{} block"):
            return False
        if token.type == "function" and (token.lower_name not in COMPUTING or not _only_computes(token.arguments)):
            return False
        if token.type in ("() block", "[] block") and not _only_computes(token.content):
            return False
    return True


class _Dropping:
    """Passes the tokens on, but for those of elements that go with all that is in them."""

    def __init__(self, source: Iterable[dict[str, Any]]) -> None:
        self._source = source

    def __iter__(self) -> Iterator[dict[str, Any]]:
        within, depth = "", 0
        for token in self._source:
            kind, name = token["type"], token.get("name", "")
            if depth:
                depth += (name == within) * ((kind == "StartTag") - (kind == "EndTag"))
            elif kind == "StartTag" and name in DROPPED:
                within, depth = name, 1
            elif not (name in DROPPED and kind in ("EndTag", "EmptyTag")):
                yield token


def _allowed(tag: str, name: str, value: str) -> bool:
    if tag == "img" and name == "src":
        return PICTURE.fullmatch(value) is not None
    return name in ATTRIBUTES and tag not in DROPPED


def _allowed_with_links(tag: str, name: str, value: str) -> bool:
    if tag == "a" and name == "href":
        return LINK.fullmatch(value) is not None
    return _allowed(tag, name, value)


def _allowed_inside(tag: str, name: str, value: str) -> bool:
    return value.startswith("#") if (tag, name) == ("a", "href") else _allowed(tag, name, value)


def html(text: str, *, links: bool = False) -> str:
    """What may stand in a page of this HTML; with `links`, those that lead elsewhere on a click stay.

    Without, only links within the page do: what is in an output was not written by the page's author.
    """
    cleaner = Cleaner(
        tags=TAGS | DROPPED, attributes=_allowed_with_links if links else _allowed_inside, strip=True,
        protocols={"http", "https", "mailto", "data"}, css_sanitizer=_Styles(), filters=[_Dropping],
    )  # fmt: skip
    drawn = str(cleaner.clean(text))
    if remote.in_html(drawn):  # A second pair of eyes, which reads in another way.
        return '<span class="left-out">[an output that asks something of another machine, not in this page]</span>'
    return drawn
