"""What a model is shown of a value that is more than text: an image, a sound or a file as a content part, a table as
compact text.

Wire format: the `image_url`, `input_audio` and `file` parts of the OpenAI API, the first and the last with a data URL.
No package is imported for them: figures, pictures and tables are known by the names of their classes.
"""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass
from io import BytesIO
from mimetypes import guess_extension
from typing import Any

LARGEST = 4 * 1024 * 1024
"""Bytes of an image, a sound or a file that is sent as one; a larger one is only told of."""

PLAIN = frozenset({str, int, float, bool, dict, list, type(None)})
"""The types of nearly all that tools return, which are text and no more."""

ROWS, COLUMNS = 60, 20
"""What is shown of a table; of a larger one the first and last, and its shape."""

MAGIC = {b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpeg", b"GIF8": "gif"}
WEBP = re.compile(rb"RIFF.{4}WEBP", re.DOTALL)
SOUNDS = {"audio/wav": "wav", "audio/x-wav": "wav", "audio/mpeg": "mp3", "audio/mp3": "mp3"}
"""The sounds that the API takes as such, by its names for them; any other is a file."""

MEDIA_TYPE = re.compile(r"[a-z]+/[\w.+-]+")


@dataclass(frozen=True, slots=True)
class Shown:
    """A value as text, and as content parts where it is more than text."""

    text: str
    parts: tuple[dict[str, Any], ...] | None = None


def shown(value: Any) -> Shown | None:
    """What a model is shown of an image, a table, or bytes with a type; None for any other value.

    | value | text | part |
    |---|---|---|
    | a matplotlib figure, a PIL image | `[image: 640 x 480 png, 12 kB]` | the image, as PNG |
    | bytes of a PNG, JPEG, GIF or WebP; `(bytes, "image/png")` | the same, the size where it is told | the image |
    | `(bytes, "text/csv")`, any text | the text | |
    | `(bytes, "audio/wav")`, or mp3 | `[audio/wav, 12 kB]` | the sound |
    | `(bytes, "application/pdf")`, any other type | `[application/pdf, 12 kB]` | the file |
    | a pandas DataFrame or Series | its first and last rows, and its shape | |

    Raises:
        Exception: what the value raised when it was drawn or printed.
    """
    if type(value) in PLAIN:
        return None
    if isinstance(value, bytes | bytearray):
        kind = _kind_of(value)
        return _image(bytes(value), kind) if kind else None
    if _is_typed(value):
        return _typed(*value)
    names = {f"{kind.__module__.partition('.')[0]}.{kind.__qualname__}" for kind in type(value).__mro__}
    if "matplotlib.Figure" in names:
        return _image(_saved(value.savefig), "png")
    if "PIL.Image" in names:
        return _image(_saved(value.save), "png")
    if "pandas.DataFrame" in names:
        return Shown(value.to_string(max_rows=ROWS, max_cols=COLUMNS, show_dimensions=True))
    return Shown(value.to_string(max_rows=ROWS, length=True, dtype=True)) if "pandas.Series" in names else None


def _is_typed(value: Any) -> bool:
    pair = type(value) is tuple and len(value) == 2
    return pair and isinstance(value[0], bytes) and isinstance(value[1], str) and bool(MEDIA_TYPE.fullmatch(value[1]))


def _typed(raw: bytes, media_type: str) -> Shown:
    family, _, kind = media_type.partition("/")
    if family == "image":
        return _image(raw, kind)
    if family == "text":
        return Shown(raw.decode("utf-8", "backslashreplace"))
    told = f"{media_type}, {_in_words(len(raw))}"
    if len(raw) > LARGEST:
        return Shown(f"[{told}: too large to be sent]")
    return Shown(f"[{told}]", (_attached(raw, media_type),))


def _attached(raw: bytes, media_type: str) -> dict[str, Any]:
    data = b64encode(raw).decode()
    if heard := SOUNDS.get(media_type):
        return {"type": "input_audio", "input_audio": {"data": data, "format": heard}}
    name = f"result{guess_extension(media_type) or ''}"
    return {"type": "file", "file": {"filename": name, "file_data": f"data:{media_type};base64,{data}"}}


def _image(raw: bytes, kind: str) -> Shown:
    size = f"{int.from_bytes(raw[16:20])} x {int.from_bytes(raw[20:24])} " if _kind_of(raw) == "png" else ""
    told = f"image: {size}{kind}, {_in_words(len(raw))}"
    if len(raw) > LARGEST:
        return Shown(f"[{told}: too large to be shown]")
    url = f"data:image/{kind};base64,{b64encode(raw).decode()}"
    return Shown(f"[{told}]", ({"type": "image_url", "image_url": {"url": url}},))


def _kind_of(raw: bytes | bytearray) -> str | None:
    if WEBP.match(raw):
        return "webp"
    return next((kind for start, kind in MAGIC.items() if raw.startswith(start)), None)


def _saved(save: Any) -> bytes:
    target = BytesIO()
    save(target, format="png")
    return target.getvalue()


def _in_words(size: int) -> str:
    return f"{size} bytes" if size < 1000 else f"{size / 1000:.0f} kB" if size < 1_000_000 else f"{size / 1e6:.1f} MB"
