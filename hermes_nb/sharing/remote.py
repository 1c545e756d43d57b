"""Find what an output asks of other machines as soon as it is looked at.

A link waits for a click, and an address in plain text is text: neither is found. What is fetched, run or sent is:
sources of images and frames, styles, forms, what scripts name, images in Markdown.
"""

from __future__ import annotations

import html as entities
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

FETCHED = {
    "src", "srcset", "imagesrcset", "poster", "background", "data", "action", "formaction", "ping", "xlink:href",
    "manifest", "codebase", "classid", "lowsrc", "dynsrc", "archive", "longdesc",
}  # fmt: skip
CLICKED = {"a", "area"}
FREE = re.compile(r"(?:https?:)?//www\.w3\.org/")
"""The names of vocabularies look like addresses, and nobody asks for them."""

ADDRESS = re.compile(r"(?:(?:https?|wss?|ftp):)?//[^\s\"'<>)\\,;]+", re.IGNORECASE)
IN_SCRIPT = re.compile(r"(?:(?:https?|wss?):|(?<=[\"'`]))//[\w\[][^\s\"'`<>)\\]*", re.IGNORECASE)
CSS_ESCAPE = re.compile(r"\\(?:([0-9a-fA-F]{1,6})\s?|(.))", re.DOTALL)
CSS_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
IMAGE = re.compile(r"!\[[^\]]*\]\(\s*<?([^\s)>]+)")
REFERENCE = re.compile(r"^\s{0,3}\[[^\]]+\]:\s*<?([^\s>]+)", re.MULTILINE)


def in_data(mime: str, content: Any, text: str) -> list[str]:
    """The addresses that an output's `content`, of this MIME type, asks for; `text` is it as one string.

    Each is given once, in order.
    """
    if mime in ("text/html", "image/svg+xml"):
        found = in_html(text)
    elif mime == "text/markdown":
        found = [*in_markdown(text), *in_html(text)]
    elif "javascript" in mime:
        found = list(in_script(text))
    elif mime.endswith("json"):
        found = list(_in_json(content))
    else:
        found = []
    return list(dict.fromkeys(found))


def in_html(text: str) -> list[str]:
    """The addresses a browser asks for when it shows this HTML or SVG, or when a form in it is sent.

    Comments and declarations are read as if they were not closed off: browsers and parsers differ about their ends.
    """
    reader = _Reader()
    reader.feed(text.replace("<!", "<").replace("<?", "<"))
    reader.close()
    return [url for url in reader.found if url]


def in_style(css: str) -> Iterator[str]:
    """The addresses in a style, its escapes read."""
    plain = CSS_ESCAPE.sub(lambda one: _letter(one[1]) if one[1] else one[2], CSS_COMMENT.sub(" ", css))
    return (found[0] for found in ADDRESS.finditer(plain) if not FREE.match(found[0]))


def in_script(script: str) -> Iterator[str]:
    """The addresses a script names: whether it asks for them cannot be told."""
    return (found[0] for found in IN_SCRIPT.finditer(script.replace("\\/", "/")) if not FREE.match(found[0]))


def in_markdown(text: str) -> Iterator[str]:
    """The addresses of the images in Markdown."""
    found = [one[1] for one in IMAGE.finditer(text)]
    found += [one[1] for one in REFERENCE.finditer(text)] if "![" in text else []
    return (url for url in map(elsewhere, found) if url)


def elsewhere(url: str | None) -> str:
    """The address, read as a browser reads it, where it leads to another machine; otherwise ""."""
    plain = re.sub(r"[\x00-\x20]+", "", entities.unescape(url or "")).replace("\\", "/")
    return plain if re.match(r"(?:(?:https?|wss?|ftp):|//)", plain, re.IGNORECASE) and not FREE.match(plain) else ""


def _letter(code: str) -> str:
    number = int(code, 16)
    return chr(number) if 0 < number < 0x110000 and not 0xD800 <= number < 0xE000 else "\N{REPLACEMENT CHARACTER}"


def _in_json(content: Any) -> Iterator[str]:
    """The addresses that a chart's description loads: its fields `url`, `src` and `image`."""
    todo = [content]
    while todo:
        item = todo.pop()
        if isinstance(item, dict):
            named = (value for key, value in item.items() if key in ("url", "src", "image") and isinstance(value, str))
            yield from filter(None, map(elsewhere, named))
        if isinstance(item, dict | list):
            todo += item.values() if isinstance(item, dict) else item


class _Reader(HTMLParser):
    """Collects the addresses while it reads."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self._within = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._within = tag if tag in ("script", "style") else ""
        for name, value in attrs:
            self.found += self._asked(tag, name, value or "")

    def handle_endtag(self, tag: str) -> None:
        self._within = ""

    def handle_data(self, data: str) -> None:
        if self._within == "script":
            self.found += in_script(data)
        elif self._within == "style":
            self.found += in_style(data)

    @staticmethod
    def _asked(tag: str, name: str, value: str) -> Iterator[str]:
        """What one attribute asks for."""
        if name == "srcdoc":
            yield from in_html(value)
        elif name in ("srcset", "imagesrcset"):
            yield from (elsewhere(part.strip().partition(" ")[0]) for part in value.split(","))
        elif name in FETCHED or (name in ("href", "to", "from", "values") and tag not in CLICKED):
            yield elsewhere(value)
        elif name == "content" and tag == "meta":
            yield from (found[0] for found in ADDRESS.finditer(value))
        elif name.startswith("on"):
            yield from in_script(value)
        elif "(" in value or "\\" in value:  # a style, and the attributes of SVG that take one
            yield from in_style(value)
