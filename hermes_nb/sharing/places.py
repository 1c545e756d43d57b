"""Find the paths of one machine in a text: home folders, temporary files, drives of Windows."""

from __future__ import annotations

import re

PATH = re.compile(
    r"""(?:(?<![\w.:/\\~…+$}-])|(?<=\dm))            # no part of an address or of a longer path; a colour may end here
        (?:file://)?(?:
            /(?:home|root|Users|tmp|private|opt|mnt|media|srv|work|workspaces?|content|kaggle)/\w[\w.+@/-]*
          | /(?:var/(?:folders|tmp)|usr/(?:local/)?lib\d*)/\w[\w.+@/-]*
        )
      | (?<![A-Za-z])[A-Z]:\\{1,2}[A-Za-z][\w.\\-]*
      | (?<![A-Za-z])[A-Za-z]:[\\/]{1,2}Users[\\/]{1,2}\w[\w.\\/-]*
    """,
    re.VERBOSE,
)


def found(text: str) -> list[str]:
    """The paths in a text, each once, in order."""
    return list(dict.fromkeys(one[0] for one in PATH.finditer(text)))


def shortened(text: str) -> str:
    """The text with the last name of every such path in its place: `…/data.csv`."""
    return PATH.sub(_last, text)


def _last(path: re.Match[str]) -> str:
    parts = [part for part in re.split(r"[/\\]+", path[0]) if part]
    return f"…/{parts[-1]}"
