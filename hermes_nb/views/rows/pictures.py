"""Pictures that tools return, as bounded data: nothing is fetched, and bytes of another kind are not drawn."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

LARGEST = 64_000
"""The most bytes of a picture that is shown: a notebook keeps every one of them."""

WIDEST = 4096
"""The most points of a side: few bytes can stand for a picture that no browser can hold."""

DATA = re.compile(r"data:image/(png|jpeg|gif);base64,([A-Za-z0-9+/]+={0,2})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture as it can stand in a page: `kind` is png, jpeg or gif, `data` is base64; or, in `missing`, why not."""

    kind: str = ""
    data: str = ""
    width: int = 0
    height: int = 0
    missing: str = ""

    @property
    def told(self) -> str:
        """The picture in words."""
        if self.missing:
            return f"an image, not shown: {self.missing}"
        return f"an image, {self.kind}, {self.width} × {self.height}"


def pictured(part: Mapping[str, Any]) -> Picture | None:
    """The picture in a part of a tool's answer; None for a part of another type."""
    if part.get("type") != "image_url":
        return None
    given = part.get("image_url")
    address = given.get("url") if isinstance(given, Mapping) else given
    if not isinstance(address, str) or not address.startswith("data:"):
        return Picture(missing="it is not in the run, and nothing is fetched")
    if len(address) > LARGEST * 4 // 3 + 100:
        return Picture(missing=f"it has more than {LARGEST // 1000} kB")
    found = DATA.fullmatch(address)
    if found is None:
        return Picture(missing="it is neither png nor jpeg nor gif")
    size = measured(found[1], found[2])
    if size is None:
        return Picture(missing=f"its bytes are not those of a {found[1]}")
    if not 0 < max(size) <= WIDEST or min(size) < 1:
        return Picture(missing=f"it measures {size[0]} × {size[1]}")
    return Picture(kind=found[1], data=found[2], width=size[0], height=size[1])


def measured(kind: str, data: str) -> tuple[int, int] | None:
    """Width and height from the picture's own bytes; None where these are of another kind."""
    try:
        content = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return None
    if kind == "png" and content[:8] == b"\x89PNG\r\n\x1a\n" and content[12:16] == b"IHDR" and len(content) > 24:
        return int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big")
    if kind == "gif" and content[:6] in (b"GIF87a", b"GIF89a") and len(content) > 10:
        return int.from_bytes(content[6:8], "little"), int.from_bytes(content[8:10], "little")
    return jpeg_size(content) if kind == "jpeg" and content[:2] == b"\xff\xd8" else None


def jpeg_size(content: bytes) -> tuple[int, int] | None:
    """Width and height of a JPEG, from its first frame header."""
    at = 2
    while at + 9 < len(content) and content[at] == 0xFF:
        marker, length = content[at + 1], int.from_bytes(content[at + 2 : at + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return int.from_bytes(content[at + 7 : at + 9], "big"), int.from_bytes(content[at + 5 : at + 7], "big")
        at += 2 + max(length, 2)
    return None
