"""Secrets out of everything that is stored or shown; what goes to the model is never touched.

`Secret` holds a key and does not tell it. `Redactor` puts a marker such as `[redacted:key#1]` in the place of every
known secret (as it is, url-encoded or JSON-escaped) and of everything shaped like one; the same value gets the same
marker, so equality still shows. `known_secrets` picks the secrets out of an environment.

Not caught: base64 of a secret, a secret cut in two (a stream is redacted once it is whole), one of under 8 characters.
"""

from __future__ import annotations

import hmac
import html
import json
import re
import threading
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NoReturn
from urllib.parse import quote, quote_plus

from hermes_nb import keys
from hermes_nb.keys import Span

SHORTEST = 8
"""Shorter values are no secrets: hiding them would riddle ordinary text with markers."""

MARKER = re.compile(r"(\[redacted:[a-z]+#\d+\])")
MASK = "Secret(hidden)"


class Secret:
    """A key that does not show itself: not in a repr, a string, JSON, a pickle, `vars` or a debugger's listing.

    `reveal()` gives the value. Secrets are equal when their values are. One that was pickled comes back without its
    value, and says so when it is asked for it.
    """

    __slots__ = ("_told",)

    def __init__(self, value: str | Secret) -> None:
        text = value.reveal() if isinstance(value, Secret) else value
        if not isinstance(text, str):
            raise TypeError(f"a secret is text; this one is of type {type(text).__name__}")
        # In a closure, so that nothing that walks attributes comes across it.
        self._told: Callable[[], str] = lambda: text

    def reveal(self) -> str:
        """The value.

        Raises:
            ValueError: it was lost in a pickle.
        """
        return self._told()

    def __eq__(self, other: object) -> bool:
        if self is other or not isinstance(other, Secret):
            return self is other
        one, two = _value(self), _value(other)
        return one is not None and two is not None and hmac.compare_digest(one, two)

    def __hash__(self) -> int:
        return hash((Secret, _value(self)))

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Secret:
        return self

    def __reduce__(self) -> tuple[type[Secret], tuple[str], str]:
        return Secret, ("",), "without its value"

    def __setstate__(self, state: str) -> None:
        self._told = _lost

    def __repr__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)


def _lost() -> NoReturn:
    raise ValueError("this secret was pickled, and a pickle does not carry its value: make the Secret again")


def _value(secret: Secret) -> bytes | None:
    try:
        return secret.reveal().encode("utf-8", "surrogatepass")
    except ValueError:
        return None


def known_secrets(environ: Mapping[str, str]) -> frozenset[str]:
    """The values in `environ` that look like secrets, by name and by value.

    The name holds key, token, secret, passw or credential, and is not about a keyboard or a tokenizer. The value has
    at least 8 characters and is no plain word, number, dotted name, path, or address without user and query.
    """
    named = (value.strip() for name, value in environ.items() if TELLING.search(name) and not HARMLESS.search(name))
    return frozenset(value for value in named if _worth_hiding(value) and not _ordinary(value))


TELLING = re.compile(r"(?i)key|token|secret|passw|credential")
HARMLESS = re.compile(r"(?i)keyboard|keymap|tokeni[sz]er")
ORDINARY = re.compile(r"[\d.,:_+-]+|[A-Za-z_]+(?:\.[A-Za-z_]+)+|https?://[^\s?#@]+")
PATH = re.compile(r"(?:~|\.{0,2}/|[A-Za-z]:\\)[^+=]*")


def _worth_hiding(value: str) -> bool:
    """Whether a value is long enough and no plain word: letters only, written as a word is."""
    a_word = value.isalpha() and len(value) <= 20 and (value.islower() or value.isupper() or value.istitle())
    return len(value) >= SHORTEST and not a_word


def _ordinary(value: str) -> bool:
    if PATH.fullmatch(value):
        return not any(len(part) >= 16 and keys.mixed(part) for part in re.split(r"[/\\]", value))
    return ORDINARY.fullmatch(value) is not None


_Find = Callable[[str], list[Span]]


class Redactor:
    """Puts markers in the place of secrets: of those given, and of everything shaped like a key.

    Markers count up in the order in which secrets appear, so one Redactor serves one run or one file. Its work is
    idempotent and takes time linear in the text. Secrets shorter than 8 characters and plain words are left out.
    """

    def __init__(self, secrets: Iterable[str | Secret] = ()) -> None:
        values = [secret.reveal() if isinstance(secret, Secret) else secret for secret in secrets]
        known = [value for value in values if _worth_hiding(value)]
        forms = {form: value for value in known for form in _forms(value)}
        self._finds: tuple[_Find, ...] = (_find_known(forms), keys.find) if known else (keys.find,)
        self._known = _suspect_known(forms)
        self._knows_some = bool(known)
        self._markers: dict[Secret, str] = {}
        self._lock = threading.Lock()

    def text(self, text: str) -> str:
        """The text with a marker for every secret; the very same string when there is none."""
        if len(text) < len("://u:p@"):
            return text
        for find in self._finds:
            if "[" in text and "[redacted:" in text:
                parts = enumerate(MARKER.split(text))
                text = "".join(part if odd % 2 else self._without(part, find) for odd, part in parts)
            else:
                text = self._without(text, find)
        return text

    def suspects(self, encoded: str) -> bool:
        """Whether data may hold a secret, by one look at its JSON; where it says no, `value` would change nothing.

        JSON escapes no letter, digit or sign that a secret is told by, so what can be found in a string can be found in
        its JSON; but for control characters and quotes, which `_unescaped` and `_bare` take care of.
        """
        if keys.suspect(encoded) or (self._knows_some and self._known(encoded.replace("\\", ""))):
            return True
        plain = _unescaped(encoded) if "%" in encoded or "\\u" in encoded else None
        return plain is not None and (keys.suspect(plain[0]) or self._known(_bare(plain[0])))

    def value(self, value: Any) -> Any:
        """JSON-like data with every string in it redacted, keys too; of the same shape, whatever its depth."""
        root: list[Any] = [None]
        todo: list[tuple[Any, Any, Any]] = [(root, 0, value)]
        while todo:
            holder, place, item = todo.pop()
            if isinstance(item, str):
                holder[place] = self.text(item)
            elif isinstance(item, dict):
                fresh: dict[Any, Any] = {}
                holder[place] = fresh
                names = [self._key(key, fresh) for key in item]
                todo += reversed([(fresh, name, inner) for name, inner in zip(names, item.values(), strict=True)])
            elif isinstance(item, list):
                row: list[Any] = [None] * len(item)
                holder[place] = row
                todo += reversed([(row, index, inner) for index, inner in enumerate(item)])
            else:
                holder[place] = tuple(self.value(inner) for inner in item) if type(item) is tuple else item
        return root[0]

    def _key(self, key: Any, taken: dict[Any, Any]) -> Any:
        """The redacted key, entered in `taken`: two spellings of one secret must not become one key."""
        told = self.text(key) if isinstance(key, str) else key
        while told in taken:
            told = f"{told}'"
        taken[told] = None
        return told

    def _without(self, piece: str, find: _Find) -> str:
        spans = find(piece)
        plain = _unescaped(piece) if "%" in piece or "\\" in piece else None
        if plain:
            text, place = plain
            spans += [span._replace(start=place(span.start), end=place(span.end)) for span in find(text)]
        return self._marked(piece, spans) if spans else piece

    def _marked(self, piece: str, spans: list[Span]) -> str:
        parts, at = [], 0
        for span in _apart(spans):
            parts += [piece[at : span.start], self._marker(span)]
            at = span.end
        return "".join([*parts, piece[at:]])

    def _marker(self, span: Span) -> str:
        with self._lock:
            return self._markers.setdefault(Secret(span.value), f"[redacted:{span.label}#{len(self._markers) + 1}]")

    def __deepcopy__(self, memo: dict[int, Any]) -> Redactor:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Redactor knows secrets, so it is not pickled: make one where it is needed")

    def __repr__(self) -> str:
        return f"Redactor({len(self._markers)} secrets seen)"


def _apart(spans: list[Span]) -> Iterator[Span]:
    """The spans in order, those that overlap as one that keeps the value of the first and longest."""
    ordered = sorted(spans, key=lambda span: (span.start, -span.end))
    last = ordered[0]
    for span in ordered[1:]:
        if span.start < last.end:
            last = last._replace(end=max(last.end, span.end))
        else:
            yield last
            last = span
    yield last


ESCAPE = re.compile(r"%([0-7][0-9A-Fa-f])|(?<!\\)\\++u([0-9A-Fa-f]{4})")
PERCENT = re.compile(r"%[0-7][0-9A-Fa-f]")


def _unescaped(piece: str) -> tuple[str, Callable[[int], int]] | None:
    """The piece with `%2D` and `\\u002d` read, and what maps a place in it back; None where nothing is escaped."""
    if not ("%" in piece and PERCENT.search(piece)) and not ("\\" in piece and "\\u" in piece):
        return None
    parts, starts, shifts, at = [], [], [0], 0
    for escape in ESCAPE.finditer(piece):
        parts += [piece[at : escape.start()], chr(int(escape[1] or escape[2], 16))]
        at = escape.end()
        starts.append(escape.start() - shifts[-1])
        shifts.append(shifts[-1] + len(escape[0]) - 1)
    parts.append(piece[at:])
    return ("".join(parts), lambda index: index + shifts[bisect_left(starts, index)]) if starts else None


def _find_known(forms: Mapping[str, str]) -> _Find:
    """What finds exact values in any of their forms, the longest first. They stay in a closure, unseen by `vars`."""
    ordered = sorted(forms, key=len, reverse=True)

    def find(piece: str) -> list[Span]:
        present = [form for form in ordered if form in piece]
        if not present:
            return []
        found = re.finditer("|".join(re.escape(form) for form in present), piece)
        return [Span(one.start(), one.end(), forms[one[0]], keys.label(forms[one[0]])) for one in found]

    return find


def _suspect_known(forms: Iterable[str]) -> Callable[[str], bool]:
    """Whether one of these forms may be in a bare text. They stay in a closure, too."""
    bare = {_bare(form) for form in forms}
    quoted = tuple(form for form in bare if "%" in form)
    usual = tuple(bare - set(quoted))

    def suspect(text: str) -> bool:
        for form in usual:
            if form in text:
                return True
        return "%" in text and any(form in text for form in quoted)

    return suspect if bare else lambda text: False


BARE = {"\n": "n", "\r": "r", "\t": "t", "\b": "b", "\f": "f", "\\": ""}


def _bare(text: str) -> str:
    """The text, and its JSON, without the difference: no backslashes, and letters for what JSON writes as such."""
    for written, bare in BARE.items():
        text = text.replace(written, bare)
    return text


def _forms(value: str) -> set[str]:
    """The value as it is, and as URLs, JSON (once and twice), Python and HTML write it."""
    once = {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}
    forms = {value, repr(value)[1:-1], html.escape(value), *once, *(form.replace("/", "\\/") for form in once)}
    forms |= {json.dumps(form)[1:-1] for form in once}
    quoted = {quote(value, safe, errors="surrogatepass") for safe in ("", "/")}
    quoted.add(quote_plus(value, errors="surrogatepass"))
    lowered = {re.sub("%..", lambda code: code[0].lower(), form) for form in quoted}
    return forms | quoted | lowered
