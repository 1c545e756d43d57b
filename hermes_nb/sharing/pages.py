"""Lay a notebook out as one page without scripts, which asks nothing of any machine.

What cells wrote is somebody else's HTML: of it stays what is on the lists of `safe`, and a browser is told in the
page's head to run and fetch nothing.
"""

from __future__ import annotations

import base64
import html as entities
import mimetypes
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from hermes_nb.exceptions import MissingDependency
from hermes_nb.sharing import safe
from hermes_nb.sharing.notebooks import Cell, Notebook, text_of

try:
    from nbconvert.filters.ansi import ansi2html
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound
except ModuleNotFoundError as error:
    raise MissingDependency("making a page of a notebook", "share") from error

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"

STYLE = """
:root { color-scheme: light dark; --text: CanvasText; --dim: color-mix(in srgb, CanvasText 72%, Canvas);
  --line: color-mix(in srgb, CanvasText 16%, Canvas); --code: color-mix(in srgb, CanvasText 5%, Canvas); }
body { font: 16px/25px system-ui, sans-serif; color: var(--text); background: Canvas; margin: 0 auto; padding: 16px;
  max-width: 860px; overflow-wrap: break-word; }
h1, h2, h3 { line-height: 1.3; }
a { color: inherit; text-underline-offset: 3px; }
code, pre { font: 13px/19px ui-monospace, monospace; }
pre { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; }
.source, section > pre { background: var(--code); border-left: 2px solid var(--line); padding: 8px 12px;
  margin: 8px 0; }
.output { padding: 4px 12px 4px 14px; margin: 8px 0; overflow-x: auto; }
.count { color: var(--dim); font: 12px/18px ui-monospace, monospace; margin-top: 16px; }
.stderr { border-left: 2px solid #b26a00; }
.error { border-left: 2px solid #d32f2f; }
.left-out { color: var(--dim); font-style: italic; }
table { border-collapse: collapse; font-size: 13px; line-height: 20px; }
td, th { padding: 2px 8px; vertical-align: top; }
tr { border-top: 1px solid var(--line); }
img { max-width: 100%; }
blockquote { margin: 8px 0; padding-left: 12px; border-left: 2px solid var(--line); }
summary { cursor: pointer; }
"""
COLOURS = {"red": "#d32f2f", "green": "#2e7d32", "yellow": "#8a6100", "blue": "#1565c0", "magenta": "#8e24aa",
           "cyan": "#00788a"}  # fmt: skip
SYNTAX = {".k, .kn, .ow": "magenta", ".s1, .s2, .sa, .sd, .si": "red", ".mi, .mf": "green", ".nf, .nc": "blue"}
"""Pygments' classes of words, texts, numbers and names, and their colours; comments are dim."""

BEST = ("text/html", "image/svg+xml", "image/png", "image/jpeg", "image/gif", "image/webp", "text/markdown",
        "text/latex", "text/plain", "application/json")  # fmt: skip
"""Of the forms of an output the first of these is shown; scripts and widgets are none of them."""

PICTURES = {"image/png", "image/jpeg", "image/gif", "image/webp", "image/svg+xml"}


def page(notebook: Notebook) -> str:
    """The whole document."""
    cells = notebook.cells
    title = next((found[1] for cell in cells if (found := re.search(r"^# +(.+)$", cell.source, re.MULTILINE))), "")
    drawn = "\n".join(_cell(cell, notebook) for cell in cells)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="referrer" content="no-referrer">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{entities.escape(title or notebook.path.stem)}</title>\n<style>{STYLE}{_colours()}</style>\n</head>\n"
        f"<body>\n{drawn}\n</body>\n</html>\n"
    )


def _colours() -> str:
    mixed = {name: f"color: color-mix(in srgb, {colour} 60%, CanvasText);" for name, colour in COLOURS.items()}
    lines = [f".ansi-{name}-fg, .ansi-{name}-intense-fg {{ {mix} }}" for name, mix in mixed.items()]
    lines += [f"{classes} {{ {mixed[name]} }}" for classes, name in SYNTAX.items()]
    return "\n".join([*lines, ".ansi-bold { font-weight: 600; }", ".c1, .cm, .ch { color: var(--dim); }", ""])


def _cell(cell: Cell, notebook: Notebook) -> str:
    kind = cell.data["cell_type"]
    if kind == "markdown":
        attachments = cell.data.get("attachments")
        images = attachments if isinstance(attachments, dict) else {}
        return f"<section>{_markdown(cell.source, notebook.path.parent, images)}</section>"
    if kind != "code":
        return f"<section><pre>{entities.escape(cell.source)}</pre></section>" if cell.source else ""
    count = f'<div class="count">[{cell.count}]</div>' if cell.count is not None else ""
    source = f'<div class="source">{_code(cell.source, _language(notebook))}</div>' if cell.source.strip() else ""
    outputs = "\n".join(_output(output, notebook.path.parent) for output in cell.outputs)
    return f"<section>{count}{source}\n{outputs}</section>"


def _language(notebook: Notebook) -> str:
    """The lexer's name, as the notebook's metadata has it."""
    said = notebook.data.get("metadata", {}).get("language_info")
    named = (said.get("pygments_lexer"), said.get("name")) if isinstance(said, dict) else ()
    return next((name for name in named if isinstance(name, str)), "python")


def _code(source: str, language: str) -> str:
    try:
        lexer = get_lexer_by_name(language)
    except ClassNotFound:
        return f"<pre>{entities.escape(source)}</pre>"
    return f"<pre>{highlight(source, lexer, HtmlFormatter(nowrap=True))}</pre>"


def _output(output: dict[str, Any], folder: Path) -> str:
    kind = output.get("output_type")
    if kind == "stream":
        name = "stderr" if output.get("name") == "stderr" else "stdout"
        return f'<div class="output {name}"><pre>{_terminal(text_of(output.get("text")))}</pre></div>'
    if kind == "error":
        frames = output.get("traceback")
        lines = [line for line in frames if isinstance(line, str)] if isinstance(frames, list) else []
        told = "\n".join(lines) or f"{output.get('ename')}: {output.get('evalue')}"
        return f'<div class="output error"><pre>{_terminal(told)}</pre></div>'
    data = output.get("data", {})
    best = next((mime for mime in BEST if mime in data), None)
    shown = _drawn(best, data[best], folder) if best else _left_out(f"an output of {', '.join(data) or 'no form'}")
    return f'<div class="output">{shown}</div>'


def _drawn(mime: str, content: Any, folder: Path) -> str:
    """One form of an output."""
    text = text_of(content)
    if mime == "text/html":
        return safe.html(text)
    if mime in PICTURES:
        return _picture(mime, text if mime != "image/svg+xml" else base64.b64encode(text.encode()).decode())
    if mime == "text/markdown":
        return _markdown(text, folder, {})
    return f"<pre>{_terminal(text or repr(content))}</pre>"


def _terminal(text: str) -> str:
    """What was printed, its colours as classes and everything else as text."""
    return safe.html(str(ansi2html(text)))  # type: ignore[no-untyped-call]


def _picture(mime: str, data: str, told: str = "") -> str:
    data = re.sub(r"\s+", "", data)
    if not re.fullmatch(r"[A-Za-z0-9+/]*={0,2}", data):
        return _left_out("a picture whose data is damaged")
    return f'<img src="data:{mime};base64,{data}" alt="{entities.escape(told)}">'


def _left_out(what: str) -> str:
    return f'<span class="left-out">[{entities.escape(what)}, not in this page]</span>'


def _markdown(text: str, folder: Path, attachments: dict[str, Any]) -> str:
    renderer = _Renderer(folder, attachments)
    drawn = MarkdownWithMath(renderer=renderer).render(text)
    return safe.html(drawn, links=True)


class _Renderer(IPythonRenderer):
    """Markdown with its pictures in it: those attached, and those that lie in the notebook's folder."""

    def __init__(self, folder: Path, attachments: dict[str, Any]) -> None:
        super().__init__(escape=False, exclude_anchor_links=True)
        self._folder, self._attached = folder, attachments

    def block_mermaidjs(self, code: str) -> str:
        return f"<pre>{entities.escape(code)}</pre>"

    def image(self, text: str, url: str, title: str | None = None) -> str:
        found = self._attachment(url) if url.startswith("attachment:") else self._file(url)
        return _picture(*found, text) if found else _left_out(f"a picture: {text or url}")

    def _attachment(self, url: str) -> tuple[str, str] | None:
        forms = self._attached.get(unquote(url.removeprefix("attachment:")), {})
        mime = next((mime for mime in forms if mime in PICTURES), None) if isinstance(forms, dict) else None
        if mime is None:
            return None
        text = text_of(forms[mime])
        return mime, base64.b64encode(text.encode()).decode() if mime == "image/svg+xml" else text

    def _file(self, url: str) -> tuple[str, str] | None:
        """A picture in the notebook's folder or below: a notebook must not bring other files into its page."""
        if url.startswith("data:"):
            found = re.fullmatch(r"data:(image/[\w+]+);base64,(.*)", url, re.DOTALL)
            return (found[1], found[2]) if found and found[1] in PICTURES else None
        mime = mimetypes.guess_type(url)[0]
        if mime not in PICTURES or "\0" in url:
            return None
        folder = self._folder.resolve()
        path = (folder / unquote(url)).resolve()
        if not path.is_relative_to(folder) or not path.is_file():
            return None
        return mime, base64.b64encode(path.read_bytes()).decode()
