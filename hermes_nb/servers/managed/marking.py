"""What each token of a prompt and of a reply is: its text, whose words it belongs to, and of which kind."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from hermes_nb.messages import Message
from hermes_nb.parsers.base import Parsed
from hermes_nb.servers.managed.template import Template

MARK = "\ue000{}\ue001"
"""Stands for the content of the message with this number; these characters are nobody's."""

TELLING = 12
"""Characters of a text that are enough to find its place by."""

MARKED = re.compile("\ue000(\\d+)\ue001")


class Span(NamedTuple):
    """A stretch, in characters or in tokens."""

    start: int
    end: int
    role: str
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """A request's text, how it was made, and how much of it was there before."""

    messages: tuple[Message, ...]
    tools: tuple[Any, ...]
    text: str
    known: int

    def spans(self, template: Template) -> list[Span]:
        """Where in the text the messages' words stand, from the place `known` on; between them is the template.

        The template is asked again with marks in place of the words. Nothing is told where it does something else with
        them than put them in.
        """
        told = [
            {**one, "content": MARK.format(number)} if one["content"] else one
            for number, one in enumerate(self.messages)
        ]
        pieces = MARKED.split(template.render(told, self.tools, ask=True))
        found, at = list[Span](), 0
        for literal, number in zip(pieces[::2], [*map(int, pieces[1::2]), None], strict=True):
            role = "assistant" if number is None else str(self.messages[number]["role"])
            end = at + len(literal)
            if self.text[at:end] != literal:
                return []
            found.append(Span(at, end, role, "template"))
            if number is not None:
                words = self.messages[number]["content"]
                at, end = end, end + len(words)
                if self.text[at:end] != words:
                    return []
                found.append(Span(at, end, role, "content"))
            at = end
        return [one for one in found if one.end > max(self.known, one.start)] if at == len(self.text) else []


def written(said: str, parsed: Parsed | None) -> list[Span]:
    """What the stretches of a reply's text are; all of it is content where it was not `parsed`. A call has its marks
    with it; marks around thoughts, and white space beside content, are template."""
    if parsed is None:
        return [Span(0, len(said), "assistant", "content")]
    fixed = [Span(one.start, one.end, "assistant", "call") for one in parsed.calls]
    fixed += [Span(one.start, one.end, "assistant", "call") for one in parsed.problems]
    thought = parsed.reasoning or ""
    if thought and (start := said.find(thought)) >= 0:
        fixed.append(Span(start, start + len(thought), "assistant", "reasoning"))
    found, at, rest = list[Span](), 0, parsed.content
    for one in [*sorted(fixed), Span(len(said), len(said), "assistant", "template")]:
        if one.start < at:
            continue
        while place := _place(said[at : one.start], rest := rest.lstrip()):
            begin, end = at + place[0], at + place[1]
            found += [_between(found, at, begin), Span(begin, end, "assistant", "content")]
            at, rest = end, rest[end - begin :]
        found += [_between(found, at, one.start), one]
        at = one.end
    return [one for one in found if one.end > one.start]


def _between(found: list[Span], start: int, end: int) -> Span:
    """What is neither a call, nor a thought, nor content: behind a call it is the end of that."""
    return Span(start, end, "assistant", "call" if found and found[-1].kind == "call" else "template")


def _place(stretch: str, content: str) -> tuple[int, int] | None:
    """Where in a stretch of text the content goes on: at its next characters, or, where fewer than `TELLING` of them
    are in it, at its end."""
    stretch = stretch.rstrip()
    if not content or not stretch:
        return None
    start = stretch.find(content[:TELLING])
    if start >= 0:
        pairs = enumerate(zip(stretch[start:], content, strict=False))
        shorter = min(len(stretch) - start, len(content))
        return start, start + next((at for at, (one, other) in pairs if one != other), shorter)
    for count in range(min(len(content), len(stretch), TELLING), 0, -1):
        if stretch.endswith(content[:count]):
            return len(stretch) - count, len(stretch)
    return None


def in_tokens(spans: Sequence[Span], texts: Sequence[str], *, at: int = 0, first: int = 0) -> list[list[Any]]:
    """Spans of characters as spans of tokens, as (start, end, role, kind): a token is where it begins.

    `texts` are the tokens' own; the first of them stands at the character `at`, and is the token with the number
    `first`.
    """
    places = list[int]()
    for text in texts:
        places.append(at)
        at += len(text)
    bounds = [(bisect_left(places, one.start), bisect_left(places, one.end)) for one in spans]
    return [
        [first + start, first + end, one.role, one.kind]
        for (start, end), one in zip(bounds, spans, strict=True)
        if end > start
    ]
