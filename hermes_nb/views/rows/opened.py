"""What rows hold when they are opened: arguments, result, what the model saw of it, and how it went wrong."""

from __future__ import annotations

from hermes_nb import codec
from hermes_nb.records import Reply, ToolCall, ToolError, ToolResult
from hermes_nb.views.rows.calls import LONG
from hermes_nb.views.rows.entries import Section
from hermes_nb.views.rows.legible import GIST, Lens, counted, holds_one, laid_out, looks_like_control
from hermes_nb.views.rows.pictures import pictured


def call_sections(
    call: ToolCall, result: ToolResult | None, lens: Lens, *, tracebacks: bool = False
) -> tuple[Section, ...]:
    """A call's arguments and its result."""
    given = section("arguments", call.arguments, lens, unless_laid_out=", as the model wrote them")
    if result is None:
        return (given,)
    answer = section(f"result (tool output, from {lens.name(call.name)})", result.content, lens, saw(result))
    pictures = [Section(label=one.told, picture=one) for one in map(pictured, result.parts or ()) if one]
    printed = [section("printed while it ran", result.printed, lens)] if result.printed else []
    wrong = error_sections(result.error, lens, tracebacks=tracebacks) if result.error else []
    return (given, answer, *pictures, *printed, *wrong)


def section(label: str, text: str, lens: Lens, more: str = "", *, unless_laid_out: str = "") -> Section:
    """A text under its label; JSON objects and lists are laid out, which the label says."""
    out = json_laid_out(text)
    told = unless_laid_out if out is None else ", laid out"
    warned = "; looks like control text" if looks_like_control(text) else ""
    return Section(label=f"{label}{told}{more}{warned}", shown=lens.block(text if out is None else out))


def json_laid_out(text: str) -> str | None:
    """JSON text with one entry a line; None for one that fits in a line, is long or deep, and for any other text."""
    if not text.lstrip().startswith(("{", "[")) or len(text) > LONG:
        return None
    try:
        value = codec.loads(text)
        out = "" if holds_one(value) else laid_out(value)
    except (ValueError, RecursionError):
        return None
    return out if "\n" in out else None


def saw(result: ToolResult) -> str:
    """How much of the result went to the model."""
    characters = counted(len(result.content), "character")
    if result.size is None:
        return f"; the model saw the same {characters}"
    return f"; the model saw these {characters}, cut from {counted(result.size, 'byte')} by the toolbox"


def error_sections(error: ToolError, lens: Lens, *, tracebacks: bool) -> list[Section]:
    """Kind and fault of an error, and where it happened."""
    told = [Section(label=f"kind {error.kind.replace('_', ' ')}, fault {error.fault}")]
    if tracebacks and error.traceback:
        told.append(Section(label="traceback", shown=lens.block(error.traceback)))
    return told


def reply_sections(reply: Reply, lens: Lens, *, shown_above: bool) -> tuple[Section, ...]:
    """A reply's text, where its row cannot hold it, and what had to be mended in it."""
    text = reply.text.strip()
    fits = shown_above or (len(text) <= GIST and "\n" not in text)
    said = [] if fits else [Section(shown=lens.block(text), prose=True)]
    if not reply.problems:
        return tuple(said)
    return (*said, Section(label="mended", shown=lens.block("\n".join(reply.problems)), prose=True))
