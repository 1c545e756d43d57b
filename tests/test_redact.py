"""Secrets stay out of what is stored and shown, and ordinary text stays as it is."""

from __future__ import annotations

import copy
import html
import json
import pickle
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from IPython.core.formatters import DisplayFormatter

from hermes_nb import codec
from hermes_nb.redact import MARKER, Redactor, Secret, known_secrets

KEY = "sk-or-v1-" + "0123456789abcdef" * 4
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
PEM = (
    "-----BEGIN RSA PRIVATE KEY-----\n"
    + "MIIEpAIBAAKCAQEA7d0Jt3Z1+/a0Zq8k1cXxO3mU0b9tq4rY\n" * 3
    + "-----END RSA PRIVATE KEY-----"
)

SHAPED = {
    KEY: "key",
    "sk-proj-Ab3_dEfGh1jKlMn0pQrStUvWxYz-0123456789": "key",
    "sk-ant-api03-Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5-AA": "key",
    "sk-0123456789abcdefABCDEF0123456789abcdefABCDEF0123": "key",
    "AKIAIOSFODNN7EXAMPLE": "key",
    "AIzaSyA1234567890abcdefGHIJKLMNOPQRSTUV": "key",
    "hf_aBcDeFgHiJkLmNoPqRsTuVwXyZaBcDeFgH": "token",
    "ghp_0123456789abcdefABCDEF0123456789abcd": "token",
    "gho_0123456789abcdefABCDEF0123456789abcd": "token",
    "github_pat_11ABCDEFG0123456789abc_defghijklmnop0123456789": "token",
    "xoxb-123456789012-abcdefGHIJKL": "token",
    JWT: "jwt",
    PEM: "pem",
}

ORDINARY = [
    "a risk-averse-strategy-for-2024-and-beyond, task-based, disk-encryption-keys-20240115",
    "sk-learn-compatible-estimators-for-tabular-data and sk-SK",
    "9fceb02d0ae598e95dc970b74767f19372d61af8 5f2b1c9e-1234-4a5b-8c9d-0123456789ab",
    "call_0a1b2c3d4e5f60718293a4b5 chatcmpl-9f0b7c2a1d3e4f5061728394",
    "basic understanding-of-things; the bearer of bad news; authorization: required by policy",
    "api_key = os.environ['OPENAI_API_KEY']; api_key=settings.openai_key; api_key: str | None = None",
    'headers = {"Authorization": "Bearer YOUR_API_KEY", "api-key": "${API_KEY}"}',
    "https://example.org:8080/a@b and mailto:someone@example.org and git@example.org:me/it.git",
    "postgres://user:{password}@host and redis://:***@host",
    "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A\n-----END PUBLIC KEY-----",
    "ghp_short hf_model_for_transformers_pipelines AKIA eyJ xoxo-kisses",
    "100 % of 5% at C:\\Users\\you\\notes and caf\\u00e9 %zz",
]


def numbered(label: str, number: int = 1) -> str:
    return f"[redacted:{label}#{number}]"


# What a Secret does not say


def test_a_secret_tells_its_value_only_when_asked_to_reveal_it() -> None:
    assert Secret(KEY).reveal() == KEY
    assert Secret(Secret(KEY)).reveal() == KEY


@pytest.mark.parametrize(
    "shown",
    [
        repr,
        str,
        "{}".format,
        "{:>40}".format,
        "{!r}".format,
        lambda secret: "%s" % secret,  # noqa: UP031 - the old way must not leak either
        lambda secret: repr([secret, {"key": secret}]),
        lambda secret: repr([getattr(secret, name, None) for name in dir(secret)]),
        lambda secret: repr(getattr(secret, "__dict__", None)),
        lambda secret: json.dumps({"key": secret}, default=str),
        lambda secret: codec.dumps({"key": secret}, default=repr).decode(),
        lambda secret: repr(DisplayFormatter().format(secret)),
        lambda secret: repr(pickle.dumps(secret)),
        lambda secret: repr(copy.deepcopy({"key": secret})),
        lambda secret: repr(copy.copy(secret)),
    ],
)
def test_a_secret_shows_nothing_of_its_value(shown: Any) -> None:
    assert KEY[:12] not in shown(Secret(KEY))


def test_a_secret_is_not_json() -> None:
    with pytest.raises(TypeError):
        json.dumps(Secret(KEY))
    with pytest.raises(TypeError):
        codec.dumps(Secret(KEY))


def test_copies_of_a_secret_still_know_it() -> None:
    secret = Secret(KEY)

    assert copy.copy(secret).reveal() == copy.deepcopy([secret])[0].reveal() == KEY


def test_a_pickled_secret_says_that_it_lost_its_value() -> None:
    back = pickle.loads(pickle.dumps(Secret(KEY)))

    assert isinstance(back, Secret)
    assert back != Secret(KEY) != back
    assert hash(back) is not None
    with pytest.raises(ValueError, match="pickled"):
        back.reveal()
    with pytest.raises(ValueError, match="pickled"):
        Secret(back)


def test_secrets_are_equal_when_their_values_are() -> None:
    assert Secret(KEY) == Secret(KEY)
    assert Secret(KEY) != Secret(KEY + "x")
    assert Secret(KEY) != KEY
    assert len({Secret(KEY), Secret(KEY), Secret("k\ud800")}) == 2


def test_a_secret_is_text() -> None:
    with pytest.raises(TypeError, match="int"):
        Secret(12345678)  # type: ignore[arg-type]


# What a Redactor takes out


@pytest.mark.parametrize(("value", "label"), SHAPED.items(), ids=lambda item: item[:12])
def test_A27_what_is_shaped_like_a_key_is_redacted(value: str, label: str) -> None:
    for before, after in [("", ""), ("KEY=", "\n"), ('{"k": "', '"}'), ("(", ")"), ("it is ", ", I said"), ("é", "é")]:
        assert Redactor().text(f"{before}{value}{after}") == f"{before}{numbered(label)}{after}"


@pytest.mark.parametrize("value", SHAPED, ids=lambda item: item[:12])
def test_a_key_after_an_escaped_newline_is_redacted(value: str) -> None:
    told = json.dumps({"env": f"HOME=/\n{value}\nPATH="})

    assert json.loads(Redactor().text(told))["env"] == f"HOME=/\n{numbered(SHAPED[value])}\nPATH="


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("https://u:p@h/", "https://u:[redacted:password#1]@h/"),
        ("postgres://admin:hunter2@db:5432/x", "postgres://admin:[redacted:password#1]@db:5432/x"),
        ("redis://:s3cr:et@h", "redis://:[redacted:password#1]@h"),
        ("Authorization: Bearer abcdefghij", "Authorization: Bearer [redacted:token#1]"),
        ("authorization: basic dXNlcjpwYXNz", "authorization: basic [redacted:token#1]"),
        ('{"Authorization": "Bearer a1b2.c3-d4"}', '{"Authorization": "Bearer [redacted:token#1]"}'),
        (r'"{\"authorization\": \"Bearer a1b2c3d4\"}"', r'"{\"authorization\": \"Bearer [redacted:token#1]\"}"'),
        ("(b'AUTHORIZATION', b'Bearer a1b2c3d4')", "(b'AUTHORIZATION', b'Bearer [redacted:token#1]')"),
        ("x-api-key: 12345-abcde", "x-api-key: [redacted:key#1]"),
        ("Api-Key: 0123456789abcdef", "Api-Key: [redacted:key#1]"),
        ("{'api_key': '0123456789abcdef'}", "{'api_key': '[redacted:key#1]'}"),
    ],
)
def test_what_stands_in_a_secrets_place_is_redacted(text: str, told: str) -> None:
    assert Redactor().text(text) == told


@pytest.mark.parametrize(
    "spelled",
    [
        KEY.replace("-", "\\u002d"),
        KEY.replace("-", "\\u002D"),
        KEY.replace("-", "\\\\u002d"),
        KEY.replace("sk", "\\u0073k"),
        "".join(f"\\u{ord(letter):04x}" for letter in KEY),
        KEY.replace("-", "%2D"),
        KEY.replace("-", "%2d"),
        "".join(f"%{ord(letter):02x}" for letter in KEY),
    ],
)
def test_A29_an_escaped_key_is_the_same_key(spelled: str) -> None:
    assert Redactor().text(f"{KEY} then %41 {spelled}.") == "[redacted:key#1] then %41 [redacted:key#1]."


def test_a_private_key_that_was_cut_is_redacted_as_far_as_it_goes() -> None:
    cut = PEM.partition("-----END")[0]

    assert Redactor().text(f"{cut}The end of the file is missing.") == "[redacted:pem#1]The end of the file is missing."


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_stays_the_very_same(text: str) -> None:
    assert Redactor().text(text) is text


def test_markers_count_up_in_the_order_of_appearance() -> None:
    redactor = Redactor(["a known secret 1"])

    assert redactor.value([{"a": [f"{JWT} {KEY}"], "b": "a known secret 1"}, JWT, KEY]) == [
        {"a": ["[redacted:jwt#1] [redacted:key#2]"], "b": "[redacted:secret#3]"},
        "[redacted:jwt#1]",
        "[redacted:key#2]",
    ]


def test_a_marker_is_left_alone_whatever_it_says() -> None:
    assert (
        Redactor(["redacted:key#1"]).text("[redacted:key#1] redacted:key#1") == "[redacted:key#1] [redacted:secret#1]"
    )


def test_the_longest_known_secret_is_taken_first() -> None:
    redactor = Redactor(["abcd-1234", "abcd-1234-efgh"])

    assert redactor.text("abcd-1234-efgh abcd-1234") == "[redacted:secret#1] [redacted:secret#2]"


def test_a_known_key_is_labelled_by_its_shape() -> None:
    assert Redactor([Secret(KEY)]).text(KEY) == "[redacted:key#1]"


@pytest.mark.parametrize("no_secret", ["", "short-1", "password", "Password", "HERMES", "internationalization"])
def test_plain_words_and_short_values_are_no_secrets(no_secret: str) -> None:
    text = f"it is {no_secret} you see"

    assert Redactor([no_secret]).text(text) is text


def test_a_redactor_does_not_show_what_it_knows() -> None:
    redactor = Redactor(["a known secret 1"])
    redactor.text("a known secret 1")

    assert "known secret" not in repr(redactor) + repr(vars(redactor)) + str(copy.deepcopy(redactor))
    assert repr(redactor) == "Redactor(1 secrets seen)"
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(redactor)


# Data of any shape


def test_keys_of_data_are_redacted_and_stay_apart() -> None:
    told = Redactor().value({KEY: 1, KEY.replace("-", "%2D"): (KEY, None), 3: True})

    assert told == {"[redacted:key#1]": 1, "[redacted:key#1]'": ("[redacted:key#1]", None), 3: True}


def test_data_of_any_depth_is_redacted() -> None:
    deep: Any = KEY
    for _ in range(100_000):
        deep = [deep]
    told = Redactor().value(deep)
    for _ in range(100_000):
        told = told[0]

    assert told == "[redacted:key#1]"


plain_data = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
)
secret_text = st.sampled_from([*SHAPED, "a known secret 1"]).map(lambda secret: f"it is {secret}!")
secret_data = st.recursive(
    plain_data | secret_text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8) | secret_text, inner, max_size=4),
)


def shape(value: Any) -> Any:
    """The data with every string gone."""
    if isinstance(value, dict):
        return [shape(item) for item in value.values()]
    if isinstance(value, list):
        return [shape(item) for item in value] + ["list"]
    return type(value) if isinstance(value, str) else value


@given(plain_data)
def test_data_without_secrets_comes_back_equal(data: Any) -> None:
    assume("://" not in repr(data))

    assert Redactor(["a known secret 1"]).value(data) == data


@given(secret_data)
def test_the_shape_of_data_is_kept(data: Any) -> None:
    assert shape(Redactor(["a known secret 1"]).value(data)) == shape(data)


# Whatever the text and the secret


def is_secret(value: str) -> bool:
    """Not one that would be found in a marker."""
    return len(value) >= 8 and not value.isalpha() and not set("[]") & set(value) and "redact" not in value


secrets = st.text(min_size=8, max_size=40).filter(is_secret) | st.sampled_from(list(SHAPED))
positions = st.sampled_from(
    [
        str,
        lambda value: json.dumps(value),
        lambda value: json.dumps(value, ensure_ascii=False),
        lambda value: json.dumps(json.dumps({"k": value})),
        lambda value: quote(value, safe="", errors="surrogatepass"),
        lambda value: quote(value, errors="surrogatepass"),
        lambda value: quote_plus(value, errors="surrogatepass"),
        lambda value: quote(value, safe="", errors="surrogatepass").lower() if value.islower() else value,
        repr,
        html.escape,
    ]
)


@given(st.lists(secrets, min_size=1, max_size=3), st.data(), st.text(max_size=10), st.text(max_size=10))
def test_no_known_secret_is_left_in_any_position(known: list[str], data: Any, before: str, after: str) -> None:
    secret, position = data.draw(st.sampled_from(known)), data.draw(positions)
    spelled = position(secret)
    assume(not set("[]") & set(before + after))
    told = Redactor(known).text(f"{before} {spelled} {after}")

    assert "[redacted:" in told
    assert not [left for left in known if left in MARKER.sub("", told)]
    assert spelled.strip("\"'") not in told


@given(st.lists(secrets, max_size=3), st.lists(st.text(max_size=12) | secrets | st.sampled_from(ORDINARY), max_size=6))
def test_redacting_twice_is_redacting_once(known: list[str], parts: list[str]) -> None:
    for join in ("", " ", '"'):
        redactor = Redactor(known)
        once = redactor.text(join.join(parts))

        assert redactor.text(once) == once
        assert Redactor(known).text(once) == once


@given(st.text())
def test_text_without_secrets_is_unchanged(text: str) -> None:
    assume("://" not in text)

    assert Redactor().text(text) is text


@pytest.mark.parametrize(
    "piece",
    ["sk-", "sk-a", "eyJ-", "eyJabcdefghij.", "xoxb-", "hf_", "ghp_", "://a:", "://a:b", "api-key=_", "api_key=",
     "-----BEGIN PRIVATE KEY-----", "-----BEGIN PRIVATE KEY-----\n" + "A" * 50, "authorization: bearer ",
     "%41", "\\u0041", "\\", "[redacted:", "[redacted:key#1]"],
)  # fmt: skip
def test_hostile_text_is_read_once_so_that_even_much_of_it_comes_to_an_end(piece: str) -> None:
    # Read again from every place in it, as a careless pattern does, this would take hours.
    text = piece * (500_000 // len(piece)) + "@\\u_z"
    once = Redactor(["known secret 1"]).text(text)
    assert Redactor(["known secret 1"]).text(once) == once


# One look at JSON


def test_one_look_tells_that_ordinary_text_holds_no_secret() -> None:
    for text in (ORDINARY[0], *ORDINARY[2:4]):
        assert not Redactor(["a known secret 1"]).suspects(codec.dumps({"text": text}).decode())
    assert Redactor().suspects(codec.dumps({"text": KEY}).decode())


@pytest.mark.parametrize(
    ("known", "text"),
    [
        ("", "redis://:s3cr:et@h"),
        ("", "Authorization: Bearer abcdefghij"),
        ("", "AUTHORIZATION: Bearer abcdefghij"),
        ("", "x-api-key: 12345-abcde"),
        ("", "{'api_key': '0123456789abcdef'}"),
        ("", f"\x01{KEY}"),
        ("one\nline-1234", "one\nline-1234"),
        ("one\nline-1234", "".join(f"\\u{ord(letter):04x}" for letter in "one\nline-1234")),
        ('say "it"-1234', 'say "it"-1234'),
        ("back\\slash-1234", "back\\slash-1234"),
        ("per%cent-1234", "per%25cent-1234"),
    ],
)
def test_one_look_sees_what_is_told_by_its_place_and_what_json_escapes(known: str, text: str) -> None:
    assert Redactor([known]).text(text) != text
    assert Redactor([known]).suspects(codec.dumps({"text": text}).decode())


awkward = st.sampled_from(
    [
        *'%\\"\n\r\t\b\f\x01\x1b\x7f/u0@:. [',
        "\\u00",
        "\\u0041",
        "%2",
        "%41",
        "%5C",
        "%0A",
        "\\\\",
        "://",
        "u:",
        "Authorization: Bearer ",
        "api_key=",
        "[redacted:key#1]",
        "é",
        "😀",
    ]
)
around = st.lists(awkward | st.text(max_size=3), max_size=4).map("".join)
hidden = st.lists(awkward | st.text("abcdef0123456789XY-_", min_size=1, max_size=6), min_size=2, max_size=6).map(
    "".join
)


@given(st.lists(hidden, min_size=1, max_size=2), st.data())
@settings(max_examples=300)
def test_what_is_redacted_was_suspected_at_one_look(known: list[str], data: Any) -> None:
    spelled = data.draw(positions)(data.draw(st.sampled_from([*known, *SHAPED])))
    value = {"a": [data.draw(around) + spelled + data.draw(around)], "b": data.draw(around)}
    assume(Redactor(known).value(value) != value)

    assert Redactor(known).suspects(codec.dumps(value).decode())


# An environment


def test_the_secrets_of_an_environment_are_told_by_name_and_value() -> None:
    secret = {
        "OPENAI_API_KEY": KEY,
        "DB_PASSWORD": "correct-horse-battery",
        "slack_token": "xoxb-123456789012-abcdefGHIJKL",
        "MY_CREDENTIALS": '{"type": "service"}',
        "AWS_SECRET_ACCESS_KEY": "/aB3dE5gH7jK9mN1pQ3sT5vX7zB9dF1hJ3lN5pR7",
        "AUTH_TOKEN_URL": "https://u:p@host/path",
    }
    harmless = {
        "HOME_PATH": "not-about-any-of-it-1234",
        "SSH_KEY_FILE": "~/.ssh/id_ed25519_2024",
        "GOOGLE_APPLICATION_CREDENTIALS": "/etc/google/service-account.json",
        "TOKEN_URL": "https://auth.example.org/token",
        "MAX_TOKENS": "4096000000",
        "SECRET_MODE": "disabled",
        "TOKEN": "1234567",
        "KEYRING_BACKEND": "keyring.backends.null.Keyring",
        "TOKENIZER": "org/Llama-3.1-8B",
        "KEYBOARD_LAYOUT": "us-intl-2",
    }

    assert known_secrets({**secret, **harmless}) == frozenset(secret.values())
