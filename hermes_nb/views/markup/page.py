"""A page of its own around a fragment: one file, which asks nothing of any other."""

from __future__ import annotations

import html as entities

from hermes_nb.views.markup.pieces import Markup

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
"""What a browser lets the page do: look as it does, and show the pictures that are in it."""

STYLE = """
:root { color-scheme: light dark; --text: CanvasText; --dim: color-mix(in srgb, CanvasText 72%, Canvas);
  --line: color-mix(in srgb, CanvasText 16%, Canvas); --code: color-mix(in srgb, CanvasText 5%, Canvas); }
body { font: 14px/21px system-ui, sans-serif; color: var(--text); background: Canvas; margin: 0 auto; padding: 16px;
  max-width: 900px; }
table { border-collapse: collapse; font-size: 13px; line-height: 20px; }
thead th { font-weight: 400; color: var(--dim); }
td, th { padding: 2px 6px; }
tr { border-top: 1px solid var(--line); }
div:target { background: var(--code); scroll-margin-top: 40px; }
td[align="right"] b { color: var(--text); }
td[align="right"] { font-variant-numeric: tabular-nums; color: var(--dim); }
code, pre { font: 12px/18px ui-monospace, monospace; }
pre { background: var(--code); padding: 6px 8px; border-left: 2px solid var(--line); }
blockquote { margin: 0 0 12px; padding-left: 12px; border-left: 2px solid var(--line); }
details { border-top: 1px solid var(--line); padding: 4px 0; }
summary { cursor: pointer; overflow-wrap: anywhere; }
a { color: inherit; text-decoration: underline; text-decoration-color: var(--line); text-underline-offset: 3px; }
a:focus-visible, summary:focus-visible { outline: 2px solid Highlight; outline-offset: 1px; }
.ansi-bold { font-weight: 600; }
.ansi-underline { text-decoration: underline; }
"""

COLOURS = {"red": "#d32f2f", "green": "#2e7d32", "yellow": "#8a6100", "blue": "#1565c0", "magenta": "#8e24aa",
           "cyan": "#00788a"}  # fmt: skip


def page(title: str, body: Markup) -> str:
    """The whole document."""
    colours = "\n".join(
        f".ansi-{name}-fg, .ansi-{name}-intense-fg {{ color: color-mix(in srgb, {colour} 60%, CanvasText); }}"
        for name, colour in COLOURS.items()
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="referrer" content="no-referrer">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{entities.escape(title)}</title>\n<style>{STYLE}{colours}\n</style>\n</head>\n"
        f"<body>\n{body.html}\n</body>\n</html>\n"
    )
