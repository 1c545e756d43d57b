"""The one way into Markdown: text of which no renderer makes anything but text, in a line or in a block of code.

GitHub, a notebook and plain CommonMark differ in what they make of a text: links out of addresses, people out of `@`,
issues out of `#`, formulas out of `$` and of backslashes. Letters that could begin any of that are written by number.
"""

from __future__ import annotations

import re

LONGEST_FENCE = 64

NUMBERED = re.compile(r"[&<>`*_\[\]~|]|:(?=/)|(?<=www)\.|(?<=WWW)\.", re.IGNORECASE)
BEGINS = re.compile(r"(?m)^([ \t]*)([-+=#>]|\d{1,9}[.)](?=\s|$))")
APART = re.compile(r"[@#]")
CODED = re.compile(r"[$\\]")


def prose(text: str) -> str:
    """A text as text, its line breaks as `<br>`: good in a paragraph, a quotation and a table."""
    told = "\n".join(line.strip() for line in text.split("\n"))
    told = NUMBERED.sub(lambda found: f"&#{ord(found[0])};", told)
    told = BEGINS.sub(lambda found: f"{found[1]}{found[2][:-1]}&#{ord(found[2][-1])};", told)
    # After a number, `#` and `;` are ours: only those that stand alone are set apart.
    told = re.sub(r"&#\d+;|[@#]", lambda found: found[0] if len(found[0]) > 1 else apart(found[0]), told)
    # Formulas are not looked for in code.
    told = CODED.sub(lambda found: f"<code>&#{ord(found[0])};</code>", told)
    return told.replace("\n", "<br>")


def apart(letter: str) -> str:
    """A letter in an element of its own, so that it calls nobody and names no issue."""
    return f"<span>&#{ord(letter)};</span>"


def code(text: str) -> str:
    """A text that a machine wrote, on one line."""
    return f"<code>{prose(' '.join(text.split()))}</code>" if text.strip() else ""


def quote(text: str) -> str:
    """A text for a person to read, as a quotation."""
    return "<br>\n".join(f"> {prose(line)}" for line in text.split("\n"))


def fenced(text: str) -> str:
    """A text that a machine wrote, in a block of code that nothing in it can end."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    if longest >= LONGEST_FENCE:
        text, longest = re.sub(rf"`{{{LONGEST_FENCE},}}", "`" * (LONGEST_FENCE - 1), text), LONGEST_FENCE - 1
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"
