"""What is behind a row, in parts, whole and page by page: for who opens it while the run is at hand."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from hermes_nb.messages import Message, text_of
from hermes_nb.records import Reply, ToolCall, ToolResult, Turn
from hermes_nb.sequences import Token
from hermes_nb.views.rows.colours import SEQUENCE
from hermes_nb.views.rows.drawing import message_text, role_of
from hermes_nb.views.rows.growing import Growing
from hermes_nb.views.rows.legible import GIST, ROW_CHARACTERS, ROW_LINES, Lens, counted, cut, looks_like_control
from hermes_nb.views.rows.opened import json_laid_out
from hermes_nb.views.rows.strips import inked, strip

PAGE, PAGE_LINES = 16_000, 400
"""The most of a text that is given at once."""

TOKEN = 8
"""A token takes about as many characters, and is apart from its neighbours."""

ALL = "Show all"

FIRST_LINES, FIRST_CHARACTERS = ROW_LINES, 2 * ROW_CHARACTERS
SO_FAR = 800
"""Of a reply that is being written, its last so many characters are shown."""

BEFORE = 16
"""Of what stands before the words that were looked for, so many characters are told."""

BLANK = re.compile(r"\s+")

COPIED = 2_000_000
"""The most characters that are copied."""

KEY = re.compile(r"(?P<turn>\d{1,7})\.(?P<part>[a-z]{1,9})(?P<index>\d{0,7})", re.ASCII)
ANSWER = "answer"
"""The key of what stands above the rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One text behind a row: what it is (`label`), where it comes from (`told`), and all of it, secrets and all.
    `prose` is for a person to read, `bad` went wrong; `json`: it may be laid out; `tokens` are shown one by one."""

    label: str
    told: str = ""
    text: str = ""
    prose: bool = False
    bad: bool = False
    json: bool = False
    tokens: Sequence[Token] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A piece of a part as it is shown: from `at` up to `next` (None: to its end), in characters, or in tokens.

    `mark` says how much is cut, and `then` what asks for it; `turned` is what asks for it to be shown as it is, and for
    the way back. `colours` are as in Shown; `warned`: it passes for the words of a chat template.
    """

    text: str
    at: int = 0
    next: int | None = None
    mark: str = ""
    then: str = ""
    turned: tuple[str, ...] = ()
    laid_out: bool = False
    warned: bool = False
    colours: tuple[tuple[int, int, str], ...] = ()


def parts(growing: Growing, key: str) -> list[Part]:
    """What is behind the row of this key; nothing for a key that no row has."""
    if key == ANSWER:
        answer = growing.final.final_text if growing.final else ""
        return [Part(label="answer", text=answer, prose=True)] if answer else []
    found = KEY.fullmatch(key)
    if found is None:
        return []
    number, part, index = int(found["turn"]), found["part"], int(found["index"] or 0)
    if number == 0:
        return [_message(message) for message in _opening(growing, part, index)]
    turn = growing.turn(number)
    return [] if turn is None else list(_of_turn(growing, turn, part, index))


def opened(growing: Growing, key: str) -> list[Part]:
    """What is behind the row, and last the tokens of a reply, where they are known. They say again what its text says,
    so nobody looks for anything in them."""
    told, found = parts(growing, key), KEY.fullmatch(key)
    if not told or found is None or found["part"] != "model":
        return told
    number, recorded = int(found["turn"]), growing.recorded
    tokens = recorded.of(number)
    text = "".join(one.text or "" for one in tokens)
    return [*told, Part(label="tokens", told=recorded.told(number), text=text, tokens=tokens)] if tokens else told


def _opening(growing: Growing, part: str, index: int) -> list[Message]:
    """The messages that a row of the start stands for."""
    messages = growing.result.messages
    if part == "message":
        return messages[index : index + 1]
    shown = {row.key for row in growing.opening()}
    hidden = [message for at, message in enumerate(messages) if f"0.message{at}" not in shown]
    return hidden if part == "earlier" else []


def _message(message: Message) -> Part:
    return Part(label=role_of(message), text=message_text(message), prose=True)


def _of_turn(growing: Growing, turn: Turn, part: str, index: int) -> Iterator[Part]:
    reply = turn.reply
    if part == "added":
        yield from map(_message, turn.added_messages[index : index + 1])
    elif reply is None and part == "model":
        said = growing.forming.said if growing.forming is not None and turn is growing.turns[-1] else ""
        yield Part(label="so far", text=said[-SO_FAR:], prose=True)
    elif reply is not None and part == "reasoning":
        yield Part(label="reasoning", text=reply.reasoning or "", prose=True)
    elif reply is not None and part == "model":
        yield from _of_reply(reply)
    elif reply is not None and part == "call" and index < len(reply.calls):
        call = reply.calls[index]
        yield from _of_call(call, next((one for one in turn.results if one.call.index == call.index), None))


def _of_reply(reply: Reply) -> Iterator[Part]:
    yield Part(label="text", text=reply.text or text_of(reply.message.get("content")), prose=True)
    if reply.refusal:
        yield Part(label="refusal", text=reply.refusal, prose=True)
    for call in reply.calls:
        yield Part(label="calls", told=call.name, text=call.arguments, json=True)
    if reply.problems:
        yield Part(label="mended", text="\n".join(reply.problems), prose=True)
    if reply.finish_reason:
        yield Part(label="ended", told=f"{reply.finish_reason}, as the server said")


def _of_call(call: ToolCall, result: ToolResult | None) -> Iterator[Part]:
    written = f"as the model wrote them, {counted(len(call.arguments), 'character')}"
    yield Part(label="arguments", told=written, text=call.arguments, json=True)
    if result is None:
        return
    if result.call.arguments != call.arguments:
        yield Part(label="run with", told="as you changed them", text=result.call.arguments, json=True)
    wrong = result.error
    if wrong is not None:
        yield Part(label="error", text=wrong.error, bad=True)
    source = f"from {call.name}, {counted(len(result.content), 'character')}"
    yield Part(label="result", told=source, text=result.content, json=True)
    yield Part(label="model saw", told=_saw(result))
    if result.printed:
        yield Part(label="printed", told="while it ran", text=result.printed)
    if wrong is not None:
        yield Part(label="kind", told=f"{wrong.kind}, fault {wrong.fault}, call {call.id}")
        if wrong.traceback:
            yield Part(label="traceback", told="for you; the model did not see it", text=wrong.traceback)


def _saw(result: ToolResult) -> str:
    characters = counted(len(result.content), "character")
    if result.size is None:
        return f"the same {characters}"
    return f"these {characters}, cut from {counted(result.size, 'byte')} by the toolbox"


def first_page(part: Part, lens: Lens, *, raw: bool = False) -> Page:
    """The beginning of a part, as much as an opened row shows."""
    return _page(part, lens, 0, FIRST_LINES, FIRST_CHARACTERS, raw=raw)


def page(part: Part, lens: Lens, at: int, *, raw: bool = False) -> Page:
    """What follows after `at`, at most 16,000 characters and 400 lines of it."""
    return _page(part, lens, at, PAGE_LINES, PAGE, raw=raw)


def _page(part: Part, lens: Lens, at: int, lines: int, characters: int, *, raw: bool) -> Page:
    if part.tokens:
        return _of_tokens(part.tokens, lens, at, characters, raw=raw)
    out = json_laid_out(part.text) if part.json and not raw else None
    text = part.text if out is None else out
    # Whole, so that no secret is cut in two; a badge is made of what is shown only.
    safe = SEQUENCE.sub("", lens.redactor.text(text)).replace("\r\n", "\n")
    shown = cut(safe[at:], lines, characters)
    end = None if not shown.characters else len(safe) - shown.characters
    told, first = lens.clear(safe[at:end]), lens.block(text, lines, characters) if at == 0 else None
    return Page(
        text=told,
        at=at,
        next=end,
        mark=shown.mark,
        then="" if end is None else ALL if shown.characters <= PAGE else "Show next 16 kB",
        turned=("As sent", "Laid out") if out is not None else (),
        laid_out=out is not None,
        warned=at == 0 and looks_like_control(safe),
        colours=first.colours if first is not None and told.startswith(first.text) else (),
    )


def _of_tokens(tokens: Sequence[Token], lens: Lens, at: int, characters: int, *, raw: bool) -> Page:
    """A page of tokens; of a prompt that is not shown `raw`, the first begins with its end."""
    shown = strip(tokens, lens, PAGE if raw else characters, begin=at if at or raw else None)
    text, colours = inked(shown.tiles)
    turned = (f"Show {counted(shown.folded, 'folded token')}", "Fold the prompt") if shown.folded and not at else ()
    page = Page(text=text, at=at, mark=shown.mark, turned=turned, colours=colours)
    if not shown.more:
        return page
    return replace(page, next=len(tokens) - shown.more, then=ALL if shown.more * TOKEN <= PAGE else "Show more")


def copied(growing: Growing, key: str, index: int | None) -> str:
    """What is copied of a row, or of one part of it: the text as it is stored, without secrets."""
    found = parts(growing, key) if index is None else opened(growing, key)[index : index + 1]
    texts = [part.text for part in found if part.text]
    labelled = [f"{part.label}\n{part.text}" for part in found if part.text]
    return growing.lens.redactor.text(texts[0] if len(texts) == 1 else "\n\n".join(labelled))[:COPIED]


def matching(growing: Growing, text: str) -> list[tuple[str, str]]:
    """The keys of the rows which have the text in what is behind them, capitals or not, with the words around it."""
    wanted, lens = text.casefold(), growing.lens
    keys = [line.row.key for number in range(len(growing.turns) + 1) for line in growing.lines(number)]
    around = ((key, (_around(one.text, wanted, lens) for one in parts(growing, key))) for key in keys)
    return [(key, told) for key, tellings in around if (told := next(filter(None, tellings), ""))]


def _around(text: str, wanted: str, lens: Lens) -> str:
    """The words around where the text first has it, and not within a secret only; empty where it has not."""
    safe = lens.redactor.text(text) if wanted in text.casefold() else ""
    at = safe.casefold().find(wanted)
    if at < 0:
        return ""
    early = max(at - BEFORE, 0)
    blank = BLANK.search(safe, early, at) if early else None
    begin = blank.end() if blank else early
    return f"{'… ' if begin else ''}{lens.gist(safe[begin : begin + 4 * GIST])}"
